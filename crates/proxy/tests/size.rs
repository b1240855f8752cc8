//! What a seam costs in memory: ten thousand idle connections, and bodies of a gigabyte. Lasts for minutes in a debug build;
//! `cargo test -p seam-proxy --test size -- --ignored --nocapture --test-threads 1` runs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Callers, Dialled, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Upstream, Witness, read_fault,
};
use seam_value::parse;
use seam_wire::{Limits, protocol};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Ten thousand, or as many as this process may have: client, seam and server have two ends of two sockets each.
fn n_connections() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    (most.saturating_sub(500) / 4).min(10_000)
}

const GIGABYTE: usize = 1 << 30;

const MIB: usize = 1024 * 1024;

struct Deaf;

impl Witness for Deaf {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}
    fn interaction(&mut self, _: Interaction) {}
    fn degraded(&mut self, _: &SeamId, _: u64, _: &str) {}
    fn lost(&mut self, _: &SeamId, _: u64) {}
}

impl Callers for Deaf {
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>> {
        connections.iter().map(|_| None).collect()
    }
}

async fn stand(upstream: SocketAddr) -> (Proxy, SocketAddr) {
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(Deaf), Box::new(Deaf)).unwrap();
    let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
    let (protocol, upstream) = (protocol("http").unwrap(), Upstream::Tcp(upstream));
    let address = proxy.stand(SeamSpec { seam, protocol, upstream, listen: None }).await.unwrap();
    (proxy, address)
}

/// A fault that never strikes, and looks at requests or at replies.
fn put(proxy: &Proxy, filters_replies: bool) -> Arc<Rule> {
    let kind = Kind::Fault(read_fault(&parse(r#""reset""#).unwrap()).unwrap());
    let rule = Arc::new(Rule::new(RuleSpec {
        name: "never".to_owned(),
        kind,
        filter: Some(Box::new(|_| false)),
        filters_replies,
        often: Often::default(),
        chance: Chance::new(7, "size"),
    }));
    proxy.put(|_| true, &rule);
    rule
}

/// Memory in use, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Notes the most memory in use, until it is dropped.
struct Peak {
    most: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Peak {
    fn begin() -> Self {
        let (most, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let peak = Self { most: Arc::clone(&most), is_over: Arc::clone(&is_over) };
        std::thread::spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                most.fetch_max(resident(), Ordering::SeqCst);
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        peak
    }

    fn end(self) -> usize {
        self.is_over.store(true, Ordering::SeqCst);
        self.most.load(Ordering::SeqCst)
    }
}

/// The length that a head tells.
fn head(reader: &mut impl BufRead) -> Option<(String, usize)> {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|n_read| *n_read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line == "\r\n" {
            return Some((first, length));
        }
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
    }
}

/// Answers once on each connection, and keeps all of them.
fn answers_once() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let kept = Mutex::new(Vec::with_capacity(10_000));
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 256];
            let _ = stream.read(&mut request);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
            kept.lock().unwrap().push(stream);
        }
    });
    address
}

fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /a HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
    let mut answer = [0; 64];
    let n_read = stream.read(&mut answer).unwrap();
    assert!(answer[..n_read].starts_with(b"HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "forty thousand file descriptors, and half a minute"]
async fn idle_connections() {
    let (proxy, address) = stand(answers_once()).await;
    let n_connections = n_connections();
    let mut clients = Vec::with_capacity(10_000);
    // What the first ones need once for all.
    for _ in 0..100 {
        let mut client = TcpStream::connect(address).unwrap();
        ask(&mut client);
        clients.push(client);
    }
    let before = resident();
    while clients.len() < n_connections {
        let mut client = TcpStream::connect(address).unwrap();
        ask(&mut client);
        clients.push(client);
    }
    proxy.drain(Duration::from_secs(10)).await;
    let watched = resident();
    let rule = put(&proxy, false);
    let deadline = Instant::now() + Duration::from_mins(1);
    while proxy.n_held() < n_connections {
        assert!(Instant::now() < deadline, "{} are held", proxy.n_held());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let held = resident();
    proxy.take_away(&rule);
    while proxy.n_held() > 0 {
        assert!(Instant::now() < deadline, "{} are held", proxy.n_held());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let again = resident();
    let each = |now: usize| now.saturating_sub(before) / (n_connections - 100);
    eprintln!(
        "{n_connections} idle connections: each {} bytes watched, {} held, {} watched again",
        each(watched),
        each(held),
        each(again)
    );
    assert!(each(watched) < 8 * 1024 && each(held) < 16 * 1024);
    for client in clients {
        // Its server would keep its side open.
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    while proxy.pulse().n_connections() > 0 {
        assert!(Instant::now() < deadline, "{} are left", proxy.pulse().n_connections());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Says a gigabyte to who asks, and hears what it is told.
fn gigabytes() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((first, length)) = head(&mut reader) {
        std::io::copy(&mut (&mut reader).take(length as u64), &mut std::io::sink()).unwrap();
        let length = if first.starts_with("GET") { GIGABYTE } else { 2 };
        let kind = if first.contains("events") { "text/event-stream" } else { "text/plain" };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        std::io::copy(&mut std::io::repeat(b'x').take(length as u64), &mut stream).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "six gigabytes"]
async fn large_bodies_are_flat() {
    let (proxy, address) = stand(gigabytes()).await;
    for way in ["watched", "held", "held for its replies"] {
        let rule = (way != "watched").then(|| put(&proxy, way.ends_with("replies")));
        for (what, path, length) in
            [("down", "/a", 0), ("up", "/a", GIGABYTE), ("down as events", "/events", 0)]
        {
            let before = resident();
            let (peak, began) = (Peak::begin(), Instant::now());
            let passed = tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let method = if length > 0 { "POST" } else { "GET" };
                let asked =
                    format!("{method} {path} HTTP/1.1\r\nhost: api\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(asked.as_bytes()).unwrap();
                std::io::copy(&mut std::io::repeat(b'x').take(length as u64), &mut stream).unwrap();
                let mut reader = BufReader::new(stream);
                let (_, answered) = head(&mut reader).unwrap();
                std::io::copy(&mut reader.take(answered as u64), &mut std::io::sink()).unwrap()
            });
            assert_eq!(passed.await.unwrap(), if length > 0 { 2 } else { GIGABYTE as u64 });
            let more = peak.end().saturating_sub(before);
            eprintln!("1 GiB {what}, {way}: {} MiB more at most, {:?}", more / MIB, began.elapsed());
            assert!(more < 32 * MIB, "{} MiB", more / MIB);
        }
        if let Some(rule) = rule {
            proxy.take_away(&rule);
        }
    }
}
