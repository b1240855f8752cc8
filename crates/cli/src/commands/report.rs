//! `seam report RUN`: what a stored run came to, again and in any form.

use crate::commands::Act;
use crate::reports::{Wanted, report_value};
use crate::screen::Screen;
use crate::stored::{StoredRun, stored_run};
use clap::Args;
use clap::builder::PossibleValuesParser;
use seam_diag::Diagnostic;
use seam_judge::{Exit, verdict};
use std::path::PathBuf;

/// Report again on a stored run
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam report                            the latest run of the project in this folder
  seam report 3f2                        the run whose id begins or ends so
  seam report --format json | jq .tests
  seam report 3f2 --report junit=results.xml --report markdown=summary.md

The exit code is that of the run: 0 passed, 1 failed, 2 could not run, 3 inconclusive, 130 interrupted.")]
pub(crate) struct Report {
    /// The run: `latest`, its id, the beginning or the last characters of it, or a run's folder
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    /// A folder of the project; this folder where nothing is said
    #[arg(value_name = "PATH")]
    project: Option<PathBuf>,
    /// The form that is printed
    #[arg(long, value_name = "FORMAT", default_value = "terminal", value_parser = forms())]
    format: String,
    /// Write a form into a file instead; may be given several times
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = report_value)]
    reports: Vec<Wanted>,
}

fn forms() -> PossibleValuesParser {
    let reports = seam_report::REPORTS.iter();
    let value =
        |word: &'static seam_model::Word| clap::builder::PossibleValue::new(word.name).help(word.line);
    reports.map(|report| value(&report.word)).collect::<Vec<_>>().into()
}

impl Act for Report {
    fn act(self, screen: &mut Screen) -> Exit {
        let paths: Vec<PathBuf> = self.project.iter().cloned().collect();
        let StoredRun { project, stored, .. } = match stored_run(&paths, &self.run) {
            Ok(run) => run,
            Err(error) => {
                screen.diagnostic(&error.diagnostic());
                return Exit::CouldNotRun;
            }
        };
        let verdict = verdict(&stored.history.events);
        for (count, what) in [(stored.unknown, "of a newer kind"), (stored.damaged, "damaged")] {
            if count > 0 {
                screen.diagnostic(&Diagnostic::warning(format!(
                    "{count} events are {what} and were passed over"
                )));
            }
        }
        let mut wanted = self.reports;
        if wanted.is_empty() {
            wanted.extend(seam_report::find(&self.format).map(Wanted::printed));
        }
        for one in &wanted {
            if let Err(error) = one.write(&stored.history, &verdict, &project, screen) {
                screen.error(&error, "");
                return Exit::CouldNotRun;
            }
        }
        verdict.exit()
    }
}
