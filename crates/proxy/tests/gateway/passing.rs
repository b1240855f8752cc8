//! What passes a gateway, and what is written anew.

use crate::external::{External, Presents, Request, Standing, ask_on};
use seam_proxy::Passing;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_out_under_the_externals_name_and_otherwise_as_it_came() {
    let external = External::answering(|request| ok(&format!("{}{}", request.head, request.body)));
    let standing = external.gateway().await;
    let answer = standing
        .ask("POST /v1/a%20b?x=1 HTTP/1.1\r\nhost: 127.0.0.1:1\r\nX-oDD: 1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        .unwrap();
    let port = external.port;
    // The answer has the length of what it quotes, so the whole of it is compared.
    let quoted = format!(
        "POST /v1/a%20b?x=1 HTTP/1.1\r\nhost: localhost:{port}\r\nX-oDD: 1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nconnection: close\r\n\r\n", quoted.len());
    assert_eq!(answer, format!("{head}{quoted}"));
    assert!(standing.told_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many_consumers() {
    let external = External::answering(|request| ok(&request.body));
    let standing = external.gateway().await;
    for body in ["a", "bb", "ccc"] {
        let mut consumer = standing.connect();
        for _ in 0..2 {
            let request =
                format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            assert!(ask_on(&mut consumer, &request).ends_with(body));
        }
    }
    assert_eq!(external.n_connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_the_external_has_closed_is_no_failure() {
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        if Request::read(&mut stream).is_some() {
            stream.get_mut().write_all(ok("once").as_bytes()).unwrap();
        }
    });
    let standing = external.gateway().await;
    let mut consumer = standing.connect();
    for _ in 0..5 {
        assert!(ask_on(&mut consumer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("once"));
    }
    assert!(standing.told_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_locations_lead_back_through_the_seam() {
    let external = External::answering(|request| {
        let host = request.head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap();
        format!(
            "HTTP/1.1 302 Found\r\nLocation: https://{host}/next?a\r\nContent-Location: https://login.example/\r\nContent-Length: 0\r\n\r\n"
        )
    });
    let standing = external.gateway().await;
    let answer = ask_on(&mut standing.connect(), "GET / HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n");
    assert!(answer.contains("\r\nLocation: http://127.0.0.1:4711/next?a\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Location: https://login.example/\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_their_framing() {
    let external = External::answering(|request| {
        match request.head.split(' ').nth(1).unwrap() {
        "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_owned(),
        "/204" => "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n".to_owned(),
        "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"x\"\r\n\r\n".to_owned(),
        "/odd" => "HTTP/1.1 299 Quite So\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "/twice" => "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"
            .to_owned(),
    }
    });
    let standing = external.gateway().await;
    for (request, expected) in [
        ("HEAD /head", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("GET /204", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
        // hyper leaves out the length of what is not sent.
        ("GET /304", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
        ("GET /odd", "HTTP/1.1 299 Quite So\r\nContent-Length: 0\r\n\r\n"),
        ("GET /twice", "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"),
        (
            "GET /chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n",
        ),
    ] {
        let answer = standing
            .ask(&format!("{request} HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n"))
            .unwrap();
        // Where among the headers the end of the connection is told is nobody's concern.
        assert_eq!(answer.replace("connection: close\r\n", ""), expected, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_request_with_trailers_arrives_as_one() {
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        let mut text = String::new();
        while !text.ends_with("X-Sum: 6\r\n\r\n") && !text.ends_with("x-sum: 6\r\n\r\n") {
            stream.read_line(&mut text).unwrap();
        }
        let framed = text.split_once("\r\n\r\n").unwrap().1.to_owned();
        stream.get_mut().write_all(ok(&framed).as_bytes()).unwrap();
    });
    let standing = external.gateway().await;
    let answer = ask_on(
        &mut standing.connect(),
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
    );
    assert!(answer.contains("3\r\nabc\r\n0\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("x-sum: 6"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_goes_on_when_the_external_says_so() {
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while !line.ends_with("\r\n\r\n") {
            stream.read_line(&mut line).unwrap();
        }
        let wants = line.contains("/wants");
        let said = if wants {
            "HTTP/1.1 100 Continue\r\n\r\n"
        } else {
            "HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        };
        stream.get_mut().write_all(said.as_bytes()).unwrap();
        stream.get_mut().flush().unwrap();
        if wants {
            let mut body = [0; 4];
            stream.read_exact(&mut body).unwrap();
            let last = ok(std::str::from_utf8(&body).unwrap()).replace("OK", "OK\r\nConnection: close");
            stream.get_mut().write_all(last.as_bytes()).unwrap();
        }
    });
    let standing = external.gateway().await;
    let head = "HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    let mut consumer = standing.connect();
    let interim = ask_on(&mut consumer, &format!("POST /wants {head}"));
    assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(ask_on(&mut consumer, "body").ends_with("\r\n\r\nbody"));
    let refused = ask_on(&mut standing.connect(), &format!("POST /no {head}"));
    assert!(refused.starts_with("HTTP/1.1 417 No\r\n"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_upgrade_bytes_pass_as_they_are() {
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        let request = Request::read(&mut stream).unwrap();
        assert!(
            request.head.contains("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
            "{}",
            request.head
        );
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x01first";
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        stream.get_mut().flush().unwrap();
        let mut four = [0; 4];
        stream.read_exact(&mut four).unwrap();
        stream.get_mut().write_all(&four).unwrap();
        stream.get_mut().conn.send_close_notify();
        stream.get_mut().flush().unwrap();
    });
    let standing = external.gateway().await;
    let mut consumer = standing.connect();
    consumer
        .write_all(b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00\xff\x02")
        .unwrap();
    let mut answer = Vec::new();
    consumer.read_to_end(&mut answer).unwrap();
    let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(answer, [&head[..], b"\x01first\x81\x00\xff\x02"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_takes_the_request_with_him() {
    let (tell, told) = channel();
    let external = External::serving(Presents::Good, move |stream| {
        let mut stream = BufReader::new(stream);
        tell.send("asked").unwrap();
        assert!(Request::read(&mut stream).is_some());
        tell.send("read").unwrap();
        // The gateway says no more, and closes.
        assert!(Request::read(&mut stream).is_none());
        tell.send("gone").unwrap();
    });
    let standing = external.gateway().await;
    let mut consumer = standing.connect();
    consumer.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let wait = |what| assert_eq!(told.recv_timeout(crate::external::LONG).unwrap(), what);
    wait("asked");
    wait("read");
    drop(consumer);
    wait("gone");
    assert!(standing.told_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_of_another_kind_passes_as_bytes() {
    let external = External::serving(Presents::Good, |mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(text.to_uppercase().as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let standing = Standing::open("localhost", external.port, |spec| {
        (spec.trust, spec.passing) = (external.trusted(), Passing::Bytes);
    })
    .await;
    let mut consumer = standing.connect();
    consumer.write_all(b"ping").unwrap();
    consumer.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    consumer.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "PING");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_gateway_that_is_dropped() {
    let external = External::answering(|_| ok(""));
    let standing = external.gateway().await;
    let mut consumer = standing.connect();
    ask_on(&mut consumer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let address = standing.address;
    drop(standing.gateway);
    assert_eq!(consumer.read(&mut [0; 1]).unwrap_or(0), 0);
    let deadline = std::time::Instant::now() + crate::external::LONG;
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(std::time::Instant::now() < deadline, "it still listens");
        tokio::task::yield_now().await;
    }
}
