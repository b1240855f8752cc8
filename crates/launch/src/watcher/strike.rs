//! Ending a tree of processes: ask, wait, then kill until none is left.
//!
//! A tree is looked at again after every end in it, because what is asked to stop may start something else first.

use super::message::{End, StopSignal, Whom};
use super::processes::{self, Held, Process};
use super::watch::{blind, timespec};
use rustix::event::{PollFd, poll};
use rustix::process::Signal;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long a killed process may take to vanish before it is told as left: it hangs in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A component that is being stopped.
pub(super) struct Strike {
    pub(super) ask: u64,
    pub(super) id: u64,
    /// When it is made to end; after that, when it is given up.
    deadline: Instant,
    phase: Phase,
    members: Vec<Held>,
    /// Was one already gone when it was to be held? Then look again at once.
    look_again: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Asked,
    /// Killed, because the deadline had passed.
    Forced,
    /// Killed, because that is what was wanted.
    Killed,
}

/// What came of killing.
pub(crate) struct Outcome {
    pub(crate) n_ended: usize,
    pub(crate) left: Vec<u32>,
}

impl Strike {
    /// Sends the first signal. `who` is the signal, whom it goes to, and the first process.
    pub(super) fn begin(
        (ask, id): (u64, u64),
        tree: &[Process],
        (signal, whom, first): (StopSignal, Whom, u32),
        deadline: Duration,
    ) -> Self {
        let members = hold_all(tree);
        let look_again = members.len() < tree.len();
        let now = Instant::now();
        if signal == StopSignal::Kill {
            kill_with_groups(&members);
            return Self { ask, id, deadline: now + KILL_LIMIT, phase: Phase::Killed, members, look_again };
        }
        // Where its first process is gone already, those that are left are asked themselves.
        let has_first = members.iter().any(|held| held.process.pid == first);
        for held in &members {
            if whom == Whom::Tree || !has_first || held.process.pid == first {
                held.signal(signal.signal());
            }
        }
        Self { ask, id, deadline: now + deadline, phase: Phase::Asked, members, look_again }
    }

    /// Sends a signal to all that are held.
    pub(super) fn signal(&self, signal: Signal) {
        signal_all(&self.members, signal);
    }

    /// Is it time to look again?
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.look_again
            || now >= self.deadline
            || self.members.iter().any(|held| !held.is_living())
            || self.members.is_empty()
    }

    /// When to look again at the latest.
    pub(super) fn due(&self) -> Instant {
        let now = Instant::now();
        if self.look_again || self.members.is_empty() {
            now
        } else if self.members.iter().any(|held| held.poll_fd().is_none()) {
            self.deadline.min(blind(now))
        } else {
            self.deadline
        }
    }

    /// What to poll on for an end in the tree.
    pub(super) fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.members.iter().filter_map(Held::poll_fd)
    }

    /// Looks at what is left. Gives the end once nothing is, or once it is given up.
    pub(super) fn advance(&mut self, tree: &[Process], now: Instant) -> Option<End> {
        let by_force = self.phase == Phase::Forced;
        // Who was orphaned meanwhile, and has overwritten the cookie in its environment as PostgreSQL's processes do
        // to show their titles, is found in no tree any more; but we hold it still.
        let held = self.members.iter().filter(|held| held.is_living()).map(|held| held.process);
        let mut tree = tree.to_vec();
        let orphaned: Vec<Process> = held.filter(|process| !tree.contains(process)).collect();
        tree.extend(orphaned);
        if tree.is_empty() {
            return Some(End { by_force, left: Vec::new() });
        }
        self.members = hold_all(&tree);
        self.look_again = self.members.len() < tree.len();
        if now >= self.deadline {
            if self.phase != Phase::Asked {
                return Some(End { by_force, left: tree.iter().map(|process| process.pid).collect() });
            }
            self.phase = Phase::Forced;
            self.deadline = now + KILL_LIMIT;
        }
        if self.phase != Phase::Asked {
            kill_with_groups(&self.members);
        }
        None
    }
}

/// Kills each, and nothing else.
pub(super) fn kill_alone(members: &[Held]) {
    signal_all(members, Signal::KILL);
}

/// Takes hold of all that still live.
pub(crate) fn hold_all(tree: &[Process]) -> Vec<Held> {
    tree.iter().copied().filter_map(Held::of).collect()
}

/// Sends a signal to each.
pub(crate) fn signal_all(members: &[Held], signal: Signal) {
    for held in members {
        // One that has just ended, or is not ours to signal, is seen at the next look.
        held.signal(signal);
    }
}

/// Kills each, and every process group that one of them is in: a group is hit as a whole, also what is born in it at
/// this moment, which the table could not show. Groups of what descends from the watcher hold nothing else, because
/// the watcher leads a session of its own; its own group is let alone.
pub(super) fn kill_with_groups(members: &[Held]) {
    signal_all(members, Signal::KILL);
    let own = rustix::process::getpgrp();
    let groups: HashSet<u32> = members.iter().map(|held| held.process.group).collect();
    for group in groups.into_iter().filter_map(processes::rustix_pid).filter(|group| *group != own) {
        // It may be empty by now.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

/// Kills, by `kill`, what `look` finds until it finds nothing, twice: what hops from process to process while the table is read
/// can be missed once. `wait` takes the ended ones off the table, where they are ours.
pub(crate) fn kill_all(
    look: impl Fn() -> Vec<Process>,
    kill: fn(&[Held]),
    wait: &mut dyn FnMut(),
) -> Outcome {
    let give_up = Instant::now() + KILL_LIMIT;
    let mut seen: HashSet<(u32, u64)> = HashSet::new();
    let mut was_empty = false;
    loop {
        wait();
        let found = look();
        if found.is_empty() && was_empty {
            return Outcome { n_ended: seen.len(), left: Vec::new() };
        }
        was_empty = found.is_empty();
        if Instant::now() >= give_up {
            let left: Vec<u32> = found.iter().map(|process| process.pid).collect();
            return Outcome { n_ended: seen.len().saturating_sub(left.len()), left };
        }
        seen.extend(found.iter().map(|process| (process.pid, process.start)));
        let members = hold_all(&found);
        kill(&members);
        // Not longer: what forks while it is being killed must be found soon.
        wait_for(members, Instant::now() + Duration::from_millis(50));
    }
}

/// Waits until all have ended, or the deadline.
pub(crate) fn wait_for(mut members: Vec<Held>, deadline: Instant) {
    loop {
        members.retain(Held::is_living);
        let now = Instant::now();
        if members.is_empty() || now >= deadline {
            return;
        }
        let mut fds: Vec<PollFd<'_>> = members.iter().filter_map(Held::poll_fd).collect();
        let until = if fds.len() == members.len() { deadline } else { deadline.min(blind(now)) };
        // An interruption or a failure to poll only means to look earlier.
        let _ = poll(&mut fds, Some(&timespec(until, now)));
    }
}
