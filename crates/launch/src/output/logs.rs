//! One file per component with all that it said, written by one thread that may lag and fail without harm.
//!
//! Line `n` of `logs/orders.log` is the line with the number `n` in the History, also after a restart: files are
//! appended to, and lines that the disk was too slow for leave a line of their own.

use seam_event::ComponentId;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Pieces that wait for the disk; each is at most what one read gave (64 KiB).
const WAITING: usize = 128;

/// The first thing that went wrong with writing logs; the run goes on without them.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to write {path}: {reason}", path = path.display())]
pub struct LogTrouble {
    /// The file.
    pub path: PathBuf,
    /// What the machine said.
    pub reason: String,
}

/// The logs of all components of a run.
#[derive(Clone)]
pub(crate) struct Logs {
    folder: Option<PathBuf>,
    writer: SyncSender<Job>,
    trouble: Arc<Mutex<Option<LogTrouble>>>,
    by_component: Arc<Mutex<HashMap<ComponentId, Arc<Log>>>>,
}

/// The log of one component, over all its starts.
pub(crate) struct Log {
    path: Option<PathBuf>,
    writer: SyncSender<Job>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the last line.
    number: u64,
    /// Lines that the writer had no room for and that must still leave their mark.
    n_owed: u64,
}

enum Job {
    Write(PathBuf, Vec<u8>),
    Flush(oneshot::Sender<()>),
}

/// Lines on their way into a log: numbers them and gathers what is to be written.
pub(crate) struct Entry<'a> {
    state: std::sync::MutexGuard<'a, State>,
    log: &'a Log,
    bytes: Vec<u8>,
    n_lines: u64,
}

impl Logs {
    /// Begins to write into a folder, or nowhere.
    pub(crate) fn new(folder: Option<PathBuf>) -> std::io::Result<Self> {
        let (writer, jobs) = sync_channel(WAITING);
        let trouble = Arc::new(Mutex::new(None));
        let told = Arc::clone(&trouble);
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || write_all(&jobs, &told))?;
        Ok(Self { folder, writer, trouble, by_component: Arc::default() })
    }

    /// The log of a component.
    pub(crate) fn of(&self, component: &ComponentId) -> Arc<Log> {
        let mut all = self.by_component.lock().unwrap_or_else(PoisonError::into_inner);
        let log = all.entry(component.clone()).or_insert_with(|| {
            let path = self.folder.as_ref().map(|folder| folder.join(format!("{component}.log")));
            Arc::new(Log { path, writer: self.writer.clone(), state: Mutex::default() })
        });
        Arc::clone(log)
    }

    /// What went wrong first, if anything did.
    pub(crate) fn trouble(&self) -> Option<LogTrouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Comes back when all that was said before is written (or could not be).
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        let writer = self.writer.clone();
        // The queue may be full for as long as the disk is slow, so this waits on a thread made for waiting.
        let sent = tokio::task::spawn_blocking(move || writer.send(Job::Flush(done))).await;
        if matches!(sent, Ok(Ok(()))) {
            // An error means that the writer is gone, and with it all that could be waited for.
            let _ = wait.await;
        }
    }
}

impl Log {
    /// Begins to take lines.
    pub(crate) fn entry(&self) -> Entry<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Entry { state, log: self, bytes: Vec::new(), n_lines: 0 }
    }
}

impl Entry<'_> {
    /// Takes a line and gives its number.
    pub(crate) fn line(&mut self, bytes: &[u8], n_dropped: u64) -> u64 {
        self.state.number += 1;
        self.n_lines += 1;
        if self.log.path.is_some() {
            self.bytes.extend_from_slice(bytes);
            if n_dropped > 0 {
                self.bytes.extend_from_slice(format!(" … ({n_dropped} more bytes)").as_bytes());
            }
            self.bytes.push(b'\n');
        }
        self.state.number
    }

    /// Hands over what was taken.
    pub(crate) fn write(mut self) {
        let Some(path) = &self.log.path else { return };
        if self.n_lines == 0 {
            return;
        }
        let n_owed = usize::try_from(self.state.n_owed).unwrap_or(usize::MAX).min(100_000);
        let mut bytes = "(a line was lost: the disk was too slow)\n".repeat(n_owed).into_bytes();
        bytes.append(&mut self.bytes);
        match self.log.writer.try_send(Job::Write(path.clone(), bytes)) {
            Ok(()) => self.state.n_owed = 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.state.n_owed += self.n_lines,
        }
    }
}

fn write_all(jobs: &Receiver<Job>, trouble: &Mutex<Option<LogTrouble>>) {
    let mut files: HashMap<PathBuf, Option<File>> = HashMap::new();
    let tell = |path: &Path, error: &std::io::Error| {
        let mut told = trouble.lock().unwrap_or_else(PoisonError::into_inner);
        told.get_or_insert_with(|| LogTrouble { path: path.to_owned(), reason: error.to_string() });
    };
    while let Ok(job) = jobs.recv() {
        let (path, bytes) = match job {
            Job::Write(path, bytes) => (path, bytes),
            Job::Flush(done) => {
                // Nobody may wait any more.
                let _ = done.send(());
                continue;
            }
        };
        let file = files.entry(path.clone()).or_insert_with(|| match open(&path) {
            Ok(file) => Some(file),
            Err(error) => {
                tell(&path, &error);
                None
            }
        });
        if let Some(open) = file
            && let Err(error) = open.write_all(&bytes)
        {
            // A full disk may have room again later: the file stays open, and the next piece is tried.
            tell(&path, &error);
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_are_those_of_the_files_lines() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(Some(folder.path().join("logs"))).unwrap();
        let component = ComponentId::from("orders");
        for said in [["a", "b"], ["c", "d"]] {
            let log = logs.of(&component);
            let mut entry = log.entry();
            for text in said {
                entry.line(text.as_bytes(), 0);
            }
            entry.write();
        }
        assert_eq!(logs.of(&component).entry().line(b"e", 3), 5);
        logs.flush().await;
        assert_eq!(std::fs::read_to_string(folder.path().join("logs/orders.log")).unwrap(), "a\nb\nc\nd\n");
        assert!(logs.trouble().is_none());
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_stops_nothing() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(full, folder.path().join("orders.log")).unwrap();
        let logs = Logs::new(Some(folder.path().to_owned())).unwrap();
        let log = logs.of(&ComponentId::from("orders"));
        for _ in 0..3 {
            let mut entry = log.entry();
            entry.line(b"x", 0);
            entry.write();
        }
        logs.flush().await;
        let trouble = logs.trouble().unwrap();
        assert!(trouble.to_string().contains("orders.log: No space left"), "{trouble}");
    }
}
