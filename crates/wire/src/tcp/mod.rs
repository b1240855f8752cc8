//! Plain bytes: one exchange for each connection, with how much passed and how it began.
//!
//! Where nothing is to be decoded, and what a seam becomes when its decoder was surprised.

use crate::body;
use crate::conversation::{
    Captured, Conversation, Direction, End, Exchange, Limits, Parts, Position, Surprise,
};
use crate::kept::Room;
use crate::protocol::{Deed, Protocol};
use seam_event::InteractionError;
use seam_model::{Field, Shape, Word};
use seam_value::Value;
use std::time::Duration;

/// The protocol `tcp`.
pub(crate) struct Tcp;

impl Protocol for Tcp {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "tcp"
    }

    fn default_port(&self) -> Option<u16> {
        None
    }

    /// What is spoken here is none of our business, TLS included.
    fn wants_tls(&self, _: &[u8]) -> Option<&'static [u8]> {
        None
    }

    fn lacks(&self, _: Deed) -> Option<&'static str> {
        Some("of plain bytes nobody knows what they say")
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Connection { limits, room: Room::new(limits), began: None, captured: Bytes::default() })
    }
}

static WORD: Word = Word {
    text: "One interaction for each connection over which anything passed, told when the connection ends: how \
        many bytes went each way, and the first of them. For what Seamwork does not decode.",
    results: &[
        Field::optional("request", Shape::Fields(PART), "what the consumer sent"),
        Field::optional("reply", Shape::Fields(PART), "what the provider sent"),
    ],
    example: "system: hello\n\
        components:\n  \
          meter: { external: \"tcp://127.0.0.1:7000\", protocol: tcp }\n",
    ..Word::new("tcp", "any bytes, not decoded")
};

const PART: &[Field] = &[
    Field::optional("bytes", Shape::Integer, "how many bytes passed"),
    Field::optional("body", Shape::Any, "the first bytes: text, or `{ base64: … }` where they are none"),
    Field::optional("text", Shape::Text, "the first bytes as text; null where they are none"),
];

struct Connection {
    limits: Limits,
    room: Room,
    /// When the first byte passed; taken when the exchange was told.
    began: Option<Duration>,
    captured: Bytes,
}

/// What passed each way.
#[derive(Default)]
struct Bytes {
    request: Part,
    reply: Part,
}

#[derive(Default)]
struct Part {
    first: Vec<u8>,
    n_bytes: u64,
    ended: bool,
}

impl Connection {
    fn part(&self, direction: Direction) -> &Part {
        match direction {
            Direction::ToProvider => &self.captured.request,
            Direction::ToConsumer => &self.captured.reply,
        }
    }

    fn part_mut(&mut self, direction: Direction) -> &mut Part {
        match direction {
            Direction::ToProvider => &mut self.captured.request,
            Direction::ToConsumer => &mut self.captured.reply,
        }
    }
}

impl Conversation for Connection {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        _out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        self.began.get_or_insert(at);
        let part = match direction {
            Direction::ToProvider => &mut self.captured.request,
            Direction::ToConsumer => &mut self.captured.reply,
        };
        self.room.keep_body(&mut part.first, bytes, self.limits.kept_body);
        part.n_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn end(&mut self, direction: Direction, how: End, at: Duration, out: &mut Vec<Exchange>) {
        self.part_mut(direction).ended = true;
        let in_order = matches!(how, End::Fin | End::CutOff);
        let over = !in_order || (self.captured.request.ended && self.captured.reply.ended);
        if !over {
            return;
        }
        if let Some(began) = self.began.take() {
            let captured = std::mem::take(&mut self.captured);
            out.push(Exchange {
                call: None,
                began,
                ended: in_order.then_some(at),
                error: (how == End::Reset).then_some(InteractionError::Reset),
                cut: captured.request.is_cut() || captured.reply.is_cut(),
                captured: Box::new(captured),
            });
        }
    }

    /// A connection that is open is no call: nobody can know whether an answer is awaited.
    fn n_open(&self) -> usize {
        0
    }

    fn position(&self, direction: Direction) -> Position {
        if self.part(direction).n_bytes == 0 { Position::Between } else { Position::Body }
    }

    fn passable(&self, direction: Direction) -> u64 {
        if self.part(direction).first.len() >= self.limits.kept_body { u64::MAX } else { 0 }
    }

    fn pass(&mut self, direction: Direction, n_bytes: u64, at: Duration, _out: &mut Vec<Exchange>) {
        self.began.get_or_insert(at);
        self.part_mut(direction).n_bytes += n_bytes;
    }
}

impl Part {
    fn is_cut(&self) -> bool {
        self.n_bytes > self.first.len() as u64
    }

    fn read(&self) -> Value {
        let cut = self.is_cut();
        let (body, text) = body::text_or_base64(&self.first, cut);
        Value::map([("bytes", Value::from(self.n_bytes)), ("body", body), ("text", text)])
    }
}

impl Captured for Bytes {
    fn size(&self) -> usize {
        self.request.first.capacity() + self.reply.first.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        Parts { request: self.request.read(), reply: self.reply.read(), ..Parts::default() }
    }
}
