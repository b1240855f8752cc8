//! What is to be said in a provider's place: the fields of a reply to headers, body and trailers.
//!
//! A recorded reply said again reads the same. Its body was unpacked and decoded, so what described the bytes of before
//! (their packing, their length) is left out or written anew.

use super::hpack::Headers;
use crate::body::in_charset;
use crate::http::events;
use crate::splitter::Unanswerable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::{Map, Value, parse};

/// An answer, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Headers>,
    /// The stream stays open for what is pushed later.
    pub(crate) stays_open: bool,
}

/// What only concerns one connection of HTTP/1, and what is written anew.
const LEFT_OUT: &[&str] = &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The packings that are undone when a body is read.
const UNDONE: &[&str] = &["gzip", "x-gzip", "deflate", "br", "identity"];

/// The fields that an answer may have.
/// The words behind a status have no place in HTTP/2: an answer that has them for HTTP/1 is one all the same.
const KNOWN: &[&str] = &[
    "status", "reason", "headers", "json", "body", "text", "length", "trailers", "cut_off", "events", "open",
    "cookies", "messages", "every",
];

/// Reads an answer. `has_body` says whether a reply to this request may have one at all.
pub(super) fn read(answer: &Value, has_body: bool) -> Result<Said, Unanswerable> {
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new("an answer of HTTP is a map: status, headers, body"));
    };
    if let Some(unknown) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Unanswerable::new(format!(
            "http has no {unknown}; its answers have status, headers, body"
        )));
    }
    let status = match map.get("status") {
        None | Some(Value::Null) => 200,
        Some(status) => status
            .as_i64()
            .filter(|status| (100..1000).contains(status))
            .ok_or_else(|| Unanswerable::new(format!("{status} is no status of HTTP")))?,
    };
    let given = map.get("headers").and_then(Value::as_map);
    let content_type = given.and_then(|given| find(given, "content-type"));
    let (body, default_type) = body(map, content_type.as_deref())?;
    let mut said = Said { stays_open: map.get("open") == Some(&Value::Bool(true)), ..Said::default() };
    said.headers.push(b":status", status.to_string().as_bytes());
    if let Some(default_type) = default_type.filter(|_| content_type.is_none()) {
        said.headers.push(b"content-type", default_type.as_bytes());
    }
    let may_have_body = has_body && !matches!(status, 100..=199 | 204 | 304);
    for (name, value) in given.into_iter().flatten() {
        let name = name.to_ascii_lowercase();
        let packing = || value.to_plain_text().to_ascii_lowercase();
        match name.as_str() {
            left_out if LEFT_OUT.contains(&left_out) => {}
            "content-encoding" if packing().split(',').all(|one| UNDONE.contains(&one.trim())) => {}
            "content-length" if matches!(status, 100..=199 | 204) => {}
            "content-length" if may_have_body => {
                if !said.stays_open {
                    said.headers.push(b"content-length", body.len().to_string().as_bytes());
                }
            }
            _ => push(&mut said.headers, &name, value)?,
        }
    }
    said.body = if may_have_body { body } else { Vec::new() };
    said.trailers = trailers(answer)?;
    Ok(said)
}

/// The headers behind an answer's body, where there are any.
pub(super) fn trailers(answer: &Value) -> Result<Option<Headers>, Unanswerable> {
    let Some(trailers) = answer.get("trailers").and_then(Value::as_map).filter(|map| !map.is_empty()) else {
        return Ok(None);
    };
    let mut headers = Headers::default();
    for (name, value) in trailers {
        push(&mut headers, &name.to_ascii_lowercase(), value)?;
    }
    Ok(Some(headers))
}

fn find(headers: &Map, name: &str) -> Option<String> {
    headers
        .iter()
        .find(|(other, value)| other.eq_ignore_ascii_case(name) && **value != Value::Null)
        .map(|(_, value)| value.to_plain_text())
}

/// Adds a header; a list is one header for each of its values.
pub(crate) fn push(headers: &mut Headers, name: &str, value: &Value) -> Result<(), Unanswerable> {
    if name.is_empty() || name.bytes().any(|byte| byte <= b' ' || byte == b':' || byte >= 0x7f) {
        return Err(Unanswerable::new(format!("`{name}` is no name of a header")));
    }
    match value {
        Value::Null => {}
        Value::List(values) => {
            for value in values {
                push(headers, name, value)?;
            }
        }
        value => {
            let text = value.to_plain_text();
            if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                return Err(Unanswerable::new(format!("the header {name} has a line end in it")));
            }
            headers.push(name.as_bytes(), text.as_bytes());
        }
    }
    Ok(())
}

/// The body's bytes, and the type they have where none is said.
fn body(map: &Map, content_type: Option<&str>) -> Result<(Vec<u8>, Option<&'static str>), Unanswerable> {
    const JSON: &str = "application/json";
    const TEXT: &str = "text/plain; charset=utf-8";
    if let Some(list) = map.get("events").and_then(Value::as_list) {
        return Ok((list.iter().flat_map(events::write).collect(), Some("text/event-stream")));
    }
    if let Some(json) = map.get("json") {
        return Ok((json.to_string().into_bytes(), Some(JSON)));
    }
    let text = map.get("text").and_then(Value::as_text);
    match (map.get("body"), text) {
        (None | Some(Value::Null), None) => Ok((Vec::new(), None)),
        (None | Some(Value::Null), Some(text)) => Ok((in_charset(text, content_type).into_owned(), None)),
        (Some(body), _) if base64_of(body).is_some() => {
            let bytes = STANDARD.decode(base64_of(body).unwrap_or_default());
            bytes
                .map(|bytes| (bytes, None))
                .map_err(|error| Unanswerable::new(format!("the body is no base64: {error}")))
        }
        // What was read stays as it was written, unless one of the two was changed.
        (Some(body), Some(text)) if is_text_of(text, body) => {
            Ok((in_charset(text, content_type).into_owned(), None))
        }
        (Some(Value::Text(body)), _) => Ok((in_charset(body, content_type).into_owned(), Some(TEXT))),
        (Some(body), _) => Ok((body.to_string().into_bytes(), Some(JSON))),
    }
}

/// Does the text say this body? A form's text does so in its own way.
fn is_text_of(text: &str, body: &Value) -> bool {
    body.as_text() == Some(text)
        || parse(text).is_ok_and(|parsed| parsed == *body)
        || crate::body::pairs(text) == *body
}

fn base64_of(body: &Value) -> Option<&str> {
    let map = body.as_map().filter(|map| map.len() == 1)?;
    map.get("base64").and_then(Value::as_text)
}
