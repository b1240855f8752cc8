//! A real RabbitMQ and an ordinary client (pika), with Seamwork in between: watched, lost, doubled, refused, stood in for.
//! Skipped, loudly, where either is missing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod notes;
mod servers;

use notes::Notes;
use seam_event::{Endpoint, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Filter, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Limits, Say, protocol};
use servers::{Ended, python, rabbitmq};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// A seam to the broker, or to where nobody is.
struct Seam {
    proxy: Proxy,
    notes: Notes,
    address: SocketAddr,
}

impl Seam {
    async fn stand(upstream: Upstream) -> Self {
        let notes = Notes::default();
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let witness = Box::new(notes.clone());
        let proxy = Proxy::start(pulse, Limits::default(), witness, Box::new(Strangers)).unwrap();
        let seam = SeamId { consumer: "shop".into(), provider: "broker".into(), endpoint: Endpoint::main() };
        let spec = SeamSpec { seam, protocol: protocol("amqp").unwrap(), upstream, listen: None };
        let address = proxy.stand(spec).await.unwrap();
        Self { proxy, notes, address }
    }

    /// A fault on the messages of a method that have this text; on calls of this method where there is none.
    async fn break_it(&self, fault: &str, method: &'static str, text: Option<&'static str>) {
        let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
        let filter: Filter = Box::new(move |interaction| {
            let is = |part: &str, field: &str, expect: &str| {
                interaction.get(part).and_then(|part| part.get(field)) == Some(&Value::text(expect))
            };
            match text {
                Some(text) => is("message", "method", method) && is("message", "text", text),
                None => is("request", "method", method),
            }
        });
        self.put(fault, kind, Some(filter)).await;
    }

    async fn put(&self, name: &str, kind: Kind, filter: Option<Filter>) {
        let chance = Chance::new(7, name);
        let often = Often::default();
        let spec = RuleSpec { name: name.to_owned(), kind, filter, filters_replies: false, often, chance };
        assert_eq!(self.proxy.put(|_| true, &Arc::new(Rule::new(spec))), 1);
        self.proxy.pointed(|_| true).await;
    }

    /// What passed, as lines: the method, and the text of a message.
    async fn told(&self, part: &str) -> Vec<String> {
        assert!(self.proxy.drain(LONG).await);
        assert_eq!(*self.notes.1.lock().unwrap(), [""; 0], "it stays legible");
        let told = self.notes.0.lock().unwrap();
        let parts = told.iter().filter_map(|one| match part {
            "message" => Some(&one.message).filter(|message| **message != Value::Null),
            _ => Some(&one.request).filter(|request| **request != Value::Null),
        });
        let word = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_text).unwrap_or_default().to_owned()
        };
        parts
            .map(|value| format!("{} {}", word(value, "method"), word(value, "text")).trim().to_owned())
            .collect()
    }
}

/// A program of pika, which says what it has seen in lines, and waits where it is told to.
struct Client {
    _program: Ended,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

const BEGIN: &str = r"
import pika, sys, time
def connect(**more):
    login = pika.PlainCredentials('guest', 'guest')
    return pika.BlockingConnection(pika.ConnectionParameters('127.0.0.1', int(sys.argv[1]), '/', login, **more))
def say(*what): print(*what, flush=True)
def wait(): sys.stdin.readline()
def got(channel, queue, n, within=3):
    out = []
    for method, properties, body in channel.consume(queue, inactivity_timeout=within):
        if method is None: break
        out.append((method, properties, body))
        if len(out) == n: break
    return out
c = connect()
";

impl Client {
    fn run(port: u16, script: &str) -> Self {
        let mut program = Command::new(python("pika").unwrap())
            .args(["-c", &format!("{BEGIN}{script}"), &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (program.stdin.take().unwrap(), BufReader::new(program.stdout.take().unwrap()));
        Self { _program: Ended(program), stdin, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_pika_and_rabbitmq() {
    let (Some(broker), Some(_)) = (rabbitmq(""), python("pika")) else { return };
    let to = || broker.upstream();
    watched(Seam::stand(to()).await).await;
    lost_and_doubled_deliveries(Seam::stand(to()).await).await;
    confirms(Seam::stand(to()).await).await;
    one_channel_of_two(Seam::stand(to()).await).await;
    late_messages_keep_their_order(Seam::stand(to()).await).await;
    for fault in [r#"{"error":404}"#, r#"{"cut":"10ms"}"#] {
        nothing_behind_passes(Seam::stand(to()).await, fault).await;
    }
}

async fn watched(seam: Seam) {
    let mut client = Client::run(
        seam.address.port(),
        r"
h = c.channel()
h.confirm_delivery()
h.queue_declare('watched')
large = bytes(range(256)) * 20_000
h.basic_publish('', 'watched', large)
h.basic_publish('', 'watched', b'small')
(one, _, body), (two, _, small) = got(h, 'watched', 2)
say(body == large, small.decode())
h.basic_nack(two.delivery_tag)
h.basic_ack(one.delivery_tag)
_, _, small = again = got(h, 'watched', 1)[0]
say(small.decode(), again[0].redelivered)
h.basic_ack(again[0].delivery_tag)
h.cancel()
say(h.queue_delete('watched').method.message_count)
c.close()
",
    );
    assert_eq!([client.line(), client.line(), client.line()], ["True small", "small True", "0"]);
    assert_eq!(client.line(), "");
    let messages = seam.told("message").await;
    let expect = ["publish", "publish small", "deliver", "deliver small", "deliver small"];
    assert_eq!(messages, expect.map(|method| format!("basic.{method}")));
    let told = seam.notes.0.lock().unwrap();
    let large = told.iter().find(|one| one.message.get("length").and_then(Value::as_i64) == Some(5_120_000));
    assert!(large.unwrap().cut, "only its beginning is kept");
}

async fn lost_and_doubled_deliveries(seam: Seam) {
    let mut client = Client::run(
        seam.address.port(),
        r"
h = c.channel()
h.queue_declare('deliveries')
for n in range(6): h.basic_publish('', 'deliveries', b'm%d' % n)
first = got(h, 'deliveries', 1)[0]
h.cancel()
say('consumed', first[2].decode())
wait()
more = got(h, 'deliveries', 6, within=1)
say([(body.decode(), method.redelivered) for method, _, body in more])
say([method.delivery_tag - more[0][0].delivery_tag for method, _, _ in more])
h.basic_ack(more[1][0].delivery_tag)
h.basic_ack(more[-1][0].delivery_tag, multiple=True)
h.basic_publish('', 'deliveries', b'done')
say([body.decode() for method, _, body in got(h, 'deliveries', 1)])
h.close()
h = c.channel()
left = []
while True:
    method, _, body = h.basic_get('deliveries', auto_ack=True)
    if method is None: break
    left.append((body.decode(), method.redelivered))
say(sorted(left))
h.queue_delete('deliveries')
c.close()
",
    );
    assert_eq!(client.line(), "consumed m0");
    seam.break_it("\"reply_lost\"", "basic.deliver", Some("m2")).await;
    seam.break_it("\"duplicate\"", "basic.deliver", Some("m3")).await;
    client.go_on();
    // The others were on their way to the first consumer, and came back when it was cancelled.
    let line = client.line();
    let bodies = ["m0", "m1", "m3", "m3", "m4", "m5"];
    let got: Vec<&str> = line.split('\'').filter(|word| word.starts_with('m')).collect();
    assert_eq!(got, bodies[1..], "{line}");
    assert_eq!(client.line(), "[0, 1, 2, 3, 4]", "the consumer sees no gap");
    assert_eq!(client.line(), "['done']");
    // Unacknowledged until its channel was closed; all others were acknowledged, each once.
    let left = client.line();
    assert!(left.contains("('m2', True)") && !left.contains("m1") && !left.contains("m3"), "{left}");
    assert_eq!(client.line(), "");
}

async fn confirms(seam: Seam) {
    let mut client = Client::run(
        seam.address.port(),
        r"
h = c.channel()
h.confirm_delivery()
h.queue_declare('confirms')
h.basic_publish('', 'confirms', b'p0')
say('confirmed'); wait()
try: h.basic_publish('', 'confirms', b'p1')
except pika.exceptions.NackError: say('refused')
for n in range(2, 6): h.basic_publish('', 'confirms', b'p%d' % n)
say([body.decode() for method, _, body in got(h, 'confirms', 6, within=1)])
h.cancel()
h.queue_delete('confirms')
c.close()
",
    );
    assert_eq!(client.line(), "confirmed");
    seam.break_it("{\"error\":\"nack\"}", "basic.publish", Some("p1")).await;
    seam.break_it("\"duplicate\"", "basic.publish", Some("p3")).await;
    client.go_on();
    assert_eq!(client.line(), "refused");
    assert_eq!(client.line(), "['p0', 'p2', 'p3', 'p3', 'p4', 'p5']");
    assert_eq!(client.line(), "");
    let messages = seam.told("message").await;
    assert_eq!(messages.iter().filter(|one| one.starts_with("basic.publish")).count(), 6);
}

async fn one_channel_of_two(seam: Seam) {
    let mut client = Client::run(
        seam.address.port(),
        r"
one, two = c.channel(), c.channel()
two.queue_declare('neighbours', exclusive=True)
say('open'); wait()
try: one.queue_purge('neighbours')
except pika.exceptions.ChannelClosedByBroker as error: say(error.reply_code, error.reply_text)
two.basic_publish('', 'neighbours', b'still here')
say(two.basic_get('neighbours', auto_ack=True)[2].decode())
for _ in range(3):
    again = c.channel()
    try: again.queue_purge('neighbours')
    except pika.exceptions.ChannelClosedByBroker as error: say(again.channel_number, error.reply_code)
try: two.queue_delete('neighbours')
except pika.exceptions.ConnectionClosedByBroker as error: say(error.reply_code)
",
    );
    assert_eq!(client.line(), "open");
    seam.break_it("{\"error\":404,\"text\":\"NOT_FOUND - it is gone\"}", "queue.purge", None).await;
    seam.break_it("{\"error\":\"CONNECTION_FORCED\"}", "queue.delete", None).await;
    client.go_on();
    assert_eq!(client.line(), "404 NOT_FOUND - it is gone");
    assert_eq!(client.line(), "still here");
    for _ in 0..3 {
        assert_eq!(client.line(), "1 404");
    }
    assert_eq!(client.line(), "320");
    assert_eq!(client.line(), "");
}

async fn late_messages_keep_their_order(seam: Seam) {
    seam.break_it("{\"latency\":\"300ms\"}", "basic.publish", Some("n0")).await;
    let mut client = Client::run(
        seam.address.port(),
        r"
h, other = c.channel(), c.channel()
other.queue_declare('late')
other.queue_declare('early')
for n in range(3): h.basic_publish('', 'late', b'n%d' % n)
other.basic_publish('', 'early', b'x')
say(other.basic_get('early', auto_ack=True)[2], other.basic_get('late')[2])
h.close()
say([other.basic_get('late', auto_ack=True)[2].decode() for _ in range(3)])
other.queue_delete('late'); other.queue_delete('early')
c.close()
",
    );
    assert_eq!(client.line(), "b'x' None");
    assert_eq!(client.line(), "['n0', 'n1', 'n2']");
    assert_eq!(client.line(), "");
}

struct Stub;

impl Answers for Stub {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let say = match asked.request.get("queue").and_then(Value::as_text) {
            Some("orders") => parse(r#"{"topic":"orders","headers":{"n":1},"body":{"order":7}}"#).unwrap(),
            Some("empty") => Value::map::<&str>([]),
            _ => return None,
        };
        let by = Arc::from("the stub");
        let say = Say::Answer(Arc::new(say));
        Some(Answering { by, after: Duration::ZERO, say, dribble: None, afterwards: Vec::new() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_stands_in_for_a_broker() {
    if python("pika").is_none() {
        return;
    }
    let seam = Seam::stand(Upstream::Nowhere).await;
    seam.put("the stub", Kind::Stub(Arc::new(Stub)), None).await;
    seam.break_it("{\"error\":\"nack\"}", "basic.publish", Some("refused")).await;
    let mut client = Client::run(
        seam.address.port(),
        r"
h = c.channel()
h.confirm_delivery()
h.exchange_declare('events', 'topic')
name = h.queue_declare('').method.queue
h.queue_bind(name, 'events', '#')
h.basic_qos(prefetch_count=3)
h.basic_publish('events', 'a', b'one')
try: h.basic_publish('events', 'a', b'refused')
except pika.exceptions.NackError: say('refused')
h.basic_publish('events', 'a', b'two')
method, properties, body = h.basic_get('orders')
say(name != '', method.routing_key, properties.headers, properties.content_type, body.decode())
h.basic_ack(method.delivery_tag)
say(h.basic_get('empty'))
say([one[2] for one in got(h, 'orders', 1, within=0.2)])
h.cancel()
other = c.channel()
try: other.basic_get('unknown')
except pika.exceptions.ChannelClosedByBroker as error: say(error.reply_code, error.reply_text)
h.basic_publish('events', 'a', b'three')
c.close()
say('closed')
",
    );
    assert_eq!(client.line(), "refused");
    assert_eq!(client.line(), "True orders {'n': 1} application/json {\"order\":7}");
    assert_eq!(client.line(), "(None, None, None)");
    assert_eq!(client.line(), "[]");
    assert_eq!(client.line(), "404 no stub answers this");
    assert_eq!(client.line(), "closed");
    let messages = seam.told("message").await;
    assert_eq!(messages, ["one", "refused", "two", "three"].map(|text| format!("basic.publish {text}")));
    let requests = seam.told("request").await;
    assert!(requests.contains(&"queue.declare".to_owned()), "{requests:?}");
}

/// What stands behind a message that was struck, on the wire already, goes no further than it does.
async fn nothing_behind_passes(seam: Seam, fault: &str) {
    seam.break_it(fault, "basic.publish", Some("m1")).await;
    let mut client = Client::run(
        seam.address.port(),
        r"
h = c.channel()
h.queue_delete('behind')
h.queue_declare('behind')
for n in range(4): h._impl.basic_publish('', 'behind', b'm%d' % n)
try: h.queue_declare('other')
except Exception as error: say(type(error).__name__)
try: c.close()
except Exception: pass
wait()
for again in range(200):
    try: c = connect(); break
    except Exception: time.sleep(0.05)
h = c.channel()
say([body.decode() for _, _, body in got(h, 'behind', 4, within=1)])
c.close()
",
    );
    let ended = client.line();
    assert!(ended.contains("Closed") || ended.contains("Lost"), "{fault}: {ended}");
    client.go_on();
    assert_eq!(client.line(), "['m0']", "{fault}");
}
