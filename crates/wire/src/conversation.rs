//! What passes one connection, as it passes: bytes in, finished exchanges out.
//!
//! The proxy writes a chunk first and then shows it here, on its own thread, so looking must cost next to
//! nothing: a [`Conversation`] only frames (where does a message begin and end) and copies what is kept. What
//! is expensive, such as JSON, gzip, rows and MIME, waits in a [`Captured`] for an observer's thread.
//!
//! ```text
//! proxy's thread                                         observer's thread
//! chunk ─▶ written ─▶ feed ─▶ framing, kept bytes ─▶ Exchange ─▶ Captured::read ─▶ request, reply, message
//! ```

use crate::splitter::{Call, Splitter, Splitting};
use seam_event::InteractionError;
use seam_value::Value;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Where bytes are going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the consumer, who opened the connection.
    ToProvider,
    /// From the provider, who was asked.
    ToConsumer,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::ToProvider => Self::ToConsumer,
            Self::ToConsumer => Self::ToProvider,
        }
    }
}

/// How a direction came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its sender has closed it in order; the other direction may go on.
    Fin,
    /// The provider has closed it, and has not said over TLS that it has said everything (RFC 8446, 6.1). Many never do; but
    /// of what only the end completes a part may be missing.
    CutOff,
    /// Its sender has reset the connection; both directions are over.
    Reset,
    /// Neither side did anything: the seam itself is taken down. What is open stays without an end.
    Stopped,
}

/// How much is kept of what passes. Nothing here bounds what may pass, only what is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes kept of one body (or of one SQL result, one Redis value); more marks the exchange as cut.
    pub kept_body: usize,
    /// Bytes that one head may have (an HTTP head, a line of SMTP); more is a surprise.
    pub head: usize,
    /// Bytes kept at any time by one connection for exchanges that are not finished.
    pub kept_open: usize,
    /// Exchanges that one connection may have open at once (pipelining); more is a surprise.
    pub n_open: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { kept_body: 1024 * 1024, head: 64 * 1024, kept_open: 8 * 1024 * 1024, n_open: 256 * 1024 }
    }
}

/// The bytes are not what the protocol allows, or not what we know of it. The seam goes on as plain bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Surprise {
    /// What surprised, in the protocol's words: `a reply without a status line`.
    pub reason: Cow<'static, str>,
}

impl Surprise {
    /// A surprise with its reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Why nothing more comes for what is open. `gave_up` says that the consumer had asked all that it wanted, and then
/// closed its direction.
pub(crate) fn why_unfinished(how: End, gave_up: bool) -> Option<InteractionError> {
    match how {
        End::Stopped => None,
        End::Reset => Some(InteractionError::Reset),
        // The asking side went away before the reply had come: its patience was at an end.
        End::Fin | End::CutOff if gave_up => Some(InteractionError::Timeout),
        End::Fin | End::CutOff => Some(InteractionError::Closed),
    }
}

/// Where one direction stands in its stream of messages: what a rule that holds messages asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The next byte begins a message.
    Between,
    /// Inside a message of which it is not yet known what it is.
    Head,
    /// Inside a message whose head (kind, length, status) is known.
    Body,
    /// What comes is no longer looked at (after CONNECT or an upgrade).
    Unseen,
}

/// One connection of one seam. Made by [`Protocol::begin`](crate::Protocol::begin).
///
/// After a [`Surprise`] nothing more is fed; [`end`](Self::end) is still called, so that what was open is told.
/// No bytes in any chunking may make it panic, and its memory stays within [`Limits`].
pub trait Conversation: Send {
    /// Looks at the next bytes of a direction, up to the next boundary ([`Position`]) at most, and says how
    /// many it took: at least one where there was one. `at` is the time since the run began. Exchanges that
    /// are finished with these bytes are pushed to `out`.
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise>;

    /// Looks at all of the bytes, which have passed in this direction.
    fn feed(
        &mut self,
        direction: Direction,
        mut bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<(), Surprise> {
        while !bytes.is_empty() {
            let n_taken = self.step(direction, bytes, at, out)?;
            bytes = bytes.get(n_taken.max(1)..).unwrap_or_default();
        }
        Ok(())
    }

    /// A direction came to its end. Called at most once for each direction; a reset ends both.
    fn end(&mut self, direction: Direction, how: End, at: Duration, out: &mut Vec<Exchange>);

    /// How many calls are open: a request begun, its reply not ended. A consumer that waits (a blocking pop, a
    /// subscription, a stream of events) is not a call.
    fn n_open(&self) -> usize;

    /// What is open, as far as it has come: without an end, and without an error. It stays open, and what it is told as
    /// at its end has the same beginning and is the same call.
    fn unfinished(&self) -> Vec<Exchange> {
        Vec::new()
    }

    /// The calls of [`unfinished`](Self::unfinished) whose consumers wait for an answer: those that
    /// [`n_open`](Self::n_open) counts.
    fn calls(&self) -> Vec<Exchange> {
        self.unfinished()
    }

    /// The server's own number for the session, by which it tells of it: PostgreSQL's process.
    fn session(&self) -> Option<u32> {
        None
    }

    /// Where a direction stands.
    fn position(&self, direction: Direction) -> Position;

    /// How many coming bytes of this direction nobody needs to look at, because they are the rest of a body
    /// beyond what is kept: they may pass by [`pass`](Self::pass) instead of [`feed`](Self::feed).
    /// `u64::MAX` means: all until the direction ends.
    fn passable(&self, direction: Direction) -> u64;

    /// So many bytes have passed unseen, at most [`passable`](Self::passable).
    fn pass(&mut self, direction: Direction, n_bytes: u64, at: Duration, out: &mut Vec<Exchange>);

    /// May the connection be cut by a splitter from here on, as far as this direction goes? Between messages, and for
    /// replies between calls, where the protocol can't be cut in the middle of them.
    fn may_split(&self, direction: Direction) -> bool {
        let is_between = self.position(direction) == Position::Between;
        match direction {
            Direction::ToProvider => is_between,
            Direction::ToConsumer => is_between && self.n_open() == 0,
        }
    }

    /// With so many more bytes of this direction it may surely be, or comes nearer to it. None where that isn't known.
    fn n_to_split(&self, direction: Direction) -> Option<usize> {
        let _ = direction;
        None
    }

    /// A splitter that begins where this conversation stands; asked only where both directions
    /// [may be split](Self::may_split). `None` where the protocol, or this connection from here on, has only bytes.
    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        let _ = splitting;
        None
    }

    /// Does the connection hold a transaction open? `None` where the protocol has none.
    fn holds_transaction(&self) -> Option<bool> {
        None
    }
}

/// One finished exchange: one request with its reply, or one message, not yet read.
pub struct Exchange {
    /// Which call of its connection it is, where calls may end in another order than they began in: what was told while it
    /// was open is known again by this. Where they can't, and for messages, none: when it began says enough.
    pub call: Option<Call>,
    /// When its first byte passed: time since the run began.
    pub began: Duration,
    /// When its last byte passed; none where it never ended.
    pub ended: Option<Duration>,
    /// Why it came to no proper end.
    pub error: Option<InteractionError>,
    /// Was more passed than was kept? [`Parts::cut`] may say so later.
    pub cut: bool,
    /// What was kept of it.
    pub captured: Box<dyn Captured>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("began", &self.began)
            .field("ended", &self.ended)
            .field("error", &self.error)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// The kept bytes of one exchange, to be read off the path.
pub trait Captured: Send {
    /// About how many bytes of memory it holds, for budgets.
    fn size(&self) -> usize;

    /// The method and the path of a request, where these can be told without reading the rest: what
    /// [`read`](Self::read) would give there, or nothing.
    fn glance(&self) -> Option<(&str, &str)> {
        None
    }

    /// What is said of each of several things that can each be answered by itself, where a call is about such: the
    /// partitions to which Kafka's records go. Each has a place, from 0; a place for which several messages are said has an
    /// entry without any, and one for each message. What all of it says stands in each of them, too, but for the request
    /// to which this is the reply.
    fn apart(&self) -> Vec<Apart> {
        Vec::new()
    }

    /// Is what comes after it was told kept as well, so that [`read`](Self::read) gives all of it in the end, and says itself
    /// where that is not so?
    fn keeps_on(&self) -> bool {
        false
    }

    /// Is it a request whose reply may hold messages, or such a reply?
    fn is_about_messages(&self) -> bool {
        false
    }

    /// Does it carry messages that can each [say something else](crate::Splitter::say_carried_anew), and of which
    /// [`apart`](Self::apart) tells?
    fn carries_messages(&self) -> bool {
        false
    }

    /// Reads them: decodes bodies, rows and mails. Slow, and never fails: what can't be read stays as text or
    /// base64.
    fn read(self: Box<Self>) -> Parts;
}

/// What is said of one of several things ([`Captured::apart`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Apart {
    /// Its place among them.
    pub place: usize,
    /// What is said of it.
    pub parts: Parts,
}

/// The three parts of an [`Interaction`](seam_event::Interaction); null where one does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What was asked.
    pub request: Value,
    /// What was answered.
    pub reply: Value,
    /// What was pushed or published.
    pub message: Value,
    /// Was something found to be incomplete only now (a compressed body that unpacks to too much)?
    pub cut: bool,
}
