//! `bandwidth`: only so many bytes a second pass.

use super::{Effect, Fault, FaultKind, Moment, Struck, size};
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "At most so many bytes a second pass each connection, each way.",
        subject: Shape::Size,
        example: "{ bandwidth: 10KiB }",
        ..Word::new("bandwidth", "so many bytes a second pass, each way")
    },
    read: |argument, _| match size("bandwidth", argument)? {
        0 => Err("`bandwidth` of nothing is `hang`".to_owned()),
        rate => Ok(Arc::new(Bandwidth(rate))),
    },
};

struct Bandwidth(u64);

impl Fault for Bandwidth {
    fn moment(&self) -> Moment {
        Moment::Connection
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::Pace(self.0))
    }
}
