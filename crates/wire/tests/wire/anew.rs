//! What is garbled or said anew stays well framed: in each capture every message and every reply's content is changed, and
//! the same decoders read as many interactions as before, none of them with a surprise.
//!
//! One table says of each protocol what was changed; a protocol joins with its line.

use crate::capture::Piece as Chunk;
use crate::splits::{begin, every_case};
use seam_value::Value;
use seam_wire::{
    Anew, Behind, Call, Captured, Carried, Deed, Direction, Limits, Of, PROTOCOLS, Parts, Piece, Protocol,
    Splitter, Underway,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much of a protocol's captures can be changed: messages, replies. None of one that lacks the deed.
const TABLE: &[(&str, bool, bool)] = &[
    ("http", true, true),
    ("grpc", true, true),
    ("amqp", true, true),
    ("kafka", true, true),
    ("mqtt", true, false),
    ("mysql", false, true),
    ("nats", true, false),
    ("postgres", true, true),
    ("redis", true, true),
    ("smtp", false, true),
    ("smtps", false, true),
    ("tcp", false, false),
];

/// What is done to each message and each reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Nothing,
    /// Its characters are others.
    Noise,
    /// The end of a message's content is missing.
    Cut,
    /// Its fields are said as they were read.
    Same,
}

/// What came of a capture.
#[derive(Debug, Default)]
struct Outcome {
    lines: Vec<String>,
    n_messages: usize,
    n_replies: usize,
    /// Why messages could not be said anew.
    refusals: Vec<String>,
    surprise: Option<String>,
}

/// Follows a capture, and reads what is written like whoever looks on.
fn follow(protocol: &dyn Protocol, chunks: &[Chunk], done: Done) -> Outcome {
    let limits = Limits::default();
    let mut splitter = begin(protocol, Behind::Provider, limits);
    let mut reader = protocol.begin(limits);
    let (mut outcome, mut exchanges, mut pieces) = (Outcome::default(), Vec::new(), Vec::new());
    let at = Duration::from_secs(1);
    for chunk in chunks {
        let Chunk::Bytes(direction, bytes) = chunk else { continue };
        let cut = splitter.cut(*direction, bytes, &mut pieces);
        let mut all = std::mem::take(&mut pieces);
        splitter.follow(&mut all);
        for piece in all {
            let to = piece.to;
            let written = change(&mut *splitter, piece, done, &mut outcome);
            let written = splitter.passes(to, written);
            let told = reader.feed(to, &written, at, &mut exchanges).err();
            outcome.surprise = outcome.surprise.take().or(told.map(|surprise| surprise.to_string()));
        }
        if cut.is_err() {
            break;
        }
    }
    outcome.lines = exchanges.into_iter().map(|exchange| line(exchange.captured.read())).collect();
    outcome
}

fn line(parts: Parts) -> String {
    Value::map([("request", parts.request), ("reply", parts.reply), ("message", parts.message)]).to_string()
}

fn change(splitter: &mut dyn Splitter, piece: Piece, done: Done, outcome: &mut Outcome) -> Vec<u8> {
    let Piece { to, bytes, of } = piece;
    let noise = |content: &mut [u8]| {
        for byte in content.iter_mut() {
            *byte = if *byte == b'x' { b'y' } else { b'x' };
        }
    };
    let said = match of {
        _ if done == Done::Nothing => return bytes,
        Of::Message { call, read } => {
            let message = Underway { to, call, bytes: &bytes };
            let before = read.read().message;
            let said = match done {
                Done::Same => splitter.say_anew(message, Anew::Fields(&before, &before)),
                Done::Cut => splitter
                    .say_anew(message, Anew::Content(&mut |content| content.truncate(content.len() / 2))),
                _ => splitter.say_anew(message, Anew::Content(&mut |content| noise(content))),
            };
            said.inspect(|said| outcome.n_messages += usize::from(*said != bytes || done == Done::Same))
                .inspect_err(|refused| outcome.refusals.push(refused.to_string()))
                .ok()
        }
        Of::Request { call, whole: true, read, .. } | Of::Reply { call, whole: true, read, .. }
            if read.carries_messages() =>
        {
            change_carried(splitter, (call, to), &bytes, (&*read, done), outcome)
        }
        Of::Reply { call, .. } if done == Done::Noise => {
            let said = splitter.with_body(call, &bytes, &mut |content| noise(content));
            said.inspect(|said| {
                assert_eq!(said.len(), bytes.len(), "it is as long as before");
                outcome.n_replies += usize::from(*said != bytes);
            })
        }
        _ => None,
    };
    said.unwrap_or(bytes)
}

/// The same for all messages that a call carries. A reply's content is theirs.
fn change_carried(
    splitter: &mut dyn Splitter,
    (call, to): (Call, Direction),
    bytes: &[u8],
    (read, done): (&dyn Captured, Done),
    outcome: &mut Outcome,
) -> Option<Vec<u8>> {
    let apart = read.apart();
    let change = move |content: &mut Vec<u8>| match done {
        Done::Cut => content.truncate(content.len() / 2),
        _ => content.fill(b'x'),
    };
    let mut changes = vec![change; apart.len()];
    let (mut carried, mut changes) = (Vec::new(), changes.iter_mut());
    for of_place in apart.chunk_by(|one, other| one.place == other.place) {
        let messages = of_place.iter().map(|one| &one.parts.message).filter(|said| **said != Value::Null);
        for (message, said) in messages.enumerate() {
            let anew = match (done, changes.next()) {
                (Done::Cut | Done::Noise, Some(change)) => Anew::Content(change),
                _ => Anew::Fields(said, said),
            };
            carried.push(Carried { place: of_place[0].place, message, anew: Some(anew) });
        }
    }
    let said = splitter.say_carried_anew(call, (to, bytes), &mut carried).ok()?;
    for (_, why) in &said.refused {
        outcome.refusals.extend(why.as_ref().map(ToString::to_string));
    }
    outcome.n_messages += carried.len() - said.refused.len();
    if done == Done::Same {
        assert_eq!(said.bytes, bytes, "it says the same");
        outcome.n_messages += carried.len();
    }
    if done == Done::Noise && to == Direction::ToConsumer {
        let noise = splitter.with_body(call, bytes, &mut |content| content.fill(b'x'));
        outcome.n_replies += usize::from(noise.is_some_and(|noise| noise != bytes));
    }
    Some(said.bytes)
}

/// An interaction without what content it has.
fn without_content(line: &str) -> String {
    fn bare(value: &Value) -> Value {
        const CONTENT: &[&str] =
            &["text", "body", "data", "bodies", "rows", "value", "length", "error", "trailers", "copied"];
        match value {
            Value::Map(map) => {
                let kept = map.iter().filter(|(name, _)| !CONTENT.contains(&name.as_str()));
                Value::Map(kept.map(|(name, value)| (name.clone(), bare(value))).collect())
            }
            Value::List(_) => Value::Null,
            value => value.clone(),
        }
    }
    bare(&seam_value::parse(line).expect("a line of ours")).to_string()
}

#[test]
fn what_is_changed_stays_well_framed() {
    let mut changed: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for case in every_case().filter(|case| case.protocol.name() != "tcp") {
        let as_it_is = follow(case.protocol, &case.pieces, Done::Nothing);
        for done in [Done::Noise, Done::Cut, Done::Same] {
            let outcome = follow(case.protocol, &case.pieces, done);
            let of = format!("{:?}, {done:?}", case.path.file_name());
            assert_eq!(outcome.surprise, as_it_is.surprise, "{of}");
            assert_eq!(outcome.lines.len(), as_it_is.lines.len(), "{of}");
            for (actual, expected) in outcome.lines.iter().zip(&as_it_is.lines) {
                if done == Done::Same {
                    assert_eq!(actual, expected, "{of}");
                } else {
                    assert_eq!(without_content(actual), without_content(expected), "{of}");
                }
            }
            let known = changed.entry(case.protocol.name()).or_default();
            *known = (known.0 || (outcome.n_messages > 0), known.1 || (outcome.n_replies > 0));
        }
    }
    for protocol in PROTOCOLS {
        let line = TABLE.iter().find(|(name, ..)| *name == protocol.name());
        let (name, messages, replies) =
            line.unwrap_or_else(|| panic!("{protocol:?} has no line in the table"));
        let lacks = |deed| protocol.lacks(deed).is_some();
        assert_eq!((lacks(Deed::ChangeMessage), lacks(Deed::GarbleReply)), (!messages, !replies), "{name}");
        let spoken = if *name == "smtps" { "smtp" } else { name };
        let done = changed.get(spoken).copied().unwrap_or_default();
        assert_eq!(done, (*messages, *replies), "{name}: its captures");
    }
}

/// What a side says before the other one says anything, all at once.
fn joined(chunks: &[Chunk]) -> Vec<Chunk> {
    let mut joined: Vec<Chunk> = Vec::new();
    for chunk in chunks {
        match (joined.last_mut(), chunk) {
            (Some(Chunk::Bytes(last, before)), Chunk::Bytes(to, bytes)) if last == to => {
                before.extend_from_slice(bytes);
            }
            _ => joined.push(chunk.clone()),
        }
    }
    joined
}

/// All that the consumer says, and then all that the provider says.
fn one_after_the_other(chunks: &[Chunk]) -> Vec<Chunk> {
    let of = |side| chunks.iter().filter(move |chunk| matches!(chunk, Chunk::Bytes(to, _) if *to == side));
    let chunks: Vec<_> = of(Direction::ToProvider).chain(of(Direction::ToConsumer)).cloned().collect();
    joined(&chunks)
}

/// Messages come together with each other and with the end of what they belong to: a side writes when it likes.
#[test]
fn what_comes_with_its_end_can_be_said_anew() {
    for case in every_case().filter(|case| case.protocol.name() != "tcp") {
        let name = case.path.file_stem().expect("a name").to_string_lossy();
        let at_once = joined(&case.pieces);
        for done in [Done::Nothing, Done::Noise, Done::Cut, Done::Same] {
            let bit_by_bit = follow(case.protocol, &case.pieces, done);
            let outcome = follow(case.protocol, &at_once, done);
            let of = format!("{name}, {done:?}");
            assert_eq!(counted(&outcome.refusals), counted(&bit_by_bit.refusals), "{of}");
            assert_eq!(outcome.lines.len(), bit_by_bit.lines.len(), "{of}");
            assert_eq!(outcome.surprise, bit_by_bit.surprise, "{of}");
        }
    }
}

/// Calls that wait for nothing of each other: by then they are over, and others have come behind them.
#[test]
fn what_is_over_can_be_said_anew() {
    let is_it = |name: &str| ["grpc-grpcio", "http-two-node-mixed", "http-events"].contains(&name);
    let mut n_messages = 0;
    for case in every_case() {
        let name = case.path.file_stem().expect("a name").to_string_lossy();
        let chunks = one_after_the_other(&case.pieces);
        for done in [Done::Noise, Done::Cut, Done::Same].into_iter().filter(|_| is_it(&name)) {
            let as_it_is = follow(case.protocol, &chunks, Done::Nothing);
            let outcome = follow(case.protocol, &chunks, done);
            let of = format!("{name}, {done:?}");
            assert_eq!(outcome.refusals, Vec::<String>::new(), "{of}");
            assert_eq!(outcome.lines.len(), as_it_is.lines.len(), "{of}");
            assert_eq!(outcome.surprise, as_it_is.surprise, "{of}");
            n_messages += outcome.n_messages;
        }
    }
    assert!(n_messages >= 15, "{n_messages}");
}

fn counted(refusals: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    for refused in refusals {
        *counted.entry(refused.as_str()).or_default() += 1;
    }
    counted
}

/// A server that has little to say writes its events and their end at once.
#[test]
fn events_that_come_with_their_end_stay_well_framed() {
    let http = PROTOCOLS.iter().find(|protocol| protocol.name() == "http").expect("a protocol");
    let reply = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                 b\r\ndata: abc\n\n\r\nb\r\ndata: def\n\n\r\n0\r\n\r\n";
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let again = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ghi\n\n";
    let asked = ["feed", "after", "again"].map(|path| format!("GET /{path} HTTP/1.1\r\n\r\n")).concat();
    let chunks = [(Direction::ToProvider, asked), (Direction::ToConsumer, format!("{reply}{plain}{again}"))]
        .map(|(to, text)| Chunk::Bytes(to, text.into_bytes()));
    let outcome = follow(*http, &chunks, Done::Noise);
    let texts: Vec<String> = outcome.lines.iter().map(|line| without_content(line)).collect();
    assert_eq!((outcome.surprise, outcome.n_messages, outcome.lines.len()), (None, 3, 5), "{texts:?}");
    assert!(outcome.lines[0].contains(r#""data":"xxx""#), "{:?}", outcome.lines);
}

/// The content of a reply in HTTP/1 stands between its head, the lines of its chunks and its trailers.
#[test]
fn contents_of_replies() {
    let http = PROTOCOLS.iter().find(|protocol| protocol.name() == "http").expect("a protocol");
    let splitter = begin(*http, Behind::Provider, Limits::default());
    let (ok, chunked) = ("HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n");
    for (head, reply, expected) in [
        ("Content-Length: 4\r\n", "aaaa", Some("xxxx")),
        ("Content-Length: 9000000\r\n", "aaaa", Some("xxxx")),
        ("", "aaaa\r\n\r\na", Some("xxxxxxxxx")),
        (chunked, "3\r\naaa\r\n4;x\r\naaaa\r\n8\r\naa\r\na", Some("3\r\nxxx\r\n4;x\r\nxxxx\r\n8\r\nxxxxx")),
        (chunked, "3\r\naaa\r\n0\r\na: a\r\n\r\n", Some("3\r\nxxx\r\n0\r\na: a\r\n\r\n")),
        (chunked, "3\r\na", Some("3\r\nx")),
        (chunked, "aaa", Some("aaa")),
        (chunked, "z", None),
    ] {
        let changed = splitter
            .with_body(1, format!("{ok}{head}\r\n{reply}").as_bytes(), &mut |content| content.fill(b'x'));
        let expected = expected.map(|expected| format!("{ok}{head}\r\n{expected}"));
        assert_eq!(changed.map(|changed| String::from_utf8(changed).expect("text")), expected, "{reply}");
    }
}

#[test]
fn nobody_says_anew_what_is_no_message() {
    for protocol in PROTOCOLS.iter().filter(|protocol| protocol.name() != "tcp") {
        let mut splitter = begin(*protocol, Behind::Provider, Limits::default());
        for bytes in [&b""[..], b"\0", b"soup", &[0xff; 64], &[0; 64], b"MSG", b"*3\r\n$1", b"$99\r\nx"] {
            for to in [Direction::ToProvider, Direction::ToConsumer] {
                let message = Underway { to, call: Some(1), bytes };
                let _ = splitter.say_anew(message, Anew::Content(&mut |content| content.reverse()));
                let _ = splitter.with_body(1, bytes, &mut |content| content.reverse());
            }
        }
    }
}
