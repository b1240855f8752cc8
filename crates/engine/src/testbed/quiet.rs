//! Waits until nothing is going on any more: no call open but those that wait, and nothing passed for a while.

use crate::run::variables::Variables;
use crate::testbed::Testbed;
use crate::testbed::journal::shown_request;
use crate::testbed::waiting::{Asked, OPEN_FOR};
use seam_expr::Chance;
use seam_value::Map;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether anything is going on.
const LOOK: Duration = Duration::from_millis(2);

/// The same where calls are open that have to be looked into.
const LOOK_INTO: Duration = Duration::from_millis(10);

/// How often it is looked at the start whether what is open only waits.
const LOOK_AT_START: Duration = Duration::from_millis(100);

/// How many open calls are named.
const MOST_NAMED: usize = 3;

/// Why it never became quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotQuiet {
    /// Calls that were still open at the end, but for those that wait.
    pub(crate) n_open_calls: usize,
    /// Some of them.
    pub(crate) open: Vec<String>,
    /// How long nothing had passed at the end.
    pub(crate) still_for: Duration,
}

/// Calls that are open and at work.
struct Work {
    n_calls: usize,
    /// Those of them of which is known what was asked.
    known: Vec<Asked>,
}

impl Testbed {
    /// Comes back when no call is open but those that wait, and nothing has passed any seam for so long; by the deadline
    /// at the latest.
    pub(crate) async fn until_quiet(
        self: &Arc<Self>,
        quiet: Duration,
        deadline: Instant,
    ) -> Result<(), NotQuiet> {
        loop {
            let (n_open, still_for) = (self.proxy.pulse().n_open_calls(), self.proxy.pulse().still_for());
            let is_over = Instant::now() >= deadline;
            let is_still = still_for >= quiet;
            let work = match n_open {
                0 => Work { n_calls: 0, known: Vec::new() },
                // Who passes something now is looked into later.
                n_calls if !is_still && !is_over => Work { n_calls, known: Vec::new() },
                _ => self.work().await,
            };
            // Looking took a while, in which something may have passed.
            if work.n_calls == 0 && is_still && self.proxy.pulse().still_for() >= quiet {
                return Ok(());
            }
            if is_over {
                let named = work.known.iter().take(MOST_NAMED);
                let named =
                    named.map(|Asked { call, .. }| format!("{} {}", call.seam, shown_request(&call.request)));
                let open = named.collect();
                return Err(NotQuiet { n_open_calls: work.n_calls, open, still_for });
            }
            // Where only time is missing, so much of it is slept at once.
            let missing = match n_open {
                0 => quiet.saturating_sub(still_for),
                _ if is_still => LOOK_INTO,
                _ => LOOK,
            };
            tokio::time::sleep_until(deadline.min(Instant::now() + missing.max(LOOK))).await;
        }
    }

    /// The same before the tests begin. Nobody has asked for anything yet, so a call that stays open while nothing
    /// passes waits for something to happen, and will do so in the tests.
    pub(crate) async fn until_quiet_at_start(self: &Arc<Self>, quiet: Duration, deadline: Instant) {
        let rested = quiet.max(OPEN_FOR);
        while self.until_quiet(quiet, deadline.min(Instant::now() + quiet + LOOK_AT_START)).await.is_err() {
            let now = self.proxy.pulse().now();
            let calls = self.work().await.known;
            let long = calls.iter().filter(|asked| now.saturating_sub(asked.call.at) >= OPEN_FOR).count();
            let rests = self.proxy.pulse().still_for() >= rested && long == calls.len() && long > 0;
            if rests || Instant::now() >= deadline {
                self.waiting.begin(&calls, now);
                return;
            }
        }
    }

    /// What is open and does not wait.
    async fn work(self: &Arc<Self>) -> Work {
        let open = self.proxy.calls().await;
        let names = Variables::new(Map::default(), Chance::new(self.plan().seed, "waits"), self, self.root());
        let mut known: Vec<Asked> = open.asked.into_iter().map(Asked::from).collect();
        let n_known = known.len();
        known.retain(|asked| !self.system().waits.iter().any(|wait| wait.takes(&asked.call, &names)));
        let n_declared = n_known - known.len();
        // What was answered just now is to be known before what is asked anew is judged.
        self.drain().await;
        let (n_waiting, known) = self.waiting.sort(known, self.now());
        Work { n_calls: open.n_all.saturating_sub(n_declared + n_waiting), known }
    }
}

impl NotQuiet {
    /// How to mend it, where calls are open of which somebody might know that they only wait.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        const WAITS: &str =
            "where such a call waits for something to happen (a long poll), say so in `waits` of seam.yaml";
        (!self.open.is_empty()).then_some(WAITS)
    }
}

impl std::fmt::Display for NotQuiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.n_open_calls {
            0 => return write!(f, "something passed a seam {} ms ago", self.still_for.as_millis()),
            1 => write!(f, "1 call is still open")?,
            n_open => write!(f, "{n_open} calls are still open")?,
        }
        let Some((first, others)) = self.open.split_first() else { return Ok(()) };
        write!(f, ": {first}")?;
        others.iter().try_for_each(|open| write!(f, "; {open}"))?;
        if self.n_open_calls > self.open.len() { write!(f, "; …") } else { Ok(()) }
    }
}
