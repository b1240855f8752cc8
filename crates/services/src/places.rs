//! Where things are kept on this machine: the cache of the user, the data of living runs, sockets with short paths.
//!
//! PostgreSQL refuses to run as root. Where we are root its files belong to a service user, so the folders on the
//! way to them must let that user through; `/root` does not, `/var/cache` does.

use crate::memory;
use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest path that a Unix socket may have on every system that we run on, in bytes.
const SOCKET_PATH_LIMIT: usize = 103;

/// Where things are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Programs that were fetched and data directories that were prepared; may be removed at any time.
    pub cache: PathBuf,
    /// Data of living runs, a folder per run; the watcher removes it at the end.
    pub live: PathBuf,
    /// The same, in memory, for data of many small files, as long as there is room; none where the user says where
    /// living data is to be.
    pub memory: Option<PathBuf>,
    /// Sockets of living runs, a folder per run: a short path.
    pub sockets: PathBuf,
    /// Whom servers run as that refuse to run as root (user and group); none where we are not root.
    pub service_user: Option<(u32, u32)>,
}

impl Places {
    /// The places of the user who runs this. `SEAM_CACHE` in `env` names another cache folder, `SEAM_LIVE` another
    /// folder for the data of living runs.
    pub fn of_user(env: impl Fn(&str) -> Option<String>) -> Self {
        let root = rustix::process::geteuid().is_root();
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("SEAM_CACHE").unwrap_or_else(|| {
            let home = absolute("HOME").unwrap_or_else(|| PathBuf::from("/tmp"));
            if root {
                PathBuf::from("/var/cache/seamwork")
            } else if cfg!(target_os = "macos") {
                home.join("Library/Caches/seamwork")
            } else {
                absolute("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")).join("seamwork")
            }
        });
        let places = Self::at(cache);
        match absolute("SEAM_LIVE") {
            Some(live) => Self { live, memory: None, ..places },
            None => places,
        }
    }

    /// Places with a cache of their own: for tests.
    pub fn at(cache: impl Into<PathBuf>) -> Self {
        let cache = cache.into();
        let uid = rustix::process::geteuid();
        Self {
            live: cache.join("live"),
            memory: Some(PathBuf::from(format!("{}/seamwork-{}", memory::FOLDER, uid.as_raw()))),
            sockets: PathBuf::from(format!("/tmp/seam-{}", uid.as_raw())),
            service_user: uid.is_root().then(service_user),
            cache,
        }
    }

    /// A folder below one of the places, made with all on the way to it. Others may pass through it (where we are
    /// root, so that the service user can), nobody else may write.
    pub(crate) fn make(&self, folder: &Path) -> io::Result<()> {
        let mode = if self.service_user.is_some() { 0o755 } else { 0o700 };
        DirBuilder::new().recursive(true).mode(mode).create(folder)
    }

    /// A folder that belongs to whom servers run as, and that nobody else may enter.
    pub(crate) fn make_served(&self, folder: &Path) -> io::Result<()> {
        if let Some(parent) = folder.parent() {
            self.make(parent)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        self.hand_over(folder)
    }

    /// Gives a file or folder to whom servers run as.
    pub(crate) fn hand_over(&self, path: &Path) -> io::Result<()> {
        match self.service_user {
            Some((user, group)) => std::os::unix::fs::chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// A run's folder for data of about `n_bytes`: in memory if there is room, made. The watcher must be told of it.
    pub(crate) fn run_folder(&self, run: &str, n_bytes: u64) -> io::Result<PathBuf> {
        if let Some(memory) = self.memory.as_ref().filter(|_| memory::has_room(n_bytes))
            && self.own(memory).is_ok()
        {
            let folder = memory.join(run);
            self.make(&folder)?;
            return Ok(folder);
        }
        let folder = self.live.join(run);
        self.make(&folder)?;
        Ok(folder)
    }

    /// The folder of one server's socket `file`, made. Every run has its own, so that the watcher can remove it.
    pub(crate) fn socket_folder(&self, run: &str, component: &str, file: &str) -> io::Result<PathBuf> {
        self.own(&self.sockets)?;
        let run = self.sockets.join(run);
        self.make(&run)?;
        let fits = |folder: &Path| folder.as_os_str().len() + 1 + file.len() <= SOCKET_PATH_LIMIT;
        let mut folder = run.join(component);
        if !fits(&folder) {
            let short = blake3::hash(component.as_bytes()).to_hex();
            folder = run.join(&short.as_str()[..8]);
        }
        if !fits(&folder) {
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, "too long for the path of a socket"));
        }
        self.make_served(&folder)?;
        Ok(folder)
    }

    /// Makes a folder of ours where everybody may make some, and refuses one that somebody else put there.
    fn own(&self, folder: &Path) -> io::Result<()> {
        let mode = if self.service_user.is_some() { 0o711 } else { 0o700 };
        match DirBuilder::new().mode(mode).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let found = std::fs::symlink_metadata(folder)?;
        if found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && !others_write(&found) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"))
    }
}

fn others_write(found: &Metadata) -> bool {
    found.permissions().mode() & 0o022 != 0
}

/// Whom servers run as where we are root: `postgres` if there is one, else `nobody`.
fn service_user() -> (u32, u32) {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| account(&accounts, name)).unwrap_or((65534, 65534))
}

fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_users_expect_it() {
        let places = Places::of_user(|name| (name == "SEAM_CACHE").then(|| "/here".to_owned()));
        assert_eq!(places.cache, Path::new("/here"));
        assert_eq!(places.live, Path::new("/here/live"));
        assert!(places.memory.is_some());
        let places = Places::of_user(|name| (name == "SEAM_LIVE").then(|| "/there".to_owned()));
        assert_eq!((places.live.as_path(), places.memory), (Path::new("/there"), None));
    }

    #[test]
    fn accounts_are_read() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104::/var:/bin/sh\nbroken\n";
        assert_eq!(account(accounts, "postgres"), Some((101, 104)));
        assert_eq!(account(accounts, "nobody"), None);
    }

    #[test]
    fn a_long_name_gets_a_short_socket() {
        let folder = tempfile::tempdir().unwrap();
        let mut places = Places::at(folder.path());
        places.sockets = folder.path().join("s");
        let long = "a".repeat(200);
        let made = places.socket_folder("run1", &long, ".s.PGSQL.5432").unwrap();
        assert!(made.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_PATH_LIMIT);
        assert!(made.starts_with(places.sockets.join("run1")), "the watcher looks for the run's id");
        assert!(places.socket_folder(&long, "pg", "x").is_err());
    }
}
