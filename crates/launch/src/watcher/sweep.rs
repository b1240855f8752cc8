//! Ends what earlier runs left behind whose watcher was killed as well.

use super::processes::Table;
use super::registry::{self, Dead};
use super::strike;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long leftovers may take to end by themselves: PostgreSQL then takes its shared memory with it.
const GRACE: Duration = Duration::from_millis(500);

/// One run that was swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Its id.
    pub run: String,
    /// How many processes of it were ended.
    pub n_ended: usize,
    /// Those that could not be ended; the run is swept again at the next start.
    pub left: Vec<u32>,
    /// Its folders that were removed.
    pub folders: Vec<PathBuf>,
}

/// Ends what is left of runs whose watcher is dead: the processes that bear such a run's cookie with all that
/// descends from them, and nothing else. Removes their folders. Blocks; without such runs it takes microseconds.
///
/// A daemon that had cleared its environment is found only while it descends from something that has not.
pub fn sweep(registry: &Path) -> Vec<Swept> {
    Dead::find(registry).into_iter().map(sweep_one).collect()
}

fn sweep_one(dead: Dead) -> Swept {
    let found = strike::hold_all(&Table::read().of_cookie(&dead.cookie));
    let n_asked = found.len();
    strike::signal_all(&found, Signal::TERM);
    // What is paused would hear it only when it goes on.
    strike::signal_all(&found, Signal::CONT);
    strike::wait_for(found, Instant::now() + GRACE);
    // Not by groups: here nobody vouches that a group holds nothing but the run's own.
    let look = || Table::read().of_cookie(&dead.cookie);
    let outcome = strike::kill_all(look, strike::kill_alone, &mut || {});
    let there: Vec<PathBuf> = dead.folders.iter().filter(|folder| folder.exists()).cloned().collect();
    let folders: Vec<PathBuf> =
        there.iter().filter(|folder| registry::remove_folder(folder, &dead.run).is_ok()).cloned().collect();
    let all_removed = folders.len() == there.len();
    let n_ended = n_asked.max(outcome.n_ended);
    let swept = Swept { run: dead.run.clone(), n_ended, left: outcome.left, folders };
    if swept.left.is_empty() && all_removed {
        dead.forget();
    }
    swept
}
