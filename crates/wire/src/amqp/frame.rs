//! AMQP's frames: kind, channel, length, payload, and an octet that ends each.

use super::value::put_long_text;
use crate::conversation::Surprise;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// Bytes before a payload, and with its end.
pub(super) const HEAD: usize = 7;
pub(super) const AROUND: usize = HEAD + 1;

const END: u8 = 0xCE;

/// How a connection begins.
pub(super) const PROTOCOL: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// The frame that every heartbeat is.
pub(super) const BEAT: &[u8] = &[HEARTBEAT, 0, 0, 0, 0, 0, 0, END];

/// What stands before a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) channel: u16,
    /// Of the payload.
    pub(super) length: usize,
}

impl Head {
    /// None where there is not enough yet.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let [kind, high, low, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        Some(Self { kind, channel: u16::from_be_bytes([high, low]), length })
    }

    /// The whole frame's length.
    pub(super) fn whole(self) -> usize {
        self.length.saturating_add(AROUND)
    }
}

/// The first frame and what comes behind it; none where it is not whole.
pub(super) fn first(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let head = Head::read(bytes)?;
    Some((head, bytes.get(..head.whole())?))
}

/// The payload of a whole frame, if it ends as it must.
pub(super) fn payload(frame: &[u8]) -> Result<&[u8], Surprise> {
    match frame {
        [head @ .., END] if head.len() >= HEAD => Ok(&head[HEAD..]),
        _ => Err(Surprise::new("a frame that doesn't end where it says")),
    }
}

/// The number of the method in a payload.
pub(super) fn method_id(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|id| u32::from_be_bytes(*id))
}

/// Writes a frame.
pub(super) fn put(kind: u8, channel: u16, payload: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    put_long_text(payload, out);
    out.push(END);
}

/// Writes a method with its arguments, which are written already.
pub(super) fn put_method(channel: u16, id: u32, arguments: &[u8], out: &mut Vec<u8>) {
    let payload = [&id.to_be_bytes()[..], arguments].concat();
    put(METHOD, channel, &payload, out);
}

/// A method with its arguments, which are written already.
pub(super) fn method(channel: u16, id: u32, arguments: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(AROUND + 4 + arguments.len());
    put_method(channel, id, arguments, &mut out);
    out
}

/// Writes a content: its header, and its body in frames of at most so many bytes.
pub(super) fn put_content(channel: u16, properties: &[u8], body: &[u8], most: usize, out: &mut Vec<u8>) {
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let head = [&[0, 60, 0, 0][..], &length.to_be_bytes(), properties].concat();
    put(HEADER, channel, &head, out);
    for part in body.chunks(most.saturating_sub(AROUND).max(1)) {
        put(BODY, channel, part, out);
    }
}
