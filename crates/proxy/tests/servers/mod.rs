//! Real servers and ordinary clients for tests: where their programs are, and servers that end with the test.

#![allow(dead_code, reason = "each test program needs a part of it")]

use seam_proxy::Upstream;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends a program when it is dropped.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that says nothing.
pub(crate) fn spawn(command: &mut Command) -> Ended {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ended(command.spawn().unwrap())
}

/// A server of the test's own; what it needs to be goes with it.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) dir: tempfile::TempDir,
    programs: Vec<Ended>,
}

impl Server {
    /// One of this process.
    pub(crate) fn here(port: u16) -> Self {
        Self { port, dir: tempfile::tempdir().unwrap(), programs: Vec::new() }
    }

    /// Starts a program, which is given its folder and port, and waits until it listens.
    pub(crate) fn start(dir: tempfile::TempDir, port: u16, command: &mut Command) -> Self {
        let programs = vec![spawn(command)];
        let server = Self { port, dir, programs };
        server.listens(port);
        server
    }

    /// Waits until it listens on one more port.
    pub(crate) fn listens(&self, port: u16) {
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "{:?} does not listen on {port}", self.dir);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Another program ends with it.
    pub(crate) fn goes_with(&mut self, program: Ended) {
        self.programs.push(program);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::Tcp(self.address())
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Says past the test harness, which shows nothing of a test that passes, that a test could not be made. `cargo xtask
/// test` counts these lines.
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current();
    let _ = writeln!(std::io::stdout(), "SKIPPED: {why} | {}", test.name().unwrap_or_default());
}

/// Where a program is; says loudly where it is not.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found =
        std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        skipped(&format!("needs {name}"));
    }
    found
}

/// The Python that has this module; says loudly where none has.
pub(crate) fn python(module: &str) -> Option<&'static str> {
    let has = |python: &&str| {
        let import = format!("import {module}");
        Command::new(python).args(["-c", &import]).output().is_ok_and(|out| out.status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has);
    if found.is_none() {
        skipped(&format!("needs {module} for Python"));
    }
    found
}

/// A MariaDB with an empty root password, started with more options.
pub(crate) fn mariadb(more: &[&str]) -> Option<Server> {
    let (install, server) = (program("mariadb-install-db")?, program("mariadbd")?);
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let user: &[&str] = if is_root(dir.path()) { &["--user=root"] } else { &[] };
    let common = |command: &mut Command| {
        command
            // Native input and output takes what the kernel has few of, for all servers together.
            .args(["--no-defaults", "--innodb-use-native-aio=0"])
            .arg(format!("--datadir={}", dir.path().join("data").display()))
            // Whoever starts clears away what it finds there, another one's as well.
            .arg(format!("--tmpdir={}", dir.path().display()))
            .args(user);
    };
    let mut installing = Command::new(install);
    common(&mut installing);
    let installed = installing.args(["--skip-test-db", "--auth-root-authentication-method=normal"]).output();
    let installed = installed.unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let mut command = Command::new(server);
    common(&mut command);
    command
        .args(["--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-buffer-pool-size=16M"])
        .arg(format!("--socket={}", dir.path().join("s").display()))
        .arg(format!("--port={port}"))
        .args(more);
    Some(Server::start(dir, port, &mut command))
}

fn is_root(ours: &Path) -> bool {
    std::fs::metadata(ours).is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0)
}

/// Debian's own on the path only starts it as the system's.
const RABBITMQ: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A RabbitMQ whose node, ports and files are nobody else's, with more lines of configuration.
pub(crate) fn rabbitmq(more: &str) -> Option<Server> {
    if !Path::new(RABBITMQ).exists() {
        skipped("needs rabbitmq-server");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let [port, names, nodes] = [free_port(), free_port(), free_port()];
    let names_port = names.to_string();
    let names = spawn(Command::new("epmd").args(["-port", &names_port, "-address", "127.0.0.1"]));
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let conf = format!("listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = false\n{more}");
    let conf = file("rabbitmq.conf", conf);
    let plugins = file("plugins", "[].\n".to_owned());
    let mut command = Command::new(RABBITMQ);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir.path())
        .env("RABBITMQ_NODENAME", format!("seam{port}@localhost"))
        .env("RABBITMQ_MNESIA_BASE", dir.path().join("mnesia"))
        .env("RABBITMQ_LOG_BASE", dir.path().join("log"))
        .env("RABBITMQ_CONFIG_FILE", conf)
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
        .env("RABBITMQ_DIST_PORT", nodes.to_string())
        .env("ERL_EPMD_PORT", names_port)
        // Its script becomes the node itself, which can then be ended by its number.
        .env("RUNNING_UNDER_SYSTEMD", "1")
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
    let mut server = Server::start(dir, port, &mut command);
    server.goes_with(names);
    Some(server)
}
