//! What it all came to: tests that never ran, what is worth a look, counts, and the time of each part.

use super::{Page, failure, row};
use crate::clean::line;
use crate::paint::Paint;
use crate::time::human;
use seam_diag::render;
use seam_event::Notice;
use seam_judge::{Grade, TestOutcome, Times, Verdict};
use std::fmt::Write as _;

/// All that is told once a run has ended, after its tests.
pub fn rest(verdict: &Verdict, page: &Page<'_>) -> String {
    let mut out = String::new();
    for test in verdict.tests.iter().filter(|test| test.attempts.is_empty()) {
        let reason = test.reason.as_deref().unwrap_or_default();
        out.push_str(&row(page.look, test.outcome, (&test.suite, &line(&test.name)), &line(reason)));
    }
    for finding in &verdict.findings {
        let mut diagnostic = failure::diagnostic(finding, &[], page);
        diagnostic.notes.retain(|(name, text)| !name.is_empty() || *text != diagnostic.title);
        let _ = write!(out, "\n{}", render(&diagnostic, page.sources, page.look));
    }
    for warning in &verdict.warnings {
        out.push_str(&notice(warning, page));
    }
    out.push('\n');
    out.push_str(&broken_invariants(verdict));
    for (of, seam, count) in &verdict.lost {
        let seam = seam.as_ref().map_or(String::new(), |seam| format!(" on {}", line(&seam.to_string())));
        let _ = writeln!(out, "{count} {of}{seam} could not be kept: what counts them is inconclusive");
    }
    out.push_str(&closing(verdict, page));
    out
}

/// A notice as a diagnostic of its own.
pub(super) fn notice(notice: &Notice, page: &Page<'_>) -> String {
    let clean = Notice {
        text: line(&notice.text).into_owned(),
        label: line(&notice.label).into_owned(),
        notes: notice
            .notes
            .iter()
            .map(|(name, text)| (line(name).into_owned(), line(text).into_owned()))
            .collect(),
        hint: notice.hint.as_deref().map(|hint| line(hint).into_owned()),
        ..notice.clone()
    };
    format!("\n{}", render(&clean.to_diagnostic(), page.sources, page.look))
}

fn broken_invariants(verdict: &Verdict) -> String {
    let mut out = String::new();
    for invariant in verdict.invariants.iter().filter(|invariant| !invariant.broken_by.is_empty()) {
        let (tests, of) = (invariant.broken_by.len(), invariant.judged);
        let _ =
            writeln!(out, "the invariant `{}` was broken by {tests} of {of} tests", line(&invariant.name));
    }
    out
}

/// The last lines: how it came out, the counts, the times, the run.
fn closing(verdict: &Verdict, page: &Page<'_>) -> String {
    let paint = Paint::new(page.look);
    let mut words: Vec<String> = counts(verdict);
    words.extend(verdict.reasons.iter().map(|reason| line(reason).into_owned()));
    let grade = paint.outcome(outcome(verdict.outcome), verdict.outcome.word());
    let mut out = format!("{grade}: {}\n", words.join(", "));
    out.push_str(&paint.dim(&times(&verdict.times)));
    out.push('\n');
    if let Some(run) = &verdict.run {
        out.push_str(&paint.dim(&format!("run {run}, seed {}", verdict.seed)));
        out.push('\n');
    }
    out
}

/// `11 passed`, `1 failed`, `2 of them flaky`: only what there is.
pub(crate) fn counts(verdict: &Verdict) -> Vec<String> {
    let counts = verdict.counts();
    let mut words: Vec<String> = TestOutcome::ALL
        .into_iter()
        .filter(|outcome| counts.of(*outcome) > 0)
        .map(|outcome| format!("{} {}", counts.of(outcome), outcome.word()))
        .collect();
    if counts.flaky > 0 {
        words.push(format!("{} flaky", counts.flaky));
    }
    if words.is_empty() {
        words.push("no tests".to_owned());
    }
    words
}

fn times(times: &Times) -> String {
    let Times { prepare, start, tests, stop, whole } = times;
    let parts = [("prepare", prepare), ("start", start), ("tests", tests), ("stop", stop), ("all", whole)];
    parts.map(|(name, time)| format!("{name} {}", human(*time))).join(", ")
}

/// The test's outcome that has the colour of a run's.
fn outcome(grade: Grade) -> TestOutcome {
    grade.into()
}
