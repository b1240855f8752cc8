//! What is written on a held connection, and when: streams get the numbers that the provider has to see, and nobody
//! gets more than it has room for.
//!
//! Whoever holds calls lets them go in another order, or not at all, and a stream's number may only grow; so the
//! provider counts its own. And what is gathered was let in by us, not by its receiver, whose windows have to be kept
//! to all the same: what does not fit waits here.

use super::frame::{self, Head};
use crate::conversation::Direction;
use foldhash::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// The window that everybody begins with (RFC 9113, 6.9.2).
pub(super) const FIRST_WINDOW: i64 = 65_535;

/// Requests that are sent a second time have streams that the consumer doesn't know: even ones, far from any that a
/// provider would push.
const FIRST_SHADOW: u32 = 0x4000_0000;

/// So many settings may wait for their receipt; of further ones larger windows are not used.
const MOST_ANNOUNCED: usize = 64;

/// Is it a stream of ours, of which the consumer hears nothing?
pub(super) fn is_shadow(stream: u32) -> bool {
    stream >= FIRST_SHADOW && stream.is_multiple_of(2)
}

/// Both directions of one connection.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    to_provider: Valve,
    to_consumer: Valve,
    numbers: Numbers,
}

/// What the receiver of a direction has room for, and what waits until it has more.
#[derive(Clone, Debug)]
struct Valve {
    window: i64,
    /// The window of each new stream.
    first: i64,
    /// What the receiver has said of that in settings whose receipt it has not heard of, the oldest first: until then it
    /// may hold its sender to what was before.
    announced: VecDeque<Option<i64>>,
    streams: BTreeMap<u32, Outbox>,
}

/// One stream towards its receiver.
#[derive(Clone, Debug)]
struct Outbox {
    window: i64,
    waiting: VecDeque<(Head, Vec<u8>)>,
    n_waiting: usize,
    /// Was its end written?
    has_ended: bool,
}

/// The consumer's numbers of streams, and the provider's.
#[derive(Clone, Debug, Default)]
struct Numbers {
    by_consumers: HashMap<u32, u32>,
    by_providers: HashMap<u32, u32>,
    /// The newest that the provider has seen.
    newest: u32,
    n_shadows: u32,
    /// Is the writing asked at all? While it is not, both sides have the same numbers.
    are_used: bool,
}

impl Writing {
    pub(super) fn new() -> Self {
        let valve = Valve {
            window: FIRST_WINDOW,
            first: FIRST_WINDOW,
            announced: VecDeque::new(),
            streams: BTreeMap::new(),
        };
        let numbers = Numbers::default();
        Self { to_provider: valve.clone(), to_consumer: valve, numbers }
    }

    fn valve(&mut self, to: Direction) -> &mut Valve {
        match to {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        }
    }

    /// The same, to be looked at.
    fn valve_of(&self, to: Direction) -> &Valve {
        match to {
            Direction::ToProvider => &self.to_provider,
            Direction::ToConsumer => &self.to_consumer,
        }
    }

    /// DATA of so many bytes has passed unchanged.
    pub(super) fn passed_by(&mut self, to: Direction, n_bytes: usize) {
        self.valve(to).window -= i64::try_from(n_bytes).unwrap_or(i64::MAX);
    }

    /// What the receiver of a direction has room for, on all of the connection.
    pub(super) fn window(&self, to: Direction) -> i64 {
        self.valve_of(to).window
    }

    /// Is nothing on its way, and is the provider's newest stream none that the consumer has still to open? The
    /// consumer's own is this.
    pub(super) fn is_level(&self, newest: u32) -> bool {
        let waits = self.is_waiting(Direction::ToProvider) || self.is_waiting(Direction::ToConsumer);
        !waits && self.numbers.newest <= newest
    }

    /// What is missing of a first window, because the receiver has not said yet that it has read.
    pub(super) fn missing(&self, to: Direction) -> u32 {
        let valve = self.valve_of(to);
        u32::try_from(FIRST_WINDOW - valve.window).unwrap_or_default()
    }

    /// The connection is held from here on; so far its streams came up to this number.
    pub(super) fn begin(&mut self, newest: u32) {
        self.numbers.newest = newest;
        self.numbers.are_used = true;
    }

    /// A stream that was under way before goes on under its number: what each of its senders, the consumer first, has used
    /// up of its window, and whether it has ended.
    pub(super) fn resume(&mut self, stream: u32, halves: [(i64, bool); 2]) {
        self.numbers.by_consumers.insert(stream, stream);
        self.numbers.by_providers.insert(stream, stream);
        for (to, (used, has_ended)) in [Direction::ToProvider, Direction::ToConsumer].into_iter().zip(halves)
        {
            let outbox = self.valve(to).outbox(stream);
            outbox.window -= used;
            outbox.has_ended = has_ended;
        }
    }

    /// What the receiver of a stream has room for besides its first window, and besides what waits for it.
    pub(super) fn room(&self, to: Direction, stream: u32) -> i64 {
        let valve = self.valve_of(to);
        valve.streams.get(&stream).map_or(0, |outbox| {
            outbox.window - valve.first - i64::try_from(outbox.n_waiting).unwrap_or(i64::MAX)
        })
    }

    /// The receiver has room for more: on a stream, or on all of the connection (0).
    pub(super) fn grow(&mut self, to: Direction, stream: u32, by: u32) {
        let by = i64::from(by & 0x7fff_ffff);
        let valve = self.valve(to);
        match stream {
            0 => valve.window += by,
            _ => valve.outbox(stream).window += by,
        }
    }

    /// The receiver's settings say what windows its streams begin with, if they do. A larger one counts once their receipt
    /// was said.
    pub(super) fn announced(&mut self, to: Direction, window: Option<u32>) {
        let window = window.map(|window| i64::from(window & 0x7fff_ffff));
        let valve = self.valve(to);
        if let Some(window) = window.filter(|window| *window < valve.first) {
            valve.set_first(window);
        }
        if valve.announced.len() < MOST_ANNOUNCED {
            valve.announced.push_back(window);
        }
    }

    /// A receiver has heard that its settings were received.
    pub(super) fn acknowledged(&mut self, to: Direction) {
        self.valve(to).acknowledged();
    }

    /// Was anything written to this stream that was not its end, or has its receiver said what it has room for?
    pub(super) fn knows(&self, to: Direction, stream: u32) -> bool {
        let valve = self.valve_of(to);
        valve.streams.contains_key(&stream)
    }

    /// So many bytes of a stream wait for room.
    pub(super) fn n_waiting(&self, to: Direction, stream: u32) -> usize {
        let valve = self.valve_of(to);
        valve.streams.get(&stream).map_or(0, |outbox| outbox.n_waiting)
    }

    /// Does anything wait for room?
    pub(super) fn is_waiting(&self, to: Direction) -> bool {
        let valve = self.valve_of(to);
        valve.streams.values().any(|outbox| !outbox.waiting.is_empty())
    }

    /// Has the provider seen this stream?
    pub(super) fn has_passed(&self, stream: u32) -> bool {
        !self.numbers.are_used || self.numbers.by_consumers.contains_key(&stream)
    }

    /// The consumer's number of a stream of the provider's.
    pub(super) fn consumers_number(&self, stream: u32) -> Option<u32> {
        let is_the_same = !self.numbers.are_used || stream.is_multiple_of(2);
        self.numbers.by_providers.get(&stream).copied().or(is_the_same.then_some(stream))
    }

    /// The provider's number of a stream of the consumer's.
    pub(super) fn providers_number(&self, stream: u32) -> u32 {
        self.numbers.of_provider(stream).unwrap_or(stream)
    }

    /// What waits for room, as frames.
    pub(super) fn take_waiting(&mut self, to: Direction) -> Vec<u8> {
        let numbers = &self.numbers;
        let valve = match to {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        };
        let mut out = Vec::new();
        for (stream, outbox) in &mut valve.streams {
            let number = if to == Direction::ToProvider { numbers.of_provider(*stream) } else { None };
            for (head, payload) in outbox.waiting.drain(..) {
                frame::write(head.kind, head.flags, number.unwrap_or(*stream), &payload, &mut out);
            }
            outbox.n_waiting = 0;
        }
        out
    }

    /// The newest stream of the consumer's that the provider may have worked on, if that is its number `last`.
    pub(super) fn last_of_consumer(&self, last: u32, newest: u32) -> u32 {
        if last >= self.numbers.newest {
            return newest.max(last);
        }
        let known = self.numbers.by_providers.iter().filter(|(provider, _)| **provider <= last);
        known.map(|(_, consumer)| *consumer).filter(|consumer| !is_shadow(*consumer)).max().unwrap_or(0)
    }

    /// A new stream that only the provider will know.
    pub(super) fn shadow(&mut self) -> u32 {
        self.numbers.n_shadows = (self.numbers.n_shadows + 1) % (FIRST_SHADOW / 2);
        FIRST_SHADOW + 2 * self.numbers.n_shadows
    }

    /// Nothing more comes for a stream: what its receivers have not been written yet still goes out.
    pub(super) fn close(&mut self, stream: u32) {
        for valve in [&mut self.to_provider, &mut self.to_consumer] {
            if valve.streams.get(&stream).is_some_and(|outbox| outbox.has_ended) {
                valve.streams.remove(&stream);
            }
        }
        if !self.to_provider.streams.contains_key(&stream) {
            self.numbers.forget(stream);
        }
    }

    /// Nothing is remembered of a stream that only passed.
    pub(super) fn forget(&mut self, stream: u32) {
        for valve in [&mut self.to_provider, &mut self.to_consumer] {
            valve.streams.remove(&stream);
        }
        self.numbers.forget(stream);
    }

    /// A side has reset a stream: it wants nothing more of it. The provider has yet to hear it of the consumer.
    pub(super) fn reset(&mut self, direction: Direction, stream: u32) {
        match direction {
            Direction::ToProvider => drop(self.to_consumer.streams.remove(&stream)),
            Direction::ToConsumer => {
                self.to_provider.streams.remove(&stream);
                self.numbers.forget(stream);
            }
        }
    }

    /// These bytes are about to be written: gives those that may be. `is_open` says whether a stream still is.
    pub(super) fn passes(&mut self, to: Direction, bytes: Vec<u8>, is_open: impl Fn(u32) -> bool) -> Vec<u8> {
        let frames = bytes.strip_prefix(frame::PREFACE).unwrap_or(&bytes);
        if !frame::are_frames(frames) {
            // Bytes that are to be no HTTP/2.
            return bytes;
        }
        let mut out = bytes[..bytes.len() - frames.len()].to_vec();
        let numbers = match to {
            Direction::ToProvider => Some(&mut self.numbers),
            Direction::ToConsumer => None,
        };
        let valve = match to {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        };
        let mut over = valve.put(frames, numbers, &mut out);
        over.retain(|stream| !is_open(*stream));
        for stream in over {
            self.close(stream);
        }
        out
    }
}

impl Valve {
    fn outbox(&mut self, stream: u32) -> &mut Outbox {
        let window = self.first;
        self.streams.entry(stream).or_insert_with(|| Outbox {
            window,
            waiting: VecDeque::new(),
            n_waiting: 0,
            has_ended: false,
        })
    }

    /// Writes what waited and now fits, then the frames. Gives the streams that ended with it.
    fn put(&mut self, mut frames: &[u8], mut numbers: Option<&mut Numbers>, out: &mut Vec<u8>) -> Vec<u32> {
        let mut over = Vec::new();
        self.drain_all(numbers.as_deref(), &mut over, out);
        while let Some((head, payload, rest)) = frame::first(frames) {
            frames = rest;
            let number = match numbers.as_deref_mut() {
                Some(numbers) if head.kind == frame::HEADERS => Some(numbers.number(head.stream)),
                Some(numbers) => numbers.of_provider(head.stream),
                None => Some(head.stream),
            };
            // Credit for a stream that the provider has never seen, or that is over.
            let Some(number) = number else { continue };
            match head.kind {
                frame::DATA | frame::HEADERS | frame::CONTINUATION => {
                    let outbox = self.outbox(head.stream);
                    outbox.n_waiting += payload.len();
                    outbox.waiting.push_back((head, payload.to_vec()));
                    self.drain(head.stream, number, &mut over, out);
                }
                _ => frame::write(head.kind, head.flags, number, payload, out),
            }
            if head.kind == frame::SETTINGS && head.has(frame::ACK) {
                self.acknowledged();
                self.drain_all(numbers.as_deref(), &mut over, out);
            }
            if head.kind == frame::RST_STREAM {
                self.streams.remove(&head.stream);
                over.push(head.stream);
            }
        }
        over
    }

    fn acknowledged(&mut self) {
        if let Some(window) = self.announced.pop_front().flatten() {
            self.set_first(window);
        }
    }

    fn set_first(&mut self, window: i64) {
        let more = window - self.first;
        self.first = window;
        for outbox in self.streams.values_mut() {
            outbox.window += more;
        }
    }

    /// Writes what waits, as far as it fits.
    fn drain_all(&mut self, numbers: Option<&Numbers>, over: &mut Vec<u32>, out: &mut Vec<u8>) {
        let waiting: Vec<u32> = self.streams.keys().copied().collect();
        for stream in waiting {
            let number = numbers.map_or(Some(stream), |numbers| numbers.of_provider(stream));
            self.drain(stream, number.unwrap_or(stream), over, out);
        }
    }

    /// Writes what waits on a stream, as far as it fits.
    fn drain(&mut self, stream: u32, number: u32, over: &mut Vec<u32>, out: &mut Vec<u8>) {
        let Some(outbox) = self.streams.get_mut(&stream) else { return };
        while let Some((head, payload)) = outbox.waiting.front_mut() {
            let room = usize::try_from(self.window.min(outbox.window)).unwrap_or_default();
            if head.kind == frame::DATA && payload.len() > room {
                if room > 0 {
                    let later = payload.split_off(room);
                    frame::write(head.kind, head.flags & !frame::END_STREAM, number, payload, out);
                    *payload = later;
                    outbox.took(&mut self.window, room);
                }
                return;
            }
            frame::write(head.kind, head.flags, number, payload, out);
            let n_bytes = payload.len();
            if head.ends_stream() {
                outbox.has_ended = true;
                over.push(stream);
            }
            if head.kind == frame::DATA {
                outbox.took(&mut self.window, n_bytes);
            } else {
                outbox.n_waiting -= n_bytes;
            }
            outbox.waiting.pop_front();
        }
    }
}

impl Outbox {
    /// So many bytes of DATA have gone.
    fn took(&mut self, window: &mut i64, n_bytes: usize) {
        let taken = i64::try_from(n_bytes).unwrap_or(i64::MAX);
        *window -= taken;
        self.window -= taken;
        self.n_waiting -= n_bytes;
    }
}

impl Numbers {
    /// The provider's number of a stream that it has seen.
    fn of_provider(&self, stream: u32) -> Option<u32> {
        let is_the_same = stream.is_multiple_of(2) && !is_shadow(stream);
        self.by_consumers.get(&stream).copied().or(is_the_same.then_some(stream))
    }

    /// The provider's number of a stream that it sees now, if it has not before.
    fn number(&mut self, stream: u32) -> u32 {
        if let Some(number) = self.of_provider(stream) {
            return number;
        }
        let is_newest = stream > self.newest && !is_shadow(stream);
        let next = if self.newest == 0 { 1 } else { self.newest + 2 };
        self.newest = if is_newest { stream } else { next };
        self.by_consumers.insert(stream, self.newest);
        self.by_providers.insert(self.newest, stream);
        self.newest
    }

    fn forget(&mut self, stream: u32) {
        if let Some(number) = self.by_consumers.remove(&stream) {
            self.by_providers.remove(&number);
        }
    }
}
