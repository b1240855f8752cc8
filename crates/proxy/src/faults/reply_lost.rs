//! `reply_lost`: executed, but who asked never hears of it.

use super::{Effect, Extent, Fault, FaultKind, Moment, Struck, no_argument};
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The provider gets the request and answers it; the answer is thrown away and the connection is reset. Who \
            asked cannot know whether it was done. Where a connection carries several calls only this one is broken off, \
            as with `reset`. A message that nobody answers is lost on its way.",
        subject: Shape::Nothing,
        example: "reply_lost",
        ..Word::new("reply_lost", "the request is executed, its reply is lost")
    },
    read: |argument, _| no_argument("reply_lost", argument).map(|()| Arc::new(ReplyLost) as Arc<dyn Fault>),
};

struct ReplyLost;

impl Fault for ReplyLost {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::LoseReply(Extent::Call))
    }
}
