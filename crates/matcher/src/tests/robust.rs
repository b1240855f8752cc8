//! Whatever is written right of a path, and whatever a component answers: no panic, and an end within seconds.

use super::testing::Answers;
use crate::{MATCHERS, NoSnapshots, Statement};
use proptest::prelude::*;
use seam_diag::{Diagnostics, FileId, Span};
use seam_event::Outcome;
use seam_model::{Entry, Node, NodeKind, Spanned};
use seam_value::{Number, Value};
use std::time::{Duration, Instant};

/// What one statement may take at most, on a slow machine, without optimisation, beside other tests.
const MOST: Duration = Duration::from_mins(1);
/// The stack that threads usually have.
const STACK: usize = 2 << 20;

const SPAN: Span = Span { file: FileId(0), start: 0, end: u32::MAX };

fn node(value: &Value) -> Node {
    let entry =
        |(key, value): (&String, &Value)| Entry { key: Spanned::new(key.clone(), SPAN), node: node(value) };
    let kind = match value {
        Value::Null => NodeKind::Null,
        Value::Bool(flag) => NodeKind::Bool(*flag),
        Value::Number(number) => NodeKind::Number(number.clone()),
        Value::Text(text) => return Node::text(text, SPAN),
        Value::List(list) => NodeKind::List(list.iter().map(node).collect()),
        Value::Map(map) => NodeKind::Map(map.iter().map(entry).collect()),
    };
    Node { span: SPAN, kind }
}

/// Reads and judges on a usual stack; says how it came out, where it could be read, and how long it took.
fn judged(expected: &Value, actual: &Value) -> (Vec<Outcome>, Duration) {
    let act = || {
        let began = Instant::now();
        let mut found = Diagnostics::default();
        let path = Spanned::new("a".to_owned(), SPAN);
        let statement = Statement::read(&path, &node(expected), &mut found);
        let result = Value::map([("a", actual.clone())]);
        let judged = statement.judge(&result, &Answers::default(), &NoSnapshots);
        for judgement in &judged {
            let most = judgement.details.iter().chain([&judgement.message]).map(String::len).max();
            assert!(most.unwrap_or_default() < 2_000 && judgement.details.len() < 100, "it fits a screen");
        }
        (judged.into_iter().map(|judgement| judgement.outcome).collect(), began.elapsed())
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, act).unwrap().join().unwrap()
    })
}

fn json(text: &str) -> Value {
    seam_value::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn list(n: i64, element: impl Fn(i64) -> Value) -> Value {
    Value::List((0..n).map(element).collect())
}

fn row(n: i64) -> Value {
    Value::map([("id", Value::from(n)), ("name", Value::text(format!("row {n}")))])
}

fn with(matcher: &str, expected: Value) -> Value {
    Value::map([(matcher, expected)])
}

/// What is expected, of what, and how it comes out.
type Case = (&'static str, Value, Value, Outcome);

fn check(cases: Vec<Case>) {
    for (name, expected, actual, outcome) in cases {
        let (outcomes, took) = judged(&expected, &actual);
        assert!(outcomes.contains(&outcome), "{name}: {outcomes:?}");
        assert!(took < MOST, "{name} took {took:?}");
    }
}

#[test]
fn long_lists_are_judged_in_time() {
    const N: i64 = 10_000;
    let rows = list(N, row);
    let backwards = list(N, |n| row(N - 1 - n));
    let squares = |last: i64| list(100, |_| list(100, |n| if n == 99 { Value::from(last) } else { row(n) }));
    let (held, failed) = (Outcome::Held, Outcome::Failed);
    check(vec![
        ("equal rows", rows.clone(), rows.clone(), held),
        ("rows backwards", rows.clone(), backwards.clone(), failed),
        ("one row less", rows.clone(), list(N - 1, row), failed),
        ("in any order", with("in_any_order", rows.clone()), backwards.clone(), held),
        ("not in any order", with("in_any_order", rows.clone()), list(N, |n| row(n + N / 2)), failed),
        ("unique", json(r#"{"unique":true}"#), rows.clone(), held),
        ("unique ids", json(r#"{"unique":".id","sorted":{"by":".id"}}"#), rows.clone(), held),
        ("any of many", json(r#"{"any":{".id":-1,".name":{"matches":"^x"}}}"#), rows.clone(), failed),
        ("every of many", json(r#"{"every":{"like":{"id":1}}}"#), rows.clone(), failed),
        ("contains in many", json(r#"{"contains":{"id":-1,"name":"x"}}"#), rows.clone(), failed),
        ("one of many", with("one_of", rows.clone()), Value::Null, failed),
        (
            "schema of many",
            json(r#"{"schema":{"items":{"required":["no"]},"uniqueItems":true}}"#),
            rows.clone(),
            failed,
        ),
        (
            "that of many",
            json(r#"{"that":"it.all(x, it.exists(y, y.id == x.id + 1))"}"#),
            list(500, row),
            failed,
        ),
        ("lists in lists", with("like", squares(1)), squares(2), failed),
    ]);
}

#[test]
fn long_texts_and_large_numbers_are_judged_in_time() {
    let text = |word: &str| Value::text(format!("{word} line\n{word} another\n").repeat(25_000));
    let long = Value::text("a".repeat(1 << 20));
    let deep = |end: &str| json(&("[".repeat(120) + end + &"]".repeat(120)));
    let digits = |last: &str| json(&("9".repeat(1 << 18) + last));
    let (held, failed) = (Outcome::Held, Outcome::Failed);
    check(vec![
        ("equal lines", text("a"), text("a"), held),
        ("other lines", text("a"), text("b"), failed),
        ("more lines", text("a"), Value::text(text("a").as_text().unwrap().repeat(2)), failed),
        ("long text", long.clone(), Value::text("a".repeat(1 << 20) + "b"), failed),
        ("long text in it", json(r#"{"contains":"ab"}"#), long.clone(), failed),
        ("a bad expression", json(r#"{"matches":"^(a+)+(a*)*(a|aa)*$$b"}"#), long.clone(), failed),
        (
            "a bad pattern",
            json(r#"{"schema":{"pattern":"^(a+)+$"}}"#),
            Value::text("a".repeat(40) + "b"),
            failed,
        ),
        (
            "a worse pattern",
            json(r#"{"schema":{"pattern":"^(?=a)(a+)+\\1$"}}"#),
            Value::text("a".repeat(40) + "b"),
            failed,
        ),
        ("depth", deep("1"), deep("2"), failed),
        ("depth as a pattern", with("like", deep("1")), deep("1.0"), held),
        ("digits", digits("1"), digits("2"), failed),
        (
            "near digits",
            Value::map([("near", Value::map([("value", digits("1")), ("by", Value::from(1_i64))]))]),
            digits("2"),
            failed,
        ),
        ("exponents", json(r#"{"near":{"value":1,"by":1e999999999}}"#), json("1e999999998"), failed),
        (
            "more exponents",
            json(r#"{"above":1e999999998,"below":1e9223372036854775807,"type":"number"}"#),
            json("1e999999999"),
            held,
        ),
        (
            "small exponents",
            json(r#"{"near":{"value":1e-999999999,"by":0}}"#),
            json("1e-9223372036854775808"),
            failed,
        ),
        (
            "exponents in a schema",
            json(r#"{"schema":{"multipleOf":1e-300,"maximum":1e300}}"#),
            json("1e999999999"),
            failed,
        ),
    ]);
}

#[test]
fn schemas_that_lead_to_themselves_and_deep_matchers_end() {
    let deep = |open: &str, inner: &str, close: &str| json(&(open.repeat(90) + inner + &close.repeat(90)));
    for (name, expected) in [
        ("itself", json(r##"{"schema":{"$ref":"#"}}"##)),
        ("all of itself", json(r##"{"schema":{"allOf":[{"$ref":"#"}]}}"##)),
        (
            "one another",
            json(
                r##"{"schema":{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}}"##,
            ),
        ),
        ("a tree", json(r##"{"schema":{"items":{"$ref":"#"},"type":"array"}}"##)),
        ("not not", deep(r#"{"not":"#, r#"{"above":1}"#, "}")),
        ("any of any", deep(r#"{"any":"#, r#"{"above":1}"#, "}")),
        ("any of every", json(&(r#"{"any":{".0":{"every":"#.repeat(40) + "1" + &"}}}".repeat(40)))),
        ("size of size", deep(r#"{"size":"#, "1", "}")),
        ("not not schemas", with("schema", deep(r#"{"not":"#, "{}", "}"))),
        ("brackets", with("matches", Value::text("(".repeat(3_000) + &")".repeat(3_000)))),
        ("repeats", json(r#"{"matches":"((a{1000}){1000}){1000}"}"#)),
        ("a long text", with("matches", Value::text("(a|b)".repeat(100_000)))),
        ("a long time", with("before", Value::text("now - ".repeat(100_000)))),
        ("a long duration", with("below", Value::text("1h".repeat(100_000)))),
        ("a long type", with("type", Value::text("int".repeat(100_000)))),
        ("a long name", with(&"contains".repeat(10_000), Value::Null)),
    ] {
        for actual in
            [json("[[[1,2],[3]],[[4]]]"), json("{}"), Value::text("a".repeat(10_000)), deep("[", "1", "]")]
        {
            let (_, took) = judged(&expected, &actual);
            assert!(took < MOST, "{name} took {took:?}");
        }
    }
}

const TEXTS: &[&str] = &[
    "",
    "a",
    "$order.id",
    "${1 + 1}",
    "$nobody",
    "${",
    "now",
    "now - 5m",
    "5s",
    "-1s",
    "2026-01-01T00:00Z",
    "(a",
    "^a$",
    ".id",
    ".a.*.b",
    "schemas/order.json",
    "nowhere",
    "integer",
    "ascending",
    "it > 1",
    "size(it) ==",
    "$$",
    "\u{0}",
    "e\u{301}",
];

/// What may stand right of a path, or anywhere else: matchers in maps in lists, right and wrong.
fn anything() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        Just("1e999"),
        Just("-0"),
        Just("1.50"),
        Just("1e-99"),
        Just("0"),
        Just("2"),
        Just("99999999999999999999")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(|number| Value::Number(Number::parse(number).unwrap())),
        proptest::sample::select(TEXTS).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let names: Vec<&str> = MATCHERS
        .iter()
        .map(|kind| kind.word.name)
        .chain([
            ".id",
            ".a.*",
            ".",
            "value",
            "by",
            "order",
            "$ref",
            "type",
            "properties",
            "items",
            "id",
            "a",
            "headers",
            "X-Id",
            "x-id",
        ])
        .collect();
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::vec((proptest::sample::select(names.clone()), inner), 0..5)
                .prop_map(Value::map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_is_expected_of_whatever(
        path in proptest::sample::select(&["a", "a.*", "a.0.id", "headers", "jsonpath", "xpath", "css", "that", "a..b", "a.headers.x-id"][..]),
        expected in anything(),
        actual in anything(),
    ) {
        let mut found = Diagnostics::default();
        let statement = Statement::read(&Spanned::new(path.to_owned(), SPAN), &node(&expected), &mut found);
        let _ = (statement.names(), statement.files(), statement.fields().count());
        statement.check_files(&|_| Ok(b"{\"type\": 5}".to_vec()), &mut found);
        let result = Value::map([("a", actual.clone()), ("headers", actual.clone()), ("body", actual)]);
        for judgement in statement.judge(&result, &Answers::default(), &NoSnapshots) {
            prop_assert_eq!(judgement.message.is_empty(), judgement.holds(), "{:?}", judgement);
            prop_assert!(!judgement.message.contains('\n'), "{:?}", judgement.message);
        }
    }

    #[test]
    fn whatever_is_equal_to_itself(value in anything()) {
        for matcher in ["equals", "like"] {
            let holds = judged_here(&with(matcher, value.clone()), &value);
            // Variables in it may be none.
            prop_assume!(!value.to_string().contains('$'));
            prop_assert!(holds, "{} {}", matcher, value);
        }
    }
}

fn judged_here(expected: &Value, actual: &Value) -> bool {
    let statement =
        Statement::read(&Spanned::new("a".to_owned(), SPAN), &node(expected), &mut Diagnostics::default());
    statement.holds(&Value::map([("a", actual.clone())]), &Answers::default(), &NoSnapshots)
}
