//! Standing in the way: what passes a seam is held piece by piece, and rules decide what becomes of it.
//!
//! ```text
//! bytes ─▶ splitter (seam_wire) ─▶ pieces ─▶ rules ─▶ lanes (what is to be written, and when) ─▶ bytes
//! ```
//!
//! A seam without rules is only watched ([`relay`](crate::relay)). The first rule turns its connections over to
//! [`held`], with all calls that are under way, without anybody having to connect anew ([`switch`](crate::switch)).

mod carried;
mod fates;
mod heard;
pub(crate) mod held;
mod lane;
mod pushed;
mod rule;
mod said;
mod verdict;

pub(crate) use pushed::Pushes;
pub(crate) use rule::By;
pub use rule::{ByHead, Filter, HeadFilter, Kind, Often, Rule, RuleSpec};

use crate::faults::{Effect, Moment};
use crate::stand::Upstream;
use crate::tls::SeamTls;
use seam_wire::grpc::Descriptors;
use std::sync::Arc;
use tokio::sync::watch;

/// What a seam does at present.
#[derive(Clone, Debug)]
pub(crate) struct SeamState {
    /// Where it leads.
    pub(crate) upstream: Upstream,
    /// What is done to what passes, the newest first.
    pub(crate) rules: Arc<[Arc<Rule>]>,
    /// How often it was cut: connections from before are reset.
    pub(crate) n_cuts: u64,
    /// Is it cut for a while?
    pub(crate) is_cut: bool,
    /// The fault that cut it last, for as long as it is there.
    pub(crate) cut_by: Option<Arc<Rule>>,
    /// Is its consumer known to want nothing but TLS?
    pub(crate) insists_on_tls: bool,
    /// How TLS stands on it.
    pub(crate) tls: SeamTls,
    /// What describes the messages that are spoken on it.
    pub(crate) descriptors: Option<Arc<Descriptors>>,
    /// What its connections are to say of their own accord.
    pub(crate) pushes: Pushes,
}

impl SeamState {
    pub(crate) fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            rules: Arc::from([]),
            n_cuts: 0,
            is_cut: false,
            cut_by: None,
            insists_on_tls: false,
            tls: SeamTls::default(),
            descriptors: None,
            pushes: Pushes::default(),
        }
    }

    /// Where a connection leads that was made to an address of the seam which leads elsewhere, if there is such. While
    /// nothing leads to the provider nothing leads there either.
    pub(crate) fn leads_to(&self, beyond: Option<&Upstream>) -> Upstream {
        let beyond = beyond.filter(|_| self.upstream != Upstream::Nowhere);
        beyond.unwrap_or(&self.upstream).clone()
    }

    /// Does nobody listen on the seam at present?
    pub(crate) fn refuses(&self) -> bool {
        self.is_cut
            || self.rules.iter().any(|rule| rule.refuses())
            || (self.upstream == Upstream::Nowhere && !self.has_stub())
    }

    /// Are connections from when the seam had been cut so often to be reset?
    pub(crate) fn breaks(&self, n_cuts: u64) -> bool {
        self.n_cuts != n_cuts || self.rules.iter().any(|rule| rule.refuses())
    }

    /// The fault by which nobody listens, or by which open connections were reset.
    pub(crate) fn breaker(&self) -> Option<Arc<Rule>> {
        self.rules.iter().find(|rule| rule.refuses()).or(self.cut_by.as_ref()).cloned()
    }

    /// The fault by which nobody listens now.
    pub(crate) fn refuser(&self) -> Option<Arc<Rule>> {
        self.rules
            .iter()
            .find(|rule| rule.refuses())
            .or(self.cut_by.as_ref().filter(|_| self.is_cut))
            .cloned()
    }

    /// The faults that strike a connection, from when the seam had been cut so often, by ending it.
    pub(crate) fn enders(&self, n_cuts: u64) -> impl Iterator<Item = &Arc<Rule>> {
        // One that waited for an interaction to fit has counted that.
        let is_counted = |rule: &&Arc<Rule>| self.n_cuts != n_cuts && rule.effect_now().is_some();
        self.rules.iter().filter(|rule| rule.refuses()).chain(self.cut_by.as_ref().filter(is_counted))
    }

    /// Does somebody answer in the provider's place?
    pub(crate) fn has_stub(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.kind(), Kind::Stub(_)))
    }

    /// Is nobody there but who answers in the provider's place?
    pub(crate) fn stands_in(&self) -> bool {
        self.upstream == Upstream::Nowhere && self.has_stub()
    }

    /// Are there rules that look at replies?
    pub(crate) fn looks_at_replies(&self) -> bool {
        self.rules.iter().any(|rule| rule.moment() == Moment::Reply)
    }

    /// What holds for connections as a whole: their pace, and how late their end is passed on.
    pub(crate) fn connection_effects(&self) -> impl Iterator<Item = Effect> + '_ {
        self.rules.iter().filter_map(|rule| rule.connection_effect())
    }
}

/// Comes back when connections from when the seam had been cut so often are to be reset. Asks at each change of the seam.
pub(crate) async fn until_broken(
    mut state: watch::Receiver<SeamState>,
    n_cuts: u64,
    changed: impl Fn(&SeamState),
) {
    loop {
        {
            let state = state.borrow_and_update();
            if state.breaks(n_cuts) {
                return;
            }
            changed(&state);
        }
        if state.changed().await.is_err() {
            // The proxy is being taken down, which ends this task in a moment.
            std::future::pending::<()>().await;
        }
    }
}
