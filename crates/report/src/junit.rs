//! The XML that nearly every CI system shows: the surefire shape, with file and line of each test.
//!
//! What matters to whom (found by trying them): GitLab shows `classname` as the suite and keeps only the first of
//! two equal names; Jenkins reads `flakyFailure` and `rerunFailure` with a `stackTrace` inside and ignores what
//! calls itself error there; text must be element content; a control character in it is no XML.

use crate::Report;
use crate::clean::block;
use crate::place::spot;
use crate::terminal::{self, Page, events_of};
use crate::time::seconds;
use seam_diag::Look;
use seam_history::History;
use seam_judge::{Attempt, Found, Grade, TestOutcome, TestVerdict, Verdict};
use seam_model::Word;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// The form for CI systems.
pub(crate) const REPORT: Report = Report {
    word: Word {
        text: "Each file of tests is a `testsuite`, each test a `testcase` with `file` and `line`. A test that failed \
               has a `failure`, one that was errored or inconclusive an `error` (with the type `inconclusive`), so \
               that neither passes by mistake; skipped tests, known failures and tests that never began are \
               `skipped` with the reason. Earlier attempts are `flakyFailure` where the test passed in the end, and \
               `rerunFailure` where it didn't. `system-out` holds the failure as the terminal shows it.",
        example: "seam run --report junit=junit.xml",
        ..Word::new("junit", "XML for CI systems: GitHub, GitLab, Jenkins, Azure, Buildkite")
    },
    write: report,
};

/// Wide enough that no line of a user's file is cut in a browser.
const PLAIN: Look = Look { colour: false, width: 200 };

fn report(history: &History, verdict: &Verdict, _: Look) -> String {
    let page = Page { sources: &history.sources, run: verdict.run.as_ref(), look: PLAIN };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&TestVerdict> = verdict.tests.iter().collect();
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" {}>",
        attribute(&verdict.system),
        totals(&all, usize::from(has_trouble_of_its_own(verdict)), verdict.times.whole)
    );
    if has_trouble_of_its_own(verdict) {
        run_suite(&mut out, verdict, &page);
    }
    for (name, tests) in suites(&all, &page) {
        let took = tests.iter().map(|test| test.took()).sum();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {} timestamp=\"{}\">",
            attribute(&name),
            totals(&tests, 0, took),
            attribute(verdict.began.trim_end_matches('Z'))
        );
        for test in tests {
            testcase(&mut out, &name, test, history, &page);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Tests by file, in the planned order. Two files of one name in different folders are told apart by their paths.
fn suites<'a>(tests: &[&'a TestVerdict], page: &Page<'_>) -> Vec<(String, Vec<&'a TestVerdict>)> {
    let path = |test: &TestVerdict| spot(page.sources, test.place).map(|spot| spot.path).unwrap_or_default();
    let mut paths: HashMap<&str, Vec<String>> = HashMap::new();
    for test in tests {
        let known = paths.entry(&test.suite).or_default();
        let path = path(test);
        if !known.contains(&path) {
            known.push(path);
        }
    }
    let mut suites: Vec<(String, Vec<&TestVerdict>)> = Vec::new();
    for test in tests {
        let is_alone = paths.get(test.suite.as_str()).is_none_or(|paths| paths.len() == 1);
        let name = if is_alone { test.suite.clone() } else { path(test) };
        match suites.iter_mut().find(|(known, _)| *known == name) {
            Some((_, of)) => of.push(test),
            None => suites.push((name, vec![test])),
        }
    }
    suites
}

fn totals(tests: &[&TestVerdict], more_errors: usize, time: Duration) -> String {
    let count = |is: fn(TestOutcome) -> bool| tests.iter().filter(|test| is(test.outcome)).count();
    let failures = count(|outcome| outcome == TestOutcome::Failed);
    let errors =
        count(|outcome| matches!(outcome, TestOutcome::Errored | TestOutcome::Inconclusive)) + more_errors;
    let skipped =
        count(|outcome| matches!(outcome, TestOutcome::Skipped | TestOutcome::Known | TestOutcome::NotRun));
    format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{}\"",
        tests.len() + more_errors,
        seconds(time)
    )
}

/// Did the run itself come to something that no test shows?
fn has_trouble_of_its_own(verdict: &Verdict) -> bool {
    !verdict.findings.is_empty()
        || (verdict.outcome > Grade::Passed && verdict.tests.iter().all(|test| test.attempts.is_empty()))
}

/// What belongs to no test, as a test of its own, so that a system that never became ready is not shown as green.
fn run_suite(out: &mut String, verdict: &Verdict, page: &Page<'_>) {
    let name = attribute(&verdict.system);
    let messages: Vec<&str> = verdict.findings.iter().map(seam_judge::Finding::message).collect();
    let reasons = verdict.reasons.iter().map(String::as_str);
    let message = messages.iter().copied().chain(reasons).collect::<Vec<_>>().join("; ");
    let _ = writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0\">"
    );
    let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"the run\" time=\"0\">");
    let _ = writeln!(
        out,
        "      <error type=\"{}\" message=\"{}\">{}</error>",
        verdict.outcome.word(),
        attribute(&message),
        content(&terminal::rest(verdict, page))
    );
    out.push_str("    </testcase>\n  </testsuite>\n");
}

fn testcase(out: &mut String, suite: &str, test: &TestVerdict, history: &History, page: &Page<'_>) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(suite),
        attribute(&test.name),
        seconds(test.took())
    );
    if let Some(spot) = spot(page.sources, test.place) {
        let _ = write!(out, " file=\"{}\" line=\"{}\"", attribute(&spot.path), spot.line);
    }
    out.push_str(">\n");
    if !test.tags.is_empty() {
        out.push_str("      <properties>\n");
        for tag in &test.tags {
            let _ = writeln!(out, "        <property name=\"tag\" value=\"{}\"/>", attribute(tag));
        }
        out.push_str("      </properties>\n");
    }
    outcome(out, test);
    let mut said = String::new();
    for (index, attempt) in test.attempts.iter().enumerate() {
        if attempt.outcome == TestOutcome::Passed {
            continue;
        }
        let text = terminal::attempt(events_of(history, attempt), test, attempt, page);
        if index + 1 < test.attempts.len() {
            let element = if test.flaky { "flakyFailure" } else { "rerunFailure" };
            let _ = writeln!(
                out,
                "      <{element} type=\"{}\" message=\"{}\"><stackTrace>{}</stackTrace></{element}>",
                kind(attempt),
                attribute(&message(attempt)),
                content(&text)
            );
        }
        said.push_str(&text);
    }
    if !said.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", content(&said));
    }
    out.push_str("    </testcase>\n");
}

/// The element that says how the test came out; none for one that passed.
fn outcome(out: &mut String, test: &TestVerdict) {
    let reason = test.reason.as_deref().unwrap_or_default();
    let skipped =
        |prefix: &str| format!("      <skipped message=\"{}\"/>\n", attribute(&format!("{prefix}{reason}")));
    let element = match test.outcome {
        TestOutcome::Passed => return,
        TestOutcome::Skipped => return out.push_str(&skipped("")),
        TestOutcome::NotRun => return out.push_str(&skipped("not run: ")),
        TestOutcome::Known => return out.push_str(&skipped("known failure: ")),
        TestOutcome::Failed => "failure",
        TestOutcome::Errored | TestOutcome::Inconclusive => "error",
    };
    let Some(attempt) = test.last_attempt() else { return };
    let _ = writeln!(
        out,
        "      <{element} type=\"{}\" message=\"{}\">{}</{element}>",
        kind(attempt),
        attribute(&message(attempt)),
        content(&details(attempt))
    );
}

/// What sort of trouble it was: the matcher of the first finding, or the outcome.
fn kind(attempt: &Attempt) -> String {
    let first = attempt.findings.first().map(|finding| &finding.found);
    match (attempt.outcome, first) {
        (TestOutcome::Failed, Some(Found::Judged(judged))) => attribute(&judged.matcher),
        (outcome, _) => outcome.word().to_owned(),
    }
}

/// The first finding in one line, and how many more there are.
pub(crate) fn message(attempt: &Attempt) -> String {
    let Some(first) = attempt.findings.first() else { return attempt.reason.clone().unwrap_or_default() };
    let path = match &first.found {
        Found::Judged(judged) if !judged.path.is_empty() => format!("{}: ", judged.path),
        Found::Judged(_) | Found::Step(_) | Found::Notice(_) => String::new(),
    };
    let more = match attempt.findings.len() {
        1 => String::new(),
        several => format!(" (and {} more)", several - 1),
    };
    format!("{path}{}{more}", first.message())
}

/// All findings with their details, one after the other.
fn details(attempt: &Attempt) -> String {
    let mut lines: Vec<String> = attempt.reason.iter().cloned().collect();
    for finding in &attempt.findings {
        let name = finding.step.as_ref().map(|step| step.name.as_str()).unwrap_or_default();
        match &finding.found {
            Found::Judged(judged) => {
                lines.push(format!("{name}: {} {}: {}", judged.path, judged.matcher, judged.message));
                lines.extend(judged.details.iter().map(|detail| format!("  {detail}")));
            }
            Found::Step(reason) => lines.push(format!("{name}: {reason}")),
            Found::Notice(notice) => lines.push(notice.text.clone()),
        }
    }
    for suspect in &attempt.suspects {
        let seam = suspect.seam.as_ref().map_or(String::new(), |seam| format!(" on the seam {seam}"));
        lines.push(format!("likely cause: {}{seam}: it {}", suspect.component, suspect.reason));
    }
    lines.join("\n")
}

/// Fit for an attribute: no line ends, no characters that XML forbids.
fn attribute(text: &str) -> String {
    escape(&crate::clean::line(text))
}

/// Fit for the content of an element.
fn content(text: &str) -> String {
    escape(&block(text))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Two characters that are none, and no XML.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
