//! `slow_close`: the end of the connection arrives so many milliseconds later.

use super::{Around, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;
use tokio::time::Instant;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "slow_close",
    structure: "SlowCloseToxic",
    attributes: &["delay"],
    room: 1,
    shaper: || Box::new(SlowClose::default()),
};

#[derive(Default)]
struct SlowClose {
    due: Option<Instant>,
}

impl Shaper for SlowClose {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        match input.front() {
            None => Step::Wait,
            Some(Passing::End(_)) => {
                let delay = super::millis(around.attributes.first().copied().unwrap_or(0));
                let due = *self.due.get_or_insert(around.now + delay);
                if due > around.now { Step::Until(due) } else { super::first(input) }
            }
            Some(Passing::Bytes(..)) => super::first(input),
        }
    }

    fn let_go(&mut self) -> Option<Passing> {
        // The end waits anew, as long as the new attributes say.
        self.due = None;
        None
    }
}
