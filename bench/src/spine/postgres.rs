//! The start of PostgreSQL until it answers, from nothing and from the cache, beside `initdb` and `postgres` by hand.

use super::run::{seam_run, time_to_ready, write_project};
use crate::ground::Ground;
use crate::numbers::{median, millis};
use crate::row::Row;
use rustix::process::{Pid, Signal, kill_process};
use seam_services::Places;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

const SYSTEM: &str = "system: bench\ncomponents:\n  pg: { service: postgres, databases: { shop: {} } }\n";
const TESTS: &str = "tests:\n  - name: it answers\n    steps:\n      - sql: pg\n        query: select 1 as one\n        \
     expect: { rows.0.one: 1 }\n";

/// Measures both starts.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let project = ground.fresh_folder("postgres");
    write_project(&project, SYSTEM, TESTS)?;
    let (mut nothing, mut cached) = (Vec::new(), Vec::new());
    let mut by_hand = Vec::new();
    for _ in 0..ground.n_rounds {
        let cache = ground.fresh_folder("postgres-cache");
        for times in [&mut nothing, &mut cached] {
            let ran = seam_run(ground, &project, &cache)?;
            let took =
                time_to_ready(&ran.history, "pg").ok_or("the run says nothing of PostgreSQL's start")?;
            times.push(millis(took));
        }
        by_hand.push(start_by_hand(ground)?);
    }
    let floor = |of: fn(&(f64, f64)) -> f64| median(by_hand.iter().map(of));
    Ok(vec![
        Row::new("PostgreSQL from nothing until it answers", median(nothing), "ms")
            .over(floor(|(first, _)| *first))
            .at_most(1300.0)
            .note("floor: initdb and postgres by hand"),
        Row::new("PostgreSQL from the cache until it answers", median(cached), "ms")
            .over(floor(|(_, again)| *again))
            .at_most(80.0)
            .note("floor: postgres by hand, its data ready"),
    ])
}

/// The times of a first start with `initdb`, and of a second without.
fn start_by_hand(ground: &Ground) -> Result<(f64, f64), String> {
    let programs = programs().ok_or("there is no PostgreSQL to start by hand")?;
    let places = Places::at(ground.fresh_folder("by-hand"));
    let folder = &places.cache;
    if let Some((user, group)) = places.service_user {
        std::os::unix::fs::chown(folder, Some(user), Some(group)).map_err(|error| error.to_string())?;
    }
    let data = folder.join("data");
    let run = |program: &str| {
        let mut command = Command::new(programs.join(program));
        command.current_dir(folder).arg("-D").arg(&data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = places.service_user {
            command.uid(user).gid(group);
        }
        command
    };
    let began = Instant::now();
    let mut initdb = run("initdb");
    let options = ["-A", "trust", "-U", "bench", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"];
    let made = initdb.args(options).status().map_err(|error| error.to_string())?;
    if !made.success() {
        return Err(format!("initdb ended with {made}"));
    }
    serve_once(run("postgres"), folder)?;
    let first = began.elapsed();
    let again = serve_once(run("postgres"), folder)?;
    Ok((millis(first), millis(again)))
}

/// Starts a server, waits until it answers, and ends it; gives the time until it answered.
fn serve_once(mut command: Command, folder: &Path) -> Result<Duration, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut config = tokio_postgres::Config::new();
    config.user("bench").dbname("postgres").host_path(folder);
    let began = Instant::now();
    command.args(["-F", "-c", "listen_addresses=", "-c"]);
    command.arg(format!("unix_socket_directories={}", folder.display()));
    let mut server = command.spawn().map_err(|error| error.to_string())?;
    let answered = loop {
        let asked = runtime.block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            client.simple_query("select 1").await
        });
        if asked.is_ok() {
            break Ok(began.elapsed());
        }
        if began.elapsed() > PATIENCE || server.try_wait().is_ok_and(|ended| ended.is_some()) {
            break Err("PostgreSQL started by hand does not answer".to_owned());
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    if let Some(id) = i32::try_from(server.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::INT);
    }
    let _ = server.wait();
    answered
}

/// The folder of PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let packaged = debian.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    packaged.chain(on_path).find(|folder| folder.join("initdb").is_file())
}
