//! What is said about a connection or a stream as such: settings, credit, signs of life, farewells, resets.

use super::connection::{Http2, Mode, rest};
use super::frame::{self, Head};
use super::writing;
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Of, Piece};
use seam_event::InteractionError;

/// So much of a stream may wait for its receiver before its sender gets no more credit.
pub(super) const MOST_WAITING: usize = 256 * 1024;

/// The setting that says what windows streams begin with.
const INITIAL_WINDOW: u16 = 4;

impl Http2 {
    /// The preface has come.
    pub(super) fn greet(&mut self, out: &mut Vec<Piece>) {
        match self.mode {
            Mode::Watched => {}
            Mode::Held => out.push(rest(Direction::ToProvider, frame::PREFACE.to_vec())),
            Mode::Alone => {
                let mut settings = INITIAL_WINDOW.to_be_bytes().to_vec();
                settings.extend_from_slice(&(1u32 << 20).to_be_bytes());
                self.control(Direction::ToConsumer, (frame::SETTINGS, 0), &settings, out);
            }
        }
    }

    /// Before the connection was held the receivers gave credit themselves, and what they still owe goes to us now.
    pub(super) fn top_up(&mut self, out: &mut Vec<Piece>) {
        if std::mem::replace(&mut self.is_topped_up, true) {
            return;
        }
        for direction in [Direction::ToProvider, Direction::ToConsumer] {
            self.credit(direction, 0, self.writing.missing(direction), out);
        }
    }

    /// A frame of the whole connection, said by us.
    pub(super) fn control(&self, to: Direction, kind: (u8, u8), payload: &[u8], out: &mut Vec<Piece>) {
        if self.mode == Mode::Watched || (self.mode == Mode::Alone && to == Direction::ToProvider) {
            return;
        }
        let mut bytes = Vec::new();
        frame::write(kind.0, kind.1, 0, payload, &mut bytes);
        out.push(rest(to, bytes));
    }

    /// Tells whoever sends in a direction that there is room for more.
    pub(super) fn credit(&mut self, direction: Direction, stream: u32, n_bytes: u32, out: &mut Vec<Piece>) {
        let to = direction.opposite();
        if n_bytes == 0
            || self.mode == Mode::Watched
            || (self.mode == Mode::Alone && to == Direction::ToProvider)
        {
            return;
        }
        if stream == 0 {
            self.level.window(direction, i64::from(n_bytes));
        } else if let Some(stream) = self.streams.get_mut(&stream) {
            stream.half(direction).used -= i64::from(n_bytes);
        }
        let mut bytes = Vec::new();
        frame::write_number(frame::WINDOW_UPDATE, stream, n_bytes, &mut bytes);
        out.push(rest(to, bytes));
    }

    /// A frame that holds neither headers nor data.
    pub(super) fn other_frame(
        &mut self,
        direction: Direction,
        head: Head,
        payload: &[u8],
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        match head.kind {
            frame::RST_STREAM => self.reset(direction, head.stream, payload, out),
            frame::WINDOW_UPDATE => {
                let by = frame::number(payload).ok_or_else(|| Surprise::new("credit without its size"))?;
                self.grow(direction.opposite(), (head.stream, by), out);
            }
            // Only ours are answered, and nobody waits for it.
            frame::SETTINGS | frame::PING if head.has(frame::ACK) && self.mode == Mode::Alone => {}
            frame::SETTINGS
                if head.has(frame::ACK) && direction == Direction::ToConsumer && self.n_acks_of_ours > 0 =>
            {
                self.n_acks_of_ours -= 1;
            }
            frame::SETTINGS
                if head.has(frame::ACK)
                    && direction == Direction::ToProvider
                    && self.n_acks_by_consumer > 0 =>
            {
                self.n_acks_by_consumer -= 1;
            }
            frame::SETTINGS if head.has(frame::ACK) && self.level.confirmed(direction) => {}
            frame::SETTINGS => {
                self.is_greeted |= self.mode == Mode::Watched && direction == Direction::ToConsumer;
                if !head.has(frame::ACK) {
                    self.level.told(direction.opposite(), false);
                }
                let windows =
                    payload.chunks_exact(6).filter(|setting| setting[..2] == INITIAL_WINDOW.to_be_bytes());
                let window = windows.filter_map(|setting| frame::number(&setting[2..])).next_back();
                match self.mode {
                    _ if !head.has(frame::ACK) => self.writing.announced(direction.opposite(), window),
                    // What is held says so when it is written.
                    Mode::Held | Mode::Alone => {}
                    Mode::Watched => self.writing.acknowledged(direction),
                }
                match self.mode {
                    Mode::Alone => {
                        self.control(direction.opposite(), (frame::SETTINGS, frame::ACK), &[], out);
                    }
                    Mode::Watched | Mode::Held => {
                        self.control(direction, (head.kind, head.flags), payload, out);
                    }
                }
                self.go(direction.opposite(), out);
            }
            frame::PING if self.mode == Mode::Alone => {
                self.control(direction.opposite(), (frame::PING, frame::ACK), payload, out);
            }
            frame::GOAWAY if direction == Direction::ToConsumer => {
                let last =
                    frame::number(payload).ok_or_else(|| Surprise::new("a farewell that breaks off"))?;
                let last = self.writing.last_of_consumer(last & 0x7fff_ffff, self.newest);
                let payload = [&last.to_be_bytes()[..], &payload[4..]].concat();
                self.control(direction, (head.kind, head.flags), &payload, out);
            }
            // Which stream matters more is for them to say who number the streams.
            frame::PRIORITY => {}
            _ if head.stream == 0 => self.control(direction, (head.kind, head.flags), payload, out),
            _ => {}
        }
        Ok(())
    }

    /// A receiver has room for more.
    fn grow(&mut self, to: Direction, (number, by): (u32, u32), out: &mut Vec<Piece>) {
        let stream = match to {
            _ if number == 0 => Some(0),
            // Who receives what goes to the provider counts as the provider does.
            Direction::ToProvider => self.writing.consumers_number(number),
            Direction::ToConsumer => Some(number),
        };
        let Some(stream) = stream else { return };
        if self.mode == Mode::Watched && stream != 0 {
            // It reaches the sender itself.
            if let Some(stream) = self.streams.get_mut(&stream) {
                stream.half(to).used -= i64::from(by & 0x7fff_ffff);
            }
            return;
        }
        // A stream that is over here may have pieces that nobody has written yet.
        if stream == 0 || self.streams.contains_key(&stream) || self.writing.knows(to, stream) {
            self.writing.grow(to, stream, by);
            if stream == 0 {
                self.pass_credit(to, by & 0x7fff_ffff, out);
            } else {
                self.pass_stream_credit(to, (stream, by & 0x7fff_ffff), out);
            }
            self.go(to, out);
        }
    }

    /// What of a receiver's credit for a stream its sender lacks: it had used up all of its window before the connection was
    /// held, or began with less than its receiver wants to take.
    fn pass_stream_credit(&mut self, to: Direction, (number, by): (u32, u32), out: &mut Vec<Piece>) {
        let Some(stream) = self.streams.get(&number).filter(|_| self.mode == Mode::Held) else { return };
        let half = stream.half_of(to);
        if half.has_ended || self.level.was_alone {
            return;
        }
        let lacks = self.writing.room(to, number) + half.used;
        let gets = lacks.clamp(0, i64::from(by));
        self.credit(to, number, u32::try_from(gets).unwrap_or_default(), out);
    }

    /// What waited for room may go now, and its senders may send more.
    fn go(&mut self, to: Direction, out: &mut Vec<Piece>) {
        if self.mode == Mode::Watched {
            return;
        }
        if self.writing.is_waiting(to) {
            out.push(rest(to, Vec::new()));
        }
        let mut owed = Vec::new();
        for (number, stream) in &mut self.streams {
            if self.writing.n_waiting(to, *number) < 2 * MOST_WAITING {
                let half = stream.half(to);
                owed.push((*number, std::mem::take(&mut half.owed)));
            }
        }
        for (number, n_bytes) in owed {
            self.credit(to, number, n_bytes, out);
        }
    }

    /// A side has no more interest in a stream.
    pub(super) fn reset(&mut self, direction: Direction, number: u32, payload: &[u8], out: &mut Vec<Piece>) {
        let number = match direction {
            Direction::ToProvider => Some(number),
            Direction::ToConsumer => self.writing.consumers_number(number),
        };
        let Some(number) = number else { return };
        let mut bytes = Vec::new();
        if self.mode == Mode::Held || (self.mode == Mode::Alone && direction == Direction::ToConsumer) {
            frame::write(frame::RST_STREAM, 0, number, payload, &mut bytes);
        }
        let Some(stream) = self.streams.get(&number) else {
            if writing::is_shadow(number) {
                self.writing.close(number);
            } else if number.is_multiple_of(2) && self.mode == Mode::Held {
                out.push(rest(direction, bytes));
            }
            return;
        };
        let (call, was_answered) = (stream.call, stream.reply.has_ended);
        let error = match direction {
            Direction::ToProvider if stream.request.has_ended => InteractionError::Timeout,
            _ => InteractionError::Reset,
        };
        if stream.request.has_begun {
            self.tell_request_first(number, out);
        }
        let of = if was_answered { Of::Rest } else { Of::Broken { call, error } };
        out.push(Piece { to: direction, bytes, of });
        self.remove(number);
        match self.mode {
            Mode::Watched => self.writing.forget(number),
            Mode::Held | Mode::Alone => self.writing.reset(direction, number),
        }
    }
}
