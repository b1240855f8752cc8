//! Each capture cut into pieces: the same pieces however its bytes come, nothing lost, and the same interactions as
//! when it is only watched; each recorded reply, said again in the provider's place, is read as it was.

use crate::capture::{Piece as Chunk, read, replay};
use crate::captures::{Case, all};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seam_value::Value;
use seam_wire::{Behind, Call, Direction, Limits, Of, Parts, Piece, Protocol, Splitter, Splitting, protocol};
use std::collections::BTreeMap;

/// The protocols whose splitters are tested here.
const SPLIT: &[&str] = &["amqp", "kafka", "mqtt", "mysql", "nats", "postgres", "redis", "smtp"];

pub(crate) fn begin(protocol: &dyn Protocol, behind: Behind, limits: Limits) -> Box<dyn Splitter> {
    let conversation = protocol.begin(limits);
    let mut splitter = conversation.split(Splitting { limits, behind }).expect("a splitter");
    splitter.gather_replies(true);
    splitter
}

fn cases() -> impl Iterator<Item = Case> {
    every_case().filter(|case| SPLIT.contains(&case.protocol.name()))
}

/// All captures, so that a splitter can follow them.
pub(crate) fn every_case() -> impl Iterator<Item = Case> {
    all().into_iter().map(|mut case| {
        if case.protocol.name() == "smtp" {
            case.pieces = leave_later(case.pieces);
        }
        case
    })
}

/// A case's chunks in their order.
fn as_captured(case: &Case) -> Vec<Chunk> {
    read(&std::fs::read_to_string(&case.path).expect("a readable capture"))
}

/// A server that is told of a mail only when the mail is there gives leave only then.
fn leave_later(chunks: Vec<Chunk>) -> Vec<Chunk> {
    let mut later = Vec::new();
    let mut leave = None;
    for chunk in chunks {
        match chunk {
            Chunk::Bytes(Direction::ToConsumer, bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let (before, line) = match text.find("354 ") {
                    Some(at) if at == 0 || text[..at].ends_with('\n') => text.split_at(at),
                    _ => (text.as_str(), ""),
                };
                later.extend(leave.take());
                if !before.is_empty() {
                    later.push(Chunk::Bytes(Direction::ToConsumer, before.as_bytes().to_vec()));
                }
                leave =
                    (!line.is_empty()).then(|| Chunk::Bytes(Direction::ToConsumer, line.as_bytes().to_vec()));
            }
            chunk @ Chunk::Bytes(Direction::ToProvider, _) => later.push(chunk),
            end @ Chunk::End(..) => {
                later.extend(leave.take());
                later.push(end);
            }
        }
    }
    later.extend(leave);
    later
}

/// The same bytes but for how leave was asked and given to send a mail, which we do ourselves.
pub(crate) fn without_leave(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let is_leave = |line: &&str| !line.starts_with("354") && !line.eq_ignore_ascii_case("DATA\r\n");
    text.split_inclusive('\n').filter(is_leave).collect()
}

/// A piece as it is compared.
#[derive(Debug, PartialEq)]
struct Told {
    what: String,
    bytes: Vec<u8>,
}

/// What came out of a capture.
#[derive(Default)]
struct Outcome {
    /// By direction.
    told: [Vec<Told>; 2],
    given: [Vec<u8>; 2],
    taken: [Vec<u8>; 2],
    rest: [Vec<u8>; 2],
    requests: BTreeMap<Call, Value>,
    /// Requests with their replies, and messages, as lines.
    lines: Vec<String>,
    surprise: Option<String>,
}

fn index(direction: Direction) -> usize {
    usize::from(direction == Direction::ToConsumer)
}

fn line(parts: Parts) -> String {
    let fields = [("request", parts.request), ("reply", parts.reply), ("message", parts.message)];
    Value::map(fields.into_iter().filter(|(_, value)| *value != Value::Null)).to_string()
}

impl Outcome {
    /// Takes a piece, and what is written of it.
    fn take(&mut self, piece: Piece, written: &[u8]) {
        let at = index(piece.to);
        self.given[at].extend_from_slice(written);
        let what = match piece.of {
            Of::Rest => "rest".to_owned(),
            Of::Request { call, awaited, read, .. } => {
                let request = read.read().request;
                let what = format!("request {call} {awaited} {request}");
                self.requests.insert(call, request);
                what
            }
            Of::Reply { call, awaited, read, .. } => {
                let reply = read.read().reply;
                let request = self.requests.remove(&call).expect("a request before its reply");
                let what = format!("reply {call} {awaited} {reply}");
                self.lines.push(line(Parts { request, reply, ..Parts::default() }));
                what
            }
            Of::Message { read, .. } => {
                let told = line(read.read());
                self.lines.push(told.clone());
                format!("message {told}")
            }
            Of::More { .. } => "more".to_owned(),
            Of::UnderWay { .. } | Of::Begun { .. } | Of::Told { .. } => unreachable!("nobody wants to know"),
            Of::Broken { call, error } => {
                self.requests.remove(&call);
                format!("broken {call} {}", error.name())
            }
        };
        // How much comes as one piece may depend on how it was sent, where it is not looked at, or is more of the same.
        let joins =
            what == "more" || (what == "rest" && self.told[at].last().is_some_and(|last| last.what == what));
        match self.told[at].last_mut() {
            Some(last) if joins => last.bytes.extend_from_slice(&piece.bytes),
            _ => self.told[at].push(Told { what, bytes: piece.bytes }),
        }
    }
}

fn split(case: &Case, limits: Limits, cut: &mut dyn FnMut(usize) -> usize) -> Outcome {
    let mut splitter = begin(case.protocol, Behind::Provider, limits);
    let mut outcome = Outcome::default();
    let mut pieces = Vec::new();
    for chunk in &case.pieces {
        let Chunk::Bytes(direction, bytes) = chunk else { continue };
        let mut rest = bytes.as_slice();
        while outcome.surprise.is_none() && !rest.is_empty() {
            let n_now = cut(rest.len()).clamp(1, rest.len());
            outcome.taken[index(*direction)].extend_from_slice(&rest[..n_now]);
            let surprise = splitter.cut(*direction, &rest[..n_now], &mut pieces);
            outcome.surprise = surprise.err().map(|surprise| surprise.to_string());
            for piece in pieces.drain(..) {
                let written = splitter.passes(piece.to, piece.bytes.clone());
                outcome.take(piece, &written);
            }
            rest = &rest[n_now..];
        }
    }
    for direction in [Direction::ToProvider, Direction::ToConsumer] {
        let rest = splitter.take_rest(direction);
        outcome.rest[index(direction)] = rest;
    }
    outcome
}

#[test]
fn cut_anywhere_the_pieces_are_the_same() {
    for case in cases() {
        let name = case.path.display();
        let whole = split(&case, Limits::default(), &mut |n_left| n_left);
        for n_bytes in [1, 2, 3, 7] {
            let cut = split(&case, Limits::default(), &mut |_| n_bytes);
            assert_eq!(cut.surprise, whole.surprise, "{name}");
            for at in 0..2 {
                for (cut, whole) in cut.told[at].iter().zip(&whole.told[at]) {
                    assert_eq!(cut, whole, "{name} in pieces of {n_bytes}");
                }
                assert_eq!(cut.told[at].len(), whole.told[at].len(), "{name} in pieces of {n_bytes}");
            }
        }
    }
}

#[test]
fn nothing_is_lost_or_changed() {
    // What is compressed is written anew.
    for case in cases().filter(|case| !case.path.to_string_lossy().contains("compressed")) {
        for kept_body in [1024 * 1024, 16, 0] {
            let limits = Limits { kept_body, ..Limits::default() };
            let outcome = split(&case, limits, &mut |n_left| n_left.min(11));
            for at in 0..2 {
                let mut given = outcome.given[at].clone();
                given.extend_from_slice(&outcome.rest[at]);
                if case.protocol.name() == "smtp" {
                    assert_eq!(
                        without_leave(&given),
                        without_leave(&outcome.taken[at]),
                        "{}",
                        case.path.display()
                    );
                    continue;
                }
                assert!(given == outcome.taken[at], "{} keeping {kept_body}", case.path.display());
            }
        }
    }
}

#[test]
fn the_interactions_are_those_of_watching() {
    // Chunks pass as they are.
    for case in cases().filter(|case| !case.path.ends_with("smtp-chunks.capture")) {
        let outcome = split(&case, Limits::default(), &mut |n_left| n_left);
        let watched = replay(case.protocol, &as_captured(&case), Limits::default(), &mut |n_left| n_left);
        let watched = watched.lines.iter().filter_map(|line| {
            let told = seam_value::parse(line).expect("JSON");
            let has_ended = told.get("unended").is_none();
            let part = |name: &str| told.get(name).cloned().unwrap_or_default();
            let (mut request, reply, message) = (part("request"), part("reply"), part("message"));
            if let Value::Map(request) = &mut request {
                // A request is told before the data of its COPY has come.
                request.shift_remove("copied");
            }
            let parts = Parts { request, reply, message, ..Parts::default() };
            has_ended.then(|| self::line(parts))
        });
        let (mut watched, mut lines): (Vec<String>, Vec<String>) = (watched.collect(), outcome.lines);
        if case.protocol.name() == "kafka" {
            // A record is part of its batch, which is held as a whole.
            watched.retain(|line| !line.starts_with(r#"{"message""#));
        }
        if case.protocol.name() == "postgres" {
            // A text with several statements is one request, and what is passed over is one without a reply.
            let is_one = |line: &String| !TEXTS.iter().any(|text| line.contains(text));
            lines.retain(|line| is_one(line) && (line.contains("\"reply\"") || line.contains("\"message\"")));
            watched.retain(is_one);
        }
        // What is refused without having been executed, or asked at all, passes as it is; and so do SMTP's commands.
        watched.retain(|line| {
            let is_command = case.protocol.name() == "smtp" && line.contains("{\"command\":");
            // So does what a server says when it lets nobody in.
            let is_unasked = line.starts_with("{\"reply\":");
            let is_refused = is_command || is_unasked || line.contains("\"error\":{");
            !is_refused || lines.contains(line)
        });
        watched.sort();
        lines.sort();
        for (split, watched) in lines.iter().zip(&watched) {
            assert_eq!(split, watched, "{}", case.path.display());
        }
        assert_eq!(lines.len(), watched.len(), "{}", case.path.display());
    }
}

/// Texts of several statements, and what no splitter tells.
const TEXTS: [&str; 6] = [
    "\"cancel\"",
    "create function f() ",
    "select f()",
    "select * from books order by isbn",
    "select count(*) as n, 'x;y'",
    "update books set copies = 2 where",
];

/// A text is sent in the letters that its type says, whatever its reading was: on HTTP/2 as on HTTP/1.
#[test]
fn a_text_is_answered_in_its_charset() {
    for (answer, expected) in [
        (r#"{"headers":{"content-type":"text/plain; charset=iso-8859-1"},"text":"Gruß"}"#, &b"Gru\xdf"[..]),
        (r#"{"headers":{"Content-Type":"text/plain; Charset=\"latin1\""},"body":"Gruß"}"#, b"Gru\xdf"),
        (r#"{"headers":{"content-type":"text/plain"},"text":"Gruß"}"#, "Gruß".as_bytes()),
        (r#"{"headers":{"content-type":"text/plain; charset=none"},"text":"Gruß"}"#, "Gruß".as_bytes()),
    ] {
        let mut talk = Talk::new("http", Behind::Nobody);
        let held = talk.asks(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        talk.answer(held[0].0, answer);
        let body = talk.to_consumer.split_off(talk.to_consumer.len() - expected.len());
        assert_eq!(body, expected, "{answer}");
        let head = String::from_utf8(talk.to_consumer).expect("a head");
        assert!(head.contains(&format!("content-length: {}\r\n\r\n", expected.len())), "{head}");
    }
}

/// Replaces each reply by an answer with the same fields, and reads what the consumer then gets.
#[test]
fn a_recorded_reply_said_again_is_the_same() {
    for case in cases() {
        let mut splitter = begin(case.protocol, Behind::Provider, Limits::default());
        let (mut changed, mut pieces) = (Vec::new(), Vec::new());
        let (mut n_answered, mut surprised, mut several) = (0, false, Vec::new());
        for chunk in &case.pieces {
            let Chunk::Bytes(direction, bytes) = chunk else {
                changed.push(chunk.clone());
                continue;
            };
            if *direction == Direction::ToProvider {
                // As the consumer sees it: what is asked is asked, whatever becomes of it.
                changed.push(chunk.clone());
            }
            surprised |= splitter.cut(*direction, bytes, &mut pieces).is_err();
            if surprised {
                break;
            }
            for piece in pieces.drain(..) {
                let bytes = match piece.of {
                    Of::Request { call, read, .. } => {
                        let request = read.read().request.to_string();
                        if TEXTS.iter().any(|text| request.contains(text)) {
                            several.push(call);
                        }
                        piece.bytes
                    }
                    Of::Reply { call, .. } if several.contains(&call) => piece.bytes,
                    Of::Reply { call, whole: true, read, .. } if !piece.bytes.is_empty() => {
                        let reply = read.read().reply;
                        match splitter.answer(call, &reply) {
                            Ok(bytes) => {
                                n_answered += 1;
                                bytes
                            }
                            // What a function gives is not told.
                            Err(error) if error.reason.contains("function") => piece.bytes,
                            Err(error) => panic!("{}: {error}: {reply}", case.path.display()),
                        }
                    }
                    _ => piece.bytes,
                };
                if piece.to == Direction::ToConsumer {
                    changed.push(Chunk::Bytes(piece.to, splitter.passes(piece.to, bytes)));
                }
            }
        }
        if surprised || n_answered == 0 {
            continue;
        }
        let original = replay(case.protocol, &as_captured(&case), Limits::default(), &mut |n_left| n_left);
        let changed = replay(case.protocol, &changed, Limits::default(), &mut |n_left| n_left);
        assert_eq!(changed.surprise, None, "{}", case.path.display());
        assert!(!original.lines.is_empty(), "{}", case.path.display());
        // A mail that was broken off was given leave sooner.
        let ended = |line: &&String| !line.contains("\"unended\"");
        let original: Vec<&String> = original.lines.iter().filter(ended).collect();
        let changed: Vec<&String> = changed.lines.iter().filter(ended).collect();
        for (changed, original) in changed.iter().zip(&original) {
            assert_eq!(changed, original, "{}", case.path.display());
        }
        assert_eq!(changed.len(), original.len(), "{}", case.path.display());
    }
}

pub(crate) fn tight() -> Limits {
    Limits { kept_body: 64, head: 512, kept_open: 2048, n_open: 8 }
}

/// Whatever comes and is answered, nothing panics. That no byte is lost on the way says `law.rs`.
#[test]
fn soup() {
    let chunk = (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200));
    for name in SPLIT.iter().copied() {
        let protocol = protocol(name).expect("a protocol");
        let config = Config { cases: 1500, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&proptest::collection::vec(chunk.clone(), 0..10), |chunks| {
                for behind in [Behind::Provider, Behind::Nobody] {
                    let mut splitter = begin(protocol, behind, tight());
                    meddle(&mut *splitter, &chunks);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// The same with real traffic that is spoilt.
#[test]
fn spoilt() {
    for case in cases() {
        let chunks: Vec<(bool, Vec<u8>)> = case
            .pieces
            .iter()
            .filter_map(|chunk| match chunk {
                Chunk::Bytes(direction, bytes) => Some((*direction == Direction::ToProvider, bytes.clone())),
                Chunk::End(..) => None,
            })
            .collect();
        let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
        let changes = proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()),
            0..5,
        );
        TestRunner::new(config)
            .run(&changes, |changes| {
                let mut chunks = chunks.clone();
                for (chunk, place, byte) in changes {
                    let chunk = chunk.get_mut(&mut chunks);
                    if !chunk.1.is_empty() {
                        *place.get_mut(&mut chunk.1) = byte;
                    }
                }
                for (behind, limits) in [
                    (Behind::Provider, Limits::default()),
                    (Behind::Provider, tight()),
                    (Behind::Nobody, Limits::default()),
                ] {
                    let mut splitter = begin(case.protocol, behind, limits);
                    meddle(&mut *splitter, &chunks);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", case.path.display()));
    }
}

/// Feeds the chunks, and does one thing or another with each call.
pub(crate) fn meddle(splitter: &mut dyn Splitter, chunks: &[(bool, Vec<u8>)]) {
    let answers: Vec<Value> = [
        r#"{"value":[1,"a",{"b":null}]}"#,
        r#"{"error":"40001"}"#,
        r#"{"rows":[{"a":1,"b":"x"}],"count":1}"#,
        r#"{"status":451}"#,
        r#"{"error":{"code":"23505","constraint":"c"}}"#,
        "null",
    ]
    .into_iter()
    .map(|text| seam_value::parse(text).expect("JSON"))
    .collect();
    let mut pieces = Vec::new();
    splitter.begin(&mut pieces);
    for (to_provider, bytes) in chunks {
        let direction = if *to_provider { Direction::ToProvider } else { Direction::ToConsumer };
        let surprise = splitter.cut(direction, bytes, &mut pieces);
        for piece in pieces.drain(..) {
            let Of::Request { call, .. } = piece.of else {
                let _ = splitter.deliver_again(&piece.bytes);
                continue;
            };
            let answer = &answers[usize::try_from(call).expect("small") % answers.len()];
            match (call + piece.bytes.len() as u64) % 5 {
                0 => drop(splitter.again(call, &piece.bytes)),
                1 => splitter.forget(call),
                2 => {
                    splitter.instead(call, answer);
                    let _ = splitter.answer(call, answer);
                }
                3 => {
                    let _ = splitter.answer(call, answer);
                    splitter.instead(call, answer);
                }
                _ => {}
            }
        }
        let _ = splitter.push(&Value::map([("topic", Value::text("a")), ("body", Value::text("b"))]));
        if surprise.is_err() {
            break;
        }
    }
    splitter.take_rest(Direction::ToProvider);
    splitter.take_rest(Direction::ToConsumer);
}

/// A consumer's side and a provider's side, and what becomes of each request in between.
pub(crate) struct Talk {
    pub(crate) splitter: Box<dyn Splitter>,
    pub(crate) to_provider: Vec<u8>,
    pub(crate) to_consumer: Vec<u8>,
    pub(crate) requests: Vec<(Call, Value)>,
}

impl Talk {
    pub(crate) fn new(name: &str, behind: Behind) -> Self {
        let mut splitter = begin(protocol(name).expect("a protocol"), behind, Limits::default());
        let mut pieces = Vec::new();
        splitter.begin(&mut pieces);
        let to_consumer = pieces.into_iter().flat_map(|piece| piece.bytes).collect();
        Self { splitter, to_provider: Vec::new(), to_consumer, requests: Vec::new() }
    }

    /// The consumer says this. Requests wait in `requests`, whose bytes are not passed on before [`pass`](Self::pass).
    pub(crate) fn asks(&mut self, bytes: &[u8]) -> Vec<(Call, Vec<u8>)> {
        let mut pieces = Vec::new();
        self.splitter.cut(Direction::ToProvider, bytes, &mut pieces).expect("no surprise");
        let mut held = Vec::new();
        for piece in pieces {
            match piece.of {
                Of::Request { call, read, .. } => {
                    self.requests.push((call, read.read().request));
                    held.push((call, piece.bytes));
                }
                _ => self.write(piece.to, &piece.bytes),
            }
        }
        held
    }

    /// The provider says this.
    pub(crate) fn says(&mut self, bytes: &[u8]) {
        let mut pieces = Vec::new();
        self.splitter.cut(Direction::ToConsumer, bytes, &mut pieces).expect("no surprise");
        for piece in pieces {
            self.write(piece.to, &piece.bytes);
        }
    }

    /// A call is answered in the provider's place.
    pub(crate) fn answer(&mut self, call: Call, answer: &str) {
        let answer = seam_value::parse(answer).expect("JSON");
        let bytes = self.splitter.answer(call, &answer).expect("an answer");
        self.to_consumer.extend_from_slice(&bytes);
        let bytes = self.splitter.instead(call, &answer);
        self.to_provider.extend_from_slice(&bytes);
    }

    pub(crate) fn write(&mut self, to: Direction, bytes: &[u8]) {
        match to {
            Direction::ToProvider => self.to_provider.extend_from_slice(bytes),
            Direction::ToConsumer => self.to_consumer.extend_from_slice(bytes),
        }
    }

    /// What the consumer got since last asked.
    pub(crate) fn heard(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.to_consumer)).into_owned()
    }

    /// What the provider got since last asked.
    pub(crate) fn passed(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.to_provider)).into_owned()
    }
}
