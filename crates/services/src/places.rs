//! Where things are kept on this machine: the cache of the user, the data of living runs, sockets with short paths.
//!
//! PostgreSQL refuses to run as root. Where we are root its files belong to a service user, so the folders on the
//! way to them must let that user through; `/root` does not, `/var/cache` does.

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
    /// Sockets of living runs, a folder per run: a short path.
    pub sockets: PathBuf,
    /// Whom servers run as that refuse to run as root (user and group); none where we are not root.
    pub service_user: Option<(u32, u32)>,
}

impl Places {
    /// The places of the user who runs this. `SEAM_CACHE` in `env` names another cache folder, `SEAM_LIVE` another
    /// one for the data of living runs.
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
        match absolute("SEAM_LIVE").or_else(|| in_memory(places.service_user.is_some())) {
            Some(live) => Self { live, ..places },
            None => places,
        }
    }

    /// Places with a cache of their own: for tests.
    pub fn at(cache: impl Into<PathBuf>) -> Self {
        let cache = cache.into();
        let uid = rustix::process::geteuid();
        Self {
            live: cache.join("live"),
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

    /// The folder of one server's socket `file`, made. Every run has its own, so that the watcher can remove it.
    pub(crate) fn socket_folder(&self, run: &str, component: &str, file: &str) -> io::Result<PathBuf> {
        self.own_sockets()?;
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

    /// Makes the folder of all sockets.
    fn own_sockets(&self) -> io::Result<()> {
        own(&self.sockets, self.service_user.is_some())
    }
}

/// Makes a folder of ours where everybody may make some, and refuses one that somebody else put there.
fn own(folder: &Path, root: bool) -> io::Result<()> {
    let mode = if root { 0o711 } else { 0o700 };
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

/// A folder in memory, where there is plenty. The data of a run goes with it, and a server's thousands of small
/// files are made and deleted there in no time.
#[cfg(target_os = "linux")]
fn in_memory(root: bool) -> Option<PathBuf> {
    const SHARED: &str = "/dev/shm";
    const TMPFS: i64 = 0x0102_1994;
    const PLENTY: u64 = 4 * 1024 * 1024 * 1024;
    let found = rustix::fs::statfs(SHARED).ok()?;
    let is_tmpfs = i64::try_from(found.f_type).ok()? == TMPFS;
    let free = u64::try_from(found.f_bavail).ok()?.saturating_mul(u64::try_from(found.f_bsize).ok()?);
    let folder = PathBuf::from(format!("{SHARED}/seamwork-{}", rustix::process::geteuid().as_raw()));
    (is_tmpfs && free >= PLENTY && own(&folder, root).is_ok()).then_some(folder)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: bool) -> Option<PathBuf> {
    None
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
    fn living_data_may_be_put_elsewhere() {
        let places = Places::of_user(|name| (name == "SEAM_LIVE").then(|| "/there".to_owned()));
        assert_eq!(places.live, Path::new("/there"));
        assert_eq!(Places::at("/here").live, Path::new("/here/live"));
    }

    #[test]
    fn the_cache_is_where_users_expect_it() {
        let places = Places::of_user(|name| (name == "SEAM_CACHE").then(|| "/here".to_owned()));
        assert_eq!(places.cache, Path::new("/here"));
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
