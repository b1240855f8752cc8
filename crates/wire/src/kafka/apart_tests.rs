//! Requests some of whose partitions are answered here, in each version that is written in another way.

use super::super::api::{API_VERSIONS, FETCH, PRODUCE};
use super::super::bytes::Writer;
use super::super::calls::Head;
use super::super::reading::Kept;
use super::super::splitter::{Cutter, framed};
use crate::conversation::{Captured, Direction, Limits};
use crate::splitter::{Behind, InPart, Of, Piece, Splitter, Splitting};
use crate::watching::Resumed;
use seam_value::{Value, parse};

/// A topic with the numbers of its partitions.
pub(in crate::kafka) type Topics<'a> = &'a [(&'a str, &'a [i32])];

pub(in crate::kafka) fn cutter() -> Cutter {
    let limits = Limits::default();
    Cutter::watching(limits).resume(Splitting { limits, behind: Behind::Provider })
}

pub(in crate::kafka) fn head(api: i16, version: i16) -> Head {
    Head { api, version, correlation: 7 }
}

/// Topics and partitions, each of which says this.
fn put_all(writer: &mut Writer, topics: Topics<'_>, put: impl Fn(&mut Writer, i32)) {
    writer.count(topics.len());
    for (topic, numbers) in topics {
        writer.text(topic.as_bytes());
        writer.count(numbers.len());
        for number in *numbers {
            writer.i32(*number);
            put(writer, *number);
            writer.tags();
        }
        writer.tags();
    }
}

/// A request with its length and head.
fn request(head: Head, put: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(false);
    writer.i16(head.api);
    writer.i16(head.version);
    writer.i32(head.correlation);
    writer.text(b"shop");
    writer.is_compact = head.is_compact();
    writer.tags();
    put(&mut writer);
    let length = i32::try_from(writer.out.len()).unwrap().to_be_bytes();
    [&length[..], &writer.out].concat()
}

fn produce(version: i16, acks: i16, topics: Topics<'_>) -> Vec<u8> {
    produce_these(version, acks, topics, |number| format!("batch {number}").into_bytes())
}

/// With the batches of each partition.
pub(in crate::kafka) fn produce_these(
    version: i16,
    acks: i16,
    topics: Topics<'_>,
    batches: impl Fn(i32) -> Vec<u8>,
) -> Vec<u8> {
    request(head(PRODUCE, version), |writer| {
        if version >= 3 {
            writer.null_text();
        }
        writer.i16(acks);
        writer.i32(1000);
        put_all(writer, topics, |writer, number| writer.bytes(&batches(number)));
        writer.tags();
    })
}

/// From which offset on, with how long to wait, in which session, and what is taken out of it.
pub(in crate::kafka) fn fetch(
    version: i16,
    (wait, epoch): (i32, i32),
    topics: Topics<'_>,
    gone: Topics<'_>,
) -> Vec<u8> {
    request(head(FETCH, version), |writer| {
        for number in [-1, wait, 1, 50_000_000] {
            writer.i32(if number == 50_000_000 && wait == 0 { 4 * 1024 * 1024 } else { number });
        }
        writer.put(&[0]);
        if version >= 7 {
            writer.i32(i32::from(epoch > 0) * 99);
            writer.i32(epoch);
        }
        put_all(writer, topics, |writer, number| {
            if version >= 9 {
                writer.i32(0);
            }
            writer.i64(i64::from(number) * 10);
            if version >= 12 {
                writer.i32(-1);
            }
            if version >= 5 {
                writer.i64(0);
            }
            writer.i32(1_000_000);
        });
        if version >= 7 {
            writer.count(gone.len());
            for (topic, numbers) in gone {
                writer.text(topic.as_bytes());
                writer.count(numbers.len());
                numbers.iter().for_each(|number| writer.i32(*number));
                writer.tags();
            }
        }
        if version >= 11 {
            writer.text(b"");
        }
        writer.tags();
    })
}

fn reply(head: Head, put: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(head.is_compact());
    writer.tags();
    put(&mut writer);
    framed(head, &writer.out)
}

fn written(version: i16, topics: Topics<'_>) -> Vec<u8> {
    reply(head(PRODUCE, version), |writer| {
        put_all(writer, topics, |writer, number| {
            writer.i16(0);
            writer.i64(i64::from(number) + 100);
            if version >= 2 {
                writer.i64(-1);
            }
            if version >= 5 {
                writer.i64(0);
            }
            if version >= 8 {
                writer.count(0);
                writer.null_text();
            }
        });
        if version >= 1 {
            writer.i32(0);
        }
        writer.tags();
    })
}

fn fetched(version: i16, error: i16, topics: Topics<'_>) -> Vec<u8> {
    fetched_these(version, error, topics, |_| Vec::new())
}

/// With the batches of each partition.
pub(in crate::kafka) fn fetched_these(
    version: i16,
    error: i16,
    topics: Topics<'_>,
    batches: impl Fn(i32) -> Vec<u8>,
) -> Vec<u8> {
    reply(head(FETCH, version), |writer| {
        writer.i32(0);
        if version >= 7 {
            writer.i16(error);
            writer.i32(99);
        }
        put_all(writer, topics, |writer, number| {
            writer.i16(0);
            writer.i64(i64::from(number) + 100);
            writer.i64(0);
            if version >= 5 {
                writer.i64(0);
            }
            writer.count(0);
            if version >= 11 {
                writer.i32(-1);
            }
            writer.bytes(&batches(number));
        });
        writer.tags();
    })
}

/// What comes of bytes: pieces, of which the request's or reply's are given.
pub(in crate::kafka) fn cut(cutter: &mut Cutter, to: Direction, bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    cutter.cut(to, bytes, &mut pieces).unwrap();
    pieces
}

pub(in crate::kafka) fn ask(cutter: &mut Cutter, frame: &[u8]) -> (u64, Vec<String>) {
    let pieces = cut(cutter, Direction::ToProvider, frame);
    let Of::Request { call, read, .. } = &pieces[0].of else { panic!("a request") };
    let seen = read.apart().into_iter().filter(|one| one.parts.message == Value::Null).map(|one| {
        let request = one.parts.request;
        let of = |name: &str| request.get(name).map_or(String::new(), Value::to_plain_text);
        format!("{} {}", of("topic"), of("partition"))
    });
    (*call, seen.collect())
}

/// Strikes the partitions of these places with an error.
fn strike(cutter: &mut Cutter, (call, to): (u64, Direction), frame: &[u8], places: &[usize]) -> InPart {
    let error = parse(r#"{"error":"NOT_LEADER_OR_FOLLOWER"}"#).unwrap();
    let answers: Vec<(usize, &Value)> = places.iter().map(|place| (*place, &error)).collect();
    cutter.answer_apart(call, (to, frame), &answers).unwrap()
}

/// What a reply says of its partitions.
fn said(head: Head, frame: &[u8]) -> String {
    assert_eq!(usize::try_from(i32::from_be_bytes(frame[..4].try_into().unwrap())), Ok(frame.len() - 4));
    let parts = Box::new(Kept::new(head, true, &frame[8..], (usize::MAX, true))).read();
    let partitions = parts.reply.get("partitions").and_then(Value::as_list).unwrap();
    let one = |one: &Value| {
        let of = |name: &str| one.get(name).map(Value::to_plain_text);
        let error = one.get("error").and_then(|error| error.get("code")).map(Value::to_plain_text);
        let offset = of("offset").or(of("high_watermark")).unwrap_or_default();
        let (topic, number) = (of("topic").unwrap_or_default(), of("partition").unwrap_or_default());
        format!("{topic} {number}: {}", error.map_or(offset, |error| format!("error {error}")))
    };
    partitions.iter().map(one).collect::<Vec<String>>().join(", ")
}

const ALL: Topics<'_> = &[("a", &[0, 1]), ("b", &[2])];

#[test]
fn what_is_struck_is_not_produced() {
    for version in [3, 5, 8, 9] {
        let mut cutter = cutter();
        let frame = produce(version, -1, ALL);
        let (call, seen) = ask(&mut cutter, &frame);
        assert_eq!(seen, ["a 0", "a 1", "b 2"], "{version}");
        let struck = strike(&mut cutter, (call, Direction::ToProvider), &frame, &[1]);
        assert_eq!(struck, InPart::On(produce(version, -1, &[("a", &[0]), ("b", &[2])])), "{version}");
        let broker = written(version, &[("a", &[0]), ("b", &[2])]);
        let pieces = cut(&mut cutter, Direction::ToConsumer, &broker);
        let head = head(PRODUCE, version);
        assert_eq!(said(head, &pieces[0].bytes), "a 0: 100, a 1: error 6, b 2: 102", "{version}");
    }
}

#[test]
fn where_a_topic_is_struck_as_a_whole_it_is_told_all_the_same() {
    let mut cutter = cutter();
    let frame = produce(9, -1, ALL);
    let (call, _) = ask(&mut cutter, &frame);
    let struck = strike(&mut cutter, (call, Direction::ToProvider), &frame, &[0, 1]);
    assert_eq!(struck, InPart::On(produce(9, -1, &[("b", &[2])])));
    let pieces = cut(&mut cutter, Direction::ToConsumer, &written(9, &[("b", &[2])]));
    assert_eq!(said(head(PRODUCE, 9), &pieces[0].bytes), "b 2: 102, a 0: error 6, a 1: error 6");
}

#[test]
fn where_all_is_struck_nothing_is_asked() {
    for version in [3, 9] {
        let mut cutter = cutter();
        let frame = produce(version, -1, ALL);
        let (call, _) = ask(&mut cutter, &frame);
        let InPart::Answered(answer) = strike(&mut cutter, (call, Direction::ToProvider), &frame, &[0, 1, 2])
        else {
            panic!("answered")
        };
        assert_eq!(said(head(PRODUCE, version), &answer), "a 0: error 6, a 1: error 6, b 2: error 6");
        assert!(cutter.due.is_empty(), "no reply is waited for");
    }
}

#[test]
fn who_wants_no_reply_gets_none() {
    let mut cutter = cutter();
    let frame = produce(9, 0, ALL);
    let (call, _) = ask(&mut cutter, &frame);
    let struck = strike(&mut cutter, (call, Direction::ToProvider), &frame, &[2]);
    assert_eq!(struck, InPart::On(produce(9, 0, &[("a", &[0, 1])])));
    let struck = strike(&mut cutter, (call, Direction::ToProvider), &frame, &[0, 1, 2]);
    assert_eq!(struck, InPart::Answered(Vec::new()));
    let error = parse(r#"{"error":3}"#).unwrap();
    assert_eq!(cutter.answer(call, &error), Ok(Vec::new()), "also where all of it is struck");
}

#[test]
fn what_is_fetched_is_struck_in_the_reply() {
    for version in [4, 5, 7, 9, 11, 12] {
        let mut cutter = cutter();
        let frame = fetch(version, (500, -1), ALL, &[]);
        let (call, seen) = ask(&mut cutter, &frame);
        assert_eq!(seen, ["a 0", "a 1", "b 2"], "{version}");
        let struck = strike(&mut cutter, (call, Direction::ToProvider), &frame, &[0]);
        assert_eq!(struck, InPart::On(fetch(version, (0, -1), ALL, &[])), "it doesn't wait: {version}");
        let pieces = cut(&mut cutter, Direction::ToConsumer, &fetched(version, 0, ALL));
        let head = head(FETCH, version);
        assert_eq!(said(head, &pieces[0].bytes), "a 0: error 6, a 1: 101, b 2: 102", "{version}");
    }
}

#[test]
fn replies_are_struck_by_what_they_say() {
    for (head, frame, broker) in [
        (head(FETCH, 12), fetch(12, (500, -1), ALL, &[]), fetched(12, 0, &[("b", &[2])])),
        (head(PRODUCE, 9), produce(9, 1, ALL), written(9, &[("b", &[2])])),
    ] {
        let mut cutter = cutter();
        let (call, _) = ask(&mut cutter, &frame);
        let pieces = cut(&mut cutter, Direction::ToConsumer, &broker);
        let struck = strike(&mut cutter, (call, Direction::ToConsumer), &pieces[0].bytes, &[0]);
        let InPart::On(struck) = struck else { panic!("it goes on") };
        assert_eq!(said(head, &struck), "b 2: error 6");
    }
}

#[test]
fn a_session_says_the_rest_of_what_is_fetched() {
    for version in [7, 12] {
        let mut cutter = cutter();
        ask(&mut cutter, &fetch(version, (500, 0), ALL, &[]));
        cut(&mut cutter, Direction::ToConsumer, &fetched(version, 0, ALL));
        let (_, seen) = ask(&mut cutter, &fetch(version, (500, 1), &[("c", &[5])], &[("a", &[0])]));
        assert_eq!(seen, ["a 1", "b 2", "c 5"], "{version}");
        cut(&mut cutter, Direction::ToConsumer, &fetched(version, 0, &[]));
        let frame = fetch(version, (500, 2), &[], &[]);
        let (call, seen) = ask(&mut cutter, &frame);
        assert_eq!(seen, ["a 1", "b 2", "c 5"], "{version}");
        let all = [0, 1, 2];
        let struck = strike(&mut cutter, (call, Direction::ToProvider), &frame, &all);
        assert_eq!(struck, InPart::On(fetch(version, (0, 2), &[], &[])), "the session goes on: {version}");
        let pieces = cut(&mut cutter, Direction::ToConsumer, &fetched(version, 0, &[("b", &[2])]));
        let expect = "b 2: error 6, a 1: error 6, c 5: error 6";
        assert_eq!(said(head(FETCH, version), &pieces[0].bytes), expect, "{version}");
        // Where the session is over there is nothing to put it in.
        let (call, _) = ask(&mut cutter, &fetch(version, (500, 3), &[], &[]));
        strike(&mut cutter, (call, Direction::ToProvider), &fetch(version, (500, 3), &[], &[]), &all);
        let over = fetched(version, 70, &[]);
        assert_eq!(cut(&mut cutter, Direction::ToConsumer, &over)[0].bytes, over);
        // One that begins in the middle is not known.
        let (_, seen) = ask(&mut self::cutter(), &frame);
        assert!(seen.is_empty());
    }
}

#[test]
fn without_rules_records_pass_as_they_come() {
    let limits = Limits::default();
    let long = "x".repeat(2 * limits.kept_body);
    let frame = request(head(PRODUCE, 9), |writer| {
        writer.null_text();
        writer.i16(-1);
        writer.i32(1000);
        writer.count(1);
        writer.text(b"a");
        writer.count(1);
        writer.i32(0);
        writer.bytes(long.as_bytes());
        for _ in 0..3 {
            writer.tags();
        }
    });
    for (is_ruled, n_before) in [(true, frame.len() - 1), (false, limits.head)] {
        let mut cutter = cutter();
        cutter.is_ruled(is_ruled);
        assert!(cut(&mut cutter, Direction::ToProvider, &frame[..n_before]).is_empty(), "{is_ruled}");
        let pieces = cut(&mut cutter, Direction::ToProvider, &frame[n_before..=n_before]);
        assert!(matches!(pieces[0].of, Of::Request { whole, .. } if whole == is_ruled), "{is_ruled}");
        let rest = cut(&mut cutter, Direction::ToProvider, &frame[n_before + 1..]);
        let all = pieces.iter().chain(&rest).flat_map(|piece| piece.bytes.iter().copied());
        assert!(all.eq(frame.iter().copied()), "{is_ruled}");
    }
}

#[test]
fn other_requests_have_no_parts() {
    let kept = Kept::new(head(API_VERSIONS, 0), false, &[0; 20], (usize::MAX, true));
    assert!(kept.apart().is_empty());
}
