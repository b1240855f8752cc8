//! Seams towards servers that are neither Seamwork's services nor parts of this program: started where they are installed.

use super::question::{MQTT, MYSQL, NATS, Question, REDIS};
use super::seams::compare;
use crate::ground::Ground;
use crate::parts::{Process, Upstream};
use crate::row::Row;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A simple query of MariaDB that asks nobody for a password.
pub(crate) fn mysql(ground: &Ground) -> Result<Vec<Row>, String> {
    let install = program("mariadb-install-db", "mariadb-server")?;
    let server = program("mariadbd", "mariadb-server")?;
    let folder = ground.fresh_folder("mariadb");
    let data = format!("--datadir={}", folder.join("data").display());
    let installed = Command::new(install)
        .args([&data, "--user=root", "--skip-test-db", "--auth-root-authentication-method=normal"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    if !installed.success() {
        return Err("mariadb-install-db failed".to_owned());
    }
    serve(ground, (MYSQL, "mysql"), |address| {
        let mut command = Command::new(server);
        command.args([
            "--no-defaults",
            &data,
            "--user=root",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
        ]);
        command.arg(format!("--port={}", address.port()));
        command.arg(format!("--socket={}", folder.join("socket").display()));
        // Everybody who dials says nothing of a log-in until the greeting, so waiting for the port leaves errors behind.
        command.args(["--max-connect-errors=1000000", "--max-connections=500"]);
        command
    })
}

/// A key of Redis.
pub(crate) fn redis(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = program("redis-server", "redis-server")?;
    serve(ground, (REDIS, "redis"), |address| {
        let mut command = Command::new(server);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &address.port().to_string()]);
        command
    })
}

/// A message published to NATS, until it is back.
pub(crate) fn nats(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = program("nats-server", "nats-server")?;
    serve(ground, (NATS, "nats"), |address| {
        let mut command = Command::new(server);
        command.args(["-a", "127.0.0.1", "-p", &address.port().to_string()]);
        command
    })
}

/// A message published to Mosquitto, until it is acknowledged.
pub(crate) fn mqtt(ground: &Ground) -> Result<Vec<Row>, String> {
    let server = program("mosquitto", "mosquitto")?;
    serve(ground, (MQTT, "mqtt"), |address| {
        let mut command = Command::new(server);
        command.args(["-p", &address.port().to_string()]);
        command
    })
}

fn serve(
    ground: &Ground,
    (question, protocol): (Question, &str),
    command: impl FnOnce(SocketAddr) -> Command,
) -> Result<Vec<Row>, String> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = free.map_err(|error| error.to_string())?;
    let server = Process::other(command(address), address)?;
    let rows = compare(ground, question, protocol, &Upstream::Tcp(address));
    drop(server);
    rows
}

fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"]
        .into_iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not installed (Debian: apt-get install {package})"))
}
