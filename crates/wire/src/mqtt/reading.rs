//! The kept bytes of one packet to the fields that tests name.

use super::packets::{Fields, PROPERTIES, Property, Publish, head, kinds, properties, wanted};
use super::saying::words_of;
use crate::body::{self, text_or_base64};
use crate::conversation::{Captured, Limits, Parts};
use seam_value::{Map, Value};

/// One packet, as kept.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// Was it sent by the server?
    of_server: bool,
    version: u8,
    /// The topic, where only its number was sent.
    topic: Option<String>,
}

impl Kept {
    /// Keeps a packet, and of a payload as much as the limits say.
    pub(super) fn new(bytes: &[u8], (of_server, version): (bool, u8), limits: Limits) -> Self {
        let n_payload = Publish::read(bytes, version).map_or(0, |publish| publish.payload.len());
        let n_kept = bytes.len() - n_payload + n_payload.min(limits.kept_body);
        Self { bytes: bytes[..n_kept].to_vec(), of_server, version, topic: None }
    }

    pub(super) fn about(self, topic: Option<String>) -> Self {
        Self { topic, ..self }
    }
}

impl Captured for Kept {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut parts = Parts::default();
        let Ok(Some((first, n_head, length))) = head(&self.bytes) else { return parts };
        match first >> 4 {
            kinds::PUBLISH => {
                parts.cut = self.bytes.len() < n_head + length;
                parts.message = self.publish();
            }
            kinds::SUBSCRIBE => parts.request = self.wanted("SUBSCRIBE"),
            kinds::UNSUBSCRIBE => parts.request = self.wanted("UNSUBSCRIBE"),
            kinds::SUBACK | kinds::UNSUBACK => parts.reply = self.granted(&self.bytes[n_head..]),
            _ => parts.message = said(&self.bytes, self.version),
        }
        parts
    }
}

impl Kept {
    fn publish(&self) -> Value {
        let Some(publish) = Publish::read(&self.bytes, self.version) else { return Value::Null };
        let (mut headers, mut others) = (Map::default(), Map::default());
        for (id, property) in properties(publish.properties) {
            match (id, property) {
                // How a topic is abbreviated says nothing about the message.
                (0x23, _) => {}
                (_, Property::Pair(name, value)) => add(&mut headers, name, value),
                (id, property) => {
                    let name =
                        PROPERTIES.iter().find(|(other, ..)| *other == id).map_or("", |(_, name, _)| *name);
                    others.insert(name.to_owned(), property_value(&property));
                }
            }
        }
        let content_type = others.get("content_type").and_then(Value::as_text);
        let body = body::decode(content_type, None, publish.payload, body::MAX_UNPACKED);
        let topic = String::from_utf8_lossy(publish.topic).into_owned();
        let topic = if topic.is_empty() { self.topic.clone() } else { Some(topic) };
        Value::map([
            ("kind", Value::text(if self.of_server { "delivered" } else { "published" })),
            ("topic", topic.map_or(Value::Null, Value::Text)),
            ("reply_to", others.get("response_topic").cloned().unwrap_or_default()),
            ("key", Value::Null),
            ("version", version_name(self.version)),
            ("qos", Value::from(u64::from(publish.qos))),
            ("retain", Value::Bool(publish.retain)),
            ("duplicate", Value::Bool(publish.is_again)),
            ("headers", Value::Map(headers)),
            ("properties", Value::Map(others)),
            ("body", body.value),
            ("text", body.text),
            ("error", Value::Null),
        ])
    }

    fn wanted(&self, command: &str) -> Value {
        let (_, all) = wanted(&self.bytes, self.version).unwrap_or_default();
        let one = |filter: &str, qos: u8| {
            Value::map([("topic", Value::text(filter)), ("qos", Value::from(u64::from(qos)))])
        };
        let topic = all.first().map_or(Value::Null, |first| Value::text(&*first.filter));
        let topics = if command == "SUBSCRIBE" {
            all.iter().map(|wanted| one(&wanted.filter, wanted.qos)).collect()
        } else {
            all.iter().map(|wanted| Value::map([("topic", Value::text(&*wanted.filter))])).collect()
        };
        Value::map([("command", Value::text(command)), ("topic", topic), ("topics", Value::List(topics))])
    }

    /// What was granted: a code for each topic.
    fn granted(&self, rest: &[u8]) -> Value {
        let mut fields = Fields(rest);
        fields.u16();
        if self.version >= 5 {
            fields.properties();
        }
        let refused = fields.0.iter().find(|code| **code >= 0x80);
        let codes = fields.0.iter().map(|code| Value::from(u64::from(*code))).collect();
        Value::map([
            ("codes", Value::List(codes)),
            ("error", refused.map_or(Value::Null, |code| error(*code, self.version))),
        ])
    }
}

/// A version as people write it.
fn version_name(number: u8) -> Value {
    match number {
        ..=3 => Value::text("3.1"),
        4 => Value::text("3.1.1"),
        later => Value::from(u64::from(later)),
    }
}

/// A code with its words.
pub(super) fn error(code: u8, version: u8) -> Value {
    Value::map([("code", Value::from(u64::from(code))), ("message", Value::text(words_of(code, version)))])
}

/// An acknowledgement or an end that says what is wrong.
fn said(packet: &[u8], version: u8) -> Value {
    let Ok(Some((first, n_head, _))) = head(packet) else { return Value::Null };
    let mut fields = Fields(&packet[n_head..]);
    if matches!(first >> 4, kinds::PUBACK | kinds::PUBREC) {
        fields.u16();
    }
    let code = fields.u8().unwrap_or_default();
    Value::map([("kind", Value::text("error")), ("topic", Value::Null), ("error", error(code, version))])
}

/// A header that comes again is joined.
fn add(headers: &mut Map, name: &[u8], value: &[u8]) {
    let name = String::from_utf8_lossy(name).into_owned();
    let value = String::from_utf8_lossy(value);
    match headers.get_mut(&name) {
        Some(Value::Text(all)) => {
            all.push_str(", ");
            all.push_str(&value);
        }
        _ => {
            headers.insert(name, Value::text(value));
        }
    }
}

fn property_value(property: &Property<'_>) -> Value {
    match property {
        Property::Number(number) => Value::from(*number),
        Property::Text(bytes) | Property::Bytes(bytes) | Property::Pair(bytes, _) => {
            text_or_base64(bytes, false).0
        }
    }
}
