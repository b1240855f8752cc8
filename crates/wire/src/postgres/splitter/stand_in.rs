//! What is said and done in a PostgreSQL server's place, so that both sides stay in step.
//!
//! An error that is said inside a transaction has to fail the server's transaction, too: it is sent a statement that
//! fails, whose reply nobody sees. Inside a batch that alone makes it pass over the rest up to the next Sync, and
//! ReadyForQuery then comes from the server itself, and is true.

use super::asked::sql_of_query;
use super::kept::{Messages, message};
use super::said::{self, Said, result_formats};
use super::{About, Cutter, Due, Fate, Known, Stage};
use crate::postgres::awaited::{Awaited, Portal};
use crate::postgres::control::{self, Control, Refused, Status, control};
use crate::postgres::reading::sql_text;
use crate::postgres::split::statements;
use crate::splitter::{Behind, Call, NOBODY, Unanswerable};
use seam_value::Value;
use std::sync::Arc;

/// Why the same can't be asked twice.
const ENDS: &str = "what begins or ends a transaction can't be said twice";

/// The name of what we prepare on a server, which no driver uses.
const OURS: &str = "seamwork_fault";

impl Cutter {
    pub(super) fn answer_call(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let said = said::read(answer)?;
        let before = self.before(call);
        let Some(known) = self.calls.get(&call) else {
            return Err(Unanswerable::new("this call is over"));
        };
        if known.skipped {
            // It is passed over, as what stands behind an error in a batch is.
            return Ok(Vec::new());
        }
        let is_error = matches!(said, Said::Refused(_));
        if !is_error && known.stage == Stage::Asked && said::takes_data(&sql_of(known)) {
            return Err(Unanswerable::new("COPY … FROM STDIN can only be answered with an error"));
        }
        let mut bytes = match &known.asked {
            About::Query(text) => self.say_to_query(known, &sql_of_query(text), before, &said)?,
            About::Function(_) => {
                let Said::Refused(refusal) = &said else {
                    return Err(Unanswerable::new("a call of a function can only be answered with an error"));
                };
                let after = if before == Status::Open { Status::Failed } else { before };
                [refusal.to_message(), message(b'Z', &[after.letter()])].concat()
            }
            About::Portal(_) | About::Statement(_) => say_to_items(known, &said)?,
        };
        let is_asked = known.stage == Stage::Asked;
        if let About::Query(text) = &known.asked
            && is_asked
        {
            let after = after(&sql_of_query(text), before, is_error);
            if call == self.n_calls {
                self.status_asked = after;
            }
        }
        let waits = is_asked && self.has_to_wait(call);
        if is_asked {
            self.take_out(call, before);
        }
        if self.behind == Behind::Nobody {
            self.answered_alone(call, is_error, &mut bytes);
        } else if waits && let Some(due) = self.due.iter_mut().find(|due| due.call == Some(call)) {
            due.said = bytes;
            return Ok(Vec::new());
        }
        Ok(bytes)
    }

    /// The transaction in which a call was asked, as well as it is known.
    fn before(&self, call: Call) -> Status {
        let is_next =
            self.due.iter().find(|due| due.fate != Fate::None).is_none_or(|due| due.call == Some(call));
        match self.calls.get(&call) {
            Some(known) if known.stage != Stage::Asked || !is_next => known.before,
            _ => self.status,
        }
    }

    /// Of a simple query's reply ReadyForQuery is a part.
    fn say_to_query(
        &self,
        known: &Known,
        text: &str,
        before: Status,
        said: &Said<'_>,
    ) -> Result<Vec<u8>, Unanswerable> {
        let is_error = matches!(said, Said::Refused(_));
        let after = known.after.unwrap_or_else(|| after(text, before, is_error));
        let mut out = match said {
            Said::Refused(refusal) => {
                if refusal.is_fatal && self.behind == Behind::Provider {
                    // The server is told to end the session, and its end is passed on.
                    return Ok(refusal.to_message());
                }
                refusal.to_message()
            }
            Said::Result(result) => {
                let sql = statements(text).last().copied().unwrap_or_default().to_owned();
                let mut out = result.description(&sql, None, &[]).unwrap_or_default();
                out.extend_from_slice(&result.result(&sql, None, &[])?);
                out
            }
        };
        if !known.is_part {
            out.extend_from_slice(&message(b'Z', &[after.letter()]));
        }
        Ok(out)
    }

    /// Is something owed before the answer to a call that is no call itself, as the replies to what only prepared; or
    /// that may make the server pass over it?
    fn has_to_wait(&self, call: Call) -> bool {
        let asked = self.calls.get(&call).map(|known| &known.asked);
        let is_batch = matches!(asked, Some(About::Portal(_) | About::Statement(_)));
        let before = self.due.iter().take_while(|due| due.call != Some(call));
        before.into_iter().any(|due| match due.fate {
            Fate::Told => (due.call.is_none() || is_batch) && !matches!(due.awaited, Awaited::CopyEnd),
            Fate::None => !due.said.is_empty(),
            Fate::Unseen => false,
        })
    }

    /// The request of a call is not passed on. Its place is kept for what is sent instead.
    fn take_out(&mut self, call: Call, before: Status) {
        let unit_has = self.unit.call == Some(call);
        if let Some(known) = self.calls.get_mut(&call) {
            (known.stage, known.before) = (Stage::Answered, before);
            known.skipped |= unit_has;
        }
        let Some(index) = self.due.iter().position(|due| due.call == Some(call)) else { return };
        self.due.retain(|due| due.call != Some(call));
        let gone = Due { call: Some(call), awaited: Awaited::Close, fate: Fate::None, said: Vec::new() };
        self.due.insert(index.min(self.due.len()), gone);
    }

    pub(super) fn send_instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        let before = self.before(call);
        let nothing = &Value::Map(seam_value::Map::default());
        if self.behind == Behind::Nobody {
            // Answered in bytes of somebody's own.
            self.hush_alone(call);
            return Vec::new();
        }
        let Some(known) = self.calls.get(&call) else { return Vec::new() };
        if known.stage == Stage::Replied || known.skipped {
            return Vec::new();
        }
        // Where it is answered in bytes of somebody's own, nobody knows what they say: success, for most.
        let said = said::read(answer).or_else(|_| said::read(nothing));
        let Ok(said) = said else { return Vec::new() };
        let (mut bytes, mut awaited) = (Vec::new(), Vec::new());
        match (&known.asked, &said) {
            (_, Said::Refused(refusal)) if refusal.is_fatal => bytes = message(b'X', &[]),
            (About::Query(text), Said::Refused(refusal)) => {
                if let Some(text) = fails(&sql_of_query(text), before, &refusal.code) {
                    query(&text, &mut bytes, &mut awaited);
                }
            }
            (About::Query(text), Said::Result(_)) => {
                let text = sql_of_query(text);
                let controls = |statement: &&str| control(statement).is_some();
                if statements(&text).iter().all(controls) && !statements(&text).is_empty() {
                    query(&text, &mut bytes, &mut awaited);
                }
            }
            (About::Function(_), _) => {
                if before == Status::Open {
                    query(&raising("XX000"), &mut bytes, &mut awaited);
                }
            }
            (About::Portal(_) | About::Statement(_), Said::Refused(_)) => {
                fail_batch(known, before, &mut bytes, &mut awaited);
            }
            (About::Portal(_) | About::Statement(_), Said::Result(_)) => {
                prepare_all_the_same(known, &mut bytes, &mut awaited);
            }
        }
        if known.stage == Stage::Asked {
            self.take_out(call, before);
        }
        self.owe_unseen(call, awaited);
        bytes
    }

    /// The server owes replies to something of ours, sent directly behind a call's request.
    fn owe_unseen(&mut self, call: Call, awaited: Vec<Awaited>) {
        for (index, awaited) in (self.behind(call)..).zip(awaited) {
            self.due.insert(index, Due { call: None, awaited, fate: Fate::Unseen, said: Vec::new() });
        }
    }

    /// Where something belongs that is sent directly behind the request of a call.
    fn behind(&self, call: Call) -> usize {
        let later = |due: &Due| due.call.is_some_and(|other| other > call);
        match self.due.iter().rposition(|due| due.call == Some(call)) {
            Some(index) => index + 1,
            None => self.due.iter().position(later).unwrap_or(self.due.len()),
        }
    }

    pub(super) fn forget_call(&mut self, call: Call) {
        let before = self.before(call);
        let Some(known) = self.calls.get(&call) else { return };
        let is_batch = matches!(known.asked, About::Portal(_) | About::Statement(_));
        if known.stage != Stage::Asked {
            return;
        }
        self.take_out(call, before);
        if self.behind == Behind::Nobody {
            self.hang_alone(call);
            return;
        }
        let place = self.behind(call);
        if !is_batch {
            return;
        }
        // Without its end the consumer goes on waiting.
        let sync = self.due.iter_mut().skip(place).find(|due| matches!(due.awaited, Awaited::Sync));
        match sync {
            Some(sync) => sync.fate = Fate::Unseen,
            None => self.hangs = true,
        }
    }

    pub(super) fn send_again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        let before = self.before(call);
        let known = self.calls.get(&call).filter(|known| known.stage == Stage::Asked);
        let known = known.ok_or_else(|| Unanswerable::new("this call is over"))?;
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        if before == Status::Failed {
            return Err(Unanswerable::new("in a transaction that has failed nothing is executed"));
        }
        let (mut bytes, mut awaited) = (Vec::new(), Vec::new());
        match &known.asked {
            About::Query(text) => {
                let text = sql_of_query(text);
                if request.is_empty() || statements(&text).iter().any(|one| control(one).is_some()) {
                    return Err(Unanswerable::new(ENDS));
                }
                query(&text, &mut bytes, &mut awaited);
            }
            About::Portal(portal) if control(&sql_text(&portal.statement)).is_some() => {
                return Err(Unanswerable::new(ENDS));
            }
            About::Portal(_) if !known.is_first => {
                return Err(Unanswerable::new("of a batch only what stands first can be executed twice"));
            }
            About::Portal(_) => {
                bytes = message(b'S', &[]);
                awaited.push(Awaited::Sync);
                let mut has_bound = false;
                for ((tag, payload), item) in Messages::new(&known.request).zip(&known.items) {
                    let is_named = payload.first().is_some_and(|first| *first != 0);
                    has_bound |= tag == b'B';
                    if matches!(tag, b'B' | b'E') || (tag == b'P' && !is_named) {
                        bytes.extend_from_slice(&message(tag, payload));
                        awaited.push(item.clone());
                    }
                }
                if !has_bound {
                    return Err(Unanswerable::new(
                        "a portal that was bound before can't be executed from its beginning",
                    ));
                }
            }
            About::Statement(_) | About::Function(_) => {
                return Err(Unanswerable::new("only statements are executed twice"));
            }
        }
        self.owe_unseen(call, awaited);
        Ok(bytes)
    }

    pub(super) fn notification(&mut self, said: &Value) -> Result<Vec<u8>, Unanswerable> {
        let text =
            |name: &str| said.get(name).filter(|value| **value != Value::Null).map(Value::to_plain_text);
        let topic = text("topic").ok_or_else(|| Unanswerable::new("a notification needs its topic"))?;
        if self.listens.as_ref().is_some_and(|listens| !listens.contains(&topic)) {
            return Err(Unanswerable::new(format!("nobody listens to {topic} here")));
        }
        if self.to_consumer.frames.n_passed() > self.to_consumer.pending.seen().len() {
            return Err(Unanswerable::within());
        }
        let body = text("text").or_else(|| text("body")).unwrap_or_default();
        let mut payload = 1_u32.to_be_bytes().to_vec();
        for text in [topic, body] {
            payload.extend_from_slice(text.replace('\0', "").as_bytes());
            payload.push(0);
        }
        Ok(message(b'A', &payload))
    }
}

/// The transaction after a text.
fn after(text: &str, before: Status, is_error: bool) -> Status {
    if is_error { control::refused(text, before).after(before) } else { control::after(text, before) }
}

/// The statement that leads the server to where a refused text would have left it, where that needs one.
fn fails(text: &str, before: Status, code: &str) -> Option<String> {
    match control::refused(text, before) {
        Refused::AsBefore => None,
        Refused::Fails => Some(raising(code)),
        Refused::BeginsAndFails => Some(format!("begin; {}", raising(code))),
        Refused::Over => Some("rollback".to_owned()),
    }
}

/// A statement that fails.
fn raising(code: &str) -> String {
    format!(
        "do $seamwork$ begin raise exception using errcode = '{code}', message = 'injected by seamwork'; end $seamwork$"
    )
}

fn query(text: &str, bytes: &mut Vec<u8>, awaited: &mut Vec<Awaited>) {
    let payload = [text.as_bytes(), b"\0"].concat();
    bytes.extend_from_slice(&message(b'Q', &payload));
    awaited.push(Awaited::Query { text: Arc::new(payload), index: 0, refused: false });
}

/// Makes the server fail at this point of a batch: a statement that can't be parsed.
fn fail_batch(known: &Known, before: Status, bytes: &mut Vec<u8>, awaited: &mut Vec<Awaited>) {
    for (_, payload) in Messages::new(&known.request).take_while(|(tag, _)| *tag == b'C') {
        bytes.extend_from_slice(&message(b'C', payload));
        awaited.push(Awaited::Close);
    }
    let ends = matches!(control(&sql_of(known)), Some(Control::Ends { .. }));
    if ends && before != Status::Idle {
        // Who is refused the end of a transaction is out of it.
        for (tag, payload, item) in [
            (b'P', format!("{OURS}\0rollback\0\0\0"), Awaited::Parse(Arc::default())),
            (b'B', format!("{OURS}\0{OURS}\0\0\0\0\0\0\0"), Awaited::Bind(Arc::default())),
            (b'E', format!("{OURS}\0\0\0\0\0"), Awaited::Execute(Arc::default())),
            (b'C', format!("S{OURS}\0"), Awaited::Close),
        ] {
            bytes.extend_from_slice(&message(tag, payload.as_bytes()));
            awaited.push(item);
        }
    }
    let broken = format!("{OURS}\0seamwork injected an error here\0\0\0");
    bytes.extend_from_slice(&message(b'P', broken.as_bytes()));
    awaited.push(Awaited::Parse(Arc::default()));
}

/// What was prepared with a statement that is answered here may be used again; and a transaction really begins.
fn prepare_all_the_same(known: &Known, bytes: &mut Vec<u8>, awaited: &mut Vec<Awaited>) {
    let controls = control(&sql_of(known)).is_some();
    for ((tag, payload), item) in Messages::new(&known.request).zip(&known.items) {
        if controls || matches!(tag, b'P' | b'C') {
            bytes.extend_from_slice(&message(tag, payload));
            awaited.push(item.clone());
        }
    }
}

fn sql_of(known: &Known) -> String {
    match &known.asked {
        About::Portal(portal) => sql_text(&portal.statement),
        About::Statement(statement) => sql_text(statement),
        About::Query(text) => sql_of_query(text),
        About::Function(_) => String::new(),
    }
}

/// The replies to the messages of a batch up to its Execute.
fn say_to_items(known: &Known, said: &Said<'_>) -> Result<Vec<u8>, Unanswerable> {
    let mut out = Vec::new();
    let result = match said {
        Said::Refused(refusal) => {
            for _ in known.items.iter().take_while(|item| matches!(item, Awaited::Close)) {
                out.extend_from_slice(&message(b'3', &[]));
            }
            out.extend_from_slice(&refusal.to_message());
            return Ok(out);
        }
        Said::Result(result) => result,
    };
    for item in &known.items {
        match item {
            Awaited::Parse(_) => out.extend_from_slice(&message(b'1', &[])),
            Awaited::Bind(_) => out.extend_from_slice(&message(b'2', &[])),
            Awaited::Close => out.extend_from_slice(&message(b'3', &[])),
            Awaited::DescribeStatement(statement) => {
                let sql = sql_text(statement);
                out.extend_from_slice(&result.parameter_description(statement, &sql));
                let described = statement.columns.get().map(Vec::as_slice);
                let description = result.description(&sql, described, &[]);
                if let Some(description) = &description {
                    let _ = statement.columns.set(description.get(5..).unwrap_or_default().to_vec());
                }
                out.extend_from_slice(&description.unwrap_or_else(|| message(b'n', &[])));
            }
            Awaited::DescribePortal(portal) => {
                let sql = sql_text(&portal.statement);
                let description = result.description(&sql, columns_of(portal), &result_formats(portal));
                out.extend_from_slice(&description.unwrap_or_else(|| message(b'n', &[])));
            }
            Awaited::Execute(portal) => {
                let sql = sql_text(&portal.statement);
                out.extend_from_slice(&result.result(&sql, columns_of(portal), &result_formats(portal))?);
            }
            _ => {}
        }
    }
    Ok(out)
}

/// The columns of a portal, where they were described.
fn columns_of(portal: &Portal) -> Option<&[u8]> {
    portal.columns.get().or_else(|| portal.statement.columns.get()).map(Vec::as_slice)
}
