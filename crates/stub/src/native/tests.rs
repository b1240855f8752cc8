//! Tests of stubs as files write them: tables of files, requests and what is said.

use super::{Reading, STUB, StubSet, Stubs, read_file};
use crate::layers::{Layer as _, Layers};
use crate::surroundings::testing;
use seam_diag::{Diagnostics, Look, Sources, render};
use seam_event::{ComponentId, Endpoint, SeamId};
use seam_expr::Names;
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, AtHead, Glance, Say, protocol};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

fn seam() -> SeamId {
    let (consumer, provider) = (ComponentId::from("orders"), ComponentId::from("paygate"));
    SeamId { consumer, provider, endpoint: Endpoint::main() }
}

/// Reads stubs, or what is wrong with them as people see it.
fn read(text: &str, spoken: &str) -> Result<Stubs, String> {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let file = sources.add("stubs.yaml", text);
    let read_bytes = |path: &str| (testing().file)(path);
    let knows = |used: &seam_expr::NameUse| used.name == "isbn";
    let reading = Reading {
        protocol: protocol(spoken).unwrap(),
        descriptors: None,
        knows: &knows,
        read_file: &read_bytes,
    };
    read_file(file, text, &reading, &mut found).ok_or_else(|| {
        found.in_order().into_iter().map(|one| render(one, &sources, Look::default())).collect()
    })
}

fn set(text: &str) -> StubSet {
    let set = StubSet::new();
    set.put(read(text, "http").unwrap_or_else(|wrong| panic!("{wrong}")), &names());
    set
}

fn names() -> Arc<dyn Names + Send + Sync> {
    Arc::new(testing())
}

fn ask(set: &StubSet, request: &str) -> Option<Answering> {
    let request = parse(request).unwrap_or_else(|error| panic!("{request}: {error}"));
    set.answer(&Asked { seam: &seam(), protocol: "http", at: Duration::ZERO, request: &request, bytes: b"" })
}

/// What is said, in short.
fn said(set: &StubSet, request: &str) -> String {
    match ask(set, request).map(|answering| answering.say) {
        None => "nothing".to_owned(),
        Some(Say::Pass) => "pass".to_owned(),
        Some(Say::Answer(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

const CHARGE: &str = r#"{"method":"POST","path":"/charge","headers":{"x-id":"7"},"body":{"card":"4242","amount":3990,"callback":"http://shop/paid"}}"#;

#[test]
fn the_first_that_matches_answers() {
    let set = set("stubs:
  - request: { method: POST, path: /charge, body.card: { ends_with: '1' } }
    reply: { status: 402 }
  - request: POST /charge
    reply: { status: 201, json: { amount: $request.body.amount, twice: '${request.body.amount * 2}', id: 'ch-${n}', by: $consumer } }
  - request: { headers.X-ID: '7' }
    reply: { status: 200 }
  - request: { path: /first }
    priority: 1
    pass: true
  - request: { query.q: { matches: '^ab+c' } }
    reply: { status: 204 }
");
    for (request, expect) in [
        (CHARGE, r#"{"status":201,"json":{"amount":3990,"twice":7980,"id":"ch-1","by":"orders"}}"#),
        (CHARGE, r#"{"status":201,"json":{"amount":3990,"twice":7980,"id":"ch-2","by":"orders"}}"#),
        (r#"{"method":"POST","path":"/charge","body":{"card":"1"}}"#, r#"{"status":402}"#),
        (r#"{"method":"GET","path":"/charge","headers":{"x-id":"7"}}"#, r#"{"status":200}"#),
        (r#"{"method":"GET","path":"/first","headers":{"x-id":"7"}}"#, "pass"),
        (r#"{"method":"GET","path":"/","query":{"q":"abc"}}"#, r#"{"status":204}"#),
        (r#"{"method":"GET","path":"/"}"#, "nothing"),
    ] {
        assert_eq!(said(&set, request), expect, "{request}");
    }
}

#[test]
fn answers_come_in_sequence_and_states_are_remembered() {
    let set = set("state: { order: open }
stubs:
  - request: POST /pay
    then: { state.order: paid, state.by: $request.body.card }
    reply: { status: 201 }
  - request: GET /order
    when: { state.order: paid }
    reply: { status: 200, json: $state }
  - request: GET /order
    reply: { status: 404 }
  - request: GET /busy
    replies: [{ status: 503, times: 2 }, { status: 200 }]
  - request: GET /round
    repeat: true
    replies: [{ status: 201 }, { pass: true }]
  - request: GET /once
    times: 1
    reply: { status: 200 }
");
    let all = [
        ("GET", "/order", r#"{"status":404}"#),
        ("POST", "/pay", r#"{"status":201}"#),
        ("GET", "/order", r#"{"status":200,"json":{"order":"paid","by":"4242"}}"#),
        ("GET", "/busy", r#"{"status":503}"#),
        ("GET", "/busy", r#"{"status":503}"#),
        ("GET", "/busy", r#"{"status":200}"#),
        ("GET", "/busy", r#"{"status":200}"#),
        ("GET", "/round", r#"{"status":201}"#),
        ("GET", "/round", "pass"),
        ("GET", "/round", r#"{"status":201}"#),
        ("GET", "/once", r#"{"status":200}"#),
        ("GET", "/once", "nothing"),
    ];
    for _ in 0..2 {
        for (method, path, expect) in all {
            let request = format!(r#"{{"method":"{method}","path":"{path}","body":{{"card":"4242"}}}}"#);
            assert_eq!(said(&set, &request), expect, "{method} {path}");
        }
        assert_eq!(set.missed().len(), 1);
        set.reset();
        assert!(set.missed().is_empty());
    }
}

#[test]
fn what_is_put_later_stands_above_until_it_is_taken() {
    let set = set("stubs: [{ request: GET /a, priority: 1, reply: { status: 201 } }]");
    let later = set.put(read("request: GET /a\nreply: { status: 202 }", "http").unwrap(), &names());
    let request = r#"{"method":"GET","path":"/a"}"#;
    assert_eq!(said(&set, request), r#"{"status":202}"#);
    assert_eq!(
        set.counts().iter().map(|(put, _, n)| (*put == later, *n)).collect::<Vec<_>>(),
        [(true, 1), (false, 0)]
    );
    set.take(later);
    assert_eq!(said(&set, request), r#"{"status":201}"#);
    let layers = Layers::new(vec![Arc::new(StubSet::new()), Arc::new(set)]);
    let request = parse(request).unwrap();
    let asked = Asked { seam: &seam(), protocol: "http", at: Duration::ZERO, request: &request, bytes: b"" };
    assert_eq!(
        layers.answer(&asked).map(|answering| answering.say),
        Some(Say::Answer(Arc::new(parse(r#"{"status":201}"#).unwrap())))
    );
}

#[test]
fn delays_files_and_callbacks() {
    let set = set("stubs:
  - request: GET /file
    delay: 20ms
    reply: { status: 200, body_file: answer.json }
  - request: GET /picture
    reply: { body_file: picture.png }
  - request: POST /charge
    reply: { status: 202 }
    callbacks:
      - url: $request.body.callback
        headers: { X-Id: '${request.headers[\"x-id\"]}' }
        json: { state: paid, amount: $request.body.amount }
        after: 1s
      - { url: 'http://shop/form', method: PUT, form: { a: b c } }
  - request: GET /broken
    reply: { status: 200, json: '${request.body.nothing.here}' }
");
    let answering = ask(&set, r#"{"method":"GET","path":"/file"}"#).unwrap();
    assert_eq!(answering.after, Duration::from_millis(20));
    assert_eq!(
        answering.say,
        Say::Answer(Arc::new(parse(r#"{"status":200,"text":"{\"costs\":\"$5\"}"}"#).unwrap()))
    );
    assert_eq!(said(&set, r#"{"method":"GET","path":"/picture"}"#), r#"{"body":{"base64":"iVD/"}}"#);
    let callbacks = ask(&set, CHARGE).unwrap().afterwards;
    let shown: Vec<String> = callbacks
        .iter()
        .map(|one| {
            format!(
                "{:?} {} {} {:?} {}",
                one.after,
                one.method,
                one.url,
                one.headers,
                String::from_utf8_lossy(&one.body)
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"1s POST http://shop/paid [("X-Id", "7"), ("content-type", "application/json")] {"state":"paid","amount":3990}"#,
            r#"0ns PUT http://shop/form [("content-type", "application/x-www-form-urlencoded")] a=b%20c"#,
        ]
    );
    let broken = said(&set, r#"{"method":"GET","path":"/broken","body":{}}"#);
    assert!(broken.starts_with("Cannot("), "{broken}");
}

#[test]
fn what_nothing_matched_is_told_with_the_nearest() {
    let set = set("stubs:
  - { name: far, request: DELETE /everything, reply: { status: 201 } }
  - { name: card, request: { method: POST, path: /charge, body.card: '4243' }, reply: { status: 201 } }
  - { name: typed, request: { method: POST, path: /charge, body.amount: '3990', query.a: b }, reply: { status: 201 } }
  - { name: state, request: POST /charge, when: { state: paid }, reply: { status: 201 } }
");
    assert_eq!(said(&set, CHARGE), "nothing");
    let missed = set.missed();
    let near: Vec<String> = missed[0]
        .near
        .iter()
        .map(|near| {
            let parts: Vec<String> =
                near.differences.iter().map(|one| format!("{}: {}", one.path, one.message)).collect();
            format!("{} {}", near.stub, parts.join("; "))
        })
        .collect();
    assert_eq!(
        near,
        [
            "card body.card: actual: \"4242\"",
            "state state: actual: null",
            "typed body.amount: actual: 3990 (a number, not a text); query.a: there is no `query`",
        ]
    );
}

#[test]
fn all_mistakes_are_told_and_nothing_is_half_loaded() {
    for (text, titles) in [
        (
            "stubs:\n  - { request: { methd: POST, body.x: { ends_wiht: a } }, repyl: {}, reply: { stats: 2 } }\n  - { request: GET, reply: {} }\n  - { request: GET /a?b=c }\n",
            &[
                "a request of http has no `methd`",
                "`ends_wiht` is no matcher",
                "unknown key `repyl` in the stub",
                "an answer of http has no `stats`",
                "a method and a path are needed",
                "`/a?b=c` is no path",
                "the stub says nothing",
            ][..],
        ),
        (
            "request: { request.path: /a }\nreply: { status: 201 }",
            &["a request of http has no `request`", "write `path`"],
        ),
        (
            "protocol: http\nstub:\n  - reply: { status: 201 }",
            &["unknown key `stub` in the file of stubs", "did you mean `stubs`?"],
        ),
        ("reply: { status: $statsu }", &["there is no `statsu` here"]),
        (
            "reply: { status: 201 }\nwhen: { stat: 1 }\nthen: { x: 1 }",
            &["`when` knows no `stat`", "`then` changes `state`"],
        ),
        ("reply: { status: 201 }\npass: true", &["exclude each other"]),
        ("replies: []", &["there is no answer in `replies`"]),
        ("reply: { body_file: nowhere.json }", &["`nowhere.json` can't be read"]),
        ("protocol: redis\nstubs: []", &["these stubs speak `redis`, the seam speaks `http`"]),
        (
            "reply: {}\ntimes: 0\npriority: 0",
            &["`times` is a number from 1", "`priority` is a number from 1"],
        ),
        ("replies: [{ times: 0 }]", &["`times` is a number from 1"]),
        ("request: get /k\nreply: {}", &["no client asks with `get`", "write `GET /k`"]),
        ("reply: { headers: [a, b] }", &["`headers` must be a map"]),
        ("reply: {}\ncallbacks: [{ url: not a url }]", &["`not a url` is no address"]),
        ("reply: 5", &["an answer must be a map"]),
        ("- 5", &["the stub must be a map"]),
        ("5", &["a stub must be a map, or a list of them"]),
        ("", &["there are no stubs in this file"]),
        ("reply: {}\ndelay: 5", &["`delay` is no duration", "needs a unit"]),
        ("reply: {}\ndelay: { from: 2s, to: 1s }", &["`to` is shorter than `from`"]),
        (
            "reply: {}\ncallbacks: [{ urll: x, json: 1, text: 2 }]",
            &["unknown key `urll` in the callback", "exclude each other"],
        ),
    ] {
        let told = read(text, "http").expect_err(text);
        for title in titles {
            assert!(told.contains(title), "{text}\n{title}\n{told}");
        }
    }
}

#[test]
fn the_example_of_the_word_is_read_and_answers() {
    let set = set(STUB.example);
    assert_eq!(
        said(&set, r#"{"method":"POST","path":"/charge","body":{"card":"4242"}}"#),
        r#"{"status":402,"json":{"reason":"card_declined"}}"#
    );
    let charge = CHARGE.replace("4242", "4241");
    assert_eq!(said(&set, &charge), r#"{"status":201,"json":{"id":"ch-1","amount":3990}}"#);
    for expect in [r#"{"status":503}"#, r#"{"status":503}"#, r#"{"status":200,"json":{"state":"charged"}}"#] {
        assert_eq!(said(&set, r#"{"method":"GET","path":"/state"}"#), expect);
    }
    assert_eq!(said(&set, r#"{"method":"GET","path":"/other"}"#), "pass");
}

/// The index leaves out nothing, and a glance sees enough: whatever is asked, the same stubs match as when all are tried.
#[test]
fn the_index_and_a_glance_find_what_trying_all_finds() {
    let chance = seam_expr::Chance::new(3, "index");
    let word = |list: &[&str]| (*chance.pick(list).unwrap()).to_owned();
    let (methods, paths) = (["GET", "POST"], ["/a", "/ab", "/abcdefgh", "/abcdefghij", "/b/1", "/b/2", ""]);
    let values = ["1", "2", "long text that is long", ""];
    let mut n_glanced = 0;
    for round in 0..60 {
        let mut text = "stubs:\n".to_owned();
        for _ in 0..=(round % 30) {
            let mut parts: Vec<String> = Vec::new();
            for (path, list) in
                [("method", &methods[..]), ("path", &paths), ("query.a", &values), ("headers.X-B", &values)]
            {
                let value = word(list);
                // Some files ask for nothing but methods and paths, as most do that people write.
                let is_simple = round % 3 == 0;
                if is_simple && path != "method" && path != "path" {
                    continue;
                }
                parts.push(match if is_simple { 0 } else { chance.below(7) } {
                    0 => format!("{path}: '{value}'"),
                    1 => format!("{path}: {{ starts_with: '{value}' }}"),
                    2 => format!("{path}: {{ matches: '^{value}?' }}"),
                    3 => format!("{path}: {{ equals: '{value}' }}"),
                    4 => format!("{path}: {{ not: '{value}' }}"),
                    _ => continue,
                });
            }
            let _ = writeln!(
                text,
                "  - {{ request: {{ {} }}, times: {}, reply: {{}} }}",
                parts.join(", "),
                1 + chance.below(2)
            );
        }
        let stubs = read(&text, "http").unwrap_or_else(|wrong| panic!("{wrong}"));
        let (fast, slow, fastest) = (StubSet::new(), StubSet::new(), StubSet::new());
        fast.put(stubs.clone(), &names());
        fastest.put(stubs.clone(), &names());
        slow.put(stubs, &names());
        for _ in 0..40 {
            let request = format!(
                r#"{{"method":"{}","path":"{}","query":{{"a":"{}"}},"headers":{{"x-b":"{}"}}}}"#,
                word(&methods),
                word(&paths),
                word(&values),
                word(&values)
            );
            let request = parse(&request).unwrap();
            let asked =
                Asked { seam: &seam(), protocol: "http", at: Duration::ZERO, request: &request, bytes: b"" };
            let by = |answering: Option<Answering>| answering.map(|one| one.by);
            let expected = by(slow.look_at_all(&asked));
            assert_eq!(by(fast.look(&asked)), expected, "{text}\n{request}");
            let seam = seam();
            let field = |name: &str| request.get(name).and_then(Value::as_text).unwrap();
            let (method, path) = (field("method"), field("path"));
            let glanced = Answers::at_a_glance(&fastest, Glance { seam: &seam, method, path, bytes: None });
            n_glanced += usize::from(glanced.is_some());
            assert_eq!(by(glanced.or_else(|| fastest.look(&asked))), expected, "{text}\n{request}");
        }
    }
    assert!(n_glanced > 20, "{n_glanced} answered at a glance");
}

#[test]
fn many_requests_that_nothing_matches_are_bounded() {
    let set = StubSet::new();
    let long = "x".repeat(100_000);
    for _ in 0..100 {
        ask(&set, &format!(r#"{{"path":"/{long}"}}"#));
    }
    assert!(set.missed().len() < 60 && set.n_forgotten() > 40);
}

#[test]
fn protocols_other_than_http_have_stubs_too() {
    let set = StubSet::new();
    let text = "stubs:\n  - request: { command: GET, args.0: { starts_with: 'cart:' } }\n    reply: { value: '${request.args[0]}!' }\n";
    set.put(read(text, "redis").unwrap_or_else(|wrong| panic!("{wrong}")), &names());
    assert_eq!(said(&set, r#"{"command":"GET","args":["cart:7"]}"#), r#"{"value":"cart:7!"}"#);
    assert!(Value::Null == Value::default());
}

#[test]
fn parts_of_an_answer_come_each_in_its_time() {
    let set = set("stubs:\n\
        - request: GET /feed\n  \
          reply: { events: [{ data: { path: $request.path } }, { data: 2, after: 1s }, { fault: reset }], every: 5ms }\n\
        - request: GET /drawn\n  \
          reply: { events: [{ data: 1 }, { data: 2 }, { data: 3, after: 1s }], every: { from: 10ms, to: 20ms } }\n\
        - request: { message.body.kind: subscribe }\n  \
          reply: { messages: [{ json: { for: $request.message.body.topic } }] }\n");
    assert_eq!(
        said(&set, r#"{"method":"GET","path":"/feed"}"#),
        r#"{"events":[{"data":{"path":"/feed"}},{"data":2,"after":"1s"},{"fault":"reset"}],"every":"5ms"}"#
    );
    let drawn = said(&set, r#"{"method":"GET","path":"/drawn"}"#);
    let again = said(&set, r#"{"method":"GET","path":"/drawn"}"#);
    let value = parse(&drawn).unwrap();
    let events = value.get("events").and_then(Value::as_list).unwrap();
    let after = |index: usize| events[index].get("after").map(Value::to_plain_text);
    assert_eq!((after(0), after(2)), (None, Some("1s".to_owned())));
    let micros: u64 = after(1).unwrap().trim_end_matches("us").parse().unwrap();
    assert!((10_000..=20_000).contains(&micros) && drawn != again, "{drawn} {again}");
    assert_eq!(
        said(&set, r#"{"message":{"path":"/ws","body":{"kind":"subscribe","topic":"a"}}}"#),
        r#"{"messages":[{"json":{"for":"a"}}]}"#
    );
    for (stub, wrong) in [
        ("reply: { events: [{ data: 1, after: soon }] }", "`delay` is no duration"),
        ("reply: { events: [{ fault: cut }] }", "an answer breaks off by reset, truncate, hang"),
        ("reply: { events: [{ fault: reset }, { data: 1 }] }", "nothing is said after a fault"),
    ] {
        let told = read(&format!("stubs: [{{ {stub} }}]"), "http").unwrap_err();
        assert!(told.contains(wrong), "{told}");
    }
}

#[test]
fn a_head_tells_what_can_be_told_by_it() {
    let file = r#"
stubs:
  - request: { method: POST, path: /orders, body.id: "7" }
    reply: { status: 201 }
  - request: { path: /pass, headers.x-spy: "1" }
    pass: true
  - request: { path: /all }
    reply: { status: 200 }
  - request: { path: /once }
    reply: { status: 200 }
    times: 1
  - request: { jsonpath: { $.order.id: 7 }, method: PUT }
    reply: { status: 202 }
"#;
    let set = set(file);
    let head = |method: &str, path: &str| {
        format!(
            r#"{{"method":"{method}","path":"{path}","query":{{}},"headers":{{"x-spy":"1"}},"cookies":{{}}}}"#
        )
    };
    let told = |request: &str| {
        let request = parse(request).unwrap();
        let seam = seam();
        let head = Asked { seam: &seam, protocol: "http", at: Duration::ZERO, request: &request, bytes: b"" };
        Answers::at_head(&set, &head)
    };
    for (method, path, expected) in [
        ("POST", "/orders", AtHead::Perhaps),
        ("GET", "/orders", AtHead::Nothing),
        ("POST", "/other", AtHead::Nothing),
        ("POST", "/pass", AtHead::Passes),
        ("POST", "/all", AtHead::Perhaps),
        ("POST", "/once", AtHead::Perhaps),
        ("PUT", "/other", AtHead::Perhaps),
    ] {
        assert_eq!(told(&head(method, path)), expected, "{method} {path}");
    }
    assert_eq!(told(&head("POST", "/pass").replace(r#""1""#, r#""2""#)), AtHead::Nothing);
    assert!(said(&set, r#"{"path":"/once"}"#).contains("200"));
    assert_eq!(told(&head("POST", "/once")), AtHead::Nothing);
}
