//! Where PostgreSQL's messages begin and end: a letter, a length, and so many bytes.

use crate::conversation::{Position, Surprise};

/// The eight bytes that ask for TLS.
pub(super) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// The eight bytes that ask for encryption by GSSAPI.
pub(super) const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// What stands in the place of the version where TLS, GSSAPI or a cancel is asked for.
pub(super) const SSL_CODE: u32 = 80_877_103;
pub(super) const GSS_CODE: u32 = 80_877_104;
pub(super) const CANCEL_CODE: u32 = 80_877_102;

/// The longest message that the server takes.
const MAX_LENGTH: u32 = 0x3fff_ffff;
/// The longest first message that the server takes.
const MAX_STARTUP: u32 = 10_000;

/// The letter that stands here for messages without one: the first of a connection.
pub(super) const STARTUP: u8 = 0;

/// One message of which the header is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tag: u8,
    /// The bytes after the header.
    pub(super) length: u32,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 5],
    n_header: usize,
    /// The message whose payload is passing, with how much of that is to come.
    pub(super) current: Option<Header>,
    pub(super) left: u32,
}

impl Frames {
    /// Takes bytes for a header. `tagged` is false for the first messages of a connection.
    pub(super) fn take_header(
        &mut self,
        bytes: &[u8],
        tagged: bool,
        is_known: fn(u8) -> bool,
    ) -> Result<(usize, Option<Header>), Surprise> {
        let n_wanted = if tagged { 5 } else { 4 };
        let n_taken = bytes.len().min(n_wanted - self.n_header);
        self.header[self.n_header..self.n_header + n_taken].copy_from_slice(&bytes[..n_taken]);
        self.n_header += n_taken;
        if tagged && !is_known(self.header[0]) {
            return Err(Surprise::new(format!("an unknown message {:?}", char::from(self.header[0]))));
        }
        if self.n_header < n_wanted {
            return Ok((n_taken, None));
        }
        self.n_header = 0;
        let [tag, a, b, c, d] = self.header;
        let (tag, length) = if tagged { (tag, [a, b, c, d]) } else { (STARTUP, [tag, a, b, c]) };
        let most = if tagged { MAX_LENGTH } else { MAX_STARTUP };
        match u32::from_be_bytes(length).checked_sub(4).filter(|length| *length <= most) {
            None if !tagged && tag_of_tls(length) => Err(Surprise::new("TLS from the first byte")),
            None => Err(Surprise::new("a message of impossible length")),
            Some(length) => {
                let header = Header { tag, length };
                (self.current, self.left) = (Some(header), length);
                Ok((n_taken, Some(header)))
            }
        }
    }

    /// So many bytes of the payload have passed. Gives the message if it is whole with them.
    pub(super) fn passed(&mut self, n_bytes: usize) -> Option<Header> {
        self.left = self.left.saturating_sub(u32::try_from(n_bytes).unwrap_or(u32::MAX));
        if self.left == 0 { self.current.take() } else { None }
    }

    /// How many bytes have come of the message whose payload is passing, with what stands before it.
    pub(super) fn n_passed(&self) -> usize {
        self.current.map_or(0, |header| self.header.len() + header.length.saturating_sub(self.left) as usize)
    }

    pub(super) fn is_between(&self) -> bool {
        self.n_header == 0 && self.current.is_none()
    }

    pub(super) fn position(&self) -> Position {
        match self.current {
            Some(_) => Position::Body,
            None if self.n_header > 0 => Position::Head,
            None => Position::Between,
        }
    }
}

/// Is it the beginning of a TLS handshake?
fn tag_of_tls(length: [u8; 4]) -> bool {
    length[0] == 0x16 && length[1] == 3
}

/// The messages of a consumer.
pub(super) fn is_from_consumer(tag: u8) -> bool {
    b"BCDEFHPQSXcdfp".contains(&tag)
}

/// The messages of a provider.
pub(super) fn is_from_provider(tag: u8) -> bool {
    b"123ACDEGHIKNRSTVWZcdnstv".contains(&tag)
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    Value(&'a [u8]),
}

/// Reads the fields of a payload, one after the other; nothing where there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    pub(super) fn bytes(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(n_bytes)?;
        self.rest = rest;
        Some(bytes)
    }

    /// A text that ends with a zero.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.rest)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.bytes(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.bytes(8)?.try_into().ok().map(i64::from_be_bytes)
    }

    /// A value with its length before it.
    pub(super) fn value(&mut self) -> Option<Cell<'a>> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.bytes(length).map(Cell::Value),
            Err(_) => Some(Cell::Null),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
