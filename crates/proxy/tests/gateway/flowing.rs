//! Large bodies flow through, both ways, and are never held whole.

use crate::external::{External, Presents};
use std::io::{BufRead, BufReader, Read, Write};

const SIZE: usize = 128 * 1024 * 1024;

/// What a body may add to the memory that this program has used at most: half of it, since the other tests of this
/// program run beside it.
const ROOM_KIB: usize = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_both_ways_in_little_memory() {
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while !line.ends_with("\r\n\r\n") {
            stream.read_line(&mut line).unwrap();
        }
        let n_read = std::io::copy(&mut stream.by_ref().take(SIZE as u64), &mut std::io::sink()).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nX-Read: {n_read}\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.get_mut().write_all(head.as_bytes()).unwrap();
        pour(stream.get_mut());
    });
    let standing = external.gateway().await;
    let (mut consumer, before) = (standing.connect(), most_memory());
    let request =
        format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n");
    consumer.write_all(request.as_bytes()).unwrap();
    pour(&mut consumer);
    let mut answer = BufReader::new(consumer);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        answer.read_line(&mut head).unwrap();
    }
    assert!(head.contains(&format!("X-Read: {SIZE}\r\n")), "{head}");
    assert_eq!(std::io::copy(&mut answer, &mut std::io::sink()).unwrap(), SIZE as u64);
    let more = most_memory() - before;
    assert!(more < ROOM_KIB, "{more} KiB more");
}

fn pour(to: &mut impl Write) {
    let piece = vec![7; 64 * 1024];
    for _ in 0..SIZE / piece.len() {
        to.write_all(&piece).unwrap();
    }
    to.flush().unwrap();
}

/// The most memory that this program has used up to now, in KiB.
fn most_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().split(' ').next().unwrap().parse().unwrap()
}
