//! How `seam` has components started and ended: by asking the watcher.

use super::link::{self, Board, Outgoing, State};
use super::message::{Over, Report, Request};
use super::processes::{self, Table};
use super::running::{Piped, Running, Spawn, SpawnError};
use super::sweep::sweep;
use crate::output::{LogTrouble, Logs, LogsTo};
use seam_event::{ComponentId, RunId};
use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the watcher may take to answer what it answers at once.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long the last lines of ended processes may take to be read.
const LAST_LINES_LIMIT: Duration = Duration::from_millis(500);

/// How often a process is looked at that is just changing, and how long it is left alone between two looks.
const OWNER_LOOKS: usize = 4;
const OWNER_PAUSE: Duration = Duration::from_millis(1);

/// A process that is just loading its program, and so has no environment, or whose parent ended between two looks.
struct Changing;

/// What the watcher is told at the start.
#[derive(Clone, Debug)]
pub struct WatcherOptions {
    /// The run, whose id all processes bear in `SEAM_RUN`.
    pub run: RunId,
    /// Which program is the watcher.
    pub command: WatcherCommand,
    /// The folder with one file per living run: [`default_registry`] outside of tests.
    pub registry: PathBuf,
    /// Where the components' logs are written; none for nowhere.
    pub logs: Option<LogsTo>,
}

/// The command line that ends in a call of [`watch`](super::watch()).
#[derive(Clone, Debug)]
pub struct WatcherCommand {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// How `seam` talks to its watcher. Clones talk to the same one.
///
/// When the last clone and the last [`Running`] are dropped, the watcher ends everything that still runs.
#[derive(Clone)]
pub struct Watcher {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    outgoing: mpsc::Sender<Outgoing>,
    pub(super) board: Arc<Board>,
    /// Numbers of requests and ids of spawned processes, from 1; 0 is the greeting.
    next: AtomicU64,
    pub(super) logs: Logs,
    /// First processes by number, to tell whose a process is.
    first: Mutex<HashMap<u32, ComponentId>>,
    outputs: Mutex<Vec<std::sync::Weak<crate::output::Output>>>,
    pid: u32,
    cookie: String,
    unregistered: Option<String>,
}

/// The watcher could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its program did not start.
    #[error("failed to start the watcher {program}", program = program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This end of the connection could not be made.
    #[error("failed to connect with the watcher")]
    Connect(#[source] io::Error),
    /// It runs, but cannot do its work on this machine.
    #[error("the watcher cannot work here: {0}")]
    Unfit(String),
    /// It ended, or did not answer, before it could say that it is ready.
    #[error("the watcher ended before it was ready")]
    Gone,
}

/// The watcher is dead, and all components with it (it was killed, or made a mistake).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the watcher is gone, and with it all components")]
pub struct WatcherGone;

impl WatcherCommand {
    /// This same program with the hidden first argument `__watch`, which its `main` turns into a call of
    /// [`watch`](super::watch()).
    pub fn this_program() -> Self {
        // Not `current_exe`: the file may have been built anew, or removed, since we were started.
        Self { program: "/proc/self/exe".into(), arguments: vec!["__watch".into()] }
    }

    /// This same test binary, of which one test does nothing but call [`watch`](super::watch()):
    ///
    /// ```ignore
    /// #[test]
    /// #[ignore = "the watcher of the other tests"]
    /// fn watch_entry() {
    ///     seam_launch::watch();
    /// }
    /// ```
    ///
    /// `name` is that test's name with its modules.
    pub fn this_test(name: &str) -> Self {
        let arguments = ["--exact", name, "--ignored", "--nocapture", "--test-threads=1"];
        Self { program: "/proc/self/exe".into(), arguments: arguments.map(OsString::from).to_vec() }
    }
}

impl Watcher {
    /// Starts the watcher and waits until it is ready (a few milliseconds).
    pub async fn start(options: WatcherOptions) -> Result<Self, StartError> {
        let (ours, theirs) = UnixStream::pair().map_err(StartError::Connect)?;
        let program = options.command.program.clone();
        let child = Command::new(&program)
            .arg0("seam")
            .args(&options.command.arguments)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| StartError::Program { program, source })?;
        let pid = child.id();
        let board = Arc::new(Board::new());
        let greeting = board.expect(0);
        let (outgoing, reader) = link::connect(ours, &board).map_err(StartError::Connect)?;
        let registry = options.registry.clone();
        let told = Arc::clone(&board);
        tokio::spawn(async move {
            // It ends when the watcher has closed its end, and cannot panic in a way that matters here.
            let _ = reader.await;
            after_the_end(child, registry).await;
            // Only now: who hears that the watcher is gone may rely on the components being gone, too.
            told.close();
        });
        let begin = Request::Begin { run: options.run.to_string(), registry: options.registry };
        outgoing.send(Outgoing::Line(begin, Vec::new())).await.map_err(|_| StartError::Gone)?;
        let (cookie, unregistered) = match tokio::time::timeout(ANSWER_LIMIT, greeting).await {
            Ok(Ok(Report::Began { cookie, unregistered })) => (cookie, unregistered),
            Ok(Ok(Report::Unfit { reason })) => return Err(StartError::Unfit(reason)),
            _ => return Err(StartError::Gone),
        };
        let logs = Logs::new(options.logs).map_err(StartError::Connect)?;
        let shared = Shared {
            outgoing,
            board,
            next: AtomicU64::new(1),
            logs,
            first: Mutex::default(),
            outputs: Mutex::default(),
            pid,
            cookie,
            unregistered,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts a process. It has a process group of its own, nothing as standard input, and of the environment
    /// nothing but what is given, besides `SEAM_RUN` and `SEAM_COMPONENT`.
    pub async fn spawn(&self, spawn: Spawn) -> Result<Running, SpawnError> {
        let running = Running::spawn(&self.shared, spawn).await?;
        let mut outputs = self.shared.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.retain(|output| output.strong_count() > 0);
        outputs.push(running.output_of());
        drop(outputs);
        let mut first = self.shared.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.insert(running.pid(), running.component().clone());
        Ok(running)
    }

    /// Starts a process whose input and output are the caller's own. It has no log, and is ended like all others.
    pub async fn spawn_piped(&self, spawn: Spawn) -> Result<Piped, SpawnError> {
        let piped = Running::spawn_piped(&self.shared, spawn).await?;
        let mut first = self.shared.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.insert(piped.running.pid(), piped.running.component().clone());
        Ok(piped)
    }

    /// Has a folder removed, with all in it, when the run is over, also when that is because `seam` was killed. The
    /// run's id must stand in its path.
    pub async fn remove_at_end(&self, folder: &Path) -> Result<(), WatcherGone> {
        let path = folder.to_owned();
        self.shared.ask(ANSWER_LIMIT, |ask| Request::Folder { ask, path }).await.map(|_| ())
    }

    /// Ends everything that still runs, removes the run's folders, and waits for it; at most half a minute longer
    /// than the machine needs for its processes. After it nothing can be started any more.
    pub async fn finish(&self) -> Result<Over, WatcherGone> {
        // The channel is closed only where the watcher is dead already, which the state says.
        let _ = self.shared.outgoing.send(Outgoing::Close).await;
        let mut state = self.shared.board.state.subscribe();
        let ended = state.wait_for(|state| *state != State::Living);
        let over = match tokio::time::timeout(Duration::from_secs(40), ended).await {
            Ok(Ok(state)) => match &*state {
                State::Over(over) => Ok(over.clone()),
                State::Living | State::Lost => Err(WatcherGone),
            },
            _ => Err(WatcherGone),
        };
        self.write_out().await;
        over
    }

    /// Comes back when the watcher has died although nobody asked it to finish. All components die with it, and the
    /// run cannot go on.
    pub async fn lost(&self) -> WatcherGone {
        let mut state = self.shared.board.state.subscribe();
        // The sender lives in `self`; an orderly end is no loss, and then this never comes back.
        if state.wait_for(|state| *state != State::Living).await.is_ok_and(|state| *state == State::Lost) {
            return WatcherGone;
        }
        std::future::pending().await
    }

    /// Whose a process is: looks upwards from it until it comes to a component's first process, and at the cookie
    /// of what was orphaned. None for processes of nobody. Takes some tens of microseconds, and a few milliseconds
    /// for a process that is just changing; never call it on the path of the traffic.
    pub fn owner_of(&self, pid: u32) -> Option<ComponentId> {
        for _ in 0..OWNER_LOOKS {
            if let Ok(owner) = self.owner_now(pid) {
                return owner;
            }
            std::thread::sleep(OWNER_PAUSE);
        }
        None
    }

    fn owner_now(&self, pid: u32) -> Result<Option<ComponentId>, Changing> {
        let first = self.shared.first.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(mut at) = processes::process(pid) else { return Ok(None) };
        // Deeper than this is a circle that was read while processes changed their parents.
        for _ in 0..64 {
            if at.parent == self.shared.pid {
                return first
                    .get(&at.pid)
                    .map_or_else(|| self.orphans_owner(at.pid), |of| Ok(Some(of.clone())));
            }
            if at.parent == 0 {
                return Ok(None);
            }
            at = processes::process(at.parent).ok_or(Changing)?;
        }
        Err(Changing)
    }

    /// Whose a process is whose parent has ended, by what it was started with.
    fn orphans_owner(&self, pid: u32) -> Result<Option<ComponentId>, Changing> {
        let ours = processes::variable(pid, processes::COOKIE).ok_or(Changing)?;
        let name = processes::variable(pid, processes::COMPONENT).ok_or(Changing)?;
        let ours = ours == self.shared.cookie.as_bytes();
        Ok(String::from_utf8(name).ok().filter(|_| ours).map(ComponentId::from))
    }

    /// How many processes of the run there are now, however they came to be.
    pub fn n_processes(&self) -> usize {
        Table::read().descendants(&[self.shared.pid]).len()
    }

    /// The watcher's own process.
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// What `SEAM_RUN` is in every process of this run: unlike the run's id it is like no other run's.
    pub fn cookie(&self) -> &str {
        &self.shared.cookie
    }

    /// Why the registry could not be written, if so: then nothing sweeps up after a killed watcher.
    pub fn unregistered(&self) -> Option<&str> {
        self.shared.unregistered.as_deref()
    }

    /// The first thing that went wrong with writing the logs.
    pub fn log_trouble(&self) -> Option<LogTrouble> {
        self.shared.logs.trouble()
    }

    /// Waits until the logs hold all that ended processes have said.
    async fn write_out(&self) {
        let outputs: Vec<_> = {
            let outputs = self.shared.outputs.lock().unwrap_or_else(PoisonError::into_inner);
            outputs.iter().filter_map(std::sync::Weak::upgrade).collect()
        };
        let read = async {
            for output in outputs {
                output.ended().await;
            }
            self.shared.logs.flush().await;
        };
        // What is not written by then is told by nobody any more; the disk hangs.
        let _ = tokio::time::timeout(LAST_LINES_LIMIT, read).await;
    }
}

impl Shared {
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(
        &self,
        limit: Duration,
        request: impl FnOnce(u64) -> Request,
    ) -> Result<Report, WatcherGone> {
        let number = self.number();
        self.send(number, request(number), Vec::new(), limit).await
    }

    pub(super) async fn send(
        &self,
        number: u64,
        request: Request,
        descriptors: Vec<OwnedFd>,
        limit: Duration,
    ) -> Result<Report, WatcherGone> {
        let answer = self.board.expect(number);
        if *self.board.state.borrow() != State::Living {
            return Err(WatcherGone);
        }
        self.outgoing.send(Outgoing::Line(request, descriptors)).await.map_err(|_| WatcherGone)?;
        tokio::time::timeout(limit, answer).await.map_err(|_| WatcherGone)?.map_err(|_| WatcherGone)
    }

    /// A first process is no more: its number may become somebody else's.
    pub(super) fn forget(&self, pid: u32, component: &ComponentId) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.get(&pid) == Some(component) {
            first.remove(&pid);
        }
    }

    /// The limit for requests that are answered at once.
    pub(super) fn answer_limit() -> Duration {
        ANSWER_LIMIT
    }
}

/// The folder of the registry for this user: in the folder for what lives as long as a session, or else a folder of
/// the user's own under `/tmp`.
pub fn default_registry() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() && folder.is_dir() => folder.join("seamwork/runs"),
        _ => PathBuf::from(format!("/tmp/seamwork-{}/runs", rustix::process::getuid().as_raw())),
    }
}

/// Takes the ended watcher off the table of processes, and where it was killed ends what it can no longer end.
async fn after_the_end(mut child: Child, registry: PathBuf) {
    let work = move || {
        let ended_well = child.wait().is_ok_and(|status| status.success());
        if !ended_well {
            sweep(&registry);
        }
    };
    // Without a runtime to run it the next start sweeps.
    let _ = tokio::task::spawn_blocking(work).await;
}
