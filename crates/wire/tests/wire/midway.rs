//! Connections that come to be held wherever they stand: at each byte at which both directions may be cut, with calls open,
//! bodies half passed and streams under way, both sides go on to understand what they would have, and what begins
//! afterwards is told as if it had been held from the start.

use crate::capture::Piece as Chunk;
use crate::captures::all;
use crate::http2::Renumbered;
use crate::http2_talk::{DOWN, END, END_HEADERS, GET, OK, POST, UP, frame, frames};
use crate::law::{asks_for_leave, is_kept_as_it_is};
use seam_value::Value;
use seam_wire::{
    Behind, Conversation, Direction, Exchange, Limits, Of, Protocol, Splitter, Splitting, protocol,
};
use std::time::Duration;

type Chunks = Vec<(Direction, Vec<u8>)>;

/// What one connection says, and what is tested with it.
struct Said {
    name: String,
    protocol: &'static dyn Protocol,
    chunks: Chunks,
    /// Do the bytes pass as they are?
    is_kept: bool,
}

fn http() -> &'static dyn Protocol {
    protocol("http").expect("a protocol")
}

fn grpc() -> &'static dyn Protocol {
    protocol("grpc").expect("a protocol")
}

fn captured() -> impl Iterator<Item = Said> {
    all().into_iter().filter_map(|case| {
        let name = case.path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = |chunk: &Chunk| match chunk {
            Chunk::Bytes(direction, bytes) => Some((*direction, bytes.clone())),
            Chunk::End(..) => None,
        };
        let chunks: Chunks = case.pieces.iter().filter_map(bytes).collect();
        let is_kept = is_kept_as_it_is(&case) && !name.contains("events");
        // Whoever holds a request waits for all of it, and no provider answers before it has heard anything.
        let is_ours = matches!(case.protocol.name(), "http" | "grpc") && !asks_for_leave(&chunks);
        let is_early = name.contains("early");
        (is_ours && !is_early).then_some(Said { name, protocol: case.protocol, chunks, is_kept })
    })
}

fn made() -> Vec<Said> {
    let said =
        |name: &str, protocol, chunks| Said { name: name.to_owned(), protocol, chunks, is_kept: false };
    vec![
        said("events", http(), events()),
        said("pipelined", http(), pipelined()),
        said("streams", http(), http2_events()),
        said("messages", grpc(), messages()),
    ]
}

fn events() -> Chunks {
    let mut chunks = vec![
        (UP, b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        (
            DOWN,
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec(),
        ),
    ];
    for n in 0..4 {
        let event = format!("id: {n}\r\ndata: {{\"n\":{n}}}\n\n");
        let (first, second) = event.split_at(9);
        for part in [first, second] {
            chunks.push((DOWN, format!("{:x}\r\n{part}\r\n", part.len()).into_bytes()));
        }
    }
    chunks.push((DOWN, b"13\r\ndata: 5\n\ndata: 6\n\n\n\r\n0\r\nx-last: 1\r\n\r\n".to_vec()));
    chunks
}

fn pipelined() -> Chunks {
    let mut up = Vec::new();
    for n in 0..3 {
        up.extend(format!("POST /{n} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nbody{n}").into_bytes());
        up.extend(format!("PUT /c{n} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").into_bytes());
    }
    let down = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"
        .repeat(6);
    let half = up.len() / 2;
    vec![
        (UP, up[..half].to_vec()),
        (DOWN, down[..100].to_vec()),
        (UP, up[half..].to_vec()),
        (DOWN, down[100..].to_vec()),
    ]
}

fn preface() -> Chunks {
    vec![
        (UP, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        (UP, frame(4, 0, 0, b"\0\x04\0\0\0\x40")),
        (DOWN, frame(4, 0, 0, b"")),
        (UP, frame(4, 1, 0, b"")),
        (DOWN, frame(4, 1, 0, b"")),
    ]
}

/// `content-type: text/event-stream`, which goes into the table, or is in it.
const EVENTS: &[u8] = b"\x5f\x11text/event-stream";

fn http2_events() -> Chunks {
    let mut chunks = preface();
    chunks.push((UP, frame(1, END | END_HEADERS, 1, GET)));
    chunks.push((DOWN, frame(1, END_HEADERS, 1, &[OK, EVENTS].concat())));
    chunks.push((UP, frame(1, 0, 3, &POST[..1])));
    chunks.push((UP, frame(9, END_HEADERS, 3, &POST[1..])));
    for n in 0..3 {
        chunks.push((DOWN, frame(0, 0, 1, format!("data: {n}\n\nda").as_bytes())));
        chunks.push((UP, frame(0, 8, 3, b"\x02half\0\0")));
        chunks.push((DOWN, frame(8, 0, 3, &6_u32.to_be_bytes())));
        chunks.push((DOWN, frame(0, 0, 1, b"ta: more\n\n")));
        chunks.push((UP, frame(8, 0, 1, &20_u32.to_be_bytes())));
    }
    chunks.push((UP, frame(0, END, 3, b"end")));
    chunks.push((DOWN, frame(1, END_HEADERS, 3, OK)));
    chunks.push((DOWN, frame(0, 0, 3, b"begun")));
    // `:status 200` again, and the type as it stands in the table.
    chunks.push((UP, frame(1, END | END_HEADERS, 5, b"\x82\x84\x86\xbe")));
    chunks.push((DOWN, frame(1, END_HEADERS, 5, b"\x88\xbe")));
    chunks.push((DOWN, frame(0, END, 5, b"data: x\n\n")));
    chunks.push((DOWN, frame(0, END, 3, b" and ended")));
    chunks.push((DOWN, frame(3, 0, 1, &8_u32.to_be_bytes())));
    chunks
}

/// `:path /s/M, content-type: application/grpc`, not in the table.
const CALL: &[u8] = b"\x83\x86\x04\x04/s/M\x0f\x10\x10application/grpc";
const CALLED: &[u8] = b"\x88\x0f\x10\x10application/grpc";
const DONE: &[u8] = b"\x00\x0bgrpc-status\x010";

fn messages() -> Chunks {
    let mut chunks = preface();
    let message = |n: u8| [0, 0, 0, 0, 3, 8, n, 0].to_vec();
    chunks.push((UP, frame(1, END_HEADERS, 1, CALL)));
    chunks.push((UP, frame(0, 0, 1, &message(99))));
    chunks.push((DOWN, frame(1, END_HEADERS, 1, CALLED)));
    for n in 0..4 {
        chunks.push((UP, frame(0, 0, 1, &message(n))));
        chunks.push((DOWN, frame(0, 0, 1, &[message(n), message(n + 10)[..3].to_vec()].concat())));
        chunks.push((UP, frame(0, 0, 1, &message(n + 20)[..6])));
        chunks.push((DOWN, frame(0, 0, 1, &message(n + 10)[3..])));
        chunks.push((UP, frame(0, 0, 1, &message(n + 20)[6..])));
    }
    chunks.push((UP, frame(0, END, 1, b"")));
    chunks.push((DOWN, frame(1, END | END_HEADERS, 1, DONE)));
    chunks
}

/// One side of the seam, as it hears the connection.
struct Watched {
    conversation: Box<dyn Conversation>,
    exchanges: Vec<Exchange>,
}

impl Watched {
    fn new(protocol: &dyn Protocol) -> Self {
        Self { conversation: protocol.begin(Limits::default()), exchanges: Vec::new() }
    }

    /// False where that is a surprise.
    fn feed(&mut self, direction: Direction, bytes: &[u8]) -> bool {
        self.conversation.feed(direction, bytes, Duration::ZERO, &mut self.exchanges).is_ok()
    }

    fn may_split(&self) -> bool {
        self.conversation.may_split(UP) && self.conversation.may_split(DOWN)
    }

    fn told(mut self) -> Vec<String> {
        for direction in [UP, DOWN] {
            self.conversation.end(direction, seam_wire::End::Stopped, Duration::ZERO, &mut self.exchanges);
        }
        let line = |exchange: Exchange| {
            let (error, ended) = (exchange.error, exchange.ended.is_some());
            let seam_wire::Parts { request, reply, message, .. } = exchange.captured.read();
            format!("{request} {reply} {message} {error:?} {ended}")
        };
        let mut told: Vec<String> = self.exchanges.into_iter().map(line).collect();
        told.sort();
        told
    }
}

fn split(watched: &Watched) -> Option<Box<dyn Splitter>> {
    watched.conversation.split(Splitting { limits: Limits::default(), behind: Behind::Provider })
}

/// What requests, replies and messages say.
fn what(of: Of) -> Option<String> {
    let parts = match of {
        Of::Request { read, .. } | Of::Reply { read, .. } | Of::Message { read, .. } => read.read(),
        _ => return None,
    };
    let said = [parts.request, parts.reply, parts.message];
    said.iter().find(|said| **said != Value::Null).map(Value::to_string)
}

/// What is told when it is held from a byte on; none where the bytes surprise. All that it does is compared with the
/// original.
fn from(said: &Said, place: usize, original: &[String]) -> Option<Vec<String>> {
    let (mut consumer, mut provider) = (Watched::new(said.protocol), Watched::new(said.protocol));
    let mut left = place;
    let mut splitter: Option<Box<dyn Splitter>> = None;
    let (mut pieces, mut told) = (Vec::new(), Vec::new());
    let (mut came, mut went): ([Vec<u8>; 2], [Vec<u8>; 2]) = Default::default();
    let is_two = said.chunks.first().is_some_and(|(_, bytes)| bytes.starts_with(b"PRI "));
    // A request that was gathered may have been overtaken, and has another number then.
    let mut numbers = Renumbered::default();
    for (direction, bytes) in &said.chunks {
        let (passed, held) = bytes.split_at(left.min(bytes.len()));
        left -= passed.len();
        if !passed.is_empty() {
            assert!(consumer.feed(*direction, passed) && provider.feed(*direction, passed));
        }
        if left > 0 || held.is_empty() {
            continue;
        }
        let splitter = splitter.get_or_insert_with(|| {
            let mut splitter = split(&consumer).expect("a splitter");
            splitter.begin(&mut pieces);
            splitter
        });
        let index = usize::from(*direction == DOWN);
        came[index].extend_from_slice(held);
        let held = if is_two && *direction == DOWN { numbers.says(held) } else { held.to_vec() };
        let is_understood = match *direction {
            UP => consumer.feed(UP, &held),
            DOWN => provider.feed(DOWN, &held),
        };
        if !is_understood {
            return None;
        }
        let cut = splitter.cut(*direction, &held, &mut pieces);
        for piece in pieces.drain(..) {
            let sent = piece.bytes.clone();
            let bytes = splitter.passes(piece.to, piece.bytes);
            if is_two && let (UP, Of::Request { .. }) = (piece.to, &piece.of) {
                numbers.hears(&sent, &bytes);
            }
            went[usize::from(piece.to == DOWN)].extend_from_slice(&bytes);
            let is_understood = match piece.to {
                UP => provider.feed(UP, &bytes),
                DOWN => consumer.feed(DOWN, &bytes),
            };
            assert!(is_understood, "{} from {place} on", said.name);
            told.extend(what(piece.of));
        }
        if cut.is_err() {
            return None;
        }
    }
    if let Some(mut splitter) = splitter {
        for (to, went) in [UP, DOWN].into_iter().zip(&mut went) {
            let rest = splitter.take_rest(to);
            went.extend_from_slice(&rest);
            match to {
                UP => provider.feed(UP, &rest),
                DOWN => consumer.feed(DOWN, &rest),
            };
        }
    }
    if said.is_kept {
        assert_eq!(went, came, "{} from {place} on", said.name);
    }
    for (side, told) in [("consumer", consumer.told()), ("provider", provider.told())] {
        let missing: Vec<_> = original.iter().filter(|line| !told.contains(line)).collect();
        let more: Vec<_> = told.iter().filter(|line| !original.contains(line)).collect();
        assert_eq!(more, missing, "{} from {place} on, the {side}'s side", said.name);
        assert_eq!(told.len(), original.len(), "{} from {place} on, the {side}'s side", said.name);
    }
    Some(told)
}

/// What nobody can hold from the start.
const SURPRISING: &[&str] = &[
    "http-unasked.capture",
    "http-two-upgraded.capture",
    "http-smuggled.capture",
    "http-python-bad.capture",
];

#[test]
fn held_from_any_place_on() {
    for said in captured().chain(made()) {
        let mut original = Watched::new(said.protocol);
        let mut places = vec![0];
        let mut is_understood = true;
        let n_bytes: usize = said.chunks.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut at = 0;
        for (direction, bytes) in &said.chunks {
            for byte in bytes {
                is_understood = is_understood && original.feed(*direction, &[*byte]);
                at += 1;
                if is_understood && original.may_split() && at < n_bytes && split(&original).is_some() {
                    places.push(at);
                }
            }
        }
        let original = original.told();
        let from_start = if is_understood { from(&said, 0, &original) } else { None };
        let Some(from_start) = from_start else {
            assert!(SURPRISING.contains(&said.name.as_str()), "{} surprises", said.name);
            continue;
        };
        for place in places.iter().step_by(places.len() / 120 + 1) {
            let told = from(&said, *place, &original).expect("no surprise");
            // What is told is the end of what would have been, in its order: nothing that has passed is told.
            if said.name == "events" {
                assert!(
                    from_start.ends_with(&told) && (!told.is_empty() || *place > 230),
                    "from {place} on: {told:?}"
                );
            }
            let mut rest = from_start.iter();
            for one in &told {
                assert!(rest.any(|other| other == one), "{} from {place} on: {one}", said.name);
            }
        }
        let least = if said.name.contains("two") || said.protocol.name() == "grpc" { 3 } else { 20 };
        assert!(places.len() > least || n_bytes < 80, "{}: {} places", said.name, places.len());
    }
}

/// What a stream had room for when it came to be held is what it has room for, and who had used up all of it is given what
/// the receiver gives.
#[test]
fn windows_are_kept_to() {
    let mut watched = Watched::new(http());
    for (direction, bytes) in preface() {
        assert!(watched.feed(direction, &bytes));
    }
    assert!(watched.feed(UP, &frame(1, END | END_HEADERS, 1, GET)));
    assert!(watched.feed(DOWN, &frame(1, END_HEADERS, 1, OK)));
    // All but ten of its 64 bytes.
    assert!(watched.feed(DOWN, &frame(0, 0, 1, &[b'x'; 54])));
    let mut splitter = split(&watched).expect("a splitter");
    let mut says = |direction, bytes: &[u8]| {
        let (mut pieces, mut heard): (_, [Vec<u8>; 2]) = (Vec::new(), Default::default());
        splitter.cut(direction, bytes, &mut pieces).expect("no surprise");
        for piece in pieces {
            let passed = splitter.passes(piece.to, piece.bytes);
            heard[usize::from(piece.to == DOWN)].extend(passed);
        }
        heard.map(|bytes| frames(&bytes))
    };
    let credit = |stream: u32, n_bytes: u32| (8, 0, stream, n_bytes.to_be_bytes().to_vec());
    // What the connection lacks is given back at once: it is let in here.
    let [up, down] = says(DOWN, &frame(0, 0, 1, &[b'y'; 10]));
    assert_eq!(up, [credit(0, 54), credit(0, 10), credit(1, 10)]);
    assert_eq!(down, [(0, 0, 1, vec![b'y'; 10])]);
    // The provider believes in ten that the consumer has not.
    let [_, down] = says(DOWN, &frame(0, 0, 1, &[b'z'; 10]));
    assert_eq!(down, []);
    let [up, down] = says(UP, &frame(8, 0, 1, &30_u32.to_be_bytes()));
    assert_eq!(down, [(0, 0, 1, vec![b'z'; 10])]);
    assert_eq!(up, [credit(1, 10)]);
    let [_, down] = says(DOWN, &frame(0, END, 1, &[b'e'; 20]));
    assert_eq!(down, [(0, 1, 1, vec![b'e'; 20])]);
}
