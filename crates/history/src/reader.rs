//! Reads a stored run, also one that a newer `seam` wrote, or that was cut off in the middle.
//!
//! Kinds of events and of states that this version doesn't know are passed over and counted. Only a newer version
//! of the whole format is refused: nothing true could be said about it.

use crate::body;
use crate::head::{FORMAT, Head, VERSION};
use crate::{History, RunFolder};
use seam_diag::Sources;
use seam_event::{Event, Scope, StoredFile, What};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A line longer than this is damage: bodies are kept apart.
const LONGEST_LINE: usize = 64 << 20;

/// Why a stored run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file can't be read.
    #[error("failed to read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// It is no history.
    #[error("{path} is not a history of Seamwork")]
    NotAHistory {
        /// The file.
        path: PathBuf,
    },
    /// It is one of a version that did not exist when this program was made.
    #[error("{path} was written in version {found} of the format; this seam reads up to {VERSION}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// A stored run, read whole.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What its first line says.
    pub head: Head,
    /// What happened, and the user's files.
    pub history: History,
    /// Did it never come to its end?
    pub interrupted: bool,
    /// How many events were passed over because this version doesn't know their kind.
    pub unknown: u64,
    /// How many lines could not be read at all.
    pub damaged: u64,
}

/// Reads a stored run event by event, without holding more than one.
#[derive(Debug)]
pub struct Reader {
    head: Head,
    lines: BufReader<File>,
    line: Vec<u8>,
    path: PathBuf,
    bodies: PathBuf,
    unknown: u64,
    damaged: u64,
    finished: bool,
}

/// An event whose kind may not be known.
#[derive(Deserialize)]
struct Envelope<'a> {
    seq: u64,
    #[serde(with = "seam_event::nanos")]
    at: Duration,
    #[serde(default)]
    scope: Scope,
    #[serde(default)]
    cause: Option<u64>,
    #[serde(borrow)]
    what: &'a RawValue,
}

impl Reader {
    /// Opens a stored run and reads its head.
    pub fn open(folder: &RunFolder) -> Result<Self, ReadError> {
        Self::open_at(&folder.events(), &folder.bodies())
    }

    fn open_at(path: &Path, bodies: &Path) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let mut lines = BufReader::new(File::open(path).map_err(io)?);
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(io)?;
        let not_a_history = || ReadError::NotAHistory { path: path.to_owned() };
        let value: serde_json::Value = serde_json::from_slice(&line).map_err(|_| not_a_history())?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(not_a_history());
        }
        let found = value.get("version").and_then(serde_json::Value::as_u64).ok_or_else(not_a_history)?;
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        if found > VERSION {
            return Err(ReadError::Newer { path: path.to_owned(), found });
        }
        let head = serde_json::from_value(value).map_err(|_| not_a_history())?;
        let (path, bodies) = (path.to_owned(), bodies.to_owned());
        Ok(Self { head, lines, line, path, bodies, unknown: 0, damaged: 0, finished: false })
    }

    /// What the first line says.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next event, with its bodies; `None` at the end.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            self.line.clear();
            let length = self
                .lines
                .read_until(b'\n', &mut self.line)
                .map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
            if length == 0 || !self.line.ends_with(b"\n") {
                return Ok(None);
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            if let Some(mut event) = self.understand() {
                let bodies = &self.bodies;
                body::put_back(&mut event, &mut |hash| load(bodies, hash));
                self.finished |= matches!(event.what, What::Finished { .. });
                return Ok(Some(event));
            }
        }
    }

    /// Reads all of it.
    pub fn read(mut self) -> Result<Stored, ReadError> {
        let mut events = Vec::new();
        while let Some(event) = self.next_event()? {
            events.push(event);
        }
        let sources = match events.first().map(|event| &event.what) {
            Some(What::Plan { files, .. }) => self.sources(files),
            _ => Sources::default(),
        };
        Ok(Stored {
            head: self.head,
            history: History { events, sources },
            interrupted: !self.finished,
            unknown: self.unknown,
            damaged: self.damaged,
        })
    }

    /// The user's files as they were; one that is gone is empty, so that places in others stay true.
    pub fn sources(&self, files: &[StoredFile]) -> Sources {
        let mut sources = Sources::default();
        for file in files {
            sources.add(file.path.clone(), load(&self.bodies, &file.hash).unwrap_or_default());
        }
        sources
    }

    fn understand(&mut self) -> Option<Event> {
        let envelope = (self.line.len() <= LONGEST_LINE)
            .then(|| serde_json::from_slice::<Envelope<'_>>(&self.line).ok())
            .flatten();
        let Some(Envelope { seq, at, scope, cause, what }) = envelope else {
            self.damaged += 1;
            return None;
        };
        // Known kinds grow too: one that holds a word that is not known here is passed over like a new kind.
        let Ok(what) = serde_json::from_str(what.get()) else {
            self.unknown += 1;
            return None;
        };
        Some(Event { seq, at, scope, cause, what })
    }
}

/// A body by its hash; `None` where it is gone or damaged.
fn load(bodies: &Path, hash: &str) -> Option<String> {
    if hash.is_empty() || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let content = std::fs::read(bodies.join(hash)).ok()?;
    if body::hash(&content) != hash {
        return None;
    }
    String::from_utf8(content).ok()
}
