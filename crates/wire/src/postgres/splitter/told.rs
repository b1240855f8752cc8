//! The provider's messages: to whose reply each belongs, and where a reply ends.

use super::kept::Kept;
use super::{Cutter, Due, Fate, Gathered, Stage};
use crate::conversation::{Direction, Surprise};
use crate::postgres::awaited::Awaited;
use crate::postgres::control::Status;
use crate::postgres::frames::{self, Fields};
use crate::postgres::reading::Asked;
use crate::splitter::{Call, Of, Piece};

const TO: Direction = Direction::ToConsumer;

impl Cutter {
    pub(super) fn told_bytes(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        loop {
            let lane = &mut self.to_consumer;
            let Some(first) = lane.pending.unseen().first().copied() else { return Ok(()) };
            if self.answer_due {
                self.answer_due = false;
                // `E` would be an error message of an ancient server.
                if first != b'E' {
                    lane.pending.see(1);
                    if first != b'N' {
                        return Err(Surprise::new("TLS from here on"));
                    }
                    Self::rest(TO, lane.pending.take(), out);
                    continue;
                }
            }
            if lane.frames.current.is_none() {
                let unseen = lane.pending.unseen();
                let (n_taken, header) = lane.frames.take_header(unseen, true, frames::is_from_provider)?;
                lane.pending.see(n_taken);
                if header.is_none() {
                    continue;
                }
            }
            let tag = lane.frames.current.map_or(0, |header| header.tag);
            let left = usize::try_from(lane.frames.left).unwrap_or(usize::MAX);
            let n_now = left.min(lane.pending.unseen().len());
            lane.pending.see(n_now);
            let is_whole = lane.frames.passed(n_now).is_some();
            if matches!(tag, b'D' | b'd') {
                let is_much = lane.pending.seen().len() > self.limits.kept_body;
                if is_whole || is_much {
                    self.route(out)?;
                }
            } else if is_whole {
                self.told_whole(tag, out)?;
            } else if lane.pending.seen().len() > self.limits.kept_open.max(self.limits.head) {
                return Err(Surprise::new("a message that is too long"));
            }
        }
    }

    fn told_whole(&mut self, tag: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.pass_gone(out);
        match tag {
            b'A' => {
                self.let_out(out);
                let bytes = self.to_consumer.pending.take();
                let payload = bytes.get(5..).unwrap_or_default().to_vec();
                let read = Box::new(Kept::reply(Asked::Notification(payload), &[], 0, true));
                out.push(Piece { to: TO, bytes, of: Of::Message { call: None, read } });
                Ok(())
            }
            b'N' | b'S' if self.gathered.call.is_some() => {
                let bytes = self.to_consumer.pending.take();
                self.gather(&bytes, out);
                Ok(())
            }
            b'N' if self.due.front().is_some_and(|due| due.fate == Fate::Unseen) => {
                self.to_consumer.pending.take();
                Ok(())
            }
            b'N' | b'S' | b'R' | b'K' | b'v' => {
                Self::rest(TO, self.to_consumer.pending.take(), out);
                Ok(())
            }
            b'E' => {
                self.refused(out);
                Ok(())
            }
            b'Z' => self.ready(out),
            b'C' | b'I' | b's' => self.completed(out),
            b'W' => Err(Surprise::new("replication")),
            b'G' => {
                self.begin_data();
                self.route(out)?;
                self.ask_for_data(out);
                Ok(())
            }
            b'1' | b'2' | b'3' | b'n' | b't' | b'T' => self.has_prepared(tag, out),
            _ => self.route(out),
        }
    }

    /// Passes over what has no reply: the end of COPY data, and what was answered here. Where that had to wait for its
    /// turn, it is said now.
    fn pass_gone(&mut self, out: &mut Vec<Piece>) {
        while self
            .due
            .front()
            .is_some_and(|due| due.fate == Fate::None || matches!(due.awaited, Awaited::CopyEnd))
        {
            let said = self.due.pop_front().map(|due| due.said).unwrap_or_default();
            Self::rest(TO, said, out);
        }
    }

    /// What was looked at belongs to the first of what is due.
    fn route(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.pass_gone(out);
        let Some(due) = self.due.front() else { return Err(unasked()) };
        let (fate, call) = (due.fate, due.call);
        let bytes = self.to_consumer.pending.take();
        match (fate, call) {
            (Fate::Unseen | Fate::None, _) => {}
            (Fate::Told, None) => Self::rest(TO, bytes, out),
            (Fate::Told, Some(call)) => {
                if self.gathered.call != Some(call) {
                    self.gathered = Gathered { call: Some(call), ..Gathered::default() };
                }
                self.gather(&bytes, out);
            }
        }
        Ok(())
    }

    fn gather(&mut self, bytes: &[u8], out: &mut Vec<Piece>) {
        self.gathered.bytes.extend_from_slice(bytes);
        if self.gathered.bytes.len() > self.limits.kept_body {
            self.let_out(out);
        }
    }

    /// Lets out what came of a reply, of which more comes.
    pub(super) fn let_out(&mut self, out: &mut Vec<Piece>) {
        let Some(call) = self.gathered.call else { return };
        if !self.gathered.bytes.is_empty() {
            self.tell_reply(call, false, out);
        }
    }

    fn tell_reply(&mut self, call: Call, is_whole: bool, out: &mut Vec<Piece>) {
        let bytes = std::mem::take(&mut self.gathered.bytes);
        let of = if self.gathered.has_begun {
            Of::More { call, whole: is_whole }
        } else {
            let read = Box::new(Kept::reply(self.asked_of(call), &bytes, self.limits.kept_body, is_whole));
            Of::Reply { call, whole: is_whole, awaited: true, read }
        };
        self.gathered.has_begun = true;
        if let Some(known) = self.calls.get_mut(&call) {
            known.stage = Stage::Replied;
        }
        out.push(Piece { to: TO, bytes, of });
    }

    /// The reply to a call has ended; with nothing at all, where the server passed over it.
    pub(super) fn complete(&mut self, call: Call, out: &mut Vec<Piece>) {
        if self.gathered.call != Some(call) {
            self.gathered = Gathered { call: Some(call), ..Gathered::default() };
        }
        self.tell_reply(call, true, out);
        self.gathered = Gathered::default();
    }

    /// The first of what is due is done.
    fn pop(&mut self, out: &mut Vec<Piece>) {
        let Some(due) = self.due.pop_front() else { return };
        let Some(call) = due.call.filter(|_| due.fate == Fate::Told) else { return };
        let goes_on = self.due.front().is_some_and(|next| next.call == Some(call));
        if !goes_on && self.unit.call != Some(call) {
            self.complete(call, out);
            self.pass_gone(out);
        }
    }

    /// The replies to what prepares an execution.
    fn has_prepared(&mut self, tag: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let Some(due) = self.due.front() else { return Err(unasked()) };
        let payload = || self.to_consumer.pending.seen().get(5..).unwrap_or_default().to_vec();
        let goes_on = match (tag, &due.awaited) {
            (b'T', Awaited::Query { .. }) => true,
            (b't', Awaited::DescribeStatement(statement)) => {
                // Described before: the first answer is as good.
                let _ = statement.types.set(payload());
                true
            }
            (b'T', Awaited::DescribeStatement(statement)) => {
                let _ = statement.columns.set(payload());
                false
            }
            (b'T', Awaited::DescribePortal(portal)) => {
                let _ = portal.columns.set(payload());
                let _ = portal.statement.columns.set(payload());
                false
            }
            (b'n', Awaited::DescribeStatement(_) | Awaited::DescribePortal(_))
            | (b'1', Awaited::Parse(_))
            | (b'2', Awaited::Bind(_))
            | (b'3', Awaited::Close) => false,
            _ => return Err(unasked()),
        };
        self.route(out)?;
        if !goes_on {
            self.pop(out);
        }
        Ok(())
    }

    /// A statement came to its end, or a portal to the end of what was asked of it.
    fn completed(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.takes_data = false;
        match self.due.front().map(|due| &due.awaited) {
            Some(Awaited::Query { .. }) => self.route(out),
            Some(Awaited::Execute(_)) => {
                self.route(out)?;
                self.pop(out);
                Ok(())
            }
            _ => Err(unasked()),
        }
    }

    /// The server takes COPY data: a Sync that was sent before the data's end is not seen by it.
    fn begin_data(&mut self) {
        let data_end = self.due.iter().position(|due| matches!(due.awaited, Awaited::CopyEnd));
        self.takes_data = data_end.is_none();
        let mut index = 0;
        self.due.retain(|due| {
            index += 1;
            index > data_end.unwrap_or(usize::MAX) || !matches!(due.awaited, Awaited::Sync)
        });
    }

    /// The consumer is to send its data: that is not yet the reply.
    fn ask_for_data(&mut self, out: &mut Vec<Piece>) {
        let Some(call) = self.gathered.call else { return };
        if self.gathered.has_begun {
            self.let_out(out);
            return;
        }
        Self::rest(TO, std::mem::take(&mut self.gathered).bytes, out);
        if let Some(known) = self.calls.get_mut(&call) {
            known.items.retain(|item| matches!(item, Awaited::Execute(_)));
        }
    }

    /// Something is refused, or the session itself.
    fn refused(&mut self, out: &mut Vec<Piece>) {
        self.takes_data = false;
        let is_last = is_fatal(self.to_consumer.pending.seen().get(5..).unwrap_or_default());
        let Some(due) = self.due.front() else {
            Self::rest(TO, self.to_consumer.pending.take(), out);
            return;
        };
        let (call, is_skipped) = (due.call, due.awaited.is_skipped());
        let is_startup = matches!(due.awaited, Awaited::Startup(_));
        // There is something due, so this can't surprise.
        let _ = self.route(out);
        if is_startup {
            self.due.pop_front();
        } else if is_skipped {
            self.pass_over(out);
        } else if is_last && call.is_some() {
            // The session ends: no ReadyForQuery comes.
            self.pop(out);
        }
    }

    /// The server passes over everything up to the next Sync.
    fn pass_over(&mut self, out: &mut Vec<Piece>) {
        let mut ended: Option<Call> = None;
        while self.due.front().is_some_and(|due| due.awaited.is_skipped()) {
            // What was answered here already is not said any more: the consumer expects nothing before its Sync.
            let Some(Due { call: Some(call), fate: Fate::Told, .. }) = self.due.pop_front() else { continue };
            if ended != Some(call) {
                ended = Some(call);
                self.complete(call, out);
            }
        }
        self.skips = !matches!(self.due.front(), Some(Due { awaited: Awaited::Sync, .. }));
        if self.skips
            && let Some(call) = self.unit.call
            && let Some(known) = self.calls.get_mut(&call)
        {
            known.skipped = true;
            if ended != Some(call) {
                self.complete(call, out);
            }
        }
    }

    fn ready(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let status = self.to_consumer.pending.seen().get(5).copied().unwrap_or(b'I');
        let call = match self.due.front() {
            Some(Due { awaited: Awaited::Startup(_) | Awaited::Sync, .. }) => None,
            Some(Due { awaited: Awaited::Query { .. } | Awaited::Function(_), call, .. }) => *call,
            _ => return Err(unasked()),
        };
        self.status = Status::of(status);
        if let Some(known) = call.and_then(|call| self.calls.get_mut(&call)) {
            known.after = Some(self.status);
        }
        self.route(out)?;
        self.pop(out);
        self.pass_gone(out);
        if self.due.is_empty() {
            self.status_asked = self.status;
            if self.status == Status::Idle {
                // Portals end with their transaction.
                self.portals.clear();
            }
        }
        Ok(())
    }
}

/// Does an error end the session?
fn is_fatal(error: &[u8]) -> bool {
    let mut fields = Fields::new(error);
    while let (Some(letter), Some(text)) = (fields.byte(), fields.text()) {
        if letter == b'V' {
            return matches!(text, b"FATAL" | b"PANIC");
        }
    }
    false
}

fn unasked() -> Surprise {
    Surprise::new("a reply that nobody asked for")
}
