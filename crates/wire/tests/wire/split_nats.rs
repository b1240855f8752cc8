//! NATS held: what is lost, doubled, refused, pushed, and said where nobody is behind.

use crate::splits::{Talk, begin};
use seam_value::parse;
use seam_wire::{Behind, Direction, Limits, Of, protocol};

const GREETING: &[u8] = b"INFO {\"server_id\":\"A\",\"headers\":true} \r\n";
const QUIET: &[u8] = b"CONNECT {\"verbose\":false}\r\n";

fn talk() -> Talk {
    let mut talk = Talk::new("nats", Behind::Provider);
    talk.says(GREETING);
    talk.asks(QUIET);
    talk.heard();
    talk.passed();
    talk
}

#[test]
fn a_message_is_told_and_can_be_delivered_again() {
    let mut splitter = begin(protocol("nats").expect("nats"), Behind::Provider, Limits::default());
    let mut pieces = Vec::new();
    let bytes = b"PING\r\nHPUB a r 20 27\r\nNATS/1.0\r\nX-A: b\r\n\r\n{\"n\":1}\r\n";
    splitter.cut(Direction::ToProvider, bytes, &mut pieces).expect("no surprise");
    let [rest, message] = <[_; 2]>::try_from(pieces).ok().expect("two pieces");
    assert!(matches!(rest.of, Of::Rest));
    assert_eq!(splitter.deliver_again(&rest.bytes), None);
    assert_eq!(splitter.deliver_again(&message.bytes).as_deref(), Some(&bytes[6..]));
    let Of::Message { read, .. } = message.of else { panic!("a message") };
    let told = read.read().message;
    let expect = r#"{"kind":"published","topic":"a","reply_to":"r","key":null,"sid":null,"status":null,"headers":{"X-A":"b"},"body":{"n":1},"text":"{\"n\":1}","error":null}"#;
    assert_eq!(told.to_string(), expect);
}

#[test]
fn a_subscription_is_refused_in_the_servers_words() {
    let mut talk = talk();
    let held = talk.asks(b"SUB a 1\r\nSUB b 2\r\n");
    let [(first, _), (second, bytes)] = held.as_slice() else { panic!("two requests") };
    assert_eq!(talk.requests[0].1.to_string(), r#"{"command":"SUB","topic":"a","queue":null,"sid":"1"}"#);
    talk.answer(*first, r#"{"error":"Permissions Violation for Subscription to \"a\""}"#);
    talk.write(Direction::ToProvider, bytes);
    assert_eq!(talk.heard(), "-ERR 'Permissions Violation for Subscription to \"a\"'\r\n");
    assert_eq!(talk.passed(), "SUB b 2\r\n");
    assert!(talk.splitter.answer(*second, &parse(r#"{"status":503}"#).expect("JSON")).is_err());
}

#[test]
fn a_publication_is_refused_in_the_servers_words() {
    let mut talk = talk();
    let answer = parse(r#"{"error":"Permissions Violation"}"#).expect("JSON");
    let said = talk.splitter.refuse(b"PUB a 1\r\nx\r\n", &answer).expect("an error");
    assert_eq!(said, b"-ERR 'Permissions Violation'\r\n");
}

#[test]
fn pushed_to_the_newest_subscription_that_fits() {
    let mut talk = talk();
    talk.asks(b"SUB orders.* 1\r\nSUB orders.> q 2\r\nSUB mails 3\r\nUNSUB 3\r\n");
    let mut push = |message: &str| {
        let said = talk.splitter.push(&parse(message).expect("JSON"));
        said.map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    for (message, expect) in [
        (r#"{"topic":"orders.new","body":{"id":7}}"#, "MSG orders.new 2 8\r\n{\"id\":7}\r\n"),
        (
            r#"{"topic":"orders.new","reply_to":"i.1","headers":{"A":"b"},"text":"x"}"#,
            "HMSG orders.new 2 i.1 18 19\r\nNATS/1.0\r\nA: b\r\n\r\nx\r\n",
        ),
        (r#"{"topic":"mails","text":"x"}"#, "nobody has subscribed to mails here"),
        (r#"{"text":"x"}"#, "a message of nats needs its topic"),
    ] {
        assert_eq!(push(message), expect);
    }
}

#[test]
fn nobody_greets_and_acknowledges() {
    let mut talk = Talk::new("nats", Behind::Nobody);
    assert!(talk.heard().starts_with("INFO {"));
    talk.asks(b"CONNECT {\"verbose\":false}\r\nPING\r\n");
    assert_eq!(talk.heard(), "PONG\r\n");
    talk.asks(b"SUB a 1\r\nPUB b 1\r\nx\r\n");
    assert_eq!(talk.heard(), "");
    let mut talk = Talk::new("nats", Behind::Nobody);
    talk.heard();
    talk.asks(b"CONNECT {}\r\nSUB a 1\r\nPUB b 1\r\nx\r\nUNSUB 1\r\n");
    assert_eq!(talk.heard(), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(talk.passed(), "", "nobody is there to get it");
}

#[test]
fn what_is_larger_than_is_gathered_passes() {
    let limits = Limits { kept_open: 64, head: 64, kept_body: 16, ..Limits::default() };
    let mut splitter = begin(protocol("nats").expect("nats"), Behind::Provider, limits);
    let bytes = [b"PUB a 500\r\n".as_slice(), &[b'x'; 500], b"\r\nPUB b 1\r\ny\r\n"].concat();
    let mut pieces = Vec::new();
    for chunk in bytes.chunks(50) {
        splitter.cut(Direction::ToProvider, chunk, &mut pieces).expect("no surprise");
    }
    let given: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect();
    assert_eq!(given, bytes);
    let n_messages = pieces.iter().filter(|piece| matches!(piece.of, Of::Message { .. })).count();
    assert_eq!(n_messages, 1, "the small one");
}
