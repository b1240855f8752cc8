//! MariaDB: statements as texts, one after the other.

use crate::load::{Ask, Speaks};
use crate::servers::{Server, mariadb};
use crate::wire::{Reader, Wire, wrong};
use std::io;
use tokio::net::TcpStream;

pub(crate) struct MariaDb(Wire);

/// Long passwords, 4.1, transactions, secure connection, plug-ins.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], payload].concat()
}

async fn next(reader: &mut Reader<'_>) -> io::Result<Vec<u8>> {
    let head = reader.exactly(4).await?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let payload = reader.exactly(length as usize).await?;
    match payload.first() {
        Some(0xff) => Err(wrong(String::from_utf8_lossy(&payload).into_owned())),
        _ => Ok(payload),
    }
}

/// The first column of all rows; nothing where there are none.
async fn rows(reader: &mut Reader<'_>) -> io::Result<Vec<String>> {
    if next(reader).await?.first() == Some(&0) {
        return Ok(Vec::new());
    }
    let is_end = |payload: &[u8]| payload.first() == Some(&0xfe) && payload.len() < 9;
    while !is_end(&next(reader).await?) {}
    let mut rows = Vec::new();
    loop {
        let row = next(reader).await?;
        if is_end(&row) {
            return Ok(rows);
        }
        let (from, length) = match row[0] {
            0xfc => (3, usize::from(u16::from_le_bytes([row[1], row[2]]))),
            0xfd => (4, u32::from_le_bytes([row[1], row[2], row[3], 0]) as usize),
            short => (1, usize::from(short)),
        };
        let text = row.get(from..from + length).ok_or_else(|| wrong("a short row"))?;
        rows.push(String::from_utf8(text.to_vec()).map_err(|_| wrong("no text"))?);
    }
}

impl MariaDb {
    async fn query(&mut self, sql: &str) -> io::Result<Vec<String>> {
        self.0.say(&packet(0, &[&[3], sql.as_bytes()].concat()), rows).await
    }
}

impl Speaks for MariaDb {
    const SEAM: &'static str = "mysql";

    async fn serve() -> Option<Server> {
        // A client that was cut off while it logged in is no reason to turn its host away.
        let server = mariadb(&["--max-connect-errors=1000000", "--innodb-flush-log-at-trx-commit=0"])?;
        let mut client = Self::open(TcpStream::connect(server.address()).await.unwrap(), 0).await.unwrap();
        client.query("create database soak").await.unwrap();
        client.query("create table soak.done (number bigint)").await.unwrap();
        Some(server)
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        let mut wire = Wire::new(stream);
        wire.say(b"", next).await?;
        let log_in = [
            &CAPABILITIES.to_le_bytes()[..],
            &(16_u32 * 1024 * 1024).to_le_bytes(),
            &[45],
            &[0; 23],
            b"root\0",
            &[0],
            b"mysql_native_password\0",
        ]
        .concat();
        let answer = wire.say(&packet(1, &log_in), next).await?;
        if answer.first() != Some(&0) {
            return Err(wrong(format!("not let in: {answer:?}")));
        }
        Ok(Self(wire))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut answers = Vec::new();
        for ask in asks {
            let sql = if ask.does {
                format!("insert into soak.done values ({})", ask.number)
            } else {
                format!("select '{}' as said", ask.payload())
            };
            let mut rows = self.query(&sql).await?;
            answers.push(rows.pop().unwrap_or_default());
        }
        Ok(answers)
    }

    fn stub(payload: &str) -> Option<String> {
        Some(format!(r#"{{"rows":[{{"said":"{payload}"}}]}}"#))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        let mut client = Self::open(TcpStream::connect(server.address()).await.unwrap(), 0).await.unwrap();
        let rows = client.query("select number from soak.done").await.unwrap();
        Some(rows.iter().map(|row| row.parse().unwrap()).collect())
    }
}
