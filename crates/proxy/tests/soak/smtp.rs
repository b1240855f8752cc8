//! SMTP: each request is a mail, and what the server says of it is how much of it has come.

use crate::http::{Done, done, serving};
use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::{Reader, Wire, wrong};
use std::fmt::Write as _;
use std::io;
use tokio::net::TcpStream;

pub(crate) struct Smtp(Wire);

/// As much of a payload as stands in one line.
const LINE: usize = 900;

/// A line of each mail, which begins with a dot.
const DOTTED: &str = "..dotted";

fn content(ask: &Ask) -> String {
    let payload = ask.payload();
    let does = if ask.does { "do" } else { "say" };
    let mut mail = format!("Subject: {does} {}\r\n\r\n{DOTTED}\r\n", ask.number);
    for line in payload.as_bytes().chunks(LINE) {
        let _ = write!(mail, "{}\r\n", String::from_utf8_lossy(line));
    }
    mail + ".\r\n"
}

/// What is said of a mail that has come as it was sent.
fn taken(payload: &str) -> String {
    let number = &payload[..payload.find('Z').unwrap_or_default()];
    format!("took {number} of {}", payload.len())
}

/// What is said of a mail with these lines.
fn heard(lines: &[String], done: &Done) -> Option<String> {
    let (does, number) = lines.first()?.strip_prefix("Subject: ")?.split_once(' ')?;
    let payload = lines.get(3..)?.concat();
    let rest = payload.strip_prefix(&format!("N{number}Z"))?;
    if lines[2] != DOTTED || rest.bytes().any(|byte| byte != b'x') {
        return None;
    }
    if does == "do" {
        done.lock().unwrap().push(number.parse().ok()?);
    }
    Some(taken(&payload))
}

async fn serve_one(stream: TcpStream, done: Done) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    let mut answer = "220 soak\r\n".to_owned();
    loop {
        let line = wire.say(answer.as_bytes(), async |reader: &mut Reader<'_>| reader.line().await).await?;
        answer = match line.as_str() {
            "DATA" => {
                let read = async |reader: &mut Reader<'_>| {
                    let mut lines = Vec::new();
                    loop {
                        match reader.line().await? {
                            line if line == "." => return Ok(lines),
                            line => lines.push(line),
                        }
                    }
                };
                let lines = wire.say(b"354 go on\r\n", read).await?;
                match heard(&lines, &done) {
                    Some(taken) => format!("250 {taken}\r\n"),
                    None => format!("554 {:?}\r\n", lines.first()),
                }
            }
            line if ["EHLO ", "MAIL ", "RCPT "].iter().any(|known| line.starts_with(known)) => {
                "250 ok\r\n".to_owned()
            }
            other => format!("500 {other:?}\r\n"),
        };
    }
}

impl Speaks for Smtp {
    const SEAM: &'static str = "smtp";

    async fn serve() -> Option<Server> {
        Some(serving(serve_one).await)
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        let mut wire = Wire::new(stream);
        wire.say(b"", async |reader: &mut Reader<'_>| reader.line().await).await?;
        wire.say(b"EHLO soak\r\n", async |reader: &mut Reader<'_>| reader.line().await).await?;
        Ok(Self(wire))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut answers = Vec::new();
        for ask in asks {
            let read = async |reader: &mut Reader<'_>| {
                for expected in ["250", "250", "354"] {
                    let line = reader.line().await?;
                    if !line.starts_with(expected) {
                        return Err(wrong(line));
                    }
                }
                Ok(())
            };
            self.0.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n", read).await?;
            let content = content(ask);
            let said =
                self.0.say(content.as_bytes(), async |reader: &mut Reader<'_>| reader.line().await).await?;
            let payload = ask.payload();
            answers.push(match said.strip_prefix("250 ") {
                Some(said) if said == taken(&payload) => {
                    if ask.does {
                        String::new()
                    } else {
                        payload
                    }
                }
                _ => said,
            });
        }
        Ok(answers)
    }

    fn stub(payload: &str) -> Option<String> {
        // Of a long one a stub sees the first line.
        (payload.len() < LINE).then(|| format!(r#"{{"status":250,"text":"{}"}}"#, taken(payload)))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
