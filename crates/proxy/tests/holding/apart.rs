//! Several rules about one thing: each that counts as struck has done what it says.

use crate::bed::{Bed, LONG, bed_of, nobody};
use seam_expr::Chance;
use seam_proxy::{Filter, Kind, Often, Rule, RuleSpec, Upstream, read_fault};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Say};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Puts a fault; where it is said so, on one partition only.
async fn put(bed: &Bed, fault: &str, partition: Option<i64>) {
    let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
    let filter = partition.map(|partition| -> Filter {
        Box::new(move |interaction| {
            let asked = interaction.get("request").and_then(|request| request.get("partition"));
            asked.and_then(Value::as_i64) == Some(partition)
        })
    });
    let (often, chance) = (Often::default(), Chance::new(7, fault));
    let name = fault.to_owned();
    let rule = Arc::new(Rule::new(RuleSpec { name, kind, filter, filters_replies: false, often, chance }));
    assert_eq!(bed.proxy.put(|_| true, &rule), 1);
    bed.proxy.pointed(|_| true).await;
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Produce, version 3, of nothing to these partitions of `t`.
fn produce(partitions: &[u32]) -> Vec<u8> {
    let mut request = b"\0\0\0\x03\0\0\0\x07\0\x01c\xff\xff\0\x01\0\0\x10\0\0\0\0\x01\0\x01t".to_vec();
    request.extend(u32::try_from(partitions.len()).unwrap().to_be_bytes());
    for partition in partitions {
        request.extend(partition.to_be_bytes());
        request.extend(b"\xff\xff\xff\xff");
    }
    sized(&request)
}

/// What is said to that, of these partitions.
fn produced(partitions: &[u32]) -> Vec<u8> {
    let mut reply = b"\0\0\0\x07\0\0\0\x01\0\x01t".to_vec();
    reply.extend(u32::try_from(partitions.len()).unwrap().to_be_bytes());
    for partition in partitions {
        reply.extend(partition.to_be_bytes());
        reply.extend([b"\0\0".as_slice(), &[0; 8], &[0xff; 8]].concat());
    }
    reply.extend(b"\0\0\0\0");
    sized(&reply)
}

fn read(end: &mut TcpStream, n_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; n_bytes];
    end.read_exact(&mut bytes).unwrap();
    bytes
}

async fn kafka() -> (Bed, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (bed_of("kafka", |_| Upstream::Tcp(address)).await, listener)
}

fn connected(bed: &Bed, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let consumer = TcpStream::connect(bed.address).unwrap();
    let provider = listener.accept().unwrap().0;
    for end in [&consumer, &provider] {
        end.set_read_timeout(Some(LONG)).unwrap();
    }
    (consumer, provider)
}

const DENIED: &str = r#"{"error":"TOPIC_AUTHORIZATION_FAILED"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_request_arrives_twice() {
    let (bed, listener) = kafka().await;
    put(&bed, r#""duplicate""#, None).await;
    put(&bed, DENIED, Some(1)).await;
    let (mut consumer, mut provider) = connected(&bed, &listener);
    consumer.write_all(&produce(&[0, 1])).unwrap();
    let left = produce(&[0]);
    for _ in 0..2 {
        let got = read(&mut provider, left.len());
        assert_eq!((&got[..8], &got[12..]), (&left[..8], &left[12..]));
        let mut reply = produced(&[0]);
        reply[4..8].copy_from_slice(&got[8..12]);
        provider.write_all(&reply).unwrap();
    }
    let reply = read(&mut consumer, produced(&[0, 1]).len());
    assert_eq!(reply[..8], produced(&[0, 1])[..8]);
    let told = bed.told().await;
    assert!(told.iter().any(|line| line.contains("duplicate")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_request_is_reset_behind_it() {
    let (bed, listener) = kafka().await;
    put(&bed, r#"{"reset":"after"}"#, None).await;
    put(&bed, DENIED, Some(1)).await;
    for partitions in [&[0, 1][..], &[1]] {
        let (mut consumer, mut provider) = connected(&bed, &listener);
        consumer.write_all(&produce(partitions)).unwrap();
        if partitions.len() > 1 {
            read(&mut provider, produce(&[0]).len());
        }
        assert!(consumer.read(&mut [0]).is_err(), "it is reset, and nothing is said before");
    }
}

/// Takes each message, and calls nobody.
struct Takes;

impl Answers for Takes {
    fn answer(&self, _: &Asked<'_>) -> Option<Answering> {
        let say = Say::Answer(Arc::new(parse("{}").unwrap()));
        let (by, after) = (Arc::from("takes"), Duration::ZERO);
        Some(Answering { by, after, say, dribble: None, afterwards: Vec::new() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_a_stub_gets_twice_is_told() {
    let bed = bed_of("mqtt", nobody).await;
    bed.put_rule("takes", Kind::Stub(Arc::new(Takes)), None, Often::default()).await;
    let rule = bed.put(r#""duplicate""#).await;
    let mut consumer = bed.client().0.into_inner();
    consumer.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a").unwrap();
    assert_eq!(read(&mut consumer, 4), b"\x20\x02\0\0");
    consumer.write_all(b"\x30\x05\0\x01thi\xc0\0").unwrap();
    assert_eq!(read(&mut consumer, 2), b"\xd0\0");
    assert_eq!(rule.n_struck(), 1);
    let told = bed.told().await;
    assert_eq!(told, [r#"struck: "duplicate""#]);
}
