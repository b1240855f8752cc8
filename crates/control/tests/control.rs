//! The control address over real sockets: who is let in, and what toxics do to connections that are open.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seam_control::{Control, Manner, Seams, Served, Toxiproxy};
use seam_expr::Chance;
use seam_stub::Surroundings;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn surroundings() -> Surroundings {
    Surroundings {
        chance: Chance::new(1, "test"),
        now: jiff::Timestamp::now,
        env: Box::new(|_| None),
        file: Box::new(|_| Err("there is none".to_owned())),
        hostname: "here".to_owned(),
    }
}

async fn serve() -> (Served, Arc<Seams>) {
    let seams = Arc::new(Seams::start(surroundings()).unwrap());
    let control = Control {
        toxiproxy: Arc::new(Toxiproxy::new(1)),
        house: Arc::clone(&seams) as _,
        manner: Manner::default(),
    };
    (control.serve("127.0.0.1:0".parse().unwrap()).await.unwrap(), seams)
}

/// Sends bytes and gives all that comes back.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Whoever is refused may be so before all was sent.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer in time");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask(address: SocketAddr, line: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let answer = raw(address, (head + body).as_bytes()).await;
    let status = answer[9..12].parse().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    // What a mapping answers comes in one chunk.
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { body.split("\r\n").nth(1).unwrap_or_default() } else { body };
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_mapping_is_read_in_the_letters_that_it_was_sent_in() {
    let (served, _seams) = serve().await;
    let body = b"{\"request\":{\"url\":\"/gb\"},\"response\":{\"body\":\"\xc4\xe3\xba\xc3\"}}";
    let head = format!(
        "POST /__admin/mappings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Content-Type: application/json; charset=GB2312\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let told = raw(served.address(), &[head.as_bytes(), body].concat()).await;
    assert!(told.starts_with("HTTP/1.1 201") && told.contains("你好"), "{told}");
    served.close().await;
}

/// A server that sends back what it gets.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// A proxy to a server that echoes, and where it listens.
async fn proxied(control: SocketAddr) -> SocketAddr {
    let upstream = echo().await;
    let body = json!({ "name": "echo", "listen": "localhost:0", "upstream": upstream.to_string() });
    let (status, made) = ask(control, "POST /proxies", &body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    made["listen"].as_str().unwrap().parse().unwrap()
}

async fn toxic(control: SocketAddr, toxic: Value) {
    let (status, told) = ask(control, "POST /proxies/echo/toxics", &toxic.to_string()).await;
    assert_eq!(status, 200, "{told}");
}

/// Sends and waits for the same to come back; how long that took.
async fn turn(stream: &mut TcpStream, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    stream.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    timeout(PATIENCE, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, bytes);
    began.elapsed()
}

/// How a connection ends: in order, or by a reset.
async fn ending(stream: &mut TcpStream) -> Result<usize, std::io::ErrorKind> {
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end in time");
    ended.map_err(|error| error.kind())
}

#[tokio::test]
async fn strangers_are_refused() {
    let (served, _seams) = serve().await;
    let address = served.address();
    for (head, status) in [
        ("GET /proxies HTTP/1.1\r\nHost: evil.example\r\n", "403"),
        ("GET /proxies HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n", "403"),
        ("GET /proxies HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n", "200"),
        ("GET /proxies HTTP/1.1\r\nHost: [::1]:1\r\n", "200"),
        ("GET http://evil.example/proxies HTTP/1.1\r\nHost: localhost\r\n", "403"),
        ("GET /proxies HTTP/1.1\r\n", "400"),
        ("GET /proxies HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0\r\n", "403"),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n", "404"),
        ("GET /nothing HTTP/1.1\r\nHost: evil.example\r\n", "404"),
        ("NONSENSE\r\n", "400"),
    ] {
        let answer = raw(address, format!("{head}Connection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
    }
    served.close().await;
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let (served, _seams) = serve().await;
    let large = 8 * 1024 * 1024 + 1;
    // Who sends on and on still sees why it is refused.
    for (path, length, status) in [
        ("/proxies", large, 413),
        ("/seam/har", large, 400),
        ("/populate", 4 * large, 413),
        ("/seam/rules", 4 * large, 413),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut request = head.into_bytes();
        request.resize(request.len() + length, b' ');
        let answer = raw(served.address(), &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
}

#[tokio::test]
async fn toxics_change_connections_that_are_open() {
    let (served, _seams) = serve().await;
    let control = served.address();
    let address = proxied(control).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    turn(&mut stream, b"before").await;
    toxic(control, json!({ "type": "latency", "attributes": { "latency": 150 } })).await;
    let late = turn(&mut stream, b"late").await;
    assert!(late >= Duration::from_millis(150), "{late:?}");
    let line = "PATCH /proxies/echo/toxics/latency_downstream";
    assert_eq!(ask(control, line, r#"{"attributes": {"latency": 300}}"#).await.0, 200);
    let later = turn(&mut stream, b"later").await;
    assert!(later >= Duration::from_millis(300), "{later:?}");
    assert_eq!(ask(control, "DELETE /proxies/echo/toxics/latency_downstream", "").await.0, 204);
    let after = turn(&mut stream, &vec![7; 1_000_000]).await;
    assert!(after < Duration::from_secs(10), "{after:?}");
    served.close().await;
}

#[tokio::test]
async fn a_connection_ends_as_its_toxic_says() {
    let (served, _seams) = serve().await;
    let control = served.address();
    let address = proxied(control).await;
    for (put, ends) in [
        (
            json!({ "type": "reset_peer", "attributes": { "timeout": 0 } }),
            Err(std::io::ErrorKind::ConnectionReset),
        ),
        (json!({ "type": "timeout", "attributes": { "timeout": 50 } }), Ok(0)),
        (json!({ "type": "limit_data", "attributes": { "bytes": 3 } }), Ok(3)),
        (json!({ "type": "limit_data", "stream": "upstream", "attributes": { "bytes": 0 } }), Ok(0)),
    ] {
        toxic(control, put.clone()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        assert_eq!(ending(&mut stream).await, ends, "{put}");
        assert_eq!(ask(control, "POST /reset", "").await.0, 204);
    }
    served.close().await;
}

#[tokio::test]
async fn a_proxy_that_is_disabled_neither_listens_nor_keeps_connections() {
    let (served, _seams) = serve().await;
    let control = served.address();
    let address = proxied(control).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    turn(&mut stream, b"open").await;
    assert_eq!(ask(control, "PATCH /proxies/echo", r#"{"enabled": false}"#).await.0, 200);
    assert!(TcpStream::connect(address).await.is_err());
    assert!(matches!(ending(&mut stream).await, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)));
    assert_eq!(
        ask(control, "PATCH /proxies/echo", r#"{"enabled": true}"#).await.1["listen"],
        address.to_string()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    turn(&mut stream, b"again").await;
    // Half of a connection may be closed, and the other half lives on.
    stream.write_all(b"last").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(ending(&mut stream).await, Ok(4));
    let metrics =
        raw(control, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(metrics.contains("toxiproxy_proxy_received_bytes_total{direction=\"upstream\""), "{metrics}");
    served.close().await;
    assert!(TcpStream::connect(address).await.is_err(), "nothing is left");
}

#[tokio::test]
async fn rules_are_put_on_seams_and_taken_away() {
    let (served, seams) = serve().await;
    let control = served.address();
    let upstream = echo().await;
    let tcp = seam_wire::protocol("http").unwrap();
    let view = seams.stand("127.0.0.1:0".parse().unwrap(), &upstream.to_string(), tcp).await.unwrap();
    let seam = view.id.to_string();
    let (status, told) = ask(control, "GET /seam/seams", "").await;
    assert_eq!((status, &told["seams"][0]["seam"]), (200, &json!(seam)));
    for (body, status, message) in [
        ("{", 400, "no JSON"),
        ("{}", 422, "seam"),
        (r#"{"seam": "a -> b", "fault": "reset"}"#, 404, "there is no seam `a -> b`"),
        (r#"{"seam": "SEAM", "fault": "rest"}"#, 422, "there is no fault `rest`"),
        (r#"{"seam": "SEAM", "fault": {"latncy": "1s"}}"#, 422, "did you mean `latency`?"),
        (
            r#"{"seam": "SEAM", "fault": "reset", "where": {"request.statement": "x"}}"#,
            422,
            "no interaction of `http`",
        ),
        (
            r#"{"seam": "SEAM", "fault": "reset", "where": {"message.kind": "x"}}"#,
            422,
            "no interaction of `http`",
        ),
        (r#"{"seam": "xSEAM", "fault": "reset"}"#, 404, "did you mean `SEAM`?"),
        (r#"{"seam": "SEAM"}"#, 422, "either `fault` or `stub`"),
        (r#"{"seam": "SEAM", "seam": "SEAM", "fault": "reset"}"#, 422, "`seam` stands here twice"),
        (r#"{"seam": "SEAM", "fault": "reset", "nht": 1}"#, 422, "nht"),
        (r#"{"seam": "SEAM", "stub": {"request": "GET /", "replay": {}}}"#, 422, "replay"),
    ] {
        let (is, told) = ask(control, "POST /seam/rules", &body.replace("SEAM", &seam)).await;
        assert_eq!(is, status, "{body}: {told}");
        assert!(told.to_string().contains(&message.replace("SEAM", &seam)), "{body}: {told}");
        assert!(told["hint"].is_string(), "{body}: {told}");
    }
    let stub = json!({ "seam": seam, "stub": { "request": "GET /hello", "reply": { "status": 201, "text": "hi" } } });
    let (status, put) = ask(control, "POST /seam/rules", &stub.to_string()).await;
    assert_eq!((status, &put["kind"]), (201, &json!("stub")), "{put}");
    let (status, _) = ask(view.listens.unwrap(), "GET /hello?password=hunter22", "").await;
    assert_eq!(status, 201);
    let (_, passed) = ask(control, "GET /seam/interactions?last=1", "").await;
    assert_eq!(passed["interactions"][0]["request"]["path"], "/hello", "{passed}");
    assert_eq!(passed["interactions"][0]["reply"]["status"], 201, "{passed}");
    let shown = passed.to_string();
    assert!(shown.contains("«") && !shown.contains("hunter22"), "{shown}");
    let (_, rules) = ask(control, "GET /seam/rules", "").await;
    assert_eq!(rules["rules"][0]["struck"], 1, "{rules}");
    let id = put["id"].as_str().unwrap();
    assert_eq!(ask(control, &format!("DELETE /seam/rules/{id}"), "").await.0, 204);
    assert_eq!(ask(control, &format!("GET /seam/rules/{id}"), "").await.0, 404);
    assert_eq!(ask(control, "POST /seam/components/web/stop", "").await.0, 404);
    served.close().await;
}

#[tokio::test]
async fn a_message_is_pushed_to_those_who_have_subscribed() {
    let (served, seams) = serve().await;
    let address = served.address();
    let redis = seam_wire::protocol("redis").unwrap();
    let stubs = seam_stub::Stubs { list: Vec::new(), state: None };
    let view = seams.stand_stubs(("127.0.0.1:0".parse().unwrap(), "feed"), stubs, redis).await.unwrap();
    let push =
        json!({ "seam": view.id.to_string(), "message": { "topic": "news", "text": "hello" } }).to_string();
    let (status, told) = ask(address, "POST /seam/push", &push).await;
    assert_eq!((status, &told["message"]), (409, &json!("nobody is connected there that is held")));
    let mut subscriber = TcpStream::connect(view.listens.unwrap()).await.unwrap();
    subscriber.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nnews\r\n").await.unwrap();
    let expect = async |stream: &mut TcpStream, expected: &[u8]| {
        let mut room = vec![0; expected.len()];
        timeout(PATIENCE, stream.read_exact(&mut room)).await.expect("a message in time").unwrap();
        assert_eq!(String::from_utf8_lossy(&room), String::from_utf8_lossy(expected));
    };
    expect(&mut subscriber, b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n").await;
    let (status, told) = ask(address, "POST /seam/push", &push).await;
    assert_eq!((status, told), (200, json!({ "pushed": 1, "not": [] })));
    expect(&mut subscriber, b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n").await;
    let other = push.replace("news", "else");
    let (status, told) = ask(address, "POST /seam/push", &other).await;
    assert!(
        status == 409 && told["message"].as_str().unwrap().contains("nobody has subscribed to else"),
        "{told}"
    );
    assert_eq!(ask(address, "POST /seam/push", "{}").await.0, 422);
    for (wrong, message) in [
        (push.replace("topic", "topik"), "did you mean `topic`?"),
        (push.replace("text", "txet"), "a message of redis has no `txet`"),
        (push.replace("seam", "last\":1,\"seam"), "no `last`"),
    ] {
        let (status, told) = ask(address, "POST /seam/push", &wrong).await;
        assert!(status == 422 && told.to_string().contains(message), "{wrong}: {told}");
    }
    for nothing in [r#"{"log":{"entries":[{}]}}"#, r#"{"log":{"entries":[{"request":{"url":"notaurl"}}]}}"#] {
        let (status, told) = ask(address, "POST /seam/har", nothing).await;
        assert!(status == 422 && told.to_string().contains("nothing in the archive"), "{nothing}: {told}");
    }
    let some = r#"{"log":{"entries":[{},{"request":{"method":"GET","url":"http://h/x"},"response":{"status":200}},
        {"request":{"method":"GET","url":"ws://h/ws"},"response":{"status":101},"_webSocketMessages":[]}]}}"#;
    let (status, told) = ask(address, "POST /seam/har", some).await;
    let warnings = json!([
        "entry 1 is passed over: no method and address of HTTP is said",
        "entry 3 is passed over: a mapping answers no WebSocket; name a `seam`"
    ]);
    assert_eq!((status, &told["warnings"]), (201, &warnings), "{told}");
    // What asks more is answered as itself, and a form as a browser writes it.
    let alike = r#"{"log":{"entries":[
        {"request":{"method":"GET","url":"http://h/q?a=1"},"response":{"status":302}},
        {"request":{"method":"GET","url":"http://h/q?a=1&b=2"},"response":{"status":203}},
        {"request":{"method":"POST","url":"http://h/f","postData":{"params":[{"name":"n-a","value":"a b"}]}},
         "response":{"status":202}}]}}"#;
    assert_eq!(ask(address, "POST /seam/har", alike).await.0, 201);
    for (line, body, status) in
        [("GET /q?a=1", "", 302), ("GET /q?b=2&a=1", "", 203), ("POST /f", "n-a=a+b", 202)]
    {
        assert_eq!(ask(address, line, body).await.0, status, "{line}");
    }
    assert_eq!(ask(address, "POST /seam/push", &push.replace("feed", "none")).await.0, 404);
    served.close().await;
}
