//! Who holds the other end of a connection? Looked up beside the path, never on it.
//!
//! Each consumer has an address of its own, but a component may hand the address it was given to another. On
//! Linux the kernel tells the inode of every socket, and every process lists its open files; whose process it is,
//! the watcher knows. What can't be found stays the declared consumer, marked as assumed.

mod sockets;

use crate::testbed::callers::sockets::Sockets;
use seam_event::ComponentId;
use seam_launch::Watcher;
use seam_proxy::{Callers, Dialled};
use std::collections::HashMap;
use std::fs;

/// Looks callers up in `/proc`.
pub(crate) struct ProcCallers {
    watcher: Watcher,
    sockets: Sockets,
    /// Whose each process is, none for processes that are not ours. A number that is given to another process
    /// during a run would be taken for the old one's; the kernel gives numbers anew only after all others.
    processes: HashMap<u32, Option<ComponentId>>,
}

impl ProcCallers {
    pub(crate) fn new(watcher: Watcher) -> Self {
        Self { watcher, sockets: Sockets::open(), processes: HashMap::new() }
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

    /// Finds the owners that are still wanted among the processes that are known.
    fn look(&self, inodes: &[Option<u64>], owners: &mut [Option<ComponentId>]) {
        for (process, component) in &self.processes {
            if !is_wanted(inodes, owners) {
                return;
            }
            let Some(component) = component else { continue };
            let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
            for inode in files.filter_map(|file| socket_inode(&fs::read_link(file.path()).ok()?)) {
                for (owner, wanted) in owners.iter_mut().zip(inodes) {
                    if *wanted == Some(inode) {
                        *owner = Some(component.clone());
                    }
                }
            }
        }
    }
}

impl Callers for ProcCallers {
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>> {
        let inodes = self.sockets.inodes(connections);
        let mut owners = vec![None; connections.len()];
        self.look(&inodes, &mut owners);
        if is_wanted(&inodes, &owners) {
            // A process that is new, perhaps.
            self.refresh();
            self.look(&inodes, &mut owners);
        }
        owners
    }
}

/// Is there a socket whose owner is not known yet?
fn is_wanted(inodes: &[Option<u64>], owners: &[Option<ComponentId>]) -> bool {
    inodes.iter().zip(owners).any(|(inode, owner)| inode.is_some() && owner.is_none())
}

fn socket_inode(link: &std::path::Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
