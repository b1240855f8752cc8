//! `truncate`: the reply breaks off.

use super::{Effect, Fault, FaultKind, Moment, Struck, size};
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The reply breaks off after so many bytes (after half of them where nothing is said, half of the first \
            mebibyte where it is longer; a shorter one is left as it is, and does not count), and the connection is closed. In HTTP/2 and gRPC, where it carries other calls, bytes are those of the body, and the call's stream alone \
            is reset then.",
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
        // What is shorter is not broken off.
        let is_longer = self.0.is_none_or(|most| !struck.is_whole || most < struck.bytes.len());
        is_longer.then_some(Effect::Truncate(self.0))
    }
}

/// What is left of a reply that breaks off after so many bytes.
pub(crate) fn truncated(bytes: &[u8], most: Option<usize>) -> Vec<u8> {
    // All of it would be nothing broken off.
    let most = most.unwrap_or(bytes.len() / 2).min(bytes.len().saturating_sub(1));
    bytes[..most].to_vec()
}
