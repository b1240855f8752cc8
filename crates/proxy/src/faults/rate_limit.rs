//! `rate_limit`: so many requests in so long, and no more.

use super::{Effect, Fault, FaultKind, Moment, Struck, duration};
use seam_model::{Field, Shape, Word};
use seam_value::{Map, Value};
use seam_wire::Deed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const FIELDS: &[Field] = &[
    Field::optional("per", Shape::Duration, "in how long; 1s where nothing is said"),
    Field::optional(
        "retry_after",
        Shape::Duration,
        "what the header Retry-After says; the time that is left where nothing is said",
    ),
];

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "So many requests pass in so long; further ones get status 429 with the header `Retry-After` in the \
            provider's place. For HTTP; other protocols say it with `error` and `nth`.",
        subject: Shape::Integer,
        fields: FIELDS,
        example: "{ rate_limit: 5, per: 1s, retry_after: 2s }",
        ..Word::new("rate_limit", "so many requests pass in so long; others get 429 with Retry-After")
    },
    read,
};

fn read(argument: &Value, map: &Map) -> Result<Arc<dyn Fault>, String> {
    let most = argument.as_i64().and_then(|most| u64::try_from(most).ok());
    let most = most.ok_or_else(|| "`rate_limit` takes a number of requests".to_owned())?;
    let per = map.get("per").map_or(Ok(Duration::from_secs(1)), |per| duration("per", per))?;
    let retry_after = map.get("retry_after").map(|after| duration("retry_after", after)).transpose()?;
    Ok(Arc::new(RateLimit { most, per, retry_after, window: Mutex::default() }))
}

struct RateLimit {
    most: u64,
    per: Duration,
    retry_after: Option<Duration>,
    /// When the present window began, and how many have passed in it.
    window: Mutex<(Duration, u64)>,
}

impl Fault for RateLimit {
    fn moment(&self) -> Moment {
        Moment::Request
    }

    fn deeds(&self) -> &'static [Deed] {
        &[Deed::Answer]
    }

    fn says(&self) -> Option<Value> {
        Some(said(1))
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.1 == 0 || struck.at.saturating_sub(window.0) >= self.per {
            *window = (struck.at, 0);
        }
        window.1 += 1;
        if window.1 <= self.most {
            return None;
        }
        let left = (window.0 + self.per).saturating_sub(struck.at);
        let seconds = self.retry_after.unwrap_or(left).as_millis().div_ceil(1000).max(1);
        Some(Effect::Answer(said(seconds)))
    }
}

fn said(seconds: u128) -> Value {
    let headers = Value::map([("retry-after", Value::text(seconds.to_string()))]);
    Value::map([("status", Value::from(429_u64)), ("headers", headers)])
}
