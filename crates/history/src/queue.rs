//! Between those who record and the one who writes: bounded, in one order, and nobody who records ever waits.
//!
//! Numbers and times are given out under one lock, so that the order of numbers is the order of things. A parked
//! writer costs whoever wakes it a system call; so the writer lingers a few milliseconds before it parks, and a
//! busy system pays for one wake-up in many events.

use seam_event::{Event, Interaction, Judged, Scope, SeamId, What};
use seam_value::Value;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much may wait to be written, in bytes of memory, before traffic is counted instead of kept.
const MOST_TRAFFIC: usize = 16 << 20;
/// The same for what verdicts hang on (tests, steps, judgements): far more than a run has of it.
const MOST_AT_ALL: usize = 4 * MOST_TRAFFIC;
/// How long the writer gathers before it looks again.
const LINGER: Duration = Duration::from_millis(4);
/// How long a parked writer sleeps before it looks whether anything is due.
const PARKED: Duration = Duration::from_millis(250);

/// What was not kept, by sort and seam.
#[derive(Debug, Default)]
pub(crate) struct Losses(BTreeMap<(&'static str, Option<SeamId>), Loss>);

/// How many, and the number of the last event before the first of them.
#[derive(Debug)]
struct Loss {
    count: u64,
    since: u64,
}

impl Losses {
    /// Counts what is lost; `before` is the number of an event before it.
    pub(crate) fn add(&mut self, (of, seam, count): Sort, before: u64) {
        let loss = self.0.entry((of, seam)).or_insert(Loss { count: 0, since: before });
        loss.count += count;
        loss.since = loss.since.min(before);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many in all.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().map(|loss| loss.count).sum()
    }

    /// As events that tell them.
    pub(crate) fn into_events(self) -> impl Iterator<Item = What> {
        self.0.into_iter().map(|((of, seam), Loss { count, since })| What::Lost {
            of: of.into(),
            seam,
            count,
            since,
        })
    }
}

/// As what an event is counted where it is lost, on which seam, and how often.
pub(crate) type Sort = (&'static str, Option<SeamId>, u64);

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    began: Instant,
    most_traffic: usize,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    /// What waits, and how much of it is traffic: one long verdict leaves it its room.
    weight: usize,
    traffic: usize,
    last_seq: u64,
    losses: Losses,
    parked: bool,
    hurry: bool,
    closed: bool,
    last: Option<What>,
}

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    pub(crate) losses: Losses,
    /// Will nothing more come?
    pub(crate) closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self::with_room_for(MOST_TRAFFIC)
    }

    pub(crate) fn with_room_for(most_traffic: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), began: Instant::now(), most_traffic }
    }

    /// The same for a run that began at this moment.
    pub(crate) fn since(self, began: Instant) -> Self {
        Self { began, ..self }
    }

    /// When the run began.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Puts an event in and gives its number; none where there was no room, or nobody writes any more.
    pub(crate) fn push(&self, scope: Scope, cause: Option<u64>, what: What) -> Option<u64> {
        let weight = weight(&what);
        let sort = sort(&what);
        let is_traffic = sort.0 != "events";
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let is_full = if is_traffic {
            state.traffic + weight > self.most_traffic
        } else {
            state.weight + weight > MOST_AT_ALL.max(self.most_traffic)
        };
        if is_full {
            let before = state.last_seq;
            state.losses.add(sort, before);
            return None;
        }
        let event = Self::stamp(&mut state, self.began, scope, cause, what);
        let seq = event.seq;
        state.events.push(event);
        state.weight += weight;
        state.traffic += if is_traffic { weight } else { 0 };
        if std::mem::take(&mut state.parked) {
            drop(state);
            self.wake.notify_one();
        }
        Some(seq)
    }

    /// An event of the writer's own with the next number. It has to be written after all that have lower ones.
    pub(crate) fn stamped(&self, scope: Scope, cause: Option<u64>, what: What) -> Event {
        Self::stamp(&mut self.lock(), self.began, scope, cause, what)
    }

    fn stamp(state: &mut State, began: Instant, scope: Scope, cause: Option<u64>, what: What) -> Event {
        state.last_seq += 1;
        Event { seq: state.last_seq, at: began.elapsed(), scope, cause, what }
    }

    /// Takes all there is; waits for it a while. An empty batch says that time has passed.
    pub(crate) fn take(&self, was_idle: bool) -> Batch {
        let mut state = self.lock();
        if state.losses.is_empty() && !state.hurry && !state.closed && (state.events.is_empty() || !was_idle)
        {
            let patience = if was_idle { PARKED } else { LINGER };
            // While the writer lingers nobody needs to wake it: it comes back by itself.
            state.parked = was_idle;
            state = self.wake.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
            state.parked = false;
        }
        state.hurry = false;
        (state.weight, state.traffic) = (0, 0);
        Batch {
            events: std::mem::take(&mut state.events),
            losses: std::mem::take(&mut state.losses),
            closed: state.closed,
        }
    }

    /// The number of the last event, after which the writer is told not to linger.
    pub(crate) fn hurry(&self) -> u64 {
        let mut state = self.lock();
        state.hurry = true;
        self.wake.notify_one();
        state.last_seq
    }

    /// Nothing more is taken in; `last` is what the writer is to write at the very end.
    pub(crate) fn close(&self, last: Option<What>) {
        let mut state = self.lock();
        state.closed = true;
        state.last = last;
        self.wake.notify_one();
    }

    /// What is to be written at the very end.
    pub(crate) fn last(&self) -> Option<What> {
        self.lock().last.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As what an event is counted: a lost count counts as all that it counted.
pub(crate) fn sort(what: &What) -> Sort {
    match what {
        What::Interaction(Interaction { seam, .. }) => ("interactions", Some(seam.clone()), 1),
        What::Connection { seam, .. } => ("connections", Some(seam.clone()), 1),
        What::Line { .. } => ("lines", None, 1),
        What::Lost { of, seam, count, .. } => {
            let of = ["interactions", "connections", "lines"].into_iter().find(|known| known == of);
            (of.unwrap_or("events"), seam.clone(), *count)
        }
        _ => ("events", None, 1),
    }
}

/// About how much memory an event holds.
fn weight(what: &What) -> usize {
    const ENVELOPE: usize = 256;
    ENVELOPE
        + match what {
            What::Interaction(interaction) => interaction.weight(),
            What::Judged(Judged { expected, actual, message, details, .. }) => {
                [expected, actual].into_iter().flatten().map(Value::weight).sum::<usize>()
                    + message.len()
                    + details.iter().map(String::len).sum::<usize>()
            }
            What::Line { text, .. } => text.len(),
            _ => ENVELOPE,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_verdicts_hang_on_takes_no_room_from_traffic() {
        let connection = || What::Connection {
            seam: SeamId { consumer: "web".into(), provider: "api".into(), endpoint: "".into() },
            connection: 1,
            state: "opened".to_owned(),
            caller: None,
        };
        let queue = Queue::with_room_for(weight(&connection()));
        for (what, is_kept) in [
            (What::Finished { reason: "done".to_owned() }, true),
            (connection(), true),
            (connection(), false),
            (What::Finished { reason: "done".to_owned() }, true),
        ] {
            assert_eq!(queue.push(Scope::default(), None, what).is_some(), is_kept);
        }
    }
}
