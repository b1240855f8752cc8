//! Single records that say something else, or are missing: their batch is written anew around them, with its lengths, how
//! many there are and its checksum, and all other records stay as they are.
//!
//! ```text
//! batch of 3, gzip ─▶ unpacked: 7, 8, 9 ─▶ 7, 8 with another value, (9 is left out) ─▶ batch of 2, gzip
//! ```
//! What was packed by gzip is again; by something else, it stands there unpacked, which every client takes. A batch that
//! isn't understood to its end, or that is larger than what is unpacked here, is left as it is.

use super::apart::{Entry, Listed, body_of_reply, reply, unknown};
use super::api::{FETCH, PRODUCE};
use super::bytes::{Reader, Writer};
use super::calls::{Head, each_partition};
use super::packed;
use super::records::{self, ATTRIBUTES_AT, HEAD, KIND_AT, LENGTH_AT, PRODUCER_AT, crc32c, put_field};
use super::splitter::Cutter;
use crate::anew::{only, payload};
use crate::body;
use crate::conversation::Direction;
use crate::splitter::{Anew, Call, Carried, SaidAnew, Unanswerable};
use seam_value::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A key, a value, or what a header says; none is null.
type Said<'a> = Option<Cow<'a, [u8]>>;

/// One record, to be changed.
#[derive(Clone, PartialEq, Eq)]
struct Record<'a> {
    /// Its attributes, time and place behind the beginning of its batch, as they are.
    lead: &'a [u8],
    key: Said<'a>,
    value: Said<'a>,
    headers: Vec<(Cow<'a, [u8]>, Said<'a>)>,
}

impl<'a> Record<'a> {
    /// Given its bytes, without its length.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, false);
        reader.i8()?;
        reader.signed()?;
        reader.signed()?;
        let lead = &bytes[..bytes.len() - reader.rest.len()];
        let field = |reader: &mut Reader<'a>| -> Option<Said<'a>> {
            match usize::try_from(reader.signed()?) {
                Ok(length) => reader.take(length).map(|bytes| Some(Cow::Borrowed(bytes))),
                Err(_) => Some(None),
            }
        };
        let (key, value) = (field(&mut reader)?, field(&mut reader)?);
        let mut headers = Vec::new();
        for _ in 0..reader.signed()? {
            headers.push((field(&mut reader)??, field(&mut reader)?));
        }
        reader.rest.is_empty().then_some(Self { lead, key, value, headers })
    }

    fn put(&self, out: &mut Writer) {
        let mut writer = Writer::new(false);
        writer.put(self.lead);
        put_field(&mut writer, self.key.as_deref());
        put_field(&mut writer, self.value.as_deref());
        writer.signed(i64::try_from(self.headers.len()).unwrap_or_default());
        for (name, value) in &self.headers {
            put_field(&mut writer, Some(name));
            put_field(&mut writer, value.as_deref());
        }
        out.signed(i64::try_from(writer.out.len()).unwrap_or_default());
        out.put(&writer.out);
    }

    /// Its key, headers and value say what they say now.
    fn say(&mut self, anew: Anew<'_>) -> Result<(), Unanswerable> {
        match anew {
            Anew::Content(change) => {
                if let Some(value) = &mut self.value {
                    change(value.to_mut());
                }
            }
            Anew::Fields(before, now) => {
                only(before, now, &["key", "headers"])?;
                let is_other = |name: &str| before.get(name) != now.get(name);
                if is_other("key") {
                    self.key = now.get("key").and_then(bytes_of);
                }
                if is_other("headers") {
                    let empty = Map::default();
                    self.say_headers(now.get("headers").and_then(Value::as_map).unwrap_or(&empty));
                }
                if is_other("body") || is_other("text") {
                    let has_none = now.get("text").is_none() && now.get("body").is_none();
                    self.value = (!has_none).then(|| Cow::Owned(payload(now)));
                }
            }
        }
        Ok(())
    }

    /// Headers that say the same stay where they are. Of several with one name only the last is told, so that those before it
    /// stay as they are, too, as long as there is one of that name.
    fn say_headers(&mut self, now: &Map) {
        let mut left = now.clone();
        self.headers.retain(|(name, _)| now.contains_key(&*String::from_utf8_lossy(name)));
        for (name, value) in self.headers.iter_mut().rev() {
            let Some(said) = left.shift_remove(&*String::from_utf8_lossy(name)) else { continue };
            if value.as_deref().map_or(Value::Null, records::text) != said {
                *value = bytes_of(&said);
            }
        }
        for (name, value) in left {
            self.headers.push((Cow::Owned(name.into_bytes()), bytes_of(&value)));
        }
    }
}

/// A value as a key or a header has it; none for null.
fn bytes_of(value: &Value) -> Said<'static> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(Cow::Owned(text.clone().into_bytes())),
        value => {
            Some(Cow::Owned(body::from_base64(value).unwrap_or_else(|| value.to_plain_text().into_bytes())))
        }
    }
}

/// What is to become of the records of one partition, by how manieth they are in it.
trait Change {
    /// Is anything to become of one of so many, from this one on?
    fn wants(&self, first: usize, n_records: usize) -> bool;

    /// Changes one; says whether it stays at all.
    fn change(&mut self, number: usize, record: &mut Record<'_>) -> bool;
}

/// Batches one behind the other, after what becomes of their records. As they were, where nothing does.
fn batches_anew(mut batches: &[u8], change: &mut dyn Change) -> Vec<u8> {
    let (mut out, mut first) = (Vec::with_capacity(batches.len()), 0);
    while let Some(batch) = whole_batch(batches) {
        batches = &batches[batch.len()..];
        let mut n_told = 0;
        // The same that is told of them.
        records::records(batch, &mut |record| {
            let unpacked = record.packed.map(|(packing, _)| records::unpack(packing, record.bytes));
            n_told += unpacked.flatten().map_or(1, |list| list.len());
        });
        let anew = change.wants(first, n_told).then(|| batch_anew(batch, first, n_told, change));
        match anew.flatten() {
            Some(anew) => out.extend_from_slice(&anew),
            None => out.extend_from_slice(batch),
        }
        first += n_told;
    }
    out.extend_from_slice(batches);
    out
}

/// The first batch, where all of it is there and it is one that is understood.
fn whole_batch(batches: &[u8]) -> Option<&[u8]> {
    let head = batches.first_chunk::<HEAD>().filter(|head| head[KIND_AT] == 2)?;
    let length = usize::try_from(Reader::new(&head[LENGTH_AT..], false).i32()?).ok()?;
    let end = length.checked_add(LENGTH_AT + 4).filter(|end| *end >= HEAD)?;
    batches.get(..end)
}

/// None where it can't be written anew, or nothing has become of it.
fn batch_anew(batch: &[u8], first: usize, n_told: usize, change: &mut dyn Change) -> Option<Vec<u8>> {
    let (head, packed) = batch.split_at(HEAD);
    let attributes = head[ATTRIBUTES_AT + 1];
    let (packing, is_control) = (attributes & 7, attributes & 0x20 != 0);
    let unpacked = match packing {
        0 => Cow::Borrowed(packed),
        packing => Cow::Owned(packed::unpacked_whole(packing, packed)?),
    };
    let (mut reader, mut all) = (Reader::new(&unpacked, false), Vec::new());
    while !reader.rest.is_empty() {
        let length = usize::try_from(reader.signed()?).ok()?;
        all.push(Record::read(reader.take(length)?)?);
    }
    let count = Reader::new(&head[HEAD - 4..], false).i32().and_then(|count| usize::try_from(count).ok());
    if is_control || all.len() != n_told || count != Some(n_told) {
        return None;
    }
    let (mut inner, mut n_left, mut is_changed) = (Writer::new(false), 0, false);
    for (number, mut record) in (first..).zip(all) {
        let before = record.clone();
        if change.change(number, &mut record) {
            is_changed |= record != before;
            n_left += 1;
            record.put(&mut inner);
        } else {
            is_changed = true;
        }
    }
    match n_left {
        _ if !is_changed => None,
        0 => Some(emptied(head)),
        n_left => Some(written(head, n_left, &inner.out)),
    }
}

/// A batch of which nothing is left. Clients have to go on behind it, and not all of them know one without records: it says
/// that a transaction has ended of which they know nothing, and which they pass over.
fn emptied(head: &[u8]) -> Vec<u8> {
    /// A batch that controls, of a transaction.
    const CONTROL: u8 = 0x30;
    const COMMIT: Option<&[u8]> = Some(&[0, 0, 0, 1]);
    const BY_WHOM: Option<&[u8]> = Some(&[0; 6]);
    let mut head = head.to_vec();
    head[ATTRIBUTES_AT + 1] = head[ATTRIBUTES_AT + 1] & !7 | CONTROL;
    head[PRODUCER_AT..HEAD - 4].fill(u8::MAX);
    let last = Reader::new(&head[ATTRIBUTES_AT + 2..], false).i32().unwrap_or_default();
    let mut lead = Writer::new(false);
    lead.put(&[0]);
    lead.signed(0);
    lead.signed(i64::from(last));
    let (key, value) = (COMMIT.map(Cow::Borrowed), BY_WHOM.map(Cow::Borrowed));
    let mut inner = Writer::new(false);
    Record { lead: &lead.out, key, value, headers: Vec::new() }.put(&mut inner);
    written(&head, 1, &inner.out)
}

fn written(head: &[u8], n_records: i32, records: &[u8]) -> Vec<u8> {
    let packing = head[ATTRIBUTES_AT + 1] & 7;
    let again = packed::packed(packing, records);
    let records = again.as_deref().unwrap_or(records);
    let mut batch = [head, records].concat();
    if again.is_none() {
        batch[ATTRIBUTES_AT + 1] &= !7;
    }
    let length = i32::try_from(batch.len() - LENGTH_AT - 4).unwrap_or(i32::MAX);
    batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    batch[HEAD - 4..HEAD].copy_from_slice(&n_records.to_be_bytes());
    let checksum = crc32c(&batch[ATTRIBUTES_AT..]);
    batch[KIND_AT + 1..KIND_AT + 5].copy_from_slice(&checksum.to_be_bytes());
    batch
}

/// What becomes of single records, and what could not become of them.
struct Single<'a, 'b> {
    /// By how manieth they are in their partition, with their places in what was asked for.
    wanted: BTreeMap<usize, Vec<(usize, &'a mut Carried<'b>)>>,
    refused: &'a mut Vec<(usize, Option<Unanswerable>)>,
}

impl Change for Single<'_, '_> {
    fn wants(&self, first: usize, n_records: usize) -> bool {
        self.wanted.range(first..first + n_records).next().is_some()
    }

    fn change(&mut self, number: usize, record: &mut Record<'_>) -> bool {
        for (index, carried) in self.wanted.remove(&number).unwrap_or_default() {
            let Some(anew) = carried.anew.take() else { return false };
            let before = record.clone();
            match record.say(anew) {
                Ok(()) if *record != before => {}
                said => self.refused.push((index, said.err())),
            }
        }
        true
    }
}

/// All records have another content.
struct All<'a>(&'a mut dyn FnMut(&mut [u8]));

impl Change for All<'_> {
    fn wants(&self, _: usize, n_records: usize) -> bool {
        n_records > 0
    }

    fn change(&mut self, _: usize, record: &mut Record<'_>) -> bool {
        if let Some(value) = &mut record.value {
            (self.0)(value.to_mut());
        }
        true
    }
}

/// What is said of a partition, with other records.
fn entry_anew(entry: &[u8], records: &[u8], anew: &[u8], is_compact: bool) -> Vec<u8> {
    let begins = records.as_ptr().addr() - entry.as_ptr().addr();
    let mut writer = Writer::new(is_compact);
    writer.bytes(records);
    let n_length = writer.out.len() - records.len();
    writer.out.clear();
    writer.put(&entry[..begins.saturating_sub(n_length)]);
    writer.bytes(anew);
    writer.put(&entry[begins + records.len()..]);
    writer.out
}

/// The batches of the partition of a place, after what becomes of them; none where nothing does.
type OfBatches<'a> = dyn FnMut(usize, &[u8]) -> Option<Vec<u8>> + 'a;

/// A message that goes through partitions with records, after what becomes of those of each.
fn frame_anew(head: Head, (to, frame): (Direction, &[u8]), anew: &mut OfBatches<'_>) -> Option<Vec<u8>> {
    let is_reply = to == Direction::ToConsumer;
    let has_records = head.api == if is_reply { FETCH } else { PRODUCE };
    let body = if is_reply { body_of_reply(head, frame)? } else { head.body(frame.get(4..)?)?.1 };
    let mut listed = Listed::read(head, (is_reply, body)).filter(|_| has_records)?;
    let mut place = 0;
    each_partition(head, (is_reply, body), &mut |partition| {
        let said = anew(place, partition.records).filter(|said| said != partition.records);
        if let (Some(said), Some(Entry { bytes, .. })) = (said, listed.entries.get_mut(place)) {
            *bytes = Cow::Owned(entry_anew(partition.entry, partition.records, &said, head.is_compact()));
        }
        place += 1;
    });
    Some(if is_reply { reply(head, &listed) } else { super::apart::request(head, frame, &listed)? })
}

impl Cutter {
    /// A message some of whose records say something else, or are left out. Says which of these that could not become of,
    /// and why; where nothing is said, because it would be the same.
    pub(super) fn say_records_anew(
        &self,
        call: Call,
        (to, frame): (Direction, &[u8]),
        carried: &mut [Carried<'_>],
    ) -> Result<SaidAnew, Unanswerable> {
        let head = self.asked.get(&call).map(|asked| asked.head).ok_or_else(unknown)?;
        let mut places: BTreeMap<usize, BTreeMap<usize, Vec<_>>> = BTreeMap::new();
        for (index, one) in carried.iter_mut().enumerate() {
            places.entry(one.place).or_default().entry(one.message).or_default().push((index, one));
        }
        let mut refused = Vec::new();
        let said = frame_anew(head, (to, frame), &mut |place, batches| {
            let mut single = Single { wanted: places.remove(&place)?, refused: &mut refused };
            let said = batches_anew(batches, &mut single);
            let Single { wanted, refused } = single;
            for (index, _) in wanted.into_values().flatten() {
                refused.push((index, Some(Unanswerable::new("its batch can't be written anew"))));
            }
            Some(said)
        });
        for (index, _) in places.into_values().flat_map(BTreeMap::into_values).flatten() {
            refused.push((index, Some(unknown())));
        }
        said.map(|bytes| SaidAnew { bytes, refused }).ok_or_else(unknown)
    }

    /// A whole reply whose records have another content.
    pub(super) fn with_other_records(
        head: Head,
        frame: &[u8],
        change: &mut dyn FnMut(&mut [u8]),
    ) -> Option<Vec<u8>> {
        frame_anew(head, (Direction::ToConsumer, frame), &mut |_, batches| {
            Some(batches_anew(batches, &mut All(change)))
        })
    }
}

#[cfg(test)]
#[path = "anew_tests.rs"]
mod tests;
