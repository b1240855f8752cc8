//! Requests over HTTP/2 against small real servers.

use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, run, run_as, serving, step, unsaid};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seam_value::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn answer(
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<http_body_util::combinators::BoxBody<Bytes, std::io::Error>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let told = Value::map([
        ("version", Value::text(format!("{:?}", head.version))),
        ("to", Value::text(head.uri.to_string())),
        ("host", Value::from(head.headers.contains_key("host"))),
        ("cookie", Value::text(head.headers.get("cookie").map_or("", |value| value.to_str().unwrap()))),
        ("text", Value::text(String::from_utf8_lossy(&body))),
    ]);
    let mut after = http::HeaderMap::new();
    after.insert("checksum", "abc".parse().unwrap());
    let trailers = async move { Some(Ok(after)) };
    let told = Full::new(Bytes::from(told.to_string())).map_err(infallible);
    let response = hyper::Response::builder().header("content-type", "application/json");
    match head.uri.path() {
        "/broken" => Err(std::io::Error::other("broken")),
        "/never" => std::future::pending().await,
        _ => Ok(response.header("set-cookie", "sid=1").body(told.with_trailers(trailers).boxed()).unwrap()),
    }
}

fn infallible(never: Infallible) -> std::io::Error {
    match never {}
}

async fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    serving(|stream, _| async {
        let serve = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = serve.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
    })
    .await
}

#[tokio::test]
async fn version_2_asks_over_http_2_and_gives_what_was_sent_after_the_body() {
    let (at, n_connections) = server().await;
    let bed = Bed::with(&[("gateway", at)]);
    let actor = Actor::new("");
    let asked =
        "- http: POST gateway/a b\n  version: 2\n  query: { q: 1 }\n  json: [1]\n  headers: { X-A: b }";
    let result = run(asked, &actor, &bed, "{}").await;
    assert_eq!(result.get("status"), Some(&Value::from(200_u64)), "{result}");
    let expect = format!(
        r#"{{"version":"HTTP/2.0","to":"http://{at}/a%20b?q=1","host":false,"cookie":"","text":"[1]"}}"#
    );
    assert_eq!(result.get("body").unwrap().to_string(), expect);
    assert_eq!(result.get("trailers").unwrap().to_string(), r#"{"checksum":"abc"}"#);
    // The connection and the cookie are the actor's.
    let result = run("- http: GET gateway/me\n  version: 2", &actor, &bed, "{}").await;
    assert_eq!(result.get("body").unwrap().get("cookie"), Some(&Value::text("sid=1")));
    assert_eq!(n_connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_goes_wrong_over_http_2_has_the_same_words() {
    let (at, _) = server().await;
    let bed = Bed::with(&[("gateway", at)]);
    let actor = Actor::new("");
    let get = |path: &str| step(&format!("- http: GET gateway{path}\n  version: 2"));
    let reset = get("/broken");
    let result = run_as(reset.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(unsaid(reset.as_ref(), &result), ["error: the connection was reset"]);
    let result =
        run_as(get("/never").as_ref(), &actor, &bed, "{}", Duration::from_millis(100)).await.unwrap();
    assert_eq!(result.get("error"), Some(&Value::text("timeout")));

    // Somebody who knows no more than HTTP/1.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_buf(&mut Vec::with_capacity(1024)).await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            open.push(stream);
        }
    });
    let bed = Bed::with(&[("gateway", at)]);
    let older = get("/x");
    let result = run_as(older.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(result.get("error"), Some(&Value::text("malformed")), "{result}");
    assert_eq!(unsaid(older.as_ref(), &result), ["error: the answer is not HTTP/2"]);
}
