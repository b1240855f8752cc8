//! MQTT 3.1, 3.1.1 and 5: one message for each publication and each delivery, one exchange for each subscription.
//!
//! ```text
//! CONNECT         ───▶  CONNACK
//! SUBSCRIBE id    ───▶  SUBACK id
//! PUBLISH id      ───▶  PUBACK id                   with QoS 2: PUBREC, PUBREL, PUBCOMP
//!                 ◀───  PUBLISH id                  the same the other way round
//! PINGREQ         ───▶  PINGRESP
//! ```

mod packets;
mod publisher;
mod reading;
mod saying;
mod splitter;

use crate::conversation::{Conversation, Limits};
use crate::protocol::{Deed, Protocol};
use crate::publishing::{Publisher, SignIn};
use crate::watching::Watching;
use seam_model::{Field, Shape, Word};
use splitter::Cutter;

/// The protocol `mqtt`.
pub(crate) struct Mqtt;

impl Protocol for Mqtt {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "mqtt"
    }

    fn tls_scheme(&self) -> &'static str {
        "mqtts"
    }

    fn default_port(&self) -> Option<u16> {
        Some(1883)
    }

    fn tls_names(&self) -> &'static [&'static [u8]] {
        &[b"mqtt"]
    }

    fn lacks(&self, deed: Deed) -> Option<&'static str> {
        match deed {
            Deed::GarbleReply | Deed::BreakReply => Some("the replies of mqtt have no content"),
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
    text: "One `message` for each publication (`kind: published`), each delivery (`kind: delivered`) and each refusal \
        (`kind: error`), one interaction for each SUBSCRIBE and UNSUBSCRIBE, and one for a log-in that was refused. A \
        message that a fault loses is not acknowledged to its sender, who sends it again when it connects anew; one \
        that is delivered twice has its mark set the second time, and is acknowledged once. `error: not authorized` on \
        a publication refuses it in the words of MQTT 5; before that, and with QoS 0, there are none. A stub with \
        nobody behind it lets everybody in, acknowledges, grants subscriptions, and delivers what stubs \
        answer to what is published, as a message: `reply: { topic: orders.done, body: … }` to a subscription of the same \
        connection, or without a topic to where an answer is waited for. Passwords are never kept.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was subscribed to, or who was refused"),
        Field::optional("reply", Shape::Fields(REPLY), "what was granted"),
        Field::optional("message", Shape::Fields(MESSAGE), "what was published or delivered"),
    ],
    example: "system: hello\n\
        components:\n  \
          broker: { external: \"tcp://127.0.0.1:1883\", protocol: mqtt }\n",
    ..Word::new("mqtt", "MQTT 3.1.1 and 5, one message for each publication and delivery")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "codes",
        Shape::List(&Shape::Integer),
        "in an answer to SUBSCRIBE: a code for each topic, 0 to 2 for what is granted, from 128 on refused",
    ),
    Field::optional(
        "error",
        Shape::Any,
        "in an answer: the code of MQTT 5, `135`, or its words, `not authorized`",
    ),
];

const REQUEST: &[Field] = &[
    Field::optional("command", Shape::Text, "`SUBSCRIBE` or `UNSUBSCRIBE`; `CONNECT` where it was refused"),
    Field::optional("topic", Shape::Text, "the first topic, with its wildcards"),
    Field::optional("topics", Shape::List(&Shape::Any), "all of them, each with topic and qos"),
    Field::optional("client", Shape::Text, "the client's name, of a log-in that was refused"),
    Field::optional("user", Shape::Text, "the user, of a log-in that was refused"),
];

const REPLY: &[Field] = &[
    Field::optional("codes", Shape::List(&Shape::Integer), "what was granted, a code for each topic"),
    Field::optional("error", Shape::Fields(ERROR), "the first refusal; null where there is none"),
];

const ERROR: &[Field] = &[
    Field::optional("code", Shape::Integer, "the code: 135"),
    Field::optional("message", Shape::Text, "its words: `not authorized`"),
];

const MESSAGE: &[Field] = &[
    Field::optional("kind", Shape::OneOf(&["published", "delivered", "error"]), "which way it went"),
    Field::optional("topic", Shape::Text, "the topic"),
    Field::optional("reply_to", Shape::Text, "where an answer is to go; null where none is wanted"),
    Field::optional("key", Shape::Any, "always null: MQTT has none"),
    Field::optional(
        "version",
        Shape::Either(&[Shape::Integer, Shape::Text]),
        "the version that is spoken: 5, `3.1.1` or `3.1`",
    ),
    Field::optional("qos", Shape::Integer, "0, 1 or 2"),
    Field::optional("retain", Shape::Boolean, "is it kept for those who subscribe later, or was it"),
    Field::optional("duplicate", Shape::Boolean, "was it sent before"),
    Field::optional("headers", Shape::MapOf(&Shape::Text), "the user's own properties"),
    Field::optional(
        "properties",
        Shape::MapOf(&Shape::Any),
        "the other properties: content_type, response_topic …",
    ),
    Field::optional("body", Shape::Any, "the payload, decoded by its content_type, or where it is JSON"),
    Field::optional("text", Shape::Text, "the payload as sent; null where it is no text"),
    Field::optional("error", Shape::Fields(ERROR), "what is refused, and why; mostly null"),
];
