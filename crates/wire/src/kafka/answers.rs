//! Answers in the broker's place: what a stub, a recording or a fault says, as bytes.

use super::api::{
    self, ADD_OFFSETS_TO_TXN, ADD_PARTITIONS_TO_TXN, END_TXN, FETCH, FIND_COORDINATOR, HEARTBEAT,
    INIT_PRODUCER_ID, JOIN_GROUP, LEAVE_GROUP, OFFSET_COMMIT, OFFSET_FETCH, PRODUCE, SYNC_GROUP,
    TXN_OFFSET_COMMIT, UNKNOWN_TOPIC_OR_PARTITION,
};
use super::bytes::Writer;
use super::calls::Head;
use super::records::{Said, batch};
use super::sessions::Wanted;
use super::splitter::Asked;
use crate::body::from_base64;
use crate::splitter::Unanswerable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::{Map, Value};
use std::sync::Arc;

/// A partition that is answered for.
struct Answered {
    topic: Vec<u8>,
    number: i32,
    error: i16,
    offset: i64,
}

/// What is said of one partition of those that a call is about, in a reply to it.
pub(super) fn said_of(asked: &Asked, partition: &Wanted, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
    let map = answer
        .as_map()
        .ok_or_else(|| Unanswerable::new(format!("an answer of kafka is a map, not {answer}")))?;
    let head = asked.head;
    let alone =
        Asked { head, partitions: Arc::from([partition.clone()]), acks: asked.acks, struck: Vec::new() };
    let error = check(map)?;
    let said = partitions(&alone, map, error)?;
    let one = said.first().ok_or_else(|| Unanswerable::new("partitions is empty"))?;
    let mut writer = Writer::new(head.is_compact());
    match head.api {
        PRODUCE => put_one_written(&mut writer, head.version, one),
        _ => put_one_fetched(&mut writer, head.version, one, &records(&alone, map)?),
    }
    Ok(writer.out)
}

/// Says the error of an answer, whose fields are looked at.
fn check(answer: &Map) -> Result<i16, Unanswerable> {
    const FIELDS: [&str; 6] = ["api", "error", "partitions", "records", "raw", "offset"];
    // Where no stub answers.
    let unknown = answer.get("status").is_some_and(|status| status.as_i64() == Some(404));
    if let Some(other) = answer.keys().find(|key| !unknown && !FIELDS.contains(&key.as_str())) {
        return Err(Unanswerable::new(format!(
            "kafka has no {other}; its answers have {}",
            FIELDS[1..].join(", ")
        )));
    }
    match answer.get("error") {
        None if unknown => Ok(UNKNOWN_TOPIC_OR_PARTITION),
        error => error_of(error.unwrap_or(&Value::Null)),
    }
}

/// The body of an answer, behind the reply's number.
pub(super) fn said(asked: &Asked, answer: &Map) -> Result<Vec<u8>, Unanswerable> {
    let error = check(answer)?;
    let raw = answer.get("raw").and_then(|raw| raw.get("base64")).and_then(Value::as_text);
    if let Some(raw) = raw.filter(|_| error == 0) {
        return STANDARD.decode(raw).map_err(|_| Unanswerable::new("raw is { base64: … }"));
    }
    let Head { api, version, .. } = asked.head;
    let mut writer = Writer::new(asked.head.is_compact());
    writer.tags();
    match api {
        PRODUCE => put_written(&mut writer, version, &partitions(asked, answer, error)?),
        FETCH => {
            put_fetched(&mut writer, version, &partitions(asked, answer, error)?, &records(asked, answer)?);
        }
        OFFSET_COMMIT | TXN_OFFSET_COMMIT | ADD_PARTITIONS_TO_TXN if !asked.partitions.is_empty() => {
            put_committed(&mut writer, asked.head, &partitions(asked, answer, error)?);
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

/// A record of an answer, with its partition.
type Placed = (Vec<u8>, i32, Said);

/// The records of an answer. Those of a recorded batch that was compressed stand one by one.
fn records(asked: &Asked, answer: &Map) -> Result<Vec<Placed>, Unanswerable> {
    let mut records: Vec<Placed> = Vec::new();
    for map in &each_said(list(answer, "records")?.unwrap_or_default())? {
        let first = asked.partitions.first();
        let topic = map.get("topic").map(bytes_of).or_else(|| first.map(|first| first.0.clone()));
        let topic = topic.unwrap_or_default();
        let of_topic = asked.partitions.iter().find(|(other, ..)| *other == topic);
        let default = of_topic.map_or(0, |(_, number, _)| i64::from(*number));
        let partition = i32::try_from(number(map, "partition", default)?).unwrap_or_default();
        let before = records.iter().rev().find(|(other, number, _)| *other == topic && *number == partition);
        let wanted =
            asked.partitions.iter().find(|(other, number, _)| *other == topic && *number == partition);
        let next =
            before.map_or(wanted.map_or(0, |wanted| wanted.2), |(.., said)| said.offset.saturating_add(1));
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

/// The maps of records, also of those that stand in a batch.
fn each_said(said: &[Value]) -> Result<Vec<Map>, Unanswerable> {
    let mut maps = Vec::new();
    for value in said {
        let map = value.as_map().ok_or_else(|| Unanswerable::new("a record is a map"))?;
        let Some(packing) = map.get("compression") else {
            maps.push(map.clone());
            continue;
        };
        let Some(inner) = list(map, "records")? else {
            let reason = format!(
                "a batch packed by {} was recorded, which can't be unpacked here",
                packing.to_plain_text()
            );
            return Err(Unanswerable::new(reason));
        };
        for (place, record) in (0..).zip(inner) {
            let mut one = map.clone();
            one.retain(|name, _| matches!(name.as_str(), "topic" | "partition"));
            if let Some(base) = map.get("offset").and_then(Value::as_i64) {
                one.insert("offset".to_owned(), Value::from(base.saturating_add(place)));
            }
            one.extend(record.as_map().cloned().unwrap_or_default());
            maps.push(one);
        }
    }
    Ok(maps)
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
        }
        writer.tags();
    }
}

fn put_written(writer: &mut Writer, version: i16, partitions: &[Answered]) {
    by_topic(writer, partitions, &mut |writer, one| put_one_written(writer, version, one));
    if version >= 1 {
        writer.i32(0);
    }
    writer.tags();
}

fn put_one_written(writer: &mut Writer, version: i16, one: &Answered) {
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
    writer.tags();
}

fn put_fetched(writer: &mut Writer, version: i16, partitions: &[Answered], records: &[Placed]) {
    writer.i32(0);
    if version >= 7 {
        writer.i16(0);
        writer.i32(0);
    }
    by_topic(writer, partitions, &mut |writer, one| put_one_fetched(writer, version, one, records));
    writer.tags();
}

fn put_one_fetched(writer: &mut Writer, version: i16, one: &Answered, records: &[Placed]) {
    let is_of = |(topic, number, _): &&Placed| *topic == one.topic && *number == one.number;
    let said: Vec<&Said> = records.iter().filter(is_of).map(|(.., said)| said).collect();
    let end = said.last().map_or(0, |last| last.offset.saturating_add(1)).max(one.offset);
    let end = if one.error == 0 { end } else { -1 };
    writer.i32(one.number);
    writer.i16(one.error);
    writer.i64(end);
    writer.i64(end);
    if version >= 5 {
        writer.i64(end.min(0));
    }
    writer.null_list();
    if version >= 11 {
        writer.i32(-1);
    }
    writer.bytes(&batch(&said));
    writer.tags();
}

/// What became of each offset that was committed.
fn put_committed(writer: &mut Writer, head: Head, partitions: &[Answered]) {
    if head.api != OFFSET_COMMIT || head.version >= 3 {
        writer.i32(0);
    }
    by_topic(writer, partitions, &mut |writer, one| {
        writer.i32(one.number);
        writer.i16(one.error);
        writer.tags();
    });
    writer.tags();
}

/// The replies that are an error and little else.
fn put_error(writer: &mut Writer, head: Head, error: i16) -> Result<(), Unanswerable> {
    let Head { api, version, .. } = head;
    let throttled_from = match api {
        HEARTBEAT | SYNC_GROUP | LEAVE_GROUP | FIND_COORDINATOR => 1,
        JOIN_GROUP => 2,
        OFFSET_FETCH => 3,
        _ => 0,
    };
    if version >= throttled_from {
        writer.i32(0);
    }
    if api == OFFSET_FETCH {
        // The error stands behind what is said of partitions, of which there is nothing.
        writer.count(0);
    }
    if !(api == FIND_COORDINATOR && version >= 4) {
        writer.i16(error);
    }
    match api {
        HEARTBEAT | END_TXN | ADD_OFFSETS_TO_TXN => {}
        OFFSET_FETCH if (2..8).contains(&version) => {}
        LEAVE_GROUP => {
            if version >= 3 {
                writer.count(0);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::super::reading::Kept;
    use super::*;
    use crate::conversation::Captured;
    use seam_value::parse;

    fn asked(version: i16) -> Asked {
        let head = Head { api: FETCH, version, correlation: 7 };
        let partitions = Arc::from([(b"orders".to_vec(), 2, 40)]);
        Asked { head, partitions, acks: None, struck: Vec::new() }
    }

    /// What an answer says, as it is read back.
    fn read_back(version: i16, answer: &str) -> Result<Value, Unanswerable> {
        let asked = asked(version);
        let answer = parse(answer).unwrap();
        let bytes = said(&asked, answer.as_map().unwrap())?;
        Ok(Box::new(Kept::new(asked.head, true, &bytes, (usize::MAX, true))).read().reply)
    }

    #[test]
    fn a_recorded_answer_is_said_again() {
        let records = r#"{"topic":"orders","partition":2,"offset":40,"key":"k","headers":{"h":null},"body":{"a":1},"text":"{\"a\":1}"}"#;
        for version in [4, 7, 12] {
            let recorded = format!(
                r#"{{"api":"Fetch","error":null,"partitions":[{{"topic":"orders","partition":2,"error":null,"high_watermark":50}}],"records":[{records}]}}"#
            );
            assert_eq!(read_back(version, &recorded).unwrap().to_string(), recorded, "{version}");
        }
    }

    #[test]
    fn a_packed_batch_is_said_record_by_record() {
        let batch = r#"{"records":[
            {"topic":"orders","partition":2,"offset":41,"compression":"gzip","count":2,"records":[
                {"offset":41,"key":"a","headers":{},"body":1,"text":"1"},
                {"offset":43,"key":null,"headers":{},"body":2,"text":"2"}
            ]},
            {"topic":"orders","partition":2,"offset":50,"compression":"gzip","count":1,"records":[{"text":"3"}]}
        ]}"#;
        let said = read_back(12, batch).unwrap();
        let records = said.get("records").and_then(Value::as_list).unwrap();
        let of = |one: &Value, name: &str| one.get(name).unwrap().to_plain_text();
        let line = |one: &Value| format!("{} {}", of(one, "offset"), of(one, "text"));
        assert_eq!(records.iter().map(line).collect::<Vec<_>>(), ["41 1", "43 2", "50 3"]);
        let unknown = r#"{"records":[{"offset":41,"compression":"zstd","count":2,"records":null}]}"#;
        let reason = "a batch packed by zstd was recorded, which can't be unpacked here";
        assert_eq!(read_back(12, unknown), Err(Unanswerable::new(reason)));
    }
}
