//! One SMTP connection: lines, and between them mails.

use super::session::Session;
use super::splitter::Cutter;
use crate::conversation::{Conversation, Direction, End, Exchange, Limits, Position, Surprise};
use crate::splitter::{Splitter, Splitting};
use std::time::Duration;

/// One connection while it passes.
pub(super) struct Connection {
    limits: Limits,
    to_provider: Mode,
    /// When the line that is passing began, in each direction.
    command: Line,
    reply: Line,
    session: Session,
}

/// What the consumer's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Lines with commands.
    Commands,
    /// Nothing may come until the server has answered: to DATA, AUTH or STARTTLS.
    Waits,
    /// A line that only the server may read: a step of signing in.
    Secret,
    /// A mail up to the line with a dot. The number says how much of `\r\n.\r\n` has come.
    Content(u8),
    /// So many bytes of a mail.
    Chunk(u64),
}

/// What ends a mail.
pub(super) const END: &[u8; 5] = b"\r\n.\r\n";

/// A line that is passing.
#[derive(Debug, Default)]
struct Line {
    began: Duration,
    bytes: Vec<u8>,
    is_within: bool,
}

impl Line {
    /// Takes bytes up to the line's end. Says how many, and whether the line is whole.
    fn take(&mut self, bytes: &[u8], at: Duration, limits: Limits) -> Result<(usize, bool), Surprise> {
        if !std::mem::replace(&mut self.is_within, true) {
            self.began = at;
            self.bytes.clear();
        }
        let line_end = memchr::memchr(b'\n', bytes);
        let n_taken = line_end.map_or(bytes.len(), |line_end| line_end + 1);
        if self.bytes.len() + n_taken > limits.head {
            return Err(Surprise::new("a line that is too long"));
        }
        self.bytes.extend_from_slice(&bytes[..n_taken]);
        self.is_within = line_end.is_none();
        Ok((n_taken, line_end.is_some()))
    }

    fn text(&self) -> &[u8] {
        self.bytes.trim_ascii_end()
    }
}

impl Connection {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            to_provider: Mode::Commands,
            command: Line::default(),
            reply: Line::default(),
            session: Session::new(limits),
        }
    }

    fn command_bytes(&mut self, bytes: &[u8], at: Duration) -> Result<usize, Surprise> {
        match self.to_provider {
            Mode::Commands => {
                let (n_taken, is_whole) = self.command.take(bytes, at, self.limits)?;
                if is_whole {
                    self.to_provider = self.session.asked(self.command.text(), self.command.began)?;
                }
                Ok(n_taken)
            }
            Mode::Secret => {
                let line_end = memchr::memchr(b'\n', bytes);
                if line_end.is_some() {
                    self.to_provider = Mode::Waits;
                }
                Ok(line_end.map_or(bytes.len(), |line_end| line_end + 1))
            }
            Mode::Content(n_matched) => {
                let (n_taken, n_matched) = find_end(bytes, n_matched);
                self.session.keep_content(&bytes[..n_taken]);
                self.to_provider = Mode::Content(n_matched);
                if usize::from(n_matched) == END.len() {
                    self.session.content_ended(at)?;
                    self.to_provider = Mode::Commands;
                }
                Ok(n_taken)
            }
            Mode::Chunk(left) => {
                let n_taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.session.keep_content(&bytes[..n_taken]);
                let left = left - n_taken as u64;
                self.to_provider = if left == 0 { Mode::Commands } else { Mode::Chunk(left) };
                Ok(n_taken)
            }
            Mode::Waits => Err(Surprise::new("bytes before the server gave leave")),
        }
    }

    fn reply_bytes(
        &mut self,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        let (n_taken, is_whole) = self.reply.take(bytes, at, self.limits)?;
        if is_whole && let Some(mode) = self.session.answered(self.reply.text(), at, out)? {
            self.to_provider = mode;
        }
        Ok(n_taken)
    }
}

/// Looks for the end of a mail, of which so much has come. Gives how many bytes belong to the mail and how much
/// of its end has come then.
pub(super) fn find_end(bytes: &[u8], n_matched: u8) -> (usize, u8) {
    let mut n_matched = usize::from(n_matched);
    let mut at = 0;
    while n_matched < END.len() {
        if n_matched == 0 {
            match memchr::memchr(b'\r', &bytes[at..]) {
                Some(place) => at += place,
                None => return (bytes.len(), 0),
            }
        }
        let Some(byte) = bytes.get(at) else { break };
        n_matched = match *byte {
            byte if byte == END[n_matched] => n_matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        at += 1;
    }
    (at, u8::try_from(n_matched).unwrap_or_default())
}

impl Conversation for Connection {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        match direction {
            Direction::ToProvider => self.command_bytes(bytes, at),
            Direction::ToConsumer => self.reply_bytes(bytes, at, out),
        }
    }

    fn end(&mut self, direction: Direction, how: End, _at: Duration, out: &mut Vec<Exchange>) {
        let in_content = matches!(self.to_provider, Mode::Content(_) | Mode::Chunk(_));
        self.session.end(direction, how, in_content, out);
        if direction == Direction::ToConsumer || how != End::Fin {
            self.to_provider = Mode::Commands;
        }
    }

    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        Some(Box::new(Cutter::new(splitting, self.session.is_greeted())))
    }

    fn n_open(&self) -> usize {
        self.session.n_open()
    }

    fn position(&self, direction: Direction) -> Position {
        let line = match (direction, self.to_provider) {
            (Direction::ToProvider, Mode::Secret | Mode::Content(_) | Mode::Chunk(_)) => {
                return Position::Body;
            }
            (Direction::ToProvider, Mode::Commands | Mode::Waits) => &self.command,
            (Direction::ToConsumer, _) => &self.reply,
        };
        if line.is_within { Position::Head } else { Position::Between }
    }

    fn passable(&self, direction: Direction) -> u64 {
        match (direction, self.to_provider) {
            (Direction::ToProvider, Mode::Chunk(left)) if self.session.content_is_full() => left - 1,
            _ => 0,
        }
    }

    fn pass(&mut self, _direction: Direction, n_bytes: u64, _at: Duration, _out: &mut Vec<Exchange>) {
        if let Mode::Chunk(left) = &mut self.to_provider {
            *left = left.saturating_sub(n_bytes).max(1);
            self.session.pass_content(n_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_mail() {
        for (bytes, n_mail) in [
            (&b".\r\nQUIT"[..], Some(3)),
            (b"a\r\n.\r\nQUIT", Some(6)),
            (b"a\r\n..\r\n.\r\n", Some(10)),
            (b"a\r\n.\r\r\n.\r\n", Some(10)),
            (b"a\n.\nb\r\n.\n", None),
            (b"a\r\n.b\r\n", None),
        ] {
            let (n_taken, n_matched) = find_end(bytes, 2);
            assert_eq!((usize::from(n_matched) == END.len()).then_some(n_taken), n_mail, "{bytes:?}");
        }
    }
}
