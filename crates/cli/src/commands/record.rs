//! `seam record`: keeps what passes chosen seams as files that belong in a repository.

use crate::commands::Act;
use crate::commands::run::Tests;
use crate::recorded::{Choice, Recording, USUAL_FOLDER, seam_value};
use crate::screen::Screen;
use crate::stored::stored_run;
use clap::Args;
use seam_diag::Diagnostic;
use seam_event::SeamId;
use seam_judge::Exit;
use std::path::PathBuf;

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

The exit code is that of the runs: 0 passed, 1 failed, 2 could not run, 3 inconclusive, 130 interrupted.")]
pub(crate) struct Record {
    #[command(flatten)]
    tests: Tests,

    /// Only this seam, as 'web -> api' or 'orders -> pg.stock'; may be given several times
    ///
    /// Where nothing is said all seams between components are recorded. 'test -> api' is what the tests ask themselves.
    #[arg(long = "seam", value_name = "SEAM", value_parser = seam_value, help_heading = "What is recorded")]
    seams: Vec<SeamId>,
    /// Into this folder; else into `recordings` beside seam.yaml
    #[arg(long, value_name = "FOLDER", help_heading = "What is recorded")]
    out: Option<PathBuf>,
    /// Of this stored run instead of new ones; given twice, what differs between the two varies
    ///
    /// RUN is `latest`, an id, the beginning or the last characters of one, or a run's folder.
    #[arg(long, value_name = "RUN", help_heading = "What is recorded")]
    from: Vec<String>,
}

impl Act for Record {
    fn act(mut self, screen: &mut Screen) -> Exit {
        let choice = Choice::new(std::mem::take(&mut self.seams));
        if self.from.is_empty() {
            self.of_new_runs(&choice, screen)
        } else {
            self.of_stored_runs(choice, screen)
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
        let folder = self.out.unwrap_or_else(|| first.project.join(USUAL_FOLDER));
        let kept = Recording::new(folder, choice.clone()).of(&[first.folder, second.folder], screen);
        if first.exit == Exit::Passed { kept } else { first.exit }
    }

    fn of_stored_runs(self, choice: Choice, screen: &mut Screen) -> Exit {
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
        let folder = self.out.unwrap_or_else(|| project.join(USUAL_FOLDER));
        Recording::new(folder, choice).of(&runs, screen)
    }
}
