//! The parts of a measurement that run as processes of their own: this same program, called with another word.
//!
//! A part says `ready ADDRESS` when it can be used, and ends when its standard input does: should the measurement
//! die, nothing of it stays.

mod epoll;
mod hyper;
mod pool;
mod relay;
mod server;
mod stand;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

/// A part's name and what it does; what it gives keeps it alive, and says where it listens.
type Part = (&'static str, fn(&[String]) -> std::io::Result<Started>);

const PARTS: &[Part] = &[
    ("server", server::start),
    ("hyper", hyper::start),
    ("relay", relay::start),
    ("epoll", epoll::start),
    ("watched", stand::start),
    ("read", stand::start_read),
    ("recorded", stand::start_recorded),
    ("held", stand::start_held),
    ("pool", pool::start),
];

/// Where a started part listens, and what must live as long as it is to work.
pub(crate) type Started = (SocketAddr, Box<dyn std::any::Any>);

/// Runs the part of these words until its standard input ends.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let part = words.first().and_then(|word| PARTS.iter().find(|(name, _)| name == word));
    let Some((_, start)) = part else { return ExitCode::from(2) };
    crate::machine::raise_file_limit();
    match start(&words[1..]) {
        Ok((address, alive)) => {
            println!("ready {address}");
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            drop(alive);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench part {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

/// Where a relay leads: `127.0.0.1:80`, or `unix:/path`.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Upstream {
    /// As a word of the command line.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    fn read(word: Option<&String>) -> std::io::Result<Self> {
        let wrong = || std::io::Error::other("an address is missing: HOST:PORT or unix:/path");
        let word = word.ok_or_else(wrong)?;
        match word.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => word.parse().map(Self::Tcp).map_err(|_| wrong()),
        }
    }
}

/// A part that runs as a process of its own; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a part and waits until it is ready.
    pub(crate) fn start(words: &[&str]) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(own);
        command.arg("part").args(words);
        Self::of(command, &words.join(" "))
    }

    fn of(mut command: Command, what: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start `{what}`: {error}");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(failed)?;
        }
        let address = line.trim().strip_prefix("ready ").and_then(|address| address.parse().ok());
        if let Some(address) = address {
            return Ok(Self { child, address });
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(format!("`{what}` did not become ready"))
    }

    /// A program that is no part of ours, listening there as soon as it answers.
    pub(crate) fn other(command: Command, address: SocketAddr) -> Result<Self, String> {
        Self::patiently(command, address, std::time::Duration::from_secs(5))
    }

    /// The same, for one that may take longer.
    pub(crate) fn patiently(
        mut command: Command,
        address: SocketAddr,
        patience: std::time::Duration,
    ) -> Result<Self, String> {
        let quiet = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = quiet.spawn().map_err(|error| error.to_string())?;
        let process = Self { child, address };
        let until = std::time::Instant::now() + patience;
        while std::net::TcpStream::connect(address).is_err() {
            if std::time::Instant::now() > until {
                return Err("it did not listen in time".to_owned());
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(process)
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
