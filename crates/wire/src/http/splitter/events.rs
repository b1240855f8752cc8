//! A reply that is a stream of events: each is told by itself, and framed by itself.

use super::{HttpSplitter, Side};
use crate::conversation::Direction;
use crate::http::answer::{self, Open};
use crate::http::framing::Framing;
use crate::http::reading::EventRead;
use crate::http2::Cutter;
use crate::splitter::{Of, Piece};

/// A reply that is a stream of events.
#[derive(Clone, Copy)]
pub(super) struct EventStream {
    cutter: Cutter,
    open: Open,
    /// So many bytes of what is pending have passed already.
    n_gone: usize,
}

impl EventStream {
    pub(super) fn new(framing: Framing) -> Self {
        Self::resumed(framing, Cutter::events(), 0)
    }

    pub(super) fn resumed(framing: Framing, cutter: Cutter, n_gone: usize) -> Self {
        let open = if framing == Framing::Chunked { Open::Chunked } else { Open::UntilClose };
        Self { cutter, open, n_gone }
    }

    /// Has an event passed in part?
    pub(super) fn is_within(&self) -> bool {
        self.n_gone > 0 || self.cutter.is_within()
    }

    /// What of some bytes has not passed.
    pub(super) fn not_gone<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let n_gone = self.n_gone.min(bytes.len());
        self.n_gone -= n_gone;
        &bytes[n_gone..]
    }

    /// Bytes of the body as they are sent.
    pub(super) fn framed(self, bytes: &[u8]) -> Vec<u8> {
        answer::framed(bytes, Some(self.open))
    }
}

impl Side {
    /// What of a stream has come and is no whole event, framed as the bytes behind it will be.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        let (Some(events), Some(passing)) = (&mut self.events, self.message.passing.take()) else {
            return Vec::new();
        };
        let mut passing = events.not_gone(&passing);
        if passing.is_empty() && self.raw.is_empty() && self.stream.is_before_chunk_end() {
            // All that the chunk says is gone, framed by itself. Its end still comes, and needs one that it can end: an
            // empty line between events says nothing to anybody.
            passing = b"\n";
        }
        match events.open {
            Open::Chunked => self.stream.framed_so_far(passing, self.message.trailers()),
            Open::UntilClose => passing.to_vec(),
        }
    }
}

impl HttpSplitter {
    /// Tells the events that are whole by now.
    pub(super) fn tell_events(&mut self, whole: bool, out: &mut Vec<Piece>) {
        let (side, to) = (&mut self.replies, Direction::ToConsumer);
        let trailers = if whole { side.message.trailers().to_vec() } else { Vec::new() };
        let (Some(front), Some(stream), Some(passing)) =
            (self.awaited.front(), &mut side.events, &mut side.message.passing)
        else {
            return;
        };
        // What is written is framed anew.
        side.raw.clear();
        let call = front.call;
        let mut begin = 0;
        while let Some((mut n_bytes, is_event)) = stream.cutter.next(&passing[begin..], self.limits.kept_body)
        {
            if stream.cutter.is_within() && side.stream.is_before_chunk_end() {
                // What is left must have a chunk that can end.
                n_bytes -= 1;
            }
            let all = &passing[begin..begin + n_bytes];
            let event = stream.not_gone(all).to_vec();
            begin += n_bytes;
            if n_bytes == 0 {
                break;
            }
            if event.is_empty() {
                continue;
            }
            // Of what has passed in part the rest only passes.
            let is_event = is_event && event.len() == n_bytes;
            let bytes = stream.framed(&event);
            let of = if is_event {
                let read = Box::new(EventRead { path: front.path(), event });
                Of::Message { call: Some(call), read }
            } else {
                Of::More { call, whole: false }
            };
            out.push(Piece { to, bytes, of });
        }
        passing.drain(..begin);
        if whole {
            let rest = stream.not_gone(passing);
            let mut bytes = stream.framed(rest);
            if stream.open == Open::Chunked {
                bytes.extend_from_slice(b"0\r\n");
                bytes.extend_from_slice(if trailers.is_empty() { b"\r\n" } else { &trailers });
            }
            out.push(Piece { to, bytes, of: Of::More { call, whole: true } });
        }
        let open = stream.open;
        self.frames_events(call, open);
    }
}

/// What is in one chunk.
pub(super) fn unchunked(chunk: &[u8]) -> &[u8] {
    let begins = memchr::memchr(b'\n', chunk).map_or(0, |end| end + 1);
    chunk[begins..].strip_suffix(b"\r\n").unwrap_or(&chunk[begins..])
}
