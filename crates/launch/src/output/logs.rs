//! One file per component with all that it said, written by one thread that may lag and fail without harm.
//!
//! Line `n` of `logs/orders.log` is the line with the number `n` in the History, also after a restart: files are
//! appended to, and lines that the disk was too slow for leave a line of their own.

use seam_event::ComponentId;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How many bytes may wait for the disk, of all logs together. Counted in bytes and not in pieces, because a
/// component that writes word by word gives a great many small pieces.
const WAITING: usize = 16 << 20;

/// What stands in a log for a line that found no room.
const LOST: &[u8] = b"(a line was lost: the disk was too slow)\n";

/// The first thing that went wrong with writing logs; the run goes on without them.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to write {path}: {reason}", path = path.display())]
pub struct LogTrouble {
    /// The file.
    pub path: PathBuf,
    /// What the machine said.
    pub reason: String,
}

/// Where the logs of a run go.
#[derive(Clone)]
pub struct LogsTo {
    /// The folder, made where it is not there.
    pub folder: PathBuf,
    /// What is done to their text before it is written: secrets are taken out. Called on the logs' own thread.
    pub mask: Mask,
}

/// Takes secrets out of a text.
pub type Mask = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl std::fmt::Debug for LogsTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogsTo").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The logs of all components of a run.
#[derive(Clone)]
pub(crate) struct Logs {
    folder: Option<PathBuf>,
    desk: Arc<Desk>,
    by_component: Arc<Mutex<HashMap<ComponentId, Arc<Log>>>>,
}

/// The log of one component, over all its starts.
pub(crate) struct Log {
    path: Option<PathBuf>,
    desk: Arc<Desk>,
    /// The number of the last line.
    number: Mutex<u64>,
}

/// Lines on their way into a log: numbers them and gathers what is to be written.
pub(crate) struct Entry<'a> {
    number: MutexGuard<'a, u64>,
    log: &'a Log,
    bytes: Vec<u8>,
    n_lines: u64,
}

/// Where those who have something to write meet the one who writes. Dropped when nobody has anything any more, which
/// ends the writer.
struct Desk {
    tray: Arc<Tray>,
}

struct Tray {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    by_path: HashMap<PathBuf, Piece>,
    n_bytes: usize,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
    trouble: Option<LogTrouble>,
}

/// What waits for one file: lines, and after them those that found no room.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    n_lost: u64,
}

impl Logs {
    /// Begins to write into a folder, or nowhere.
    pub(crate) fn new(to: Option<LogsTo>) -> io::Result<Self> {
        let tray = Arc::new(Tray { waiting: Mutex::default(), changed: Condvar::new() });
        let writer = Arc::clone(&tray);
        let (folder, mask) = to.map(|to| (to.folder, to.mask)).unzip();
        let mask = mask.unwrap_or_else(|| Arc::new(str::to_owned));
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || write_all(&writer, &mask))?;
        Ok(Self { folder, desk: Arc::new(Desk { tray }), by_component: Arc::default() })
    }

    /// The log of a component.
    pub(crate) fn of(&self, component: &ComponentId) -> Arc<Log> {
        let mut all = self.by_component.lock().unwrap_or_else(PoisonError::into_inner);
        let log = all.entry(component.clone()).or_insert_with(|| {
            let path = self.folder.as_ref().map(|folder| folder.join(format!("{component}.log")));
            Arc::new(Log { path, desk: Arc::clone(&self.desk), number: Mutex::new(0) })
        });
        Arc::clone(log)
    }

    /// What went wrong first, if anything did.
    pub(crate) fn trouble(&self) -> Option<LogTrouble> {
        self.desk.tray.lock().trouble.clone()
    }

    /// Comes back when all that was said before is written (or could not be).
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        self.desk.tray.lock().flushes.push(done);
        self.desk.tray.changed.notify_one();
        // An error means that the writer is gone, and with it all that could be waited for.
        let _ = wait.await;
    }
}

impl Log {
    /// Begins to take lines.
    pub(crate) fn entry(&self) -> Entry<'_> {
        let number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        Entry { number, log: self, bytes: Vec::new(), n_lines: 0 }
    }
}

impl Entry<'_> {
    /// Takes a line and gives its number.
    pub(crate) fn line(&mut self, bytes: &[u8], n_dropped: u64) -> u64 {
        *self.number += 1;
        self.n_lines += 1;
        if self.log.path.is_some() {
            self.bytes.extend_from_slice(bytes);
            if n_dropped > 0 {
                self.bytes.extend_from_slice(format!(" … ({n_dropped} more bytes)").as_bytes());
            }
            self.bytes.push(b'\n');
        }
        *self.number
    }

    /// Hands over what was taken.
    pub(crate) fn write(self) {
        let Some(path) = &self.log.path else { return };
        if self.n_lines == 0 {
            return;
        }
        let tray = &self.log.desk.tray;
        let mut waiting = tray.lock();
        let has_room = waiting.n_bytes + self.bytes.len() <= WAITING;
        let length = self.bytes.len();
        let piece = waiting.by_path.entry(path.clone()).or_default();
        // After a lost line all are lost until the file is written, so that they stay in their order.
        if has_room && piece.n_lost == 0 {
            piece.bytes.extend_from_slice(&self.bytes);
            waiting.n_bytes += length;
        } else {
            piece.n_lost += self.n_lines;
        }
        drop(waiting);
        tray.changed.notify_one();
    }
}

impl Tray {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.tray.lock().closed = true;
        self.tray.changed.notify_one();
    }
}

fn write_all(tray: &Tray, mask: &Mask) {
    let mut files: HashMap<PathBuf, Option<File>> = HashMap::new();
    let mut waiting = tray.lock();
    loop {
        let by_path = std::mem::take(&mut waiting.by_path);
        let flushes = std::mem::take(&mut waiting.flushes);
        waiting.n_bytes = 0;
        if by_path.is_empty() && flushes.is_empty() {
            if waiting.closed {
                return;
            }
            waiting = tray.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(waiting);
        let mut trouble = None;
        for (path, mut piece) in by_path {
            piece.bytes = masked(&piece.bytes, mask);
            if let Err(error) = write(&mut files, &path, &piece) {
                trouble.get_or_insert(LogTrouble { path, reason: error.to_string() });
            }
        }
        waiting = tray.lock();
        if waiting.trouble.is_none() {
            waiting.trouble = trouble;
        }
        for flush in flushes {
            // Nobody may wait any more.
            let _ = flush.send(());
        }
    }
}

/// The lines without secrets. One that is no text stays as it is, byte for byte, unless there is a secret in it.
fn masked(bytes: &[u8], mask: &Mask) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let without = mask(&text);
        masked.extend_from_slice(if without == text { line } else { without.as_bytes() });
    }
    masked
}

fn write(files: &mut HashMap<PathBuf, Option<File>>, path: &Path, piece: &Piece) -> io::Result<()> {
    if !files.contains_key(path) {
        // One that cannot be opened is not tried again for every line.
        files.insert(path.to_owned(), None);
        files.insert(path.to_owned(), Some(open(path)?));
    }
    // One that is full may have room again later: the next piece is tried.
    let Some(Some(file)) = files.get_mut(path) else { return Ok(()) };
    file.write_all(&piece.bytes)?;
    for _ in 0..piece.n_lost {
        file.write_all(LOST)?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder for logs in which nothing is masked.
    fn plain(folder: PathBuf) -> LogsTo {
        LogsTo { folder, mask: Arc::new(str::to_owned) }
    }

    #[tokio::test]
    async fn secrets_are_taken_out_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mask: Mask = Arc::new(|text| text.replace("hunter2", "«password»"));
        let logs = Logs::new(Some(LogsTo { folder: folder.path().to_owned(), mask })).unwrap();
        let log = logs.of(&ComponentId::from("orders"));
        let mut entry = log.entry();
        entry.line(b"it is hunter2, or \xff", 0);
        entry.write();
        logs.flush().await;
        let text = std::fs::read_to_string(folder.path().join("orders.log")).unwrap();
        assert_eq!(text, "it is «password», or \u{fffd}\n");
    }

    #[tokio::test]
    async fn numbers_are_those_of_the_files_lines() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(Some(plain(folder.path().join("logs")))).unwrap();
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
    async fn a_line_that_finds_no_room_leaves_a_mark_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(Some(plain(folder.path().to_owned()))).unwrap();
        let log = logs.of(&ComponentId::from("orders"));
        let say = |bytes: &[u8]| {
            let mut entry = log.entry();
            entry.line(bytes, 0);
            entry.write();
        };
        say(b"first");
        logs.flush().await;
        // As if other logs had filled the tray.
        logs.desk.tray.lock().n_bytes = WAITING;
        say(b"no room");
        logs.flush().await;
        say(b"last");
        logs.flush().await;
        let text = std::fs::read_to_string(folder.path().join("orders.log")).unwrap();
        assert_eq!(text, format!("first\n{}last\n", String::from_utf8_lossy(LOST)));
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_stops_nothing() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(full, folder.path().join("orders.log")).unwrap();
        let logs = Logs::new(Some(plain(folder.path().to_owned()))).unwrap();
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
