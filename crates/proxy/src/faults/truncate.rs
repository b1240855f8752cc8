//! `truncate`: the reply breaks off.

use super::{Change, Effect, Fault, FaultKind, Moment, Role, Struck, size};
use seam_model::{Shape, Word};
use seam_value::Value;
use seam_wire::Deed;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The reply breaks off after so many bytes (after half of them where nothing is said, half of the first \
            mebibyte where it is longer; a shorter one is left as it is, and does not count), and the connection is closed. In HTTP/2 and gRPC, where it carries other calls, bytes are those of the body, and the call's stream alone \
            is reset then. A message that nobody answers (of WebSocket or of gRPC's streams, an event, one of a broker) arrives whole \
            with the end of its content missing.",
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

    fn role(&self) -> Role {
        Role::Changes(Change::Length)
    }

    fn deeds(&self) -> &'static [Deed] {
        &[Deed::BreakReply, Deed::ChangeMessage]
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::Truncate(self.0))
    }
}

/// How much is left of so many bytes of which the end is to be missing. All of them, where they are no more.
pub(crate) fn truncated(n_bytes: usize, most: Option<usize>) -> usize {
    most.unwrap_or(n_bytes / 2).min(n_bytes)
}
