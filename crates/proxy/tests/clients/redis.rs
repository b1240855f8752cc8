//! Redis and the `redis` crate.

use crate::bed::{Bed, LONG, Server, free_port};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, Client, RedisError, cmd, pipe};
use std::process::Command;

fn server() -> Option<Server> {
    let (address, folder) = (free_port(), tempfile::tempdir().unwrap());
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
    command.current_dir(folder.path());
    Server::start(&mut command, "Ready to accept connections", address, folder)
}

async fn connect(bed: &Bed, query: &str) -> MultiplexedConnection {
    let client = Client::open(format!("redis://{}/{query}", bed.address)).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_refused_doubled_and_answered() {
    let Some(server) = server() else { return };
    for query in ["", "?protocol=resp3"] {
        let bed = Bed::stand("redis", Some(server.address)).await;
        let mut shop = connect(&bed, query).await;
        let _: () = cmd("FLUSHALL").query_async(&mut shop).await.unwrap();
        let _: () = shop.set("stock", 3).await.unwrap();

        let rule = bed.fault(r#"{"error":"LOADING not yet"}"#, "\"GET\"", Some(1)).await;
        let refused: Result<i64, RedisError> = shop.get("stock").await;
        assert_eq!(refused.unwrap_err().code(), Some("LOADING"));
        let stock: i64 = shop.get("stock").await.unwrap();
        assert_eq!(stock, 3);
        bed.take_away(&rule);

        // A transaction of which one command is refused changes nothing.
        let rule = bed.fault(r#"{"error":"OOM full"}"#, "DECR", None).await;
        let both: Result<(i64, i64), RedisError> =
            pipe().atomic().incr("sold", 1).decr("stock", 1).query_async(&mut shop).await;
        both.unwrap_err();
        bed.take_away(&rule);
        let (stock, sold): (i64, Option<i64>) =
            pipe().get("stock").get("sold").query_async(&mut shop).await.unwrap();
        assert_eq!((stock, sold), (3, None));

        let rule = bed.fault("\"duplicate\"", "INCRBY", None).await;
        let sold: i64 = shop.incr("sold", 1).await.unwrap();
        assert_eq!(sold, 1);
        bed.take_away(&rule);
        let sold: i64 = shop.get("sold").await.unwrap();
        assert_eq!(sold, 2);

        let rule = bed.stub(&[("prices", r#"{"value":{"book":"39.90"}}"#)]).await;
        let price: String = shop.hget("others", "book").await.unwrap_or_default();
        assert_eq!(price, "");
        let prices: std::collections::HashMap<String, String> = shop.hgetall("prices").await.unwrap();
        assert_eq!(prices["book"], "39.90");
        bed.take_away(&rule);

        let rule = bed.fault(r#"{"latency":"5ms"}"#, "", None).await;
        let large = "x".repeat(3_000_000);
        let _: () = shop.set("large", &large).await.unwrap();
        let again: String = shop.get("large").await.unwrap();
        assert!(again == large);
        bed.take_away(&rule);
        bed.was_legible();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_is_a_redis() {
    for query in ["", "3?protocol=resp3"] {
        let bed = Bed::stand("redis", None).await;
        let _rule = bed.stub(&[("\"GET\"", r#"{"value":"7"}"#), ("DECR", r#"{"error":"OOM full"}"#)]).await;
        let mut shop = connect(&bed, query).await;
        let stock: i64 = shop.get("stock").await.unwrap();
        assert_eq!(stock, 7);
        let refused: Result<i64, RedisError> = shop.decr("stock", 1).await;
        assert_eq!(refused.unwrap_err().code(), Some("OOM"));
        let both: (i64, i64) = pipe().atomic().get("a").get("b").query_async(&mut shop).await.unwrap();
        assert_eq!(both, (7, 7));
        let unknown: Result<i64, RedisError> = shop.incr("sold", 1).await;
        assert!(unknown.unwrap_err().to_string().contains("no stub answers this"));
        bed.was_legible();
    }
}

/// What is published arrives whichever version is spoken, over connections that are watched, held, and cut in between.
#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_and_coming_back() {
    let Some(server) = server() else { return };
    for query in ["", "?protocol=resp3"] {
        let bed = Bed::stand("redis", Some(server.address)).await;
        let mut shop = connect(&bed, query).await;
        let client = Client::open(format!("redis://{}/{query}", bed.address)).unwrap();
        for round in 0..2 {
            let rule = bed.fault(r#"{"latency":"1ms"}"#, "", None).await;
            let mut hears = client.get_async_pubsub().await.unwrap();
            hears.subscribe(&["orders", "mails"]).await.unwrap();
            hears.psubscribe("audit.*").await.unwrap();
            let n_reached: i64 = shop.publish("orders", "7").await.unwrap();
            assert_eq!(n_reached, 1);
            bed.take_away(&rule);
            let _: i64 = shop.publish("audit.stock", "8").await.unwrap();
            let heard: Vec<String> =
                tokio::time::timeout(LONG, hears.on_message().take(2).collect::<Vec<_>>())
                    .await
                    .unwrap()
                    .iter()
                    .map(|message| {
                        format!("{} {}", message.get_channel_name(), message.get_payload::<String>().unwrap())
                    })
                    .collect();
            assert_eq!(heard, ["orders 7", "audit.stock 8"], "{query} {round}");
            if round == 0 {
                // The seam is cut: who listened hears that it is over, and comes back.
                let cut = bed.fault("\"cut\"", "", None).await;
                let _: Result<i64, RedisError> = shop.publish("orders", "cut").await;
                let end = tokio::time::timeout(LONG, hears.on_message().next()).await;
                assert!(end.unwrap().is_none());
                bed.take_away(&cut);
                shop = connect(&bed, query).await;
            }
        }
        bed.was_legible();
    }
}

/// RESP3's pushes come between the replies of the same connection.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_between_replies() {
    let Some(server) = server() else { return };
    let bed = Bed::stand("redis", Some(server.address)).await;
    for is_held in [false, true] {
        let rule = if is_held { Some(bed.fault(r#"{"latency":"1ms"}"#, "", None).await) } else { None };
        let (said, mut pushes) = tokio::sync::mpsc::unbounded_channel();
        let config = redis::AsyncConnectionConfig::new().set_push_sender(said);
        let client = Client::open(format!("redis://{}/?protocol=resp3", bed.address)).unwrap();
        let mut shop = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        shop.subscribe("orders").await.unwrap();
        for n in 0..20_i64 {
            let (reached, again): (i64, i64) = pipe()
                .cmd("PUBLISH")
                .arg("orders")
                .arg(n)
                .cmd("INCRBY")
                .arg("n")
                .arg(0)
                .query_async(&mut shop)
                .await
                .unwrap();
            assert_eq!((reached, again), (1, 0));
        }
        let mut heard = 0;
        while heard < 20 {
            let push = tokio::time::timeout(LONG, pushes.recv()).await.unwrap().unwrap();
            if push.kind == redis::PushKind::Message {
                assert_eq!(push.data[1], redis::Value::BulkString(heard.to_string().into_bytes()));
                heard += 1;
            }
        }
        if let Some(rule) = rule {
            bed.take_away(&rule);
        }
    }
    bed.was_legible();
}
