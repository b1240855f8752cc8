//! Connections that come to be held while something is under way, and sides that leave while nobody listens to them.

use crate::bed::{Bed, LONG, bed, bed_of};
use seam_proxy::{Often, Upstream};
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: api\r\n\r\n";

/// How soon a side has to hear that the other has left.
const SOON: Duration = Duration::from_secs(1);

/// A provider that does this with its first connection.
fn provider(serve: impl FnOnce(TcpStream) + Send + 'static) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(listener.accept().unwrap().0));
    Upstream::Tcp(address)
}

/// One that says how many bytes it has heard, each time it hears some; 0 is the end.
fn listens() -> (Upstream, Receiver<usize>) {
    let (heard, hears) = channel();
    let upstream = provider(move |mut stream| {
        let mut buffer = [0; 4096];
        loop {
            let n_read = stream.read(&mut buffer).unwrap_or(0);
            if heard.send(n_read).is_err() || n_read == 0 {
                return;
            }
        }
    });
    (upstream, hears)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

async fn nobody_is_left(bed: &Bed) {
    let deadline = Instant::now() + SOON;
    while bed.proxy.pulse().n_connections() > 0 {
        assert!(Instant::now() < deadline, "a side has left, and the other was not told");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_call_may_need_what_its_consumer_says_next() {
    let (heard, hears) = channel();
    let bed = bed(|_| {
        provider(move |mut stream| {
            let mut all = Vec::new();
            while all.len() < 2 * GET.len() {
                let mut buffer = [0; 4096];
                let n_read = stream.read(&mut buffer).unwrap();
                all.extend_from_slice(&buffer[..n_read]);
                heard.send(()).unwrap();
            }
            stream.write_all(&b"HTTP/1.1 204 No Content\r\n\r\n".repeat(2)).unwrap();
            let _ = stream.read_to_end(&mut all);
        })
    })
    .await;
    let mut client = connect(bed.address);
    client.write_all(GET).unwrap();
    hears.recv_timeout(LONG).unwrap();
    bed.put_on(r#""reset""#, Some("/never"), Often::default()).await;
    client.write_all(GET).unwrap();
    let mut answers = vec![0; 2 * 27];
    client.read_exact(&mut answers).unwrap();
    // And then it is held.
    client.write_all(GET).unwrap();
    let deadline = Instant::now() + LONG;
    while bed.proxy.n_held() == 0 {
        assert!(Instant::now() < deadline, "it is never held");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_a_rule_is_waited_for_has_left() {
    for leave in [reset as fn(TcpStream), drop] {
        let (upstream, hears) = listens();
        let bed = bed(|_| upstream).await;
        let mut client = connect(bed.address);
        client.write_all(GET).unwrap();
        assert_eq!(hears.recv_timeout(LONG).unwrap(), GET.len());
        bed.put_on(r#""reset""#, Some("/never"), Often::default()).await;
        leave(client);
        assert_eq!(hears.recv_timeout(SOON), Ok(0));
        nobody_is_left(&bed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_read_from_is_heard_when_it_resets() {
    for is_held in [false, true] {
        let (told, wait) = channel::<()>();
        let bed = bed(|_| provider(move |_stream| assert!(wait.recv().is_err()))).await;
        if is_held {
            bed.put_on(r#""reset""#, Some("/never"), Often::default()).await;
        }
        let mut client = connect(bed.address);
        client.write_all(b"POST /a HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n").unwrap();
        client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let filled = std::iter::repeat_with(|| client.write_all(&[b'x'; 8_192])).find_map(Result::err);
        assert_eq!(filled.map(|error| error.kind()), Some(ErrorKind::WouldBlock));
        assert_eq!(bed.proxy.pulse().n_connections(), 1);
        reset(client);
        nobody_is_left(&bed).await;
        drop(told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_before_it_leaves_is_passed_on() {
    for _ in 0..20 {
        let bed = bed(|_| {
            provider(|mut stream| {
                let _ = stream.read(&mut [0; 1]);
                stream.write_all(b"HTTP/1.1 413 Too Much\r\ncontent-length: 0\r\n\r\n").unwrap();
                // Closed with a request that nobody has read: a reset.
            })
        })
        .await;
        let mut client = connect(bed.address);
        client.write_all(b"POST /a HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n").unwrap();
        while client.write_all(&[b'x'; 1024]).is_ok() {}
        let mut said = [0; 12];
        client.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 413");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_who_has_left_is_no_surprise() {
    let (heard, hears) = channel();
    let upstream = provider(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        stream.shutdown(Shutdown::Write).unwrap();
        let n_read = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        heard.send(n_read).unwrap();
    });
    let bed = bed_of("redis", |_| upstream).await;
    let mut client = connect(bed.address);
    client.write_all(b"*2\r\n$4\r\nECHO\r\n$200000\r\n").unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    client.write_all(&vec![b'x'; 200_000]).unwrap();
    drop(client);
    assert!(hears.recv_timeout(LONG).unwrap() >= 200_000);
    nobody_is_left(&bed).await;
    assert_eq!(bed.told().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_behind_a_stream_waits_for_its_end() {
    const EVENT: &[u8] = b"9\r\ndata: 2\n\n\r\n0\r\n\r\n";
    let (say, says) = channel::<()>();
    let bed = bed(|_| {
        provider(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head =
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(&[&head[..], b"9\r\ndata: 1\n\n\r\n"].concat()).unwrap();
            says.recv_timeout(LONG).unwrap();
            stream.write_all(EVENT).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        })
    })
    .await;
    let mut client = connect(bed.address);
    client.write_all(GET).unwrap();
    let mut came = Vec::new();
    while !came.ends_with(b"data: 1\n\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        came.push(byte[0]);
    }
    let stub = r#"{"status":503}"#;
    bed.put_on(stub, Some("/b"), Often::default()).await;
    let deadline = Instant::now() + LONG;
    while bed.proxy.n_held() == 0 {
        assert!(Instant::now() < deadline, "it is never held");
        tokio::task::yield_now().await;
    }
    client.write_all(b"GET /b HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
    while !bed.told().await.iter().any(|told| told.starts_with("struck")) {
        assert!(Instant::now() < deadline, "it is never struck");
    }
    say.send(()).unwrap();
    let mut came = vec![0; EVENT.len() + 12];
    client.read_exact(&mut came).unwrap();
    let came = String::from_utf8_lossy(&came).into_owned();
    assert_eq!(came, String::from_utf8_lossy(EVENT).into_owned() + "HTTP/1.1 503");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_who_never_pauses_is_held_between_two_messages() {
    // So long that a reading ends between two of them once in a million times.
    const LENGTH: u64 = 1_000_003;
    let bed = bed(|_| {
        provider(|mut stream| {
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head =
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
            stream.write_all(head).unwrap();
            let message = [&[0x82, 127][..], &LENGTH.to_be_bytes(), &vec![7; 1_000_003]].concat();
            while stream.write_all(&message).is_ok() {}
        })
    })
    .await;
    let mut client = connect(bed.address);
    let asked = b"GET /ws HTTP/1.1\r\nhost: api\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    client.write_all(asked).unwrap();
    let mut other = client.try_clone().unwrap();
    let reading =
        std::thread::spawn(move || while other.read(&mut [0; 16_000]).is_ok_and(|n_read| n_read > 0) {});
    let deadline = Instant::now() + LONG;
    while bed.interactions().await.len() < 3 {
        assert!(Instant::now() < deadline, "nothing is said");
    }
    bed.put_on(r#"{"latency":"1ms"}"#, Some("/never"), Often::default()).await;
    let deadline = Instant::now() + 2 * SOON;
    while bed.proxy.n_held() == 0 {
        assert!(Instant::now() < deadline, "it is never held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.shutdown(Shutdown::Both).unwrap();
    reading.join().unwrap();
}
