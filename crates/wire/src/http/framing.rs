//! Where an HTTP message begins and ends, and no more: RFC 9112, sections 2.2, 6 and 7.
//!
//! Bodies are not looked at but for the lines between chunks; heads are copied and looked at once, when whole.

use super::heads::{Heads, Method, ReplyHead};
use crate::conversation::{Limits, Position, Surprise};
use crate::kept::Room;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// What is kept of one message: its head, the first bytes of its body without chunk lines, and its trailers,
/// one after the other in one allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) head_end: usize,
    pub(super) body_end: usize,
    /// The body's bytes as they passed, kept or not.
    pub(super) length: u64,
    /// The body's bytes that nobody has taken out yet, for one that is cut into events as it passes.
    pub(super) passing: Option<Vec<u8>>,
    /// Only the connection's end has ended it, of which TLS did not say that it was to come.
    pub(super) is_cut_off: bool,
}

impl Message {
    pub(super) fn head(&self) -> &[u8] {
        &self.bytes[..self.head_end]
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.head_end..self.body_end]
    }

    pub(super) fn trailers(&self) -> &[u8] {
        &self.bytes[self.body_end..]
    }

    /// Nothing more of it is kept: whoever wanted it has it.
    pub(super) fn keep_no_more(&mut self) {
        // What is kept is a beginning without holes.
        *self = Self { length: self.length.max(1), ..Self::default() };
    }

    /// Did more of the body pass than was kept?
    pub(super) fn is_cut(&self) -> bool {
        self.length > self.body().len() as u64
    }
}

/// Where one direction stands in its stream of messages.
#[derive(Clone, Copy, Debug)]
enum State {
    Between,
    Head(Line),
    /// So many bytes of the body are to come.
    Length(u64),
    /// In the line that says a chunk's size.
    ChunkSize {
        size: u64,
        n_digits: u8,
        /// How long the line is: extensions are allowed, endless ones are not.
        n_bytes: u16,
    },
    /// So many bytes of this chunk are to come.
    ChunkData(u64),
    /// The line end after a chunk's bytes, of which the carriage return has come, or not.
    ChunkEnd {
        has_cr: bool,
    },
    Trailers(Line),
    UntilClose,
}

/// What stands in the line that is being read: an empty one ends a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    OnlyCr,
    Text,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
}

/// What a look at some bytes led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The bytes came to their end first.
    Nothing,
    /// The head is whole: say with [`Stream::begin_body`] how its body is framed.
    HeadEnd,
    /// The message is whole.
    MessageEnd,
}

/// One direction of one connection.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    state: State,
    heads: Heads,
}

/// A chunk's line with its extensions is longer than this only in attacks.
const MAX_CHUNK_LINE: u16 = 4096;

/// An empty line behind the end of another, with and without the carriage return that it should have.
static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\r\n"));
static BARE_EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\n"));

/// Room that is made with a head for what stands behind it.
const MOST_AT_ONCE: usize = 2048;

impl Stream {
    pub(super) fn new() -> Self {
        Self { state: State::Between, heads: Heads::default() }
    }

    pub(super) fn is_between(&self) -> bool {
        matches!(self.state, State::Between)
    }

    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    pub(super) fn is_until_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    pub(super) fn position(&self) -> Position {
        match self.state {
            State::Between => Position::Between,
            State::Head(_) => Position::Head,
            _ => Position::Body,
        }
    }

    /// Have all bytes of a chunk come, and not its end?
    pub(super) fn is_before_chunk_end(&self) -> bool {
        matches!(self.state, State::ChunkEnd { .. })
    }

    /// How many coming bytes are surely the body's.
    pub(super) fn body_left(&self) -> u64 {
        match self.state {
            State::Length(left) | State::ChunkData(left) => left,
            State::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// How many more bytes lead to a place in a body where the next chunk begins, or to the end of a part of the lines
    /// between chunks; none where it is such a place, or the body has no chunks.
    pub(super) fn n_to_chunk(&self) -> Option<usize> {
        match self.state {
            State::ChunkData(left) => Some(usize::try_from(left).unwrap_or(usize::MAX)),
            State::ChunkEnd { .. } | State::Trailers(_) | State::ChunkSize { n_bytes: 1.., .. } => Some(1),
            _ => None,
        }
    }

    /// How many of the bytes are empty lines before a message, which are passed over (RFC 9112, 2.2).
    pub(super) fn n_idle(&self, bytes: &[u8]) -> usize {
        if self.is_between() {
            bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
        } else {
            0
        }
    }

    /// Bytes of a chunked body that have been taken out of their chunks, framed so that what follows may follow as it
    /// comes: in the middle of a chunk, of the line before one, or of these trailers.
    pub(super) fn framed_so_far(&self, bytes: &[u8], trailers: &[u8]) -> Vec<u8> {
        let chunk = |size: u64| [format!("{size:x}\r\n").as_bytes(), bytes].concat();
        let whole = || {
            if bytes.is_empty() { Vec::new() } else { [&chunk(bytes.len() as u64), &b"\r\n"[..]].concat() }
        };
        match self.state {
            State::ChunkData(left) => chunk(left.saturating_add(bytes.len() as u64)),
            State::ChunkEnd { has_cr } => {
                let begun = if bytes.is_empty() { Vec::new() } else { chunk(bytes.len() as u64) };
                [&begun[..], if has_cr { b"\r" } else { b"" }].concat()
            }
            State::ChunkSize { size, n_digits: n_digits @ 1.., n_bytes } => {
                // Whatever stands behind the size says nothing to anybody.
                let more = if u16::from(n_digits) < n_bytes { ";" } else { "" };
                [&whole()[..], format!("{size:x}{more}").as_bytes()].concat()
            }
            State::Trailers(_) => [&whole()[..], b"0\r\n", trailers].concat(),
            _ => whole(),
        }
    }

    /// Looks at the next bytes of a message, keeps what is kept of them, and says how many it took. What surprises is never
    /// taken, and nothing is taken with it: what stands before it is taken first, by itself.
    pub(super) fn advance(
        &mut self,
        message: &mut Message,
        bytes: &[u8],
        limits: Limits,
        room: &mut Room,
    ) -> Result<(usize, Reached), Surprise> {
        let mut n_taken = 0;
        while let Some(rest) = bytes.get(n_taken..).filter(|rest| !rest.is_empty()) {
            let (n_used, reached) = match self.advance_once(message, rest, limits, room) {
                Ok(advanced) => advanced,
                Err(_) if n_taken > 0 => break,
                Err(surprise) => return Err(surprise),
            };
            n_taken += n_used;
            if reached != Reached::Nothing {
                return Ok((n_taken, reached));
            }
        }
        Ok((n_taken, Reached::Nothing))
    }

    fn advance_once(
        &mut self,
        message: &mut Message,
        bytes: &[u8],
        limits: Limits,
        room: &mut Room,
    ) -> Result<(usize, Reached), Surprise> {
        match self.state {
            State::Between => {
                self.state = State::Head(Line::Text);
                Ok((0, Reached::Nothing))
            }
            State::Head(line) => {
                let known = if message.bytes.is_empty() { self.heads.n_known(bytes) } else { None };
                let (n_used, line, ended) = match known {
                    Some(n_known) => (n_known, Line::Empty, true),
                    None => find_head_end(bytes, line),
                };
                self.state = State::Head(line);
                if message.bytes.len() + n_used > limits.head {
                    return Err(Surprise::new("a head that is too long"));
                }
                if message.bytes.is_empty() {
                    // What came with the head is its body most often: room for both at once.
                    message.bytes.reserve_exact(n_used.max(bytes.len().min(MOST_AT_ONCE)));
                }
                if room.keep(&mut message.bytes, &bytes[..n_used], usize::MAX) < n_used {
                    return Err(Surprise::new("too much is open at once"));
                }
                (message.head_end, message.body_end) = (message.bytes.len(), message.bytes.len());
                Ok((n_used, if ended { Reached::HeadEnd } else { Reached::Nothing }))
            }
            State::Length(left) => {
                let n_used = keep_body(message, bytes, left, (limits, room));
                let left = left - n_used as u64;
                self.state = if left == 0 { State::Between } else { State::Length(left) };
                Ok((n_used, if left == 0 { Reached::MessageEnd } else { Reached::Nothing }))
            }
            State::ChunkData(left) => {
                let n_used = keep_body(message, bytes, left, (limits, room));
                let left = left - n_used as u64;
                self.state =
                    if left == 0 { State::ChunkEnd { has_cr: false } } else { State::ChunkData(left) };
                Ok((n_used, Reached::Nothing))
            }
            State::UntilClose => Ok((keep_body(message, bytes, u64::MAX, (limits, room)), Reached::Nothing)),
            State::ChunkSize { .. } | State::ChunkEnd { .. } => {
                self.chunk_line(bytes[0]).map(|()| (1, Reached::Nothing))
            }
            State::Trailers(line) => {
                let (n_used, line, ended) = find_head_end(bytes, line);
                if message.bytes.len() - message.body_end + n_used > limits.head {
                    return Err(Surprise::new("trailers that are too long"));
                }
                room.keep(&mut message.bytes, &bytes[..n_used], usize::MAX);
                self.state = if ended { State::Between } else { State::Trailers(line) };
                Ok((n_used, if ended { Reached::MessageEnd } else { Reached::Nothing }))
            }
        }
    }

    /// Reads a request's head, after [`Reached::HeadEnd`].
    pub(super) fn request_head(&mut self, head: &[u8]) -> Result<(Method, Framing), Surprise> {
        self.heads.request(head)
    }

    /// Did that request say the same headers as the one before?
    pub(super) fn repeats_headers(&self) -> bool {
        self.heads.are_repeated()
    }

    /// Reads the head of a reply to a request of this method, after [`Reached::HeadEnd`].
    pub(super) fn reply_head(&mut self, head: &[u8], method: Method) -> Result<ReplyHead, Surprise> {
        self.heads.reply(head, method)
    }

    /// Says, after [`Reached::HeadEnd`], how the body is framed. True where the message has ended with its head.
    pub(super) fn begin_body(&mut self, framing: Framing) -> bool {
        self.state = match framing {
            Framing::Empty | Framing::Length(0) => State::Between,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize { size: 0, n_digits: 0, n_bytes: 0 },
            Framing::UntilClose => State::UntilClose,
        };
        self.is_between()
    }

    /// So many bytes of the body, at most [`body_left`](Self::body_left), passed unseen. True where the
    /// message has ended with them.
    pub(super) fn pass(&mut self, message: &mut Message, n_bytes: u64) -> bool {
        message.length += n_bytes;
        match &mut self.state {
            State::Length(left) | State::ChunkData(left) => *left = left.saturating_sub(n_bytes),
            _ => {}
        }
        match self.state {
            State::Length(0) => self.state = State::Between,
            State::ChunkData(0) => self.state = State::ChunkEnd { has_cr: false },
            _ => return false,
        }
        self.is_between()
    }

    /// One byte of the lines around chunks.
    fn chunk_line(&mut self, byte: u8) -> Result<(), Surprise> {
        let first_size = State::ChunkSize { size: 0, n_digits: 0, n_bytes: 0 };
        match self.state {
            State::ChunkEnd { .. } if byte == b'\n' => self.state = first_size,
            State::ChunkEnd { has_cr: false } if byte == b'\r' => {
                self.state = State::ChunkEnd { has_cr: true };
            }
            State::ChunkSize { n_bytes, .. } if n_bytes >= MAX_CHUNK_LINE => {
                return Err(Surprise::new("a chunk's line that is too long"));
            }
            State::ChunkSize { n_digits: 0, .. } if !byte.is_ascii_hexdigit() => {
                return Err(Surprise::new("a chunk without its size"));
            }
            State::ChunkSize { size: 0, .. } if byte == b'\n' => self.state = State::Trailers(Line::Empty),
            State::ChunkSize { size, .. } if byte == b'\n' => self.state = State::ChunkData(size),
            State::ChunkSize { size, n_digits, n_bytes } => {
                let n_bytes = n_bytes + 1;
                let in_digits = u16::from(n_digits) + 1 == n_bytes;
                self.state = match char::from(byte).to_digit(16).filter(|_| in_digits) {
                    Some(_) if n_digits == 15 => return Err(Surprise::new("a chunk of impossible size")),
                    Some(digit) => State::ChunkSize {
                        size: size * 16 + u64::from(digit),
                        n_digits: n_digits + 1,
                        n_bytes,
                    },
                    None => State::ChunkSize { size, n_digits, n_bytes },
                };
            }
            _ => return Err(Surprise::new("a chunk that is longer than its size")),
        }
        Ok(())
    }
}

/// Keeps what is kept of a body's bytes, of which so many are left, and says how many belong to it.
fn keep_body(message: &mut Message, bytes: &[u8], left: u64, kept: (Limits, &mut Room)) -> usize {
    let (limits, room) = kept;
    let n_used = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    // Once something was left out nothing more is kept, so that what is kept is a beginning without holes.
    if message.length == message.body().len() as u64 {
        let most = message.head_end.saturating_add(limits.kept_body);
        room.keep_body(&mut message.bytes, &bytes[..n_used], most);
        message.body_end = message.bytes.len();
    }
    message.length += n_used as u64;
    if let Some(passing) = &mut message.passing {
        passing.extend_from_slice(&bytes[..n_used]);
    }
    n_used
}

/// Looks for the empty line that ends a head, given what stood in its line so far. Gives how many bytes belong
/// to the head, what stands in the last line, and whether that was the end.
fn find_head_end(bytes: &[u8], mut line: Line) -> (usize, Line, bool) {
    // Nearly every head comes whole, with lines that end as they should.
    if line == Line::Text
        && let Some(last) = EMPTY_LINE.find(bytes)
        && BARE_EMPTY_LINE.find(&bytes[..=last]).is_none()
    {
        return (last + 3, Line::Empty, true);
    }
    let mut from = 0;
    for line_end in memchr::memchr_iter(b'\n', bytes) {
        line = continue_line(line, &bytes[from..line_end]);
        from = line_end + 1;
        if line != Line::Text {
            return (from, Line::Empty, true);
        }
        line = Line::Empty;
    }
    (bytes.len(), continue_line(line, &bytes[from..]), false)
}

fn continue_line(line: Line, more: &[u8]) -> Line {
    match (line, more) {
        (line, []) => line,
        (Line::Empty, [b'\r']) => Line::OnlyCr,
        _ => Line::Text,
    }
}
