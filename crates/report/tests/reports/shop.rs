//! A run with everything that a report has to show: a shop whose checkout does not survive a declined card.

use crate::script::{Script, TESTS, place, seam};
use seam_diag::Sources;
use seam_event::{ComponentState, Event, Level, Notice, Outcome, StoredFile, TestPlan, What};

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
            place: place(TEXT, name),
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
    let mut script = Script::new(TEXT);
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
        place: Some(it.place("POST checkout/refund")),
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
