//! What is said on a connection of a step's own, read by the same decoder that watches seams: so a step tells an answer in
//! the very fields that an interaction has, and what was recorded and what came now are compared like with like.

use seam_event::InteractionError;
use seam_value::Value;
use seam_wire::grpc::Descriptors;
use seam_wire::{Conversation, Direction, Exchange, Limits, Parts, Surprise, protocol};
use std::sync::Arc;
use std::time::Duration;

/// The most that an answer may have; more can't be read, so that none can fill the memory.
pub(crate) const MOST: usize = 256 * 1024 * 1024;

/// One connection as its decoder hears it.
pub(crate) struct Heard {
    conversation: Box<dyn Conversation>,
    exchanges: Vec<Exchange>,
}

/// Why what was said can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// It is not what the protocol allows.
    #[error("what came is not what the protocol allows: {0}")]
    Surprise(#[from] Surprise),
    /// It is longer than this side reads.
    #[error("the answer is longer than 256 MiB")]
    TooLong,
}

/// One exchange that has come to its end.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) parts: Parts,
    pub(crate) error: Option<InteractionError>,
}

impl Heard {
    /// A connection on which this protocol is spoken from its first byte on.
    pub(crate) fn new(name: &'static str, descriptors: Option<&Arc<Descriptors>>) -> Self {
        let protocol = protocol(name).expect("a step speaks protocols that are in the table");
        let limits = Limits { kept_body: MOST, kept_open: 2 * MOST, ..Limits::default() };
        let conversation = match descriptors {
            Some(descriptors) => protocol.begin_described(limits, descriptors),
            None => protocol.begin(limits),
        };
        Self { conversation, exchanges: Vec::new() }
    }

    /// Bytes of a direction, as they pass.
    pub(crate) fn hear(&mut self, direction: Direction, bytes: &[u8]) -> Result<(), Unread> {
        Ok(self.conversation.feed(direction, bytes, Duration::ZERO, &mut self.exchanges)?)
    }

    /// Has anything come to its end?
    pub(crate) fn has_told(&self) -> bool {
        !self.exchanges.is_empty()
    }

    /// What has come to its end since this was asked last.
    pub(crate) fn told(&mut self) -> Result<Vec<Told>, Unread> {
        self.exchanges.drain(..).map(read).collect()
    }

    /// What is open, as far as it has come.
    pub(crate) fn unfinished(&self) -> Result<Vec<Told>, Unread> {
        self.conversation.unfinished().into_iter().map(read).collect()
    }

    /// Is a transaction open?
    pub(crate) fn holds_transaction(&self) -> bool {
        self.conversation.holds_transaction() == Some(true)
    }
}

impl Told {
    /// What was answered.
    pub(crate) fn reply(self) -> Value {
        self.parts.reply
    }
}

fn read(exchange: Exchange) -> Result<Told, Unread> {
    let Exchange { captured, error, .. } = exchange;
    let parts = captured.read();
    // The exchange's own mark is also set where a request went on after its reply had begun, of which nothing is missing.
    if parts.cut { Err(Unread::TooLong) } else { Ok(Told { parts, error }) }
}
