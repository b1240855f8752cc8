//! What was decided about calls, for what still comes of them, and nothing longer than that.
//!
//! Most calls are passed on at once and leave nothing here. A connection may carry millions of calls, so whatever is
//! remembered has its end: the end of the answer, or, for a call that was answered here, of both its request and what
//! was said to it.

use crate::faults::Extent;
use foldhash::HashMap;
use seam_value::Value;
use seam_wire::Call;
use tokio::time::Instant;

/// Requests that wait for rules to look at their replies are remembered up to this many; later ones are not, and such
/// rules see their replies alone.
const MOST_ASKED: usize = 4096;

/// What was decided about a call, for the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The rest of its request goes nowhere.
    Dropped,
    /// Its reply is thrown away, and then the call is reset, or the connection.
    LosesReply(Extent),
    /// The rest of its reply goes nowhere.
    Replaced,
    /// What follows is due then.
    Later(Instant),
}

/// What is remembered of one call.
#[derive(Debug, Default)]
struct Record {
    fate: Option<Fate>,
    /// More of the request is still to come.
    is_partial: bool,
    /// What was to be said to it here was said.
    is_spoken: bool,
    /// What was asked, for rules that look at the reply to it.
    asked: Option<Value>,
}

/// What is remembered of a connection's calls.
#[derive(Debug, Default)]
pub(super) struct Fates {
    by_call: HashMap<Call, Record>,
}

impl Fates {
    /// A request begins.
    pub(super) fn begin(&mut self, call: Call, whole: bool, asked: Option<Value>) {
        let asked = asked.filter(|_| self.by_call.len() < MOST_ASKED);
        if !whole || asked.is_some() {
            self.by_call.insert(call, Record { is_partial: !whole, asked, ..Record::default() });
        }
    }

    /// A request has ended that began before.
    pub(super) fn request_ended(&mut self, call: Call) {
        if let Some(record) = self.by_call.get_mut(&call) {
            record.is_partial = false;
            self.forget_if_done(call);
        }
    }

    /// That was decided about a call.
    pub(super) fn set(&mut self, call: Call, fate: Fate) {
        let record = self.by_call.entry(call).or_default();
        record.fate = Some(fate);
        if fate == Fate::Dropped {
            record.asked = None;
        }
    }

    /// The first of a call is due then, and nothing of it may be earlier.
    pub(super) fn is_due(&mut self, call: Call, due: Instant) {
        let now = Instant::now();
        if let Some(record) = self.by_call.get_mut(&call) {
            record.fate = Some(Fate::Later(due));
        } else if due > now {
            if self.by_call.len() == self.by_call.capacity() {
                // A call that nobody answers would stay for good.
                self.by_call.retain(|_, record| record.asked.is_some() || !record.is_past(now));
            }
            self.set(call, Fate::Later(due));
        }
    }

    /// What was to be said to a call in the provider's place was said.
    pub(super) fn spoken(&mut self, call: Call) {
        if let Some(record) = self.by_call.get_mut(&call) {
            record.is_spoken = true;
            self.forget_if_done(call);
        }
    }

    /// The answer to a call has ended.
    pub(super) fn answered(&mut self, call: Call) {
        self.by_call.remove(&call);
    }

    pub(super) fn of(&self, call: Call) -> Option<Fate> {
        self.by_call.get(&call).and_then(|record| record.fate)
    }

    /// What was asked is still to be looked at, although it went nowhere.
    pub(super) fn keep_asked(&mut self, call: Call, asked: Option<Value>) {
        if let Some(record) = self.by_call.get_mut(&call) {
            record.asked = asked;
        }
    }

    /// What was asked with a call.
    pub(super) fn asked(&self, call: Call) -> Option<&Value> {
        self.by_call.get(&call).and_then(|record| record.asked.as_ref())
    }

    /// The same; it is told once.
    pub(super) fn take_asked(&mut self, call: Call) -> Option<Value> {
        self.by_call.get_mut(&call).and_then(|record| record.asked.take())
    }

    /// All of what was asked is known now, for whoever waits for it.
    pub(super) fn is_told(&mut self, call: Call, asked: Value) {
        if let Some(before) = self.by_call.get_mut(&call).and_then(|record| record.asked.as_mut()) {
            *before = asked;
        }
    }

    /// Is nothing still to come of any call that was decided about?
    pub(super) fn are_settled(&self) -> bool {
        let now = Instant::now();
        self.by_call
            .values()
            .all(|record| !record.is_partial && (record.fate.is_none() || record.is_past(now)))
    }

    fn forget_if_done(&mut self, call: Call) {
        let is_done = |record: &Record| match record.fate {
            Some(Fate::Dropped) => record.is_spoken && !record.is_partial,
            Some(_) => false,
            None => record.asked.is_none() && !record.is_partial,
        };
        if self.by_call.get(&call).is_some_and(is_done) {
            self.by_call.remove(&call);
        }
    }
}

impl Record {
    /// Would nothing be different if this were not remembered?
    fn is_past(&self, now: Instant) -> bool {
        !self.is_partial && matches!(self.fate, Some(Fate::Later(due)) if due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Fates};
    use seam_value::Value;
    use std::time::Duration;
    use tokio::time::Instant;

    type Told = fn(&mut Fates, Instant);

    #[test]
    fn what_is_over_is_forgotten() {
        let now = Instant::now();
        let later = now + Duration::from_mins(1);
        let told: [(&str, Told, usize); 9] = [
            ("passed on at once", |fates, _| fates.begin(1, true, None), 0),
            ("in parts", |fates, _| fates.begin(1, false, None), 1),
            (
                "the last part",
                |fates, _| {
                    fates.begin(1, false, None);
                    fates.request_ended(1);
                },
                0,
            ),
            (
                "asked for",
                |fates, _| {
                    fates.begin(1, true, Some(Value::Null));
                    fates.take_asked(1);
                    fates.answered(1);
                },
                0,
            ),
            ("dropped, still to be answered", |fates, _| fates.set(1, Fate::Dropped), 1),
            (
                "dropped and answered",
                |fates, _| {
                    fates.set(1, Fate::Dropped);
                    fates.spoken(1);
                },
                0,
            ),
            (
                "dropped and answered, while its request still comes",
                |fates, _| {
                    fates.begin(1, false, None);
                    fates.set(1, Fate::Dropped);
                    fates.spoken(1);
                },
                1,
            ),
            (
                "dropped, answered, and its request has come",
                |fates, _| {
                    fates.begin(1, false, None);
                    fates.set(1, Fate::Dropped);
                    fates.spoken(1);
                    fates.request_ended(1);
                },
                0,
            ),
            ("late", |fates, later| fates.is_due(1, later), 1),
        ];
        for (what, tell, n_left) in told {
            let mut fates = Fates::default();
            tell(&mut fates, later);
            assert_eq!(fates.by_call.len(), n_left, "{what}");
        }
    }

    #[test]
    fn calls_that_nobody_answers_do_not_pile_up() {
        let mut fates = Fates::default();
        for call in 0..10_000 {
            fates.is_due(call, Instant::now() + Duration::from_nanos(1));
        }
        assert!(fates.by_call.len() < 2_000, "{}", fates.by_call.len());
        for call in 0..10_000 {
            fates.begin(call, true, Some(Value::Null));
        }
        assert!(fates.by_call.len() <= super::MOST_ASKED);
    }
}
