//! One large body through whoever stands between: how fast, at what cost, and in how much memory.

use super::rivals::{Rival, all};
use super::seams::{ratio, settled_cpu};
use crate::ground::Ground;
use crate::machine::{cpu_of, peak_of};
use crate::numbers::median;
use crate::parts::{Process, Upstream};
use crate::row::Row;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What one rival gave in one round.
struct Sample {
    /// GiB in a second.
    speed: f64,
    /// CPU seconds of the rival for the GiB.
    cpu: f64,
    /// How much the most memory that it ever had has grown by it, in MiB.
    grown: f64,
}

/// A body of 1 GiB.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = Process::start(&["hyper"])?;
    let (rivals, missing) = all(ground, "http", &Upstream::Tcp(server.address))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut samples: Vec<Vec<Sample>> = rivals.iter().map(|_| Vec::new()).collect();
    for round in 0..ground.n_rounds {
        for turn in 0..rivals.len() {
            let which = (turn + round) % rivals.len();
            samples[which].push(runtime.block_on(sample(&rivals[which]))?);
        }
    }
    let mut rows = rows(&rivals, &samples);
    rows.extend(missing.into_iter().map(|(name, why)| Row::not_measured(format!("bulk {name}"), why)));
    Ok(rows)
}

async fn sample(rival: &Rival) -> Result<Sample, String> {
    let process = rival.process.as_ref().map(Process::id);
    let (cpu_before, peak_before) = (process.map_or(Duration::ZERO, cpu_of), process.map_or(0.0, peak_of));
    let Upstream::Tcp(address) = rival.address else { return Err("it is no TCP address".to_owned()) };
    let began = Instant::now();
    let fetched = move || -> std::io::Result<u64> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(b"GET /bulk/1024 HTTP/1.1\r\nHost: bank.example\r\nConnection: close\r\n\r\n")?;
        let mut chunk = vec![0; 1024 * 1024];
        let mut n_bytes = 0;
        loop {
            match stream.read(&mut chunk)? {
                0 => return Ok(n_bytes),
                n_read => n_bytes += n_read as u64,
            }
        }
    };
    let n_bytes = fetched().map_err(|error| format!("{}: {error}", rival.name))?;
    let took = began.elapsed();
    if n_bytes < 1024 * 1024 * 1024 {
        return Err(format!("{}: only {n_bytes} bytes came", rival.name));
    }
    let cpu = match process {
        Some(process) => settled_cpu(process).await.saturating_sub(cpu_before),
        None => Duration::ZERO,
    };
    let grown = process.map_or(0.0, peak_of) - peak_before;
    Ok(Sample { speed: 1.0 / took.as_secs_f64(), cpu: cpu.as_secs_f64(), grown })
}

fn rows(rivals: &[Rival], samples: &[Vec<Sample>]) -> Vec<Row> {
    let figure =
        |which: usize, of: &dyn Fn(&Sample) -> f64| -> Vec<f64> { samples[which].iter().map(of).collect() };
    let mut rows = Vec::new();
    for (which, rival) in rivals.iter().enumerate() {
        let speed = figure(which, &|one| one.speed);
        rows.push(Row::new(format!("bulk speed: {}", rival.name), median(speed), "GiB/s"));
    }
    for (which, rival) in rivals.iter().enumerate().skip(1) {
        let (own, floor) = (figure(which, &|one| one.cpu), figure(1, &|one| one.cpu));
        let row = Row::new(format!("bulk CPU a GiB: {}", rival.name), median(own.clone()), "s");
        let row = if which > 1 { row.over(median(floor.clone())).times(ratio(&own, &floor)) } else { row };
        rows.push(if rival.name == "watched" { row.at_most_times(0.7) } else { row });
    }
    for (which, rival) in rivals.iter().enumerate().skip(1) {
        // The first round is the one in which everything that can grow does.
        let grown = samples[which].iter().map(|one| one.grown).fold(0.0, f64::max);
        rows.push(Row::new(format!("bulk memory: {}", rival.name), grown, "MiB"));
    }
    rows
}
