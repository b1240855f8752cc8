//! What is to be said in a provider's place, as headers, messages and trailers.

use super::descriptors::{Descriptors, encode};
use super::status;
use crate::anew::only;
use crate::conversation::Direction;
use crate::http2;
use crate::http2::hpack::Headers;
use crate::http2::{Said, push_header};
use crate::splitter::{Anew, Unanswerable};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use prost_reflect::MessageDescriptor;
use seam_value::{Map, Value};

/// The fields that an answer may have.
const KNOWN: &[&str] = &[
    "status", "message", "metadata", "body", "bodies", "messages", "every", "trailers", "length", "open",
    "json", "text", "error",
];

/// Why no call can be answered so; none where one may.
pub(super) fn misfit(answer: &Value) -> Option<Unanswerable> {
    fields(answer).err()
}

/// The answer as an interaction tells it.
pub(super) fn told(answer: &Value) -> Value {
    let Some(mut map) = answer.as_map().cloned() else { return answer.clone() };
    for (short, name) in [("json", "body"), ("text", "message"), ("error", "status")] {
        if let Some(value) = map.shift_remove(short) {
            map.entry(name.to_owned()).or_insert(value);
        }
    }
    if let Ok(status) = status_of(&map) {
        map.insert("status".to_owned(), Value::text(status::name(&status.to_string())));
    }
    Value::Map(map)
}

/// The fields of an answer, and its status.
fn fields(answer: &Value) -> Result<(&Map, u32), Unanswerable> {
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new("an answer of gRPC is a map: status, message, body"));
    };
    if let Some(unknown) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Unanswerable::new(format!(
            "grpc has no {unknown}; its answers have status, message, body"
        )));
    }
    Ok((map, status_of(map)?))
}

/// Reads an answer to the call of a path.
pub(crate) fn said(
    descriptors: Option<&Descriptors>,
    path: &str,
    answer: &Value,
) -> Result<Said, Unanswerable> {
    let (map, status) = fields(answer)?;
    let method = descriptors.and_then(|descriptors| descriptors.method(path));
    // What answers with one message answers with an empty one where nothing is said of it.
    let needs_message = status == 0 && method.as_ref().is_some_and(|method| !method.is_server_streaming());
    let output = method.map(|method| method.output());
    let mut said = Said { stays_open: map.get("open") == Some(&Value::Bool(true)), ..Said::default() };
    said.headers.push(b":status", b"200");
    said.headers.push(b"content-type", b"application/grpc");
    metadata(map, "metadata", &mut said.headers)?;
    match (map.get("body").or_else(|| map.get("json")), map.get("bodies")) {
        (None | Some(Value::Null), Some(Value::List(bodies))) => {
            for body in bodies {
                said.body.extend(message(output.clone(), body)?);
            }
        }
        (None | Some(Value::Null), _) if needs_message && map.get("messages").is_none() => {
            said.body = message(output, &Value::Map(Map::default()))?;
        }
        (None | Some(Value::Null), _) => {}
        (Some(body), _) => said.body = message(output, body)?,
    }
    let has_metadata = map.get("metadata").and_then(Value::as_map).is_some_and(|map| !map.is_empty());
    // An error without messages has its status in its only headers.
    let only_headers = status != 0 && said.body.is_empty() && !has_metadata && !said.stays_open;
    let mut trailers = Headers::default();
    let to = if only_headers { &mut said.headers } else { &mut trailers };
    say_status(status, map, to)?;
    said.trailers = (!only_headers).then_some(trailers);
    Ok(said)
}

/// What is said last of an answer whose messages were said one by one.
pub(crate) fn last(answer: &Value) -> Result<Headers, Unanswerable> {
    let map = answer.as_map().cloned().unwrap_or_default();
    let mut trailers = Headers::default();
    say_status(status_of(&map)?, &map, &mut trailers)?;
    Ok(trailers)
}

fn status_of(map: &Map) -> Result<u32, Unanswerable> {
    match map.get("status").or_else(|| map.get("error")) {
        None | Some(Value::Null) => Ok(0),
        Some(status) => status::number(&status.to_plain_text())
            .ok_or_else(|| Unanswerable::new(format!("{status} is no status of gRPC"))),
    }
}

fn say_status(status: u32, map: &Map, to: &mut Headers) -> Result<(), Unanswerable> {
    to.push(b"grpc-status", status.to_string().as_bytes());
    if let Some(text) = map.get("message").or_else(|| map.get("text")).filter(|text| **text != Value::Null) {
        to.push(b"grpc-message", status::write_message(text.to_plain_text().trim_end()).as_bytes());
    }
    metadata(map, "trailers", to)
}

/// The bytes of a message that is pushed into the reply to the call of a path. Its fields stand in `body`.
pub(crate) fn pushed(
    descriptors: Option<&Descriptors>,
    path: &str,
    pushed: &Value,
) -> Result<Vec<u8>, Unanswerable> {
    let output = descriptors.and_then(|descriptors| descriptors.method(path)).map(|method| method.output());
    message(output, pushed.get("body").unwrap_or(pushed))
}

/// The bytes of a message that asks the method of a path, with what stands before it.
pub fn request(descriptors: Option<&Descriptors>, path: &str, body: &Value) -> Result<Vec<u8>, String> {
    let input = descriptors.and_then(|descriptors| descriptors.method(path)).map(|method| method.input());
    message(input, body).map_err(|unanswerable| unanswerable.to_string())
}

/// A message of the call of a path, given its bytes, that says something else.
pub(crate) fn anew(
    descriptors: Option<&Descriptors>,
    (to, path): (Direction, &str),
    said: &[u8],
    anew: Anew<'_>,
) -> Result<Vec<u8>, Unanswerable> {
    match anew {
        Anew::Fields(before, now) => {
            only(before, now, &[])?;
            let method = descriptors.and_then(|descriptors| descriptors.method(path));
            let described = method.map(|method| match to {
                Direction::ToProvider => method.input(),
                Direction::ToConsumer => method.output(),
            });
            message(described, now.get("body").unwrap_or(&Value::Null))
        }
        Anew::Content(change) => {
            let (head, content) = said.split_at(said.len().min(http2::MESSAGE_HEAD));
            if head.first() != Some(&0) {
                return Err(Unanswerable::new("a message that is packed can't say something else"));
            }
            let mut content = content.to_vec();
            change(&mut content);
            Ok(framed(&content)?)
        }
    }
}

fn metadata(map: &Map, field: &str, headers: &mut Headers) -> Result<(), Unanswerable> {
    for (name, value) in map.get(field).and_then(Value::as_map).into_iter().flatten() {
        let name = name.to_ascii_lowercase();
        let values = match value {
            Value::List(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            match value.get("base64").and_then(Value::as_text) {
                Some(text) if name.ends_with("-bin") => {
                    let bytes =
                        STANDARD.decode(text).map_err(|_| Unanswerable::new("metadata that is no base64"))?;
                    headers.push(name.as_bytes(), STANDARD_NO_PAD.encode(bytes).as_bytes());
                }
                _ => push_header(headers, &name, value)?,
            }
        }
    }
    Ok(())
}

/// A message with what stands before it.
fn message(described: Option<MessageDescriptor>, body: &Value) -> Result<Vec<u8>, Unanswerable> {
    let bytes = match (body.get("base64").and_then(Value::as_text), described) {
        // What was read without a description.
        (Some(text), described) if described.is_none() || is_undescribed(body) => STANDARD
            .decode(text)
            .map_err(|error| Unanswerable::new(format!("the body is no base64: {error}")))?,
        (_, Some(described)) => encode(described, body).map_err(Unanswerable::new)?,
        (_, None) => {
            return Err(Unanswerable::new(
                "a message by its fields needs descriptors; without, { base64: … }",
            ));
        }
    };
    framed(&bytes)
}

/// A message with what stands before it.
fn framed(bytes: &[u8]) -> Result<Vec<u8>, Unanswerable> {
    let length = u32::try_from(bytes.len()).map_err(|_| Unanswerable::new("a message of 4 GiB"))?;
    Ok([&[0], &length.to_be_bytes()[..], bytes].concat())
}

fn is_undescribed(body: &Value) -> bool {
    body.as_map().is_some_and(|map| map.keys().all(|key| matches!(key.as_str(), "base64" | "fields")))
}
