//! What is known of one channel: as far as was read, and as far as was written.

use super::content::Content;
use super::ledger::Ledger;
use super::method::Method;
use crate::splitter::Call;
use seam_value::Map;
use std::collections::{HashSet, VecDeque};

/// A channel as far as its frames were read.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the channel")]
pub(super) struct Channel {
    /// Has the consumer opened it?
    pub(super) is_announced: bool,
    /// Calls without their reply, the oldest first.
    pub(super) due: VecDeque<Due>,
    /// Contents that are coming, by direction.
    pub(super) coming: [Option<Coming>; 2],
    /// Does the publisher count what it publishes, to hear that it arrived?
    pub(super) is_counted: bool,
    /// How many it has published since.
    pub(super) n_published: u64,
    /// The newest delivery of the broker.
    pub(super) n_delivered: u64,
    /// What stands in the field of `basic.publish` that the standard reserves, which is needed here meanwhile.
    pub(super) ticket: u16,
    /// Deliveries that were got without having to be acknowledged.
    pub(super) unacknowledged: HashSet<u64>,
    /// Closed in the broker's place: what is awaited before it can be opened again.
    pub(super) consumer_owes: bool,
    pub(super) provider_owes: bool,
    /// What the consumer has said since it knows, as frames. A broker that has not yet closed a channel does not take it
    /// for a new one.
    pub(super) held_back: Vec<u8>,
}

impl Channel {
    /// As it goes on where a splitter begins.
    pub(super) fn resume(&self) -> Self {
        let due = self.due.iter().map(|due| Due { fate: Fate::Rest, ..*due }).collect();
        Self {
            is_announced: self.is_announced,
            due,
            coming: [None, None],
            is_counted: self.is_counted,
            n_published: self.n_published,
            n_delivered: self.n_delivered,
            ticket: self.ticket,
            unacknowledged: self.unacknowledged.clone(),
            consumer_owes: false,
            provider_owes: false,
            held_back: Vec::new(),
        }
    }
}

/// A call without its reply.
pub(super) struct Due {
    pub(super) call: Call,
    pub(super) method: &'static Method,
    pub(super) fate: Fate,
    /// `basic.get` of what need not be acknowledged.
    pub(super) is_unacknowledged: bool,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Told,
    /// It belongs to what was asked before the splitter began.
    Rest,
    /// Nobody sees it.
    Unseen,
}

/// A content of which not all frames have come.
pub(super) struct Coming {
    pub(super) id: u32,
    pub(super) kept: Content,
    /// The frames, while they may still be held.
    pub(super) frames: Vec<u8>,
    /// What is missing of the body; none before its header.
    pub(super) n_missing: Option<u64>,
    /// It is too large to be held, so its frames pass as they come.
    pub(super) passes: bool,
}

/// A call, for who answers it.
pub(super) struct Asked {
    pub(super) channel: u16,
    pub(super) method: &'static Method,
    /// What is needed of the arguments to answer.
    pub(super) arguments: Map,
    /// The delivery that the broker has replied with.
    pub(super) delivery: Option<u64>,
    pub(super) is_replied: bool,
}

/// Who consumes on a channel.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) channel: u16,
    pub(super) tag: Vec<u8>,
    pub(super) queue: Vec<u8>,
    pub(super) is_unacknowledged: bool,
}

/// A channel as far as its frames were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) is_open_there: bool,
    pub(super) is_open_here: bool,
    /// Does the broker count what is published?
    pub(super) is_counted: bool,
    pub(super) delivered: Ledger,
    pub(super) published: Ledger,
    /// The frames that follow share their method's fate, by direction.
    pub(super) is_dropping: [bool; 2],
}
