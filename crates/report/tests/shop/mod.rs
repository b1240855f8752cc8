//! A run with everything that a report has to show: a shop whose checkout does not survive a declined card.

use seam_diag::Sources;
use seam_event::{
    Caller, ComponentState, Endpoint, Event, Interaction, Judged, Level, Notice, Outcome, Phase, Place,
    Scope, SeamId, StageOf, StoredFile, TestPlan, What,
};
use seam_value::Value;
use std::time::Duration;

const TESTS: &str = "tests/checkout.seam.yaml";
pub(crate) const TEXT: &str = r#"tests:
  - name: A good card pays
    steps:
      - { http: POST checkout/pay, json: { card: good }, expect: { status: 200 } }

  - name: A declined card leaves nothing behind
    tags: [critical, money]
    steps:
      - name: Ann pays with a declined card
        http: POST checkout/pay
        json: { card: declined }
        expect: { status: 402, body: $declined }
      - name: Nothing is stored
        sql: pg.shop
        query: select * from orders
        expect: { rows: [] }

  - name: It looks at nothing
    steps:
      - { http: GET checkout/health }

  - name: Refunds
    fails: ticket 7
    steps:
      - { http: POST checkout/refund, expect: { status: 200 } }

  - name: "Odd <names> & 'quotes' $HOME"
    skip: no printer here

  - name: Sometimes late
    steps:
      - { http: GET checkout/slow, expect: { status: 200 } }

  - name: Never reached
    steps:
      - { http: GET checkout/, expect: { status: 200 } }
"#;

fn place(of: &str) -> Place {
    let start = u32::try_from(TEXT.find(of).unwrap()).unwrap();
    Place { file: 0, start, end: start + u32::try_from(of.len()).unwrap() }
}

fn seam(text: &str) -> SeamId {
    let (consumer, provider) = text.split_once(" -> ").unwrap();
    let (provider, endpoint) = provider.split_once('.').unwrap_or((provider, ""));
    SeamId { consumer: consumer.into(), provider: provider.into(), endpoint: Endpoint::from(endpoint) }
}

/// The script of a run: what happens, at which millisecond, in which test, attempt and step.
pub(crate) struct Script {
    events: Vec<Event>,
    scope: Scope,
    at: u64,
}

impl Script {
    fn tell(&mut self, what: What) {
        let scope = match &what {
            What::Line { .. } | What::Component { .. } | What::Lost { .. } => Scope::default(),
            What::Test { .. } => Scope { step: None, ..self.scope.clone() },
            _ => self.scope.clone(),
        };
        let seq = self.events.len() as u64 + 1;
        self.events.push(Event { seq, at: Duration::from_millis(self.at), scope, cause: None, what });
        self.at += 1;
    }

    fn test(&mut self, name: &str, attempt: u32, body: impl FnOnce(&mut Self)) {
        self.scope =
            Scope { test: Some(format!("{TESTS}::{name}").into()), attempt: Some(attempt), step: None };
        self.tell(What::Test { phase: Phase::Began });
        body(self);
        self.tell(What::Test { phase: Phase::Ended });
        self.scope = Scope::default();
    }

    fn step(&mut self, path: &str, (name, action): (&str, &str), body: impl FnOnce(&mut Self)) {
        self.scope.step = Some(path.into());
        let stage =
            |stage| What::Step { name: name.into(), action: action.into(), place: place(action), stage };
        self.tell(stage(StageOf::Began));
        body(self);
        self.tell(stage(StageOf::Ended));
        self.scope.step = None;
    }

    fn pass(&mut self, id: u64, on: &str, (at, took): (u64, u64), (request, reply): (&str, &str)) {
        let of = seam(on);
        self.at = self.at.max(at + took);
        let protocol = if of.provider.as_str() == "pg" { "postgres" } else { "http" };
        self.tell(What::Interaction(Interaction {
            id,
            from: of.consumer.clone(),
            to: of.provider.clone(),
            seam: of,
            via: None,
            caller: Caller::Known,
            protocol: protocol.into(),
            connection: 1,
            at: Duration::from_millis(at),
            elapsed: Some(Duration::from_millis(took)),
            error: None,
            request: seam_value::parse(request).unwrap(),
            reply: seam_value::parse(reply).unwrap(),
            message: Value::Null,
            cut: false,
        }));
    }

    fn judged(&mut self, path: &str, outcome: Outcome, sides: (&str, &str), told: (&str, &[&str], &str)) {
        let value = |text: &str| (!text.is_empty()).then(|| seam_value::parse(text).unwrap());
        self.tell(What::Judged(Judged {
            path: path.into(),
            matcher: "equals".into(),
            outcome,
            written: true,
            soft: false,
            expected: value(sides.0),
            actual: value(sides.1),
            message: told.0.into(),
            details: told.1.iter().map(|line| (*line).to_owned()).collect(),
            place: place(told.2),
        }));
    }

    fn line(&mut self, component: &str, number: u64, text: &str) {
        self.tell(What::Line { component: component.into(), error: true, number, text: text.into() });
    }

    fn component(&mut self, component: &str, state: ComponentState, detail: &str) {
        self.tell(What::Component { component: component.into(), state, detail: detail.into() });
    }
}

/// The user's files.
pub(crate) fn sources() -> Sources {
    let mut sources = Sources::default();
    sources.add(TESTS, TEXT);
    sources
}

fn plan(files: Vec<StoredFile>) -> What {
    let test = |name: &str| {
        let is = |of: &str| name == of;
        TestPlan {
            id: format!("{TESTS}::{name}").into(),
            name: name.into(),
            suite: "checkout".into(),
            place: place(name),
            tags: if is("A declined card leaves nothing behind") {
                vec!["critical".into(), "money".into()]
            } else {
                Vec::new()
            },
            skip: is("Odd <names> & 'quotes' $HOME").then(|| "no printer here".into()),
            fails: is("Refunds").then(|| "ticket 7".into()),
            fails_sometimes: false,
        }
    };
    let names = [
        "A good card pays",
        "A declined card leaves nothing behind",
        "It looks at nothing",
        "Refunds",
        "Odd <names> & 'quotes' $HOME",
        "Sometimes late",
        "Never reached",
    ];
    What::Plan {
        run: "0f3k2zq-3f2".into(),
        version: "0.1.0".into(),
        seed: 42,
        began: "2026-01-01T00:00:00Z".into(),
        system: "shop".into(),
        files,
        tests: names.into_iter().map(test).collect(),
        seams: vec![seam("checkout -> paygate")],
        command: vec!["run".into()],
    }
}

/// All that happens.
pub(crate) fn events(files: Vec<StoredFile>) -> Vec<Event> {
    let mut script = Script { events: Vec::new(), scope: Scope::default(), at: 0 };
    let it = &mut script;
    it.tell(plan(files));
    it.at = 40;
    it.component("checkout", ComponentState::Starting, "./checkout");
    it.at = 240;
    it.component("checkout", ComponentState::Ready, "GET /health 200");
    it.at = 300;
    let good = ("http: POST checkout/pay", "http: POST checkout/pay, json: { card: good }");
    it.test("A good card pays", 1, |it| {
        it.step("0", good, |it| {
            it.pass(
                1,
                "test -> checkout",
                (302, 20),
                (r#"{"method":"POST","path":"/pay"}"#, r#"{"status":200}"#),
            );
            it.judged("status", Outcome::Held, ("200", ""), ("", &[], "status: 200 }"));
        });
    });
    it.test("A declined card leaves nothing behind", 1, declined);
    let health = ("http: GET checkout/health", "http: GET checkout/health");
    it.test("It looks at nothing", 1, |it| it.step("0", health, |_| {}));
    let refund = ("http: POST checkout/refund", "http: POST checkout/refund");
    it.test("Refunds", 1, |it| {
        it.step("0", refund, |it| {
            it.judged(
                "status",
                Outcome::Failed,
                ("200", "501"),
                ("actual: 501", &[], "status: 200 } }\n\n  - name: \"Odd"),
            );
        });
    });
    let slow = ("http: GET checkout/slow", "http: GET checkout/slow");
    for (attempt, outcome) in [(1, Outcome::Failed), (2, Outcome::Held)] {
        it.test("Sometimes late", attempt, |it| {
            it.step("0", slow, |it| {
                it.judged("status", outcome, ("200", "504"), ("actual: 504", &[], "GET checkout/slow"));
            });
        });
    }
    it.tell(What::Lost { of: "lines".into(), seam: None, count: 3, since: 1 });
    it.tell(What::Notice(Notice {
        place: Some(place("POST checkout/refund")),
        label: "asked for here".into(),
        hint: Some("give it a route".into()),
        ..Notice::new(Level::Warning, "`checkout` has no route \u{1b}[31mPOST /refund")
    }));
    it.at = 700;
    it.tell(What::Finished { reason: "done".into() });
    script.events
}

/// The gateway declines, and checkout falls over it.
fn declined(it: &mut Script) {
    let pay = ("Ann pays with a declined card", "http: POST checkout/pay\n        json: { card: declined }");
    let begin = it.at;
    it.step("0", pay, |it| {
        it.pass(
            3,
            "checkout -> paygate",
            (begin + 6, 20),
            (
                r#"{"method":"POST","path":"/charge","body":{"amount":3990}}"#,
                r#"{"status":402,"body":{"reason":"card_declined"}}"#,
            ),
        );
        it.line("checkout", 118, "panicked at 'missing field `id`' \u{1b}[2J");
        it.pass(
            2,
            "test -> checkout",
            (begin + 4, 60),
            (
                r#"{"method":"POST","path":"/pay"}"#,
                r#"{"status":500,"body":{"error":"unexpected end of input"}}"#,
            ),
        );
        it.judged("status", Outcome::Failed, ("402", "500"), ("actual: 500", &[], "402"));
        it.judged(
            "body",
            Outcome::Failed,
            (r#"{"reason":"declined"}"#, r#"{"error":"unexpected end of input"}"#),
            (
                "2 differences",
                &["body.reason: missing, expected \"declined\"", "body.error: not expected"],
                "$declined",
            ),
        );
    });
    let nothing = ("Nothing is stored", "sql: pg.shop");
    it.step("1", nothing, |it| {
        let at = it.at;
        let request = r#"{"statement":"select *\n  from orders"}"#;
        it.pass(4, "test -> pg.shop", (at, 1), (request, r#"{"rows":[]}"#));
        it.judged("rows", Outcome::Held, ("[]", ""), ("", &[], "rows: []"));
    });
    it.scope.step = Some("invariant.Who pays has an order.0".into());
    it.judged("rows", Outcome::Failed, ("[]", "[{\"id\":7}]"), ("actual: [{\"id\":7}]", &[], "rows: []"));
    it.scope.step = None;
}
