//! Answers of stubs that are said bit by bit: events, and messages of WebSocket.

use crate::bed::{Bed, Begin, LONG, bed, nobody, provider};
use seam_proxy::{Kind, Often};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Say};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers each path by a table.
struct Table(&'static [(&'static str, &'static str)]);

impl Answers for Table {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let said = asked.request.get("message");
        let path = match said {
            Some(message) => message.get("text").and_then(Value::as_text)?,
            None => asked.request.get("path").and_then(Value::as_text)?,
        };
        let (_, answer) = self.0.iter().find(|(known, _)| *known == path)?;
        Some(Answering {
            by: Arc::from("the stub"),
            after: Duration::ZERO,
            say: Say::Answer(Arc::new(parse(answer).unwrap())),
            dribble: None,
            afterwards: Vec::new(),
        })
    }
}

const TABLE: Table = Table(&[
    (
        "/feed",
        r#"{"events":[{"event":"paid","id":"1","data":{"n":1}},{"data":"two","after":"60ms"},{"data":3}],"every":"1ms"}"#,
    ),
    ("/open", r#"{"events":[{"data":1}],"open":true}"#),
    ("/resets", r#"{"events":[{"data":1},{"fault":"reset","after":"10ms"}]}"#),
    ("/breaks", r#"{"events":[{"data":1},{"fault":"truncate"}]}"#),
    ("/hangs", r#"{"events":[{"data":1},{"fault":"hang"}]}"#),
    ("/ws", r#"{"status":101,"messages":["hello",{"json":{"n":2},"after":"30ms"}]}"#),
    ("ask", r#"{"messages":[{"text":"one"},{"text":"two","after":"10ms"}]}"#),
    ("once", r#"{"text":"once"}"#),
    ("bye", r#"{"code":1000,"reason":"bye"}"#),
]);

async fn stubbed(bed: &Bed) {
    bed.put_rule("the stub", Kind::Stub(Arc::new(TABLE)), None, Often::default()).await;
}

fn ask(bed: &Bed, request: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(bed.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n")
}

fn head(stream: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    head
}

/// One chunk of a body, as text.
fn chunk(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut size = String::new();
    if stream.read_line(&mut size)? == 0 {
        return Ok("cut off".to_owned());
    }
    let mut bytes = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(bytes.len() - 2);
    Ok(String::from_utf8(bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_one_by_one_and_then_the_end_and_the_connection_goes_on() {
    for upstream in [nobody as Begin, provider] {
        let bed = bed(upstream).await;
        stubbed(&bed).await;
        // What is asked behind it waits for its end.
        let began = Instant::now();
        let mut client = ask(&bed, &format!("{}{}", get("/feed"), get("/feed")));
        for _ in 0..2 {
            let head = head(&mut client);
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains("content-type: text/event-stream"), "{head}");
            let events: Vec<String> = (0..4).map(|_| chunk(&mut client).unwrap()).collect();
            assert_eq!(
                events,
                ["event: paid\nid: 1\ndata: {\"n\":1}\n\n", "data: two\n\n", "data: 3\n\n", ""]
            );
        }
        assert!(began.elapsed() >= Duration::from_millis(120), "{:?}", began.elapsed());
        let all = bed.interactions().await;
        let told: Vec<String> = all
            .iter()
            .filter(|one| one.message != Value::Null)
            .map(|one| one.message.get("text").unwrap().to_plain_text())
            .collect();
        assert_eq!(told, [r#"{"n":1}"#, "two", "3", r#"{"n":1}"#, "two", "3"]);
        assert!(all.iter().all(|one| one.answered_by.as_deref() == Some("stub the stub")), "{all:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_consumer_hears_events_until_the_end_of_the_connection() {
    let bed = bed(nobody).await;
    stubbed(&bed).await;
    for more in ["", "Connection: keep-alive\r\n"] {
        let mut client = ask(&bed, &format!("GET /feed HTTP/1.0\r\n{more}\r\n"));
        let head = head(&mut client);
        assert!(!head.contains("chunked") && head.contains("connection: close"), "{head}");
        let mut body = String::new();
        client.read_to_string(&mut body).unwrap();
        assert_eq!(body, "event: paid\nid: 1\ndata: {\"n\":1}\n\ndata: two\n\ndata: 3\n\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_breaks_off_as_it_is_told_to() {
    let bed = bed(provider).await;
    stubbed(&bed).await;
    for (path, end) in [("/resets", "reset"), ("/breaks", "cut off"), ("/hangs", "silence")] {
        let mut client = ask(&bed, &get(path));
        head(&mut client);
        assert_eq!(chunk(&mut client).unwrap(), "data: 1\n\n", "{path}");
        client
            .get_mut()
            .set_read_timeout(Some(Duration::from_millis(if end == "silence" { 100 } else { 9000 })))
            .unwrap();
        let then = chunk(&mut client).unwrap_or_else(|error| match error.kind() {
            ErrorKind::ConnectionReset => "reset".to_owned(),
            ErrorKind::WouldBlock => "silence".to_owned(),
            other => format!("{other:?}"),
        });
        assert_eq!(then, end, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_strikes_what_a_stub_streams() {
    let bed = bed(provider).await;
    stubbed(&bed).await;
    let often = Often { nth: Some(3), ..Often::default() };
    let rule = bed.put_on(r#"{"latency":"1ms"}"#, None, often).await;
    let mut client = ask(&bed, &get("/feed"));
    head(&mut client);
    for _ in 0..4 {
        chunk(&mut client).unwrap();
    }
    // The request is the first, then the events.
    assert_eq!(rule.n_struck(), 1);
    bed.proxy.take_away(&rule);
    let often = Often { nth: Some(3), ..Often::default() };
    bed.put_on(r#""reset""#, None, often).await;
    let mut client = ask(&bed, &get("/feed"));
    head(&mut client);
    assert_eq!(chunk(&mut client).unwrap(), "event: paid\nid: 1\ndata: {\"n\":1}\n\n");
    assert_eq!(chunk(&mut client).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_pushed_onto_a_stubs_own_stream() {
    for upstream in [nobody as Begin, provider] {
        let bed = bed(upstream).await;
        stubbed(&bed).await;
        let mut client = ask(&bed, &get("/open"));
        head(&mut client);
        assert_eq!(chunk(&mut client).unwrap(), "data: 1\n\n");
        let pushed = parse(r#"{"event":"late","data":{"n":2}}"#).unwrap();
        assert_eq!(bed.push(pushed).await, [Ok(())]);
        assert_eq!(chunk(&mut client).unwrap(), "event: late\ndata: {\"n\":2}\n\n");
        // A consumer that goes away ends it.
        assert_eq!(bed.proxy.n_held(), 1);
        drop(client);
        let deadline = Instant::now() + LONG;
        while bed.proxy.n_held() > 0 {
            assert!(Instant::now() < deadline, "it stays for good");
        }
    }
}

/// A frame of WebSocket that is not masked: its opcode and what it says.
fn frame(stream: &mut impl Read) -> (u8, String) {
    let mut begin = [0; 2];
    stream.read_exact(&mut begin).unwrap();
    let mut payload = vec![0; usize::from(begin[1])];
    stream.read_exact(&mut payload).unwrap();
    (begin[0] & 0x0f, String::from_utf8_lossy(&payload).into_owned())
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) {
    let begin = [0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    stream.get_mut().write_all(&[&begin, text.as_bytes()].concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_websocket_come_in_their_time_and_are_answered() {
    for upstream in [nobody as Begin, provider] {
        let bed = bed(upstream).await;
        stubbed(&bed).await;
        let mut client = ask(
            &bed,
            "GET /ws HTTP/1.1\r\nhost: api\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        assert!(head(&mut client).starts_with("HTTP/1.1 101 "));
        assert_eq!(frame(&mut client), (1, "hello".to_owned()));
        assert_eq!(frame(&mut client), (1, r#"{"n":2}"#.to_owned()));
        say(&mut client, "nobody knows this");
        say(&mut client, "ask");
        assert_eq!(frame(&mut client), (1, "one".to_owned()));
        assert_eq!(frame(&mut client), (1, "two".to_owned()));
        say(&mut client, "once");
        assert_eq!(frame(&mut client), (1, "once".to_owned()));
        assert_eq!(bed.push(Value::text("pushed")).await, [Ok(())]);
        assert_eq!(frame(&mut client), (1, "pushed".to_owned()));
        say(&mut client, "bye");
        assert_eq!(frame(&mut client), (8, "\u{3}\u{fffd}bye".to_owned()));
        // It was said on both sides now, once, and the server closes.
        client.get_mut().write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 232]).unwrap();
        client.get_mut().set_read_timeout(Some(LONG)).unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
        assert_eq!(bed.n_asked(), 0);
    }
}
