//! Matchers in tables: what holds, what fails with all it says, and what is told when it is read.

mod failing;
mod reading;
mod robust;
#[path = "../../expr/src/testing.rs"]
mod testing;

use crate::{
    Judgement, MATCHERS, NoSnapshots, Offered, SnapshotKey, Snapshots, Statement, read_snapshot,
    snapshot_text,
};
use proptest::prelude::*;
use seam_diag::Diagnostics;
use seam_event::Outcome;
use seam_model::Shape;
use seam_value::{Map, Value};
use std::cell::{Cell, RefCell};
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
            "rows":[{"copies":0,"id":1},{"copies":3,"id":2}],
            "interactions":[{"request":{"headers":{"x-a":"1","X-B":"2"},"body":{"headers":{"A":1}}}}]}"#,
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
    "headers: { equals: { Content-TYPE: application/json, X-ID: '7', Set-Cookie: [a=1, b=2] } }",
    "interactions.*.request.headers: [{ X-A: '1', x-b: '2' }]",
    "interactions.0.request: { like: { headers: { X-A: '1' }, body: { headers: { A: 1 } } } }",
    "interactions: { any: { .request.headers: { like: { X-A: '1' } }, .request.headers.X-B: '2' } }",
    "interactions: { every: { like: { request: { headers: { X-A: '1' } } } } }",
    "interactions: { contains: { request: { headers: { X-A: '1' } } } }",
    "interactions: { not: { contains: { request: { body: { headers: { a: 1 } } } } } }",
    "interactions.0.request.body.headers.a: { exists: false }",
    "jsonpath: { '$.items[?@.n > 9]': { exists: false }, '$.items[?@.n > 1]': { exists: true } }",
    "body.items: { equals: [{ price: 9.9, n: 2.0, sku: A1 }, { sku: B2, n: 1e0, price: 3e1 }] }",
    "body.id: { one_of: ['17', 17] }",
    "body.sums: { in_any_order: [10, 2.5, 1.0, 2.50] }",
    "body.created: { at: 2026-01-31T12:00:00.250123Z - 2m250ms123us }",
    "body.total: { schema: { multipleOf: 0.01 } }",
    "body.big: { schema: { type: integer } }",
    "body.created: { schema: { format: date-time } }",
    "body.text: { ends_with: \"17.\\n\" }",
    "body.sums: { every: { one_of: [1, 2.5, 10] } }",
    "body.items.0: { size: { one_of: [3] }, empty: false }",
    "body.sums: { sorted: ascending, contains: 1e1 }",
    "rows: { unique: true }",
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
    "{ body.items: { type: list }, body.customer: { type: map }, body.state: { type: [text, null] } }",
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
    let paid = Value::map([("state", Value::text("paid"))]);
    kept.values.borrow_mut().insert("a paid order".to_owned(), paid);
    for kind in MATCHERS {
        let word = &kind.word;
        assert!(!word.line.is_empty() && !word.line.ends_with('.'), "{}", word.name);
        assert!(word.text.ends_with('.'), "{} has a long text", word.name);
        assert!(!matches!(word.subject, Shape::Nothing), "{} says what it takes", word.name);
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
fn every_matcher_stands_in_the_tables_that_hold_and_that_fail() {
    for kind in MATCHERS.iter().filter(|kind| kind.word.name != "snapshot") {
        let stands_in = |expect: &str, outcome: Outcome| {
            judge(expect).iter().any(|judged| judged.matcher == kind.word.name && judged.outcome == outcome)
        };
        assert!(HOLD.iter().any(|expect| stands_in(expect, Outcome::Held)), "{} holds", kind.word.name);
        let failing = failing::PLAIN.iter().chain(failing::FAILING).chain(failing::MISSING);
        let mut failing = failing.map(|(expect, _)| expect);
        assert!(failing.any(|expect| stands_in(expect, Outcome::Failed)), "{} fails", kind.word.name);
    }
    // What takes any value or reads any text as a name can't be written wrongly.
    for kind in MATCHERS.iter().filter(|kind| !["equals", "like", "contains"].contains(&kind.word.name)) {
        let named = format!("{}:", kind.word.name);
        assert!(reading::MISTAKES.iter().any(|(expect, _)| expect.contains(&named)), "{named} is misused");
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

/// Snapshots in memory.
#[derive(Default)]
struct Kept {
    values: RefCell<BTreeMap<String, Value>>,
    /// Has the user asked for keeping?
    is_asked: Cell<bool>,
}

impl Kept {
    fn name(key: SnapshotKey<'_>) -> String {
        match key {
            SnapshotKey::Named(name) => name.to_owned(),
            SnapshotKey::At(path) => format!("here: {path}"),
        }
    }
}

impl Snapshots for Kept {
    fn kept(&self, key: SnapshotKey<'_>) -> Result<Option<Value>, String> {
        match key {
            SnapshotKey::Named("broken") => Err("it is no JSON\nat all".to_owned()),
            key => Ok(self.values.borrow().get(&Self::name(key)).cloned()),
        }
    }

    fn offer(&self, key: SnapshotKey<'_>, value: &Value) -> Offered {
        match key {
            _ if !self.is_asked.get() => Offered::NotAsked,
            SnapshotKey::Named("refused") => Offered::Refused("the disk is full".to_owned()),
            key => {
                self.values.borrow_mut().insert(Self::name(key), value.clone());
                Offered::Kept
            }
        }
    }

    fn shown(&self, value: &Value) -> Value {
        if value.as_text() == Some("paid") { Value::text("«state»") } else { value.clone() }
    }
}

#[test]
fn a_snapshot_is_kept_when_that_is_asked_and_compared_from_then_on() {
    let kept = Kept::default();
    let judged = |expect: &str| judge_with(&result(), expect, &kept).remove(0);
    let said = |expect: &str| {
        let judged = judged(expect);
        (judged.outcome, [vec![judged.message], judged.details].concat().join(" | "))
    };
    let how = "`seam run --update-snapshots` keeps it";
    let customer = "body.customer: { snapshot: customer $order.id }";
    let missing = (Outcome::Inconclusive, format!("there is no snapshot `customer 17` yet | {how}"));
    assert_eq!(said(customer), missing);
    assert_eq!(said(customer), missing, "nobody has asked for it");

    kept.is_asked.set(true);
    for expect in ["body.state: { snapshot: customer 17 }", customer, "body.id: { snapshot: true }"] {
        assert_eq!(said(expect), (Outcome::Held, String::new()), "kept, and kept anew");
    }
    assert_eq!(said("body.state: { snapshot: state }").0, Outcome::Held);
    assert_eq!(
        said("body.id: { snapshot: refused }").1,
        "the snapshot `refused` can't be kept | the disk is full"
    );
    assert_eq!(
        said("body.id: { snapshot: broken }").1,
        "the snapshot `broken` can't be read | it is no JSON"
    );

    kept.is_asked.set(false);
    assert_eq!(said("body.customer: { snapshot: customer 17 }"), (Outcome::Held, String::new()));
    assert_eq!(said("body.id: { snapshot: true }"), (Outcome::Held, String::new()));
    assert_eq!(said("body.total: { snapshot: true }").0, Outcome::Inconclusive, "each path has its own");
    assert_eq!(kept.kept(SnapshotKey::Named("state")), Ok(Some(Value::text("«state»"))), "kept as shown");
    assert_eq!(said("body.state: { snapshot: state }"), (Outcome::Held, String::new()), "compared as shown");
    let changed = said("body.items.0: { snapshot: customer 17 }");
    assert_eq!(changed.0, Outcome::Failed);
    let lines = "differs from the snapshot in 5 places | body.items.0.name: missing, expected \"Ann\" | ";
    assert!(changed.1.starts_with(lines), "{changed:?}");
    assert!(changed.1.ends_with(&format!("where that is right, {how}")), "{changed:?}");
    assert_eq!(said("body.total: { not: { snapshot: new } }").0, Outcome::Inconclusive);
}

#[test]
fn a_snapshot_in_a_file_keeps_every_digit() {
    let value = result();
    assert_eq!(read_snapshot(&snapshot_text(&value)), Ok(value));
    assert!(read_snapshot("<").unwrap_err().starts_with("it is no JSON"));
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
