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
        let begun = usize::from(self.queue.front().is_some_and(|first| first.is_seen_off));
        let index = self.queue.iter().skip(begun).take_while(|out| out.due <= due).count() + begun;
        self.queue.insert(index, Out { due, act, by, is_seen_off: false, order });
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

    /// The first entry's bytes are these, now that the splitter has seen them off. None of them: it is done.
    pub(super) fn saw_off(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            self.queue.pop_front();
            return;
        }
        self.n_bytes += bytes.len();
        if let Some(first) = self.queue.front_mut() {
            first.act = Act::Bytes(bytes, 0);
            first.is_seen_off = true;
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
