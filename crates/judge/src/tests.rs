//! Tables of events and what they come to.

use crate::script::events;
use crate::{Exit, Grade, Live, TestOutcome, verdict};
use std::sync::Arc;
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

#[test]
fn a_test_comes_out_as_its_events_say() {
    use TestOutcome::{Errored, Failed, Inconclusive, NotRun, Passed};
    let cases: &[(&str, TestOutcome, &[&str])] = &[
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
        // Runs that were cut off.
        ("began a\n held a/0 x", Inconclusive, &[]),
        ("", NotRun, &[]),
    ];
    for (script, expected, findings) in cases {
        let (got, said, reason) = outcome(script);
        assert_eq!(
            (got, said.as_slice()),
            (*expected, findings.map_strings().as_slice()),
            "{script}: {reason:?}"
        );
        assert_eq!(reason.is_some(), findings.is_empty() && *expected != Passed, "{script}: {reason:?}");
    }
}

trait Strings {
    fn map_strings(&self) -> Vec<String>;
}

impl Strings for [&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
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
        ("plan a b", retried, TestOutcome::Passed, Exit::Passed, true),
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
    let all = [times.prepare, times.start, times.tests, times.stop, times.whole];
    assert_eq!(all, [100, 100, 200, 50, 450].map(Duration::from_millis));
    assert_eq!(verdict.tests[0].took(), Duration::from_millis(100));
}

/// Whom the evidence points at in a test that fails with the step 0 unless the script says otherwise.
fn blame(script: &str) -> Vec<String> {
    let events = events(&format!("plan a\n{script}\nfinished done"));
    let verdict = verdict(&events);
    let test = &verdict.tests[0];
    let live = live(&events);
    assert_eq!(live, test.suspects(), "live and stored say the same: {script}");
    test.suspects()
        .iter()
        .map(|suspect| {
            let seam = suspect.seam.as_ref().map_or(String::new(), |seam| format!(" on {seam}"));
            format!("{}{seam}: {} {:?}", suspect.component, suspect.reason, suspect.evidence)
        })
        .collect()
}

fn live(events: &[seam_event::Event]) -> Vec<crate::Suspect> {
    let mut live = Live::default();
    events
        .iter()
        .filter_map(|event| live.push(&Arc::new(event.clone())))
        .last()
        .unwrap()
        .test
        .suspects()
        .to_vec()
}

#[test]
fn the_innermost_that_went_wrong_is_named() {
    let cases: &[(&str, &[&str])] = &[
        // orders fails by itself, the gateway passes it on.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> pg {\"rows\":[]}\n 15-40 pass 2 gateway -> orders {\"status\":500}
             10-50 pass 1 test -> gateway {\"status\":502}\n 55 failed a/0 status\n 60 ended a",
            &["orders on gateway -> orders: answered 500, although its own calls went well [4, 5, 6]"],
        ),
        // The statement is what was wrong: orders sent it.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> pg.o {\"error\":{\"code\":\"42703\",\"message\":\"no x\"}}
             10-50 pass 1 test -> orders {\"status\":500}\n line orders error: no column x\n 55 failed a/0 status\n 60 ended a",
            &["orders on orders -> pg.o: sent a statement that pg refused: 42703 no x [4, 5, 6]"],
        ),
        // A provider that hangs up.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> mail closed\n 10-50 pass 1 test -> orders {\"status\":500}
             55 failed a/0 status\n 60 ended a",
            &["mail on orders -> mail: closed the connection before it had answered [4, 5]"],
        ),
        // A 4xx that nobody expected, and who gave it first.
        (
            "0 began a\n 5 step a/0 s\n 15-40 pass 2 gateway -> orders {\"status\":422}\n 10-50 pass 1 test -> gateway {\"status\":422}
             55 failed a/0 status\n 60 ended a",
            &["orders on gateway -> orders: was the first to answer 422 [4, 5]"],
        ),
        // A wrong body with good answers all along points at nobody.
        (
            "0 began a\n 5 step a/0 s\n 15-40 pass 2 gateway -> orders {\"status\":200}\n 10-50 pass 1 test -> gateway {\"status\":200}
             55 failed a/0 body.total\n 60 ended a",
            &[],
        ),
        // Under a fault the one that could not deal with it is named, not the one that was struck.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> paygate closed\n fault 3 orders -> paygate
             10-50 pass 1 test -> orders {\"status\":500}\n 55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 500 when the fault `cut` struck orders -> paygate [4, 5, 6]"],
        ),
    ];
    for (script, expected) in cases {
        assert_eq!(blame(script), expected.map_strings(), "{script}");
    }
}

#[test]
fn the_dead_and_the_silent_are_named() {
    let cases: &[(&str, &[&str])] = &[
        (
            "0 began a\n 5 step a/0 s\n line orders thread panicked\n died orders exit code 101\n 20-21 pass 1 test -> orders refused
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: died: exit code 101 [4, 5, 6]"],
        ),
        // It died before the test began, and never came back.
        (
            "1 died orders exit code 101\n 2 began a\n 5 step a/0 s\n 20-21 pass 1 test -> orders refused
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: died: exit code 101 [2, 5]"],
        ),
        (
            "1 died orders x\n starting orders\n ready orders\n 5 began a\n 6 step a/0 s\n 20-30 pass 1 test -> orders {\"status\":200}
             55 failed a/0 body\n 60 ended a",
            &[],
        ),
        // The test itself stopped it: that it refuses is no news.
        (
            "0 began a\n 5 step a/0 s\n stopped paygate\n 20-21 pass 2 orders -> paygate refused\n 10-50 pass 1 test -> orders {\"status\":500}
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 500 while paygate was stopped [5, 6]"],
        ),
        // A call that went wrong, and was swallowed: the mail that never came.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 2 orders -> notify {\"status\":500}\n 10-50 pass 1 test -> orders {\"status\":201}
             55 held a/0 status\n 56 step a/1 mail\n 58 failed a/1 count\n 60 ended a",
            &["notify on orders -> notify: answered 500, and orders answered 201 all the same [4, 5]"],
        ),
        // What an earlier step provoked and expected is no evidence for a later failure.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 2 orders -> paygate {\"status\":503}\n 10-50 pass 1 test -> orders {\"status\":503}
             55 held a/0 status\n 56 step a/1 sql\n 58 failed a/1 rows\n 60 ended a",
            &[],
        ),
        // A unique key that is taken is part of the day's work.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 2 orders -> pg {\"error\":{\"code\":\"23505\",\"message\":\"taken\"}}
             10-50 pass 1 test -> orders {\"status\":200}\n 55 failed a/0 body\n 60 ended a",
            &[],
        ),
        ("0 began a\n 20-30 pass 2 orders -> notify {\"status\":500}\n 55 held a/0 x\n 60 ended a", &[]),
    ];
    for (script, expected) in cases {
        assert_eq!(blame(script), expected.map_strings(), "{script}");
    }
}
