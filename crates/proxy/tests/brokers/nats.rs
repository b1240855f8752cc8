//! NATS, and a client in Rust (async-nats).

use crate::bed::{LONG, Seam, Server, Table, free_port, program, text};
use async_nats::{Client, HeaderMap, Subscriber};
use futures_util::StreamExt as _;
use seam_proxy::{Kind, Often, Upstream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

fn server() -> Option<Server> {
    let server = program("nats-server")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(server);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
    Some(Server::start(dir, port, &mut command))
}

async fn connect(seam: &Seam) -> Client {
    async_nats::connect(format!("nats://{}", seam.address)).await.unwrap()
}

/// Waits until the server has done all that was asked on this connection.
async fn settled(client: &Client) {
    let own = client.new_inbox();
    let mut subscriber = client.subscribe(own.clone()).await.unwrap();
    client.publish(own, "".into()).await.unwrap();
    tokio::time::timeout(LONG, subscriber.next()).await.unwrap().unwrap();
}

async fn texts(subscriber: &mut Subscriber, n_messages: usize, within: Duration) -> Vec<String> {
    let mut got = Vec::new();
    while got.len() < n_messages {
        let Ok(Some(message)) = tokio::time::timeout(within, subscriber.next()).await else { break };
        got.push(String::from_utf8_lossy(&message.payload).into_owned());
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn between_async_nats_and_nats() {
    let Some(server) = server() else { return };
    watched(Seam::stand("nats", server.upstream()).await).await;
    one_message_of_many(Seam::stand("nats", server.upstream()).await).await;
    coming_back(Seam::stand("nats", server.upstream()).await).await;
}

/// The seam is cut under a client that connects anew by itself, and goes on hearing what it has subscribed to.
async fn coming_back(seam: Seam) {
    let client = connect(&seam).await;
    let mut heard = client.subscribe("x").await.unwrap();
    settled(&client).await;
    client.publish("x", "before".into()).await.unwrap();
    assert_eq!(texts(&mut heard, 1, LONG).await, ["before"]);
    seam.break_once("\"cut\"", |one| text(one, "message.text") == "cut it").await;
    client.publish("x", "cut it".into()).await.unwrap();
    client.flush().await.unwrap();
    // What is sent while it is away may be lost; it sends until it hears itself.
    let mut n_tries = 0;
    while texts(&mut heard, 1, Duration::from_millis(200)).await != ["after"] {
        n_tries += 1;
        assert!(n_tries < 100, "it does not come back");
        client.publish("x", "after".into()).await.unwrap();
        let _ = tokio::time::timeout(LONG, client.flush()).await;
    }
    seam.told().await;
}

async fn watched(seam: Seam) {
    let client = connect(&seam).await;
    let mut orders = client.subscribe("orders.>").await.unwrap();
    let mut asked = client.queue_subscribe("ask", "workers".to_owned()).await.unwrap();
    let large: Vec<u8> = (0..=255_u8).cycle().take(900_000).collect();
    let mut headers = HeaderMap::new();
    headers.insert("X-Trace", "abc");
    client.publish_with_headers("orders.new", headers, r#"{"id":7}"#.into()).await.unwrap();
    client.publish("orders.large", large.clone().into()).await.unwrap();
    client.publish("orders.empty", "".into()).await.unwrap();
    let first = orders.next().await.unwrap();
    assert_eq!(first.headers.unwrap().get("X-Trace").unwrap().as_str(), "abc");
    assert!(orders.next().await.unwrap().payload == large);
    assert!(orders.next().await.unwrap().payload.is_empty());
    let worker = client.clone();
    let worker = tokio::spawn(async move {
        let question = asked.next().await.unwrap();
        worker.publish(question.reply.unwrap(), "42".into()).await.unwrap();
    });
    let answer = tokio::time::timeout(LONG, client.request("ask", "?".into())).await.unwrap().unwrap();
    assert_eq!(&*answer.payload, b"42");
    worker.await.unwrap();
    assert!(client.request("nobody", "?".into()).await.is_err());
    client.drain().await.unwrap();
    let told = seam.told().await;
    let of = |kind: &str, topic: &str| {
        told.iter()
            .filter(|one| text(&one.message, "kind") == kind && text(&one.message, "topic") == topic)
            .count()
    };
    for topic in ["orders.new", "orders.large", "orders.empty", "ask"] {
        assert_eq!((of("published", topic), of("delivered", topic)), (1, 1), "{topic}");
    }
    assert!(told.iter().any(|one| text(&one.request, "queue") == "workers"));
    let nobody = told.iter().find(|one| one.message.get("status") == Some(&503_u64.into()));
    assert!(nobody.is_some(), "nobody is there to answer");
}

async fn one_message_of_many(seam: Seam) {
    let (client, neighbour) = (connect(&seam).await, connect(&seam).await);
    let mut mine = client.subscribe("x").await.unwrap();
    let mut others = neighbour.subscribe("x").await.unwrap();
    settled(&client).await;
    settled(&neighbour).await;
    seam.break_once("\"reply_lost\"", |one| {
        text(one, "message.kind") == "published" && text(one, "message.text") == "m1"
    })
    .await;
    seam.break_once("\"duplicate\"", |one| {
        text(one, "message.kind") == "published" && text(one, "message.text") == "m3"
    })
    .await;
    seam.break_once(r#"{"error":"Permissions Violation for Publish to \"x\""}"#, |one| {
        text(one, "message.kind") == "published" && text(one, "message.text") == "m4"
    })
    .await;
    seam.break_once("\"reply_lost\"", |one| {
        text(one, "message.kind") == "delivered" && text(one, "message.text") == "m5"
    })
    .await;
    for n in 0..7 {
        client.publish("x", format!("m{n}").into()).await.unwrap();
    }
    let (mine, others) = (
        texts(&mut mine, 8, Duration::from_secs(1)).await,
        texts(&mut others, 8, Duration::from_secs(1)).await,
    );
    let all = ["m0", "m2", "m3", "m3", "m5", "m6"];
    let without = ["m0", "m2", "m3", "m3", "m6"];
    assert!((mine == all && others == without) || (mine == without && others == all), "{mine:?} {others:?}");
    let told = seam.told().await;
    assert!(told.iter().any(|one| text(&one.message, "error").starts_with("Permissions Violation")));
}

/// What is published where no server is can be answered by another message, for who has subscribed or waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_answers_messages() {
    let seam = Seam::stand("nats", Upstream::Nowhere).await;
    let table = Table(&[
        (|asked| text(asked, "topic") == "price", r#"{"body":{"price":39.90}}"#),
        (|asked| text(asked, "topic") == "orders.new", r#"{"topic":"orders.done","body":"done"}"#),
        (|asked| text(asked, "topic") == "orders.bad", r#"{"error":"Permissions Violation for Publish"}"#),
    ]);
    seam.put("the stub", (Kind::Stub(Arc::new(table)), Often::default()), None).await;
    let client = connect(&seam).await;
    // Nobody has subscribed yet, so nobody hears.
    client.publish("orders.new", "0".into()).await.unwrap();
    let price = tokio::time::timeout(LONG, client.request("price", "978".into())).await.unwrap().unwrap();
    assert_eq!(&*price.payload, br#"{"price":39.90}"#);
    let mut done = client.subscribe("orders.done").await.unwrap();
    client.publish("orders.new", "1".into()).await.unwrap();
    client.publish("orders.bad", "2".into()).await.unwrap();
    client.publish("orders.other", "3".into()).await.unwrap();
    client.publish("orders.new", "4".into()).await.unwrap();
    assert_eq!(texts(&mut done, 3, Duration::from_secs(1)).await, ["done", "done"]);
    let told = seam.told().await;
    assert!(told.iter().any(|one| text(&one.message, "error").starts_with("Permissions Violation")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_stands_in_for_nats() {
    let seam = Seam::stand("nats", Upstream::Nowhere).await;
    seam.put("the stub", (Kind::Stub(Arc::new(Table(&[]))), Often::default()), None).await;
    let client = connect(&seam).await;
    let mut subscriber = client.subscribe("a").await.unwrap();
    client.publish("a", "x".into()).await.unwrap();
    tokio::time::timeout(LONG, client.flush()).await.unwrap().unwrap();
    assert_eq!(texts(&mut subscriber, 1, Duration::from_millis(200)).await, [""; 0]);
    let told = seam.told().await;
    assert_eq!(told.iter().filter(|one| text(&one.message, "topic") == "a").count(), 1);
}
