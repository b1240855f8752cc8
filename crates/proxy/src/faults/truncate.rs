//! `truncate`: the reply breaks off.

use super::{Effect, Fault, FaultKind, Moment, Struck, size};
use seam_model::{Shape, Word};
use seam_value::Value;
use seam_wire::Then;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The reply breaks off after so many bytes (after half of them where nothing is said), and the connection is \
            closed.",
        subject: Shape::Size,
        example: "{ truncate: 200B }",
        ..Word::new("truncate", "the reply breaks off and the connection is closed")
    },
    read: |argument, _| {
        let most = match argument {
            Value::Null => None,
            argument => Some(usize::try_from(size("truncate", argument)?).unwrap_or(usize::MAX)),
        };
        Ok(Arc::new(Truncate(most)))
    },
};

struct Truncate(Option<usize>);

impl Fault for Truncate {
    fn moment(&self) -> Moment {
        Moment::Reply
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let n_bytes = struck.bytes.len();
        // All of it would be nothing broken off.
        let most = self.0.unwrap_or(n_bytes / 2).min(n_bytes.saturating_sub(1));
        Some(Effect::Say(struck.bytes[..most].to_vec(), Then::Close))
    }
}
