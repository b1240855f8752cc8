//! Tells a run while it runs and when it has ended: each test as soon as it is over, what is going on at the bottom
//! of the terminal, and the reports.

use crate::reports::{Wanted, options};
use crate::screen::Screen;
use crate::session::Interrupts;
use crate::session::Ticker;
use seam_diag::{Diagnostic, Sources};
use seam_history::{Ending, Reader, RunFolder, Stored};
use seam_judge::{Exit, Verdict, verdict};
use seam_report::terminal::Page;
use seam_report::{Progress, github};
use std::io::Write;
use std::path::{Path, PathBuf};
use tokio::task::JoinError;

/// What there is to tell of, and to whom.
pub(super) struct Telling {
    /// The folder of `seam.yaml`.
    pub(super) root: PathBuf,
    pub(super) folder: RunFolder,
    pub(super) sources: Sources,
    pub(super) ticker: Ticker,
    pub(super) reports: Vec<Wanted>,
    pub(super) progress: Progress,
    /// The command line that runs the same again.
    pub(super) command: Vec<String>,
    /// What lets GitHub obey commands again; nobody who is tested may guess it.
    pub(super) token: String,
}

impl Telling {
    /// Tells what happens until nothing more will.
    pub(super) fn while_it_runs(&mut self, screen: &mut Screen, interrupts: &Interrupts) {
        if is_github() {
            screen.say(&github::stop(&self.token));
        }
        let Self { sources, folder, command, ticker, progress, .. } = self;
        let page = Page { sources, run: Some(&folder.id), command, look: screen.look() };
        ticker.follow(screen, progress, &page, interrupts);
    }

    /// Tells what it all came to, and writes the reports.
    pub(super) fn at_the_end(mut self, screen: &mut Screen, ending: Result<Ending, JoinError>) -> Exit {
        let ending =
            ending.unwrap_or_else(|error| Ending { trouble: Some(error.to_string()), ..Ending::default() });
        let missed = self.ticker.missed();
        let stored =
            (missed > 0 || !self.reports.is_empty() || is_github()).then(|| self.stored(screen)).flatten();
        let verdict = match &stored {
            Some(stored) => verdict(&stored.history.events),
            None => self.progress.verdict(),
        };
        match &stored {
            Some(stored) if missed > 0 => {
                screen.tell(&format!(
                    "{missed} events came faster than they could be told; the whole run again:\n"
                ));
                let terminal = seam_report::find("terminal").map(Wanted::printed);
                let written =
                    terminal.map(|wanted| wanted.write(&stored.history, &verdict, &self.root, screen));
                debug_assert!(written.is_none_or(|written| written.is_ok()), "printing is no file");
            }
            _ => {
                let Self { sources, folder, command, progress, .. } = &mut self;
                let page = Page { sources, run: Some(&folder.id), command, look: screen.look() };
                screen.say(&progress.rest(&page));
            }
        }
        if is_github() {
            screen.say(&github::resume(&self.token));
        }
        let mut is_whole = true;
        if let Some(trouble) = &ending.trouble {
            is_whole = false;
            let folder = self.folder.path.display();
            screen.diagnostic(&Diagnostic::error(format!(
                "the history of the run is not whole ({folder}): {trouble}"
            )));
        }
        if let Some(stored) = &stored {
            is_whole &= self.write_reports(screen, stored, &verdict);
        }
        match verdict.exit() {
            exit @ (Exit::Interrupted | Exit::Failed) => exit,
            exit => {
                if is_whole {
                    exit
                } else {
                    Exit::CouldNotRun
                }
            }
        }
    }

    /// The run as it was stored. Reports are made from this, so that they are the same when made again.
    fn stored(&self, screen: &mut Screen) -> Option<Stored> {
        match Reader::open(&self.folder).and_then(Reader::read) {
            Ok(stored) => Some(stored),
            Err(error) => {
                screen.error(&error, "");
                None
            }
        }
    }

    /// Were all written?
    fn write_reports(&self, screen: &mut Screen, stored: &Stored, verdict: &Verdict) -> bool {
        let mut all = true;
        for wanted in &self.reports {
            if let Err(error) = wanted.write(&stored.history, verdict, &self.root, screen) {
                screen.error(&error, "");
                all = false;
            }
        }
        if is_github() {
            let options = options(&self.root, screen.look());
            let text =
                |form| seam_report::find(form).map(|form| (form.write)(&stored.history, verdict, &options));
            screen.say(&text("github").unwrap_or_default());
            let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
            let appended =
                summary.map(|path| append(Path::new(&path), &text("markdown").unwrap_or_default()));
            if let Some(Err(error)) = appended {
                screen.error(&error, "GITHUB_STEP_SUMMARY names the file that the summary is appended to");
            }
        }
        all
    }
}

/// Do we run in GitHub Actions?
fn is_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
