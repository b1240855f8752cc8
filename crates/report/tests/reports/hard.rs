//! Runs that are hard to show: too much of everything, tests side by side, hostile texts, events in any order.

use crate::script::{Script, TESTS};
use crate::{schema, shop};
use seam_diag::Look;
use seam_event::{ComponentState, Event, Outcome, Phase, Scope, StageOf, TestId, What};
use seam_history::History;
use seam_judge::verdict;
use seam_report::{Options, REPORTS};
use seam_value::Value;
use std::time::Duration;

const FAILING: (&str, &str) = ("Nothing is stored", "http: GET checkout/slow");

fn options() -> Options {
    Options { look: Look { colour: false, width: 100 }, folder: String::new() }
}

fn terminal(events: Vec<Event>) -> String {
    let history = History { sources: shop::sources(), ..History::of(events) };
    (seam_report::find("terminal").unwrap().write)(&history, &verdict(&history.events), &options())
}

/// The lines beneath `what passed`, without their indentation.
fn timeline(text: &str) -> Vec<&str> {
    let (_, after) = text.split_once("  what passed\n").unwrap();
    after.lines().take_while(|line| !line.is_empty()).map(str::trim).collect()
}

/// A test whose only step fails after the body.
fn failing(body: impl FnOnce(&mut Script)) -> Vec<Event> {
    let mut script = Script::new(shop::TEXT);
    script.test("Sometimes late", 1, |it| {
        it.step("0", FAILING, |it| {
            body(it);
            it.judged("status", Outcome::Failed, ("200", "500"), ("actual: 500", &[], "GET checkout/slow"));
        });
    });
    script.events
}

fn get(path: &str) -> String {
    format!("{{\"method\":\"GET\",\"path\":\"{path}\"}}")
}

#[test]
fn the_same_again_and_again_is_one_line() {
    let text = terminal(failing(|it| {
        for number in 0..30 {
            it.pass(number + 1, "test -> checkout", (10 + number, 1), (&get("/a"), "{\"status\":200}"));
        }
        it.pass(40, "test -> checkout", (50, 1), (&get("/b"), "{\"status\":500}"));
    }));
    assert_eq!(
        timeline(&text),
        [
            "+10 ms  test -> checkout  1.0 ms  GET /a  200  (30 times)",
            "+50 ms  test -> checkout  1.0 ms  GET /b  500",
        ]
    );
}

/// A step that is tried again and again, with the call that each try leads to.
#[test]
fn a_try_with_its_calls_again_and_again_is_one_stretch() {
    let text = terminal(failing(|it| {
        for number in 0..9 {
            let at = 10 + number * 20;
            it.pass(
                number * 2 + 2,
                "checkout -> pg",
                (at + 1, 1),
                (r#"{"statement":"select 1"}"#, r#"{"rows":[]}"#),
            );
            it.pass(number * 2 + 1, "test -> checkout", (at, 9), (&get("/a"), "{\"status\":404}"));
        }
        it.pass(40, "test -> checkout", (300, 1), (&get("/b"), "{\"status\":500}"));
    }));
    assert_eq!(
        timeline(&text),
        [
            "+10 ms  test -> checkout  9.0 ms  GET /a  404  (9 times)",
            "+11 ms    checkout -> pg  1.0 ms  select 1  no rows  (9 times)",
            "+300 ms  test -> checkout  1.0 ms  GET /b  500",
        ]
    );
}

#[test]
fn of_too_much_the_last_and_the_wrong_are_shown() {
    let text = terminal(failing(|it| {
        for number in 0..300 {
            let status = if number == 7 { 503 } else { 200 };
            let reply = format!("{{\"status\":{status}}}");
            it.pass(number + 1, "test -> checkout", (10 + number, 1), (&get(&format!("/{number}")), &reply));
        }
    }));
    let lines = timeline(&text);
    assert_eq!(lines[0], "… 7 more");
    assert!(lines[1].ends_with("GET /7  503"), "{}", lines[1]);
    assert_eq!(lines[2], "… 264 more");
    assert_eq!(lines.len(), 3 + 28);
    assert!(lines[30].ends_with("GET /299  200"), "{}", lines[30]);
}

#[test]
fn what_passed_is_shown_as_it_was() {
    let text = terminal(failing(|it| {
        it.pass(
            2,
            "checkout -> pg.shop",
            (20, 5),
            (
                r#"{"statement":"select *\n  from orders where id = $1","parameters":[17]}"#,
                r#"{"rows":[{"id":17},{"id":18}]}"#,
            ),
        );
        it.pass(
            3,
            "checkout -> redis",
            (26, 1),
            (r#"{"command":"GET","args":["cart:1"]}"#, r#"{"value":"x"}"#),
        );
        it.pass(
            1,
            "test -> checkout",
            (10, 40),
            (
                r#"{"method":"POST","path":"/orders","body":{"isbn":"978-0","quantity":1}}"#,
                r#"{"status":500,"text":"no\n\u001b[31mluck"}"#,
            ),
        );
        it.scope.test = Some("another".into());
        it.pass(4, "test -> checkout", (51, 1), (&get("/another"), "{\"status\":200}"));
        it.scope.test = None;
        it.pass(
            5,
            "checkout -> mail",
            (52, 1),
            (r#"{"subject":"Your order","to":"ann@example.test"}"#, "{\"status\":250}"),
        );
        it.scope.test = Some(format!("{TESTS}::Sometimes late").into());
        it.component("checkout", ComponentState::Died, "exit code 101");
    }));
    assert_eq!(
        timeline(&text),
        [
            "+10 ms  test -> checkout        40 ms  POST /orders {\"isbn\":\"978-0\",\"quant…  500 no \\x1b[31mluck",
            "+20 ms    checkout -> pg.shop  5.0 ms  select * from orders where id = $1 [17]  2 rows",
            "+26 ms    checkout -> redis    1.0 ms  GET cart:1  \"x\"",
            "+52 ms  checkout -> mail       1.0 ms  (left over) mail to ann@example.test: Your order  250",
            "+54 ms  checkout                       died: exit code 101",
        ]
    );
}

#[test]
fn the_answer_beside_the_caret_is_the_judged_one() {
    let reply = |status: u64, text: &str| format!("{{\"status\":{status},\"text\":\"{text}\"}}");
    let text = terminal(failing(|it| {
        it.pass(1, "test -> checkout", (4, 1), (&get("/a"), &reply(500, "the judged one")));
        it.pass(2, "test -> checkout", (5, 1), (&get("/b"), &reply(201, "the last one")));
    }));
    assert!(text.contains("= body: the judged one"), "{text}");
}

/// Texts from outside are replaced by hostile ones wherever an event holds one.
#[test]
fn nothing_from_outside_is_obeyed() {
    const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\u{7}\r\n::error::x\u{202e}\u{0}]]>&lt;</failure>\u{fffe}";
    let mut events = shop::events(Vec::new());
    let text = HOSTILE.to_owned();
    for event in &mut events {
        match &mut event.what {
            What::Plan { system, tests, .. } => {
                system.clone_from(&text);
                for test in tests {
                    (test.name, test.suite) = (text.clone(), text.clone());
                    test.tags = vec![text.clone()];
                    test.skip = test.skip.as_ref().map(|_| text.clone());
                    test.fails = test.fails.as_ref().map(|_| text.clone());
                }
            }
            What::Component { component, detail, .. } => {
                (*component, *detail) = (HOSTILE.into(), text.clone());
            }
            What::Line { component, text: said, .. } => (*component, *said) = (HOSTILE.into(), text.clone()),
            What::Interaction(passed) => {
                passed.request = Value::map([
                    ("method", Value::text(&text)),
                    ("path", Value::text(&text)),
                    ("body", Value::text(&text)),
                ]);
                passed.reply = Value::map([("status", Value::from(500_u64)), ("text", Value::text(&text))]);
                (passed.to, passed.seam.provider) = (HOSTILE.into(), HOSTILE.into());
            }
            What::Step { name, action, .. } => (*name, *action) = (text.clone(), text.clone()),
            What::Judged(judged) => {
                (judged.path, judged.matcher, judged.message) = (text.clone(), text.clone(), text.clone());
                judged.details = vec![text.clone()];
                (judged.expected, judged.actual) = (Some(Value::text(&text)), Some(Value::text(&text)));
            }
            What::Notice(notice) => {
                (notice.text, notice.label) = (text.clone(), text.clone());
                notice.notes = vec![(text.clone(), text.clone())];
                notice.hint = Some(text.clone());
            }
            What::Lost { of, .. } => of.clone_from(&text),
            _ => {}
        }
    }
    let history = History { sources: shop::sources(), ..History::of(events) };
    let verdict = verdict(&history.events);
    for report in REPORTS {
        let text = (report.write)(&history, &verdict, &options());
        let name = report.word.name;
        let odd =
            text.chars().find(|odd| odd.is_control() && !matches!(odd, '\n' | '\t') || *odd == '\u{202e}');
        // For programs, not for people: there every character is kept, in quotes.
        assert_eq!(odd.filter(|_| !matches!(name, "json" | "har")), None, "{name}: {text}");
        assert!(!text.contains('\u{1b}'), "{name}");
        match name {
            "junit" => assert!(sxd_document::parser::parse(&text).is_ok(), "{text}"),
            "json" | "har" => assert!(seam_value::parse(&text).is_ok(), "{text}"),
            "github" => {
                assert!(
                    text.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")),
                    "{text}"
                );
            }
            _ => {}
        }
    }
}

/// The events of the shop with some left out, doubled, put elsewhere or cut off: whatever was stored, every form is
/// there, is well-formed, and the verdict is never better than passed with nothing missing.
#[test]
fn any_events_give_reports() {
    let mut state = 42_u64;
    let mut chance = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let whole = shop::events(Vec::new());
    for round in 0..300 {
        let mut events = whole.clone();
        for _ in 0..=chance(6) {
            if events.is_empty() {
                break;
            }
            let (one, other) = (chance(events.len()), chance(events.len()));
            match chance(4) {
                0 => drop(events.remove(one)),
                1 => events.swap(one, other),
                2 => events.insert(other, events[one].clone()),
                _ => events.truncate(1 + one),
            }
        }
        for (event, seq) in events.iter_mut().zip(1..) {
            event.seq = seq;
        }
        let sources = if round % 2 == 0 { shop::sources() } else { seam_diag::Sources::default() };
        let history = History { sources, ..History::of(events) };
        let verdict = verdict(&history.events);
        for report in REPORTS {
            let text = (report.write)(&history, &verdict, &options());
            match report.word.name {
                "junit" => assert!(sxd_document::parser::parse(&text).is_ok(), "{text}"),
                "json" => {
                    let value = seam_value::parse(&text).unwrap();
                    assert_eq!(schema::mistakes(&value, report.word.results), [""; 0]);
                }
                _ => {}
            }
        }
    }
}

/// Ten thousand tests, some failing, and what the forms that CI systems limit make of them.
#[test]
fn many_tests_stay_within_the_limits() {
    let (mut events, mut seq) = (Vec::new(), 0);
    let mut tell = |test: &TestId, step: Option<&str>, what: What| {
        seq += 1;
        let scope = Scope { test: Some(test.clone()), attempt: Some(1), step: step.map(str::to_owned) };
        events.push(Event { seq, at: Duration::from_millis(seq), scope, cause: None, what });
    };
    let mut script = Script::new(shop::TEXT);
    let long = "x".repeat(300);
    script.judged("body", Outcome::Failed, ("1", "2"), (&long, &[&long, &long], "402"));
    let judged = script.events.remove(0).what;
    let place = script.place("402");
    for number in 0..10_000 {
        let test = format!("{TESTS}::test {number}").into();
        tell(&test, None, What::Test { phase: Phase::Began });
        let (name, action) = ("it is asked".to_owned(), "http: GET checkout/".to_owned());
        tell(&test, Some("0"), What::Step { name, action, place, stage: StageOf::Began });
        tell(&test, Some("0"), judged.clone());
        tell(&test, None, What::Test { phase: Phase::Ended });
    }
    let history = History { sources: shop::sources(), ..History::of(events) };
    let verdict = verdict(&history.events);
    let write = |name: &str| (seam_report::find(name).unwrap().write)(&history, &verdict, &options());
    let annotations = write("github");
    assert_eq!(annotations.lines().count(), 10);
    assert!(annotations.contains("9991 more did not pass"), "{annotations}");
    let summary = write("markdown");
    assert!(summary.len() < 1024 * 1024 && summary.contains("more did not pass; they are left out"));
    assert_eq!(write("junit").matches("<testcase ").count(), 10_000 + 1);
}
