//! Kafka's protocol: requests with a number, replied to in their order, and the records in them.
//!
//! ```text
//! ApiVersions, Metadata ───▶  ◀─── brokers with their addresses, which are rewritten to those of the seam
//! Produce (batches of records) ───▶  ◀─── offsets          one interaction, and one message for each record
//! Fetch ───▶                         ◀─── batches          the same, once there is something
//! ```

mod addresses;
mod anew;
mod answers;
mod apart;
mod api;
mod bytes;
mod calls;
mod groups;
mod packed;
mod publisher;
mod reading;
mod records;
mod sasl;
mod sessions;
mod sign_in;
mod splitter;
mod stand_in;

use crate::conversation::{Conversation, Limits};
use crate::protocol::Protocol;
use crate::publishing::{Publisher, SignIn};
use crate::watching::Watching;
use seam_model::{Field, Shape, Word};
use splitter::Cutter;

/// The protocol `kafka`.
pub(crate) struct Kafka;

impl Protocol for Kafka {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "kafka"
    }

    fn default_port(&self) -> Option<u16> {
        Some(9092)
    }

    /// A client may ask for brokers on any connection, at any moment. Without rules, records pass as they come.
    fn is_always_held(&self) -> bool {
        true
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
    text: "One interaction for each request, and one `message` for each record that is produced or fetched; a batch \
        that is compressed is one `message`, with its `records`. A `Fetch` that waits for records is not an open call. The addresses that a broker tells, its \
        own and those of the other brokers of its cluster, are rewritten so that its clients stay on the seam: each \
        broker gets an address of its own there, and all of them are one seam. A broker to which no address of the \
        seam can lead is told of. Both sides are held to versions that are understood (Produce 9, Fetch 12, Metadata \
        12). A fault sees what is produced and fetched partition by partition, too: one whose `where` fits \
        `request.topic` and `request.partition`, or a record's `message`, answers for that partition alone, and the \
        neighbours in the same request go on to the broker. `mistype`, `garble` and `truncate` change single records, as \
        `message` or `nth` choose them, also in batches that are compressed (as gzip they go on as such, else \
        unpacked), and `reply_lost` leaves out those of what is fetched; every other fault strikes the whole request. \
        Besides Produce and Fetch an error can be said to what groups and transactions ask (joining, heartbeats, \
        offsets committed and fetched, the end of a transaction) and to the search for their coordinator. Where a \
        stub stands in for a broker that is not there, it is one broker, every topic has one partition, and whoever \
        joins a group is alone in it.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional("message", Shape::Fields(MESSAGE), "one record"),
    ],
    example: "system: hello\n\
        components:\n  \
          broker: { external: \"tcp://127.0.0.1:9092\", protocol: kafka }\n",
    ..Word::new("kafka", "Kafka: requests, and the records that are produced and fetched")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "error",
        Shape::Any,
        "in an answer: the code (`3`) or its name (`UNKNOWN_TOPIC_OR_PARTITION`)",
    ),
    Field::optional(
        "offset",
        Shape::Integer,
        "in an answer to Produce: from which offset on the records stand",
    ),
    Field::optional(
        "partitions",
        Shape::List(&Shape::Any),
        "in an answer: topic, partition, error and, for Produce, offset, for Fetch, high_watermark of each",
    ),
    Field::optional(
        "records",
        Shape::List(&Shape::Any),
        "in an answer to Fetch: topic, partition, key, headers, body; those of a recorded batch stand one by one",
    ),
    Field::optional("raw", Shape::Any, "in an answer to any other request: the reply's bytes, as recorded"),
];

const REQUEST: &[Field] = &[
    Field::optional("api", Shape::Text, "`Produce`, `Fetch`, `Metadata`, `JoinGroup` …"),
    Field::optional("version", Shape::Integer, "its version"),
    Field::optional("client", Shape::Text, "the client's name for itself"),
    Field::optional("topics", Shape::List(&Shape::Text), "the topics that it is about"),
    Field::optional(
        "topic",
        Shape::Text,
        "of Produce and Fetch, for a fault: that of one of their partitions",
    ),
    Field::optional(
        "partition",
        Shape::Integer,
        "of Produce and Fetch, for a fault: the number of that partition",
    ),
    Field::optional("offset", Shape::Integer, "of Fetch, for a fault: from where that partition is wanted"),
    Field::optional("acks", Shape::Integer, "of Produce: how many replicas; -1 is all, 0 wants no reply"),
    Field::optional("group", Shape::Text, "the consumer group, where it is about one"),
];

const REPLY: &[Field] = &[
    Field::optional("api", Shape::Text, "the request's name"),
    Field::optional("error", Shape::Any, "code and text of the first error; null where there is none"),
    Field::optional(
        "partitions",
        Shape::List(&Shape::Any),
        "of Produce: topic, partition, error and offset of each; of Fetch: with high_watermark instead of offset",
    ),
    Field::optional("records", Shape::List(&Shape::Any), "of Fetch: the records"),
    Field::optional("raw", Shape::Any, "of other requests: the reply's bytes"),
];

const MESSAGE: &[Field] = &[
    Field::optional("kind", Shape::OneOf(&["published", "delivered"]), "which way it went"),
    Field::optional("topic", Shape::Text, "the topic"),
    Field::optional("partition", Shape::Integer, "the partition"),
    Field::optional("offset", Shape::Integer, "its offset, where it was delivered"),
    Field::optional("key", Shape::Any, "the key"),
    Field::optional("headers", Shape::MapOf(&Shape::Any), "the headers"),
    Field::optional("body", Shape::Any, "the value, decoded where it is JSON"),
    Field::optional("text", Shape::Text, "the value as sent; null where it is no text"),
    Field::optional("compression", Shape::Text, "of a batch that is compressed: by what"),
    Field::optional("count", Shape::Integer, "of a batch that is compressed: how many records"),
    Field::optional(
        "records",
        Shape::List(&Shape::Any),
        "of a batch that is compressed: key, headers, body of each; null where it can't be unpacked",
    ),
];
