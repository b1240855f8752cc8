//! What is done in the broker's place: answering, and what a broker says by itself where there is none.

use super::answers::said;
use super::api::{
    API_VERSIONS, FETCH, FIND_COORDINATOR, INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, PRODUCE,
    SASL_AUTHENTICATE, SASL_HANDSHAKE, UNSUPPORTED_VERSION,
};
use super::bytes::{Reader, Writer};
use super::calls::{Head, asked_for, each_partition};
use super::groups;
use super::records;
use super::sasl;
use super::splitter::{Cutter, Due, Fate, framed};
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Behind, Call, Carried, InPart, NOBODY, Piece, SaidAnew, Splitter, Unanswerable, Ways};
use seam_value::Value;
use std::sync::Arc;

impl Splitter for Cutter {
    fn stands_at(&mut self, ways: Arc<dyn Ways>) {
        self.ways = Some(ways);
    }

    fn is_ruled(&mut self, is_ruled: bool) {
        self.is_ruled = is_ruled;
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
        let (head, has_reply) = (asked.head, asked.acks != Some(0));
        self.take_out(call);
        // Who wants no reply is told none.
        Ok(if has_reply { framed(head, &body) } else { Vec::new() })
    }

    fn answer_apart(
        &mut self,
        call: Call,
        (to, bytes): (Direction, &[u8]),
        answers: &[(usize, &Value)],
    ) -> Result<InPart, Unanswerable> {
        match to {
            Direction::ToProvider => self.strike_request(call, bytes, answers),
            Direction::ToConsumer => self.strike_reply(call, bytes, answers).map(InPart::On),
        }
    }

    fn forget(&mut self, call: Call) {
        if let Some(due) = self.take_out(call) {
            self.no_longer_owed(due.head.correlation);
        }
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        let place = self.due.iter().position(|due| due.call == call && due.fate == Fate::Told);
        let place = place.ok_or_else(|| Unanswerable::new("what wants no reply is not sent twice"))?;
        let head = self.due[place].head;
        self.due.insert(place + 1, Due { call, head, fate: Fate::Unseen });
        Ok(request.to_vec())
    }

    fn say_carried_anew(
        &mut self,
        call: Call,
        (to, bytes): (Direction, &[u8]),
        carried: &mut [Carried<'_>],
    ) -> Result<SaidAnew, Unanswerable> {
        self.say_records_anew(call, (to, bytes), carried)
    }

    /// What the records say that were fetched. Of a reply that is not whole, those of batches that are not packed.
    fn with_body(&self, call: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let head = self.asked.get(&call)?.head;
        if head.api != FETCH {
            return Some(reply.to_vec());
        }
        let length = Reader::new(reply, false).i32().and_then(|length| usize::try_from(length).ok())?;
        if length + 4 == reply.len() {
            return Self::with_other_records(head, reply, change);
        }
        let mut changed = reply.to_vec();
        let mut body = Reader::new(reply.get(8..)?, head.is_compact());
        body.tags()?;
        let mut batches = Vec::new();
        each_partition(head, (true, body), &mut |partition| {
            let begins = partition.records.as_ptr().addr() - reply.as_ptr().addr();
            batches.push(begins..begins + partition.records.len());
        });
        for range in batches {
            records::change_values(&mut changed[range], change);
        }
        Some(changed)
    }
}

/// What is spoken where nobody is behind.
const ALONE: &[(i16, i16, i16)] = &[
    (PRODUCE, 3, 8),
    (FETCH, 4, 6),
    (LIST_OFFSETS, 1, 5),
    (METADATA, 0, 7),
    (FIND_COORDINATOR, 0, 2),
    (API_VERSIONS, 0, 2),
    (INIT_PRODUCER_ID, 0, 1),
    (SASL_HANDSHAKE, 0, 1),
    (SASL_AUTHENTICATE, 0, 1),
];

impl Cutter {
    /// The request of a call is not passed on, or was replied to already.
    pub(super) fn take_out(&mut self, call: Call) -> Option<Due> {
        let place = self.due.iter().position(|due| due.call == call && due.fate == Fate::Told)?;
        self.due.remove(place)
    }

    /// What a broker of one node says by itself; none where a stub is to be asked.
    pub(super) fn alone(&self, head: Head, reader: Reader<'_>) -> Option<Vec<u8>> {
        let mut writer = Writer::new(false);
        match head.api {
            API_VERSIONS => {
                writer.i16(if head.version > 2 { UNSUPPORTED_VERSION } else { 0 });
                writer.count(ALONE.len() + groups::SPOKEN.len());
                for (api, least, most) in ALONE.iter().chain(groups::SPOKEN) {
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
                let address = self.ways.as_ref()?.here();
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
            SASL_HANDSHAKE | SASL_AUTHENTICATE => sasl::alone(&mut writer, head, reader)?,
            LIST_OFFSETS => put_offsets(&mut writer, head.version, reader)?,
            _ => groups::coordinate(&mut writer, head, reader)?,
        }
        Some(framed(head, &writer.out))
    }

    /// One broker, which is here, and any topic that is asked for, with one partition.
    fn put_metadata(&self, writer: &mut Writer, head: Head, reader: Reader<'_>) -> Option<()> {
        let (address, version) = (self.ways.as_ref()?.here(), head.version);
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
