//! `refuse`: new connections are refused, as where nothing listens.

use super::{Effect, Fault, FaultKind, Moment, Struck, no_argument};
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "New connections are refused by the kernel, exactly as where nothing listens, and those that are open \
            are reset. It can't be narrowed with `where`: nobody knows yet what would have been asked.",
        subject: Shape::Nothing,
        example: "refuse",
        ..Word::new("refuse", "connections are refused, open ones are reset")
    },
    read: |argument, _| no_argument("refuse", argument).map(|()| Arc::new(Refuse) as Arc<dyn Fault>),
};

struct Refuse;

impl Fault for Refuse {
    fn moment(&self) -> Moment {
        Moment::Connection
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::Refuse)
    }
}
