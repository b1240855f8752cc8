//! Stand-ins that keep the thread: what is asked again, what a consumer made itself, and what is said on a WebSocket. And
//! drivers that say what they don't ask.

use crate::tests::{get, json, post, recorded, replay, said, stubs_of};
use crate::*;
use seam_value::{Value, parse};
use seam_wire::Say;

fn order(id: &str, key: &str, state: &str) -> String {
    json(200, &format!(r#"{{"id":"{id}","ref":"{key}","state":"{state}","self":"/orders/{id}"}}"#))
}

fn orders() -> Recording {
    let (made, taken) = (r#"{"ref":"key-1111"}"#, r#"{"ref":"key-2222"}"#);
    let mut recording = recorded(&[
        ("a", &post("/orders", made), &order("o-40001", "key-1111", "new")),
        ("b", &post("/orders", taken), &order("o-40002", "key-2222", "new")),
        ("b", &post("/orders", made), &order("o-40003", "key-1111", "new")),
        ("b", &get("/orders/o-40002"), &order("o-40002", "key-2222", "new")),
        ("b", &get("/orders/o-40003"), &order("o-40003", "key-1111", "new")),
        ("b", &get("/orders/o-40003"), &order("o-40003", "key-1111", "paid")),
    ]);
    for path in ["request.body.ref", "reply.body.ref", "reply.body.id", "reply.body.self"] {
        recording.volatile.push(Volatile::parse(path).unwrap());
    }
    for one in &mut recording.interactions[3..] {
        one.volatile.push(Volatile::parse("request.path.1").unwrap());
    }
    recording
}

#[test]
fn each_that_was_given_is_another_one() {
    let mine = [post("/orders", r#"{"ref":"mine-1"}"#), post("/orders", r#"{"ref":"mine-2"}"#)];
    let asked = [
        &mine[0],
        &mine[1],
        &get("/orders/o-40002"),
        &get("/orders/o-40003"),
        &get("/orders/o-40003"),
        &get("/orders/o-40003"),
        &get("/orders/o-77777"),
    ];
    let asked: Vec<&str> = asked.iter().map(|text| text.as_str()).collect();
    let answer = |id: &str, key: &str, state: &str| {
        format!(r#"200 {{"id":"{id}","ref":"{key}","state":"{state}","self":"/orders/{id}"}}"#)
    };
    assert_eq!(
        replay(&orders(), &asked),
        [
            answer("o-40001", "mine-1", "new"),
            answer("o-40002", "mine-2", "new"),
            answer("o-40002", "mine-2", "new"),
            answer("o-40003", "mine-1", "new"),
            answer("o-40003", "mine-1", "paid"),
            answer("o-40003", "mine-1", "paid"),
            answer("o-77777", "mine-2", "new"),
        ]
    );
}

fn message(from: &str, body: &str) -> Recorded {
    let message = format!(r#"{{"path":"/live","from":"{from}","type":"text","body":{body}}}"#);
    Recorded { message: parse(&message).unwrap(), ..Recorded::default() }
}

fn conversation() -> Recording {
    let open = get("/live").replace(r#""host""#, r#""upgrade":"websocket","sec-websocket-key":"k","host""#);
    let mut recording = recorded(&[("", &open, r#"{"status":101,"headers":{"upgrade":"websocket"}}"#)]);
    recording.interactions.extend([
        message("provider", r#""hello""#),
        message("consumer", r#"{"id":"m-1111","n":1}"#),
        message("provider", r#"{"of":"m-1111","total":5}"#),
        message("provider", r#"{"of":"m-1111","total":6}"#),
        message("consumer", r#"{"id":"m-2222","n":1}"#),
        message("provider", r#"{"of":"m-2222","total":7}"#),
        message("consumer", r#""bye""#),
    ]);
    for path in ["message.body.id", "message.body.of", "request.headers.sec-websocket-key"] {
        recording.volatile.push(Volatile::parse(path).unwrap());
    }
    recording
}

#[test]
fn what_was_said_on_a_websocket_is_answered() {
    let open = get("/live").replace(r#""host""#, r#""upgrade":"websocket","sec-websocket-key":"x","host""#);
    let asked = |body: &str| {
        let parts = r#""path":"/live","from":"consumer","type":"text""#;
        format!(r#"{{"message":{{{parts},"body":{body},"length":9}}}}"#)
    };
    let asked = [
        open,
        asked(r#"{"id":"m-7777","n":1}"#),
        asked(r#"{"id":"m-8888","n":1}"#),
        asked(r#""bye""#),
        asked(r#"{"id":"m-8888","n":2}"#),
    ];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let said: Vec<String> = said(&conversation(), &asked)
        .into_iter()
        .map(|say| match say {
            Some(Say::Answer(value)) => value.get("messages").cloned().unwrap_or_default().to_string(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        said,
        [
            r#"[{"text":"hello"}]"#,
            r#"[{"json":{"of":"m-7777","total":5}},{"json":{"of":"m-7777","total":6}}]"#,
            r#"[{"json":{"of":"m-8888","total":7}}]"#,
            "[]",
            "None",
        ]
    );
}

#[test]
fn what_is_not_asked_has_its_reason() {
    let masked = post("/login", r#"{"password":"«password 1»"}"#);
    let known = post("/login", r#"{"password":"«ann_password»","card":"«card 1»"}"#);
    let later = get("/me").replace(r#""host""#, r#""authorization":"Bearer «bearer 1»","host""#);
    let over_two = get("/two").replace(r#""query""#, r#""version":"2","query""#);
    let mut recording = recorded(&[
        ("", &masked, &json(200, r#"{"token":"«bearer 1»"}"#)),
        ("", &later, &json(200, "{}")),
        ("", &known, &json(200, "{}")),
        ("", &over_two, &json(200, "{}")),
    ]);
    let tunnel = get("/irc").replace(r#""host""#, r#""upgrade":"irc","host""#);
    recording.interactions.extend(recorded(&[("", &tunnel, r#"{"status":101}"#)]).interactions);
    let event = parse(r#"{"path":"/feed","event":"tick","text":"1"}"#).unwrap();
    recording.interactions.push(Recorded { message: event, ..Recorded::default() });
    let knows = |name: &str| name == "ann_password";
    let drivers = as_tests(&[recording], Thoroughness::Whole, &knows);
    let reasons: Vec<String> =
        drivers.not_asked.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    assert_eq!(
        reasons,
        [
            "1 messages are not asked",
            "1 no step speaks what the connection was upgraded to",
            "1 «password 1» was masked when it was recorded; declare it under `secrets`",
            "1 an answer that is not asked for gave it «bearer 1»",
        ]
    );
    let text = &drivers.list[0].text;
    assert!(text.contains("password: $secrets.ann_password") && text.contains("4111111111111111"), "{text}");
    assert!(text.contains("http: GET api/two\n        version: 2\n"), "{text}");
}

#[test]
fn what_was_said_on_a_websocket_is_said_again() {
    let mut recording = conversation();
    recording.interactions.iter_mut().zip(1..).for_each(|(one, number)| one.number = number);
    let drivers = as_tests(&[recording], Thoroughness::Whole, &|_| false);
    assert!(drivers.not_asked.is_empty(), "{:?}", drivers.not_asked);
    assert_eq!(
        drivers.list[0].text.trim_start(),
        "- name: Outside of tests
    steps:
      - name: GET /live
        ws: api/live
        receive: 1
        expect:
          status: 101
          messages.0.body: hello
      - name: message on /live
        ws: api/live
        json:
          id: m-1111
          \"n\": 1
        receive: 2
        expect:
          messages.0.body:
            size: 2
          messages.0.body.of:
            type: string
          messages.0.body.total: 5
          messages.1.body:
            size: 2
          messages.1.body.of:
            type: string
          messages.1.body.total: 6
      - name: message on /live
        ws: api/live
        json:
          id: m-2222
          \"n\": 1
        receive: 1
        expect:
          messages.0.body:
            size: 2
          messages.0.body.of:
            type: string
          messages.0.body.total: 7
      - name: message on /live
        ws: api/live
        text: bye
        receive: 0
"
    );
}

#[test]
fn a_websocket_is_closed_again_by_the_code_it_had() {
    for (code, expect) in
        [(", \"code\": 4000", "close: 4000"), ("", "close: true"), (", \"code\": 1005", "close: true")]
    {
        let mut recording = conversation();
        let close = format!(r#"{{"from":"consumer","path":"/live","type":"close"{code}}}"#);
        let mut last = recording.interactions.last().unwrap().clone();
        last.message = parse(&close).unwrap();
        recording.interactions.push(last);
        recording.interactions.iter_mut().zip(1..).for_each(|(one, number)| one.number = number);
        let drivers = as_tests(&[recording], Thoroughness::Whole, &|_| false);
        assert!(drivers.list[0].text.contains(expect), "{}", drivers.list[0].text);
    }
}

#[test]
fn a_database_answers_in_the_types_that_it_had() {
    let request = r#"{"statement":"select price from books","parameters":[]}"#;
    let reply =
        r#"{"columns":["price float8"],"rows":[{"price":19.9}],"count":1,"affected":null,"tag":"SELECT 1"}"#;
    let mut recording = recorded(&[("", request, reply)]);
    recording.protocol = "postgres".to_owned();
    let answer = match said(&recording, &[request]).remove(0) {
        Some(Say::Answer(value)) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(answer.get("columns"), Some(&Value::List(vec![Value::text("price float8")])));
}

/// What a readiness or a pool asked before the first test was answered from another state.
#[test]
fn a_test_is_answered_as_it_was_and_not_as_whoever_asked_before_it() {
    let (asked, reply) = (get("/tags"), |body: &str| json(200, body));
    for (before, n_stubs) in [(r"[]", 2), (r#"["a"]"#, 1)] {
        let recording = recorded(&[("", &asked, &reply(before)), ("t", &asked, &reply(r#"["a"]"#))]);
        assert_eq!(stubs_of(&recording).list.len(), n_stubs, "{before}");
    }
}

/// As asyncpg, pgx, sqlx and JDBC ask: prepared and described first, bound then.
#[test]
fn what_a_driver_only_prepares_is_described_as_it_was() {
    let asked = |parameters: &str| {
        format!(r#"{{"statement":"select a from t where b = $1","parameters":{parameters}}}"#)
    };
    let reply = r#"{"columns":["a int4"],"parameters":["uuid"],"rows":[{"a":1}],"count":1,"tag":"SELECT 1"}"#;
    let bound = asked(r#"["5f0c"]"#);
    let mut recording = recorded(&[("", &bound, reply)]);
    recording.protocol = "postgres".to_owned();
    let prepared = asked("[]");
    let answers: Vec<_> = said(&recording, &[&prepared, &bound, &prepared])
        .into_iter()
        .map(|said| match said {
            Some(Say::Answer(value)) => value,
            other => panic!("{other:?}"),
        })
        .collect();
    let n_rows = |answer: &Value| answer.get("rows").and_then(Value::as_list).map(<[Value]>::len);
    assert_eq!(answers.iter().map(|answer| n_rows(answer)).collect::<Vec<_>>(), [Some(0), Some(1), Some(0)]);
    for answer in &answers {
        assert_eq!(answer.get("columns"), Some(&Value::List(vec![Value::text("a int4")])));
        assert_eq!(answer.get("parameters"), Some(&Value::List(vec![Value::text("uuid")])));
    }
}

#[test]
fn a_call_that_streams_is_known_by_what_it_said_first() {
    let request = |rest: &str| format!(r#"{{"service":"s.S","method":"Chat","metadata":{{}},{rest}}}"#);
    let asked = request(r#""body":null,"bodies":[{"id":"1"},{"id":"2"}]"#);
    let mut recording = recorded(&[("", &asked, r#"{"status":"OK","bodies":[{"n":1},{"n":2}]}"#)]);
    recording.protocol = "grpc".to_owned();
    let asked = [
        request(r#""body":{"id":"1"}"#),
        request(r#""body":null,"bodies":[]"#),
        asked,
        request(r#""body":{"id":"2"}"#),
        request(r#""body":null,"bodies":[{"id":"2"}]"#),
    ];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let is_answered: Vec<bool> = said(&recording, &asked).iter().map(Option::is_some).collect();
    assert_eq!(is_answered, [true, true, true, false, false]);
}
