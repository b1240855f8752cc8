//! What PostgreSQL's messages mean: who asked for what, and which reply belongs to it.

use super::awaited::{Awaited, Entry, Named, Portal, Statement};
use super::connection::Sink;
use super::control::Status;
use super::frames::{Fields, Header};
use super::reading::{Asked, Copied, PostgresExchange, Reply};
use crate::conversation::{Direction, Exchange, Limits, Surprise};
use crate::kept::Room;
use seam_event::InteractionError;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One session.
pub(super) struct Session {
    limits: Limits,
    room: Room,
    /// What the server owes, in order.
    awaited: VecDeque<Entry>,
    /// How many of that are calls.
    n_calls: usize,
    statements: Named<Statement>,
    portals: Named<Portal>,
    /// What came so far for the first of what is awaited.
    reply: Reply,
    /// The server takes COPY data, and passes over a Sync meanwhile.
    takes_data: bool,
    /// After an error in a batch the server passes over everything up to the next Sync.
    skips: bool,
    /// What the batch executed last: an error at its end is about that.
    last: Option<Arc<Portal>>,
    pub(super) in_transaction: bool,
    /// The same, as the server said it.
    status: Status,
    /// The process of the server that serves it.
    pub(super) process: Option<u32>,
}

/// Where a session stands while nothing is owed.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own of the protocol")]
pub(super) struct Standing {
    /// The first message of the connection, which has no letter, has passed.
    pub(super) is_tagged: bool,
    /// TLS was asked for; the answer is a single byte.
    pub(super) answer_due: bool,
    pub(super) statements: Named<Statement>,
    pub(super) portals: Named<Portal>,
    pub(super) status: Status,
    pub(super) takes_data: bool,
    pub(super) skips: bool,
}

impl Session {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            room: Room::new(limits),
            awaited: VecDeque::new(),
            n_calls: 0,
            statements: Named::new(limits.kept_open),
            portals: Named::new(limits.kept_open),
            reply: Reply::default(),
            takes_data: false,
            skips: false,
            last: None,
            in_transaction: false,
            status: Status::Idle,
            process: None,
        }
    }

    /// Where the session stands, for whoever goes on from here.
    pub(super) fn standing(&self, is_tagged: bool, answer_due: bool) -> Standing {
        Standing {
            is_tagged,
            answer_due,
            statements: self.statements.clone(),
            portals: self.portals.clone(),
            status: self.status,
            takes_data: self.takes_data,
            skips: self.skips,
        }
    }

    /// Calls that are open; preparing something is one too.
    pub(super) fn n_open(&self) -> usize {
        self.n_calls.max(usize::from(!self.awaited.is_empty()))
    }

    /// What the server owes, in order.
    fn awaited(&self) -> impl Iterator<Item = &Awaited> {
        self.awaited.iter().map(|entry| &entry.awaited)
    }

    /// Where a message's payload goes.
    pub(super) fn sink(&mut self, direction: Direction, header: Header) -> Sink {
        match (direction, header.tag) {
            (_, b'd') => Sink::Copied,
            (Direction::ToConsumer, b'D') => self.begin_row(header.length),
            // Passwords stay unseen, and so do the server's part of signing in, its settings and its notices.
            (Direction::ToProvider, b'p' | b'S' | b'H' | b'X' | b'c' | b'f')
            | (Direction::ToConsumer, b'R' | b'S' | b'N' | b'V' | b'v') => Sink::Skip,
            _ => Sink::Whole,
        }
    }

    /// A row is kept whole or not at all, and none after one that was not.
    fn begin_row(&mut self, length: u32) -> Sink {
        self.reply.n_rows += 1;
        let n_bytes = length as usize + 4;
        let fits = self.reply.rows.len() + n_bytes <= self.limits.kept_body;
        if self.reply.rows_left_out || !fits || !self.room.take(n_bytes) {
            self.reply.rows_left_out = true;
            return Sink::Skip;
        }
        self.reply.rows.extend_from_slice(&length.to_be_bytes());
        Sink::Row
    }

    pub(super) fn keep_row(&mut self, bytes: &[u8]) {
        self.reply.rows.extend_from_slice(bytes);
    }

    pub(super) fn keep_copied(&mut self, direction: Direction, bytes: &[u8]) {
        let copied = self.reply.copied(direction);
        if copied.n_bytes == copied.first.len() as u64 {
            self.room.keep_body(&mut copied.first, bytes, self.limits.kept_body);
        }
        copied.n_bytes += bytes.len() as u64;
    }

    pub(super) fn pass_copied(&mut self, direction: Direction, n_bytes: u64) {
        self.reply.copied(direction).n_bytes += n_bytes;
    }

    pub(super) fn n_copied(&self, direction: Direction) -> usize {
        match direction {
            Direction::ToProvider => self.reply.copied_in.first.len(),
            Direction::ToConsumer => self.reply.copied_out.first.len(),
        }
    }

    /// Keeps a piece of a message that comes in several.
    pub(super) fn keep_piece(&mut self, scratch: &mut Vec<u8>, bytes: &[u8]) {
        self.room.keep_body(scratch, bytes, self.most());
    }

    /// Is nothing more kept where so much is?
    pub(super) fn is_full(&self, n_kept: usize) -> bool {
        n_kept >= self.most()
    }

    fn most(&self) -> usize {
        self.limits.kept_body.max(self.limits.head)
    }

    pub(super) fn give_back(&mut self, n_bytes: usize) {
        self.room.give_back(n_bytes);
    }

    /// A payload to keep, with what it takes of the room; empty where there is none left.
    fn keep(&mut self, payload: Cow<'_, [u8]>) -> Vec<u8> {
        let n_bytes = payload.len().min(self.most());
        if !self.room.take(n_bytes) {
            return Vec::new();
        }
        match payload {
            Cow::Borrowed(bytes) => bytes[..n_bytes].to_vec(),
            Cow::Owned(bytes) => bytes,
        }
    }

    fn push(&mut self, began: Duration, awaited: Awaited, n_kept: usize) -> Result<(), Surprise> {
        if self.awaited.len() >= self.limits.n_open {
            return Err(Surprise::new("too many requests without a reply"));
        }
        self.n_calls += usize::from(awaited.is_call());
        self.awaited.push_back(Entry { began, awaited, n_kept });
        Ok(())
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.awaited.pop_front()?;
        self.n_calls -= usize::from(entry.awaited.is_call());
        self.room.give_back(entry.n_kept);
        Some(entry)
    }

    /// The first real message of the connection.
    pub(super) fn started(&mut self, payload: Cow<'_, [u8]>, began: Duration) -> Result<(), Surprise> {
        if memchr::memmem::find(&payload, b"\0replication\0").is_some() {
            return Err(Surprise::new("replication"));
        }
        let parameters = self.keep(payload);
        let n_kept = parameters.len();
        self.push(began, Awaited::Startup(parameters), n_kept)
    }

    /// A connection whose only message asks for the end of another one's statement.
    pub(super) fn cancelled(&mut self, at: Duration, out: &mut Vec<Exchange>) {
        self.tell((at, Some(at)), Asked::Cancel, None, out);
    }

    pub(super) fn asked(&mut self, tag: u8, payload: Cow<'_, [u8]>, began: Duration) -> Result<(), Surprise> {
        if self.skips {
            if tag != b'S' {
                return Ok(());
            }
            self.skips = false;
        }
        if self.takes_data {
            self.takes_data = !matches!(tag, b'c' | b'f');
            return Ok(());
        }
        match tag {
            b'Q' => {
                let text = self.keep(payload);
                let n_kept = text.len();
                self.push(began, Awaited::Query { text: Arc::new(text), index: 0, refused: false }, n_kept)
            }
            b'P' => self.parse(payload, began),
            b'B' => self.bind(payload, began),
            b'D' | b'E' | b'C' => self.by_name(tag, &payload, began),
            b'S' => self.push(began, Awaited::Sync, 0),
            b'F' => {
                let function = Fields::new(&payload).u32().unwrap_or_default();
                self.push(began, Awaited::Function(function), 0)
            }
            b'c' | b'f' if !self.awaited.is_empty() => self.push(began, Awaited::CopyEnd, 0),
            _ => Ok(()),
        }
    }

    fn parse(&mut self, payload: Cow<'_, [u8]>, began: Duration) -> Result<(), Surprise> {
        let name = Fields::new(&payload).text().unwrap_or_default().to_vec();
        let parse = self.keep(payload);
        let n_kept = parse.len();
        let statement = Arc::new(Statement { parse, ..Statement::default() });
        self.statements.insert(&name, Arc::clone(&statement), n_kept);
        self.push(began, Awaited::Parse(statement), n_kept)
    }

    fn bind(&mut self, payload: Cow<'_, [u8]>, began: Duration) -> Result<(), Surprise> {
        let mut fields = Fields::new(&payload);
        let name = fields.text().unwrap_or_default().to_vec();
        let statement =
            fields.text().and_then(|statement| self.statements.get(statement)).unwrap_or_default();
        let bind = self.keep(payload);
        let n_kept = bind.len();
        let portal = Arc::new(Portal { statement, bind, ..Portal::default() });
        self.portals.insert(&name, Arc::clone(&portal), n_kept);
        self.push(began, Awaited::Bind(portal), n_kept)
    }

    /// Describe, Execute and Close, which name what was made before.
    fn by_name(&mut self, tag: u8, payload: &[u8], began: Duration) -> Result<(), Surprise> {
        let mut fields = Fields::new(payload);
        let kind = if tag == b'E' { b'P' } else { fields.byte().unwrap_or_default() };
        let name = fields.text().unwrap_or_default();
        let awaited = match (tag, kind) {
            (b'E', _) => Awaited::Execute(self.portals.get(name).unwrap_or_default()),
            (b'D', b'S') => Awaited::DescribeStatement(self.statements.get(name).unwrap_or_default()),
            (b'D', _) => Awaited::DescribePortal(self.portals.get(name).unwrap_or_default()),
            (_, b'S') => {
                self.statements.remove(name);
                Awaited::Close
            }
            _ => {
                self.portals.remove(name);
                Awaited::Close
            }
        };
        self.push(began, awaited, 0)
    }

    pub(super) fn answered(
        &mut self,
        tag: u8,
        payload: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<(), Surprise> {
        self.pop_data_ends();
        match tag {
            b'A' => {
                self.tell((at, Some(at)), Asked::Notification(payload.to_vec()), None, out);
                Ok(())
            }
            b'E' => {
                self.refused(payload, at, out);
                Ok(())
            }
            b'K' => {
                self.process = super::frames::Fields::new(payload).u32();
                Ok(())
            }
            b'Z' => self.ready(payload),
            b'C' | b'I' | b's' => self.completed(tag, payload, at, out),
            b'V' => {
                if let Some(Entry { awaited: Awaited::Function(function), began, .. }) = self.awaited.front()
                {
                    let (times, asked) = ((*began, Some(at)), Asked::Function(*function));
                    self.reply.answered = true;
                    self.tell(times, asked, None, out);
                }
                Ok(())
            }
            b'W' => Err(Surprise::new("replication")),
            b'G' => {
                self.begin_data();
                Ok(())
            }
            b'1' | b'2' | b'3' | b'n' | b't' | b'T' => self.prepared(tag, payload),
            _ => Ok(()),
        }
    }

    /// The end of COPY data that came behind what it belonged to.
    fn pop_data_ends(&mut self) {
        while matches!(self.awaited.front(), Some(Entry { awaited: Awaited::CopyEnd, .. })) {
            self.pop();
        }
    }

    /// The replies to what prepares an execution.
    fn prepared(&mut self, tag: u8, payload: &[u8]) -> Result<(), Surprise> {
        let Some(entry) = self.awaited.front() else { return Err(unasked()) };
        match (tag, &entry.awaited) {
            (b'T', Awaited::Query { .. }) => {
                self.reply.columns = Some(payload[..payload.len().min(self.most())].to_vec());
                return Ok(());
            }
            (b't', Awaited::DescribeStatement(statement)) => {
                // Described before: the first answer is as good.
                let _ = statement.types.set(payload.to_vec());
                return Ok(());
            }
            (b'T', Awaited::DescribeStatement(statement)) => drop(statement.columns.set(payload.to_vec())),
            (b'T', Awaited::DescribePortal(portal)) => drop(portal.columns.set(payload.to_vec())),
            (b'n', Awaited::DescribeStatement(_) | Awaited::DescribePortal(_))
            | (b'1', Awaited::Parse(_))
            | (b'2', Awaited::Bind(_))
            | (b'3', Awaited::Close) => {}
            _ => return Err(unasked()),
        }
        self.pop();
        Ok(())
    }

    /// A statement came to its end, or a portal to the end of what was asked of it.
    fn completed(
        &mut self,
        tag: u8,
        payload: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<(), Surprise> {
        self.takes_data = false;
        self.reply.answered = true;
        self.reply.suspended = tag == b's';
        if tag == b'C' {
            self.reply.tag = payload.strip_suffix(b"\0").unwrap_or(payload).to_vec();
        }
        match self.awaited.front_mut() {
            Some(Entry { began, awaited: Awaited::Query { text, index, .. }, .. }) => {
                let asked = Asked::Query { text: Arc::clone(text), index: *index };
                let times = (*began, Some(at));
                (*began, *index) = (at, *index + 1);
                self.tell(times, asked, None, out);
            }
            Some(Entry { began, awaited: Awaited::Execute(portal), .. }) => {
                let (times, portal) = ((*began, Some(at)), Arc::clone(portal));
                self.last = Some(Arc::clone(&portal));
                self.pop();
                self.tell(times, Asked::Portal(portal), None, out);
            }
            _ => return Err(unasked()),
        }
        Ok(())
    }

    /// The server takes COPY data: a Sync that was sent before the data's end is not seen by it.
    fn begin_data(&mut self) {
        let data_end = self.awaited.iter().position(|entry| matches!(entry.awaited, Awaited::CopyEnd));
        self.takes_data = data_end.is_none();
        let mut index = 0;
        self.awaited.retain(|entry| {
            index += 1;
            index > data_end.unwrap_or(usize::MAX) || !matches!(entry.awaited, Awaited::Sync)
        });
    }

    /// A statement that was refused before its parameters were looked at: with them, if they came along.
    fn about(&self, statement: Arc<Statement>) -> Asked {
        let bound =
            self.awaited().take_while(|awaited| awaited.is_skipped()).find_map(|awaited| match awaited {
                Awaited::Bind(portal) if Arc::ptr_eq(&portal.statement, &statement) => {
                    Some(Arc::clone(portal))
                }
                _ => None,
            });
        bound.map_or(Asked::Statement(statement), Asked::Portal)
    }

    /// A session's request is refused, or the session itself.
    fn refused(&mut self, payload: &[u8], at: Duration, out: &mut Vec<Exchange>) {
        self.takes_data = false;
        self.reply.answered = true;
        self.reply.error = Some(payload[..payload.len().min(self.most())].to_vec());
        let Some(entry) = self.awaited.front_mut() else {
            self.tell((at, Some(at)), Asked::Nothing, None, out);
            return;
        };
        let began = entry.began;
        let is_skipped = entry.awaited.is_skipped();
        let is_startup = matches!(entry.awaited, Awaited::Startup(_));
        let asked = match &mut entry.awaited {
            Awaited::Query { text, index, refused } => {
                *refused = true;
                Asked::Query { text: Arc::clone(text), index: *index }
            }
            Awaited::Sync => self.last.take().map_or(Asked::Nothing, Asked::Portal),
            Awaited::Parse(statement) | Awaited::DescribeStatement(statement) => {
                let statement = Arc::clone(statement);
                self.about(statement)
            }
            other => Asked::from(&*other),
        };
        if is_startup {
            self.pop();
        }
        if is_skipped {
            while self.awaited.front().is_some_and(|entry| entry.awaited.is_skipped()) {
                self.pop();
            }
            self.skips = !matches!(self.awaited.front(), Some(Entry { awaited: Awaited::Sync, .. }));
        }
        self.tell((began, Some(at)), asked, None, out);
    }

    fn ready(&mut self, payload: &[u8]) -> Result<(), Surprise> {
        match self.awaited.front().map(|entry| &entry.awaited) {
            Some(Awaited::Startup(_) | Awaited::Query { .. } | Awaited::Sync | Awaited::Function(_)) => {}
            _ => return Err(unasked()),
        }
        self.pop();
        self.pop_data_ends();
        self.last = None;
        self.room.give_back(self.reply.n_kept());
        self.reply = Reply::default();
        self.in_transaction = payload != b"I";
        self.status = Status::of(payload.first().copied().unwrap_or(b'I'));
        if !self.in_transaction && self.awaited.is_empty() {
            // Portals end with their transaction.
            self.portals.clear();
        }
        Ok(())
    }

    /// What was asked and is not answered yet, without what there is of the reply.
    pub(super) fn unfinished(&self) -> Vec<Exchange> {
        let calls = self.awaited.iter().filter(|entry| match &entry.awaited {
            Awaited::Query { refused, .. } => !refused,
            awaited => awaited.is_call(),
        });
        let told = calls.map(|entry| {
            let captured = PostgresExchange { asked: Asked::from(&entry.awaited), reply: Reply::default() };
            let captured = Box::new(captured);
            Exchange { call: None, began: entry.began, ended: None, error: None, cut: false, captured }
        });
        told.collect()
    }

    /// Nothing more comes: what is open is told as it is.
    pub(super) fn end(&mut self, error: Option<InteractionError>, out: &mut Vec<Exchange>) {
        let entries = std::mem::take(&mut self.awaited);
        let has_calls = std::mem::take(&mut self.n_calls) > 0;
        for entry in entries {
            self.room.give_back(entry.n_kept);
            let is_told = match &entry.awaited {
                Awaited::Query { refused, .. } => !refused,
                Awaited::Parse(_) => !has_calls,
                awaited => awaited.is_call(),
            };
            if is_told {
                self.tell((entry.began, None), Asked::from(&entry.awaited), error, out);
            }
        }
        self.in_transaction = false;
    }

    fn tell(
        &mut self,
        (began, ended): (Duration, Option<Duration>),
        asked: Asked,
        error: Option<InteractionError>,
        out: &mut Vec<Exchange>,
    ) {
        // What the server says by itself takes nothing of the reply that is under way.
        let is_unasked = matches!(asked, Asked::Notification(_) | Asked::Cancel);
        let reply = if is_unasked { Reply::default() } else { std::mem::take(&mut self.reply) };
        self.room.give_back(reply.n_kept());
        let cut =
            reply.rows_left_out || [&reply.copied_in, &reply.copied_out].into_iter().any(Copied::is_cut);
        let captured = Box::new(PostgresExchange { asked, reply });
        out.push(Exchange { call: None, began, ended, error, cut, captured });
    }
}

fn unasked() -> Surprise {
    Surprise::new("a reply that nobody asked for")
}
