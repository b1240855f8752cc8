//! Real servers for tests, as children of a watcher, so that none outlives a test that was killed.

use super::LIMIT;
use seam_launch::{Exit, HeldPort, Spawn, Watcher, WatcherCommand, WatcherOptions, hold_port};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[test]
#[ignore = "the watcher of the other tests"]
fn watch_entry() {
    seam_launch::watch();
}

/// A watcher with a folder of its own.
pub(crate) async fn watcher(folder: &Path) -> Watcher {
    let options = WatcherOptions {
        run: "3f2".into(),
        command: WatcherCommand::this_test("testing::servers::watch_entry"),
        registry: folder.join("registry"),
        logs: None,
    };
    Watcher::start(options).await.unwrap()
}

/// A server that answers.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    watcher: Watcher,
    _port: HeldPort,
    _folder: tempfile::TempDir,
}

impl Server {
    /// What listens there, and what it needs as long as it does.
    pub(crate) fn new(port: HeldPort, watcher: Watcher, folder: tempfile::TempDir) -> Self {
        Self { at: port.address(), watcher, _port: port, _folder: folder }
    }

    /// Ends it, with all that it started.
    pub(crate) async fn finish(self) {
        self.watcher.finish().await.unwrap();
    }
}

/// PostgreSQL with the user `tester` (password `p@ss:word`, checked by SCRAM) and the database `shop`; none where
/// there is no program.
pub(crate) async fn postgres() -> Option<Server> {
    let programs = postgres_programs()?;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "p@ss:word\n").unwrap();
    let user = ordinary_user();
    if let Some((uid, gid)) = user {
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        std::os::unix::fs::chown(&secret, Some(uid), Some(gid)).unwrap();
    }
    let watcher = watcher(folder.path()).await;
    let [data, secret] = [data, secret].map(|path| path.to_str().unwrap().to_owned());
    let mut initdb = Spawn::new("initdb".into(), programs.join("initdb"), folder.path());
    initdb.user = user;
    initdb.arguments =
        ["-D", &data, "-U", "tester", "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "-N"]
            .map(str::to_owned)
            .into();
    initdb.arguments.push(format!("--pwfile={secret}"));
    let made = watcher.spawn(initdb).await.unwrap();
    let death = timeout(LIMIT, made.died()).await.unwrap().unwrap();
    assert_eq!(death.exit, Exit::Code(0), "{:#?}", death.lines);
    let port = hold_port().unwrap();
    let mut spawn = Spawn::new("pg".into(), programs.join("postgres"), folder.path());
    spawn.user = user;
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "lock_timeout=10s",
        "timezone=Asia/Tokyo",
    ];
    spawn.arguments = vec!["-D".into(), data, "-p".into(), port.port().to_string()];
    spawn.arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting.to_owned()]));
    start(&watcher, spawn, "ready to accept connections").await;
    Some(Server { at: port.address(), watcher, _port: port, _folder: folder })
}

/// MariaDB with the user `tester` (password `p@ss:word`) and the database `shop`; none where there is no program.
pub(crate) async fn mariadb() -> Option<Server> {
    let path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
    let program = |name: &str| seam_launch::find_program(name, Path::new("/"), path).ok();
    let (install, serve) = (program("mariadb-install-db")?, program("mariadbd")?);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let mut common = vec![
        "--no-defaults".to_owned(),
        "--innodb-use-native-aio=0".to_owned(),
        format!("--datadir={}", at("data")),
        format!("--tmpdir={}", folder.path().display()),
    ];
    if rustix::process::getuid().is_root() {
        common.push("--user=root".to_owned());
    }
    let watcher = watcher(folder.path()).await;
    let mut spawn = Spawn::new("install".into(), install, folder.path());
    spawn.arguments = common.clone();
    spawn.arguments.extend(["--skip-test-db", "--auth-root-authentication-method=normal"].map(str::to_owned));
    let made = watcher.spawn(spawn).await.unwrap();
    let death = timeout(LIMIT * 3, made.died()).await.unwrap().unwrap();
    assert_eq!(death.exit, Exit::Code(0), "{:#?}", death.lines);
    let first = folder.path().join("first.sql");
    let text = "create database shop;\ncreate user tester@'127.0.0.1' identified by 'p@ss:word';\n\
                grant all on *.* to tester@'127.0.0.1';\n";
    std::fs::write(&first, text).unwrap();
    let port = hold_port().unwrap();
    let mut spawn = Spawn::new("maria".into(), serve, folder.path());
    spawn.arguments = common;
    spawn.arguments.extend([
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--skip-log-bin".to_owned(),
        "--innodb-buffer-pool-size=16M".to_owned(),
        format!("--init-file={}", first.display()),
        format!("--socket={}", at("s")),
        format!("--port={}", port.port()),
    ]);
    start(&watcher, spawn, "ready for connections").await;
    Some(Server { at: port.address(), watcher, _port: port, _folder: folder })
}

/// Redis with the password `secret`; none where there is no program.
pub(crate) async fn redis() -> Option<Server> {
    let program =
        seam_launch::find_program("redis-server", Path::new("/"), "/usr/local/bin:/usr/bin:/bin").ok()?;
    let folder = tempfile::tempdir().unwrap();
    let watcher = watcher(folder.path()).await;
    let port = hold_port().unwrap();
    let number = port.port().to_string();
    let mut spawn = Spawn::new("redis".into(), program, folder.path());
    spawn.arguments = ["--port", &number, "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]
        .map(str::to_owned)
        .into();
    // `DEBUG PROTOCOL` gives a reply of each type.
    spawn.arguments.extend(["--enable-debug-command", "local"].map(str::to_owned));
    start(&watcher, spawn, "Ready to accept connections").await;
    Some(Server { at: port.address(), watcher, _port: port, _folder: folder })
}

pub(crate) async fn start(watcher: &Watcher, spawn: Spawn, ready: &str) {
    start_within(watcher, spawn, ready, LIMIT).await;
}

/// The same for one that takes longer.
pub(crate) async fn start_within(watcher: &Watcher, mut spawn: Spawn, ready: &str, limit: Duration) {
    let (lines, mut heard) = mpsc::channel(256);
    spawn.lines = Some(lines);
    watcher.spawn(spawn).await.unwrap();
    let mut said = Vec::new();
    let wait = async {
        while let Some(line) = heard.recv().await {
            if line.text.contains(ready) {
                return true;
            }
            said.push(line.text);
        }
        false
    };
    assert_eq!(timeout(limit, wait).await, Ok(true), "it did not become ready: {said:#?}");
}

/// Where PostgreSQL's programs are: the newest of the distribution's.
fn postgres_programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    versions.pop()
}

/// Whom to run PostgreSQL as where we are root, which it refuses.
fn ordinary_user() -> Option<(u32, u32)> {
    rustix::process::getuid().is_root().then(|| {
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let line = users
            .lines()
            .find(|line| line.starts_with("postgres:"))
            .or_else(|| users.lines().find(|line| line.starts_with("nobody:")));
        let fields: Vec<&str> = line.unwrap().split(':').collect();
        (fields[2].parse().unwrap(), fields[3].parse().unwrap())
    })
}
