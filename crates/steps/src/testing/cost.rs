//! What a step costs beyond what the server and the sockets cost by themselves: a measurement, not a test.
//!
//! `cargo test -p seam-steps --release -- --ignored --nocapture what_steps_cost`

use super::{Bed, LIMIT, Variables, servers, step};
use crate::action::StepContext;
use crate::actor::Actor;
use seam_value::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tokio::time::Instant;

const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Server: shop\r\nContent-Length: 91\r\n\r\n\
    {\"id\":7,\"state\":\"paid\",\"total\":39.90,\"lines\":[{\"isbn\":\"978-0\",\"quantity\":1,\"price\":39.90}]}";

const REQUEST: &[u8] = b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nAccept: */*\r\nUser-Agent: seamwork\r\n\
    Content-Type: application/json\r\nAuthorization: Bearer t1\r\nContent-Length: 29\r\n\r\n{\"isbn\":\"978-0\",\"quantity\":1}";

const ROUNDS: usize = 25;

/// A server on a thread of its own that answers whatever comes in one piece.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || {
                let mut some = [0; 4096];
                while stream.read(&mut some).is_ok_and(|length| length > 0) {
                    stream.write_all(ANSWER).unwrap();
                }
            });
        }
    });
    at
}

/// The best of several rounds, for one time: what else the machine does only adds to it.
fn best(rounds: &[Duration]) -> f64 {
    rounds.iter().min().unwrap().as_secs_f64() * 1e6
}

/// Microseconds for one exchange of bytes over a socket of tokio's, with nothing made of them.
async fn floor(at: SocketAddr, times: u32) -> f64 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut some = vec![0; 4096];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..times {
            stream.write_all(REQUEST).await.unwrap();
            let length = stream.read(&mut some).await.unwrap();
            assert_eq!(length, ANSWER.len());
        }
        rounds.push(began.elapsed() / times);
    }
    best(&rounds)
}

/// Microseconds for one step of an actor, or of a new actor each time.
async fn cost(yaml: &str, bed: &Bed, times: u32, new_actors: Actors) -> f64 {
    let action = step(yaml);
    let names = Variables::of(r#"{"token":"t1","isbn":"978-0","order":7}"#);
    let mut actor = Actor::new("");
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..times {
            if new_actors == Actors::New {
                actor = Actor::new("");
            }
            let deadline = Instant::now() + LIMIT;
            let cx =
                StepContext { names: &names, actor: &actor, bench: bed, inner: bed, deadline, settle: true };
            let result = action.run(&cx).await.unwrap();
            assert_eq!(result.get("error"), Some(&Value::Null), "{result}");
        }
        rounds.push(began.elapsed() / times);
    }
    best(&rounds)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Actors {
    Same,
    New,
}

fn bed(http: SocketAddr, postgres: Option<SocketAddr>, redis: Option<SocketAddr>) -> Bed {
    let mut bed = Bed::with(&[("gateway", http)]);
    if let Some(at) = postgres {
        bed.addresses.insert("pg.orders".to_owned(), at);
        let url = format!("postgresql://tester:p%40ss%3Aword@{at}/postgres");
        bed.properties.insert("pg.orders.url".to_owned(), url);
    }
    if let Some(at) = redis {
        bed.addresses.insert("redis".to_owned(), at);
        bed.properties.insert("redis.url".to_owned(), format!("redis://:secret@{at}"));
    }
    bed
}

#[tokio::test]
#[ignore = "a measurement"]
async fn what_steps_cost() {
    const POST: &str = "- http: POST gateway/orders\n  bearer: $token\n  json: { isbn: $isbn, quantity: 1 }\n  expect: { status: 201, body.total: 39.90 }";
    const BOUND: &str = "- sql: pg.orders\n  query: select $order::int as id, 'paid' as state";
    const PLAIN: &str = "- sql: pg.orders\n  query: select 7 as id, 'paid' as state";
    const GET: &str = "- redis: redis\n  command: GET cart:$order";
    let (postgres, redis) = (servers::postgres().await, servers::redis().await);
    let at = |server: &Option<servers::Server>| server.as_ref().map(|server| server.at);
    let http = server();
    let bed = bed(http, at(&postgres), at(&redis));
    let floor = floor(http, 5_000).await;
    let mut rows = vec![
        ("http: bytes to and fro, nothing made of them", floor),
        ("http: one step, its actor's connection", cost(POST, &bed, 5_000, Actors::Same).await),
        ("http: one step, a new connection", cost(POST, &bed, 500, Actors::New).await),
    ];
    if postgres.is_some() {
        rows.push(("sql: one step without variables", cost(PLAIN, &bed, 1_000, Actors::Same).await));
        rows.push(("sql: one step with a variable", cost(BOUND, &bed, 1_000, Actors::Same).await));
        rows.push(("sql: one step with a variable, a new session", cost(BOUND, &bed, 50, Actors::New).await));
    }
    if redis.is_some() {
        rows.push(("redis: one step", cost(GET, &bed, 1_000, Actors::Same).await));
        rows.push(("redis: one step, a new session", cost(GET, &bed, 200, Actors::New).await));
    }
    for (name, micros) in rows {
        eprintln!("{name:<50} {micros:>9.1} us");
    }
    for server in [postgres, redis].into_iter().flatten() {
        server.finish().await;
    }
    // Kept open until here, so that the server's thread does not count its end.
    drop(TcpStream::connect(http));
}
