//! Redis taken over: what each side hears when commands are answered in the server's place, or nobody is behind.

use crate::splits::Talk;
use seam_value::{Value, parse};
use seam_wire::{Behind, Direction, Limits, Splitting, protocol};
use std::time::Duration;

fn provider() -> Talk {
    Talk::new("redis", Behind::Provider)
}

fn nobody() -> Talk {
    Talk::new("redis", Behind::Nobody)
}

#[test]
fn one_of_three_is_answered_here() {
    let mut talk = provider();
    let held = talk.asks(b"GET a\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\nGET c\r\n");
    assert_eq!(talk.requests[1].1.to_string(), r#"{"command":"GET","args":["b"]}"#);
    talk.write(Direction::ToProvider, &held[0].1);
    talk.answer(held[1].0, r#"{"error":"LOADING not yet"}"#);
    talk.write(Direction::ToProvider, &held[2].1);
    assert_eq!(talk.passed(), "GET a\r\nGET c\r\n");
    assert_eq!(talk.heard(), "-LOADING not yet\r\n");
    talk.says(b"$1\r\n1\r\n$1\r\n3\r\n");
    assert_eq!(talk.heard(), "$1\r\n1\r\n$1\r\n3\r\n");
}

#[test]
fn a_refusal_inside_a_transaction_spoils_it_there_too() {
    let mut talk = provider();
    let held = talk.asks(b"MULTI\r\nINCR a\r\nINCR b\r\nEXEC\r\n");
    talk.write(Direction::ToProvider, &held[0].1);
    talk.answer(held[1].0, r#"{"error":"OOM no room"}"#);
    talk.write(Direction::ToProvider, &held[2].1);
    talk.write(Direction::ToProvider, &held[3].1);
    assert_eq!(talk.passed(), "MULTI\r\n*1\r\n$14\r\nSEAMWORK.FAULT\r\nINCR b\r\nEXEC\r\n");
    assert_eq!(talk.heard(), "-OOM no room\r\n");
    talk.says(b"+OK\r\n-ERR unknown command\r\n+QUEUED\r\n-EXECABORT no\r\n");
    assert_eq!(talk.heard(), "+OK\r\n+QUEUED\r\n-EXECABORT no\r\n");
}

#[test]
fn a_value_inside_a_transaction_is_said_so_to_be_impossible() {
    let mut talk = provider();
    let held = talk.asks(b"MULTI\r\nINCR a\r\n");
    let error = talk.splitter.answer(held[1].0, &parse(r#"{"value":1}"#).unwrap()).unwrap_err();
    assert!(error.reason.contains("EXEC"), "{error}");
}

#[test]
fn an_answered_exec_ends_the_transaction_there() {
    let mut talk = provider();
    let held = talk.asks(b"MULTI\r\nEXEC\r\nGET a\r\n");
    talk.answer(held[1].0, r#"{"value":null}"#);
    assert_eq!((talk.passed().as_str(), talk.heard().as_str()), ("*1\r\n$7\r\nDISCARD\r\n", "*-1\r\n"));
    talk.says(b"+OK\r\n+OK\r\n$1\r\nx\r\n");
    assert_eq!(talk.heard(), "+OK\r\n$1\r\nx\r\n");
}

#[test]
fn the_version_of_the_protocol_is_followed() {
    let mut talk = provider();
    let held = talk.asks(b"GET a\r\nHELLO 3\r\nGET a\r\nHGETALL h\r\n");
    talk.answer(held[0].0, r#"{"value":null}"#);
    talk.says(b"%1\r\n+proto\r\n:3\r\n");
    talk.answer(held[2].0, r#"{"value":null}"#);
    talk.answer(held[3].0, r#"{"value":{"a":1}}"#);
    assert_eq!(talk.heard(), "$-1\r\n%1\r\n+proto\r\n:3\r\n_\r\n%1\r\n$1\r\na\r\n$1\r\n1\r\n");
}

#[test]
fn a_command_said_again_is_answered_once() {
    let mut talk = provider();
    let held = talk.asks(b"INCR a\r\nGET a\r\nBLPOP q 0\r\n");
    assert_eq!(talk.splitter.again(held[0].0, &held[0].1).unwrap(), b"INCR a\r\n");
    assert!(talk.splitter.again(held[2].0, &held[2].1).is_err());
    talk.says(b":1\r\n:2\r\n$1\r\n2\r\n");
    assert_eq!(talk.heard(), ":1\r\n$1\r\n2\r\n");
}

#[test]
fn what_is_forgotten_is_not_waited_for() {
    let mut talk = provider();
    let held = talk.asks(b"GET a\r\nGET b\r\n");
    talk.splitter.forget(held[0].0);
    talk.says(b"$1\r\nb\r\n");
    assert_eq!(talk.heard(), "$1\r\nb\r\n");
}

#[test]
fn an_answer_waits_for_what_comes_before_it() {
    let mut talk = provider();
    let held = talk.asks(b"SUBSCRIBE a\r\nPING\r\nBLPOP q 0\r\nPING\r\n");
    talk.answer(held[1].0, r#"{"error":"LOADING"}"#);
    talk.answer(held[3].0, r#"{"error":"LOADING"}"#);
    assert_eq!(talk.heard(), "");
    talk.says(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    assert_eq!(talk.heard(), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n-LOADING\r\n");
    talk.says(b"*-1\r\n");
    assert_eq!(talk.heard(), "*-1\r\n-LOADING\r\n");
}

#[test]
fn messages_are_delivered_again_and_made() {
    for (hello, subscribed, message) in [
        ("", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"),
        (
            "HELLO 3\r\n",
            ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
            ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n",
        ),
    ] {
        let mut talk = provider();
        talk.asks(format!("{hello}SUBSCRIBE c\r\n").as_bytes());
        if !hello.is_empty() {
            talk.says(b"%0\r\n");
        }
        talk.says(subscribed.as_bytes());
        assert_eq!(talk.splitter.deliver_again(message.as_bytes()).unwrap(), message.as_bytes());
        assert_eq!(talk.splitter.deliver_again(subscribed.as_bytes()), None);
        let made = talk.splitter.push(&parse(r#"{"topic":"c","text":"hi"}"#).unwrap()).unwrap();
        assert_eq!(made, message.as_bytes());
        talk.splitter.push(&parse(r#"{"topic":"d","text":"hi"}"#).unwrap()).unwrap_err();
    }
}

#[test]
fn ordinary_clients_connect_where_nobody_is() {
    for (asked, heard) in [
        ("PING\r\n", "+PONG\r\n"),
        ("*2\r\n$4\r\nPING\r\n$2\r\nhi\r\n", "$2\r\nhi\r\n"),
        (
            "AUTH a b\r\nSELECT 2\r\nCLIENT SETNAME x\r\nCLIENT SETINFO LIB-NAME y\r\n",
            "+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        ),
        ("CLIENT ID\r\n", ":1\r\n"),
        (
            "CLIENT MAINT_NOTIFICATIONS ON\r\n",
            "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n",
        ),
        (
            "SUBSCRIBE a b\r\n",
            "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
        ),
        ("UNSUBSCRIBE\r\n", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
        ("HELLO 9\r\n", "-NOPROTO unsupported protocol version\r\n"),
        ("EXEC\r\n", "-ERR EXEC without MULTI\r\n"),
    ] {
        let mut talk = nobody();
        assert!(talk.asks(asked.as_bytes()).is_empty(), "{asked}");
        assert_eq!(talk.heard(), heard, "{asked}");
    }
    let mut talk = nobody();
    talk.asks(b"HELLO 3 AUTH default x\r\n");
    assert!(talk.heard().starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
}

#[test]
fn what_it_says_by_itself_waits_for_its_turn() {
    let mut talk = nobody();
    let held = talk.asks(b"GET a\r\nPING\r\nGET b\r\n");
    assert_eq!(talk.heard(), "");
    talk.answer(held[0].0, r#"{"value":"x"}"#);
    assert_eq!(talk.heard(), "$1\r\nx\r\n+PONG\r\n");
    talk.answer(held[1].0, r#"{"value":null}"#);
    assert_eq!(talk.heard(), "$-1\r\n");
}

#[test]
fn a_transaction_where_nobody_is() {
    let mut talk = nobody();
    let held = talk.asks(b"MULTI\r\nINCR a\r\nGET b\r\nEXEC\r\nPING\r\n");
    assert_eq!(talk.heard(), "+OK\r\n");
    talk.answer(held[0].0, r#"{"value":5}"#);
    talk.answer(held[1].0, r#"{"value":"x"}"#);
    assert_eq!(talk.heard(), "+QUEUED\r\n+QUEUED\r\n*2\r\n:5\r\n$1\r\nx\r\n+PONG\r\n");
    let held = talk.asks(b"MULTI\r\nINCR a\r\n");
    talk.answer(held[0].0, r#"{"error":"OOM"}"#);
    talk.asks(b"EXEC\r\n");
    assert!(
        talk.heard().ends_with("-OOM\r\n-EXECABORT Transaction discarded because of previous errors.\r\n")
    );
}

#[test]
fn answers_that_redis_cannot_say() {
    let mut talk = provider();
    let held = talk.asks(b"GET a\r\nCLIENT REPLY OFF\r\nGET b\r\n");
    for answer in [r#"{"status":503}"#, "3", r#"{"error":5}"#] {
        talk.splitter.answer(held[0].0, &parse(answer).unwrap()).unwrap_err();
    }
    talk.splitter.answer(99, &Value::map([("value", Value::Null)])).unwrap_err();
}

/// What was subscribed to while the connection was only watched is known when it is held.
#[test]
fn a_message_is_pushed_to_who_subscribed_before() {
    let mut watched = protocol("redis").unwrap().begin(Limits::default());
    let (mut out, at) = (Vec::new(), Duration::ZERO);
    let mut feed = |to, bytes: &[u8]| watched.feed(to, bytes, at, &mut out).unwrap();
    feed(Direction::ToProvider, b"SUBSCRIBE news gone\r\nUNSUBSCRIBE gone\r\n");
    feed(Direction::ToConsumer, b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    feed(Direction::ToConsumer, b"*3\r\n$9\r\nsubscribe\r\n$4\r\ngone\r\n:2\r\n");
    feed(Direction::ToConsumer, b"*3\r\n$11\r\nunsubscribe\r\n$4\r\ngone\r\n:1\r\n");
    let splitting = Splitting { limits: Limits::default(), behind: Behind::Provider };
    let mut held = watched.split(splitting).unwrap();
    for (topic, is_heard) in [("news", true), ("other", false), ("gone", false)] {
        let pushed = held.push(&Value::map([("topic", Value::text(topic)), ("text", Value::text("x"))]));
        assert_eq!(pushed.is_ok(), is_heard, "{topic}: {pushed:?}");
    }
}
