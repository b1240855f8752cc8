//! Asks again and again, over one connection for latency, over many for throughput, and counts.

use crate::numbers::{count, median, micros, percentile};
use crate::parts::Upstream;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::NoTls;

/// Questions asked for the latency of one round.
const N_ASKED: usize = 1_500;

/// Connections that ask at once for the throughput, and for how long.
const N_CONNECTIONS: usize = 32;
const LASTING: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// `GET` over a kept-alive connection.
    Http,
    /// A simple `select`.
    Postgres,
}

/// Somebody who asks over a connection of its own.
enum Asker {
    Http(Box<dyn Stream>),
    Postgres(tokio_postgres::Client),
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Latency in microseconds, of one connection that asks one thing after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    /// The median.
    pub(crate) p50: f64,
    /// What one in a hundred is above.
    pub(crate) p99: f64,
}

/// What came of asking over many connections at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// Answers.
    pub(crate) answers: f64,
    /// Answers in a second.
    pub(crate) per_second: f64,
}

impl Asker {
    async fn dial(question: Question, to: &Upstream) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot dial {}: {error}", to.word());
        Ok(match question {
            Question::Http => Self::Http(match to {
                Upstream::Tcp(address) => {
                    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
                    stream.set_nodelay(true).map_err(|error| failed(&error))?;
                    Box::new(stream)
                }
                Upstream::Unix(path) => {
                    Box::new(UnixStream::connect(path).await.map_err(|error| failed(&error))?)
                }
            }),
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
        })
    }

    async fn ask(&mut self) -> Result<(), String> {
        match self {
            Self::Http(stream) => {
                const REQUEST: &[u8] =
                    b"GET /items/7 HTTP/1.1\r\nHost: bank.example\r\nAccept: application/json\r\n\
                    User-Agent: bench\r\nX-Request-Id: 00000000-0000-0000-0000-000000000000\r\n\r\n";
                stream.write_all(REQUEST).await.map_err(|error| error.to_string())?;
                let mut buffer = [0; 2048];
                let mut n_read = 0;
                loop {
                    let n_more =
                        stream.read(&mut buffer[n_read..]).await.map_err(|error| error.to_string())?;
                    n_read += n_more;
                    // The answer is always the same, and its body the only thing in it that ends so.
                    if buffer[..n_read].ends_with(b"]}") {
                        return Ok(());
                    }
                    if n_more == 0 {
                        return Err("the server has closed".to_owned());
                    }
                }
            }
            Self::Postgres(client) => {
                client.simple_query("select 1").await.map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

/// The latency over one connection.
pub(crate) async fn latency(question: Question, to: &Upstream) -> Result<Latency, String> {
    let mut asker = Asker::dial(question, to).await?;
    for _ in 0..N_ASKED / 10 {
        asker.ask().await?;
    }
    let mut took = Vec::with_capacity(N_ASKED);
    for _ in 0..N_ASKED {
        let began = Instant::now();
        asker.ask().await?;
        took.push(micros(began.elapsed()));
    }
    Ok(Latency { p50: median(took.iter().copied()), p99: percentile(took, 0.99) })
}

/// The throughput over many connections.
pub(crate) async fn throughput(question: Question, to: &Upstream) -> Result<Throughput, String> {
    let mut askers = Vec::new();
    for _ in 0..N_CONNECTIONS {
        askers.push(Asker::dial(question, to).await?);
    }
    let began = Instant::now();
    let work = askers.into_iter().map(|mut asker| async move {
        let mut n_answers = 0;
        while began.elapsed() < LASTING {
            asker.ask().await?;
            n_answers += 1;
        }
        Ok::<_, String>(n_answers)
    });
    let mut n_answers: usize = 0;
    let set = tokio::task::LocalSet::new();
    let running: Vec<_> = work.map(|work| set.spawn_local(work)).collect();
    set.await;
    for one in running {
        n_answers += one.await.map_err(|error| error.to_string())??;
    }
    let answers = count(n_answers);
    Ok(Throughput { answers, per_second: answers / began.elapsed().as_secs_f64() })
}
