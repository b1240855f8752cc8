//! What a stub's answer costs beside a bare hyper server's, and beside other stubs where they are installed.

use super::load::{Latency, Throughput, latency, throughput};
use super::question::{Asker, HTTP};
use super::seams::{ratio, settled_cpu};
use crate::ground::Ground;
use crate::machine::{cpu_of, resident_of_tree};
use crate::numbers::{median, micros, millis};
use crate::parts::{Process, Upstream};
use crate::row::Row;
use serde_json::json;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The one that is asked for; it stands where whoever tries one after the other comes to it last.
const ASKED: usize = 7;

/// A stub server that answers.
struct Server {
    name: &'static str,
    process: Process,
    /// From its start to its first answer.
    ready: Duration,
    samples: Vec<Sample>,
}

/// What one server gave in one round.
struct Sample {
    latency: Latency,
    throughput: Throughput,
    /// CPU time for each answer, in microseconds.
    cpu: f64,
}

/// How a server is started: with its number of stubs, in a folder of its own, at that address.
type Start = fn(&Ground, usize, &Path, SocketAddr) -> Result<Command, String>;

/// Who is started; the floor is not among them.
const SERVERS: &[(&str, Start)] = &[
    ("stub file", native),
    ("WireMock files", mappings),
    ("WireMock", wiremock),
    ("Rift", rift),
    ("Mountebank", mountebank),
];

/// One stub.
pub(crate) fn of_one(ground: &Ground) -> Result<Vec<Row>, String> {
    measure(ground, 1)
}

/// A hundred stubs.
pub(crate) fn of_a_hundred(ground: &Ground) -> Result<Vec<Row>, String> {
    measure(ground, 100)
}

/// Ten thousand stubs.
pub(crate) fn of_ten_thousand(ground: &Ground) -> Result<Vec<Row>, String> {
    measure(ground, 10_000)
}

/// What must be measured for the group to say anything.
const OURS: &[&str] = &["hyper", "stub file", "WireMock files"];

fn measure(ground: &Ground, n_stubs: usize) -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let began = Instant::now();
    let process = Process::start(&["hyper"])?;
    let mut servers = vec![Server { name: "hyper", process, ready: began.elapsed(), samples: Vec::new() }];
    let mut missing = Vec::new();
    for (name, start) in SERVERS {
        match runtime.block_on(begin(ground, (name, *start), n_stubs)) {
            Ok(server) => servers.push(server),
            Err(why) => missing.push((*name, why)),
        }
    }
    let mut unloaded = Vec::new();
    for round in 0..ground.n_rounds {
        for turn in 0..servers.len() {
            let which = (turn + round) % servers.len();
            if unloaded.iter().any(|(name, _)| *name == servers[which].name) {
                continue;
            }
            match runtime.block_on(sample(&servers[which])) {
                Ok(sampled) => servers[which].samples.push(sampled),
                Err(why) if OURS.contains(&servers[which].name) => return Err(why),
                // It is told below; a server that closes each connection, say, can't be loaded like the others.
                Err(why) => unloaded.push((servers[which].name, why)),
            }
        }
    }
    servers.retain(|server| unloaded.iter().all(|(name, _)| *name != server.name));
    missing.extend(unloaded);
    let mut rows = rows(n_stubs, &servers);
    rows.extend(
        missing.into_iter().map(|(name, why)| Row::not_measured(format!("{n_stubs} stubs: {name}"), why)),
    );
    Ok(rows)
}

async fn begin(
    ground: &Ground,
    (name, start): (&'static str, Start),
    n_stubs: usize,
) -> Result<Server, String> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = free.map_err(|error| error.to_string())?;
    let folder = ground.fresh_folder(&format!("stubs-{}", name.replace(' ', "-")));
    let command = start(ground, n_stubs, &folder, address)?;
    let began = Instant::now();
    let process = Process::patiently(command, address, Duration::from_mins(1))?;
    let to = Upstream::Tcp(address);
    loop {
        let asked = async { Asker::dial(HTTP, &to).await?.ask().await };
        // A server may listen before its stubs are there, and says something else then.
        match tokio::time::timeout(Duration::from_millis(500), asked).await {
            Ok(Ok(())) => break,
            _ if began.elapsed() > Duration::from_mins(1) => {
                return Err("it did not answer in time".to_owned());
            }
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    Ok(Server { name, process, ready: began.elapsed(), samples: Vec::new() })
}

async fn sample(server: &Server) -> Result<Sample, String> {
    let to = Upstream::Tcp(server.process.address);
    let latency = latency(HTTP, &to).await?;
    let before = cpu_of(server.process.id());
    let throughput = throughput(HTTP, &to).await?;
    let cpu = settled_cpu(server.process.id()).await.saturating_sub(before);
    Ok(Sample { latency, throughput, cpu: micros(cpu) / throughput.answers })
}

fn rows(n_stubs: usize, servers: &[Server]) -> Vec<Row> {
    type Figure = fn(&Sample) -> f64;
    const FIGURES: [(&str, &str, Figure); 4] = [
        ("CPU an answer", "us", |one| one.cpu),
        ("answers", "1/s", |one| one.throughput.per_second),
        ("latency p50", "us", |one| one.latency.p50),
        ("latency p99", "us", |one| one.latency.p99),
    ];
    let mut rows = Vec::new();
    for (what, unit, of) in FIGURES {
        let floor: Vec<f64> = servers[0].samples.iter().map(of).collect();
        for (nth, server) in servers.iter().enumerate() {
            let own: Vec<f64> = server.samples.iter().map(of).collect();
            let row =
                Row::new(format!("{n_stubs} stubs, {what}: {}", server.name), median(own.clone()), unit);
            if nth == 0 {
                rows.push(row);
                continue;
            }
            let row = row.over(median(floor.clone())).times(ratio(&own, &floor));
            let is_ours = what == "CPU an answer" && server.name == "stub file";
            rows.push(if is_ours { row.at_most_times(1.25) } else { row });
        }
    }
    for server in servers {
        rows.push(Row::new(format!("{n_stubs} stubs, ready: {}", server.name), millis(server.ready), "ms"));
    }
    for server in servers {
        let memory = resident_of_tree(server.process.id());
        rows.push(Row::new(format!("{n_stubs} stubs, memory afterwards: {}", server.name), memory, "MiB"));
    }
    rows
}

fn native(ground: &Ground, n_stubs: usize, folder: &Path, address: SocketAddr) -> Result<Command, String> {
    let mut text = String::from("stubs:\n");
    for id in (ASKED..ASKED + n_stubs).rev() {
        let _ = write!(
            text,
            "  - request: GET /items/{id}\n    \
             reply: {{ json: {{ id: {id}, name: item-{id}, price: {id}.5, tags: [a, b] }} }}\n"
        );
    }
    let file = write(folder, "stubs.yaml", &text)?;
    let mut command = Command::new(&ground.seam);
    command.arg("serve").arg("--stub").arg(file).args(["--listen", &address.to_string()]);
    Ok(command)
}

fn mappings(ground: &Ground, n_stubs: usize, folder: &Path, address: SocketAddr) -> Result<Command, String> {
    write_mappings(folder, n_stubs)?;
    let mut command = Command::new(&ground.seam);
    command.arg("serve").arg("--wiremock").arg(folder).args(["--listen", &address.to_string()]);
    Ok(command)
}

/// WireMock itself, from the jar that `WIREMOCK_JAR` names.
fn wiremock(_: &Ground, n_stubs: usize, folder: &Path, address: SocketAddr) -> Result<Command, String> {
    let jar = std::env::var("WIREMOCK_JAR").map_err(|_| "WIREMOCK_JAR names no wiremock-standalone.jar")?;
    write_mappings(folder, n_stubs)?;
    let mut command = Command::new("java");
    command.args(["-jar", &jar, "--bind-address", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--no-request-journal", "--root-dir"]).arg(folder);
    Ok(command)
}

fn rift(_: &Ground, n_stubs: usize, folder: &Path, address: SocketAddr) -> Result<Command, String> {
    let file = write(folder, "imposters.json", &imposters(n_stubs, address))?;
    let mut command = Command::new(on_path("rift-http-proxy")?);
    command.args(["--port", "0", "--configfile"]).arg(file);
    Ok(command)
}

fn mountebank(_: &Ground, n_stubs: usize, folder: &Path, address: SocketAddr) -> Result<Command, String> {
    let file = write(folder, "imposters.json", &imposters(n_stubs, address))?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let own = free.map_err(|error| error.to_string())?;
    let mut command = Command::new(on_path("mb")?);
    command.args(["--port", &own.port().to_string(), "--localOnly", "--nologfile", "--loglevel", "error"]);
    command.arg("--configfile").arg(file).current_dir(folder);
    Ok(command)
}

fn item(id: usize) -> serde_json::Value {
    json!({ "id": id, "name": format!("item-{id}"), "price": format!("{id}.5"), "tags": ["a", "b"] })
}

fn write_mappings(folder: &Path, n_stubs: usize) -> Result<(), String> {
    // Among those of one file the last wins, so the first is what a search comes to last.
    let mappings: Vec<_> = (ASKED..ASKED + n_stubs)
        .map(|id| {
            json!({
                "request": { "method": "GET", "url": format!("/items/{id}") },
                "response": {
                    "status": 200,
                    "headers": { "Content-Type": "application/json" },
                    "jsonBody": item(id),
                },
            })
        })
        .collect();
    write(folder, "mappings/all.json", &json!({ "mappings": mappings }).to_string()).map(drop)
}

/// Stubs as Mountebank writes them, the one that is asked for last.
fn imposters(n_stubs: usize, address: SocketAddr) -> String {
    let stubs: Vec<_> = (ASKED..ASKED + n_stubs)
        .rev()
        .map(|id| {
            let headers = json!({ "Content-Type": "application/json" });
            json!({
                "predicates": [{ "equals": { "method": "GET", "path": format!("/items/{id}") } }],
                "responses": [{ "is": { "statusCode": 200, "headers": headers, "body": item(id).to_string() } }],
            })
        })
        .collect();
    let imposter = json!({ "port": address.port(), "protocol": "http", "host": "127.0.0.1", "stubs": stubs });
    json!({ "imposters": [imposter] }).to_string()
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let file = folder.join(name);
    let made =
        file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
    made.map(|()| file).map_err(|error| error.to_string())
}

fn on_path(name: &str) -> Result<PathBuf, String> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{name} is not installed"))
}
