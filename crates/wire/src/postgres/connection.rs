//! One PostgreSQL connection: finds the messages, and gives their payloads to where they are understood.

use super::frames::{self, Frames, Header};
use super::session::Session;
use super::splitter::Cutter;
use crate::conversation::{
    Conversation, Direction, End, Exchange, Limits, Position, Surprise, why_unfinished,
};
use crate::splitter::{Splitter, Splitting};
use std::borrow::Cow;
use std::time::Duration;

/// One connection while it passes.
pub(super) struct Connection {
    to_provider: Lane,
    to_consumer: Lane,
    /// The first message, which has no letter, has passed.
    is_tagged: bool,
    /// TLS was asked for; the answer is a single byte.
    answer_due: bool,
    consumer_ended: bool,
    session: Session,
}

/// One direction.
#[derive(Default)]
struct Lane {
    frames: Frames,
    /// When the first byte of the message passed.
    began: Duration,
    sink: Sink,
    /// The beginning of a payload that comes in several pieces.
    scratch: Vec<u8>,
}

/// Where the payload of a message goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sink {
    /// Nobody looks at it.
    #[default]
    Skip,
    /// It is needed as a whole, or as much of it as is kept.
    Whole,
    /// It is a row that is kept.
    Row,
    /// It is data of COPY.
    Copied,
}

impl Connection {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            to_provider: Lane::default(),
            to_consumer: Lane::default(),
            is_tagged: false,
            answer_due: false,
            consumer_ended: false,
            session: Session::new(limits),
        }
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        }
    }

    /// The single byte that answers a request for TLS. `E` would be an error message of an ancient server.
    fn answer(&mut self, byte: u8) -> Result<usize, Surprise> {
        self.answer_due = false;
        match byte {
            b'N' => Ok(1),
            b'E' => Ok(0),
            _ => Err(Surprise::new("TLS from here on")),
        }
    }

    fn begin_message(&mut self, direction: Direction, bytes: &[u8], at: Duration) -> Result<usize, Surprise> {
        let is_tagged = direction == Direction::ToConsumer || self.is_tagged;
        let is_known = match direction {
            Direction::ToProvider => frames::is_from_consumer,
            Direction::ToConsumer => frames::is_from_provider,
        };
        let lane = self.lane(direction);
        if lane.frames.is_between() {
            lane.began = at;
        }
        let (n_taken, header) = lane.frames.take_header(bytes, is_tagged, is_known)?;
        if let Some(header) = header {
            let sink = self.session.sink(direction, header);
            self.lane(direction).sink = sink;
        }
        Ok(n_taken)
    }

    /// Takes bytes of the payload that is passing.
    fn payload(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        let lane = match direction {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        };
        let left = usize::try_from(lane.frames.left).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(left)];
        let is_whole = lane.frames.current.is_some_and(|header| header.length as usize == bytes.len());
        match lane.sink {
            Sink::Skip => {}
            Sink::Whole if is_whole => {}
            Sink::Whole => self.session.keep_piece(&mut lane.scratch, bytes),
            Sink::Row => self.session.keep_row(bytes),
            Sink::Copied => self.session.keep_copied(direction, bytes),
        }
        if let Some(header) = lane.frames.passed(bytes.len()) {
            let payload = match lane.sink {
                Sink::Whole if is_whole => Cow::Borrowed(bytes),
                Sink::Whole => Cow::Owned(std::mem::take(&mut lane.scratch)),
                Sink::Skip | Sink::Row | Sink::Copied => Cow::default(),
            };
            if let Cow::Owned(scratch) = &payload {
                self.session.give_back(scratch.len());
            }
            match direction {
                Direction::ToProvider => self.asked(header, payload, out)?,
                Direction::ToConsumer => self.session.answered(header.tag, &payload, at, out)?,
            }
        }
        Ok(bytes.len())
    }

    /// A message of the consumer is whole.
    fn asked(
        &mut self,
        header: Header,
        payload: Cow<'_, [u8]>,
        out: &mut Vec<Exchange>,
    ) -> Result<(), Surprise> {
        let began = self.to_provider.began;
        if header.tag != frames::STARTUP {
            return self.session.asked(header.tag, payload, began);
        }
        match frames::Fields::new(&payload).u32() {
            Some(frames::SSL_CODE | frames::GSS_CODE) => self.answer_due = true,
            Some(frames::CANCEL_CODE) => self.session.cancelled(began, out),
            Some(version) if version >> 16 == 3 => {
                self.is_tagged = true;
                self.session.started(payload, began)?;
            }
            _ => return Err(Surprise::new("another version of the protocol")),
        }
        Ok(())
    }
}

impl Conversation for Connection {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        let Some(first) = bytes.first() else { return Ok(0) };
        if direction == Direction::ToConsumer && self.answer_due {
            let n_taken = self.answer(*first)?;
            if n_taken > 0 {
                return Ok(n_taken);
            }
        }
        let n_header = match self.lane(direction).frames.current {
            None => self.begin_message(direction, bytes, at)?,
            Some(_) => 0,
        };
        if self.lane(direction).frames.current.is_none() {
            return Ok(n_header);
        }
        self.payload(direction, &bytes[n_header..], at, out).map(|n_payload| n_header + n_payload)
    }

    fn end(&mut self, direction: Direction, how: End, _at: Duration, out: &mut Vec<Exchange>) {
        if direction == Direction::ToProvider && how == End::Fin {
            self.consumer_ended = true;
            return;
        }
        self.session.end(why_unfinished(how, self.consumer_ended), out);
    }

    fn unfinished(&self) -> Vec<Exchange> {
        self.session.unfinished()
    }

    fn session(&self) -> Option<u32> {
        self.session.process
    }

    fn n_open(&self) -> usize {
        self.session.n_open()
    }

    fn position(&self, direction: Direction) -> Position {
        match direction {
            Direction::ToProvider => self.to_provider.frames.position(),
            Direction::ToConsumer => self.to_consumer.frames.position(),
        }
    }

    fn passable(&self, direction: Direction) -> u64 {
        let lane = match direction {
            Direction::ToProvider => &self.to_provider,
            Direction::ToConsumer => &self.to_consumer,
        };
        let is_unseen = match lane.sink {
            Sink::Skip => true,
            Sink::Whole => self.session.is_full(lane.scratch.len()),
            Sink::Copied => self.session.is_full(self.session.n_copied(direction)),
            Sink::Row => false,
        };
        // The last byte is always looked at, because with it the message is understood.
        if is_unseen { u64::from(lane.frames.left.saturating_sub(1)) } else { 0 }
    }

    fn pass(&mut self, direction: Direction, n_bytes: u64, _at: Duration, _out: &mut Vec<Exchange>) {
        if self.lane(direction).sink == Sink::Copied {
            self.session.pass_copied(direction, n_bytes);
        }
        let n_bytes = usize::try_from(n_bytes).unwrap_or(usize::MAX);
        let lane = self.lane(direction);
        lane.frames.left = lane.frames.left.saturating_sub(u32::try_from(n_bytes).unwrap_or(u32::MAX)).max(1);
    }

    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        let standing = self.session.standing(self.is_tagged, self.answer_due);
        Some(Box::new(Cutter::new(splitting, standing)))
    }

    fn holds_transaction(&self) -> Option<bool> {
        Some(self.session.in_transaction)
    }
}
