//! Runs one command to its end, through the watcher, so that neither a deadline nor a killed `seam` leaves any of it.

use crate::action::Trouble;
use seam_event::ComponentId;
use seam_launch::{Exit, Spawn, SpawnError, Watcher, WatcherGone};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

/// The most that a command may say on each side.
const MOST_OUTPUT: u64 = 64 * 1024 * 1024;

/// How long output is waited for when the command has ended and something that it started still holds the pipe.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// A command, all of it known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) dir: PathBuf,
    pub(super) input: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// None where it did not end by the deadline and was killed.
    pub(super) exit: Option<Exit>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs a command. At the deadline the whole tree of its processes is killed.
pub(super) async fn run(command: Command, watcher: &Watcher, deadline: Instant) -> Result<Ended, Trouble> {
    let program = command.program.clone();
    let mut piped = watcher.spawn_piped(spawn(&command)).await.map_err(|error| match error {
        SpawnError::Refused { reason, .. } => {
            Trouble::errored(format!("failed to run {}: {reason}", program.display()))
        }
        other => Trouble::errored(other.to_string()),
    })?;
    let mut stdin = piped.stdin;
    let feed = async move {
        // A command that does not read all of its input is none the worse for it.
        let _ = stdin.write_all(&command.input).await;
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let listen = async {
        tokio::join!(feed, read(&mut piped.stdout, &mut stdout), read(&mut piped.stderr, &mut stderr));
    };
    let running = piped.running;
    let exited = {
        let mut listen = std::pin::pin!(listen);
        let mut exited = std::pin::pin!(running.exited());
        let ended = async {
            tokio::select! {
                exit = &mut exited => {
                    let _ = tokio::time::timeout(LAST_OUTPUT, listen).await;
                    exit
                }
                () = &mut listen => exited.await,
            }
        };
        tokio::time::timeout_at(deadline, ended).await
    };
    let gone = |WatcherGone| Trouble::errored(WatcherGone.to_string());
    let exit = if let Ok(exit) = exited {
        Some(exit.map_err(gone)?)
    } else {
        running.kill().await.map_err(gone)?;
        None
    };
    if stdout.len().max(stderr.len()) as u64 >= MOST_OUTPUT {
        running.kill().await.map_err(gone)?;
        return Err(Trouble::errored(format!("{} says more than 64 MiB", program.display())));
    }
    Ok(Ended { exit, stdout, stderr })
}

fn spawn(command: &Command) -> Spawn {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Each has a name of its own, because the watcher finds by it what a command has orphaned.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut spawn = Spawn::new(ComponentId::from(format!("test.{number}")), &command.program, &command.dir);
    spawn.arguments.clone_from(&command.arguments);
    spawn.env.clone_from(&command.env);
    spawn
}

/// Keeps what comes; where there is too much the pipe is left full, which stops the command.
async fn read(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) {
    let mut limited = from.take(MOST_OUTPUT);
    loop {
        match limited.read_buf(into).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
