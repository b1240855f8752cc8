//! What the tests with real processes share: a watcher that is this same test binary, and a count of survivors.
//!
//! Survivors are counted by a mark in their command line, which nothing that they do to their environment, session
//! or parents takes away.

#![allow(dead_code, reason = "each test binary uses its own part")]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use seam_launch::{Line, LogsTo, Spawn, Watcher, WatcherCommand, WatcherOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Nothing here takes this long unless it is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

#[test]
#[ignore = "the watcher of the other tests"]
fn watch_entry() {
    seam_launch::watch();
}

/// A registry and logs in a folder that goes with the test, and a mark of its own.
pub(crate) struct Bed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) mark: Mark,
}

/// A number that only one test's `sleep` has.
#[derive(Clone)]
pub(crate) struct Mark(pub(crate) String);

impl Bed {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mark = Mark(format!("1000000.{}{number:03}", std::process::id()));
        Self { folder: tempfile::tempdir().unwrap(), mark }
    }

    pub(crate) fn registry(&self) -> PathBuf {
        self.folder.path().join("registry")
    }

    pub(crate) fn options(&self, run: &str) -> WatcherOptions {
        options(self.folder.path(), run)
    }

    pub(crate) async fn watcher(&self) -> Watcher {
        Watcher::start(self.options("3f2")).await.unwrap()
    }

    /// How many files the registry has.
    pub(crate) fn n_registered(&self) -> usize {
        std::fs::read_dir(self.registry()).unwrap().count()
    }
}

impl Mark {
    /// A `sleep` that outlives every test, and can be found.
    pub(crate) fn sleep(&self) -> String {
        format!("sleep {}", self.0)
    }

    /// All living processes that bear the mark.
    pub(crate) fn survivors(&self) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let read = |what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
                let is_sleep = read("cmdline").starts_with(b"sleep\0");
                is_sleep && String::from_utf8_lossy(&read("cmdline")).contains(&self.0)
            })
            .collect()
    }

    pub(crate) fn none_survives(&self) {
        let survivors = self.survivors();
        assert!(survivors.is_empty(), "survivors: {survivors:?}");
    }

    /// How long it takes until nobody bears the mark.
    pub(crate) fn time_until_none(&self, since: Instant) -> Duration {
        while !self.survivors().is_empty() {
            assert!(since.elapsed() < LIMIT, "survivors: {:?}", self.survivors());
            std::thread::yield_now();
        }
        since.elapsed()
    }
}

impl Drop for Mark {
    /// What a broken test leaves is ended here, by number.
    fn drop(&mut self) {
        for pid in self.survivors() {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

pub(crate) fn options(folder: &Path, run: &str) -> WatcherOptions {
    WatcherOptions {
        run: run.into(),
        command: WatcherCommand::this_test("bed::watch_entry"),
        registry: folder.join("registry"),
        logs: Some(LogsTo { folder: folder.join("logs"), mask: std::sync::Arc::new(str::to_owned) }),
    }
}

/// A shell script as a component.
pub(crate) fn script(name: &str, text: &str) -> (Spawn, mpsc::Receiver<Line>) {
    let (lines, heard) = mpsc::channel(64);
    let spawn = Spawn {
        arguments: vec!["-c".into(), text.into()],
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())],
        lines: Some(lines),
        ..Spawn::new(name.into(), "/bin/sh", "/")
    };
    (spawn, heard)
}

/// Waits for a line.
pub(crate) async fn hear(lines: &mut mpsc::Receiver<Line>, text: &str) -> Line {
    let wait = async {
        loop {
            let line = lines.recv().await.expect("it ended without saying it");
            if line.text == text {
                return line;
            }
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap()
}

/// Waits until a process that is not our child has ended.
pub(crate) fn wait_for_end(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let limit = Timespec { tv_sec: LIMIT.as_secs().try_into().unwrap(), tv_nsec: 0 };
    let n_ready = poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(n_ready, 1, "process {pid:?} does not end");
}
