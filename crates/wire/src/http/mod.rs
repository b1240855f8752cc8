//! HTTP/1.0 and HTTP/1.1: one exchange for each request with its final reply.
//!
//! ```text
//! POST /orders HTTP/1.1 ↵ head ↵ ↵ body     ToProvider   pipelined ones queue up behind
//! HTTP/1.1 100 Continue ↵ ↵                 ToConsumer   interim: framed, not kept
//! HTTP/1.1 201 Created ↵ head ↵ ↵ body      ToConsumer   belongs to the oldest open request
//! ```

mod connection;
mod framing;
mod reading;

use crate::conversation::{Conversation, Limits};
use crate::protocol::Protocol;
use connection::Connection;
use seam_model::{Field, Shape, Word};

/// The protocol `http`.
pub(crate) struct Http;

impl Protocol for Http {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "http"
    }

    fn default_port(&self) -> Option<u16> {
        Some(80)
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Connection::new(limits))
    }
}

const ANY_MAP: Shape = Shape::MapOf(&Shape::Any);

static WORD: Word = Word {
    text: "One interaction for each request with its final reply; interim replies (100, 103) are passed over. \
        After `CONNECT` or an upgrade the rest of the connection passes as bytes. Header names are in small \
        letters; one that is sent twice is joined by `, `, `set-cookie` is a list.",
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
    ],
    example: "system: hello\n\
        components:\n  \
          api:\n    \
            run: ./api\n    \
            env: { LISTEN: \"${self.address}\" }\n    \
            protocol: http\n",
    ..Word::new("http", "HTTP/1.0 and HTTP/1.1, requests with their replies")
};

const REQUEST: &[Field] = &[
    Field::optional("method", Shape::Text, "the method, as sent"),
    Field::optional("path", Shape::Text, "the path as sent, without the query"),
    Field::optional("query", ANY_MAP, "the query's keys, decoded; a key that comes again has a list"),
    Field::optional("headers", ANY_MAP, "the headers, by names in small letters"),
    Field::optional("cookies", Shape::MapOf(&Shape::Text), "the cookies by name"),
    BODY,
    TEXT,
    LENGTH,
];

const REPLY: &[Field] = &[
    Field::optional("status", Shape::Integer, "the status"),
    Field::optional("headers", ANY_MAP, "the headers, by names in small letters"),
    BODY,
    TEXT,
    LENGTH,
    Field::optional("trailers", ANY_MAP, "the headers after a chunked body, where there are any"),
];

const BODY: Field = Field::optional(
    "body",
    Shape::Any,
    "the body, unpacked: JSON decoded, a form as a map, other text as text, else `{ base64: … }`",
);
const TEXT: Field = Field::optional("text", Shape::Text, "the body as text, unpacked; null where it is none");
const LENGTH: Field = Field::optional("length", Shape::Integer, "the body's bytes as sent, kept or not");
