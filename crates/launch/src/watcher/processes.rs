//! Who descends from whom: the machine's table of processes, and signals that hit only who was meant.
//!
//! The watcher is a child subreaper, so everything that a component ever starts stays below the watcher in this
//! table, also what forks twice and opens a session of its own. The cookie in the environment says which component
//! an orphan belongs to, and finds what is left of a run whose watcher was killed as well. A process id can be given
//! to somebody else between looking and striking; therefore signals go through a pidfd that is opened first and
//! whose start time is looked at again afterwards.

use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;

/// The variable that carries the run's cookie.
pub(crate) const COOKIE: &str = "SEAM_RUN";
/// The variable that carries the component's name.
pub(crate) const COMPONENT: &str = "SEAM_COMPONENT";

/// How much of a process's environment is looked at: more than the kernel lets anybody have.
const ENVIRON_LIMIT: u64 = 8 << 20;

/// One process as it was when the table was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// In ticks since the machine started; together with the pid it names one process for good.
    pub(crate) start: u64,
    /// Has it ended, only its parent has not looked yet?
    pub(crate) ended: bool,
    /// Is it held still by a signal?
    pub(crate) held: bool,
}

/// All processes of the machine at one moment.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_pid: HashMap<u32, Process>,
}

/// A process that cannot be mistaken for a later one of the same number.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) process: Process,
    /// None where the kernel has no pidfds.
    fd: Option<OwnedFd>,
}

impl Table {
    /// Reads `/proc`. What ends meanwhile is not in it.
    pub(crate) fn read() -> Self {
        let mut by_pid = HashMap::new();
        let Ok(entries) = fs::read_dir("/proc") else { return Self { by_pid } };
        let mut text = Vec::with_capacity(512);
        for entry in entries.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if let Some(process) = read_process(pid, &mut text) {
                by_pid.insert(pid, process);
            }
        }
        Self { by_pid }
    }

    /// A process by its number.
    pub(crate) fn get(&self, pid: u32) -> Option<&Process> {
        self.by_pid.get(&pid)
    }

    /// All living processes.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values().filter(|process| !process.ended)
    }

    /// Living processes that descend from one of `roots`, which are not among them.
    pub(crate) fn descendants(&self, roots: &[u32]) -> Vec<Process> {
        let mut children: HashMap<u32, Vec<&Process>> = HashMap::new();
        for process in self.by_pid.values() {
            children.entry(process.parent).or_default().push(process);
        }
        let mut found = Vec::new();
        let mut seen: HashSet<u32> = roots.iter().copied().collect();
        let mut open: Vec<u32> = roots.to_vec();
        while let Some(parent) = open.pop() {
            for child in children.get(&parent).into_iter().flatten() {
                if seen.insert(child.pid) {
                    open.push(child.pid);
                    if !child.ended {
                        found.push(**child);
                    }
                }
            }
        }
        found
    }

    /// Living processes, besides this one, that carry a run's cookie, with all that descends from them.
    pub(crate) fn of_cookie(&self, cookie: &str) -> Vec<Process> {
        let own = std::process::id();
        let marked: Vec<Process> = self
            .living()
            .filter(|process| process.pid != own && carries(process.pid, COOKIE, cookie))
            .copied()
            .collect();
        let roots: Vec<u32> = marked.iter().map(|process| process.pid).collect();
        let mut all = self.descendants(&roots);
        let known: HashSet<u32> = all.iter().map(|process| process.pid).collect();
        all.extend(marked.into_iter().filter(|process| !known.contains(&process.pid)));
        all.retain(|process| process.pid != own);
        all
    }
}

impl Process {
    /// What no other process ever is: its number and when it started.
    pub(crate) fn name(&self) -> (u32, u64) {
        (self.pid, self.start)
    }
}

impl Held {
    /// Takes hold of a process of a table; none if it has ended since.
    pub(crate) fn of(process: Process) -> Option<Self> {
        let fd = match rustix::process::pidfd_open(rustix_pid(process.pid)?, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(Errno::SRCH) => return None,
            // An old kernel, or a sandbox without the call: then the start time alone has to do.
            Err(_) => None,
        };
        let now = read_process(process.pid, &mut Vec::new())?;
        (now.start == process.start && !now.ended).then_some(Self { process, fd })
    }

    /// Sends a signal; `false` if it has ended or is not ours to signal.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        match &self.fd {
            Some(fd) => rustix::process::pidfd_send_signal(fd, signal).is_ok(),
            None => {
                self.is_living()
                    && rustix_pid(self.process.pid)
                        .is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
            }
        }
    }

    /// Does it still run?
    pub(crate) fn is_living(&self) -> bool {
        read_process(self.process.pid, &mut Vec::new())
            .is_some_and(|now| now.start == self.process.start && !now.ended)
    }

    /// What to poll on for its end; none where the kernel has no pidfds.
    pub(crate) fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.fd.as_ref().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN))
    }
}

/// Does a process's first environment hold `name=value`? Not where it may not be read.
pub(crate) fn carries(pid: u32, name: &str, value: &str) -> bool {
    variable(pid, name).as_deref() == Some(value.as_bytes())
}

/// A variable of the environment that a process was started with.
pub(crate) fn variable(pid: u32, name: &str) -> Option<Vec<u8>> {
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut environ = Vec::with_capacity(4096);
    file.take(ENVIRON_LIMIT).read_to_end(&mut environ).ok()?;
    environ.split(|byte| *byte == 0).find_map(|entry| {
        let rest = entry.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=").map(<[u8]>::to_vec)
    })
}

/// One process by its number, as it is now.
pub(crate) fn process(pid: u32) -> Option<Process> {
    read_process(pid, &mut Vec::new())
}

/// A process id in rustix's form; none for 0 and for numbers that cannot be one.
pub(crate) fn rustix_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn read_process(pid: u32, text: &mut Vec<u8>) -> Option<Process> {
    text.clear();
    fs::File::open(format!("/proc/{pid}/stat")).ok()?.read_to_end(text).ok()?;
    parse_stat(pid, text)
}

/// Reads one line of `/proc/PID/stat`: the name stands in brackets and may hold anything, brackets too.
fn parse_stat(pid: u32, line: &[u8]) -> Option<Process> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(line.get(after_name..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let small = |index: usize| u32::try_from(number(index)?).ok();
    // A first thread that has ended while others go on shows as a zombie, but the process lives.
    let state = *fields.first()?;
    let ended = matches!(state, "Z" | "X" | "x") && number(17)? <= 1;
    let held = state == "T";
    Some(Process {
        pid,
        parent: small(1)?,
        group: small(2)?,
        session: small(3)?,
        start: number(19)?,
        ended,
        held,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, state: &str, threads: u64) -> String {
        format!("42 ({name}) {state} 7 8 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 {threads} 0 12345 0 0 1844")
    }

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        for name in ["sh", "a b", "x) Z 1 (", ")", ""] {
            let process = parse_stat(42, line(name, "S", 1).as_bytes()).unwrap();
            assert_eq!(
                process,
                Process { pid: 42, parent: 7, group: 8, session: 9, start: 12345, ended: false, held: false },
                "{name}"
            );
        }
    }

    #[test]
    fn a_zombie_has_ended_unless_threads_go_on() {
        for (state, threads, ended) in [("Z", 1, true), ("Z", 3, false), ("X", 1, true), ("D", 1, false)] {
            assert_eq!(parse_stat(42, line("a", state, threads).as_bytes()).unwrap().ended, ended);
        }
    }

    #[test]
    fn what_is_cut_off_is_no_process() {
        let whole = line("a", "S", 1);
        for end in 0..whole.len() - 12 {
            assert_eq!(parse_stat(42, &whole.as_bytes()[..end]).filter(|found| found.start == 12345), None);
        }
    }

    #[test]
    fn descent_is_followed_over_the_dead() {
        let of = |pid, parent, ended| Process {
            pid,
            parent,
            group: pid,
            session: pid,
            start: 1,
            ended,
            held: false,
        };
        let all = [of(1, 0, false), of(2, 1, false), of(3, 2, true), of(4, 3, false), of(5, 1, false)];
        let table = Table { by_pid: all.iter().map(|process| (process.pid, *process)).collect() };
        let mut found: Vec<u32> = table.descendants(&[2]).iter().map(|process| process.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [4]);
        assert_eq!(table.descendants(&[1]).len(), 3);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let table = Table::read();
        let own = table.get(std::process::id()).unwrap();
        assert!(Held::of(*own).unwrap().is_living());
        assert!(Held::of(Process { start: own.start + 1, ..*own }).is_none());
    }
}
