//! The watcher: a small process that starts the components, and ends them when `seam` is gone, however it went.
//!
//! ```text
//!   seam ──── Unix socket ──── watcher (own session, subreaper, one thread, no runtime)
//!     ▲                          ├── orders      (own process group)
//!     └── pipes: stdout/stderr ──┤     └── whatever it starts
//!                                └── a daemon that somebody left: it comes back here
//! ```
//!
//! Rejected: a death signal (`PR_SET_PDEATHSIG`) reaches the child alone, not what that has started, and fires when
//! the *thread* that spawned it ends; process groups are left by every daemon; a PID namespace needs rights that
//! many machines do not give. Handlers are set for the signals that would end the watcher, not `SIG_IGN`, which
//! every component would inherit.

use super::inbox::{Inbox, Received};
use super::message::{Exit, Farewell, Over, Pause, Report, Request, SpawnRequest, StopSignal};
use super::processes::{self, Process, Table};
use super::registry::{self, Entry};
use super::strike::{self, Strike};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::process::{Signal, WaitOptions};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long to wait where a pidfd is missing and nobody says when a process has ended.
const BLIND_PAUSE: Duration = Duration::from_millis(5);

/// How long holding a component may take; a process that hangs in the kernel stands still only when it comes back.
const PAUSE_LIMIT: Duration = Duration::from_secs(1);

/// Is the watcher: `seam` calls this when its first argument is the hidden `__watch`, with the socket as standard
/// input. Comes back when all is ended. Code 2 where standard input is no such socket (somebody tried it by hand).
pub fn watch() -> ExitCode {
    let Ok(mut watch) = Watch::begin() else { return ExitCode::from(2) };
    // Even a mistake of ours must not leave the components running.
    let ended = catch_unwind(AssertUnwindSafe(|| watch.serve()));
    let over = watch.end_all();
    // Nobody may be there to hear it any more.
    let _ = watch.inbox.tell(&Report::Over(over));
    match ended {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

struct Watch {
    inbox: Inbox,
    run: String,
    cookie: String,
    registry: Option<Entry>,
    folders: Vec<PathBuf>,
    /// Becomes readable when a child has ended.
    child_ended: UnixStream,
    components: BTreeMap<u64, Component>,
    strikes: Vec<Strike>,
}

/// A component as the watcher knows it.
pub(super) struct Component {
    name: String,
    /// The first process; 0 once that number belongs to somebody else.
    pid: u32,
    exit: Option<Exit>,
    paused: bool,
    farewell: Option<Farewell>,
}

impl Watch {
    fn begin() -> io::Result<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::net::getpeername(&socket)?;
        let child_ended = take_signals()?;
        // Fails only where we lead a session already, which is as good.
        let _ = rustix::process::setsid();
        std::env::set_current_dir("/")?;
        let mut inbox = Inbox::new(socket);
        let (run, folder) = loop {
            let Received::Requests(requests) = inbox.receive()? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            match requests.into_iter().next() {
                Some(Request::Begin { run, registry }) => break (run, registry),
                Some(_) => return Err(io::Error::other("the first request is not `begin`")),
                None => {}
            }
        };
        if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
            let reason = format!("cannot become a subreaper: {error}");
            inbox.tell(&Report::Unfit { reason })?;
            return Err(error.into());
        }
        let own = processes::process(std::process::id()).ok_or(io::ErrorKind::Unsupported)?;
        // A run's id is short and another project may use the same: the cookie must name this run alone.
        let cookie = format!("{run}.{}.{}", own.pid, own.start);
        let (registry, unregistered) = match Entry::create(&folder, &run, &cookie, own.start) {
            Ok(entry) => (Some(entry), None),
            Err(error) => (None, Some(error.to_string())),
        };
        inbox.tell(&Report::Began { cookie: cookie.clone(), unregistered })?;
        Ok(Self {
            inbox,
            run,
            cookie,
            registry,
            folders: Vec::new(),
            child_ended,
            components: BTreeMap::new(),
            strikes: Vec::new(),
        })
    }

    /// Does what is asked until `seam` closes the socket or dies.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            self.reap()?;
            self.strike_on()?;
            if !self.wait()? {
                continue;
            }
            match self.inbox.receive()? {
                Received::Closed => return Ok(()),
                Received::Requests(requests) => {
                    for request in requests {
                        self.answer(request)?;
                    }
                }
            }
        }
    }

    /// Waits for a request, the end of a process, or a deadline. Says whether there is a request.
    fn wait(&mut self) -> io::Result<bool> {
        let timeout = self.strikes.iter().map(Strike::due).min().map(|due| timespec(due, Instant::now()));
        let mut fds = vec![
            PollFd::new(self.inbox.socket(), PollFlags::IN),
            PollFd::new(&self.child_ended, PollFlags::IN),
        ];
        fds.extend(self.strikes.iter().flat_map(Strike::poll_fds));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let asked = !fds[0].revents().is_empty();
        let ended = !fds[1].revents().is_empty();
        if ended {
            // One byte for each signal; what they say is found out by waiting for children.
            let _ = self.child_ended.read(&mut [0; 256]);
        }
        Ok(asked)
    }

    fn answer(&mut self, request: Request) -> io::Result<()> {
        match request {
            Request::Begin { .. } => Err(io::Error::other("`begin` came twice")),
            Request::Spawn(spawn) => {
                let report = self.spawn(spawn);
                self.inbox.tell(&report)
            }
            Request::Stop { ask, id, signal, whom, deadline } => {
                let members = self.members(id);
                let paused = self.components.get_mut(&id).is_some_and(|it| std::mem::take(&mut it.paused));
                let first = self.components.get(&id).map_or(0, |component| component.pid);
                let strike = Strike::begin((ask, id), &members, (signal, whom, first), deadline);
                if paused {
                    strike.signal(Signal::CONT);
                }
                self.strikes.push(strike);
                Ok(())
            }
            Request::Pause { ask, id, pause } => {
                self.pause(id, pause);
                self.inbox.tell(&Report::Done { ask })
            }
            Request::Pids { ask, id } => {
                let pids = self.members(id).iter().map(|process| process.pid).collect();
                self.inbox.tell(&Report::Pids { ask, pids })
            }
            Request::Folder { ask, path } => {
                if let Some(entry) = &mut self.registry {
                    // A full disk must not stop the run; the folder is removed all the same unless we die too.
                    let _ = entry.folder(&path);
                }
                self.folders.push(path);
                self.inbox.tell(&Report::Done { ask })
            }
        }
    }

    fn spawn(&mut self, spawn: SpawnRequest) -> Report {
        let id = spawn.id;
        let Some([stdin, stdout, stderr]) = self.inbox.descriptors() else {
            return Report::Refused { id, errno: None, reason: "no descriptors came with it".to_owned() };
        };
        let mut command = Command::new(&spawn.program);
        command
            .args(&spawn.arguments)
            .env_clear()
            .envs(spawn.env)
            .env(processes::COOKIE, &self.cookie)
            .env(processes::COMPONENT, &spawn.component)
            .current_dir(&spawn.dir)
            .process_group(0)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr);
        if let Some((uid, gid)) = spawn.user {
            command.uid(uid).gid(gid);
        }
        // Dropping the child neither ends nor waits for it: `reap` waits for everybody.
        match command.spawn() {
            Err(error) => Report::Refused { id, errno: error.raw_os_error(), reason: error.to_string() },
            Ok(child) => {
                let pid = child.id();
                for earlier in self.components.values_mut().filter(|earlier| earlier.pid == pid) {
                    earlier.pid = 0;
                }
                let (name, farewell) = (spawn.component, spawn.farewell);
                self.components.insert(id, Component { name, pid, exit: None, paused: false, farewell });
                Report::Started { id, pid }
            }
        }
    }

    /// Waits for every child that has ended, our own and those that came back to us.
    fn reap(&mut self) -> io::Result<()> {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => continue,
            };
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            let component =
                self.components.iter_mut().find(|(_, found)| found.pid == pid && found.exit.is_none());
            if let Some((id, component)) = component {
                component.exit = Some(exit);
                self.inbox.tell(&Report::Exited { id: *id, exit })?;
            }
        }
        Ok(())
    }

    /// Carries every stop that is under way one look further.
    fn strike_on(&mut self) -> io::Result<()> {
        let mut index = 0;
        while let Some(strike) = self.strikes.get(index) {
            if !strike.is_due(Instant::now()) {
                index += 1;
                continue;
            }
            let (id, ask) = (strike.id, strike.ask);
            let mut members = self.members(id);
            if members.is_empty() {
                // What hops from process to process while the table is read can be missed once.
                members = self.members(id);
            }
            if let Some(end) = self.strikes[index].advance(&members, Instant::now()) {
                self.strikes.swap_remove(index);
                // Its first process may have become a zombie since the last look; `exited` comes before `gone`.
                self.reap()?;
                // What has ended for good is forgotten: a long session runs thousands of commands.
                let is_over =
                    end.left.is_empty() && self.components.get(&id).is_some_and(|it| it.exit.is_some());
                if is_over {
                    self.components.remove(&id);
                }
                self.inbox.tell(&Report::Gone { ask, end })?;
            } else {
                index += 1;
            }
        }
        Ok(())
    }

    /// Holds or lets go on, until no process is left that was not reached (one may fork meanwhile), and all stand
    /// still where they shall.
    fn pause(&mut self, id: u64, pause: Pause) {
        let signal = match pause {
            Pause::Hold => Signal::STOP,
            Pause::GoOn => Signal::CONT,
        };
        let mut reached: Vec<(u32, u64)> = Vec::new();
        let limit = Instant::now() + PAUSE_LIMIT;
        while Instant::now() < limit {
            let members = self.members(id);
            let new: Vec<Process> =
                members.iter().filter(|member| !reached.contains(&member.name())).copied().collect();
            if new.is_empty() && (pause == Pause::GoOn || members.iter().all(|member| member.held)) {
                break;
            }
            strike::signal_all(&strike::hold_all(&new), signal);
            reached.extend(new.iter().map(Process::name));
            // What was signalled stands still a moment later.
            let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 500_000 }));
        }
        if let Some(component) = self.components.get_mut(&id) {
            component.paused = pause == Pause::Hold;
        }
    }

    /// The living processes of a component: its first with all below it, and what came back to us from it, known
    /// by its cookie, its group or its session.
    fn members(&self, id: u64) -> Vec<Process> {
        let Some(component) = self.components.get(&id) else { return Vec::new() };
        let table = Table::read();
        let own = std::process::id();
        let is_first = |pid: u32| {
            self.components.values().any(|component| component.pid == pid && component.exit.is_none())
        };
        let belongs = |process: &Process| {
            let by_group =
                component.pid != 0 && (process.group == component.pid || process.session == component.pid);
            by_group
                || (processes::carries(process.pid, processes::COOKIE, &self.cookie)
                    && processes::carries(process.pid, processes::COMPONENT, &component.name))
        };
        let mut tops: Vec<Process> = table
            .living()
            .filter(|process| process.parent == own && !is_first(process.pid) && belongs(process))
            .copied()
            .collect();
        if component.exit.is_none() {
            tops.extend(table.get(component.pid).filter(|process| !process.ended));
        }
        let roots: Vec<u32> = tops.iter().map(|process| process.pid).collect();
        tops.extend(table.descendants(&roots));
        tops
    }

    /// Ends everything that descends from us or bears the cookie, removes the run's folders and its file in the
    /// registry.
    fn end_all(&mut self) -> Over {
        let mut n_ended = self.bid_farewell();
        let own = std::process::id();
        let mut wait = || while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {};
        let cookie = self.cookie.clone();
        let look = || {
            let table = Table::read();
            let below = table.descendants(&[own]);
            if below.is_empty() { table.of_cookie(&cookie) } else { below }
        };
        let outcome = strike::kill_all(look, strike::kill_with_groups, &mut wait);
        n_ended += outcome.n_ended;
        let folders = std::mem::take(&mut self.folders);
        let folders: Vec<PathBuf> = folders
            .into_iter()
            .filter(|folder| registry::remove_folder(folder, &self.run).is_err())
            .collect();
        // What could not be ended or removed is tried again at the next start.
        if let Some(entry) = self.registry.take()
            && outcome.left.is_empty()
            && folders.is_empty()
        {
            entry.remove();
        }
        Over { n_ended, left: outcome.left, folders }
    }

    /// Asks those that clean up after themselves, and gives them their time, while all others are killed.
    fn bid_farewell(&mut self) -> usize {
        let asked: Vec<(u64, Duration)> = self
            .components
            .iter()
            .filter(|(_, component)| component.exit.is_none())
            .filter_map(|(id, component)| Some((*id, component.farewell?.grace)))
            .collect();
        let mut members = Vec::new();
        for (id, _) in &asked {
            let Some(component) = self.components.get(id) else { continue };
            let signal = component.farewell.map_or(StopSignal::Term, |farewell| farewell.signal).signal();
            let tree = strike::hold_all(&self.members(*id));
            if component.paused {
                strike::signal_all(&tree, Signal::CONT);
            }
            for held in tree.iter().filter(|held| held.process.pid == component.pid) {
                held.signal(signal);
            }
            members.extend(tree);
        }
        if members.is_empty() {
            return 0;
        }
        let spared: Vec<u32> = members.iter().map(|held| held.process.pid).collect();
        let others: Vec<Process> = Table::read()
            .descendants(&[std::process::id()])
            .into_iter()
            .filter(|process| !spared.contains(&process.pid))
            .collect();
        strike::signal_all(&strike::hold_all(&others), Signal::KILL);
        let grace = asked.iter().map(|(_, grace)| *grace).max().unwrap_or_default();
        strike::wait_for(members, Instant::now() + grace);
        others.len() + spared.len()
    }
}

/// Catches the signals that would end the watcher, and the end of children. The stream becomes readable then.
fn take_signals() -> io::Result<UnixStream> {
    use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM] {
        // What the flag says is of no interest: `seam` alone decides when it is over, by closing the socket.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, writer)?;
    Ok(reader)
}

/// How long until a moment, for `poll`; at once where it is over.
pub(super) fn timespec(due: Instant, now: Instant) -> Timespec {
    let left = due.saturating_duration_since(now);
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}

/// When to look again where there is nothing to poll on.
pub(super) fn blind(now: Instant) -> Instant {
    now + BLIND_PAUSE
}
