//! What standing on a seam costs: latency and throughput beside nobody, beside plain relays and beside HAProxy.

use super::load::{Latency, Throughput, latency, throughput};
use super::question::{HTTP, Question};
use super::rivals::{Rival, all};
use crate::ground::Ground;
use crate::machine::cpu_of;
use crate::numbers::{median, micros};
use crate::parts::{Process, Upstream};
use crate::row::Row;
use crate::spine::run::Up;
use std::time::Duration;

/// What one rival gave in one round.
struct Sample {
    latency: Latency,
    throughput: Throughput,
    /// CPU time for each answer under full load, in microseconds; zero for nobody.
    cpu: f64,
}

/// HTTP over kept-alive connections.
pub(crate) fn http(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = Process::start(&["server"])?;
    compare(ground, HTTP, "http", &Upstream::Tcp(server.address))
}

/// HTTP/2, begun by prior knowledge, 32 connections with one call each.
pub(crate) fn http2(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = Process::start(&["hyper"])?;
    compare(ground, Question::Http2, "http2", &Upstream::Tcp(server.address))
}

/// A simple `select` of a real PostgreSQL, which Seamwork raises.
pub(crate) fn postgres(ground: &Ground) -> Result<Vec<Row>, String> {
    let up = Up::raise(
        ground,
        "system: bench\ncomponents:\n  pg: { service: postgres, databases: { seam: {} } }\n",
    )?;
    let socket = up.socket("pg", ".s.PGSQL.5432").ok_or("the server's socket was not found")?;
    compare(ground, Question::Postgres, "postgres", &Upstream::Unix(socket))
}

/// Asks through every rival in turn, round after round.
pub(crate) fn compare(
    ground: &Ground,
    question: Question,
    protocol: &str,
    upstream: &Upstream,
) -> Result<Vec<Row>, String> {
    let (rivals, missing) = all(ground, protocol, upstream)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut samples: Vec<Vec<Sample>> = rivals.iter().map(|_| Vec::new()).collect();
    for round in 0..ground.n_rounds {
        for turn in 0..rivals.len() {
            // Nobody is always first, or always after the same one.
            let which = (turn + round) % rivals.len();
            samples[which].push(runtime.block_on(sample(question, &rivals[which]))?);
        }
    }
    let mut rows = rows(protocol, &rivals, &samples);
    rows.extend(missing.into_iter().map(|(name, why)| Row::not_measured(format!("{protocol} {name}"), why)));
    Ok(rows)
}

async fn sample(question: Question, rival: &Rival) -> Result<Sample, String> {
    let latency = latency(question, &rival.address).await?;
    let process = rival.process.as_ref().map(Process::id);
    let before = process.map_or(Duration::ZERO, cpu_of);
    let throughput = throughput(question, &rival.address).await?;
    let cpu = match process {
        Some(process) => settled_cpu(process).await.saturating_sub(before),
        None => Duration::ZERO,
    };
    Ok(Sample { latency, throughput, cpu: micros(cpu) / throughput.answers })
}

/// The CPU time once nothing is left to do: what was put off counts as well.
pub(crate) async fn settled_cpu(process: u32) -> Duration {
    const LOOK: Duration = Duration::from_millis(50);
    let mut before = cpu_of(process);
    for _ in 0..100 {
        tokio::time::sleep(LOOK).await;
        let now = cpu_of(process);
        if now.saturating_sub(before) < Duration::from_millis(1) {
            return now;
        }
        before = now;
    }
    before
}

/// Rows for each figure and rival; the floor of all is the plain relay, which is the second.
fn rows(protocol: &str, rivals: &[Rival], samples: &[Vec<Sample>]) -> Vec<Row> {
    let figure =
        |which: usize, of: &dyn Fn(&Sample) -> f64| -> Vec<f64> { samples[which].iter().map(of).collect() };
    let added = |which: usize, of: &dyn Fn(&Sample) -> f64| -> Vec<f64> {
        figure(which, of).iter().zip(figure(0, of)).map(|(one, direct)| one - direct).collect()
    };
    let haproxy = rivals.iter().position(|rival| rival.name == "haproxy");
    let mut rows = Vec::new();
    let direct = |of: &dyn Fn(&Sample) -> f64| median(figure(0, of));
    rows.push(Row::new(format!("{protocol} latency p50: direct"), direct(&|one| one.latency.p50), "us"));
    rows.push(Row::new(format!("{protocol} latency p99: direct"), direct(&|one| one.latency.p99), "us"));
    for (part, of) in
        [("p50", (|one: &Sample| one.latency.p50) as fn(&Sample) -> f64), ("p99", |one| one.latency.p99)]
    {
        let floor = added(1, &of);
        for (which, rival) in rivals.iter().enumerate().skip(1) {
            let own = added(which, &of);
            let mut row =
                Row::new(format!("{protocol} added {part}: {}", rival.name), median(own.clone()), "us");
            if which > 1 {
                row = row.over(median(floor.clone())).times(ratio(&own, &floor));
            }
            if let (Some(theirs), "watched" | "recorded", "p50") = (haproxy, rival.name, part) {
                row = row.at_most_as("haproxy", median(added(theirs, &of)));
            }
            rows.push(row);
        }
    }
    let per_second = |one: &Sample| one.throughput.per_second;
    rows.push(Row::new(format!("{protocol} throughput: direct"), direct(&per_second), "1/s"));
    for (which, rival) in rivals.iter().enumerate().skip(1) {
        let (own, floor) = (figure(which, &per_second), figure(1, &per_second));
        let row = Row::new(format!("{protocol} throughput: {}", rival.name), median(own.clone()), "1/s");
        rows.push(if which > 1 { row.over(median(floor.clone())).times(ratio(&own, &floor)) } else { row });
    }
    for (which, rival) in rivals.iter().enumerate().skip(1) {
        let (own, floor) = (figure(which, &|one| one.cpu), figure(1, &|one| one.cpu));
        let row = Row::new(format!("{protocol} CPU a call: {}", rival.name), median(own.clone()), "us");
        let row = if which > 1 { row.over(median(floor.clone())).times(ratio(&own, &floor)) } else { row };
        rows.push(match rival.name {
            "watched" => row.at_most_times(1.2),
            "recorded" => row.at_most_times(1.4),
            _ => row,
        });
    }
    rows
}

/// The median of the rounds' own ratios.
pub(crate) fn ratio(own: &[f64], floor: &[f64]) -> f64 {
    median(own.iter().zip(floor).map(|(own, floor)| own / floor))
}
