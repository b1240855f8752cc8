//! Prepared data directories: made once, kept in the cache by the hash of all that went into them, copied for a run.
//!
//! Two layers, because initdb takes most of the time and depends on little: the *base* (program and locale) and the
//! *prepared* one (roles, databases, seeds). Both are built under a name of the run's own and moved into their place
//! when they are whole, so that a killed run leaves nothing half made and two runs at once do not disturb each other.

use super::copy::{self, Amount, Source};
use super::declared::Plan;
use super::seed::{Seed, Sower, literal, quoted};
use super::server::{self, Server, shown};
use super::{ADMIN, EMPTY, FRESH, PROGRAM};
use crate::places::Places;
use crate::programs::Found;
use crate::service::{RaiseCx, RaiseError, SeedError, StopHow};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::Client;

/// Part of every hash: raised when what is prepared changes.
const FORMAT: u32 = 2;

/// Says that an entry is whole, and what it amounts to.
const MARK: &str = "complete";

/// Whom initdb makes.
const FIRST: &str = "postgres";

/// Who may sign in, and how: we without a password, all others with one, as in production.
const ACCESS: &str = "local all seam_admin trust\nlocal all all scram-sha-256\n";

/// How large a data directory is, roughly, when it is made.
const ROUGHLY: u64 = 64 << 20;

/// How long a server that was only needed to prepare may take to write everything down.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// Makes the data directory of a run.
pub(super) struct Cluster<'a> {
    pub(super) cx: &'a RaiseCx,
    pub(super) plan: &'a Plan,
    pub(super) program: &'a Found,
    /// The seeds of each database, read.
    pub(super) seeds: Vec<Vec<Seed>>,
}

impl<'a> Cluster<'a> {
    /// Reads the seeds.
    pub(super) fn new(cx: &'a RaiseCx, plan: &'a Plan, program: &'a Found) -> Result<Self, RaiseError> {
        let mut seeds = Vec::new();
        for database in &plan.databases {
            let mut read = Vec::new();
            for file in &database.seeds {
                let bytes = fs::read(&file.path).map_err(RaiseError::files("read", &file.path))?;
                let text = String::from_utf8(bytes)
                    .map_err(|error| not_utf8(cx, &database.name, &file.shown, &error))?;
                read.push(Seed { file: file.clone(), text });
            }
            seeds.push(read);
        }
        Ok(Self { cx, plan, program, seeds })
    }

    /// Copies the prepared data directory for this run, and gives where to; prepares it where that was not done yet,
    /// or where what is in the cache is damaged.
    pub(super) async fn copy(&self) -> Result<PathBuf, RaiseError> {
        let entry = self.cache().join(format!("prepared-{}", self.key()));
        if let Some(data) = self.take_for_run(&entry).await? {
            return Ok(data);
        }
        self.prepare(&entry).await?;
        if let Some(data) = self.take_for_run(&entry).await? {
            return Ok(data);
        }
        let damaged = io::Error::new(io::ErrorKind::InvalidData, "it changed while it was copied");
        Err(RaiseError::files("copy", &entry)(damaged))
    }

    async fn take_for_run(&self, entry: &Path) -> Result<Option<PathBuf>, RaiseError> {
        let Some(amount) = fs::read_to_string(entry.join(MARK)).ok().and_then(|mark| amount_of(&mark)) else {
            discard(entry);
            return Ok(None);
        };
        let folder = self.run_folder(amount.bytes).await?.join(self.cx.component.as_str());
        self.cx.places.make_served(&folder).map_err(RaiseError::files("make", &folder))?;
        let data = folder.join("data");
        // What an earlier try of this run left.
        discard(&data);
        Ok(self.take(entry, &data).await?.then_some(data))
    }

    /// A folder of this run's for data of some size, which the watcher removes at the end.
    async fn run_folder(&self, n_bytes: u64) -> Result<PathBuf, RaiseError> {
        let places = &self.cx.places;
        let folder = places.run_folder(self.cx.run.as_str(), n_bytes);
        let folder = folder.map_err(RaiseError::files("make", &places.live))?;
        self.cx.watcher.remove_at_end(&folder).await?;
        Ok(folder)
    }

    /// Throws the prepared data directory away: a server did not start with it.
    pub(super) fn discard(&self) {
        discard(&self.cache().join(format!("prepared-{}", self.key())));
        discard(&self.base());
    }

    fn cache(&self) -> PathBuf {
        self.cx.places.cache.join("postgres")
    }

    fn base(&self) -> PathBuf {
        self.cache().join(format!("base-{}", self.base_key()))
    }

    fn base_key(&self) -> String {
        let parts = [self.program.version.to_string(), shown(&self.program.path), self.plan.locale.clone()];
        short_hash(parts.iter().map(String::as_str))
    }

    /// Everything that decides what the prepared data directory holds.
    fn key(&self) -> String {
        let plan = self.plan;
        let mut parts = vec![self.base_key(), plan.user.clone(), plan.password.clone()];
        for (name, value) in server::settings_of(&plan.settings) {
            parts.extend([name, value]);
        }
        for (database, seeds) in plan.databases.iter().zip(&self.seeds) {
            parts.extend(["database".to_owned(), database.name.clone()]);
            parts.push(database.owner.clone().unwrap_or_default());
            for seed in seeds {
                parts.extend([shown(&seed.file.shown), seed.text.clone()]);
            }
        }
        short_hash(parts.iter().map(String::as_str))
    }

    /// Copies an entry, if it is there and whole; a damaged one is thrown away.
    async fn take(&self, entry: &Path, to: &Path) -> Result<bool, RaiseError> {
        let Ok(mark) = fs::read_to_string(entry.join(MARK)) else {
            discard(entry);
            return Ok(false);
        };
        let (from, target, places) = (entry.join("data"), to.to_owned(), self.cx.places.clone());
        let copied =
            tokio::task::spawn_blocking(move || copy::copy_tree(&from, &target, Source::Still, &places))
                .await
                .map_err(|_| {
                    RaiseError::files("copy", entry)(io::Error::other("the copying thread ended"))
                })?;
        match copied {
            Ok(amount) if mark_of(amount) == mark => Ok(true),
            // Full disks and missing rights are no reason to throw away what may be whole.
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Err(RaiseError::files("copy", entry)(error))
            }
            _ => {
                discard(entry);
                let _ = fs::remove_dir_all(to);
                Ok(false)
            }
        }
    }

    /// Makes the base, if it is not there.
    async fn make_base(&self) -> Result<(), RaiseError> {
        let base = self.base();
        if base.join(MARK).exists() {
            return Ok(());
        }
        discard(&base);
        (self.cx.progress)(format!("preparing {} {} (once)", PROGRAM.title, self.program.version));
        let building = self.building("base").await?;
        let data = building.join("data");
        let arguments = ["-D", &shown(&data), "-U", FIRST, "-E", "UTF8", "-A", "trust", "-N"];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.extend([format!("--locale={}", self.plan.locale), "--no-instructions".to_owned()]);
        // Small segments of the log of changes: the copy of an empty database is a third smaller.
        arguments.push("--wal-segsize=1".to_owned());
        server::run_program(self.cx, self.program, "initdb", arguments, &building).await?;
        self.settle(building, &base).await
    }

    async fn prepare(&self, entry: &Path) -> Result<(), RaiseError> {
        self.make_base().await?;
        let building = self.building("prepared").await?;
        let data = building.join("data");
        if !self.take(&self.base(), &data).await? {
            self.make_base().await?;
            if !self.take(&self.base(), &data).await? {
                let gone = io::Error::new(io::ErrorKind::NotFound, "it was removed meanwhile");
                return Err(RaiseError::files("copy", &self.base())(gone));
            }
        }
        let files = RaiseError::files("make", &building);
        let sockets = self.cx.places.socket_folder(
            self.cx.run.as_str(),
            &format!("{}.prepare", self.cx.component),
            "s",
        );
        let mut server =
            Server::new(self.cx, self.plan, self.program.clone(), data.clone(), sockets.map_err(files)?);
        server.component = format!("{}.prepare", self.cx.component).into();
        server.lines = None;
        server.admin = FIRST;
        let process = server.start(self.cx.deadline).await?;
        let filled = self.fill(&server).await;
        server.stop(&process, StopHow::Asked(STOP_LIMIT)).await?;
        empty_out(&data.join("base").join(filled?)).map_err(RaiseError::files("empty", &data))?;
        let access = data.join("pg_hba.conf");
        fs::write(&access, ACCESS).map_err(RaiseError::files("write", &access))?;
        self.settle(building, entry).await
    }

    /// Roles, databases and seeds. Gives the number of the database that is to have no files.
    async fn fill(&self, server: &Server) -> Result<String, RaiseError> {
        let plan = self.plan;
        let admin = connect(server, "postgres").await?;
        run(&admin, &format!("create role {ADMIN} superuser login"), || format!("make the user {ADMIN}"))
            .await?;
        for owner in plan.databases.iter().filter_map(|database| database.owner.as_ref()) {
            if *owner != plan.user {
                self.make_role(&admin, owner, "").await?;
            }
        }
        self.make_role(&admin, &plan.user, "superuser").await?;
        for (database, seeds) in plan.databases.iter().zip(&self.seeds) {
            let name = quoted(&database.name);
            let owner = quoted(database.owner.as_ref().unwrap_or(&plan.user));
            let made = if database.name == "postgres" {
                format!("alter database {name} owner to {owner}")
            } else {
                format!("create database {name} owner {owner}")
            };
            run(&admin, &made, || format!("make the database {}", database.name)).await?;
            let client = connect(server, &database.name).await?;
            for seed in seeds {
                (self.cx.progress)(format!("applying {}", seed.file.shown.display()));
                run(&client, "discard all", || "begin a seed".to_owned()).await?;
                run(&client, &format!("set role {owner}"), || "begin a seed".to_owned()).await?;
                Sower { component: &self.cx.component, database, client: &client }.sow(seed).await?;
            }
            run(&client, "discard all", || "end the seeds".to_owned()).await?;
            // What plans look at, and what marks rows as seen by all, is part of what is copied.
            run(&client, "vacuum analyze", || format!("tidy {}", database.name)).await?;
        }
        let empty = format!("create database {EMPTY} template {FRESH} allow_connections false");
        run(&admin, &empty, || format!("make the database {EMPTY}")).await?;
        let oid = format!("select oid from pg_database where datname = {}", literal(EMPTY));
        let refused = |source| RaiseError::Refused { what: format!("find {EMPTY}"), source };
        let rows = admin.simple_query(&oid).await.map_err(|error| refused(Box::new(error)))?;
        let oid = rows.iter().find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        oid.ok_or_else(|| refused("it is not there".into()))
    }

    /// A role that may sign in; one that is there already (`postgres`) gets the password.
    async fn make_role(&self, admin: &Client, role: &str, rights: &str) -> Result<(), RaiseError> {
        let known = admin
            .simple_query(&format!("select from pg_roles where rolname = {}", literal(role)))
            .await
            .is_ok_and(|found| found.len() > 2);
        let verb = if known { "alter" } else { "create" };
        let password = literal(&self.plan.password);
        let statement = format!("{verb} role {} login {rights} password {password}", quoted(role));
        run(admin, &statement, || format!("make the user {role}")).await
    }

    /// A folder of this run's own to build in.
    async fn building(&self, what: &str) -> Result<PathBuf, RaiseError> {
        let seeds: u64 = self.seeds.iter().flatten().map(|seed| seed.text.len() as u64).sum();
        let folder = self.run_folder(ROUGHLY + seeds).await?;
        let folder = folder.join(format!("{}.building-{what}", self.cx.component));
        // What an earlier try of this run left.
        discard(&folder);
        self.cx.places.make_served(&folder).map_err(RaiseError::files("make", &folder))?;
        Ok(folder)
    }

    /// Marks what was built as whole and moves it into its place in the cache; where another run was faster, its
    /// work is taken.
    async fn settle(&self, building: PathBuf, entry: &Path) -> Result<(), RaiseError> {
        let cache = self.cache();
        self.cx.places.make(&cache).map_err(RaiseError::files("make", &cache))?;
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let passage = cache.join(format!("building-{}-{}-{name}", self.cx.run, self.cx.component));
        self.cx.watcher.remove_at_end(&passage).await?;
        let (places, to) = (self.cx.places.clone(), entry.to_owned());
        let settled = tokio::task::spawn_blocking(move || settle(&building, &passage, &to, &places)).await;
        settled.map_err(io::Error::other).flatten().map_err(RaiseError::files("make", entry))
    }
}

async fn connect(server: &Server, database: &str) -> Result<Client, RaiseError> {
    server.connect(database).await.map_err(|source| RaiseError::Refused {
        what: format!("sign in to {database}"),
        source: Box::new(source),
    })
}

async fn run(client: &Client, statement: &str, what: impl FnOnce() -> String) -> Result<(), RaiseError> {
    let ran = client.batch_execute(statement).await;
    ran.map_err(|source| RaiseError::Refused { what: what(), source: Box::new(source) })
}

/// Moves what was built to `entry`, by way of `passage` beside it where it was built on another disk or in memory.
fn settle(building: &Path, passage: &Path, entry: &Path, places: &Places) -> io::Result<()> {
    let amount = copy::measure(&building.join("data"))?;
    fs::write(building.join(MARK), mark_of(amount))?;
    let moved = match fs::rename(building, entry) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            discard(passage);
            copy::copy_tree(building, passage, Source::Still, places).and_then(|_| fs::rename(passage, entry))
        }
        moved => moved,
    };
    discard(building);
    match moved {
        Err(_) if entry.join(MARK).exists() => {
            discard(passage);
            Ok(())
        }
        moved => moved,
    }
}

/// What a mark says, if it is whole.
fn amount_of(mark: &str) -> Option<Amount> {
    let (files, bytes) = mark.strip_suffix(" bytes\n")?.split_once(" files, ")?;
    Some(Amount { files: files.parse().ok()?, bytes: bytes.parse().ok()? })
}

fn mark_of(amount: Amount) -> String {
    format!("{} files, {} bytes\n", amount.files, amount.bytes)
}

/// Takes the files out of a database's folder, but for the one that says which version it is of: it is there only
/// so that other databases can be made from it at no cost.
fn empty_out(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != "PG_VERSION" {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder of ours; one that cannot be removed is in nobody's way.
fn discard(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

fn short_hash<'p>(parts: impl Iterator<Item = &'p str>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&FORMAT.to_le_bytes());
    for part in parts {
        hasher.update(&part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..20].to_owned()
}

fn not_utf8(
    cx: &RaiseCx,
    database: &str,
    shown: &Path,
    error: &std::string::FromUtf8Error,
) -> Box<SeedError> {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Box::new(SeedError {
        component: cx.component.clone(),
        database: database.to_owned(),
        path: shown.to_owned(),
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        text,
        from: valid,
        to: valid + 1,
        message: "seeds are read as UTF-8, and this is none".to_owned(),
        code: String::new(),
        notes: Vec::new(),
    })
}
