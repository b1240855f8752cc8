//! A Redis that answers.

use super::PROGRAM;
use super::client::{AskError, Client, Reply};
use super::declared::{Plan, SeedFile};
use super::script;
use super::state::States;
use crate::programs::{Found, program_for};
use crate::service::{RaiseCx, RaiseError, Running, SeedError, StopHow, Upstream};
use crate::state::{Kept, Restored, StateError};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use seam_event::ComponentId;
use seam_launch::{Line, Running as Process, Spawn, StopSignal, Watcher, WatcherGone, Whom};
use std::any::Any;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The socket's file.
const SOCKET: &str = "redis";

/// The server's settings, in its folder.
const SETTINGS_FILE: &str = "redis.conf";

/// How often it is tried whether it answers.
const POLL: Duration = Duration::from_millis(1);

/// How long one try may take: a server that reads its data answers so, at once.
const TRY: Duration = Duration::from_secs(1);

/// How long a stopped server may take to answer again: it may have data to read.
const RESTART_LIMIT: Duration = Duration::from_secs(30);

/// A Redis that answers.
pub struct Redis {
    server: Server,
    states: States,
    detail: String,
    process: Mutex<Process>,
}

/// How a server is started and reached.
#[derive(Clone)]
pub(super) struct Server {
    component: ComponentId,
    watcher: Watcher,
    program: Found,
    data: PathBuf,
    pub(super) socket: PathBuf,
    user: Option<(u32, u32)>,
    pub(super) password: Option<String>,
    lines: Option<mpsc::Sender<Line>>,
}

/// Starts a server, and applies the seeds.
pub(super) async fn raise(plan: &Plan, cx: &RaiseCx) -> Result<Redis, RaiseError> {
    let (program, cx) = program_for(&PROGRAM, plan.program.as_deref(), &plan.requirement, cx).await?;
    let cx = &cx;
    let detail =
        format!("{} {} {} ({})", PROGRAM.title, program.version, program.origin, program.path.display());
    let live = cx.places.live.join(cx.run.as_str());
    let data = live.join(cx.component.as_str()).join("data");
    cx.places.make(&live.join(cx.component.as_str())).map_err(RaiseError::files("make", &live))?;
    cx.places.make_served(&data).map_err(RaiseError::files("make", &data))?;
    cx.watcher.remove_at_end(&live).await?;
    let sockets = cx.places.socket_folder(cx.run.as_str(), cx.component.as_str(), SOCKET);
    let sockets = sockets.map_err(RaiseError::files("make", &cx.places.sockets))?;
    cx.watcher.remove_at_end(&cx.places.sockets.join(cx.run.as_str())).await?;
    let server = Server {
        component: cx.component.clone(),
        watcher: cx.watcher.clone(),
        program,
        data,
        socket: sockets.join(SOCKET),
        user: cx.places.service_user,
        password: plan.password.clone(),
        lines: cx.lines.clone(),
    };
    let file = server.data.join(SETTINGS_FILE);
    write_settings(&file, &server.settings(plan)).map_err(RaiseError::files("write", &file))?;
    cx.places.hand_over(&file).map_err(RaiseError::files("write", &file))?;
    let process = server.start(cx.deadline).await?;
    for seed in &plan.seeds {
        if let Err(refused) = server.sow(seed).await {
            // A second try must find nobody at the socket.
            let _ = process.kill().await;
            return Err(refused);
        }
    }
    let states = States::new(server.clone());
    Ok(Redis { server, states, detail, process: Mutex::new(process) })
}

fn write_settings(file: &Path, settings: &str) -> std::io::Result<()> {
    // The password stands in it.
    let mut open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    open.write_all(settings.as_bytes())
}

impl Server {
    /// The first number of its version.
    pub(super) fn major(&self) -> u32 {
        self.program.version.major()
    }

    /// Signs in as ourselves.
    pub(super) async fn connect(&self) -> Result<Client, AskError> {
        Client::open(&self.socket, self.password.as_deref()).await
    }

    fn settings(&self, plan: &Plan) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut lines = format!(
            "port 0\nunixsocket {}\nunixsocketperm 700\ndir {}\ndaemonize no\nsave \"\"\nappendonly no\n\
             databases {}\n",
            quoted(&self.socket.display().to_string()),
            quoted(&self.data.display().to_string()),
            plan.databases
        );
        if let Some(password) = &plan.password {
            let _ = writeln!(lines, "requirepass {}", quoted(password));
        }
        for (name, value) in &plan.settings {
            let _ = writeln!(lines, "{name} {}", if value.is_empty() { "\"\"" } else { value });
        }
        lines
    }

    /// Starts it and waits until it answers.
    async fn start(&self, deadline: Instant) -> Result<Process, RaiseError> {
        let mut spawn = Spawn::new(self.component.clone(), &self.program.path, &self.data);
        spawn.arguments = vec![self.data.join(SETTINGS_FILE).display().to_string()];
        let fixed = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C"), ("TZ", "UTC")];
        spawn.env = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        spawn.env.extend(self.program.environment());
        spawn.user = self.user;
        spawn.lines.clone_from(&self.lines);
        let process = self.watcher.spawn(spawn).await?;
        self.until_it_answers(&process, deadline).await?;
        Ok(process)
    }

    async fn until_it_answers(&self, process: &Process, deadline: Instant) -> Result<(), RaiseError> {
        let component = self.component.clone();
        loop {
            let tried = async { self.connect().await?.ask(&["PING"]).await };
            let last = match tokio::time::timeout(TRY, tried).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => with_cause(&error),
                Err(_) => format!("no answer within {TRY:?}"),
            };
            if process.exit().is_some() {
                let death = process.died().await?;
                let lines = death.lines.into_iter().map(|line| line.text).collect();
                return Err(RaiseError::Died { component, how: death.exit.to_string(), lines });
            }
            if Instant::now() >= deadline {
                let lines = process.last_lines().into_iter().map(|line| line.text).collect();
                // It would go on; what comes of ending it changes nothing here.
                let _ = process.kill().await;
                return Err(RaiseError::Late { component, last, lines });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Applies a seed: the first refused command is pointed at.
    async fn sow(&self, seed: &SeedFile) -> Result<(), RaiseError> {
        let bytes = std::fs::read(&seed.path).map_err(RaiseError::files("read", &seed.path))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let refused = |source: AskError| RaiseError::Refused {
            what: format!("apply {}", seed.shown.display()),
            source: Box::new(source),
        };
        let mut client = self.connect().await.map_err(refused)?;
        let mut at = 0;
        let mut places = Vec::new();
        let mut commands = Vec::new();
        for line in text.split_inclusive('\n') {
            let range = at..at + line.trim_end().len();
            at += line.len();
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let Some(words) = script::words(line) else {
                return Err(self.seed_error(
                    seed,
                    &text,
                    range,
                    "a quote is not closed, or something follows it",
                ));
            };
            places.push(range);
            commands.push(words.into_iter().map(Bytes::from).collect());
        }
        let replies = client.ask_all(&commands).await.map_err(refused)?;
        for (reply, range) in replies.into_iter().zip(places) {
            if let Reply::Error(said) = reply {
                return Err(self.seed_error(seed, &text, range, &said));
            }
        }
        Ok(())
    }

    fn seed_error(
        &self,
        seed: &SeedFile,
        text: &str,
        range: std::ops::Range<usize>,
        said: &str,
    ) -> RaiseError {
        let code = said.split(' ').next().filter(|word| word.chars().all(|c| c.is_ascii_uppercase()));
        RaiseError::Seed(Box::new(SeedError {
            component: self.component.clone(),
            database: String::new(),
            path: seed.shown.clone(),
            line: text[..range.start].bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: 1,
            text: text.to_owned(),
            from: range.start,
            to: range.end,
            message: said.to_owned(),
            code: code.unwrap_or_default().to_owned(),
            notes: Vec::new(),
        }))
    }
}

/// An error with what led to it.
fn with_cause(error: &AskError) -> String {
    match error {
        AskError::Lost(source) => source.to_string(),
        AskError::Refused { .. } => error.to_string(),
    }
}

impl Redis {
    fn living(&self) -> Process {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Running for Redis {
    fn upstream(&self, _endpoint: &str) -> Upstream {
        Upstream::Unix(self.server.socket.clone())
    }

    fn detail(&self) -> String {
        self.detail.clone()
    }

    fn process(&self) -> Option<Process> {
        Some(self.living())
    }

    fn keep(&self) -> BoxFuture<'_, Result<Kept, StateError>> {
        self.states.keep().boxed()
    }

    fn restore<'a>(&'a self, kept: &'a Kept) -> BoxFuture<'a, Result<Restored, StateError>> {
        self.states.restore(kept).boxed()
    }

    fn stop(&self, how: StopHow) -> BoxFuture<'_, Result<(), WatcherGone>> {
        async move {
            match how {
                StopHow::Asked(deadline) => {
                    self.living().stop_with(StopSignal::Term, Whom::First, deadline).await?;
                }
                StopHow::Killed => drop(self.living().kill().await?),
            }
            // A server that was killed leaves its socket behind, on which nobody listens.
            let _ = std::fs::remove_file(&self.server.socket);
            Ok(())
        }
        .boxed()
    }

    fn start(&self) -> BoxFuture<'_, Result<(), RaiseError>> {
        async move {
            if self.living().exit().is_none() {
                return Ok(());
            }
            let process = self.server.start(Instant::now() + RESTART_LIMIT).await?;
            *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
            Ok(())
        }
        .boxed()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
