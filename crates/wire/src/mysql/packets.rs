//! MySQL's packets and the fields in them: three bytes of length, a number, and the payload.
//!
//! ```text
//! len len len seq payload…          a payload of 0xffffff bytes goes on in the next packet
//! ```

use crate::pending::Pending;

/// A payload of this length goes on in the next packet.
pub(super) const FULL: usize = 0xff_ffff;

/// Up to this length a packet is looked at only once it is there.
const SMALL: usize = 64 * 1024;

/// What a client and a server can do, as far as it changes what is sent. Those of MariaDB stand 32 bits higher.
pub(super) mod can {
    pub(in crate::mysql) const CONNECT_WITH_DB: u64 = 1 << 3;
    pub(in crate::mysql) const COMPRESS: u64 = 1 << 5;
    pub(in crate::mysql) const PROTOCOL_41: u64 = 1 << 9;
    pub(in crate::mysql) const SSL: u64 = 1 << 11;
    pub(in crate::mysql) const PLUGIN_AUTH: u64 = 1 << 19;
    pub(in crate::mysql) const AUTH_WITH_LENGTH: u64 = 1 << 21;
    pub(in crate::mysql) const DEPRECATE_EOF: u64 = 1 << 24;
    pub(in crate::mysql) const OPTIONAL_METADATA: u64 = 1 << 25;
    pub(in crate::mysql) const ZSTD: u64 = 1 << 26;
    pub(in crate::mysql) const QUERY_ATTRIBUTES: u64 = 1 << 27;
    pub(in crate::mysql) const PROGRESS: u64 = 1 << 32;
    pub(in crate::mysql) const EXTENDED_METADATA: u64 = 1 << 35;
    pub(in crate::mysql) const CACHE_METADATA: u64 = 1 << 36;
}

/// The server's status, as far as it is looked at.
pub(super) mod status {
    pub(in crate::mysql) const AUTOCOMMIT: u16 = 2;
    pub(in crate::mysql) const IN_TRANSACTION: u16 = 1;
    pub(in crate::mysql) const MORE_RESULTS: u16 = 8;
    pub(in crate::mysql) const CURSOR: u16 = 0x40;
}

/// One value of a row in texts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    Value(&'a [u8]),
}

/// Reads one field after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes, at most eight.
    pub(super) fn number(&mut self, n_bytes: usize) -> Option<u64> {
        Some(self.take(n_bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number(2)?).ok()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number(4)?).ok()
    }

    /// A number that says its own length.
    pub(super) fn length(&mut self) -> Option<u64> {
        match self.u8()? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            0xfb | 0xff => None,
            small => Some(u64::from(small)),
        }
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// Bytes with their length before them, or the mark of null.
    pub(super) fn cell(&mut self) -> Option<Cell<'a>> {
        if self.0.first() == Some(&0xfb) {
            self.take(1)?;
            return Some(Cell::Null);
        }
        self.bytes().map(Cell::Value)
    }

    /// Bytes up to a zero, which is passed over.
    pub(super) fn until_zero(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }
}

/// Writes a number that says its own length.
pub fn put_length(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_le_bytes();
    match number {
        0..0xfb => out.push(bytes[0]),
        0xfb..0x1_0000 => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..0x100_0000 => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Writes bytes with their length before them.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a payload as packets, and numbers them from `seq` on.
pub(super) fn put_packet(out: &mut Vec<u8>, seq: &mut u8, payload: &[u8]) {
    let mut rest = payload;
    loop {
        let (now, later) = rest.split_at(rest.len().min(FULL));
        let length = u32::try_from(now.len()).unwrap_or(0).to_le_bytes();
        out.extend_from_slice(&length[..3]);
        out.push(*seq);
        out.extend_from_slice(now);
        *seq = seq.wrapping_add(1);
        rest = later;
        if now.len() < FULL {
            return;
        }
    }
}

/// What is known of a payload once all of it has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// Its first byte; 0 where it is empty.
    pub(super) first: u8,
    /// How long it is in all.
    pub(super) length: usize,
    /// All of it, where it is small; otherwise nothing.
    pub(super) payload: &'a [u8],
}

/// What came of a direction's packets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came {
    /// Nothing more can be said before more bytes come.
    Nothing,
    /// More of a large payload.
    Some,
    /// A payload has ended: all but its bytes, and whether it is small.
    Packet { first_seq: u8, seq: u8, first: u8, length: usize, is_small: bool },
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) pending: Pending,
    /// Bytes that are to come of the packet that is passing.
    left: usize,
    /// The payload that is passing, where it is a large one.
    large: Option<Large>,
}

#[derive(Clone, Copy, Debug)]
struct Large {
    first_seq: u8,
    seq: u8,
    first: u8,
    length: usize,
    /// Does it go on in another packet?
    goes_on: bool,
}

impl Lane {
    /// Looks at the bytes up to the end of a payload, or as far as they go.
    pub(super) fn next(&mut self) -> Came {
        let unseen = self.pending.unseen();
        if self.left > 0 {
            let n_now = self.left.min(unseen.len());
            if n_now == 0 {
                return Came::Nothing;
            }
            self.pending.see(n_now);
            self.left -= n_now;
            return self.look_whether_it_ended();
        }
        let Some(([a, b, c, seq], rest)) = unseen.split_first_chunk::<4>() else { return Came::Nothing };
        let (length, seq) = (usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16, *seq);
        if let Some(large) = &mut self.large {
            large.seq = seq;
            large.length = large.length.saturating_add(length);
            large.goes_on = length == FULL;
            self.pending.see(4);
            self.left = length;
            return self.look_whether_it_ended();
        }
        let first = rest.first().copied();
        if length <= SMALL {
            if rest.len() < length {
                return Came::Nothing;
            }
            self.pending.see(4 + length);
            let first = if length == 0 { 0 } else { first.unwrap_or_default() };
            return Came::Packet { first_seq: seq, seq, first, length, is_small: true };
        }
        let Some(first) = first else { return Came::Nothing };
        self.pending.see(5);
        self.left = length - 1;
        self.large = Some(Large { first_seq: seq, seq, first, length, goes_on: length == FULL });
        Came::Some
    }

    fn look_whether_it_ended(&mut self) -> Came {
        match self.large {
            Some(Large { first_seq, seq, first, length, goes_on: false }) if self.left == 0 => {
                self.large = None;
                Came::Packet { first_seq, seq, first, length, is_small: false }
            }
            _ => Came::Some,
        }
    }

    /// The payload that just has ended.
    pub(super) fn packet(&self, first: u8, length: usize, is_small: bool) -> Packet<'_> {
        let seen = self.pending.seen();
        let payload = if is_small { &seen[seen.len().saturating_sub(length)..] } else { &[] };
        Packet { first, length, payload }
    }

    /// The first byte of the large payload that is passing.
    pub(super) fn passing(&self) -> Option<u8> {
        self.large.map(|large| large.first)
    }

    pub(super) fn is_within(&self) -> bool {
        self.left > 0
            || self.large.is_some()
            || !self.pending.seen().is_empty()
            || !self.pending.unseen().is_empty()
    }
}

/// The payloads in kept bytes, put together again; the last one may be cut off.
pub(super) struct Payloads<'a>(pub(super) &'a [u8]);

/// One payload.
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    pub(super) is_whole: bool,
}

impl Iterator for Payloads<'_> {
    type Item = Payload;

    fn next(&mut self) -> Option<Payload> {
        let mut bytes = Vec::new();
        let mut has_begun = false;
        loop {
            let mut fields = Fields(self.0);
            let Some(length) = fields.number(3).zip(fields.u8()).map(|(length, _)| length) else {
                self.0 = &[];
                return has_begun.then_some(Payload { bytes, is_whole: false });
            };
            has_begun = true;
            let length = usize::try_from(length).unwrap_or(FULL);
            let n_there = length.min(fields.0.len());
            bytes.extend_from_slice(&fields.0[..n_there]);
            self.0 = &fields.0[n_there..];
            if n_there < length {
                return Some(Payload { bytes, is_whole: false });
            }
            if length < FULL {
                return Some(Payload { bytes, is_whole: true });
            }
        }
    }
}
