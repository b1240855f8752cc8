//! The kept bytes of one publication, delivery or subscription to the fields that tests name.

use super::framing::{Line, read};
use crate::body;
use crate::conversation::{Captured, Limits, Parts};
use seam_value::{Map, Value};

/// One message or command, as kept: its line, and as much of its payload as was gathered.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    of_server: bool,
    cut: bool,
}

impl Kept {
    /// Keeps a line, and of what comes behind it as much as the limits say.
    pub(super) fn new(bytes: &[u8], of_server: bool, limits: Limits) -> Self {
        let n_line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let n_kept = bytes.len().min(n_line.saturating_add(limits.kept_body));
        Self { bytes: bytes[..n_kept].to_vec(), of_server, cut: false }
    }
}

impl Captured for Kept {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut parts = Parts { cut: self.cut, ..Parts::default() };
        let n_line = memchr::memchr(b'\n', &self.bytes).map_or(self.bytes.len(), |end| end + 1);
        let (line, payload) = self.bytes.split_at(n_line);
        let text = |bytes: &[u8]| Value::text(String::from_utf8_lossy(bytes));
        let or_null = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, text);
        match read(line, self.of_server) {
            Ok(Line::Message(head)) => {
                parts.cut |= payload.len() < head.n_bytes;
                let payload = &payload[..payload.len().min(head.n_bytes)];
                let (headers, payload) = payload.split_at(head.n_headers.min(payload.len()));
                let (status, headers) = read_headers(headers);
                let content_type = headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                    .and_then(|(_, value)| value.as_text());
                let body = body::decode(content_type, None, payload, body::MAX_UNPACKED);
                let kind = if self.of_server { "delivered" } else { "published" };
                parts.message = Value::map([
                    ("kind", Value::text(kind)),
                    ("topic", text(head.subject)),
                    ("reply_to", or_null(head.reply_to)),
                    ("key", Value::Null),
                    ("sid", or_null(head.sid)),
                    ("status", status),
                    ("headers", Value::Map(headers)),
                    ("body", body.value),
                    ("text", body.text),
                    ("error", Value::Null),
                ]);
            }
            Ok(Line::Subscribe { subject, queue, sid }) => {
                parts.request = Value::map([
                    ("command", Value::text("SUB")),
                    ("topic", text(subject)),
                    ("queue", or_null(queue)),
                    ("sid", text(sid)),
                ]);
            }
            Ok(Line::Error(words)) => {
                parts.message = Value::map([
                    ("kind", Value::text("error")),
                    ("topic", Value::Null),
                    ("error", text(words)),
                ]);
            }
            _ => {}
        }
        parts
    }
}

/// `NATS/1.0 503 No Responders`, and `Name: value` below it: the status, and the headers by name. One that comes again
/// is joined.
fn read_headers(block: &[u8]) -> (Value, Map) {
    let mut headers = Map::default();
    let text = String::from_utf8_lossy(block);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match headers.get_mut(name) {
            Some(Value::Text(all)) => {
                all.push_str(", ");
                all.push_str(value);
            }
            _ => {
                headers.insert(name.to_owned(), Value::text(value));
            }
        }
    }
    (status.map_or(Value::Null, Value::from), headers)
}
