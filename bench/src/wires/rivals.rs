//! Who stands between the one who asks and the one who answers: nobody, plain relays, HAProxy, Seamwork.

use crate::ground::Ground;
use crate::parts::{Process, Upstream};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Somebody between the two.
pub(crate) struct Rival {
    /// What it is called in the rows.
    pub(crate) name: &'static str,
    /// Where to dial.
    pub(crate) address: Upstream,
    /// Its process; nobody has none.
    pub(crate) process: Option<Process>,
}

/// Rivals that are not there, and why.
pub(crate) type Missing = Vec<(&'static str, String)>;

/// All of them that are there, the floor (tokio's plain relay) second, nobody first; and who is not there and why.
pub(crate) fn all(
    ground: &Ground,
    protocol: &str,
    upstream: &Upstream,
) -> Result<(Vec<Rival>, Missing), String> {
    let word = upstream.word();
    let folder = ground.fresh_folder(&format!("recorded-{protocol}")).display().to_string();
    // Whatever HTTP it is, the seam's protocol is that of its name.
    let protocol = protocol.trim_end_matches('2');
    let ours: [(&'static str, Vec<&str>); 6] = [
        ("relay", vec!["relay", &word]),
        ("epoll relay", vec!["epoll", &word]),
        ("watched", vec!["watched", protocol, &word]),
        ("read", vec!["read", protocol, &word]),
        ("recorded", vec!["recorded", protocol, &word, &folder]),
        ("held", vec!["held", protocol, &word]),
    ];
    let mut rivals = vec![Rival { name: "direct", address: upstream.clone(), process: None }];
    for (name, words) in ours {
        let process = Process::start(&words)?;
        rivals.push(Rival { name, address: Upstream::Tcp(process.address), process: Some(process) });
    }
    let mut missing = Vec::new();
    match haproxy(ground, upstream) {
        Ok(process) => rivals.push(Rival {
            name: "haproxy",
            address: Upstream::Tcp(process.address),
            process: Some(process),
        }),
        Err(why) => missing.push(("haproxy", why)),
    }
    Ok((rivals, missing))
}

/// HAProxy in tcp mode on one thread.
fn haproxy(ground: &Ground, upstream: &Upstream) -> Result<Process, String> {
    let program = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/homebrew/bin/haproxy"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or("HAProxy is not installed (Debian: apt-get install haproxy)")?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = free.map_err(|error| error.to_string())?;
    let to = match upstream {
        Upstream::Tcp(address) => address.to_string(),
        Upstream::Unix(path) => format!("unix@{}", path.display()),
    };
    let configuration = format!(
        "global\n  nbthread 1\n  maxconn 9000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  \
         timeout server 60s\nlisten bench\n  bind {address}\n  server upstream {to}\n"
    );
    let file = ground.fresh_folder("haproxy").join("haproxy.cfg");
    std::fs::write(&file, configuration).map_err(|error| error.to_string())?;
    Process::other(started(&program, &file), address)
}

fn started(program: &Path, configuration: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(configuration);
    command
}
