//! Who holds the other end of a connection? Looked up beside the path, never on it.
//!
//! Each consumer has an address of its own, but a component may hand the address it was given to another. On
//! Linux the kernel lists every socket with its inode, and every process lists its open files; whose process it
//! is, the watcher knows. What can't be found stays the declared consumer, marked as assumed.

use seam_event::ComponentId;
use seam_launch::Watcher;
use seam_proxy::Callers;
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Looks callers up in `/proc`.
pub(crate) struct ProcCallers {
    watcher: Watcher,
    /// Whose each process is, none for processes that are not ours. A number that is given to another process
    /// during a run would be taken for the old one's; the kernel gives numbers anew only after all others.
    processes: HashMap<u32, Option<ComponentId>>,
}

impl ProcCallers {
    pub(crate) fn new(watcher: Watcher) -> Self {
        Self { watcher, processes: HashMap::new() }
    }

    /// The components' processes that are there now.
    fn refresh(&mut self) {
        let now: Vec<u32> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        self.processes.retain(|process, _| now.contains(process));
        for process in now {
            let watcher = &self.watcher;
            self.processes.entry(process).or_insert_with(|| watcher.owner_of(process));
        }
    }
}

impl Callers for ProcCallers {
    fn owners(&mut self, clients: &[SocketAddr]) -> Vec<Option<ComponentId>> {
        let inodes = socket_inodes(clients);
        if inodes.iter().all(Option::is_none) {
            return vec![None; clients.len()];
        }
        self.refresh();
        let mut owners = vec![None; clients.len()];
        for (process, component) in &self.processes {
            let Some(component) = component else { continue };
            let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
            for inode in files.filter_map(|file| socket_inode(&fs::read_link(file.path()).ok()?)) {
                for (owner, wanted) in owners.iter_mut().zip(&inodes) {
                    if *wanted == Some(inode) {
                        *owner = Some(component.clone());
                    }
                }
            }
        }
        owners
    }
}

fn socket_inode(link: &std::path::Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The inode of the socket that is bound to each of these addresses.
fn socket_inodes(clients: &[SocketAddr]) -> Vec<Option<u64>> {
    let mut inodes = vec![None; clients.len()];
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for (local, inode) in text.lines().skip(1).filter_map(table_line) {
            for (found, client) in inodes.iter_mut().zip(clients) {
                if same(local, *client) && inode != 0 {
                    *found = Some(inode);
                }
            }
        }
    }
    inodes
}

/// `  0: 0100007F:1F90 00000000:0000 0A … inode …` to the local address and the inode.
fn table_line(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = words.nth(7)?.parse().ok()?;
    // Each group of eight digits is a number of four bytes in the machine's order; the last is the IPv4 part.
    let last = u32::from_str_radix(address.get(address.len().checked_sub(8)?..)?, 16).ok()?;
    Some((SocketAddr::from((Ipv4Addr::from(last.to_ne_bytes()), port)), inode))
}

fn same(local: SocketAddr, client: SocketAddr) -> bool {
    let IpAddr::V4(local_ip) = local.ip() else { return false };
    local.port() == client.port()
        && match client.ip() {
            IpAddr::V4(ip) => ip == local_ip,
            IpAddr::V6(ip) => ip.to_ipv4().is_some_and(|ip| ip == local_ip),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_line_of_the_kernels_table_is_read() {
        let line = "   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1";
        assert_eq!(table_line(line), Some((SocketAddr::from(([127, 0, 0, 1], 50_000)), 4711)));
        assert_eq!(table_line("sl local_address"), None);
    }

    #[test]
    fn the_inode_of_a_client_is_found_while_it_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let inodes = socket_inodes(&[client.local_addr().unwrap(), SocketAddr::from(([127, 0, 0, 1], 1))]);
        assert!(inodes[0].is_some());
        assert!(inodes[1].is_none());
    }
}
