//! HTTP/2, frame by frame: what has no room at its receiver waits, and nothing behind it on its stream overtakes it.

use crate::bed::{LONG, bed};
use seam_proxy::{Often, Upstream};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A frame, without those of the connection as a whole.
pub(crate) fn next(stream: &mut TcpStream) -> (u8, u8, Vec<u8>) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        if head[8] != 0 {
            return (head[3], head[4], payload);
        }
    }
}

/// Answers at once with two halves of a body and trailers, in one piece.
fn provider() -> Upstream {
    greeting(|stream| {
        while next(stream).0 != HEADERS {}
        let all = [
            frame(HEADERS, 4, 1, &[0x88]),
            frame(DATA, 0, 1, b"0123456789"),
            frame(DATA, 0, 1, b"abcdefghij"),
            // A header that no table has, as its name and value.
            frame(HEADERS, 5, 1, b"\0\x01x\x01y"),
        ];
        stream.write_all(&all.concat()).unwrap();
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_room_is_not_overtaken() {
    let bed = bed(|_| provider()).await;
    bed.put_on(r#""reset""#, Some("/never"), Often::default()).await;
    let mut client = TcpStream::connect(bed.address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    // Each stream has room for ten bytes.
    let asks = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]),
        frame(SETTINGS, 1, 0, &[]),
        frame(HEADERS, 5, 1, &[0x82, 0x86, 0x84]),
    ];
    client.write_all(&asks.concat()).unwrap();
    assert_eq!(next(&mut client).0, HEADERS);
    assert_eq!(next(&mut client), (DATA, 0, b"0123456789".to_vec()));
    client.write_all(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 4])).unwrap();
    assert_eq!(next(&mut client), (DATA, 0, b"abcd".to_vec()));
    client.write_all(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 60])).unwrap();
    assert_eq!(next(&mut client), (DATA, 0, b"efghij".to_vec()));
    let (kind, flags, _) = next(&mut client);
    assert_eq!((kind, flags), (HEADERS, 5));
}

/// Serves one connection of HTTP/2, whose settings have been exchanged, until the other side leaves.
fn greeting(serve: impl FnOnce(&mut TcpStream) + Send + 'static) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; PREFACE.len()]).unwrap();
        stream.write_all(&[frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, 1, 0, &[])].concat()).unwrap();
        serve(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    Upstream::Tcp(address)
}

/// Answers with more than is gathered of a reply, and does not end.
fn long() -> Upstream {
    greeting(|stream| {
        while next(stream).0 != HEADERS {}
        stream.write_all(&frame(HEADERS, 4, 1, &[0x88])).unwrap();
        for _ in 0..80 {
            stream.write_all(&frame(DATA, 0, 1, &[b'x'; 16_000])).unwrap();
        }
    })
}

/// Nobody keeps more of it than a mebibyte: it breaks off there, as in HTTP/1.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_reply_breaks_off_behind_what_is_kept() {
    let bed = bed(|_| long()).await;
    let rule = bed.put(r#"{"truncate":"2MiB"}"#).await;
    let mut client = TcpStream::connect(bed.address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let room = [0x7f, 0xff, 0, 0];
    let asks = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[&[0, 4][..], &room].concat()),
        frame(WINDOW_UPDATE, 0, 0, &room),
        frame(HEADERS, 5, 1, &[0x82, 0x86, 0x84]),
    ];
    client.write_all(&asks.concat()).unwrap();
    assert_eq!(next(&mut client).0, HEADERS);
    let mut n_bytes = 0;
    let last = loop {
        match next(&mut client) {
            (DATA, _, payload) => n_bytes += payload.len(),
            (kind, ..) => break kind,
        }
    };
    assert_eq!((last, rule.n_struck()), (RST_STREAM, 1));
    assert!((1_000_000..1_200_000).contains(&n_bytes), "{n_bytes}");
}

/// A provider that says nothing until it was asked.
fn silent() -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    Upstream::Tcp(address)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_before_the_provider_says_anything_begins_with_settings() {
    let bed = bed(|_| silent()).await;
    bed.put(r#"{"status":503}"#).await;
    let mut client = TcpStream::connect(bed.address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let asks =
        [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 5, 1, &[0x82, 0x86, 0x84])].concat();
    client.write_all(&asks).unwrap();
    let mut first = [0; 9];
    client.read_exact(&mut first).unwrap();
    assert_eq!(first[3..5], [SETTINGS, 0]);
    assert_eq!(next(&mut client).0, HEADERS);
}

/// A stream's number and kind, without those of the connection as a whole.
fn next_of(stream: &mut TcpStream) -> (u8, u8) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = usize::from(head[1]) * 256 + usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).unwrap();
        if head[8] != 0 {
            return (head[8], head[3]);
        }
    }
}

/// Answers whatever it is asked with 200, but what comes second only after the third.
fn second_last() -> Upstream {
    greeting(|stream| {
        let mut asked = Vec::new();
        while asked.len() < 2 {
            let (number, kind) = next_of(stream);
            if kind == HEADERS {
                asked.push(number);
            }
        }
        for number in asked.into_iter().rev() {
            stream.write_all(&frame(HEADERS, 5, number, &[0x88])).unwrap();
        }
    })
}

/// The headers of a request for this path, in one frame.
fn ask_for(path: &str, stream: u8) -> Vec<u8> {
    let block = [&[0x82, 0x86, 4, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat();
    frame(HEADERS, 5, stream, &block)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hung_is_reset_alone_and_its_neighbours_go_on() {
    let bed = bed(|_| second_last()).await;
    let first = bed.put_on(r#""hang""#, Some("/first"), Often::default()).await;
    let stays = bed.put_on(r#""hang""#, Some("/stays"), Often::default()).await;
    let mut client = TcpStream::connect(bed.address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let asks = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        ask_for("/first", 1),
        ask_for("/open", 3),
        ask_for("/stays", 5),
        // Its consumer gives it up: nobody has to reset it.
        ask_for("/first", 7),
        frame(RST_STREAM, 0, 7, &[0, 0, 0, 8]),
    ];
    client.write_all(&asks.concat()).unwrap();
    let deadline = Instant::now() + LONG;
    while (first.n_struck(), stays.n_struck()) != (2, 1) {
        assert!(Instant::now() < deadline, "struck {} and {}", first.n_struck(), stays.n_struck());
        tokio::task::yield_now().await;
    }
    bed.proxy.take_away(&first);
    assert_eq!(next_of(&mut client), (1, RST_STREAM));
    // What is asked now passes, and what was open all the time is answered.
    client.write_all(&ask_for("/first", 9)).unwrap();
    assert_eq!(next_of(&mut client), (9, HEADERS));
    assert_eq!(next_of(&mut client), (3, HEADERS));
    bed.proxy.take_away(&stays);
    assert_eq!(next_of(&mut client), (5, RST_STREAM));
    let told = bed.interactions().await;
    let errors: Vec<_> =
        told.iter().map(|one| (one.request.get("path").cloned(), one.answered_by.clone())).collect();
    assert_eq!(told.iter().filter(|one| one.error.is_some()).count(), 3, "{errors:?}");
}
