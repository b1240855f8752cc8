//! The XML that nearly every CI system shows: the surefire shape, with file and line of each test.
//!
//! What matters to whom (found by reading and trying them): GitLab shows `classname` as the suite, keeps only the
//! first of two equal names, and shows of a failure only the element's content; Jenkins reads `flakyFailure` and
//! `rerunFailure` with a `stackTrace` inside and ignores what calls itself error there; Azure takes `timestamp` for
//! the start; text must be element content; a control character in it is no XML.

use crate::place::Files;
use crate::terminal::{self, Attempted, Page, events_of};
use crate::time::seconds;
use crate::xml::{attribute, content};
use crate::{Options, Report};
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
               `rerunFailure` where it didn't. Inside stands what is wrong, whom the evidence points at and how to \
               run it again; `system-out` holds what passed the seams and what the components said.",
        example: "seam run --report junit=junit.xml",
        ..Word::new("junit", "XML for CI systems: GitHub, GitLab, Jenkins, Azure, Buildkite")
    },
    write: report,
};

/// Wide enough that no line of a user's file is cut in a browser.
const PLAIN: Look = Look { colour: false, width: 200 };

/// What all elements are made from.
struct Source<'a> {
    history: &'a History,
    files: Files<'a>,
    page: Page<'a>,
}

fn report(history: &History, verdict: &Verdict, options: &Options) -> String {
    let page =
        Page { sources: &history.sources, run: verdict.run.as_ref(), command: &verdict.command, look: PLAIN };
    let source = Source { history, files: Files::of(history, options), page };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&TestVerdict> = verdict.tests.iter().collect();
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" {}>",
        attribute(&verdict.system),
        totals(&all, usize::from(has_trouble_of_its_own(verdict)), verdict.times.whole)
    );
    if has_trouble_of_its_own(verdict) {
        run_suite(&mut out, verdict, &source.page);
    }
    for (name, tests) in suites(&all, &source) {
        let took = tests.iter().map(|test| test.took()).sum();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {} timestamp=\"{}\">",
            attribute(&name),
            totals(&tests, 0, took),
            attribute(verdict.began.trim_end_matches('Z'))
        );
        out.push_str(&properties(verdict));
        for test in tests {
            testcase(&mut out, &name, test, &source);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// What runs the same again.
fn properties(verdict: &Verdict) -> String {
    let mut out = String::from("    <properties>\n");
    let run = verdict.run.as_ref().map(|run| run.as_str().to_owned()).unwrap_or_default();
    for (name, value) in [("run", run), ("seed", verdict.seed.to_string()), ("seam", verdict.version.clone())]
    {
        let _ = writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", attribute(&value));
    }
    out + "    </properties>\n"
}

/// Tests by file, in the planned order. Two files of one name in different folders are told apart by their paths.
fn suites<'a>(tests: &[&'a TestVerdict], source: &Source<'_>) -> Vec<(String, Vec<&'a TestVerdict>)> {
    let path = |test: &TestVerdict| source.files.spot(test.place).map(|spot| spot.path).unwrap_or_default();
    let mut paths: HashMap<&str, Vec<String>> = HashMap::new();
    for test in tests {
        let known = paths.entry(&test.suite).or_default();
        let path = path(test);
        if !known.contains(&path) {
            known.push(path);
        }
    }
    let mut suites: Vec<(String, Vec<&TestVerdict>)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for test in tests {
        let is_alone = paths.get(test.suite.as_str()).is_none_or(|paths| paths.len() == 1);
        let name = if is_alone { test.suite.clone() } else { path(test) };
        let at = *index.entry(name.clone()).or_insert_with(|| {
            suites.push((name, Vec::new()));
            suites.len() - 1
        });
        suites[at].1.push(test);
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
        || verdict.interrupted
        || (verdict.outcome > Grade::Passed && verdict.tests.iter().all(|test| test.attempts.is_empty()))
}

/// What belongs to no test, as a test of its own, so that a system that never became ready is not shown as green.
fn run_suite(out: &mut String, verdict: &Verdict, page: &Page<'_>) {
    let name = attribute(&verdict.system);
    let messages = verdict.findings.iter().map(seam_judge::Finding::message);
    let reasons = verdict.reasons.iter().map(String::as_str);
    let message = messages.chain(reasons).collect::<Vec<_>>().join("; ");
    let text = terminal::findings(&verdict.findings, page) + "\n" + &terminal::closing(verdict, page);
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
        content(&text)
    );
    out.push_str("    </testcase>\n  </testsuite>\n");
}

fn testcase(out: &mut String, suite: &str, test: &TestVerdict, source: &Source<'_>) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(suite),
        attribute(&test.name),
        seconds(test.took())
    );
    if let Some(spot) = source.files.spot(test.place) {
        let _ = write!(out, " file=\"{}\" line=\"{}\"", attribute(&spot.path), spot.line);
    }
    out.push_str(">\n");
    let named = test.tags.iter().map(|tag| ("tag", tag.clone()));
    let blamed =
        test.suspects().iter().filter_map(|suspect| Some(("seam", suspect.seam.as_ref()?.to_string())));
    let properties: Vec<(&str, String)> = named.chain(blamed).collect();
    if !properties.is_empty() {
        out.push_str("      <properties>\n");
        for (name, value) in properties {
            let _ = writeln!(out, "        <property name=\"{name}\" value=\"{}\"/>", attribute(&value));
        }
        out.push_str("      </properties>\n");
    }
    outcome(out, test, source);
    attempts(out, test, source);
    out.push_str("    </testcase>\n");
}

/// The element that says how the test came out; none for one that passed.
fn outcome(out: &mut String, test: &TestVerdict, source: &Source<'_>) {
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
    let Some(attempt) = test.deciding_attempt() else { return };
    let attempted = Attempted::of(events_of(source.history, attempt), test, attempt, &source.page);
    let _ = writeln!(
        out,
        "      <{element} type=\"{}\" message=\"{}\">{}</{element}>",
        kind(attempt),
        attribute(&message(attempt)),
        content(&(attempted.wrong() + &attempted.cause()))
    );
}

/// The attempts besides the one that decided, and what happened during all that did not pass.
fn attempts(out: &mut String, test: &TestVerdict, source: &Source<'_>) {
    let deciding = test.deciding_attempt().map(|attempt| attempt.number);
    let mut happened = String::new();
    for attempt in test.attempts.iter().filter(|attempt| attempt.outcome != TestOutcome::Passed) {
        let attempted = Attempted::of(events_of(source.history, attempt), test, attempt, &source.page);
        if Some(attempt.number) != deciding {
            let element = if test.flaky { "flakyFailure" } else { "rerunFailure" };
            let _ = writeln!(
                out,
                "      <{element} type=\"{}\" message=\"{}\"><stackTrace>{}</stackTrace></{element}>",
                kind(attempt),
                attribute(&message(attempt)),
                content(&(attempted.wrong() + &attempted.cause()))
            );
        }
        happened.push_str(&attempted.happened());
    }
    if !happened.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", content(&happened));
    }
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
    let more = match attempt.findings.len() {
        1 => String::new(),
        several => format!(" (and {} more)", several - 1),
    };
    format!("{}{more}", terminal::message(first))
}
