//! What HTTP/1 carries besides requests and replies, held: WebSocket's messages, and events of a stream.

use crate::capture::{Piece as Chunk, read, replay};
use crate::captures::{Case, all};
use crate::splits::meddle;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seam_value::{Value, parse};
use seam_wire::{Behind, Direction, Limits, Of, Position, Splitter, Splitting, protocol};
use std::time::Duration;

const UP: Direction = Direction::ToProvider;
const DOWN: Direction = Direction::ToConsumer;

fn begin(behind: Behind, limits: Limits) -> Box<dyn Splitter> {
    let http = protocol("http").expect("a protocol");
    http.begin(limits).split(Splitting { limits, behind }).expect("a splitter")
}

fn case(name: &str) -> Case {
    all().into_iter().find(|case| case.path.ends_with(name)).expect("the capture")
}

const EVENTS: &str = "> GET /feed HTTP/1.1\\r\\n\\r\\n
< HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n
< 6\\r\\ndata: \\r\\n4\\r\\n1\\n\\nd\\r\\n
< 7\\r\\nata: 2\\n\\r\\n1\\r\\n\\n\\r\\n9\\r\\n: awake\\n\\n\\r\\n0\\r\\n\\r\\n
> GET /next HTTP/1.1\\r\\n\\r\\n
< HTTP/1.1 204 No Content\\r\\n\\r\\n";

type Change<'a> = dyn FnMut(&mut dyn Splitter, &Value, Vec<u8>) -> Vec<u8> + 'a;

/// Holds a capture; `change` says what is written instead of a message.
fn hold(
    pieces: &[Chunk],
    (limits, n_bytes): (Limits, usize),
    change: &mut Change<'_>,
) -> (Vec<String>, Vec<Chunk>) {
    let mut splitter = begin(Behind::Provider, limits);
    let (mut told, mut chunks, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in pieces {
        let Chunk::Bytes(direction, bytes) = chunk else {
            chunks.push(chunk.clone());
            continue;
        };
        for bytes in bytes.chunks(n_bytes) {
            splitter.cut(*direction, bytes, &mut out).expect("no surprise");
            for piece in out.drain(..) {
                let mut bytes = piece.bytes;
                if let Of::Message { read, .. } = piece.of {
                    let message = read.read().message;
                    told.push(message.to_string());
                    bytes = change(&mut *splitter, &message, bytes);
                }
                chunks.push(Chunk::Bytes(piece.to, bytes));
            }
        }
    }
    (told, chunks)
}

fn lines(chunks: &[Chunk]) -> Vec<String> {
    let outcome =
        replay(protocol("http").expect("a protocol"), chunks, Limits::default(), &mut |n_left| n_left);
    assert_eq!(outcome.surprise, None);
    outcome.lines
}

#[test]
fn messages_are_held_and_let_go() {
    for pieces in
        [case("http-websocket.capture").pieces, case("http-websocket-packed.capture").pieces, read(EVENTS)]
    {
        let original = lines(&pieces);
        let messages: Vec<&String> = original.iter().filter(|line| line.contains(r#""message":"#)).collect();
        for n_bytes in [1, 2, 3, 7, 10_000] {
            let (told, held) = hold(&pieces, (Limits::default(), n_bytes), &mut |_, _, bytes| bytes);
            let expected = messages.iter().map(|line| parse(line).expect("JSON").get("message").cloned());
            let expected: Vec<String> =
                expected.map(|message| message.unwrap_or_default().to_string()).collect();
            assert_eq!(told, expected, "in pieces of {n_bytes}");
            assert_eq!(lines(&held), original, "in pieces of {n_bytes}");
        }
        // What is too long to be told passes all the same.
        let limits = Limits { kept_body: 8, ..Limits::default() };
        let (told, held) = hold(&pieces, (limits, 5), &mut |_, _, bytes| bytes);
        assert!(told.len() < messages.len());
        assert_eq!(lines(&held), original);
    }
}

#[test]
fn a_message_that_is_left_out_doubled_or_made_spoils_nothing() {
    let pieces = case("http-websocket-packed.capture").pieces;
    let (_, held) = hold(&pieces, (Limits::default(), 10_000), &mut |splitter, message, bytes| {
        let from_consumer = message.get("from").and_then(Value::as_text) == Some("consumer");
        match message.get("text").and_then(Value::as_text) {
            Some(r#"{"order":1}"#) => Vec::new(),
            Some(r#"{"order":2}"#) if from_consumer => {
                let again = splitter.deliver_again(&bytes).expect("it can be doubled");
                [bytes, again].concat()
            }
            Some(r#"{"order":3}"#) if !from_consumer => {
                let made = parse(r#"{"json":{"order":4}}"#).expect("JSON");
                [bytes, splitter.push(&made).expect("a message")].concat()
            }
            _ => bytes,
        }
    });
    let texts: Vec<String> = lines(&held)
        .iter()
        .filter_map(|line| {
            let message = parse(line).expect("JSON").get("message").cloned()?;
            let from = message.get("from").and_then(Value::as_text)?.chars().next()?;
            Some(format!("{from} {}", message.get("text")?.as_text()?))
        })
        .collect();
    assert_eq!(
        texts[..4],
        [r#"c {"order":2}"#, r#"c {"order":2}"#, r#"p {"order":2}"#, "c hello hello hello hello"]
    );
    assert!(texts.contains(&r#"p {"order":4}"#.to_owned()), "{texts:?}");
    assert_eq!(texts.last().map(String::as_str), Some("c bye"));
}

/// Held from the middle on, packed messages are understood with what came before as their dictionary.
#[test]
fn held_from_the_middle_of_a_connection() {
    let pieces = case("http-websocket-packed.capture").pieces;
    let original: Vec<String> = lines(&pieces)
        .iter()
        .filter_map(|line| Some(parse(line).expect("JSON").get("message")?.to_string()))
        .collect();
    let mut n_places = 0;
    for place in 1..pieces.len() {
        let mut conversation = protocol("http").expect("a protocol").begin(Limits::default());
        let (mut exchanges, mut told, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for piece in &pieces[..place] {
            if let Chunk::Bytes(direction, bytes) = piece {
                conversation.feed(*direction, bytes, Duration::ZERO, &mut exchanges).expect("no surprise");
            }
        }
        let between = |direction| conversation.position(direction) == Position::Between;
        if conversation.n_open() > 0 || !between(UP) || !between(DOWN) {
            continue;
        }
        let splitting = Splitting { limits: Limits::default(), behind: Behind::Provider };
        let mut splitter = conversation.split(splitting).expect("a splitter");
        for exchange in exchanges {
            let message = exchange.captured.read().message;
            told.extend((message != Value::Null).then(|| message.to_string()));
        }
        for piece in &pieces[place..] {
            let Chunk::Bytes(direction, bytes) = piece else { continue };
            splitter.cut(*direction, bytes, &mut out).expect("no surprise");
            for piece in out.drain(..) {
                if let Of::Message { read, .. } = piece.of {
                    told.push(read.read().message.to_string());
                }
            }
        }
        assert_eq!(told, original, "from chunk {place} on");
        n_places += 1;
    }
    assert!(n_places > 10, "only {n_places}");
}

#[test]
fn messages_that_are_made() {
    let mut splitter = begin(Behind::Provider, Limits::default());
    let mut out = Vec::new();
    assert!(splitter.push(&Value::text("x")).is_err());
    for (direction, bytes) in [
        (UP, &b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"[..]),
        (DOWN, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    ] {
        splitter.cut(direction, bytes, &mut out).expect("no surprise");
    }
    for (message, bytes) in [
        (r#""hi""#, &b"\x81\x02hi"[..]),
        (r#"{"text":"hi"}"#, b"\x81\x02hi"),
        (r#"{"body":{"a":1}}"#, b"\x81\x07{\"a\":1}"),
        (r#"{"body":{"base64":"AP8="}}"#, b"\x82\x02\x00\xff"),
        (r#"{"code":4001,"reason":"no"}"#, b"\x88\x04\x0f\xa1no"),
    ] {
        assert_eq!(splitter.push(&parse(message).expect("JSON")).expect("a message"), bytes, "{message}");
    }
    assert!(splitter.push(&parse("{}").expect("JSON")).is_err());
    // Who is refused hears it: a consumer plainly, a provider masked.
    let refused = Value::text("no");
    assert_eq!(splitter.refuse(b"\x81\x82abcd\0\0", &refused).expect("an answer"), b"\x81\x02no");
    assert_eq!(splitter.refuse(b"\x81\x02hi", &refused).expect("an answer")[1], 0x82);
}

#[test]
fn a_stub_changes_over() {
    let mut splitter = begin(Behind::Nobody, Limits::default());
    let mut out = Vec::new();
    let asked = b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    splitter.cut(UP, asked, &mut out).expect("no surprise");
    let Some(Of::Request { call, .. }) = out.pop().map(|piece| piece.of) else { panic!("a request") };
    let answer =
        parse(r#"{"status":101,"headers":{"x-a":"b","sec-websocket-extensions":"permessage-deflate"}}"#);
    let said = splitter.answer(call, &answer.expect("JSON")).expect("an answer");
    assert_eq!(
        String::from_utf8_lossy(&said),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-a: b\r\n\r\n"
    );
    // A message goes nowhere, and can be answered; a ping and a close are answered by themselves.
    splitter.cut(UP, b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x88\x80\0\0\0\0", &mut out).expect("no surprise");
    let told: Vec<(Direction, Vec<u8>)> = out.iter().map(|piece| (piece.to, piece.bytes.clone())).collect();
    assert_eq!(
        told,
        [(UP, Vec::new()), (DOWN, b"\x8a\x00".to_vec()), (DOWN, b"\x88\x00".to_vec()), (UP, Vec::new())]
    );
    assert_eq!(splitter.refuse(b"", &Value::text("ho")).expect("an answer"), b"\x81\x02ho");
}

#[test]
fn a_wish_for_http2_is_declined() {
    let mut splitter = begin(Behind::Provider, Limits::default());
    let mut out = Vec::new();
    let asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
        HTTP2-Settings: AAMAAABk\r\n\r\n";
    for byte in asked {
        splitter.cut(UP, &[*byte], &mut out).expect("no surprise");
    }
    let passed: Vec<u8> = out.iter().flat_map(|piece| piece.bytes.clone()).collect();
    assert_eq!(
        String::from_utf8_lossy(&passed),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"
    );
}

#[test]
fn soup() {
    let config = Config { cases: 800, failure_persistence: None, ..Config::default() };
    let limits = Limits { kept_body: 64, head: 512, kept_open: 2048, n_open: 8 };
    for capture in ["http-websocket.capture", "http-websocket-packed.capture"] {
        let chunks: Vec<(bool, Vec<u8>)> = case(capture)
            .pieces
            .iter()
            .filter_map(|chunk| match chunk {
                Chunk::Bytes(direction, bytes) => Some((*direction == UP, bytes.clone())),
                Chunk::End(..) => None,
            })
            .collect();
        let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>());
        TestRunner::new(config.clone())
            .run(&proptest::collection::vec(change, 0..5), |changes| {
                let mut chunks = chunks.clone();
                for (chunk, place, byte) in changes {
                    *place.get_mut(&mut chunk.get_mut(&mut chunks).1) = byte;
                }
                for limits in [limits, Limits::default()] {
                    meddle(&mut *begin(Behind::Provider, limits), &chunks);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
