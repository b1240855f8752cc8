//! A conversation made of a splitter: a protocol that can be cut into pieces can be watched by the same code.

use crate::conversation::{
    Captured, Conversation, Direction, End, Exchange, Limits, Parts, Position, Surprise, why_unfinished,
};
use crate::splitter::{Behind, Call, Of, Piece, Splitter, Splitting};
use seam_event::InteractionError;
use std::collections::BTreeMap;
use std::time::Duration;

/// A splitter that can be begun anew where it stands.
pub(crate) trait Resumed: Splitter + Sized {
    /// A splitter for the rest of a connection that has come as far as this one: between messages and calls, or where it is
    /// [divisible](Self::is_divisible).
    fn resume(&self, splitting: Splitting) -> Self;

    /// May it be resumed here, as far as this direction goes, whatever is open? None where it may only between messages
    /// and calls.
    fn is_divisible(&self, direction: Direction) -> Option<bool> {
        let _ = direction;
        None
    }

    /// With so many more bytes of this direction it may be, or comes nearer to it.
    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        let _ = direction;
        None
    }

    /// Is it in the middle of a message of this direction?
    fn is_within(&self, direction: Direction) -> bool;

    /// What is asked and not answered to its end. Nothing where that is not kept so that it can be read meanwhile.
    fn unfinished(&self) -> Vec<Unfinished> {
        Vec::new()
    }
}

/// A call that is open, its request, and what has come of the reply.
pub(crate) type Unfinished = (Call, Box<dyn Captured>, Option<Box<dyn Captured>>);

/// Watches a connection by cutting it.
pub(crate) struct Watching<S> {
    splitter: S,
    limits: Limits,
    pieces: Vec<Piece>,
    open: BTreeMap<Call, Open>,
    consumer_ended: bool,
}

/// A request whose reply has not ended.
struct Open {
    began: Duration,
    /// None where it was asked before the connection came to this protocol, and may have been told as no call of it.
    call: Option<Call>,
    awaited: bool,
    request: Box<dyn Captured>,
    reply: Option<Box<dyn Captured>>,
    request_is_whole: bool,
    cut: bool,
}

impl<S: Resumed> Watching<S> {
    /// Begins with a splitter of [`Behind::Provider`], which has seen nothing yet.
    pub(crate) fn new(splitter: S, limits: Limits) -> Self {
        Self { splitter, limits, pieces: Vec::new(), open: BTreeMap::new(), consumer_ended: false }
    }

    /// A call that was asked before the connection came to this protocol.
    pub(crate) fn begin_with(&mut self, call: Call, began: Duration, request: Box<dyn Captured>) {
        let (awaited, request_is_whole) = (true, true);
        let open = Open { began, call: None, awaited, request, reply: None, request_is_whole, cut: false };
        self.open.insert(call, open);
    }

    fn take_in(&mut self, piece: Piece, at: Duration, out: &mut Vec<Exchange>) -> Result<(), Surprise> {
        match piece.of {
            // Who only watches does not ask for beginnings.
            Of::Rest | Of::UnderWay { .. } | Of::Begun { .. } | Of::Told { .. } => {}
            Of::Request { call, whole, awaited, read } => {
                if self.open.len() >= self.limits.n_open {
                    return Err(Surprise::new("too many calls are open at once"));
                }
                let open = Open {
                    began: at,
                    call: Some(call),
                    awaited,
                    // What is streamed is told message by message.
                    cut: !whole && awaited && !read.keeps_on(),
                    request: read,
                    reply: None,
                    request_is_whole: whole,
                };
                self.open.insert(call, open);
            }
            Of::Reply { call, whole, awaited, read } => {
                if let Some(open) = self.open.get_mut(&call) {
                    open.awaited &= awaited;
                    open.cut |= !whole && awaited && !read.keeps_on();
                    open.reply = Some(read);
                }
                if whole {
                    self.ended(call, at, out);
                }
            }
            Of::Broken { call, error } => {
                if let Some(open) = self.open.remove(&call) {
                    out.push(open.told(None, Some(error)));
                }
            }
            Of::More { call, whole } => match piece.to {
                Direction::ToProvider => {
                    if let Some(open) = self.open.get_mut(&call) {
                        open.request_is_whole |= whole;
                    }
                }
                Direction::ToConsumer if whole => self.ended(call, at, out),
                Direction::ToConsumer => {}
            },
            Of::Message { read, .. } => {
                let (ended, error, cut) = (Some(at), None, false);
                out.push(Exchange { call: None, began: at, ended, error, cut, captured: read });
            }
        }
        Ok(())
    }

    /// What is asked to its end and not answered to its end.
    fn unfinished_of(&self, is_meant: impl Fn(&Open) -> bool) -> Vec<Exchange> {
        let told = self.splitter.unfinished().into_iter().filter_map(|(call, request, reply)| {
            let open = self.open.get(&call).filter(|open| open.request_is_whole && is_meant(open))?;
            let captured = Box::new(Both { request, reply });
            let (call, began) = (open.call, open.began);
            Some(Exchange { call, began, ended: None, error: None, cut: false, captured })
        });
        told.collect()
    }

    fn ended(&mut self, call: Call, at: Duration, out: &mut Vec<Exchange>) {
        if let Some(open) = self.open.remove(&call) {
            out.push(open.told(Some(at), None));
        }
    }
}

impl Open {
    fn told(self, ended: Option<Duration>, error: Option<InteractionError>) -> Exchange {
        Exchange {
            call: self.call,
            began: self.began,
            ended,
            error,
            cut: self.cut,
            captured: Box::new(Both { request: self.request, reply: self.reply }),
        }
    }
}

impl<S: Resumed + 'static> Conversation for Watching<S> {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        let mut pieces = std::mem::take(&mut self.pieces);
        let cut = self.splitter.cut(direction, bytes, &mut pieces);
        for piece in pieces.drain(..) {
            self.take_in(piece, at, out)?;
        }
        self.pieces = pieces;
        cut.map(|()| bytes.len())
    }

    fn end(&mut self, direction: Direction, how: End, _at: Duration, out: &mut Vec<Exchange>) {
        if direction == Direction::ToProvider && how == End::Fin {
            self.consumer_ended = true;
            return;
        }
        for (_, open) in std::mem::take(&mut self.open) {
            // Who only waited for something to come has missed nothing.
            let error =
                why_unfinished(how, self.consumer_ended && open.request_is_whole).filter(|_| open.awaited);
            out.push(open.told(None, error));
        }
    }

    fn unfinished(&self) -> Vec<Exchange> {
        self.unfinished_of(|_| true)
    }

    fn calls(&self) -> Vec<Exchange> {
        self.unfinished_of(|open| open.awaited)
    }

    fn n_open(&self) -> usize {
        self.open.values().filter(|open| open.awaited).count()
            + usize::from(self.splitter.is_within(Direction::ToProvider))
    }

    fn position(&self, direction: Direction) -> Position {
        if self.splitter.is_within(direction) { Position::Body } else { Position::Between }
    }

    fn may_split(&self, direction: Direction) -> bool {
        let is_between = || !self.splitter.is_within(direction);
        self.splitter.is_divisible(direction).unwrap_or_else(|| match direction {
            Direction::ToProvider => is_between(),
            Direction::ToConsumer => is_between() && self.n_open() == 0,
        })
    }

    fn n_to_split(&self, direction: Direction) -> Option<usize> {
        self.splitter.n_to_divide(direction)
    }

    fn passable(&self, _direction: Direction) -> u64 {
        0
    }

    fn pass(&mut self, _direction: Direction, _n_bytes: u64, _at: Duration, _out: &mut Vec<Exchange>) {}

    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        debug_assert!(
            splitting.behind == Behind::Provider || self.open.is_empty(),
            "nobody was behind from the start"
        );
        Some(Box::new(self.splitter.resume(splitting)))
    }
}

/// A request with its reply.
struct Both {
    request: Box<dyn Captured>,
    reply: Option<Box<dyn Captured>>,
}

impl Captured for Both {
    fn size(&self) -> usize {
        self.request.size() + self.reply.as_ref().map_or(0, |reply| reply.size())
    }

    fn read(self: Box<Self>) -> Parts {
        let request = self.request.read();
        let reply = self.reply.map(Captured::read).unwrap_or_default();
        Parts {
            request: request.request,
            reply: reply.reply,
            cut: request.cut || reply.cut,
            ..Parts::default()
        }
    }
}
