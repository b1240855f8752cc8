//! A process that was started: how it is, what it says, and how it is ended.

use super::client::{Shared, WatcherGone};
use super::message::{End, Exit, Farewell, Pause, Report, Request, SpawnRequest, StopSignal, Whom};
use crate::output::{Line, Output, Pump};
use rustix::pipe::{PipeFlags, pipe_with};
use seam_event::ComponentId;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{mpsc, watch};

/// How long killing may take beyond the deadline: the watcher's own limit and an answer.
const FORCE_LIMIT: Duration = Duration::from_secs(20);

/// How long the last lines of a dead process may take to arrive: what it left running holds its pipe open.
const LAST_LINES_LIMIT: Duration = Duration::from_millis(200);

/// A process to start.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// Whose it is. Two that live at once must not have the same name.
    pub component: ComponentId,
    /// The program: an absolute path, see [`find_program`](crate::find_program).
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Where it starts: an absolute path.
    pub dir: PathBuf,
    /// The user and group that it runs as; none for our own. Needs root.
    pub user: Option<(u32, u32)>,
    /// Where its lines go; those that find no room are counted.
    pub lines: Option<mpsc::Sender<Line>>,
    /// A text whose coming is noted from the first line on, for [`Running::has_said_it`].
    pub awaited: Option<String>,
    /// What it is sent at the end of the run before the rest is killed.
    pub farewell: Option<Farewell>,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The folder where it should start is not there.
    #[error("failed to start {component}: its folder {dir} is not there", dir = dir.display())]
    NoFolder {
        /// Whose.
        component: ComponentId,
        /// The folder.
        dir: PathBuf,
    },
    /// The machine refused.
    #[error("failed to start {component}: {program}: {reason}", program = program.display())]
    Refused {
        /// Whose.
        component: ComponentId,
        /// The program.
        program: PathBuf,
        /// Why, in words that say what to do where that is known.
        reason: String,
    },
    /// No pipes could be made for its output.
    #[error("failed to make the pipes of {component}")]
    Pipes {
        /// Whose.
        component: ComponentId,
        /// Why.
        source: io::Error,
    },
    /// There is no watcher any more.
    #[error(transparent)]
    Gone(#[from] WatcherGone),
}

/// A process that was started. Dropping it ends nothing.
#[derive(Clone)]
pub struct Running {
    component: ComponentId,
    id: u64,
    pid: u32,
    shared: Arc<Shared>,
    exit: watch::Receiver<Option<Exit>>,
    output: Arc<Output>,
}

/// A process whose input and output are the caller's own, as bytes: a command that is run, not a component.
pub struct Piped {
    /// The process.
    pub running: Running,
    /// What it reads as standard input; dropping it is the end of that.
    pub stdin: Sender,
    /// What it writes to standard output.
    pub stdout: Receiver,
    /// What it writes to standard error.
    pub stderr: Receiver,
}

/// How a process died, with what it said last.
#[derive(Clone, Debug)]
pub struct Death {
    /// Whose.
    pub component: ComponentId,
    /// How.
    pub exit: Exit,
    /// Its last lines, the oldest first.
    pub lines: Vec<Line>,
}

impl Spawn {
    /// A process with no arguments, an empty environment, in a folder.
    pub fn new(component: ComponentId, program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        Self {
            component,
            program: program.into(),
            arguments: Vec::new(),
            env: Vec::new(),
            dir: dir.into(),
            user: None,
            lines: None,
            awaited: None,
            farewell: None,
        }
    }
}

impl Running {
    pub(super) async fn spawn(shared: &Arc<Shared>, spawn: Spawn) -> Result<Self, SpawnError> {
        let component = spawn.component.clone();
        if !spawn.dir.is_dir() {
            return Err(SpawnError::NoFolder { component, dir: spawn.dir });
        }
        let pipes = |source| SpawnError::Pipes { component: component.clone(), source };
        let stdin_end = std::fs::File::open("/dev/null").map_err(pipes)?.into();
        let (stdout, stdout_end) = pipe().map_err(pipes)?;
        let (stderr, stderr_end) = pipe().map_err(pipes)?;
        let (listener, awaited) = (spawn.lines.clone(), spawn.awaited.clone());
        let ends = vec![stdin_end, stdout_end, stderr_end];
        let running = Self::with(shared, spawn, ends).await?;
        let pump = Pump {
            component: component.clone(),
            stdout,
            stderr,
            log: shared.logs.of(&component),
            listener,
            awaited,
            output: Arc::clone(&running.output),
        };
        tokio::spawn(pump.run());
        Ok(running)
    }

    pub(super) async fn spawn_piped(shared: &Arc<Shared>, spawn: Spawn) -> Result<Piped, SpawnError> {
        let component = spawn.component.clone();
        if !spawn.dir.is_dir() {
            return Err(SpawnError::NoFolder { component, dir: spawn.dir });
        }
        let pipes = |source| SpawnError::Pipes { component: component.clone(), source };
        let (stdin_end, stdin) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| pipes(error.into()))?;
        let stdin = Sender::from_owned_fd(stdin).map_err(pipes)?;
        let (stdout, stdout_end) = pipe().map_err(pipes)?;
        let (stderr, stderr_end) = pipe().map_err(pipes)?;
        let running = Self::with(shared, spawn, vec![stdin_end, stdout_end, stderr_end]).await?;
        // Nobody pumps: what it says is the caller's to read.
        running.output.end();
        Ok(Piped { running, stdin, stdout, stderr })
    }

    /// Has the watcher start it with these ends as its input, output and error.
    async fn with(shared: &Arc<Shared>, spawn: Spawn, ends: Vec<OwnedFd>) -> Result<Self, SpawnError> {
        let component = spawn.component;
        let id = shared.number();
        let exit = shared.board.expect_exit(id);
        let program = spawn.program.clone();
        let request = Request::Spawn(SpawnRequest {
            id,
            component: component.to_string(),
            program: spawn.program,
            arguments: spawn.arguments,
            env: spawn.env,
            dir: spawn.dir,
            user: spawn.user,
            farewell: spawn.farewell,
        });
        let pid = match shared.send(id, request, ends, Shared::answer_limit()).await? {
            Report::Started { pid, .. } => pid,
            Report::Refused { errno, reason, .. } => {
                let reason = explain(&program, errno, reason);
                return Err(SpawnError::Refused { component, program, reason });
            }
            _ => return Err(WatcherGone.into()),
        };
        let output = Arc::new(Output::new());
        Ok(Self { component, id, pid, shared: Arc::clone(shared), exit, output })
    }

    /// Whose process it is.
    pub fn component(&self) -> &ComponentId {
        &self.component
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Comes back when its first process has ended. What that has started may go on: see [`Running::stop`].
    pub async fn exited(&self) -> Result<Exit, WatcherGone> {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await.map_err(|_| WatcherGone)?;
        (*ended).ok_or(WatcherGone)
    }

    /// Like [`Running::exited`], with what it said last.
    pub async fn died(&self) -> Result<Death, WatcherGone> {
        let exit = self.exited().await?;
        // Not all may have been read yet; a pipe that something else holds open is not waited for long.
        let _ = tokio::time::timeout(LAST_LINES_LIMIT, self.output.ended()).await;
        Ok(Death { component: self.component.clone(), exit, lines: self.last_lines() })
    }

    /// Asks all its processes to stop with SIGTERM, kills what is left at the deadline, and comes back when nothing
    /// of it remains; also what outlived its first process.
    pub async fn stop(&self, deadline: Duration) -> Result<End, WatcherGone> {
        self.stop_with(StopSignal::Term, Whom::Tree, deadline).await
    }

    /// Like [`Running::stop`], with another signal, or asking the first process alone.
    pub async fn stop_with(
        &self,
        signal: StopSignal,
        whom: Whom,
        deadline: Duration,
    ) -> Result<End, WatcherGone> {
        let id = self.id;
        let limit = deadline.saturating_add(FORCE_LIMIT);
        let ask = |ask| Request::Stop { ask, id, signal, whom, deadline };
        match self.shared.ask(limit, ask).await? {
            Report::Gone { end, .. } => {
                self.shared.forget(self.pid, &self.component);
                Ok(end)
            }
            _ => Err(WatcherGone),
        }
    }

    /// Kills all its processes, and comes back when nothing of it remains.
    pub async fn kill(&self) -> Result<End, WatcherGone> {
        self.stop_with(StopSignal::Kill, Whom::Tree, Duration::ZERO).await
    }

    /// Holds all its processes where they are (SIGSTOP): connections stay open and nothing answers.
    pub async fn pause(&self) -> Result<(), WatcherGone> {
        self.hold(Pause::Hold).await
    }

    /// Lets them go on.
    pub async fn resume(&self) -> Result<(), WatcherGone> {
        self.hold(Pause::GoOn).await
    }

    async fn hold(&self, pause: Pause) -> Result<(), WatcherGone> {
        let id = self.id;
        self.shared.ask(Shared::answer_limit(), |ask| Request::Pause { ask, id, pause }).await.map(|_| ())
    }

    /// All its processes that live now.
    pub async fn pids(&self) -> Result<Vec<u32>, WatcherGone> {
        let id = self.id;
        match self.shared.ask(Shared::answer_limit(), |ask| Request::Pids { ask, id }).await? {
            Report::Pids { pids, .. } => Ok(pids),
            _ => Err(WatcherGone),
        }
    }

    /// Its last lines (a hundred at most), the oldest first.
    pub fn last_lines(&self) -> Vec<Line> {
        self.output.last_lines()
    }

    /// Has it said the text that [`Spawn::awaited`] named?
    pub fn has_said_it(&self) -> bool {
        self.output.heard()
    }

    /// How many lines found no room with the listener.
    pub fn n_lost_lines(&self) -> u64 {
        self.output.n_lost()
    }

    /// Comes back when nobody is left who could say anything, and all lines were handed on.
    pub async fn said_all(&self) {
        self.output.ended().await;
    }

    pub(super) fn output_of(&self) -> Weak<Output> {
        Arc::downgrade(&self.output)
    }
}

/// How a message about a death reads: `orders exited with code 1`, and its last lines are told apart.
impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.component, self.exit)
    }
}

fn pipe() -> io::Result<(Receiver, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Receiver::from_owned_fd(read)?, write))
}

/// The machine's reasons in words that help: "no such file" means something else when the file is there.
fn explain(program: &Path, errno: Option<i32>, reason: String) -> String {
    use rustix::io::Errno;
    let is = |error: Errno| errno == Some(error.raw_os_error());
    if is(Errno::NOENT) && program.exists() {
        let first = std::fs::read(program).unwrap_or_default();
        let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
        return match line.strip_prefix(b"#!") {
            Some(shebang) => {
                let shebang = String::from_utf8_lossy(shebang);
                let end =
                    if shebang.ends_with('\r') { " (the line ends with a carriage return)" } else { "" };
                format!("its first line asks for `{}`, which is not there{end}", shebang.trim())
            }
            None => "it was built for another system: its loader is not there".to_owned(),
        };
    }
    if is(Errno::NOEXEC) {
        return "it is no program, and has no first line that says `#!` and what runs it".to_owned();
    }
    if is(Errno::ACCESS) {
        return "it may not be run: is it executable, and may its folder be entered?".to_owned();
    }
    if is(Errno::TOOBIG) {
        return "its arguments and environment are longer than the machine allows".to_owned();
    }
    if is(Errno::PERM) {
        return "the machine does not permit it: only root starts processes as another user".to_owned();
    }
    reason
}
