//! Whatever a request could not be given, in the form in which every program of the bookstore answers it.
//!
//! `{"error": "out_of_stock", …}` with a fitting status. `"retry": true` means that the same request, with the
//! same idempotency key, may be sent again and does no harm. 500 is kept for what nobody had thought of.

use serde_json::{Value, json};

/// A refusal or a failure, ready to be answered.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The JSON object that is answered; `error` is its machine-readable name.
    pub body: Value,
}

impl Problem {
    /// A problem with a machine-readable name and a sentence for people.
    pub fn new(status: u16, error: &str, message: impl std::fmt::Display) -> Self {
        Self { status, body: json!({ "error": error, "message": message.to_string() }) }
    }

    /// A request that is well-formed and makes no sense.
    pub fn invalid(error: &str, message: impl std::fmt::Display) -> Self {
        Self::new(422, error, message)
    }

    /// Something that is not there.
    pub fn unknown(what: &str) -> Self {
        Self::new(404, &format!("unknown_{what}"), format!("there is no such {what}"))
    }

    /// Something that works again later: the caller may repeat the same request.
    pub fn try_again(status: u16, error: &str, message: impl std::fmt::Display) -> Self {
        Self::new(status, error, message).with("retry", json!(true))
    }

    /// Adds a field to the answer.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.body[field] = value;
        self
    }

    /// The machine-readable name.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        crate::log::line(format_args!("database: {}", deep(&error)));
        // Connections that break, a database that restarts and serialization failures pass; all else is a mistake.
        let passes = error.code().is_none_or(|code| ["08", "40", "53", "57"].contains(&&code.code()[..2]));
        if passes {
            Self::try_again(503, "database_unavailable", "the database cannot be reached")
        } else {
            Self::new(500, "internal", "the database refused a statement")
        }
    }
}

impl From<deadpool_postgres::PoolError> for Problem {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        crate::log::line(format_args!("database: {}", deep(&error)));
        Self::try_again(503, "database_unavailable", "the database cannot be reached")
    }
}

impl From<redis::RedisError> for Problem {
    fn from(error: redis::RedisError) -> Self {
        crate::log::line(format_args!("redis: {error}"));
        Self::try_again(503, "store_unavailable", "the store cannot be reached")
    }
}

fn deep(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
