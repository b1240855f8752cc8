//! What is asked of a server again and again: as bytes of its protocol, so that asking costs next to nothing.

use crate::parts::Upstream;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::NoTls;

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    /// Bytes that always get the same answer.
    Script(&'static Script),
    /// A simple `select`.
    Postgres,
    /// `GET` over one HTTP/2 connection, begun by prior knowledge.
    Http2,
}

/// A conversation of bytes. `####` in what is said is a number of four digits, another one for each connection.
pub(crate) struct Script {
    /// What is said first, and how the answer to it ends.
    pub(crate) opening: &'static [(&'static [u8], End)],
    /// What is asked then.
    pub(crate) ask: &'static [u8],
    /// How the answer ends.
    pub(crate) end: End,
}

/// How an answer ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// With these bytes, which are nowhere else in it.
    With(&'static [u8]),
    /// After so many bytes.
    After(usize),
    /// With the last bytes of a JSON item in HTTP, whether it came in chunks or with its length.
    Item,
}

/// `GET` over a kept-alive connection.
pub(crate) const HTTP: Question = Question::Script(&Script {
    opening: &[],
    ask: b"GET /items/7 HTTP/1.1\r\nHost: bank.example\r\nAccept: application/json\r\nUser-Agent: bench\r\n\
        X-Request-Id: 00000000-0000-0000-0000-000000000000\r\n\r\n",
    end: End::Item,
});

/// `GET` of a key that is there.
pub(crate) const REDIS: Question = Question::Script(&Script {
    opening: &[(b"SET bench hello\r\n", End::With(b"+OK\r\n"))],
    ask: b"*2\r\n$3\r\nGET\r\n$5\r\nbench\r\n",
    end: End::With(b"hello\r\n"),
});

/// A message published to a subject of one's own, until it is back.
pub(crate) const NATS: Question = Question::Script(&Script {
    opening: &[
        (b"", End::With(b"\r\n")),
        (b"CONNECT {\"verbose\":false}\r\nSUB bench.#### 1\r\nPING\r\n", End::With(b"PONG\r\n")),
    ],
    ask: b"PUB bench.#### 5\r\nhello\r\n",
    end: End::With(b"hello\r\n"),
});

/// A message published with quality of service 1, until it is acknowledged.
pub(crate) const MQTT: Question = Question::Script(&Script {
    opening: &[(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", End::After(4))],
    ask: b"\x32\x0e\x00\x05bench\x00\x01hello",
    end: End::After(4),
});

/// A simple query of one row, where the server asks nobody for a password.
pub(crate) const MYSQL: Question = Question::Script(&Script {
    opening: &[
        (b"", End::With(b"mysql_native_password\0")),
        // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, TRANSACTIONS, LONG_PASSWORD.
        (
            b"\x3c\x00\x00\x01\x01\xa2\x08\x00\x00\x00\x00\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            root\0\x00mysql_native_password\0",
            End::With(b"\x02\x00\x00\x00\x02\x00\x00\x00"),
        ),
    ],
    ask: b"\x09\x00\x00\x00\x03select 1",
    end: End::With(b"\x05\x00\x00\x05\xfe\x00\x00\x02\x00"),
});

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who asks over a connection of its own.
pub(crate) enum Asker {
    Script { stream: Box<dyn Stream>, ask: Vec<u8>, end: End },
    Postgres(tokio_postgres::Client),
    Http2(hyper::client::conn::http2::SendRequest<Empty<Bytes>>),
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Asker {
    /// Dials and says what comes first.
    pub(crate) async fn dial(question: Question, to: &Upstream) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot dial {}: {error}", to.word());
        Ok(match question {
            Question::Script(script) => {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                let mut stream = stream(to).await.map_err(|error| failed(&error))?;
                let number = NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
                for (says, end) in script.opening {
                    say(&mut stream, &numbered(says, number), *end).await?;
                }
                Self::Script { stream, ask: numbered(script.ask, number), end: script.end }
            }
            Question::Postgres => {
                let mut config = tokio_postgres::Config::new();
                config.user("seam").password("seam").dbname("seam");
                match to {
                    Upstream::Tcp(address) => config.host("127.0.0.1").port(address.port()),
                    Upstream::Unix(path) => config.host_path(path.parent().unwrap_or(path)),
                };
                let (client, connection) = config.connect(NoTls).await.map_err(|error| failed(&error))?;
                tokio::spawn(connection);
                Self::Postgres(client)
            }
            Question::Http2 => {
                let stream = TokioIo::new(stream(to).await.map_err(|error| failed(&error))?);
                let (client, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
                        .await
                        .map_err(|error| failed(&error))?;
                tokio::spawn(connection);
                Self::Http2(client)
            }
        })
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self) -> Result<(), String> {
        match self {
            Self::Script { stream, ask, end } => say(stream, ask, *end).await,
            Self::Postgres(client) => {
                client.simple_query("select 1").await.map(drop).map_err(|error| error.to_string())
            }
            Self::Http2(client) => {
                let request = Request::get("http://bank.example/items/7")
                    .header("accept", "application/json")
                    .body(Empty::new())
                    .map_err(|error| error.to_string())?;
                let reply = client.send_request(request).await.map_err(|error| error.to_string())?;
                reply.into_body().collect().await.map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

async fn stream(to: &Upstream) -> std::io::Result<Box<dyn Stream + Send>> {
    Ok(match to {
        Upstream::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Upstream::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// Says something and reads until the answer has ended.
async fn say(stream: &mut (impl Stream + ?Sized), bytes: &[u8], end: End) -> Result<(), String> {
    stream.write_all(bytes).await.map_err(|error| error.to_string())?;
    let mut buffer = [0; 4096];
    let mut n_read = 0;
    loop {
        let reading = tokio::time::timeout(PATIENCE, stream.read(&mut buffer[n_read..]));
        let n_more =
            reading.await.map_err(|_| "no answer came in time")?.map_err(|error| error.to_string())?;
        n_read += n_more;
        let is_whole = match end {
            End::With(bytes) => buffer[..n_read].ends_with(bytes),
            End::After(length) => n_read >= length,
            End::Item => {
                let said = &buffer[..n_read];
                let is_chunked = || said.windows(7).any(|seven| seven.eq_ignore_ascii_case(b"chunked"));
                said.ends_with(b"0\r\n\r\n") || (said.ends_with(b"]}") && !is_chunked())
            }
        };
        if is_whole {
            return Ok(());
        }
        if n_more == 0 {
            let said = String::from_utf8_lossy(&buffer[..n_read]).into_owned();
            return Err(format!("the server has closed, or said too much: {said:?}"));
        }
    }
}

fn numbered(bytes: &[u8], number: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if let Some(at) = bytes.windows(4).position(|four| four == b"####") {
        out.splice(at..at + 4, format!("{number:04}").into_bytes());
    }
    out
}
