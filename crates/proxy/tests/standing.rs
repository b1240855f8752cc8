//! Standing in the way looks like the provider: bytes, half-closes, resets and refusals are passed on as they are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seam_event::{Caller, ComponentId, Endpoint, Interaction, InteractionError, SeamId};
use seam_proxy::{Callers, Dialled, ExternalError, Proxy, Pulse, SeamSpec, Upstream, Witness};
use seam_value::Value;
use seam_wire::{Limits, protocol};
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

/// Keeps what the observer tells.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Interaction>>>, Arc<Mutex<Vec<String>>>);

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, state: &'static str, caller: Option<&ComponentId>) {
        let by = caller.map(|caller| format!(" by {caller}")).unwrap_or_default();
        self.1.lock().unwrap().push(format!("{state}{by}"));
    }

    fn interaction(&mut self, interaction: Interaction) {
        self.0.lock().unwrap().push(interaction);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        self.1.lock().unwrap().push(format!("degraded: {reason}"));
    }

    fn unreached(&mut self, _: &SeamId, error: &ExternalError) {
        self.1.lock().unwrap().push(format!("unreached: {error}"));
    }

    fn lost(&mut self, _: &SeamId, count: u64) {
        self.1.lock().unwrap().push(format!("lost {count}"));
    }
}

/// Everybody is `stranger`.
struct Strangers;

impl Callers for Strangers {
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>> {
        connections.iter().map(|_| Some(ComponentId::from("stranger"))).collect()
    }
}

struct Standing {
    proxy: Proxy,
    notes: Notes,
    seam: SeamId,
    address: SocketAddr,
}

/// Stands on a seam `consumer -> provider` that leads there.
async fn stand(consumer: &str, protocol_name: &str, upstream: Upstream) -> Standing {
    let notes = Notes::default();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(notes.clone()), Box::new(Strangers)).unwrap();
    let seam = SeamId { consumer: consumer.into(), provider: "provider".into(), endpoint: Endpoint::main() };
    let spec =
        SeamSpec { seam: seam.clone(), protocol: protocol(protocol_name).unwrap(), upstream, listen: None };
    let address = proxy.stand(spec).await.unwrap();
    Standing { proxy, notes, seam, address }
}

impl Standing {
    async fn interactions(&self) -> Vec<Interaction> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.0.lock().unwrap().clone()
    }

    async fn told(&self) -> Vec<String> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.1.lock().unwrap().clone()
    }

    /// Waits until this was told.
    async fn wait_for(&self, what: &str) {
        let deadline = Instant::now() + LONG;
        while !self.told().await.iter().any(|told| told == what) {
            assert!(Instant::now() < deadline, "never told {what:?}: {:?}", self.told().await);
        }
    }
}

/// Serves each connection on a thread of its own.
fn provider(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    Upstream::Tcp(address)
}

fn echo(mut stream: TcpStream) {
    let mut reader = stream.try_clone().unwrap();
    let _ = std::io::copy(&mut reader, &mut stream);
    let _ = stream.shutdown(Shutdown::Write);
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

#[tokio::test]
async fn a_request_and_its_reply_become_an_interaction() {
    let hello = provider(|mut stream| {
        let mut head = [0; 512];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 8\r\nContent-Type: application/json\r\n\r\n{\"id\":7}").unwrap();
    });
    let standing = stand("consumer", "http", hello).await;
    let mut client = connect(standing.address);
    client.write_all(b"POST /orders?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("{\"id\":7}"), "{answer}");
    let [interaction] = standing.interactions().await.try_into().unwrap();
    assert_eq!(interaction.request.get("path"), Some(&Value::text("/orders")));
    assert_eq!(interaction.reply.get("status"), Some(&Value::from(201_u16)));
    assert_eq!(interaction.reply.get("body").and_then(|body| body.get("id")), Some(&Value::from(7_i64)));
    assert_eq!((interaction.from.as_str(), interaction.caller), ("stranger", Caller::Known));
    assert_eq!(standing.proxy.pulse().n_open_calls(), 0);
    assert!(standing.told().await.contains(&"opened by stranger".to_owned()));
}

#[tokio::test]
async fn the_tests_own_connections_need_no_looking_up() {
    let standing = stand("test", "tcp", provider(echo)).await;
    let mut client = connect(standing.address);
    client.write_all(b"x").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    standing.wait_for("closed").await;
    assert_eq!(standing.interactions().await[0].from.as_str(), "test");
}

/// What is asked and answered in a protocol, and what is told of it.
type Call = (&'static str, &'static [u8], &'static [u8], (&'static str, &'static str));

#[tokio::test]
async fn a_call_that_nobody_has_answered_yet_can_be_told_and_is_the_same_at_its_end() {
    let http: Call = (
        "http",
        b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        ("path", "/slow"),
    );
    let redis: Call = ("redis", b"*2\r\n$4\r\nLLEN\r\n$1\r\na\r\n", b":1\r\n", ("command", "LLEN"));
    let postgres: Call = (
        "postgres",
        b"Q\0\0\0\x0dselect 1\0",
        b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I",
        ("statement", "select 1"),
    );
    for (protocol, asked, answered, (field, value)) in [http, redis, postgres] {
        let (answer, answers) = std::sync::mpsc::channel::<()>();
        let answers = Mutex::new(answers);
        let provider = provider(move |mut stream| {
            let answers = answers.lock().unwrap();
            for begins in [protocol == "postgres", false, false, false] {
                if begins {
                    stream.read_exact(&mut [0; 8]).unwrap();
                    stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").unwrap();
                    continue;
                }
                let _ = stream.read(&mut [0; 64]).unwrap();
                let _ = answers.recv_timeout(LONG);
                let _ = stream.write_all(answered);
            }
        });
        let standing = stand("consumer", protocol, provider).await;
        let mut client = connect(standing.address);
        if protocol == "postgres" {
            client.write_all(b"\0\0\0\x08\0\x03\0\0").unwrap();
            client.read_exact(&mut [0; 15]).unwrap();
        }
        let n_before = standing.interactions().await.len();
        client.write_all(asked).unwrap();
        let deadline = Instant::now() + LONG;
        while standing.proxy.pulse().n_open_calls() == 0 {
            assert!(Instant::now() < deadline, "{protocol}: it never came");
            tokio::task::yield_now().await;
        }
        for n_told in 1..3 {
            standing.proxy.tell_open().await;
            let told = standing.interactions().await;
            assert_eq!(told.len(), n_before + n_told, "{protocol}: {told:?}");
            let open = &told[n_before + n_told - 1];
            assert_eq!((open.elapsed, open.error, open.id), (None, None, told[n_before].id), "{protocol}");
            assert_eq!(open.request.get(field), Some(&Value::text(value)), "{protocol}");
            assert_eq!(standing.proxy.pulse().n_open_calls(), 1, "{protocol}");
        }
        for _ in 0..2 {
            answer.send(()).unwrap();
            client.read_exact(&mut vec![0; answered.len()]).unwrap();
            client.write_all(asked).unwrap();
        }
        let told = standing.interactions().await;
        let [first, _, ended, next] = &told[n_before..] else { panic!("{protocol}: {told:?}") };
        assert!(ended.elapsed.is_some() && next.elapsed.is_some(), "{protocol}: {told:?}");
        assert_eq!(ended.id, first.id, "{protocol}: it is the same");
        assert!(next.id > first.id, "{protocol}: and the next is another");
    }
}

/// A frame of HTTP/2 with a header block.
fn headers(stream: u8, block: &[u8]) -> Vec<u8> {
    const ENDS: u8 = 5;
    [&[0, 0, u8::try_from(block.len()).unwrap(), 1, ENDS, 0, 0, 0, stream], block].concat()
}

#[tokio::test]
async fn calls_that_began_at_once_keep_their_numbers_whichever_ends_first() {
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let answers = Mutex::new(answers);
    let provider = provider(move |mut stream| {
        let _ = stream.read(&mut [0; 256]).unwrap();
        let _ = answers.lock().unwrap().recv_timeout(LONG);
        // The newer one first: `:status 200`, `:status 204`.
        stream.write_all(&[SETTINGS, &headers(3, b"\x88"), &headers(1, b"\x89")].concat()).unwrap();
        let _ = stream.read(&mut [0; 256]);
    });
    let standing = stand("consumer", "http", provider).await;
    let mut client = connect(standing.address);
    // `:method GET, :scheme http, :path /a`; both in one write, so that they are read at once.
    let asks = |stream, path: &[u8]| headers(stream, &[b"\x82\x86\x04\x02", path].concat());
    let asked = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SETTINGS, &asks(1, b"/a"), &asks(3, b"/b")].concat();
    client.write_all(&asked).unwrap();
    let deadline = Instant::now() + LONG;
    while standing.proxy.pulse().n_open_calls() < 2 {
        assert!(Instant::now() < deadline, "they never came");
        tokio::task::yield_now().await;
    }
    standing.proxy.tell_open().await;
    answer.send(()).unwrap();
    client.read_exact(&mut [0; 9 + 10 + 10]).unwrap();
    let told = standing.interactions().await;
    let of = |path: &str| {
        let is_it = |told: &&Interaction| told.request.get("path") == Some(&Value::text(path));
        told.iter().filter(is_it).collect::<Vec<_>>()
    };
    for path in ["/a", "/b"] {
        let [open, ended] = of(path)[..] else { panic!("{path}: {told:?}") };
        assert!(open.elapsed.is_none() && ended.elapsed.is_some(), "{path}: {told:?}");
        assert_eq!(open.id, ended.id, "{path}: {told:?}");
    }
    assert_ne!(of("/a")[0].id, of("/b")[0].id);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_rest_of_a_long_body_passes_uncopied_and_as_it_is() {
    const LENGTH: usize = 48 * 1024 * 1024;
    let at = |place: usize| u8::try_from(place % 251).unwrap();
    let body: Arc<Vec<u8>> = Arc::new((0..LENGTH).map(at).collect());
    let sent = Arc::clone(&body);
    let provider = provider(move |mut stream| {
        let _ = stream.read(&mut [0; 512]).unwrap();
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&sent).unwrap();
    });
    let standing = stand("consumer", "http", provider).await;
    let mut client = connect(standing.address);
    client.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut came = Vec::new();
    client.read_to_end(&mut came).unwrap();
    let begins = came.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    assert!(came[begins..] == body[..], "{} bytes came, or others", came.len() - begins);
    let n_uncopied = standing.proxy.pulse().n_uncopied();
    assert!(n_uncopied > LENGTH as u64 / 4, "{n_uncopied} bytes of {LENGTH} passed uncopied");
    let [interaction] = standing.interactions().await.try_into().unwrap();
    assert!(interaction.cut && interaction.elapsed.is_some());
}

#[tokio::test]
async fn a_half_close_is_passed_on_and_the_other_half_goes_on() {
    let standing = stand(
        "consumer",
        "tcp",
        provider(|mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        }),
    )
    .await;
    let mut client = connect(standing.address);
    client.write_all(b"before the end").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "before the end");
    standing.wait_for("closed").await;
}

#[tokio::test]
async fn a_reset_is_passed_on_as_a_reset() {
    let standing = stand(
        "consumer",
        "http",
        provider(|mut stream| {
            let _ = stream.read(&mut [0; 64]);
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }),
    )
    .await;
    let mut client = connect(standing.address);
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let error = client.read(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    standing.wait_for("reset").await;
    assert_eq!(standing.interactions().await[0].error, Some(InteractionError::Reset));
}

#[tokio::test]
async fn where_nothing_listens_connecting_is_refused_until_something_does() {
    let standing = stand("consumer", "tcp", Upstream::Nowhere).await;
    assert_eq!(TcpStream::connect(standing.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let echoing = provider(echo);
    standing.proxy.point(|seam| *seam == standing.seam, &echoing);
    standing.proxy.pointed(|seam| *seam == standing.seam).await;
    let mut client = connect(standing.address);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
    standing.proxy.point(|seam| *seam == standing.seam, &Upstream::Nowhere);
    standing.proxy.pointed(|seam| *seam == standing.seam).await;
    assert_eq!(TcpStream::connect(standing.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // What was connected stays connected.
    client.write_all(b"y").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_connection_that_the_kernel_refused_is_an_interaction() {
    let standing = stand("consumer", "http", Upstream::Nowhere).await;
    let dial = || {
        // As drivers dial that don't block: without the right to see packets, only these can be told.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.connect_timeout(&standing.address.into(), LONG).unwrap_err().kind()
    };
    let kinds = [dial(), dial(), dial()];
    assert_eq!(kinds, [ErrorKind::ConnectionRefused; 3]);
    let deadline = Instant::now() + LONG;
    let mut told = standing.interactions().await;
    while told.len() < kinds.len() && Instant::now() < deadline {
        // News of sockets that are gone comes a moment after they are.
        told = standing.interactions().await;
    }
    assert_eq!(told.iter().map(|one| one.error).collect::<Vec<_>>(), [Some(InteractionError::Refused); 3]);
    assert_eq!(told[0].from, ComponentId::from("consumer"));
    assert_eq!(told[0].caller, Caller::Assumed);
}

#[tokio::test]
async fn a_provider_that_nobody_knew_to_be_gone_is_an_interaction_that_was_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let standing = stand("consumer", "http", Upstream::Tcp(gone)).await;
    let mut client = connect(standing.address);
    assert!(client.read(&mut [0; 1]).is_err());
    standing.wait_for("refused").await;
    assert_eq!(standing.interactions().await[0].error, Some(InteractionError::Refused));
}

#[tokio::test]
async fn what_the_decoder_does_not_understand_passes_all_the_same() {
    let standing = stand("consumer", "http", provider(echo)).await;
    let mut client = connect(standing.address);
    let odd = b"\x00\x01\x02 this is no HTTP\r\n\r\n\xff\xfe";
    client.write_all(odd).unwrap();
    let mut back = vec![0; odd.len()];
    client.read_exact(&mut back).unwrap();
    assert_eq!(back, odd);
    assert!(
        standing.told().await.iter().any(|told| told.starts_with("degraded")),
        "{:?}",
        standing.told().await
    );
}

/// As Python's `http.server` does it, with Nagle's algorithm on.
fn answers_in_two_pieces(mut stream: TcpStream) {
    let mut some = [0; 1024];
    while stream.read(&mut some).is_ok_and(|n_read| n_read > 0) {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
        stream.write_all(b"ok").unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_in_pieces_is_not_held_back() {
    let standing = stand("web", "http", provider(answers_in_two_pieces)).await;
    let mut stream = connect(standing.address);
    stream.set_nodelay(true).unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"ok") {
            let mut some = [0; 1024];
            let n_read = stream.read(&mut some).unwrap();
            assert_ne!(n_read, 0);
            reply.extend_from_slice(&some[..n_read]);
        }
    }
    // Each waits for 40 ms where it is held back.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_larger_than_any_buffer_arrives_unchanged() {
    let standing = stand("consumer", "tcp", provider(echo)).await;
    let client = connect(standing.address);
    let body: Vec<u8> =
        (0..20_000_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut writer = client.try_clone().unwrap();
    let sent = body.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    (&client).read_to_end(&mut back).unwrap();
    writing.join().unwrap();
    assert!(back == body, "{} of {} bytes came back", back.len(), body.len());
}

#[tokio::test]
async fn a_thousand_connections_at_once_are_carried() {
    let standing = stand("consumer", "tcp", provider(echo)).await;
    let mut clients: Vec<TcpStream> = (0..1000).map(|_| connect(standing.address)).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        client.write_all(&index.to_le_bytes()).unwrap();
    }
    for (index, client) in clients.iter_mut().enumerate() {
        let mut back = [0; size_of::<usize>()];
        client.read_exact(&mut back).unwrap();
        assert_eq!(usize::from_le_bytes(back), index);
    }
    assert_eq!(standing.proxy.pulse().n_connections(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_somebody_has_received_is_told_after_a_drain() {
    let server = provider(|mut stream| {
        let mut head = [0; 512];
        while stream.read(&mut head).is_ok_and(|n_read| n_read > 0) {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    let standing = stand("test", "http", server).await;
    let mut stream = connect(standing.address);
    let mut reply = [0; 512];
    for n_asked in 1..=1000 {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(stream.read(&mut reply).unwrap() > 0);
        assert_eq!(standing.interactions().await.len(), n_asked);
    }
}

#[tokio::test]
async fn a_name_is_looked_up_when_somebody_dials_and_not_before() {
    let Upstream::Tcp(address) = provider(echo) else { unreachable!("it listens on TCP") };
    let name = |host: &str| Upstream::Name { host: host.to_owned(), port: address.port() };
    let standing = stand("test", "tcp", name("nowhere.invalid")).await;
    assert!(standing.told().await.is_empty());
    let mut client = connect(standing.address);
    assert!(client.read(&mut [0; 1]).is_err(), "it is reset");
    standing.wait_for("unreached: the name `nowhere.invalid` is not known").await;
    let refused = standing.interactions().await.pop().unwrap();
    assert_eq!(refused.error, Some(InteractionError::Refused));
    standing.proxy.point(|_| true, &name("localhost"));
    let mut client = connect(standing.address);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
}
