//! What nearly matched, by distances as WireMock measures them.

use super::mapping::Mapping;
use super::request::Request;
use seam_value::{Map, Value};
use std::sync::Arc;

/// How many near misses are told.
const N_NEAR: usize = 3;

/// Mappings by how far off a request is, the nearest first.
pub(crate) fn nearest(mappings: &[Arc<Mapping>], request: &Request) -> Vec<(Arc<Mapping>, f64)> {
    let mut all: Vec<(Arc<Mapping>, f64)> =
        mappings.iter().map(|mapping| (Arc::clone(mapping), mapping.request.distance(request))).collect();
    all.sort_by(|(_, left), (_, right)| left.total_cmp(right));
    all.truncate(N_NEAR);
    all
}

/// A near miss as clients read it; `what` is `stubMapping` or `requestPattern`.
pub(crate) fn to_value(request: Value, what: &str, pattern: Value, distance: f64) -> Value {
    let number = seam_value::Number::from_f64(distance);
    let distance = number.map_or(Value::from(0_i64), Value::Number);
    let mut out = Map::default();
    out.insert("request".to_owned(), request);
    out.insert(what.to_owned(), pattern);
    out.insert(
        "matchResult".to_owned(),
        Value::map([
            ("subEvents", Value::List(Vec::new())),
            ("diffDescriptions", Value::List(Vec::new())),
            ("distance", distance),
        ]),
    );
    Value::Map(out)
}
