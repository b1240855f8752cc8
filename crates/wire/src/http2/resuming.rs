//! Calls that are under way when their connection comes to be held: what has passed of them stays gone, and what still
//! comes is told as of any other.
//!
//! ```text
//! watched  headers ─ message ─ message ─ mess│
//! held                                       │age ─ message ─ message …
//!                                   only passes     each is told
//! ```

use super::flavor::Flavor;
use super::half::{Cutter, Half, Kept, Shared, Stream, Told, message_length};
use crate::conversation::Direction;
use crate::splitter::{Of, Piece};

impl Flavor {
    /// A call of a connection that was only watched, for one that is held; and how it is told.
    pub(super) fn resumed(&self, stream: &Stream) -> (Stream, Piece) {
        let read = (!stream.reply.has_begun).then(|| self.request(stream.request.kept.clone()));
        let awaited = !matches!(stream.reply.told, Told::Streams(_)) && !stream.reply.has_ended;
        let of = Of::UnderWay { call: stream.call, whole: stream.request.has_ended, awaited, read };
        let resumed = Stream {
            call: stream.call,
            request: self.resumed_half(Direction::ToProvider, stream),
            reply: self.resumed_half(Direction::ToConsumer, stream),
            streams: stream.streams,
        };
        (resumed, Piece { to: Direction::ToProvider, bytes: Vec::new(), of })
    }

    fn resumed_half(&self, direction: Direction, stream: &Stream) -> Half {
        let watched = stream.half_of(direction);
        let mut half = Half::new();
        half.used = watched.used;
        if !watched.has_begun {
            return half;
        }
        (half.has_begun, half.has_ended, half.is_finished) = (true, watched.has_ended, watched.has_ended);
        (half.told, half.pending) = match watched.told {
            Told::Streams(cutter) => (Told::Streams(cutter), watched.pending.clone()),
            Told::Begun | Told::Nothing if self.may_stream(direction, stream) => {
                // The first message belongs to the beginning, unless it is known that there are several.
                half.skips = watched.kept.lock().length == 0;
                messages_from(&watched.kept)
            }
            Told::Begun | Told::Nothing => (Told::Begun, Vec::new()),
        };
        half.n_gone = half.pending.len();
        half.skips |= half.n_gone > 0;
        let kept = watched.kept.lock();
        // Nobody is told any more of the body that has passed.
        let kept = Kept { headers: kept.headers.clone(), length: kept.length, ..Kept::default() };
        half.kept = Shared::new(kept);
        half
    }
}

/// How the messages of gRPC are cut from here on, and the beginning of the one that is passing.
fn messages_from(kept: &Shared) -> (Told, Vec<u8>) {
    let kept = kept.lock();
    let mut rest = kept.body.as_slice();
    if kept.length == kept.body.len() as u64 {
        while let Some(later) = message_length(rest).and_then(|length| rest.get(length..)) {
            rest = later;
        }
        return (Told::Streams(Cutter::messages()), rest.to_vec());
    }
    // More has passed than is kept: of a single long message it is known where it ends.
    let n_left = message_length(rest).and_then(|length| (length as u64).checked_sub(kept.length));
    match n_left.and_then(|n_left| usize::try_from(n_left).ok()) {
        Some(n_skipped) => (Told::Streams(Cutter::Messages { n_skipped }), Vec::new()),
        None => (Told::Begun, Vec::new()),
    }
}
