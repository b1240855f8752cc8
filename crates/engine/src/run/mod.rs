//! Carries a Plan out: the testbed raised, every test run, the testbed taken down again, whatever happens.

mod attempt;
mod bench;
mod fixtures;
mod inside;
pub(crate) mod lane;
mod settle;
pub(crate) mod step;
pub(crate) mod variables;

use crate::plan::Plan;
use crate::plan::test::PlannedTest;
use crate::run::attempt::attempt;
use crate::run::fixtures::Fixtures;
use crate::run::lane::Lane;
use crate::run::step::Ended;
use crate::testbed::{Alive, BedError, Ground, Testbed};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use seam_diag::Diagnostic;
use seam_event::{ComponentId, Level, Notice, RunId, Scope, SeamId, StoredFile, What};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long the system may take to become quiet after its start, before the state is kept.
const QUIET_AT_START: Duration = Duration::from_secs(10);

/// How long the clean-up of wider fixtures may take.
const CLEAN_UP_WITHIN: Duration = Duration::from_secs(30);

/// How a run goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Stop at the first test that fails.
    pub fail_fast: bool,
    /// These tests are no more than a part of what the system does, such as a replay, in which no consumer is driven: they
    /// say nothing about which seams are used.
    pub is_part: bool,
}

/// Why a run came to no proper end. What there is to say has been recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody asked for it.
    Interrupted,
    /// The system could not be raised, or Seamwork could not do its work.
    CouldNotRun,
}

/// Runs all tests of a plan. `interrupt` turns true when somebody asks to stop. Nothing that was started is left
/// when this comes back.
pub async fn run(
    plan: Plan,
    options: RunOptions,
    ground: Ground,
    interrupt: watch::Receiver<bool>,
) -> Result<(), Stopped> {
    let recorder = ground.recorder.clone();
    let tell = move |error: &BedError| {
        for diagnostic in error.diagnostics() {
            recorder.record(Scope::default(), What::Notice(Notice::from(&diagnostic)));
        }
    };
    let bed = match Testbed::open(Arc::new(plan), ground, interrupt).await {
        Ok(bed) => Arc::new(bed),
        Err(error) => {
            tell(&error);
            return Err(Stopped::CouldNotRun);
        }
    };
    let ran = run_in(&bed, options).await;
    bed.enter(Scope::default());
    let closed = bed.close().await;
    match ran.and(closed) {
        Ok(()) => Ok(()),
        Err(BedError::Interrupted) => Err(Stopped::Interrupted),
        Err(error) => {
            tell(&error);
            Err(Stopped::CouldNotRun)
        }
    }
}

/// What is done once a system is up, and what is to be done before it is taken down again. The error is read after "failed
/// to".
pub type Raised = BoxFuture<'static, Result<BoxFuture<'static, ()>, String>>;

/// Raises a system and keeps it up until somebody asks to stop; `raised` hears the addresses.
pub async fn up(
    plan: Plan,
    ground: Ground,
    raised: impl FnOnce(Up) -> Raised,
    interrupt: watch::Receiver<bool>,
) -> Result<(), BedError> {
    let bed = Arc::new(Testbed::open(Arc::new(plan), ground, interrupt).await?);
    let mut before_end = None;
    let living = async {
        raise(&bed).await?;
        before_end = Some(raised(Up::of(&bed)).await.map_err(BedError::Unheard)?);
        std::future::pending().await
    };
    let ran = tokio::select! {
        ran = living => ran,
        () = bed.interrupted() => Ok(()),
    };
    if let Some(before_end) = before_end {
        before_end.await;
    }
    let closed = bed.close().await;
    ran.and(closed)
}

/// What is up, and where.
pub struct Up {
    /// Component, endpoint, and the address where the test's own seam to it listens.
    pub addresses: Vec<(String, String, String)>,
    /// The file with the certificate of the run's authority, for whoever dials a seam with TLS.
    pub authority: PathBuf,
    /// The system itself, to be controlled.
    pub system: Alive,
}

impl Up {
    fn of(bed: &Arc<Testbed>) -> Self {
        let mut addresses = Vec::new();
        for (name, component) in &bed.system().components {
            for endpoint in &component.endpoints {
                if let Some(url) = bed.wiring().property("test", name, &endpoint.name, "url") {
                    addresses.push((name.clone(), endpoint.name.clone(), url));
                }
            }
        }
        let authority = bed.authority_file().to_owned();
        Self { addresses, authority, system: Alive::of(bed) }
    }
}

/// Prepares and raises the system, and keeps its state once it is quiet.
async fn raise(bed: &Arc<Testbed>) -> Result<(), BedError> {
    bed.prepare().await?;
    bed.say("raising the system");
    bed.raise_all().await?;
    let quiet = bed.system().quiet;
    // A system that never rests (a worker that polls) is raised all the same.
    let _ = bed.until_quiet(quiet, Instant::now() + QUIET_AT_START).await;
    bed.keep_state(0).await.map_err(BedError::State)
}

async fn run_in(bed: &Arc<Testbed>, options: RunOptions) -> Result<(), BedError> {
    tokio::select! {
        raised = raise(bed) => raised?,
        () = bed.interrupted() => return Err(BedError::Interrupted),
    }
    bed.say("running the tests");
    let plan = Arc::clone(bed.plan());
    let mut fixtures = Fixtures::default();
    let mut last: Option<&PlannedTest> = None;
    for test in &plan.tests {
        if last.is_some_and(|last| last.file != test.file) {
            end(bed, &mut fixtures, last, false).await;
        }
        last = Some(test);
        if test.told.skip.is_some() {
            continue;
        }
        let ended = attempt(bed, test, 1, &mut fixtures).await;
        if bed.is_interrupted() {
            break;
        }
        if options.fail_fast && ended >= Ended::Failed && test.told.fails.is_none() {
            break;
        }
    }
    end(bed, &mut fixtures, last, true).await;
    if bed.is_interrupted() {
        return Err(BedError::Interrupted);
    }
    // Some of the tests say nothing about what all of them use.
    if plan.tests.len() == plan.n_tests_in_all && !options.is_part {
        tell_seams(bed);
    }
    Ok(())
}

/// Cleans up the wider fixtures of a file, or of the whole run.
async fn end(bed: &Arc<Testbed>, fixtures: &mut Fixtures, last: Option<&PlannedTest>, run: bool) {
    let Some(last) = last.filter(|_| fixtures.any()) else { return };
    let scope = Scope { test: Some(last.id().clone()), attempt: Some(1), step: None };
    let lane = Lane::bare(bed, scope, Instant::now() + CLEAN_UP_WITHIN);
    if run {
        fixtures.end_run(&lane).await;
    } else {
        fixtures.end_file(&lane).await;
    }
}

/// Warns of seams that are declared and were never used, and of those that were used and are declared nowhere.
fn tell_seams(bed: &Testbed) {
    let used: BTreeSet<(ComponentId, SeamId)> = bed.journal().used().into_iter().collect();
    for planned in &bed.system().seams {
        let is_used =
            used.iter().any(|(who, seam)| *who == planned.id.consumer && reaches(seam, &planned.id));
        if !is_used {
            let title = format!("the seam `{}` is declared, and nobody used it", planned.id);
            warn(bed, &Diagnostic::warning(title).at(planned.span, ""));
        }
    }
    for (who, seam) in &used {
        let declared = bed
            .system()
            .seams
            .iter()
            .any(|planned| planned.id.consumer == *who && reaches(seam, &planned.id));
        if !declared && !who.is_test() {
            let to = SeamId { consumer: who.clone(), ..seam.clone() };
            warn(
                bed,
                &Diagnostic::warning(format!("the seam `{to}` was used, and no reference declares it")),
            );
        }
    }
}

fn reaches(used: &SeamId, declared: &SeamId) -> bool {
    used.provider == declared.provider && used.endpoint == declared.endpoint
}

fn warn(bed: &Testbed, diagnostic: &Diagnostic) {
    bed.record(Scope::default(), What::Notice(Notice { level: Level::Warning, ..Notice::from(diagnostic) }));
}

/// What the head of a run says besides its plan.
pub struct Opening {
    /// The run's id.
    pub run: RunId,
    /// The version of `seam`.
    pub version: String,
    /// When the run began.
    pub began: Timestamp,
    /// The files as the History keeps them.
    pub files: Vec<StoredFile>,
    /// The command line that runs the same again, without the program's path.
    pub command: Vec<String>,
}

/// The first event of a run: what is going to be run.
pub fn opening(plan: &Plan, opening: Opening) -> What {
    let Opening { run, version, began, files, command } = opening;
    What::Plan {
        run,
        version,
        seed: plan.seed,
        began: began.to_string(),
        system: plan.system.name.clone(),
        files,
        tests: plan.tests.iter().map(|test| test.told.clone()).collect(),
        seams: plan.system.seams.iter().map(|planned| planned.id.clone()).collect(),
        command,
    }
}
