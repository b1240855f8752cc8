//! The whole example: raised, tested and taken down, with an empty cache and with a full one.

use super::run::seam_run;
use crate::ground::Ground;
use crate::numbers::median;
use crate::row::Row;
use seam_event::{Phase, What};
use seam_history::History;
use std::process::Command;
use std::time::Duration;

/// Measures both runs. The example's own programs are built before, as they are in a folder that was used once.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let project = ground.root.join("examples/bookstore");
    build(ground)?;
    let (mut cold, mut warm, mut tests) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_tests = 0;
    for _ in 0..ground.n_rounds.min(3) {
        let cache = ground.fresh_folder("bookstore-cache");
        cold.push(seam_run(ground, &project, &cache)?.spent.wall.as_secs_f64());
        let ran = seam_run(ground, &project, &cache)?;
        warm.push(ran.spent.wall.as_secs_f64());
        let (count, took) = tested(&ran.history);
        n_tests = count;
        tests.push(took.as_secs_f64());
    }
    Ok(vec![
        Row::new("bookstore, whole run, empty cache", median(cold), "s"),
        Row::new("bookstore, whole run, full cache", median(warm), "s").note(format!("{n_tests} tests")),
        Row::new("bookstore, from its first test to its last", median(tests), "s"),
    ])
}

fn build(ground: &Ground) -> Result<(), String> {
    // Where seam.yaml looks for them, whatever the measurement's own programs are built to.
    let words = ["build", "-q", "-p", "bookstore-services", "--target-dir", "target"];
    let mut cargo = Command::new("cargo");
    let status = cargo.args(words).current_dir(&ground.root).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the example's programs can't be built: cargo ended with {status}")),
        Err(error) => Err(format!("the example's programs can't be built: {error}")),
    }
}

/// How many tests there were, and the time from the first one's begin to the last one's end.
fn tested(history: &History) -> (usize, Duration) {
    let of = |wanted: Phase| {
        let events = history.events.iter();
        events.filter(move |event| matches!(&event.what, What::Test { phase } if *phase == wanted))
    };
    let first = of(Phase::Began).map(|event| event.at).next().unwrap_or_default();
    let last = of(Phase::Ended).map(|event| event.at).next_back().unwrap_or_default();
    (of(Phase::Began).count(), last.saturating_sub(first))
}
