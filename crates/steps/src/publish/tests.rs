//! Publications that are read, and such to real brokers.

use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, brokers, mistakes, run, run_as, serving, step, unsaid};
use seam_value::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[test]
fn mistakes_are_told_at_their_place() {
    mistakes(&[
        ("- publish: bus", "the `publish` step needs `topic` [publish: bus]"),
        (
            "- publish: redis\n  topic: a",
            "`redis` does not speak amqp or kafka or mqtt or nats [redis: this speaks redis]",
        ),
        ("- publish: bus\n  topic: a\n  qos: 1", "nats has no `qos` [qos]"),
        (
            "- publish: rabbit\n  declare: []\n  json: 1",
            "the `publish` step needs `topic` [publish: rabbit\n        declare: []\n        json: 1]",
        ),
        (
            "- publish: rabbit\n  declare: []\n  exchange: events",
            "the `publish` step needs `topic` [publish: rabbit\n        declare: []\n        exchange: events]",
        ),
        ("- publish: bus\n  topic: a\n  headers: [a]", "`headers` must be a map [[a]: this is a list]"),
        (
            "- publish: bus\n  topic: a\n  json: 1\n  text: b",
            "a step says one message: `json` or `text` [text]",
        ),
    ]);
}

/// What a protocol can say the step has a field for.
#[test]
fn all_fields_of_all_protocols_are_there() {
    for protocol in seam_wire::PROTOCOLS {
        for name in protocol.published_fields() {
            assert!(super::of_publications().any(|field| field.name == *name), "{}: {name}", protocol.name());
        }
    }
}

fn bed(name: &str, url: &str, at: SocketAddr) -> Bed {
    let mut bed = Bed::with(&[(name, at)]);
    bed.properties.insert(format!("{name}.url"), url.replace("HOST", &at.to_string()));
    bed
}

/// What a step gives, but how long it took.
async fn gives(text: &str, actor: &Actor, bed: &Bed) -> String {
    let Value::Map(mut result) = run(text, actor, bed, r#"{"id":7}"#).await else { panic!("no map") };
    assert!(result.shift_remove("elapsed").is_some());
    Value::Map(result).to_string()
}

const DONE: &str = r#"{"messages":[],"error":null}"#;

#[tokio::test]
async fn nats() {
    let Some(server) = brokers::nats().await else { return eprintln!("skipped: there is no nats-server") };
    brokers::answers_on_nats(server.at).await;
    let bed = bed("bus", "nats://tester:p%40ss%3Aword@HOST", server.at);
    let actor = Actor::new("");
    for (text, expect) in [
        ("- publish: bus\n  topic: orders.new\n  json: { id: $id }", DONE.to_owned()),
        ("- publish: bus\n  topic: orders.$id\n  headers: { X-Id: $id }", DONE.to_owned()),
        (
            "- publish: bus\n  topic: orders.get\n  text: ä\n  receive: 1",
            r#"{"messages":[{"topic":"INBOX","reply_to":null,"status":null,"headers":{},"body":{"state":"new"},"text":"{\"state\":\"new\"}"}],"error":null}"#.to_owned(),
        ),
        (
            "- publish: bus\n  topic: orders.none\n  receive: 1",
            r#"{"messages":[],"error":{"code":503,"message":"nobody answers to it"}}"#.to_owned(),
        ),
        (
            "- publish: bus\n  topic: forbidden",
            r#"{"messages":[],"error":{"code":null,"message":"Permissions Violation for Publish to \"forbidden\""}}"#.to_owned(),
        ),
        ("- publish: bus\n  topic: after\n  base64: AAEC", DONE.to_owned()),
        (
            &format!("- publish: bus\n  topic: a\n  text: '{}'", "x".repeat(100_000)),
            r#"{"messages":[],"error":{"code":null,"message":"Maximum Payload Violation"}}"#.to_owned(),
        ),
    ] {
        let given = gives(text, &actor, &bed).await;
        let inbox = given.split("_INBOX.").nth(1).and_then(|rest| rest.split('"').next());
        let given = inbox.map_or(given.clone(), |own| given.replace(&format!("_INBOX.{own}"), "INBOX"));
        assert_eq!(given, expect, "{text}");
    }
    let text = "- publish: bus\n  topic: $topic";
    let done = run_as(step(text).as_ref(), &actor, &bed, r#"{"topic":"a b"}"#, LIMIT).await;
    assert!(format!("{done:?}").contains("is no subject"), "{done:?}");
    server.finish().await;
}

/// Each time as many messages are received as were asked for, on one connection, and none of an earlier question.
#[tokio::test]
async fn answers_of_nats_belong_to_what_was_asked() {
    let Some(server) = brokers::nats().await else { return eprintln!("skipped: there is no nats-server") };
    brokers::answers_on_nats(server.at).await;
    brokers::answers_on_nats(server.at).await;
    let bed = bed("bus", "nats://tester:p%40ss%3Aword@HOST", server.at);
    let actor = Actor::new("");
    for n_answers in [1, 2, 1] {
        let text = format!("- publish: bus\n  topic: orders.get\n  receive: {n_answers}");
        let result = run(&text, &actor, &bed, "{}").await;
        let messages = result.get("messages").and_then(Value::as_list).unwrap();
        assert_eq!((messages.len(), result.get("error")), (n_answers, Some(&Value::Null)), "{result}");
    }
    let text = "- publish: bus\n  topic: orders.get\n  receive: 3";
    let limit = Duration::from_millis(300);
    let result = run_as(step(text).as_ref(), &actor, &bed, "{}", limit).await.unwrap();
    assert_eq!(result.get("messages").and_then(Value::as_list).map(<[Value]>::len), Some(2), "{result}");
    assert_eq!(unsaid(step(text).as_ref(), &result), ["error: there was no answer in time"]);
    server.finish().await;
}

#[tokio::test]
async fn whom_nats_does_not_know() {
    let Some(server) = brokers::nats().await else { return eprintln!("skipped: there is no nats-server") };
    let bed = bed("bus", "nats://tester:wrong@HOST", server.at);
    let given = gives("- publish: bus\n  topic: a", &Actor::new(""), &bed).await;
    assert_eq!(given, r#"{"messages":[],"error":{"code":null,"message":"Authorization Violation"}}"#);
    server.finish().await;
}

/// A server that is none, or goes away: its first words, and what the step gives.
#[tokio::test]
async fn what_does_not_answer_as_it_should() {
    for (words, expect) in [("", "closed"), ("INFO {}\r\n", "closed"), ("HTTP/1.1 200 OK\r\n", "malformed")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bed = bed("bus", "nats://HOST", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(words.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        });
        let result = run("- publish: bus\n  topic: a", &Actor::new(""), &bed, "{}").await;
        let code = result.get("error").and_then(|error| error.get("code"));
        assert_eq!(code, Some(&Value::text(expect)), "{words:?}: {result}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let limit = Duration::from_millis(100);
    let asked = step("- publish: bus\n  topic: a");
    let bed = bed("bus", "nats://HOST", at);
    let result = run_as(asked.as_ref(), &Actor::new(""), &bed, "{}", limit).await.unwrap();
    assert_eq!(result.get("error").and_then(|error| error.get("code")), Some(&Value::text("timeout")));
    drop(silent);
    let result = run("- publish: bus\n  topic: a", &Actor::new(""), &bed, "{}").await;
    assert_eq!(result.get("error").and_then(|error| error.get("code")), Some(&Value::text("refused")));
}

/// What is published to where its answers go comes back, which is enough of an answer.
#[tokio::test]
async fn mqtt() {
    let Some(server) = brokers::mosquitto().await else { return eprintln!("skipped: there is no mosquitto") };
    let bed = bed("mqtt", "mqtt://tester:p%40ss%3Aword@HOST", server.at);
    let actor = Actor::new("");
    for (text, expect) in [
        ("topic: orders/new\n  json: { id: $id }", DONE),
        ("topic: orders/new\n  text: a\n  qos: 0", DONE),
        ("topic: orders/$id\n  text: a\n  qos: 2\n  retain: true\n  headers: { id: $id }", DONE),
        (
            "topic: orders/echo\n  json: { id: $id }\n  receive: 1\n  reply_to: orders/echo\n  headers: { a: b }\n  \
             properties: { content_type: application/json, correlation_data: { base64: /w== } }",
            r#"{"messages":[{"topic":"orders/echo","reply_to":"orders/echo","headers":{"a":"b"},"properties":{"content_type":"application/json","correlation_data":{"base64":"/w=="},"response_topic":"orders/echo"},"body":{"id":7},"text":"{\"id\":7}"}],"error":null}"#,
        ),
        ("topic: orders/new\n  version: 3.1.1\n  text: a\n  qos: 2", DONE),
        ("topic: orders/new\n  version: '3.1'\n  text: a\n  qos: 2", DONE),
        (
            "topic: orders/echo\n  version: 3.1.1\n  text: a\n  qos: 2\n  receive: 1\n  reply_to: orders/echo",
            r#"{"messages":[{"topic":"orders/echo","reply_to":null,"headers":{},"properties":{},"body":"a","text":"a"}],"error":null}"#,
        ),
        ("topic: forbidden", r#"{"messages":[],"error":{"code":135,"message":"not authorized"}}"#),
        ("topic: forbidden\n  qos: 2", r#"{"messages":[],"error":{"code":135,"message":"not authorized"}}"#),
        ("topic: orders/after\n  base64: AAEC", DONE),
    ] {
        let text = format!("- publish: mqtt\n  {text}");
        assert_eq!(gives(&text, &actor, &bed).await, expect, "{text}");
    }
    // What is retained where the answer is to come is none, in either version.
    let kept = "- publish: mqtt\n  topic: orders/state\n  text: yesterday\n  retain: true";
    assert_eq!(gives(kept, &actor, &bed).await, DONE);
    for version in ["5", "3.1.1"] {
        let text = format!(
            "- publish: mqtt\n  topic: orders/state\n  version: {version}\n  text: now\n  receive: 1\n  reply_to: orders/state"
        );
        let result = run(&text, &actor, &bed, "{}").await;
        let first = result.get("messages").and_then(Value::as_list).and_then(|all| all[0].get("text"));
        assert_eq!(first, Some(&Value::text("now")), "{result}");
    }
    // Each answer is that of its own question.
    for _ in 0..2 {
        let limit = Duration::from_millis(200);
        let text = "- publish: mqtt\n  topic: orders/nobody\n  receive: 1";
        let result = run_as(step(text).as_ref(), &actor, &bed, "{}", limit).await.unwrap();
        assert_eq!(unsaid(step(text).as_ref(), &result), ["error: there was no answer in time"]);
    }
    for (text, expect) in [
        ("topic: a/#", "is no topic"),
        ("topic: orders/a\n  qos: 3", "qos is 0, 1 or 2"),
        ("topic: orders/a\n  version: 4", "version is `5`, `3.1.1` or `3.1`, not 4"),
        ("topic: orders/a\n  version: 3.1.1\n  headers: { a: b }", "there are no headers before MQTT 5"),
        ("topic: orders/a\n  version: 3.1.1\n  receive: 1", "`reply_to` says where it is heard"),
        ("topic: orders/a\n  properties: { colour: red }", "colour is no property of a message"),
    ] {
        let text = format!("- publish: mqtt\n  {text}");
        let done = run_as(step(&text).as_ref(), &actor, &bed, "{}", LIMIT).await;
        assert!(format!("{done:?}").contains(expect), "{text}: {done:?}");
    }
    for (version, expect) in [("5", 135), ("3.1.1", 5)] {
        let bed = self::bed("mqtt", "mqtt://tester:wrong@HOST", server.at);
        let text = format!("- publish: mqtt\n  topic: a\n  version: {version}");
        let error = format!(r#"{{"messages":[],"error":{{"code":{expect},"message":"not authorized"}}}}"#);
        assert_eq!(gives(&text, &Actor::new(""), &bed).await, error);
    }
    server.finish().await;
}

/// What is published to has to be there first.
async fn declared(bed: &Bed) {
    let calls = "[{ method: queue.declare, queue: $name, durable: true }, \
                 { method: exchange.declare, exchange: events, type: topic }, \
                 { method: queue.bind, queue: $name, exchange: events, routing_key: 'orders.*' }]";
    let fresh = r#"{"name":"fresh"}"#;
    for (text, expect) in [
        ("topic: fresh\n  mandatory: true", Some(312_u64)),
        (&format!("declare: {calls}"), None),
        ("topic: fresh\n  mandatory: true\n  text: one", None),
        ("topic: orders.new\n  exchange: events\n  mandatory: true\n  text: two", None),
        ("declare: [{ method: queue.declare, queue: fresh }]\n  topic: fresh", Some(406)),
        (&format!("declare: {calls}\n  topic: orders.b\n  exchange: events\n  mandatory: true"), None),
    ] {
        let result = run(&format!("- publish: rabbit\n  {text}"), &Actor::new(""), bed, fresh).await;
        let code = result.get("error").and_then(|error| error.get("code")).cloned();
        assert_eq!(code, expect.map(Value::from), "{text}: {result}");
    }
}

/// A step that would do nothing says so.
async fn nothing_declared(bed: &Bed) {
    for calls in ["[]", "$nothing"] {
        let asked = step(&format!("- publish: rabbit\n  declare: {calls}"));
        let done = run_as(asked.as_ref(), &Actor::new(""), bed, r#"{"nothing":null}"#, LIMIT).await;
        assert!(format!("{done:?}").contains("nothing to declare"), "{calls}: {done:?}");
    }
}

/// However many a queue holds, no more is taken than is waited for.
async fn taken(bed: &Bed, actor: &Actor) {
    for text in ["one", "two", "three"] {
        let text = format!("- publish: rabbit\n  topic: echo\n  text: {text}");
        assert_eq!(gives(&text, actor, bed).await, DONE);
    }
    for expect in [&["one", "two"][..], &["three"]] {
        let n = expect.len();
        let text = format!("- publish: rabbit\n  topic: nobody\n  receive: {n}\n  reply_to: echo");
        let result = run(&text, actor, bed, "{}").await;
        let came = result.get("messages").and_then(Value::as_list).unwrap();
        let texts: Vec<_> = came.iter().map(|one| one.get("text").unwrap().to_plain_text()).collect();
        assert_eq!(texts, expect, "{result}");
    }
}

/// What is published to the queue from which its answers are heard comes back, which is enough of an answer.
#[tokio::test]
async fn amqp() {
    let Some(server) = brokers::rabbitmq().await else { return eprintln!("skipped: there is no RabbitMQ") };
    let bed = bed("rabbit", "amqp://tester:p%40ss%3Aword@HOST", server.at);
    let actor = Actor::new("");
    let long = "x".repeat(300_000);
    for (text, expect) in [
        ("topic: nobody\n  json: { id: $id }", DONE),
        (
            "topic: a\n  exchange: amq.topic\n  text: a\n  headers: { id: $id }\n  properties: { delivery_mode: 2 }",
            DONE,
        ),
        (
            "topic: echo\n  json: { id: $id }\n  receive: 1\n  reply_to: echo\n  headers: { a: 1 }\n  \
             properties: { content_type: application/json, correlation_id: c }",
            r#"{"messages":[{"topic":"echo","headers":{"a":1},"properties":{"content_type":"application/json","correlation_id":"c","reply_to":"echo"},"body":{"id":7},"text":"{\"id\":7}"}],"error":null}"#,
        ),
        (&format!("topic: nobody\n  text: {long}"), DONE),
        ("topic: nobody\n  mandatory: true", r#"{"messages":[],"error":{"code":312,"message":"NO_ROUTE"}}"#),
        (
            "topic: a\n  exchange: none",
            r#"{"messages":[],"error":{"code":404,"message":"NOT_FOUND - no exchange 'none' in vhost '/'"}}"#,
        ),
        ("topic: after\n  base64: AAEC", DONE),
    ] {
        let text = format!("- publish: rabbit\n  {text}");
        assert_eq!(gives(&text, &actor, &bed).await, expect, "{text}");
    }
    // Who was answered from a queue takes nothing from it afterwards.
    assert_eq!(gives("- publish: rabbit\n  topic: echo\n  text: left", &actor, &bed).await, DONE);
    let text = "- publish: rabbit\n  topic: nobody\n  receive: 1\n  reply_to: echo";
    let result = run(text, &actor, &bed, "{}").await;
    let left = result.get("messages").and_then(Value::as_list).and_then(|all| all[0].get("text"));
    assert_eq!(left, Some(&Value::text("left")), "{result}");
    declared(&bed).await;
    nothing_declared(&bed).await;
    taken(&bed, &actor).await;
    // Answers without a queue, twice on one connection.
    let other = Actor::new("");
    for _ in 0..2 {
        let asks = run("- publish: rabbit\n  topic: echo\n  receive: 1", &actor, &bed, "{}");
        let answers = async {
            let asked = run(text, &other, &bed, "{}").await;
            let message = &asked.get("messages").and_then(Value::as_list).unwrap()[0];
            let to = message.get("properties").and_then(|all| all.get("reply_to")).unwrap();
            let names = Value::map([("to", to.clone())]).to_string();
            run("- publish: rabbit\n  topic: $to\n  text: here", &other, &bed, &names).await
        };
        let (asked, _) = tokio::join!(asks, answers);
        let messages = asked.get("messages").and_then(Value::as_list).unwrap();
        assert_eq!(messages.len(), 1, "{asked}");
        assert_eq!(messages[0].get("text"), Some(&Value::text("here")), "{asked}");
    }
    // An answer that never comes, twice on a connection each.
    let limit = Duration::from_millis(300);
    let text = "- publish: rabbit\n  topic: nobody\n  receive: 1";
    let result = run_as(step(text).as_ref(), &actor, &bed, "{}", limit).await.unwrap();
    assert_eq!(unsaid(step(text).as_ref(), &result), ["error: there was no answer in time"]);
    let text = "- publish: rabbit\n  topic: a\n  properties: { colour: red }";
    let done = run_as(step(text).as_ref(), &actor, &bed, "{}", LIMIT).await;
    assert!(format!("{done:?}").contains("has no property colour"), "{done:?}");
    for (url, code) in [("amqp://tester:wrong@HOST", 403_u64), ("amqp://tester:p%40ss%3Aword@HOST/none", 530)]
    {
        let bed = self::bed("rabbit", url, server.at);
        let result = run("- publish: rabbit\n  topic: a", &Actor::new(""), &bed, "{}").await;
        let given = result.get("error").and_then(|error| error.get("code"));
        assert_eq!(given, Some(&Value::from(code)), "{result}");
    }
    server.finish().await;
}

/// Whoever produces signs in by the best that the broker offers and by which it knows them.
#[tokio::test]
async fn who_produces_to_kafka_signs_in() {
    const OURS: &str = "a%3Dn%2Cn:p%40ss%3Aword";
    const TAKEN: &str = r#"{"messages":[],"partition":0,"offset":41,"error":null}"#;
    const REFUSED: &str = r#"{"messages":[],"error":{"code":58,"message":"Authentication failed"}}"#;
    const ALL: &str = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512";
    let tries: &[(&str, &[(&str, &str)])] = &[
        (
            ALL,
            &[
                (OURS, TAKEN),
                ("ben:p%40ss%3Aword", TAKEN),
                ("cas:p%40ss%3Aword", TAKEN),
                ("cas:wrong", REFUSED),
                ("a%3Dn%2Cn:wrong", REFUSED),
                ("eve:p%40ss%3Aword", "does not know the password by which it lets in"),
                ("", r#""code":"closed""#),
            ],
        ),
        ("SCRAM-SHA-512", &[(OURS, TAKEN), ("cas:p%40ss%3Aword", REFUSED)]),
        ("SCRAM-SHA-256,GSSAPI", &[(OURS, TAKEN), ("ben:p%40ss%3Aword", TAKEN)]),
        ("GSSAPI,PLAIN", &[(OURS, TAKEN), ("ben:p%40ss%3Aword", REFUSED)]),
        (
            "GSSAPI,OAUTHBEARER",
            &[(OURS, "UNSUPPORTED_SASL_MECHANISM: the broker offers GSSAPI, OAUTHBEARER")],
        ),
    ];
    for (offered, who) in tries {
        let Some(server) = brokers::kafka(offered).await else {
            return eprintln!("skipped: there is no python3");
        };
        for (who, expect) in *who {
            let bed = bed("kafka", &format!("kafka://{who}@HOST"), server.at);
            let actor = Actor::new("");
            for _ in 0..2 {
                let given = gives("- publish: kafka\n  topic: orders\n  text: a", &actor, &bed).await;
                assert!(given.contains(expect), "{offered}, {who}: {given}");
                assert!(!given.contains("ss:word"), "{given}");
            }
        }
        server.finish().await;
    }
}

/// What was put off is told by what happened last: a broker that then says nothing has not answered.
#[tokio::test]
async fn a_broker_that_falls_silent_after_it_put_off() {
    for (n_answers, expect) in [
        (
            1,
            r#""code":"timeout","message":"there was no answer in time; it had been put off before: LEADER_NOT_AVAILABLE""#,
        ),
        (u32::MAX, "LEADER_NOT_AVAILABLE"),
    ] {
        let (at, _) = serving(move |mut stream, _| async move {
            let mut n_asked = 0;
            let mut length = [0; 4];
            while stream.read_exact(&mut length).await.is_ok() {
                let mut asked = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut asked).await.unwrap();
                n_asked += 1;
                if n_asked > n_answers {
                    continue;
                }
                // One topic, which has no leader yet.
                let numbers: [&[u8]; 5] = [
                    &asked[4..8],
                    &[0; 8],
                    &[0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1],
                    &[0, 5],
                    &[0, 1, b'a', 0, 0, 0, 0, 0],
                ];
                let said = numbers.concat();
                let length = u32::try_from(said.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length[..], &said].concat()).await.unwrap();
            }
        })
        .await;
        let bed = bed("kafka", "kafka://HOST", at);
        let asked = step("- publish: kafka\n  topic: a");
        let limit = Duration::from_secs(2);
        let result = run_as(asked.as_ref(), &Actor::new(""), &bed, "{}", limit).await.unwrap();
        assert!(result.to_string().contains(expect), "{n_answers}: {result}");
    }
}
