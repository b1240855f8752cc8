//! `latency`: every chunk arrives so many milliseconds later, give or take the jitter.

use super::{Around, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "latency",
    structure: "LatencyToxic",
    attributes: &["latency", "jitter"],
    // Bytes go on coming while others wait: a delay is no limit of the rate.
    room: 1024,
    shaper: || Box::new(Latency::default()),
};

#[derive(Default)]
struct Latency {
    held: Option<(Vec<u8>, Instant)>,
}

impl Shaper for Latency {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        if self.held.is_none() {
            match input.pop_front() {
                None => return Step::Wait,
                Some(Passing::End(ending)) => return Step::Give(Passing::End(ending)),
                Some(Passing::Bytes(bytes, at)) => self.held = Some((bytes, at + delay(around))),
            }
        }
        match self.held.take() {
            Some((bytes, due)) if due <= around.now => Step::Give(Passing::Bytes(bytes, due)),
            Some((bytes, due)) => {
                self.held = Some((bytes, due));
                Step::Until(due)
            }
            None => Step::Wait,
        }
    }

    fn let_go(&mut self) -> Option<Passing> {
        self.held.take().map(|(bytes, due)| Passing::Bytes(bytes, due))
    }
}

fn delay(around: &Around<'_>) -> Duration {
    let [latency, jitter] = around.attributes else { return Duration::ZERO };
    let jitter = if *jitter > 0 {
        let width = u64::try_from(jitter.saturating_mul(2)).unwrap_or(0);
        i64::try_from(around.chance.below(width)).unwrap_or(0) - jitter
    } else {
        0
    };
    super::millis(latency.saturating_add(jitter))
}
