//! WebSocket, behind a change-over from HTTP: a server that says back what it hears, message by message.

use crate::http::{Done, done, serving};
use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::{Reader, Wire, wrong};
use std::io;
use tokio::net::TcpStream;

pub(crate) struct WebSocket(Wire);

const TEXT: u8 = 0x81;

/// Under which a client hides what it says.
const KEY: [u8; 4] = [7, 99, 0, 200];

fn frame(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![TEXT];
    match payload.len() {
        length @ ..126 => frame.push(masked | u8::try_from(length).unwrap()),
        length @ ..65_536 => {
            frame.push(masked | 0x7e);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(masked | 0x7f);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]));
    frame
}

async fn message(reader: &mut Reader<'_>) -> io::Result<String> {
    let head = reader.exactly(2).await?;
    if head[0] != TEXT {
        return Err(wrong(format!("{:02x} begins a frame", head[0])));
    }
    let length = match head[1] & 0x7f {
        0x7e => u64::from(u16::from_be_bytes(reader.exactly(2).await?.try_into().unwrap())),
        0x7f => u64::from_be_bytes(reader.exactly(8).await?.try_into().unwrap()),
        length => u64::from(length),
    };
    let key = if head[1] & 0x80 == 0 { vec![0; 4] } else { reader.exactly(4).await? };
    let mut payload = reader.exactly(usize::try_from(length).unwrap()).await?;
    payload.iter_mut().enumerate().for_each(|(index, byte)| *byte ^= key[index % 4]);
    String::from_utf8(payload).map_err(|_| wrong("no text"))
}

/// What is said to do something.
const DO: &str = "do ";

async fn serve_one(stream: TcpStream, done: Done) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    wire.say(b"", async |reader: &mut Reader<'_>| reader.up_to(b"\r\n\r\n").await).await?;
    let mut answer = head.to_vec();
    loop {
        let heard = wire.say(&answer, message).await?;
        let number = heard.strip_prefix(DO).and_then(|number| number.parse().ok());
        answer = match number {
            Some(number) => {
                done.lock().unwrap().push(number);
                frame(b"", None)
            }
            None => frame(heard.as_bytes(), None),
        };
    }
}

impl Speaks for WebSocket {
    const SEAM: &'static str = "http";

    async fn serve() -> Option<Server> {
        Some(serving(serve_one).await)
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        let mut wire = Wire::new(stream);
        let asked = b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let head = wire.say(asked, async |reader: &mut Reader<'_>| reader.up_to(b"\r\n\r\n").await).await?;
        if head.starts_with("HTTP/1.1 101 ") { Ok(Self(wire)) } else { Err(wrong(head)) }
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let said = |ask: &Ask| if ask.does { format!("{DO}{}", ask.number) } else { ask.payload() };
        let said: Vec<u8> = asks.iter().flat_map(|ask| frame(said(ask).as_bytes(), Some(KEY))).collect();
        let read = async |reader: &mut Reader<'_>| {
            let mut answers = Vec::new();
            for _ in asks {
                answers.push(message(reader).await?);
            }
            Ok(answers)
        };
        self.0.say(&said, read).await
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
