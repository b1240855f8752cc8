//! Consumers that speak TLS to a seam: it ends there, and what passes is seen as without it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "certified/mod.rs"]
mod certified;

use certified::by_itself;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, StreamOwned};
use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Authority, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, Witness, read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Limits, protocol};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Interaction>>>);

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}
    fn interaction(&mut self, interaction: Interaction) {
        self.0.lock().unwrap().push(interaction);
    }
    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        panic!("degraded: {reason}");
    }
    fn lost(&mut self, _: &SeamId, _: u64) {}
}

struct Bed {
    proxy: Proxy,
    notes: Notes,
    address: SocketAddr,
    roots: RootCertStore,
}

async fn bed(protocol_name: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Bed {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = Upstream::Tcp(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let serve = Arc::new(serve);
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    let notes = Notes::default();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(notes.clone()), Box::new(Strangers)).unwrap();
    let authority = Authority::new(&["api"]).unwrap();
    proxy.vouch(&authority);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
    let spec = SeamSpec { seam, protocol: protocol(protocol_name).unwrap(), upstream, listen: None };
    let address = proxy.stand(spec).await.unwrap();
    Bed { proxy, notes, address, roots }
}

impl Bed {
    fn connect(&self, name: &'static str) -> StreamOwned<ClientConnection, TcpStream> {
        self.over(TcpStream::connect(self.address).unwrap(), name)
    }

    fn over(&self, stream: TcpStream, name: &'static str) -> StreamOwned<ClientConnection, TcpStream> {
        stream.set_read_timeout(Some(LONG)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(self.roots.clone()).with_no_client_auth();
        let connection =
            ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap();
        StreamOwned::new(connection, stream)
    }
}

/// Reads a head and so many bytes of a body.
fn read_message(stream: &mut impl Read) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .to_ascii_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

/// Answers each request with its own body.
fn echo_http(mut stream: TcpStream) {
    loop {
        let mut first = [0];
        if stream.peek(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let (_, body) = read_message(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_over_tls_is_seen_and_held_as_without_it() {
    let bed = bed("http", echo_http).await;
    for name in ["localhost", "127.0.0.1", "api"] {
        let mut client = bed.connect(name);
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        for body in [&b"{\"a\":1}"[..], &body, b"x"] {
            let head =
                format!("POST /orders HTTP/1.1\r\nhost: {name}\r\ncontent-length: {}\r\n\r\n", body.len());
            client.write_all(head.as_bytes()).unwrap();
            // Both ways at once: what is echoed must not wait for the whole of what is sent.
            let mut sent = 0;
            let mut answer = Vec::new();
            while sent < body.len() {
                let end = body.len().min(sent + 100_000);
                client.write_all(&body[sent..end]).unwrap();
                sent = end;
            }
            client.flush().unwrap();
            let (head, echoed) = read_message(&mut client);
            answer.extend_from_slice(&echoed);
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert!(answer == body, "{} of {}", answer.len(), body.len());
        }
        // Rules hold it from the next request on.
        let kind = Kind::Fault(read_fault(&parse(r#"{"status":503}"#).unwrap()).unwrap());
        let (often, chance) = (Often::default(), Chance::new(1, ""));
        let spec =
            RuleSpec { name: "fault".to_owned(), kind, filter: None, filters_replies: false, often, chance };
        let rule = Arc::new(Rule::new(spec));
        bed.proxy.put(|_| true, &rule);
        for client in [&mut client, &mut bed.connect(name)] {
            client.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            assert!(read_message(client).0.starts_with("HTTP/1.1 503"));
        }
        bed.proxy.take_away(&rule);
        bed.proxy.pointed(|_| true).await;
    }
    assert!(bed.proxy.drain(LONG).await);
    let seen = bed.notes.0.lock().unwrap();
    let paths = seen.iter().filter(|one| one.request.get("path") == Some(&Value::text("/orders"))).count();
    assert_eq!((seen.len(), paths), (15, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_trust_the_authority_gets_no_further() {
    let mut bed = bed("http", echo_http).await;
    bed.roots = RootCertStore::empty();
    bed.roots
        .add(CertificateDer::from_pem_slice(Authority::new(&[]).unwrap().certificate().as_bytes()).unwrap())
        .unwrap();
    let mut client = bed.connect("localhost");
    let error = client.write_all(b"GET / HTTP/1.1\r\n\r\n").and_then(|()| client.flush()).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_gets_tls_the_first_time_that_it_is_asked_for() {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    let bed = bed("postgres", |mut stream| {
        let mut startup = [0; 8];
        // The first bytes of a startup message; what follows does not matter here.
        if stream.read_exact(&mut startup).is_ok() {
            let _ = stream.write_all(b"E\0\0\0\x12SFATAL\0C28000\0\0");
        }
    })
    .await;
    let mut stream = TcpStream::connect(bed.address).unwrap();
    stream.write_all(&SSL_REQUEST).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"S");
    let mut client = bed.over(stream, "localhost");
    client.write_all(b"\0\0\0\x08\0\x03\0\0").unwrap();
    let mut error = [0; 5];
    client.read_exact(&mut error).unwrap();
    assert_eq!(&error, b"E\0\0\0\x12");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_on_its_way_when_the_provider_ends_arrives_and_so_does_the_end() {
    const MUCH: usize = 40_000_000;
    let bed = bed("http", |mut stream| {
        read_message(&mut stream);
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
        stream.write_all(&vec![7; MUCH]).unwrap();
    })
    .await;
    let mut client = bed.connect("localhost");
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // Without an end that was said this is an error, and without any it lasts too long.
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), MUCH + b"HTTP/1.0 200 OK\r\n\r\n".len());
}

/// A server that speaks TLS, and resets or closes the connections of these numbers in the handshake.
fn cuts(resets: &'static [usize], closes: &'static [usize]) -> impl Fn(TcpStream) + Send + Sync + 'static {
    let (config, n_came) = (by_itself(), AtomicUsize::new(0));
    move |mut stream| {
        let number = n_came.fetch_add(1, Ordering::SeqCst);
        if resets.contains(&number) || closes.contains(&number) {
            let _ = stream.read(&mut [0; 4096]);
            if resets.contains(&number) {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            return;
        }
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        if stream.conn.complete_io(&mut stream.sock).is_ok() {
            let _ = read_message(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_cut_off_in_the_handshake_speaks_tls_all_the_same() {
    // The first of all is asked without TLS after that, on a second connection.
    for (resets, closes, answered) in [
        (&[1][..], &[][..], [true, false, true, true]),
        (&[], &[1, 2], [true, false, false, true]),
        (&[0], &[], [false, true, true, true]),
    ] {
        let bed = bed("http", cuts(resets, closes)).await;
        for (number, is_answered) in answered.into_iter().enumerate() {
            let mut client = bed.connect("api");
            let asked = client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            let mut came = [0; 12];
            let came = asked.and_then(|()| client.read_exact(&mut came)).is_ok() && came.ends_with(b"204");
            assert_eq!(came, is_answered, "{number} with {resets:?}, {closes:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_which_tls_says_nothing_is_passed_on_as_such_and_told_where_it_matters() {
    const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc";
    const WITH_LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
    for (said, says_goodbye, is_told) in
        [(UNTIL_CLOSE, true, false), (UNTIL_CLOSE, false, true), (WITH_LENGTH, false, false)]
    {
        for is_held in [false, true] {
            let config = by_itself();
            let bed = bed("http", move |stream| {
                let mut stream =
                    StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
                read_message(&mut stream);
                stream.write_all(said.as_bytes()).unwrap();
                if says_goodbye {
                    stream.conn.send_close_notify();
                }
                stream.flush().unwrap();
                stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = stream.sock.read_to_end(&mut Vec::new());
            })
            .await;
            if is_held {
                let kind = Kind::Fault(read_fault(&parse(r#"{"latency":"1ms"}"#).unwrap()).unwrap());
                let (name, often, chance) = ("fault".to_owned(), Often::default(), Chance::new(1, ""));
                let spec = RuleSpec { name, kind, filter: None, filters_replies: false, often, chance };
                bed.proxy.put(|_| true, &Arc::new(Rule::new(spec)));
            }
            let mut client = bed.connect("api");
            client.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            let mut came = Vec::new();
            let ended = client.read_to_end(&mut came);
            assert_eq!(String::from_utf8_lossy(&came), said, "held: {is_held}");
            let ended = ended.map_err(|error| error.kind());
            let expect = if says_goodbye { Ok(said.len()) } else { Err(std::io::ErrorKind::UnexpectedEof) };
            assert_eq!(ended, expect, "held: {is_held}, {said}");
            drop(client);
            assert!(bed.proxy.drain(LONG).await);
            let seen = bed.notes.0.lock().unwrap();
            let [call] = &seen[..] else { panic!("held: {is_held}, {seen:?}") };
            assert_eq!((call.error, call.cut), (None, false), "{call:?}");
            assert_eq!(call.reply.get("cut_off").is_some(), is_told, "held: {is_held}, {call:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_when_asked_for_tls_is_not_asked_each_time() {
    const CLIENTS: usize = 6;
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_asked);
    let bed = bed("http", move |mut stream| {
        let mut first = [0];
        if stream.peek(&mut first).is_ok() && first == [0x16] {
            counted.fetch_add(1, Ordering::SeqCst);
            // All of it is read, or it would be a reset.
            let _ = stream.read(&mut [0; 16 * 1024]);
            return;
        }
        if first != [0] {
            read_message(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    })
    .await;
    for number in 0..CLIENTS {
        let mut client = bed.connect("api");
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut came = [0; 12];
        client.read_exact(&mut came).unwrap();
        assert!(came.ends_with(b"204"), "{number}");
    }
    let n_asked = n_asked.load(Ordering::SeqCst);
    assert!((2..CLIENTS).contains(&n_asked), "asked {n_asked} times");
}
