//! Answers that are unusual and right, and some that are wrong, from servers that write their bytes by hand.

use crate::actor::Actor;
use crate::testing;
use crate::testing::{Bed, LIMIT, run, run_as, step, steps_of};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use seam_diag::Diagnostics;
use seam_matcher::{NoSnapshots, Statement};
use seam_value::Value;
use std::io::Write as _;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers each request with the same bytes, and says how many connections it has had.
struct Raw {
    at: SocketAddr,
    n_connections: Arc<AtomicUsize>,
}

async fn raw(answer: impl Into<Vec<u8>>) -> Raw {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    raw_on(listener, answer.into())
}

fn raw_on(listener: TcpListener, answer: Vec<u8>) -> Raw {
    let at = listener.local_addr().unwrap();
    let n_connections = Arc::new(AtomicUsize::new(0));
    let counted = n_connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while let Some(n_body) = request(&mut stream).await {
                    let told = String::from_utf8_lossy(&answer)
                        .contains("{n}")
                        .then(|| String::from_utf8_lossy(&answer).replace("{n}", &n_body.to_string()));
                    let bytes = told.map_or_else(|| answer.clone(), String::into_bytes);
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                    // An answer without a length ends with the connection.
                    let told = String::from_utf8_lossy(&bytes);
                    if told.starts_with("HTTP/1.0") || told.contains("Connection: close") {
                        return;
                    }
                }
            });
        }
    });
    Raw { at, n_connections }
}

/// Reads one request and gives how many bytes its body has; none where there is no further one.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
        if &head[before..] == "\r\n" {
            break;
        }
    }
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(body.len())
}

fn text(value: &Value, path: &str) -> String {
    let found = seam_expr::Path::parse(path).unwrap().find(value).to_value();
    found.unwrap_or_else(|| panic!("no {path} in {value}")).to_plain_text()
}

fn packed(encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn zlib(text: &str) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[tokio::test]
async fn every_way_in_which_an_answer_ends() {
    const JSON: &str = r#"{"a":1}"#;
    // An uncompressed meta-block of brotli.
    let brotli = [&[0x0b, 0x03, 0x80][..], JSON.as_bytes(), &[0x03]].concat();
    for (method, answer, expect, kept) in [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_vec(), ["200", "", "null"], true),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), ["204", "", "null"], true),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"a\"\r\n\r\n".to_vec(), ["304", "", "null"], true),
        (
            "POST",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            ["201", "ok", "null"],
            true,
        ),
        (
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            ["200", "ok", "null"],
            true,
        ),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nuntil the end".to_vec(), ["200", "until the end", "null"], false),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end".to_vec(), ["200", "until the end", "null"], false),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nhalf\r\n1\r\n!\r\n0\r\nX-Sum: 5\r\n\r\n".to_vec(),
            ["200", "half!", "null"],
            true,
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nhalf\r\n".to_vec(),
            ["200", "half", "closed"],
            false,
        ),
        ("GET", packed("gzip", &gzip(JSON)), ["200", JSON, "null"], true),
        ("GET", packed("deflate", &zlib(JSON)), ["200", JSON, "null"], true),
        ("GET", packed("br", &brotli), ["200", JSON, "null"], true),
        ("HEAD", packed("gzip", b""), ["200", "", "null"], true),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Length: 1\r\n\r\n\xe4".to_vec(),
            ["200", "\u{e4}", "null"],
            true,
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\n\x89P".to_vec(),
            ["200", "null", "null"],
            true,
        ),
        ("GET", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc".to_vec(), ["101", "", "null"], false),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let server = raw(answer).await;
        let bed = Bed::with(&[("gateway", server.at)]);
        let actor = Actor::new("");
        for _ in 0..2 {
            let result = run(&format!("- http: {method} gateway/x"), &actor, &bed, "{}").await;
            let found = ["status", "text", "error"].map(|path| text(&result, path));
            assert_eq!(found, expect, "{method} {shown}");
        }
        let n_connections = if kept { 1 } else { 2 };
        assert_eq!(server.n_connections.load(Ordering::Relaxed), n_connections, "{method} {shown}");
    }
}

#[tokio::test]
async fn bytes_and_odd_headers_are_told_as_what_they_are() {
    let answer = b"HTTP/1.1 200 OK\r\nX-Name: B\xfccher\r\nX-Utf: \xc3\xa4\r\nX-Empty:\r\nContent-Type: application/pdf\r\nContent-Length: 3\r\n\r\n\xff\x00\x01";
    let server = raw(answer.to_vec()).await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let result = run("- http: GET gateway/x", &Actor::new(""), &bed, "{}").await;
    assert_eq!(text(&result, "headers.x-name"), "Bücher");
    assert_eq!(text(&result, "headers.x-utf"), "ä");
    assert_eq!(text(&result, "headers.x-empty"), "");
    assert_eq!(text(&result, "body"), r#"{"base64":"/wAB"}"#);
    let form = raw("HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\na=1&b=x+y%21").await;
    let bed = Bed::with(&[("gateway", form.at)]);
    let result = run("- http: GET gateway/x", &Actor::new(""), &bed, "{}").await;
    assert_eq!(text(&result, "body.b"), "x y%2");
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    const SIZE: usize = 16 << 20;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("big.bin"), vec![b'x'; SIZE]).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nContent-Type: text/plain\r\n\r\n");
    let server = raw([head.as_bytes(), &vec![b'y'; SIZE]].concat()).await;
    let bed = Bed { root: folder.path().to_owned(), ..Bed::with(&[("gateway", server.at)]) };
    let result = run("- http: POST gateway/x\n  body_file: big.bin", &Actor::new(""), &bed, "{}").await;
    assert_eq!(text(&result, "text").len(), SIZE);
    let counting = raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{n}").await;
    let bed = Bed { root: folder.path().to_owned(), ..Bed::with(&[("gateway", counting.at)]) };
    let result = run("- http: PUT gateway/x\n  body_file: big.bin", &Actor::new(""), &bed, "{}").await;
    assert_eq!(text(&result, "text"), SIZE.to_string());
}

/// A server that has read enough says so and closes, while the request is still being sent.
#[tokio::test]
async fn an_early_answer_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("big.bin"), vec![b'x'; 16 << 20]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bed =
        Bed { root: folder.path().to_owned(), ..Bed::with(&[("gateway", listener.local_addr().unwrap())]) };
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
        let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig";
        stream.write_all(answer).await.unwrap();
    });
    let result = run("- http: POST gateway/x\n  body_file: big.bin", &Actor::new(""), &bed, "{}").await;
    assert_eq!(["status", "text", "error"].map(|path| text(&result, path)), ["413", "big", "null"]);
}

#[tokio::test]
async fn other_addresses_than_those_of_ipv4() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let server = raw_on(listener, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec());
    let bed = Bed::with(&[("gateway", server.at)]);
    let variables = format!(r#"{{"whole":"http://{}/x"}}"#, server.at);
    for yaml in ["- http: GET gateway/x", "- http: GET $whole"] {
        let result = run(yaml, &Actor::new(""), &bed, &variables).await;
        assert_eq!(text(&result, "text"), "ok");
        assert_eq!(text(&result, "url"), format!("http://[::1]:{}/x", server.at.port()));
    }
}

/// Judges the expectations of one step.
async fn judged(yaml: &str, answer: &str) -> Vec<String> {
    let server = raw(answer).await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let file = steps_of(&testing::in_a_file(yaml)).unwrap();
    let mut found = Diagnostics::default();
    let expect = &file.tests[0].steps[0].expect;
    let statements: Vec<Statement> = expect.iter().map(|entry| Statement::of(entry, &mut found)).collect();
    assert!(found.is_empty() && !statements.is_empty());
    let result = run_as(step(yaml).as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await.unwrap();
    let names = testing::Variables::of("{}");
    let all = statements.iter().flat_map(|statement| statement.judge(&result, &names, &NoSnapshots));
    all.filter(|judgement| !judgement.holds()).map(|judgement| judgement.path).collect()
}

#[tokio::test]
async fn an_answer_is_looked_into_in_every_way() {
    let xml =
        "<?xml version=\"1.0\"?><order id=\"7\"><line sku=\"A1\">2</line><line sku=\"B2\">1</line></order>";
    let answer = |kind: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nX-A: b\r\n\r\n{body}",
            body.len()
        )
    };
    let json = answer(
        "application/json; charset=utf-8",
        r#"{"items":[{"sku":"A1","price":10.0},{"sku":"B2","price":5}]}"#,
    );
    let html = "<html><body><h1 class=\"t\">Shop</h1><a href=\"/a\">A</a></body></html>";
    for (answer, expect, failing) in [
        (&json, "{ body.items.0.price: 10, 'body.items.*.sku': [A1, B2], headers.X-a: b }", ""),
        (&json, "{ body.items.-1.sku: A1 }", "body.items.-1.sku"),
        (&json, "{ elapsed: { below: 9s }, error: null, status: 200 }", ""),
        (&json, "{ elapsed: { above: 9s } }", "elapsed"),
        (&json, "{ jsonpath: { '$.items[?@.price > 6].sku': [A1] } }", ""),
        (&answer("application/xml", xml), "{ xpath: { 'string(/order/@id)': '7', 'count(//line)': 2 } }", ""),
        (
            &answer("application/xml", xml),
            "{ xpath: { '//line[@sku=\"B2\"]/text()': '2' } }",
            "xpath //line[@sku=\"B2\"]/text()",
        ),
        (&answer("text/html", html), "{ css: { 'h1.t': Shop } }", ""),
        (&answer("text/html", html), "{ text: { matches: '<h1.*Shop' } }", ""),
    ] {
        let yaml = format!("- http: GET gateway/x\n  expect: {expect}");
        assert_eq!(judged(&yaml, answer).await.join(", "), failing, "{yaml}");
    }
}
