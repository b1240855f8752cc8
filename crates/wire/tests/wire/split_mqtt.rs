//! MQTT held: what is lost, doubled, refused and pushed, with both sides agreeing on ids, and what is said where nobody
//! is behind.

use crate::splits::{Talk, begin};
use seam_value::parse;
use seam_wire::{Behind, Direction, Limits, Of, Piece, Splitter, protocol};

const UP: Direction = Direction::ToProvider;
const DOWN: Direction = Direction::ToConsumer;

fn connect(version: u8) -> Vec<u8> {
    let properties: &[u8] = if version == 5 { b"\0" } else { b"" };
    packet(0x10, &[b"\0\x04MQTT", &[version, 2, 0, 30][..], properties, b"\0\x02me"].concat())
}

fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(rest.len()).expect("small")], rest].concat()
}

/// A connection that has been let in.
fn splitter(version: u8) -> Box<dyn Splitter> {
    let mut splitter = begin(protocol("mqtt").expect("mqtt"), Behind::Provider, Limits::default());
    let connack: &[u8] = if version == 5 { b"\x20\x03\0\0\0" } else { b"\x20\x02\0\0" };
    cut(&mut *splitter, UP, &connect(version));
    cut(&mut *splitter, DOWN, connack);
    splitter
}

fn cut(splitter: &mut dyn Splitter, to: Direction, bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    splitter.cut(to, bytes, &mut pieces).expect("no surprise");
    pieces
}

fn bytes(pieces: &[Piece], to: Direction) -> Vec<u8> {
    pieces.iter().filter(|piece| piece.to == to).flat_map(|piece| piece.bytes.clone()).collect()
}

#[test]
fn a_doubled_message_is_acknowledged_once() {
    for (publish, again, ack) in [
        (b"\x32\x06\0\x01a\0\x07x", b"\x3a\x06\0\x01a\0\x07x", b"\x40\x02\0\x07"),
        (b"\x34\x06\0\x01a\0\x07x", b"\x3c\x06\0\x01a\0\x07x", b"\x50\x02\0\x07"),
    ] {
        let mut splitter = splitter(4);
        let pieces = cut(&mut *splitter, UP, publish);
        assert_eq!(splitter.deliver_again(&pieces[0].bytes).as_deref(), Some(again.as_slice()));
        assert_eq!(bytes(&cut(&mut *splitter, DOWN, ack), DOWN), ack);
        assert!(cut(&mut *splitter, DOWN, ack).is_empty(), "the second one is nobody's");
        // The id is used anew.
        cut(&mut *splitter, UP, publish);
        assert_eq!(bytes(&cut(&mut *splitter, DOWN, ack), DOWN), ack);
    }
    let mut splitter = splitter(4);
    let quality_0 = b"\x30\x04\0\x01ax";
    cut(&mut *splitter, DOWN, quality_0);
    assert_eq!(splitter.deliver_again(quality_0).as_deref(), Some(quality_0.as_slice()));
}

#[test]
fn topics_behind_numbers_are_written_out() {
    let mut splitter = splitter(5);
    // The first one says what the number stands for; it may be lost.
    let first = packet(0x30, b"\0\x03a/b\x03\x23\0\x01x");
    let pieces = cut(&mut *splitter, UP, &first);
    assert_eq!(bytes(&pieces, UP), first);
    let pieces = cut(&mut *splitter, UP, &packet(0x30, b"\0\0\x03\x23\0\x01y"));
    assert_eq!(bytes(&pieces, UP), packet(0x30, b"\0\x03a/b\x03\x23\0\x01y"));
    let Some(Of::Message { read, .. }) = pieces.into_iter().next().map(|piece| piece.of) else {
        panic!("a message")
    };
    assert_eq!(read.read().message.get("topic").and_then(|topic| topic.as_text()), Some("a/b"));
}

#[test]
fn a_publication_is_refused_in_the_words_of_version_5() {
    let answer = parse(r#"{"error":"not authorized"}"#).expect("JSON");
    let mut five = splitter(5);
    assert_eq!(five.refuse(b"\x32\x07\0\x01a\0\x07\0x", &answer).expect("a refusal"), b"\x40\x03\0\x07\x87");
    assert_eq!(five.refuse(b"\x34\x07\0\x01a\0\x07\0x", &answer).expect("a refusal"), b"\x50\x03\0\x07\x87");
    assert!(five.refuse(b"\x30\x05\0\x01a\0x", &answer).is_err());
    assert!(splitter(4).refuse(b"\x32\x06\0\x01a\0\x07x", &answer).is_err());
}

#[test]
fn a_subscription_is_refused_and_the_next_is_not() {
    let mut talk = Talk::new("mqtt", Behind::Provider);
    talk.asks(&connect(4));
    talk.says(b"\x20\x02\0\0");
    talk.to_consumer.clear();
    talk.to_provider.clear();
    let held = talk.asks(b"\x82\x06\0\x01\0\x01a\x01\x82\x06\0\x02\0\x01b\x02");
    assert_eq!(
        talk.requests[0].1.to_string(),
        r#"{"command":"SUBSCRIBE","topic":"a","topics":[{"topic":"a","qos":1}]}"#
    );
    talk.answer(held[0].0, r#"{"error":135}"#);
    assert_eq!(talk.to_consumer, b"\x90\x03\0\x01\x80");
    talk.write(UP, &held[1].1);
    talk.says(b"\x90\x03\0\x02\x02");
    assert_eq!(talk.to_consumer, b"\x90\x03\0\x01\x80\x90\x03\0\x02\x02");
    assert_eq!(talk.to_provider, held[1].1);
    assert!(talk.splitter.answer(99, &parse("{}").expect("JSON")).is_err());
}

#[test]
fn what_is_pushed_is_acknowledged_to_nobody() {
    let mut splitter = splitter(5);
    cut(&mut *splitter, UP, b"\x82\x0d\0\x01\0\0\x07orders/\x02");
    cut(&mut *splitter, UP, b"\x82\x09\0\x02\0\0\x03a/+\x02");
    let message = parse(
        r#"{"topic":"a/b","qos":1,"headers":{"k":"v"},"properties":{"content_type":"text/plain"},"body":"x"}"#,
    );
    let message = message.expect("JSON");
    let pushed = splitter.push(&message).expect("a delivery");
    let mut expect = b"\0\x03a/b\xff\xff\x14\x03\0\x0atext/plain\x26\0\x01k\0\x01vx".to_vec();
    assert_eq!(pushed, packet(0x32, &expect));
    assert!(cut(&mut *splitter, UP, b"\x40\x02\xff\xff").is_empty());
    // With QoS 2 the talk about it is held here.
    let message = parse(&message.to_string().replace("\"qos\":1", "\"qos\":2")).expect("JSON");
    expect[5..7].copy_from_slice(b"\xff\xff");
    assert_eq!(splitter.push(&message).expect("a delivery"), packet(0x34, &expect));
    let pieces = cut(&mut *splitter, UP, b"\x50\x02\xff\xff");
    assert_eq!(bytes(&pieces, DOWN), b"\x62\x02\xff\xff");
    assert!(cut(&mut *splitter, UP, b"\x70\x02\xff\xff").is_empty());
    let other = parse(r#"{"topic":"b","body":"x"}"#).expect("JSON");
    assert_eq!(splitter.push(&other).expect_err("nobody").to_string(), "nobody has subscribed to b here");
}

#[test]
fn nobody_lets_in_grants_and_acknowledges() {
    for version in [4, 5] {
        let mut talk = Talk::new("mqtt", Behind::Nobody);
        talk.asks(&connect(version));
        let (no_code, properties): (&[u8], &[u8]) = if version == 5 { (b"\0", b"\0") } else { (b"", b"") };
        assert_eq!(talk.to_consumer, packet(0x20, &[b"\0\0", no_code].concat()));
        talk.to_consumer.clear();
        let publish = |first: u8, id: &[u8]| packet(first, &[b"\0\x01a", id, properties, b"x"].concat());
        for (asked, expect) in [
            (
                packet(0x82, &[b"\0\x01", properties, b"\0\x01a\x01"].concat()),
                packet(0x90, &[b"\0\x01", properties, b"\x01"].concat()),
            ),
            (publish(0x30, b""), Vec::new()),
            (publish(0x32, b"\0\x02"), b"\x40\x02\0\x02".to_vec()),
            (publish(0x34, b"\0\x03"), b"\x50\x02\0\x03".to_vec()),
            (b"\x62\x02\0\x03".to_vec(), b"\x70\x02\0\x03".to_vec()),
            (b"\xc0\0".to_vec(), b"\xd0\0".to_vec()),
            (b"\xe0\0".to_vec(), Vec::new()),
        ] {
            talk.asks(&asked);
            assert_eq!(std::mem::take(&mut talk.to_consumer), expect, "{asked:?}");
        }
        assert!(talk.to_provider.is_empty());
    }
}

#[test]
fn who_has_subscribed_to_as_much_as_may_be_may_still_unsubscribe() {
    let limits = Limits { n_open: 3, ..Limits::default() };
    let mut splitter = begin(protocol("mqtt").expect("mqtt"), Behind::Provider, limits);
    cut(&mut *splitter, UP, &connect(4));
    cut(&mut *splitter, DOWN, b"\x20\x02\0\0");
    for id in 1..=3 {
        cut(&mut *splitter, UP, &packet(0x82, &[0, id, 0, 1, b'a' + id, 0]));
        cut(&mut *splitter, DOWN, &packet(0x90, &[0, id, 0]));
    }
    cut(&mut *splitter, UP, &packet(0xa2, &[0, 9, 0, 1, b'b']));
    cut(&mut *splitter, DOWN, &packet(0xb0, &[0, 9]));
    // And then there is room for another.
    cut(&mut *splitter, UP, &packet(0x82, &[0, 10, 0, 1, b'z', 0]));
}

#[test]
fn what_a_number_stands_for_changes_also_when_no_more_numbers_are_remembered() {
    let limits = Limits { n_open: 1, ..Limits::default() };
    let mut splitter = begin(protocol("mqtt").expect("mqtt"), Behind::Provider, limits);
    cut(&mut *splitter, UP, &connect(5));
    cut(&mut *splitter, DOWN, b"\x20\x03\0\0\0");
    let publish = |topic: u8, number: u8| packet(0x30, &[0, 1, topic, 3, 0x23, 0, number, b'x']);
    let short = |number: u8| packet(0x30, &[0, 0, 3, 0x23, 0, number, b'x']);
    cut(&mut *splitter, UP, &publish(b'a', 1));
    cut(&mut *splitter, UP, &publish(b'b', 1));
    // The second one finds no room, and stays a number.
    cut(&mut *splitter, UP, &publish(b'c', 2));
    for (number, expect) in [(1, publish(b'b', 1)), (2, short(2))] {
        assert_eq!(bytes(&cut(&mut *splitter, UP, &short(number)), UP), expect);
    }
}
