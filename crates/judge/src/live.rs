//! Judges a run while it runs: each test as soon as it has ended, with the events of its time.
//!
//! Only the events since the beginning of the oldest test that still runs are kept. A test whose events are cut
//! off in this way says the same as it will say from the stored run, because whom the evidence points at is looked
//! for among the events of its own window.

use crate::blame::suspects;
use crate::fold::Fold;
use crate::verdict::{TestVerdict, Verdict};
use seam_event::{ComponentState, Event, Phase, TestId, What};
use std::collections::VecDeque;
use std::sync::Arc;

/// A fold with the recent events.
#[derive(Debug, Default)]
pub struct Live {
    fold: Fold,
    recent: VecDeque<Arc<Event>>,
    /// The numbers of the events with which the tests began that still run.
    running: Vec<(TestId, u64)>,
    /// Components that died: what points at one may lie before the test.
    dead: Vec<Arc<Event>>,
}

/// A test whose last attempt has ended, or is over because the run is.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What the test comes to so far.
    pub test: TestVerdict,
    /// The events of its time, and before them the deaths of components that are still dead.
    pub events: Vec<Arc<Event>>,
}

impl Live {
    /// Takes in what happened next; gives the test that ended with it.
    pub fn push(&mut self, event: &Arc<Event>) -> Option<Ended> {
        self.fold.push(event);
        if let What::Component { component, state, .. } = &event.what {
            self.dead.retain(
                |dead| !matches!(&dead.what, What::Component { component: of, .. } if of == component),
            );
            if *state == ComponentState::Died {
                self.dead.push(event.clone());
            }
        }
        let (Some(test), What::Test { phase }) = (&event.scope.test, &event.what) else {
            self.keep(event);
            return None;
        };
        self.running.retain(|(running, _)| running != test);
        if *phase == Phase::Began {
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
        let before = self.dead.iter().filter(|dead| dead.seq < first);
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

    fn keep(&mut self, event: &Arc<Event>) {
        if !self.running.is_empty() {
            self.recent.push_back(event.clone());
        }
    }
}
