//! `seam record`: keeps what passes chosen seams as files that belong in a repository.

mod written;

use crate::commands::Act;
use crate::commands::run::Tests;
use crate::recorded::{Choice, Recording, USUAL_FOLDER, archive_at, seam_value};
use crate::screen::Screen;
use crate::stored::stored_run;
use clap::{Args, ValueEnum};
use seam_diag::Diagnostic;
use seam_event::SeamId;
use seam_history::RunFolder;
use seam_judge::Exit;
use seam_recording::Made;
use std::path::{Path, PathBuf};

/// Run the tests twice, and keep what passed the seams as recordings
///
/// Both runs begin from the same state, with the same seed, so what differs between them varies by itself: ids, times,
/// tokens. It is marked as such, and a replay does not compare it. Secrets are masked, as everywhere.
///
/// A recording stands in a provider's place where `stub: recordings/web-api.yaml` says so.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam record                                 all seams between components, into recordings/
  seam record --seam 'web -> api' --tag smoke one seam, by some of the tests
  seam record --from latest                   of a run that is stored already
  seam record --from traffic.har              of an archive of HTTP
  seam record --from page.har --seam 'web -> api'
                                              all that a browser asked, as what web asks of api
  seam record --as tests                      what the tests ask, as tests/recorded.seam.yaml
  seam record --as tests --seam 'web -> api'  what web asks of api, as tests of api

The exit code is that of the runs: 0 passed, 1 failed, 2 could not run, 3 inconclusive, 130 interrupted.")]
pub(crate) struct Record {
    #[command(flatten)]
    tests: Tests,

    /// Only this seam, as 'web -> api' or 'orders -> pg.stock'; may be given several times
    ///
    /// Where nothing is said all seams between components are recorded. 'test -> api' is what the tests ask themselves.
    #[arg(long = "seam", value_name = "SEAM", value_parser = seam_value, help_heading = "What is recorded")]
    seams: Vec<SeamId>,
    /// As what: `recordings`, or `tests` in the language of tests, which pass as they are
    #[arg(long = "as", value_name = "FORM", default_value = "recordings", help_heading = "What is recorded")]
    form: Form,
    /// Into this folder; else into `recordings`, or `tests`, beside seam.yaml
    #[arg(long, value_name = "FOLDER", help_heading = "What is recorded")]
    out: Option<PathBuf>,
    /// Of this stored run instead of new ones; given twice, what differs between the two varies
    ///
    /// RUN is `latest`, an id, the beginning or the last characters of one, or a run's folder.
    #[arg(long, value_name = "RUN", help_heading = "What is recorded")]
    from: Vec<String>,
}

/// As what the interactions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// As recordings
    Recordings,
    /// As tests
    Tests,
}

impl Act for Record {
    fn act(mut self, screen: &mut Screen) -> Exit {
        let choice = match self.form {
            Form::Recordings => Choice::new(std::mem::take(&mut self.seams)),
            Form::Tests => Choice::of_tests(std::mem::take(&mut self.seams)),
        };
        if self.from.is_empty() {
            self.of_new_runs(&choice, screen)
        } else {
            self.of_stored_runs(&choice, screen)
        }
    }
}

impl Record {
    fn of_new_runs(mut self, choice: &Choice, screen: &mut Screen) -> Exit {
        let first = match self.tests.run(&|read| choice.check(read), screen) {
            Ok(ran) => ran,
            Err(exit) => return exit,
        };
        if matches!(first.exit, Exit::Interrupted | Exit::CouldNotRun) {
            return first.exit;
        }
        screen.tell("running the tests again from the same state, to see what varies\n");
        let second = match screen.hushed(|screen| self.tests.run(&|_| Ok(()), screen)) {
            Ok(ran) => ran,
            Err(exit) => return exit,
        };
        if second.exit == Exit::Interrupted {
            return second.exit;
        }
        if first.exit != second.exit {
            let odd = Diagnostic::warning("the second run came to something else than the first");
            let run = second.folder.id.as_str();
            screen.diagnostic(
                &odd.hint(format!("`seam report {run}` says what; what the first run saw is recorded")),
            );
        } else if first.exit == Exit::Failed {
            screen.diagnostic(&Diagnostic::warning("tests failed: what is recorded may be what is wrong"));
        }
        let runs = [first.folder, second.folder];
        let kept = self.keep(choice, &first.project, &runs, screen);
        if first.exit == Exit::Passed { kept } else { first.exit }
    }

    fn of_stored_runs(self, choice: &Choice, screen: &mut Screen) -> Exit {
        if let [archive] = self.from.as_slice()
            && archive.to_ascii_lowercase().ends_with(".har")
        {
            let archive = archive.clone();
            return self.of_archive(&archive, choice, screen);
        }
        let mut project = PathBuf::new();
        let mut runs = Vec::new();
        for name in &self.from {
            match stored_run(self.tests.paths(), name) {
                Ok(run) => {
                    project = run.project;
                    runs.push(run.folder);
                }
                Err(error) => {
                    screen.diagnostic(&error.diagnostic());
                    return Exit::CouldNotRun;
                }
            }
        }
        self.keep(choice, &project, &runs, screen)
    }

    fn keep(self, choice: &Choice, project: &Path, runs: &[RunFolder], screen: &mut Screen) -> Exit {
        match self.form {
            Form::Recordings => {
                let folder = self.out.unwrap_or_else(|| project.join(USUAL_FOLDER));
                Recording::new(folder, choice.clone()).of(runs, screen)
            }
            Form::Tests => {
                let folder = self.out.unwrap_or_else(|| project.join("tests"));
                let recording = Recording::new(folder, choice.clone());
                match recording.made(runs) {
                    Ok((made, missed)) => {
                        for missed in &missed {
                            screen.diagnostic(missed);
                        }
                        written::write(&recording, made, &self.tests, screen)
                    }
                    Err(error) => {
                        screen.error(&error, "");
                        Exit::CouldNotRun
                    }
                }
            }
        }
    }

    fn of_archive(self, path: &str, choice: &Choice, screen: &mut Screen) -> Exit {
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        let read =
            read.and_then(|text| archive_at(Path::new(path), &text).map_err(|error| error.to_string()));
        let recordings = match read {
            Ok(archive) => {
                for noted in &archive.noted {
                    screen.diagnostic(&Diagnostic::warning(format!("{path}: {noted}")));
                }
                archive.recordings
            }
            Err(reason) => {
                screen.diagnostic(&Diagnostic::error(format!("failed to read {path}: {reason}")));
                return Exit::CouldNotRun;
            }
        };
        let recordings = match choice.of_archive(recordings) {
            Ok(recordings) => recordings,
            Err(found) => {
                let nothing =
                    Diagnostic::error(format!("{path} holds nothing of the seam that is asked for"));
                screen.diagnostic(&nothing.hint(format!("it holds {found}")));
                return Exit::CouldNotRun;
            }
        };
        let made = Made { recordings, ..Made::default() };
        match self.form {
            Form::Recordings => {
                let folder = self.out.unwrap_or_else(|| PathBuf::from(USUAL_FOLDER));
                Recording::new(folder, choice.clone()).keep(made, screen)
            }
            Form::Tests => {
                let folder = self.out.unwrap_or_else(|| PathBuf::from("tests"));
                written::write(&Recording::new(folder, choice.clone()), made, &self.tests, screen)
            }
        }
    }
}
