//! Judges a run while it runs: each test as soon as it has ended, with the events of its time.
//!
//! Only the events since the beginning of the oldest test that still runs are kept. A test whose events are cut
//! off in this way says the same as it will say from the stored run, because whom the evidence points at is looked
//! for among the events of its own window.

use crate::blame::suspects;
use crate::fold::Fold;
use crate::verdict::{TestVerdict, Verdict};
use seam_event::{Event, Phase, TestId, What};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// A fold with the recent events.
#[derive(Debug, Default)]
pub struct Live {
    fold: Fold,
    recent: VecDeque<Arc<Event>>,
    /// The numbers of the events with which the tests began that still run.
    running: Vec<(TestId, u64)>,
    /// The plan, and what had become of each component before the tests that run: what points at one may lie there.
    before: Vec<Arc<Event>>,
}

/// A test whose last attempt has ended, or is over because the run is.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What the test comes to so far.
    pub test: TestVerdict,
    /// The events of its time, and before them the plan and what had become of components.
    pub events: Vec<Arc<Event>>,
}

impl Live {
    /// Takes in what happened next; gives the test that ended with it.
    pub fn push(&mut self, event: &Arc<Event>) -> Option<Ended> {
        self.fold.push(event);
        if matches!(event.what, What::Plan { .. } | What::Component { .. }) {
            self.before.push(event.clone());
        }
        let (Some(test), What::Test { phase }) = (&event.scope.test, &event.what) else {
            self.keep(event);
            return None;
        };
        self.running.retain(|(running, _)| running != test);
        if *phase == Phase::Began {
            if self.running.is_empty() {
                self.forget_states();
            }
            self.running.push((test.clone(), event.seq));
            self.keep(event);
            return None;
        }
        self.recent.push_back(event.clone());
        let ended = self.ended(test);
        let oldest = self.running.iter().map(|(_, seq)| *seq).min().unwrap_or(u64::MAX);
        while self.recent.front().is_some_and(|event| event.seq < oldest) {
            self.recent.pop_front();
        }
        ended
    }

    /// The tests that began and have not ended, as they stand: what an interrupted run has to tell of them.
    pub fn unfinished(&self) -> Vec<Ended> {
        self.running.iter().filter_map(|(test, _)| self.ended(test)).collect()
    }

    fn ended(&self, id: &TestId) -> Option<Ended> {
        let mut test = self.fold.test(id)?;
        let first = test.last_attempt()?.window.first;
        let before = self.before.iter().filter(|before| before.seq < first);
        let events: Vec<Arc<Event>> =
            before.chain(self.recent.iter().filter(|event| event.seq >= first)).cloned().collect();
        if let Some(attempt) = test.attempts.last_mut() {
            attempt.suspects = suspects(events.iter().map(AsRef::as_ref), id, attempt);
        }
        Some(Ended { test, events })
    }

    /// What all comes to so far, without suspects.
    pub fn verdict(&self) -> Verdict {
        self.fold.verdict()
    }

    /// Of each component only the last state is kept.
    fn forget_states(&mut self) {
        let mut known = HashSet::new();
        let mut kept: Vec<Arc<Event>> = self
            .before
            .drain(..)
            .rev()
            .filter(|event| match &event.what {
                What::Component { component, .. } => known.insert(component.clone()),
                _ => true,
            })
            .collect();
        kept.reverse();
        self.before = kept;
    }

    fn keep(&mut self, event: &Arc<Event>) {
        if !self.running.is_empty() {
            self.recent.push_back(event.clone());
        }
    }
}
