//! HTTP/1.0, HTTP/1.1 and HTTP/2: one exchange for each request with its final reply. Version 2 has a module of its
//! own; which one is spoken shows with the first bytes.
//!
//! ```text
//! POST /orders HTTP/1.1 ↵ head ↵ ↵ body     ToProvider   pipelined ones queue up behind
//! HTTP/1.1 100 Continue ↵ ↵                 ToConsumer   interim: framed, not kept
//! HTTP/1.1 201 Created ↵ head ↵ ↵ body      ToConsumer   belongs to the oldest open request
//! ```

mod answer;
mod connection;
pub(crate) mod events;
mod framing;
mod heads;
mod reading;
mod splitter;

use crate::conversation::{Conversation, Limits};
use crate::http2::Versions;
use crate::protocol::Protocol;
use crate::splitter::Unanswerable;
use connection::Connection;
pub(crate) use reading::{Headers, MAX_UNPACKED_ON_SEAM};
use seam_model::{Field, Shape, Word};
use seam_value::Value;

/// The protocol `http`.
pub(crate) struct Http;

impl Protocol for Http {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn pushed_fields(&self) -> Vec<&'static str> {
        MESSAGE.iter().map(|field| field.name).chain(["json"]).collect()
    }

    fn scheme(&self) -> &'static str {
        "http"
    }

    fn tls_scheme(&self) -> &'static str {
        "https"
    }

    fn default_port(&self) -> Option<u16> {
        Some(80)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn says_texts(&self) -> bool {
        true
    }

    fn tls_names(&self) -> &'static [&'static [u8]] {
        &[b"h2", b"http/1.1"]
    }

    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        answer::misfit(answer)
    }

    fn told(&self, answer: &Value) -> Value {
        answer::told(answer)
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Versions::new(Connection::new(limits), limits))
    }
}

const ANY_MAP: Shape = Shape::MapOf(&Shape::Any);

static WORD: Word = Word {
    text: "One interaction for each request with its final reply; interim replies (100, 103) are passed over. \
        HTTP/2 is understood where the client begins with it or changes over to it, and its `:authority` is the \
        header `host`. Each event of a stream (`text/event-stream`) is a message besides, and so is each message of \
        WebSocket. After `CONNECT` or another upgrade the rest of the connection passes as bytes. Header names are in small letters; one that is sent twice is \
        joined by `, `, `set-cookie` is a list.",
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional(
            "message",
            Shape::Fields(MESSAGE),
            "one event of a stream, or one message of WebSocket",
        ),
    ],
    fields: answer::FIELDS,
    example: "system: hello\n\
        components:\n  \
          api:\n    \
            run: ./api\n    \
            env: { LISTEN: \"${self.address}\" }\n    \
            protocol: http\n",
    ..Word::new("http", "HTTP/1.0, HTTP/1.1 and HTTP/2, requests with their replies")
};

const REQUEST: &[Field] = &[
    Field::optional("method", Shape::Text, "the method, as sent"),
    Field::optional("path", Shape::Text, "the path as sent, without the query"),
    Field::optional("query", ANY_MAP, "the query's keys, decoded; a key that comes again has a list"),
    Field::optional("version", Shape::Text, "`2` where it came over HTTP/2"),
    Field::optional("headers", ANY_MAP, "the headers, by names in small letters"),
    Field::optional("cookies", Shape::MapOf(&Shape::Text), "the cookies by name"),
    BODY,
    TEXT,
    LENGTH,
    TRAILERS,
];

const REPLY: &[Field] = &[
    Field::optional("status", Shape::Integer, "the status"),
    Field::optional("headers", ANY_MAP, "the headers, by names in small letters"),
    BODY,
    TEXT,
    LENGTH,
    CUT_OFF,
    TRAILERS,
];

const MESSAGE: &[Field] = &[
    Field::optional("path", Shape::Text, "the path of the request that opened the stream"),
    Field::optional("event", Shape::Text, "the event's name; `message` where it has none"),
    Field::optional("id", Shape::Text, "its id, where it has one"),
    Field::optional("data", Shape::Any, "what an event says: JSON decoded, else text"),
    Field::optional("text", Shape::Text, "what it says, as it was sent"),
    Field::optional("from", Shape::Text, "WebSocket: who says it, `consumer` or `provider`"),
    Field::optional("type", Shape::Text, "WebSocket: `text`, `binary` or `close`"),
    Field::optional("body", Shape::Any, "WebSocket: what it says, JSON decoded, or `{ base64: … }`"),
    Field::optional("length", Shape::Integer, "WebSocket: its bytes, kept or not"),
    Field::optional("code", Shape::Integer, "WebSocket: the code of a close"),
    Field::optional("reason", Shape::Text, "WebSocket: its reason"),
    Field::optional(
        "retry",
        Shape::Integer,
        "milliseconds to wait before connecting again, where it says so",
    ),
];

const BODY: Field = Field::optional(
    "body",
    Shape::Any,
    "the body, unpacked: JSON decoded, a form as a map, other text as text, else `{ base64: … }`",
);
const TEXT: Field = Field::optional("text", Shape::Text, "the body as text, unpacked; null where it is none");
const TRAILERS: Field =
    Field::optional("trailers", ANY_MAP, "the headers after a chunked body, where there are any");
const CUT_OFF: Field = Field::optional(
    "cut_off",
    Shape::Boolean,
    "true where only the end of the connection ended the body and TLS did not say that it was all, as it should: a part \
        may be missing; of externals it is not known",
);
const LENGTH: Field = Field::optional("length", Shape::Integer, "the body's bytes as sent, kept or not");
