//! What a MySQL server says: greetings, replies that belong to the oldest command, and words at the end.

use super::alone;
use super::compress::Frames;
use super::packets::{Came, Payloads, can};
use super::reading::{KeptReply, error};
use super::request::{Prepared, command, read_greeting};
use super::splitter::{Cutter, Due, Fate, Past, Phase};
use super::walk::{Kind, What};
use crate::conversation::{Direction, Parts, Surprise};
use crate::splitter::{Call, Of, Piece, Read};
use seam_value::Value;
use std::sync::Arc;

/// Calls whose reply has come, and so many of which are remembered.
const MOST_PAST: usize = 256;
/// Columns up to so many bytes are remembered.
const MOST_COLUMNS: usize = 64 * 1024;

impl Cutter {
    pub(super) fn says(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        loop {
            match self.down.next() {
                Came::Nothing => break,
                Came::Some => {}
                Came::Packet { seq, first, length, is_small, .. } => {
                    self.said((seq, first), (length, is_small), out)?;
                }
            }
            if self.down.pending.seen().len() > self.limits.kept_body {
                self.pass_over_answered();
                self.lets_out(out);
            }
            if self.due.is_empty() && self.down.pending.seen().len() > self.limits.kept_open {
                return Err(Surprise::new("a reply that nobody asked for"));
            }
        }
        if !self.gathers {
            self.lets_out(out);
        }
        Ok(())
    }

    /// What has come of the oldest reply comes out, though it has not ended.
    fn lets_out(&mut self, out: &mut Vec<Piece>) {
        if self.down.pending.seen().is_empty() {
            return;
        }
        let Some(due) = self.due.front_mut() else { return };
        match (due.fate, due.call) {
            (Fate::Told, Some(call)) => self.told(call, false, out),
            (Fate::Rest, _) if self.down.pending.seen().len() > self.limits.kept_open => {
                due.has_begun = true;
                self.rest(Direction::ToConsumer, out);
            }
            (Fate::Unseen, _) => drop(self.down.pending.take()),
            _ => {}
        }
    }

    fn said(
        &mut self,
        (seq, first): (u8, u8),
        (length, is_small): (usize, bool),
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        self.pass_over_answered();
        let packet = self.down.packet(first, length, is_small);
        let Some(due) = self.due.front_mut() else { return self.said_unasked(packet.first, out) };
        let (what, ends) = due.walk.step(&packet)?;
        match what {
            What::Column if is_small && due.columns.len() + length < MOST_COLUMNS => {
                let n_bytes = length + 4;
                let seen = self.down.pending.seen();
                due.columns.extend_from_slice(&seen[seen.len().saturating_sub(n_bytes)..]);
            }
            What::Count => due.columns.clear(),
            What::Prepared { id } => due.id = Some(id),
            What::Asks => {
                self.asks_for_more(seq, out);
                return Ok(());
            }
            _ => {}
        }
        if ends {
            self.reply_ended(what, out);
        }
        Ok(())
    }

    /// What was answered in the server's place has no reply.
    fn pass_over_answered(&mut self) {
        while self.due.front().is_some_and(|due| due.fate == Fate::None) {
            self.due.pop_front();
        }
    }

    /// A greeting, or words at the end.
    fn said_unasked(&mut self, first: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        if first == 0xff {
            let request = match self.phase {
                Phase::Commands => Value::Null,
                Phase::Greeting | Phase::LogIn => self.who(),
            };
            self.refused(request, out);
            return Ok(());
        }
        if self.phase != Phase::Greeting {
            return Err(Surprise::new("a reply that nobody asked for"));
        }
        let payload =
            Payloads(self.down.pending.seen()).next().map(|payload| payload.bytes).unwrap_or_default();
        self.can = read_greeting(&payload).ok_or_else(|| Surprise::new("no greeting of MySQL"))?;
        self.phase = Phase::LogIn;
        self.rest(Direction::ToConsumer, out);
        Ok(())
    }

    fn who(&self) -> Value {
        let database = self.log_in.database.as_deref().map_or(Value::Null, Value::text);
        Value::map([("user", Value::text(&*self.log_in.user)), ("database", database)])
    }

    /// The server refuses what is told only then.
    fn refused(&mut self, request: Value, out: &mut Vec<Piece>) {
        let bytes = self.down.pending.take();
        let last = Payloads(&bytes).last().map(|payload| payload.bytes).unwrap_or_default();
        let error = Value::map([("error", error(&last))]);
        let parts = if request == Value::Null {
            Parts { message: error, ..Parts::default() }
        } else {
            Parts { request, reply: error, ..Parts::default() }
        };
        let of = Of::Message { call: None, read: Box::new(Read(parts)) };
        out.push(Piece { to: Direction::ToConsumer, bytes, of });
    }

    /// The server wants a file's content, or another proof.
    fn asks_for_more(&mut self, seq: u8, out: &mut Vec<Piece>) {
        let Some(due) = self.due.front_mut() else { return };
        if due.fate != Fate::Unseen {
            self.rest(Direction::ToConsumer, out);
            return;
        }
        drop(self.down.pending.take());
        let mut bytes = Vec::new();
        super::packets::put_packet(&mut bytes, &mut seq.wrapping_add(1), &[]);
        out.push(Piece { to: Direction::ToProvider, bytes, of: Of::Rest });
    }

    fn reply_ended(&mut self, what: What, out: &mut Vec<Piece>) {
        if let (Some(Fate::Told), Some(call)) =
            (self.due.front().map(|due| due.fate), self.due.front().and_then(|due| due.call))
        {
            self.told(call, true, out);
        }
        let Some(due) = self.due.pop_front() else { return };
        self.status = due.walk.status;
        let is_error = what == What::Error;
        self.changed(&due, is_error);
        match due.fate {
            Fate::Told => {
                if let Some(call) = due.call {
                    if self.past.len() >= MOST_PAST {
                        self.past.pop_front();
                    }
                    let columns = due.columns.into();
                    let (kind, seq, status) = (due.walk.kind, due.seq, due.walk.status);
                    self.past.push_back(Past { call, kind, seq, status, columns });
                }
            }
            Fate::Rest if is_error && !due.has_begun && due.command != 0x0a => {
                let request = match due.command {
                    0 | command::CHANGE_USER => self.who(),
                    command::PREPARE => request_of("prepare", Value::text(&*due.about)),
                    command::INIT_DB => request_of("use", Value::text(&*due.about)),
                    _ => request_of("other", Value::Null),
                };
                self.refused(request, out);
            }
            Fate::Rest => self.rest(Direction::ToConsumer, out),
            Fate::Unseen | Fate::None => drop(self.down.pending.take()),
        }
    }

    /// What a command changed on the connection.
    fn changed(&mut self, due: &Due, is_error: bool) {
        if is_error {
            return;
        }
        match (due.walk.kind, due.command) {
            (Kind::LogIn, 0) => {
                self.phase = Phase::Commands;
                if self.can & can::COMPRESS != 0 {
                    self.frames = Some(Frames::default());
                    self.n_plain += self.down.pending.seen().len();
                }
            }
            (Kind::LogIn, _) | (_, command::RESET_CONNECTION) => self.prepared.clear(),
            (Kind::Prepare, _) => {
                let Some(id) = due.id else { return };
                self.remember(id, Arc::clone(&due.about), due.columns.clone());
            }
            (Kind::Execute, _) => {
                if let Some(id) = due.statement.filter(|_| !due.columns.is_empty()) {
                    let columns = due.columns.clone().into();
                    self.prepared.change(id, self.limits, |prepared| prepared.columns = columns);
                }
            }
            _ => {}
        }
    }

    pub(super) fn remember(&mut self, id: u32, statement: Arc<str>, columns: Vec<u8>) {
        let n_parameters = alone::n_parameters(&statement);
        let columns = columns.into();
        let prepared = Prepared { statement, n_parameters, columns, ..Prepared::default() };
        self.prepared.insert(id, prepared, self.limits);
        self.last_prepared = id;
    }

    /// The reply to a call comes out, as far as it has come.
    fn told(&mut self, call: Call, whole: bool, out: &mut Vec<Piece>) {
        let bytes = self.down.pending.take();
        let Some(due) = self.due.front_mut() else { return };
        let to = Direction::ToConsumer;
        if std::mem::replace(&mut due.has_begun, true) {
            out.push(Piece { to, bytes, of: Of::More { call, whole } });
            return;
        }
        let known = due.statement.and_then(|id| self.prepared.get(id));
        let columns = known.map_or_else(|| Arc::from([]), |prepared| Arc::clone(&prepared.columns));
        let n_kept = bytes.len().min(self.limits.kept_body);
        let read = Box::new(KeptReply {
            bytes: bytes[..n_kept].to_vec(),
            cut: !whole || n_kept < bytes.len(),
            can: due.walk.can(),
            kind: due.walk.kind,
            columns,
        });
        out.push(Piece { to, bytes, of: Of::Reply { call, whole, awaited: true, read } });
    }
}

fn request_of(command: &str, statement: Value) -> Value {
    Value::map([
        ("command", Value::text(command)),
        ("statement", statement),
        ("parameters", Value::List(Vec::new())),
    ])
}
