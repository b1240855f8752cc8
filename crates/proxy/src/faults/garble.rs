//! `garble`: the reply's content is noise.

use super::{Change, Effect, Fault, FaultKind, Moment, Role, Struck, no_argument};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_model::{Shape, Word};
use seam_value::Value;
use seam_wire::Deed;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "Some of the reply's characters are others: those of an HTTP reply's body, of gRPC's messages, of the values in \
            rows, of the text behind SMTP's code, as far as the first mebibyte. What is around it, and how long each part of it is, \
            stays: it arrives well framed. A reply without content is left as it is, and does not count. A message that nobody \
            answers (of WebSocket or of gRPC's streams, an event, one of a broker) is garbled in the same way.",
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

    fn role(&self) -> Role {
        Role::Changes(Change::Content)
    }

    fn deeds(&self) -> &'static [Deed] {
        &[Deed::GarbleReply, Deed::ChangeMessage]
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let reply = &struck.parts.reply;
        if struck.is_message || !struck.is_whole || !struck.says_texts {
            return Some(Effect::Garble);
        }
        let text = match (reply.get("text"), reply.get("body")) {
            (Some(Value::Text(text)), _) | (_, Some(Value::Text(text))) => text.clone(),
            (_, None | Some(Value::Null)) => return None,
            (_, Some(body)) => match body.get("base64").and_then(Value::as_text) {
                Some(packed) => {
                    let mut bytes = STANDARD.decode(packed).ok().filter(|bytes| !bytes.is_empty())?;
                    noise(&mut bytes);
                    let body = Value::map([("base64", Value::text(STANDARD.encode(bytes)))]);
                    return Some(said_instead(reply, "body", body));
                }
                None => body.to_string(),
            },
        };
        let length = text.chars().count();
        let garbled = text.chars().enumerate();
        let garbled =
            garbled.map(|(index, character)| if is_noise(index, length) { '\u{fffd}' } else { character });
        (length > 0).then(|| said_instead(reply, "text", Value::Text(garbled.collect())))
    }
}

fn is_noise(index: usize, length: usize) -> bool {
    length > 0 && index % 5 == 2.min(length - 1)
}

/// Content of noise, as long as it was. What was text still is, and in one line where it was one.
pub(crate) fn noise(content: &mut [u8]) {
    let length = content.len();
    let is_line_end = |byte: u8| matches!(byte, b'\n' | b'\r' | b'\t');
    let is_readable = |byte: &u8| !byte.is_ascii_control() || is_line_end(*byte);
    let is_text = std::str::from_utf8(content).is_ok() && content.iter().all(is_readable);
    for (_, byte) in content.iter_mut().enumerate().filter(|(index, _)| is_noise(*index, length)) {
        *byte = match *byte ^ 0x5a {
            // A part of a character that has several is left, or it would be none.
            _ if is_text && (!byte.is_ascii() || is_line_end(*byte)) => continue,
            other if !is_text || other.is_ascii_graphic() => other,
            _ if *byte == b'#' => b'%',
            _ => b'#',
        };
    }
}

/// The reply with another body in the place of its own.
fn said_instead(reply: &Value, name: &str, body: Value) -> Effect {
    let mut reply = reply.as_map().cloned().unwrap_or_default();
    reply.shift_remove("body");
    reply.insert(name.to_owned(), body);
    Effect::Change(Value::Map(reply))
}
