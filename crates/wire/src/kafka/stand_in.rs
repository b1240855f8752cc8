//! What is said in the broker's place: answers, errors, and what a broker says by itself.

use super::api::{
    self, API_VERSIONS, FETCH, FIND_COORDINATOR, HEARTBEAT, INIT_PRODUCER_ID, JOIN_GROUP, METADATA, PRODUCE,
    SYNC_GROUP,
};
use super::bytes::{Reader, Writer};
use super::calls::{Head, asked_for};
use super::records::{Said, batch};
use super::splitter::{Asked, Cutter, Due, Fate};
use crate::body::from_base64;
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Behind, Call, Piece, Splitter, Unanswerable};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::{Map, Value};
use std::net::SocketAddr;

impl Splitter for Cutter {
    fn stands_at(&mut self, address: SocketAddr) {
        self.address = Some(address);
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.take(direction, bytes, out)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.take_kept(direction)
    }

    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        match to {
            Direction::ToProvider => bytes,
            Direction::ToConsumer => self.in_order(bytes),
        }
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let Some(asked) = self.asked.get(&call) else { return Err(Unanswerable::new("the call is over")) };
        let Some(map) = answer.as_map() else {
            return Err(Unanswerable::new(format!("an answer of kafka is a map, not {answer}")));
        };
        let body = said(asked, map)?;
        let head = asked.head;
        self.take_out(call);
        Ok(framed(head, &body))
    }

    fn forget(&mut self, call: Call) {
        if let Some(due) = self.take_out(call) {
            self.no_longer_owed(due.head.correlation);
        }
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Option<Vec<u8>> {
        let place = self.due.iter().position(|due| due.call == call && due.fate == Fate::Told)?;
        if self.behind == Behind::Nobody {
            return None;
        }
        let head = self.due[place].head;
        self.due.insert(place + 1, Due { call, head, fate: Fate::Unseen });
        Some(request.to_vec())
    }
}

/// A reply with its length and number.
fn framed(head: Head, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(false);
    writer.i32(i32::try_from(body.len() + 4).unwrap_or(i32::MAX));
    writer.i32(head.correlation);
    writer.put(body);
    writer.out
}

/// A partition that is answered for.
struct Answered {
    topic: Vec<u8>,
    number: i32,
    error: i16,
    offset: i64,
}

/// The body of an answer, behind the reply's number.
fn said(asked: &Asked, answer: &Map) -> Result<Vec<u8>, Unanswerable> {
    const FIELDS: [&str; 6] = ["api", "error", "partitions", "records", "raw", "offset"];
    let unknown = answer.get("status").is_some_and(|status| status.as_i64() == Some(404));
    if let Some(other) = answer.keys().find(|key| !unknown && !FIELDS.contains(&key.as_str())) {
        return Err(Unanswerable::new(format!(
            "kafka has no {other}; its answers have {}",
            FIELDS[1..].join(", ")
        )));
    }
    let raw = answer.get("raw").and_then(|raw| raw.get("base64")).and_then(Value::as_text);
    if let Some(raw) = raw.filter(|_| answer.get("error").is_none_or(|error| *error == Value::Null)) {
        return STANDARD.decode(raw).map_err(|_| Unanswerable::new("raw is { base64: … }"));
    }
    let error = match answer.get("error") {
        // Where no stub answers.
        None if unknown => 3,
        error => error_of(error.unwrap_or(&Value::Null))?,
    };
    let Head { api, version, .. } = asked.head;
    let mut writer = Writer::new(asked.head.is_compact());
    writer.tags();
    match api {
        PRODUCE => put_written(&mut writer, version, &partitions(asked, answer, error)?),
        FETCH => {
            put_fetched(&mut writer, version, &partitions(asked, answer, error)?, &records(asked, answer)?);
        }
        _ if error != 0 => put_error(&mut writer, asked.head, error)?,
        _ => return Err(Unanswerable::new(format!("{} is answered by an error, or by raw", api::name(api)))),
    }
    Ok(writer.out)
}

/// A code, its name, or a map with the code.
fn error_of(said: &Value) -> Result<i16, Unanswerable> {
    let code = match said {
        Value::Null => Some(0),
        Value::Map(map) => return error_of(map.get("code").unwrap_or(&Value::Null)),
        Value::Text(text) => text.parse().ok().or_else(|| api::error_code(text)),
        other => other.as_i64().and_then(|code| i16::try_from(code).ok()),
    };
    let wrong = || {
        Unanswerable::new(format!("error is a code (3) or its name (UNKNOWN_TOPIC_OR_PARTITION), not {said}"))
    };
    code.ok_or_else(wrong)
}

fn number(map: &Map, name: &str, default: i64) -> Result<i64, Unanswerable> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => {
            value.as_i64().ok_or_else(|| Unanswerable::new(format!("{name} is a whole number, not {value}")))
        }
    }
}

fn list<'a>(answer: &'a Map, name: &str) -> Result<Option<&'a [Value]>, Unanswerable> {
    match answer.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::List(list)) => Ok(Some(list)),
        Some(other) => Err(Unanswerable::new(format!("{name} is a list, not {other}"))),
    }
}

/// What is answered for each partition: as said, or the same for all that were asked about.
fn partitions(asked: &Asked, answer: &Map, error: i16) -> Result<Vec<Answered>, Unanswerable> {
    let Some(said) = list(answer, "partitions")? else {
        let offset = number(answer, "offset", 0)?;
        let all = asked.partitions.iter();
        return Ok(all
            .map(|(topic, number, _)| Answered { topic: topic.clone(), number: *number, error, offset })
            .collect());
    };
    let one = |said: &Value| {
        let map = said.as_map().ok_or_else(|| Unanswerable::new("a partition is a map"))?;
        let offset = if asked.head.api == PRODUCE { "offset" } else { "high_watermark" };
        Ok(Answered {
            topic: map.get("topic").map(bytes_of).unwrap_or_default(),
            number: i32::try_from(number(map, "partition", 0)?).unwrap_or_default(),
            error: error_of(map.get("error").unwrap_or(&Value::Null))?,
            offset: number(map, offset, 0)?,
        })
    };
    said.iter().map(one).collect()
}

fn bytes_of(value: &Value) -> Vec<u8> {
    from_base64(value).unwrap_or_else(|| value.to_plain_text().into_bytes())
}

/// The records of an answer, with their partition.
fn records(asked: &Asked, answer: &Map) -> Result<Vec<(Vec<u8>, i32, Said)>, Unanswerable> {
    let mut records: Vec<(Vec<u8>, i32, Said)> = Vec::new();
    for value in list(answer, "records")?.unwrap_or_default() {
        let map = value.as_map().ok_or_else(|| Unanswerable::new("a record is a map"))?;
        let first = asked.partitions.first();
        let topic = map.get("topic").map(bytes_of).or_else(|| first.map(|first| first.0.clone()));
        let topic = topic.unwrap_or_default();
        let of_topic = asked.partitions.iter().find(|(other, ..)| *other == topic);
        let default = of_topic.map_or(0, |(_, number, _)| i64::from(*number));
        let partition = i32::try_from(number(map, "partition", default)?).unwrap_or_default();
        let before = records.iter().rev().find(|(other, number, _)| *other == topic && *number == partition);
        let wanted =
            asked.partitions.iter().find(|(other, number, _)| *other == topic && *number == partition);
        let next = before.map_or(wanted.map_or(0, |wanted| wanted.2), |(.., said)| said.offset + 1);
        let said = |name: &str| map.get(name).filter(|value| **value != Value::Null);
        let headers = said("headers").and_then(Value::as_map).into_iter().flatten();
        let headers = headers.map(|(name, value)| {
            (name.clone().into_bytes(), Some(value).filter(|value| **value != Value::Null).map(bytes_of))
        });
        let record = Said {
            offset: number(map, "offset", next)?,
            key: said("key").map(bytes_of),
            value: said("text").or_else(|| said("body")).map(bytes_of),
            headers: headers.collect(),
        };
        records.push((topic, partition, record));
    }
    Ok(records)
}

/// Partitions under their topics, as they follow each other.
fn by_topic<'a>(
    writer: &mut Writer,
    partitions: &'a [Answered],
    put: &mut dyn FnMut(&mut Writer, &'a Answered),
) {
    let topics: Vec<&[Answered]> = partitions.chunk_by(|one, other| one.topic == other.topic).collect();
    writer.count(topics.len());
    for topic in topics {
        writer.text(topic.first().map(|one| one.topic.as_slice()).unwrap_or_default());
        writer.count(topic.len());
        for one in topic {
            put(writer, one);
            writer.tags();
        }
        writer.tags();
    }
}

fn put_written(writer: &mut Writer, version: i16, partitions: &[Answered]) {
    by_topic(writer, partitions, &mut |writer, one| {
        writer.i32(one.number);
        writer.i16(one.error);
        writer.i64(if one.error == 0 { one.offset } else { -1 });
        if version >= 2 {
            writer.i64(-1);
        }
        if version >= 5 {
            writer.i64(if one.error == 0 { 0 } else { -1 });
        }
        if version >= 8 {
            writer.count(0);
            writer.null_text();
        }
    });
    if version >= 1 {
        writer.i32(0);
    }
    writer.tags();
}

fn put_fetched(writer: &mut Writer, version: i16, partitions: &[Answered], records: &[(Vec<u8>, i32, Said)]) {
    writer.i32(0);
    if version >= 7 {
        writer.i16(0);
        writer.i32(0);
    }
    by_topic(writer, partitions, &mut |writer, one| {
        let is_of = |(topic, number, _): &&(Vec<u8>, i32, Said)| *topic == one.topic && *number == one.number;
        let said: Vec<Said> = records
            .iter()
            .filter(is_of)
            .map(|(.., said)| Said {
                offset: said.offset,
                key: said.key.clone(),
                value: said.value.clone(),
                headers: said.headers.clone(),
            })
            .collect();
        let end = said.last().map_or(0, |last| last.offset + 1).max(one.offset);
        writer.i32(one.number);
        writer.i16(one.error);
        writer.i64(end);
        writer.i64(end);
        if version >= 5 {
            writer.i64(0);
        }
        writer.null_list();
        if version >= 11 {
            writer.i32(-1);
        }
        writer.bytes(&batch(&said));
    });
    writer.tags();
}

/// The replies that are an error and little else.
fn put_error(writer: &mut Writer, head: Head, error: i16) -> Result<(), Unanswerable> {
    let Head { api, version, .. } = head;
    let throttled_from = match api {
        HEARTBEAT | SYNC_GROUP | FIND_COORDINATOR => 1,
        JOIN_GROUP => 2,
        _ => 0,
    };
    if version >= throttled_from {
        writer.i32(0);
    }
    if !(api == FIND_COORDINATOR && version >= 4) {
        writer.i16(error);
    }
    match api {
        HEARTBEAT => {}
        SYNC_GROUP => {
            if version >= 5 {
                writer.null_text();
                writer.null_text();
            }
            writer.bytes(b"");
        }
        JOIN_GROUP => {
            writer.i32(-1);
            if version >= 7 {
                writer.null_text();
            }
            writer.text(b"");
            writer.text(b"");
            if version >= 9 {
                writer.put(&[0]);
            }
            writer.text(b"");
            writer.count(0);
        }
        INIT_PRODUCER_ID => {
            writer.i64(-1);
            writer.i16(-1);
        }
        FIND_COORDINATOR if version < 4 => {
            if version >= 1 {
                writer.null_text();
            }
            writer.i32(-1);
            writer.text(b"");
            writer.i32(-1);
        }
        _ => return Err(Unanswerable::new(format!("{} can't be answered by an error here", api::name(api)))),
    }
    writer.tags();
    Ok(())
}

/// What is spoken where nobody is behind.
const ALONE: &[(i16, i16, i16)] = &[
    (PRODUCE, 3, 8),
    (FETCH, 4, 6),
    (2, 1, 5),
    (METADATA, 0, 7),
    (FIND_COORDINATOR, 0, 2),
    (API_VERSIONS, 0, 2),
    (INIT_PRODUCER_ID, 0, 1),
];

impl Cutter {
    /// The request of a call is not passed on, or was replied to already.
    fn take_out(&mut self, call: Call) -> Option<Due> {
        let place = self.due.iter().position(|due| due.call == call && due.fate == Fate::Told)?;
        self.due.remove(place)
    }

    /// What a broker of one node says by itself; none where a stub is to be asked.
    pub(super) fn alone(&self, head: Head, reader: Reader<'_>) -> Option<Vec<u8>> {
        let mut writer = Writer::new(false);
        match head.api {
            API_VERSIONS => {
                writer.i16(if head.version > 2 { 35 } else { 0 });
                writer.count(ALONE.len());
                for (api, least, most) in ALONE {
                    writer.i16(*api);
                    writer.i16(*least);
                    writer.i16(*most);
                }
                if (1..=2).contains(&head.version) {
                    writer.i32(0);
                }
            }
            METADATA => self.put_metadata(&mut writer, head, reader)?,
            FIND_COORDINATOR => {
                let address = self.address?;
                if head.version >= 1 {
                    writer.i32(0);
                }
                writer.i16(0);
                if head.version >= 1 {
                    writer.null_text();
                }
                writer.i32(1);
                writer.text(address.ip().to_string().as_bytes());
                writer.i32(i32::from(address.port()));
            }
            INIT_PRODUCER_ID => {
                writer.i32(0);
                writer.i16(0);
                writer.i64(1);
                writer.i16(0);
            }
            2 => put_offsets(&mut writer, head.version, reader)?,
            _ => return None,
        }
        Some(framed(head, &writer.out))
    }

    /// One broker, which is here, and any topic that is asked for, with one partition.
    fn put_metadata(&self, writer: &mut Writer, head: Head, reader: Reader<'_>) -> Option<()> {
        let (address, version) = (self.address?, head.version);
        if version >= 3 {
            writer.i32(0);
        }
        writer.count(1);
        writer.i32(1);
        writer.text(address.ip().to_string().as_bytes());
        writer.i32(i32::from(address.port()));
        if version >= 1 {
            writer.null_text();
        }
        if version >= 2 {
            writer.text(b"seam");
        }
        if version >= 1 {
            writer.i32(1);
        }
        let topics = asked_for(head, reader);
        writer.count(topics.len());
        for topic in topics {
            writer.i16(0);
            writer.text(&topic);
            if version >= 1 {
                writer.put(&[0]);
            }
            writer.count(1);
            writer.i16(0);
            writer.i32(0);
            writer.i32(1);
            if version >= 7 {
                writer.i32(0);
            }
            for _ in 0..2 {
                writer.count(1);
                writer.i32(1);
            }
            if version >= 5 {
                writer.count(0);
            }
        }
        Some(())
    }
}

/// Every partition is empty, and begins at 0.
fn put_offsets(writer: &mut Writer, version: i16, mut reader: Reader<'_>) -> Option<()> {
    reader.i32()?;
    if version >= 2 {
        reader.i8()?;
        writer.i32(0);
    }
    let n_topics = reader.count()?;
    writer.count(n_topics);
    for _ in 0..n_topics {
        writer.text(reader.text()?);
        let n_partitions = reader.count()?;
        writer.count(n_partitions);
        for _ in 0..n_partitions {
            writer.i32(reader.i32()?);
            if version >= 4 {
                reader.i32()?;
            }
            reader.i64()?;
            writer.i16(0);
            writer.i64(-1);
            writer.i64(0);
            if version >= 4 {
                writer.i32(-1);
            }
        }
    }
    Some(())
}
