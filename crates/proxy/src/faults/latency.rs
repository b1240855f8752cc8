//! `latency`: requests arrive later.

use super::{Effect, Fault, FaultKind, Moment, Role, Struck, duration};
use seam_model::{Field, Shape, Word};
use seam_value::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

const FIELDS: &[Field] =
    &[Field::optional("jitter", Shape::Duration, "by how much more or less each time, evenly spread")];

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "Each request (or message) is passed on so much later. `jitter` is by how much more or less; what is drawn \
            depends on the run's seed. On one connection the order stays.",
        subject: Shape::Duration,
        fields: FIELDS,
        example: "{ latency: 300ms, jitter: 100ms }",
        ..Word::new("latency", "requests are passed on later")
    },
    read: |argument, map: &Map| {
        let time = duration("latency", argument)?;
        let jitter =
            map.get("jitter").map_or(Ok(Duration::ZERO), |jitter: &Value| duration("jitter", jitter))?;
        Ok(Arc::new(Latency { time, jitter }))
    },
};

struct Latency {
    time: Duration,
    jitter: Duration,
}

impl Fault for Latency {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn role(&self) -> Role {
        Role::Delays
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let width = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let drawn = Duration::from_micros(struck.chance.below(width.saturating_mul(2).saturating_add(1)));
        Some(Effect::Wait((self.time + drawn).saturating_sub(self.jitter)))
    }
}
