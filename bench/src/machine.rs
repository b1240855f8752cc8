//! What processes cost: CPU time and memory, read from `/proc`.

use std::fs;
use std::time::Duration;

/// The CPU time of a living process, all of its threads that still run, to the nanosecond.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// The CPU time of all processes that this one has started and that have ended, with all that those had started.
/// The kernel counts it in hundredths of a second.
pub(crate) fn cpu_of_ended_children() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold anything, so counting begins behind it.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks =
        fields.split_ascii_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// The resident memory of a process and all that it has started, in MiB; shared pages count for each of them.
pub(crate) fn resident_of_tree(root: u32) -> f64 {
    let mut pages = 0;
    let mut left = vec![root];
    while let Some(process) = left.pop() {
        pages += resident_pages(process).unwrap_or(0);
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            left.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    f64::from(pages) * 4096.0 / 1024.0 / 1024.0
}

/// The most memory that a process has ever had resident, in MiB.
pub(crate) fn peak_of(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u32>().ok());
    f64::from(kib.unwrap_or(0)) / 1024.0
}

/// This process may have as many files open as the machine lets it: gives how many.
pub(crate) fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    maximum.unwrap_or(u64::MAX)
}

fn resident_pages(process: u32) -> Option<u32> {
    fs::read_to_string(format!("/proc/{process}/statm")).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let id = std::process::id();
        assert!(resident_of_tree(id) > 0.5);
        let until = std::time::Instant::now() + Duration::from_millis(5);
        while std::time::Instant::now() < until {}
        assert!(cpu_of(id) >= Duration::from_millis(1));
    }

    #[test]
    fn children_are_counted_when_they_have_ended() {
        let before = cpu_of_ended_children();
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        std::process::Command::new("sh").args(["-c", script]).status().unwrap();
        assert!(cpu_of_ended_children() > before);
    }
}
