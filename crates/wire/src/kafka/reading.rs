//! What was kept of requests, replies and records, read to values.

use super::api::{
    self, ALTER_USER_SCRAM_CREDENTIALS, CREATE_DELEGATION_TOKEN, DESCRIBE_DELEGATION_TOKEN,
    DESCRIBE_USER_SCRAM_CREDENTIALS, FETCH, HEARTBEAT, JOIN_GROUP, LEAVE_GROUP, METADATA, OFFSET_COMMIT,
    PRODUCE, SYNC_GROUP,
};
use super::bytes::Reader;
use super::calls::{Head, Partition, asked_for, each_partition};
use super::packed;
use super::records::{read, records, text, unpack};
use super::sessions::Wanted;
use crate::body;
use crate::conversation::{Apart, Captured, Parts};
use seam_value::{Map, Value};
use std::sync::Arc;

/// A request or a reply, or as much of it as is kept.
pub(super) struct Kept {
    head: Head,
    is_reply: bool,
    /// A request from its head on; a reply behind its number.
    bytes: Vec<u8>,
    /// Of a `Fetch`: all that it asks for, also what its session says for it.
    wanted: Option<Arc<[Wanted]>>,
    cut: bool,
}

impl Kept {
    pub(super) fn new(head: Head, is_reply: bool, bytes: &[u8], (most, is_whole): (usize, bool)) -> Self {
        let n_kept = bytes.len().min(most);
        let cut = n_kept < bytes.len() || !is_whole;
        Self { head, is_reply, bytes: bytes[..n_kept].to_vec(), wanted: None, cut }
    }

    pub(super) fn asks_for(self, wanted: Option<Arc<[Wanted]>>) -> Self {
        Self { wanted, ..self }
    }
}

impl Captured for Kept {
    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn apart(&self) -> Vec<Apart> {
        let mut list = Vec::new();
        match (self.head.api, &self.wanted) {
            (FETCH, Some(wanted)) if !self.is_reply => {
                let whole = self.request();
                for (place, (topic, number, offset)) in wanted.iter().enumerate() {
                    let partition =
                        Partition { topic, number: *number, offset: *offset, ..Partition::default() };
                    list.push(Apart { place, parts: self.of_one(&whole, &partition) });
                }
            }
            (PRODUCE | FETCH, _) => self.each_apart(&mut list),
            _ => {}
        }
        list
    }

    fn is_about_messages(&self) -> bool {
        self.head.api == FETCH
    }

    fn carries_messages(&self) -> bool {
        self.head.api == if self.is_reply { FETCH } else { PRODUCE }
    }

    fn read(self: Box<Self>) -> Parts {
        let cut = self.cut;
        if self.is_reply {
            let reply = if self.bytes.is_empty() { Value::Null } else { Value::Map(self.reply()) };
            Parts { reply, cut, ..Parts::default() }
        } else {
            Parts { request: Value::Map(self.request()), cut, ..Parts::default() }
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

impl Kept {
    /// What it goes through, from there on.
    fn body(&self) -> Option<Reader<'_>> {
        if !self.is_reply {
            return self.head.body(&self.bytes).map(|(_, reader)| reader);
        }
        let mut reader = Reader::new(&self.bytes, self.head.is_compact());
        reader.tags()?;
        Some(reader)
    }

    fn request(&self) -> Map {
        let Head { api, version, .. } = self.head;
        let mut map = Map::default();
        map.insert("api".to_owned(), Value::Text(api::name(api)));
        map.insert("version".to_owned(), Value::from(i64::from(version)));
        let Some((client, reader)) = self.head.body(&self.bytes) else { return map };
        map.insert("client".to_owned(), text(client));
        let mut topics: Vec<Value> = Vec::new();
        let mut add = |topic: &[u8]| {
            let topic = text(topic);
            if topics.last() != Some(&topic) && !topics.contains(&topic) {
                topics.push(topic);
            }
        };
        match (api, &self.wanted) {
            (PRODUCE, _) => {
                let around =
                    each_partition(self.head, (false, reader), &mut |partition| add(partition.topic));
                let acks = around.and_then(|around| around.acks);
                map.insert("acks".to_owned(), acks.map_or(Value::Null, |acks| Value::from(i64::from(acks))));
            }
            (FETCH, Some(wanted)) => wanted.iter().for_each(|(topic, ..)| add(topic)),
            (FETCH, None) => {
                each_partition(self.head, (false, reader), &mut |partition| add(partition.topic));
            }
            (METADATA, _) => asked_for(self.head, reader).iter().for_each(|topic| add(topic)),
            // These begin with the group's name.
            (OFFSET_COMMIT | JOIN_GROUP | HEARTBEAT | LEAVE_GROUP | SYNC_GROUP, _) => {
                let group = { reader }.text();
                map.insert("group".to_owned(), group.map_or(Value::Null, text));
                return map;
            }
            _ => return map,
        }
        map.insert("topics".to_owned(), Value::List(topics));
        map
    }

    fn reply(&self) -> Map {
        let Head { api, .. } = self.head;
        let mut map = Map::default();
        map.insert("api".to_owned(), Value::Text(api::name(api)));
        let Some(reader) = self.body() else { return map };
        let (mut partitions, mut delivered, mut first) = (Vec::new(), Vec::new(), 0);
        let mut add = |partition: Partition<'_>| {
            if first == 0 {
                first = partition.error;
            }
            partitions.push(self.answered(&partition));
            if api == FETCH {
                delivered.extend(self.messages(&partition));
            }
        };
        let around = each_partition(self.head, (true, reader), &mut add);
        // What is cut is told as far as it goes, where it is the records that are cut.
        let is_read = around.is_some_and(|around| around.after.is_some() || api == FETCH);
        first = around.map(|around| around.error).filter(|code| *code != 0).unwrap_or(first);
        map.insert("error".to_owned(), error(first));
        if !is_read {
            if !is_secret(api) {
                map.insert("raw".to_owned(), body::in_base64(&self.bytes));
            }
            return map;
        }
        map.insert("partitions".to_owned(), Value::List(partitions));
        if api == FETCH {
            map.insert("records".to_owned(), Value::List(delivered));
        }
        map
    }

    /// What a reply says of a partition.
    fn answered(&self, partition: &Partition<'_>) -> Value {
        let (name, number) = if self.head.api == PRODUCE {
            ("offset", partition.offset)
        } else {
            ("high_watermark", partition.end)
        };
        Value::map([
            ("topic", text(partition.topic)),
            ("partition", Value::from(i64::from(partition.number))),
            ("error", error(partition.error)),
            (name, Value::from(number)),
        ])
    }

    /// The records that stand with a partition.
    fn messages(&self, partition: &Partition<'_>) -> Vec<Value> {
        let mut list = Vec::new();
        records(partition.records, &mut |record| {
            list.push(Value::Map(Told::new(self.is_reply, partition, &record, usize::MAX).to_map()));
        });
        list
    }

    /// What is said of each partition, and of each record with it.
    fn each_apart(&self, list: &mut Vec<Apart>) {
        let Some(reader) = self.body() else { return };
        let whole = if self.is_reply { Map::default() } else { self.request() };
        let mut place = 0;
        each_partition(self.head, (self.is_reply, reader), &mut |partition| {
            let parts = self.of_one(&whole, &partition);
            records(partition.records, &mut |record| {
                let told = Told::new(self.is_reply, &partition, &record, usize::MAX);
                list.extend(told.each().into_iter().map(|message| {
                    let parts = Parts { message: Value::Map(message), ..parts.clone() };
                    Apart { place, parts }
                }));
            });
            list.push(Apart { place, parts });
            place += 1;
        });
    }

    /// What is said of one partition: the request with its topic and number, or its part of the reply.
    fn of_one(&self, whole: &Map, partition: &Partition<'_>) -> Parts {
        let mut request = whole.clone();
        request.insert("topic".to_owned(), text(partition.topic));
        request.insert("partition".to_owned(), Value::from(i64::from(partition.number)));
        if self.head.api == FETCH && !self.is_reply {
            request.insert("offset".to_owned(), Value::from(partition.offset));
        }
        let mut parts = Parts { request: Value::Map(request), ..Parts::default() };
        if self.is_reply {
            let mut reply = Map::default();
            reply.insert("api".to_owned(), Value::Text(api::name(self.head.api)));
            reply.insert("error".to_owned(), error(partition.error));
            reply.insert("partitions".to_owned(), Value::List(vec![self.answered(partition)]));
            if self.head.api == FETCH {
                reply.insert("records".to_owned(), Value::List(self.messages(partition)));
            }
            parts.reply = Value::Map(reply);
        }
        parts
    }
}

/// Is it about delegation tokens or passwords? Of what is answered to such nothing is kept.
fn is_secret(api: i16) -> bool {
    (CREATE_DELEGATION_TOKEN..=DESCRIBE_DELEGATION_TOKEN).contains(&api)
        || matches!(api, DESCRIBE_USER_SCRAM_CREDENTIALS | ALTER_USER_SCRAM_CREDENTIALS)
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
        let mut map = self.place(self.offset);
        match self.packed {
            None => read(&self.bytes, &mut map),
            Some((packing, count)) => {
                map.insert("compression".to_owned(), Value::text(packed::name(packing)));
                map.insert("count".to_owned(), Value::from(i64::from(count)));
                map.insert(
                    "records".to_owned(),
                    unpack(packing, &self.bytes).map_or(Value::Null, |records| {
                        Value::List(
                            records.into_iter().map(|record| Value::Map(self.unpacked(record))).collect(),
                        )
                    }),
                );
            }
        }
        map
    }

    /// Where a record stands.
    fn place(&self, offset: i64) -> Map {
        let mut map = Map::default();
        map.insert("topic".to_owned(), text(&self.topic));
        map.insert("partition".to_owned(), Value::from(i64::from(self.partition)));
        if self.is_delivered {
            map.insert("offset".to_owned(), Value::from(offset));
        }
        map
    }

    /// One record of a batch. Where it is delivered it has an offset of its own.
    fn unpacked(&self, (place, record): (i64, Map)) -> Map {
        let mut map = Map::default();
        if self.is_delivered {
            map.insert("offset".to_owned(), Value::from(self.offset.saturating_add(place)));
        }
        map.extend(record);
        map
    }

    /// A message for each record, also for those of a batch, as far as it can be unpacked.
    fn each(&self) -> Vec<Map> {
        let unpacked = self.packed.and_then(|(packing, _)| unpack(packing, &self.bytes));
        let of = |map: Map| -> Map { std::iter::once(("kind".to_owned(), self.kind())).chain(map).collect() };
        match unpacked {
            None => vec![of(self.to_map())],
            Some(records) => records
                .into_iter()
                .map(|(place, record)| {
                    let offset = self.offset.saturating_add(place);
                    of(self.place(offset).into_iter().chain(record).collect())
                })
                .collect(),
        }
    }

    fn kind(&self) -> Value {
        Value::text(if self.is_delivered { "delivered" } else { "published" })
    }
}

impl Captured for Told {
    fn size(&self) -> usize {
        self.bytes.len() + self.topic.len()
    }

    fn read(self: Box<Self>) -> Parts {
        let map = std::iter::once(("kind".to_owned(), self.kind())).chain(self.to_map()).collect();
        Parts { message: Value::Map(map), cut: self.cut, ..Parts::default() }
    }
}
