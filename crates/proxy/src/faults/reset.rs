//! `reset`: the connection is reset instead of an answer.

use super::{Effect, Extent, Fault, FaultKind, Moment, Struck};
use seam_model::{Field, Shape, Word};
use seam_value::{Map, Value};
use std::sync::Arc;

const FIELDS: &[Field] = &[Field::optional(
    "connection",
    Shape::Boolean,
    "reset the connection with all calls that it carries, where it carries several",
)];

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The connection is reset (RST) on both sides. `before`, which is meant where nothing is said: the provider \
            never gets the request. `after`: it gets the request, and nobody waits for its answer. `answered`: the \
            answer was read and is thrown away; a message, which nobody answers, has arrived. Where a connection carries several calls at once only this one is broken \
            off, and its neighbours go on: a stream of HTTP/2 is reset, a channel of AMQP is closed with the code 406; \
            `connection: true` resets all of it.",
        subject: Shape::OneOf(&["before", "after", "answered"]),
        fields: FIELDS,
        example: "{ reset: after }",
        ..Word::new("reset", "the connection is reset instead of an answer")
    },
    read: |argument, map: &Map| {
        let extent = match map.get("connection") {
            None | Some(Value::Null | Value::Bool(false)) => Extent::Call,
            Some(Value::Bool(true)) => Extent::Connection,
            Some(_) => return Err("`connection` is true or false".to_owned()),
        };
        let effect = match argument {
            Value::Null => Effect::Reset(extent),
            Value::Text(when) if when == "before" => Effect::Reset(extent),
            Value::Text(when) if when == "after" => Effect::ResetAfter(extent),
            Value::Text(when) if when == "answered" => Effect::LoseReply(extent),
            _ => return Err("`reset` takes before, after or answered".to_owned()),
        };
        let is_before = argument.as_text() == Some("before");
        Ok(Arc::new(Reset { effect, is_before }))
    },
};

struct Reset {
    effect: Effect,
    /// Does it say that the provider is not to get the request?
    is_before: bool,
}

impl Fault for Reset {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn needs_whole(&self) -> bool {
        // The provider is to get it.
        matches!(self.effect, Effect::ResetAfter(_))
    }

    fn precedes(&self) -> Option<&'static str> {
        self.is_before.then_some("the provider never answers what is reset before it gets it; `{ reset: answered }` strikes what it has answered")
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        match self.effect {
            // A message has no answer that could be read: what is left is that it arrives, and that its sender never
            // hears of it. One that is too long to be kept is not known to have arrived.
            Effect::LoseReply(extent) if struck.is_message => {
                struck.is_whole.then_some(Effect::ResetAfter(extent))
            }
            ref effect => Some(effect.clone()),
        }
    }
}
