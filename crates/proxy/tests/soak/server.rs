//! The servers: programs of the soak's own, that end with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server; what it needs to be goes with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    programs: Vec<Ended>,
    _folder: Option<tempfile::TempDir>,
}

/// Ends a program when it is dropped.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// One of this process.
    pub(crate) fn here(address: SocketAddr) -> Self {
        Self { address, programs: Vec::new(), _folder: None }
    }

    /// Another program ends with it.
    pub(crate) fn goes_with(&mut self, program: Ended) {
        self.programs.push(program);
    }

    /// Starts a program and waits until it listens.
    pub(crate) fn start(folder: tempfile::TempDir, port: u16, command: &mut Command) -> Self {
        let program = spawn(command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { address, programs: vec![program], _folder: Some(folder) }
    }
}

pub(crate) fn spawn(command: &mut Command) -> Ended {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ended(command.spawn().unwrap())
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|file| file.is_file())
}
