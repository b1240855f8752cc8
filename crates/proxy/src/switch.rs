//! How a connection that is only passed on comes to be held: wherever its protocol can be cut, with calls under way.
//!
//! ```text
//! consumer ─▶ up:   reads to the next place ─┐
//!                                             ├─▶ both at such a place: held from here on
//! provider ─▶ down: reads to the next place ─┘
//! ```
//! HTTP can be cut nearly everywhere: between frames, between chunks of events, at any byte of a body. Other protocols only
//! where neither side is inside a message and no call is open. Then the consumer is made to wait for that, and while it
//! waits nobody reads what it says, which an open call may need: the next message of a stream, credit for more of the
//! reply. So it waits a moment at most, and then passes for a while as before.

use crate::hold::SeamState;
use crate::tap::Tap;
use seam_wire::Direction;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a consumer waits for its open calls to end.
const WAITS: Duration = Duration::from_millis(250);

/// How long it passes before it is made to wait again.
const PASSES: Duration = Duration::from_secs(2);

/// The way from passing to holding. Both directions, and whoever follows the seam, are one task.
pub(crate) struct Switch {
    /// Looked at right before each reading: what is sent after a rule was put is never just passed on.
    state: RefCell<watch::Receiver<SeamState>>,
    /// Were there rules when it was looked at last?
    is_wanted: Cell<bool>,
    /// Do both directions stop here?
    goes_over: Cell<bool>,
    /// Since when the consumer was made to wait last.
    since: Cell<Option<Instant>>,
    /// Has the consumer still to take something that was read for it?
    is_behind: Cell<bool>,
    n_changes: Cell<u64>,
    /// The task, where it waits for a change.
    task: RefCell<Option<Waker>>,
}

/// What a direction is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// To pass bytes, at most so many.
    Pass(usize),
    /// To read nothing until then.
    Wait(Instant),
    /// To stop for good: it is held from here on.
    Stop,
}

impl Switch {
    pub(crate) fn new(state: watch::Receiver<SeamState>) -> Self {
        let is_wanted = Cell::new(!state.borrow().rules.is_empty());
        Self {
            state: RefCell::new(state),
            is_wanted,
            goes_over: Cell::new(false),
            since: Cell::new(None),
            is_behind: Cell::new(false),
            n_changes: Cell::new(0),
            task: RefCell::new(None),
        }
    }

    /// The seam has changed.
    pub(crate) fn follow(&self, _: &SeamState) {
        self.has_changed();
    }

    fn has_changed(&self) {
        self.n_changes.set(self.n_changes.get() + 1);
        // Directions that were looked at before this are to be looked at again.
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }

    /// How often there was something for a direction to look at.
    pub(crate) fn n_changes(&self) -> u64 {
        self.n_changes.get()
    }

    /// Ready when a direction is to look again at what it is to do, which it did last after so many changes.
    pub(crate) fn poll_changed(&self, n_seen: u64, cx: &Context<'_>) -> Poll<()> {
        if self.n_changes.get() != n_seen {
            return Poll::Ready(());
        }
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Comes back when a direction is to look again at what it is to do.
    pub(crate) async fn changed(&self) {
        let n_seen = self.n_changes();
        poll_fn(|cx| self.poll_changed(n_seen, cx)).await;
    }

    /// Comes back when both directions are to stop.
    pub(crate) async fn goes_over(&self) {
        while !self.goes_over.get() {
            self.changed().await;
        }
    }

    /// Whether the consumer has still to take something that was read for it.
    pub(crate) fn is_behind(&self) -> &Cell<bool> {
        &self.is_behind
    }

    /// What a direction is to do now.
    pub(crate) fn stance(&self, direction: Direction, tap: &Tap) -> Stance {
        if self.goes_over.get() {
            return Stance::Stop;
        }
        if !self.is_wanted() {
            return Stance::Pass(usize::MAX);
        }
        if !tap.may_split(direction) {
            return Stance::Pass(tap.n_to_split(direction).unwrap_or(usize::MAX));
        }
        if tap.may_split(direction.opposite()) {
            self.goes_over.set(true);
            self.has_changed();
            return Stance::Stop;
        }
        match direction {
            Direction::ToProvider => self.turn(),
            Direction::ToConsumer => Stance::Pass(usize::MAX),
        }
    }

    fn is_wanted(&self) -> bool {
        let mut state = self.state.borrow_mut();
        if state.has_changed().unwrap_or(false) {
            self.is_wanted.set(!state.borrow_and_update().rules.is_empty());
        }
        self.is_wanted.get()
    }

    /// The consumer waits, or passes because it has waited.
    fn turn(&self) -> Stance {
        let now = Instant::now();
        let since = self.since.get().filter(|since| now < *since + WAITS + PASSES).unwrap_or(now);
        self.since.set(Some(since));
        if now < since + WAITS { Stance::Wait(since + WAITS) } else { Stance::Pass(usize::MAX) }
    }
}
