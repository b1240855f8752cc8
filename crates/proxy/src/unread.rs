//! An interaction as it was captured: read when somebody wants to know what was said in it.

use crate::hold::By;
use seam_event::{Interaction, SeamId};
use seam_wire::Exchange;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An interaction whose request, reply and message are still the bytes that passed.
pub struct Unread {
    blank: Interaction,
    exchange: Exchange,
    by: Option<By>,
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("id", &self.blank.id).finish_non_exhaustive()
    }
}

impl Unread {
    pub(crate) fn new(blank: Interaction, exchange: Exchange, by: Option<By>) -> Self {
        Self { blank, exchange, by }
    }

    /// The seam on which it passed.
    pub fn seam(&self) -> &SeamId {
        &self.blank.seam
    }

    /// About how many bytes of memory it holds.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.exchange.captured.size()
    }

    /// Reads it. None where its decoder can't: a bug of Seamwork, which may not end whoever asks.
    pub fn read(self) -> Option<Interaction> {
        let Self { blank, exchange, by } = self;
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
            ..blank
        })
    }
}
