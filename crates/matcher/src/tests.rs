//! Matchers in tables: what holds, what fails with all it says, and what is told when it is read.

mod failing;
mod reading;
#[path = "../../expr/src/testing.rs"]
mod testing;

use crate::{Judgement, MATCHERS, NoSnapshots, Snapshots, Statement};
use proptest::prelude::*;
use seam_diag::Diagnostics;
use seam_event::Outcome;
use seam_value::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use testing::{Answers, yaml};

/// What the tables are about.
fn result() -> Value {
    seam_value::parse(
        r#"{"status":200,"elapsed":"1200us","count":2,
            "headers":{"content-type":"application/json","X-Id":"7","set-cookie":["a=1","b=2"]},
            "body":{"id":17,"total":19.90,"big":12345678901234567890123,"state":"paid","note":null,"float":1.0,
                    "created":"2026-01-31T11:58:00Z","day":"2026-01-31","local":"2026-01-31T11:58:00",
                    "number":"ORD-0017","text":"Thank you, Ann!\nYour order 17.\n","größe":"groß","empty":"",
                    "items":[{"sku":"A1","n":2,"price":9.90},{"sku":"B2","n":1,"price":30}],"tags":["b","a","b"],
                    "sums":[1,2.5,2.50,10],"none":[],"nothing":{},"customer":{"name":"Ann","points":10.0}},
            "text":"<html><body><a class='c' href='/c/9'>confirm</a></body></html>",
            "rows":[{"copies":0,"id":1},{"copies":3,"id":2}]}"#,
    )
    .unwrap()
}

fn read(expect: &str) -> (Vec<Statement>, Diagnostics) {
    let mut found = Diagnostics::default();
    let node = yaml(expect);
    let entries = node.as_map().unwrap();
    let statements =
        entries.iter().map(|entry| Statement::read(&entry.key, &entry.node, &mut found)).collect();
    (statements, found)
}

fn judge_with(result: &Value, expect: &str, snapshots: &dyn Snapshots) -> Vec<Judgement> {
    let (statements, found) = read(expect);
    let told: Vec<_> = found.into_iter().map(|diagnostic| (diagnostic.title, diagnostic.hint)).collect();
    assert!(told.is_empty(), "{expect}: {told:?}");
    let answers = Answers::default();
    statements.iter().flat_map(|statement| statement.judge(result, &answers, snapshots)).collect()
}

fn judge(expect: &str) -> Vec<Judgement> {
    judge_with(&result(), expect, &NoSnapshots)
}

const HOLD: &[&str] = &[
    "status: 200",
    "status: 200.0",
    "status: 2e2",
    "{ body.total: 19.9, body.id: 17, body.big: 12345678901234567890123 }",
    "body.note: null",
    "body.state: paid",
    "body.id: $order.id",
    "body.customer: { equals: { points: 10, name: Ann } }",
    "body.items.*.sku: [A1, B2]",
    "body.items: [{ sku: A1, n: 2, price: 9.9 }, { sku: B2, n: 1, price: 30 }]",
    "body.nothing: {}",
    "body.none: []",
    "body.größe: groß",
    "headers.Content-Type: application/json",
    "headers.x-id: '7'",
    "headers: { like: { Content-TYPE: application/json, x-id: '7' } }",
    "headers.set-cookie.0: a=1",
    "body.state: { not: open }",
    "body.id: { not: '17' }",
    "body.text: { not: { contains: error } }",
    "body.id: { not: { above: 20, below: 20 } }",
    "body.password: { exists: false }",
    "body.password: { not: { exists: true } }",
    "body.note: { exists: true }",
    "body.items.*.weight: { exists: false }",
    "body.items.*.n: { exists: true }",
    "body.none.*.n: { exists: false }",
    "body.id: { type: integer }",
    "body.id: { type: number }",
    "body.float: { type: number }",
    "body.float: { not: { type: integer } }",
    "body.note: { type: [string, null] }",
    "body.items: { type: array }",
    "body.customer: { type: object }",
    "body.text: { contains: order 17 }",
    "body.text: { contains: $order.id }",
    "body.text: { contains: order $order.id }",
    "body.items: { contains: { sku: A1 } }",
    "body.tags: { contains: a }",
    "body.number: { starts_with: ORD, ends_with: 17 }",
    "body.number: { matches: '^ORD-[0-9]+$' }",
    "body.number: { matches: '0$order.id$' }",
    "body.text: { matches: 'order \\d+\\.' }",
    "status: { one_of: [200, 201] }",
    "body.id: { above: 16.999, below: 17.001, at_least: 17, at_most: 17.0 }",
    "body.big: { above: 12345678901234567890122.9 }",
    "elapsed: { below: 500ms, above: 1ms }",
    "body.total: { near: { value: 20, by: 0.1 } }",
    "body.total: { near: { value: $price, by: 0 } }",
    "elapsed: { near: { value: 1ms, by: 200us } }",
    "body.created: { near: { value: now, by: 5m } }",
    "body.items: { size: 2 }",
    "body.größe: { size: 4 }",
    "body.items: { size: { above: 1, at_most: 2 } }",
    "body.customer: { size: 2 }",
    "{ body.none: { empty: true }, body.nothing: { empty: true }, body.empty: { empty: true } }",
    "body.items: { empty: false }",
    "body: { like: { items: [{ sku: A1 }, { n: 1 }], customer: { name: Ann } } }",
    "body.items.*.sku: { in_any_order: [B2, A1] }",
    "body.tags: { in_any_order: [a, b, b] }",
    "body.items: { any: { .sku: A1, .price: { below: 10 } } }",
    "body.items: { any: { like: { sku: B2 } } }",
    "body.tags: { any: a }",
    "body.items: { every: { .n: { above: 0 }, .sku: { matches: '^[A-Z]' } } }",
    "body.tags: { every: { type: string, size: 1 } }",
    "body.none: { every: 5 }",
    "body.items: { unique: .sku }",
    "body.sums: { sorted: true }",
    "body.items: { sorted: { by: .n, order: descending } }",
    "body.customer: { schema: { type: object, required: [name], properties: { name: { type: string } } } }",
    "body: { schema: schemas/order.json }",
    "body.created: { before: now, after: now - 5m, at: '2026-01-31T12:58:00+01:00' }",
    "body.created: { after: 2026-01-31T11:57:59.9Z }",
    "body.id: { that: it > 10 && it < 20 }",
    "body.customer: { that: [\"name == $name.upper().substring(0, 1) + 'nn'\", points > 5] }",
    "that: [status == 200, size(rows) == count, 'rows.exists(row, row.copies == 0)', body.id == $order.id]",
    "that: body.created > now() - duration('5m')",
    "jsonpath: { '$.items[0].sku': A1, '$.items[*].n': [2, 1], '$.items[?@.n > 1].sku': { size: 1 } }",
    "jsonpath: { $.nothing.x: { exists: false } }",
    "css: { a.c: confirm, a.c@href: { starts_with: /c/ }, p: { exists: false } }",
    "xpath: { //a/@href: /c/9, count(//a): 1 }",
    "rows: [{ copies: 0, id: 1 }, { copies: 3, id: 2 }]",
    "rows.-1.copies: 3",
    "'body.items[1].sku': B2",
];

#[test]
fn these_hold() {
    for expect in HOLD {
        for judgement in judge(expect) {
            assert!(judgement.holds(), "{expect}: {judgement:#?}");
            assert_eq!((judgement.message.as_str(), judgement.details.len()), ("", 0), "{expect}");
        }
    }
}

#[test]
fn every_matcher_is_documented_and_its_example_holds() {
    let kept = Kept::default();
    kept.keep("a paid order", &Value::map([("state", Value::text("paid"))]));
    for kind in MATCHERS {
        let word = &kind.word;
        assert!(!word.line.is_empty() && !word.line.ends_with('.'), "{}", word.name);
        let comments = word.example.lines().map_while(|line| line.strip_prefix("# "));
        let result: Map = comments
            .map(|line| {
                let (name, json) = line.split_once(": ").unwrap();
                (name.to_owned(), seam_value::parse(json).unwrap_or_else(|error| panic!("{line}: {error}")))
            })
            .collect();
        let node = yaml(word.example);
        let expect = node.get("expect").unwrap_or_else(|| panic!("{} has no example", word.name));
        let mut n = 0;
        for entry in expect.as_map().unwrap() {
            let mut found = Diagnostics::default();
            let statement = Statement::read(&entry.key, &entry.node, &mut found);
            assert!(found.is_empty(), "{}: {found:?}", word.name);
            for judgement in statement.judge(&Value::Map(result.clone()), &Answers::default(), &kept) {
                assert!(judgement.holds(), "{}: {judgement:#?}", word.name);
                n += usize::from(judgement.matcher == word.name);
            }
        }
        assert!(n > 0, "the example of {} does not use it", word.name);
    }
}

#[test]
fn the_table_is_the_languages() {
    let names: Vec<&str> = MATCHERS.iter().map(|kind| kind.word.name).collect();
    assert_eq!(
        names.join(" "),
        "equals not type contains starts_with ends_with matches one_of above below at_least at_most near size empty \
         exists like in_any_order any every unique sorted schema snapshot before after at that"
    );
}

#[derive(Default)]
struct Kept(RefCell<BTreeMap<String, Value>>);

impl Snapshots for Kept {
    fn kept(&self, name: &str) -> Option<Value> {
        self.0.borrow().get(name).cloned()
    }

    fn keep(&self, name: &str, value: &Value) {
        self.0.borrow_mut().insert(name.to_owned(), value.clone());
    }
}

#[test]
fn a_snapshot_is_kept_once_and_compared_from_then_on() {
    let kept = Kept::default();
    let outcome = |expect: &str| {
        let judged = judge_with(&result(), expect, &kept);
        (judged[0].outcome, judged[0].message.clone())
    };
    let first = outcome("body.customer: { snapshot: customer $order.id }");
    assert_eq!(first.1, "there was no snapshot `customer 17` yet; now it is kept");
    assert_eq!(first.0, Outcome::Inconclusive);
    assert_eq!(outcome("body.customer: { snapshot: customer 17 }"), (Outcome::Held, String::new()));
    let changed = outcome("body.items: { snapshot: customer 17 }");
    assert_eq!(changed.0, Outcome::Failed);
    assert_eq!(outcome("body.id: { snapshot: true }").0, Outcome::Inconclusive);
    assert!(kept.kept("body.id").is_some());
    assert_eq!(outcome("body.total: { not: { snapshot: new } }").0, Outcome::Inconclusive);
}

#[test]
fn names_and_files_are_known_before_anything_runs() {
    let (statements, _) = read(
        "{ a: $order.id, b: { any: { .x: $name, contains: 'x $later' } }, that: [status == other, $price > 1], \
           c: { not: { at: $created - 5m } }, d: { schema: schemas/order.json }, e: { matches: 'a$x.y' } }",
    );
    let mut names: Vec<String> = statements
        .iter()
        .flat_map(Statement::names)
        .map(|used| format!("{:?} {} {}", used.way, used.name, used.path))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "Dollar created ",
            "Dollar later ",
            "Dollar name ",
            "Dollar order id",
            "Dollar price ",
            "Dollar x y",
            "Result other ",
            "Result status ",
        ]
    );
    let files: Vec<String> = statements.iter().flat_map(Statement::files).map(|(path, _)| path).collect();
    assert_eq!(files, ["schemas/order.json"]);
    let fields: Vec<&str> = statements.iter().flat_map(Statement::fields).collect();
    assert_eq!(fields, ["a", "b", "c", "d", "e"]);
}

const TEXTS: &[&str] =
    &["", "a", "paid", "2026-01-31T11:58:00Z", "10s", "1", "<a>x</a>", "<?xml version='1.0'?><a/>"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just("1e999"), Just("-0"), Just("1.50"), Just("1e-99")]
            .prop_map(|n| seam_value::parse(n).unwrap()),
        proptest::sample::select(TEXTS).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let keys =
        proptest::sample::select(&["status", "body", "items", "headers", "sku", "n", "text", "0", "a.b"][..]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec((keys.clone(), inner), 0..4).prop_map(Value::map),
        ]
    })
}

proptest! {
    #[test]
    fn judging_never_panics(value in value()) {
        let expect = "{ status: 200, body: { like: { items: [] } }, body.items: { any: { .sku: A1 }, every: { .n: { above: 0 } }, \
            unique: .sku, sorted: { by: .n }, size: 1, contains: a, in_any_order: [1], empty: false, unique: true, sorted: descending }, \
            body.n: { above: 1, below: 10s, near: { value: 1, by: 2 }, type: integer, one_of: [1] }, \
            headers: { like: { a: 1 } }, body.*.n: { exists: true }, text: { matches: a, starts_with: a, ends_with: a }, \
            body.text: { at: now, before: now - 5m, near: { value: now, by: 5s } }, \
            body.sku: { schema: { type: object } }, that: ['body.n > 1', it == null], items: { not: { size: { above: 1 } } }, \
            jsonpath: { '$..n': 1 }, xpath: { //a: 1 }, css: { a: 1 }, items.-1: [1, { a: 2 }], body.items.0: 'a\nb' }"
            .replace("unique: true, sorted: descending", "like: 1");
        let (statements, found) = read(&expect);
        prop_assert!(found.is_empty(), "{found:?}");
        for statement in statements {
            for judgement in statement.judge(&value, &Answers::default(), &NoSnapshots) {
                prop_assert_eq!(judgement.message.is_empty(), judgement.holds(), "{:?}", judgement);
                prop_assert!(!judgement.message.contains('\n'), "{:?}", judgement.message);
                prop_assert!(judgement.message.chars().count() < 260, "{:?}", judgement.message);
            }
        }
    }
}
