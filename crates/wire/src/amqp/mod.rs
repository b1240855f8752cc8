//! AMQP 0-9-1, as RabbitMQ and its clients speak it: calls, and messages published and delivered, on many channels of one
//! connection.
//!
//! ```text
//! AMQP 0 0 9 1 ───▶  ◀─── start   start-ok ───▶  ◀─── tune   tune-ok, open ───▶  ◀─── open-ok
//! channel 1   queue.declare ───▶      ◀─── queue.declare-ok                    a call
//! channel 2   basic.publish, header, body, body ───▶                           a message; under confirms ◀─── basic.ack
//! channel 1                           ◀─── basic.deliver, header, body         a message; basic.ack ───▶
//! ```

mod calls;
mod channel;
mod coming;
mod content;
mod frame;
mod ledger;
mod method;
mod passing;
mod reading;
mod splitter;
mod stand_in;
mod value;

use crate::conversation::{Conversation, Limits};
use crate::protocol::{Order, Protocol};
use crate::watching::Watching;
use seam_model::{Field, Shape, Word};
use splitter::Cutter;

/// The protocol `amqp`.
pub(crate) struct Amqp;

impl Protocol for Amqp {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "amqp"
    }

    fn tls_scheme(&self) -> &'static str {
        "amqps"
    }

    fn default_port(&self) -> Option<u16> {
        Some(5672)
    }

    fn multiplexes(&self) -> bool {
        true
    }

    fn order(&self, bytes: &[u8]) -> Order {
        match frame::Head::read(bytes) {
            Some(head) if head.kind == frame::HEARTBEAT => Order::Free,
            Some(head) if head.channel == 0 => match frame::method_id(&bytes[frame::HEAD..]) {
                Some(method::CLOSE | method::CLOSE_OK) => Order::All,
                _ => Order::Within(0),
            },
            Some(head) => Order::Within(u64::from(head.channel)),
            None => Order::All,
        }
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Watching::new(Cutter::watching(limits), limits))
    }
}

static WORD: Word = Word {
    text: "One interaction for each method that has a reply (`queue.declare`, `basic.get`, `tx.commit` …), and one \
        `message` for each that is published, delivered or returned, and where the broker ends a consumer, a channel \
        or the connection unasked. Log-in, channels opened and closed, acknowledgements and heartbeats make none. \
        A delivery that a fault loses stays unacknowledged at the broker until its channel is closed; a published \
        message that is lost is neither confirmed nor refused. `error` refuses a published message by the code that \
        closes its channel, or, where it is `nack`, as a broker that can't take it; a delivery is rejected in its \
        consumer's place. Where no broker is behind it a stub answers what is published by a message (`reply: { topic: \
        done, body: … }`) to a consumer of the same connection, or, without a topic, to where an answer is waited for.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional("message", Shape::Fields(MESSAGE), "what was published, delivered or returned"),
    ],
    example: "system: hello\n\
        components:\n  \
          broker: { external: \"tcp://127.0.0.1:5672\", protocol: amqp }\n",
    ..Word::new("amqp", "AMQP 0-9-1 (RabbitMQ): calls, and messages published and delivered")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "error",
        Shape::Any,
        "in an answer: the code that closes the channel (`404`), or a map of code and text; some (`320`, `530`, \
         `541`) close the connection",
    ),
    Field::optional(
        "method",
        Shape::Text,
        "in an answer: the replying method, where there are two: `basic.get-empty`",
    ),
    Field::optional("queue", Shape::Text, "in an answer: the queue's name (`queue.declare`)"),
    Field::optional("message_count", Shape::Integer, "in an answer: how many messages there are"),
    Field::optional("consumer_count", Shape::Integer, "in an answer: how many consumers there are"),
    Field::optional("consumer_tag", Shape::Text, "in an answer: the consumer's tag (`basic.consume`)"),
    Field::optional("topic", Shape::Text, "in an answer: the routing key (`basic.get`)"),
    Field::optional("exchange", Shape::Text, "in an answer: where it was published (`basic.get`)"),
    Field::optional("redelivered", Shape::Boolean, "in an answer: was it delivered before (`basic.get`)"),
    Field::optional(
        "headers",
        Shape::MapOf(&Shape::Any),
        "in an answer: the message's headers (`basic.get`)",
    ),
    Field::optional(
        "properties",
        Shape::MapOf(&Shape::Any),
        "in an answer: its other properties (`basic.get`)",
    ),
    Field::optional(
        "body",
        Shape::Any,
        "in an answer: its body (`basic.get`); a map or a list is sent as JSON",
    ),
    Field::optional("text", Shape::Text, "in an answer: its body as a text (`basic.get`)"),
];

const REQUEST: &[Field] = &[
    Field::optional("method", Shape::Text, "`queue.declare`, `basic.get` …"),
    Field::optional("queue", Shape::Text, "its arguments by name, such as the queue"),
    Field::optional("exchange", Shape::Text, "the exchange, where it has one"),
    Field::optional("routing_key", Shape::Text, "the routing key, where it has one"),
    Field::optional("arguments", Shape::MapOf(&Shape::Any), "further arguments, where it has them"),
];

const REPLY: &[Field] = &[
    Field::optional("method", Shape::Text, "`queue.declare-ok`, `basic.get-empty`, `channel.close` …"),
    Field::optional("error", Shape::Any, "code and text of what closed the channel; null where nothing did"),
    Field::optional("queue", Shape::Text, "its arguments by name, such as the queue"),
    Field::optional("message_count", Shape::Integer, "how many messages there are, where it says so"),
    Field::optional("topic", Shape::Text, "for a message that was got, the fields of a message"),
];

const MESSAGE: &[Field] = &[
    Field::optional(
        "method",
        Shape::Text,
        "`basic.publish`, `basic.deliver`, `basic.return`, `channel.close` …",
    ),
    Field::optional("topic", Shape::Text, "the routing key"),
    Field::optional("exchange", Shape::Text, "the exchange; empty for the one that leads to queues by name"),
    Field::optional("mandatory", Shape::Boolean, "of a published message: must it reach a queue"),
    Field::optional("redelivered", Shape::Boolean, "of a delivery: was it delivered before"),
    Field::optional("consumer", Shape::Text, "of a delivery: the consumer's tag"),
    Field::optional("error", Shape::Any, "code and text, of what is returned or ended by the broker"),
    Field::optional("headers", Shape::MapOf(&Shape::Any), "the headers"),
    Field::optional("properties", Shape::MapOf(&Shape::Any), "the other properties that are set"),
    Field::optional("body", Shape::Any, "the body, decoded by its `content_type`"),
    Field::optional("text", Shape::Text, "the body as sent; null where it is no text"),
    Field::optional("length", Shape::Integer, "how many bytes the body has"),
];
