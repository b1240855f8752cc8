//! How a connection that is only passed on comes to be held: at a moment when nothing is in the middle of anything.
//!
//! ```text
//! consumer ─▶ up: waits between two requests ─┐
//!                                              ├─▶ both stopped: held from here on
//! provider ─▶ down: goes on until no call is open ─┘
//! ```
//! While the consumer is made to wait nobody reads what it says, and an open call may need just that: the next message
//! of a stream, credit for more of the reply. So it waits a moment at most, and then passes for a while as before. Where
//! a call is open for long the connection is held once that is over.

use crate::hold::SeamState;
use crate::relay::Tap;
use seam_wire::Direction;
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long a consumer waits for its open calls to end.
const WAITS: Duration = Duration::from_millis(250);

/// How long it passes before it is made to wait again.
const PASSES: Duration = Duration::from_secs(2);

/// The way from passing to holding.
pub(crate) struct Switch {
    /// Looked at right before each reading: a request that is sent after a rule was put is never just passed on.
    state: watch::Receiver<SeamState>,
    /// Since when the consumer was made to wait last.
    since: Cell<Option<Instant>>,
    /// Is it waiting now?
    up_waits: Cell<bool>,
    down: Cell<Down>,
    /// Has the consumer still to take something that was read for it?
    is_behind: Cell<bool>,
    changed: Notify,
}

/// What the provider's direction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Down {
    Passes,
    Stopped,
    Ended,
}

/// What a direction is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// To pass bytes.
    Pass,
    /// To read nothing until then.
    Wait(Instant),
    /// To stop for good: it is held from here on.
    Stop,
}

impl Switch {
    pub(crate) fn new(state: watch::Receiver<SeamState>) -> Self {
        Self {
            state,
            since: Cell::new(None),
            up_waits: Cell::new(false),
            down: Cell::new(Down::Passes),
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

    /// The provider's direction has come to its end, or has stopped.
    pub(crate) fn down_is_done(&self, has_ended: bool) {
        self.down.set(if has_ended { Down::Ended } else { Down::Stopped });
        self.changed.notify_waiters();
    }

    /// Whether the consumer has still to take something that was read for it.
    pub(crate) fn is_behind(&self) -> &Cell<bool> {
        &self.is_behind
    }

    /// What a direction is to do now.
    pub(crate) fn stance(&self, direction: Direction, tap: &Tap) -> Stance {
        match direction {
            Direction::ToProvider => self.of_up(tap),
            Direction::ToConsumer if self.up_waits.get() && tap.may_pause(direction) => Stance::Stop,
            Direction::ToConsumer => Stance::Pass,
        }
    }

    fn of_up(&self, tap: &Tap) -> Stance {
        let down = self.down.get();
        if down == Down::Stopped {
            return Stance::Stop;
        }
        let is_wanted = !self.state.borrow().rules.is_empty();
        let stance = if !is_wanted || !tap.may_pause(Direction::ToProvider) {
            Stance::Pass
        } else if down == Down::Ended {
            Stance::Stop
        } else {
            self.turn(tap)
        };
        let waits = matches!(stance, Stance::Wait(_));
        if self.up_waits.replace(waits) != waits && waits {
            self.changed.notify_waiters();
        }
        stance
    }

    /// The consumer waits, or passes because it has waited.
    fn turn(&self, tap: &Tap) -> Stance {
        let now = Instant::now();
        let since = self.since.get().filter(|since| now < *since + WAITS + PASSES && !tap.is_between());
        let since = since.unwrap_or_else(|| {
            self.since.set(Some(now));
            now
        });
        if now < since + WAITS { Stance::Wait(since + WAITS) } else { Stance::Pass }
    }
}
