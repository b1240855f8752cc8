//! What the runner costs: 1,000 tests of two HTTP steps, beside a bare client and beside Hurl on the same work.

use super::run::{Ran, Spent, seam_run, spend, write_project};
use crate::ground::Ground;
use crate::numbers::{median, micros};
use crate::parts::Process;
use crate::row::Row;
use seam_event::{Phase, StageOf, What};
use seam_history::History;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const N_TESTS: usize = 1_000;

/// What one round gave.
struct Round {
    seam: Spent,
    steps: Steps,
    /// A request's time where a bare client asks the server, the median.
    bare: f64,
    hurl: Option<Spent>,
}

/// Times within a run, in microseconds.
struct Steps {
    /// A step, the median.
    step: f64,
    /// All of a test.
    test: f64,
    /// What of a test is no step: set-up, waiting for what passed, clean-up.
    around: f64,
}

/// Measures all of it.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = Process::start(&["server"])?;
    let project = ground.fresh_folder("runner");
    let system = format!("system: bench\ncomponents:\n  api:\n    external: http://{}\n", server.address);
    write_project(&project, &system, &tests())?;
    let hurl = hurl(ground, server.address);
    let cache = ground.fresh_folder("runner-cache");
    let mut rounds = Vec::new();
    for _ in 0..ground.n_rounds {
        let Ran { spent, history } = seam_run(ground, &project, &cache)?;
        let steps = steps(&history);
        let bare = bare(server.address).map_err(|error| error.to_string())?;
        let hurl = match &hurl {
            Ok((program, file)) => Some(run_hurl(ground, program, file)?),
            Err(_) => None,
        };
        rounds.push(Round { seam: spent, steps, bare, hurl });
    }
    Ok(rows(&rounds, hurl.err()))
}

fn rows(rounds: &[Round], no_hurl: Option<String>) -> Vec<Row> {
    let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let beside = |name: &str, unit: &'static str, figure: &dyn Fn(&Spent) -> f64| {
        let row = Row::new(name, of(&|round| figure(&round.seam)), unit);
        let hurls: Vec<f64> = rounds.iter().filter_map(|round| round.hurl.as_ref()).map(figure).collect();
        if hurls.is_empty() { row } else { row.over(median(hurls)).note("floor: Hurl") }
    };
    let bare = of(&|round| round.bare);
    let mut rows = vec![
        beside("1,000 tests of two steps: CPU", "s", &|spent| spent.cpu.as_secs_f64()).at_most(0.5),
        beside("1,000 tests of two steps: peak memory", "MiB", &|spent| spent.peak).at_most(40.0),
        beside("1,000 tests of two steps: wall", "s", &|spent| spent.wall.as_secs_f64()),
        Row::new("HTTP step", of(&|round| round.steps.step), "us")
            .over(bare)
            .note("floor: a bare client's request"),
        Row::new("HTTP step beyond the server's own time", of(&|round| round.steps.step - round.bare), "us")
            .at_most(100.0),
        Row::new("test of two steps", of(&|round| round.steps.test), "us").over(2.0 * bare),
        Row::new("test: what is no step", of(&|round| round.steps.around), "us"),
    ];
    rows.extend(no_hurl.map(|why| Row::not_measured("Hurl on the same work", why)));
    rows
}

/// A `POST`, what it gave saved, and a `GET` of that, with three checks.
fn tests() -> String {
    let mut text = String::from("tests:\n");
    for nth in 1..=N_TESTS {
        let _ = write!(
            text,
            "  - name: case {nth}\n    steps:\n      - name: create\n        http: POST api/items\n        \
             json: {{ name: new-{nth} }}\n        expect: {{ status: 201 }}\n        save: {{ id: body.id }}\n      \
             - name: read\n        http: GET api/items/$id\n        \
             expect: {{ status: 200, body.id: $id, body.name: item-$id }}\n"
        );
    }
    text
}

fn steps(history: &History) -> Steps {
    let mut began = HashMap::new();
    let (mut steps, mut tests, mut around) = (Vec::new(), Vec::new(), Vec::new());
    let mut in_steps = Duration::ZERO;
    for event in &history.events {
        match &event.what {
            What::Step { stage: StageOf::Began, .. } => {
                began.insert(event.scope.step.clone(), event.at);
            }
            What::Step { stage: StageOf::Ended, .. } => {
                if let Some(since) = began.remove(&event.scope.step) {
                    in_steps += event.at.saturating_sub(since);
                    steps.push(micros(event.at.saturating_sub(since)));
                }
            }
            What::Test { phase: Phase::Began } => {
                in_steps = Duration::ZERO;
                began.insert(None, event.at);
            }
            What::Test { phase: Phase::Ended } => {
                if let Some(since) = began.remove(&None) {
                    let whole = event.at.saturating_sub(since);
                    tests.push(micros(whole));
                    around.push(micros(whole.saturating_sub(in_steps)));
                }
            }
            _ => {}
        }
    }
    Steps { step: median(steps), test: median(tests), around: median(around) }
}

/// The same requests from a client that does nothing else: the median of one, in microseconds.
fn bare(server: SocketAddr) -> std::io::Result<f64> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut took = Vec::new();
    let mut buffer = [0; 4096];
    for nth in 0..2 * N_TESTS {
        let request = if nth % 2 == 0 {
            "POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"name\":\"new\"}"
                .replace("13", "14")
        } else {
            format!("GET /items/{nth} HTTP/1.1\r\nHost: x\r\n\r\n")
        };
        let began = Instant::now();
        stream.write_all(request.as_bytes())?;
        let mut n_read = 0;
        while !buffer[..n_read].ends_with(b"]}") {
            match stream.read(&mut buffer[n_read..])? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                n_more => n_read += n_more,
            }
        }
        took.push(micros(began.elapsed()));
    }
    Ok(median(took))
}

/// Hurl and a file with the same work in it.
fn hurl(ground: &Ground, server: SocketAddr) -> Result<(PathBuf, PathBuf), String> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let named = std::env::var_os("HURL").map(PathBuf::from);
    let program = named
        .into_iter()
        .chain(on_path.into_iter().flatten().map(|folder| folder.join("hurl")))
        .find(|path| path.is_file())
        .ok_or("it is neither on the PATH nor named by HURL (cargo install hurl --locked)")?;
    let mut text = String::new();
    for nth in 1..=N_TESTS {
        let _ = write!(
            text,
            "POST http://{server}/items\n{{\"name\": \"new-{nth}\"}}\nHTTP 201\n[Captures]\nid: jsonpath \"$.id\"\n\n\
             GET http://{server}/items/{{{{id}}}}\nHTTP 200\n[Asserts]\njsonpath \"$.id\" == {{{{id}}}}\n\
             jsonpath \"$.name\" == \"item-{{{{id}}}}\"\n\n"
        );
    }
    let file = ground.fresh_folder("hurl").join("all.hurl");
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    Ok((program, file))
}

fn run_hurl(ground: &Ground, program: &Path, file: &Path) -> Result<Spent, String> {
    let mut command = Command::new(program);
    command.arg("--test").arg("--no-proxy").arg("*").arg(file);
    spend(command, &ground.fresh_folder("said"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_has_two_steps() {
        let text = tests();
        assert_eq!(text.matches("http: ").count(), 2 * N_TESTS);
    }
}
