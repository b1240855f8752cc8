//! `cut`: the seam is cut through, for a moment or for so long.

use super::{Effect, Fault, FaultKind, Moment, Struck, duration};
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "All connections of the seam are reset at once. `{ cut: 8s }`: new ones are refused for so long, as in an \
            outage. With `where`, `nth` or `probability` it strikes when a request fits.",
        subject: Shape::Duration,
        example: "{ cut: 8s }",
        ..Word::new("cut", "all connections are reset; with a duration, refused for so long")
    },
    read: |argument, _| {
        let lasts = match argument {
            Value::Null => Duration::ZERO,
            argument => duration("cut", argument)?,
        };
        Ok(Arc::new(Cut(lasts)))
    },
};

struct Cut(Duration);

impl Fault for Cut {
    fn moment(&self) -> Moment {
        Moment::Now
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::Cut(self.0))
    }
}
