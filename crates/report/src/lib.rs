//! What a run came to, as text: for people at a terminal, and for the programs that show test results.
//!
//! A report is a pure function of a History and its Verdict, so that one made again from a stored run is the same
//! as the live one, byte for byte. The terminal's is also there in pieces, to be printed while the run goes on.
//!
//! | to | call |
//! |---|---|
//! | write a form by name (`--report junit=FILE`, `seam report RUN`) | [`find`]`("junit")`, then its `write(&history, &verdict, look)` with `seam_judge::verdict(&history.events)` |
//! | name them (help, completions, `seam explain`) | [`REPORTS`]: `terminal junit json github markdown` |
//! | print a test as soon as it has ended | [`terminal::attempt`] with what `seam_judge::Live::push` gives, and one [`terminal::Page`] for the whole run |
//! | print what it all came to | [`terminal::rest`] |
//! | annotate and sum up where `GITHUB_ACTIONS` is set | the forms `github` (to standard output) and `markdown` (appended to `GITHUB_STEP_SUMMARY`) |
//! | show a text of a component anywhere else | [`line`](line()), [`block`](block()): control characters shown, not obeyed |
#![forbid(unsafe_code)]

mod clean;
mod exchange;
pub mod github;
mod json;
mod junit;
mod paint;
mod place;
pub mod terminal;
mod time;

pub use clean::{block, line};
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
    /// Writes it. Only the terminal's looks at the look.
    pub write: fn(&History, &Verdict, Look) -> String,
}

/// All forms of report.
pub const REPORTS: &[Report] =
    &[terminal::REPORT, junit::REPORT, json::REPORT, github::ANNOTATIONS, github::SUMMARY];

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
