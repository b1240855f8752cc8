//! What is said in a NATS server's place: its greeting, its errors, and deliveries of somebody else's making.

use crate::body::from_base64;
use crate::splitter::Unanswerable;
use crate::unmatched::unmatched;
use seam_value::{Map, Value};

/// The greeting of a server behind which there is none.
pub(super) const GREETING: &[u8] = b"INFO {\"server_id\":\"SEAMWORK\",\"server_name\":\"seamwork\",\
    \"version\":\"2.10.0\",\"proto\":1,\"go\":\"\",\"host\":\"127.0.0.1\",\"port\":4222,\"headers\":true,\
    \"max_payload\":67108864,\"client_id\":1} \r\n";

/// An error as the server says it. Also `{ error: { message: … } }`.
pub(super) fn error(answer: &Value) -> Result<Vec<u8>, Unanswerable> {
    if unmatched(answer).is_some() {
        // What no stub is about is taken.
        return Ok(Vec::new());
    }
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new(format!("an answer of nats is a map with error, not {answer}")));
    };
    if let Some(other) = map.keys().find(|key| *key != "error") {
        return Err(Unanswerable::new(format!("nats has no {other}; its answers have error only")));
    }
    let error = match map.get("error") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(error) => error.get("message").unwrap_or(error),
    };
    let words = error.as_text().ok_or_else(|| {
        Unanswerable::new(format!("error is the server's words (`Permissions Violation`), not {error}"))
    })?;
    let words: String = words.chars().filter(|letter| !letter.is_control() && *letter != '\'').collect();
    Ok(format!("-ERR '{words}'\r\n").into_bytes())
}

/// A delivery to a subscription.
pub(super) fn delivery(sid: &str, topic: &str, message: &Value) -> Result<Vec<u8>, Unanswerable> {
    let field = |name: &str| message.get(name).filter(|value| **value != Value::Null);
    let payload = payload(field("text").or_else(|| field("body")));
    let status = field("status").and_then(Value::as_i64);
    let block = header_block(status, field("headers").and_then(Value::as_map))?;
    let reply_to = match field("reply_to").and_then(Value::as_text) {
        Some(reply_to) if is_subject(reply_to) => format!(" {reply_to}"),
        Some(reply_to) => return Err(Unanswerable::new(format!("{reply_to:?} is no subject to reply to"))),
        None => String::new(),
    };
    let n_bytes = block.len() + payload.len();
    let line = if block.is_empty() {
        format!("MSG {topic} {sid}{reply_to} {n_bytes}\r\n")
    } else {
        format!("HMSG {topic} {sid}{reply_to} {} {n_bytes}\r\n", block.len())
    };
    Ok([line.as_bytes(), &block, &payload, b"\r\n"].concat())
}

/// The headers with the line above them; nothing where there is none of it.
pub(super) fn header_block(status: Option<i64>, headers: Option<&Map>) -> Result<Vec<u8>, Unanswerable> {
    let headers = headers.filter(|headers| !headers.is_empty());
    if status.is_none() && headers.is_none() {
        return Ok(Vec::new());
    }
    let mut block = b"NATS/1.0".to_vec();
    if let Some(status) = status {
        block.extend_from_slice(format!(" {status}").as_bytes());
    }
    block.extend_from_slice(b"\r\n");
    for (name, value) in headers.into_iter().flatten() {
        let value = value.to_plain_text();
        if name.is_empty() || name.contains([':', '\r', '\n']) || value.contains(['\r', '\n']) {
            return Err(Unanswerable::new(format!("the header {name:?} can't be sent like that")));
        }
        block.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    block.extend_from_slice(b"\r\n");
    Ok(block)
}

fn payload(value: Option<&Value>) -> Vec<u8> {
    let Some(value) = value else { return Vec::new() };
    from_base64(value).unwrap_or_else(|| value.to_plain_text().into_bytes())
}

/// Can it stand in a line as a subject?
pub(super) fn is_subject(text: &str) -> bool {
    !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

/// Is this subject meant by the pattern? `*` is one name between dots, `>` all that are left.
pub(super) fn fits(pattern: &str, subject: &str) -> bool {
    let mut names = subject.split('.');
    let mut parts = pattern.split('.');
    loop {
        match (parts.next(), names.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(part), Some(name)) if part == name => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        for (pattern, subject, expect) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("a", "a.b", false),
        ] {
            assert_eq!(fits(pattern, subject), expect, "{pattern} {subject}");
        }
    }
}
