//! The consumer's messages: which of them belong together, and what each makes the server owe.

use super::kept::Kept;
use super::{About, Cutter, Fate, Known, Unit};
use crate::conversation::{Direction, Surprise};
use crate::postgres::awaited::{Awaited, Portal, Statement};
use crate::postgres::control::{after, first_words};
use crate::postgres::frames::{self, Fields};
use crate::postgres::reading::sql_text;
use crate::postgres::split::statements;
use crate::splitter::{Behind, Call, Of, Piece};
use std::sync::Arc;

const TO: Direction = Direction::ToProvider;

/// A message of the consumer.
struct Message<'a> {
    tag: u8,
    /// Its payload, or as much of it as is kept.
    payload: &'a [u8],
    /// Its bytes; where its beginning has come out already, those that are left.
    bytes: Vec<u8>,
    is_streamed: bool,
}

impl Cutter {
    pub(super) fn asked_bytes(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        while !self.to_provider.pending.unseen().is_empty() {
            let lane = &mut self.to_provider;
            if lane.frames.current.is_none() {
                let unseen = lane.pending.unseen();
                let (n_taken, header) =
                    lane.frames.take_header(unseen, self.is_tagged, frames::is_from_consumer)?;
                lane.pending.see(n_taken);
                if header.is_none() {
                    continue;
                }
            }
            let tag = lane.frames.current.map_or(frames::STARTUP, |header| header.tag);
            let left = usize::try_from(lane.frames.left).unwrap_or(usize::MAX);
            let n_now = left.min(lane.pending.unseen().len());
            lane.pending.see(n_now);
            match lane.frames.passed(n_now) {
                Some(_) => self.asked_whole(tag, out)?,
                None => self.asked_part(tag, out)?,
            }
        }
        Ok(())
    }

    /// A message is not whole yet: is it too much to gather?
    fn asked_part(&mut self, tag: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let n_seen = self.to_provider.pending.seen().len();
        let is_ignored = self.skips || self.takes_data;
        match tag {
            b'd' | b'p' => Self::rest(TO, self.to_provider.pending.take(), out),
            b'Q' | b'P' | b'B' | b'F' if is_ignored => Self::rest(TO, self.to_provider.pending.take(), out),
            b'Q' | b'P' | b'B' | b'F' => {
                if self.to_provider.streamed.is_some() {
                    let bytes = self.to_provider.pending.take();
                    self.keep_streamed(&bytes);
                    let call = self.unit.call.unwrap_or_default();
                    out.push(Piece { to: TO, bytes, of: Of::More { call, whole: false } });
                } else if self.unit.bytes.len() + n_seen > self.limits.kept_body && n_seen > 5 {
                    self.look_whether_more_may_be_due(tag)?;
                    self.begin_streaming(tag, out);
                }
            }
            frames::STARTUP => {}
            _ if n_seen > self.most() => return Err(Surprise::new("a message that is too long")),
            _ => {}
        }
        Ok(())
    }

    fn keep_streamed(&mut self, bytes: &[u8]) {
        let most = self.most();
        if let Some(kept) = &mut self.to_provider.streamed {
            kept.extend_from_slice(&bytes[..bytes.len().min(most.saturating_sub(kept.len()))]);
        }
    }

    /// Lets out the beginning of a message that is too large to be gathered.
    fn begin_streaming(&mut self, tag: u8, out: &mut Vec<Piece>) {
        if matches!(tag, b'Q' | b'F') {
            self.end_unit(out);
        }
        let bytes = self.to_provider.pending.take();
        self.to_provider.streamed = Some(Vec::new());
        self.keep_streamed(&bytes);
        if let Some(call) = self.unit.call {
            out.push(Piece { to: TO, bytes, of: Of::More { call, whole: false } });
            return;
        }
        let payload = bytes.get(5..).unwrap_or_default();
        let about = match tag {
            b'Q' => About::Query(Arc::new(payload.to_vec())),
            b'F' => About::Function(Fields::new(payload).u32().unwrap_or_default()),
            b'P' => About::Statement(Arc::new(Statement { parse: payload.to_vec(), ..Statement::default() })),
            _ => About::Portal(Arc::new(self.portal(payload))),
        };
        self.begin_request(about, &bytes, out);
    }

    /// Lets out the beginning of a request, of which more comes.
    fn begin_request(&mut self, about: About, bytes: &[u8], out: &mut Vec<Piece>) {
        let call = self.know(about, self.unit.items.clone(), &[]);
        self.unit.call = Some(call);
        let mut all = std::mem::take(&mut self.unit.bytes);
        all.extend_from_slice(bytes);
        let read = Box::new(Kept::request(self.asked_of(call), false));
        out.push(Piece { to: TO, bytes: all, of: Of::Request { call, whole: false, awaited: true, read } });
        for item in std::mem::take(&mut self.unit.items) {
            self.push_due(Some(call), item);
        }
        if self.behind == Behind::Nobody {
            self.owe(super::alone::Owed::Call(call));
        }
    }

    fn asked_whole(&mut self, tag: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        if tag == frames::STARTUP {
            return self.opened(out);
        }
        self.look_whether_more_may_be_due(tag)?;
        let bytes = self.to_provider.pending.take();
        self.keep_streamed(&bytes);
        let streamed = self.to_provider.streamed.take();
        let is_streamed = streamed.is_some();
        let kept = streamed.unwrap_or_else(|| bytes.clone());
        let payload = kept.get(5..).unwrap_or_default();
        if self.takes_data {
            self.takes_data = !matches!(tag, b'c' | b'f');
            Self::rest(TO, bytes, out);
            return Ok(());
        }
        if self.skips {
            self.drop_unit(out);
            if tag != b'S' {
                Self::rest(TO, bytes, out);
                return Ok(());
            }
            self.skips = false;
        }
        let message = Message { tag, payload, bytes, is_streamed };
        match tag {
            b'Q' | b'F' => self.asked_at_once(message, out),
            b'P' | b'B' | b'D' | b'C' => self.prepared(message, out),
            b'E' => self.executed(message, out),
            b'S' => {
                self.end_unit(out);
                Self::rest(TO, message.bytes, out);
                self.push_due(None, Awaited::Sync);
                self.n_in_batch = 0;
                if std::mem::take(&mut self.hangs)
                    && let Some(sync) = self.due.back_mut()
                {
                    sync.fate = Fate::Unseen;
                }
                self.synced(out);
            }
            b'H' => {
                self.end_unit(out);
                Self::rest(TO, message.bytes, out);
            }
            b'c' | b'f' if !self.due.is_empty() => {
                Self::rest(TO, message.bytes, out);
                self.push_due(None, Awaited::CopyEnd);
            }
            _ => Self::rest(TO, message.bytes, out),
        }
        Ok(())
    }

    /// Is there room for all that the consumer's next message may make the server owe?
    fn look_whether_more_may_be_due(&self, tag: u8) -> Result<(), Surprise> {
        let is_due = matches!(tag, b'Q' | b'F' | b'P' | b'B' | b'D' | b'C' | b'E' | b'S' | b'c' | b'f');
        if is_due && self.due.len() + self.unit.items.len() >= self.limits.n_open {
            return Err(Surprise::new("too many requests without a reply"));
        }
        Ok(())
    }

    /// The first message of the connection.
    fn opened(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let payload = self.to_provider.pending.seen().get(4..).unwrap_or_default().to_vec();
        match Fields::new(&payload).u32() {
            Some(frames::SSL_CODE | frames::GSS_CODE) => {
                self.answer_due = self.behind == Behind::Provider;
                Self::rest(TO, self.to_provider.pending.take(), out);
                if self.behind == Behind::Nobody {
                    Self::rest(Direction::ToConsumer, b"N".to_vec(), out);
                }
            }
            Some(frames::CANCEL_CODE) => Self::rest(TO, self.to_provider.pending.take(), out),
            Some(version) if version >> 16 == 3 => {
                if memchr::memmem::find(&payload, b"\0replication\0").is_some() {
                    return Err(Surprise::new("replication"));
                }
                self.is_tagged = true;
                Self::rest(TO, self.to_provider.pending.take(), out);
                if self.behind == Behind::Nobody {
                    let greeting = Self::greeting(&payload);
                    Self::rest(Direction::ToConsumer, greeting, out);
                }
                self.push_due(None, Awaited::Startup(payload));
            }
            _ => return Err(Surprise::new("another version of the protocol")),
        }
        Ok(())
    }

    /// A text of statements, or a call of a function.
    fn asked_at_once(&mut self, message: Message<'_>, out: &mut Vec<Piece>) {
        let most = self.most();
        let kept = &message.payload[..message.payload.len().min(most)];
        let (about, awaited) = if message.tag == b'Q' {
            let text = Arc::new(kept.to_vec());
            (About::Query(Arc::clone(&text)), Awaited::Query { text, index: 0, refused: false })
        } else {
            let function = Fields::new(kept).u32().unwrap_or_default();
            (About::Function(function), Awaited::Function(function))
        };
        if message.is_streamed {
            let call = self.unit.call.take().unwrap_or_default();
            self.unit = Unit::default();
            out.push(Piece { to: TO, bytes: message.bytes, of: Of::More { call, whole: true } });
            self.set_about(call, about);
            if !self.is_taken_out(call) {
                self.push_due(Some(call), awaited);
            }
            return;
        }
        self.end_unit(out);
        if let About::Query(text) = &about {
            let text = sql_of_query(text);
            if self.behind == Behind::Nobody && self.asks_alone(&text) {
                Self::rest(TO, message.bytes, out);
                self.answer_alone(&text, out);
                return;
            }
            let is_several = (2..=super::alone::MOST_STATEMENTS).contains(&statements(&text).len());
            if self.behind == Behind::Nobody && is_several {
                self.ask_each_alone(&text, message.bytes, out);
                return;
            }
            self.note_listens(&text);
        }
        let call = self.know(about.clone(), Vec::new(), &[]);
        let read = Box::new(Kept::request(about.to_asked(), true));
        let of = Of::Request { call, whole: true, awaited: true, read };
        out.push(Piece { to: TO, bytes: message.bytes, of });
        self.push_due(Some(call), awaited);
        if let About::Query(text) = &about {
            self.status_asked = after(&sql_of_query(text), self.calls[&call].before);
        }
        if self.behind == Behind::Nobody {
            self.owe(super::alone::Owed::Call(call));
        }
    }

    /// Parse, Bind, Describe or Close: kept until something is executed, or a Sync comes.
    fn prepared(&mut self, message: Message<'_>, out: &mut Vec<Piece>) {
        let item = self.item(message.tag, message.payload);
        self.add_item(item, message, false, out);
        if self.unit.call.is_none() && self.unit.bytes.len() > self.limits.kept_body {
            let about = self.unit_about();
            self.begin_request(about, &[], out);
        }
    }

    /// Adds a message to the unit, or to the call that has begun with it.
    fn add_item(&mut self, item: Awaited, message: Message<'_>, is_last: bool, out: &mut Vec<Piece>) {
        let Some(call) = self.unit.call else {
            self.unit.bytes.extend_from_slice(&message.bytes);
            self.unit.items.push(item);
            return;
        };
        out.push(Piece { to: TO, bytes: message.bytes, of: Of::More { call, whole: is_last } });
        if let Some(known) = self.calls.get_mut(&call) {
            known.items.push(item.clone());
        }
        if !self.is_taken_out(call) {
            self.push_due(Some(call), item);
        }
    }

    /// Execute: with what was prepared for it, it is a request.
    fn executed(&mut self, message: Message<'_>, out: &mut Vec<Piece>) {
        let name = Fields::new(message.payload).text().unwrap_or_default();
        let portal = self.portals.get(name).unwrap_or_default();
        let item = Awaited::Execute(Arc::clone(&portal));
        let text = sql_text(&portal.statement);
        let is_begun = self.unit.call.is_some();
        self.add_item(item, message, true, out);
        let unit = std::mem::take(&mut self.unit);
        if let Some(call) = unit.call.filter(|_| is_begun) {
            self.set_about(call, About::Portal(portal));
            self.n_in_batch += 1;
            return;
        }
        if self.behind == Behind::Nobody && self.asks_alone(&text) {
            Self::rest(TO, unit.bytes, out);
            self.execute_alone(&unit.items, &text, out);
            return;
        }
        self.note_listens(&text);
        let call = self.know(About::Portal(portal), unit.items.clone(), &unit.bytes);
        self.status_asked = after(&text, self.calls[&call].before);
        self.n_in_batch += 1;
        let read = Box::new(Kept::request(self.asked_of(call), true));
        let of = Of::Request { call, whole: true, awaited: true, read };
        out.push(Piece { to: TO, bytes: unit.bytes, of });
        for item in unit.items {
            self.push_due(Some(call), item);
        }
        if self.behind == Behind::Nobody {
            self.owe(super::alone::Owed::Call(call));
        }
    }

    /// What was prepared is not executed, at least not now.
    fn end_unit(&mut self, out: &mut Vec<Piece>) {
        let about = self.unit_about();
        let unit = std::mem::take(&mut self.unit);
        if let Some(call) = unit.call {
            out.push(Piece { to: TO, bytes: Vec::new(), of: Of::More { call, whole: true } });
            // Its replies may all have come.
            if self.due.iter().all(|due| due.call != Some(call)) {
                self.complete(call, out);
            }
            return;
        }
        if unit.items.is_empty() {
            return;
        }
        if self.behind == Behind::Nobody {
            self.prepare_alone(about, unit, out);
            return;
        }
        Self::rest(TO, unit.bytes, out);
        for item in unit.items {
            self.push_due(None, item);
        }
    }

    /// The server passes over what was prepared.
    fn drop_unit(&mut self, out: &mut Vec<Piece>) {
        let unit = std::mem::take(&mut self.unit);
        Self::rest(TO, unit.bytes, out);
        if let Some(call) = unit.call {
            out.push(Piece { to: TO, bytes: Vec::new(), of: Of::More { call, whole: true } });
        }
    }

    /// What a unit is about that has no Execute: what it binds, or prepares.
    fn unit_about(&self) -> About {
        let newest = self.unit.items.iter().rev().find_map(|item| match item {
            Awaited::Bind(portal) | Awaited::DescribePortal(portal) => {
                Some(About::Portal(Arc::clone(portal)))
            }
            _ => None,
        });
        let statement = || {
            self.unit.items.iter().rev().find_map(|item| match item {
                Awaited::Parse(statement) | Awaited::DescribeStatement(statement) => {
                    Some(About::Statement(Arc::clone(statement)))
                }
                _ => None,
            })
        };
        newest.or_else(statement).unwrap_or_else(|| About::Statement(Arc::default()))
    }

    fn set_about(&mut self, call: Call, about: About) {
        if let Some(known) = self.calls.get_mut(&call) {
            known.asked = about;
        }
    }

    fn is_taken_out(&self, call: Call) -> bool {
        self.calls.get(&call).is_none_or(|known: &Known| known.skipped)
    }

    /// What a message makes the server owe; and what it makes known.
    fn item(&mut self, tag: u8, payload: &[u8]) -> Awaited {
        let kept = &payload[..payload.len().min(self.most())];
        let mut fields = Fields::new(kept);
        match tag {
            b'P' => {
                let name = fields.text().unwrap_or_default();
                let statement = Arc::new(Statement { parse: kept.to_vec(), ..Statement::default() });
                self.statements.insert(name, Arc::clone(&statement), kept.len());
                Awaited::Parse(statement)
            }
            b'B' => {
                let portal = Arc::new(self.portal(kept));
                let name = fields.text().unwrap_or_default();
                self.portals.insert(name, Arc::clone(&portal), kept.len());
                Awaited::Bind(portal)
            }
            _ => {
                let kind = fields.byte().unwrap_or_default();
                let name = fields.text().unwrap_or_default();
                match (tag, kind) {
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
                }
            }
        }
    }

    fn portal(&self, bind: &[u8]) -> Portal {
        let mut fields = Fields::new(bind);
        let _name = fields.text();
        let statement = fields.text().and_then(|name| self.statements.get(name)).unwrap_or_default();
        Portal { statement, bind: bind.to_vec(), ..Portal::default() }
    }

    /// Remembers what the consumer listens to.
    pub(super) fn note_listens(&mut self, text: &str) {
        let Some(listens) = &mut self.listens else { return };
        for statement in crate::postgres::split::statements(text) {
            let words = first_words(statement, 1);
            let name = statement.split_whitespace().nth(1).unwrap_or_default();
            let name = match name.strip_prefix('"') {
                Some(quoted) => quoted.strip_suffix('"').unwrap_or(quoted).to_owned(),
                None => name.to_lowercase(),
            };
            match words.first().map(String::as_str) {
                Some("LISTEN") if listens.len() < 1024 => drop(listens.insert(name)),
                Some("UNLISTEN") if name == "*" => listens.clear(),
                Some("UNLISTEN") => drop(listens.remove(&name)),
                _ => {}
            }
        }
    }
}

/// The text of a simple query.
pub(super) fn sql_of_query(text: &[u8]) -> String {
    String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(text)).into_owned()
}
