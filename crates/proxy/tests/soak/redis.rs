//! Redis, pipelined.

use crate::load::{Ask, Speaks};
use crate::servers::{Server, free_port, program};
use crate::wire::{Reader, Wire, wrong};
use std::fmt::Write as _;
use std::io;
use std::process::Command;
use tokio::net::TcpStream;

pub(crate) struct Redis(Wire);

async fn reply(reader: &mut Reader<'_>) -> io::Result<String> {
    let line = reader.line().await?;
    match line.split_at_checked(1) {
        Some(("$", length)) => {
            let length: usize = length.parse().map_err(|_| wrong(line.clone()))?;
            let mut text = reader.exactly(length + 2).await?;
            text.truncate(length);
            String::from_utf8(text).map_err(|_| wrong("no text"))
        }
        Some((":", _)) => Ok(String::new()),
        _ => Err(wrong(line)),
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut said = format!("*{}\r\n", words.len());
    for word in words {
        let _ = write!(said, "${}\r\n{word}\r\n", word.len());
    }
    said.into_bytes()
}

impl Speaks for Redis {
    const SEAM: &'static str = "redis";

    async fn serve() -> Option<Server> {
        let (server, folder, port) = (program("redis-server")?, tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new(server);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
        Some(Server::start(folder, port, &mut command))
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        Ok(Self(Wire::new(stream)))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let said: Vec<u8> = asks
            .iter()
            .flat_map(|ask| {
                if ask.does {
                    command(&["RPUSH", "done", &ask.number.to_string()])
                } else {
                    command(&["ECHO", &ask.payload()])
                }
            })
            .collect();
        let read = async |reader: &mut Reader<'_>| {
            let mut answers = Vec::new();
            for _ in asks {
                answers.push(reply(reader).await?);
            }
            Ok(answers)
        };
        self.0.say(&said, read).await
    }

    fn stub(payload: &str) -> Option<String> {
        Some(format!(r#"{{"value":"{payload}"}}"#))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        let mut wire = Wire::new(TcpStream::connect(server.address()).await.unwrap());
        let read = async |reader: &mut Reader<'_>| {
            let n_done: usize = reader.line().await?[1..].parse().unwrap();
            let mut done = Vec::new();
            for _ in 0..n_done {
                done.push(reply(reader).await?.parse().unwrap());
            }
            Ok(done)
        };
        Some(wire.say(&command(&["LRANGE", "done", "0", "-1"]), read).await.unwrap())
    }
}
