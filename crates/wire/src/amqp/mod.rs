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
mod publisher;
mod reading;
mod splitter;
mod stand_in;
mod value;

use crate::conversation::{Conversation, Limits};
use crate::protocol::{Order, Protocol};
use crate::publishing::{Publisher, SignIn};
use crate::watching::Watching;
use seam_model::{Field, Shape, Word};
use splitter::Cutter;

/// The protocol `amqp`.
pub(crate) struct Amqp;

impl Protocol for Amqp {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn pushed_fields(&self) -> Vec<&'static str> {
        // Of several consumers that of a queue may be meant.
        MESSAGE.iter().map(|field| field.name).chain(["queue"]).collect()
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

    fn published_fields(&self) -> &'static [&'static str] {
        publisher::FIELDS
    }

    fn publisher(&self, sign_in: SignIn) -> Option<Box<dyn Publisher>> {
        Some(Box::new(publisher::Publishing::new(sign_in)))
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

/// Whichever of these a method has: its arguments, by the names of the specification.
const REQUEST: &[Field] = &[
    Field::optional("method", Shape::Text, "`queue.declare`, `basic.get` …"),
    Field::optional("queue", Shape::Text, "its arguments by name: the queue, where it is about one"),
    Field::optional("exchange", Shape::Text, "the exchange, where it is about one"),
    Field::optional("routing_key", Shape::Text, "the routing key, where it has one"),
    Field::optional("arguments", Shape::MapOf(&Shape::Any), "further arguments, where it has them"),
    Field::optional("type", Shape::Text, "of `exchange.declare`: `direct`, `topic` …"),
    Field::optional("passive", Shape::Boolean, "of a declaration: does it only ask whether it is there"),
    Field::optional("durable", Shape::Boolean, "of a declaration: does it outlast the broker"),
    Field::optional("exclusive", Shape::Boolean, "of a queue, or of consuming: is it for one alone"),
    Field::optional("auto_delete", Shape::Boolean, "of a declaration: does it go when it is used no more"),
    Field::optional("internal", Shape::Boolean, "of `exchange.declare`: can nobody publish to it"),
    Field::optional("if_unused", Shape::Boolean, "of deleting: only where nobody uses it"),
    Field::optional("if_empty", Shape::Boolean, "of `queue.delete`: only where nothing is in it"),
    Field::optional("destination", Shape::Text, "of `exchange.bind`: where it leads to"),
    Field::optional("source", Shape::Text, "of `exchange.bind`: where it comes from"),
    Field::optional("consumer_tag", Shape::Text, "of `basic.consume` and `basic.cancel`: the consumer's tag"),
    Field::optional("no_ack", Shape::Boolean, "of `basic.consume` and `basic.get`: is nothing acknowledged"),
    Field::optional("no_local", Shape::Boolean, "of `basic.consume`: not what the same connection publishes"),
    Field::optional("prefetch_size", Shape::Integer, "of `basic.qos`: how many bytes ahead"),
    Field::optional("prefetch_count", Shape::Integer, "of `basic.qos`: how many messages ahead"),
    Field::optional("global", Shape::Boolean, "of `basic.qos`: for the whole channel"),
    Field::optional("requeue", Shape::Boolean, "of `basic.recover`: may another consumer get it"),
    Field::optional("active", Shape::Boolean, "of `channel.flow`: may messages flow"),
];

const REPLY: &[Field] = &[
    Field::optional("method", Shape::Text, "`queue.declare-ok`, `basic.get-empty`, `channel.close` …"),
    Field::optional("error", Shape::Any, "code and text of what closed the channel; null where nothing did"),
    Field::optional("queue", Shape::Text, "its arguments by name: the queue, where it names one"),
    Field::optional("message_count", Shape::Integer, "how many messages there are, where it says so"),
    Field::optional("consumer_count", Shape::Integer, "how many consumers there are, where it says so"),
    Field::optional("consumer_tag", Shape::Text, "of `basic.consume-ok`: the consumer's tag"),
    Field::optional("active", Shape::Boolean, "of `channel.flow-ok`: do messages flow"),
    Field::optional("topic", Shape::Text, "for a message that was got: the routing key"),
    Field::optional("exchange", Shape::Text, "for a message that was got: where it was published"),
    Field::optional("redelivered", Shape::Boolean, "for a message that was got: was it delivered before"),
    Field::optional("headers", Shape::MapOf(&Shape::Any), "for a message that was got: its headers"),
    Field::optional(
        "properties",
        Shape::MapOf(&Shape::Any),
        "for a message that was got: its other properties",
    ),
    Field::optional(
        "body",
        Shape::Any,
        "for a message that was got: its body, decoded by its `content_type`",
    ),
    Field::optional(
        "text",
        Shape::Text,
        "for a message that was got: its body as sent; null where it is no text",
    ),
    Field::optional("length", Shape::Integer, "for a message that was got: how many bytes its body has"),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The methods of the specification that somebody waits for, and what replies to them.
    #[test]
    fn whatever_a_call_is_asked_with_and_answered_by_stands_in_the_table() {
        let calls =
            method::METHODS.iter().filter(|method| method.id >> 16 > 10 && !method.replies.is_empty());
        for call in calls {
            let replies = call.replies.iter().filter_map(|id| method::method(*id));
            let asked = call.arguments.iter().map(|(name, _)| (name, REQUEST));
            let answered = replies.flat_map(|reply| reply.arguments).map(|(name, _)| match *name {
                "routing_key" => (&"topic", REPLY),
                _ => (name, REPLY),
            });
            // What nobody sees.
            let unseen = ["", "nowait", "delivery_tag", "reply_code", "reply_text", "class_id", "method_id"];
            for (name, table) in asked.chain(answered).filter(|(name, _)| !unseen.contains(name)) {
                assert!(table.iter().any(|field| field.name == *name), "{}: {name}", call.name);
            }
        }
    }
}
