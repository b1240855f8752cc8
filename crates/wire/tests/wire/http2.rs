//! HTTP/2 and gRPC held: what comes out on the other side is understood as what came in, in whichever order calls are
//! let go; each recorded reply, said again, is read as it was.

use crate::capture::{Piece as Chunk, replay};
use crate::captures::{Case, all};
use crate::http2_talk::{DOWN, END, END_HEADERS, GET, OK, Talk, UP, frame, frames, kinds};
use crate::splits::meddle;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seam_value::{Value, parse};
use seam_wire::grpc::{self, Descriptors};
use seam_wire::{
    Behind, Call, Conversation, Direction, Exchange, Limits, Of, Passed, Piece, Position, Protocol, Splitter,
    Splitting, protocol,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn grpc() -> &'static dyn Protocol {
    protocol("grpc").expect("a protocol")
}

pub(crate) fn begin(behind: Behind, limits: Limits) -> Box<dyn Splitter> {
    grpc().begin(limits).split(Splitting { limits, behind }).expect("a splitter")
}

fn cases() -> impl Iterator<Item = Case> {
    all().into_iter().filter(|case| {
        let name = case.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.starts_with("http-two-") || name.starts_with("grpc-")) && !name.contains("upgraded")
    })
}

/// The pieces of a capture that is held and let go at once; and what came out, as chunks.
fn hold(case: &Case, (limits, gathers): (Limits, bool), n_bytes: usize) -> (Vec<String>, Vec<Chunk>) {
    let mut splitter = begin(Behind::Provider, limits);
    splitter.gather_replies(gathers);
    let (mut told, mut chunks, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
    let (mut recorded, mut provider) = (Renumbered::default(), Renumbered::default());
    for chunk in &case.pieces {
        let Chunk::Bytes(direction, bytes) = chunk else {
            chunks.push(chunk.clone());
            continue;
        };
        let bytes = if *direction == DOWN { recorded.says(bytes) } else { bytes.clone() };
        for bytes in bytes.chunks(n_bytes) {
            splitter.cut(*direction, bytes, &mut pieces).expect("no surprise");
            for piece in pieces.drain(..) {
                let passed = splitter.passes(piece.to, piece.bytes.clone());
                if let (UP, Of::Request { .. }) = (piece.to, &piece.of) {
                    recorded.hears(&piece.bytes, &passed);
                    provider.hears(&piece.bytes, &passed);
                }
                // Who looks at both sides at once sees the provider's numbers.
                let seen = if piece.to == DOWN { provider.says(&passed) } else { passed };
                chunks.push(Chunk::Bytes(piece.to, seen));
                told.push(describe(piece));
            }
        }
    }
    (told, chunks)
}

/// What is said to the consumer, with streams as the provider numbers them.
#[derive(Default)]
pub(crate) struct Renumbered {
    streams: BTreeMap<u32, u32>,
    rest: Vec<u8>,
}

impl Renumbered {
    pub(crate) fn hears(&mut self, sent: &[u8], passed: &[u8]) {
        if let (Some(sent), Some(passed)) = (frames(sent).first(), frames(passed).first()) {
            self.streams.insert(sent.2, passed.2);
        }
    }

    pub(crate) fn says(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let mut said = Vec::new();
        while self.rest.len() >= 9 {
            let n_frame = 9 + (usize::from(self.rest[1]) << 8 | usize::from(self.rest[2]));
            if self.rest.len() < n_frame {
                break;
            }
            let stream = u32::from_be_bytes(self.rest[5..9].try_into().expect("four bytes"));
            let stream = self.streams.get(&stream).copied().unwrap_or(stream);
            self.rest[5..9].copy_from_slice(&stream.to_be_bytes());
            said.extend(self.rest.drain(..n_frame));
        }
        said
    }
}

fn describe(piece: Piece) -> String {
    let what = match piece.of {
        Of::Rest => "rest".to_owned(),
        // What is not whole is added to.
        Of::Request { call, whole: false, awaited, .. } => format!("request {call} {awaited}"),
        Of::Reply { call, whole: false, awaited, .. } => format!("reply {call} {awaited}"),
        Of::Request { call, awaited, read, .. } => {
            format!("request {call} {awaited} {}", read.read().request)
        }
        Of::Reply { call, awaited, read, .. } => format!("reply {call} {awaited} {}", read.read().reply),
        Of::Message { call, read } => format!("message {call:?} {}", read.read().message),
        Of::More { call, whole } => format!("more {call} {whole}"),
        Of::Begun { call, read } => format!("begun {call} {}", read.read().request),
        Of::Told { call, read } => format!("told {call} {}", read.read().request),
        Of::Broken { call, error } => format!("broken {call} {}", error.name()),
        Of::UnderWay { call, .. } => format!("under way {call}"),
    };
    format!("{:?} {what} {:?}", piece.to, String::from_utf8_lossy(&piece.bytes))
}

fn lines(chunks: &[Chunk]) -> Vec<String> {
    let outcome = replay(grpc(), chunks, Limits::default(), &mut |n_left| n_left);
    assert_eq!(outcome.surprise, None);
    let mut lines = outcome.lines;
    // What is gathered may come out in another order.
    lines.sort();
    lines
}

#[test]
fn what_is_held_and_let_go_is_understood_as_before() {
    let mut n_cases = 0;
    for case in cases() {
        let original = lines(&case.pieces);
        for kept_body in [1024 * 1024, 20, 0] {
            let limits = Limits { kept_body, ..Limits::default() };
            let (_, held) = hold(&case, (limits, kept_body > 20), usize::MAX);
            assert_eq!(lines(&held), original, "{} keeping {kept_body}", case.path.display());
        }
        n_cases += 1;
    }
    assert!(n_cases >= 4, "the captures are missing");
}

#[test]
fn cut_anywhere_the_pieces_are_the_same() {
    for case in cases() {
        for (n_bytes, gathers) in [(1, true), (2, false), (3, true), (7, false), (100, true), (100, false)] {
            let (whole, _) = hold(&case, (Limits::default(), gathers), usize::MAX);
            let (cut, _) = hold(&case, (Limits::default(), gathers), n_bytes);
            for (cut, whole) in cut.iter().zip(&whole) {
                assert_eq!(cut, whole, "{} in pieces of {n_bytes}", case.path.display());
            }
            assert_eq!(cut.len(), whole.len());
        }
    }
}

/// A stub without a provider that says what was recorded.
#[test]
fn a_recorded_reply_said_again_is_the_same() {
    for case in cases() {
        let recorded: Vec<Value> =
            lines(&case.pieces).iter().map(|line| parse(line).expect("JSON")).collect();
        let mut splitter = begin(Behind::Nobody, Limits::default());
        let (mut chunks, mut pieces) = (Vec::new(), Vec::new());
        let mut n_answered = 0;
        for chunk in &case.pieces {
            let Chunk::Bytes(UP, bytes) = chunk else { continue };
            chunks.push(chunk.clone());
            splitter.cut(UP, bytes, &mut pieces).expect("no surprise");
            for piece in pieces.drain(..) {
                let mut said = if piece.to == DOWN { piece.bytes } else { Vec::new() };
                if let Of::Request { call, read, .. } = piece.of {
                    let request = read.read().request;
                    let same = recorded.iter().find(|one| one.get("request") == Some(&request));
                    if let Some(reply) =
                        same.and_then(|one| one.get("reply")).filter(|one| **one != Value::Null)
                    {
                        said.extend(splitter.answer(call, reply).expect("an answer"));
                        n_answered += 1;
                    }
                }
                chunks.push(Chunk::Bytes(DOWN, splitter.passes(DOWN, said)));
            }
        }
        assert!(n_answered > 0, "{}", case.path.display());
        let again = lines(&chunks);
        for line in again.iter().filter(|line| line.contains(r#""reply":"#)) {
            let told = parse(line).expect("JSON");
            let same = recorded.iter().find(|one| one.get("request") == told.get("request"));
            let mut expected = same.and_then(|one| one.get("reply")).cloned().unwrap_or_default();
            let mut told = told.get("reply").cloned().unwrap_or_default();
            // What was packed has another length, and says no more that it was.
            for value in [&mut expected, &mut told] {
                if let Value::Map(map) = value {
                    map.shift_remove("length");
                    if let Some(Value::Map(headers)) = map.get_mut("headers") {
                        headers.shift_remove("content-encoding");
                    }
                }
            }
            assert_eq!(told, expected, "{}", case.path.display());
        }
    }
}

#[test]
fn calls_overtake_each_other() {
    let mut talk = Talk::new(Behind::Provider);
    for stream in [1, 3, 5] {
        talk.says(UP, &frame(1, END | END_HEADERS, stream, GET));
    }
    talk.passed();
    let mut held = std::mem::take(&mut talk.held);
    for place in [1, 0, 0] {
        let (_, bytes) = held.remove(place);
        talk.write(UP, bytes);
    }
    // The second, the first, the third; the provider sees its streams grow.
    assert_eq!(kinds(&talk.passed()), [(1, 3), (1, 5), (1, 7)]);
    // It answers the first one, and says more about it.
    talk.says(DOWN, &frame(1, END_HEADERS, 5, OK));
    talk.says(DOWN, &frame(0, END, 5, b"one"));
    talk.says(DOWN, &frame(1, END | END_HEADERS, 7, OK));
    let heard = talk.heard();
    assert_eq!(kinds(&heard)[1..], [(1, 1), (0, 1), (1, 5)], "{heard:?}");
    // The consumer has given up on the second, which has number 3 with both.
    talk.says(UP, &frame(3, 0, 3, &[0, 0, 0, 8]));
    assert_eq!(kinds(&talk.passed()), [(8, 0), (3, 3)]);
    // Nobody has seen what was answered here; what comes after it passes.
    talk.says(UP, &frame(1, END | END_HEADERS, 7, b"\x82\x84\x86\xbe"));
    talk.says(UP, &frame(1, END | END_HEADERS, 9, b"\x82\x84\x86\xbe"));
    let mut held = std::mem::take(&mut talk.held);
    talk.answer(held[0].0, r#"{"status":503,"json":{"a":1}}"#);
    let heard = talk.heard();
    assert_eq!(kinds(&heard), [(1, 7), (0, 7)]);
    assert_eq!(heard[1].3, b"{\"a\":1}");
    talk.write(UP, held.remove(1).1);
    let passed = talk.passed();
    assert_eq!(kinds(&passed), [(1, 9)]);
    // Its headers need no table.
    assert!(passed[0].3.ends_with(b"\0\x01a\x01b"), "{passed:?}");
}

/// A connection that was only watched so far, seen from both sides.
struct Watched {
    conversation: Box<dyn Conversation>,
    exchanges: Vec<Exchange>,
}

impl Watched {
    fn new() -> Self {
        Self { conversation: grpc().begin(Limits::default()), exchanges: Vec::new() }
    }

    fn feed(&mut self, direction: Direction, bytes: &[u8]) {
        self.conversation.feed(direction, bytes, Duration::ZERO, &mut self.exchanges).expect("no surprise");
    }

    fn is_idle(&self) -> bool {
        let between = |direction| self.conversation.position(direction) == Position::Between;
        self.conversation.n_open() == 0 && between(UP) && between(DOWN)
    }

    fn told(self) -> Vec<String> {
        let mut told: Vec<String> =
            self.exchanges.into_iter().map(|exchange| format!("{:?}", exchange.captured.read())).collect();
        told.sort();
        told
    }
}

/// Wherever a connection is idle it can be held from there on: the consumer is understood with the tables that it has
/// built, and both sides understand what they get then.
#[test]
fn held_from_the_middle_of_a_connection() {
    for name in ["http-two-httpx.capture", "grpc-grpcio.capture"] {
        let case = all().into_iter().find(|case| case.path.ends_with(name)).expect("the capture");
        let chunks: Vec<(Direction, Vec<u8>)> = case
            .pieces
            .iter()
            .filter_map(|chunk| match chunk {
                Chunk::Bytes(direction, bytes) => Some((*direction, bytes.clone())),
                Chunk::End(..) => None,
            })
            .collect();
        let mut original = Watched::new();
        for (direction, bytes) in &chunks {
            original.feed(*direction, bytes);
        }
        let original = original.told();
        let mut n_places = 0;
        for place in 1..chunks.len() {
            let (mut consumer, mut provider) = (Watched::new(), Watched::new());
            for (direction, bytes) in &chunks[..place] {
                consumer.feed(*direction, bytes);
                provider.feed(*direction, bytes);
            }
            if !consumer.is_idle() {
                continue;
            }
            let splitting = Splitting { limits: Limits::default(), behind: Behind::Provider };
            let mut splitter = consumer.conversation.split(splitting).expect("a splitter");
            let mut pieces = Vec::new();
            for (direction, bytes) in &chunks[place..] {
                match *direction {
                    UP => consumer.feed(UP, bytes),
                    DOWN => provider.feed(DOWN, bytes),
                }
                splitter.cut(*direction, bytes, &mut pieces).expect("no surprise");
                for piece in pieces.drain(..) {
                    let bytes = splitter.passes(piece.to, piece.bytes);
                    match piece.to {
                        UP => provider.feed(UP, &bytes),
                        DOWN => consumer.feed(DOWN, &bytes),
                    }
                }
            }
            assert_eq!(consumer.told(), original, "{name}, from chunk {place} on, the consumer's side");
            assert_eq!(provider.told(), original, "{name}, from chunk {place} on, the provider's side");
            n_places += 1;
        }
        assert!(n_places > 0, "{name} is never idle");
    }
}

/// What is said in parts has frames of its own for each of them, whatever is said meanwhile: also two answers at once.
#[test]
fn answers_in_parts_side_by_side() {
    let mut talk = Talk::new(Behind::Nobody);
    let bodies = ["hello world, this takes its time", "so does this, and it is the longer one of the two"];
    let mut parts = Vec::new();
    for (stream, body) in [1, 3].into_iter().zip(bodies) {
        talk.says(UP, &frame(1, END | END_HEADERS, stream, GET));
        let call = talk.held.pop().expect("a call").0;
        let answer = Value::map([("body", Value::text(body)), ("trailers", Value::map([("t", "x".into())]))]);
        let said = talk.splitter.answer(call, &answer).expect("an answer");
        let whole = kinds(&frames(&said));
        assert_eq!(whole, [(1, stream), (0, stream), (1, stream)]);
        let from = said.windows(body.len()).position(|window| window == body.as_bytes()).expect("its body");
        // The whole body may come before the last part.
        let ends = [from + 1, from + 8, from + 20, from + body.len(), said.len()];
        parts.push(talk.splitter.in_parts(&said, &ends));
        assert_eq!(parts.last().map(Vec::len), Some(ends.len()));
    }
    talk.heard();
    for nth in 0..5 {
        for answer in &mut parts {
            talk.write(DOWN, std::mem::take(&mut answer[nth]));
            talk.says(UP, &frame(6, 0, 0, b"12345678"));
        }
        let heard = kinds(&talk.heard());
        let data: Vec<u32> = heard.iter().filter(|(kind, _)| *kind == 0).map(|(_, stream)| *stream).collect();
        assert_eq!(data, if nth < 4 { vec![1, 3] } else { vec![] }, "part {nth}: {heard:?}");
    }
    for (stream, body) in [1, 3].into_iter().zip(bodies) {
        talk.says(UP, &frame(1, END | END_HEADERS, stream + 4, GET));
        let call = talk.held.pop().expect("a call").0;
        let answer = Value::map([("body", Value::text(body))]);
        let said = talk.splitter.answer(call, &answer).expect("an answer");
        let ends = [said.len() - 20, said.len() - 3, said.len()];
        for part in talk.splitter.in_parts(&said, &ends) {
            talk.write(DOWN, part);
        }
        let heard = talk.heard();
        let data = heard.iter().filter(|(kind, ..)| *kind == 0);
        assert_eq!(
            data.clone().flat_map(|(.., payload)| payload.clone()).collect::<Vec<u8>>(),
            body.as_bytes()
        );
        assert_eq!(data.map(|(_, flags, ..)| *flags).collect::<Vec<_>>(), [0, 0, END]);
    }
    // What is no HTTP/2 is written as it is, also in parts.
    let parts = talk.splitter.in_parts(b"HTTP/1.1 500 garbled", &[4, 20]);
    talk.write(DOWN, parts.concat());
    assert_eq!(std::mem::take(&mut talk.to_consumer), b"HTTP/1.1 500 garbled");
}

#[test]
fn a_request_is_sent_a_second_time() {
    let mut talk = Talk::new(Behind::Provider);
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    talk.passed();
    let (call, bytes) = talk.held.remove(0);
    let again = talk.splitter.again(call, &bytes).expect("it can be repeated");
    talk.write(UP, bytes);
    talk.write(UP, again);
    assert_eq!(kinds(&talk.passed()), [(1, 1), (1, 3)]);
    talk.heard();
    // The second reply comes first, and is told to nobody.
    talk.says(DOWN, &[frame(1, END_HEADERS, 3, OK), frame(0, 0, 3, b"two")].concat());
    assert_eq!(kinds(&talk.passed()), [(8, 0), (8, 3)]);
    talk.says(DOWN, &frame(0, END, 3, b""));
    assert_eq!(talk.heard(), []);
    talk.says(DOWN, &[frame(1, END_HEADERS, 1, OK), frame(0, END, 1, b"one")].concat());
    assert_eq!(kinds(&talk.heard()), [(1, 1), (0, 1)]);
    // The next stream of the consumer's has a number that was used.
    talk.says(UP, &frame(1, END | END_HEADERS, 3, GET));
    let (_, bytes) = talk.held.remove(0);
    talk.write(UP, bytes);
    assert_eq!(kinds(&talk.passed()).last(), Some(&(1, 5)));
}

#[test]
fn where_nobody_is_behind() {
    let mut talk = Talk::new(Behind::Nobody);
    // Its own settings, and the acknowledgement of the consumer's.
    let heard = talk.heard();
    assert_eq!(heard.iter().map(|(kind, flags, ..)| (*kind, *flags)).collect::<Vec<_>>(), [(4, 0), (4, 1)]);
    talk.says(UP, &[frame(4, 1, 0, b""), frame(6, 0, 0, b"12345678")].concat());
    assert_eq!(talk.heard(), [(6, 1, 0, b"12345678".to_vec())]);
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    let (call, _) = talk.held.remove(0);
    talk.answer(call, r#"{"headers":{"content-type":"text/event-stream"},"open":true}"#);
    assert_eq!(kinds(&talk.heard()), [(1, 1)]);
    let event = parse(r#"{"event":"paid","data":{"order":7}}"#).unwrap();
    let bytes = talk.splitter.push(&event).expect("an open stream");
    talk.write(DOWN, bytes);
    assert_eq!(talk.heard()[0].3, b"event: paid\ndata: {\"order\":7}\n\n");
    assert_eq!(talk.passed(), []);
    for (answer, reason) in [
        (r#"{"rows":[]}"#, "http has no rows"),
        (r#"{"status":"x"}"#, "no status"),
        (r#"{"headers":{"a b":"c"}}"#, "no name"),
        (r#"{"headers":{"a":"c\r\nd: e"}}"#, "line end"),
        (r#"{"reset":"NOPE"}"#, "no error code"),
    ] {
        let error = talk.splitter.answer(call, &parse(answer).unwrap()).unwrap_err();
        assert!(error.reason.contains(reason), "{error}");
    }
}

#[test]
fn a_call_is_broken_off_alone() {
    let mut talk = Talk::new(Behind::Provider);
    for stream in [1, 3, 5] {
        talk.says(UP, &frame(1, END | END_HEADERS, stream, GET));
    }
    let mut held = talk.held.drain(..).collect::<Vec<_>>().into_iter();
    talk.heard();
    talk.passed();
    let mut next = || held.next().expect("three calls");
    // The first goes nowhere.
    let (call, _) = next();
    let broken = talk.splitter.break_off(call, Passed::Nowhere).expect("a stream");
    talk.write(DOWN, broken.to_consumer);
    assert_eq!(talk.heard(), [(3, 0, 1, 2_u32.to_be_bytes().to_vec())]);
    assert!(broken.to_provider.is_empty());
    // The second is passed on, and the provider hears that nobody waits; what it says all the same goes nowhere.
    let (call, bytes) = next();
    let broken = talk.splitter.break_off(call, Passed::On).expect("a stream");
    talk.write(UP, bytes);
    talk.write(DOWN, broken.to_consumer);
    talk.write(UP, broken.to_provider);
    assert_eq!(kinds(&talk.passed()), [(1, 3), (3, 3)]);
    assert_eq!(kinds(&talk.heard()), [(3, 3)]);
    talk.says(DOWN, &frame(1, END | END_HEADERS, 3, OK));
    assert!(talk.heard().is_empty());
    // The third is answered, and the answer is lost.
    let (call, bytes) = next();
    talk.write(UP, bytes);
    assert_eq!(kinds(&talk.passed()), [(1, 5)]);
    let mut pieces = Vec::new();
    talk.splitter.cut(DOWN, &frame(1, END | END_HEADERS, 5, OK), &mut pieces).expect("no surprise");
    let broken = talk.splitter.break_off(call, Passed::On).expect("a stream");
    talk.write(DOWN, broken.to_consumer);
    assert!(broken.to_provider.is_empty(), "it is over there");
    assert_eq!(kinds(&talk.heard()), [(3, 5)]);
    // And the connection goes on.
    talk.says(UP, &frame(1, END | END_HEADERS, 7, GET));
    let (_, bytes) = talk.held.remove(0);
    talk.write(UP, bytes);
    talk.says(DOWN, &frame(1, END | END_HEADERS, 7, OK));
    assert_eq!(kinds(&talk.heard()), [(1, 7)]);
}

#[test]
fn a_provider_that_is_there_after_all() {
    let mut talk = Talk::new(Behind::Nobody);
    talk.says(UP, &frame(4, 1, 0, b""));
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    let (_, bytes) = talk.held.remove(0);
    talk.write(UP, bytes);
    assert!(talk.to_provider.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    assert_eq!(kinds(&talk.passed()), [(4, 0), (1, 1)]);
    talk.heard();
    // Its settings are the consumer's business, its acknowledgement of ours is not.
    talk.says(DOWN, &[frame(4, 0, 0, b""), frame(4, 1, 0, b""), frame(1, END | END_HEADERS, 1, OK)].concat());
    assert_eq!(kinds(&talk.heard()), [(4, 0), (1, 1)]);
    talk.says(UP, &frame(4, 1, 0, b""));
    assert_eq!(kinds(&talk.passed()), [(4, 0)]);
}

const SHOP: &str = r#"syntax = "proto3"; package shop; import "google/protobuf/timestamp.proto";
service Orders {
  rpc Place(Order) returns (Placed);
  rpc Watch(Order) returns (stream Placed);
  rpc Load(stream Order) returns (Placed);
  rpc Talk(stream Order) returns (stream Placed);
}
message Order { string isbn = 1; int64 amount = 2; repeated Line lines = 3; double weight = 4; }
message Line { string sku = 1; int32 count = 2; }
message Placed { string id = 1; State state = 2; google.protobuf.Timestamp at = 3; bytes blob = 4; }
enum State { NEW = 0; PAID = 1; }"#;

fn shop() -> Arc<Descriptors> {
    let read = |name: &str| (name == "shop.proto").then(|| SHOP.to_owned());
    Arc::new(Descriptors::from_protos(&["shop.proto"], read).expect("descriptors"))
}

/// The recorded calls, told with their descriptions and answered by their fields.
#[test]
fn described_messages_have_their_fields() {
    let case =
        all().into_iter().find(|case| case.path.ends_with("grpc-grpcio.capture")).expect("the capture");
    let splitting = Splitting { limits: Limits::default(), behind: Behind::Provider };
    let mut splitter = grpc::begin(Limits::default(), Some(shop())).split(splitting).expect("a splitter");
    let (mut told, mut pieces) = (Vec::new(), Vec::new());
    for chunk in &case.pieces {
        let Chunk::Bytes(direction, bytes) = chunk else { continue };
        splitter.cut(*direction, bytes, &mut pieces).expect("no surprise");
        for piece in pieces.drain(..) {
            splitter.passes(piece.to, piece.bytes);
            match piece.of {
                Of::Request { call, whole: true, read, .. } => {
                    told.push(format!("request {call} {}", read.read().request.get("body").unwrap()));
                }
                Of::Reply { call, whole: true, read, .. } => {
                    told.push(format!("reply {call} {}", read.read().reply.get("body").unwrap()));
                }
                Of::Request { call, .. } | Of::Reply { call, .. } => told.push(format!("begins {call}")),
                Of::Message { call, read } => {
                    told.push(format!("message {call:?} {}", read.read().message.get("body").unwrap()));
                }
                _ => {}
            }
        }
    }
    let begin = [
        r#"request 1 {"isbn":"978-0","amount":3990,"lines":[{"sku":"a","count":2}],"weight":1.5}"#,
        r#"reply 1 {"id":"o-1","state":"PAID","at":"1970-01-01T00:00:05Z","blob":"AQ=="}"#,
        r#"request 2 {"isbn":"none","amount":0,"lines":[],"weight":0.0}"#,
        "reply 2 null",
        r#"request 3 {"isbn":"w","amount":0,"lines":[],"weight":0.0}"#,
        "begins 3",
        r#"message Some(3) {"id":"w-0","state":"NEW","blob":""}"#,
        r#"message Some(3) {"id":"w-1","state":"NEW","blob":""}"#,
        r#"message Some(3) {"id":"w-2","state":"NEW","blob":""}"#,
        "begins 4",
        r#"message Some(4) {"isbn":"a","amount":0,"lines":[],"weight":0.0}"#,
    ];
    for (told, expected) in told.iter().zip(begin) {
        assert_eq!(told, expected);
    }
    // Answers by fields, also to calls that are over.
    let answer = |splitter: &mut dyn Splitter, call: Call, answer: &str| {
        splitter.answer(call, &parse(answer).unwrap())
    };
    let bytes =
        answer(&mut *splitter, 1, r#"{"body":{"id":"x","state":"PAID"},"metadata":{"k":"v"}}"#).unwrap();
    assert_eq!(frames(&bytes)[1].3, b"\0\0\0\0\x05\x0a\x01x\x10\x01");
    let bytes = answer(&mut *splitter, 1, r#"{"status":"unavailable","message":"no\nroom"}"#).unwrap();
    let only = &frames(&bytes)[..];
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].1, END | END_HEADERS);
    assert!(String::from_utf8_lossy(&only[0].3).contains("grpc-message\tno%0Aroom"), "{only:?}");
    for (wrong, reason) in [
        (r#"{"body":{"idd":"x"}}"#, "no shop.Placed"),
        (r#"{"status":"NOPE"}"#, "no status of gRPC"),
        (r#"{"rows":[]}"#, "grpc has no rows"),
    ] {
        let error = answer(&mut *splitter, 1, wrong).unwrap_err();
        assert!(error.reason.contains(reason), "{error}");
    }
    assert!(Descriptors::from_protos(&["a.proto"], |_| Some("message {".to_owned())).is_err());
}

/// A call that streams its request and has one answer is told before all of it has come, and is whole all the same.
#[test]
fn a_streamed_request_is_kept_whole() {
    let case =
        all().into_iter().find(|case| case.path.ends_with("grpc-grpcio.capture")).expect("the capture");
    let mut watched = grpc::begin(Limits::default(), Some(shop()));
    let mut told = Vec::new();
    for chunk in &case.pieces {
        if let Chunk::Bytes(direction, bytes) = chunk {
            watched.feed(*direction, bytes, Duration::ZERO, &mut told).expect("no surprise");
        }
    }
    let read = told.into_iter().map(|exchange| (exchange.cut, exchange.captured.read()));
    let calls: Vec<_> = read.filter(|(_, parts)| parts.request != Value::Null).collect();
    let loads: Vec<_> = calls
        .iter()
        .filter(|(_, parts)| parts.request.get("method").and_then(Value::as_text) == Some("Load"))
        .collect();
    assert!(!loads.is_empty(), "{calls:?}");
    for (is_cut, parts) in calls {
        assert!(!is_cut && !parts.cut, "{parts:?}");
    }
}

fn tight() -> Limits {
    Limits { kept_body: 64, head: 512, kept_open: 2048, n_open: 8 }
}

/// Real traffic that is spoilt, and frames without sense: whatever is done with the calls, nothing panics.
#[test]
fn soup() {
    let config = |cases| Config { cases, failure_persistence: None, ..Config::default() };
    let one = (any::<bool>(), 0u8..11, any::<u8>(), 0u32..8, proptest::collection::vec(any::<u8>(), 0..40));
    TestRunner::new(config(1500))
        .run(&proptest::collection::vec(one, 0..20), |parts| {
            let mut chunks = vec![(true, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec())];
            chunks.extend(parts.into_iter().map(|(up, kind, flags, stream, payload)| {
                let head = if kind == 1 { [GET, &payload[..payload.len().min(2)]].concat() } else { payload };
                (up, frame(kind, flags, stream, &head))
            }));
            for behind in [Behind::Provider, Behind::Nobody] {
                meddle(&mut *begin(behind, tight()), &chunks);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    for case in cases() {
        let chunks: Vec<(bool, Vec<u8>)> = case
            .pieces
            .iter()
            .filter_map(|chunk| match chunk {
                Chunk::Bytes(direction, bytes) => Some((*direction == UP, bytes.clone())),
                Chunk::End(..) => None,
            })
            .collect();
        let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>());
        TestRunner::new(config(60))
            .run(&proptest::collection::vec(change, 0..5), |changes| {
                let mut chunks = chunks.clone();
                for (chunk, place, byte) in changes {
                    *place.get_mut(&mut chunk.get_mut(&mut chunks).1) = byte;
                }
                for (behind, limits) in [
                    (Behind::Provider, Limits::default()),
                    (Behind::Provider, tight()),
                    (Behind::Nobody, tight()),
                ] {
                    meddle(&mut *begin(behind, limits), &chunks);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
