//! What requests and replies say: topics, partitions, records, errors.

use super::api::{self, ADD_PARTITIONS_TO_TXN, FETCH, METADATA, OFFSET_COMMIT, PRODUCE, TXN_OFFSET_COMMIT};
use super::bytes::Reader;
use super::records::{Record, records};
use std::ops::RangeInclusive;

/// What precedes a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) api: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
}

impl Head {
    /// Of a request, behind its length.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, false);
        Some(Self { api: reader.i16()?, version: reader.i16()?, correlation: reader.i32()? })
    }

    pub(super) fn is_compact(self) -> bool {
        api::is_compact(self.api, self.version)
    }

    /// The client's name and the body of a request, whose bytes these are.
    pub(super) fn body(self, bytes: &[u8]) -> Option<(&[u8], Reader<'_>)> {
        let mut reader = Reader::new(bytes.get(8..)?, false);
        let client = reader.text()?;
        reader.is_compact = self.is_compact();
        reader.tags()?;
        Some((client, reader))
    }
}

/// One partition as a request or a reply speaks of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Partition<'a> {
    pub(super) topic: &'a [u8],
    pub(super) number: i32,
    /// From where it is fetched, or to where it was written.
    pub(super) offset: i64,
    pub(super) error: i16,
    /// Its end, in a fetched reply.
    pub(super) end: i64,
    /// Batches of records.
    pub(super) records: &'a [u8],
    /// All that is said of it, from its number on.
    pub(super) entry: &'a [u8],
}

/// What a request or a reply says besides its partitions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around<'a> {
    /// Of a `Produce` request: how many replicas have to have them; none where it says nothing else.
    pub(super) acks: Option<i16>,
    /// Of the reply to a `Fetch`: the error of all of it.
    pub(super) error: i16,
    /// Of a `Fetch` request: the session in which it asks, and its how manieth request this is.
    pub(super) session: Option<(i32, i32)>,
    /// So many bytes stand before the topics.
    pub(super) n_before: usize,
    /// What stands behind them; none where it has not come yet.
    pub(super) after: Option<Reader<'a>>,
}

/// The partitions of a request or a reply that goes through them (`Produce`, `Fetch`), as far as they go.
pub(super) fn each_partition<'a>(
    head: Head,
    (is_reply, mut reader): (bool, Reader<'a>),
    each: &mut dyn FnMut(Partition<'a>),
) -> Option<Around<'a>> {
    let all = reader.rest;
    let mut around = opening(head, is_reply, &mut reader)?;
    around.n_before = all.len() - reader.rest.len();
    around.after = topics(head, is_reply, &mut reader, each).map(|()| reader);
    Some(around)
}

fn topics<'a>(
    head: Head,
    is_reply: bool,
    reader: &mut Reader<'a>,
    each: &mut dyn FnMut(Partition<'a>),
) -> Option<()> {
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let from = reader.rest;
            let partition = entry(head, is_reply, reader)?;
            let ended = reader.tags();
            let entry = &from[..from.len() - reader.rest.len()];
            each(Partition { topic, entry, ..partition });
            ended?;
        }
        reader.tags()?;
    }
    Some(())
}

/// What precedes the topics. None where that version is not known here.
fn opening<'a>(head: Head, is_reply: bool, reader: &mut Reader<'a>) -> Option<Around<'a>> {
    let Head { api, version, .. } = head;
    let mut around = Around::default();
    match (api, is_reply) {
        (PRODUCE, false) if version <= MOST_PRODUCED => {
            if version >= 3 {
                reader.text()?;
            }
            around.acks = Some(reader.i16()?);
            reader.i32()?;
        }
        (PRODUCE, true) if version <= MOST_PRODUCED => {}
        (FETCH, false) if FETCHED.contains(&version) => {
            reader.take(4 * 4 + 1)?;
            if version >= 7 {
                around.session = Some((reader.i32()?, reader.i32()?));
            }
        }
        (FETCH, true) if FETCHED.contains(&version) => {
            reader.i32()?;
            if version >= 7 {
                around.error = reader.i16()?;
                reader.i32()?;
            }
        }
        _ => return None,
    }
    Some(around)
}

/// Later versions say topics by numbers of their own.
const MOST_PRODUCED: i16 = 12;
/// Earlier ones are written no more, later ones say topics by numbers of their own.
const FETCHED: RangeInclusive<i16> = 4..=12;

/// What is said of one partition, up to its tagged fields.
fn entry<'a>(head: Head, is_reply: bool, reader: &mut Reader<'a>) -> Option<Partition<'a>> {
    let version = head.version;
    let mut said = Partition { number: reader.i32()?, ..Partition::default() };
    match (head.api, is_reply) {
        (PRODUCE, false) => said.records = reader.bytes_so_far()?,
        (PRODUCE, true) => {
            (said.error, said.offset) = (reader.i16()?, reader.i64()?);
            reader.take(if version >= 2 { 8 } else { 0 } + if version >= 5 { 8 } else { 0 })?;
            if version >= 8 {
                for _ in 0..reader.count()? {
                    reader.i32()?;
                    reader.text()?;
                    reader.tags()?;
                }
                reader.text()?;
            }
        }
        (_, false) => {
            if version >= 9 {
                reader.i32()?;
            }
            said.offset = reader.i64()?;
            reader.take(if version >= 12 { 4 } else { 0 } + if version >= 5 { 8 } else { 0 } + 4)?;
        }
        (_, true) => {
            (said.error, said.end) = (reader.i16()?, reader.i64()?);
            reader.take(if version >= 5 { 16 } else { 8 })?;
            for _ in 0..reader.count()? {
                reader.take(16)?;
                reader.tags()?;
            }
            if version >= 11 {
                reader.i32()?;
            }
            said.records = reader.bytes_so_far()?;
        }
    }
    Some(said)
}

/// The partitions of a request to commit offsets, or to take some into a transaction; the version is one that says topics by
/// their names.
pub(super) fn committed(head: Head, mut reader: Reader<'_>, each: &mut dyn FnMut(&[u8], i32)) -> Option<()> {
    let Head { api, version, .. } = head;
    let (is_group, is_within) = (api == OFFSET_COMMIT, api == TXN_OFFSET_COMMIT);
    match api {
        // The group, which of its generations, and who.
        OFFSET_COMMIT if version <= 9 => {
            reader.text()?;
            if version >= 1 {
                reader.i32()?;
                reader.text()?;
            }
            if version >= 7 {
                reader.text()?;
            }
            reader.take(if (2..=4).contains(&version) { 8 } else { 0 })?;
        }
        // The transaction's name, the group, and which producer.
        TXN_OFFSET_COMMIT => {
            reader.text()?;
            reader.text()?;
            reader.take(8 + 2)?;
            if version >= 3 {
                reader.i32()?;
                reader.text()?;
                reader.text()?;
            }
        }
        ADD_PARTITIONS_TO_TXN if version <= 3 => {
            reader.text()?;
            reader.take(8 + 2)?;
        }
        _ => return None,
    }
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            each(topic, reader.i32()?);
            if !is_group && !is_within {
                continue;
            }
            reader.i64()?;
            if version >= if is_group { 6 } else { 2 } {
                reader.i32()?;
            }
            reader.take(if is_group && version == 1 { 8 } else { 0 })?;
            reader.text()?;
            reader.tags()?;
        }
        reader.tags()?;
    }
    Some(())
}

/// The partitions that a `Fetch` request takes out of its session, behind those that it asks for.
pub(super) fn forgotten(reader: &mut Reader<'_>, each: &mut dyn FnMut(&[u8], i32)) -> Option<()> {
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            each(topic, reader.i32()?);
        }
        reader.tags()?;
    }
    Some(())
}

/// The records of a request or reply, with their partition.
pub(super) fn each_record(
    head: Head,
    (is_reply, reader): (bool, Reader<'_>),
    each: &mut dyn FnMut(&Partition<'_>, Record<'_>),
) {
    let mut of_partition = |partition: Partition<'_>| {
        records(partition.records, &mut |record| each(&partition, record));
    };
    if matches!((head.api, is_reply), (PRODUCE, false) | (FETCH, true)) {
        each_partition(head, (is_reply, reader), &mut of_partition);
    }
}

/// The names of the topics that a `Metadata` request asks for.
pub(super) fn asked_for(head: Head, mut reader: Reader<'_>) -> Vec<Vec<u8>> {
    let mut topics = Vec::new();
    let mut all = || {
        for _ in 0..reader.count()? {
            if head.version >= 10 {
                reader.take(16)?;
            }
            topics.push(reader.text()?.to_vec());
            reader.tags()?;
        }
        Some(())
    };
    if head.api == METADATA {
        all();
    }
    topics
}
