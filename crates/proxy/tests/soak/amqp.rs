//! AMQP 0-9-1: each client consumes what it publishes to a queue of its own.

use crate::load::{Ask, Speaks};
use crate::servers::{Server, rabbitmq};
use crate::wire::{Reader, Wire, wrong};
use std::io;
use tokio::net::TcpStream;

pub(crate) struct Amqp {
    wire: Wire,
    queue: String,
}

/// What a frame may hold, without its own bytes.
const FRAME: usize = 131_072 - 8;

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &length, payload, &[0xce]].concat()
}

fn method(channel: u16, class: u16, method: u16, arguments: &[&[u8]]) -> Vec<u8> {
    let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), &arguments.concat()].concat();
    frame(1, channel, &payload)
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

async fn next(reader: &mut Reader<'_>) -> io::Result<(u8, Vec<u8>)> {
    let head = reader.exactly(7).await?;
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let mut payload = reader.exactly(length + 1).await?;
    if payload.pop() != Some(0xce) {
        return Err(wrong("a frame without its end"));
    }
    Ok((head[0], payload))
}

/// Waits for a method, by its class and number.
async fn method_of(reader: &mut Reader<'_>, id: (u16, u16)) -> io::Result<Vec<u8>> {
    loop {
        let (kind, payload) = next(reader).await?;
        if kind == 8 {
            continue;
        }
        let is = (u16::from_be_bytes([payload[0], payload[1]]), u16::from_be_bytes([payload[2], payload[3]]));
        if kind != 1 || is != id {
            return Err(wrong(format!("{is:?} instead of {id:?}: {}", String::from_utf8_lossy(&payload))));
        }
        return Ok(payload);
    }
}

impl Amqp {
    async fn call(&mut self, said: &[u8], id: (u16, u16)) -> io::Result<Vec<u8>> {
        self.wire.say(said, async |reader: &mut Reader<'_>| method_of(reader, id).await).await
    }
}

impl Speaks for Amqp {
    const SEAM: &'static str = "amqp";

    const DOES: bool = false;

    async fn serve() -> Option<Server> {
        rabbitmq("")
    }

    async fn open(stream: TcpStream, number: u64) -> io::Result<Self> {
        let queue = format!("soak{number}");
        let mut client = Self { wire: Wire::new(stream), queue };
        client.call(b"AMQP\0\0\x09\x01", (10, 10)).await?;
        let response = b"\0guest\0guest";
        let length = u32::try_from(response.len()).unwrap().to_be_bytes();
        let start = method(0, 10, 11, &[&[0; 4], &short("PLAIN"), &length, response, &short("en_US")]);
        client.call(&start, (10, 30)).await?;
        let tune = method(0, 10, 31, &[&2047_u16.to_be_bytes(), &131_072_u32.to_be_bytes(), &[0, 0]]);
        let open = method(0, 10, 40, &[&short("/"), &short(""), &[0]]);
        client.call(&[tune, open].concat(), (10, 41)).await?;
        client.call(&method(1, 20, 10, &[&short("")]), (20, 11)).await?;
        // Exclusive, and gone with its connection.
        let declare = method(1, 50, 10, &[&[0, 0], &short(&client.queue), &[0b0_1100], &[0; 4]]);
        client.call(&declare, (50, 11)).await?;
        let consume = method(1, 60, 20, &[&[0, 0], &short(&client.queue), &short("me"), &[0], &[0; 4]]);
        client.call(&consume, (60, 21)).await?;
        Ok(client)
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut said = Vec::new();
        for ask in asks {
            let payload = ask.payload();
            said.extend(method(1, 60, 40, &[&[0, 0], &short(""), &short(&self.queue), &[0]]));
            let head =
                [&60_u16.to_be_bytes()[..], &[0, 0], &(payload.len() as u64).to_be_bytes(), &[0, 0]].concat();
            said.extend(frame(2, 1, &head));
            payload.as_bytes().chunks(FRAME).for_each(|part| said.extend(frame(3, 1, part)));
        }
        let read = async |reader: &mut Reader<'_>| {
            let (mut answers, mut acknowledged) = (Vec::new(), Vec::new());
            while answers.len() < asks.len() {
                let deliver = method_of(reader, (60, 60)).await?;
                let tag = 5 + usize::from(deliver[4]);
                acknowledged.extend(method(1, 60, 80, &[&deliver[tag..tag + 8], &[0]]));
                let (_, head) = next(reader).await?;
                let size = head.get(4..12).ok_or_else(|| wrong("no head"))?;
                let size = usize::try_from(u64::from_be_bytes(size.try_into().unwrap())).unwrap();
                let mut body = Vec::new();
                while body.len() < size {
                    let (kind, part) = next(reader).await?;
                    if kind != 3 {
                        return Err(wrong(format!("a frame of kind {kind} in a body")));
                    }
                    body.extend(part);
                }
                answers.push(String::from_utf8(body).map_err(|_| wrong("no text"))?);
            }
            Ok((answers, acknowledged))
        };
        let (answers, acknowledged) = self.wire.say(&said, read).await?;
        self.wire.say(&acknowledged, async |_: &mut Reader<'_>| Ok(())).await?;
        Ok(answers)
    }
}
