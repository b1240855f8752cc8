//! Mosquitto, and a client in Python (paho).

use crate::bed::{Client, Seam, Server, Table, free_port, program, python, text};
use seam_proxy::{Kind, Often, Upstream};
use std::process::Command;
use std::sync::Arc;

fn server() -> Option<Server> {
    let server = program("mosquitto")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let conf = dir.path().join("conf");
    std::fs::write(&conf, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
    Some(Server::start(dir, port, Command::new(server).arg("-c").arg(conf)))
}

const BEGIN: &str = r"
import paho.mqtt.client as mqtt, queue
from paho.mqtt.properties import Properties
more = {'callback_api_version': mqtt.CallbackAPIVersion.VERSION1} if hasattr(mqtt, 'CallbackAPIVersion') else {}
def connect(name, version=5):
    c = mqtt.Client(client_id=name, protocol=version, **more)
    c.got, c.done = queue.Queue(), queue.Queue()
    c.on_message = lambda c, u, m: c.got.put(m)
    c.on_connect = lambda *a: c.done.put('in')
    c.on_subscribe = lambda *a: c.done.put('subscribed')
    c.connect('127.0.0.1', port, 60); c.loop_start(); c.done.get(timeout=10)
    return c
def subscribe(c, topic, qos): c.subscribe(topic, qos); c.done.get(timeout=10)
def publish(c, topic, text, qos=1, **more):
    info = c.publish(topic, text, qos, **more)
    try: info.wait_for_publish(2)
    except TypeError: info.wait_for_publish()
    return info.is_published()
def take(c, n, within=5):
    out = []
    try:
        while len(out) < n: out.append(c.got.get(timeout=within))
    except queue.Empty: pass
    return out
def texts(c, n, within=5): return [m.payload.decode() for m in take(c, n, within)]
";

#[tokio::test(flavor = "multi_thread")]
async fn between_paho_and_mosquitto() {
    let Some(python) = python("paho.mqtt") else { return };
    let Some(server) = server() else { return };
    watched(&server, python).await;
    one_message_of_many(&server, python).await;
    arrived_and_never_heard_of(&server, python).await;
    refused(&server, python).await;
}

async fn watched(server: &Server, python: &str) {
    let seam = Seam::stand("mqtt", server.upstream()).await;
    for version in [4, 5] {
        let script = r"
c = connect('a', VERSION)
subscribe(c, 'a/#', 2)
large = bytes(range(256)) * 8000
for qos in range(3): publish(c, 'a/b', 'q%d' % qos, qos)
publish(c, 'a/kept', 'kept', 1, retain=True)
publish(c, 'a/large', large, 2)
got = {m.topic + str(m.qos): m.payload for m in take(c, 5)}
say(sorted(got), got['a/large2'] == large)
d = connect('d', VERSION)
subscribe(d, 'a/kept', 1)
say([(m.payload, m.retain) for m in take(d, 1)])
publish(c, 'a/kept', None, 1, retain=True)
c.disconnect(); d.disconnect(); say('closed')
";
        let script = format!("{BEGIN}{}", script.replace("VERSION", &version.to_string()));
        let mut client = Client::run(python, seam.address.port(), &script);
        assert_eq!(client.line(), "['a/b0', 'a/b1', 'a/b2', 'a/kept1', 'a/large2'] True");
        let kept = client.line();
        assert!(kept == "[(b'kept', 1)]" || kept == "[(b'kept', True)]", "{kept}");
        assert_eq!(client.line(), "closed");
    }
    let told = seam.told().await;
    let of = |kind: &str, topic: &str| {
        told.iter()
            .filter(|one| text(&one.message, "kind") == kind && text(&one.message, "topic") == topic)
            .count()
    };
    assert_eq!((of("published", "a/b"), of("delivered", "a/b")), (6, 6));
    assert_eq!((of("published", "a/large"), of("delivered", "a/large")), (2, 2));
    assert_eq!(told.iter().filter(|one| text(&one.request, "command") == "SUBSCRIBE").count(), 4);
    let large = told.iter().find(|one| text(&one.message, "topic") == "a/large").unwrap();
    assert!(large.cut, "only its beginning is kept");
}

async fn one_message_of_many(server: &Server, python: &str) {
    let seam = Seam::stand("mqtt", server.upstream()).await;
    let script = r"
a, b = connect('a'), connect('b', 4)
subscribe(a, 'x', 1); subscribe(b, 'x', 2)
say('both'); wait()
published = [publish(a, 'x', 'm%d' % n, 1) for n in range(6)]
say(published)
say(sorted(texts(a, 8, 1)))
say(sorted(texts(b, 8, 1)))
say([publish(b, 'x', 'n%d' % n, 2) for n in range(3)])
say(texts(a, 3), texts(b, 3))
";
    let mut client = Client::run(python, seam.address.port(), &format!("{BEGIN}{script}"));
    assert_eq!(client.line(), "both");
    seam.break_once("\"reply_lost\"", |one| {
        text(one, "message.kind") == "published" && text(one, "message.text") == "m1"
    })
    .await;
    seam.break_once("\"duplicate\"", |one| {
        text(one, "message.kind") == "published" && text(one, "message.text") == "m3"
    })
    .await;
    seam.break_once("\"reply_lost\"", |one| {
        text(one, "message.kind") == "delivered" && text(one, "message.text") == "m4"
    })
    .await;
    client.go_on();
    assert_eq!(client.line(), "[True, False, True, True, True, True]", "what is lost is not acknowledged");
    let (one, other) = (client.line(), client.line());
    let all = "['m0', 'm2', 'm3', 'm3', 'm4', 'm5']";
    let without = "['m0', 'm2', 'm3', 'm3', 'm5']";
    assert!([&*one, &*other] == [all, without] || [&*one, &*other] == [without, all], "{one} {other}");
    assert_eq!(client.line(), "[True, True, True]", "the ids are in step");
    assert_eq!(client.line(), "['n0', 'n1', 'n2'] ['n0', 'n1', 'n2']");
    seam.told().await;
}

/// A message that has arrived, and whose sender is cut off before it hears so, is sent again: it arrives twice.
async fn arrived_and_never_heard_of(server: &Server, python: &str) {
    let seam = Seam::stand("mqtt", server.upstream()).await;
    let script = r"
got, c = connect('reader', 4), connect('writer', 4)
subscribe(got, 'z', 1)
say('both'); wait()
say(publish(c, 'z', 'm1', 1))
say(texts(got, 2))
";
    let mut client = Client::run(python, seam.address.port(), &format!("{BEGIN}{script}"));
    assert_eq!(client.line(), "both");
    seam.break_once(r#"{"reset":"answered"}"#, |one| text(one, "message.kind") == "published").await;
    client.go_on();
    let _ = client.line();
    assert_eq!(client.line(), "['m1', 'm1']");
    seam.told().await;
}

async fn refused(server: &Server, python: &str) {
    let seam = Seam::stand("mqtt", server.upstream()).await;
    seam.break_once(r#"{"error":"not authorized"}"#, |one| text(one, "message.text") == "p1").await;
    seam.break_once(r#"{"error":135}"#, |one| text(one, "request.topic") == "secret").await;
    let script = r"
c = connect('c')
c.on_subscribe = lambda c, u, mid, codes, *more: c.done.put([int(getattr(code, 'value', code)) for code in codes])
c.subscribe('secret', 1); say(c.done.get(timeout=10))
c.subscribe('y', 1); say(c.done.get(timeout=10))
for n in range(3): publish(c, 'y', 'p%d' % n)
say(texts(c, 3, 1))
";
    let mut client = Client::run(python, seam.address.port(), &format!("{BEGIN}{script}"));
    assert_eq!([client.line(), client.line()], ["[135]", "[1]"]);
    assert_eq!(client.line(), "['p0', 'p2']");
    let told = seam.told().await;
    assert!(told.iter().any(|one| text(&one.message, "error.message") == "not authorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_stands_in_for_a_broker() {
    let Some(python) = python("paho.mqtt") else { return };
    let seam = Seam::stand("mqtt", Upstream::Nowhere).await;
    seam.put("the stub", (Kind::Stub(Arc::new(Table(&[]))), Often::default()), None).await;
    let script = r"
for version in (4, 5):
    c = connect('c', version)
    subscribe(c, 'y', 1)
    say([publish(c, 'y', 'p%d' % qos, qos) for qos in range(3)], texts(c, 1, 0.2))
    c.disconnect()
";
    let mut client = Client::run(python, seam.address.port(), &format!("{BEGIN}{script}"));
    assert_eq!([client.line(), client.line()], ["[True, True, True] []"; 2]);
    let told = seam.told().await;
    assert_eq!(told.iter().filter(|one| text(&one.message, "kind") == "published").count(), 6);
}
