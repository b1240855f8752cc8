//! NATS: each client hears what it publishes.

use crate::load::{Ask, Speaks};
use crate::servers::{Server, free_port, program};
use crate::wire::{Reader, Wire, wrong};
use std::fmt::Write as _;
use std::io;
use std::process::Command;
use tokio::net::TcpStream;

pub(crate) struct Nats {
    wire: Wire,
    subject: String,
}

impl Speaks for Nats {
    const SEAM: &'static str = "nats";

    const DOES: bool = false;

    async fn serve() -> Option<Server> {
        let (server, folder, port) = (program("nats-server")?, tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new(server);
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        Some(Server::start(folder, port, &mut command))
    }

    async fn open(stream: TcpStream, number: u64) -> io::Result<Self> {
        let (mut wire, subject) = (Wire::new(stream), format!("soak.{number}"));
        let said = format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {subject} 1\r\nPING\r\n");
        let read = async |reader: &mut Reader<'_>| loop {
            if reader.line().await? == "PONG" {
                return Ok(());
            }
        };
        wire.say(said.as_bytes(), read).await?;
        Ok(Self { wire, subject })
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut said = String::new();
        for ask in asks {
            let payload = ask.payload();
            let _ = write!(said, "PUB {} {}\r\n{payload}\r\n", self.subject, payload.len());
        }
        let read = async |reader: &mut Reader<'_>| {
            let (mut answers, mut pings) = (Vec::new(), 0);
            while answers.len() < asks.len() {
                let line = reader.line().await?;
                if line == "PING" {
                    pings += 1;
                } else if line.starts_with("MSG ") {
                    let length: usize =
                        line.rsplit(' ').next().and_then(|n| n.parse().ok()).ok_or_else(|| wrong(&*line))?;
                    let mut payload = reader.exactly(length + 2).await?;
                    payload.truncate(length);
                    answers.push(String::from_utf8(payload).map_err(|_| wrong("no text"))?);
                } else if line != "PONG" && !line.starts_with("INFO ") {
                    return Err(wrong(line));
                }
            }
            Ok((answers, pings))
        };
        let (answers, pings) = self.wire.say(said.as_bytes(), read).await?;
        self.wire.say("PONG\r\n".repeat(pings).as_bytes(), async |_: &mut Reader<'_>| Ok(())).await?;
        Ok(answers)
    }
}
