//! One direction of an HTTP/2 connection as it is read: frames, and the headers that several of them make.
//!
//! What came is kept as it came until it is understood, so that a surprise loses none of it.

use super::frame::{self, Frames, Head};
use super::hpack::Decoder;
use crate::conversation::Surprise;

/// One direction.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) frames: Frames,
    pub(super) decoder: Decoder,
    /// A header block that isn't whole yet.
    block: Option<Block>,
    /// Its frames as they came, or the one that is being read.
    pub(super) raw: Vec<u8>,
    /// The bytes that surprised, and all behind them.
    pub(super) surprised: Vec<u8>,
}

/// Headers, as they are packed.
#[derive(Clone)]
pub(super) struct Block {
    /// Of the frame that they began in.
    pub(super) head: Head,
    /// The stream that they promise.
    pub(super) promised: Option<u32>,
    pub(super) bytes: Vec<u8>,
}

impl Lane {
    pub(super) fn new(n_preface: usize) -> Self {
        Self {
            frames: Frames::new(n_preface),
            decoder: Decoder::default(),
            block: None,
            raw: Vec::new(),
            surprised: Vec::new(),
        }
    }

    pub(super) fn is_within(&self) -> bool {
        !self.frames.is_between() || self.block.is_some()
    }

    pub(super) fn keeps_nothing(&self) -> bool {
        !self.is_within() && self.raw.is_empty() && self.surprised.is_empty()
    }

    pub(super) fn is_in_headers(&self) -> bool {
        self.block.is_some()
    }

    /// Nothing may come between the frames of a header block (RFC 9113, 6.10).
    pub(super) fn between_headers(&self) -> Result<(), Surprise> {
        match self.block {
            None => Ok(()),
            Some(_) => Err(Surprise::new("a frame in the middle of headers")),
        }
    }

    /// So many bytes are missing of the frame that is passing, or of the head of a further one that has to follow.
    pub(super) fn n_to_boundary(&self) -> usize {
        self.frames.n_to_boundary(self.block.is_some())
    }

    /// Was the frame one of a header block? Then it is kept.
    pub(super) fn takes_headers(
        &mut self,
        head: Head,
        payload: &[u8],
        max_block: usize,
    ) -> Result<bool, Surprise> {
        if let Some(block) = &mut self.block {
            if head.kind != frame::CONTINUATION || head.stream != block.head.stream {
                return Err(Surprise::new("a frame in the middle of headers"));
            }
            block.bytes.extend_from_slice(payload);
            if block.bytes.len() > max_block {
                return Err(Surprise::new("headers that are too long"));
            }
            return Ok(true);
        }
        let (promised, bytes) = match head.kind {
            frame::HEADERS => (None, frame::block_of(head, payload)?),
            frame::PUSH_PROMISE => {
                let block = frame::block_of(head, payload)?;
                let number = frame::number(block).ok_or_else(|| Surprise::new("a promise of nothing"))?;
                (Some(number), &block[4..])
            }
            frame::CONTINUATION => return Err(Surprise::new("more of headers that never began")),
            _ => return Ok(false),
        };
        self.block = Some(Block { head, promised, bytes: bytes.to_vec() });
        Ok(true)
    }

    /// The header block, if it ends with this frame.
    pub(super) fn take_block(&mut self, head: Head) -> Option<Block> {
        head.has(frame::END_HEADERS).then(|| self.block.take()).flatten()
    }
}
