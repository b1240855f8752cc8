//! Whatever surprises a splitter, every byte that came in goes out once, in order.
//!
//! Real traffic is spoilt, cut anywhere and fed under limits that are soon reached; what the pieces held and what was left
//! in the splitter together are then the bytes that were sent, in both directions.

use crate::capture::Piece as Chunk;
use crate::captures::Case;
use crate::splits::{begin, every_case, tight, without_leave};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use seam_wire::{Behind, Direction, Limits, PROTOCOLS, Protocol};

const BOTH: [Direction; 2] = [Direction::ToProvider, Direction::ToConsumer];

fn index(direction: Direction) -> usize {
    usize::from(direction == Direction::ToConsumer)
}

/// The same cases in each run, so that nobody meets a failure that is not theirs.
fn runner(n_cases: u32) -> TestRunner {
    let config = Config { cases: n_cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Feeds the chunks in parts of that size; the first surprise ends it. Gives what went in and what came out.
pub(crate) fn pass(
    protocol: &dyn Protocol,
    limits: Limits,
    gathers: bool,
    chunks: &[(Direction, Vec<u8>)],
    size: usize,
) -> ([Vec<u8>; 2], [Vec<u8>; 2], Option<String>) {
    let mut splitter = begin(protocol, Behind::Provider, limits);
    splitter.gather_replies(gathers);
    let (mut taken, mut given): ([Vec<u8>; 2], [Vec<u8>; 2]) = Default::default();
    let mut pieces = Vec::new();
    let mut surprise = None;
    'all: for (direction, bytes) in chunks {
        for part in bytes.chunks(size.max(1)) {
            taken[index(*direction)].extend_from_slice(part);
            let cut = splitter.cut(*direction, part, &mut pieces);
            for piece in pieces.drain(..) {
                let written = splitter.passes(piece.to, piece.bytes);
                given[index(piece.to)].extend(written);
            }
            if let Err(error) = cut {
                surprise = Some(error.to_string());
                break 'all;
            }
        }
    }
    for direction in BOTH {
        given[index(direction)].extend(splitter.take_rest(direction));
        let more = splitter.take_rest(direction);
        assert!(more.is_empty(), "{}: the rest is taken once", protocol.name());
    }
    (taken, given, surprise)
}

/// Protocols in which nothing that passes is written anew.
pub(crate) fn is_kept_as_it_is(case: &Case) -> bool {
    let name = case.path.file_name().expect("a name").to_string_lossy();
    let is_rewritten = ["http-two", "http-websocket-packed", "grpc", "compressed", "tcp"];
    !is_rewritten.iter().any(|word| name.contains(word))
}

/// Does anybody expect to be told to go on?
pub(crate) fn asks_for_leave(chunks: &[(Direction, Vec<u8>)]) -> bool {
    chunks.iter().any(|(_, bytes)| bytes.windows(12).any(|window| window == b"100-continue"))
}

fn chunks_of(case: &Case) -> Vec<(Direction, Vec<u8>)> {
    let bytes = |chunk: &Chunk| match chunk {
        Chunk::Bytes(direction, bytes) => Some((*direction, bytes.clone())),
        Chunk::End(..) => None,
    };
    case.pieces.iter().filter_map(bytes).collect()
}

/// The bytes as they are compared: what a protocol's splitter may do to them left aside.
fn comparable(protocol: &str, bytes: &[u8]) -> Vec<u8> {
    match protocol {
        // Channels are independent of each other.
        "amqp" => by_channel(bytes),
        "smtp" => without_leave(bytes).into_bytes(),
        _ => bytes.to_vec(),
    }
}

/// The frames of each channel together; what is no frame stands at the end.
fn by_channel(bytes: &[u8]) -> Vec<u8> {
    let mut channels: std::collections::BTreeMap<u16, Vec<u8>> = std::collections::BTreeMap::new();
    let mut rest = bytes;
    if rest.starts_with(b"AMQP") {
        let (header, frames) = rest.split_at(8.min(rest.len()));
        channels.entry(0).or_default().extend_from_slice(header);
        rest = frames;
    }
    while let [_, high, low, a, b, c, d, ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize + 8;
        let Some((frame, later)) = rest.split_at_checked(length) else { break };
        channels.entry(u16::from_be_bytes([*high, *low])).or_default().extend_from_slice(frame);
        rest = later;
    }
    let mut all: Vec<u8> = channels.into_values().flatten().collect();
    all.extend_from_slice(rest);
    all
}

pub(crate) fn assert_kept(
    protocol: &dyn Protocol,
    (taken, given, surprise): ([Vec<u8>; 2], [Vec<u8>; 2], Option<String>),
    of: &str,
) -> Result<(), TestCaseError> {
    if protocol.name() == "amqp" && surprise.is_none() {
        // What settles nothing, or stands on a channel that is not open, goes nowhere: `passing.rs`.
        return Ok(());
    }
    for direction in BOTH {
        let taken = comparable(protocol.name(), &taken[index(direction)]);
        let given = comparable(protocol.name(), &given[index(direction)]);
        let same = taken.iter().zip(&given).take_while(|(a, b)| a == b).count();
        let show = |bytes: &[u8]| {
            bytes[same.min(bytes.len())..]
                .iter()
                .take(60)
                .flat_map(|byte| std::ascii::escape_default(*byte))
                .map(char::from)
                .collect::<String>()
        };
        prop_assert!(
            taken == given,
            "{of}: {direction:?} differs after {same} of {} bytes, {} came out, surprise {surprise:?}\n in: {}\nout: {}",
            taken.len(),
            given.len(),
            show(&taken),
            show(&given)
        );
    }
    Ok(())
}

#[test]
fn spoilt_traffic_is_lost_nowhere() {
    let mut failures = Vec::new();
    for case in every_case().filter(is_kept_as_it_is) {
        let chunks = chunks_of(&case);
        // Who holds a request asks for its body himself.
        if asks_for_leave(&chunks) {
            continue;
        }
        // Which versions both sides speak is changed on purpose.
        let n_kept = if case.protocol.name() == "kafka" {
            1 + chunks.iter().position(|(to, _)| *to == Direction::ToConsumer).expect("a reply")
        } else {
            0
        };
        // Two may make frames that go nowhere, and then a surprise.
        let most_changes = if case.protocol.name() == "amqp" { 1 } else { usize::MAX };
        let n_before: usize = chunks[..n_kept].iter().map(|(_, bytes)| bytes.len()).sum();
        let n_bytes: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
        let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
        let size = prop_oneof![1usize..40, Just(usize::MAX)];
        let result = runner(200).run(
            &(changes, size, any::<bool>(), any::<bool>()),
            |(changes, size, gathers, is_tight)| {
                let mut chunks = chunks.clone();
                for (place, byte) in changes.into_iter().take(most_changes) {
                    let mut place = n_before + place.index((n_bytes - n_before).max(1));
                    for (_, bytes) in &mut chunks {
                        if place < bytes.len() {
                            bytes[place] = byte;
                            break;
                        }
                        place -= bytes.len();
                    }
                }
                let limits = if is_tight { tight() } else { Limits::default() };
                let passed = pass(case.protocol, limits, gathers, &chunks, size);
                assert_kept(case.protocol, passed, &case.path.display().to_string())
            },
        );
        if let Err(error) = result {
            failures.push(error.to_string());
        }
    }
    assert!(failures.is_empty(), "{} cases\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn soup_is_lost_nowhere() {
    let chunk = (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200));
    for protocol in PROTOCOLS.iter().filter(|protocol| !matches!(protocol.name(), "grpc" | "tcp")) {
        runner(1500)
            .run(&(proptest::collection::vec(chunk.clone(), 0..10), any::<bool>()), |(chunks, gathers)| {
                let direction = |up| if up { Direction::ToProvider } else { Direction::ToConsumer };
                let chunks: Vec<_> = chunks.into_iter().map(|(up, bytes)| (direction(up), bytes)).collect();
                let first =
                    chunks.iter().find(|(to, bytes)| *to == Direction::ToConsumer && !bytes.is_empty());
                // So HTTP/2 begins.
                prop_assume!(first.is_none_or(|(_, bytes)| bytes[0] != 0));
                assert_kept(
                    *protocol,
                    pass(*protocol, tight(), gathers, &chunks, usize::MAX),
                    protocol.name(),
                )
            })
            .unwrap_or_else(|error| panic!("{}: {error}", protocol.name()));
    }
}

/// What HTTP/2's frames say, however they are cut and however their headers are packed.
#[derive(Debug, Default, PartialEq)]
struct Said {
    /// Sorted, for streams are numbered anew.
    bodies: Vec<Vec<u8>>,
    n_header_blocks: usize,
    /// What is no frame, or not a whole one.
    rest: Vec<u8>,
}

fn said(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    let mut bodies: std::collections::BTreeMap<u32, Vec<u8>> = std::collections::BTreeMap::new();
    let mut rest = bytes.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(bytes);
    while let [a, b, c, kind, flags, s0, s1, s2, s3, payload @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let is_whole = payload.len() >= length;
        let stream = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
        match kind {
            0 => {
                let here = &payload[..length.min(payload.len())];
                let here = match here.split_first() {
                    Some((n_padding, data)) if flags & 8 != 0 => {
                        &data[..data.len().min((length - 1).saturating_sub(usize::from(*n_padding)))]
                    }
                    _ => here,
                };
                bodies.entry(stream).or_default().extend_from_slice(here);
            }
            _ if !is_whole => break,
            1 | 5 => said.n_header_blocks += 1,
            _ => {}
        }
        rest = &payload[length.min(payload.len())..];
    }
    // What stands on a stream that nobody opened goes nowhere.
    bodies.retain(|stream, body| (1..100).contains(stream) && !body.is_empty());
    said.bodies = bodies.into_values().collect();
    said.bodies.sort();
    said.rest = rest.to_vec();
    said
}

fn ends_between_frames(bytes: &[u8]) -> bool {
    let mut rest = bytes.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(bytes);
    while let [a, b, c, _, _, _, _, _, _, payload @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(later) = payload.get(length..) else { return false };
        rest = later;
    }
    rest.is_empty()
}

/// Frames that nobody may send, in the middle of real traffic.
#[test]
fn http2_is_lost_nowhere() {
    let strange: [&[u8]; 5] = [
        // A frame that is too long, more of headers that never began, credit without its size.
        b"\xff\xff\xff\x01\x04\0\0\0\x01and what follows",
        b"\0\0\x03\x09\x04\0\0\0\x01abcand what follows",
        b"\0\0\x01\x08\0\0\0\0\0xand what follows",
        // Headers whose beginning comes alone, and headers that can't be unpacked.
        b"\0\0\x02\x01\0\0\0\0\x63ab\0\0\0\x06\0\0\0\0\0\0\0\0\x06\0\0\0\0\0and",
        b"\0\0\x02\x01\x04\0\0\0\x63\xff\xffand what follows",
    ];
    for case in every_case() {
        let name = case.path.file_name().expect("a name").to_string_lossy().into_owned();
        // One that was asked for HTTP/2 in HTTP/1 stays with that. And where uploads overlap, streams get other numbers than
        // those on which the provider replied.
        let is_other = name.contains("upgraded") || name.contains("mixed");
        if !(name.contains("http-two") || name.contains("grpc")) || is_other {
            continue;
        }
        let chunks = chunks_of(&case);
        let place = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
        let how = (0..strange.len(), any::<bool>(), prop_oneof![1usize..40, Just(usize::MAX)], any::<bool>());
        runner(400)
            .run(&(place, how), |((place, within), (which, gathers, size, to_provider))| {
                let mut chunks = chunks[..=place.index(chunks.len())].to_vec();
                let to = if to_provider { Direction::ToProvider } else { Direction::ToConsumer };
                let last = chunks.last_mut().expect("one at least");
                let n_here = within.index(last.1.len() + 1);
                last.1.truncate(n_here);
                let before: Vec<u8> = chunks
                    .iter()
                    .filter(|(other, _)| *other == to)
                    .flat_map(|(_, bytes)| bytes.clone())
                    .collect();
                prop_assume!(ends_between_frames(&before));
                chunks.push((to, strange[which].to_vec()));
                let (taken, given, surprise) = pass(case.protocol, Limits::default(), gathers, &chunks, size);
                for direction in BOTH {
                    let (taken, given) = (said(&taken[index(direction)]), said(&given[index(direction)]));
                    prop_assert_eq!(taken, given, "{} {:?} {:?}", name, direction, surprise);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
