//! A consumer group where there is no broker: whoever joins is alone in it, leads it, and has everything to itself.

use super::api::{HEARTBEAT, JOIN_GROUP, LEAVE_GROUP, OFFSET_COMMIT, OFFSET_FETCH, SYNC_GROUP};
use super::bytes::{Reader, Writer};
use super::calls::{Head, committed};

/// What is spoken of groups, each from one version to another.
pub(super) const SPOKEN: &[(i16, i16, i16)] = &[
    (OFFSET_COMMIT, 2, 5),
    (OFFSET_FETCH, 1, 5),
    (JOIN_GROUP, 0, 5),
    (HEARTBEAT, 0, 3),
    (LEAVE_GROUP, 0, 2),
    (SYNC_GROUP, 0, 3),
];

/// The name of a member that has none yet.
const MEMBER: &[u8] = b"seam";

/// The generation of a group that never changes.
const GENERATION: i32 = 1;

/// What the coordinator of such a group answers; none where it is asked something else.
pub(super) fn coordinate(writer: &mut Writer, head: Head, reader: Reader<'_>) -> Option<()> {
    let Head { api, version, .. } = head;
    let (_, _, most) = SPOKEN.iter().find(|(spoken, ..)| *spoken == api)?;
    if version > *most {
        return None;
    }
    let throttled_from = match api {
        JOIN_GROUP => 2,
        OFFSET_COMMIT | OFFSET_FETCH => 3,
        _ => 1,
    };
    if version >= throttled_from {
        writer.i32(0);
    }
    match api {
        JOIN_GROUP => join(writer, version, reader),
        SYNC_GROUP => sync(writer, version, reader),
        OFFSET_COMMIT => commit(writer, head, reader),
        OFFSET_FETCH => fetch(writer, version, reader),
        _ => {
            writer.i16(0);
            Some(())
        }
    }
}

/// Who joins leads, by the first of the ways of dividing that it offers.
fn join(writer: &mut Writer, version: i16, mut reader: Reader<'_>) -> Option<()> {
    reader.text()?;
    reader.i32()?;
    if version >= 1 {
        reader.i32()?;
    }
    let member = Some(reader.text()?).filter(|name| !name.is_empty()).unwrap_or(MEMBER);
    if version >= 5 {
        reader.text()?;
    }
    reader.text()?;
    reader.count().filter(|count| *count > 0)?;
    let (way, said) = (reader.text()?, reader.bytes_so_far()?);
    writer.i16(0);
    writer.i32(GENERATION);
    writer.text(way);
    writer.text(member);
    writer.text(member);
    writer.count(1);
    writer.text(member);
    if version >= 5 {
        writer.null_text();
    }
    writer.bytes(said);
    Some(())
}

/// Who leads has divided already.
fn sync(writer: &mut Writer, version: i16, mut reader: Reader<'_>) -> Option<()> {
    reader.text()?;
    reader.i32()?;
    let member = reader.text()?;
    if version >= 3 {
        reader.text()?;
    }
    let mut own: &[u8] = &[];
    for _ in 0..reader.count()? {
        let (name, share) = (reader.text()?, reader.bytes_so_far()?);
        if name == member {
            own = share;
        }
    }
    writer.i16(0);
    writer.bytes(own);
    Some(())
}

/// Every offset is taken, and nobody asks for it again.
fn commit(writer: &mut Writer, head: Head, reader: Reader<'_>) -> Option<()> {
    let mut all: Vec<(Vec<u8>, i32)> = Vec::new();
    committed(head, reader, &mut |topic, number| all.push((topic.to_vec(), number)))?;
    let topics: Vec<&[(Vec<u8>, i32)]> = all.chunk_by(|one, other| one.0 == other.0).collect();
    writer.count(topics.len());
    for topic in topics {
        writer.text(&topic[0].0);
        writer.count(topic.len());
        for (_, number) in topic {
            writer.i32(*number);
            writer.i16(0);
        }
    }
    Some(())
}

/// Nothing was committed before.
fn fetch(writer: &mut Writer, version: i16, mut reader: Reader<'_>) -> Option<()> {
    reader.text()?;
    let n_topics = reader.count()?;
    writer.count(n_topics);
    for _ in 0..n_topics {
        writer.text(reader.text()?);
        let n_partitions = reader.count()?;
        writer.count(n_partitions);
        for _ in 0..n_partitions {
            writer.i32(reader.i32()?);
            writer.i64(-1);
            if version >= 5 {
                writer.i32(-1);
            }
            writer.text(b"");
            writer.i16(0);
        }
    }
    if version >= 2 {
        writer.i16(0);
    }
    Some(())
}
