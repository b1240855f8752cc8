//! `timeout`: no byte passes, and so many milliseconds after the last that came the connection is closed; with 0 never.
//!
//! What came meanwhile is lost, so the connection is closed when the toxic is taken away, too.

use super::{Around, Ending, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;
use tokio::time::Instant;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "timeout",
    structure: "TimeoutToxic",
    attributes: &["timeout"],
    room: 1,
    shaper: || Box::new(Timeout::default()),
};

#[derive(Default)]
struct Timeout {
    /// Since when nothing has come.
    since: Option<Instant>,
}

impl Shaper for Timeout {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        match input.pop_front() {
            Some(Passing::End(_)) => return Step::Give(Passing::End(Ending::Close)),
            Some(Passing::Bytes(..)) => {
                self.since = Some(around.now);
                return Step::Again;
            }
            None => {}
        }
        let timeout = super::millis(around.attributes.first().copied().unwrap_or(0));
        if timeout.is_zero() {
            return Step::Wait;
        }
        let due = *self.since.get_or_insert(around.now) + timeout;
        if due > around.now { Step::Until(due) } else { Step::Give(Passing::End(Ending::Close)) }
    }

    fn let_go(&mut self) -> Option<Passing> {
        self.since = None;
        None
    }

    fn ending_when_taken(&self) -> Option<Ending> {
        Some(Ending::Close)
    }
}
