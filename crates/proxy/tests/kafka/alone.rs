//! An ordinary client of Kafka (kafka-python) before two seams in a row: the second stands in for a broker, whose address
//! the first has to keep to itself. Skipped, loudly, where the client is missing.

use crate::bed::python;
use crate::bed::{Notes, Seam};
use crate::cluster::lines;
use seam_event::{Endpoint, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Filter, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Limits, Say, protocol};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// A topic with two records, and room for more.
struct Stub;

impl Answers for Stub {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let answer = match asked.request.get("api").and_then(Value::as_text)? {
            "Produce" => r#"{"offset":41}"#,
            "Fetch" => {
                r#"{"records":[
                    {"offset":0,"key":"k","body":{"order":7},"headers":{"trace":"a"}},
                    {"offset":1,"text":"second"}
                ]}"#
            }
            _ => return None,
        };
        let (by, say) = (Arc::from("the stub"), Say::Answer(Arc::new(parse(answer).unwrap())));
        let after = Duration::from_millis(20);
        Some(Answering { by, after, say, dribble: None, afterwards: Vec::new() })
    }
}

async fn stand(proxy: &Proxy, consumer: &str, upstream: Upstream) -> std::net::SocketAddr {
    let seam = SeamId { consumer: consumer.into(), provider: "broker".into(), endpoint: Endpoint::main() };
    let spec = SeamSpec { seam, protocol: protocol("kafka").unwrap(), upstream, listen: None };
    proxy.stand(spec).await.unwrap()
}

async fn put(proxy: &Proxy, consumer: &'static str, kind: Kind, filter: Option<Filter>) {
    let (name, chance) = ("rule".to_owned(), Chance::new(7, "rule"));
    let spec = RuleSpec { name, kind, filter, filters_replies: false, often: Often::default(), chance };
    assert_eq!(proxy.put(|seam| seam.consumer.as_str() == consumer, &Arc::new(Rule::new(spec))), 1);
    proxy.pointed(|_| true).await;
}

const CLIENT: &str = r"
import sys
from kafka import KafkaProducer, KafkaConsumer, TopicPartition
def say(*what): print(*what, flush=True)
at = sys.argv[1]
p = KafkaProducer(bootstrap_servers=at, acks='all', retries=0, client_id='shop')
def send(topic, value, **more):
    try:
        sent = p.send(topic, value, **more).get(timeout=10)
        say(sent.topic, sent.partition, sent.offset)
    except Exception as error: say(type(error).__name__)
send('orders', b'{\x22n\x22: 1}', key=b'k', headers=[('trace', b'a1')])
send('broken', b'x')
send('orders', b'again')
c = KafkaConsumer(bootstrap_servers=at, auto_offset_reset='earliest', enable_auto_commit=False, consumer_timeout_ms=8000)
c.assign([TopicPartition('orders', 0)])
for n, record in enumerate(c):
    say(record.offset, record.key, record.value, record.headers)
    if n == 1: break
c = KafkaConsumer('orders', bootstrap_servers=at, group_id='shop', auto_offset_reset='earliest', consumer_timeout_ms=8000)
for n, record in enumerate(c):
    say(record.offset, record.value)
    if n == 1: break
c.commit()
say(sorted({(b.host, b.port) for b in c._client.cluster.brokers()}) == [('127.0.0.1', int(at.split(':')[1]))])
c.close(); p.close()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_stays_on_the_seam() {
    let Some(python) = python("kafka") else { return };
    let notes = Notes::default();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(notes.clone()), Box::new(Strangers)).unwrap();
    let behind = stand(&proxy, "first", Upstream::Nowhere).await;
    put(&proxy, "first", Kind::Stub(Arc::new(Stub)), None).await;
    let address = stand(&proxy, "shop", Upstream::Tcp(behind)).await;
    let error =
        Kind::Fault(read_fault(&parse(r#"{"error":"TOPIC_AUTHORIZATION_FAILED"}"#).unwrap()).unwrap());
    let filter: Filter = Box::new(|interaction| {
        let topics = interaction.get("request").and_then(|request| request.get("topics"));
        interaction.get("request").and_then(|request| request.get("acks")).is_some()
            && topics.and_then(Value::as_list) == Some(&[Value::text("broken")])
    });
    put(&proxy, "shop", error, Some(filter)).await;
    let client = Command::new("timeout")
        .args(["30", python, "-c", CLIENT, &address.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&client.stdout), String::from_utf8_lossy(&client.stderr));
    let lines: Vec<&str> = out.lines().collect();
    let expect = [
        "orders 0 41",
        "TopicAuthorizationFailedError",
        "orders 0 41",
        "0 b'k' b'{\"order\":7}' [('trace', b'a')]",
        "1 None b'second' []",
        "0 b'{\"order\":7}'",
        "1 b'second'",
        "True",
    ];
    assert_eq!(lines, expect, "{errors}");
    assert!(proxy.drain(LONG).await);
    assert_eq!(*notes.1.lock().unwrap(), [""; 0], "it stays legible");
    let told = notes.0.lock().unwrap();
    let messages =
        told.iter().filter(|one| one.seam.consumer.as_str() == "shop" && one.message != Value::Null);
    let messages: Vec<String> = messages.map(|one| one.message.to_string()).collect();
    assert_eq!(
        messages[..3],
        [
            r#"{"kind":"published","topic":"orders","partition":0,"key":"k","headers":{"trace":"a1"},"body":{"n":1},"text":"{\"n\": 1}"}"#,
            r#"{"kind":"published","topic":"broken","partition":0,"key":null,"headers":{},"body":"x","text":"x"}"#,
            r#"{"kind":"published","topic":"orders","partition":0,"key":null,"headers":{},"body":"again","text":"again"}"#,
        ]
    );
    assert!(messages.contains(
        &r#"{"kind":"delivered","topic":"orders","partition":0,"offset":0,"key":"k","headers":{"trace":"a"},"body":{"order":7},"text":"{\"order\":7}"}"#.to_owned()
    ));
}

/// A group of librdkafka's, alone with a broker that is stood in for.
const GROUP: &str = r"
from confluent_kafka import Consumer
c = Consumer({'bootstrap.servers': f'127.0.0.1:{port}', 'group.id': 'shop', 'auto.offset.reset': 'earliest', 'log_level': 2})
c.subscribe(['orders'])
for n in range(2):
    m = c.poll(20)
    say(m and (m.error() or (m.partition(), m.offset(), m.value())))
say([one.offset for one in c.commit(asynchronous=False)])
c.close()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_alone_with_a_stub() {
    let Some(client) = python("confluent_kafka") else { return };
    let seam = Seam::stand("kafka", Upstream::Nowhere).await;
    seam.put("stub", (Kind::Stub(Arc::new(Stub)), Often::default()), None).await;
    let said = lines(client, &seam, GROUP);
    assert_eq!(said, [r#"(0, 0, b'{"order":7}')"#, "(0, 1, b'second')", "[2]"]);
}
