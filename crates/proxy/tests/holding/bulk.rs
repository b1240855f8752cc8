//! Long bodies, which pass uncopied once nobody needs to look at them: unchanged, told as what they were, ended as they
//! were ended, and held from the middle on where a rule wants that.

use crate::bed::{Bed, LONG, bed};
use seam_event::InteractionError;
use seam_proxy::Upstream;
use seam_value::Value;
use socket2::SockRef;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

const LENGTH: usize = 24_000_000;

fn noise(n_bytes: usize) -> Vec<u8> {
    (0_u32..).take(n_bytes).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// A provider that is handed each connection.
fn provider(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    Upstream::Tcp(address)
}

/// Reads a head; gives the length of the body behind it, and none at the end.
fn head(reader: &mut impl BufRead) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            return Some(length);
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
    }
}

/// Answers each request with its own body.
fn echo(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(length) = head(&mut reader) {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    }
}

/// Says the beginning of a long answer, and then does that.
fn begins(then: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Upstream {
    provider(move |mut stream| {
        head(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
        let said = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
        stream.write_all(said.as_bytes()).unwrap();
        let _ = stream.write_all(&noise(LENGTH / 2));
        then(stream);
    })
}

fn connect(bed: &Bed) -> TcpStream {
    let stream = TcpStream::connect(bed.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn ask(stream: &TcpStream) {
    (&*stream).write_all(b"GET /bulk HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_arrive_unchanged_and_are_told() {
    let bed = bed(|_| provider(echo)).await;
    let client = connect(&bed);
    let mut reader = BufReader::new(client.try_clone().unwrap());
    for length in [LENGTH, 3, LENGTH, 0] {
        let body = noise(length);
        let (mut writer, sent) = (client.try_clone().unwrap(), body.clone());
        let writing = std::thread::spawn(move || {
            let head = format!("PUT /bulk HTTP/1.1\r\nhost: api\r\ncontent-length: {length}\r\n\r\n");
            writer.write_all(head.as_bytes()).unwrap();
            writer.write_all(&sent).unwrap();
        });
        assert_eq!(head(&mut reader), Some(length));
        let mut back = vec![0; length];
        reader.read_exact(&mut back).unwrap();
        writing.join().unwrap();
        assert!(back == body);
    }
    let told = bed.interactions().await;
    let shown: Vec<_> = told
        .iter()
        .map(|one| (one.reply.get("status").and_then(Value::as_i64), one.error, one.cut))
        .collect();
    let ok = Some(200);
    assert_eq!(shown, [(ok, None, true), (ok, None, false), (ok, None, true), (ok, None, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_been_written_yet_is_kept_where_a_rule_comes() {
    let bed = bed(|_| provider(echo)).await;
    let client = connect(&bed);
    let mut writer = client.try_clone().unwrap();
    let body = noise(LENGTH);
    let sent = body.clone();
    let writing = std::thread::spawn(move || {
        let head = format!("PUT /bulk HTTP/1.1\r\nhost: api\r\ncontent-length: {LENGTH}\r\n\r\n");
        writer.write_all(head.as_bytes()).unwrap();
        writer.write_all(&sent).unwrap();
        writer
    });
    // Nothing of the answer is read, so that all there is between the two is full when the rule comes.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let rule = bed.put_on(r#"{"status":503}"#, Some("/next"), seam_proxy::Often::default()).await;
    let mut writer = writing.join().unwrap();
    writer.write_all(b"PUT /next HTTP/1.1\r\nhost: api\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(client);
    assert_eq!(head(&mut reader), Some(LENGTH));
    let mut back = vec![0; LENGTH];
    reader.read_exact(&mut back).unwrap();
    assert!(back == body);
    let mut status = String::new();
    reader.read_line(&mut status).unwrap();
    assert!(status.starts_with("HTTP/1.1 503"), "{status}");
    assert_eq!(rule.n_struck(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_breaks_off_in_the_same_way() {
    for is_reset in [true, false] {
        let bed = bed(|_| {
            begins(move |stream| {
                // What was said before has arrived by then.
                std::thread::sleep(Duration::from_millis(500));
                if is_reset {
                    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
            })
        })
        .await;
        let mut client = connect(&bed);
        ask(&client);
        let mut all = Vec::new();
        let ended = client.read_to_end(&mut all).map_err(|error| error.kind());
        assert!(all.len() > LENGTH / 2 || is_reset, "{} bytes", all.len());
        assert_eq!(ended.is_err(), is_reset, "{ended:?}");
        let told = bed.interactions().await;
        let error = if is_reset { InteractionError::Reset } else { InteractionError::Closed };
        assert_eq!(told.iter().map(|one| one.error).collect::<Vec<_>>(), [Some(error)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_the_middle_is_missed_at_once() {
    let (says, hears) = mpsc::channel();
    let bed = bed(|_| {
        begins(move |mut stream| {
            // Nobody reads this any more.
            let piece = noise(1_000_000);
            let written = (0..100).try_for_each(|_| stream.write_all(&piece));
            says.send(written.map_err(|error| error.kind())).unwrap();
        })
    })
    .await;
    let mut client = connect(&bed);
    ask(&client);
    let mut some = vec![0; LENGTH / 4];
    client.read_exact(&mut some).unwrap();
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let written = hears.recv_timeout(Duration::from_secs(1)).unwrap();
    assert!(matches!(written, Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{written:?}");
}
