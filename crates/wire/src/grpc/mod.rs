//! gRPC: calls over HTTP/2, with messages decoded where descriptors are known.
//!
//! ```text
//! HEADERS  /shop.Orders/Place, metadata            ─▶ service, method, metadata
//! DATA     flag 1 │ length 4 │ message, any number ─▶ body, or bodies
//! HEADERS  grpc-status, grpc-message, trailers     ─▶ status, message, trailers
//! ```
//! Framing, windows and headers are HTTP/2's (`crate::http2`); here stands what gRPC means by them.

mod answer;
mod descriptors;
mod fields;
mod reading;
mod status;

use crate::conversation::{Conversation, Limits};
use crate::http::Http;
use crate::http2::{Flavor, Http2};
use crate::protocol::Protocol;
use crate::splitter::Unanswerable;
use crate::watching::Watching;
pub use answer::request;
pub(crate) use answer::{anew, last, pushed, said};
pub use descriptors::{Descriptors, Undescribed};
pub(crate) use reading::{HeadRead, MessageRead, ReplyHeadRead, ReplyRead, RequestRead, is_grpc};
use seam_model::{Field, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

/// The protocol `grpc`.
pub(crate) struct Grpc;

impl Protocol for Grpc {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn also(&self) -> Option<&'static dyn Protocol> {
        Some(&Http)
    }

    fn pushed_fields(&self) -> Vec<&'static str> {
        // A message may stand for itself, with its own fields.
        Vec::new()
    }

    fn scheme(&self) -> &'static str {
        "http"
    }

    fn tls_scheme(&self) -> &'static str {
        "https"
    }

    fn default_port(&self) -> Option<u16> {
        None
    }

    fn multiplexes(&self) -> bool {
        true
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn tls_names(&self) -> &'static [&'static [u8]] {
        &[b"h2"]
    }

    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        answer::misfit(answer)
    }

    fn misfit_of(&self, descriptors: &Descriptors, path: &str, answer: &Value) -> Option<Unanswerable> {
        said(Some(descriptors), path, answer).err()
    }

    fn told(&self, answer: &Value) -> Value {
        answer::told(answer)
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        begin(limits, None)
    }

    fn begin_described(&self, limits: Limits, descriptors: &Arc<Descriptors>) -> Box<dyn Conversation> {
        begin(limits, Some(Arc::clone(descriptors)))
    }
}

/// Begins to watch one connection, with the descriptors of what is spoken on it.
pub fn begin(limits: Limits, descriptors: Option<Arc<Descriptors>>) -> Box<dyn Conversation> {
    Box::new(Watching::new(Http2::watched(Flavor::Grpc(descriptors), limits), limits))
}

const ANY_MAP: Shape = Shape::MapOf(&Shape::Any);

static WORD: Word = Word {
    text: "One interaction for each call. A call that streams has a message besides for each that is sent, as soon as \
        it is known to stream: from its description, or from the second message on. Without descriptors a message \
        is `{ base64: …, fields: … }`, with its fields by number. Metadata has small letters; what ends in `-bin` is \
        `{ base64: … }`. What is no gRPC on such an endpoint has the fields of `http`.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional("message", Shape::Fields(MESSAGE), "one message of a stream"),
    ],
    example: "system: hello\n\
        components:\n  \
          orders:\n    \
            run: ./orders\n    \
            env: { LISTEN: \"${self.address}\", RPC_LISTEN: \"${self.rpc.address}\" }\n    \
            endpoints: { rpc: grpc }\n",
    ..Word::new("grpc", "gRPC, calls with their replies, and the messages of streams")
};

const REQUEST: &[Field] = &[
    Field::optional("service", Shape::Text, "the service with its package: `shop.Orders`"),
    Field::optional("method", Shape::Text, "the method: `Place`"),
    Field::optional("metadata", ANY_MAP, "what was sent along, by names in small letters"),
    Field::optional("timeout", Shape::Text, "how long the caller waits, as sent: `500m` are milliseconds"),
    BODY,
    BODIES,
    LENGTH,
];

const REPLY: &[Field] = &[
    Field::optional(
        "status",
        Shape::Text,
        "the status by name: `OK`, `UNAVAILABLE`; null where none has come",
    ),
    Field::optional("message", Shape::Text, "what the status says besides"),
    Field::optional("metadata", ANY_MAP, "what was sent before the first message"),
    BODY,
    BODIES,
    Field::optional("trailers", ANY_MAP, "what was sent after the last message"),
    LENGTH,
];

const MESSAGE: &[Field] = &[
    Field::optional("service", Shape::Text, "the service"),
    Field::optional("method", Shape::Text, "the method"),
    Field::optional("from", Shape::Text, "who says it: `consumer` or `provider`"),
    BODY,
];

const ANSWER: &[Field] = &[
    Field::optional(
        "status",
        Shape::Text,
        "the status by name or number, or one of HTTP's; `OK` where it isn't said",
    ),
    Field::optional("message", Shape::Text, "what the status says besides"),
    Field::optional("metadata", ANY_MAP, "what is sent before the first message"),
    Field::optional(
        "body",
        Shape::Any,
        "the message: by its fields where descriptors are known, or `{ base64: … }`",
    ),
    Field::optional("bodies", Shape::List(&Shape::Any), "several messages, one after the other"),
    Field::optional(
        "messages",
        Shape::List(&Shape::Any),
        "the same, each in its time: `{ body: …, after: 1s }`, with how long after what came before it; the last may be \
            `{ fault: reset | truncate | hang }`",
    ),
    Field::optional("every", Shape::Duration, "how long between two messages that don't say so themselves"),
    Field::optional("trailers", ANY_MAP, "what is sent after the last message"),
    Field::optional("open", Shape::Boolean, "the reply does not end: messages can be pushed"),
    Field::optional(
        "reset",
        Shape::Any,
        "instead of all that: resets the call's stream, with this code of HTTP/2",
    ),
];

const BODY: Field = Field::optional("body", Shape::Any, "the message, where it is one");
const BODIES: Field =
    Field::optional("bodies", Shape::List(&Shape::Any), "the messages, where there are none or several");
const LENGTH: Field =
    Field::optional("length", Shape::Integer, "the bytes of all messages as sent, kept or not");
