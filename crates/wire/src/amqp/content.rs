//! A content's properties, and what is told of it: topic, exchange, headers, body.

use super::method::{self, Kind, Method};
use super::value::{Reader, bytes_of, integer, put_short_text, put_table};
use crate::anew::{only, payload};
use crate::body;
use crate::http::MAX_UNPACKED_ON_SEAM;
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};

/// The properties in their order: the first has the highest bit of the flags.
const PROPERTIES: &[(&str, Kind)] = &[
    ("content_type", Kind::ShortText),
    ("content_encoding", Kind::ShortText),
    ("headers", Kind::Table),
    ("delivery_mode", Kind::Octet),
    ("priority", Kind::Octet),
    ("correlation_id", Kind::ShortText),
    ("reply_to", Kind::ShortText),
    ("expiration", Kind::ShortText),
    ("message_id", Kind::ShortText),
    ("timestamp", Kind::LongLong),
    ("type", Kind::ShortText),
    ("user_id", Kind::ShortText),
    ("app_id", Kind::ShortText),
    ("cluster_id", Kind::ShortText),
];

/// What was kept of a content: the payloads of its method and header, and as much of its body.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) method: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// How long the body is, kept or not.
    pub(super) length: u64,
}

impl Content {
    /// What it is, as tests see it. `cut` is set where it is not all.
    pub(super) fn to_value(&self, cut: &mut bool) -> Value {
        let id = super::frame::method_id(&self.method).unwrap_or_default();
        let Some(method) = method::method(id) else { return Value::Null };
        let mut arguments = Map::default();
        *cut |= !Reader(self.method.get(4..).unwrap_or_default()).arguments(method.arguments, &mut arguments);
        let mut map = told(method, arguments);
        let mut properties = self.properties();
        let headers = properties.shift_remove("headers").unwrap_or_else(|| Value::Map(Map::default()));
        let said = |name: &str| properties.get(name).and_then(Value::as_text).map(str::to_owned);
        let (content_type, encoding) = (said("content_type"), said("content_encoding"));
        let decoded =
            body::decode(content_type.as_deref(), encoding.as_deref(), &self.body, MAX_UNPACKED_ON_SEAM);
        let is_short = u64::try_from(self.body.len()).is_ok_and(|kept| kept < self.length);
        *cut |= decoded.cut || is_short;
        map.insert("headers".to_owned(), headers);
        map.insert("properties".to_owned(), Value::Map(properties));
        map.insert("body".to_owned(), decoded.value);
        map.insert("text".to_owned(), decoded.text);
        map.insert("length".to_owned(), Value::from(self.length));
        Value::Map(map)
    }

    /// The properties that are set, as far as they can be read.
    fn properties(&self) -> Map {
        let mut map = Map::default();
        let mut reader = Reader(self.header.get(12..).unwrap_or_default());
        let Some(flags) = reader.short() else { return map };
        for (index, property) in PROPERTIES.iter().enumerate() {
            if flags & (0x8000 >> index) != 0 && !reader.arguments(&[*property], &mut map) {
                break;
            }
        }
        map
    }
}

/// A method's arguments in the names that messages have in every protocol.
fn told(method: &Method, mut arguments: Map) -> Map {
    let mut map = Map::default();
    map.insert("method".to_owned(), Value::text(method.name));
    if let Some(topic) = arguments.shift_remove("routing_key") {
        map.insert("topic".to_owned(), topic);
    }
    if let Some(tag) = arguments.shift_remove("consumer_tag") {
        map.insert("consumer".to_owned(), tag);
    }
    if let (Some(code), Some(text)) =
        (arguments.shift_remove("reply_code"), arguments.shift_remove("reply_text"))
    {
        map.insert("error".to_owned(), Value::map([("code", code), ("text", text)]));
    }
    for internal in ["delivery_tag", "immediate", "class_id", "method_id", "nowait"] {
        arguments.shift_remove(internal);
    }
    map.extend(arguments);
    map
}

/// What a method without content says by itself: the end of a channel, of a consumer.
pub(super) fn of_method(payload: &[u8], cut: &mut bool) -> Value {
    let Some(method) = super::frame::method_id(payload).and_then(method::method) else { return Value::Null };
    let mut arguments = Map::default();
    *cut |= !Reader(payload.get(4..).unwrap_or_default()).arguments(method.arguments, &mut arguments);
    Value::Map(told(method, arguments))
}

/// The properties of an answer or of a message that is pushed, as they are written; and its body.
pub(super) fn encode(message: &Map) -> Result<(Vec<u8>, Vec<u8>), Unanswerable> {
    let empty = Map::default();
    let of = |name: &str| match message.get(name) {
        None | Some(Value::Null) => Ok(&empty),
        Some(Value::Map(map)) => Ok(map),
        Some(other) => Err(Unanswerable::new(format!("{name} is a map, not {other}"))),
    };
    let (headers, given) = (of("headers")?, of("properties")?);
    if let Some(other) = given.keys().find(|key| !PROPERTIES.iter().any(|(name, _)| name == key)) {
        return Err(Unanswerable::new(format!("a message of amqp has no property {other}")));
    }
    let text = message.get("text").filter(|text| **text != Value::Null);
    let value = message.get("body").unwrap_or(&Value::Null);
    let body = bytes_of(text.unwrap_or(value));
    let is_json = text.is_none() && matches!(value, Value::Map(_) | Value::List(_)) && !is_base64(value);
    let (mut flags, mut properties) = (0_u16, Vec::new());
    for (index, (name, kind)) in PROPERTIES.iter().enumerate() {
        let value = given.get(*name).unwrap_or(&Value::Null);
        match kind {
            Kind::Table if headers.is_empty() => continue,
            Kind::Table => put_table(headers, &mut properties),
            // What is said is never packed.
            _ if *name == "content_encoding" && text.is_some() => continue,
            _ if *name == "content_type"
                && *value == Value::Null
                && is_json
                && !given.contains_key(*name) =>
            {
                put_short_text(b"application/json", &mut properties);
            }
            _ if *value == Value::Null => continue,
            Kind::Octet => properties.push(integer(name, value)?),
            Kind::LongLong => properties.extend_from_slice(&integer::<u64>(name, value)?.to_be_bytes()),
            _ => put_short_text(&bytes_of(value), &mut properties),
        }
        flags |= 0x8000 >> index;
    }
    Ok(([&flags.to_be_bytes()[..], &properties].concat(), body))
}

/// The properties and the body of a message that says something else. What is not said otherwise stays as it was written.
pub(super) fn anew(before: &Value, now: &Value, written: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Unanswerable> {
    only(before, now, &["headers", "properties"])?;
    let is_packed = now.get("properties").is_some_and(|all| all.get("content_encoding").is_some());
    let is_same = ["headers", "properties"].iter().all(|name| before.get(name) == now.get(name));
    if is_same && !is_packed {
        return Ok((written.to_vec(), payload(now)));
    }
    let mut now = now.as_map().cloned().unwrap_or_default();
    // What is said is never packed, though it was.
    if let Some(Value::Map(properties)) = now.get_mut("properties") {
        properties.shift_remove("content_encoding");
    }
    let (properties, _) = encode(&now)?;
    Ok((properties, payload(&Value::Map(now))))
}

fn is_base64(value: &Value) -> bool {
    value.as_map().is_some_and(|map| map.len() == 1 && map.contains_key("base64"))
}
