//! What each route answers, without a socket for the API itself.

use super::Toxiproxy;
use crate::answer::{Answer, Asked};
use bytes::Bytes;
use hyper::header::HeaderMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

async fn ask(api: &Toxiproxy, line: &str, body: &str) -> (u16, String) {
    let answer = whole(api, line, body, "").await;
    (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap())
}

async fn whole(api: &Toxiproxy, line: &str, body: &str, agent: &str) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", agent.parse().unwrap());
    let asked = Asked {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: String::new(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    api.answer(&asked).await.unwrap()
}

/// Carries out requests one by one; a port that is free becomes PORT.
async fn check(asked: &[(&str, &str, u16, &str)]) {
    let api = Toxiproxy::new(1);
    for (line, body, status, expected) in asked {
        let (is, told) = ask(&api, line, body).await;
        let port = told.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("PORT");
        assert_eq!((is, told.replace(port, "PORT").as_str()), (*status, *expected), "{line} {body}");
    }
    api.clear().await;
}

#[tokio::test]
async fn proxies_are_made_shown_changed_and_taken_away() {
    let made = r#"{"name":"db","listen":"127.0.0.1:PORT","upstream":"localhost:1","enabled":true,"Logger":{},"toxics":[]}"#;
    let off = made.replace("true", "false");
    check(&[
        ("GET /proxies", "", 200, "{}"),
        ("POST /proxies", r#"{"name":"db","listen":"localhost:0","upstream":"localhost:1"}"#, 201, made),
        ("GET /proxies/db", "", 200, made),
        ("GET /proxies", "", 200, &format!("{{\"db\":{made}}}")),
        ("PATCH /proxies/db", r#"{"enabled":false}"#, 200, &off),
        ("POST /proxies/db", r#"{"enabled":true}"#, 200, made),
        ("POST /proxies/db", r#"{"enabled":false}"#, 200, &off),
        ("POST /reset", "", 204, ""),
        ("GET /proxies/db", "", 200, made),
        ("DELETE /proxies/db", "", 204, ""),
        ("GET /proxies/db", "", 404, "{\"error\":\"proxy not found\",\"status\":404}\n"),
    ])
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_proxy_is_told_in_toxiproxys_words() {
    let bad = |reason: &str| format!("{{\"error\":\"{reason}\",\"status\":400}}\n");
    check(&[
        ("POST /proxies", "", 400, &bad("bad request body: EOF")),
        ("POST /proxies", "{}", 400, &bad("missing required field: name")),
        ("POST /proxies", r#"{"name":"a"}"#, 400, &bad("missing required field: upstream")),
        (
            "POST /proxies",
            r#"{"name":1}"#,
            400,
            &bad("bad request body: json: cannot unmarshal number into Go struct field Proxy.name of type string"),
        ),
        (
            "POST /proxies",
            r#"{"name":"a","upstream":"b:1","listen":"local373"}"#,
            500,
            "{\"error\":\"listen tcp: address local373: missing port in address\",\"status\":500}\n",
        ),
        (
            "POST /proxies",
            r#"{"name":"a","upstream":"b:1","enabled":false}"#,
            201,
            r#"{"name":"a","listen":"","upstream":"b:1","enabled":false,"Logger":{},"toxics":[]}"#,
        ),
        (
            "POST /proxies",
            r#"{"name":"a","upstream":"b:1"}"#,
            409,
            "{\"error\":\"proxy already exists\",\"status\":409}\n",
        ),
        ("PATCH /proxies/none", "{}", 404, "{\"error\":\"proxy not found\",\"status\":404}\n"),
        ("PUT /proxies", "", 405, ""),
        ("GET /populate", "", 405, ""),
    ])
    .await;
}

#[tokio::test]
async fn toxics_come_and_go() {
    let latency = r#"{"attributes":{"latency":100,"jitter":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}"#;
    let changed = r#"{"attributes":{"latency":100,"jitter":7},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":0.5}"#;
    let slicer = r#"{"attributes":{"average_size":3,"size_variation":0,"delay":0},"name":"cut","type":"slicer","stream":"upstream","toxicity":1}"#;
    let error = |status: u16, reason: &str| format!("{{\"error\":\"{reason}\",\"status\":{status}}}\n");
    check(&[
        ("POST /proxies", r#"{"name":"db","listen":"","upstream":"b:1","enabled":false}"#, 201,
            r#"{"name":"db","listen":"","upstream":"b:1","enabled":false,"Logger":{},"toxics":[]}"#),
        ("POST /proxies/db/toxics", r#"{"type":"latency","attributes":{"latency":100}}"#, 200, latency),
        ("POST /proxies/db/toxics", r#"{"type":"latency"}"#, 409, &error(409, "toxic already exists")),
        ("POST /proxies/db/toxics", r#"{"type":"none"}"#, 400, &error(400, "invalid toxic type")),
        ("POST /proxies/db/toxics", r#"{"type":"latency","stream":"x"}"#, 400,
            &error(400, "stream was invalid, can be either upstream or downstream")),
        ("POST /proxies/db/toxics", r#"{"type":"slicer","name":"cut","stream":"upstream","attributes":{"average_size":3}}"#, 200, slicer),
        ("GET /proxies/db/toxics", "", 200, &format!("[{slicer},{latency}]")),
        ("POST /proxies/db/toxics/latency_downstream", r#"{"attributes":{"jitter":7},"toxicity":0.5}"#, 200, changed),
        ("GET /proxies/db/toxics/latency_downstream", "", 200, changed),
        ("PATCH /proxies/db/toxics/latency_downstream", r#"{"attributes":{"latency":"x"}}"#, 400,
            &error(400, "bad request body: json: cannot unmarshal string into Go struct field LatencyToxic.attributes.latency of type int64")),
        ("DELETE /proxies/db/toxics/cut", "", 204, ""),
        ("DELETE /proxies/db/toxics/cut", "", 404, &error(404, "toxic not found")),
        ("GET /proxies/db/toxics", "", 200, &format!("[{changed}]")),
        ("POST /proxies/db/toxics", r#"{"name":"foobar","type":"noop","attributes":null}"#, 200,
            r#"{"attributes":{},"name":"foobar","type":"noop","stream":"downstream","toxicity":1}"#),
        ("POST /proxies/none/toxics", "{}", 404, &error(404, "proxy not found")),
    ])
    .await;
}

#[tokio::test]
async fn populating_makes_what_is_not_there_and_leaves_what_is() {
    let one = r#"{"name":"one","listen":"127.0.0.1:PORT","upstream":"localhost:1","enabled":true,"Logger":{},"toxics":[]}"#;
    check(&[
        ("POST /populate", "[]", 201, r#"{"proxies":null}"#),
        ("POST /populate", r#"[{"name":"one","upstream":"a:1"},{"listen":"x"}]"#, 400,
            r#"{"error":"missing required field: name at proxy 2","status":400,"proxies":null}"#),
        ("POST /populate", r#"[{"name":"one","listen":"localhost:0","upstream":"localhost:1"}]"#, 201,
            &format!("{{\"proxies\":[{one}]}}")),
        ("POST /populate", r#"[{"name":"one","listen":"localhost:0","upstream":"localhost:1"},{"name":"two","listen":"local373","upstream":"b:1"}]"#, 500,
            &format!("{{\"error\":\"listen tcp: address local373: missing port in address\",\"status\":500,\"proxies\":[{one}]}}")),
        ("POST /populate", "{}", 400,
            r#"{"error":"bad request body: json: cannot unmarshal object into Go value of type []struct { toxiproxy.Proxy; Enabled *bool \"json:\\\"enabled\\\"\" }","status":400,"proxies":null}"#),
    ])
    .await;
}

#[tokio::test]
async fn browsers_are_sent_away_and_the_version_is_known() {
    let api = Toxiproxy::new(1);
    let answer = whole(&api, "GET /proxies", "", "Mozilla/5.0 (Linux)").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (403, b"User agent not allowed\n".as_slice()));
    let version = whole(&api, "GET /version", "", "curl").await;
    assert_eq!(version.body.as_ref(), b"{\"version\": \"2.12.0\"}\n");
    let header = |name: &str| {
        version.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.to_str().unwrap())
    };
    assert_eq!(header("content-type"), Some("application/json;charset=utf-8"));
    assert_eq!(header("x-toxiproxy-request-id").map(str::len), Some(20));
    let error = whole(&api, "GET /proxies/none", "", "").await;
    assert_eq!(error.headers[0].1, "text/plain; charset=utf-8");
}

#[tokio::test]
async fn a_toxic_that_is_taken_away_at_once_has_stood_on_open_connections() {
    const SOON: Duration = Duration::from_secs(5);
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = server.local_addr().unwrap();
    let api = Toxiproxy::new(1);
    let body = format!(r#"{{"name":"db","listen":"127.0.0.1:0","upstream":"{upstream}"}}"#);
    let (_, told) = ask(&api, "POST /proxies", &body).await;
    let listen = told.split("\"listen\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let mut client = TcpStream::connect(listen).await.unwrap();
    let (mut served, _) = server.accept().await.unwrap();
    client.write_all(b"a").await.unwrap();
    assert_eq!(served.read_u8().await.unwrap(), b'a');
    // What a timeout swallows is missing for good, so it closes what it stood on when it goes.
    ask(&api, "POST /proxies/db/toxics", r#"{"name":"t","type":"timeout","stream":"upstream"}"#).await;
    ask(&api, "DELETE /proxies/db/toxics/t", "").await;
    for side in [&mut client, &mut served] {
        assert_eq!(timeout(SOON, side.read(&mut [0])).await.expect("its end came").unwrap(), 0);
    }
    api.clear().await;
}
