//! Some of the partitions of a request are answered here, the others by the broker: what is struck is taken out of what
//! is produced, and stands in the reply as if the broker had said it.
//!
//! ```text
//! Produce  orders 0, orders 1 ───▶ orders 1 ───▶ broker
//!                                                  │
//! orders 0: error, orders 1: 41 ◀─── orders 1: 41 ◀┘
//! ```
//! A `Fetch` is passed on whole, because its broker may remember what a client asks for; only it doesn't wait.

use super::answers::said_of;
use super::api::{FETCH, PRODUCE};
use super::bytes::{Reader, Writer};
use super::calls::{Head, each_partition};
use super::sessions::Wanted;
use super::splitter::{Cutter, Due, framed};
use crate::splitter::{Call, InPart, Unanswerable};
use seam_value::Value;
use std::borrow::Cow;

/// A partition that is answered here.
pub(super) struct Struck {
    topic: Vec<u8>,
    number: i32,
    /// What is said of it in a reply.
    entry: Vec<u8>,
}

impl Struck {
    fn new((topic, number, _): &Wanted, entry: Vec<u8>) -> Self {
        Self { topic: topic.clone(), number: *number, entry }
    }
}

/// A message that goes through partitions, taken apart.
pub(super) struct Listed<'a> {
    before: &'a [u8],
    pub(super) entries: Vec<Entry<'a>>,
    after: &'a [u8],
}

/// What a message says of one partition.
pub(super) struct Entry<'a> {
    topic: Cow<'a, [u8]>,
    number: i32,
    pub(super) bytes: Cow<'a, [u8]>,
}

impl<'a> Listed<'a> {
    /// None where it is not understood.
    pub(super) fn read(head: Head, (is_reply, body): (bool, Reader<'a>)) -> Option<Self> {
        let mut entries = Vec::new();
        let around = each_partition(head, (is_reply, body), &mut |partition| {
            entries.push(Entry {
                topic: Cow::Borrowed(partition.topic),
                number: partition.number,
                bytes: Cow::Borrowed(partition.entry),
            });
        })?;
        // Where all of it went wrong nothing is said of partitions.
        let after = around.after.filter(|_| around.error == 0)?;
        Some(Self { before: &body.rest[..around.n_before], entries, after: after.rest })
    }

    /// Says this of a partition, instead of what is said of it.
    fn put(&mut self, struck: &Struck) {
        let Struck { topic, number, entry } = struck;
        let is_it = |one: &&mut Entry<'_>| *one.topic == **topic && one.number == *number;
        if let Some(one) = self.entries.iter_mut().find(is_it) {
            one.bytes = Cow::Owned(entry.clone());
            return;
        }
        let place = self.entries.iter().rposition(|one| *one.topic == **topic).map(|place| place + 1);
        let (topic, bytes) = (Cow::Owned(topic.clone()), Cow::Owned(entry.clone()));
        let place = place.unwrap_or(self.entries.len());
        self.entries.insert(place, Entry { topic, number: *number, bytes });
    }

    fn written(&self, is_compact: bool) -> Vec<u8> {
        let mut writer = Writer::new(is_compact);
        writer.put(self.before);
        let topics: Vec<&[Entry<'_>]> =
            self.entries.chunk_by(|one, other| one.topic == other.topic).collect();
        writer.count(topics.len());
        for topic in topics {
            writer.text(&topic[0].topic);
            writer.count(topic.len());
            for one in topic {
                writer.put(&one.bytes);
            }
            writer.tags();
        }
        writer.put(self.after);
        writer.out
    }
}

impl Cutter {
    /// A request some of whose partitions are answered here.
    pub(super) fn strike_request(
        &mut self,
        call: Call,
        frame: &[u8],
        answers: &[(usize, &Value)],
    ) -> Result<InPart, Unanswerable> {
        let asked = self.asked.get(&call).ok_or_else(over)?;
        let head = asked.head;
        let struck = answers.iter().map(|(place, answer)| {
            let partition = asked.partitions.get(*place).ok_or_else(unknown)?;
            Ok(Struck::new(partition, said_of(asked, partition, answer)?))
        });
        let struck = struck.collect::<Result<Vec<Struck>, Unanswerable>>()?;
        let is_all = struck.len() >= asked.partitions.len();
        let is_awaited = asked.acks != Some(0);
        let on =
            if head.api == PRODUCE { without(head, frame, &struck)? } else { hurried(self, head, frame) };
        if is_all && head.api == PRODUCE {
            let said = alone(head, &struck);
            self.take_out(call);
            return Ok(InPart::Answered(if is_awaited { said } else { Vec::new() }));
        }
        if let Some(asked) = self.asked.get_mut(&call).filter(|_| is_awaited) {
            asked.struck = struck;
        }
        Ok(InPart::On(on))
    }

    /// A reply some of whose partitions are answered here.
    pub(super) fn strike_reply(
        &mut self,
        call: Call,
        frame: &[u8],
        answers: &[(usize, &Value)],
    ) -> Result<Vec<u8>, Unanswerable> {
        let asked = self.asked.get(&call).ok_or_else(over)?;
        let head = asked.head;
        let body = body_of_reply(head, frame).ok_or_else(unknown)?;
        let mut listed = Listed::read(head, (true, body)).ok_or_else(unknown)?;
        for (place, answer) in answers {
            let entry = listed.entries.get(*place).ok_or_else(unknown)?;
            let wanted = |(topic, number, _): &&Wanted| *topic == *entry.topic && *number == entry.number;
            let offset = asked.partitions.iter().find(wanted).map_or(0, |wanted| wanted.2);
            let partition = (entry.topic.to_vec(), entry.number, offset);
            listed.put(&Struck::new(&partition, said_of(asked, &partition, answer)?));
        }
        Ok(reply(head, &listed))
    }

    /// Puts what was answered here into the broker's reply.
    pub(super) fn tell_struck(&mut self, due: &Due, frame: &mut Vec<u8>) {
        let Some(asked) = self.asked.get_mut(&due.call) else { return };
        let struck = std::mem::take(&mut asked.struck);
        if struck.is_empty() {
            return;
        }
        let changed = body_of_reply(due.head, frame).and_then(|body| {
            let mut listed = Listed::read(due.head, (true, body))?;
            for struck in &struck {
                listed.put(struck);
            }
            Some(reply(due.head, &listed))
        });
        *frame = changed.unwrap_or_else(|| std::mem::take(frame));
    }
}

fn over() -> Unanswerable {
    Unanswerable::new("the call is over")
}

pub(super) fn unknown() -> Unanswerable {
    Unanswerable::new("its partitions are not understood")
}

/// What stands behind a reply's number and tagged fields.
pub(super) fn body_of_reply(head: Head, frame: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(frame.get(8..)?, head.is_compact());
    reader.tags()?;
    Some(reader)
}

/// A reply with its head.
pub(super) fn reply(head: Head, listed: &Listed<'_>) -> Vec<u8> {
    let mut writer = Writer::new(head.is_compact());
    writer.tags();
    writer.put(&listed.written(head.is_compact()));
    framed(head, &writer.out)
}

/// The whole reply, where all is answered here.
fn alone(head: Head, struck: &[Struck]) -> Vec<u8> {
    let mut after = Writer::new(head.is_compact());
    if head.version >= 1 {
        after.i32(0);
    }
    after.tags();
    let mut listed = Listed { before: &[], entries: Vec::new(), after: &after.out };
    for struck in struck {
        listed.put(struck);
    }
    reply(head, &listed)
}

/// A request without what is answered here.
fn without(head: Head, frame: &[u8], struck: &[Struck]) -> Result<Vec<u8>, Unanswerable> {
    let behind_length = frame.get(4..).ok_or_else(unknown)?;
    let (_, body) = head.body(behind_length).ok_or_else(unknown)?;
    let mut listed = Listed::read(head, (false, body)).ok_or_else(unknown)?;
    let is_struck = |one: &Entry<'_>| {
        struck.iter().any(|struck| struck.topic == *one.topic && struck.number == one.number)
    };
    listed.entries.retain(|one| !is_struck(one));
    request(head, frame, &listed).ok_or_else(unknown)
}

/// A request with the head of this one.
pub(super) fn request(head: Head, frame: &[u8], listed: &Listed<'_>) -> Option<Vec<u8>> {
    let behind_length = frame.get(4..)?;
    let (_, body) = head.body(behind_length)?;
    let before = &behind_length[..behind_length.len() - body.rest.len()];
    let body = listed.written(head.is_compact());
    let length = i32::try_from(before.len() + body.len()).unwrap_or(i32::MAX);
    Some([&length.to_be_bytes()[..], before, &body].concat())
}

/// A `Fetch` that its broker replies to at once, as it does where one of the partitions has an error, and with no more than
/// can be changed.
fn hurried(cutter: &Cutter, head: Head, frame: &[u8]) -> Vec<u8> {
    /// Where in its body stands how long it waits, and how many bytes it takes.
    const WAIT_AT: usize = 4;
    const MOST_AT: usize = 12;
    let mut hurried = frame.to_vec();
    let body = frame.get(4..).and_then(|frame| head.body(frame));
    let Some(body) = body.filter(|_| head.api == FETCH).map(|(_, body)| frame.len() - body.rest.len()) else {
        return hurried;
    };
    let most = i32::try_from(cutter.limits.kept_open / 2).unwrap_or(i32::MAX);
    if let Some(wait) = hurried.get_mut(body + WAIT_AT..body + WAIT_AT + 4) {
        wait.fill(0);
    }
    if let Some(bytes) = hurried.get_mut(body + MOST_AT..body + MOST_AT + 4)
        && Reader::new(bytes, false).i32().is_some_and(|wanted| wanted > most)
    {
        bytes.copy_from_slice(&most.to_be_bytes());
    }
    hurried
}

#[cfg(test)]
#[path = "apart_tests.rs"]
pub(super) mod tests;
