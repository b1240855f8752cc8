//! An answer as the value into which tests look.

use super::Version;
use super::link::{Answer, Broken};
use crate::action::{Trouble, Unsaid};
use crate::answered::{shown, unsaid_error};
use http::header::{self, HeaderMap, HeaderValue};
use seam_value::{Map, Value, map_with_room};
use seam_wire::body;
use std::time::Duration;

/// How much of a body stands in messages.
const SHOWN: usize = 400;

/// What is known beside the answer itself.
pub(super) struct Received {
    pub(super) url: String,
    pub(super) cookies: Map,
    pub(super) elapsed: Duration,
}

/// Where a redirect leads.
pub(super) fn location(answer: &Answer) -> Option<&str> {
    match answer.head.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => answer.head.headers.get(header::LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// The step's result.
pub(super) fn result(
    answer: Option<&Answer>,
    broken: Option<&Broken>,
    received: Received,
) -> Result<Value, Trouble> {
    let error = match broken {
        None => Value::Null,
        Some(Broken::Seen(seen)) => Value::text(seen.name()),
        Some(Broken::Malformed(_)) => Value::text("malformed"),
        Some(Broken::TooLong) => {
            return Err(Trouble::errored("the body of the answer is longer than 256 MiB"));
        }
    };
    let mut map = map_with_room(8);
    let (status, headers, body) = match answer {
        None => (Value::Null, Value::Map(Map::default()), None),
        Some(answer) => {
            let headers = &answer.head.headers;
            let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
            let decoded = body::decode(
                text(header::CONTENT_TYPE),
                text(header::CONTENT_ENCODING),
                &answer.body,
                body::MAX_UNPACKED,
            );
            (Value::from(answer.head.status.as_u16()), headers_of(headers), Some(decoded))
        }
    };
    let (body, text) = body.map_or((Value::Null, Value::Null), |body| (body.value, body.text));
    map.insert("status".to_owned(), status);
    map.insert("headers".to_owned(), headers);
    map.insert("cookies".to_owned(), Value::Map(received.cookies));
    map.insert("body".to_owned(), body);
    map.insert("text".to_owned(), text);
    let trailers = answer.map_or_else(|| Value::Map(Map::default()), |answer| headers_of(&answer.trailers));
    map.insert("trailers".to_owned(), trailers);
    map.insert("elapsed".to_owned(), Value::Text(shown(received.elapsed)));
    map.insert("url".to_owned(), Value::Text(received.url));
    map.insert("error".to_owned(), error);
    Ok(Value::Map(map))
}

/// What nobody had to write: an answer, and one below 400.
pub(super) fn unsaid(result: &Value, version: Version) -> Vec<Unsaid> {
    let url = result.get("url").and_then(Value::as_text).unwrap_or_default();
    let spoken = if version == Version::Two { "HTTP/2" } else { "HTTP" };
    let mut unsaid = unsaid_error(result, spoken, format!("asked {url}"));
    if let Some(status) = result.get("status").and_then(Value::as_i64).filter(|status| *status >= 400) {
        let body = result.get("text").and_then(Value::as_text).unwrap_or_default().trim();
        unsaid.push(Unsaid {
            path: "status",
            message: format!("status {status}, and the step does not expect it"),
            expected: Some(Value::text("below 400")),
            actual: Some(Value::from(status)),
            details: if body.is_empty() { Vec::new() } else { vec![format!("body: {}", beginning(body))] },
        });
    }
    unsaid
}

fn beginning(text: &str) -> String {
    let mut line: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        line.push('…');
    }
    line
}

/// Names in small letters; one sent twice is joined, `set-cookie` is a list.
fn headers_of(headers: &HeaderMap) -> Value {
    let mut map = map_with_room(headers.keys_len());
    for name in headers.keys() {
        let mut texts = headers.get_all(name).iter().map(characters);
        let value = if name == header::SET_COOKIE {
            Value::List(texts.map(Value::Text).collect())
        } else {
            let first = texts.next().unwrap_or_default();
            Value::Text(texts.fold(first, |joined, more| joined + ", " + &more))
        };
        map.insert(name.as_str().to_owned(), value);
    }
    Value::Map(map)
}

/// UTF-8 where it is some, else by the old rule that each byte is a character.
fn characters(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}
