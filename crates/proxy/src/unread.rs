//! An interaction as it was captured: read when somebody wants to know what was said in it.

use crate::hold::By;
use seam_event::{Caller, ComponentId, Interaction, SeamId};
use seam_value::Value;
use seam_wire::Exchange;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A seam, and the protocol that is spoken there.
pub(crate) type Place = (SeamId, &'static str);

/// What is known of an interaction before it is read: thousands a second are kept like this, and few of them ever read.
pub(crate) struct Passing {
    pub(crate) id: u64,
    pub(crate) place: Arc<Place>,
    pub(crate) connection: u64,
    /// Who really holds the connection, where that is known.
    pub(crate) holder: Option<ComponentId>,
}

impl Passing {
    /// An interaction that began then, with nothing in it yet.
    pub(crate) fn begun(self, at: Duration) -> Interaction {
        let (seam, protocol) = &*self.place;
        let known = self.holder.is_some() || seam.consumer.is_test();
        Interaction {
            id: self.id,
            seam: seam.clone(),
            from: self.holder.unwrap_or_else(|| seam.consumer.clone()),
            to: seam.provider.clone(),
            via: None,
            caller: if known { Caller::Known } else { Caller::Assumed },
            protocol: (*protocol).to_owned(),
            connection: self.connection,
            at,
            elapsed: None,
            error: None,
            request: Value::Null,
            reply: Value::Null,
            message: Value::Null,
            cut: false,
            answered_by: None,
        }
    }
}

/// An interaction whose request, reply and message are still the bytes that passed.
pub struct Unread {
    passing: Passing,
    exchange: Exchange,
    by: Option<By>,
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("id", &self.passing.id).finish_non_exhaustive()
    }
}

impl Unread {
    pub(crate) fn new(passing: Passing, exchange: Exchange, by: Option<By>) -> Self {
        Self { passing, exchange, by }
    }

    /// The seam on which it passed.
    pub fn seam(&self) -> &SeamId {
        &self.passing.place.0
    }

    /// About how many bytes of memory it holds.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.exchange.captured.size()
    }

    /// Reads it. None where its decoder can't: a bug of Seamwork, which may not end whoever asks.
    pub fn read(self) -> Option<Interaction> {
        let Self { passing, exchange, by } = self;
        let captured = exchange.captured;
        let parts = catch_unwind(AssertUnwindSafe(|| captured.read())).ok()?;
        Some(Interaction {
            elapsed: exchange.ended.map(|ended| ended.saturating_sub(exchange.began)),
            error: exchange.error,
            request: parts.request,
            reply: parts.reply,
            message: parts.message,
            cut: exchange.cut || parts.cut,
            answered_by: by.map(|by| by.to_string()),
            ..passing.begun(exchange.began)
        })
    }
}
