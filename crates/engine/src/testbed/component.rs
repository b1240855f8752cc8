//! A component while the testbed lives: raised or not, on purpose or not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What is running of a component.
pub(crate) enum Live {
    /// A service.
    Service(Box<dyn seam_services::Running>),
    /// A process, or somebody else's.
    Process(Box<dyn seam_launch::Live>),
}

/// Is a component ready?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Not yet.
    #[default]
    Awaited,
    /// It answers.
    Ready,
    /// It never became ready.
    Failed,
}

/// One component of a testbed.
#[derive(Default)]
pub(crate) struct LiveComponent {
    live: Mutex<Option<Arc<Live>>>,
    /// How often it was started. The end of an earlier start is heard late, and says nothing about this one.
    n_starts: Mutex<u64>,
    /// Those that wait for it watch this.
    pub(crate) readiness: watch::Sender<Readiness>,
    /// Was it stopped on purpose? Then its end is no death.
    stopped: AtomicBool,
    /// How it was found dead, if it was, until somebody has told that.
    death: Mutex<Option<String>>,
    /// Is it paused?
    pub(crate) paused: AtomicBool,
}

impl LiveComponent {
    /// What is running of it.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_live(&self, live: Option<Arc<Live>>) {
        self.stopped.store(live.is_none(), Ordering::SeqCst);
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// It is about to be started.
    pub(crate) fn begin_start(&self) {
        *self.n_starts.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    /// How often it was started.
    pub(crate) fn n_starts(&self) -> u64 {
        *self.n_starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does this unless it was started again; no start begins meanwhile. Was it done?
    pub(crate) fn unless_started_again(&self, n_starts: u64, act: impl FnOnce()) -> bool {
        let now = self.n_starts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = *now == n_starts;
        if is_same {
            act();
        }
        is_same
    }

    /// Nothing of it runs any more, and nobody meant that.
    pub(crate) fn forget(&self) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Was it ready at any time?
    pub(crate) fn was_ready(&self) -> bool {
        *self.readiness.borrow() == Readiness::Ready
    }

    /// From here on its end is meant.
    pub(crate) fn expect_end(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Is its end meant?
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// It was found dead.
    pub(crate) fn set_death(&self, how: String) {
        *self.death.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
    }

    /// How it was found dead, once.
    pub(crate) fn take_death(&self) -> Option<String> {
        self.death.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Was it found dead, and nobody has told yet?
    pub(crate) fn is_dead(&self) -> bool {
        self.death.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}
