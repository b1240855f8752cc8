//! `bandwidth`: at most so many kilobytes a second pass, in slices of a tenth of a second.

use super::{Around, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "bandwidth",
    structure: "BandwidthToxic",
    attributes: &["rate"],
    room: 1,
    shaper: || Box::new(Bandwidth::default()),
};

/// How often something passes where the rate is low.
const SLICE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Bandwidth {
    held: Option<(Vec<u8>, Instant)>,
    /// When the line is free again.
    free: Option<Instant>,
}

impl Shaper for Bandwidth {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        // Kilobytes a second are bytes a millisecond.
        let rate = around.attributes.first().and_then(|rate| u64::try_from(*rate).ok()).unwrap_or(0);
        if self.held.is_none() {
            match input.pop_front() {
                None => return Step::Wait,
                Some(Passing::End(ending)) => return Step::Give(Passing::End(ending)),
                Some(Passing::Bytes(bytes, at)) => {
                    self.held = Some((bytes, at));
                    let free = self
                        .free
                        .unwrap_or(around.now)
                        .max(around.now.checked_sub(SLICE).unwrap_or(around.now));
                    self.free = Some(free);
                }
            }
        }
        let Some((bytes, at)) = &mut self.held else { return Step::Wait };
        let Some(free) = self.free.filter(|_| rate > 0) else { return Step::Wait };
        let most = usize::try_from(rate.saturating_mul(100)).unwrap_or(usize::MAX);
        let n_next = bytes.len().min(most);
        let takes = Duration::from_nanos((n_next as u64).saturating_mul(1_000_000) / rate);
        let due = free + takes;
        if due > around.now {
            return Step::Until(due);
        }
        self.free = Some(due);
        let at = *at;
        let rest = bytes.split_off(n_next);
        let next = std::mem::replace(bytes, rest);
        if self.held.as_ref().is_some_and(|(rest, _)| rest.is_empty()) {
            self.held = None;
        }
        Step::Give(Passing::Bytes(next, at))
    }

    fn let_go(&mut self) -> Option<Passing> {
        self.free = None;
        self.held.take().map(|(bytes, at)| Passing::Bytes(bytes, at))
    }
}
