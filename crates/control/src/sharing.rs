//! Lets pages of other origins read what mappings answer, as WireMock's `--enable-stub-cors` does.

use seam_stub::wiremock::Request;
use seam_value::{Map, Value};
use seam_wire::{Answering, Say};
use std::sync::Arc;

/// What pages may ask with.
const METHODS: [&str; 6] = ["OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE"];

/// The answer to a page that asks whether it may ask; no mapping sees that.
pub(crate) fn preflight(request: &Request) -> Option<Value> {
    let wanted = request.header("access-control-request-method").filter(|_| request.method == "OPTIONS")?;
    let origin = request.header("origin")?;
    let mut headers = Map::default();
    if METHODS.contains(&wanted) {
        headers = said_to(Some(origin));
        headers.insert("Access-Control-Max-Age".to_owned(), Value::text("1800"));
        headers.insert("Access-Control-Allow-Methods".to_owned(), Value::Text(METHODS.join(",")));
        let names = request.header("access-control-request-headers").unwrap_or_default();
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        headers.insert("Access-Control-Allow-Headers".to_owned(), Value::Text(names.join(",")));
    } else {
        headers.insert("Vary".to_owned(), Value::text("Origin"));
    }
    headers.insert("Content-Length".to_owned(), Value::text("0"));
    Some(Value::map([("status", Value::from(200_u16)), ("headers", Value::Map(headers))]))
}

/// The same answer, with what lets a page read it.
pub(crate) fn shared(mut answering: Answering, request: &Request) -> Answering {
    let headers = said_to(request.header("origin"));
    match &mut answering.say {
        Say::Answer(answer) => *answer = Arc::new(with_headers(answer, headers)),
        Say::Elsewhere(elsewhere) => {
            let said = headers.into_iter().map(|(name, value)| (name, value.to_plain_text()));
            Arc::make_mut(elsewhere).reply_headers.extend(said);
        }
        Say::Bytes(..) | Say::Pass | Say::Cannot(_) => {}
    }
    answering
}

fn said_to(origin: Option<&str>) -> Map {
    let mut headers = Map::default();
    headers.insert("Vary".to_owned(), Value::text("Origin"));
    if let Some(origin) = origin {
        headers.insert("Access-Control-Allow-Origin".to_owned(), Value::text(origin));
        headers.insert("Access-Control-Allow-Credentials".to_owned(), Value::text("true"));
    }
    headers
}

/// Before those that the answer has; a name that it has too is said twice.
fn with_headers(answer: &Value, mut headers: Map) -> Value {
    for (name, value) in answer.get("headers").and_then(Value::as_map).into_iter().flatten() {
        let known = headers.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
        let Some(known) = known else {
            headers.insert(name.clone(), value.clone());
            continue;
        };
        let mut all: Vec<Value> = headers.get(&known).cloned().into_iter().collect();
        match value {
            Value::List(values) => all.extend(values.iter().cloned()),
            one => all.push(one.clone()),
        }
        headers.insert(known, Value::List(all));
    }
    let mut out = answer.as_map().cloned().unwrap_or_default();
    out.insert("headers".to_owned(), Value::Map(headers));
    Value::Map(out)
}
