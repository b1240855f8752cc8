//! Recordings written, read, learnt from and replayed.

use crate::*;
use seam_diag::{Diagnostics, Sources};
use seam_event::{Caller, Event, Interaction, Scope, What};
use seam_stub::{Reading, StubSet};
use seam_value::{Value, parse};
use seam_wire::{Answers, Asked, Say};
use std::sync::Arc;
use std::time::Duration;

/// Interactions of one run as (test, request, reply), of `web -> api`.
fn run(passed: &[(&str, &str, &str)]) -> Vec<Event> {
    let event = |(index, (test, request, reply)): (usize, &(&str, &str, &str))| {
        let id = index as u64 + 1;
        let what = What::Interaction(Interaction {
            id,
            seam: seam_of("web -> api").unwrap(),
            from: "web".into(),
            to: "api".into(),
            via: None,
            caller: Caller::Known,
            protocol: "http".into(),
            connection: 1,
            at: Duration::from_millis(id),
            elapsed: Some(Duration::from_micros(2500)),
            error: None,
            request: parse(request).unwrap(),
            reply: parse(reply).unwrap(),
            message: Value::Null,
            answered_by: None,
            cut: false,
        });
        let test = (!test.is_empty()).then(|| (*test).into());
        let scope = Scope { attempt: test.as_ref().map(|_| 1), test, step: None };
        Event { seq: id, at: Duration::ZERO, scope, cause: None, what }
    };
    passed.iter().enumerate().map(event).collect()
}

pub(crate) fn recorded(passed: &[(&str, &str, &str)]) -> Recording {
    record(&run(passed), &|_| true).recordings.remove(0)
}

fn volatile(recording: &Recording) -> Vec<String> {
    let own = recording.interactions.iter().enumerate().flat_map(|(index, one)| {
        one.volatile.iter().map(move |volatile| format!("{index}: {volatile}")).collect::<Vec<_>>()
    });
    recording.volatile.iter().map(ToString::to_string).chain(own).collect()
}

pub(crate) fn get(path: &str) -> String {
    format!(
        r#"{{"method":"GET","path":"{path}","query":{{}},"headers":{{"host":"h:1","user-agent":"x"}},"cookies":{{}},"body":null,"text":"","length":0}}"#
    )
}

pub(crate) fn post(path: &str, body: &str) -> String {
    let text = Value::text(body.replace(':', ": "));
    format!(
        r#"{{"method":"POST","path":"{path}","query":{{}},"headers":{{"content-type":"application/json"}},"cookies":{{}},"body":{body},"text":{text},"length":9}}"#
    )
}

pub(crate) fn json(status: u16, body: &str) -> String {
    let text = Value::text(body);
    format!(
        r#"{{"status":{status},"headers":{{"content-type":"application/json","date":"Sat"}},"body":{body},"text":{text},"length":9}}"#
    )
}

#[test]
fn what_differs_between_two_runs_varies() {
    let order = |id: &str, at: &str| {
        json(201, &format!(r#"{{"id":"{id}","items":[{{"at":"{at}","sku":"A1"}}],"total":5}}"#))
    };
    let one = [
        ("t", post("/orders", r#"{"key":"k-1","sku":"A1"}"#), order("o-1", "10:00")),
        ("t", get("/orders/o-1"), json(200, r#"{"state":"new"}"#)),
        ("t", get("/orders/o-1"), json(200, r#"{"state":"paid","etag":1}"#)),
        ("t", get("/stock/A1"), json(200, r#"{"n":3}"#)),
    ];
    let other = [
        // Two at once came in another order.
        ("t", get("/stock/A1"), json(200, r#"{"n":3}"#)),
        ("t", post("/orders", r#"{"key":"k-2","sku":"A1"}"#), order("o-2", "11:00")),
        ("t", get("/orders/o-2"), json(200, r#"{"state":"new"}"#)),
        ("t", get("/orders/o-2"), json(200, r#"{"state":"paid"}"#)),
    ];
    let of = |list: &[(&'static str, String, String)]| {
        let list: Vec<(&str, &str, &str)> =
            list.iter().map(|(test, request, reply)| (*test, request.as_str(), reply.as_str())).collect();
        recorded(&list)
    };
    let mut recording = of(&one);
    learn(&mut recording, &of(&other));
    assert_eq!(
        volatile(&recording),
        [
            "reply.headers.date",
            "request.headers.user-agent",
            "reply.body.etag?",
            "reply.body.id",
            "reply.body.items.*.at",
            "request.body.key",
            "1: request.path.1",
            "2: request.path.1",
        ]
    );
}

#[test]
fn of_a_single_run_only_what_looks_like_it_varies() {
    let mut recording = recorded(&[
        ("a", &get("/me"), &json(200, r#"{"at":"2026-01-02T03:04:05Z","n":1,"id":"0f8c1b7a-1"}"#)),
        ("b", &get("/me"), &json(200, r#"{"at":"2026-01-02T03:04:06Z","n":2,"id":"0f8c1b7a-1"}"#)),
    ]);
    learn_alone(&mut recording);
    assert_eq!(volatile(&recording), ["reply.headers.date", "request.headers.user-agent", "reply.body.at"]);
}

#[test]
fn what_is_written_is_read_again() {
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(5000));
    let mut recording = recorded(&[
        (
            "a",
            &get("/a?b=$c"),
            &json(
                200,
                r#"{"s":"no","d":"1.0","n":1.50,"m":"a\nb\n","t":"a: b # c","e":[],"o":{},"l":[{"a":[[1],["x, y"]]}],"y":"0123","u":["http://a.test/b:c","a::b","a: b","c:",":d","12ms","1e3ms","- x","a -> b"],"z":"\u0007\u2028"}"#,
            ),
        ),
        ("a", &post("/b", r#"{"x":"- y","":"","~":null,"true":true}"#), &json(200, &long)),
        ("", &get("/«token 1»"), &json(204, "null")),
    ]);
    recording.interactions[1].volatile.push(Volatile::parse("reply.body.\"a.b\"?").unwrap());
    learn_alone(&mut recording);
    let written = write(&recording);
    assert_eq!(written.beside.len(), 1, "{}", written.text);
    let mut found = Diagnostics::default();
    let mut sources = Sources::default();
    let file = sources.add("r.yaml", written.text.clone());
    let read_file = |name: &str| {
        let beside = written.beside.iter().find(|(known, _)| known == name);
        beside.map(|(_, content)| content.clone()).ok_or_else(|| "not there".to_owned())
    };
    let read = read(file, &written.text, &Around { read_file: &read_file }, &mut found);
    assert!(found.is_empty(), "{found:?}\n{}", written.text);
    let mut read = read.unwrap();
    for (one, own) in read.interactions.iter_mut().zip(&recording.interactions) {
        one.span = None;
        one.elapsed = own.elapsed;
    }
    assert_eq!(read, recording, "{}", written.text);
}

#[test]
fn mistakes_are_told_at_their_place() {
    let head = "recording: 1\nseam: web -> api\nprotocol: http\n";
    for (text, expected) in [
        ("recording: 2\nseam: web -> api\n", "version 2; this seam reads up to 1 [2]"),
        ("recording: one\n", "must be the version of the format [one]"),
        ("recording: 1\nprotocol: http\nseam: web\n", "`seam` must be a consumer and a provider [web]"),
        (&format!("{head}volatile: [body.id]\n"), "an interaction has no `body` [body.id]"),
        (
            &format!("{head}interactions:\n  - request: {{ method: PUT, path: /, body_file: gone.json }}\n"),
            "`gone.json` can't be read [gone.json]",
        ),
        (
            &format!("{head}interactions:\n  - {{ request: {{ method: GET, path: /a }}, elapsed: 3 }}\n"),
            "no duration [3]",
        ),
        (
            &format!("{head}interactions:\n  - request: {{ methd: GET, path: /a }}\n"),
            "a request of http has a `method` [methd]",
        ),
        (&format!("{head}interactions:\n  - request: {{ method: GET }}\n"), "http has a `path` [{]"),
        ("recording: 1\nseam: web -> api\nprotocol: htp\n", "there is no protocol `htp` [htp]"),
    ] {
        let (mut found, mut sources) = (Diagnostics::default(), Sources::default());
        let file = sources.add("r.yaml", text);
        let read_file = |_: &str| Err("not there".to_owned());
        assert!(read(file, text, &Around { read_file: &read_file }, &mut found).is_none(), "{text}");
        let told = found.in_order();
        let place = told[0].place.as_ref().map(|(span, _)| sources.text(*span)).unwrap_or_default();
        let told = format!("{} [{place}]", told[0].title);
        assert!(told.contains(expected), "{text}: {told}");
    }
    let newer = format!(
        "{head}mood: good\ninteractions:\n  - {{ stream: 1 }}\n  - {{ request: {{ method: GET, path: /, a: 1 }}, x: 2 }}\n"
    );
    let mut found = Diagnostics::default();
    let file = Sources::default().add("r.yaml", newer.clone());
    let read_file = |_: &str| Err("not there".to_owned());
    let passed_over = read(file, &newer, &Around { read_file: &read_file }, &mut found).unwrap();
    assert!(found.is_empty() && passed_over.interactions.len() == 1);
}

/// What the stubs made of a recording say, once it was written and read.
pub(crate) fn replay(recording: &Recording, asked: &[&str]) -> Vec<String> {
    let answer = |say: Option<Say>| match say {
        Some(Say::Answer(value)) if ["events", "messages"].iter().any(|name| value.get(name).is_some()) => {
            value.to_string()
        }
        Some(Say::Answer(value)) => {
            let body = value.get("json").or(value.get("text")).cloned().unwrap_or_default();
            let body = body.to_plain_text();
            format!("{} {body}", value.get("status").cloned().unwrap_or_default())
        }
        other => format!("{other:?}"),
    };
    said(recording, asked).into_iter().map(answer).collect()
}

/// What others may have written names only what lies beside it.
#[test]
fn a_recording_reads_through_what_stands_around_it_and_nothing_else() {
    let text = "recording: 1\nseam: web -> api\nprotocol: http\ninteractions:\n  - request: { method: GET, path: /a }\n    \
                reply: { status: 200, body_file: ../secret.json }\n";
    let file = Sources::default().add("recordings/web-api.yaml", text.to_owned());
    let read_file = |path: &str| panic!("{path} is read as a stub's");
    let protocol = seam_wire::protocol("http").unwrap();
    let reading = Reading { protocol, descriptors: None, knows: &|_| false, read_file: &read_file };
    let mut found = Diagnostics::default();
    let path = "recordings/web-api.yaml";
    assert!(read_stub_file((path, file, text), &reading, &NOTHING_BESIDE, &mut found).is_none());
    assert!(format!("{found:?}").contains("no ../secret.json"), "{found:?}");
}

/// The stubs that a recording becomes, read from its file.
pub(crate) fn stubs_of(recording: &Recording) -> seam_stub::Stubs {
    let written = write(recording);
    let mut found = Diagnostics::default();
    let file = Sources::default().add("recordings/web-api.yaml", written.text.clone());
    let read_file = |_: &str| Err("not there".to_owned());
    let protocol = seam_wire::protocol(&recording.protocol).unwrap();
    let reading = Reading { protocol, descriptors: None, knows: &|_| false, read_file: &read_file };
    let path = "recordings/web-api.yaml";
    let stubs = read_stub_file((path, file, &written.text), &reading, &NOTHING_BESIDE, &mut found);
    assert!(found.is_empty(), "{found:?}\n{}", written.text);
    stubs.unwrap()
}

/// What a recording's stubs say.
pub(crate) fn said(recording: &Recording, asked: &[&str]) -> Vec<Option<Say>> {
    let protocol = seam_wire::protocol(&recording.protocol).unwrap();
    let set = StubSet::new();
    let names: Arc<dyn seam_expr::Names + Send + Sync> = Arc::new(seam_stub::Surroundings {
        chance: seam_expr::Chance::new(1, "x"),
        now: || "2026-01-01T00:00:00Z".parse().unwrap(),
        env: Box::new(|_| None),
        file: Box::new(|_| Err("not there".to_owned())),
        hostname: "here".to_owned(),
    });
    set.put(stubs_of(recording), &names);
    let seam = seam_of("web -> api").unwrap();
    let answer = |request: &&str| {
        let request = parse(request).unwrap();
        let protocol = protocol.name();
        let asked = Asked { seam: &seam, protocol, at: Duration::ZERO, request: &request, bytes: b"" };
        set.answer(&asked).map(|answering| answering.say)
    };
    asked.iter().map(answer).collect()
}

#[test]
fn in_the_providers_place() {
    let mut recording = recorded(&[
        ("", &get("/stock"), &json(200, r#"{"n":3}"#)),
        ("", &get("/stock"), &json(200, r#"{"n":3}"#)),
        ("", &get("/stock"), &json(200, r#"{"n": 2, "price": "$5 ${x}"}"#)),
        (
            "",
            &post("/pay", r#"{"key":"k-1111","card":"«card 1»","cents":5}"#),
            &json(201, r#"{"id":1,"key":"k-1111"}"#),
        ),
        ("", &get("/me"), &json(401, "{}")),
        (
            "",
            &get("/me").replace(r#""host""#, r#""authorization":"Bearer «bearer 1»","host""#),
            &json(200, r#"{"name":"ann","token":"«bearer 1»"}"#),
        ),
    ]);
    recording.volatile.push(Volatile::parse("request.body.key").unwrap());
    recording.volatile.push(Volatile::parse("reply.body.key").unwrap());
    learn_alone(&mut recording);
    let with = |token: &str| get("/me").replace(r#""host""#, &format!(r#""authorization":"{token}","host""#));
    let asked = [
        &get("/stock"),
        &get("/stock"),
        &get("/stock"),
        &get("/stock"),
        &get("/stock").replace("\"query\":{}", r#""query":{"a":"1"}"#),
        &post("/pay", r#"{"key":"k-2222","card":"4111","cents":5}"#),
        &post("/pay", r#"{"key":"k-2222","card":"4111","cents":6}"#),
        &post("/pay", r#"{"key":"k-2222","card":"4111","cents":5,"more":1}"#),
        &get("/me"),
        &with("Bearer abc"),
        &with("Basic abc"),
    ];
    let asked: Vec<&str> = asked.iter().map(|text| text.as_str()).collect();
    assert_eq!(
        replay(&recording, &asked),
        [
            r#"200 {"n":3}"#,
            r#"200 {"n":3}"#,
            r#"200 {"n": 2, "price": "$5 ${x}"}"#,
            r#"200 {"n": 2, "price": "$5 ${x}"}"#,
            "None",
            r#"201 {"id":1,"key":"k-2222"}"#,
            "None",
            "None",
            "401 {}",
            r#"200 {"name":"ann","token":"bearer-1"}"#,
            "None",
        ]
    );
}

#[test]
fn parts_of_addresses_vary() {
    let mut recording = recorded(&[
        ("", &get("/orders/o-1"), &json(200, r#"{"id":"o-1"}"#)),
        ("", &get("/orders/o-2"), &json(200, r#"{"id":"o-2"}"#)),
    ]);
    for one in &mut recording.interactions {
        one.volatile.push(Volatile::parse("request.path.1").unwrap());
    }
    let asked =
        [get("/orders/o-2"), get("/orders/o-1"), get("/orders/new"), get("/orders/new"), get("/orders")];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(
        replay(&recording, &asked),
        [r#"200 {"id":"o-2"}"#, r#"200 {"id":"o-1"}"#, r#"200 {"id":"o-1"}"#, r#"200 {"id":"o-2"}"#, "None",]
    );
}

/// The tests made of a recording, as a file.
pub(crate) fn driven(recording: &Recording, thoroughness: Thoroughness) -> String {
    let drivers = as_tests(std::slice::from_ref(recording), thoroughness, &|name| name == "ann_password");
    let text = written_tests("Made here.", &drivers.list);
    let mut found = Diagnostics::default();
    let file = Sources::default().add("t.seam.yaml", text.clone());
    assert!(seam_manifest::parse(file, &text, &mut found).is_some() && found.is_empty(), "{found:?}\n{text}");
    text
}

#[test]
fn as_tests_with_what_was_given_and_used_again() {
    let login = post("/login", r#"{"name":"ann","password":"«ann_password»"}"#);
    let me = get("/me").replace(r#""host""#, r#""authorization":"Bearer «bearer 1»","host""#);
    let mut recording = recorded(&[
        ("t.seam.yaml::Ann", &login, &json(200, r#"{"token":"«bearer 1»","user":{"id":7,"seen":"10:00"}}"#)),
        ("t.seam.yaml::Ann", &me, &json(200, r#"{"name":"$ann"}"#)),
        ("t.seam.yaml::Ann", &get("/users/7/a%20b"), &json(200, r#"{"id":7,"ids":[1,2],"of":{}}"#)),
    ]);
    recording.volatile.push(Volatile::parse("reply.body.user.seen").unwrap());
    assert_eq!(
        driven(&recording, Thoroughness::Gist),
        "\
# Made here.
tests:
  - name: Ann
    steps:
      - name: POST /login
        http: POST api/login
        json:
          name: ann
          password: $secrets.ann_password
        expect:
          status: 200
          headers.content-type: application/json
          body.token:
            exists: true
          body.user.id: 7
          body.user.seen:
            type: string
        save:
          token: body.token
          user_id: body.user.id
      - name: GET /me
        http: GET api/me
        bearer: $token
        expect:
          status: 200
          headers.content-type: application/json
          body.name: $$ann
      - name: GET /users/7/a%20b
        http: GET api/users/$user_id/a%20b
        expect:
          status: 200
          headers.content-type: application/json
          body.id: 7
          body.ids: [1, 2]
          body.of:
            equals: {}
"
    );
    assert!(driven(&recording, Thoroughness::Whole).contains("body.user:\n            size: 2\n"));
}

/// What passed a seam outside of tests, as (request, reply).
pub(crate) fn of(protocol: &str, seam: &str, passed: &[(&str, &str)]) -> Recording {
    Recording {
        seam: seam_of(seam).unwrap(),
        protocol: protocol.to_owned(),
        volatile: Vec::new(),
        interactions: passed
            .iter()
            .map(|(request, reply)| Recorded {
                request: parse(request).unwrap(),
                reply: parse(reply).unwrap(),
                ..Recorded::default()
            })
            .collect(),
    }
}

#[test]
fn an_archive_out_and_in() {
    let long = post("/pay", r#"{"cents":5}"#);
    let passed = [
        ("t", get("/a").replace("\"query\":{}", r#""query":{"q":"x y"}"#), json(200, r#"{"n": 1}"#)),
        ("t", long, json(402, "{}")),
    ];
    let list: Vec<(&str, &str, &str)> =
        passed.iter().map(|(test, request, reply)| (*test, request.as_str(), reply.as_str())).collect();
    let har = to_har(&run(&list), "1.0");
    let entries = har.get("log").and_then(|log| log.get("entries")).and_then(Value::as_list).unwrap();
    let url = |index: usize| entries[index].get("request").and_then(|request| request.get("url")).cloned();
    assert_eq!(url(0), Some(Value::text("http://h:1/a?q=x%20y")));
    let mut read = from_har(&har.to_pretty(), &NOTHING_BESIDE).unwrap().recordings;
    let mut own = recorded(&list);
    learn_alone(&mut own);
    for one in &mut read[0].interactions {
        one.elapsed = Some(Duration::from_micros(2500));
    }
    assert_eq!((read.len(), &read[0]), (1, &own));
    for (text, expected) in [("{", "it is no JSON"), ("{}", "it has no `log.entries`")] {
        assert!(from_har(text, &NOTHING_BESIDE).unwrap_err().to_string().contains(expected), "{text}");
    }
    let foreign = r#"{"log":{"entries":[{"request":{"method":"GET","url":"https://api.test:8/x?a=1","headers":
        [{"name":"Sec-Fetch-Mode","value":"cors"},{"name":"Accept","value":"text/plain"}]},
        "response":{"status":200,"headers":[{"name":"Set-Cookie","value":"a=1\nb=2"},{"name":":status","value":"200"},
        {"name":"X-Via","value":"1.1 a\n1.1 b\n"},{"name":"X-List","value":["1","2"]},{"name":"GET /?u=http","value":"//x"}],
        "content":{"mimeType":"text/plain","text":"aGk=","encoding":"base64"}}}]}}"#;
    let read = &from_har(foreign, &NOTHING_BESIDE).unwrap().recordings[0];
    assert_eq!(read.stem(), "client-api-test-8");
    let one = &read.interactions[0];
    let whole = format!("{} {}", one.request, one.reply);
    let expected = concat!(
        r#"{"method":"GET","path":"/x","query":{"a":"1"},"headers":{"accept":"text/plain"}} "#,
        r#"{"status":200,"body":"hi","headers":{"set-cookie":["a=1","b=2"],"x-via":"1.1 a, 1.1 b","x-list":"1, 2"}}"#,
    );
    assert_eq!(whole, expected);
}

const NOTHING_BESIDE: Around<'_> = Around { read_file: &|path| Err(format!("no {path}")) };

/// A message of `web -> api`, so many milliseconds after the run began.
fn message(millis: u64, message: &str) -> (u64, Value, Value, Value) {
    (millis, Value::Null, Value::Null, parse(message).unwrap())
}

fn passed(all: Vec<(u64, Value, Value, Value)>, ended: bool) -> Recording {
    let template = run(&[("t", &get("/"), &json(200, "{}"))]).remove(0);
    let events: Vec<Event> = all
        .into_iter()
        .map(|(millis, request, reply, message)| {
            let mut event = template.clone();
            let What::Interaction(one) = &mut event.what else { unreachable!() };
            (one.id, one.at) = (millis, Duration::from_millis(millis));
            one.elapsed = one.elapsed.filter(|_| ended);
            (one.request, one.reply, one.message) = (request, reply, message);
            event
        })
        .collect();
    record(&events, &|_| true).recordings.remove(0)
}

#[test]
fn events_are_said_again_each_in_its_time() {
    let text = "event: paid\nid: 7\ndata: {\"n\": 1}\n\ndata: two $\n\n";
    let reply = Value::map([
        ("status", Value::from(200_u64)),
        ("headers", Value::map([("content-type", Value::text("text/event-stream"))])),
        ("body", Value::text(text)),
        ("text", Value::text(text)),
    ]);
    for (ended, open) in [(true, ""), (false, r#""open":true,"#)] {
        let recording = passed(
            vec![
                (10, parse(&get("/feed")).unwrap(), reply.clone(), Value::Null),
                message(15, r#"{"path":"/feed","event":"paid","id":"7","data":{"n":1},"text":"{\"n\": 1}"}"#),
                message(235, r#"{"path":"/feed","event":"message","id":null,"data":"two $","text":"two $"}"#),
            ],
            ended,
        );
        let elapsed: Vec<u128> =
            recording.interactions[1..].iter().map(|one| one.elapsed.unwrap().as_millis()).collect();
        assert_eq!(elapsed, [5, 220]);
        let said = replay(&recording, &[&get("/feed")]);
        let events = r#""events":[{"event":"paid","id":"7","text":"{\"n\": 1}","after":"5000us"},{"text":"two $","after":"220000us"}]"#;
        let head = r#""status":200,"headers":{"content-type":"text/event-stream"}}"#;
        assert_eq!(said, [format!("{{{events},{open}{head}")]);
    }
}

#[test]
fn what_is_said_on_a_websocket_is_answered_again() {
    let reply = parse(r#"{"status":101,"headers":{}}"#).unwrap();
    let from = |who: &str, text: &str| {
        format!(r#"{{"path":"/ws","from":"{who}","type":"text","body":"{text}","text":"{text}"}}"#)
    };
    let recording = passed(
        vec![
            (10, parse(&get("/ws")).unwrap(), reply, Value::Null),
            message(12, &from("provider", "hello")),
            message(20, &from("consumer", "ask")),
            message(21, &from("provider", "one")),
            message(41, &from("provider", "two")),
            message(50, &from("consumer", "ask")),
            message(60, &from("provider", "three")),
            message(70, &from("consumer", "quiet")),
        ],
        true,
    );
    let asked = |text: &str| format!(r#"{{"message":{}}}"#, from("consumer", text));
    let said =
        replay(&recording, &[&get("/ws"), &asked("ask"), &asked("ask"), &asked("quiet"), &asked("other")]);
    assert_eq!(
        said,
        [
            r#"{"status":101,"messages":[{"text":"hello","after":"2000us"}]}"#,
            r#"{"messages":[{"text":"one","after":"1000us"},{"text":"two","after":"20000us"}]}"#,
            r#"{"messages":[{"text":"three","after":"10000us"}]}"#,
            r#"{"messages":[]}"#,
            "None",
        ]
    );
}

#[test]
fn what_was_open_when_its_test_ended_is_one_interaction() {
    let reply = r#"{"status":200,"headers":{},"body":null,"text":"","length":0}"#;
    let (one, other) = (get("/slow"), get("/other"));
    let mut events = run(&[("a > b", &one, "null"), ("", &other, reply), ("", &one, reply)]);
    for (index, id) in [(0, 1), (2, 1)] {
        let What::Interaction(passed) = &mut events[index].what else { unreachable!() };
        (passed.id, passed.at) = (id, Duration::from_millis(1));
        passed.elapsed.take_if(|_| index == 0);
    }
    let made = record(&events, &|_| true);
    assert_eq!((made.left_out.open, made.recordings[0].interactions.len()), (0, 2));
    assert_eq!(made.recordings[0].interactions[0].test.as_deref(), Some("a > b"));
    let har = to_har(&events, "1");
    let entries = har.get("log").and_then(|log| log.get("entries")).and_then(Value::as_list).unwrap();
    let status = |entry: &Value| entry.get("response").and_then(|said| said.get("status")).cloned();
    assert_eq!((entries.len(), status(&entries[0])), (2, Some(Value::from(200_u16))));
    assert_eq!(entries[0].get("_test"), Some(&Value::text("a > b")));
}
