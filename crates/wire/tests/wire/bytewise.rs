//! A large message that comes one byte at a time costs as much as its bytes, not as their square.
//!
//! Who looks at a message from its beginning with each new byte needs hours for these; they are over in seconds.

use crate::capture::Piece;
use crate::captures::all;
use crate::splits::begin;
use seam_wire::{Behind, Direction, Limits, protocol};
use std::time::{Duration, Instant};

const LARGE: usize = 512 * 1024;

/// A large message, what comes before it on its connection, and where it goes.
fn messages() -> Vec<(&'static str, Vec<Piece>, Direction, Vec<u8>)> {
    use Direction::{ToConsumer, ToProvider};
    let opening = |name: &str, n_pieces: usize| {
        let case = all().into_iter().find(|case| case.path.file_stem().is_some_and(|stem| stem == name));
        let mut pieces = case.expect("a capture").pieces;
        pieces.truncate(n_pieces);
        pieces
    };
    let said = |to, text: &str| Piece::Bytes(to, text.as_bytes().to_vec());
    let x = vec![b'x'; LARGE];
    let be = |n: usize| u32::try_from(n).expect("small").to_be_bytes();
    let le = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let asks = || said(ToProvider, "GET / HTTP/1.1\r\n\r\n");
    let many_events = b"data: 1\n\n".repeat(LARGE / 9);
    let publish = [b"PUB a ".as_slice(), LARGE.to_string().as_bytes(), b"\r\n", &x, b"\r\n"].concat();
    let mqtt = [b"\x30\x83\x80\x20\0\x01a\0".as_slice(), &x[..LARGE - 1], &x].concat();
    let amqp_body = [b"\x03\0\x01".as_slice(), &be(100_000), &x[..100_000], b"\xce"].concat();
    let amqp = [
        b"\x01\0\x01\0\0\0\x0a\0\x3c\0\x28\0\0\0\x01q\0\xce\x02\0\x01\0\0\0\x0e\0\x3c\0\0".as_slice(),
        &500_000_u64.to_be_bytes(),
        b"\0\0\xce",
        &amqp_body.repeat(5),
    ]
    .concat();
    let frame = [b"\x82\x7f".as_slice(), &(LARGE as u64).to_be_bytes(), &x].concat();
    let query = [b"Q".as_slice(), &be(LARGE + 5), &x, b"\0"].concat();
    let com_query = [&le(LARGE + 1)[..3], b"\0\x03", &x].concat();
    let value = [b"$".as_slice(), LARGE.to_string().as_bytes(), b"\r\n", &x, b"\r\n"].concat();
    let kafka = [&be(LARGE + 14)[..], b"\0\x00\0\x03\0\0\0\x09\0\x04shop", &x].concat();
    vec![
        (
            "http",
            vec![asks(), said(ToConsumer, events)],
            ToConsumer,
            [b"data: ".as_slice(), &x, b"\n\n"].concat(),
        ),
        ("http", vec![asks(), said(ToConsumer, events)], ToConsumer, many_events),
        ("http", opening("http-websocket", 2), ToConsumer, frame),
        ("redis", vec![said(ToProvider, "GET a\r\n")], ToConsumer, value),
        (
            "redis",
            vec![said(ToProvider, "GET a\r\n")],
            ToConsumer,
            b"*30000\r\n".iter().copied().chain(b"$1\r\na\r\n".repeat(30_000)).collect(),
        ),
        ("nats", opening("nats-py", 3), ToProvider, publish),
        ("mqtt", opening("mqtt-paho-5", 2), ToProvider, mqtt),
        ("amqp", opening("amqp-pika", 9), ToProvider, amqp),
        ("postgres", opening("postgres-psycopg", 8), ToProvider, query),
        ("mysql", opening("mysql-pymysql", 3), ToProvider, com_query),
        ("kafka", opening("kafka-produce", 2), ToProvider, kafka),
        ("smtp", opening("smtp-mails", 1), ToConsumer, [b"250-".as_slice(), &x[..60_000], b"\r\n"].concat()),
    ]
}

#[test]
fn one_byte_at_a_time() {
    for (name, opening, to, message) in messages() {
        let protocol = protocol(name).expect("a protocol");
        let began = Instant::now();
        let mut splitter = begin(protocol, Behind::Provider, Limits::default());
        let mut conversation = protocol.begin(Limits::default());
        let (mut pieces, mut out) = (Vec::new(), Vec::new());
        for piece in opening {
            let Piece::Bytes(to, bytes) = piece else { continue };
            splitter.cut(to, &bytes, &mut pieces).expect("an opening");
            conversation.feed(to, &bytes, Duration::ZERO, &mut out).expect("an opening");
        }
        for (place, byte) in message.chunks(1).enumerate() {
            // What is no message of the protocol surprises at once; then this measures nothing.
            let cut = splitter.cut(to, byte, &mut pieces);
            let fed = conversation.feed(to, byte, Duration::ZERO, &mut out);
            pieces.clear();
            out.clear();
            assert!(cut.is_ok() && fed.is_ok(), "{name}: {cut:?} {fed:?} at {place} of {}", message.len());
            assert!(began.elapsed() < Duration::from_secs(20), "{name}: {place} of {} bytes", message.len());
        }
    }
}
