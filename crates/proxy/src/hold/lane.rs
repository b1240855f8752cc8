//! What is still to be written to one side, and when.

use super::rule::By;
use seam_wire::{Order, Protocol};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Nothing more is read for a lane that holds so many bytes.
pub(super) const FULL: usize = 256 * 1024;

/// So often a second a lane with a pace writes.
const SLICES: u64 = 20;

/// What is to be done to one side of a connection.
#[derive(Debug)]
pub(super) enum Act {
    /// These bytes are written, from this one on.
    Bytes(Vec<u8>, usize),
    /// Its direction is ended (FIN).
    End,
    /// The connection is reset on both sides.
    Reset,
    /// The connection is closed on both sides.
    Close,
}

/// One entry of a lane.
#[derive(Debug)]
pub(super) struct Out {
    due: Instant,
    pub(super) act: Act,
    /// Who says it, where that is not the provider.
    pub(super) by: Option<By>,
    /// Has the splitter seen it off?
    pub(super) is_seen_off: bool,
    /// Was it looked at already, as what passes the connection?
    pub(super) is_told: bool,
    /// What it keeps its place among, where the order of all entries doesn't matter.
    order: Order,
}

/// What is to be written to one side.
#[derive(Debug)]
pub(super) struct Lane {
    protocol: &'static dyn Protocol,
    queue: VecDeque<Out>,
    n_bytes: usize,
    /// Does the order of all entries matter? Otherwise only those of one call keep theirs.
    is_ordered: bool,
    /// So many bytes a second.
    pace: Option<u64>,
    /// Nothing is written before.
    not_before: Option<Instant>,
    /// Would the receiver take nothing more at the last try?
    pub(super) is_blocked: bool,
    is_over: bool,
}

impl Lane {
    pub(super) fn new(is_ordered: bool, protocol: &'static dyn Protocol) -> Self {
        Self {
            protocol,
            queue: VecDeque::new(),
            n_bytes: 0,
            is_ordered,
            pace: None,
            not_before: None,
            is_blocked: false,
            is_over: false,
        }
    }

    pub(super) fn set_pace(&mut self, pace: Option<u64>) {
        self.pace = pace;
    }

    /// From here on the order of all entries matters: the connection is plain bytes.
    pub(super) fn keep_order(&mut self) {
        self.is_ordered = true;
    }

    /// Calls may overtake each other from here on.
    pub(super) fn lose_order(&mut self) {
        self.is_ordered = false;
    }

    /// Puts something in, to be done at that time at the earliest. Says when it is due.
    pub(super) fn push(&mut self, act: Act, due: Instant, by: Option<By>) -> Instant {
        if self.is_over && matches!(act, Act::Bytes(..) | Act::End) {
            return due;
        }
        if let Act::Bytes(bytes, _) = &act {
            self.n_bytes += bytes.len();
        }
        let order = match &act {
            _ if self.is_ordered => Order::All,
            Act::Bytes(bytes, _) => self.protocol.order(bytes),
            // Whoever ends a direction has said everything.
            Act::End => Order::All,
            Act::Reset | Act::Close => Order::Free,
        };
        let due = self.after(order).map_or(due, |last| last.max(due));
        // An entry that is half written keeps its place.
        let is_begun = |first: &Out| matches!(first.act, Act::Bytes(_, 1..));
        let begun = usize::from(self.queue.front().is_some_and(is_begun));
        let index = self.queue.iter().skip(begun).take_while(|out| out.due <= due).count() + begun;
        self.queue.insert(index, Out { due, act, by, is_seen_off: false, is_told: false, order });
        due
    }

    /// When the last entry is due that one of this order must not overtake.
    fn after(&self, order: Order) -> Option<Instant> {
        let mut others = self.queue.iter().rev();
        match order {
            Order::Free => None,
            Order::All => others.next().map(|out| out.due),
            Order::Within(_) => others.find(|out| out.order == order).map(|out| out.due),
        }
    }

    /// When something is to be done; none where nothing is waiting, or it waits for the receiver.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let first = self.queue.front().filter(|_| !self.is_blocked)?;
        Some(self.not_before.map_or(first.due, |not_before| not_before.max(first.due)))
    }

    /// What is due, with how much of it may be written now.
    pub(super) fn first(&mut self, now: Instant) -> Option<(&mut Out, usize)> {
        if self.not_before.is_some_and(|not_before| not_before > now) {
            return None;
        }
        let most =
            self.pace.map_or(usize::MAX, |pace| usize::try_from(pace / SLICES).unwrap_or(usize::MAX).max(1));
        self.queue.front_mut().filter(|out| out.due <= now).map(|out| (out, most))
    }

    /// The first entry's bytes are these, now that the splitter has seen them off. None of them: it is done, and false.
    pub(super) fn saw_off(&mut self, bytes: Vec<u8>) -> bool {
        if bytes.is_empty() {
            self.queue.pop_front();
            return false;
        }
        self.n_bytes += bytes.len();
        if let Some(first) = self.queue.front_mut() {
            first.act = Act::Bytes(bytes, 0);
            first.is_seen_off = true;
        }
        true
    }

    /// The splitter sees off all that is queued, for it is asked no more, or what comes now is ready to be written.
    pub(super) fn see_off_all(&mut self, mut see_off: impl FnMut(Vec<u8>) -> Vec<u8>) {
        for out in &mut self.queue {
            if let Act::Bytes(bytes, _) = &mut out.act
                && !out.is_seen_off
            {
                *bytes = see_off(std::mem::take(bytes));
                out.is_seen_off = true;
            }
        }
        let is_nothing = |out: &Out| matches!(&out.act, Act::Bytes(bytes, _) if bytes.is_empty());
        self.queue.retain(|out| !is_nothing(out));
        let n_left = |out: &Out| if let Act::Bytes(bytes, from) = &out.act { bytes.len() - from } else { 0 };
        self.n_bytes = self.queue.iter().map(n_left).sum();
    }

    /// Puts bytes behind everything else that the splitter has seen off.
    pub(super) fn push_seen_off(&mut self, bytes: Vec<u8>, now: Instant) {
        if bytes.is_empty() {
            return;
        }
        let due = self.after(Order::All).map_or(now, |last| last.max(now));
        self.n_bytes += bytes.len();
        let (act, order) = (Act::Bytes(bytes, 0), Order::All);
        self.queue.push_back(Out { due, act, by: None, is_seen_off: true, is_told: false, order });
    }

    /// Puts bytes in before everything else that passed before the connection was held, and were not written then.
    pub(super) fn push_passed(&mut self, bytes: Vec<u8>, now: Instant) {
        self.push_seen_off(bytes, now);
        if let Some(passed) = self.queue.back_mut() {
            passed.is_told = true;
        }
    }

    /// Takes the first entry's bytes out, for the splitter to see them off.
    pub(super) fn take_first(&mut self, now: Instant) -> Option<Vec<u8>> {
        let first = self.queue.front_mut().filter(|out| out.due <= now && !out.is_seen_off)?;
        let Act::Bytes(bytes, _) = &mut first.act else { return None };
        let bytes = std::mem::take(bytes);
        self.n_bytes = self.n_bytes.saturating_sub(bytes.len());
        Some(bytes)
    }

    /// So many bytes of the first entry were written.
    pub(super) fn wrote(&mut self, n_written: usize, now: Instant) {
        self.n_bytes = self.n_bytes.saturating_sub(n_written);
        if let Some(pace) = self.pace {
            let nanos = (n_written as u128 * 1_000_000_000) / u128::from(pace.max(1));
            self.not_before = Some(now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        }
        if let Some(Out { act: Act::Bytes(bytes, from), .. }) = self.queue.front_mut() {
            *from += n_written;
            if *from >= bytes.len() {
                self.queue.pop_front();
            }
        }
    }

    /// The first entry is done.
    pub(super) fn done(&mut self) -> Option<Out> {
        self.queue.pop_front()
    }

    /// The direction was ended: whatever is still to be said comes too late.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.queue.retain(|out| matches!(out.act, Act::Reset | Act::Close));
        self.n_bytes = 0;
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn is_full(&self) -> bool {
        self.n_bytes >= FULL
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.n_bytes > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Act {
        Act::Bytes(text.as_bytes().to_vec(), 0)
    }

    /// All that would be written by then.
    fn written(lane: &mut Lane, now: Instant) -> String {
        let mut all = Vec::new();
        while let Some((out, _)) = lane.first(now) {
            if let Act::Bytes(bytes, from) = &out.act {
                all.extend_from_slice(&bytes[*from..]);
            }
            lane.done();
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn what_is_left_goes_out_behind_what_is_queued_and_each_is_seen_off_once() {
        let protocol = seam_wire::protocol("http").expect("a protocol");
        for is_ordered in [true, false] {
            let mut lane = Lane::new(is_ordered, protocol);
            let now = Instant::now();
            let later = now + Duration::from_secs(1);
            lane.push(bytes("later "), later, None);
            lane.push(bytes(""), later, None);
            let mut n_seen = 0;
            let mut see_off = |bytes: Vec<u8>| {
                n_seen += 1;
                [format!("{n_seen}:").as_bytes(), &bytes].concat()
            };
            lane.see_off_all(&mut see_off);
            lane.see_off_all(&mut see_off);
            lane.push_seen_off(b"rest".to_vec(), now);
            assert_eq!(lane.n_bytes, "1:later 2:rest".len());
            assert_eq!(written(&mut lane, now), "");
            assert_eq!(written(&mut lane, later), "1:later 2:rest");
            assert!(lane.is_empty());
        }
    }

    #[test]
    fn what_is_seen_off_and_due_later_keeps_nobody_waiting() {
        let protocol = seam_wire::protocol("http").expect("a protocol");
        let mut lane = Lane::new(false, protocol);
        let now = Instant::now();
        lane.push(bytes("later"), now + Duration::from_secs(1), None);
        lane.see_off_all(|bytes| bytes);
        lane.push(bytes("now"), now, None);
        assert_eq!(written(&mut lane, now), "now");
    }
}
