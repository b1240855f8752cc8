//! `reset_peer`: so many milliseconds after the first byte (or the end) both sides are reset; nothing passes before.

use super::{Around, Ending, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;
use tokio::time::Instant;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "reset_peer",
    structure: "ResetToxic",
    attributes: &["timeout"],
    room: 1,
    shaper: || Box::new(ResetPeer::default()),
};

#[derive(Default)]
struct ResetPeer {
    /// When the first came.
    first: Option<Instant>,
}

impl Shaper for ResetPeer {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        if input.pop_front().is_some() {
            self.first.get_or_insert(around.now);
        }
        let Some(first) = self.first else { return Step::Wait };
        let due = first + super::millis(around.attributes.first().copied().unwrap_or(0));
        if due > around.now { Step::Until(due) } else { Step::Give(Passing::End(Ending::Reset)) }
    }

    fn ending_when_taken(&self) -> Option<Ending> {
        // What came meanwhile is gone, the end of a direction included: nobody could go on from there.
        self.first.map(|_| Ending::Reset)
    }
}
