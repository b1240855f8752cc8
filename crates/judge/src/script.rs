//! Events for tests, written as a script: one line each, the time in milliseconds at its beginning if it matters.
//!
//! ```text
//! plan a b skip:c fails:d sometimes:e seam:orders>pg
//! began a              ended a              (attempt 2 of a: `a#2`)
//! step a/0 http: GET orders/                left-out a/0 why
//! held a/0 status      failed a/0 status    unsaid a/0 status      undecided a/0 count
//! failed a/0 status = 500                   (what was there)
//! 10-50 pass 1 test -> orders {"status":500}
//! line orders some text                     died orders exit code 1
//! ```

use crate::chain;
use seam_event::{
    ComponentState, Event, InteractionError, Judged, Level, Notice, Outcome, Phase, Place, Scope, SeamId,
    StageOf, TestPlan, What,
};
use std::time::Duration;

/// The events of a script, numbered from 1.
pub(crate) fn events(script: &str) -> Vec<Event> {
    let mut at = 0;
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .zip(1..)
        .map(|(line, seq)| {
            at += 1;
            let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
            let lasts = time.split_once('-').map_or((time, time), |(from, to)| (from, to));
            let (lasts, line) = match (lasts.0.parse::<u64>(), lasts.1.parse::<u64>()) {
                (Ok(from), Ok(to)) => {
                    at = to;
                    ((from, to), rest)
                }
                _ => ((at, at), line),
            };
            let (scope, what) = what(line, lasts);
            Event { seq, at: Duration::from_millis(at), scope, cause: None, what }
        })
        .collect()
}

fn what(line: &str, lasts: (u64, u64)) -> (Scope, What) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (subject, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let place = Place { file: 0, start: 0, end: 1 };
    let step = |stage| What::Step { name: text.into(), action: text.into(), place, stage };
    let notice = |level| What::Notice(Notice::new(level, text));
    let component = |state| What::Component { component: subject.into(), state, detail: text.into() };
    let (path, actual) = text.split_once(" = ").unwrap_or((text, ""));
    let judged = |outcome, written| {
        What::Judged(Judged {
            path: path.into(),
            matcher: "equals".into(),
            outcome,
            written,
            soft: false,
            expected: None,
            actual: (!actual.is_empty()).then(|| seam_value::parse(actual).unwrap()),
            message: format!("{path} is wrong"),
            details: Vec::new(),
            place,
        })
    };
    let what = match word {
        "plan" => return (Scope::default(), plan(rest)),
        "began" => What::Test { phase: Phase::Began },
        "ended" => What::Test { phase: Phase::Ended },
        "step" => step(StageOf::Began),
        "done" => step(StageOf::Ended),
        "left-out" => step(StageOf::LeftOut(text.into())),
        "broken" => step(StageOf::Errored(text.into())),
        "waited" => step(StageOf::Inconclusive(text.into())),
        "held" => judged(Outcome::Held, true),
        "unsaid" => judged(Outcome::Held, false),
        "failed" => judged(Outcome::Failed, true),
        "undecided" => judged(Outcome::Inconclusive, true),
        "warning" => notice(Level::Warning),
        "doubt" => notice(Level::Inconclusive),
        "error" => notice(Level::Error),
        "failure" => notice(Level::Failure),
        "starting" => return (Scope::default(), component(ComponentState::Starting)),
        "ready" => return (Scope::default(), component(ComponentState::Ready)),
        "stopped" => return (Scope::default(), component(ComponentState::Stopped)),
        "died" => return (Scope::default(), component(ComponentState::Died)),
        // Said in the test's time, or before it and heard in it.
        "line" | "late-line" => {
            let text = text.to_owned();
            let whose = if word == "line" { scope("a") } else { Scope::default() };
            return (whose, What::Line { component: subject.into(), error: true, number: 1, text });
        }
        "fault" => {
            let seam = chain::tests::interaction(0, text, (0, 0), "null").seam;
            let fault = if subject == "latency" { "latency".into() } else { "cut".into() };
            let action = "struck".into();
            return (
                Scope::default(),
                What::Fault { seam, fault, action, is_stub: false, interaction: subject.parse().ok() },
            );
        }
        "pass" => return (Scope::default(), pass(subject, text, lasts)),
        // Told while it has no end.
        "open" => {
            let What::Interaction(mut one) = pass(subject, text, lasts) else { unreachable!() };
            one.elapsed = None;
            return (Scope::default(), What::Interaction(one));
        }
        "lost" => return (Scope::default(), lost(subject, text)),
        "finished" => return (Scope::default(), What::Finished { reason: rest.into() }),
        other => panic!("no such word: {other}"),
    };
    (scope(subject), what)
}

/// `a`, `a#2`, `a/0`, `-` for no test.
fn scope(subject: &str) -> Scope {
    let (test, step) = subject.split_once('/').map_or((subject, None), |(test, step)| (test, Some(step)));
    let (test, attempt) =
        test.split_once('#').map_or((test, 1), |(test, number)| (test, number.parse().unwrap()));
    let is_test = test != "-";
    Scope {
        test: is_test.then(|| test.into()),
        attempt: is_test.then_some(attempt),
        step: step.map(|step| step.replace('_', " ")),
    }
}

fn plan(tests: &str) -> What {
    let seams = tests.split_whitespace().filter_map(|word| word.strip_prefix("seam:")?.split_once('>'));
    let seams =
        seams.map(|(from, to)| chain::tests::interaction(0, &format!("{from} -> {to}"), (0, 0), "null").seam);
    let seams: Vec<SeamId> = seams.collect();
    let tests = tests.split_whitespace().filter(|word| !word.starts_with("seam:")).map(|test| {
        let (kind, name) = test.split_once(':').unwrap_or(("", test));
        TestPlan {
            id: name.into(),
            name: name.into(),
            suite: "suite".into(),
            place: Place { file: 0, start: 0, end: 1 },
            tags: Vec::new(),
            skip: (kind == "skip").then(|| "later".into()),
            fails: matches!(kind, "fails" | "sometimes").then(|| "ticket 7".into()),
            fails_sometimes: kind == "sometimes",
        }
    });
    What::Plan {
        run: "r".into(),
        version: "0".into(),
        seed: 7,
        began: "2026-01-01T00:00:00Z".into(),
        system: "shop".into(),
        files: Vec::new(),
        tests: tests.collect(),
        seams,
        command: Vec::new(),
    }
}

/// `1 test -> orders {"status":500}`, or an error's name instead of the reply, and ` by stub x` or ` by fault x`.
fn pass(id: &str, text: &str, lasts: (u64, u64)) -> What {
    let split = text.match_indices(' ').nth(2).map_or(text.len(), |(at, _)| at);
    let (seam, reply) = text.split_at(split);
    let (reply, by) = reply.split_once(" by ").map_or((reply, None), |(reply, by)| (reply, Some(by)));
    let error = match reply.trim() {
        "refused" => Some(InteractionError::Refused),
        "closed" => Some(InteractionError::Closed),
        "timeout" => Some(InteractionError::Timeout),
        _ => None,
    };
    let reply = if error.is_some() { "null" } else { reply };
    let mut interaction = chain::tests::interaction(id.parse().unwrap(), seam, lasts, reply);
    interaction.error = error;
    interaction.answered_by = by.map(str::to_owned);
    What::Interaction(interaction)
}

/// `interactions 3 orders -> pg`: since event 3, on that seam or on none.
fn lost(of: &str, text: &str) -> What {
    let (since, seam) = text.split_once(' ').unwrap_or((text, ""));
    let seam: Option<SeamId> =
        (!seam.is_empty()).then(|| chain::tests::interaction(0, seam, (0, 0), "null").seam);
    What::Lost { of: of.into(), seam, count: 2, since: since.parse().unwrap() }
}

/// For tables of texts.
pub(crate) trait Strings {
    fn map_strings(&self) -> Vec<String>;
}

impl Strings for [&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}
