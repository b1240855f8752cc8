//! Plain TCP: lines that are said back, of which the seam understands nothing.

use crate::http::{Done, done, serving};
use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::{Reader, Wire};
use std::io;
use tokio::net::TcpStream;

pub(crate) struct Tcp(Wire);

async fn serve_one(stream: TcpStream, done: Done) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    let mut answer = String::new();
    loop {
        let line = wire.say(answer.as_bytes(), async |reader: &mut Reader<'_>| reader.line().await).await?;
        answer = match line.strip_prefix("do ").and_then(|number| number.parse().ok()) {
            Some(number) => {
                done.lock().unwrap().push(number);
                "\r\n".to_owned()
            }
            None => line + "\r\n",
        };
    }
}

impl Speaks for Tcp {
    const SEAM: &'static str = "tcp";

    async fn serve() -> Option<Server> {
        Some(serving(serve_one).await)
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        Ok(Self(Wire::new(stream)))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let line = |ask: &Ask| if ask.does { format!("do {}", ask.number) } else { ask.payload() };
        let said: String = asks.iter().map(|ask| line(ask) + "\r\n").collect();
        let read = async |reader: &mut Reader<'_>| {
            let mut answers = Vec::new();
            for _ in asks {
                answers.push(reader.line().await?);
            }
            Ok(answers)
        };
        self.0.say(said.as_bytes(), read).await
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
