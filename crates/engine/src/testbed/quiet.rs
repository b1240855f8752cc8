//! Waits until nothing is going on any more: no call open but those that wait, and nothing passed for a while.

use crate::run::variables::Variables;
use crate::testbed::Testbed;
use crate::testbed::journal::shown_whole;
use crate::testbed::waiting::Asked;
use seam_event::on_one_line;
use seam_expr::Chance;
use seam_value::Map;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether anything is going on.
const LOOK: Duration = Duration::from_millis(2);

/// The same where calls are open that have to be looked into.
const LOOK_INTO: Duration = Duration::from_millis(10);

/// How many open calls are named, and by how many letters each.
const MOST_NAMED: usize = 3;
const MOST_LETTERS: usize = 120;

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
            let may_wait = is_still && !self.system().waits.is_empty();
            let work = match n_open {
                0 => Work { n_calls: 0, known: Vec::new() },
                // Where none waits, and while something passes, it need not be known what they are.
                n_calls if !may_wait && !is_over => Work { n_calls, known: Vec::new() },
                _ => self.work().await,
            };
            // Looking took a while, in which something may have passed.
            if work.n_calls == 0 && is_still && self.proxy.pulse().still_for() >= quiet {
                return Ok(());
            }
            if is_over {
                let named = |Asked { call }: &Asked| {
                    let asked = self.ground.masker.text(&shown_whole(&call.request)).into_owned();
                    format!("{} {}", call.seam, on_one_line(&asked, MOST_LETTERS))
                };
                let open = work.known.iter().take(MOST_NAMED).map(named).collect();
                return Err(NotQuiet { n_open_calls: work.n_calls, open, still_for });
            }
            // Where only time is missing, so much of it is slept at once.
            let missing = match n_open {
                0 => quiet.saturating_sub(still_for),
                _ if may_wait => LOOK_INTO,
                _ => LOOK,
            };
            tokio::time::sleep_until(deadline.min(Instant::now() + missing.max(LOOK))).await;
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
        Work { n_calls: open.n_all.saturating_sub(n_declared), known }
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
