//! `reset`: the connection is reset instead of an answer.

use super::{Effect, Fault, FaultKind, Moment, Struck};
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The connection is reset (RST) on both sides. `before`, which is meant where nothing is said: the provider \
            never gets the request. `after`: it gets the request, and nobody waits for its answer. `answered`: the \
            answer was read and is thrown away.",
        subject: Shape::OneOf(&["before", "after", "answered"]),
        example: "{ reset: after }",
        ..Word::new("reset", "the connection is reset instead of an answer")
    },
    read: |argument, _| {
        let effect = match argument {
            Value::Null => Effect::Reset,
            Value::Text(when) if when == "before" => Effect::Reset,
            Value::Text(when) if when == "after" => Effect::ResetAfter,
            Value::Text(when) if when == "answered" => Effect::LoseReply,
            _ => return Err("`reset` takes before, after or answered".to_owned()),
        };
        Ok(Arc::new(Reset(effect)))
    },
};

struct Reset(Effect);

impl Fault for Reset {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(self.0.clone())
    }
}
