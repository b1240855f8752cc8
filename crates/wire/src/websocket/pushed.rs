//! What is to be said as a message: its fields as a frame.

use super::frames::{BINARY, CLOSE, TEXT};
use crate::splitter::Unanswerable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::Value;

/// A message's opcode and what it says, by `text`, `json`, `body` (a text, `{ base64: … }`, or a value as JSON), or `code` and
/// `reason` of a close. A text alone is a text message.
pub(super) fn payload(message: &Value) -> Result<(u8, Vec<u8>), Unanswerable> {
    let text = |text: &str| Ok((TEXT, text.as_bytes().to_vec()));
    let Some(map) = message.as_map() else { return text(&message.to_plain_text()) };
    if map.get("type").and_then(Value::as_text) == Some("close") || map.contains_key("code") {
        let code = match map.get("code") {
            None => 1000,
            // As one is told that says nothing.
            Some(Value::Null) => return Ok((CLOSE, Vec::new())),
            Some(code) => code
                .as_i64()
                .and_then(|code| u16::try_from(code).ok())
                .ok_or_else(|| Unanswerable::new(format!("{code} is no code of a close")))?,
        };
        let reason = map.get("reason").and_then(Value::as_text).unwrap_or_default();
        if reason.len() > 123 {
            return Err(Unanswerable::new("the reason of a close has at most 123 bytes"));
        }
        return Ok((CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat()));
    }
    match (map.get("json"), map.get("text"), map.get("body")) {
        (Some(json), ..) => text(&json.to_string()),
        (None, Some(Value::Text(said)), _) | (None, _, Some(Value::Text(said))) => text(said),
        (None, _, Some(body)) => match body.get("base64").and_then(Value::as_text) {
            Some(base64) => STANDARD
                .decode(base64)
                .map(|bytes| (BINARY, bytes))
                .map_err(|error| Unanswerable::new(format!("the body is no base64: {error}"))),
            None => text(&body.to_string()),
        },
        _ => Err(Unanswerable::new("a message of WebSocket has text, json or body, or code and reason")),
    }
}
