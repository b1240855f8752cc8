//! A part of an interaction as recordings keep it: each thing once, and nothing that follows from the rest.
//!
//! The History keeps a body decoded and as text, cookies in their header and by name. In a file that people change, that
//! would be two truths. Only a reply whose text is not the usual writing of its body keeps both: there are consumers that
//! look for `"id": 1` with its space. Once somebody changes the body, the text no longer counts.

use crate::lists::OF_THE_CONNECTION;
use seam_value::{Map, Value};

/// A request, reply or message of this protocol as it is recorded.
pub fn normal(protocol: &str, part: &Value) -> Value {
    let Value::Map(map) = part else { return part.clone() };
    let mut map = map.clone();
    // Null says that there is no error, which its absence says as well.
    map.retain(|name, value| !(matches!(name.as_str(), "error" | "copied") && *value == Value::Null));
    if is_http(protocol) {
        http(&mut map);
    }
    if matches!(protocol, "grpc" | "smtp") {
        map.shift_remove("length");
    }
    let is_reply = map.contains_key("status");
    one_body(&mut map, is_reply);
    Value::Map(map)
}

/// Does it speak HTTP, of whatever version?
pub(crate) fn is_http(protocol: &str) -> bool {
    matches!(protocol, "http" | "http2")
}

fn http(map: &mut Map) {
    map.shift_remove("length");
    map.shift_remove("cookies");
    if map.get("query").and_then(Value::as_map).is_some_and(Map::is_empty) {
        map.shift_remove("query");
    }
    if let Some(Value::Map(headers)) = map.get_mut("headers") {
        headers.retain(|name, _| !OF_THE_CONNECTION.contains(&name.as_str()));
        if headers.is_empty() {
            map.shift_remove("headers");
        }
    }
}

/// Leaves out the text of a body where the body says the same.
fn one_body(map: &mut Map, is_reply: bool) {
    // What calls itself JSON and is none would be the same as a JSON that is a text.
    if says_json(map)
        && let (Some(body @ Value::Text(_)), Some(text)) = (map.get("body"), map.get("text"))
        && body == text
    {
        map.shift_remove("body");
        return;
    }
    let body = map.get("body").unwrap_or(&Value::Null);
    let is_repeated = match map.get("text") {
        None => return,
        Some(Value::Null) => true,
        Some(Value::Text(text)) if text.is_empty() => true,
        Some(Value::Text(text)) => match body {
            Value::Null => false,
            // With a mark in the place of a number it is no JSON any more.
            Value::Map(_) | Value::List(_) if crate::marks::has_marks(text) => true,
            Value::Text(body) if body == text => true,
            body if is_reply && body.to_string() != *text => false,
            body => says_the_same(text, body),
        },
        Some(_) => false,
    };
    let has_no_body = *body == Value::Null;
    if is_repeated {
        map.shift_remove("text");
        if has_no_body {
            map.shift_remove("body");
        }
    }
}

/// Does its type say that it is JSON?
fn says_json(map: &Map) -> bool {
    let media = map.get("headers").and_then(|headers| headers.get("content-type")).and_then(Value::as_text);
    media.is_some_and(|media| media.contains("json"))
}

/// Is the text this value, as JSON?
pub(crate) fn says_the_same(text: &str, body: &Value) -> bool {
    seam_value::parse(text).is_ok_and(|parsed| parsed == *body)
}
