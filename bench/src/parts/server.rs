//! A tiny HTTP/1.1 server: what stands behind all relays and answers all tests.
//!
//! `GET /items/N` gives an item, `POST /items` makes one. A thread for each connection and nothing but the standard
//! library, so that it costs as little as it can and the same to everybody.

use super::Started;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(1_000_000);

/// Starts it on a free port.
pub(crate) fn start(_: &[String]) -> std::io::Result<Started> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok((address, Box::new(())))
}

/// Answers requests of one connection until it ends.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(16 * 1024);
    let mut chunk = [0; 8 * 1024];
    loop {
        let (head, length) = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let length = end + 4 + content_length(&head);
                if bytes.len() >= length {
                    break (head, length);
                }
            }
            let n_read = stream.read(&mut chunk)?;
            if n_read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&chunk[..n_read]);
        };
        bytes.drain(..length);
        let (status, body) = answer(&head);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes())?;
    }
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

fn answer(head: &str) -> (&'static str, String) {
    let mut words = head.split(' ');
    match (words.next(), words.next()) {
        (Some("POST"), Some("/items")) => ("201 Created", item(NEXT.fetch_add(1, Ordering::Relaxed))),
        (Some("GET"), Some(path)) => match path.strip_prefix("/items/").and_then(|id| id.parse().ok()) {
            Some(id) => ("200 OK", item(id)),
            None => ("404 Not Found", "{}".to_owned()),
        },
        _ => ("404 Not Found", "{}".to_owned()),
    }
}

fn item(id: u64) -> String {
    format!("{{\"id\":{id},\"name\":\"item-{id}\",\"price\":{id}.5,\"tags\":[\"a\",\"b\"]}}")
}
