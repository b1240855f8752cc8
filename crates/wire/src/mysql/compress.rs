//! MySQL's compressed form: packets inside of frames, which may be packed.
//!
//! ```text
//! len len len seq, unpacked length (0: it is not packed), packets or parts of them…
//! ```
//! What is written by us is never packed: the receiver takes that, too.

use super::packets::{FULL, Fields};
use crate::conversation::Surprise;
use std::io::Read as _;

/// The frames of both directions, and how they are numbered.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) from_client: Side,
    pub(super) from_server: Side,
    /// Bytes that are still to be written of the packet that goes to the server.
    left: usize,
    /// That packet is a full one, whose payload goes on in the next.
    goes_on: bool,
}

/// What comes from one side.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Bytes of a frame that is not whole.
    raw: Vec<u8>,
    /// The number of the next frame in the talk with this side, whoever sends it.
    next: u8,
}

impl Side {
    /// Takes bytes, and adds what was in the frames that are whole with them. A frame that surprises stays, and all
    /// behind it.
    pub(super) fn unpack(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), Surprise> {
        self.raw.extend_from_slice(bytes);
        let mut begin = 0;
        let mut surprise = None;
        loop {
            let mut fields = Fields(&self.raw[begin..]);
            let (Some(length), Some(seq), Some(unpacked)) = (fields.number(3), fields.u8(), fields.number(3))
            else {
                break;
            };
            let (length, unpacked) = (as_length(length), as_length(unpacked));
            let Some(packed) = fields.take(length) else { break };
            if unpacked == 0 {
                plain.extend_from_slice(packed);
            } else {
                let before = plain.len();
                let mut reader = flate2::read::ZlibDecoder::new(packed).take(unpacked as u64);
                let n_read = reader.read_to_end(plain);
                if n_read.is_err() || plain.len() - before != unpacked {
                    plain.truncate(before);
                    surprise = Some(Surprise::new("a frame that can't be unpacked"));
                    break;
                }
            }
            self.next = seq.wrapping_add(1);
            begin += 7 + length;
        }
        self.raw.drain(..begin);
        surprise.map_or(Ok(()), Err)
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for part in bytes.chunks(FULL) {
            let length = u32::try_from(part.len()).unwrap_or(0).to_le_bytes();
            out.extend_from_slice(&length[..3]);
            out.push(self.next);
            out.extend_from_slice(&[0, 0, 0]);
            out.extend_from_slice(part);
            self.next = self.next.wrapping_add(1);
        }
    }

    pub(super) fn is_within(&self) -> bool {
        !self.raw.is_empty()
    }

    /// What was not unpacked.
    pub(super) fn take_raw(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw)
    }
}

fn as_length(number: u64) -> usize {
    usize::try_from(number).unwrap_or(FULL)
}

impl Frames {
    /// Packets for the client as frames.
    pub(super) fn for_client(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.from_client.put(bytes, &mut out);
        out
    }

    /// Packets for the server as frames: a command begins to count anew.
    pub(super) fn for_server(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = bytes;
        let mut begin = 0;
        while !rest.is_empty() {
            if self.left == 0 {
                let mut fields = Fields(rest);
                let length = as_length(fields.number(3).unwrap_or_default());
                // Clients of MariaDB number the rest of a large command with nought, too.
                let begins = fields.u8() == Some(0) && !self.goes_on;
                self.goes_on = length == FULL;
                if begins {
                    let at = bytes.len() - rest.len();
                    self.from_server.put(&bytes[begin..at], &mut out);
                    begin = at;
                    self.from_server.next = 0;
                }
                self.left = length + 4;
            }
            let n_now = self.left.min(rest.len());
            rest = &rest[n_now..];
            self.left -= n_now;
        }
        self.from_server.put(&bytes[begin..], &mut out);
        out
    }
}
