//! When the external fails, the consumer's connection fails in the same way, and the reason is told.

use crate::external::{External, LONG, Presents, Request, Standing, ask_on};
use seam_proxy::{Passing, Trust};
use socket2::SockRef;
use std::io::{BufReader, ErrorKind, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// The consumer's connection is reset, and this was told.
fn is_reset(standing: &Standing, told: &str) {
    let error = standing.ask(GET).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let all = standing.told();
    assert!(all.contains(told), "{all}\nis not {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_trusted_say_why() {
    for (presents, trusts, told) in [
        (Presents::Expired, true, "has expired; it has to be renewed"),
        (Presents::OtherName, true, "is not for `localhost`, but for `elsewhere.example`; write a name"),
        (Presents::Good, false, "is signed by nobody whom this machine trusts; write `ca: FILE`"),
        (
            Presents::Itself,
            false,
            "is signed by itself, and this machine does not trust it; write `ca: FILE`",
        ),
    ] {
        let external = External::serving(presents, |mut stream| {
            let _ = stream.conn.complete_io(&mut stream.sock);
        });
        let other = External::answering(|_| String::new());
        let trust = if trusts { external.trusted() } else { other.trusted() };
        let standing = Standing::open("localhost", external.port, |spec| spec.trust = trust).await;
        is_reset(&standing, told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_signs_itself_is_trusted_where_it_is_named() {
    let external = External::serving(Presents::Itself, |stream| {
        let mut stream = BufReader::new(stream);
        Request::read(&mut stream).unwrap();
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
    });
    let standing = external.gateway().await;
    assert!(standing.ask(GET).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    // Trusted is the certificate, not whatever name it is asked under.
    let standing = Standing::open("127.0.0.1", external.port, |spec| spec.trust = external.trusted()).await;
    is_reset(&standing, "is not for `127.0.0.1`, but for `localhost`");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_reached_says_why() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let external = External::answering(|_| String::new());
    let trusted = external.trusted();
    let open = async |host: &str, trust| Standing::open(host, free, |spec| spec.trust = trust).await;
    is_reset(
        &open("localhost", trusted.clone()).await,
        &format!("localhost:{free} can't be reached; look whether"),
    );
    is_reset(&open("nowhere.invalid", trusted).await, "the name `nowhere.invalid` is not known");
    let nothing = Trust::File(PathBuf::from("/nowhere/authority.pem"));
    is_reset(&open("localhost", nothing).await, "this machine trusts no certificates: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_tls_is_told_apart() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in plain.incoming() {
            stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }
    });
    let external = External::answering(|_| String::new());
    let standing = Standing::open("localhost", port, |spec| spec.trust = external.trusted()).await;
    is_reset(&standing, "came to nothing; look whether it speaks TLS on that port");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_given_up() {
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        Request::read(&mut stream).unwrap();
        let _ = Request::read(&mut stream);
    });
    let short = Duration::from_millis(50);
    let standing = Standing::open("localhost", silent.local_addr().unwrap().port(), |spec| {
        (spec.trust, spec.patience.handshake) = (external.trusted(), short);
    })
    .await;
    is_reset(&standing, "took longer than 50ms; look whether it runs");
    let standing = Standing::open("localhost", external.port, |spec| {
        (spec.trust, spec.patience.answer) = (external.trusted(), short);
    })
    .await;
    is_reset(&standing, "its answer took longer than 50ms");
    let stops = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        Request::read(&mut stream).unwrap();
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
        let _ = Request::read(&mut stream);
    });
    let standing = Standing::open("localhost", stops.port, |spec| {
        (spec.trust, spec.patience.still) = (stops.trusted(), short);
    })
    .await;
    is_reset(&standing, "the next piece of its answer took longer than 50ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_its_connection_is_the_end_of_the_consumers() {
    let closes = |answer: &'static str| {
        External::serving(Presents::Good, move |stream| {
            let mut stream = BufReader::new(stream);
            Request::read(&mut stream).unwrap();
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            stream.get_mut().flush().unwrap();
        })
    };
    for (answer, passed, told) in [
        ("", "", "it closed the connection before it answered"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "it closed the connection in the middle of its answer",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "it closed the connection in the middle of its answer",
        ),
    ] {
        let external = closes(answer);
        let standing = external.gateway().await;
        assert_eq!(standing.ask(GET).unwrap(), passed);
        assert_eq!(standing.told(), told);
    }
    let external = closes("HTTP/1.1 abc\r\n\r\n");
    is_reset(&external.gateway().await, "its answer can't be read as HTTP/1.1: ");
    // Without a length its end is the end of the answer, whether TLS was told of it or not.
    let external = closes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
    let standing = external.gateway().await;
    let answer = standing.ask("GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(answer.ends_with("\r\n\r\nall of it"), "{answer}");
    assert!(standing.told_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_passed_on_as_a_reset() {
    let resets = |stream: crate::external::Tls| {
        let mut stream = BufReader::new(stream);
        let _ = Request::read(&mut stream);
        SockRef::from(&stream.get_ref().sock).set_linger(Some(Duration::ZERO)).unwrap();
    };
    let external = External::serving(Presents::Good, resets);
    is_reset(&external.gateway().await, "it reset the connection before it answered");
    let bytes = External::serving(Presents::Good, |mut stream| {
        stream.conn.complete_io(&mut stream.sock).unwrap();
        SockRef::from(&stream.sock).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let standing = Standing::open("localhost", bytes.port, |spec| {
        (spec.trust, spec.passing) = (bytes.trusted(), Passing::Bytes);
    })
    .await;
    let mut consumer = standing.connect();
    consumer.set_read_timeout(Some(LONG)).unwrap();
    let error = std::io::Read::read(&mut consumer, &mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_is_not_passed_on() {
    let external = External::answering(|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned());
    let standing = Standing::open("localhost", external.port, |spec| {
        spec.trust = external.trusted();
        spec.permit = Some(Arc::new(|method, path| match (method, path) {
            ("GET", "/a") => Ok(()),
            _ => Err(format!("{method} {path} is too much")),
        }));
    })
    .await;
    is_reset(&standing, "it was not asked: GET / is too much");
    assert_eq!(external.n_connections.load(Ordering::SeqCst), 0);
    let mut stream = standing.connect();
    let answer = ask_on(&mut stream, "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
