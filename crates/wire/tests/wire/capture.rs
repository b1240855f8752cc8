//! A capture as people read it, and how it is fed to a decoder.
//!
//! ```text
//! # PostgreSQL 15, psycopg 3         a remark
//! > GET / HTTP/1.1\r\n\r\n           bytes to the provider, one line for each chunk as it was captured
//! < HTTP/1.1 200 OK\r\n              bytes to the consumer
//! >. <. >! <!                        that direction ended: in order, or by a reset
//! ```
//! Bytes that are not printable stand as `\r \n \t \\ \xNN`. Lines that belong to one chunk end in `\` and go on
//! in the next one.

use seam_value::Value;
use seam_wire::{Conversation, Direction, End, Exchange, Limits, Protocol, Surprise};
use std::time::Duration;

/// One thing that happened on the captured connection.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Bytes(Direction, Vec<u8>),
    End(Direction, End),
}

/// Reads the text form.
pub(crate) fn read(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let joined = text.replace("\\\n", "");
    for line in joined.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let direction = if line.starts_with('>') { Direction::ToProvider } else { Direction::ToConsumer };
        pieces.push(match &line[1..] {
            "." => Piece::End(direction, End::Fin),
            "!" => Piece::End(direction, End::Reset),
            bytes => Piece::Bytes(direction, unescape(bytes.strip_prefix(' ').expect("a space"))),
        });
    }
    pieces
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'\\' {
            match rest.next().expect("an escape") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'\\' => b'\\',
                b'x' => {
                    let mut digit =
                        || char::from(rest.next().expect("a digit")).to_digit(16).expect("a hex digit");
                    u8::try_from(digit() * 16 + digit()).expect("two digits")
                }
                other => panic!("no escape: {}", char::from(other)),
            }
        } else {
            byte
        });
    }
    bytes
}

/// What came out of a capture.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) lines: Vec<String>,
    pub(crate) surprise: Option<Surprise>,
    pub(crate) n_open: usize,
    /// Bytes that were kept for what was open at the end.
    pub(crate) n_kept: usize,
}

/// Feeds the pieces; `cut` says how many of the next bytes are fed at once. Directions that the capture does
/// not end are ended as when the seam is taken down.
pub(crate) fn replay(
    protocol: &dyn Protocol,
    pieces: &[Piece],
    limits: Limits,
    cut: &mut dyn FnMut(usize) -> usize,
) -> Outcome {
    let mut conversation = protocol.begin(limits);
    let mut out = Vec::new();
    let mut surprise = None;
    let at = Duration::from_secs(1);
    for piece in pieces {
        match piece {
            Piece::Bytes(direction, bytes) => {
                let mut rest = bytes.as_slice();
                while surprise.is_none() && !rest.is_empty() {
                    let n_now = cut(rest.len()).clamp(1, rest.len());
                    surprise = conversation.feed(*direction, &rest[..n_now], at, &mut out).err();
                    rest = &rest[n_now..];
                }
            }
            Piece::End(direction, how) => conversation.end(*direction, *how, at, &mut out),
        }
    }
    let n_open = conversation.n_open();
    let n_finished = out.len();
    stop(&mut *conversation, &mut out);
    let n_kept = out[n_finished..].iter().map(|exchange| exchange.captured.size()).sum();
    Outcome { lines: out.into_iter().map(line).collect(), surprise, n_open, n_kept }
}

fn stop(conversation: &mut dyn Conversation, out: &mut Vec<Exchange>) {
    for direction in [Direction::ToProvider, Direction::ToConsumer] {
        conversation.end(direction, End::Stopped, Duration::from_secs(2), out);
    }
}

/// One exchange as a line of JSON; what is false or null is left out.
fn line(exchange: Exchange) -> String {
    let (ended, error, cut) = (exchange.ended.is_some(), exchange.error, exchange.cut);
    let parts = exchange.captured.read();
    let fields = [
        ("unended", Value::Bool(!ended)),
        ("error", error.map(|error| error.name().to_owned()).into()),
        ("cut", Value::Bool(cut || parts.cut)),
        ("request", parts.request),
        ("reply", parts.reply),
        ("message", parts.message),
    ];
    Value::map(fields.into_iter().filter(|(_, value)| !matches!(value, Value::Null | Value::Bool(false))))
        .to_string()
}

/// Feeds the pieces, but lets pass unseen whatever need not be seen, as a proxy that splices does.
pub(crate) fn replay_passing(protocol: &dyn Protocol, pieces: &[Piece], limits: Limits) -> (Outcome, u64) {
    let mut conversation = protocol.begin(limits);
    let mut out = Vec::new();
    let mut surprise = None;
    let mut n_passed = 0;
    let at = Duration::from_secs(1);
    for piece in pieces {
        match piece {
            Piece::Bytes(direction, bytes) => {
                let mut rest = bytes.as_slice();
                while surprise.is_none() && !rest.is_empty() {
                    let n_unseen = usize::try_from(conversation.passable(*direction)).unwrap_or(usize::MAX);
                    let n_now = n_unseen.min(rest.len());
                    if n_now > 0 {
                        conversation.pass(*direction, n_now as u64, at, &mut out);
                        n_passed += n_now as u64;
                        rest = &rest[n_now..];
                        continue;
                    }
                    match conversation.step(*direction, rest, at, &mut out) {
                        Ok(n_taken) => rest = &rest[n_taken..],
                        Err(error) => surprise = Some(error),
                    }
                }
            }
            Piece::End(direction, how) => conversation.end(*direction, *how, at, &mut out),
        }
    }
    let n_open = conversation.n_open();
    stop(&mut *conversation, &mut out);
    (Outcome { lines: out.into_iter().map(line).collect(), surprise, n_open, n_kept: 0 }, n_passed)
}

impl Piece {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(_, bytes) => bytes.len(),
            Self::End(..) => 0,
        }
    }
}
