//! A component with a pool of connections to a database that stay open while states go back under them.
//!
//! `POST /change/N` changes N rows over one of them; `POST /by-hand/N` changes them and says how long it took to
//! change them back by the one statement that does it: the floor of all restoring.

use super::Started;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// How many connections it holds.
const N_CONNECTIONS: usize = 8;

struct Pool {
    runtime: Runtime,
    clients: Vec<Client>,
    next: usize,
}

/// Starts it: `LISTEN DATABASE_URL`.
pub(crate) fn start(words: &[String]) -> std::io::Result<Started> {
    let [listen, url] = words else {
        return Err(std::io::Error::other("LISTEN and DATABASE_URL are missing"));
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let clients = runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..N_CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            clients.push(client);
        }
        Ok::<_, tokio_postgres::Error>(clients)
    });
    let mut pool = Pool { runtime, clients: clients.map_err(std::io::Error::other)?, next: 0 };
    let listener = TcpListener::bind(listen)?;
    // It is a component, which has no standard input: whoever has raised it ends it.
    loop {
        let (stream, _) = listener.accept()?;
        // One at a time is all that the tests ask.
        let _ = pool.serve(&stream);
    }
}

impl Pool {
    /// Answers one request and closes.
    fn serve(&mut self, stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let path = first.split(' ').nth(1).unwrap_or_default();
        let mut words = path.trim_start_matches('/').split('/');
        let did = match (words.next(), words.next().and_then(|n| n.parse().ok())) {
            (Some("change"), Some(n_rows)) => self.change(n_rows, 1).map(|()| String::from("{}")),
            (Some("by-hand"), Some(n_rows)) => self.by_hand(n_rows),
            _ => Ok("{}".to_owned()),
        };
        let (status, body) = match did {
            Ok(body) => ("200 OK", body),
            Err(error) => ("500 Internal Server Error", format!("{{\"error\":\"{error}\"}}")),
        };
        let length = body.len();
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    }

    fn change(&mut self, n_rows: u32, by: i32) -> Result<(), tokio_postgres::Error> {
        self.next = (self.next + 1) % self.clients.len();
        let mut statement = String::new();
        let _ = write!(statement, "update books set copies = copies + ({by}) where id <= {n_rows}");
        self.runtime.block_on(self.clients[self.next].batch_execute(&statement))
    }

    fn by_hand(&mut self, n_rows: u32) -> Result<String, tokio_postgres::Error> {
        self.change(n_rows, 1)?;
        let began = Instant::now();
        self.change(n_rows, -1)?;
        Ok(format!("{{\"micros\":{}}}", began.elapsed().as_micros()))
    }
}
