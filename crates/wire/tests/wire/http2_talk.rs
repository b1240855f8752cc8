//! A consumer and a provider who speak HTTP/2 in frames written by hand, and a seam between them that holds.

use crate::http2::begin;
use seam_value::parse;
use seam_wire::{Behind, Call, Direction, Limits, Of, Splitter};

pub(crate) const UP: Direction = Direction::ToProvider;
pub(crate) const DOWN: Direction = Direction::ToConsumer;

/// A consumer, a provider, and a seam between them that holds.
pub(crate) struct Talk {
    pub(crate) splitter: Box<dyn Splitter>,
    pub(crate) to_provider: Vec<u8>,
    pub(crate) to_consumer: Vec<u8>,
    pub(crate) held: Vec<(Call, Vec<u8>)>,
}

impl Talk {
    pub(crate) fn new(behind: Behind) -> Self {
        let splitter = begin(behind, Limits::default());
        let mut talk = Self { splitter, to_provider: Vec::new(), to_consumer: Vec::new(), held: Vec::new() };
        talk.says(UP, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        talk.says(UP, &frame(4, 0, 0, b""));
        if behind == Behind::Provider {
            talk.says(DOWN, &frame(4, 0, 0, b""));
        }
        talk
    }

    /// A side says this; requests are held, all else passes.
    pub(crate) fn says(&mut self, direction: Direction, bytes: &[u8]) {
        let mut pieces = Vec::new();
        self.splitter.cut(direction, bytes, &mut pieces).expect("no surprise");
        for piece in pieces {
            match piece.of {
                Of::Request { call, .. } => self.held.push((call, piece.bytes)),
                _ => self.write(piece.to, piece.bytes),
            }
        }
    }

    pub(crate) fn write(&mut self, to: Direction, bytes: Vec<u8>) {
        let bytes = self.splitter.passes(to, bytes);
        match to {
            UP => self.to_provider.extend_from_slice(&bytes),
            DOWN => self.to_consumer.extend_from_slice(&bytes),
        }
    }

    pub(crate) fn answer(&mut self, call: Call, answer: &str) {
        let answer = parse(answer).expect("JSON");
        let bytes = self.splitter.answer(call, &answer).expect("an answer");
        self.write(DOWN, bytes);
        let instead = self.splitter.instead(call, &answer);
        self.write(UP, instead);
    }

    pub(crate) fn heard(&mut self) -> Vec<(u8, u8, u32, Vec<u8>)> {
        frames(&std::mem::take(&mut self.to_consumer))
    }

    pub(crate) fn passed(&mut self) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let bytes = std::mem::take(&mut self.to_provider);
        frames(bytes.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(&bytes))
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let stream = u32::from_be_bytes(rest[..4].try_into().expect("four bytes"));
        frames.push((*kind, *flags, stream, rest[4..4 + length].to_vec()));
        bytes = &rest[4 + length..];
    }
    frames
}

/// `:method GET, :path /, :scheme http`, and an entry for the table.
pub(crate) const GET: &[u8] = b"\x82\x84\x86\x40\x01a\x01b";

/// `:method POST, :path /, :scheme http`.
pub(crate) const POST: &[u8] = b"\x83\x84\x86";

/// `:status 200`.
pub(crate) const OK: &[u8] = b"\x88";

pub(crate) const END: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn kinds(frames: &[(u8, u8, u32, Vec<u8>)]) -> Vec<(u8, u32)> {
    frames.iter().map(|(kind, _, stream, _)| (*kind, *stream)).collect()
}
