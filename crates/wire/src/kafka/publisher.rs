//! Producing to Kafka: who it is, where the partition is, then the record, which all replicas in step are to have.
//!
//! ```text
//! SaslHandshake, SaslAuthenticate ───▶  ◀─── only where the address names a user
//! Metadata of the topic ───▶  ◀─── its partitions, the broker of each: where that is another, it is asked the same
//!    or no broker yet: the topic is being made, and it is asked again a little later
//! Produce               ───▶  ◀─── the offset, or an error: what says that brokers change is asked again, too
//! ```

use super::api::{METADATA, PRODUCE, UNKNOWN_TOPIC_OR_PARTITION, error_name};
use super::bytes::{Reader, Writer};
use super::calls::{Head, each_partition};
use super::records::{Said, batch};
use super::sign_in::{Heard, SigningIn};
use crate::body::from_base64;
use crate::conversation::Surprise;
use crate::pending::Pending;
use crate::publishing::{Came, Publication, Publisher, SignIn, next};
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};
use std::time::Duration;

/// What a publication may have besides its topic and its payload.
pub(super) const FIELDS: &[&str] = &["headers", "key", "partition"];

/// The versions that are spoken, which every broker from 1.0 on knows.
const METADATA_SPOKEN: i16 = 4;
const PRODUCE_SPOKEN: i16 = 3;

/// The topic is being made, or its broker chosen.
const NO_LEADER: i16 = 5;
/// The partition is another broker's.
const ELSEWHERE: i16 = 6;
/// How long a topic that is being made is left alone before it is asked for again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a topic may be unknown. A broker says so of one that it begins to make by being asked, but also of one that it
/// never makes.
const MOST_UNKNOWN: u32 = 50;

/// How long a broker may wait for its replicas, in milliseconds.
const PATIENCE: i32 = 30_000;

/// One partition, as Metadata tells of it.
#[derive(Clone, Debug)]
struct Place {
    number: i32,
    error: i16,
    /// Its broker, `127.0.0.1:9092`; empty where there is none.
    leader: String,
}

/// One connection.
pub(super) struct Publishing {
    sign_in: SignIn,
    pending: Pending,
    correlation: i32,
    n_unknown: u32,
    /// Until the broker knows who it is.
    signing_in: Option<SigningIn>,
    /// What is to be produced, once its partition is known.
    asked: Option<(Vec<u8>, Said, Option<i32>)>,
    told: Map,
    came: Option<Came>,
}

impl Publishing {
    pub(super) fn new(sign_in: SignIn) -> Self {
        Self {
            sign_in,
            pending: Pending::default(),
            correlation: 0,
            n_unknown: 0,
            signing_in: None,
            asked: None,
            told: Map::default(),
            came: None,
        }
    }

    /// A request with its length and head.
    fn request(&mut self, (api, version): (i16, i16), put: impl FnOnce(&mut Writer)) -> Vec<u8> {
        self.correlation += 1;
        let mut writer = Writer::new(false);
        writer.i16(api);
        writer.i16(version);
        writer.i32(self.correlation);
        writer.text(self.sign_in.name.as_bytes());
        put(&mut writer);
        let length = i32::try_from(writer.out.len()).unwrap_or(i32::MAX).to_be_bytes();
        [&length[..], &writer.out].concat()
    }

    fn ask_where(&mut self, out: &mut Vec<u8>) {
        let Some((topic, ..)) = &self.asked else { return };
        let topic = topic.clone();
        let request = self.request((METADATA, METADATA_SPOKEN), |writer| {
            writer.count(1);
            writer.text(&topic);
            // It may be made by being asked for.
            writer.put(&[1]);
        });
        out.extend_from_slice(&request);
    }

    fn refuse(&mut self, error: i16) {
        let (code, message) = words(error);
        self.came = Some(Came::Refused { code, message });
    }

    /// What may be otherwise soon is asked again. A topic may be unknown only so often.
    fn later(&mut self, error: i16) {
        self.n_unknown += u32::from(error == UNKNOWN_TOPIC_OR_PARTITION);
        if self.n_unknown > MOST_UNKNOWN {
            return self.refuse(error);
        }
        let (code, message) = words(error);
        self.came = Some(Came::Later { pause: PAUSE, code, message });
    }

    /// Is the broker that is called so the one that is spoken to? It may call itself by the name of the machine.
    fn is_here(&self, leader: &str) -> bool {
        let port = |at: &str| at.rsplit_once(':').map(|(_, port)| port.to_owned());
        let here = self.sign_in.at.as_str();
        leader.is_empty()
            || here.is_empty()
            || leader == here
            || (leader.starts_with("localhost:") && here.starts_with("127.") && port(leader) == port(here))
    }

    /// What Metadata says: the topic's error, and its partitions.
    fn places(mut reader: Reader<'_>) -> Option<(i16, Vec<Place>)> {
        reader.i32()?;
        let mut brokers = Vec::new();
        for _ in 0..reader.count()? {
            let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
            reader.text()?;
            brokers.push((id, format!("{}:{port}", String::from_utf8_lossy(host))));
        }
        reader.text()?;
        reader.i32()?;
        reader.count()?;
        let error = reader.i16()?;
        reader.text()?;
        reader.take(1)?;
        let mut partitions = Vec::new();
        for _ in 0..reader.count()? {
            let (error, number, leader) = (reader.i16()?, reader.i32()?, reader.i32()?);
            for _ in 0..2 {
                for _ in 0..reader.count()? {
                    reader.i32()?;
                }
            }
            let at = brokers.iter().find(|(id, _)| *id == leader);
            let leader = at.map_or_else(String::new, |(_, at)| at.clone());
            partitions.push(Place { number, error, leader });
        }
        partitions.sort_unstable_by_key(|place| place.number);
        Some((error, partitions))
    }

    fn reply(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        let unread = || Surprise::new("a reply that can't be read");
        let mut reader = Reader::new(payload, false);
        if reader.i32() != Some(self.correlation) {
            return Err(Surprise::new("a reply to something else"));
        }
        if let Some(signing_in) = &mut self.signing_in {
            match signing_in.hear(reader, &self.sign_in)? {
                Heard::Say(api, body) => out.extend(self.request(api, |writer| writer.put(&body))),
                Heard::Came(came) => {
                    self.signing_in = None;
                    self.came = Some(came);
                }
            }
            return Ok(());
        }
        let Some((topic, record, wanted)) = self.asked.take() else {
            return self.produced(reader).ok_or_else(unread);
        };
        let (error, places) = Self::places(reader).ok_or_else(unread)?;
        let place = match (wanted, &record.key) {
            (Some(number), _) => places.into_iter().find(|place| place.number == number),
            (None, Some(key)) => places.get(murmur(key) as usize % places.len().max(1)).cloned(),
            (None, None) => places.into_iter().next(),
        };
        let Place { number, leader, .. } = match (error, place) {
            (0, Some(place)) if place.error != NO_LEADER => place,
            (NO_LEADER, _) | (0, Some(_)) => {
                self.later(NO_LEADER);
                return Ok(());
            }
            (UNKNOWN_TOPIC_OR_PARTITION, _) => {
                self.later(error);
                return Ok(());
            }
            (error, _) => {
                self.refuse(if error == 0 { UNKNOWN_TOPIC_OR_PARTITION } else { error });
                return Ok(());
            }
        };
        if !self.is_here(&leader) {
            self.came = Some(Came::Elsewhere(leader));
            return Ok(());
        }
        let records = batch(&[&record]);
        let request = self.request((PRODUCE, PRODUCE_SPOKEN), |writer| {
            writer.null_text();
            writer.i16(-1);
            writer.i32(PATIENCE);
            writer.count(1);
            writer.text(&topic);
            writer.count(1);
            writer.i32(number);
            writer.bytes(&records);
        });
        out.extend_from_slice(&request);
        Ok(())
    }

    fn produced(&mut self, reader: Reader<'_>) -> Option<()> {
        let head = Head { api: PRODUCE, version: PRODUCE_SPOKEN, correlation: self.correlation };
        let mut said = None;
        each_partition(head, (true, reader), &mut |one| said = Some((one.number, one.offset, one.error)))?;
        let (number, offset, error) = said?;
        match error {
            0 => {
                self.told.insert("partition".to_owned(), Value::from(i64::from(number)));
                self.told.insert("offset".to_owned(), Value::from(offset));
                self.n_unknown = 0;
                self.came = Some(Came::Done);
            }
            UNKNOWN_TOPIC_OR_PARTITION | NO_LEADER | ELSEWHERE => self.later(error),
            error => self.refuse(error),
        }
        Some(())
    }
}

impl Publisher for Publishing {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        self.signing_in = SigningIn::of(&self.sign_in);
        if let Some((api, body)) = self.signing_in.as_ref().map(SigningIn::handshake) {
            out.extend(self.request(api, |writer| writer.put(&body)));
        } else {
            self.came = Some(Came::Open);
        }
        Ok(())
    }

    fn publish(&mut self, publication: &Publication, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let Publication { topic, fields, body, n_answers } = publication;
        if *n_answers > 0 {
            return Err(Unanswerable::new(
                "nobody answers to a record of Kafka: `receive` has no meaning there",
            ));
        }
        let field = |name: &str| fields.get(name).filter(|value| **value != Value::Null);
        let bytes = |value: &Value| from_base64(value).unwrap_or_else(|| value.to_plain_text().into_bytes());
        let partition = field("partition").map(|value| {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            number
                .filter(|number| *number >= 0)
                .ok_or_else(|| Unanswerable::new(format!("partition is a whole number, not {value}")))
        });
        let headers = field("headers").and_then(Value::as_map).into_iter().flatten();
        let header = |(name, value): (&String, &Value)| {
            (name.clone().into_bytes(), (*value != Value::Null).then(|| bytes(value)))
        };
        let record = Said {
            offset: 0,
            key: field("key").map(bytes),
            value: body.clone(),
            headers: headers.map(header).collect(),
        };
        self.asked = Some((topic.clone().into_bytes(), record, partition.transpose()?));
        self.ask_where(out);
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        self.pending.push(bytes);
        let whole = |held: &[u8]| {
            let length = held.first_chunk::<4>().map(|length| i32::from_be_bytes(*length));
            Ok(length.map(|length| usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4)))
        };
        while let Some(reply) = next(&mut self.pending, whole, "a reply")? {
            self.reply(&reply[4..], out)?;
        }
        Ok(())
    }

    fn came(&mut self) -> Option<Came> {
        self.came.take()
    }

    fn told(&mut self) -> Map {
        std::mem::take(&mut self.told)
    }
}

/// An error of Kafka's as a code and words.
fn words(error: i16) -> (Value, String) {
    let message = error_name(error).unwrap_or("an error that has no name here").to_owned();
    (Value::from(i64::from(error)), message)
}

/// Which partition a key belongs to, as Java's clients have it (Murmur2, without its sign).
fn murmur(key: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(key.len()).unwrap_or_default();
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(MIX);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MIX) ^ word.wrapping_mul(MIX);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    (hash ^ hash >> 15) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::super::splitter::Cutter;
    use super::*;
    use crate::conversation::{Direction, Limits};
    use crate::protocol::Protocol as _;
    use crate::splitter::{Behind, Of, Splitter, Splitting, Ways};
    use crate::watching::Resumed;
    use std::net::SocketAddr;
    use std::sync::Arc;

    /// Those that Kafka's own tests have.
    #[test]
    fn keys() {
        for (key, expect) in
            [("21", -973_932_308_i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
        {
            assert_eq!(murmur(key.as_bytes()), expect.cast_unsigned() & 0x7fff_ffff, "{key}");
        }
    }

    /// The one broker that there is.
    struct Alone;

    impl Ways for Alone {
        fn here(&self) -> SocketAddr {
            SocketAddr::from(([127, 0, 0, 1], 7001))
        }

        fn is_here(&self, _: &str, _: u16) {}

        fn to(&self, _: &str, _: u16) -> Option<SocketAddr> {
            Some(self.here())
        }
    }

    /// A stand-in for a broker, which answers Produce by this: what comes of it, and the records that it saw.
    fn published(publication: &Publication, answer: &str) -> (Option<Came>, Map, Vec<Value>) {
        let limits = Limits::default();
        let mut broker = Cutter::watching(limits).resume(Splitting { limits, behind: Behind::Nobody });
        broker.stands_at(Arc::new(Alone));
        let mut publisher = Publishing::new(SignIn { name: "shop".to_owned(), ..SignIn::default() });
        let mut out = Vec::new();
        publisher.begin(&mut out).unwrap();
        assert_eq!(publisher.came(), Some(Came::Open));
        publisher.publish(publication, &mut out).unwrap();
        let mut heard = super::super::Kafka.begin(limits);
        let mut exchanges = Vec::new();
        while !out.is_empty() {
            let (asked, mut pieces) = (std::mem::take(&mut out), Vec::new());
            heard.feed(Direction::ToProvider, &asked, Duration::ZERO, &mut exchanges).unwrap();
            broker.cut(Direction::ToProvider, &asked, &mut pieces).unwrap();
            let mut said = Vec::new();
            for piece in pieces {
                if let Of::Request { call, read, .. } = piece.of {
                    let asked = read.read().request;
                    assert_eq!(asked.get("api"), Some(&Value::text("Produce")));
                    said.extend(broker.answer(call, &seam_value::parse(answer).unwrap()).unwrap());
                } else if piece.to == Direction::ToConsumer {
                    said.extend(piece.bytes);
                }
            }
            for byte in said {
                publisher.hear(&[byte], &mut out).unwrap();
            }
        }
        let records = exchanges.into_iter().map(|one| one.captured.read().message);
        let records = records.filter(|message| *message != Value::Null).collect();
        (publisher.came(), publisher.told(), records)
    }

    #[test]
    fn a_record_is_produced_or_refused() {
        let fields = seam_value::parse(r#"{"key":"k","headers":{"a":"b","none":null}}"#).unwrap();
        let publication = Publication {
            topic: "orders".to_owned(),
            fields: fields.as_map().unwrap().clone(),
            body: Some(br#"{"id":7}"#.to_vec()),
            n_answers: 0,
        };
        let (came, told, records) = published(&publication, r#"{"offset":41}"#);
        assert_eq!(came, Some(Came::Done));
        assert_eq!(Value::Map(told).to_string(), r#"{"partition":0,"offset":41}"#);
        let record = &records[0];
        let field = |name: &str| record.get(name).unwrap().to_string();
        assert_eq!(
            [field("topic"), field("key"), field("headers"), field("body")],
            [r#""orders""#, r#""k""#, r#"{"a":"b","none":null}"#, r#"{"id":7}"#]
        );
        let (came, ..) = published(&publication, r#"{"error":"MESSAGE_TOO_LARGE"}"#);
        let message = "MESSAGE_TOO_LARGE".to_owned();
        assert_eq!(came, Some(Came::Refused { code: Value::from(10_i64), message }));
        // Whose partition it is and where it is may change: it is asked again.
        for error in [UNKNOWN_TOPIC_OR_PARTITION, NO_LEADER, ELSEWHERE] {
            let (came, ..) = published(&publication, &format!(r#"{{"error":{error}}}"#));
            assert_eq!(came, Some(later(error)));
        }
    }

    fn later(error: i16) -> Came {
        let (code, message) = words(error);
        Came::Later { pause: PAUSE, code, message }
    }

    /// What Metadata says of a topic and of its partitions: `(error, number)`, all of which broker 1 has that have none.
    fn metadata(publisher: &Publishing, error: i16, partitions: &[(i16, i32)]) -> Vec<u8> {
        let mut writer = Writer::new(false);
        writer.i32(publisher.correlation);
        writer.i32(0);
        writer.count(1);
        writer.i32(1);
        writer.text(b"127.0.0.1");
        writer.i32(7001);
        writer.null_text();
        writer.null_text();
        writer.i32(1);
        writer.count(1);
        writer.i16(error);
        writer.text(b"orders");
        writer.put(&[0]);
        writer.count(partitions.len());
        for (error, number) in partitions {
            writer.i16(*error);
            writer.i32(*number);
            writer.i32(if *error == 0 { 1 } else { -1 });
            writer.count(0);
            writer.count(0);
        }
        [&i32::try_from(writer.out.len()).unwrap().to_be_bytes()[..], &writer.out].concat()
    }

    /// Publishes once to where this is said: what comes of it, and the requests that follow.
    fn asked(
        publisher: &mut Publishing,
        partition: i32,
        says: (i16, &[(i16, i32)]),
    ) -> (Option<Came>, Vec<u8>) {
        let fields = Map::from_iter([("partition".to_owned(), Value::from(i64::from(partition)))]);
        let publication = Publication { topic: "orders".to_owned(), fields, ..Publication::default() };
        publisher.publish(&publication, &mut Vec::new()).unwrap();
        let (reply, mut out) = (metadata(publisher, says.0, says.1), Vec::new());
        publisher.hear(&reply, &mut out).unwrap();
        (publisher.came(), out)
    }

    /// A topic that is being made has no broker yet, or isn't known at all; only the partition that is meant counts.
    #[test]
    fn a_topic_that_is_being_made_is_waited_for() {
        for (partition, says, expect) in [
            (0, (UNKNOWN_TOPIC_OR_PARTITION, &[][..]), 3),
            (0, (NO_LEADER, &[]), 5),
            (0, (0, &[(NO_LEADER, 0), (0, 1)]), 5),
        ] {
            let mut publisher = Publishing::new(SignIn::default());
            let (came, out) = asked(&mut publisher, partition, says);
            assert_eq!((came, out.is_empty()), (Some(later(expect)), true), "{expect}");
            // The second time it is there.
            let (came, out) = asked(&mut publisher, partition, (0, &[(0, 0), (0, 1)]));
            assert_eq!((came, out.get(4..6)), (None, Some(&PRODUCE.to_be_bytes()[..])));
        }
        let mut publisher = Publishing::new(SignIn::default());
        let (came, out) = asked(&mut publisher, 0, (0, &[(NO_LEADER, 1), (0, 0)]));
        assert_eq!((came, out.is_empty()), (None, false), "another partition has none");
        let (came, _) = asked(&mut publisher, 7, (0, &[(0, 0)]));
        assert!(matches!(came, Some(Came::Refused { .. })), "there is no such partition: {came:?}");
    }

    /// What Metadata says is followed before anything is produced, and asked anew there.
    #[test]
    fn the_broker_of_the_partition_is_asked_at_once() {
        for (at, expect) in [("127.0.0.1:7002", Some("127.0.0.1:7001")), ("127.0.0.1:7001", None), ("", None)]
        {
            let mut publisher = Publishing::new(SignIn { at: at.to_owned(), ..SignIn::default() });
            let (came, out) = asked(&mut publisher, 0, (0, &[(0, 0)]));
            assert_eq!(came, expect.map(|leader| Came::Elsewhere(leader.to_owned())), "{at}");
            assert_eq!(out.is_empty(), expect.is_some(), "{at}");
        }
    }

    #[test]
    fn a_topic_that_nobody_makes_is_refused() {
        let mut publisher = Publishing::new(SignIn::default());
        for _ in 0..MOST_UNKNOWN {
            let (came, _) = asked(&mut publisher, 0, (UNKNOWN_TOPIC_OR_PARTITION, &[]));
            assert_eq!(came, Some(later(UNKNOWN_TOPIC_OR_PARTITION)));
        }
        let (came, _) = asked(&mut publisher, 0, (UNKNOWN_TOPIC_OR_PARTITION, &[]));
        let message = "UNKNOWN_TOPIC_OR_PARTITION".to_owned();
        assert_eq!(came, Some(Came::Refused { code: Value::from(3_i64), message }));
    }

    /// What has no payload deletes its key; an empty one does not.
    #[test]
    fn no_payload_is_null() {
        for (body, expect) in [(None, "null"), (Some(Vec::new()), r#""""#)] {
            let publication = Publication { topic: "orders".to_owned(), body, ..Publication::default() };
            let (came, _, records) = published(&publication, r#"{"offset":41}"#);
            assert_eq!(came, Some(Came::Done));
            assert_eq!(records[0].get("text").unwrap().to_string(), expect);
        }
    }
}
