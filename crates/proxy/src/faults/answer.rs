//! `status` and `error`: an answer in the protocol's own terms, in the provider's place.

use super::{Effect, Fault, FaultKind, Moment, Struck};
use seam_model::{Shape, Word};
use seam_value::{Map, Value};
use seam_wire::Deed;
use std::sync::Arc;

pub(super) static STATUS: FaultKind = FaultKind {
    word: Word {
        text: "Answers with this status in the provider's place, which never gets the request. Further fields are those \
            of the protocol's answers: `headers`, `json`, `text` for HTTP. It has no body unless one is said.",
        subject: Shape::Any,
        example: "{ status: 503, json: { error: overloaded }, headers: { Retry-After: \"2\" } }",
        ..Word::new("status", "an answer with this status (HTTP, SMTP, gRPC)")
    },
    read,
};

pub(super) static ERROR: FaultKind = FaultKind {
    word: Word {
        text: "Answers with this error in the provider's place, which never gets the request: an SQLSTATE for PostgreSQL, \
            an error's number for MySQL, its text for Redis. An open transaction fails on the server, too.",
        subject: Shape::Any,
        example: "{ error: \"40001\" }",
        ..Word::new("error", "an error in the protocol's own terms (SQL, Redis, brokers)")
    },
    read,
};

fn read(argument: &Value, map: &Map) -> Result<Arc<dyn Fault>, String> {
    if matches!(argument, Value::Null) {
        return Err("say which: `{ status: 503 }`, `{ error: \"40001\" }`".to_owned());
    }
    Ok(Arc::new(Answer(Value::Map(map.clone()))))
}

struct Answer(Value);

impl Fault for Answer {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn deeds(&self) -> &'static [Deed] {
        &[Deed::Answer]
    }

    fn says(&self) -> Option<Value> {
        Some(self.0.clone())
    }

    fn effect(&self, _: &Struck<'_>) -> Option<Effect> {
        Some(Effect::Answer(self.0.clone()))
    }
}
