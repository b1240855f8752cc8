//! Who publishes on a connection of its own: the consumer's half of a broker's protocol, bytes in and bytes out, without a
//! socket.
//!
//! ```text
//! begin ─▶ hear … ─▶ Open          signed in
//! publish ─▶ hear … ─▶ Done        taken by the broker, as far as the protocol has a word for it
//! ```
//! It stands beside the decoder of its protocol, and reads what comes with the same code: what a test is told has the fields
//! that an interaction has.

use crate::conversation::{Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};
use std::time::Duration;

/// The most that one message of a broker may have; more is a surprise, so that none can fill the memory.
pub(crate) const MOST: usize = 256 * 1024 * 1024;

/// Who signs in.
#[derive(Clone, Default)]
pub struct SignIn {
    /// As whom; none where the address names nobody.
    pub user: Option<String>,
    /// With what.
    pub password: Option<String>,
    /// What the address names behind the host: a virtual host. Empty where there is none.
    pub place: String,
    /// The client's own name, made by chance for this connection: nobody else has it.
    pub name: String,
    /// The version in which it is spoken, where there are several; none for the usual one.
    pub version: Option<String>,
    /// By what it is proven who it is, where the broker has said so; none for what the protocol likes best.
    pub mechanism: Option<String>,
    /// Where this is, `127.0.0.1:9092`, as whoever sent here calls it.
    pub at: String,
}

/// One message that is to be published.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Publication {
    /// Where to: a topic, a subject, a routing key.
    pub topic: String,
    /// What else is said, by the names in [`published_fields`](crate::Protocol::published_fields).
    pub fields: Map,
    /// The payload. None is no payload at all, which Kafka tells from an empty one: what was said of the key before is
    /// deleted.
    pub body: Option<Vec<u8>>,
    /// So many answers are waited for.
    pub n_answers: usize,
}

/// What has come of what was done last.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    /// The connection is ready.
    Open,
    /// The message was taken, and all answers have come.
    Done,
    /// The broker has said no. The connection is of no use any more.
    Refused {
        /// Its code, where it has one; else null.
        code: Value,
        /// Its words.
        message: String,
    },
    /// The broker does not let in so, and has left: it is dialled again, and by this it is proven who it is.
    SignInBy(String),
    /// The message has to be published there, `127.0.0.1:9092`: another broker is in charge of it.
    Elsewhere(String),
    /// It can't be taken yet, and is to be published again: its topic is being made, or goes to another broker.
    Later {
        /// After this.
        pause: Duration,
        /// The broker's code for it.
        code: Value,
        /// Its words.
        message: String,
    },
}

/// One connection of somebody who publishes.
pub trait Publisher: Send {
    /// What is said first of all; nothing where the server speaks first.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let _ = out;
        Ok(())
    }

    /// Asks for what has to be there before anything is published, by the fields that an interaction has.
    fn declare(&mut self, calls: &[Value], out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let _ = (calls, out);
        Err(Unanswerable::new("there is nothing that could be declared"))
    }

    /// Publishes, once the connection is open and nothing else is under way.
    fn publish(&mut self, publication: &Publication, out: &mut Vec<u8>) -> Result<(), Unanswerable>;

    /// Bytes of the broker; what has to be said to them is put into `out`.
    fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise>;

    /// What has come of it, once: none as long as it is under way.
    fn came(&mut self) -> Option<Came>;

    /// What the broker told of the last publication, taken: `messages` are its answers.
    fn told(&mut self) -> Map;
}

/// Takes what comes next, once it is whole. `whole` says by its beginning how many bytes it has; none where that is not there
/// yet. `name` is what it is: `a frame`.
pub(crate) fn next(
    pending: &mut Pending,
    whole: impl FnOnce(&[u8]) -> Result<Option<usize>, Surprise>,
    name: &str,
) -> Result<Option<Vec<u8>>, Surprise> {
    let held = pending.unseen();
    let Some(whole) = whole(held)? else { return Ok(None) };
    if whole > MOST {
        return Err(Surprise::new(format!("{name} that is longer than 256 MiB")));
    }
    if held.len() < whole {
        return Ok(None);
    }
    pending.see(whole);
    Ok(Some(pending.take()))
}

/// How much is kept of an answer: all of it.
pub(crate) fn limits() -> Limits {
    Limits { kept_body: MOST, kept_open: 2 * MOST, ..Limits::default() }
}

/// What a test is told of a message that was delivered.
pub(crate) fn answer(message: &Value) -> Value {
    let fields = ["topic", "reply_to", "status", "headers", "properties", "body", "text"];
    let field = |name: &str| Some((name.to_owned(), message.get(name)?.clone()));
    Value::Map(fields.into_iter().filter_map(field).collect())
}
