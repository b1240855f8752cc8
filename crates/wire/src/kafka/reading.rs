//! What was kept of requests, replies and records, read to values.

use super::api::{self, FETCH, METADATA, PRODUCE};
use super::bytes::Reader;
use super::calls::{Head, Partition, asked_for, each_record, fetched, produced, wanted, written};
use super::records::{packing_name, read, unpack};
use crate::body;
use crate::conversation::{Captured, Parts};
use seam_value::{Map, Value};

/// A request or a reply, or as much of it as is kept.
pub(super) struct Kept {
    head: Head,
    is_reply: bool,
    /// A request from its head on; a reply behind its number.
    bytes: Vec<u8>,
    cut: bool,
}

impl Kept {
    pub(super) fn new(head: Head, is_reply: bool, bytes: &[u8], (most, is_whole): (usize, bool)) -> Self {
        let n_kept = bytes.len().min(most);
        Self { head, is_reply, bytes: bytes[..n_kept].to_vec(), cut: n_kept < bytes.len() || !is_whole }
    }
}

impl Captured for Kept {
    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn read(self: Box<Self>) -> Parts {
        let cut = self.cut;
        if self.is_reply {
            Parts { reply: self.reply(), cut, ..Parts::default() }
        } else {
            Parts { request: self.request(), cut, ..Parts::default() }
        }
    }
}

/// An error as tests see it; null where there is none.
fn error(code: i16) -> Value {
    if code == 0 {
        return Value::Null;
    }
    let text = api::error_name(code).map_or(Value::Null, Value::text);
    Value::map([("code", Value::from(i64::from(code))), ("text", text)])
}

fn text(bytes: &[u8]) -> Value {
    body::text_or_base64(bytes, false).0
}

impl Kept {
    fn request(&self) -> Value {
        let Head { api, version, .. } = self.head;
        let mut map = Map::new();
        map.insert("api".to_owned(), Value::Text(api::name(api)));
        map.insert("version".to_owned(), Value::from(i64::from(version)));
        let Some((client, reader)) = self.head.body(&self.bytes) else { return Value::Map(map) };
        map.insert("client".to_owned(), text(client));
        let mut topics: Vec<Value> = Vec::new();
        let mut add = |partition: Partition<'_>| {
            let topic = text(partition.topic);
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        };
        match api {
            PRODUCE => {
                let acks = produced(version, reader, &mut add);
                map.insert("acks".to_owned(), acks.map_or(Value::Null, |acks| Value::from(i64::from(acks))));
            }
            FETCH => drop(wanted(version, reader, &mut add)),
            METADATA => topics = asked_for(self.head, reader).iter().map(|topic| text(topic)).collect(),
            // These begin with the group's name.
            8 | 11..=14 => {
                let group = { reader }.text();
                map.insert("group".to_owned(), group.map_or(Value::Null, text));
                return Value::Map(map);
            }
            _ => return Value::Map(map),
        }
        map.insert("topics".to_owned(), Value::List(topics));
        Value::Map(map)
    }

    fn reply(&self) -> Value {
        let Head { api, version, .. } = self.head;
        let mut map = Map::new();
        if self.bytes.is_empty() {
            return Value::Null;
        }
        map.insert("api".to_owned(), Value::Text(api::name(api)));
        let mut reader = Reader::new(&self.bytes, self.head.is_compact());
        if reader.tags().is_none() {
            return Value::Map(map);
        }
        let (mut partitions, mut first) = (Vec::new(), 0);
        let mut add = |partition: Partition<'_>| {
            if first == 0 {
                first = partition.error;
            }
            let (name, number) =
                if api == PRODUCE { ("offset", partition.offset) } else { ("high_watermark", partition.end) };
            partitions.push(Value::map([
                ("topic", text(partition.topic)),
                ("partition", Value::from(i64::from(partition.number))),
                ("error", error(partition.error)),
                (name, Value::from(number)),
            ]));
        };
        let is_read = match api {
            PRODUCE => written(version, reader, &mut add).is_some(),
            FETCH => {
                let of_all = fetched(version, reader, &mut add);
                if let Some(code) = of_all.filter(|code| *code != 0) {
                    first = code;
                }
                of_all.is_some()
            }
            _ => false,
        };
        map.insert("error".to_owned(), error(first));
        // Of delegation tokens (38 to 41) and passwords (50, 51) nothing is kept.
        if !is_read && !matches!(api, 38..=41 | 50 | 51) {
            map.insert("raw".to_owned(), body::in_base64(&self.bytes));
        }
        if !is_read {
            return Value::Map(map);
        }
        map.insert("partitions".to_owned(), Value::List(partitions));
        if api == FETCH {
            let mut records = Vec::new();
            each_record(self.head, (true, reader), &mut |partition, record| {
                let told = Told::new(true, partition, &record, usize::MAX);
                records.push(Value::Map(told.to_map()));
            });
            map.insert("records".to_owned(), Value::List(records));
        }
        Value::Map(map)
    }
}

/// One record, or a batch that is compressed.
pub(super) struct Told {
    is_delivered: bool,
    topic: Vec<u8>,
    partition: i32,
    offset: i64,
    bytes: Vec<u8>,
    packed: Option<(u8, i32)>,
    cut: bool,
}

impl Told {
    pub(super) fn new(
        is_delivered: bool,
        partition: &Partition<'_>,
        record: &super::records::Record<'_>,
        most: usize,
    ) -> Self {
        let n_kept = record.bytes.len().min(most);
        Self {
            is_delivered,
            topic: partition.topic.to_vec(),
            partition: partition.number,
            offset: record.offset,
            bytes: record.bytes[..n_kept].to_vec(),
            packed: record.packed,
            cut: n_kept < record.bytes.len(),
        }
    }

    fn to_map(&self) -> Map {
        let mut map = Map::new();
        map.insert("topic".to_owned(), text(&self.topic));
        map.insert("partition".to_owned(), Value::from(i64::from(self.partition)));
        if self.is_delivered {
            map.insert("offset".to_owned(), Value::from(self.offset));
        }
        match self.packed {
            None => read(&self.bytes, &mut map),
            Some((packing, count)) => {
                map.insert("compression".to_owned(), Value::text(packing_name(packing)));
                map.insert("count".to_owned(), Value::from(i64::from(count)));
                let records = unpack(packing, &self.bytes).map_or(Value::Null, Value::List);
                map.insert("records".to_owned(), records);
            }
        }
        map
    }
}

impl Captured for Told {
    fn size(&self) -> usize {
        self.bytes.len() + self.topic.len()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut map = Map::new();
        let kind = if self.is_delivered { "delivered" } else { "published" };
        map.insert("kind".to_owned(), Value::text(kind));
        map.extend(self.to_map());
        Parts { message: Value::Map(map), cut: self.cut, ..Parts::default() }
    }
}
