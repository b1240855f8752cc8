//! Whatever surprises in the middle of a chunked stream of events: all that it says goes out once, in order, and what
//! comes behind it stays framed.
//!
//! Events are framed anew where they are told, so that it is not the bytes that are compared, but what the chunks hold, as
//! far as they can be read, and all behind that.

use crate::splits::{begin, tight};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use seam_wire::{Behind, Direction, Limits, Of, protocol};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What chunks say, and how many of the bytes can be read as such.
fn read_chunks(bytes: &[u8]) -> (Vec<u8>, usize) {
    let (mut said, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let line = &bytes[at..];
        let n_digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if (n_digits == 0) || n_digits > 15 {
            return (said, at + n_digits.min(15));
        }
        let Some(end) = line.iter().position(|byte| *byte == b'\n') else { return (said, bytes.len()) };
        let size = std::str::from_utf8(&line[..n_digits]).expect("digits");
        let size = usize::from_str_radix(size, 16).expect("digits");
        at += end + 1;
        if size == 0 {
            return read_trailers(bytes, at, said);
        }
        let data = &bytes[at..at.saturating_add(size).min(bytes.len())];
        said.extend_from_slice(data);
        at += data.len();
        for expected in b"\r\n" {
            match bytes.get(at) {
                Some(byte) if byte == expected => at += 1,
                // Some leave it out.
                Some(b'\n') => {}
                _ => return (said, at),
            }
        }
    }
    (said, at)
}

fn read_trailers(bytes: &[u8], at: usize, mut said: Vec<u8>) -> (Vec<u8>, usize) {
    let mut n_bytes = 0;
    for line in bytes[at..].split_inclusive(|byte| *byte == b'\n') {
        n_bytes += line.len();
        if line == b"\n" || line == b"\r\n" {
            break;
        }
    }
    said.extend_from_slice(&bytes[at..at + n_bytes]);
    (said, at + n_bytes)
}

/// Events in chunks that begin and end anywhere in them, with their end.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let event = prop_oneof![
        4 => "data: [a-f0-9\r]{0,30}\n\n",
        1 => Just(": awake\n\n".to_owned()),
        1 => "event: x\r\ndata: [a-z]{60,90}\r\n\r\n",
    ];
    let sizes = proptest::collection::vec(1usize..40, 1..6);
    let trailers = prop_oneof![Just(""), Just("X-Sum: abc\r\n")];
    (proptest::collection::vec(event, 0..6), sizes, trailers).prop_map(|(events, sizes, trailers)| {
        let all = events.concat();
        let (mut rest, mut sizes, mut stream) = (all.as_bytes(), sizes.iter().cycle(), Vec::new());
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(*sizes.next().expect("endless")));
            stream.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()));
            stream.extend(b"\r\n");
            rest = later;
        }
        stream.extend([b"0\r\n", trailers.as_bytes(), b"\r\n"].concat());
        stream
    })
}

fn runner(n_cases: u32) -> TestRunner {
    let config = Config { cases: n_cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Feeds the stream in parts of that size, and then what surprises the other side; gives what the chunks say that came out,
/// and what was left.
fn pass(stream: &[u8], (limits, size): (Limits, usize), other_side: &[u8]) -> (Vec<u8>, Vec<u8>, usize) {
    let http = protocol("http").expect("a protocol");
    let mut splitter = begin(http, Behind::Provider, limits);
    let (mut pieces, mut said, mut n_taken) = (Vec::new(), Vec::new(), 0);
    let asks = b"GET /feed HTTP/1.1\r\n\r\n";
    splitter.cut(Direction::ToProvider, asks, &mut pieces).expect("a request");
    splitter.cut(Direction::ToConsumer, HEAD.as_bytes(), &mut pieces).expect("a head");
    pieces.clear();
    for part in stream.chunks(size) {
        n_taken += part.len();
        let cut = splitter.cut(Direction::ToConsumer, part, &mut pieces);
        for piece in pieces.drain(..) {
            assert!(matches!(piece.of, Of::Message { .. } | Of::More { .. }), "of the stream");
            let (here, n_read) = read_chunks(&piece.bytes);
            assert_eq!(n_read, piece.bytes.len(), "{:?}", String::from_utf8_lossy(&piece.bytes));
            said.extend(here);
        }
        if cut.is_err() {
            break;
        }
    }
    let surprised = splitter.cut(Direction::ToProvider, other_side, &mut pieces);
    assert!(surprised.is_err() || other_side.is_empty());
    let rest = splitter.take_rest(Direction::ToConsumer);
    assert!(splitter.take_rest(Direction::ToConsumer).is_empty(), "the rest is taken once");
    (said, rest, n_taken)
}

fn sized() -> impl Strategy<Value = (Limits, usize)> {
    (any::<bool>(), prop_oneof![1usize..20, Just(usize::MAX)])
        .prop_map(|(is_tight, size)| (if is_tight { tight() } else { Limits::default() }, size))
}

/// What came out and what was left are together what came in.
fn assert_said(
    (mut said, rest): (Vec<u8>, &[u8]),
    left: &[u8],
    expected: &[u8],
) -> Result<(), TestCaseError> {
    // An empty line between events says nothing to anybody; it gives the end of a chunk something to end.
    let is_empty_line = rest.starts_with(b"1\r\n\n") && [&said, left].concat() != expected;
    said.extend(&left[usize::from(is_empty_line)..]);
    let [said, expected, rest] = [&said, expected, rest].map(String::from_utf8_lossy);
    prop_assert_eq!(said, expected, "rest {:?}", rest);
    Ok(())
}

#[test]
fn spoilt_events_are_lost_nowhere() {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), "[0-9a-f\r\nzx]"), 0..4);
    runner(6000)
        .run(&(stream(), changes, sized(), "(|zz)"), |(mut stream, changes, sized, behind)| {
            for (place, byte) in changes {
                let place = place.index(stream.len());
                stream[place] = byte.as_bytes()[0];
            }
            stream.extend(behind.bytes());
            let (said, rest, n_taken) = pass(&stream, sized, b"");
            let (expected, n_read) = read_chunks(&stream[..n_taken]);
            let strange = &stream[n_read..n_taken];
            prop_assert!(
                rest.ends_with(strange),
                "{:?}\nends with {:?}",
                String::from_utf8_lossy(&rest),
                String::from_utf8_lossy(strange)
            );
            let left = &rest[..rest.len() - strange.len()];
            assert_said((said, &rest), &read_chunks(left).0, &expected)?;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The consumer surprises while the provider goes on, from wherever its stream is.
#[test]
fn what_goes_on_as_bytes_stays_framed() {
    runner(6000)
        .run(&(stream(), sized(), any::<prop::sample::Index>()), |(stream, sized, place)| {
            let (now, later) = stream.split_at(place.index(stream.len()));
            let (said, rest, _) = pass(now, sized, b"\x16\x03 no request\r\n\r\n");
            let goes_on = [&rest, later].concat();
            let (here, n_read) = read_chunks(&goes_on);
            prop_assert_eq!(n_read, goes_on.len(), "{:?}", String::from_utf8_lossy(&goes_on));
            assert_said((said, &rest), &here, &read_chunks(&stream).0)?;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
