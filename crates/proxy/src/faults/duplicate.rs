//! `duplicate`: what was sent once arrives twice.

use super::{Effect, Fault, FaultKind, Moment, Role, Struck, no_argument};
use seam_model::{Shape, Word};
use seam_wire::Deed;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "A request reaches the provider twice, and the second reply is thrown away; a message is delivered twice. \
            Whoever takes it must not do twice what is to be done once. A request that is longer than a mebibyte passes \
            as it comes, and once.",
        subject: Shape::Nothing,
        example: "duplicate",
        ..Word::new("duplicate", "a request or message arrives twice")
    },
    read: |argument, _| no_argument("duplicate", argument).map(|()| Arc::new(Duplicate) as Arc<dyn Fault>),
};

struct Duplicate;

impl Fault for Duplicate {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn needs_whole(&self) -> bool {
        true
    }

    fn role(&self) -> Role {
        Role::Repeats
    }

    fn precedes(&self) -> Option<&'static str> {
        Some("what is answered already can't arrive twice; choose by what is asked")
    }

    fn deeds(&self) -> &'static [Deed] {
        &[Deed::Repeat]
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        struck.is_whole.then_some(Effect::Twice)
    }
}
