//! `garble`: the reply's content is noise.

use super::{Effect, Fault, FaultKind, Moment, Struck, no_argument};
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "Some of the reply's characters are others. An HTTP reply keeps its status and its headers, a reply of gRPC its \
            metadata, and the body is garbled; in other protocols the second half of the reply's bytes is.",
        subject: Shape::Nothing,
        example: "garble",
        ..Word::new("garble", "the reply's content is noise")
    },
    read: |argument, _| no_argument("garble", argument).map(|()| Arc::new(Garble) as Arc<dyn Fault>),
};

struct Garble;

impl Fault for Garble {
    fn moment(&self) -> Moment {
        Moment::Reply
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let noise = |index: usize| index % 5 == 2;
        if let Some(text) = struck.parts.reply.get("text").and_then(Value::as_text) {
            let garbled: String = text
                .chars()
                .enumerate()
                .map(|(index, character)| if noise(index) { '\u{fffd}' } else { character })
                .collect();
            let mut reply = struck.parts.reply.as_map()?.clone();
            reply.shift_remove("body");
            reply.insert("text".to_owned(), Value::Text(garbled));
            return Some(Effect::Answer(Value::Map(reply)));
        }
        Some(Effect::Garble)
    }
}

/// A body of noise.
pub(crate) fn noise(body: &mut [u8]) {
    for byte in body.iter_mut().step_by(5) {
        *byte ^= 0x5a;
    }
}

/// A reply of which nothing is known but its bytes: the beginning of it is left, so that it is taken for one.
pub(crate) fn garbled(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let half = bytes.len() / 2;
    noise(&mut bytes[half..]);
    bytes
}
