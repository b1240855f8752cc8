//! One WebSocket connection: frames to messages.

use super::Agreed;
use super::frames::{self, CLOSE, CONTINUATION, Event, Frames, Head, PING};
use super::inflate::Inflater;
use super::pushed;
use super::reading::MessageRead;
use crate::anew::only;
use crate::conversation::{Captured, Direction, Limits, Surprise};
use crate::splitter::{Anew, Behind, Call, Of, Piece, Splitter, Splitting, Unanswerable, Underway};
use crate::watching::Resumed;
use seam_value::Value;
use std::sync::Arc;

/// What we say in the consumer's name is masked with this key: it hides nothing from anybody, and the standard only
/// wants that there is one.
const KEY: [u8; 4] = *b"seam";

/// How far the splitter has its hands in what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Watched,
    Held,
    Alone,
}

/// Cuts one connection, from the first byte after the change-over.
pub(crate) struct WebSocket {
    limits: Limits,
    mode: Mode,
    path: Arc<str>,
    to_provider: Lane,
    to_consumer: Lane,
    /// We have said the server's close where nobody else does.
    has_closed: bool,
    /// The consumer has said its close, and has ours.
    is_over: bool,
}

/// One direction.
#[derive(Clone)]
struct Lane {
    frames: Frames,
    /// Unpacks, where that was agreed on. None also once something could not be unpacked.
    inflater: Option<Inflater>,
    forgets: bool,
    /// The message that is passing.
    message: Option<Passing>,
    /// The control frame that is passing.
    control: Passing,
    /// The bytes that surprised, and all behind them.
    surprised: Vec<u8>,
}

#[derive(Clone, Default)]
struct Passing {
    opcode: u8,
    is_packed: bool,
    key: Option<[u8; 4]>,
    /// What is kept, unmasked and unpacked.
    payload: Vec<u8>,
    length: u64,
    is_readable: bool,
    /// As it came, as far as it has not come out.
    raw: Vec<u8>,
    /// What was unpacked and is not kept, on its way out.
    spilt: Vec<u8>,
    /// It is too long to be told, and passes as it comes.
    is_long: bool,
}

impl Lane {
    fn new(agreed: &Agreed, index: usize) -> Self {
        Self {
            frames: Frames::default(),
            inflater: agreed.is_packed.then(Inflater::new),
            forgets: agreed.forgets[index],
            message: None,
            control: Passing::default(),
            surprised: Vec::new(),
        }
    }

    fn passing(&mut self, head: Head) -> Option<&mut Passing> {
        if head.is_control() { Some(&mut self.control) } else { self.message.as_mut() }
    }
}

impl WebSocket {
    pub(crate) fn new(agreed: &Agreed, splitting: Splitting) -> Self {
        let mode = match splitting.behind {
            Behind::Provider => Mode::Held,
            Behind::Nobody => Mode::Alone,
        };
        Self {
            limits: splitting.limits,
            mode,
            path: Arc::from(agreed.path.as_str()),
            to_provider: Lane::new(agreed, 0),
            to_consumer: Lane::new(agreed, 1),
            has_closed: false,
            is_over: false,
        }
    }

    /// The same, only looked at.
    pub(crate) fn watched(agreed: &Agreed, limits: Limits) -> Self {
        Self { mode: Mode::Watched, ..Self::new(agreed, Splitting { limits, behind: Behind::Provider }) }
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        }
    }

    fn lane_of(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToProvider => &self.to_provider,
            Direction::ToConsumer => &self.to_consumer,
        }
    }

    fn begin_frame(&mut self, direction: Direction, head: Head, raw: &[u8]) -> Result<(), Surprise> {
        let keeps_raw = self.mode != Mode::Watched;
        let lane = self.lane(direction);
        let new = Passing {
            opcode: head.opcode,
            is_packed: head.is_packed,
            key: head.key,
            is_readable: true,
            ..Passing::default()
        };
        match (&lane.message, head.opcode) {
            _ if head.is_control() => lane.control = new,
            (None, CONTINUATION) => return Err(Surprise::new("more of a message that never began")),
            (Some(_), CONTINUATION) => {}
            (Some(_), _) => return Err(Surprise::new("a message in the middle of another")),
            (None, _) if head.is_packed && lane.inflater.is_none() && keeps_raw => {
                return Err(Surprise::new("a packed message that nobody agreed on"));
            }
            (None, _) => lane.message = Some(new),
        }
        if keeps_raw && let Some(passing) = lane.passing(head) {
            passing.raw.extend(raw);
        }
        Ok(())
    }

    fn payload(
        &mut self,
        direction: Direction,
        head: Head,
        (raw, plain): (&[u8], &[u8]),
    ) -> Result<(), Surprise> {
        let keeps_raw = self.mode != Mode::Watched;
        let most = (self.limits.kept_body, keeps_raw);
        let lane = self.lane(direction);
        let passing = if head.is_control() { Some(&mut lane.control) } else { lane.message.as_mut() };
        let Some(passing) = passing else { return Ok(()) };
        if keeps_raw {
            passing.raw.extend_from_slice(raw);
        }
        if passing.is_packed
            && passing.is_readable
            && let Some(inflater) = &mut lane.inflater
        {
            if inflater.unpack(plain, &mut |bytes| passing.keep(bytes, most)).is_err() {
                passing.is_readable = false;
                lane.inflater = None;
                if keeps_raw {
                    return Err(cannot_be_unpacked());
                }
            }
        } else {
            passing.is_readable &= !passing.is_packed;
            passing.keep(plain, most);
        }
        Ok(())
    }

    fn end_frame(&mut self, direction: Direction, head: Head, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let (mode, path) = (self.mode, Arc::clone(&self.path));
        let is_held = mode != Mode::Watched;
        let most = (self.limits.kept_body, is_held);
        let lane = self.lane(direction);
        if head.is_control() {
            let control = std::mem::take(&mut lane.control);
            self.control(direction, control, out);
            return Ok(());
        }
        if !head.is_last {
            return Ok(());
        }
        let Some(mut message) = lane.message.take() else { return Ok(()) };
        if message.is_packed
            && message.is_readable
            && let Some(inflater) = &mut lane.inflater
            && inflater.end(lane.forgets, &mut |bytes| message.keep(bytes, most)).is_err()
        {
            (message.is_readable, lane.inflater) = (false, None);
        }
        if mode != Mode::Watched && message.is_packed && !message.is_readable {
            lane.message = Some(message);
            return Err(cannot_be_unpacked());
        }
        if is_held && (message.is_long || message.is_cut()) {
            // Who holds gets whole messages only; this one passes.
            let bytes = message.part(true);
            if mode == Mode::Alone && direction == Direction::ToProvider {
                return Ok(());
            }
            out.push(Piece { to: direction, bytes, of: Of::Rest });
            return Ok(());
        }
        let bytes = match mode {
            Mode::Watched => Vec::new(),
            Mode::Alone if direction == Direction::ToProvider => Vec::new(),
            _ if message.is_packed => frames::write(message.opcode, &message.payload, message.key),
            _ => message.raw.clone(),
        };
        let of = Of::Message { call: None, read: message.told(path, direction) };
        out.push(Piece { to: direction, bytes, of });
        Ok(())
    }

    /// A control frame is whole: a close is told, pings only pass.
    fn control(&mut self, direction: Direction, control: Passing, out: &mut Vec<Piece>) {
        if self.mode == Mode::Alone && direction == Direction::ToProvider {
            match control.opcode {
                PING => {
                    let bytes = frames::write(frames::PONG, &control.payload, None);
                    out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
                    return;
                }
                CLOSE => {
                    // Each side says it once (RFC 6455, 5.5.1).
                    if !self.has_closed {
                        let bytes = frames::write(CLOSE, &control.payload, None);
                        out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
                    }
                    (self.has_closed, self.is_over) = (true, true);
                }
                _ => return,
            }
        }
        let goes_nowhere = self.mode == Mode::Alone && direction == Direction::ToProvider;
        let bytes = if goes_nowhere { Vec::new() } else { control.raw.clone() };
        let of = match control.opcode {
            CLOSE => Of::Message { call: None, read: control.told(Arc::clone(&self.path), direction) },
            _ => Of::Rest,
        };
        out.push(Piece { to: direction, bytes, of });
    }

    /// A message that is longer than what is kept passes as it comes, where it is held.
    fn let_out(&mut self, direction: Direction, out: &mut Vec<Piece>) {
        let mode = self.mode;
        let Some(message) = &mut self.lane(direction).message else { return };
        if mode != Mode::Watched && message.is_cut() {
            let bytes = message.part(false);
            let goes_nowhere = mode == Mode::Alone && direction == Direction::ToProvider;
            if !bytes.is_empty() && !goes_nowhere {
                out.push(Piece { to: direction, bytes, of: Of::Rest });
            }
        }
    }
}

impl WebSocket {
    /// Has no message of this direction gone out in part?
    fn is_between(&self, direction: Direction) -> Result<(), Unanswerable> {
        let lane = match direction {
            Direction::ToProvider => &self.to_provider,
            Direction::ToConsumer => &self.to_consumer,
        };
        match &lane.message {
            Some(message) if message.is_long => Err(Unanswerable::within()),
            _ => Ok(()),
        }
    }

    /// These bytes surprise, which no message has kept.
    fn surprised(&mut self, direction: Direction, bytes: &[&[u8]], surprise: Surprise) -> Surprise {
        self.lane(direction).surprised = bytes.concat();
        surprise
    }
}

fn cannot_be_unpacked() -> Surprise {
    Surprise::new("a message that can't be unpacked")
}

impl Passing {
    fn keep(&mut self, bytes: &[u8], (most, is_held): (usize, bool)) {
        let n_kept = if self.length == self.payload.len() as u64 {
            bytes.len().min(most.saturating_sub(self.payload.len()))
        } else {
            0
        };
        self.payload.extend_from_slice(&bytes[..n_kept]);
        if is_held && self.is_packed {
            self.spilt.extend_from_slice(&bytes[n_kept..]);
        }
        self.length += bytes.len() as u64;
    }

    /// Has more come than is kept?
    fn is_cut(&self) -> bool {
        self.length > self.payload.len() as u64
    }

    /// The next bytes of a message that is too long: as they came, or unpacked in a frame of their own.
    fn part(&mut self, is_last: bool) -> Vec<u8> {
        let begins = !std::mem::replace(&mut self.is_long, true);
        if !self.is_packed {
            return std::mem::take(&mut self.raw);
        }
        self.raw.clear();
        let spilt = std::mem::take(&mut self.spilt);
        match (begins, spilt.is_empty()) {
            (true, _) => {
                frames::write_part(self.opcode, is_last, &[&self.payload, &spilt[..]].concat(), self.key)
            }
            (false, true) if !is_last => Vec::new(),
            (false, _) => frames::write_part(CONTINUATION, is_last, &spilt, self.key),
        }
    }

    fn told(self, path: Arc<str>, to: Direction) -> Box<dyn Captured> {
        Box::new(MessageRead {
            path,
            to,
            opcode: self.opcode,
            payload: self.payload,
            length: self.length,
            is_readable: self.is_readable,
        })
    }
}

impl Splitter for WebSocket {
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let mut rest = bytes;
        loop {
            let (n_taken, event) = match self.lane(direction).frames.next(rest) {
                Ok(next) => next,
                Err(surprise) => return Err(self.surprised(direction, &[rest], surprise)),
            };
            rest = &rest[n_taken..];
            match event {
                None if n_taken == 0 => break,
                None => {}
                Some(Event::Begin(head, raw)) => {
                    let begun = self.begin_frame(direction, head, &raw);
                    begun.map_err(|surprise| self.surprised(direction, &[&raw, rest], surprise))?;
                }
                Some(Event::Payload(raw, plain)) => {
                    let Some(head) = self.lane(direction).frames.current() else { continue };
                    let kept = self.payload(direction, head, (&raw, &plain));
                    kept.map_err(|surprise| self.surprised(direction, &[rest], surprise))?;
                    self.let_out(direction, out);
                }
                Some(Event::End(head)) => {
                    let ended = self.end_frame(direction, head, out);
                    ended.map_err(|surprise| self.surprised(direction, &[rest], surprise))?;
                }
            }
        }
        Ok(())
    }

    fn lets_go(&self, untouched: bool) -> bool {
        untouched && !self.is_within(Direction::ToProvider) && !self.is_within(Direction::ToConsumer)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        let lane = self.lane(direction);
        let mut rest = lane.message.take().map(|message| message.raw).unwrap_or_default();
        rest.append(&mut lane.control.raw);
        rest.extend(lane.frames.take_rest());
        rest.append(&mut lane.surprised);
        rest
    }

    fn answer(&mut self, _call: Call, _answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        Err(Unanswerable::new("nobody waits for an answer to a message of WebSocket"))
    }

    fn say_more(&mut self, _call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
        let (opcode, payload) = pushed::payload(message)?;
        self.has_closed |= opcode == CLOSE;
        let bytes = frames::write(opcode, &payload, None);
        let length = payload.len() as u64;
        let said = Passing { opcode, payload, length, is_readable: true, ..Passing::default() };
        let read = said.told(Arc::clone(&self.path), Direction::ToConsumer);
        Ok(Piece { to: Direction::ToConsumer, bytes, of: Of::Message { call: None, read } })
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let (first, content) = frames::joined(message.bytes);
        let first = first.ok_or_else(|| Unanswerable::new("the message is not there"))?;
        let (opcode, payload) = match anew {
            Anew::Fields(before, now) => {
                only(before, now, &["type", "code", "reason"])?;
                pushed::payload(now)?
            }
            Anew::Content(_) if first.opcode == CLOSE => {
                return Err(Unanswerable::new("what closes a connection has no content"));
            }
            change @ Anew::Content(_) => (first.opcode, change.content(&content)?),
        };
        Ok(frames::write(opcode, &payload, first.key))
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        Some(message.to_vec())
    }

    fn refuse(&mut self, message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        // What a consumer sends is masked; what goes to a provider has to be.
        // Where nobody is behind only the consumer can be told anything.
        let is_consumers =
            self.mode == Mode::Alone || message.get(1).is_some_and(|second| second & 0x80 != 0);
        let key = (!is_consumers).then_some(KEY);
        let (opcode, payload) = pushed::payload(answer)?;
        self.is_between(if is_consumers { Direction::ToConsumer } else { Direction::ToProvider })?;
        self.has_closed |= opcode == CLOSE && is_consumers;
        Ok(frames::write(opcode, &payload, key))
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let (opcode, payload) = pushed::payload(message)?;
        self.is_between(Direction::ToConsumer)?;
        self.has_closed |= opcode == CLOSE;
        Ok(frames::write(opcode, &payload, None))
    }

    fn is_over(&self) -> bool {
        // The server closes first (RFC 6455, 7.1.1).
        self.is_over
    }
}

impl Resumed for WebSocket {
    fn resume(&self, splitting: Splitting) -> Self {
        let agreed = Agreed { path: self.path.to_string(), ..Agreed::default() };
        Self {
            to_provider: self.to_provider.clone(),
            to_consumer: self.to_consumer.clone(),
            ..Self::new(&agreed, splitting)
        }
    }

    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        self.is_within(direction).then(|| self.lane_of(direction).frames.n_to_end().max(1))
    }

    fn is_within(&self, direction: Direction) -> bool {
        let lane = self.lane_of(direction);
        lane.message.is_some() || !lane.frames.is_between()
    }
}
