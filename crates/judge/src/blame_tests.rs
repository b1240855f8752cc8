//! Tables of what happened and whom that points at; and that nobody is ever named without evidence.

use crate::script::{Strings as _, events};
use crate::{Live, verdict};
use seam_event::{Event, What};
use std::fmt::Write as _;
use std::sync::Arc;

/// Whom the evidence points at in a test that fails with the step 0 unless the script says otherwise.
fn blame(script: &str) -> Vec<String> {
    let events = events(&format!("plan a seam:orders>stock\n{script}\nfinished done"));
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

fn live(events: &[Event]) -> Vec<crate::Suspect> {
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
        // gRPC says it in words.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 2 front -> guide {\"status\":\"INTERNAL\"}\n 10-50 pass 1 test -> front {\"status\":502}
             55 failed a/0 status\n 60 ended a",
            &["guide on front -> guide: answered INTERNAL [4, 5]"],
        ),
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 2 front -> guide {\"status\":\"NOT_FOUND\"}\n 10-50 pass 1 test -> front {\"status\":500}
             55 failed a/0 status\n 60 ended a",
            &["front on test -> front: answered 500, after guide had answered NOT_FOUND [4, 5]"],
        ),
        // What it was told was an answer, and no excuse.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> paygate {\"status\":401}\n 10-50 pass 1 test -> orders {\"status\":502}
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 502, after paygate had answered 401 [4, 5]"],
        ),
        // The statement is what was wrong: orders sent it.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> pg.o {\"error\":{\"code\":\"42703\",\"message\":\"no x\"}}
             10-50 pass 1 test -> orders {\"status\":500}\n line orders error: no column x\n 55 failed a/0 status\n 60 ended a",
            &["orders on orders -> pg.o: sent a statement that pg refused: 42703 no x [4, 5, 6]"],
        ),
        // What it said of an earlier test, and was heard in this one, is no evidence.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> pg.o {\"error\":{\"code\":\"42703\",\"message\":\"no x\"}}
             10-50 pass 1 test -> orders {\"status\":500}\n late-line orders error: no column y\n 55 failed a/0 status
             60 ended a",
            &["orders on orders -> pg.o: sent a statement that pg refused: 42703 no x [4, 5]"],
        ),
        // A provider that hangs up.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> mail closed\n 10-50 pass 1 test -> orders {\"status\":500}
             55 failed a/0 status\n 60 ended a",
            &["mail on orders -> mail: closed the connection before it had answered [4, 5]"],
        ),
        // It was not asked at all.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> mail closed\n doubt a/0 not allowed
             10-50 pass 1 test -> orders {\"status\":500}\n 55 failed a/0 status\n 60 ended a",
            &[],
        ),
        // A 4xx that nobody expected, and who gave it first.
        (
            "0 began a\n 5 step a/0 s\n 15-40 pass 2 gateway -> orders {\"status\":422}\n 10-50 pass 1 test -> gateway {\"status\":422}
             55 failed a/0 status\n 60 ended a",
            &["orders on gateway -> orders: was the first to answer 422 [4, 5]"],
        ),
        // It refuses because its own provider failed.
        (
            "0 began a\n 5 step a/0 s\n 15-40 pass 2 gateway -> orders {\"status\":503}\n 10-50 pass 1 test -> gateway {\"status\":400}
             55 failed a/0 status\n 60 ended a",
            &["orders on gateway -> orders: answered 503 [4, 5]"],
        ),
        // Of several requests at once the one is followed whose answer was judged, not the last.
        (
            "0 began a\n 5 step a/0 s\n 10-30 pass 1 test -> orders {\"status\":500}\n 11-40 pass 2 test -> gateway {\"status\":201}
             55 failed a/0 status = 500\n 60 ended a",
            &["orders on test -> orders: answered 500 [4]"],
        ),
        (
            "0 began a\n 5 step a/0 s\n 10-30 pass 1 test -> orders {\"status\":404}\n 11-40 pass 2 test -> gateway {\"status\":201}
             55 failed a/0 results.*.status = [201,404]\n 60 ended a",
            &["orders on test -> orders: answered 404 [4]"],
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

/// Its own calls did not go well where no stub answered them.
#[test]
fn what_no_stub_answered_is_told_beside_who_fell_over_it() {
    let script = "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> pg.o {\"error\":{\"code\":\"XX000\",\"message\":\"no stub answers this\"}} by stub of pg
             10-50 pass 1 test -> orders {\"status\":500}\n 55 failed a/0 status\n 60 ended a";
    assert_eq!(
        blame(script),
        [
            "orders on test -> orders: answered 500, after the stub of pg had answered XX000 no stub answers this [4, 5]"
        ]
    );
}

#[test]
fn what_was_done_on_purpose_is_nobodys_mistake() {
    let cases: &[(&str, &[&str])] = &[
        // Reset by a fault: orders had to get over it.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 orders -> pay closed by fault cut\n fault - orders -> pay
             10-50 pass 1 test -> orders {\"status\":500}\n 55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 500 when the fault `cut` struck orders -> pay [4, 5, 6]"],
        ),
        // It answered well, and what failed was seen later: nobody but the one who was struck comes into question.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 notify -> mail closed by fault cut\n fault - notify -> mail
             10-50 pass 1 orders -> notify {\"status\":200}\n 55 failed a/0 count\n 60 ended a",
            &["notify on notify -> mail: was struck by the fault `cut`, and answered orders 200 all the same [4, 5, 6]"],
        ),
        // Something else explains it.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 notify -> mail closed by fault cut\n died pay exit code 1
             55 failed a/0 count\n 60 ended a",
            &["pay: died: exit code 1 [5]"],
        ),
        // A stub's refusal is the test's own doing.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 pay -> bank {\"status\":402} by stub declined
             15-40 pass 2 orders -> pay {\"status\":402}\n 10-50 pass 1 test -> orders {\"status\":402}
             55 failed a/0 status\n 60 ended a",
            &["pay on orders -> pay: passed on 402, which the stub `declined` had answered [4, 5, 6]"],
        ),
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 pay -> bank {\"status\":402} by stub declined
             10-50 pass 1 test -> pay {\"status\":500}\n 55 failed a/0 status\n 60 ended a",
            &["pay on test -> pay: answered 500, after the stub `declined` had answered 402 [4, 5]"],
        ),
        // A fault towards the test itself is nobody's.
        (
            "0 began a\n 5 step a/0 s\n 10-50 pass 1 test -> pay {\"status\":503} by fault cut\n 55 failed a/0 status
             60 ended a",
            &[],
        ),
        // It said what its provider's failure is said by; who got that had to get over it, and did not.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 svc -> store {\"status\":500} by fault cut\n fault - svc -> store
             15-40 pass 2 gw -> svc {\"status\":503}\n 10-50 pass 1 test -> gw closed\n 55 failed a/0 status\n 60 ended a",
            &["gw on test -> gw: closed the connection before it had answered, after svc had answered 503 [6, 7]"],
        ),
        (
            "0 began a\n 5 step a/0 s\n stopped store\n 20-30 pass 3 svc -> store refused
             15-40 pass 2 gw -> svc {\"status\":503}\n 10-50 pass 1 test -> gw {\"status\":500}\n 55 failed a/0 status\n 60 ended a",
            &["gw on test -> gw: answered 500, after svc had answered 503 [6, 7]"],
        ),
        // That it passed it on is what it is there for.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 svc -> store {\"status\":500} by fault cut\n fault - svc -> store
             15-40 pass 2 gw -> svc {\"status\":503}\n 10-50 pass 1 test -> gw {\"status\":502}\n 55 failed a/0 status\n 60 ended a",
            &["svc on gw -> svc: answered 503 when the fault `cut` struck svc -> store [4, 5, 6, 7]"],
        ),
        // Nothing failed: it only could not be judged.
        (
            "0 began a\n 5 step a/0 s\n 20-30 pass 3 pay -> bank {\"status\":402} by fault cut\n fault - pay -> bank
             10-50 pass 1 test -> pay {\"status\":200}\n 55 held a/0 status\n doubt - fault x was never reached\n 60 ended a",
            &[],
        ),
        // Late on purpose, and given up too early.
        (
            "0 began a\n 5 step a/0 s\n 20-90 pass 3 orders -> pay {\"status\":200}\n 15 fault latency orders -> pay
             15-55 pass 2 gateway -> orders timeout\n 10-60 pass 1 test -> gateway {\"status\":504}
             65 failed a/0 status\n 99 ended a",
            &["gateway on gateway -> orders: gave orders up while the fault `latency` held up orders -> pay [5, 6, 7]"],
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
        // Nothing passes where the machine refuses: that its provider is stopped stands in the states.
        (
            "0 began a\n 5 step a/0 s\n stopped stock\n 10-50 pass 1 test -> orders {\"status\":502}
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 502 while stock was stopped [4, 5]"],
        ),
        (
            "1 stopped stock\n 2 began a\n 5 step a/0 s\n 10-50 pass 1 test -> orders {\"status\":502}\n 52 ready stock
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 502 while stock was stopped [2, 5]"],
        ),
        // One that it does not need is no excuse.
        (
            "0 began a\n 5 step a/0 s\n stopped mail\n 10-50 pass 1 test -> orders {\"status\":502}
             55 failed a/0 status\n 60 ended a",
            &["orders on test -> orders: answered 502 [5]"],
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
        // Nor is what an earlier test left open, neither where it goes wrong in this one's time,
        (
            "100 began a\n 105 step a/0 s\n 20-120 pass 2 orders -> notify {\"status\":500}\n 110-130 pass 3 test -> orders {\"status\":201}
             155 held a/0 status\n 156 step a/1 mail\n 158 failed a/1 count\n 160 ended a",
            &[],
        ),
        // nor where it is told anew, and seems to go around all that was asked since.
        (
            "100 began a\n 105 step a/0 s\n 120-130 pass 3 orders -> paygate {\"status\":503}\n 110-150 pass 2 test -> orders {\"status\":503}
             155 held a/0 status\n 156 step a/1 sql\n 158 failed a/1 rows\n 20-159 open 1 test -> orders null\n 160 ended a",
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

/// Scenes made of parts at random: whoever is named, events say so, and they are about the one who is named.
#[test]
fn nobody_is_named_without_evidence() {
    const PARTS: &[&str] = &[
        "pass 1 test -> gateway {\"status\":500}",
        "pass 2 test -> gateway {\"status\":201}",
        "pass 3 test -> orders {\"status\":404}",
        "pass 4 gateway -> orders {\"status\":500}",
        "pass 5 gateway -> orders {\"status\":404}",
        "pass 6 orders -> pg {\"error\":{\"code\":\"42703\",\"message\":\"no x\"}}",
        "pass 7 orders -> pg {\"error\":{\"code\":\"40001\"}}",
        "pass 8 orders -> mail closed",
        "pass 9 orders -> mail refused",
        "pass 10 orders -> mail closed by fault cut",
        "pass 11 orders -> stock {\"status\":402} by stub x",
        "pass 12 orders -> stock timeout",
        "fault - orders -> mail",
        "fault - orders -> stock",
        "fault 4 gateway -> orders",
        "fault 8 orders -> mail",
        "line orders a panic",
        "line gateway error: no",
        "died orders exit code 1",
        "ready orders",
        "stopped stock",
        "starting stock",
        "stopped mail",
        "failed a/0 status",
        "failed a/0 status = 500",
        "failed a/0 body",
        "held a/0 status",
        "done a/0",
        "step a/1 sql: pg",
        "failed a/1 rows",
        "lost events 0",
    ];
    let mut state = 7_u64;
    let mut chance = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut n_named = 0;
    for _ in 0..3_000 {
        let mut script = String::from(
            "plan a seam:orders>stock seam:gateway>mail\n1 stopped stock\n1 began a\n2 step a/0 http: POST gateway/\n",
        );
        for _ in 0..2 + chance(12) {
            let part = PARTS[usize::try_from(chance(PARTS.len() as u64)).unwrap()];
            let from = 3 + chance(40);
            if part.starts_with("pass") {
                writeln!(script, "{from}-{} {part}", from + chance(30)).unwrap();
            } else {
                writeln!(script, "{from} {part}").unwrap();
            }
        }
        script += "90 ended a\nfinished done";
        let events = events(&script);
        let verdict = verdict(&events);
        let attempt = verdict.tests[0].last_attempt().unwrap();
        assert_eq!(live(&events), attempt.suspects, "live and stored say the same: {script}");
        for suspect in &attempt.suspects {
            n_named += 1;
            assert!(!attempt.findings.is_empty(), "{script}");
            assert!(suspect.evidence.is_sorted_by(|one, next| one < next), "{suspect:?}: {script}");
            let is_about = |seq: &u64| {
                let index = usize::try_from(*seq - 1).unwrap();
                match &events[index].what {
                    What::Interaction(passed) => [&passed.from, &passed.to].contains(&&suspect.component),
                    What::Line { component, .. } | What::Component { component, .. } => {
                        *component == suspect.component
                    }
                    _ => false,
                }
            };
            assert!(suspect.evidence.iter().any(is_about), "{suspect:?}: {script}");
            assert!(!suspect.component.is_test(), "{suspect:?}: {script}");
        }
    }
    assert!(n_named > 1_000, "the scenes point at somebody often enough to be a test: {n_named}");
}
