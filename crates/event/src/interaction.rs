//! What passed a seam: one request with its reply, or one message.

use crate::id::{ComponentId, SeamId};
use seam_value::Value;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One request with its reply, or one message, as the seam's protocol understands it.
///
/// `request`, `reply` and `message` are maps whose fields each protocol documents in its table; a part that
/// does not apply, or never came, is null. Tests reach them by path: `interactions.0.request.body.amount`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    /// Its number in the run, from 1, in the order in which they are told. A call that was open when a test ended is told
    /// then, and again when it ends: what is told last under a number counts.
    pub id: u64,
    /// The seam that it passed.
    pub seam: SeamId,
    /// Who asked: the seam's consumer, or who really held the connection; over a broker the publisher.
    pub from: ComponentId,
    /// Who was asked; over a broker the subscriber.
    pub to: ComponentId,
    /// The broker in between, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<ComponentId>,
    /// How `from` is known.
    pub caller: Caller,
    /// The protocol by name: `http`, `postgres`, `redis`, `smtp`, `tcp`.
    pub protocol: String,
    /// Which connection of the seam carried it, from 1 in the run.
    pub connection: u64,
    /// When it began: time since the run began.
    #[serde(with = "crate::nanos")]
    pub at: Duration,
    /// From the first byte of the request to the last of the reply; none while it lasts or where it never ended.
    #[serde(default, with = "crate::nanos::option", skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<Duration>,
    /// Why it came to no proper end; an error in the protocol's own terms (a 500) is not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<InteractionError>,
    /// What was asked.
    #[serde(default)]
    pub request: Value,
    /// What was answered.
    #[serde(default)]
    pub reply: Value,
    /// What was pushed or published.
    #[serde(default)]
    pub message: Value,
    /// Who answered in the provider's place, or broke it off: `stub NAME` or `fault AS WRITTEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// Was any part longer than what is kept? Folds that need the whole say inconclusive.
    #[serde(default)]
    pub cut: bool,
}

impl Interaction {
    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + [&self.request, &self.reply, &self.message].into_iter().map(Value::weight).sum::<usize>()
    }
}

/// How the caller of an interaction is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// The owner of the socket was looked up, or it is a step's own connection.
    Known,
    /// Nobody could be found; the declared consumer is taken for it.
    Assumed,
}

/// Why an interaction came to no proper end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionError {
    /// Nothing listened behind the seam.
    Refused,
    /// The connection was reset by one side.
    Reset,
    /// The connection ended in the middle of the reply, or before it.
    Closed,
    /// No reply within the time that the asking side allows.
    Timeout,
}

impl InteractionError {
    /// The word that tests use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
        }
    }
}

impl Interaction {
    /// As a value, with the fields that language.md names, for steps and folds to look into.
    pub fn to_value(&self) -> Value {
        let micros = |duration: Duration| Value::text(format!("{}us", duration.as_micros()));
        Value::map([
            ("from", Value::text(self.from.as_str())),
            ("to", Value::text(self.to.as_str())),
            ("via", self.via.as_ref().map(|via| via.as_str().to_owned()).into()),
            ("seam", Value::text(self.seam.to_string())),
            ("at", micros(self.at)),
            ("elapsed", self.elapsed.map_or(Value::Null, micros)),
            ("error", self.error.map(|error| error.name().to_owned()).into()),
            ("request", self.request.clone()),
            ("reply", self.reply.clone()),
            ("message", self.message.clone()),
            ("answered_by", self.answered_by.clone().into()),
        ])
    }
}
