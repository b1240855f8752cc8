//! The events of a living run as they are written: for the terminal, and for whoever folds while it runs.

use seam_event::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Gets every event, masked, in order, as long as it keeps up.
#[derive(Debug)]
pub struct Subscription {
    receiver: Receiver<Arc<Event>>,
    missed: Arc<AtomicU64>,
}

/// The writer's end. Whoever doesn't keep up misses events; the writer never waits.
#[derive(Debug)]
pub(crate) struct Subscriber {
    sender: SyncSender<Arc<Event>>,
    missed: Arc<AtomicU64>,
}

/// Both ends, with room for so many events.
pub(crate) fn pair(room: usize) -> (Subscriber, Subscription) {
    let (sender, receiver) = sync_channel(room);
    let missed = Arc::new(AtomicU64::new(0));
    (Subscriber { sender, missed: missed.clone() }, Subscription { receiver, missed })
}

impl Subscription {
    /// The next event, waited for so long; `Ok(None)` where none came in time, `Err` where none will come.
    pub fn next(&self, within: Duration) -> Result<Option<Arc<Event>>, Ended> {
        match self.receiver.recv_timeout(within) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Ended),
        }
    }

    /// How many events were missed because they were not taken in time. A fold over what was received is then
    /// incomplete: the stored run has all of them.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// The run's history has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history has ended")]
pub struct Ended;

impl Subscriber {
    /// Hands an event on; `false` where nobody listens any more.
    pub(crate) fn offer(&self, event: &Arc<Event>) -> bool {
        match self.sender.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}
