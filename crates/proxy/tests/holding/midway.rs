//! A rule that is put live strikes connections that have calls open, and a connection that comes to be held at any moment,
//! whatever is half said then, loses nothing, changes nothing and says nothing twice.

use crate::bed::{Bed, LONG, bed};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use seam_expr::Chance;
use seam_proxy::{Filter, Kind, Often, Rule, RuleSpec, Upstream, read_fault};
use seam_value::{Value, parse};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Body = BoxBody<Bytes, Infallible>;

/// Windows that are soon used up.
const WINDOW: u32 = 20_000;

/// Bytes that are other ones at each place, and for each seed.
fn noise(seed: u64, n_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(n_bytes).collect()
}

/// Comes in parts of that size, with a moment between some of them.
fn in_parts(all: &[u8], size: usize) -> Body {
    let parts: Vec<Bytes> = all.chunks(size).map(Bytes::copy_from_slice).collect();
    let parts = stream::unfold(parts.into_iter().enumerate(), |mut parts| async move {
        let (index, part) = parts.next()?;
        if index % 3 == 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Some((Ok(Frame::data(part)), parts))
    });
    StreamBody::new(Box::pin(parts)).boxed()
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let number = |prefix: &str| path.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
    if let Some(n_bytes) = number("/noise/") {
        return Ok(Response::new(in_parts(&noise(n_bytes as u64, n_bytes), 3_000)));
    }
    if let Some(n_events) = number("/events/") {
        let events = stream::unfold(0, move |n| async move {
            if n == n_events {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            Some((Ok(Frame::data(Bytes::from(format!("data: {{\"n\":{n}}}\n\n")))), n + 1))
        });
        let body = StreamBody::new(Box::pin(events)).boxed();
        return Ok(Response::builder().header("content-type", "text/event-stream").body(body).unwrap());
    }
    let body = request.into_body().collect().await.map(|body| body.to_bytes().to_vec());
    Ok(Response::new(in_parts(&body.unwrap_or_default(), 2_000)))
}

/// A server of HTTP/1.1 and 2 that says back what it hears.
async fn served() -> Bed {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http2().initial_stream_window_size(WINDOW).initial_connection_window_size(3 * WINDOW);
            builder.http1().pipeline_flush(true);
            tokio::spawn(async move {
                let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    bed(|_| Upstream::Tcp(address)).await
}

fn rule(fault: &str, fits: fn(&Value) -> bool) -> Arc<Rule> {
    let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
    let (filter, often): (Filter, _) = (Box::new(fits), Often::default());
    let chance = Chance::new(7, fault);
    let name = fault.to_owned();
    Arc::new(Rule::new(RuleSpec { name, kind, filter: Some(filter), filters_replies: false, often, chance }))
}

fn put(bed: &Bed, fault: &str, fits: fn(&Value) -> bool) -> Arc<Rule> {
    let rule = rule(fault, fits);
    assert_eq!(bed.proxy.put(|_| true, &rule), 1);
    rule
}

/// The number that a message of the stream of events says.
fn n_of(interaction: &Value) -> Option<i64> {
    interaction.get("message")?.get("data")?.get("n")?.as_i64()
}

fn path_of(interaction: &Value) -> Option<&str> {
    interaction.get("request")?.get("path")?.as_text()
}

struct Two(hyper::client::conn::http2::SendRequest<Body>);

impl Two {
    async fn connect(bed: &Bed) -> Self {
        let stream = TcpStream::connect(bed.address).await.unwrap();
        let (send, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(3 * WINDOW)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(send)
    }

    async fn send(&self, path: &str, body: Vec<u8>) -> hyper::Result<Response<Incoming>> {
        let mut send = self.0.clone();
        let request = Request::post(format!("http://a{path}")).body(in_parts(&body, 1_700)).unwrap();
        send.send_request(request).await
    }

    async fn ask(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let response = self.send(path, body).await.map_err(|error| error.to_string())?;
        if response.status() != 200 {
            return Err(response.status().to_string());
        }
        let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
        Ok(body.to_bytes().to_vec())
    }
}

struct One(hyper::client::conn::http1::SendRequest<Body>);

impl One {
    async fn connect(bed: &Bed) -> Self {
        let stream = TcpStream::connect(bed.address).await.unwrap();
        let (send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(send)
    }

    async fn send(&mut self, path: &str, body: Vec<u8>) -> hyper::Result<Response<Incoming>> {
        self.0.ready().await?;
        let request = Request::post(path).header("host", "a").body(in_parts(&body, 1_700)).unwrap();
        self.0.send_request(request).await
    }

    async fn ask(&mut self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let response = self.send(path, body).await.map_err(|error| error.to_string())?;
        let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
        Ok(body.to_bytes().to_vec())
    }
}

/// What is asked, with the body, and what has to be answered.
fn asked(number: u64) -> (String, Vec<u8>, Vec<u8>) {
    let n_bytes = match number % 7 {
        0 => 0,
        1..5 => number * 37 % 9_000,
        5 => 60_000 + number,
        _ => 200_000 + number,
    };
    let n_bytes = usize::try_from(n_bytes).unwrap();
    match number % 5 {
        0 => (format!("/noise/{n_bytes}"), Vec::new(), noise(n_bytes as u64, n_bytes)),
        1 => {
            let events: Vec<String> = (0..30).map(|n| format!("data: {{\"n\":{n}}}\n\n")).collect();
            ("/events/30".to_owned(), Vec::new(), events.concat().into_bytes())
        }
        _ => (format!("/say/{number}"), noise(number, n_bytes), noise(number, n_bytes)),
    }
}

fn assert_same(number: u64, got: Result<Vec<u8>, String>, expected: &[u8]) {
    let got = got.unwrap_or_else(|error| panic!("{number}: {error}"));
    assert!(got == expected, "{number}: {} bytes instead of {}", got.len(), expected.len());
}

/// Rules come and go every few milliseconds, until this is over. Says how often a connection came to be held.
async fn under_changes(bed: &Bed, load: impl Future<Output = ()>) -> usize {
    let chance = Chance::new(3, "midway");
    let mut n_held = 0;
    let changes = async {
        loop {
            let rule = put(bed, r#""reset""#, |interaction| path_of(interaction) == Some("/never"));
            tokio::time::sleep(Duration::from_millis(1 + chance.below(12))).await;
            n_held += usize::from(bed.proxy.n_held() > 0);
            bed.proxy.take_away(&rule);
            tokio::time::sleep(Duration::from_millis(1 + chance.below(25))).await;
        }
    };
    tokio::select! {
        () = changes => {}
        load = tokio::time::timeout(6 * LONG, load) => load.expect("it hangs"),
    }
    n_held
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_changed_on_http2() {
    let bed = served().await;
    let mut n_asked = 0;
    let load = async {
        for round in 0..16 {
            // One that is held while it has so many calls goes back only when it has none.
            let client = Two::connect(&bed).await;
            let each = (0..20).map(|n| {
                let client = &client;
                async move {
                    let number = round * 20 + n;
                    let (path, body, expected) = asked(number);
                    tokio::time::sleep(Duration::from_millis(n * 3)).await;
                    assert_same(number, client.ask(&path, body).await, &expected);
                }
            });
            n_asked += join_all(each).await.len();
        }
    };
    let n_held = under_changes(&bed, load).await;
    assert!(n_held > 5, "held {n_held} times");
    assert_all_told(&bed, n_asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_changed_on_http1() {
    let bed = served().await;
    let mut n_asked = 0;
    let load = async {
        let each = (0..6).map(|round| {
            let bed = &bed;
            async move {
                let mut client = One::connect(bed).await;
                for n in 0..25 {
                    let number = round * 25 + n;
                    let (path, body, expected) = asked(number);
                    assert_same(number, client.ask(&path, body).await, &expected);
                }
                25
            }
        });
        n_asked = join_all(each).await.into_iter().sum();
    };
    let n_held = under_changes(&bed, load).await;
    assert!(n_held > 5, "held {n_held} times");
    assert_all_told(&bed, n_asked).await;
}

/// Each call is told once, to its end.
async fn assert_all_told(bed: &Bed, n_asked: usize) {
    assert_eq!(bed.told().await, [""; 0]);
    let told = bed.interactions().await;
    let calls: Vec<_> = told.iter().filter(|one| one.request != Value::Null).collect();
    assert_eq!(calls.len(), n_asked);
    for call in calls {
        assert!(call.error.is_none() && call.reply != Value::Null, "{:?} {:?}", call.request, call.error);
    }
    let n_streams = n_asked / 5;
    let n_events = told.iter().filter(|one| one.message != Value::Null).count();
    assert_eq!(n_events, 30 * n_streams, "of {n_streams} streams");
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelining_without_a_pause_meets_a_rule() {
    let bed = served().await;
    let stream = TcpStream::connect(bed.address).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let feeding = tokio::spawn(async move {
        let requests = b"GET /noise/9 HTTP/1.1\r\nhost: a\r\n\r\n".repeat(20);
        while writes.write_all(&requests).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let mut said = vec![0; 4096];
    reads.read_exact(&mut said).await.unwrap();
    put(&bed, r#"{"status":503}"#, |_| true);
    let deadline = Instant::now() + LONG;
    while !said.windows(12).any(|window| window == b"HTTP/1.1 503") {
        assert!(Instant::now() < deadline, "it is never struck");
        said.clear();
        assert!(reads.read_buf(&mut said).await.unwrap() > 0);
    }
    feeding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_open_meets_a_rule() {
    for is_two in [false, true] {
        let bed = served().await;
        let response = if is_two {
            Two::connect(&bed).await.send("/events/100000", Vec::new()).await
        } else {
            One::connect(&bed).await.send("/events/100000", Vec::new()).await
        };
        let mut body = response.unwrap().into_body();
        let mut heard = String::new();
        let hear = async |body: &mut Incoming, heard: &mut String| match body.frame().await {
            Some(Ok(frame)) => {
                heard.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
                true
            }
            _ => false,
        };
        assert!(hear(&mut body, &mut heard).await);
        // What is pushed is heard between two events.
        put(&bed, r#""reset""#, |interaction| path_of(interaction) == Some("/never"));
        let deadline = Instant::now() + LONG;
        while bed.push(parse(r#"{"data":"pushed"}"#).unwrap()).await != [Ok(())] {
            assert!(Instant::now() < deadline, "it is never held");
        }
        while !heard.contains("data: pushed\n\n") {
            assert!(hear(&mut body, &mut heard).await, "{heard}");
        }
        // One message is left out, and the stream breaks with a later one.
        let lost = put(&bed, r#""reply_lost""#, |interaction| n_of(interaction).is_some_and(|n| n % 20 == 7));
        let breaks = put(&bed, r#""reset""#, |interaction| n_of(interaction).is_some_and(|n| n % 100 == 70));
        while hear(&mut body, &mut heard).await {}
        assert!(lost.n_struck() >= 1 && breaks.n_struck() == 1, "{heard}");
        let last = heard.trim_end().rsplit("\n\n").next().unwrap_or_default();
        assert!(last.ends_with("69}"), "{last}");
        for n in 0..7 {
            assert!(heard.contains(&format!("data: {{\"n\":{n}}}\n\n")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beside_an_open_stream_meet_a_rule() {
    let bed = served().await;
    let client = Two::connect(&bed).await;
    let mut events = client.send("/events/200", Vec::new()).await.unwrap().into_body();
    let first = events.frame().await.unwrap().unwrap().into_data().unwrap();
    let rule = put(&bed, r#"{"status":503}"#, |interaction| path_of(interaction) == Some("/struck"));
    assert_eq!(client.ask("/struck", Vec::new()).await, Err("503 Service Unavailable".to_owned()));
    assert_eq!(client.ask("/other", b"x".to_vec()).await, Ok(b"x".to_vec()));
    assert_eq!(rule.n_struck(), 1);
    let rest = events.collect().await.unwrap().to_bytes();
    let all: Vec<String> = (0..200).map(|n| format!("data: {{\"n\":{n}}}\n\n")).collect();
    assert!([first, rest].concat() == all.concat().as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_download_slows_down() {
    for is_two in [false, true] {
        let bed = served().await;
        let response = if is_two {
            Two::connect(&bed).await.send("/noise/3000000", Vec::new()).await
        } else {
            One::connect(&bed).await.send("/noise/3000000", Vec::new()).await
        };
        let mut body = response.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let kind = Kind::Fault(read_fault(&parse(r#"{"bandwidth":"20KB"}"#).unwrap()).unwrap());
        let slow = bed.put_rule("bandwidth", kind, None, Often::default()).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut all = first.to_vec();
        let until = Instant::now() + Duration::from_secs(1);
        while let Ok(frame) = tokio::time::timeout_at(until.into(), body.frame()).await {
            all.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
        }
        assert!(all.len() < 2_000_000, "{} bytes", all.len());
        assert_eq!(slow.n_struck(), 1);
        bed.proxy.take_away(&slow);
        all.extend_from_slice(&body.collect().await.unwrap().to_bytes());
        assert!(all == noise(3_000_000, 3_000_000));
    }
}
