//! `slow_close`: the end of a connection is heard of late.

use super::{Effect, Fault, FaultKind, Moment, Struck, duration};
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "Where one side closes a connection the other hears of it so much later.",
        subject: Shape::Duration,
        example: "{ slow_close: 2s }",
        ..Word::new("slow_close", "the end of a connection is passed on later")
    },
    read: |argument, _| Ok(Arc::new(SlowClose(duration("slow_close", argument)?))),
};

struct SlowClose(std::time::Duration);

impl Fault for SlowClose {
    fn moment(&self) -> Moment {
        Moment::Connection
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::CloseAfter(self.0))
    }
}
