//! A MySQL connection in pieces: each statement that is executed, and the whole of its reply.
//!
//! ```text
//! greeting ◀─  log-in ─▶  OK ◀─                                 Rest
//! PREPARE, CLOSE, PING, USE … ─▶  ◀─ their replies              Rest
//! QUERY, EXECUTE, FETCH ─▶ Request      result(s) ◀─ Reply      numbered from the request on
//! ```
//! Each command counts its packets anew, so what is answered in the server's place, or asked besides, disturbs nothing
//! behind it. What the server says stands in `said.rs`, what is said in its place in `stand_in.rs`.

use super::alone;
use super::compress::Frames;
use super::packets::{Came, Fields, Lane, Payloads, can};
use super::prepared::Statements;
use super::reading::KeptRequest;
use super::request::{Command, LogIn, command, read_command, read_log_in, statement, statement_id, types};
use super::walk::{Kind, Walk};
use crate::conversation::{Direction, Limits, Surprise};
use crate::splitter::{Behind, Call, Of, Piece, Splitting};
use std::collections::VecDeque;
use std::sync::Arc;

/// Cuts one connection.
pub(super) struct Cutter {
    pub(super) limits: Limits,
    pub(super) behind: Behind,
    /// Are replies told whole, as far as that goes?
    pub(super) gathers: bool,
    pub(super) n_calls: Call,
    pub(super) up: Lane,
    pub(super) down: Lane,
    pub(super) phase: Phase,
    /// What both sides can do; before the log-in what the server can.
    pub(super) can: u64,
    pub(super) log_in: LogIn,
    /// The server's status, as last said.
    pub(super) status: u16,
    /// Commands whose reply has not ended, the oldest first.
    pub(super) due: VecDeque<Due>,
    /// Calls whose reply has come, which may be answered all the same.
    pub(super) past: VecDeque<Past>,
    pub(super) prepared: Statements,
    /// The statement that was prepared last: MariaDB's clients execute it without knowing its number.
    pub(super) last_prepared: u32,
    /// What becomes of the rest of a large command.
    passing: Passing,
    /// Where the connection is compressed.
    pub(super) frames: Option<Frames>,
    /// So many bytes for the client came out before that, and have not been written.
    pub(super) n_plain: usize,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server has said nothing.
    Greeting,
    /// The client has to say who it is.
    LogIn,
    Commands,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Passing {
    /// Nothing of it has come out.
    #[default]
    Gathered,
    Call(Call),
    Rest,
}

/// A command whose reply has not ended.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) call: Option<Call>,
    pub(super) fate: Fate,
    pub(super) walk: Walk,
    /// The number of the reply's first packet.
    pub(super) seq: u8,
    /// Some of the reply came out.
    pub(super) has_begun: bool,
    /// What was asked, where that is told with a refusal only, or needed later: a statement's text.
    pub(super) about: Arc<str>,
    /// The first byte of the command.
    pub(super) command: u8,
    /// The statement that is executed.
    pub(super) statement: Option<u32>,
    /// The columns that came, as packets.
    pub(super) columns: Vec<u8>,
    /// The number under which it was prepared.
    pub(super) id: Option<u32>,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Told,
    Rest,
    /// Nobody sees it.
    Unseen,
    /// There is none: the command was answered in the server's place.
    None,
}

/// A call whose reply has come.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) call: Call,
    pub(super) kind: Kind,
    pub(super) seq: u8,
    pub(super) status: u16,
    pub(super) columns: Arc<[u8]>,
}

impl Cutter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            behind: Behind::Provider,
            gathers: true,
            n_calls: 0,
            up: Lane::default(),
            down: Lane::default(),
            phase: Phase::Greeting,
            can: 0,
            log_in: LogIn::default(),
            status: alone::FRESH,
            due: VecDeque::new(),
            past: VecDeque::new(),
            prepared: Statements::default(),
            last_prepared: u32::MAX,
            passing: Passing::Gathered,
            frames: None,
            n_plain: 0,
        }
    }

    /// The same connection, for one who begins now.
    pub(super) fn begun_anew(&self, splitting: Splitting) -> Self {
        let mut due = self.due.clone();
        for due in &mut due {
            due.call = None;
            if due.fate == Fate::Told {
                due.fate = Fate::Rest;
            }
        }
        let is_alone = splitting.behind == Behind::Nobody;
        Self {
            behind: splitting.behind,
            gathers: false,
            phase: if is_alone { Phase::LogIn } else { self.phase },
            can: if is_alone { alone::CAN } else { self.can },
            log_in: self.log_in.clone(),
            status: self.status,
            due,
            prepared: self.prepared.clone(),
            last_prepared: self.last_prepared,
            frames: self.frames.as_ref().map(|_| Frames::default()),
            ..Self::new(splitting.limits)
        }
    }

    pub(super) fn asks(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        loop {
            match self.up.next() {
                Came::Nothing => return Ok(()),
                Came::Some => self.passes_on(out)?,
                Came::Packet { first_seq, seq, first, length, is_small } => {
                    let whole = (first_seq, seq, first, length, is_small);
                    match self.passing {
                        Passing::Gathered => self.asked(whole, out)?,
                        Passing::Call(call) => {
                            let bytes = self.up.pending.take();
                            let to = Direction::ToProvider;
                            out.push(Piece { to, bytes, of: Of::More { call, whole: true } });
                            if let Some(due) = self.due.iter_mut().find(|due| due.call == Some(call)) {
                                due.seq = seq.wrapping_add(1);
                            }
                        }
                        Passing::Rest => self.rest(Direction::ToProvider, out),
                    }
                    self.passing = Passing::Gathered;
                }
            }
        }
    }

    /// A large packet goes on: once it is more than is gathered, what there is comes out.
    fn passes_on(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let n_seen = self.up.pending.seen().len();
        if n_seen <= self.limits.kept_body {
            return Ok(());
        }
        match self.passing {
            Passing::Call(call) => {
                let bytes = self.up.pending.take();
                out.push(Piece { to: Direction::ToProvider, bytes, of: Of::More { call, whole: false } });
            }
            Passing::Rest => self.rest(Direction::ToProvider, out),
            Passing::Gathered => {
                let first = self.up.passing().unwrap_or_default();
                let begins = self.up.pending.seen().get(3).copied() == Some(0);
                match read_command(first) {
                    Command::Call(kind) if begins && self.phase == Phase::Commands => {
                        self.request(kind, (first, 0), false, out)?;
                        self.passing = Passing::Call(self.n_calls);
                    }
                    // Of all others only the end says what they are.
                    _ if begins && n_seen <= self.limits.kept_open => {}
                    _ => {
                        self.passing = Passing::Rest;
                        self.rest(Direction::ToProvider, out);
                    }
                }
            }
        }
        Ok(())
    }

    /// A packet of the client is whole.
    fn asked(
        &mut self,
        (first_seq, seq, first, length, is_small): (u8, u8, u8, usize, bool),
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        match self.phase {
            Phase::Greeting => return Err(Surprise::new("the client speaks before the server")),
            Phase::LogIn => return self.logs_in((seq, first), (length, is_small), out),
            Phase::Commands => {}
        }
        if first_seq != 0 {
            // More of a dialogue: a file's content, another proof.
            if self.behind == Behind::Nobody {
                self.proves(seq, out);
            } else {
                self.rest(Direction::ToProvider, out);
            }
            return Ok(());
        }
        if self.due.len() >= self.limits.n_open {
            return Err(Surprise::new("too many commands without a reply"));
        }
        match read_command(first) {
            Command::Call(kind) => self.request(kind, (first, seq), true, out),
            Command::Rest(kind) => {
                self.asks_aside(kind, (first, seq), out);
                Ok(())
            }
            Command::Silent => {
                self.says_silently(first);
                self.rest(Direction::ToProvider, out);
                Ok(())
            }
            Command::Replicates => Err(Surprise::new("replication")),
            Command::Unknown => Err(Surprise::new("a command that MySQL does not have")),
        }
    }

    fn logs_in(
        &mut self,
        (seq, first): (u8, u8),
        (length, is_small): (usize, bool),
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        if !self.due.is_empty() {
            // Another proof.
            if self.behind == Behind::Nobody {
                self.proves(seq, out);
            } else {
                self.rest(Direction::ToProvider, out);
            }
            return Ok(());
        }
        let packet = self.up.packet(first, length, is_small);
        let said = Fields(packet.payload).u32().map(u64::from).unwrap_or_default();
        if said & can::SSL != 0 && packet.payload.len() == 32 {
            return Err(Surprise::new("TLS begins"));
        }
        if said & can::PROTOCOL_41 == 0 {
            return Err(Surprise::new("a client from before MySQL 4.1"));
        }
        let log_in =
            read_log_in(packet.payload).ok_or_else(|| Surprise::new("a log-in that can't be read"))?;
        self.can &= log_in.can;
        self.log_in = log_in;
        let due = self.due(Kind::LogIn, Fate::Rest, (0, seq), Arc::from(""));
        self.due.push_back(due);
        self.rest(Direction::ToProvider, out);
        if self.behind == Behind::Nobody {
            self.welcomes(seq, out);
        }
        Ok(())
    }

    fn due(&self, kind: Kind, fate: Fate, (command, seq): (u8, u8), about: Arc<str>) -> Due {
        Due {
            call: None,
            fate,
            walk: Walk::new(kind, self.can, self.status),
            seq: seq.wrapping_add(1),
            has_begun: false,
            about,
            command,
            statement: None,
            columns: Vec::new(),
            id: None,
        }
    }

    /// A statement is to be executed.
    fn request(
        &mut self,
        kind: Kind,
        (first, seq): (u8, u8),
        whole: bool,
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        if self.due.len() >= self.limits.n_open {
            return Err(Surprise::new("too many commands without a reply"));
        }
        let bytes = self.up.pending.take();
        let n_kept = bytes.len().min(self.limits.kept_body.saturating_add(4));
        let payload = bytes.get(4..).unwrap_or_default();
        let mut id = None;
        if first != command::QUERY {
            id = statement_id(payload).map(|id| if id == u32::MAX { self.last_prepared } else { id });
        }
        if let Some((id, prepared)) = id.and_then(|id| Some((id, self.prepared.get(id)?)))
            && first == command::EXECUTE
            && let Some(types) = types(payload, prepared, self.can)
        {
            self.prepared.change(id, self.limits, |prepared| prepared.types = types);
        }
        let prepared = id.and_then(|id| self.prepared.get(id).cloned()).map(Box::new);
        if let Some(id) = id {
            self.prepared.change(id, self.limits, |prepared| prepared.ahead.clear());
        }
        let sql: Arc<str> = match &prepared {
            Some(prepared) => Arc::clone(&prepared.statement),
            None if self.behind == Behind::Nobody && first == command::QUERY => {
                let payload = Payloads(&bytes).next().map(|payload| payload.bytes).unwrap_or_default();
                Arc::from(&*String::from_utf8_lossy(statement(&payload, self.can).0))
            }
            None => Arc::from(""),
        };
        if whole && self.behind == Behind::Nobody && self.answers_alone((kind, seq), &sql, out) {
            return Ok(());
        }
        self.n_calls += 1;
        let call = self.n_calls;
        let cut = !whole || n_kept < bytes.len();
        let read = Box::new(KeptRequest { bytes: bytes[..n_kept].to_vec(), cut, can: self.can, prepared });
        let of = Of::Request { call, whole, awaited: true, read };
        out.push(Piece { to: Direction::ToProvider, bytes, of });
        let due = self.due(kind, Fate::Told, (first, seq), sql);
        self.due.push_back(Due { call: Some(call), statement: id, ..due });
        Ok(())
    }

    /// A command that rules are not about.
    fn asks_aside(&mut self, kind: Kind, (first, seq): (u8, u8), out: &mut Vec<Piece>) {
        let payload =
            Payloads(self.up.pending.seen()).next().map(|payload| payload.bytes).unwrap_or_default();
        let about: Arc<str> = match first {
            command::PREPARE | command::INIT_DB => {
                let rest = payload.get(1..).unwrap_or_default();
                Arc::from(&*String::from_utf8_lossy(&rest[..rest.len().min(self.limits.kept_body)]))
            }
            _ => Arc::from(""),
        };
        if first == command::RESET
            && let Some(id) = statement_id(&payload)
        {
            self.prepared.change(id, self.limits, |prepared| prepared.ahead.clear());
        }
        if first == command::CHANGE_USER {
            let user = payload.get(1..).and_then(|rest| rest.split(|byte| *byte == 0).next());
            self.log_in.user = String::from_utf8_lossy(user.unwrap_or_default()).into_owned();
        }
        self.rest(Direction::ToProvider, out);
        if self.behind == Behind::Nobody {
            self.says_aside((first, seq), &about, out);
            return;
        }
        let due = self.due(kind, Fate::Rest, (first, seq), about);
        self.due.push_back(due);
    }

    /// A command without a reply.
    fn says_silently(&mut self, first: u8) {
        let seen = self.up.pending.seen();
        let Some(payload) = seen.get(4..) else { return };
        let Some(id) = statement_id(payload) else { return };
        match first {
            command::CLOSE => self.prepared.remove(id),
            command::LONG_DATA => {
                let Some((index, data)) = payload.get(5..).and_then(|rest| rest.split_first_chunk::<2>())
                else {
                    return;
                };
                self.prepared.send_ahead(id, (u16::from_le_bytes(*index), data), self.limits);
            }
            _ => {}
        }
    }

    pub(super) fn rest(&mut self, to: Direction, out: &mut Vec<Piece>) {
        let lane = if to == Direction::ToProvider { &mut self.up } else { &mut self.down };
        let bytes = lane.pending.take();
        if to == Direction::ToProvider && self.behind == Behind::Nobody {
            return;
        }
        if to == Direction::ToConsumer && self.phase != Phase::Commands {
            self.n_plain += bytes.len();
        }
        out.push(Piece { to, bytes, of: Of::Rest });
    }
}

impl Due {
    /// A command of ours, whose reply nobody sees.
    pub(super) fn unseen(walk: Walk) -> Self {
        Self {
            call: None,
            fate: Fate::Unseen,
            walk,
            seq: 1,
            has_begun: false,
            about: Arc::from(""),
            command: command::QUERY,
            statement: None,
            columns: Vec::new(),
            id: None,
        }
    }
}
