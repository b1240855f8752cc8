//! Batches of records, as producers send them and consumers fetch them (version 2; older ones are not looked into).

use super::bytes::{Reader, Writer};
use super::packed;
use crate::body;
use seam_value::{Map, Value};

/// Before the records of a batch: offset, length, epoch, kind, checksum, attributes, times, producer, how many.
pub(super) const HEAD: usize = 61;

/// Where in it things stand.
pub(super) const LENGTH_AT: usize = 8;
pub(super) const KIND_AT: usize = 16;
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const PRODUCER_AT: usize = 43;

/// So many records of a compressed batch are told.
const MOST_RECORDS: usize = 10_000;

/// One record, or a batch that can't be looked into on the way.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) offset: i64,
    pub(super) bytes: &'a [u8],
    /// The number of its compression, and how many records there are, where it is a batch.
    pub(super) packed: Option<(u8, i32)>,
}

/// The records of batches one behind the other, as far as they go.
pub(super) fn records(mut batches: &[u8], each: &mut dyn FnMut(Record<'_>)) {
    while let Some(head) = batches.first_chunk::<HEAD>() {
        let mut reader = Reader::new(head, false);
        let (Some(base), Some(length)) = (reader.i64(), reader.i32()) else { return };
        let end = usize::try_from(length).unwrap_or(0).saturating_add(LENGTH_AT + 4);
        if end < HEAD || head[KIND_AT] != 2 {
            return;
        }
        let batch = &batches[HEAD..end.min(batches.len())];
        let attributes = u16::from_be_bytes([head[ATTRIBUTES_AT], head[ATTRIBUTES_AT + 1]]);
        let count = Reader::new(&head[HEAD - 4..], false).i32().unwrap_or_default();
        // A control batch says only how a transaction ended.
        let is_control = attributes & 0x20 != 0;
        match (attributes & 7) as u8 {
            _ if is_control => {}
            0 => split(base, batch, each),
            packing => each(Record { offset: base, bytes: batch, packed: Some((packing, count)) }),
        }
        batches = batches.get(end..).unwrap_or_default();
    }
}

fn split(base: i64, batch: &[u8], each: &mut dyn FnMut(Record<'_>)) {
    let mut reader = Reader::new(batch, false);
    while !reader.rest.is_empty() {
        let Some(length) = reader.signed().and_then(|length| usize::try_from(length).ok()) else { return };
        // Attributes, two differences, key, value, how many headers: nothing shorter is one.
        let Some(bytes) = reader.take(length).filter(|bytes| bytes.len() >= 6) else { return };
        let mut inner = Reader::new(bytes, false);
        let delta = inner.i8().and_then(|_| inner.signed()).and_then(|_| inner.signed());
        each(Record { offset: base.saturating_add(delta.unwrap_or_default()), bytes, packed: None });
    }
}

/// The fields of one record: key, headers, body and text.
pub(super) fn read(bytes: &[u8], map: &mut Map) {
    let mut reader = Reader::new(bytes, false);
    let field = |reader: &mut Reader<'_>| -> Option<Option<Vec<u8>>> {
        let length = reader.signed()?;
        let Ok(length) = usize::try_from(length) else { return Some(None) };
        reader.take(length).map(|bytes| Some(bytes.to_vec()))
    };
    let mut parts = || {
        reader.i8()?;
        reader.signed()?;
        reader.signed()?;
        let (key, value) = (field(&mut reader)?, field(&mut reader)?);
        let mut headers = Map::default();
        for _ in 0..reader.signed()? {
            let name = field(&mut reader)?.unwrap_or_default();
            let value = field(&mut reader)?.map_or(Value::Null, |value| text(&value));
            headers.insert(String::from_utf8_lossy(&name).into_owned(), value);
        }
        Some((key, value, headers))
    };
    let (key, value, headers) = parts().unwrap_or_default();
    let content_type = headers.get("content-type").or_else(|| headers.get("content_type"));
    let content_type = content_type.and_then(Value::as_text).map(str::to_owned);
    map.insert("key".to_owned(), key.map_or(Value::Null, |key| text(&key)));
    map.insert("headers".to_owned(), Value::Map(headers));
    let decoded = value.map(|value| body::decode(content_type.as_deref(), None, &value, body::MAX_UNPACKED));
    let (value, text) = decoded.map_or((Value::Null, Value::Null), |decoded| (decoded.value, decoded.text));
    map.insert("body".to_owned(), value);
    map.insert("text".to_owned(), text);
}

/// Changes what the records of batches say that are not packed, each in its place, and what sums their batch up.
pub(super) fn change_values(batches: &mut [u8], change: &mut dyn FnMut(&mut [u8])) {
    let mut at = 0;
    while let Some(head) = batches.get(at..).and_then(<[u8]>::first_chunk::<HEAD>) {
        let length =
            Reader::new(&head[LENGTH_AT..], false).i32().and_then(|length| usize::try_from(length).ok());
        let end = at.saturating_add(length.unwrap_or(0)).saturating_add(LENGTH_AT + 4);
        // Attributes: packed in some way, or a control batch.
        let is_plain = head[KIND_AT] == 2 && head[ATTRIBUTES_AT + 1] & 0x27 == 0;
        if end < at + HEAD || end > batches.len() {
            return;
        }
        let batch = &mut batches[at..end];
        for value in values(&batch[HEAD..]).into_iter().filter(|_| is_plain) {
            change(&mut batch[HEAD + value.start..HEAD + value.end]);
        }
        if is_plain {
            let checksum = crc32c(&batch[ATTRIBUTES_AT..]);
            batch[KIND_AT + 1..KIND_AT + 5].copy_from_slice(&checksum.to_be_bytes());
        }
        at = end;
    }
}

/// Where the values of records stand.
fn values(records: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut reader, mut places) = (Reader::new(records, false), Vec::new());
    let mut next = || {
        let length = usize::try_from(reader.signed()?).ok()?;
        let mut inner = Reader::new(reader.take(length)?, false);
        let behind = reader.rest.len();
        inner.i8()?;
        inner.signed()?;
        inner.signed()?;
        let n_key = usize::try_from(inner.signed()?).unwrap_or(0);
        inner.take(n_key)?;
        let n_value = usize::try_from(inner.signed()?).unwrap_or(0);
        inner.take(n_value)?;
        let end = records.len() - behind - inner.rest.len();
        Some(end - n_value..end)
    };
    while let Some(place) = next() {
        places.push(place);
    }
    places
}

/// Bytes as tests see them.
pub(super) fn text(bytes: &[u8]) -> Value {
    body::text_or_base64(bytes, false).0
}

/// The records of a compressed batch with their places behind its beginning, where its packing is one that is understood
/// here.
pub(super) fn unpack(packing: u8, batch: &[u8]) -> Option<Vec<(i64, Map)>> {
    let unpacked = packed::unpacked(packing, batch)?;
    let mut list = Vec::new();
    split(0, &unpacked, &mut |record| {
        if list.len() >= MOST_RECORDS {
            return;
        }
        let mut map = Map::default();
        read(record.bytes, &mut map);
        list.push((record.offset, map));
    });
    Some(list)
}

/// What is to be written as a record.
pub(super) struct Said {
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A batch of records.
pub(super) fn batch(records: &[&Said]) -> Vec<u8> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return Vec::new() };
    let mut inner = Writer::new(false);
    for record in records {
        let mut writer = Writer::new(false);
        writer.put(&[0]);
        writer.signed(0);
        writer.signed(record.offset.saturating_sub(first.offset));
        put_field(&mut writer, record.key.as_deref());
        put_field(&mut writer, record.value.as_deref());
        writer.signed(i64::try_from(record.headers.len()).unwrap_or_default());
        for (name, value) in &record.headers {
            put_field(&mut writer, Some(name));
            put_field(&mut writer, value.as_deref());
        }
        inner.signed(i64::try_from(writer.out.len()).unwrap_or_default());
        inner.put(&writer.out);
    }
    let mut rest = Writer::new(false);
    rest.i16(0);
    rest.i32(i32::try_from(last.offset.saturating_sub(first.offset)).unwrap_or_default());
    // Without a time, as nobody here knows one.
    rest.i64(-1);
    rest.i64(-1);
    rest.i64(-1);
    rest.i16(-1);
    rest.i32(-1);
    rest.i32(i32::try_from(records.len()).unwrap_or(i32::MAX));
    rest.put(&inner.out);
    let mut whole = Writer::new(false);
    whole.i64(first.offset);
    whole.i32(i32::try_from(rest.out.len() + 9).unwrap_or(i32::MAX));
    whole.i32(0);
    whole.put(&[2]);
    whole.put(&crc32c(&rest.out).to_be_bytes());
    whole.put(&rest.out);
    whole.out
}

pub(super) fn put_field(writer: &mut Writer, field: Option<&[u8]>) {
    match field {
        Some(bytes) => {
            writer.signed(i64::try_from(bytes.len()).unwrap_or_default());
            writer.put(bytes);
        }
        None => writer.signed(-1),
    }
}

/// The checksum of batches (Castagnoli).
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let (mut table, mut at, mut byte) = ([0; 256], 0, 0_u32);
        while at < 256 {
            let (mut crc, mut bit) = (byte, 0);
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
                bit += 1;
            }
            table[at] = crc;
            (at, byte) = (at + 1, byte + 1);
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let [lowest, ..] = crc.to_le_bytes();
        crc >> 8 ^ TABLE[usize::from(lowest ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_checksum() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn zeros_are_no_records() {
        let mut bytes = batch(&[&Said { offset: 0, key: None, value: None, headers: Vec::new() }]);
        let length = i32::try_from(bytes.len() - 12 + 1000).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes.resize(bytes.len() + 1000, 0);
        let mut n_told = 0;
        records(&bytes, &mut |_| n_told += 1);
        assert_eq!(n_told, 1);
    }

    #[test]
    fn a_batch_there_and_back() {
        let said = |offset, value: &[u8]| Said {
            offset,
            key: Some(b"k".to_vec()),
            value: Some(value.to_vec()),
            headers: vec![(b"h".to_vec(), None)],
        };
        let bytes = batch(&[&said(7, b"{\"a\":1}"), &said(9, b"two")]);
        let mut told = Vec::new();
        records(&bytes, &mut |record| {
            let mut map = Map::default();
            read(record.bytes, &mut map);
            told.push(format!("{} {}", record.offset, Value::Map(map)));
        });
        assert_eq!(
            told,
            [
                r#"7 {"key":"k","headers":{"h":null},"body":{"a":1},"text":"{\"a\":1}"}"#,
                r#"9 {"key":"k","headers":{"h":null},"body":"two","text":"two"}"#,
            ]
        );
    }
}
