//! Brokers over TLS from the first byte on: Mosquitto with paho, RabbitMQ with pika, and Kafka's client before a stub.

use crate::bed::{Certificates, Seam, run};
use crate::servers::{Server, free_port, program, python, rabbitmq};
use seam_event::Interaction;
use seam_expr::Chance;
use seam_proxy::{Kind, Often, ProviderTlsSpec, Rule, RuleSpec, Upstream};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Say};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// How both sides of a seam speak: does the provider speak TLS, is that declared, does the consumer?
const WAYS: [(bool, bool, bool); 5] = [
    (true, false, true),
    (true, true, false),
    (true, true, true),
    (false, false, true),
    (false, false, false),
];

/// Runs a client before a seam to one of two ports, in each of these ways.
async fn each_way(word: &str, (plain, encrypted): (u16, u16), (python, client): (&str, &str)) {
    for (speaks, is_declared, wants) in WAYS {
        let mut seam = Seam::stand(word, if speaks { encrypted } else { plain }).await;
        if is_declared {
            seam = seam.declared(&ProviderTlsSpec::default());
        }
        let how = if wants { "tls" } else { "plain" };
        let said = run(Path::new(python), &["-c", client, &seam.port(), how, &seam.ca()]);
        assert_eq!(said.trim(), "hello", "{word} {speaks} {is_declared} {wants}");
        let told = seam.told().await;
        let is_hello = |one: &&Interaction| one.message.get("text") == Some(&Value::text("hello"));
        assert_eq!(told.iter().filter(is_hello).count(), 2, "published and delivered: {told:?}");
        assert_eq!(seam.unreached().await, [""; 0]);
    }
}

const PAHO: &str = r"
import paho.mqtt.client as mqtt, queue, sys
more = {'callback_api_version': mqtt.CallbackAPIVersion.VERSION1} if hasattr(mqtt, 'CallbackAPIVersion') else {}
got = queue.Queue()
c = mqtt.Client(**more)
if sys.argv[2] == 'tls': c.tls_set(ca_certs=sys.argv[3])
c.on_message = lambda c, u, m: got.put(m.payload.decode())
c.on_subscribe = lambda *a: c.publish('a', 'hello', 1)
c.on_connect = lambda *a: c.subscribe('a', 1)
c.connect('localhost', int(sys.argv[1])); c.loop_start()
print(got.get(timeout=10)); c.disconnect(); c.loop_stop()
";

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto() {
    let (Some(python), Some(server)) = (python("paho.mqtt"), program("mosquitto")) else { return };
    let certificates = Certificates::new();
    let (dir, plain, encrypted) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let conf = dir.path().join("conf");
    let text = format!(
        "user root\nallow_anonymous true\nlistener {plain} 127.0.0.1\nlistener {encrypted} 127.0.0.1\n\
         certfile {}\nkeyfile {}\n",
        certificates.text("server.pem"),
        certificates.text("server.key")
    );
    std::fs::write(&conf, text).unwrap();
    let _server = Server::start(dir, encrypted, Command::new(server).arg("-c").arg(conf));
    each_way("mqtt", (plain, encrypted), (python, PAHO)).await;
}

const PIKA: &str = r"
import pika, ssl, sys
tls = pika.SSLOptions(ssl.create_default_context(cafile=sys.argv[3]), 'localhost') if sys.argv[2] == 'tls' else None
c = pika.BlockingConnection(pika.ConnectionParameters('localhost', int(sys.argv[1]), ssl_options=tls))
ch = c.channel(); q = ch.queue_declare('', exclusive=True).method.queue
ch.basic_publish('', q, 'hello')
for method, properties, body in ch.consume(q, auto_ack=True):
    print(body.decode()); break
ch.cancel(); c.close()
";

#[tokio::test(flavor = "multi_thread")]
async fn rabbit() {
    let Some(python) = python("pika") else { return };
    let certificates = Certificates::new();
    let encrypted = free_port();
    let more = format!(
        "listeners.ssl.1 = 127.0.0.1:{encrypted}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\nssl_options.verify = verify_none\n",
        certificates.text("ca.pem"),
        certificates.text("server.pem"),
        certificates.text("server.key")
    );
    let Some(server) = rabbitmq(&more) else { return };
    server.listens(encrypted);
    each_way("amqp", (server.port, encrypted), (python, PIKA)).await;
}

/// Takes what is published, and has one record.
struct Topic;

impl Answers for Topic {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let answer = match asked.request.get("api").and_then(Value::as_text)? {
            "Produce" => r#"{"offset":41}"#,
            "Fetch" => r#"{"records":[{"offset":0,"text":"hello"}]}"#,
            _ => return None,
        };
        let (by, say) = (Arc::from("the topic"), Say::Answer(Arc::new(parse(answer).unwrap())));
        Some(Answering { by, after: Duration::ZERO, say, dribble: None, afterwards: Vec::new() })
    }
}

const KAFKA: &str = r"
import sys
from kafka import KafkaProducer, KafkaConsumer, TopicPartition
at = 'localhost:' + sys.argv[1]
tls = dict(security_protocol='SSL', ssl_cafile=sys.argv[3]) if sys.argv[2] == 'tls' else {}
p = KafkaProducer(bootstrap_servers=at, retries=0, **tls)
p.send('orders', b'x').get(timeout=10)
c = KafkaConsumer(bootstrap_servers=at, auto_offset_reset='earliest', enable_auto_commit=False, **tls)
c.assign([TopicPartition('orders', 0)])
print(next(c).value.decode())
p.close(); c.close()
";

#[tokio::test(flavor = "multi_thread")]
async fn kafka() {
    let Some(python) = python("kafka") else { return };
    let behind = Seam::stand_before("kafka", Upstream::Nowhere).await;
    let spec = RuleSpec {
        name: "the topic".to_owned(),
        kind: Kind::Stub(Arc::new(Topic)),
        filter: None,
        filters_replies: false,
        often: Often::default(),
        chance: Chance::new(7, "the topic"),
    };
    behind.proxy.put(|_| true, &Arc::new(Rule::new(spec)));
    behind.proxy.pointed(|_| true).await;
    for (is_declared, how) in [(false, "tls"), (true, "tls"), (true, "plain"), (false, "plain")] {
        let upstream = SocketAddr::from(([127, 0, 0, 1], behind.address.port()));
        let mut seam = Seam::stand_before("kafka", Upstream::Tcp(upstream)).await;
        if is_declared {
            seam = seam.declared(&ProviderTlsSpec::default());
        }
        let said = run(Path::new(python), &["-c", KAFKA, &seam.port(), how, &seam.ca()]);
        assert_eq!(said.lines().last(), Some("hello"), "{is_declared} {how}: {said}");
        let told = seam.told().await;
        let published =
            |one: &&Interaction| one.message.get("kind").and_then(Value::as_text) == Some("published");
        assert_eq!(told.iter().filter(published).count(), 1);
    }
}
