//! Waits until nothing is going on any more: no call open, and nothing passed for a while.

use seam_proxy::Pulse;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether anything is going on.
const LOOK: Duration = Duration::from_millis(2);

/// Why it never became quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotQuiet {
    /// Calls that were still open at the end.
    pub(crate) n_open_calls: usize,
    /// How long nothing had passed at the end.
    pub(crate) still_for: Duration,
}

/// Comes back when no call is open and nothing has passed any seam for so long; by the deadline at the latest.
pub(crate) async fn until_quiet(pulse: &Pulse, quiet: Duration, deadline: Instant) -> Result<(), NotQuiet> {
    loop {
        let (n_open_calls, still_for) = (pulse.n_open_calls(), pulse.still_for());
        if n_open_calls == 0 && still_for >= quiet {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(NotQuiet { n_open_calls, still_for });
        }
        // Where only time is missing, so much of it is slept at once.
        let missing = if n_open_calls == 0 { quiet.saturating_sub(still_for) } else { LOOK };
        tokio::time::sleep_until(deadline.min(Instant::now() + missing.max(LOOK))).await;
    }
}

impl std::fmt::Display for NotQuiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.n_open_calls {
            0 => write!(f, "something passed a seam {} ms ago", self.still_for.as_millis()),
            1 => write!(f, "1 call is still open"),
            n_open => write!(f, "{n_open} calls are still open"),
        }
    }
}
