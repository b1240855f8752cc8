//! One HTTP/2 connection: frames to calls, each on its stream, and calls to pieces.
//!
//! ```text
//! frames ─▶ header blocks, data ─▶ Half (request or reply of a stream) ─▶ told: whole, begun, or message by message
//! ```

use super::control::MOST_WAITING;
use super::flavor::{Flavor, Tell};
use super::frame::{self, Event, Head};
use super::half::{Stream, Told};
use super::hpack::Headers;
use super::lane::Lane;
use super::level::Level;
use super::splitting::Asked;
use super::telling::header_frames;
use super::writing::{self, Writing};
use crate::conversation::{Direction, Limits, Surprise};
use crate::kept::Room;
use crate::splitter::{Behind, Call, Of, Piece, Rest, Splitting};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far the splitter has its hands in what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Bytes pass as they are, and pieces have none.
    Watched,
    /// What passes are the pieces.
    Held,
    /// There is no provider.
    Alone,
}

/// Cuts one connection.
pub(crate) struct Http2 {
    pub(super) limits: Limits,
    pub(super) mode: Mode,
    pub(super) flavor: Flavor,
    pub(super) room: Room,
    /// Are replies told whole?
    pub(super) gathers: bool,
    /// Halves whose beginnings are still to be told, if more of them is still to come then; none where nobody wants to
    /// know.
    pub(super) begun: Option<Vec<(Direction, u32)>>,
    /// Acknowledgements that the provider owes to us, and not to the consumer.
    pub(super) n_acks_of_ours: u32,
    /// The same of the consumer's.
    pub(super) n_acks_by_consumer: u32,
    /// Has the consumer been greeted with settings? Nothing else may come first (RFC 9113, 3.4).
    pub(super) is_greeted: bool,
    pub(super) to_provider: Lane,
    pub(super) to_consumer: Lane,
    /// The calls that are open, by the consumer's number of their stream.
    pub(super) streams: BTreeMap<u32, Stream>,
    /// Calls whose reply has come, which may be answered all the same.
    pub(super) past: VecDeque<Asked>,
    /// Streams that were broken off here, of which the provider has yet to hear it.
    pub(super) broken: BTreeSet<u32>,
    next_call: Call,
    /// The consumer's newest stream.
    pub(super) newest: u32,
    pub(super) writing: Writing,
    /// Credit that the senders lack because what they sent before was not credited yet.
    pub(super) is_topped_up: bool,
    /// How far it is from being only watched.
    pub(super) level: Level,
    /// The calls that were under way when it began to be held, until they are told.
    pub(super) under_way: Vec<Piece>,
}

/// So many calls that are over may still be answered.
const MOST_PAST: usize = 1024;

impl Http2 {
    /// A connection from its preface on.
    pub(crate) fn new(flavor: Flavor, splitting: Splitting) -> Self {
        let mode = match splitting.behind {
            Behind::Provider => Mode::Held,
            Behind::Nobody => Mode::Alone,
        };
        let mut writing = Writing::new();
        writing.begin(0);
        Self {
            limits: splitting.limits,
            mode,
            flavor,
            room: Room::new(splitting.limits),
            gathers: false,
            begun: None,
            n_acks_of_ours: 0,
            n_acks_by_consumer: 0,
            is_greeted: false,
            to_provider: Lane::new(frame::PREFACE.len()),
            to_consumer: Lane::new(0),
            streams: BTreeMap::new(),
            past: VecDeque::new(),
            broken: BTreeSet::new(),
            next_call: 1,
            newest: 0,
            writing,
            is_topped_up: true,
            level: Level::new(mode == Mode::Alone),
            under_way: Vec::new(),
        }
    }

    /// The same, only looked at.
    pub(crate) fn watched(flavor: Flavor, limits: Limits) -> Self {
        let splitting = Splitting { limits, behind: Behind::Provider };
        Self { mode: Mode::Watched, writing: Writing::new(), ..Self::new(flavor, splitting) }
    }

    /// For a connection that was upgraded: the request on the first stream was asked before. Gives its call.
    pub(crate) fn upgraded(&mut self) -> Call {
        let call = self.new_call();
        let mut stream = Stream::new(call);
        (stream.request.has_begun, stream.request.has_ended, stream.request.told) = (true, true, Told::Begun);
        self.newest = 1;
        self.streams.insert(1, stream);
        call
    }

    pub(super) fn resumed(&self, splitting: Splitting) -> Self {
        let mut writing = self.writing.clone();
        writing.begin(self.newest);
        let (mut streams, mut under_way) = (BTreeMap::new(), Vec::new());
        for (number, stream) in &self.streams {
            let (stream, piece) = self.flavor.resumed(stream);
            writing.resume(*number, [&stream.request, &stream.reply].map(|half| (half.used, half.has_ended)));
            streams.insert(*number, stream);
            under_way.push(piece);
        }
        let windows = [writing.window(Direction::ToProvider), writing.window(Direction::ToConsumer)];
        Self {
            level: self.level.resumed(windows),
            room: Room::new(splitting.limits),
            to_provider: self.to_provider.clone(),
            to_consumer: self.to_consumer.clone(),
            next_call: self.next_call,
            newest: self.newest,
            writing,
            streams,
            under_way,
            is_topped_up: false,
            is_greeted: self.is_greeted,
            ..Self::new(self.flavor.clone(), splitting)
        }
    }

    pub(super) fn is_within_message(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToProvider => {
                self.to_provider.is_within() || self.streams.values().any(|stream| !stream.request.is_told())
            }
            Direction::ToConsumer => self.to_consumer.is_within() || !self.streams.is_empty(),
        }
    }

    /// Does nothing of this direction end in the middle of a frame, or of headers that have several?
    pub(super) fn is_between_blocks(&self, direction: Direction) -> bool {
        !self.lane_of(direction).is_within()
    }

    /// So many bytes are missing of the frame that is passing, or of the head of a further one that has to follow.
    pub(super) fn n_to_boundary(&self, direction: Direction) -> usize {
        self.lane_of(direction).n_to_boundary()
    }

    fn lane_of(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToProvider => &self.to_provider,
            Direction::ToConsumer => &self.to_consumer,
        }
    }

    /// Is nothing in a table to which headers of this direction could refer?
    pub(super) fn has_no_table(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToProvider => self.to_provider.decoder.is_empty(),
            Direction::ToConsumer => self.to_consumer.decoder.is_empty(),
        }
    }

    /// Is nothing of either direction in the middle?
    pub(super) fn is_between_frames(&self) -> bool {
        self.to_provider.keeps_nothing() && self.to_consumer.keeps_nothing()
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        }
    }

    fn new_call(&mut self) -> Call {
        let call = self.next_call;
        self.next_call += 1;
        call
    }

    pub(super) fn take(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        self.top_up(out);
        let limits = self.limits;
        let mut rest = bytes;
        loop {
            let (n_taken, event) = match self.lane(direction).frames.next(rest, limits) {
                Ok(next) => next,
                Err(surprise) => return Err(self.surprised(direction, rest, surprise)),
            };
            rest = &rest[n_taken..];
            match event {
                None if n_taken == 0 => return Ok(()),
                None => {}
                Some(Event::Preface) => self.greet(out),
                Some(Event::Frame(head, payload)) => {
                    if self.mode != Mode::Watched {
                        let lane = self.lane(direction);
                        lane.raw.extend(lane.frames.as_it_came(head, &payload));
                    }
                    if let Err(surprise) = self.frame(direction, head, &payload, out) {
                        return Err(self.surprised(direction, rest, surprise));
                    }
                    let lane = self.lane(direction);
                    if !lane.is_in_headers() {
                        lane.raw.clear();
                    }
                }
                Some(Event::Data(head, bytes)) => {
                    if let Err(surprise) = self.data(direction, head, bytes, out) {
                        self.lane(direction).frames.give_back(bytes);
                        return Err(self.surprised(direction, &[bytes, rest].concat(), surprise));
                    }
                }
                Some(Event::DataEnd(head)) => {
                    if let Err(surprise) = self.data_end(direction, head, out) {
                        let lane = self.lane(direction);
                        lane.raw.extend(lane.frames.as_it_came(head, &[]));
                        return Err(self.surprised(direction, rest, surprise));
                    }
                }
            }
        }
    }

    /// These bytes surprise, or come behind a frame that does.
    fn surprised(&mut self, direction: Direction, bytes: &[u8], surprise: Surprise) -> Surprise {
        if self.mode != Mode::Watched {
            self.lane(direction).surprised = bytes.to_vec();
        }
        surprise
    }

    fn frame(
        &mut self,
        direction: Direction,
        head: Head,
        payload: &[u8],
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        let max_block = self.limits.head;
        let lane = self.lane(direction);
        if !lane.takes_headers(head, payload, max_block)? {
            return self.other_frame(direction, head, payload, out);
        }
        let Some(block) = lane.take_block(head) else { return Ok(()) };
        self.level.spoke(direction);
        let headers = self.lane(direction).decoder.decode(&block.bytes, max_block)?;
        match block.promised {
            None => self.headers(direction, block.head, headers, out),
            Some(promised) => {
                let payload = [&promised.to_be_bytes()[..], &headers.encode()].concat();
                if let Some(stream) = self.writing.consumers_number(block.head.stream)
                    && self.mode == Mode::Held
                {
                    let mut bytes = Vec::new();
                    frame::write(frame::PUSH_PROMISE, frame::END_HEADERS, stream, &payload, &mut bytes);
                    out.push(rest(direction, bytes));
                }
                Ok(())
            }
        }
    }

    fn headers(
        &mut self,
        direction: Direction,
        head: Head,
        headers: Headers,
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        let Some(number) = self.number_of(direction, head) else { return Ok(()) };
        if direction == Direction::ToProvider && number > self.newest && !number.is_multiple_of(2) {
            if self.streams.len() >= self.limits.n_open {
                return Err(Surprise::new("too many calls are open at once"));
            }
            self.newest = number;
            let stream = Stream::new(self.new_call());
            self.streams.insert(number, stream);
        }
        let Some(stream) = self.streams.get_mut(&number) else {
            if writing::is_shadow(number) && head.ends_stream() {
                self.writing.close(number);
            } else if number.is_multiple_of(2) && !writing::is_shadow(number) && self.mode == Mode::Held {
                // A pushed stream is passed on, and no more.
                out.push(rest(direction, header_frames(number, &headers, head.ends_stream())));
            }
            return Ok(());
        };
        if direction == Direction::ToConsumer && !stream.reply.has_begun {
            if headers.get(":status").is_some_and(|status| status.starts_with(b"1")) && !head.ends_stream() {
                if self.mode == Mode::Held {
                    out.push(rest(direction, header_frames(number, &headers, false)));
                }
                return Ok(());
            }
            self.tell_request_first(number, out);
        }
        let Some(stream) = self.streams.get_mut(&number) else { return Ok(()) };
        if direction == Direction::ToProvider && !stream.request.has_begun {
            stream.streams = self.flavor.streams(&headers);
        }
        if !stream.half(direction).has_begun
            && !head.ends_stream()
            && let Some(begun) = &mut self.begun
        {
            begun.push((direction, number));
        }
        if !stream.half(direction).keep_headers(headers, &mut self.room) {
            return Err(Surprise::new("too much is open at once"));
        }
        self.progress(direction, number, head.ends_stream(), out);
        Ok(())
    }

    /// Bytes of a body.
    fn data(
        &mut self,
        direction: Direction,
        head: Head,
        bytes: &[u8],
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        self.lane(direction).between_headers()?;
        let (limits, mode) = (self.limits, self.mode);
        let Some(number) = self.number_of(direction, head) else { return Ok(()) };
        let Some(stream) = self.streams.get_mut(&number) else { return Ok(()) };
        let half = stream.half(direction);
        if !half.has_begun || half.has_ended {
            return Err(Surprise::new("a body without headers"));
        }
        let was_told = half.is_told();
        // Of what passes as it comes nobody asks for all of it any more.
        let is_wanted = !was_told || mode == Mode::Watched || half.rest == Some(Rest::IsTold);
        let limits = Limits { kept_body: if is_wanted { limits.kept_body } else { 0 }, ..limits };
        let n_kept = half.keep_body(bytes, limits, &mut self.room);
        if !was_told && n_kept < bytes.len() {
            self.tell(direction, number, &Tell::all(), out);
        }
        let left = if was_told { bytes } else { &bytes[n_kept..] };
        if let Some(stream) = self.streams.get_mut(&number) {
            let half = stream.half(direction);
            if mode != Mode::Watched || matches!(half.told, Told::Streams(_)) {
                half.pending.extend_from_slice(left);
            }
        }
        self.advance(direction, number, head.ends_stream(), out);
        Ok(())
    }

    fn data_end(&mut self, direction: Direction, head: Head, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.lane(direction).between_headers()?;
        let n_bytes = u32::try_from(head.length).unwrap_or(u32::MAX);
        if self.mode == Mode::Watched {
            self.writing.passed_by(direction, head.length);
        } else {
            self.level.window(direction, -i64::from(n_bytes));
        }
        if self.level.is_free && self.mode == Mode::Held {
            // What is gathered here its receiver knows nothing of, and gives nothing back for it.
            self.pass_credit(direction, n_bytes, out);
        } else {
            self.credit(direction, 0, n_bytes, out);
        }
        let Some(number) = self.number_of(direction, head) else { return Ok(()) };
        let Some(stream) = self.streams.get_mut(&number) else {
            self.data_of_nobody(direction, (number, head), out);
            return Ok(());
        };
        let (call, half) = (stream.call, stream.half(direction));
        if !half.has_begun || half.has_ended {
            return Err(Surprise::new("a body without headers"));
        }
        half.used += i64::from(n_bytes);
        if !head.ends_stream() {
            half.flush(direction, number, (call, self.mode), out);
        }
        if !head.ends_stream() {
            if self.writing.n_waiting(direction, number) < MOST_WAITING {
                self.credit(direction, number, n_bytes, out);
            } else {
                half.owed += n_bytes;
            }
        }
        if head.ends_stream() {
            self.progress(direction, number, true, out);
        }
        Ok(())
    }

    /// The rest of a body whose call is over, or was never known here.
    fn data_of_nobody(&mut self, direction: Direction, (number, head): (u32, Head), out: &mut Vec<Piece>) {
        if direction == Direction::ToConsumer && writing::is_shadow(number) {
            if head.ends_stream() {
                self.writing.close(number);
            } else {
                let n_bytes = u32::try_from(head.length).unwrap_or(u32::MAX);
                self.credit(direction, number, n_bytes, out);
            }
        }
    }

    /// The consumer's number of a frame's stream.
    fn number_of(&self, direction: Direction, head: Head) -> Option<u32> {
        match direction {
            Direction::ToProvider => Some(head.stream),
            Direction::ToConsumer => self.writing.consumers_number(head.stream),
        }
    }

    /// A call is over.
    pub(super) fn close(&mut self, number: u32) {
        self.remove(number);
        match self.mode {
            // Nobody writes what only passes, so it won't be seen to end.
            Mode::Watched => self.writing.forget(number),
            Mode::Held | Mode::Alone => self.writing.close(number),
        }
    }

    /// Forgets a call, but not what is still to be written of it.
    pub(super) fn remove(&mut self, number: u32) {
        let Some(mut stream) = self.streams.remove(&number) else { return };
        stream.request.give_back(&mut self.room);
        stream.reply.give_back(&mut self.room);
        if self.mode != Mode::Watched {
            self.past.push_back(Asked { is_open: false, ..Asked::new(number, &stream) });
            if self.past.len() > MOST_PAST {
                self.past.pop_front();
            }
        }
    }
}

pub(super) fn rest(to: Direction, bytes: Vec<u8>) -> Piece {
    Piece { to, bytes, of: Of::Rest }
}
