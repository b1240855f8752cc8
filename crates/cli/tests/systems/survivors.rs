//! Which processes of a run are still there, whoever their parent is and in whatever session they are.

use std::fs;
use std::time::{Duration, Instant};

/// How long the last ones may take: the watcher ends what is left after `seam` itself is gone.
pub(crate) const GONE_WITHIN: Duration = Duration::from_secs(20);

/// The living processes that bear the id of a run: in their environment as components, in their words as watchers.
pub(crate) fn survivors(run: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| bears(*pid, run) && is_living(*pid)).collect()
}

/// Waits until none is left; else says which are.
pub(crate) fn none_survives(run: &str) -> Result<(), String> {
    let since = Instant::now();
    loop {
        let left = survivors(run);
        if left.is_empty() {
            return Ok(());
        }
        if since.elapsed() > GONE_WITHIN {
            let told: Vec<String> = left.iter().map(|pid| format!("{pid}: {}", words(*pid))).collect();
            return Err(format!("left behind by run {run}:\n{}", told.join("\n")));
        }
        std::thread::yield_now();
    }
}

/// Is there such a process, and has it not ended?
pub(crate) fn is_living(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn bears(pid: u32, run: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mark = format!("SEAM_RUN={run}");
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable.starts_with(mark.as_bytes())) || words(pid).contains(run)
}

fn words(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}
