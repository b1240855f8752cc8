//! NATS: one message for each publication and each delivery, and one exchange for each subscription.
//!
//! ```text
//!                            ◀───  INFO {…}                the server speaks first
//! CONNECT {…}  PING          ───▶  PONG
//! SUB orders.> 1             ───▶                          answered only where the client is verbose: +OK
//! PUB orders.new 9 ⏎ {…} ⏎   ───▶
//!                            ◀───  MSG orders.new 1 9 ⏎ {…} ⏎
//! ```
//! A request with its reply over an inbox are two publications, as the server sees them.

mod framing;
mod publisher;
mod reading;
mod saying;
mod splitter;
mod upgrade;

use crate::conversation::{Conversation, Limits};
use crate::protocol::{Deed, Protocol};
use crate::publishing::{Publisher, SignIn};
use crate::upgrade::{Upgrade, Urge};
use crate::watching::Watching;
use seam_model::{Field, Shape, Word};
use splitter::Cutter;

/// The protocol `nats`.
pub(crate) struct Nats;

impl Protocol for Nats {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "nats"
    }

    fn tls_scheme(&self) -> &'static str {
        "tls"
    }

    fn default_port(&self) -> Option<u16> {
        Some(4222)
    }

    fn offers_tls(&self) -> Option<Box<dyn Upgrade>> {
        Some(Box::<upgrade::Offers>::default())
    }

    fn asks_for_tls(&self, urge: Urge) -> Option<Box<dyn Upgrade>> {
        Some(Box::new(upgrade::Asks::new(urge)))
    }

    fn lacks(&self, deed: Deed) -> Option<&'static str> {
        match deed {
            Deed::ChangeReply | Deed::GarbleReply | Deed::BreakReply => {
                Some("nats answers nothing but by further messages")
            }
            _ => None,
        }
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Watching::new(Cutter::watching(limits), limits))
    }

    fn published_fields(&self) -> &'static [&'static str] {
        publisher::FIELDS
    }

    fn publisher(&self, sign_in: SignIn) -> Option<Box<dyn Publisher>> {
        Some(Box::new(publisher::Publishing::new(sign_in)))
    }
}

static WORD: Word = Word {
    text: "One `message` for each publication (`kind: published`) and each delivery (`kind: delivered`), one for each \
        error that the server says (`kind: error`), and one interaction for each SUB, which is nothing that a consumer \
        waits for. A request over an inbox and its reply are two messages; JetStream is messages like any other. A \
        message that a fault loses goes nowhere, and nobody is told. `error: Permissions Violation` on a publication \
        says so to the publisher, as the server would, and publishes nothing. A stub with nobody behind it greets, \
        answers PING, takes subscriptions and publications, and delivers what stubs \
        answer to what is published, as a message: `reply: { topic: orders.done, body: … }` to a subscription of the same \
        connection, or without a topic to where an answer is waited for. What is said to \
        sign in is never kept. TLS after INFO ends at the seam.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was subscribed to"),
        Field::optional("reply", Shape::Fields(REPLY), "always empty: only errors are said"),
        Field::optional("message", Shape::Fields(MESSAGE), "what was published or delivered"),
    ],
    example: "system: hello\n\
        components:\n  \
          bus: { external: \"tcp://127.0.0.1:4222\", protocol: nats }\n",
    ..Word::new("nats", "NATS, one message for each publication and delivery")
};

const ANSWER: &[Field] = &[Field::optional(
    "error",
    Shape::Text,
    "in an answer to a publication or SUB: the server's words, said as `-ERR '…'`",
)];

const REQUEST: &[Field] = &[
    Field::optional("command", Shape::Text, "`SUB`"),
    Field::optional("topic", Shape::Text, "the subject, with its wildcards"),
    Field::optional("queue", Shape::Text, "the queue group; null where there is none"),
    Field::optional("sid", Shape::Text, "the client's own name for the subscription"),
];

const REPLY: &[Field] =
    &[Field::optional("error", Shape::Text, "why it was refused, where that was said in its place")];

const MESSAGE: &[Field] = &[
    Field::optional("kind", Shape::OneOf(&["published", "delivered", "error"]), "which way it went"),
    Field::optional("topic", Shape::Text, "the subject"),
    Field::optional("reply_to", Shape::Text, "where an answer is to go; null where none is wanted"),
    Field::optional("key", Shape::Any, "always null: NATS has none"),
    Field::optional("sid", Shape::Text, "the subscription to which it is delivered"),
    Field::optional(
        "status",
        Shape::Integer,
        "the server's own status, such as 503 for nobody there; mostly null",
    ),
    Field::optional("headers", Shape::MapOf(&Shape::Text), "the headers, by names as sent"),
    Field::optional("body", Shape::Any, "the payload, decoded where it is JSON"),
    Field::optional("text", Shape::Text, "the payload as sent; null where it is no text"),
    Field::optional("error", Shape::Text, "what the server says is wrong; mostly null"),
];
