//! A fault for one partition leaves its neighbours in the same request alone.

use crate::bed::{Seam, python};
use crate::cluster::{Cluster, bodies, lines};
use seam_proxy::{Kind, Often, read_fault};
use seam_value::{Value, parse};
use std::collections::BTreeSet;

/// Produces to several partitions at once, and fetches from all of them; one by one, because this client forgets what it
/// has read besides an error.
const CLIENT: &str = r"
from kafka import KafkaProducer, KafkaConsumer, TopicPartition
at = f'127.0.0.1:{port}'
p = KafkaProducer(bootstrap_servers=at, retries=0, linger_ms=300, batch_size=100000)
p.partitions_for('orders')
def send(*values):
    sent = [p.send('orders', value.encode(), partition=n) for n, value in enumerate(values)]
    for one in sent:
        try: say(one.get(timeout=20).partition, 'written')
        except Exception as error: say(type(error).__name__)
send('a', 'b', 'c')
send('d', 'e', 'f')
c = KafkaConsumer(bootstrap_servers=at, auto_offset_reset='earliest', enable_auto_commit=False)
c.assign([TopicPartition('orders', n) for n in range(3)])
seen = []
import time; end = time.monotonic() + 20
while len(seen) < 4 and time.monotonic() < end:
    try:
        for records in c.poll(timeout_ms=500, max_records=1).values(): seen.extend(record.value.decode() for record in records)
    except Exception as error:
        say(type(error).__name__)
say(sorted(seen))
c.close(); p.close()
";

fn at<'a>(interaction: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(interaction, |value, name| value.get(name))
}

fn is(interaction: &Value, path: &str, text: &str) -> bool {
    at(interaction, path).and_then(Value::as_text) == Some(text)
}

async fn strike(seam: &Seam, fault: &str, times: Option<u64>, about: fn(&Value) -> bool) {
    let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
    let often = Often { times, ..Often::default() };
    seam.put(fault, (kind, often), Some(Box::new(about))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partition_is_struck() {
    let (Some(client), Some(brokers)) = (python("kafka"), python("confluent_kafka")) else { return };
    let cluster = Cluster::start(brokers, 1);
    let seam = Seam::stand("kafka", cluster.upstream()).await;
    // By its number, and by what one of its records says.
    strike(&seam, r#"{"error":"TOPIC_AUTHORIZATION_FAILED"}"#, Some(1), |interaction| {
        is(interaction, "request.api", "Produce")
            && is(interaction, "request.topic", "orders")
            && at(interaction, "request.partition").and_then(Value::as_i64) == Some(1)
    })
    .await;
    strike(&seam, r#"{"error":"MESSAGE_TOO_LARGE"}"#, None, |interaction| {
        is(interaction, "message.text", "f")
    })
    .await;
    // What is fetched, by its number and by what is in it.
    strike(&seam, r#"{"error":"TOPIC_AUTHORIZATION_FAILED"}"#, Some(1), |interaction| {
        is(interaction, "request.api", "Fetch")
            && at(interaction, "request.partition").and_then(Value::as_i64) == Some(2)
    })
    .await;
    strike(&seam, r#"{"error":"GROUP_AUTHORIZATION_FAILED"}"#, Some(1), |interaction| {
        is(interaction, "message.kind", "delivered") && is(interaction, "message.text", "e")
    })
    .await;
    let said = lines(client, &seam, CLIENT);
    let written = [
        "0 written",
        "TopicAuthorizationFailedError",
        "2 written",
        "0 written",
        "1 written",
        "MessageSizeTooLargeError",
    ];
    assert_eq!(said[..6], written);
    let errors: BTreeSet<&str> = said[6..8].iter().map(String::as_str).collect();
    assert_eq!(errors, ["GroupAuthorizationFailedError", "TopicAuthorizationFailedError"].into());
    assert_eq!(said[8..], ["['a', 'c', 'd', 'e']"], "each partition goes on behind its error");
    let told = seam.told().await;
    let delivered: BTreeSet<String> = ["a", "c", "d", "e"].map(str::to_owned).into();
    assert_eq!(bodies(&told, "delivered"), delivered, "what was struck was never written");
    let struck: Vec<String> = told
        .iter()
        .filter(|one| one.answered_by.is_some() && one.reply != Value::Null)
        .map(|one| {
            let errors = one.reply.get("partitions").and_then(Value::as_list).unwrap().iter();
            let errors: Vec<String> = errors
                .map(|one| at(one, "error.code").map_or("ok".to_owned(), Value::to_plain_text))
                .collect();
            errors.join(" ")
        })
        .collect();
    assert_eq!(struck[..2], ["ok ok 29", "ok ok 10"], "the neighbours went on to the broker");
    let fetched = struck[2..].join(" ");
    let n_struck = |code: &str| fetched.split(' ').filter(|one| *one == code).count();
    assert_eq!((n_struck("29"), n_struck("30")), (1, 1), "{fetched}");
    assert!(fetched.contains("ok"), "{fetched}");
}

/// A group and a transaction to which errors are said, and which go on.
const ERRORS: &str = r"
from confluent_kafka import Producer, Consumer, TopicPartition, KafkaException
at = {'bootstrap.servers': f'127.0.0.1:{port}', 'log_level': 2, 'allow.auto.create.topics': True}
def said(what):
    try: return what()
    except KafkaException as error: return error.args[0].name()
p = Producer({**at, 'transactional.id': 'till', 'transaction.timeout.ms': 10000})
p.init_transactions(20)
p.list_topics('sold', timeout=10)
c = Consumer({**at, 'group.id': 'till', 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})
wanted = TopicPartition('sold', 0, 7)
for turn in range(2):
    say(said(lambda: [one.error and one.error.name() for one in c.commit(offsets=[wanted], asynchronous=False)]))
    say(said(lambda: [one.offset for one in c.committed([wanted], timeout=20)]))
p.begin_transaction()
p.produce('sold', 'one', partition=0)
p.flush(10)
say(said(lambda: p.commit_transaction(20)))
c.close()
";

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_transactions_hear_errors() {
    let Some(python) = python("confluent_kafka") else { return };
    let cluster = Cluster::start(python, 3);
    let seam = Seam::stand("kafka", cluster.upstream()).await;
    let denied = r#"{"error":"GROUP_AUTHORIZATION_FAILED"}"#;
    strike(&seam, denied, Some(1), |interaction| is(interaction, "request.api", "OffsetCommit")).await;
    strike(&seam, denied, Some(1), |interaction| is(interaction, "request.api", "OffsetFetch")).await;
    let fenced = r#"{"error":"INVALID_PRODUCER_EPOCH"}"#;
    strike(&seam, fenced, Some(1), |interaction| is(interaction, "request.api", "EndTxn")).await;
    let said = lines(python, &seam, ERRORS);
    let denied = "GROUP_AUTHORIZATION_FAILED";
    assert_eq!(said, [denied, denied, "[None]", "[7]", "_FENCED"]);
}
