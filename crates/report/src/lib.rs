//! What a run came to, as text: for people at a terminal, and for the programs that show test results.
//!
//! A report is a pure function of a History and its Verdict, so that one made again from a stored run is the same
//! as the live one, byte for byte. The terminal's is a fold over events, and so it is there while the run goes on.
//!
//! | to | call |
//! |---|---|
//! | write a form by name (`--report junit=FILE`, `seam report RUN`) | [`find`]`("junit")`, then its `write(&history, &verdict, &options)` with `seam_judge::verdict(&history.events)` |
//! | name them (help, completions, `seam explain`) | [`REPORTS`]: `terminal junit json har github markdown` |
//! | print while a run goes on | [`Progress`]: `push` each event and print what it gives; at the end print `rest` |
//! | draw what is being done | [`Progress::status`] whenever the drawing is due; on a terminal only |
//! | annotate and sum up where `GITHUB_ACTIONS` is set | the forms `github` (to standard output) and `markdown` (appended to the file that `GITHUB_STEP_SUMMARY` names), and [`github::stop`] and [`github::resume`] around the terminal's |
//! | show a text of a component anywhere else | [`line`](line()), [`block`](block()): control characters shown, not obeyed |
//!
//! Nothing here prints, looks at a clock or asks whether there is a terminal: colour, width and the time come in.
#![forbid(unsafe_code)]

mod clean;
mod exchange;
pub mod github;
mod har;
mod json;
mod junit;
mod paint;
mod place;
mod progress;
pub mod terminal;
mod time;
mod xml;

pub use clean::{block, line};
pub use progress::Progress;
pub use time::human;

use seam_diag::Look;
use seam_history::History;
use seam_judge::Verdict;
use seam_model::Word;

/// One form of report.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Its name and what people should know about it.
    pub word: Word,
    /// Writes it.
    pub write: fn(&History, &Verdict, &Options) -> String,
}

/// What a report can't know from the run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Colours and width; only the terminal's looks at it.
    pub look: Look,
    /// The project's folder as seen from the repository's root, `examples/shop`, empty where it is the root: CI
    /// systems look for files from there. The terminal's does not look at it.
    pub folder: String,
}

/// All forms of report.
pub const REPORTS: &[Report] =
    &[terminal::REPORT, junit::REPORT, json::REPORT, har::REPORT, github::ANNOTATIONS, github::SUMMARY];

/// The form of a name.
pub fn find(name: &str) -> Option<&'static Report> {
    REPORTS.iter().find(|report| report.word.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_its_words() {
        for report in REPORTS {
            let word = report.word;
            assert!(
                !word.line.is_empty() && !word.text.is_empty() && !word.example.is_empty(),
                "{}",
                word.name
            );
            assert!(!word.line.ends_with('.'), "{}", word.name);
            assert_eq!(find(word.name).map(|found| found.word.line), Some(word.line));
        }
        assert!(find("nothing").is_none());
    }
}
