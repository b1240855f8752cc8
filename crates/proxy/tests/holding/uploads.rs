//! Requests that take long to be asked: a seam with rules passes them on as they come, unless a rule needs all of them.

use crate::bed::{Bed, LONG, bed_of};
use crate::frames::{DATA, HEADERS, PREFACE, SETTINGS, frame, next};
use seam_proxy::{Kind, Often, Upstream, read_fault};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, AtHead, Say};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Both ends of a connection over a seam.
struct Ends {
    bed: Bed,
    consumer: TcpStream,
    provider: TcpStream,
}

/// A seam under these rules, given with the path to which they apply, and a connection over it.
async fn ends(rules: &[(&str, Option<&'static str>)]) -> Ends {
    let (bed, listener) = standing().await;
    for (fault, path) in rules {
        bed.put_on(fault, *path, Often::default()).await;
    }
    connected(bed, &listener)
}

async fn standing() -> (Bed, TcpListener) {
    standing_of("http").await
}

async fn standing_of(word: &str) -> (Bed, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (bed_of(word, |_| Upstream::Tcp(address)).await, listener)
}

fn connected(bed: Bed, listener: &TcpListener) -> Ends {
    let consumer = TcpStream::connect(bed.address).unwrap();
    let provider = listener.accept().unwrap().0;
    for end in [&consumer, &provider] {
        end.set_read_timeout(Some(LONG)).unwrap();
        end.set_nodelay(true).unwrap();
    }
    Ends { bed, consumer, provider }
}

/// Reads until it has read a text that ends like this.
fn read_to(end: &mut TcpStream, last: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(last.as_bytes()) {
        match end.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            other => panic!("{other:?} instead of {last:?} behind {:?}", String::from_utf8_lossy(&text)),
        }
    }
    String::from_utf8(text).unwrap()
}

/// What comes until nothing more comes.
fn read_rest(end: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n_read @ 1..) = end.read(&mut buffer) {
        rest.extend_from_slice(&buffer[..n_read]);
    }
    String::from_utf8_lossy(&rest).into_owned()
}

fn say(end: &mut TcpStream, text: &str) {
    end.write_all(text.as_bytes()).unwrap();
}

/// Is nothing said for a moment?
fn is_silent(end: &mut TcpStream) -> bool {
    end.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
    let read = end.read(&mut [0]);
    end.set_read_timeout(Some(LONG)).unwrap();
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Rules that need no more of a request to `/up` than its head, and nothing of its reply.
const BY_HEAD: &[(&str, Option<&str>)] = &[
    (r#"{"latency":"1ms"}"#, None),
    (r#"{"bandwidth":"100MiB"}"#, None),
    (r#"{"rate_limit":100}"#, None),
    (r#"{"status":503}"#, Some("/never")),
    (r#""duplicate""#, Some("/never")),
    (r#""hang""#, Some("/never")),
    (r#""truncate""#, Some("/never")),
    (r#"{"mistype":"body.id"}"#, Some("/never")),
];

const ASKS: &str = "POST /up HTTP/1.1\r\nhost: api\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_to_be_asked_for_a_body_is_asked_by_the_provider_or_refused() {
    for rule in BY_HEAD {
        let Ends { bed, mut consumer, mut provider } = ends(&[*rule]).await;
        say(&mut consumer, ASKS);
        assert_eq!(read_to(&mut provider, "\r\n\r\n"), ASKS, "{rule:?}");
        say(&mut provider, "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n", "{rule:?}");
        say(&mut consumer, "body");
        assert_eq!(read_to(&mut provider, "body"), "body");
        say(&mut provider, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        say(&mut consumer, ASKS);
        read_to(&mut provider, "\r\n\r\n");
        let refused = "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        say(&mut provider, refused);
        drop(provider);
        assert_eq!(read_rest(&mut consumer), refused, "{rule:?}");
        drop(consumer);
        let interactions = bed.interactions().await;
        let told = &interactions[0];
        assert_eq!(told.request.get("text"), Some(&Value::text("body")), "{rule:?}");
        assert_eq!(told.request.get("length"), Some(&Value::from(4_u64)), "{rule:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_begins_before_its_request_has_ended_passes_at_once() {
    for rule in BY_HEAD {
        let Ends { bed, mut consumer, mut provider } = ends(&[*rule]).await;
        let head = "POST /up HTTP/1.1\r\nhost: api\r\ntransfer-encoding: chunked\r\n\r\n";
        say(&mut consumer, head);
        assert_eq!(read_to(&mut provider, "\r\n\r\n"), head, "{rule:?}");
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        say(&mut provider, head);
        assert_eq!(read_to(&mut consumer, "\r\n\r\n"), head, "{rule:?}");
        for line in ["1\r\na\r\n", "2\r\nbc\r\n"] {
            say(&mut consumer, line);
            assert_eq!(read_to(&mut provider, line), line, "{rule:?}");
            say(&mut provider, line);
            assert_eq!(read_to(&mut consumer, line), line, "{rule:?}");
        }
        // The answer ends first, and the next request follows at once.
        say(&mut provider, "0\r\n\r\n");
        assert_eq!(read_to(&mut consumer, "0\r\n\r\n"), "0\r\n\r\n");
        let last = "0\r\nchecksum: 7\r\n\r\nGET /next HTTP/1.1\r\nhost: api\r\n\r\n";
        say(&mut consumer, last);
        assert_eq!(read_to(&mut provider, "api\r\n\r\n"), last, "{rule:?}");
        say(&mut provider, "HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
        let interactions = bed.interactions().await;
        assert_eq!(interactions.len(), 2, "{interactions:?}");
        let told = &interactions[0];
        assert_eq!(told.request.get("text"), Some(&Value::text("abc")), "{rule:?}");
        let checksum = told.request.get("trailers").and_then(|trailers| trailers.get("checksum"));
        assert_eq!(checksum, Some(&Value::text("7")), "{rule:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_in_the_middle_of_a_long_request_hears_it() {
    for rule in BY_HEAD {
        let Ends { bed: _bed, mut consumer, mut provider } = ends(&[*rule]).await;
        say(&mut consumer, "POST /up HTTP/1.1\r\nhost: api\r\ncontent-length: 30000000\r\n\r\n");
        read_to(&mut provider, "\r\n\r\n");
        let refused = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let mut uploading = consumer.try_clone().unwrap();
        let upload = std::thread::spawn(move || while uploading.write_all(&[b'x'; 16384]).is_ok() {});
        provider.read_exact(&mut [0; 4096]).unwrap();
        say(&mut provider, refused);
        drop(provider);
        upload.join().unwrap();
        assert_eq!(read_rest(&mut consumer), refused, "{rule:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_needs_no_more_than_the_head_strikes_once_and_at_the_head() {
    for fault in [r#""reset""#, r#""cut""#] {
        let Ends { bed, mut consumer, provider: _provider } = ends(&[(fault, Some("/up"))]).await;
        say(&mut consumer, ASKS);
        assert_eq!(read_rest(&mut consumer), "", "{fault}");
        assert_eq!(bed.told().await, [format!("struck: {fault}")]);
    }
    let Ends { bed, mut consumer, mut provider } = ends(&[(r#""reply_lost""#, Some("/up"))]).await;
    say(&mut consumer, ASKS);
    assert_eq!(read_to(&mut provider, "\r\n\r\n"), ASKS);
    say(&mut provider, "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(read_rest(&mut consumer), "");
    assert_eq!(bed.told().await, [r#"struck: "reply_lost""#]);
    let Ends { bed, mut consumer, mut provider } = ends(&[(r#""hang""#, Some("/up"))]).await;
    say(&mut consumer, ASKS);
    assert!(is_silent(&mut consumer) && is_silent(&mut provider));
    assert_eq!(bed.told().await, [r#"struck: "hang""#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_nth_of_long_requests_is_struck() {
    let (bed, listener) = standing().await;
    let often = Often { nth: Some(2), ..Often::default() };
    let rule = bed.put_on(r#"{"status":503}"#, Some("/up"), often).await;
    let Ends { bed: _bed, mut consumer, mut provider } = connected(bed, &listener);
    for n in 1..=3 {
        say(&mut consumer, ASKS);
        if n == 2 {
            // Whoever answers in its place reads the body as it would.
            assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
            assert_eq!(rule.n_struck(), 1);
            say(&mut consumer, "body");
            assert!(read_to(&mut consumer, "\r\n\r\n").starts_with("HTTP/1.1 503"));
            continue;
        }
        assert_eq!(read_to(&mut provider, "\r\n\r\n"), ASKS, "{n}");
        say(&mut consumer, "body");
        read_to(&mut provider, "body");
        say(&mut provider, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        read_to(&mut consumer, "\r\n\r\n");
    }
    assert_eq!(rule.n_struck(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_arrive_twice_is_gathered_first() {
    for (n_bytes, n_times) in [(100_000, 2), (3_000_000, 1)] {
        let Ends { bed: _bed, mut consumer, mut provider } = ends(&[(r#""duplicate""#, None)]).await;
        let head = format!("POST /up HTTP/1.1\r\nhost: api\r\ncontent-length: {n_bytes}\r\n\r\n");
        say(&mut consumer, &head);
        assert!(is_silent(&mut provider));
        let sending = std::thread::spawn(move || {
            say(&mut consumer, &"x".repeat(n_bytes));
            consumer
        });
        for _ in 0..n_times {
            assert_eq!(read_to(&mut provider, "\r\n\r\n"), head);
            let mut body = vec![0; n_bytes];
            provider.read_exact(&mut body).unwrap();
            assert!(body.iter().all(|byte| *byte == b'x'));
        }
        assert!(is_silent(&mut provider));
        drop(sending.join().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_reset_after_it_has_arrived_arrives() {
    let Ends { bed: _bed, mut consumer, mut provider } = ends(&[(r#"{"reset":"after"}"#, None)]).await;
    say(&mut consumer, ASKS);
    assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    say(&mut consumer, "body");
    assert!(read_to(&mut provider, "body").starts_with("POST /up"));
    assert_eq!(read_rest(&mut consumer), "");
}

/// Answers `/up` with what the body says, passes `/pass`, and notes what it did not answer.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<Vec<Value>>>);

impl Answers for Echo {
    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        assert_eq!(head.request.get("text"), None);
        match head.request.get("path").and_then(Value::as_text) {
            Some("/up" | "/stream") => AtHead::Perhaps,
            Some("/pass") => AtHead::Passes,
            _ => AtHead::Nothing,
        }
    }

    fn passed(&self, asked: &Asked<'_>) {
        self.0.lock().unwrap().push(asked.request.clone());
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let text = asked.request.get("text").cloned().unwrap_or_default();
        let say = match asked.request.get("path").and_then(Value::as_text) {
            Some("/up") if text == Value::text("body") => Say::Answer(Arc::new(Value::map([("text", text)]))),
            Some("/pass") => Say::Pass,
            Some("/stream") => Say::Answer(Arc::new(parse(STREAM).unwrap())),
            _ => {
                self.passed(asked);
                return None;
            }
        };
        let (by, after, afterwards) = (Arc::from("the stub"), Duration::ZERO, Vec::new());
        Some(Answering { by, after, say, dribble: None, afterwards })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stubs_need_the_body_only_where_they_may_answer() {
    let (bed, listener) = standing().await;
    let echo = Echo::default();
    bed.put_rule("the stub", Kind::Stub(Arc::new(echo.clone())), None, Often::default()).await;
    let Ends { bed, mut consumer, mut provider } = connected(bed, &listener);
    let asks = |path: &str| ASKS.replace("/up", path);
    say(&mut consumer, ASKS);
    assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    say(&mut consumer, "body");
    assert!(read_to(&mut consumer, "\r\n\r\nbody").starts_with("HTTP/1.1 200"));
    for path in ["/other", "/pass"] {
        say(&mut consumer, &asks(path));
        assert_eq!(read_to(&mut provider, "\r\n\r\n"), asks(path));
        say(&mut consumer, "BODY");
        read_to(&mut provider, "BODY");
        say(&mut provider, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        read_to(&mut consumer, "\r\n\r\n");
    }
    // One that might have been answered, and was not.
    say(&mut consumer, &ASKS.replace("expect: 100-continue\r\n", ""));
    assert!(is_silent(&mut provider));
    say(&mut consumer, "none");
    assert!(read_to(&mut provider, "none").starts_with("POST /up"));
    let missed: Vec<String> = echo
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|missed| format!("{} {}", missed.get("path").unwrap(), missed.get("text").unwrap()))
        .collect();
    assert_eq!(missed, [r#""/other" "BODY""#, r#""/up" "none""#]);
    assert_eq!(bed.interactions().await.len(), 3);
}

const STREAM: &str = r#"{"events":[{"data":1},{"data":2,"after":"150ms"}]}"#;

/// The stub, and a fault that garbles replies to what says `body`.
async fn garbling() -> (Echo, Ends) {
    let (bed, listener) = standing().await;
    let echo = Echo::default();
    bed.put_rule("the stub", Kind::Stub(Arc::new(echo.clone())), None, Often::default()).await;
    let spec = seam_proxy::RuleSpec {
        name: "garble".to_owned(),
        kind: Kind::Fault(read_fault(&Value::text("garble")).unwrap()),
        filter: Some(Box::new(|told| {
            told.get("request").and_then(|request| request.get("text")) == Some(&Value::text("body"))
        })),
        filters_replies: false,
        often: Often::default(),
        chance: seam_expr::Chance::new(7, "garble"),
    };
    assert_eq!(bed.proxy.put(|_| true, &Arc::new(seam_proxy::Rule::new(spec))), 1);
    bed.proxy.pointed(|_| true).await;
    (echo, connected(bed, &listener))
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A rule wants all of a request that a stub passes on: the stub has nothing to note.
#[tokio::test(flavor = "multi_thread")]
async fn who_lets_a_request_pass_is_not_told_that_nobody_answers_it() {
    let (echo, Ends { bed: _bed, mut consumer, mut provider }) = garbling().await;
    for (path, n_missed) in [("/pass", 0), ("/other", 1)] {
        let head = ASKS.replace("/up", path);
        say(&mut consumer, &head);
        assert_eq!(read_to(&mut provider, "\r\n\r\n"), head);
        say(&mut consumer, "body");
        read_to(&mut provider, "body");
        say(&mut provider, HELLO);
        let reply = read_to(&mut consumer, "\r\n\r\n");
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        let n_bytes: usize = reply.split("content-length: ").nth(1).unwrap().trim().parse().unwrap();
        let mut body = vec![0; n_bytes];
        consumer.read_exact(&mut body).unwrap();
        assert_ne!(body, b"hello", "{path}");
        assert_eq!(echo.0.lock().unwrap().len(), n_missed, "{path}");
    }
}

/// What waits behind an answer that is said bit by bit is decided about when its turn comes, by all that is there then.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_while_it_waited_is_looked_at_whole() {
    let (echo, Ends { bed: _bed, mut consumer, mut provider }) = garbling().await;
    say(&mut consumer, "GET /stream HTTP/1.1\r\nhost: api\r\n\r\n");
    read_to(&mut consumer, "data: 1\n\n\r\n");
    say(&mut consumer, "POST /other HTTP/1.1\r\nhost: api\r\ncontent-length: 4\r\n\r\nbo");
    assert!(is_silent(&mut provider), "it waits");
    say(&mut consumer, "dy");
    read_to(&mut consumer, "0\r\n\r\n");
    assert!(read_to(&mut provider, "body").starts_with("POST /other"));
    say(&mut provider, HELLO);
    let reply = read_to(&mut consumer, "\r\n\r\n");
    let mut body = [0; 5];
    consumer.read_exact(&mut body).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && body != *b"hello", "{reply}");
    assert_eq!(echo.0.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_looks_at_a_body_gets_it() {
    let (bed, listener) = standing().await;
    let kind = Kind::Fault(read_fault(&parse(r#"{"status":503}"#).unwrap()).unwrap());
    let spec = seam_proxy::RuleSpec {
        name: "on a body".to_owned(),
        kind,
        filter: Some(Box::new(|told| {
            told.get("request").and_then(|request| request.get("text")) == Some(&Value::text("body"))
        })),
        filters_replies: false,
        often: Often::default(),
        chance: seam_expr::Chance::new(7, "body"),
    };
    assert_eq!(bed.proxy.put(|_| true, &Arc::new(seam_proxy::Rule::new(spec))), 1);
    bed.proxy.pointed(|_| true).await;
    let Ends { bed: _bed, mut consumer, mut provider } = connected(bed, &listener);
    say(&mut consumer, ASKS);
    assert_eq!(read_to(&mut consumer, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    say(&mut consumer, "body");
    assert!(read_to(&mut consumer, "\r\n\r\n").starts_with("HTTP/1.1 503"));
    say(&mut consumer, &ASKS.replace("expect: 100-continue\r\n", ""));
    assert!(is_silent(&mut provider));
    say(&mut consumer, "none");
    assert!(read_to(&mut provider, "none").starts_with("POST /up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_provider_that_has_left_uses_up_no_fault() {
    let often = Often { times: Some(1), ..Often::default() };
    for (fault, body) in
        [(r#""reply_lost""#, ""), (r#"{"status":503}"#, ""), (r#"{"latency":"1ms"}"#, "body")]
    {
        let (bed, listener) = standing().await;
        let rule = bed.put_on(fault, Some("/up"), often).await;
        let Ends { bed, mut consumer, mut provider } = connected(bed, &listener);
        say(&mut consumer, "GET /first HTTP/1.1\r\nhost: api\r\n\r\n");
        read_to(&mut provider, "\r\n\r\n");
        say(&mut provider, "HTTP/1.1 204 No Content\r\n\r\n");
        read_to(&mut consumer, "\r\n\r\n");
        provider.shutdown(Shutdown::Write).unwrap();
        let head = format!("POST /up HTTP/1.1\r\nhost: api\r\ncontent-length: {}\r\n\r\n", body.len());
        say(&mut consumer, &head);
        assert_eq!(read_rest(&mut consumer), "", "{fault}");
        say(&mut consumer, body);
        let heard = format!("{head}{body}");
        assert_eq!(read_to(&mut provider, &heard), heard, "{fault}");
        assert_eq!(rule.n_struck(), 0, "{fault}");
        let Ends { bed, mut consumer, mut provider } = connected(bed, &listener);
        say(&mut consumer, ASKS);
        if fault.contains("status") {
            read_to(&mut consumer, "100 Continue\r\n\r\n");
        } else {
            assert_eq!(read_to(&mut provider, "\r\n\r\n"), ASKS, "{fault}");
        }
        assert_eq!(rule.n_struck(), 1, "{fault}");
        drop(bed);
    }
}

/// The bodies of one stream's frames, until there are so many bytes of them.
fn read_data(end: &mut TcpStream, n_bytes: usize) -> String {
    let mut data = Vec::new();
    while data.len() < n_bytes {
        let (kind, _, payload) = next(end);
        if kind == DATA {
            data.extend(payload);
        }
    }
    String::from_utf8(data).unwrap()
}

/// A header that no table has, as its name and value.
fn plain_header(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_both_sides_talk_as_they_like() {
    // One message of gRPC has its flag and its length before it.
    for (word, content_type, said) in [
        ("http", "text/plain", ["ab", "cd"]),
        ("grpc", "application/grpc", ["\0\0\0\0\x02ab", "\0\0\0\0\x02cd"]),
    ] {
        for (fault, path) in BY_HEAD.iter().filter(|(fault, _)| word == "http" || !fault.contains("rate")) {
            let what = format!("{word} {fault}");
            let (bed, listener) = standing_of(word).await;
            let rule = bed.put_on(fault, *path, Often::default()).await;
            let Ends { bed, mut consumer, mut provider } = connected(bed, &listener);
            let head = [vec![0x83, 0x86, 0x84], plain_header("content-type", content_type)].concat();
            let begin = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 4, 1, &head)].concat();
            consumer.write_all(&begin).unwrap();
            provider.read_exact(&mut [0; PREFACE.len()]).unwrap();
            provider.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
            assert_eq!(next(&mut provider).0, HEADERS, "{what}");
            // The provider is the first to speak.
            let head = [vec![0x88], plain_header("content-type", content_type)].concat();
            provider.write_all(&frame(HEADERS, 4, 1, &head)).unwrap();
            assert_eq!(next(&mut consumer).0, HEADERS, "{what}");
            for text in said {
                provider.write_all(&frame(DATA, 0, 1, text.as_bytes())).unwrap();
                assert_eq!(read_data(&mut consumer, text.len()), text, "{what}");
                consumer.write_all(&frame(DATA, 0, 1, text.as_bytes())).unwrap();
                assert_eq!(read_data(&mut provider, text.len()), text, "{what}");
            }
            consumer.write_all(&frame(DATA, 1, 1, &[])).unwrap();
            while next(&mut provider).1 & 1 == 0 {}
            let last = [plain_header("grpc-status", "0")].concat();
            provider.write_all(&frame(HEADERS, 5, 1, &last)).unwrap();
            while next(&mut consumer).1 & 1 == 0 {}
            let interactions = bed.interactions().await;
            let told = interactions.last().unwrap();
            if word == "http" {
                assert_eq!(told.request.get("text"), Some(&Value::text("abcd")), "{what}");
                assert!(!fault.contains("latency") || rule.n_struck() == 1, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_stubs_are_told_what_they_missed_with_its_body() {
    let (bed, listener) = standing().await;
    let echo = Echo::default();
    bed.put_rule("the stub", Kind::Stub(Arc::new(echo.clone())), None, Often::default()).await;
    let Ends { bed: _bed, mut consumer, mut provider } = connected(bed, &listener);
    // The path is `/`.
    let begin =
        [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 4, 1, &[0x83, 0x86, 0x84])].concat();
    consumer.write_all(&begin).unwrap();
    provider.read_exact(&mut [0; PREFACE.len()]).unwrap();
    provider.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
    assert_eq!(next(&mut provider).0, HEADERS);
    assert_eq!(echo.0.lock().unwrap().len(), 0);
    consumer.write_all(&frame(DATA, 1, 1, b"BODY")).unwrap();
    assert_eq!(read_data(&mut provider, 4), "BODY");
    let missed = echo.0.lock().unwrap().clone();
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].get("text"), Some(&Value::text("BODY")));
    assert_eq!(missed[0].get("path"), Some(&Value::text("/")));
}
