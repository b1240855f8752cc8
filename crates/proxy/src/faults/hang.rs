//! `hang`: nobody ever says anything.

use super::{Effect, Fault, FaultKind, Moment, Struck, no_argument};
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "The request is not passed on and nobody ever answers it; the connection stays open until who asked gives \
            up. When the fault is taken away what hangs is reset: in HTTP/2, gRPC and AMQP the call or its channel, \
            elsewhere the connection.",
        subject: Shape::Nothing,
        example: "hang",
        ..Word::new("hang", "nobody answers, and the connection stays open")
    },
    read: |argument, _| no_argument("hang", argument).map(|()| Arc::new(Hang) as Arc<dyn Fault>),
};

struct Hang;

impl Fault for Hang {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn hangs(&self) -> bool {
        true
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::Hang)
    }
}
