//! What a stored run says to whoever runs it again: its seed, its profile, and which of its tests did not pass.

use crate::stored::{StoredError, stored_run};
use seam_event::{RunId, TestId};
use seam_judge::{TestOutcome, verdict};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// An earlier run.
pub(super) struct Earlier {
    /// Which.
    pub(super) run: RunId,
    /// The seed of all chance in it.
    pub(super) seed: u64,
    /// The profile that was laid over the system.
    pub(super) profile: Option<String>,
    /// All tests that were planned.
    pub(super) all: BTreeSet<TestId>,
    /// Those that did not pass, and those that never ran.
    pub(super) bad: BTreeSet<TestId>,
}

/// Reads the run that is meant.
pub(super) fn earlier(paths: &[PathBuf], name: &str) -> Result<Earlier, StoredError> {
    let run = stored_run(paths, name)?;
    let verdict = verdict(&run.stored.history.events);
    let is_bad = |outcome: TestOutcome| outcome.is_bad() || outcome == TestOutcome::NotRun;
    let bad = verdict.tests.iter().filter(|test| is_bad(test.outcome));
    Ok(Earlier {
        run: run.folder.id,
        seed: verdict.seed,
        profile: profile(&verdict.command),
        all: verdict.tests.iter().map(|test| test.id.clone()).collect(),
        bad: bad.map(|test| test.id.clone()).collect(),
    })
}

/// The profile in a stored command line.
fn profile(command: &[String]) -> Option<String> {
    let at = command.iter().position(|word| word == "--profile")?;
    command.get(at + 1).cloned()
}
