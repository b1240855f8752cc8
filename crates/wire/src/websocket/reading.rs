//! A message's bytes to the fields that tests name.

use super::frames::{BINARY, CLOSE, TEXT};
use crate::body::in_base64;
use crate::conversation::{Captured, Direction, Parts};
use seam_value::{Map, Value, parse};
use std::sync::Arc;

/// One message as it was kept.
pub(super) struct MessageRead {
    pub(super) path: Arc<str>,
    pub(super) to: Direction,
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
    /// All of its bytes, unpacked, kept or not; as they were sent where they can't be unpacked.
    pub(super) length: u64,
    pub(super) is_readable: bool,
}

impl Captured for MessageRead {
    fn size(&self) -> usize {
        self.payload.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut map = Map::default();
        let from = match self.to {
            Direction::ToProvider => "consumer",
            Direction::ToConsumer => "provider",
        };
        map.insert("path".to_owned(), Value::text(&*self.path));
        map.insert("from".to_owned(), Value::text(from));
        let cut = self.length > self.payload.len() as u64 || !self.is_readable;
        let text = String::from_utf8_lossy(&self.payload);
        match self.opcode {
            TEXT if self.is_readable => {
                map.insert("type".to_owned(), Value::text("text"));
                let json = text.trim_start().starts_with(['{', '[']).then(|| parse(&text).ok()).flatten();
                map.insert("body".to_owned(), json.unwrap_or_else(|| Value::text(&*text)));
                map.insert("text".to_owned(), Value::text(&*text));
            }
            CLOSE => {
                map.insert("type".to_owned(), Value::text("close"));
                let (code, reason) = match self.payload.split_first_chunk::<2>() {
                    Some((code, reason)) => {
                        (Value::from(u16::from_be_bytes(*code)), Value::text(String::from_utf8_lossy(reason)))
                    }
                    None => (Value::Null, Value::Null),
                };
                map.insert("code".to_owned(), code);
                map.insert("reason".to_owned(), reason);
            }
            opcode => {
                map.insert("type".to_owned(), Value::text(if opcode == BINARY { "binary" } else { "text" }));
                map.insert("body".to_owned(), in_base64(&self.payload));
            }
        }
        map.insert("length".to_owned(), Value::from(self.length));
        Parts { message: Value::Map(map), cut, ..Parts::default() }
    }
}
