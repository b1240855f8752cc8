//! The report that people read while a run goes on and after it: one line for each test, at length what failed,
//! and what it all came to.
//!
//! The whole report of a stored run is what [`Progress`] gives when it is fed with that run's events: there is no
//! second way to write it, so that nobody has to keep two in step.

mod attempted;
mod cause;
mod failure;
mod left_out;
mod moments;
mod said;
mod summary;
mod timeline;

use crate::clean::{columns, line, padded};
use crate::paint::Paint;
use crate::{Options, Progress, Report};
use seam_diag::{Look, Sources};
use seam_event::{Event, RunId};
use seam_history::History;
use seam_judge::{TestOutcome, Verdict};
use seam_model::Word;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use attempted::Attempted;
pub(crate) use cause::on_seam;
pub(crate) use failure::message;
pub(crate) use summary::{closing, findings, losses, notice, table, unstarted};

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
    /// The command line of the run, without the program: paths that were named there must be named again.
    pub command: &'a [String],
    /// Colours and width.
    pub look: Look,
}

impl Page<'_> {
    pub(crate) fn paint(&self) -> Paint {
        Paint::new(self.look)
    }
}

/// The widest line of a list, however wide the terminal: eyes lose their way from name to time.
const WIDEST: usize = 100;

fn report(history: &History, verdict: &Verdict, options: &Options) -> String {
    let page = Page {
        sources: &history.sources,
        run: verdict.run.as_ref(),
        command: &verdict.command,
        look: options.look,
    };
    let mut progress = Progress::default();
    let mut out = String::new();
    for event in &history.events {
        out.push_str(&progress.push(&Arc::new(event.clone()), &page));
    }
    out + &progress.rest(&page)
}

/// The events of an attempt's window, and before them what its suspects' evidence names from earlier.
pub(crate) fn events_of<'a>(history: &'a History, attempt: &seam_judge::Attempt) -> Vec<&'a Event> {
    let events = &history.events;
    let from = events.partition_point(|event| event.seq < attempt.window.first);
    let to = events.partition_point(|event| event.seq <= attempt.window.last).max(from);
    let evidence = attempt.suspects.iter().flat_map(|suspect| &suspect.evidence);
    let earlier: BTreeSet<u64> = evidence.copied().filter(|seq| *seq < attempt.window.first).collect();
    let earlier = earlier.into_iter().filter_map(|seq| {
        let at = events.binary_search_by_key(&seq, |event| event.seq).ok()?;
        Some(&events[at])
    });
    earlier.chain(&events[from..to]).collect()
}

/// A test's line: its outcome, suite and name, and what stands at the right.
pub(crate) fn row(look: Look, outcome: TestOutcome, (suite, name): (&str, &str), right: &str) -> String {
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
    let (suite, name) = (line(suite), line(name));
    let used = columns(label).max(4) + 2 + columns(&suite) + 2 + columns(&name);
    let gap = look.width.min(WIDEST).saturating_sub(used + columns(right)).max(2);
    let label = paint.outcome(outcome, &padded(label, 4));
    let (suite, right) = (paint.dim(&suite), paint.dim(right));
    format!("{label}  {suite}  {name}{}{right}", " ".repeat(gap)).trim_end().to_owned() + "\n"
}
