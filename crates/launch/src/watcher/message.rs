//! What `seam` and its watcher say to each other: JSON lines over a Unix socket.
//!
//! The descriptors of a [`Request::Spawn`] (standard input, output and error) travel beside its first byte.

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// What `seam` asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// The first line: which run this is, and the folder of the registry.
    Begin { run: String, registry: PathBuf },
    /// Start a process. Answered by `Started` or `Refused`.
    Spawn(SpawnRequest),
    /// End a component's whole tree. Answered by `Gone`.
    Stop { ask: u64, id: u64, signal: StopSignal, whom: Whom, deadline: Duration },
    /// Hold a component's whole tree, or let it go on. Answered by `Done`.
    Pause { ask: u64, id: u64, pause: Pause },
    /// Which processes a component has now. Answered by `Pids`.
    Pids { ask: u64, id: u64 },
    /// Remove this folder when all is over. Answered by `Done`, when the registry knows it.
    Folder { ask: u64, path: PathBuf },
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpawnRequest {
    pub(crate) id: u64,
    pub(crate) component: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dir: PathBuf,
    pub(crate) user: Option<(u32, u32)>,
    pub(crate) farewell: Option<Farewell>,
}

/// What the watcher tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// It is ready; the cookie that all its descendants bear, and why the registry could not be written, if so.
    Began { cookie: String, unregistered: Option<String> },
    /// It cannot be a watcher, and why.
    Unfit { reason: String },
    /// A process runs.
    Started { id: u64, pid: u32 },
    /// A process could not be started: the number of the machine's error, and its text.
    Refused { id: u64, errno: Option<i32>, reason: String },
    /// A process that was started has ended.
    Exited { id: u64, exit: Exit },
    /// Nothing is left of a component, or what could not be ended.
    Gone { ask: u64, end: End },
    /// It is done.
    Done { ask: u64 },
    /// The processes of a component.
    Pids { ask: u64, pids: Vec<u32> },
    /// All is over.
    Over(Over),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// How a component's tree of processes came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Did SIGKILL have to be used, because the deadline had passed?
    pub by_force: bool,
    /// Processes that not even SIGKILL ended within ten seconds (they hang in the kernel, or belong to somebody
    /// whom we may not signal).
    pub left: Vec<u32>,
}

/// What the watcher did at the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// How many processes still ran and were ended.
    pub n_ended: usize,
    /// Processes that could not be ended.
    pub left: Vec<u32>,
    /// Folders that could not be removed.
    pub folders: Vec<PathBuf>,
}

/// The signal that asks a process to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// SIGTERM, which nearly everything understands.
    #[default]
    Term,
    /// SIGINT: PostgreSQL's fast shutdown.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGKILL: no asking.
    Kill,
}

/// Who is asked to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// Every process of the component: right where a script or a package runner stands in front of the program.
    #[default]
    Tree,
    /// The first process alone, which ends the others itself: right for PostgreSQL.
    First,
}

/// What the first process of a component is sent when the run is over, before all that is left is killed.
///
/// For what keeps things outside of its own process that only it can take away: PostgreSQL's shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farewell {
    /// The signal: SIGQUIT for PostgreSQL, which then ends at once but cleanly.
    pub signal: StopSignal,
    /// How long it may take; every other component is killed meanwhile.
    pub grace: Duration,
}

/// Hold or let go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pause {
    Hold,
    GoOn,
}

impl StopSignal {
    pub(crate) fn signal(self) -> Signal {
        match self {
            Self::Term => Signal::TERM,
            Self::Int => Signal::INT,
            Self::Quit => Signal::QUIT,
            Self::Kill => Signal::KILL,
        }
    }
}

impl Exit {
    /// Did it end well?
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

/// As it reads after "it": `exited with code 3`, `was killed by SIGSEGV`.
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "was killed by {name}"),
                None => write!(f, "was killed by signal {number}"),
            },
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    names.into_iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_reads_as_a_sentence() {
        for (exit, text) in [
            (Exit::Code(0), "exited with code 0"),
            (Exit::Signal(11), "was killed by SIGSEGV"),
            (Exit::Signal(9), "was killed by SIGKILL"),
            (Exit::Signal(64), "was killed by signal 64"),
        ] {
            assert_eq!(exit.to_string(), text);
        }
    }

    #[test]
    fn messages_are_single_lines() {
        let request = Request::Spawn(SpawnRequest {
            id: 1,
            component: "a".into(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "echo 'two\nlines'".into()],
            env: vec![("A".into(), "x\r\ny".into())],
            dir: "/".into(),
            user: Some((1, 2)),
            farewell: None,
        });
        let line = serde_json::to_string(&request).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
    }
}
