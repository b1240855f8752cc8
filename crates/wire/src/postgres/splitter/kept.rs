//! What the pieces of a PostgreSQL connection say: read from the bytes of their messages, off the path.

use crate::conversation::{Captured, Parts};
use crate::postgres::reading::{Asked, PostgresExchange, Reply};
use std::ops::Range;

/// A request, or a reply to one.
pub(in crate::postgres) struct Kept {
    asked: Asked,
    /// The messages of the reply; none for a request.
    reply: Option<Vec<u8>>,
    cut: bool,
}

impl Kept {
    /// A request.
    pub(in crate::postgres) fn request(asked: Asked, is_whole: bool) -> Self {
        Self { asked, reply: None, cut: !is_whole }
    }

    /// A reply, of which at most so many bytes are kept.
    pub(in crate::postgres) fn reply(asked: Asked, bytes: &[u8], most: usize, is_whole: bool) -> Self {
        let n_kept = bytes.len().min(most);
        let cut = !is_whole || n_kept < bytes.len();
        Self { asked, reply: Some(bytes[..n_kept].to_vec()), cut }
    }
}

impl Captured for Kept {
    fn size(&self) -> usize {
        self.reply.as_ref().map_or(0, Vec::capacity) + self.asked.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let is_reply = self.reply.is_some();
        let reply = self.reply.map(|bytes| read_messages(&bytes)).unwrap_or_default();
        let rows_left_out = reply.rows_left_out;
        let exchange = Box::new(PostgresExchange { asked: self.asked, reply });
        let mut parts = exchange.read();
        parts.cut |= self.cut || rows_left_out;
        if is_reply { parts } else { Parts { reply: seam_value::Value::Null, ..parts } }
    }
}

/// The result that a reply's messages make; of several statements in one text that of the last.
fn read_messages(bytes: &[u8]) -> Reply {
    let mut reply = Reply::default();
    for (tag, payload) in Messages::new(bytes) {
        let begins = matches!(tag, b'T' | b'D' | b'C' | b'I' | b'H' | b'G');
        if begins && !reply.tag.is_empty() {
            reply = Reply::default();
        }
        match tag {
            b'T' => reply.columns = Some(payload.to_vec()),
            b'D' => {
                reply.n_rows += 1;
                let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                reply.rows.extend_from_slice(&length.to_be_bytes());
                reply.rows.extend_from_slice(payload);
            }
            b'C' => {
                reply.answered = true;
                reply.tag = payload.strip_suffix(b"\0").unwrap_or(payload).to_vec();
            }
            b'I' | b'V' => reply.answered = true,
            b's' => (reply.answered, reply.suspended) = (true, true),
            b'E' => (reply.answered, reply.error) = (true, Some(payload.to_vec())),
            b'd' => {
                reply.copied_out.n_bytes += payload.len() as u64;
                reply.copied_out.first.extend_from_slice(payload);
            }
            _ => {}
        }
    }
    reply
}

/// The messages of some bytes, as letter and payload. A last one that is cut is left out.
#[derive(Clone)]
pub(in crate::postgres) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(in crate::postgres) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([tag, a, b, c, d], rest) = self.rest.split_first_chunk::<5>()?;
        let length = u32::from_be_bytes([*a, *b, *c, *d]).checked_sub(4)?;
        let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some((*tag, payload))
    }
}

/// Where what messages say stands: the values in rows, data that is copied out, the words of an error. Lengths, and how many
/// values there are, are none of it.
pub(in crate::postgres) fn contents(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut messages = Messages::new(bytes);
    while let Some((tag, payload)) = messages.next() {
        let begins = bytes.len() - messages.rest.len() - payload.len();
        match tag {
            b'D' => {
                let mut at = 2;
                while let Some(length) = payload.get(at..).and_then(<[u8]>::first_chunk::<4>) {
                    at += 4;
                    // Null has no length.
                    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
                    let end = at.saturating_add(length).min(payload.len());
                    ranges.push(begins + at..begins + end);
                    at = end;
                }
            }
            b'd' => ranges.push(begins..begins + payload.len()),
            b'E' => {
                let mut at = 0;
                while let Some(end) =
                    payload.get(at..).and_then(|rest| memchr::memchr(0, rest)).filter(|end| *end > 0)
                {
                    if payload[at] == b'M' {
                        ranges.push(begins + at + 1..begins + at + end);
                    }
                    at += end + 1;
                }
            }
            _ => {}
        }
    }
    ranges
}

/// A message.
pub(in crate::postgres) fn message(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 5);
    bytes.push(tag);
    // Nobody says more than 2 GB in an answer: values of that size are refused before.
    let length = u32::try_from(payload.len() + 4).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
