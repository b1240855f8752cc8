//! Asks again and again, over one connection for latency, over many for throughput, and counts.

use super::question::{Asker, Question};
use crate::numbers::{count, median, micros, percentile};
use crate::parts::Upstream;
use std::time::{Duration, Instant};

/// Questions asked for the latency of one round.
const N_ASKED: usize = 1_500;

/// Connections that ask at once for the throughput, and for how long.
const N_CONNECTIONS: usize = 32;
const LASTING: Duration = Duration::from_millis(500);

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
