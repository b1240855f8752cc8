//! Calls that are open: which of them wait, and are not work (long polls, and watches that a server answers when something
//! happens). Nothing in such a call says so, and work that is taken for waiting makes a test pass too early: so it is
//! `waits` in `seam.yaml` that says it, and nobody guesses.

use crate::plan::waits::PlannedWait;
use crate::run::variables::Variables;
use seam_event::{Caller, Interaction};
use seam_matcher::NoSnapshots;
use seam_proxy::OpenCall;

impl PlannedWait {
    /// Does it speak of this call?
    pub(crate) fn takes(&self, call: &Interaction, names: &Variables) -> bool {
        let value = call.to_value();
        self.seam.takes(call) && self.filter.iter().all(|one| one.holds(&value, names, &NoSnapshots))
    }
}

/// A call that is open.
pub(crate) struct Asked {
    /// It, as what it will be told as.
    pub(crate) call: Interaction,
}

impl From<OpenCall> for Asked {
    fn from(open: OpenCall) -> Self {
        let OpenCall { seam, protocol, connection, exchange } = open;
        let parts = exchange.captured.read();
        let call = Interaction {
            id: 0,
            from: seam.consumer.clone(),
            to: seam.provider.clone(),
            seam,
            via: None,
            caller: Caller::Assumed,
            protocol: protocol.to_owned(),
            connection,
            at: exchange.began,
            elapsed: None,
            error: None,
            request: parts.request,
            reply: parts.reply,
            message: parts.message,
            answered_by: None,
            cut: exchange.cut,
        };
        Self { call }
    }
}
