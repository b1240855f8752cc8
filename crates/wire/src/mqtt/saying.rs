//! What is said in an MQTT server's place: what it grants, what it refuses, and deliveries of somebody else's making.

use super::packets::{Form, PROPERTIES, Publish, kinds, packet, put_bytes, put_length};
use crate::body::from_base64;
use crate::splitter::Unanswerable;
use crate::unmatched::unmatched;
use seam_value::Value;

/// The codes by which something is refused, and their words.
const CODES: [(u8, &str); 22] = [
    (0x80, "unspecified error"),
    (0x81, "malformed packet"),
    (0x82, "protocol error"),
    (0x83, "implementation specific error"),
    (0x84, "unsupported protocol version"),
    (0x85, "client identifier not valid"),
    (0x86, "bad user name or password"),
    (0x87, "not authorized"),
    (0x88, "server unavailable"),
    (0x89, "server busy"),
    (0x8a, "banned"),
    (0x8b, "server shutting down"),
    (0x8d, "keep alive timeout"),
    (0x8e, "session taken over"),
    (0x8f, "topic filter invalid"),
    (0x90, "topic name invalid"),
    (0x91, "packet identifier in use"),
    (0x94, "topic alias invalid"),
    (0x95, "packet too large"),
    (0x97, "quota exceeded"),
    (0x99, "payload format invalid"),
    (0x9e, "shared subscriptions not supported"),
];

/// The words of a code; those of a log-in before MQTT 5 are others.
pub(super) fn words_of(code: u8, version: u8) -> &'static str {
    match (version, code) {
        (..5, 1) => "unacceptable protocol version",
        (..5, 2) => "identifier rejected",
        (..5, 3) => "server unavailable",
        (..5, 4) => "bad user name or password",
        (..5, 5) => "not authorized",
        _ => CODES.iter().find(|(other, _)| *other == code).map_or("refused", |(_, words)| words),
    }
}

/// What is said to SUBSCRIBE: a code for each topic, or one for all.
pub(super) fn codes(answer: &Value, n_topics: usize) -> Result<Option<Vec<u8>>, Unanswerable> {
    if unmatched(answer).is_some() {
        return Ok(None);
    }
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new(format!(
            "an answer of mqtt is a map with codes or error, not {answer}"
        )));
    };
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "codes" | "error")) {
        return Err(Unanswerable::new(format!("mqtt has no {other}; its answers have codes or error")));
    }
    let codes = match map.get("codes") {
        Some(Value::List(codes)) => codes.iter().map(code).collect::<Result<Vec<u8>, _>>().map(Some)?,
        None | Some(Value::Null) => None,
        Some(other) => return Err(Unanswerable::new(format!("codes is a list of numbers, not {other}"))),
    };
    match (codes, map.get("error").filter(|error| **error != Value::Null)) {
        (Some(codes), _) => Ok(Some(codes)),
        (None, Some(error)) => Ok(Some(vec![refusal(error)?; n_topics])),
        (None, None) => Ok(None),
    }
}

fn code(value: &Value) -> Result<u8, Unanswerable> {
    let code = value.as_i64().and_then(|code| u8::try_from(code).ok());
    code.ok_or_else(|| Unanswerable::new(format!("a code is a number up to 255, not {value}")))
}

/// The code of a refusal, of which the number or the words are given.
pub(super) fn refusal(error: &Value) -> Result<u8, Unanswerable> {
    let said = error.get("code").unwrap_or(error);
    let found = match said {
        Value::Text(text) => {
            let words = text.to_ascii_lowercase().replace(['_', '-'], " ");
            CODES
                .iter()
                .find(|(_, other)| *other == words)
                .map(|(code, _)| *code)
                .or_else(|| text.parse().ok())
        }
        other => code(other).ok(),
    };
    found.filter(|code| *code >= 0x80).ok_or_else(|| {
        Unanswerable::new(format!(
            "error is one of MQTT's codes from 128 on, or its words (not authorized), not {error}"
        ))
    })
}

/// SUBACK or UNSUBACK.
pub(super) fn granted(kind: u8, id: u16, version: u8, codes: &[u8]) -> Vec<u8> {
    let mut rest = id.to_be_bytes().to_vec();
    if version >= 5 {
        rest.push(0);
    }
    if kind == kinds::SUBACK {
        // Before MQTT 5 there is one word for all refusals.
        rest.extend(codes.iter().map(|code| if version < 5 && *code >= 0x80 { 0x80 } else { *code }));
    } else if version >= 5 {
        rest.extend_from_slice(codes);
    }
    packet(kind << 4, &rest)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP; the code only where something is wrong.
pub(super) fn acknowledgement(kind: u8, id: u16, code: Option<u8>) -> Vec<u8> {
    let mut rest = id.to_be_bytes().to_vec();
    rest.extend(code);
    packet(kind << 4 | if kind == kinds::PUBREL { 2 } else { 0 }, &rest)
}

/// CONNACK of a server that lets everybody in.
pub(super) fn welcome(version: u8, has_name: bool) -> Vec<u8> {
    let mut rest = vec![0, 0];
    if version >= 5 {
        let mut properties = Vec::new();
        if !has_name {
            properties.push(0x12);
            put_bytes(&mut properties, b"seamwork");
        }
        put_length(&mut rest, properties.len());
        rest.extend_from_slice(&properties);
    }
    packet(kinds::CONNACK << 4, &rest)
}

/// A delivery, with at most this quality.
pub(super) fn delivery(
    topic: &str,
    message: &Value,
    (version, most_qos, id): (u8, u8, u16),
) -> Result<Vec<u8>, Unanswerable> {
    let field = |name: &str| message.get(name).filter(|value| **value != Value::Null);
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(Unanswerable::new(format!("{topic:?} is no topic")));
    }
    let qos = match field("qos").map(Value::as_i64) {
        None => 0,
        Some(Some(qos @ 0..=2)) => u8::try_from(qos).unwrap_or(0),
        Some(_) => return Err(Unanswerable::new("qos is 0, 1 or 2")),
    };
    let qos = qos.min(most_qos);
    let properties = if version >= 5 { properties(message)? } else { Vec::new() };
    let payload = bytes_of(field("text").or_else(|| field("body")));
    let publish = Publish {
        is_again: false,
        qos,
        retain: field("retain") == Some(&Value::Bool(true)),
        topic: topic.as_bytes(),
        id: (qos > 0).then_some(id),
        properties: &properties,
        payload: &payload,
    };
    Ok(publish.write(version))
}

pub(super) fn properties(message: &Value) -> Result<Vec<u8>, Unanswerable> {
    let mut out = Vec::new();
    for (name, value) in message.get("properties").and_then(Value::as_map).into_iter().flatten() {
        let known = PROPERTIES.iter().find(|(_, other, _)| other == name);
        let Some((id, _, form)) = known.filter(|(.., form)| *form != Form::Pair) else {
            return Err(Unanswerable::new(format!(
                "{name} is no property of a message; names of one's own go in headers"
            )));
        };
        let number = value.as_i64().and_then(|number| u32::try_from(number).ok());
        let number = || {
            number.ok_or_else(|| Unanswerable::new(format!("the property {name} is a number, not {value}")))
        };
        out.push(*id);
        match form {
            Form::Byte => out.push(u8::try_from(number()?).unwrap_or(u8::MAX)),
            Form::Two => out.extend_from_slice(&u16::try_from(number()?).unwrap_or(u16::MAX).to_be_bytes()),
            Form::Four => out.extend_from_slice(&number()?.to_be_bytes()),
            Form::Length => put_length(&mut out, usize::try_from(number()? & 0x0fff_ffff).unwrap_or(0)),
            Form::Text | Form::Bytes | Form::Pair => put_bytes(&mut out, &bytes_of(Some(value))),
        }
    }
    for (name, value) in message.get("headers").and_then(Value::as_map).into_iter().flatten() {
        out.push(0x26);
        put_bytes(&mut out, name.as_bytes());
        put_bytes(&mut out, value.to_plain_text().as_bytes());
    }
    Ok(out)
}

fn bytes_of(value: Option<&Value>) -> Vec<u8> {
    let Some(value) = value else { return Vec::new() };
    from_base64(value).unwrap_or_else(|| value.to_plain_text().into_bytes())
}
