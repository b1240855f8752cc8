//! Where HTTP/2's frames begin and end, and how they are written (RFC 9113, 4.1 and 6).
//!
//! ```text
//! length 3 │ kind 1 │ flags 1 │ stream 4 │ payload
//! ```

use crate::conversation::{Limits, Surprise};
use std::borrow::Cow;

/// What a consumer says first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS: nothing more comes. Of SETTINGS and PING: it is the answer.
pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITIZED: u8 = 0x20;

/// The longest frame that everybody takes.
pub(super) const MAX_FRAME: usize = 16_384;

const HEAD: usize = 9;

/// A frame's first nine bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    fn read(bytes: [u8; HEAD]) -> Self {
        let [length @ .., kind, flags, _, _, _, _] = bytes;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let stream = number(&bytes[5..]).unwrap_or_default() & 0x7fff_ffff;
        Self { length, kind, flags, stream }
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn ends_stream(self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.has(END_STREAM)
    }
}

/// What comes out of a direction's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// The consumer's preface.
    Preface,
    /// A frame that is whole; never DATA.
    Frame(Head, Cow<'a, [u8]>),
    /// Some bytes of a DATA frame, without what it is padded with.
    Data(Head, &'a [u8]),
    /// The DATA frame has come to its end.
    DataEnd(Head),
}

/// One direction's bytes to frames.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    n_preface: usize,
    head: Vec<u8>,
    current: Option<Head>,
    /// What has come of a frame's payload; of DATA nothing.
    payload: Vec<u8>,
    n_left: usize,
    /// How many of the last bytes only fill up.
    n_padding: Option<usize>,
    /// The newest frame's head as it came.
    newest: [u8; HEAD],
}

impl Frames {
    /// A direction from its beginning. The consumer's has the preface before its frames.
    pub(super) fn new(n_preface: usize) -> Self {
        let (head, payload) = (Vec::with_capacity(HEAD), Vec::new());
        Self { n_preface, head, current: None, payload, n_left: 0, n_padding: None, newest: [0; HEAD] }
    }

    pub(super) fn is_between(&self) -> bool {
        self.current.is_none() && self.head.is_empty() && matches!(self.n_preface, 0 | 24)
    }

    /// So many bytes are missing of what is passing; of the next frame's head where that has to come.
    pub(super) fn n_to_boundary(&self, has_to_come: bool) -> usize {
        match self.current {
            _ if (1..PREFACE.len()).contains(&self.n_preface) => self.n_preface,
            Some(_) => self.n_left,
            None if self.head.is_empty() && !has_to_come => 0,
            None => HEAD - self.head.len(),
        }
    }

    /// The bytes of the frame that isn't whole, as they came. Of DATA the head that fits what has not come out; its stream
    /// is written as `number` says.
    pub(super) fn take_rest(&mut self, number: impl Fn(u32) -> u32) -> Vec<u8> {
        if let n_left @ 1.. = self.n_preface
            && n_left < PREFACE.len()
        {
            self.n_preface = PREFACE.len();
            return PREFACE[..PREFACE.len() - n_left].to_vec();
        }
        let Some(head) = self.current.take().filter(|head| head.kind == DATA) else {
            let mut rest = std::mem::take(&mut self.head);
            rest.append(&mut self.payload);
            return rest;
        };
        self.head.clear();
        let padding = self.n_padding.filter(|_| head.has(PADDED));
        let length = self.n_left + usize::from(padding.is_some());
        let mut rest = Vec::new();
        write(DATA, head.flags, number(head.stream), &[], &mut rest);
        rest[..3].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()[1..]);
        rest.extend(padding.and_then(|padding| u8::try_from(padding).ok()));
        rest
    }

    /// The newest frame as it came, whose payload this is. Of DATA what was filled up is put back.
    pub(super) fn as_it_came(&self, head: Head, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.newest.to_vec();
        if head.kind == DATA && head.has(PADDED) {
            let n_padding = head.length.saturating_sub(1 + payload.len());
            bytes.extend(u8::try_from(n_padding).ok());
            bytes.extend_from_slice(payload);
            bytes.resize(HEAD + head.length, 0);
        } else {
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    /// These bytes of DATA, which were taken last, are to be taken again.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        self.n_left += bytes.len();
    }

    /// Takes bytes up to the next event. Says how many: none, and no event, where more are needed. Of bytes that surprise
    /// none is taken.
    pub(super) fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: Limits,
    ) -> Result<(usize, Option<Event<'a>>), Surprise> {
        let before = (self.head.len(), self.current, self.n_left);
        self.look(bytes, limits).inspect_err(|_| {
            self.head.truncate(before.0);
            (self.current, self.n_left) = (before.1, before.2);
        })
    }

    fn look<'a>(&mut self, bytes: &'a [u8], limits: Limits) -> Result<(usize, Option<Event<'a>>), Surprise> {
        if self.n_preface > 0 {
            let expected = &PREFACE[PREFACE.len() - self.n_preface..];
            let n_taken = expected.len().min(bytes.len());
            if bytes[..n_taken] != expected[..n_taken] {
                return Err(Surprise::new("no preface of HTTP/2"));
            }
            self.n_preface -= n_taken;
            return Ok((n_taken, (self.n_preface == 0).then_some(Event::Preface)));
        }
        if let Some(head) = self.current {
            return match head.kind {
                DATA => self.data(head, bytes),
                _ => Ok(self.payload(head, bytes)),
            };
        }
        let n_taken = (HEAD - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..n_taken]);
        let Ok(whole) = <[u8; HEAD]>::try_from(self.head.as_slice()) else { return Ok((n_taken, None)) };
        let head = Head::read(whole);
        self.newest = whole;
        if head.kind != DATA && head.length > limits.head {
            return Err(Surprise::new("a frame that is too long"));
        }
        (self.current, self.n_left) = (Some(head), head.length);
        self.n_padding = if head.kind == DATA && head.has(PADDED) { None } else { Some(0) };
        if head.length > 0 {
            return Ok((n_taken, None));
        }
        let event = match head.kind {
            DATA if self.n_padding.is_none() => return Err(Surprise::new("padding without its length")),
            DATA => Event::DataEnd(head),
            _ => Event::Frame(head, Cow::default()),
        };
        self.ended();
        Ok((n_taken, Some(event)))
    }

    fn payload<'a>(&mut self, head: Head, bytes: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let n_taken = self.n_left.min(bytes.len());
        self.n_left -= n_taken;
        let now = &bytes[..n_taken];
        if self.n_left > 0 {
            self.payload.extend_from_slice(now);
            return (n_taken, None);
        }
        let payload = if self.payload.is_empty() {
            Cow::Borrowed(now)
        } else {
            let mut payload = std::mem::take(&mut self.payload);
            payload.extend_from_slice(now);
            Cow::Owned(payload)
        };
        self.ended();
        (n_taken, Some(Event::Frame(head, payload)))
    }

    fn data<'a>(&mut self, head: Head, bytes: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Surprise> {
        let Some(n_padding) = self.n_padding else {
            let Some(first) = bytes.first() else { return Ok((0, None)) };
            self.n_left -= 1;
            let n_padding = usize::from(*first);
            if n_padding > self.n_left {
                return Err(Surprise::new("more padding than there is room for"));
            }
            self.n_padding = Some(n_padding);
            return Ok((1, self.data_ended(head)));
        };
        let n_data = self.n_left.saturating_sub(n_padding);
        if n_data > 0 && bytes.is_empty() {
            return Ok((0, None));
        }
        if n_data > 0 {
            let n_taken = n_data.min(bytes.len());
            self.n_left -= n_taken;
            return Ok((n_taken, Some(Event::Data(head, &bytes[..n_taken]))));
        }
        let n_taken = self.n_left.min(bytes.len());
        self.n_left -= n_taken;
        Ok((n_taken, self.data_ended(head)))
    }

    fn data_ended<'a>(&mut self, head: Head) -> Option<Event<'a>> {
        (self.n_left == 0).then(|| {
            self.ended();
            Event::DataEnd(head)
        })
    }

    fn ended(&mut self) {
        self.current = None;
        self.head.clear();
    }
}

/// The header block in the payload of HEADERS, without padding and priority.
pub(super) fn block_of(head: Head, payload: &[u8]) -> Result<&[u8], Surprise> {
    let broken = || Surprise::new("headers that are shorter than they say");
    let (n_padding, payload) = match payload.split_first() {
        Some((n_padding, rest)) if head.has(PADDED) => (usize::from(*n_padding), rest),
        None if head.has(PADDED) => return Err(broken()),
        _ => (0, payload),
    };
    let payload = if head.has(PRIORITIZED) && head.kind == HEADERS {
        payload.get(5..).ok_or_else(broken)?
    } else {
        payload
    };
    payload.len().checked_sub(n_padding).map(|n_block| &payload[..n_block]).ok_or_else(broken)
}

/// The first whole frame, and what follows it.
pub(super) fn first(bytes: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let head = Head::read(*head);
    let (payload, rest) = rest.split_at_checked(head.length)?;
    Some((head, payload, rest))
}

/// The streams that are reset in whole frames.
pub(super) fn resets(bytes: &[u8]) -> Vec<u32> {
    let (mut rest, mut streams) = (bytes, Vec::new());
    while let Some((head, _, later)) = first(rest) {
        streams.extend((head.kind == RST_STREAM).then_some(head.stream));
        rest = later;
    }
    streams
}

/// Are these whole frames, and nothing else?
pub(super) fn are_frames(mut bytes: &[u8]) -> bool {
    while let Some((_, _, later)) = first(bytes) {
        bytes = later;
    }
    bytes.is_empty()
}

/// Appends a frame.
pub(super) fn write(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a header block in as many frames as it needs.
pub(super) fn write_headers(stream: u32, block: &[u8], ends_stream: bool, out: &mut Vec<u8>) {
    let mut chunks = block.chunks(MAX_FRAME).peekable();
    let mut kind = HEADERS;
    while let Some(chunk) = chunks.next() {
        let mut flags = if chunks.peek().is_none() { END_HEADERS } else { 0 };
        if kind == HEADERS && ends_stream {
            flags |= END_STREAM;
        }
        write(kind, flags, stream, chunk, out);
        kind = CONTINUATION;
    }
}

/// Appends a body in as many frames as it needs: none for no bytes, unless the stream ends with them.
pub(super) fn write_data(stream: u32, bytes: &[u8], ends_stream: bool, out: &mut Vec<u8>) {
    let mut rest = bytes;
    while !rest.is_empty() || ends_stream {
        let (now, later) = rest.split_at(rest.len().min(MAX_FRAME));
        let is_last = later.is_empty();
        write(DATA, if ends_stream && is_last { END_STREAM } else { 0 }, stream, now, out);
        rest = later;
        if is_last {
            break;
        }
    }
}

/// Appends a frame whose payload is one number.
pub(super) fn write_number(kind: u8, stream: u32, number: u32, out: &mut Vec<u8>) {
    write(kind, 0, stream, &number.to_be_bytes(), out);
}

/// The number at the beginning of a payload.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}
