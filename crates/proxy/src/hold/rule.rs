//! One fault or stub on a seam: what it does, to which interactions, and how often.

use crate::faults::{Effect, Fault, Moment, Role, Struck};
use seam_expr::Chance;
use seam_value::Value;
use seam_wire::{Answers, Deed, Parts};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Does a rule apply to this interaction, as far as there is one?
pub type Filter = Box<dyn Fn(&Value) -> bool + Send + Sync>;

/// What the head of a request, or of a reply with what was asked, tells of whether a rule applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHead {
    /// It does not, whatever else is said.
    Misses,
    /// It does, whatever else is said.
    Fits,
    /// That depends on the rest of the request.
    OnRequest,
    /// That depends on what is answered, and on nothing else of the request.
    OnReply,
}

/// Says so, given an interaction with a request or reply that has nothing but its head.
pub type HeadFilter = Box<dyn Fn(&Value) -> ByHead + Send + Sync>;

/// What a rule does.
pub enum Kind {
    /// It breaks something on purpose.
    Fault(Arc<dyn Fault>),
    /// It answers in the provider's place. What it has no answer to goes on to the provider where there is one.
    Stub(Arc<dyn Answers>),
}

/// To which of the interactions that fit a rule applies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Often {
    /// Only the nth, from 1.
    pub nth: Option<u64>,
    /// At most so many.
    pub times: Option<u64>,
    /// Only for so long after it was put there.
    pub lasts: Option<Duration>,
    /// Each with this probability, from 0 to 1.
    pub probability: Option<f64>,
}

/// What a rule is made of.
pub struct RuleSpec {
    /// What it is called where it is told: the fault as written, the stub's name.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// To what; everything where there is none.
    pub filter: Option<Filter>,
    /// Does the filter look at replies? Then the rule strikes those.
    pub filters_replies: bool,
    /// How often.
    pub often: Often,
    /// Where its chance comes from.
    pub chance: Chance,
}

/// A rule that was put on a seam.
pub struct Rule {
    spec: RuleSpec,
    by_head: Option<HeadFilter>,
    put: OnceLock<Duration>,
    n_fitting: AtomicU64,
    n_struck: AtomicU64,
    unsaid: OnceLock<String>,
}

/// Whose doing it is that something was said, or went wrong, where that is not the provider's.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// A fault's.
    Fault(Arc<Rule>),
    /// A stub's, by its name.
    Stub(Arc<str>),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(rule) => write!(f, "fault {}", rule.name()),
            // One without a name is called by its place: `stub 3`.
            Self::Stub(name) if name.starts_with("stub ") => f.write_str(name),
            Self::Stub(name) => write!(f, "stub {name}"),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

impl Rule {
    /// A rule, to be put on seams.
    pub fn new(spec: RuleSpec) -> Self {
        Self {
            spec,
            by_head: None,
            put: OnceLock::new(),
            n_fitting: AtomicU64::new(0),
            n_struck: AtomicU64::new(0),
            unsaid: OnceLock::new(),
        }
    }

    /// The same, with what can be told of its filter by the head of a request. Otherwise requests are gathered for it.
    #[must_use]
    pub fn knowing_heads(mut self, by_head: HeadFilter) -> Self {
        self.by_head = Some(by_head);
        self
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// How often it has struck, or answered.
    pub fn n_struck(&self) -> u64 {
        self.n_struck.load(Ordering::SeqCst)
    }

    /// Does it answer in the provider's place?
    pub fn is_stub(&self) -> bool {
        matches!(self.spec.kind, Kind::Stub(_))
    }

    /// For how long it stands on a seam, where nothing passes that could find its time over: it is about connections as a
    /// whole, or lets them hang.
    pub(crate) fn lasts_by_itself(&self) -> Option<Duration> {
        self.spec.often.lasts.filter(|_| self.connection_effect().is_some() || self.hangs())
    }

    fn hangs(&self) -> bool {
        let Kind::Fault(fault) = &self.spec.kind else { return false };
        fault.hangs()
    }

    fn effect_on_nothing(&self, fault: &dyn Fault) -> Option<Effect> {
        self.effect_on(fault, false)
    }

    /// What it does to something of which nothing else is known.
    fn effect_on(&self, fault: &dyn Fault, is_message: bool) -> Option<Effect> {
        let parts = Parts::default();
        fault.effect(&Struck {
            chance: &self.spec.chance,
            parts: &parts,
            is_message,
            is_whole: true,
            says_texts: false,
            at: Duration::ZERO,
        })
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.spec.kind
    }

    /// It stands on a seam from now on.
    pub(crate) fn begins(&self, at: Duration) {
        let _ = self.put.set(at);
    }

    pub(crate) fn struck(&self) {
        self.n_struck.fetch_add(1, Ordering::SeqCst);
    }

    /// What it was to do could not be done: it has not struck.
    pub(crate) fn missed(&self, reason: &str) {
        self.n_struck.fetch_sub(1, Ordering::SeqCst);
        let _ = self.unsaid.set(reason.to_owned());
    }

    /// Why something that it was to answer could not be said, where that was so.
    pub fn unsaid(&self) -> Option<&str> {
        self.unsaid.get().map(String::as_str)
    }

    /// What it strikes.
    pub(crate) fn moment(&self) -> Moment {
        match &self.spec.kind {
            Kind::Stub(_) => Moment::Request,
            Kind::Fault(fault) => match fault.moment() {
                Moment::Request if self.spec.filters_replies => Moment::Reply,
                Moment::Now if self.is_narrowed() => Moment::Request,
                moment => moment,
            },
        }
    }

    /// How it goes together with other faults. A stub decides.
    pub(crate) fn role(&self) -> Role {
        match &self.spec.kind {
            Kind::Stub(_) => Role::Decides,
            Kind::Fault(fault) => fault.role(),
        }
    }

    /// Is it about such things at all?
    pub(crate) fn is_about(&self, moment: Moment, is_message: bool) -> bool {
        let changes = matches!(self.role(), Role::Changes(_));
        let Kind::Fault(fault) = &self.spec.kind else { return moment == Moment::Request };
        if is_message && changes {
            return !self.spec.filters_replies && fault.deeds().contains(&Deed::ChangeMessage);
        }
        self.moment() == moment && !(changes && moment == Moment::Request)
    }

    /// Does it change messages, be they by themselves or carried by a call?
    pub(crate) fn changes_messages(&self) -> bool {
        let Kind::Fault(fault) = &self.spec.kind else { return false };
        matches!(fault.role(), Role::Changes(_))
            && !self.spec.filters_replies
            && fault.deeds().contains(&Deed::ChangeMessage)
    }

    /// Is a message that it strikes lost, and nothing said of that?
    pub(crate) fn loses_messages(&self) -> bool {
        let Kind::Fault(fault) = &self.spec.kind else { return false };
        matches!(self.effect_on(&**fault, true), Some(Effect::LoseReply(_)))
    }

    fn is_narrowed(&self) -> bool {
        let Often { nth, probability, .. } = self.spec.often;
        self.spec.filter.is_some() || nth.is_some() || probability.is_some()
    }

    pub(crate) fn needs_value(&self) -> bool {
        self.spec.filter.is_some()
    }

    /// Does it apply to everything, however often?
    pub(crate) fn is_for_all(&self) -> bool {
        self.spec.filter.is_none() && self.spec.often == Often::default()
    }

    pub(crate) fn refuses(&self) -> bool {
        self.connection_effect() == Some(Effect::Refuse)
    }

    /// What it does to connections as a whole.
    pub(crate) fn connection_effect(&self) -> Option<Effect> {
        let Kind::Fault(fault) = &self.spec.kind else { return None };
        if fault.moment() != Moment::Connection {
            return None;
        }
        self.effect_on_nothing(&**fault)
    }

    /// What it does when it is put on a seam.
    pub(crate) fn effect_now(&self) -> Option<Effect> {
        let Kind::Fault(fault) = &self.spec.kind else { return None };
        if self.moment() != Moment::Now {
            return None;
        }
        self.effect_on_nothing(&**fault)
    }

    /// Does it apply to this interaction now? Counts it, and draws.
    pub(crate) fn applies(&self, interaction: &Value, at: Duration) -> bool {
        self.fits(interaction) && self.strikes_this_one(at)
    }

    /// What a request's head tells of whether it applies.
    pub(crate) fn by_head(&self, interaction: &Value) -> ByHead {
        match (&self.spec.filter, &self.by_head) {
            (None, _) if self.spec.filters_replies => ByHead::OnReply,
            (None, _) => ByHead::Fits,
            (Some(_), Some(by_head)) => by_head(interaction),
            (Some(_), None) => ByHead::OnRequest,
        }
    }

    /// Will it never strike again, whatever comes?
    pub(crate) fn is_spent(&self, at: Duration) -> bool {
        let Often { nth, times, lasts, .. } = self.spec.often;
        let since = self.put.get().copied().unwrap_or(at);
        nth.is_some_and(|nth| self.n_fitting.load(Ordering::SeqCst) >= nth)
            || times.is_some_and(|times| self.n_struck() >= times)
            || lasts.is_some_and(|lasts| at.saturating_sub(since) > lasts)
    }

    /// Does it count what fits?
    pub(crate) fn counts(&self) -> bool {
        self.spec.often.nth.is_some()
    }

    /// Must what it strikes be whole?
    pub(crate) fn needs_whole(&self) -> bool {
        matches!(&self.spec.kind, Kind::Fault(fault) if fault.needs_whole())
    }

    /// Is it about this interaction?
    pub(crate) fn fits(&self, interaction: &Value) -> bool {
        self.spec.filter.as_ref().is_none_or(|fits| fits(interaction))
    }

    /// Does it strike this one of those that it is about? Counts it, and draws.
    pub(crate) fn strikes_this_one(&self, at: Duration) -> bool {
        let n_fitting = self.n_fitting.fetch_add(1, Ordering::SeqCst) + 1;
        let Often { nth, times, lasts, probability } = self.spec.often;
        let since = self.put.get().copied().unwrap_or(at);
        nth.is_none_or(|nth| nth == n_fitting)
            && times.is_none_or(|times| self.n_struck() < times)
            && lasts.is_none_or(|lasts| at.saturating_sub(since) <= lasts)
            && probability.is_none_or(|probability| self.draw() < probability)
    }

    /// A number from 0 to below 1.
    fn draw(&self) -> f64 {
        const STEPS: u32 = 1 << 24;
        let drawn = u32::try_from(self.spec.chance.below(u64::from(STEPS))).unwrap_or(0);
        f64::from(drawn) / f64::from(STEPS)
    }

    /// What it does to what fits, if it does anything this time.
    pub(crate) fn effect(&self, struck: &Held<'_>) -> Option<Effect> {
        let Kind::Fault(fault) = &self.spec.kind else { return None };
        fault.effect(&Struck {
            chance: &self.spec.chance,
            parts: struck.parts,
            is_message: struck.is_message,
            is_whole: struck.is_whole,
            says_texts: struck.says_texts,
            at: struck.at,
        })
    }
}

/// What is held, for a fault to look at.
pub(crate) struct Held<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) is_message: bool,
    pub(crate) is_whole: bool,
    pub(crate) says_texts: bool,
    pub(crate) at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::read_fault;
    use seam_value::parse;

    /// What carries a message that is reset arrives, and is reset as a whole: nothing of it is lost by itself.
    #[test]
    fn what_loses_single_messages() {
        for (fault, expected) in [
            (r#""reply_lost""#, true),
            (r#"{"reset":"answered"}"#, false),
            (r#""reset""#, false),
            (r#""garble""#, false),
        ] {
            let rule = Rule::new(RuleSpec {
                name: fault.to_owned(),
                kind: Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap()),
                filter: None,
                filters_replies: false,
                often: Often::default(),
                chance: Chance::new(1, "test"),
            });
            assert_eq!(rule.loses_messages(), expected, "{fault}");
        }
    }
}
