//! MQTT 3.1.1: each client hears what it publishes, at least once on paper and exactly once here.

use crate::load::{Ask, Speaks};
use crate::servers::{Server, free_port, program};
use crate::wire::{Reader, Wire, wrong};
use std::io;
use std::process::Command;
use tokio::net::TcpStream;

pub(crate) struct Mqtt {
    wire: Wire,
    topic: String,
    id: u16,
}

fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = vec![first];
    loop {
        let low = u8::try_from(length % 128).unwrap();
        length /= 128;
        bytes.push(if length > 0 { low | 128 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(parts.concat());
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

async fn next(reader: &mut Reader<'_>) -> io::Result<(u8, Vec<u8>)> {
    let first = reader.exactly(1).await?[0];
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = reader.exactly(1).await?[0];
        length |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            break;
        }
    }
    Ok((first, reader.exactly(length).await?))
}

impl Speaks for Mqtt {
    const SEAM: &'static str = "mqtt";

    const DOES: bool = false;

    async fn serve() -> Option<Server> {
        let (server, folder, port) = (program("mosquitto")?, tempfile::tempdir().unwrap(), free_port());
        let conf = folder.path().join("conf");
        std::fs::write(&conf, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
        Some(Server::start(folder, port, Command::new(server).arg("-c").arg(conf)))
    }

    async fn open(stream: TcpStream, number: u64) -> io::Result<Self> {
        let (mut wire, topic) = (Wire::new(stream), format!("soak/{number}"));
        let connect = packet(0x10, &[&text("MQTT"), &[4, 2, 0, 0], &text(&format!("c{number}"))]);
        if wire.say(&connect, next).await? != (0x20, vec![0, 0]) {
            return Err(wrong("not let in"));
        }
        let subscribe = packet(0x82, &[&[0, 1], &text(&topic), &[1]]);
        if wire.say(&subscribe, next).await? != (0x90, vec![0, 1, 1]) {
            return Err(wrong("not subscribed"));
        }
        Ok(Self { wire, topic, id: 1 })
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut said = Vec::new();
        for ask in asks {
            self.id = self.id % 60_000 + 1;
            said.extend(packet(
                0x32,
                &[&text(&self.topic), &self.id.to_be_bytes(), ask.payload().as_bytes()],
            ));
        }
        let read = async |reader: &mut Reader<'_>| {
            let (mut answers, mut n_acknowledged, mut ids) = (Vec::new(), 0, Vec::new());
            while answers.len() < asks.len() || n_acknowledged < asks.len() {
                let (first, body) = next(reader).await?;
                match first & 0xf0 {
                    0x40 => n_acknowledged += 1,
                    0x30 => {
                        let from = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                        ids.extend(packet(0x40, &[&body[from..from + 2]]));
                        let payload = body[from + 2..].to_vec();
                        answers.push(String::from_utf8(payload).map_err(|_| wrong("no text"))?);
                    }
                    _ => return Err(wrong(format!("{first:x}"))),
                }
            }
            Ok((answers, ids))
        };
        let (answers, acknowledged) = self.wire.say(&said, read).await?;
        self.wire.say(&acknowledged, async |_: &mut Reader<'_>| Ok(())).await?;
        Ok(answers)
    }
}
