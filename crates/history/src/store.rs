//! A run on disk: whole lines only, bodies before the events that name them, and a full disk is survived.
//!
//! What was stored stays valid whatever happens: a line that could be written only in part is cut off again. While
//! nothing can be written, events are counted; once it can, the counts are written first.

use crate::body;
use crate::head::Head;
use crate::queue::{Losses, Sort, sort};
use crate::{RunFolder, WriteError};
use seam_event::{Event, What};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where lines go: a file, or, in tests, something that fails or lags as it is told.
pub(crate) trait Medium: Send {
    /// Writes some of the bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts off all after this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// One run being stored.
pub(crate) struct Store {
    medium: Box<dyn Medium>,
    bodies: PathBuf,
    kept: HashSet<String>,
    /// The length of the file up to its last whole line.
    good: u64,
    /// Lines not written yet.
    buffer: Vec<u8>,
    /// What they are.
    lines: Vec<Line>,
    /// What could not be stored.
    pub(crate) losses: Losses,
    /// Why nothing can be stored at the moment.
    pub(crate) trouble: Option<io::Error>,
}

/// A line that is not written yet: where it ends in the buffer, and as what it is counted if it is lost.
struct Line {
    end: usize,
    sort: Sort,
    before: u64,
}

/// What is written of an event. Most pieces are a quote, a colon or a comma, for which the way of all others is long.
struct Pieces<'a>(&'a mut Vec<u8>);

impl Write for Pieces<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match piece {
            [one] => self.0.push(*one),
            several => self.0.extend_from_slice(several),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store {
    /// Begins the file of a run's events and takes its lock.
    pub(crate) fn create(folder: &RunFolder) -> Result<Self, WriteError> {
        let path = folder.events();
        let fail = |source| WriteError { path: path.clone(), source };
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(fail)?;
        file.try_lock().map_err(|error| fail(error.into()))?;
        Self::on(Box::new(file), &folder.bodies(), &Head::new(folder.id.clone())).map_err(fail)
    }

    /// Begins on any medium.
    pub(crate) fn on(medium: Box<dyn Medium>, bodies: &Path, head: &Head) -> io::Result<Self> {
        let mut store = Self {
            medium,
            bodies: bodies.to_owned(),
            kept: HashSet::new(),
            good: 0,
            buffer: serde_json::to_vec(head)?,
            lines: Vec::new(),
            losses: Losses::default(),
            trouble: None,
        };
        store.buffer.push(b'\n');
        store.commit();
        store.trouble.take().map_or(Ok(store), Err)
    }

    /// Keeps a content under its hash.
    pub(crate) fn keep(&mut self, hash: &str, content: &[u8]) -> io::Result<()> {
        keep(&self.bodies, &mut self.kept, hash, content)
    }

    /// Takes a line in; it is written by the next commit.
    pub(crate) fn add(&mut self, event: &mut Event) {
        let sort = sort(&event.what);
        let before = match &event.what {
            What::Lost { since, .. } => *since,
            _ => event.seq.saturating_sub(1),
        };
        let from = self.buffer.len();
        if self.trouble.is_none() {
            match self.write_line(event) {
                Ok(()) => return self.lines.push(Line { end: self.buffer.len(), sort, before }),
                Err(error) => self.trouble = Some(error),
            }
        }
        self.buffer.truncate(from);
        self.losses.add(sort, before);
    }

    fn write_line(&mut self, event: &mut Event) -> io::Result<()> {
        let from = self.buffer.len();
        let is_long = body::is_surely_long(event) || {
            serde_json::to_writer(Pieces(&mut self.buffer), event)?;
            body::may_be_long(&self.buffer[from..]) && body::has_long_parts(event)
        };
        if is_long {
            self.buffer.truncate(from);
            let mut short = event.clone();
            let (bodies, kept) = (&self.bodies, &mut self.kept);
            body::put_aside(&mut short, &mut |hash, content| keep(bodies, kept, hash, content))?;
            serde_json::to_writer(Pieces(&mut self.buffer), &short)?;
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    /// Writes what was taken in. What can't be written is counted, and what was written of it is cut off.
    pub(crate) fn commit(&mut self) {
        let mut written = 0;
        while written < self.buffer.len() {
            match self.medium.append(&self.buffer[written..]) {
                Ok(0) => {
                    self.trouble = Some(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.trouble = Some(error);
                    break;
                }
            }
        }
        let whole = if written == self.buffer.len() {
            written
        } else {
            self.buffer[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
        };
        self.good += whole as u64;
        if whole < written {
            // Should even this fail, readers drop a line without its end.
            let _ = self.medium.cut(self.good);
        }
        for line in self.lines.drain(..).filter(|line| line.end > whole) {
            self.losses.add(line.sort, line.before);
        }
        self.buffer.clear();
    }

    /// Tries whether the disk takes anything again, with an empty line, which readers pass over; where it does,
    /// gives what was lost meanwhile.
    pub(crate) fn recover(&mut self) -> Losses {
        if self.trouble.is_some() && self.medium.cut(self.good).is_ok() {
            self.trouble = None;
            self.buffer.push(b'\n');
            self.commit();
            if self.trouble.is_none() {
                return std::mem::take(&mut self.losses);
            }
        }
        Losses::default()
    }
}

/// Writes a content under its hash, once in a run. A file that is there already may be half of one, left by a full
/// disk; it is written again.
fn keep(bodies: &Path, kept: &mut HashSet<String>, hash: &str, content: &[u8]) -> io::Result<()> {
    if kept.contains(hash) {
        return Ok(());
    }
    let path = bodies.join(hash);
    if let Err(error) = std::fs::write(&path, content) {
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    kept.insert(hash.to_owned());
    Ok(())
}
