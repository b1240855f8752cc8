//! What is pushed never stands in the middle of something: wherever a connection stands when it is said, those who read it
//! read what they would have read without it, and one message more.

use crate::capture::Piece as Chunk;
use crate::captures::Case;
use crate::splits::{begin, every_case};
use seam_value::Value;
use seam_wire::{Behind, Conversation, Direction, Limits, Of, Piece, Splitting, protocol};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a capture is fed, and where something is pushed.
struct Feed<'a> {
    case: &'a Case,
    limits: Limits,
    /// In parts of so many bytes.
    size: usize,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    /// Requests with their replies, of which some tell how much was said in them.
    n_exchanges: usize,
    messages: Vec<String>,
    surprise: Option<String>,
    /// The fields of messages that the provider said, each with the number of the part with which it was told.
    said: Vec<(usize, Value)>,
    n_parts: usize,
    /// What became of the push.
    pushed: Option<Result<(), String>>,
}

impl Feed<'_> {
    /// Feeds the capture, and pushes the message behind that part.
    fn follow(&self, push: Option<(usize, &Value)>) -> Outcome {
        let mut splitter = begin(self.case.protocol, Behind::Provider, self.limits);
        splitter.gather_replies(false);
        let mut reader = self.case.protocol.begin(Limits::default());
        let (mut outcome, mut exchanges, mut pieces) = (Outcome::default(), Vec::new(), Vec::new());
        let at = Duration::from_secs(1);
        'all: for chunk in &self.case.pieces {
            let Chunk::Bytes(direction, bytes) = chunk else { continue };
            for part in bytes.chunks(self.size) {
                let cut = splitter.cut(*direction, part, &mut pieces);
                let mut written = Vec::new();
                for piece in pieces.drain(..) {
                    let bytes = splitter.passes(piece.to, piece.bytes);
                    written.push((piece.to, bytes));
                    if let (Of::Message { read, .. }, Direction::ToConsumer) = (piece.of, piece.to) {
                        outcome.said.push((outcome.n_parts, read.read().message));
                    }
                }
                if let Some((behind, message)) = push
                    && behind == outcome.n_parts
                {
                    let pushed = splitter.push(message);
                    outcome.pushed = Some(pushed.map_err(|wrong| wrong.to_string()).map(|bytes| {
                        written.push((Direction::ToConsumer, splitter.passes(Direction::ToConsumer, bytes)));
                    }));
                }
                for (to, bytes) in written {
                    let told = reader.feed(to, &bytes, at, &mut exchanges).err();
                    outcome.surprise = outcome.surprise.take().or(told.map(|surprise| surprise.to_string()));
                }
                outcome.n_parts += 1;
                if cut.is_err() {
                    break 'all;
                }
            }
        }
        let lines = exchanges.into_iter().map(|exchange| exchange.captured.read());
        for parts in lines {
            if parts.message == Value::Null {
                outcome.n_exchanges += 1;
            } else {
                outcome.messages.push(parts.message.to_string());
            }
        }
        outcome
    }
}

fn counted(messages: &[String]) -> BTreeMap<&str, i32> {
    let mut counted = BTreeMap::new();
    for message in messages {
        *counted.entry(message.as_str()).or_default() += 1;
    }
    counted
}

/// Is it the first chunk in which the provider of that capture delivers something?
fn says(chunk: &Chunk, name: &str) -> bool {
    let first: &[u8] = match name {
        "nats-py" => b"MSG ",
        "mqtt-paho-5" => b"0",
        _ => b">3\r\n$7\r\nmessage",
    };
    matches!(chunk, Chunk::Bytes(Direction::ToConsumer, bytes) if bytes.starts_with(first))
}

/// All captures, with something long behind those of brokers, and streams of events.
fn cases() -> Vec<Case> {
    let long = "x".repeat(1500);
    let long = long.as_bytes();
    let later = [
        ("nats-py", [b"MSG work 2 1500\r\n", long, b"\r\n"].concat()),
        ("mqtt-paho-5", [b"\x30\xe1\x0b\0\x02it\0", long].concat()),
        ("redis-pubsub-resp3", [b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1500\r\n", long, b"\r\n"].concat()),
    ];
    let mut all: Vec<Case> = every_case().filter(|case| case.protocol.name() != "tcp").collect();
    for (name, bytes) in later {
        let case = all.iter_mut().find(|case| case.path.file_stem().is_some_and(|stem| stem == name));
        let case = case.expect("a capture");
        // Right behind what the provider says first, while there are subscriptions.
        let message = case.pieces.iter().position(|chunk| says(chunk, name));
        let at = message.map_or(0, |at| at + 1);
        case.pieces.insert(at, Chunk::Bytes(Direction::ToConsumer, bytes));
    }
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (name, framing) in [("events", ""), ("chunks", chunked)] {
        let chunk = |text: &str| {
            if framing.is_empty() { text.to_owned() } else { format!("{:x}\r\n{text}\r\n", text.len()) }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n{}",
            chunk("data: 1\n\n")
        );
        let more =
            ["data: 22", &format!("\ndata: {}", "x".repeat(1500)), "\n", "\ndata: 4\n\n"].map(chunk).concat();
        let pieces = vec![
            Chunk::Bytes(Direction::ToProvider, b"GET /feed HTTP/1.1\r\n\r\n".to_vec()),
            Chunk::Bytes(Direction::ToConsumer, head.into_bytes()),
            Chunk::Bytes(Direction::ToConsumer, more.into_bytes()),
        ];
        all.push(Case { path: name.into(), protocol: protocol("http").expect("a protocol"), pieces });
    }
    all
}

#[test]
fn what_is_pushed_stands_between() {
    let mut pushed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let keeping = |kept_body| Limits { kept_body, ..Limits::default() };
        for (limits, size) in [
            (keeping(1024), usize::MAX),
            (keeping(64), 7),
            (keeping(4), 7),
            (keeping(4), 1),
            (keeping(0), 3),
            (Limits { kept_open: 600, head: 600, ..keeping(4) }, 7),
        ] {
            let all = Feed { case: &case, limits: keeping(1024), size }.follow(None);
            let Some((from, message)) = all.said.first() else { continue };
            let feed = Feed { case: &case, limits, size };
            let as_it_is = feed.follow(None);
            let n_places = all.n_parts - from;
            for behind in (*from..all.n_parts).step_by(1 + n_places / 60) {
                let outcome = feed.follow(Some((behind, message)));
                let known = pushed.entry(case.protocol.name()).or_default();
                if outcome.pushed.as_ref().is_none_or(Result::is_err) {
                    known.1 += 1;
                    continue;
                }
                known.0 += 1;
                let (mut now, before) = (counted(&outcome.messages), counted(&as_it_is.messages));
                for (message, n_times) in before {
                    *now.entry(message).or_default() -= n_times;
                }
                now.retain(|_, n_times| *n_times != 0);
                // A reply that is one message is read as such, and one of two is not.
                let n_more = if case.protocol.name() == "grpc" { 2 } else { 1 };
                let n_new: i32 = now.values().sum();
                let is_one_more = now.values().all(|n_times| *n_times > 0) && (1..=n_more).contains(&n_new);
                let is_else_as_before = outcome.n_exchanges == as_it_is.n_exchanges;
                if outcome.surprise != as_it_is.surprise || !is_one_more || !is_else_as_before {
                    let of = case.path.file_stem().expect("a name").to_string_lossy().into_owned();
                    wrong.push(format!(
                        "{of} by {size} {limits:?} behind {behind}: {:?} {now:?}",
                        outcome.surprise
                    ));
                }
            }
        }
    }
    for name in ["amqp", "grpc", "http", "mqtt", "nats", "postgres", "redis"] {
        assert!(pushed.get(name).is_some_and(|(n_pushed, _)| *n_pushed > 10), "{name}: {pushed:?}");
    }
    assert!(wrong.is_empty(), "{} times\n{}", wrong.len(), wrong.join("\n"));
}

/// An event that is longer than what is kept is told by nobody, nor is its end, also where it comes to be held within it.
#[test]
fn the_end_of_a_long_event_is_no_event() {
    let limits = Limits { kept_body: 64, ..Limits::default() };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
    let (begin, end) = (format!("data: {}", "x".repeat(100)), "\ndata: tail\n\ndata: 2\n\n");
    let (mut exchanges, mut pieces) = (Vec::new(), Vec::new());
    let mut conversation = protocol("http").expect("a protocol").begin(limits);
    let mut feed = |conversation: &mut dyn Conversation, to, text: &str| {
        conversation.feed(to, text.as_bytes(), Duration::ZERO, &mut exchanges).expect("HTTP");
        exchanges.len()
    };
    feed(&mut *conversation, Direction::ToProvider, "GET /feed HTTP/1.1\r\n\r\n");
    feed(&mut *conversation, Direction::ToConsumer, head);
    assert_eq!(feed(&mut *conversation, Direction::ToConsumer, &begin), 1, "the first");
    assert!(conversation.may_split(Direction::ToConsumer));
    let mut splitter =
        conversation.split(Splitting { limits, behind: Behind::Provider }).expect("a splitter");
    assert_eq!(feed(&mut *conversation, Direction::ToConsumer, end), 2, "and the one behind it");
    let event = Value::map([("data", Value::text("pushed"))]);
    assert!(splitter.push(&event).is_err(), "in the middle");
    splitter.cut(Direction::ToConsumer, end.as_bytes(), &mut pieces).expect("events");
    let told = |piece: Piece| match piece.of {
        Of::Message { read, .. } => Some(read.read().message.to_string()),
        _ => None,
    };
    let told: Vec<String> = pieces.into_iter().filter_map(told).collect();
    assert!(told.len() == 1 && told[0].contains(r#""data":2"#), "{told:?}");
    assert!(splitter.push(&event).is_ok(), "between");
}
