//! What requests and replies say: topics, partitions, records, errors.

use super::api::{self, FETCH, METADATA, PRODUCE};
use super::bytes::Reader;
use super::records::{Record, records};

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
}

/// The partitions of a `Produce` request, as far as they go, and how many replicas have to have them.
pub(super) fn produced<'a>(
    version: i16,
    mut reader: Reader<'a>,
    each: &mut dyn FnMut(Partition<'a>),
) -> Option<i16> {
    if version >= 3 {
        reader.text()?;
    }
    let acks = reader.i16()?;
    let mut all = || {
        reader.i32()?;
        for _ in 0..reader.count()? {
            let topic = reader.text()?;
            for _ in 0..reader.count()? {
                let number = reader.i32()?;
                let records = reader.bytes_so_far()?;
                each(Partition { topic, number, records, ..Partition::default() });
                reader.tags()?;
            }
            reader.tags()?;
        }
        Some(())
    };
    all();
    Some(acks)
}

/// The partitions of a `Fetch` request.
pub(super) fn wanted<'a>(
    version: i16,
    mut reader: Reader<'a>,
    each: &mut dyn FnMut(Partition<'a>),
) -> Option<()> {
    if !(4..=12).contains(&version) {
        return None;
    }
    reader.take(4 * 4 + 1)?;
    if version >= 7 {
        reader.take(8)?;
    }
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let number = reader.i32()?;
            if version >= 9 {
                reader.i32()?;
            }
            let offset = reader.i64()?;
            reader.take(if version >= 12 { 4 } else { 0 } + if version >= 5 { 8 } else { 0 } + 4)?;
            reader.tags()?;
            each(Partition { topic, number, offset, ..Partition::default() });
        }
        reader.tags()?;
    }
    Some(())
}

/// The partitions of the reply to a `Produce`.
pub(super) fn written<'a>(
    version: i16,
    mut reader: Reader<'a>,
    each: &mut dyn FnMut(Partition<'a>),
) -> Option<()> {
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let (number, error, offset) = (reader.i32()?, reader.i16()?, reader.i64()?);
            reader.take(if version >= 2 { 8 } else { 0 } + if version >= 5 { 8 } else { 0 })?;
            if version >= 8 {
                for _ in 0..reader.count()? {
                    reader.i32()?;
                    reader.text()?;
                    reader.tags()?;
                }
                reader.text()?;
            }
            reader.tags()?;
            each(Partition { topic, number, offset, error, ..Partition::default() });
        }
        reader.tags()?;
    }
    Some(())
}

/// The partitions of the reply to a `Fetch`, as far as they go, and the error of all of it.
pub(super) fn fetched<'a>(
    version: i16,
    mut reader: Reader<'a>,
    each: &mut dyn FnMut(Partition<'a>),
) -> Option<i16> {
    if !(4..=12).contains(&version) {
        return None;
    }
    reader.i32()?;
    let mut error = 0;
    if version >= 7 {
        error = reader.i16()?;
        reader.i32()?;
    }
    let mut all = || {
        for _ in 0..reader.count()? {
            let topic = reader.text()?;
            for _ in 0..reader.count()? {
                let (number, error, end) = (reader.i32()?, reader.i16()?, reader.i64()?);
                reader.take(if version >= 5 { 16 } else { 8 })?;
                for _ in 0..reader.count()? {
                    reader.take(16)?;
                    reader.tags()?;
                }
                if version >= 11 {
                    reader.i32()?;
                }
                let records = reader.bytes_so_far()?;
                each(Partition { topic, number, offset: 0, error, end, records });
                reader.tags()?;
            }
            reader.tags()?;
        }
        Some(())
    };
    all();
    Some(error)
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
    match (head.api, is_reply) {
        (PRODUCE, false) => drop(produced(head.version, reader, &mut of_partition)),
        (FETCH, true) => drop(fetched(head.version, reader, &mut of_partition)),
        _ => {}
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
