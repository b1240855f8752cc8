//! What was published, as tests: with the answers that came to it, and what is not asked.

use crate::*;
use seam_value::parse;

fn message(text: &str) -> Recorded {
    Recorded { message: parse(text).unwrap(), ..Recorded::default() }
}

fn of(protocol: &str, interactions: Vec<Recorded>) -> Recording {
    Recording {
        seam: seam_of("web -> bus").unwrap(),
        protocol: protocol.to_owned(),
        volatile: Vec::new(),
        interactions,
    }
}

/// Drivers of these messages, as they stand in a file, and what is not asked.
fn driven(protocol: &str, interactions: Vec<Recorded>, volatile: &[&str]) -> (String, Vec<String>) {
    let mut recording = of(protocol, interactions);
    recording.volatile = volatile.iter().map(|path| Volatile::parse(path).unwrap()).collect();
    recording.interactions.iter_mut().zip(1..).for_each(|(one, number)| one.number = number);
    let drivers = as_tests(&[recording], Thoroughness::Whole, &|name| name == "known");
    let reasons = drivers.not_asked.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    (drivers.list.iter().map(|driver| driver.text.as_str()).collect(), reasons)
}

const OF_NATS: &str = "- name: Outside of tests
    steps:
      - name: publish to orders.new
        publish: bus
        topic: orders.new
        headers:
          X-Id: a-12345
        json:
          id: 7
          key: $secrets.known
        expect:
          error: null
      - name: publish to orders.get
        publish: bus
        topic: orders.get
        json:
          id: 7
        receive: 1
        expect:
          error: null
          messages.0.body:
            size: 2
          messages.0.body.state: new
          messages.0.body.token:
            type: string
        save:
          token: messages.0.body.token
      - name: publish to orders.paid
        publish: bus
        topic: orders.paid
        text: $token
        expect:
          error: null
      - name: publish to forbidden
        publish: bus
        topic: forbidden
        base64: AAE=
        expect:
          error.message: \"Permissions Violation for Publish to \\\"forbidden\\\"\"
      - name: publish to nobody
        publish: bus
        topic: nobody
        receive: 1
        expect:
          error.code: 503
      - name: publish to a
        publish: bus
        topic: a
        reply_to: somewhere
        expect:
          error: null
";

#[test]
fn what_was_published_to_nats_is_published_again() {
    let subscribed = Recorded {
        request: parse(r#"{"command":"SUB","topic":"_INBOX.a.*","queue":null,"sid":"1"}"#).unwrap(),
        reply: parse("{}").unwrap(),
        ..Recorded::default()
    };
    let mut listens = subscribed.clone();
    listens.request = parse(r#"{"command":"SUB","topic":"orders.>","queue":null,"sid":"2"}"#).unwrap();
    let (text, reasons) = driven(
        "nats",
        vec![
            subscribed,
            listens,
            message(
                r#"{"kind":"published","topic":"orders.new","reply_to":null,"headers":{"X-Id":"a-12345"},"body":{"id":7,"key":"«known»"}}"#,
            ),
            message(
                r#"{"kind":"published","topic":"orders.get","reply_to":"_INBOX.a.1","headers":{},"body":{"id":7}}"#,
            ),
            message(
                r#"{"kind":"delivered","topic":"_INBOX.a.1","sid":"1","headers":{},"body":{"state":"new","token":"t-998877"}}"#,
            ),
            message(
                r#"{"kind":"published","topic":"orders.paid","reply_to":null,"headers":{},"body":"t-998877"}"#,
            ),
            message(
                r#"{"kind":"published","topic":"forbidden","reply_to":null,"headers":{},"body":{"base64":"AAE="}}"#,
            ),
            message(
                r#"{"kind":"error","topic":null,"error":"Permissions Violation for Publish to \"forbidden\""}"#,
            ),
            message(
                r#"{"kind":"delivered","topic":"orders.of","sid":"2","reply_to":"_INBOX.b.9","headers":{},"body":1}"#,
            ),
            message(r#"{"kind":"published","topic":"_INBOX.b.9","reply_to":null,"headers":{},"body":2}"#),
            message(r#"{"kind":"published","topic":"nobody","reply_to":"_INBOX.a.2","headers":{}}"#),
            message(r#"{"kind":"delivered","topic":"_INBOX.a.2","sid":"1","status":503,"headers":{}}"#),
            message(r#"{"kind":"published","topic":"a","reply_to":"somewhere","headers":{}}"#),
            message(r#"{"kind":"published","topic":"b","reply_to":null,"headers":{},"body":"«other»"}"#),
        ],
        &["message.body.token"],
    );
    assert_eq!(text.trim_start(), OF_NATS);
    assert_eq!(
        reasons,
        [
            "1 subscriptions are not asked",
            "1 it answers a message that was delivered",
            "1 messages are not asked",
            "1 «other» was masked when it was recorded; declare it under `secrets`",
        ]
    );
}

/// Answers come to names that are made anew each time, and are what they answer all the same.
#[test]
fn what_varies_in_answers_is_seen() {
    let run = |inbox: &str, token: &str| {
        vec![
            message(&format!(r#"{{"kind":"published","topic":"orders.get","reply_to":"{inbox}"}}"#)),
            message(&format!(
                r#"{{"kind":"delivered","topic":"{inbox}","body":{{"state":"new","at":"{token}"}}}}"#
            )),
        ]
    };
    let mut first = of("nats", run("_INBOX.a.1", "x1"));
    learn(&mut first, &of("nats", run("_INBOX.b.1", "x2")));
    let paths: Vec<String> = first
        .volatile
        .iter()
        .chain(first.interactions.iter().flat_map(|one| &one.volatile))
        .map(ToString::to_string)
        .collect();
    assert_eq!(paths, ["message.body.at", "message.reply_to", "message.topic"]);
}

#[test]
fn what_was_published_to_mqtt_is_published_again() {
    let said = |rest: &str| {
        message(&format!(
            r#"{{"kind":"published","key":null,"duplicate":false,"headers":{{}},"topic":"orders/new",{rest}}}"#
        ))
    };
    let (text, reasons) = driven(
        "mqtt",
        vec![
            said(r#""reply_to":null,"version":5,"qos":0,"retain":true,"properties":{},"body":"on""#),
            said(r#""reply_to":null,"version":"3.1.1","qos":1,"retain":false,"properties":{},"body":"off""#),
            said(r#""reply_to":null,"version":"3.1","qos":0,"retain":false,"properties":{},"body":"old""#),
            said(
                r#""reply_to":"r/1","qos":2,"retain":false,
                    "properties":{"response_topic":"r/1","content_type":"application/json"},"body":{"id":7}"#,
            ),
            message(
                r#"{"kind":"delivered","topic":"r/1","qos":1,"headers":{"a":"b"},"properties":{},"body":"done"}"#,
            ),
        ],
        &[],
    );
    assert_eq!(
        text.trim_start(),
        "- name: Outside of tests
    steps:
      - name: publish to orders/new
        publish: bus
        topic: orders/new
        qos: 0
        retain: true
        text: \"on\"
        expect:
          error: null
      - name: publish to orders/new
        publish: bus
        topic: orders/new
        qos: 1
        version: \"3.1.1\"
        text: \"off\"
        expect:
          error: null
      - name: publish to orders/new
        publish: bus
        topic: orders/new
        qos: 0
        version: \"3.1\"
        text: old
        expect:
          error: null
      - name: publish to orders/new
        publish: bus
        topic: orders/new
        properties:
          content_type: application/json
        qos: 2
        json:
          id: 7
        receive: 1
        reply_to: r/1
        expect:
          error: null
          messages.0.headers:
            equals:
              a: b
          messages.0.body: done
"
    );
    assert!(reasons.is_empty(), "{reasons:?}");
}

#[test]
fn mails_are_sent_again() {
    let asked = |request: &str, reply: &str| Recorded {
        request: parse(request).unwrap(),
        reply: parse(reply).unwrap(),
        ..Recorded::default()
    };
    let mail = r#"{"sender":"shop@example.test","recipients":["ann@example.test","eve@example.test"],
        "from":"shop@example.test","to":["ann@example.test"],"subject":"Order $7","text":"Thank you!\n","html":null,
        "headers":{"from":"Shop <shop@example.test>","to":"ann@example.test","subject":"Order $7",
            "date":"Mon, 1 Jan 2024 00:00:00 +0000","message-id":"<1@x>","mime-version":"1.0","x-order":"7"},
        "attachments":[]}"#;
    let refused = r#"{"command":"RCPT","sender":"a@b","recipients":["gone@b"],"from":"a@b","to":["gone@b"]}"#;
    let (text, reasons) = driven(
        "smtp",
        vec![
            asked(mail, r#"{"status":250,"text":"queued as 12"}"#),
            asked(refused, r#"{"status":550,"text":"no such person"}"#),
            asked(r#"{"command":"AUTH","sender":"","recipients":[]}"#, r#"{"status":535,"text":"no"}"#),
        ],
        &["reply.text", "request.headers.date"],
    );
    assert_eq!(
        text.trim_start(),
        "- name: Outside of tests
    steps:
      - name: \"mail: Order $$7\"
        send: bus
        from: \"Shop <shop@example.test>\"
        to: ann@example.test
        subject: Order $$7
        text: \"Thank you!\\n\"
        headers:
          x-order: \"7\"
        recipients: [ann@example.test, eve@example.test]
        expect:
          status: 250
          text:
            type: string
      - name: RCPT
        send: bus
        from: a@b
        to: [gone@b]
        expect:
          command: RCPT
          status: 550
          text:
            type: string
"
    );
    assert_eq!(reasons, ["1 no step asks such a thing of smtp"]);
}

#[test]
fn what_was_published_to_rabbitmq_is_published_again() {
    let said = |rest: &str| message(&format!(r#"{{"method":"basic.publish","mandatory":false,{rest}}}"#));
    let call = |request: &str| Recorded {
        request: parse(request).unwrap(),
        reply: parse("{}").unwrap(),
        ..Recorded::default()
    };
    let (text, reasons) = driven(
        "amqp",
        vec![
            call(r#"{"method":"confirm.select"}"#),
            call(r#"{"method":"basic.consume","queue":"amq.rabbitmq.reply-to"}"#),
            call(r#"{"method":"queue.declare","queue":""}"#),
            said(
                r#""exchange":"events","topic":"orders.new","headers":{},"properties":{"delivery_mode":2},"body":{"id":7}"#,
            ),
            said(
                r#""exchange":"","topic":"orders","headers":{},"properties":{"reply_to":"amq.rabbitmq.reply-to","correlation_id":"c"},"body":"how many?""#,
            ),
            message(
                r#"{"method":"basic.deliver","topic":"amq.rabbitmq.reply-to","exchange":"","headers":{},"properties":{},"body":"7"}"#,
            ),
            said(r#""exchange":"none","topic":"a","headers":{},"properties":{},"body":"1""#),
            message(
                r#"{"method":"channel.close","error":{"code":404,"text":"NOT_FOUND - no exchange 'none' in vhost '/'"}}"#,
            ),
            message(
                r#"{"method":"basic.publish","mandatory":true,"exchange":"","topic":"gone","headers":{},"properties":{},"body":"2"}"#,
            ),
            message(
                r#"{"method":"basic.return","exchange":"","topic":"gone","error":{"code":312,"text":"NO_ROUTE"},"headers":{},"properties":{},"body":"2"}"#,
            ),
        ],
        &[],
    );
    assert_eq!(
        text.trim_start(),
        "- name: Outside of tests
    steps:
      - name: publish to orders.new
        publish: bus
        topic: orders.new
        properties:
          delivery_mode: 2
        exchange: events
        json:
          id: 7
        expect:
          error: null
      - name: publish to orders
        publish: bus
        topic: orders
        properties:
          correlation_id: c
        text: how many?
        receive: 1
        expect:
          error: null
          messages.0.body: \"7\"
      - name: publish to a
        publish: bus
        topic: a
        exchange: none
        text: \"1\"
        expect:
          error.code: 404
      - name: publish to gone
        publish: bus
        topic: gone
        mandatory: true
        text: \"2\"
        expect:
          error.code: 312
"
    );
    assert_eq!(reasons, ["1 no step asks such a thing of amqp"]);
}

#[test]
fn what_was_declared_at_rabbitmq_is_declared_again() {
    let call = |request: &str| Recorded {
        request: parse(request).unwrap(),
        reply: parse("{}").unwrap(),
        ..Recorded::default()
    };
    let (text, reasons) = driven(
        "amqp",
        vec![
            call(r#"{"method":"basic.qos","prefetch_count":1}"#),
            call(r#"{"method":"queue.declare","queue":"mine","exclusive":true}"#),
            call(r#"{"method":"queue.bind","queue":"mine","exchange":"amq.topic","routing_key":"a"}"#),
            call(
                r#"{"method":"queue.declare","queue":"orders","passive":false,"durable":true,"arguments":{"x-max-length":5}}"#,
            ),
            call(
                r#"{"method":"queue.bind","queue":"orders","exchange":"amq.topic","routing_key":"orders.$x"}"#,
            ),
            // Who consumes alone from a queue does not own it.
            call(r#"{"method":"basic.consume","queue":"orders","exclusive":true}"#),
            call(r#"{"method":"exchange.declare","exchange":"events","passive":true}"#),
        ],
        &[],
    );
    assert_eq!(
        text.trim_start(),
        "- name: Outside of tests
    steps:
      - name: declare orders
        publish: bus
        declare:
          - method: queue.declare
            queue: orders
            durable: true
            arguments:
              x-max-length: 5
          - method: queue.bind
            queue: orders
            exchange: amq.topic
            routing_key: orders.$$x
        expect:
          error: null
      - name: look for events
        publish: bus
        declare:
          - method: exchange.declare
            exchange: events
            passive: true
        expect:
          error: null
"
    );
    let exclusive = "2 an exclusive queue belongs to the connection that declared it";
    assert_eq!(reasons, ["1 no step asks such a thing of amqp", exclusive]);
}

/// A consumer declares its queue when it starts, outside of all tests, in a recording of its own: whatever is published goes
/// there only where it is.
#[test]
fn what_others_declared_is_there_before_anything_is_published() {
    let published = message(
        r#"{"method":"basic.publish","exchange":"","topic":"orders","headers":{},"properties":{},"body":"1"}"#,
    );
    let published = Recorded { test: Some("a::Orders".to_owned()), number: 1, ..published };
    let declare = |queue: &str, number| Recorded {
        request: parse(&format!(r#"{{"method":"queue.declare","queue":"{queue}"}}"#)).unwrap(),
        reply: parse("{}").unwrap(),
        number,
        ..Recorded::default()
    };
    let refused =
        Recorded { reply: parse(r#"{"error":{"code":406,"text":"no"}}"#).unwrap(), ..declare("b", 8) };
    let consumer = Recording {
        seam: seam_of("mailer -> bus").unwrap(),
        ..of("amqp", vec![declare("orders", 7), refused])
    };
    let elsewhere =
        Recording { seam: seam_of("mailer -> other").unwrap(), ..of("amqp", vec![declare("x", 2)]) };
    let all = [of("amqp", vec![published]), consumer, elsewhere];
    let drivers = as_tests(&all, Thoroughness::Whole, &|_| false);
    let of_test = drivers.list.iter().find(|driver| driver.name == "Orders").unwrap();
    let names: Vec<&str> =
        of_test.text.lines().filter_map(|line| line.trim().strip_prefix("- name: ")).collect();
    assert_eq!(names, ["Orders", "declare orders", "publish to orders"], "{}", of_test.text);
}

/// Each broker has what it needs, whatever was talked of before.
#[test]
fn what_others_declared_is_there_at_each_broker() {
    let publish = |number| Recorded {
        test: Some("a::Orders".to_owned()),
        number,
        ..message(
            r#"{"method":"basic.publish","exchange":"","topic":"orders","headers":{},"properties":{},"body":"1"}"#,
        )
    };
    let declare = |queue: &str, number| Recorded {
        request: parse(&format!(r#"{{"method":"queue.declare","queue":"{queue}"}}"#)).unwrap(),
        reply: parse("{}").unwrap(),
        number,
        ..Recorded::default()
    };
    let seam = |seam: &str, one| Recording { seam: seam_of(seam).unwrap(), ..of("amqp", vec![one]) };
    let all = [
        seam("web -> bus", publish(1)),
        seam("web -> other", publish(2)),
        seam("mailer -> bus", declare("orders", 7)),
        seam("mailer -> other", declare("x", 8)),
    ];
    let drivers = as_tests(&all, Thoroughness::Whole, &|_| false);
    let text = &drivers.list.iter().find(|driver| driver.name == "Orders").unwrap().text;
    let names: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- name: ")).collect();
    assert_eq!(names[1..3], ["declare orders", "declare x"], "{text}");
}

/// Who starts late or only asks whether something is there has made nothing for the tests before.
#[test]
fn what_others_declared_later_is_declared_later() {
    let in_test = |test: &str, number, one: Recorded| Recorded { test: Some(test.to_owned()), number, ..one };
    let publish = || {
        message(
            r#"{"method":"basic.publish","exchange":"","topic":"orders","headers":{},"properties":{},"body":"1"}"#,
        )
    };
    let call = |request: &str| Recorded {
        request: parse(request).unwrap(),
        reply: parse("{}").unwrap(),
        ..Recorded::default()
    };
    let declare = |queue: &str| call(&format!(r#"{{"method":"queue.declare","queue":"{queue}"}}"#));
    let asks = call(r#"{"method":"queue.declare","queue":"asked","passive":true}"#);
    let tests = ["a::One", "a::Two", "a::Three"];
    let own = (1..).zip(tests).map(|(number, test)| in_test(test, number, publish())).collect();
    let theirs = vec![
        Recorded { number: 1, ..asks },
        in_test("a::Two", 2, declare("two")),
        in_test("a::Three", 3, declare("three")),
    ];
    let others = Recording { seam: seam_of("mailer -> bus").unwrap(), ..of("amqp", theirs) };
    let drivers = as_tests(&[of("amqp", own), others], Thoroughness::Whole, &|_| false);
    let declared = |name: &str| {
        let text = &drivers.list.iter().find(|driver| driver.name == name).unwrap().text;
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("- name: declare "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let all = ["One", "Two", "Three"].map(declared);
    assert_eq!(all, [vec![], vec!["two".to_owned()], vec!["two".to_owned(), "three".to_owned()]]);
}

/// A mail that came by TLS is a mail.
#[test]
fn mails_of_smtps_are_sent_again() {
    let refused = Recorded {
        request: parse(r#"{"command":"RCPT","sender":"a@b","recipients":["c@d"],"from":"a@b","to":["c@d"]}"#)
            .unwrap(),
        reply: parse(r#"{"status":550,"text":"no such person"}"#).unwrap(),
        ..Recorded::default()
    };
    let (text, reasons) = driven("smtps", vec![refused], &[]);
    assert!(text.contains("send: bus") && reasons.is_empty(), "{text} {reasons:?}");
}

#[test]
fn what_was_produced_to_kafka_is_produced_again() {
    let asked = |api: &str| Recorded {
        request: parse(&format!(r#"{{"api":"{api}","topics":["orders"]}}"#)).unwrap(),
        reply: parse("{}").unwrap(),
        ..Recorded::default()
    };
    let (text, reasons) = driven(
        "kafka",
        vec![
            asked("ApiVersions"),
            asked("SaslHandshake"),
            asked("SaslAuthenticate"),
            asked("Metadata"),
            message(
                r#"{"kind":"published","topic":"orders","partition":2,"key":"k","headers":{"a":"b"},"body":{"id":7}}"#,
            ),
            asked("Produce"),
            asked("Fetch"),
            message(r#"{"kind":"published","topic":"orders","compression":"gzip","count":2,"records":[]}"#),
        ],
        &[],
    );
    assert_eq!(
        text.trim_start(),
        "- name: Outside of tests
    steps:
      - name: publish to orders
        publish: bus
        topic: orders
        headers:
          a: b
        key: k
        partition: 2
        json:
          id: 7
        expect:
          error: null
"
    );
    assert_eq!(reasons, ["2 no step asks such a thing of kafka"]);
}
