//! What is said in a MySQL server's place, and what is sent to it so that both sides stay in step.

use super::alone;
use super::packets::{Payloads, can, put_packet, status};
use super::reading::{Column, columns};
use super::request::command;
use super::saying::{self, DEADLOCK, Said, To, ok};
use super::splitter::{Cutter, Fate, Phase};
use super::walk::{Kind, Walk};
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Behind, Call, NOBODY, Of, Piece, Splitter, Splitting, Unanswerable};
use crate::watching::Resumed;
use seam_value::Value;
use std::sync::Arc;

impl Splitter for Cutter {
    fn begin(&mut self, out: &mut Vec<Piece>) {
        if self.behind == Behind::Nobody {
            say(alone::greeting(), out);
        }
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let is_up = direction == Direction::ToProvider;
        let mut unpacked = Vec::new();
        let mut is_readable = Ok(());
        let bytes = match &mut self.frames {
            Some(frames) => {
                let side = if is_up { &mut frames.from_client } else { &mut frames.from_server };
                is_readable = side.unpack(bytes, &mut unpacked);
                &unpacked
            }
            None => bytes,
        };
        let is_opaque = self.phase == Phase::Commands && self.can & (can::ZSTD | can::COMPRESS) == can::ZSTD;
        if is_up {
            self.up.pending.push(bytes);
        } else {
            self.down.pending.push(bytes);
        }
        if is_opaque {
            return Err(Surprise::new("compression by zstd"));
        }
        let cut = if is_up { self.asks(out) } else { self.says(out) };
        cut.and(is_readable)
    }

    fn gather_replies(&mut self, gather: bool) {
        self.gathers = gather;
    }

    fn lets_go(&self, untouched: bool) -> bool {
        untouched
            && self.due.is_empty()
            && self.n_plain == 0
            && !self.is_within(Direction::ToProvider)
            && !self.is_within(Direction::ToConsumer)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        let is_up = direction == Direction::ToProvider;
        let rest = if is_up { self.up.pending.take_all() } else { self.down.pending.take_all() };
        let Some(frames) = &mut self.frames else { return rest };
        let (mut rest, mut raw) = if is_up {
            (frames.for_server(&rest), frames.from_client.take_raw())
        } else {
            (frames.for_client(&rest), frames.from_server.take_raw())
        };
        rest.append(&mut raw);
        rest
    }

    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        if to == Direction::ToConsumer && self.n_plain > 0 {
            self.n_plain = self.n_plain.saturating_sub(bytes.len());
            return bytes;
        }
        match (&mut self.frames, to) {
            (Some(frames), Direction::ToProvider) => frames.for_server(&bytes),
            (Some(frames), Direction::ToConsumer) => frames.for_client(&bytes),
            (None, _) => bytes,
        }
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let said = saying::read(answer)?;
        if let Some(past) = self.past.iter().rev().find(|past| past.call == call) {
            // The server's reply is replaced.
            let columns = columns(&past.columns, self.can);
            let to = To {
                can: self.can,
                status: past.status & !status::MORE_RESULTS,
                seq: past.seq,
                kind: past.kind,
                columns: &columns,
            };
            return Ok(saying::say(&said, &to));
        }
        let due = self.due.iter().position(|due| due.call == Some(call) && due.fate != Fate::None);
        let Some(index) = due else {
            return Err(Unanswerable::new("this statement was answered already"));
        };
        let due = &mut self.due[index];
        due.fate = Fate::None;
        let (seq, kind, id) = (due.seq, due.walk.kind, due.statement);
        if self.behind == Behind::Nobody {
            self.due.remove(index);
        }
        if is_deadlock(&said) {
            self.status &= !status::IN_TRANSACTION;
        }
        let known = id.and_then(|id| self.prepared.get(id));
        let columns: Vec<Column> = known.map(|known| columns(&known.columns, self.can)).unwrap_or_default();
        let status = self.status & !status::MORE_RESULTS & !status::CURSOR;
        Ok(saying::say(&said, &To { can: self.can, status, seq, kind, columns: &columns }))
    }

    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        let is_deadlock = saying::read(answer).is_ok_and(|said| is_deadlock(&said));
        if self.behind == Behind::Nobody || !is_deadlock {
            return Vec::new();
        }
        // After a deadlock the transaction is gone; after other errors it goes on.
        let mut payload = vec![command::QUERY];
        if self.can & can::QUERY_ATTRIBUTES != 0 {
            payload.extend_from_slice(&[0, 1]);
        }
        payload.extend_from_slice(b"ROLLBACK");
        self.expect_unseen(call, Kind::Query);
        let mut bytes = Vec::new();
        put_packet(&mut bytes, &mut 0, &payload);
        bytes
    }

    fn forget(&mut self, call: Call) {
        if let Some(index) = self.due.iter().position(|due| due.call == Some(call)) {
            self.due[index].fate = Fate::None;
            if self.behind == Behind::Nobody {
                self.due.remove(index);
            }
        }
    }

    fn with_body(&self, _: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let mut changed = reply.to_vec();
        for range in super::contents::contents(reply, self.can) {
            change(&mut changed[range]);
        }
        Some(changed)
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        let due = self.due.iter().find(|due| due.call == Some(call) && due.fate == Fate::Told);
        let kind = due.map(|due| due.walk.kind).filter(|kind| matches!(kind, Kind::Query | Kind::Execute));
        let kind = kind.ok_or_else(|| Unanswerable::new("only statements are executed twice"))?;
        // What was sent ahead of an execution is gone with it.
        let mut payload = Payloads(request);
        let is_whole = payload.next().is_some_and(|payload| payload.is_whole) && payload.next().is_none();
        if !is_whole {
            return Err(Unanswerable::new("values that were sent ahead are gone once it was executed"));
        }
        self.expect_unseen(call, kind);
        Ok(request.to_vec())
    }
}

impl Cutter {
    /// Behind the command of a call another one is sent, whose reply nobody sees.
    fn expect_unseen(&mut self, call: Call, kind: Kind) {
        let later = |other: Option<Call>| other.is_some_and(|other| other > call);
        let index = match self.due.iter().position(|due| due.call == Some(call)) {
            Some(index) => index + 1,
            None => self.due.iter().position(|due| later(due.call)).unwrap_or(self.due.len()),
        };
        let walk = Walk::new(kind, self.can, self.status);
        self.due.insert(index, super::splitter::Due::unseen(walk));
    }

    pub(super) fn welcomes(&mut self, seq: u8, out: &mut Vec<Piece>) {
        let (bytes, is_done) = alone::welcome(&self.log_in, seq.wrapping_add(1));
        say(bytes, out);
        if is_done {
            self.let_in();
        }
    }

    /// The client has proven who it is, or wants to be someone else, or sends what nobody asked for.
    pub(super) fn proves(&mut self, seq: u8, out: &mut Vec<Piece>) {
        let proof = self.up.pending.take();
        let proof = proof.get(4..).unwrap_or_default();
        if self.phase == Phase::LogIn {
            say(alone::believe(&self.log_in, proof, seq.wrapping_add(1)), out);
            self.let_in();
        }
    }

    fn let_in(&mut self) {
        self.due.clear();
        self.phase = Phase::Commands;
    }

    /// Answers a statement that no stub is asked about. Says whether it was one.
    pub(super) fn answers_alone(&mut self, (kind, seq): (Kind, u8), sql: &str, out: &mut Vec<Piece>) -> bool {
        let Some((answer, status)) = alone::statement(sql, self.status) else { return false };
        let Ok(said) = saying::read(&answer) else { return false };
        self.status = status;
        let to = To { can: self.can, status, seq: seq.wrapping_add(1), kind, columns: &[] };
        say(saying::say(&said, &to), out);
        true
    }

    /// Answers a command that rules are not about.
    pub(super) fn says_aside(&mut self, (first, seq): (u8, u8), about: &Arc<str>, out: &mut Vec<Piece>) {
        let mut bytes = Vec::new();
        let mut seq = seq.wrapping_add(1);
        match first {
            command::PREPARE => {
                let id = self.prepared.last_id().map_or(1, |id| id.wrapping_add(1));
                self.remember(id, Arc::clone(about), Vec::new());
                let n_parameters = alone::n_parameters(about);
                let mut payload = vec![0];
                payload.extend_from_slice(&id.to_le_bytes());
                payload.extend_from_slice(&[0, 0]);
                payload.extend_from_slice(&n_parameters.to_le_bytes());
                payload.extend_from_slice(&[0, 0, 0]);
                put_packet(&mut bytes, &mut seq, &payload);
                for _ in 0..n_parameters {
                    put_packet(&mut bytes, &mut seq, &saying::parameter());
                }
                if n_parameters > 0 && self.can & can::DEPRECATE_EOF == 0 {
                    put_packet(&mut bytes, &mut seq, &saying::eof(self.status));
                }
            }
            command::STATISTICS => put_packet(&mut bytes, &mut seq, b"Uptime: 1"),
            command::RESET_CONNECTION | command::CHANGE_USER => {
                self.prepared.clear();
                self.status = alone::FRESH;
                put_packet(&mut bytes, &mut seq, &ok(0, (0, 0), self.status, 0));
            }
            0x04 | 0x0a => {
                put_packet(&mut bytes, &mut seq, &saying::error(1047, "08S01", "no stub answers this"));
            }
            _ => put_packet(&mut bytes, &mut seq, &ok(0, (0, 0), self.status, 0)),
        }
        say(bytes, out);
    }
}

impl Resumed for Cutter {
    fn resume(&self, splitting: Splitting) -> Self {
        self.begun_anew(splitting)
    }

    fn is_within(&self, direction: Direction) -> bool {
        let (lane, frames) = match direction {
            Direction::ToProvider => (&self.up, self.frames.as_ref().map(|frames| &frames.from_client)),
            Direction::ToConsumer => (&self.down, self.frames.as_ref().map(|frames| &frames.from_server)),
        };
        lane.is_within() || frames.is_some_and(super::compress::Side::is_within)
    }
}

fn is_deadlock(said: &[Said<'_>]) -> bool {
    matches!(said.first(), Some(Said::Error { code: DEADLOCK, .. }))
}

/// What is said to the client in the server's place, which no rule is about.
fn say(bytes: Vec<u8>, out: &mut Vec<Piece>) {
    out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
}
