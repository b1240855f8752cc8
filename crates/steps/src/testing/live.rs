//! A small server that speaks WebSocket: it answers a subscription with two messages, and says again what else it hears.

use super::serving;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub(crate) async fn server() -> SocketAddr {
    serving(|stream, _| async { talk(BufReader::new(stream)).await.unwrap_or(()) }).await.0
}

/// One that pings three times, tells each answer, and leaves.
pub(crate) async fn pinging() -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (heard, hears) = mpsc::channel(1);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        assert!(shake(&mut stream).await.unwrap());
        for _ in 0..3 {
            frame(&mut stream, 0x89, b"there?").await.unwrap();
            assert_eq!(next(&mut stream).await.unwrap().0, 10);
            heard.send(()).await.unwrap();
        }
        drop(stream);
        drop(heard);
    });
    (at, hears)
}

async fn talk(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    if !shake(&mut stream).await? {
        return Ok(());
    }
    // Whoever does not answer a ping hears nothing.
    frame(&mut stream, 0x89, b"there?").await?;
    let (opcode, payload) = next(&mut stream).await?;
    assert_eq!((opcode, payload.as_slice()), (10, &b"there?"[..]));
    loop {
        let (opcode, payload) = next(&mut stream).await?;
        let text = String::from_utf8_lossy(&payload);
        if opcode == 8 {
            return frame(&mut stream, 0x88, &payload).await;
        } else if let Some(what) = text.strip_prefix(r#"{"subscribe":"#) {
            frame(&mut stream, 0x81, format!(r#"{{"subscribed":{what}"#).as_bytes()).await?;
            frame(&mut stream, 0x81, br#"{"state":"new"}"#).await?;
        } else if text.contains("three and close") {
            let mut all = Vec::new();
            for number in [b"1", b"2", b"3"] {
                frame(&mut all, 0x81, number).await?;
            }
            frame(&mut all, 0x88, &1011_u16.to_be_bytes()).await?;
            stream.write_all(&all).await?;
        } else if text.contains("leave") {
            return Ok(());
        } else if text.contains("close") {
            frame(&mut stream, 0x88, &1011_u16.to_be_bytes()).await?;
        } else if !text.contains("nothing") {
            frame(&mut stream, 0x80 | opcode, &payload).await?;
        }
    }
}

async fn shake(stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = lines.iter().filter_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        found.collect::<Vec<_>>().join(",")
    };
    let path = lines[0].split(' ').nth(1).unwrap();
    if !path.starts_with("/live") {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
        return Ok(false);
    }
    let mut hash = Sha1::new();
    hash.update(header("sec-websocket-key"));
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    if path.ends_with("wrong") {
        hash.update("and more");
    }
    let sid = header("cookie");
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         X-Said: {path}; {sid}; {}\r\nX-Key: {}\r\n\r\n",
        STANDARD.encode(hash.finalize()),
        header("x-a"),
        header("sec-websocket-key"),
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(true)
}

async fn next(stream: &mut BufReader<TcpStream>) -> io::Result<(u8, Vec<u8>)> {
    let head = [stream.read_u8().await?, stream.read_u8().await?];
    assert_eq!(head[1] & 0x80, 0x80, "a client masks");
    let length = match head[1] & 0x7f {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut key = [0; 4];
    stream.read_exact(&mut key).await?;
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await?;
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Ok((head[0] & 0x0f, payload))
}

async fn frame(stream: &mut (impl AsyncWrite + Unpin), first: u8, payload: &[u8]) -> io::Result<()> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(u8::try_from(length).unwrap()),
        length @ 126..0x1_0000 => {
            bytes.push(126);
            bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes).await
}
