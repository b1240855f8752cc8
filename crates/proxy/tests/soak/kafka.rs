//! Kafka: each request is a record that is produced, pipelined, and fetched again; or one that is to be done. Its broker is
//! one of the test's own, which keeps what is produced until that is fetched.

use crate::http::{Done, done, serving};
use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::{Reader, Wire, wrong};
use std::collections::BTreeMap;
use std::io;
use tokio::net::TcpStream;

pub(crate) struct Kafka {
    wire: Wire,
    correlation: i32,
}

/// The kinds of requests, with the versions that are spoken.
const PRODUCE: [u8; 4] = [0, 0, 0, 3];
const FETCH: [u8; 4] = [0, 1, 0, 4];

/// Of what a stub has taken nothing can be fetched.
const STUBS: i64 = 1_000_000_000_000;

/// A topic's name that says what is produced can't be longer.
const NAMED: usize = 1_000;

/// Where a batch's checksum stands, and what it is of.
const CHECKSUM: std::ops::Range<usize> = 17..21;

fn text(text: &str) -> Vec<u8> {
    [&i16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&i32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A length as records have it.
fn signed(length: usize) -> Vec<u8> {
    let (mut left, mut bytes) = (length << 1, Vec::new());
    while left >= 128 {
        bytes.push(u8::try_from(left % 128).unwrap() | 128);
        left /= 128;
    }
    bytes.push(u8::try_from(left).unwrap());
    bytes
}

/// The checksum of batches (Castagnoli).
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 };
        }
    }
    (!sum).to_be_bytes()
}

/// A batch with one record.
fn batch(key: &str, value: &str) -> Vec<u8> {
    let field = |text: &str| [signed(text.len()), text.as_bytes().to_vec()].concat();
    let record = [&[0, 0, 0][..], &field(key), &field(value), &[0]].concat();
    let summed =
        [&[0; 6][..], &[0xff; 8 + 8 + 8 + 2 + 4], &[0, 0, 0, 1], &signed(record.len()), &record].concat();
    let rest = [&[0, 0, 0, 0, 2], &checksum(&summed)[..], &summed].concat();
    [vec![0; 8], with_length(&rest)].concat()
}

/// What is read off bytes.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n_bytes: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes).ok_or_else(|| wrong("too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, n_bytes: usize) -> io::Result<i64> {
        let bytes = self.take(n_bytes)?;
        let first = if bytes[0] & 128 == 0 { 0 } else { -1 };
        Ok(bytes.iter().fold(first, |number, byte| number << 8 | i64::from(*byte)))
    }

    fn length(&mut self, n_bytes: usize) -> io::Result<usize> {
        usize::try_from(self.number(n_bytes)?).map_err(|_| wrong("no length"))
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.length(2)?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| wrong("no text"))
    }

    /// The one topic, with its one partition.
    fn topic(&mut self) -> io::Result<String> {
        let n_topics = self.number(4)?;
        let topic = self.text()?;
        let (n_partitions, partition) = (self.number(4)?, self.number(4)?);
        if (n_topics, n_partitions, partition) != (1, 1, 0) {
            return Err(wrong("another partition"));
        }
        Ok(topic)
    }

    fn signed(&mut self) -> io::Result<usize> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)?[0];
            number |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return Ok(number >> 1);
            }
        }
    }
}

/// The key and the value of a batch's one record, if that is whole.
fn record(batch: &[u8]) -> io::Result<(String, String)> {
    let summed = batch.get(CHECKSUM.end..).ok_or_else(|| wrong("no batch"))?;
    if batch[CHECKSUM] != checksum(summed) {
        return Err(wrong("another checksum"));
    }
    let mut bytes = Bytes(summed);
    bytes.take(6 + 8 + 8 + 8 + 2 + 4 + 4)?;
    bytes.signed()?;
    bytes.take(3)?;
    let mut field = || {
        let length = bytes.signed()?;
        String::from_utf8(bytes.take(length)?.to_vec()).map_err(|_| wrong("no text"))
    };
    Ok((field()?, field()?))
}

fn about(topic: &str) -> Vec<u8> {
    [&[0, 0, 0, 1][..], &text(topic), &[0, 0, 0, 1, 0, 0, 0, 0]].concat()
}

async fn message(reader: &mut Reader<'_>) -> io::Result<Vec<u8>> {
    let length = Bytes(&reader.exactly(4).await?).length(4)?;
    reader.exactly(length).await
}

/// What the broker of one connection says to a request.
fn answer(request: &[u8], kept: &mut BTreeMap<i64, Vec<u8>>, done: &Done) -> io::Result<Vec<u8>> {
    let mut bytes = Bytes(request);
    let (kind, correlation) = (bytes.take(4)?, bytes.take(4)?);
    bytes.text()?;
    let body = if kind == PRODUCE {
        bytes.take(2 + 2 + 4)?;
        let topic = bytes.topic()?;
        let length = bytes.length(4)?;
        let mut batch = bytes.take(length)?.to_vec();
        let (key, value) = record(&batch)?;
        let offset = kept.last_key_value().map_or(0, |(last, _)| last + 1);
        if key == "do" {
            done.lock().unwrap().push(value.parse().map_err(|_| wrong("no number"))?);
        } else {
            batch[..8].copy_from_slice(&offset.to_be_bytes());
            kept.insert(offset, batch);
        }
        [&about(&topic)[..], &[0, 0], &offset.to_be_bytes(), &[0xff; 8], &[0; 4]].concat()
    } else {
        bytes.take(4 + 4 + 4 + 4 + 1)?;
        let topic = bytes.topic()?;
        let offset = bytes.number(8)?;
        let batch = kept.remove(&offset).unwrap_or_default();
        [&[0; 4], &about(&topic)[..], &[0, 0], &[0; 8 + 8 + 4], &with_length(&batch)].concat()
    };
    Ok(with_length(&[correlation, &body].concat()))
}

async fn serve_one(stream: TcpStream, done: Done) -> io::Result<()> {
    let (mut wire, mut kept, mut said) = (Wire::new(stream), BTreeMap::new(), Vec::new());
    loop {
        let request = wire.say(&said, message).await?;
        said = answer(&request, &mut kept, &done)?;
    }
}

impl Kafka {
    fn request(&mut self, kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        self.correlation += 1;
        with_length(&[&kind[..], &self.correlation.to_be_bytes(), &text("soak"), body].concat())
    }

    /// The replies to the requests that were made last, without what numbers them.
    async fn replies(&mut self, said: &[u8], n_replies: usize) -> io::Result<Vec<Vec<u8>>> {
        let first = i64::from(self.correlation) - i64::try_from(n_replies).unwrap() + 1;
        let read = async |reader: &mut Reader<'_>| {
            let mut replies = Vec::new();
            for number in (first..).take(n_replies) {
                let reply = message(reader).await?;
                if Bytes(&reply).number(4)? != number {
                    return Err(wrong("another number"));
                }
                replies.push(reply[4..].to_vec());
            }
            Ok(replies)
        };
        self.wire.say(said, read).await
    }
}

impl Speaks for Kafka {
    const SEAM: &'static str = "kafka";

    async fn serve() -> Option<Server> {
        Some(serving(serve_one).await)
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        Ok(Self { wire: Wire::new(stream), correlation: 0 })
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut said = Vec::new();
        for ask in asks {
            let payload = ask.payload();
            let (key, value) =
                if ask.does { ("do", ask.number.to_string()) } else { ("say", payload.clone()) };
            // A stub sees the topic, and none of the records.
            let topic = if payload.len() < NAMED { &payload } else { "soak" };
            let records = with_length(&batch(key, &value));
            let body = [&[0xff, 0xff, 0xff, 0xff, 0, 0, 0x75, 0x30][..], &about(topic), &records].concat();
            said.extend(self.request(PRODUCE, &body));
        }
        let (mut answers, mut fetched) = (Vec::new(), Vec::new());
        let mut fetches = Vec::new();
        for (ask, reply) in asks.iter().zip(self.replies(&said, asks.len()).await?) {
            let mut bytes = Bytes(&reply);
            let (topic, error, offset) = (bytes.topic()?, bytes.number(2)?, bytes.number(8)?);
            if error != 0 {
                return Err(wrong(format!("error {error}")));
            }
            if !ask.does && offset < STUBS {
                let most = 2_000_000_i32.to_be_bytes();
                let head = [&[0xff; 4][..], &[0, 0, 0x75, 0x30, 0, 0, 0, 1], &most, &[0]].concat();
                let body = [&head, &about("soak")[..], &offset.to_be_bytes(), &most].concat();
                fetches.extend(self.request(FETCH, &body));
                fetched.push(answers.len());
            }
            answers.push(if ask.does { String::new() } else { topic });
        }
        let replies = self.replies(&fetches, fetched.len()).await?;
        for (index, reply) in fetched.into_iter().zip(replies) {
            let mut bytes = Bytes(&reply);
            bytes.take(4)?;
            bytes.topic()?;
            bytes.take(2 + 8 + 8 + 4)?;
            let length = bytes.length(4)?;
            answers[index] = record(bytes.take(length)?)?.1;
        }
        Ok(answers)
    }

    fn stub(payload: &str) -> Option<String> {
        (payload.len() < NAMED).then(|| format!(r#"{{"offset":{STUBS}}}"#))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
