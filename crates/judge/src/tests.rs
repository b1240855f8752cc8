//! Tables of events and what they come to.

use crate::script::{Strings as _, events};
use crate::{Exit, Grade, TestOutcome, verdict};
use std::time::Duration;

/// What one test comes to: its outcome, its findings as `grade step: message`, its reason.
fn outcome(script: &str) -> (TestOutcome, Vec<String>, Option<String>) {
    let verdict = verdict(&events(&format!("plan a\n{script}\nfinished done")));
    let test = &verdict.tests[0];
    let findings = test
        .findings()
        .iter()
        .map(|finding| {
            let step = finding.step.as_ref().map_or("", |step| step.path.as_str());
            format!("{} {step}: {}", finding.grade.word(), finding.message())
        })
        .collect();
    (test.outcome, findings, test.reason.clone())
}

use TestOutcome::{Errored, Failed, Inconclusive, NotRun, Passed};

const OUTCOMES: &[(&str, TestOutcome, &[&str])] = &[
    ("began a\n held a/0 x\n ended a", Passed, &[]),
    ("began a\n failed a/0 x\n ended a", Failed, &["failed 0: x is wrong"]),
    ("began a\n held a/0 x\n failed a/1 y\n ended a", Failed, &["failed 1: y is wrong"]),
    ("began a\n undecided a/0 x\n ended a", Inconclusive, &["inconclusive 0: x is wrong"]),
    (
        "began a\n failed a/0 x\n step a/1 s\n broken a/1 no disk\n ended a",
        Errored,
        &["failed 0: x is wrong", "errored 1: no disk"],
    ),
    (
        "began a\n held a/0 x\n waited a/1 never quiet\n ended a",
        Inconclusive,
        &["inconclusive 1: never quiet"],
    ),
    (
        "began a\n held a/0 x\n failure a orders was found dead\n ended a",
        Failed,
        &["failed : orders was found dead"],
    ),
    ("began a\n held a/0 x\n warning a careful\n ended a", Passed, &[]),
    ("began a\n held a/finally.0 x\n ended a", Passed, &[]),
    // A later judgement of the same expectation counts, and a step that begins again starts afresh.
    ("began a\n failed a/0 x\n held a/0 x\n ended a", Passed, &[]),
    ("began a\n held a/0 x\n failed a/0 x\n ended a", Failed, &["failed 0: x is wrong"]),
    ("began a\n step a/0 s\n failed a/0.together.1 y\n step a/0 s\n held a/0 x\n ended a", Passed, &[]),
    (
        "began a\n step a/1 s\n failed a/10 y\n step a/1 s\n held a/1 x\n ended a",
        Failed,
        &["failed 10: y is wrong"],
    ),
    (
        "began a\n step a/0 s\n held a/1 y\n failed a/0 x\n step a/0 s\n failed a/1 y\n held a/0 x\n ended a",
        Failed,
        &["failed 1: y is wrong"],
    ),
    // What is no check of the test.
    ("began a\n ended a", Inconclusive, &[]),
    ("began a\n unsaid a/0 status\n ended a", Inconclusive, &[]),
    (
        "began a\n held a/needs.customer.0 x\n held a/invariant.i.0 x\n held a/settled.0 x\n ended a",
        Inconclusive,
        &[],
    ),
    ("began a\n failed a/needs.customer.0 x\n ended a", Failed, &["failed needs.customer.0: x is wrong"]),
    // A soft failure fails the test though it went on; all expectations of a step are judged.
    (
        "began a\n failed a/0 x\n failed a/0 y\n held a/0 z\n held a/1 x\n ended a",
        Failed,
        &["failed 0: x is wrong", "failed 0: y is wrong"],
    ),
    // What a test does whatever happened, and its fixtures' clean-up, count.
    ("began a\n held a/0 x\n failed a/finally.0 x\n ended a", Failed, &["failed finally.0: x is wrong"]),
    (
        "began a\n held a/0 x\n step a/cleanup.customer.0 s\n broken a/cleanup.customer.0 gone\n ended a",
        Errored,
        &["errored cleanup.customer.0: gone"],
    ),
    (
        "began a\n held a/0 x\n failed a/invariant.i.0 x\n ended a",
        Failed,
        &["failed invariant.i.0: x is wrong"],
    ),
    // A step that was left out was no check, and what could not be judged weighs less than what failed.
    ("began a\n left-out a/0 why\n ended a", Inconclusive, &[]),
    ("began a\n held a/0 x\n left-out a/1 why\n ended a", Passed, &[]),
    (
        "began a\n failed a/0 x\n undecided a/0 y\n ended a",
        Failed,
        &["failed 0: x is wrong", "inconclusive 0: y is wrong"],
    ),
    (
        "began a\n held a/0 x\n doubt a invariants were not judged\n ended a",
        Inconclusive,
        &["inconclusive : invariants were not judged"],
    ),
    // What comes after its end is the run's.
    ("began a\n held a/0 x\n ended a\n failed a/cleanup.shop.0 x", Passed, &[]),
    // Runs that were cut off.
    ("began a\n held a/0 x", Inconclusive, &[]),
    ("", NotRun, &[]),
];

#[test]
fn a_test_comes_out_as_its_events_say() {
    for (script, expected, findings) in OUTCOMES {
        let (got, said, reason) = outcome(script);
        assert_eq!(
            (got, said.as_slice()),
            (*expected, findings.map_strings().as_slice()),
            "{script}: {reason:?}"
        );
        assert_eq!(reason.is_some(), findings.is_empty() && *expected != Passed, "{script}: {reason:?}");
    }
}

#[test]
fn known_failures_skips_and_retries_stand_apart() {
    let fail = "began a\n failed a/0 x\n ended a";
    let pass = "began a\n held a/0 x\n ended a";
    let retried = "began a\n failed a/0 x\n ended a\n began a#2\n held a#2/0 x\n ended a#2";
    for (plan, script, outcome, exit, flaky) in [
        ("plan fails:a b", fail, TestOutcome::Known, Exit::Passed, false),
        ("plan fails:a b", pass, TestOutcome::Failed, Exit::Failed, false),
        ("plan sometimes:a b", pass, TestOutcome::Passed, Exit::Passed, false),
        ("plan sometimes:a b", fail, TestOutcome::Known, Exit::Passed, false),
        (
            "plan fails:a b",
            "began a\n broken a/0 x\n ended a",
            TestOutcome::Errored,
            Exit::CouldNotRun,
            false,
        ),
        ("plan skip:a b", "", TestOutcome::Skipped, Exit::Passed, false),
        // A known failure that checks nothing any more tells nothing, known or not.
        ("plan fails:a b", "began a\n ended a", TestOutcome::Inconclusive, Exit::Inconclusive, false),
        ("plan sometimes:a b", "began a\n ended a", TestOutcome::Inconclusive, Exit::Inconclusive, false),
        (
            "plan fails:a b",
            "began a\n undecided a/0 x\n ended a",
            TestOutcome::Inconclusive,
            Exit::Inconclusive,
            false,
        ),
        ("plan sometimes:a b", retried, TestOutcome::Passed, Exit::Passed, true),
        ("plan a b", retried, TestOutcome::Passed, Exit::Passed, true),
        (
            "plan a b",
            "began a\n failed a/0 x\n ended a\n began a#2\n failed a#2/0 x\n ended a#2",
            TestOutcome::Failed,
            Exit::Failed,
            false,
        ),
        // A retry that could not be judged does not make up for a failure, and is not taken for a pass.
        (
            "plan a b",
            "began a\n failed a/0 x\n ended a\n began a#2\n ended a#2",
            TestOutcome::Failed,
            Exit::Failed,
            false,
        ),
        ("plan a b", "", TestOutcome::NotRun, Exit::Inconclusive, false),
    ] {
        let text = format!("{plan}\n{script}\nbegan b\n held b/0 x\n ended b\nfinished done");
        let verdict = verdict(&events(&text));
        let test = &verdict.tests[0];
        assert_eq!((test.outcome, verdict.exit(), test.flaky), (outcome, exit, flaky), "{text}");
        assert_eq!(verdict.counts().all(), 2);
        assert_eq!(verdict.counts().of(TestOutcome::Passed), 1 + usize::from(outcome == TestOutcome::Passed));
    }
}

#[test]
fn a_run_comes_to_the_worst() {
    let pass = "began a\n held a/0 x\n ended a\n";
    for (script, grade, exit, reasons) in [
        (format!("plan a\n{pass}finished done"), Grade::Passed, Exit::Passed, &[][..]),
        (
            format!("plan a\n{pass}finished interrupted"),
            Grade::Inconclusive,
            Exit::Interrupted,
            &["the run was interrupted"],
        ),
        (
            format!("plan a\n{pass}"),
            Grade::Inconclusive,
            Exit::Interrupted,
            &["the run never came to its end"],
        ),
        (
            format!("plan a\n{pass}finished no more memory"),
            Grade::Errored,
            Exit::CouldNotRun,
            &["no more memory"],
        ),
        ("plan\nfinished done".into(), Grade::Inconclusive, Exit::Inconclusive, &["nothing ran"]),
        ("plan skip:a\nfinished done".into(), Grade::Inconclusive, Exit::Inconclusive, &["nothing ran"]),
        (
            "plan a\nerror - `orders` never became ready\nfinished done".into(),
            Grade::Errored,
            Exit::CouldNotRun,
            &[],
        ),
        (
            format!("plan a\nfailed -/needs.run_wide.0 x\n{pass}finished done"),
            Grade::Failed,
            Exit::Failed,
            &[],
        ),
        // The clean-up of a fixture that several tests needed fails after the last of them: the run has failed.
        (format!("plan a\n{pass}failed a/cleanup.shop.0 x\nfinished done"), Grade::Failed, Exit::Failed, &[]),
        (format!("plan a b\n{pass}finished done"), Grade::Inconclusive, Exit::Inconclusive, &[]),
        (
            "plan fails:a\nbegan a\n failed a/0 x\n ended a\nfinished done".into(),
            Grade::Passed,
            Exit::Passed,
            &[],
        ),
        (
            format!("plan a b\n{pass}began b\n held b/0 x"),
            Grade::Inconclusive,
            Exit::Interrupted,
            &["the run never came to its end"],
        ),
        (format!("plan a\nwarning - careful\n{pass}finished done"), Grade::Passed, Exit::Passed, &[]),
        (
            "plan a\nbegan a\n failed a/0 x\n ended a\nfinished interrupted".into(),
            Grade::Failed,
            Exit::Interrupted,
            &["the run was interrupted"],
        ),
        (String::new(), Grade::Inconclusive, Exit::Interrupted, &["the run never came to its end"]),
    ] {
        let verdict = verdict(&events(&script));
        assert_eq!(
            (verdict.outcome, verdict.exit(), &*verdict.reasons),
            (grade, exit, &*reasons.map_strings()),
            "{script}"
        );
    }
}

#[test]
fn counts_over_what_was_lost_are_inconclusive() {
    let script = |judged: &str, lost: &str| {
        format!(
            "began a\n step a/0 seam: orders  ->  pg\n {judged} a/0 count\n step a/1 http: GET x\n held a/1 status\n ended a\n{lost}"
        )
    };
    for (judged, lost, expected) in [
        ("held", "", TestOutcome::Passed),
        ("held", "lost interactions 0 orders -> pg", TestOutcome::Inconclusive),
        ("failed", "lost interactions 0 orders -> pg", TestOutcome::Inconclusive),
        ("held", "lost interactions 0 orders -> mail", TestOutcome::Passed),
        ("held", "lost interactions 0", TestOutcome::Inconclusive),
        ("held", "lost lines 0", TestOutcome::Passed),
        ("held", "lost events 0", TestOutcome::Inconclusive),
        // Since event 100 only: the test had ended.
        ("held", "lost interactions 100 orders -> pg", TestOutcome::Passed),
    ] {
        let (got, findings, _) = outcome(&script(judged, lost));
        assert_eq!(got, expected, "{judged} {lost}: {findings:?}");
    }
}

#[test]
fn invariants_and_times_are_summed_up() {
    let verdict = verdict(&events(
        "plan a b
         100 starting pg
         150 ready pg
         200 began a
         held a/0 x
         held a/invariant.Who_pays_has_an_order.0 rows
         300 ended a
         300 began b
         held b/0 x
         failed b/invariant.Who_pays_has_an_order.0 rows
         400 ended b
         450 finished done",
    ));
    assert_eq!(verdict.invariants.len(), 1);
    let invariant = &verdict.invariants[0];
    assert_eq!((invariant.name.as_str(), invariant.judged), ("Who pays has an order", 2));
    assert_eq!(invariant.broken_by, [verdict.tests[1].id.clone()]);
    assert_eq!(verdict.tests[1].findings()[0].invariant.as_deref(), Some("Who pays has an order"));
    let times = verdict.times;
    let all = times.parts().map(|(_, time)| time);
    assert_eq!(all, [1, 99, 100, 200, 50, 450].map(Duration::from_millis));
    assert_eq!(verdict.tests[0].took(), Duration::from_millis(100));
}
