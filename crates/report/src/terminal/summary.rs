//! What it all came to: tests that never ran, what is worth a look, counts, and the time of each part.

use super::{Page, failure, row};
use crate::clean::line;
use crate::time::human;
use seam_diag::{Severity, render};
use seam_event::SeamId;
use seam_event::{Level, Notice};
use seam_judge::{Finding, Grade, TestOutcome, TestVerdict, Times, Verdict};
use std::fmt::Write as _;

/// More tests of one kind that did not run are counted only: an interrupted run may have thousands.
const MOST_UNSTARTED: usize = 20;

/// The tests that were skipped or never began.
pub(crate) fn unstarted(verdict: &Verdict, page: &Page<'_>) -> String {
    let mut out = String::new();
    for outcome in [TestOutcome::Skipped, TestOutcome::NotRun] {
        let is_one = |test: &&TestVerdict| test.attempts.is_empty() && test.outcome == outcome;
        let tests: Vec<&TestVerdict> = verdict.tests.iter().filter(is_one).collect();
        for test in tests.iter().take(MOST_UNSTARTED) {
            let reason = line(test.reason.as_deref().unwrap_or_default());
            out.push_str(&row(page.look, outcome, (&test.suite, &test.name), &reason));
        }
        if let Some(more) = tests.len().checked_sub(MOST_UNSTARTED).filter(|more| *more > 0) {
            let _ = writeln!(out, "      and {more} more that were {}", outcome.word());
        }
    }
    out
}

/// What belongs to no test and is not as it should be.
pub(crate) fn findings(findings: &[Finding], page: &Page<'_>) -> String {
    let mut out = String::new();
    for finding in findings {
        let mut diagnostic = failure::diagnostic(finding, &[], page);
        let heading = failure::heading(finding);
        if heading.is_empty() {
            diagnostic.notes.retain(|(name, text)| !name.is_empty() || *text != diagnostic.title);
        } else {
            diagnostic.title = heading;
        }
        if finding.grade == Grade::Inconclusive {
            // What the title says already needs no label.
            let title = &diagnostic.title;
            diagnostic
                .place
                .iter_mut()
                .filter(|(_, label)| label == title)
                .for_each(|(_, label)| label.clear());
            diagnostic.severity = Severity::Warning;
            diagnostic.title.insert_str(0, "inconclusive: ");
        }
        let _ = write!(out, "\n{}", render(&diagnostic, page.sources, page.look));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// A notice as a diagnostic of its own.
pub(crate) fn notice(notice: &Notice, page: &Page<'_>) -> String {
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
    let mut diagnostic = clean.to_diagnostic();
    if notice.level == Level::Inconclusive {
        diagnostic.title = format!("inconclusive: {}", diagnostic.title);
    }
    diagnostic.place = diagnostic.place.filter(|(span, _)| page.sources.file(span.file).is_some());
    format!("\n{}\n", render(&diagnostic, page.sources, page.look))
}

/// The tests that did not pass, once more, a line each: in a long run they have scrolled away.
pub(crate) fn table(verdict: &Verdict, page: &Page<'_>) -> String {
    let mut out = String::new();
    for test in verdict.tests.iter().filter(|test| test.outcome.is_bad()) {
        out.push_str(&row(page.look, test.outcome, (&test.suite, &test.name), &human(test.took())));
    }
    out
}

/// What could not be kept, and the invariants that were broken.
pub(crate) fn losses(verdict: &Verdict) -> String {
    let mut out = String::new();
    for invariant in verdict.invariants.iter().filter(|invariant| !invariant.broken_by.is_empty()) {
        let (tests, of) = (invariant.broken_by.len(), invariant.judged);
        let name = line(&invariant.name);
        let _ = writeln!(out, "the invariant `{name}` was broken by {tests} of {of} tests");
    }
    // A disk that stays full loses again and again.
    let mut lost: Vec<(&String, &Option<SeamId>, u64)> = Vec::new();
    for (of, seam, count) in &verdict.lost {
        match lost.iter_mut().find(|(other, there, _)| (*other, *there) == (of, seam)) {
            Some((_, _, sum)) => *sum += count,
            None => lost.push((of, seam, *count)),
        }
    }
    for (of, seam, count) in lost {
        let seam = seam.as_ref().map_or(String::new(), |seam| format!(" on {}", line(&seam.to_string())));
        let _ =
            writeln!(out, "{count} {}{seam} could not be kept: what counts them is inconclusive", line(of));
    }
    out
}

/// The last lines: how it came out, the counts, the times, the run.
pub(crate) fn closing(verdict: &Verdict, page: &Page<'_>) -> String {
    let paint = page.paint();
    let mut words: Vec<String> = counts(verdict);
    if verdict.findings.iter().any(|finding| finding.grade > Grade::Passed) {
        words.push(format!("{} outside of the tests", verdict.findings.len()));
    }
    words.extend(verdict.reasons.iter().map(|reason| line(reason).into_owned()));
    let grade = paint.outcome(verdict.outcome.into(), verdict.outcome.word());
    let mut out = format!("{grade}: {}\n", words.join(", "));
    let _ = writeln!(out, "{}", paint.dim(&times(&verdict.times)));
    if let Some(run) = &verdict.run {
        let _ = writeln!(out, "{}", paint.dim(&format!("run {run}, seed {}", verdict.seed)));
    }
    out
}

/// `11 passed`, `1 failed`, `2 flaky`: only what there is.
fn counts(verdict: &Verdict) -> Vec<String> {
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

/// `plan 3.0 ms, prepare 40 ms, start 260 ms, tests 120 ms, stop 280 ms, all 700 ms`
pub(crate) fn times(times: &Times) -> String {
    let parts = times.parts().map(|(name, time)| format!("{name} {}", human(time)));
    parts.join(", ")
}
