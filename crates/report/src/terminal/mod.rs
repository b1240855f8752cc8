//! The report that people read while a run goes on and after it: one line for each test, at length what failed,
//! and what it all came to.
//!
//! It comes in pieces, so that the command line prints each as soon as it is known: [`attempt`] when an attempt of a
//! test has ended, [`rest`] at the end. The whole report of a stored run is the same pieces in the same order.

mod cause;
mod failure;
mod moments;
mod summary;

use crate::Report;
use crate::clean::line;
use crate::paint::Paint;
use crate::time::human;
use seam_diag::{Look, Sources};
use seam_event::{Event, RunId};
use seam_history::History;
use seam_judge::{Attempt, TestOutcome, TestVerdict, Verdict};
use seam_model::Word;
use std::fmt::Write as _;

pub use summary::rest;

/// The form for people.
pub(crate) const REPORT: Report = Report {
    word: Word {
        text: "One line for each test in the order in which they ended. A test that did not pass is told at length: \
               your line with a caret beneath the expectation, what was there instead, what passed each seam during \
               the test with its time, what the components said at that moment, whom the evidence points at (only \
               where there is evidence), and the command that runs it again. At the end the counts, the time of each \
               part, and what is worth a look. `seam report RUN` prints it again from the stored run.",
        example: "seam report latest",
        ..Word::new("terminal", "for people: one line for each test, failures at length, a summary")
    },
    write: report,
};

/// What the pieces have in common.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The user's files, masked: `Writer::keep_files` gives them, and so does a stored run.
    pub sources: &'a Sources,
    /// The run, for the line that runs a test again.
    pub run: Option<&'a RunId>,
    /// Colours and width.
    pub look: Look,
}

/// The widest line of a list, however wide the terminal: eyes lose their way from name to time.
const WIDEST: usize = 100;

fn report(history: &History, verdict: &Verdict, look: Look) -> String {
    let page = Page { sources: &history.sources, run: verdict.run.as_ref(), look };
    let mut attempts: Vec<(&TestVerdict, &Attempt)> = verdict
        .tests
        .iter()
        .flat_map(|test| test.attempts.iter().map(move |attempt| (test, attempt)))
        .collect();
    attempts.sort_by_key(|(_, attempt)| attempt.window.last);
    let mut out = String::new();
    for (test, one) in attempts {
        out.push_str(&attempt(events_of(history, one), test, one, &page));
    }
    out.push_str(&rest(verdict, &page));
    out
}

/// The events of an attempt's window.
pub(crate) fn events_of<'a>(history: &'a History, attempt: &Attempt) -> &'a [Event] {
    let events = &history.events;
    let from = events.partition_point(|event| event.seq < attempt.window.first);
    let to = events.partition_point(|event| event.seq <= attempt.window.last);
    &events[from..to.max(from)]
}

/// An attempt of a test that has ended: its line, and everything about it where it did not pass.
pub fn attempt<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    test: &TestVerdict,
    attempt: &Attempt,
    page: &Page<'_>,
) -> String {
    let mut out = headline(test, attempt, page.look);
    if attempt.outcome.is_bad() {
        out.push_str(&failure::block(&events.into_iter().collect::<Vec<_>>(), test, attempt, page));
    } else if let Some(reason) = &attempt.reason {
        let _ = writeln!(out, "      {}", Paint::new(page.look).dim(&line(reason)));
    }
    for warning in &attempt.warnings {
        out.push_str(&summary::notice(warning, page));
    }
    out
}

/// `FAIL  checkout  A declined card leaves nothing behind            84 ms`
pub(crate) fn headline(test: &TestVerdict, attempt: &Attempt, look: Look) -> String {
    let mut name = line(&test.name).into_owned();
    if attempt.number > 1 {
        name = format!("{name} (attempt {})", attempt.number);
    }
    row(look, attempt.outcome, (&test.suite, &name), &human(attempt.took))
}

/// A test's line: its outcome, suite and name, and what stands at the right.
fn row(look: Look, outcome: TestOutcome, (suite, name): (&str, &str), right: &str) -> String {
    let label = match outcome {
        TestOutcome::Passed => "PASS",
        TestOutcome::Failed => "FAIL",
        TestOutcome::Errored => "ERROR",
        TestOutcome::Inconclusive => "INCONCLUSIVE",
        TestOutcome::Known => "KNOWN",
        TestOutcome::Skipped => "SKIP",
        TestOutcome::NotRun => "NOT RUN",
    };
    let paint = Paint::new(look);
    let suite = line(suite);
    let used = label.len().max(4) + 2 + suite.chars().count() + 2 + name.chars().count();
    let width = look.width.min(WIDEST);
    let gap = width.saturating_sub(used + right.chars().count()).max(2);
    let padded = paint.outcome(outcome, &format!("{label:<4}"));
    let (suite, right) = (paint.dim(&suite), paint.dim(right));
    format!("{padded}  {suite}  {name}{}{right}", " ".repeat(gap)).trim_end().to_owned() + "\n"
}
