//! One PostgreSQL server on a data directory: started, awaited by signing in, asked, stopped.

use super::ADMIN;
use super::declared::Plan;
use crate::programs::Found;
use crate::service::{RaiseCx, RaiseError, StopHow};
use seam_event::ComponentId;
use seam_launch::{Farewell, Line, Running as Process, Spawn, StopSignal, Watcher, WatcherGone, Whom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_postgres::{Client, Config, Error, NoTls};

/// The number that the socket's name bears; there is no port.
const PORT: u16 = 5432;

/// How long the server may take to go when the run is over: it then takes its shared memory with it.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often it is tried whether it answers.
const POLL: Duration = Duration::from_millis(2);

/// What is asked of a server whose data nobody needs tomorrow. What the user sets comes later and wins.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("shared_buffers", "32MB"),
    // Between tests nothing may write; rows that a restore left dead are cleaned by the restore itself.
    ("autovacuum", "off"),
    // States are copied by their files, into which nobody may write in the background meanwhile.
    ("bgwriter_lru_maxpages", "0"),
    // Segments under /dev/shm would stay when the server is killed; these lie in the data directory.
    ("dynamic_shared_memory_type", "mmap"),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
];

/// What is left out where the user says what the log of changes is for.
const WITHOUT_REPLICAS: &[(&str, &str)] = &[("wal_level", "minimal"), ("max_wal_senders", "0")];

/// How a server is started.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) component: ComponentId,
    pub(super) watcher: Watcher,
    pub(super) program: Found,
    pub(super) data: PathBuf,
    pub(super) sockets: PathBuf,
    pub(super) user: Option<(u32, u32)>,
    /// Whom we sign in as.
    pub(super) admin: &'static str,
    pub(super) settings: Vec<(String, String)>,
    pub(super) lines: Option<mpsc::Sender<Line>>,
}

impl Server {
    /// A server for a data directory, with the settings of a plan.
    pub(super) fn new(cx: &RaiseCx, plan: &Plan, program: Found, data: PathBuf, sockets: PathBuf) -> Self {
        let settings = settings_of(&plan.settings);
        Self {
            component: cx.component.clone(),
            watcher: cx.watcher.clone(),
            program,
            data,
            sockets,
            user: cx.places.service_user,
            admin: ADMIN,
            settings,
            lines: cx.lines.clone(),
        }
    }

    /// Starts it and waits until it answers.
    pub(super) async fn start(&self, deadline: Instant) -> Result<Process, RaiseError> {
        let process = self.watcher.spawn(self.spawn()).await?;
        self.until_it_answers(&process, deadline).await?;
        Ok(process)
    }

    /// Signs in to a database as ourselves.
    pub(super) async fn connect(&self, database: &str) -> Result<Client, Error> {
        let mut config = Config::new();
        config
            .host_path(&self.sockets)
            .port(PORT)
            .user(self.admin)
            .dbname(database)
            .application_name("seamwork");
        let (client, connection) = config.connect(NoTls).await?;
        // It ends when the client is dropped or the server has gone, which the client then says.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Ends it; nothing of it is left afterwards but its files.
    pub(super) async fn stop(&self, process: &Process, how: StopHow) -> Result<(), WatcherGone> {
        match how {
            StopHow::Asked(deadline) => process.stop_with(StopSignal::Int, Whom::First, deadline).await?,
            StopHow::Killed => process.kill().await?,
        };
        Ok(())
    }

    /// The first number of its version.
    pub(super) fn major(&self) -> u32 {
        self.program.version.major()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join(format!(".s.PGSQL.{PORT}"))
    }

    fn spawn(&self) -> Spawn {
        let mut spawn = Spawn::new(self.component.clone(), &self.program.path, &self.data);
        spawn.arguments = vec!["-D".to_owned(), shown(&self.data), "-k".to_owned(), shown(&self.sockets)];
        spawn.arguments.extend(["-c".to_owned(), "listen_addresses=".to_owned()]);
        for (name, value) in &self.settings {
            spawn.arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        spawn.env = environment(&self.program);
        spawn.user = self.user;
        spawn.lines.clone_from(&self.lines);
        // Killed outright it would leave its shared memory behind.
        spawn.farewell = Some(Farewell { signal: StopSignal::Quit, grace: FAREWELL });
        spawn
    }

    async fn until_it_answers(&self, process: &Process, deadline: Instant) -> Result<(), RaiseError> {
        let component = self.component.clone();
        loop {
            let last = match self.connect("postgres").await {
                Ok(_) => return Ok(()),
                Err(error) => reason(&error),
            };
            if process.exit().is_some() {
                let death = process.died().await?;
                let lines = death.lines.into_iter().map(|line| line.text).collect();
                return Err(RaiseError::Died { component, how: death.exit.to_string(), lines });
            }
            if Instant::now() >= deadline {
                let lines = process.last_lines().into_iter().map(|line| line.text).collect();
                // It would go on and hold its files; what comes of ending it changes nothing here.
                let _ = process.kill().await;
                return Err(RaiseError::Late { component, last, lines });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Runs one of PostgreSQL's programs to its end.
pub(super) async fn run_program(
    cx: &RaiseCx,
    program: &Found,
    file: &str,
    arguments: Vec<String>,
    dir: &Path,
) -> Result<(), RaiseError> {
    let name = ComponentId::from(format!("{}.{file}", cx.component));
    let mut spawn = Spawn::new(name, program.folder().join(file), dir);
    spawn.arguments = arguments;
    spawn.env = environment(program);
    spawn.user = cx.places.service_user;
    let process = cx.watcher.spawn(spawn).await?;
    let Ok(death) = tokio::time::timeout_at(cx.deadline, process.died()).await else {
        let lines = process.last_lines().into_iter().map(|line| line.text).collect();
        let _ = process.kill().await;
        return Err(RaiseError::Failed { program: file.to_owned(), how: "took too long".to_owned(), lines });
    };
    let death = death?;
    if death.exit == seam_launch::Exit::Code(0) {
        return Ok(());
    }
    let lines = death.lines.into_iter().map(|line| line.text).collect();
    Err(RaiseError::Failed { program: file.to_owned(), how: death.exit.to_string(), lines })
}

/// Ours first, then the user's: of two the later counts.
pub(super) fn settings_of(users: &[(String, String)]) -> Vec<(String, String)> {
    let about_replicas = ["wal_level", "max_wal_senders", "archive_mode", "summarize_wal"];
    let minimal = !users.iter().any(|(name, _)| about_replicas.contains(&name.to_ascii_lowercase().as_str()));
    let ours = SETTINGS.iter().chain(if minimal { WITHOUT_REPLICAS } else { &[] });
    ours.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(users.iter().cloned()).collect()
}

/// Nothing of the user's environment reaches the server: its answers must be the same everywhere.
fn environment(program: &Found) -> Vec<(String, String)> {
    let fixed =
        [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_MESSAGES", "C"), ("LANG", "C"), ("TZ", "UTC")];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    fixed.chain(program.environment()).collect()
}

/// What an error says with what led to it.
pub(super) fn reason(error: &Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
