//! `seam run`: raises the system, runs the tests, says what they came to, and leaves nothing behind.

mod again;
mod telling;

use crate::chosen::{Files, Readable, counted};
use crate::commands::Act;
use crate::recorded::{Choice, Recording};
use crate::reports::{Wanted, report_value};
use crate::screen::Screen;
use crate::session::{Fetching, Interrupts, Session, SessionError, make_room, runtime};
use crate::stored::StoredError;
use clap::Args;
use seam_diag::Diagnostic;
use seam_engine::{Ground, Request, RunOptions, Selection, Stopped, SystemPlan};
use seam_history::{Ending, RunFolder, Writer};
use seam_judge::Exit;
use seam_report::Progress;
use std::path::PathBuf;
use telling::Telling;

/// Raise the system, run its tests, and say what they came to
///
/// Reads seam.yaml and the files of tests, raises all components for real, stands on every seam between them, runs
/// the tests one after the other, and takes everything down again. All that happens is kept in .seam/runs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  seam run                                  all tests of the project in this folder
  seam run shop/tests/cart.seam.yaml        the tests of one file
  seam run --test coupon --tag critical     tests whose name holds a text, and that have a tag
  seam run --report junit=results.xml       for the pipeline
  seam run --rerun latest                   what did not pass the last time, with the same seed

Exit codes: 0 passed, 1 failed, 2 could not run (files, machine, Seamwork),
3 inconclusive or nothing ran, 130 interrupted.

Ctrl-C ends everything in order and tells what is known so far; a second one ends at once.")]
pub(crate) struct Run {
    #[command(flatten)]
    tests: Tests,
    /// Keep what passed between components as recordings, in this folder (else `recordings`)
    ///
    /// `seam record` runs the tests twice and so finds out by itself what varies from run to run.
    #[arg(
        long,
        value_name = "FOLDER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = crate::recorded::USUAL_FOLDER,
        help_heading = "Reports"
    )]
    record: Option<PathBuf>,
}

/// Which tests are run, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Tests {
    #[command(flatten)]
    files: Files,

    /// Only tests whose name, or file and name, holds this text, in capitals or not; may be given several times
    #[arg(long = "test", value_name = "TEXT", help_heading = "Which tests")]
    texts: Vec<String>,
    /// Only tests with this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG", help_heading = "Which tests")]
    tags: Vec<String>,
    /// Only what did not pass in a stored run, with its seed and profile; with --test or --tag: these
    ///
    /// RUN is `latest`, an id, or the beginning or the last characters of one. Where all of its tests passed, all
    /// are run again.
    #[arg(long, value_name = "RUN", help_heading = "Which tests")]
    rerun: Option<String>,

    /// The seed of all chance; another one each time where nothing is said, and always printed
    #[arg(long, value_name = "NUMBER", help_heading = "How")]
    seed: Option<u64>,
    /// Stop at the first test that fails
    #[arg(long, help_heading = "How")]
    fail_fast: bool,
    /// Keep what the matcher `snapshot` finds, in the folder `snapshots`, instead of comparing it
    #[arg(long, help_heading = "How")]
    update_snapshots: bool,
    #[command(flatten)]
    fetching: Fetching,
    /// They drive a provider in a consumer's place, which says nothing about which seams are used.
    #[arg(skip)]
    is_part: bool,

    #[arg(
        long = "report",
        value_name = "FORMAT=FILE",
        value_parser = report_value,
        help_heading = "Reports",
        help = crate::reports::help(),
        long_help = crate::reports::long_help()
    )]
    reports: Vec<Wanted>,
}

impl Act for Run {
    fn act(self, screen: &mut Screen) -> Exit {
        let Self { mut tests, record } = self;
        let ran = match tests.run(&|_| Ok(()), screen) {
            Ok(ran) => ran,
            Err(exit) => return exit,
        };
        let Some(folder) = record else { return ran.exit };
        let exit = Recording::new(ran.project.join(folder), Choice::default()).of(&[ran.folder], screen);
        if ran.exit == Exit::Passed { exit } else { ran.exit }
    }
}

/// Tests that were run.
pub(crate) struct Ran {
    /// What they came to.
    pub(crate) exit: Exit,
    /// Where the run is kept.
    pub(crate) folder: RunFolder,
    /// The folder of `seam.yaml`.
    pub(crate) project: PathBuf,
}

/// What else has to be right before anything starts.
pub(crate) type Demand<'a> = &'a dyn Fn(&Readable) -> Result<(), Diagnostic>;

impl Tests {
    /// Runs them and tells of it. Where they could not be run, that is told, and the exit code comes back.
    pub(crate) fn run(&mut self, demand: Demand<'_>, screen: &mut Screen) -> Result<Ran, Exit> {
        let selection = match self.selection() {
            Ok((selection, note)) => {
                screen.tell(&note);
                selection
            }
            Err(error) => {
                screen.diagnostic(&error.diagnostic());
                return Err(Exit::CouldNotRun);
            }
        };
        let seed = *self.seed.get_or_insert_with(any_seed);
        let chooses = !selection.is_all();
        let read = self.files.read(selection, seed, screen)?;
        if read.plan.tests.is_empty() {
            screen.diagnostic(&nothing_to_run(&read, chooses));
            return Err(Exit::Inconclusive);
        }
        if let Err(diagnostic) = demand(&read) {
            screen.diagnostic(&diagnostic);
            return Err(Exit::CouldNotRun);
        }
        self.carry_out(read, screen).map_err(|error| {
            screen.error(&error, error.hint());
            Exit::CouldNotRun
        })
    }

    /// The names of the secrets that the system declares; none where its files can't be read, which a run tells.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.system(|system| system.secrets().map(|(name, _)| name.to_owned()).collect())
    }

    /// The names of the components that have ended when they are ready; none where the files can't be read.
    pub(crate) fn jobs(&self) -> Vec<String> {
        self.system(|system| system.jobs().map(str::to_owned).collect())
    }

    fn system(&self, look: impl Fn(&SystemPlan) -> Vec<String>) -> Vec<String> {
        let request = Request {
            paths: self.files.paths.clone(),
            profile: self.files.profile.clone(),
            ..Request::default()
        };
        seam_engine::plan(&request).plan.map(|plan| look(&plan.system)).unwrap_or_default()
    }

    /// The same way of running, of all tests in these files.
    pub(crate) fn of(&self, paths: Vec<PathBuf>) -> Self {
        Self { files: Files { paths, profile: self.files.profile.clone() }, ..self.clone() }
    }

    /// The same way, in a consumer's place.
    pub(crate) fn in_a_consumers_place(self) -> Self {
        Self { is_part: true, ..self }
    }

    /// The same, of all tests in this file and without reports.
    pub(crate) fn only(&self, path: PathBuf) -> Self {
        let (texts, tags, reports) = (Vec::new(), Vec::new(), Vec::new());
        Self { texts, tags, reports, rerun: None, ..self.of(vec![path]) }
    }

    /// The files and folders that were named.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.files.paths
    }

    fn carry_out(&self, read: Readable, screen: &mut Screen) -> Result<Ran, SessionError> {
        let command = self.command();
        let session = Session::open(&read, self.fetching, command.clone())?;
        let Readable { root, plan, .. } = read;
        let Session { folder, writer, sources, ground, ticker, .. } = session;
        let (reports, progress) = (self.reports.clone(), Progress::default());
        let token = format!("seam-{:016x}", chance());
        let mut telling = Telling { root, folder, sources, ticker, reports, progress, command, token };
        let runtime = runtime()?;
        let interrupts = Interrupts::listen()?;
        let asked = interrupts.asked.clone();
        let ground = Ground { update_snapshots: self.update_snapshots, ..ground };
        let options = RunOptions { fail_fast: self.fail_fast, is_part: self.is_part };
        let running = runtime.spawn(async move {
            let ran = seam_engine::run(plan, options, ground, asked).await;
            finish(writer, ran).await
        });
        telling.while_it_runs(screen, &interrupts);
        let ending = runtime.block_on(running);
        make_room(&telling.root);
        let (folder, project) = (telling.folder.clone(), telling.root.clone());
        let exit = telling.at_the_end(screen, ending);
        // A name that is still being looked up keeps nobody waiting.
        runtime.shutdown_background();
        Ok(Ran { exit, folder, project })
    }

    /// The command line that runs the same again.
    fn command(&self) -> Vec<String> {
        let mut words = vec!["run".to_owned()];
        words.extend(self.files.paths.iter().map(|path| path.to_string_lossy().into_owned()));
        let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
        self.files.profile.iter().for_each(|profile| option("--profile", profile));
        self.texts.iter().for_each(|text| option("--test", text));
        self.tags.iter().for_each(|tag| option("--tag", tag));
        self.rerun.iter().for_each(|run| option("--rerun", run));
        self.seed.iter().for_each(|seed| option("--seed", &seed.to_string()));
        words.extend(self.fail_fast.then(|| "--fail-fast".to_owned()));
        words.extend(self.update_snapshots.then(|| "--update-snapshots".to_owned()));
        words.extend(self.fetching.offline.then(|| "--offline".to_owned()));
        words
    }

    /// The tests that are meant.
    fn selection(&mut self) -> Result<(Selection, String), StoredError> {
        let mut selection = Selection { names: self.texts.clone(), tags: self.tags.clone(), ids: None };
        let Some(name) = &self.rerun else { return Ok((selection, String::new())) };
        let earlier = again::earlier(&self.files.paths, name)?;
        self.seed = self.seed.or(Some(earlier.seed));
        self.rerun = Some(earlier.run.to_string());
        self.files.profile = self.files.profile.take().or(earlier.profile);
        let mut note = String::new();
        if selection.is_all() {
            if earlier.all.is_empty() {
                note = format!("the run {} had no tests: all tests are run\n", earlier.run);
            } else if earlier.bad.is_empty() {
                note = format!("all tests of the run {} passed: all are run again\n", earlier.run);
                selection.ids = Some(earlier.all);
            } else {
                selection.ids = Some(earlier.bad);
            }
        }
        Ok((selection, note))
    }
}

/// Writes the last event. It waits for the disk, so it has a thread to itself.
async fn finish(writer: Writer, ran: Result<(), Stopped>) -> Ending {
    let reason = match ran {
        Ok(()) => "done",
        Err(Stopped::Interrupted) => "interrupted",
        Err(Stopped::CouldNotRun) => "the run could not go on",
    };
    match tokio::task::spawn_blocking(move || writer.finish(reason)).await {
        Ok(ending) => ending,
        Err(error) => Ending { trouble: Some(error.to_string()), ..Ending::default() },
    }
}

fn nothing_to_run(read: &Readable, chooses: bool) -> Diagnostic {
    let all = read.plan.n_tests_in_all;
    if chooses && all > 0 {
        let tests = counted(all, "test", "tests");
        let chosen = Diagnostic::error(format!("none of the {tests} is chosen, so nothing ran"));
        return chosen.hint("`--test` looks for a text in file and name, `--tag` for a whole tag");
    }
    Diagnostic::error("there are no tests, so nothing ran")
        .hint("tests stand in files that end with .seam.yaml, in the folder tests beside seam.yaml")
}

/// A seed that is short enough to be read out.
fn any_seed() -> u64 {
    chance() % 1_000_000
}

/// Chance from where the standard library has it for its maps; nothing that a run does depends on it but its seed.
fn chance() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
