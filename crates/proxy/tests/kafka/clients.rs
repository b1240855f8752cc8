//! Whatever clients do goes on through a held seam as it does without one: groups, transactions, and each compression.

use crate::bed::{Client, Seam, python};
use crate::cluster::{Cluster, lines};
use seam_event::Interaction;
use seam_proxy::{Kind, Often, read_fault};
use seam_value::{Value, parse};
use std::collections::BTreeSet;

const TRANSACTIONS: &str = r"
from confluent_kafka import Producer, Consumer, TopicPartition
at = {'bootstrap.servers': f'127.0.0.1:{port}', 'log_level': 2, 'allow.auto.create.topics': True}
p = Producer({**at, 'transactional.id': 'till'})
p.init_transactions(20)
p.list_topics('sold', timeout=10)
c = Consumer({**at, 'group.id': 'till', 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})
for turn in range(3):
    p.begin_transaction()
    for n in range(4): p.produce('sold', f'{turn} {n}', partition=n)
    if turn == 0: p.abort_transaction(20)
    else:
        offsets = [TopicPartition('sold', 0, turn)]
        p.send_offsets_to_transaction(offsets, c.consumer_group_metadata(), 20)
        p.commit_transaction(20)
    say(turn, p.flush(10))
say([t.offset for t in c.committed([TopicPartition('sold', 0)], timeout=20)])
say([c.get_watermark_offsets(TopicPartition('sold', n), timeout=10) for n in range(4)])
c.close()
";

const PACKED: &str = r"
from confluent_kafka import Producer, Consumer
at = {'bootstrap.servers': f'127.0.0.1:{port}', 'log_level': 2, 'allow.auto.create.topics': True}
for packing in ['none', 'gzip', 'snappy', 'lz4', 'zstd']:
    p = Producer({**at, 'compression.type': packing, 'linger.ms': 50})
    for n in range(200): p.produce(packing, f'{packing} {n} ' + 'x' * 100, key=str(n))
    say(packing, p.flush(20))
    c = Consumer({**at, 'group.id': packing, 'auto.offset.reset': 'earliest'})
    c.subscribe([packing])
    seen = set()
    while len(seen) < 200:
        m = c.poll(20)
        if m is None: break
        if not m.error(): seen.add(m.value())
    c.commit(asynchronous=False)
    c.close()
    say(len(seen), sorted(seen)[-1])
";

const IN_ASYNC: &str = r"
import asyncio
from aiokafka import AIOKafkaProducer, AIOKafkaConsumer
at = f'127.0.0.1:{port}'
async def main():
    for packing in [None, 'gzip']:
        p = AIOKafkaProducer(bootstrap_servers=at, compression_type=packing, enable_idempotence=True)
        await p.start()
        topic = f'async-{packing}'
        await p.client.fetch_all_metadata()
        sent = [await p.send(topic, f'{n}'.encode(), partition=n % 4) for n in range(100)]
        await asyncio.gather(*sent)
        await p.stop()
        c = AIOKafkaConsumer(topic, bootstrap_servers=at, group_id=topic, auto_offset_reset='earliest')
        await c.start()
        seen = [int((await asyncio.wait_for(c.getone(), 20)).value) for _ in range(100)]
        await c.commit()
        await c.stop()
        say(topic, sorted(seen) == list(range(100)))
asyncio.run(main())
";

const GROUPS: &str = r"
from kafka import KafkaProducer, KafkaConsumer
at = f'127.0.0.1:{port}'
for packing in [None, 'gzip']:
    topic = f'group-{packing}'
    p = KafkaProducer(bootstrap_servers=at, compression_type=packing, linger_ms=50)
    p.partitions_for(topic)
    sent = [p.send(topic, f'{n}'.encode(), partition=n % 4) for n in range(100)]
    for one in sent: one.get(timeout=20)
    p.close()
    c = KafkaConsumer(topic, bootstrap_servers=at, group_id=topic, auto_offset_reset='earliest', consumer_timeout_ms=20000)
    seen = []
    for record in c:
        seen.append(int(record.value))
        if len(seen) == 100: break
    c.commit()
    c.close()
    say(topic, sorted(seen) == list(range(100)))
";

/// Says the same through a seam with rules that look at all of it, as to the brokers themselves.
async fn as_without(module: &str, script: &str) -> Vec<Interaction> {
    let (Some(client), Some(brokers)) = (python(module), python("confluent_kafka")) else {
        return Vec::new();
    };
    let cluster = Cluster::start(brokers, 3);
    let mut without = Client::run(client, cluster.brokers[0].port(), script);
    let expect: Vec<String> =
        std::iter::from_fn(|| Some(without.line()).filter(|line| !line.is_empty())).collect();
    assert!(!expect.is_empty());
    let cluster = Cluster::start(brokers, 3);
    let seam = Seam::stand("kafka", cluster.upstream()).await;
    for fault in [r#"{"error":"CORRUPT_MESSAGE"}"#, r#"{"mistype":"partitions.0.error"}"#] {
        let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
        seam.put(fault, (kind, Often::default()), Some(Box::new(|_| false))).await;
    }
    assert_eq!(lines(client, &seam, script), expect);
    let told = seam.told().await;
    assert!(!told.is_empty());
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions() {
    as_without("confluent_kafka", TRANSACTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_compression() {
    let told = as_without("confluent_kafka", PACKED).await;
    for packing in ["gzip", "snappy", "lz4", "zstd"] {
        let of_it = |one: &&Interaction| {
            one.message.get("compression").and_then(Value::as_text) == Some(packing)
                && one.message.get("kind").and_then(Value::as_text) == Some("delivered")
        };
        let records =
            told.iter().filter(of_it).map(|one| one.message.get("records").and_then(Value::as_list));
        let texts: BTreeSet<&str> = records
            .flatten()
            .flatten()
            .filter_map(|record| record.get("text").and_then(Value::as_text))
            .filter(|text| text.starts_with(packing))
            .collect();
        assert_eq!(texts.len(), if told.is_empty() { 0 } else { 200 }, "{packing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_asyncio() {
    as_without("aiokafka", IN_ASYNC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_a_client_in_python() {
    as_without("kafka", GROUPS).await;
}
