//! One half of a call, the request or the reply: what is kept of it, and how far it has been told.

use super::frame::MAX_FRAME;
use super::hpack::Headers;
use crate::conversation::{Direction, Limits};
use crate::http::events::Events;
use crate::kept::Room;
use crate::splitter::{Call, Rest};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of a request or reply. It may be told before all of it has come, and is then added to.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) headers: Headers,
    /// The first bytes of the body.
    pub(crate) body: Vec<u8>,
    /// All of the body's bytes, kept or not.
    pub(crate) length: u64,
    pub(crate) trailers: Option<Headers>,
}

/// What is kept, as it is shared with who reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<Kept>>);

impl Shared {
    pub(super) fn new(kept: Kept) -> Self {
        Self(Arc::new(Mutex::new(kept)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// About how many bytes of memory it holds.
    pub(crate) fn size(&self) -> usize {
        let kept = self.lock();
        kept.headers.size() + kept.body.capacity() + kept.trailers.as_ref().map_or(0, Headers::size)
    }
}

/// How far a half has been told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Not yet: it is gathered.
    Nothing,
    /// Its beginning, and the rest passes as it comes.
    Begun,
    /// Its beginning, and the rest is told message by message.
    Streams(Cutter),
}

/// How a body is cut into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cutter {
    /// Server-sent events, each ended by an empty line. `skips` says that the one that is passing is too long to be
    /// told, and its beginning has passed.
    Events { events: Events, skips: bool },
    /// gRPC's messages, each with its length before it. So many bytes belong to one that is too long to be told.
    Messages { n_skipped: usize },
    /// The same, where the first message is part of what was told before.
    MessagesBehindOne,
}

/// The flag and the length before each message of gRPC.
pub(crate) const MESSAGE_HEAD: usize = 5;

/// How many bytes the first message of gRPC has, with its head.
pub(crate) fn message_length(bytes: &[u8]) -> Option<usize> {
    let [_, a, b, c, d] = *bytes.first_chunk::<MESSAGE_HEAD>()?;
    Some(MESSAGE_HEAD + u32::from_be_bytes([a, b, c, d]) as usize)
}

impl Cutter {
    pub(crate) fn events() -> Self {
        Self::Events { events: Events::default(), skips: false }
    }

    pub(super) fn messages() -> Self {
        Self::Messages { n_skipped: 0 }
    }

    /// Has a message passed in part that is too long to be told?
    pub(crate) fn is_within(&self) -> bool {
        match self {
            Self::Events { skips, .. } => *skips,
            Self::Messages { n_skipped } => *n_skipped > 0,
            Self::MessagesBehindOne => false,
        }
    }

    /// How many of the pending bytes pass now, and whether they are a message. At most so many are kept for one.
    pub(crate) fn next(&mut self, pending: &[u8], most: usize) -> Option<(usize, bool)> {
        match self {
            Self::Events { events, skips } => match events.next(pending) {
                Some((n_bytes, says_something)) => {
                    Some((n_bytes, says_something && !std::mem::take(skips) && n_bytes <= most))
                }
                None if pending.len() > most => {
                    (*events, *skips) = (Events::default(), true);
                    Some((pending.len(), false))
                }
                None => None,
            },
            Self::Messages { n_skipped: 0 } => {
                let length = message_length(pending)?;
                if length > most.saturating_add(MESSAGE_HEAD) {
                    *self = Self::Messages { n_skipped: length };
                    return self.next(pending, most);
                }
                (pending.len() >= length).then_some((length, true))
            }
            Self::Messages { .. } if pending.is_empty() => None,
            Self::MessagesBehindOne => {
                *self = Self::Messages { n_skipped: message_length(pending)? };
                self.next(pending, most)
            }
            Self::Messages { n_skipped } => {
                let n_now = pending.len().min(*n_skipped).min(MAX_FRAME);
                *n_skipped -= n_now;
                Some((n_now, false))
            }
        }
    }
}

/// One half.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened to the half")]
pub(super) struct Half {
    pub(super) kept: Shared,
    pub(super) has_begun: bool,
    pub(super) has_ended: bool,
    pub(super) told: Told,
    /// What has come after the half was told, and has not come out yet.
    pub(super) pending: Vec<u8>,
    /// So many bytes of that have passed already, before the connection was held.
    pub(super) n_gone: usize,
    /// The message that comes next, or is passing, began before that: it only passes.
    pub(super) skips: bool,
    /// What its sender has used up of the stream's window: what came, without what it was given since.
    pub(super) used: i64,
    /// Its last bytes have come out.
    pub(super) is_finished: bool,
    /// What is to become of its rest, where somebody has said so.
    pub(super) rest: Option<Rest>,
    /// Credit that its sender gets when less is waiting.
    pub(super) owed: u32,
    /// What it takes of the connection's room.
    n_room: usize,
}

impl Half {
    pub(super) fn new() -> Self {
        Self {
            kept: Shared::default(),
            has_begun: false,
            has_ended: false,
            told: Told::Nothing,
            pending: Vec::new(),
            n_gone: 0,
            skips: false,
            used: 0,
            is_finished: false,
            rest: None,
            owed: 0,
            n_room: 0,
        }
    }

    pub(super) fn is_told(&self) -> bool {
        self.told != Told::Nothing
    }

    /// Keeps headers; false where there is no room for them.
    pub(super) fn keep_headers(&mut self, headers: Headers, room: &mut Room) -> bool {
        let n_bytes = headers.size();
        if !room.take(n_bytes) {
            return false;
        }
        self.n_room += n_bytes;
        let mut kept = self.kept.lock();
        if self.has_begun {
            kept.trailers = Some(headers);
        } else {
            kept.headers = headers;
        }
        drop(kept);
        self.has_begun = true;
        true
    }

    /// Keeps what is kept of some bytes of the body; gives how many.
    pub(super) fn keep_body(&mut self, bytes: &[u8], limits: Limits, room: &mut Room) -> usize {
        let mut kept = self.kept.lock();
        // What is kept is a beginning without holes.
        let is_whole = kept.length == kept.body.len() as u64;
        let n_kept = if is_whole { room.keep_body(&mut kept.body, bytes, limits.kept_body) } else { 0 };
        kept.length += bytes.len() as u64;
        self.n_room += n_kept;
        n_kept
    }

    /// Has a message of it passed in part?
    pub(super) fn is_within(&self) -> bool {
        self.n_gone > 0 || matches!(&self.told, Told::Streams(cutter) if cutter.is_within())
    }

    /// What is pending of what has not passed.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        let n_gone = std::mem::take(&mut self.n_gone);
        let mut pending = std::mem::take(&mut self.pending);
        pending.drain(..n_gone.min(pending.len()));
        pending
    }

    /// The half is over: what it took is free again.
    pub(super) fn give_back(&mut self, room: &mut Room) {
        room.give_back(std::mem::take(&mut self.n_room));
    }
}

/// One call.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) call: Call,
    pub(super) request: Half,
    pub(super) reply: Half,
    /// What the method's description says of streaming, where there is one.
    pub(super) streams: Streams,
}

/// Which halves of a call are streams of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) request: Option<bool>,
    pub(crate) reply: Option<bool>,
}

impl Stream {
    pub(super) fn new(call: Call) -> Self {
        Self { call, request: Half::new(), reply: Half::new(), streams: Streams::default() }
    }

    /// May the reply have a body?
    pub(super) fn has_body(&self) -> bool {
        self.request.kept.lock().headers.get(":method") != Some(b"HEAD")
    }

    /// The path that was asked for.
    pub(super) fn path(&self) -> String {
        self.request.kept.lock().headers.text(":path").unwrap_or_default().to_owned()
    }

    /// What goes in this direction.
    pub(super) fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToProvider => &mut self.request,
            Direction::ToConsumer => &mut self.reply,
        }
    }

    /// The same, to be looked at.
    pub(super) fn half_of(&self, direction: Direction) -> &Half {
        match direction {
            Direction::ToProvider => &self.request,
            Direction::ToConsumer => &self.reply,
        }
    }
}
