//! A run while it goes on: after every event, the lines that stay and what is being done. `tests/forms/live.txt`
//! is the table for the shop; what it can't hold stands here.

use crate::script::{Script, seam};
use crate::shop;
use seam_diag::{Look, Sources};
use seam_event::{ComponentState, Event, Level, Notice, Outcome, Phase, Scope, StageOf, TestPlan, What};
use seam_report::Progress;
use seam_report::terminal::Page;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LOOK: Look = Look { colour: false, width: 80 };

/// What a person sees who looks at the terminal after each event: the time, the lines that stay (the first of them,
/// and how many), and the status where it changed.
fn watched(events: &[Event], sources: &Sources) -> String {
    let run = "0f3k2zq-3f2".into();
    let page = Page { sources, run: Some(&run), command: &[], look: LOOK };
    let (mut progress, mut out, mut before) = (Progress::default(), String::new(), Vec::new());
    for event in events {
        let stays = progress.push(&Arc::new(event.clone()), &page);
        let status = progress.status(event.at, LOOK);
        if !stays.is_empty() || status != before {
            let _ = writeln!(out, "@{} ms {}", event.at.as_millis(), event.what.kind());
        }
        if let Some(first) = stays.lines().find(|line| !line.is_empty()) {
            let more = stays.lines().count().saturating_sub(1);
            let more = if more > 0 { format!("   … {more} more lines") } else { String::new() };
            let _ = writeln!(out, "| {}{more}", first.trim_end());
        }
        if status != before {
            for line in &status {
                writeln!(out, "~ {line}").unwrap();
            }
            before = status;
        }
    }
    out
}

#[test]
fn a_run_is_told_as_it_goes_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms/live.txt");
    let text = watched(&shop::events(Vec::new()), &shop::sources());
    if std::env::var_os("UPDATE_FORMS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(text == std::fs::read_to_string(&path).unwrap(), "live.txt differs:\n{text}");
}

/// Events by hand: which test (or none), which step, at which millisecond, what.
struct Feed {
    progress: Progress,
    sources: Sources,
    seq: u64,
}

impl Feed {
    fn new(tests: &[&str]) -> Self {
        let mut feed = Self { progress: Progress::default(), sources: Sources::default(), seq: 0 };
        let plan = tests.iter().map(|name| TestPlan {
            id: (*name).into(),
            name: (*name).into(),
            suite: "suite".into(),
            place: seam_event::Place { file: 9, start: 0, end: 0 },
            tags: Vec::new(),
            skip: None,
            fails: None,
            fails_sometimes: false,
        });
        let plan = What::Plan {
            run: "r".into(),
            version: "0".into(),
            seed: 1,
            began: String::new(),
            system: "s".into(),
            files: Vec::new(),
            tests: plan.collect(),
            seams: Vec::new(),
            command: Vec::new(),
        };
        feed.push(0, "", plan);
        feed
    }

    /// `test/step`, `test`, or nothing.
    fn push(&mut self, at: u64, scope: &str, what: What) -> String {
        self.seq += 1;
        let (test, step) = scope.split_once('/').map_or((scope, None), |(test, step)| (test, Some(step)));
        let is_test = !test.is_empty();
        let scope = Scope {
            test: is_test.then(|| test.into()),
            attempt: is_test.then_some(1),
            step: step.map(str::to_owned),
        };
        let event = Event { seq: self.seq, at: Duration::from_millis(at), scope, cause: None, what };
        let page = Page { sources: &self.sources, run: None, command: &[], look: LOOK };
        self.progress.push(&Arc::new(event), &page)
    }

    fn rest(&mut self) -> String {
        let page = Page { sources: &self.sources, run: None, command: &[], look: LOOK };
        self.progress.rest(&page)
    }

    fn status(&self, at: u64) -> Vec<String> {
        self.progress.status(Duration::from_millis(at), LOOK)
    }
}

fn component(name: &str, state: ComponentState, detail: &str) -> What {
    What::Component { component: name.into(), state, detail: detail.into() }
}

fn step(name: &str, stage: StageOf) -> What {
    let place = seam_event::Place { file: 9, start: 0, end: 0 };
    What::Step { name: name.into(), action: name.into(), place, stage }
}

const BEGAN: What = What::Test { phase: Phase::Began };
const ENDED: What = What::Test { phase: Phase::Ended };

#[test]
fn a_system_without_tests_is_up_once_all_of_it_is_ready() {
    let mut feed = Feed::new(&[]);
    feed.push(1_000, "", component("pg", ComponentState::Starting, ""));
    assert_eq!(feed.status(1_500), ["starting  0.5 s  0 of 1 ready, waiting for pg"]);
    feed.push(2_000, "", component("pg", ComponentState::Ready, ""));
    assert_eq!(feed.status(3_000), ["up  2.0 s  1 of 1 ready"]);
}

#[test]
fn the_status_says_what_is_waited_for() {
    let mut feed = Feed::new(&["a", "b"]);
    feed.progress.say("fetching redis-server\u{1b}[2J");
    assert_eq!(feed.status(1_250), ["preparing  1.2 s  fetching redis-server\\x1b[2J"]);
    feed.push(2_000, "", component("pg", ComponentState::Starting, ""));
    feed.push(2_000, "", component("mail", ComponentState::Starting, ""));
    assert_eq!(feed.status(2_500), ["starting  0.5 s  0 of 2 ready, waiting for pg, mail"]);
    let stays = feed.push(2_600, "", component("pg", ComponentState::Ready, "PostgreSQL 15.14 in 600 ms"));
    assert_eq!(stays, "ready  pg  PostgreSQL 15.14 in 600 ms\n");
    assert_eq!(feed.status(2_600), ["starting  0.6 s  1 of 2 ready, waiting for mail"]);
    feed.push(2_700, "", component("mail", ComponentState::Ready, ""));
    feed.progress.say("keeping the state");
    assert_eq!(feed.status(2_700), ["starting  0.7 s  2 of 2 ready, keeping the state"]);
    feed.push(3_000, "a", BEGAN);
    feed.push(3_000, "a/needs.customer.0", step("She signs up", StageOf::Began));
    assert_eq!(
        feed.status(3_100),
        ["testing  0.1 s  0 of 2 tests", "  suite  a  0.1 s  fixture customer: She signs up"]
    );
    feed.push(3_200, "a/needs.customer.0", step("She signs up", StageOf::Ended));
    feed.push(3_200, "a/0", step("They buy", StageOf::Began));
    feed.push(3_200, "a/0.together.0", step("Ann buys", StageOf::Began));
    feed.push(3_200, "a/0.together.1", step("Bob buys", StageOf::Began));
    // Restarted by a step: no news to stay.
    assert_eq!(feed.push(3_300, "a", component("pg", ComponentState::Ready, "")), "");
    feed.push(3_400, "a/0.together.1", step("Bob buys", StageOf::Ended));
    assert_eq!(feed.status(65_000)[1], "  suite  a  1 min 02 s  Ann buys  1 min 01 s");
    feed.push(70_000, "a", ENDED);
    assert_eq!(feed.status(70_000), ["testing  1 min 07 s  1 of 2 tests, 1 did not pass"]);
    feed.push(71_000, "", component("pg", ComponentState::Stopped, ""));
    assert_eq!(feed.status(71_500), ["stopping  0.5 s  1 of 2 stopped"]);
    feed.push(72_000, "", What::Finished { reason: "done".into() });
    assert_eq!(feed.status(72_000), [""; 0]);
}

#[test]
fn no_line_of_the_status_is_wider_than_the_terminal() {
    let names: Vec<String> =
        (0..20).map(|number| format!("本屋の注文 {number} {}", "é".repeat(90))).collect();
    let mut feed = Feed::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        feed.push(1, name, BEGAN);
        feed.push(1, &format!("{name}/0"), step("a very long name of a step\nin lines", StageOf::Began));
    }
    let status = feed.status(9_000);
    assert_eq!(status.len(), 8, "{status:?}");
    assert_eq!(status[7], "  and 14 more");
    for line in &status {
        let columns = unicode_width::UnicodeWidthStr::width(line.as_str());
        assert!(columns <= LOOK.width && !line.contains('\n'), "{columns}: {line}");
    }
}

#[test]
fn what_happens_outside_of_tests_is_told_at_once_and_once() {
    let mut feed = Feed::new(&["a"]);
    let degraded =
        || What::Degraded { seam: seam("a -> pg"), connection: 1, reason: "no such message".into() };
    let told = feed.push(1, "", degraded());
    assert!(told.contains("warning: a -> pg is watched as plain bytes only: no such message"), "{told}");
    assert_eq!(feed.push(2, "", degraded()), "");
    let told = feed.push(3, "", component("orders", ComponentState::Died, "exit code 1"));
    assert_eq!(told, "died  orders  exit code 1\n");
    let notice = |level, text: &str| What::Notice(Notice::new(level, text));
    assert_eq!(feed.push(4, "", notice(Level::Warning, "careful")), "\nwarning: careful\n\n");
    feed.push(5, "a", BEGAN);
    assert_eq!(feed.push(5, "a", notice(Level::Warning, "of the test")), "");
    let told = feed.push(6, "a", ENDED);
    assert!(told.starts_with("INCONCLUSIVE") && told.contains("warning: of the test"), "{told}");
    // The clean-up of a fixture that others needed, after its last test.
    assert_eq!(feed.push(7, "a", notice(Level::Failure, "no clean-up")), "");
    feed.push(8, "", What::Finished { reason: "done".into() });
    let rest = feed.rest();
    assert!(rest.contains("error: no clean-up"), "{rest}");
    assert!(rest.contains("failed: 1 inconclusive, 1 outside of the tests"), "{rest}");
    assert!(!rest.contains("careful"), "{rest}");
}

#[test]
fn a_run_that_is_cut_off_tells_where_it_was() {
    let mut script = Script::new(shop::TEXT);
    let get = ("It is asked", "http: GET checkout/slow");
    script.test("Sometimes late", 1, |it| {
        it.step("0", get, |it| {
            it.pass(
                1,
                "test -> checkout",
                (3, 20),
                (r#"{"method":"GET","path":"/slow"}"#, "{\"status\":200}"),
            );
        });
    });
    // Neither the end of the test nor of the step was reached.
    script.events.truncate(script.events.len() - 2);
    let mut feed = Feed::new(&["Sometimes late", "never"]);
    for event in script.events {
        feed.push(5, "Sometimes late/0", event.what);
    }
    let rest = feed.rest();
    for part in ["INCONCLUSIVE  suite", "it never came to its end", "GET /slow  200", "NOT RUN  suite  never"]
    {
        assert!(rest.contains(part), "{part}: {rest}");
    }
    assert!(
        rest.contains("inconclusive: 1 inconclusive, 1 not run, the run never came to its end"),
        "{rest}"
    );
}

#[test]
fn what_is_lost_later_is_told_to_have_changed_a_test() {
    let mut feed = Feed::new(&["a"]);
    feed.push(1, "a", BEGAN);
    feed.push(1, "a/0", step("seam: orders -> pg", StageOf::Began));
    let mut script = Script::new(shop::TEXT);
    script.judged("count", Outcome::Held, ("1", "1"), ("", &[], ""));
    feed.push(2, "a/0", script.events.remove(0).what);
    assert!(feed.push(3, "a", ENDED).starts_with("PASS"));
    feed.push(
        4,
        "",
        What::Lost { of: "interactions".into(), seam: Some(seam("orders -> pg")), count: 2, since: 1 },
    );
    let rest = feed.rest();
    assert!(
        rest.contains("INCONCLUSIVE  suite  a") && rest.contains("after all\n      2 interactions on"),
        "{rest}"
    );
}
