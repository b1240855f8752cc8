//! Several brokers, all of them led through one seam.

use crate::bed::{Client, Ended, Seam, python};
use seam_event::Interaction;
use seam_proxy::Upstream;
use seam_value::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Brokers that say where they are, and stay until their input ends.
const BROKERS: &str = r"
import sys
from confluent_kafka import Producer
p = Producer({'test.mock.num.brokers': int(sys.argv[1]), 'bootstrap.servers': 'nobody:1', 'log_level': 2})
brokers = p.list_topics(timeout=10).brokers
print(*(f'{broker.host}:{broker.port}' for broker in brokers.values()), flush=True)
sys.stdin.read()
";

/// Real brokers, as far as librdkafka's mock cluster is real.
pub(crate) struct Cluster {
    pub(crate) brokers: Vec<SocketAddr>,
    _program: Ended,
}

impl Cluster {
    pub(crate) fn start(python: &str, n_brokers: usize) -> Self {
        let mut program = Command::new(python)
            .args(["-c", BROKERS, &n_brokers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let brokers: Vec<SocketAddr> = line.split_whitespace().map(|place| place.parse().unwrap()).collect();
        assert_eq!(brokers.len(), n_brokers, "{line}");
        Self { brokers, _program: Ended(program) }
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::Tcp(self.brokers[0])
    }
}

/// All that a client says until it ends.
pub(crate) fn lines(python: &str, seam: &Seam, script: &str) -> Vec<String> {
    let mut client = Client::run(python, seam.address.port(), script);
    std::iter::from_fn(|| Some(client.line()).filter(|line| !line.is_empty())).collect()
}

/// The bodies of records that passed one way.
pub(crate) fn bodies(told: &[Interaction], kind: &str) -> BTreeSet<String> {
    let of_kind = told.iter().filter(|one| one.message.get("kind").and_then(Value::as_text) == Some(kind));
    of_kind.filter_map(|one| one.message.get("text").and_then(Value::as_text)).map(str::to_owned).collect()
}

const GROUP: &str = r"
from confluent_kafka import Producer, Consumer
at = {'bootstrap.servers': f'127.0.0.1:{port}', 'log_level': 2, 'allow.auto.create.topics': True}
p = Producer({**at, 'enable.idempotence': True})
p.list_topics('orders', timeout=10)
for n in range(20):
    p.produce('orders', f'order {n}', partition=n % 4)
say(p.flush(20))
brokers = p.list_topics('orders', timeout=10)
say(len(brokers.brokers), len({(b.host, b.port) for b in brokers.brokers.values()}))
c = Consumer({**at, 'group.id': 'shop', 'auto.offset.reset': 'earliest'})
c.subscribe(['orders'])
n = 0
while n < 20:
    m = c.poll(20)
    if m is None: break
    if m.error(): say(m.error()); continue
    n += 1
say(n)
c.commit(asynchronous=False)
c.close()
say(sorted(b.port for b in brokers.brokers.values()))
";

#[tokio::test(flavor = "multi_thread")]
async fn all_brokers_are_on_the_seam() {
    let Some(python) = python("confluent_kafka") else { return };
    let cluster = Cluster::start(python, 3);
    let seam = Seam::stand("kafka", cluster.upstream()).await;
    let said = lines(python, &seam, GROUP);
    assert_eq!(said[..3], ["0", "3 3", "20"], "{said:?}");
    for broker in &cluster.brokers {
        assert!(!said[3].contains(&broker.port().to_string()), "nobody is told of {broker}: {said:?}");
    }
    assert!(said[3].contains(&seam.address.port().to_string()), "the first one is the seam's own: {said:?}");
    let told = seam.told().await;
    let all: BTreeSet<String> = (0..20).map(|n| format!("order {n}")).collect();
    assert_eq!(bodies(&told, "published"), all, "all of it passed the seam");
    assert_eq!(bodies(&told, "delivered"), all, "all of it passed the seam");
    let asked = |api: &str| {
        told.iter().filter(|one| one.request.get("api").and_then(Value::as_text) == Some(api)).count()
    };
    for api in ["FindCoordinator", "JoinGroup", "SyncGroup", "OffsetCommit", "LeaveGroup", "InitProducerId"] {
        assert!(asked(api) > 0, "{api}");
    }
}
