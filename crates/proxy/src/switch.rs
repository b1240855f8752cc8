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
use crate::relay::Tap;
use seam_wire::Direction;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long a consumer waits for its open calls to end.
const WAITS: Duration = Duration::from_millis(250);

/// How long it passes before it is made to wait again.
const PASSES: Duration = Duration::from_secs(2);

/// The way from passing to holding.
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
    changed: Notify,
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
            changed: Notify::new(),
        }
    }

    /// The seam has changed.
    pub(crate) fn follow(&self, _: &SeamState) {
        self.changed.notify_waiters();
    }

    /// Comes back when a direction is to look again at what it is to do.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Comes back when both directions are to stop.
    pub(crate) async fn goes_over(&self) {
        while !self.goes_over.get() {
            self.changed.notified().await;
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
            self.changed.notify_waiters();
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
