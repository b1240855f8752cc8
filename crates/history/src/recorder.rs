//! The handle through which everything that happens is told.

use crate::queue::Queue;
use seam_event::{Scope, What};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tells the history what happened. Cheap to clone; telling never waits, whatever the disk does.
#[derive(Clone, Debug)]
pub struct Recorder {
    pub(crate) queue: Arc<Queue>,
}

impl Recorder {
    /// Records what happened now and gives the event's number. `None` where it could not be kept: that is counted
    /// and told as `lost`.
    pub fn record(&self, scope: Scope, what: What) -> Option<u64> {
        self.queue.push(scope, None, what)
    }

    /// The same, for what another event led to.
    pub fn record_caused(&self, scope: Scope, cause: Option<u64>, what: What) -> Option<u64> {
        self.queue.push(scope, cause, what)
    }

    /// Records what belongs to no test.
    pub fn note(&self, what: What) -> Option<u64> {
        self.record(Scope::default(), what)
    }

    /// How long the run has lasted: the clock of all events.
    pub fn now(&self) -> Duration {
        self.queue.began().elapsed()
    }

    /// A moment on the clock of all events; zero for what was before the run.
    pub fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.queue.began())
    }
}
