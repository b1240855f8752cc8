//! Faults for single records, in batches of each packing: a real client takes what they leave, and goes on behind it.

use crate::bed::{Seam, python, text};
use crate::cluster::{Cluster, bodies, lines};
use seam_proxy::{Kind, Often, Rule, read_fault};
use seam_value::{Value, parse};
use std::sync::Arc;

/// Produces a batch and another one with each packing, and reads both.
const CLIENT: &str = r#"
from confluent_kafka import Producer, Consumer
at = {'bootstrap.servers': f'127.0.0.1:{port}', 'log_level': 2, 'allow.auto.create.topics': True}
for packing in ['none', 'gzip', 'snappy', 'lz4', 'zstd']:
    p = Producer({**at, 'compression.type': packing, 'linger.ms': 200})
    p.list_topics(packing, timeout=10)
    for keys in [['a', 'b', 'c', 'd', 'e'], ['f'], ['g', 'h']]:
        for key in keys: p.produce(packing, f'{{"total": 39.90, "key": "{key}", "filling": "{"x" * 200}"}}', key=key, headers={'h': '1'}, partition=0)
        p.flush(20)
    c = Consumer({**at, 'group.id': packing, 'auto.offset.reset': 'earliest', 'check.crcs': True})
    c.subscribe([packing])
    said = []
    while not said or not said[-1].startswith('h'):
        m = c.poll(20)
        if m is None: said.append('nothing'); break
        said.append(f'{m.key().decode()} {m.offset()} {m.headers()} {m.value()[:18]} {len(m.value())}' if not m.error() else str(m.error()))
    c.close()
    for one in said: say(packing, one)
"#;

type About = fn(&Value) -> bool;

async fn strike(seam: &Seam, fault: &str, nth: Option<u64>, about: About) -> Arc<Rule> {
    let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
    let often = Often { nth, ..Often::default() };
    seam.put(fault, (kind, often), Some(Box::new(about))).await
}

fn is_key(interaction: &Value, kind: &str, key: &str) -> bool {
    text(interaction, "message.kind") == kind && text(interaction, "message.key") == key
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_is_struck() {
    let Some(python) = python("confluent_kafka") else { return };
    let cluster = Cluster::start(python, 1);
    let seam = Seam::stand("kafka", cluster.upstream()).await;
    let rules = [
        strike(&seam, r#"{"mistype":"message.body.total","as":"text"}"#, None, |of| {
            is_key(of, "delivered", "b")
        })
        .await,
        strike(&seam, r#""garble""#, None, |of| is_key(of, "delivered", "c")).await,
        strike(&seam, r#"{"truncate":"10B"}"#, None, |of| is_key(of, "delivered", "d")).await,
        strike(&seam, r#""reply_lost""#, None, |of| is_key(of, "delivered", "e")).await,
        // The only one of its batch, which is empty then.
        strike(&seam, r#""reply_lost""#, None, |of| is_key(of, "delivered", "f")).await,
        strike(&seam, r#"{"mistype":"message.body.total","as":"absent"}"#, None, |of| {
            is_key(of, "published", "g")
        })
        .await,
        strike(&seam, r#"{"mistype":"message.headers.h","as":"null"}"#, Some(1), |of| {
            text(of, "message.kind") == "delivered"
        })
        .await,
    ];
    let said = lines(python, &seam, CLIENT);
    for rule in &rules {
        assert_eq!(rule.unsaid(), None, "{rule:?}");
    }
    let mut expected = Vec::new();
    for packing in ["none", "gzip", "snappy", "lz4", "zstd"] {
        // The first of all that is delivered.
        let header = if packing == "none" { "None" } else { "b'1'" };
        let plain = |key: &str, offset: u8, header: &str| {
            format!("{packing} {key} {offset} [('h', {header})] b'{{\"total\": 39.90, \"' 243")
        };
        expected.push(plain("a", 0, header));
        expected.push(format!("{packing} b 1 [('h', b'1')] b'{{\"total\":\"39.90\",\"' 240"));
        expected.push("garbled".to_owned());
        expected.push(format!("{packing} d 3 [('h', b'1')] b'{{\"total\": ' 10"));
        expected.push(format!("{packing} g 6 [('h', b'1')] b'{{\"key\":\"g\",\"fillin' 224"));
        expected.push(plain("h", 7, "b'1'"));
    }
    let said: Vec<String> = said
        .into_iter()
        .map(|line| {
            let is_noise = line.contains(" c 2 ") && !line.contains("39.90") && line.ends_with(" 243");
            if is_noise { "garbled".to_owned() } else { line }
        })
        .collect();
    assert_eq!(said, expected);
    let told = seam.told().await;
    assert!(
        bodies(&told, "delivered").iter().all(|text| !text.contains("\"key\": \"e\"")),
        "what is lost is not told"
    );
}
