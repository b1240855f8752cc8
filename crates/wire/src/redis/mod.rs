//! Redis's protocol, RESP2 and RESP3: one exchange for each command, one message for each thing pushed.
//!
//! ```text
//! *2 $3 GET $1 k  *1 $4 PING ───▶   $1 v  +PONG         replies come in the order of the commands
//! SUBSCRIBE a b              ───▶   3 values each        one confirmation for each channel
//!                            ◀───   message a …          any time after that: an array, in RESP3 a push
//! ```

mod alone;
mod answer;
mod command;
mod connection;
mod feeds;
mod framing;
mod reading;
mod splitter;
mod stand_in;
mod value;

pub use value::{Reply, encode, parse};

use crate::conversation::{Conversation, Limits};
use crate::protocol::Protocol;
use crate::splitter::Unanswerable;
use connection::Connection;
use seam_model::{Field, Shape, Word};
use seam_value::Value;

/// The protocol `redis`.
pub(crate) struct Redis;

impl Protocol for Redis {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn tls_scheme(&self) -> &'static str {
        "rediss"
    }

    fn default_port(&self) -> Option<u16> {
        Some(6379)
    }

    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        answer::read(answer).err()
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Connection::new(limits))
    }
}

static WORD: Word = Word {
    text: "One interaction for each command, also inside MULTI, where the reply is `QUEUED` and that of EXEC is the \
        list of results. What is pushed (published messages, invalidations, MONITOR) is a `message`. A command \
        that waits, such as BLPOP, and a subscription are not open calls. Passwords stand as `«password»`. \
        A stub with no provider behind it is asked for data only: HELLO, AUTH, SELECT, PING, CLIENT, subscriptions and \
        transactions are answered by themselves.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional("message", Shape::Fields(MESSAGE), "what was pushed"),
    ],
    example: "system: hello\n\
        components:\n  \
          cache: { external: \"tcp://127.0.0.1:6379\", protocol: redis }\n",
    ..Word::new("redis", "Redis (RESP2 and RESP3), one interaction for each command")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "value",
        Shape::Any,
        "in an answer: the value, in the form that the command's replies have; null is nil",
    ),
    Field::optional(
        "error",
        Shape::Text,
        "in an answer: the error, `LOADING …`; without a first word in capitals it is `ERR`",
    ),
];

const REQUEST: &[Field] = &[
    Field::optional("command", Shape::Text, "the command in capital letters"),
    Field::optional("args", Shape::List(&Shape::Any), "its arguments: texts, or `{ base64: … }`"),
];

const REPLY: &[Field] = &[
    Field::optional("value", Shape::Any, "the value; a hash is a map, nil is null"),
    Field::optional(
        "error",
        Shape::Text,
        "the error with its first word, `WRONGTYPE …`; null where there is none",
    ),
];

const MESSAGE: &[Field] = &[
    Field::optional("topic", Shape::Text, "the channel; for other things that are pushed their kind"),
    Field::optional("pattern", Shape::Text, "the pattern that was subscribed to, where it was one"),
    Field::optional("body", Shape::Any, "what was published, decoded where it is JSON"),
    Field::optional("text", Shape::Text, "what was published, as sent; null where it is no text"),
];
