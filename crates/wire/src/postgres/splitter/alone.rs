//! What a PostgreSQL server says by itself, for a stub behind which there is none: log-in, settings, transactions, and
//! what only prepares. What it says waits until everything before it has been answered.

use super::asked::sql_of_query;
use super::kept::{Kept, message};
use super::said::{Refusal, parameter_description};
use super::{About, Cutter, Stage, Unit};
use crate::conversation::Direction;
use crate::postgres::awaited::{Awaited, Statement};
use crate::postgres::control::{Control, Status, control, first_words};
use crate::postgres::frames::Fields;
use crate::postgres::reading::sql_text;
use crate::postgres::split::statements;
use crate::splitter::{Behind, Call, Of, Piece};
use std::sync::Arc;

/// What the consumer waits for.
#[derive(Debug)]
pub(super) enum Owed {
    /// The answer to a call.
    Call(Call),
    Bytes(Vec<u8>),
    /// A statement of which the stub knows nothing. A result's columns are described, or were already.
    Statement {
        sql: String,
        describes: bool,
    },
    /// ReadyForQuery.
    Ready,
}

/// The settings that are told, and shown.
const SETTINGS: [(&str, &str); 12] = [
    ("server_version", "15.0"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
    ("default_transaction_read_only", "off"),
    ("in_hot_standby", "off"),
    ("is_superuser", "on"),
    ("application_name", ""),
];

/// What can be shown, and is not told by itself.
const SHOWN: [(&str, &str); 4] = [
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "off"),
    ("max_identifier_length", "63"),
    ("search_path", "\"$user\", public"),
];

/// Of so many statements in one text the stub is asked one by one; of more, which nobody writes by hand, it is asked once.
pub(super) const MOST_STATEMENTS: usize = 1000;

const TO: Direction = Direction::ToConsumer;

impl Cutter {
    /// What follows the first message of a connection.
    pub(super) fn greeting(startup: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut fields = Fields::new(startup);
        if fields.u32().is_some_and(|version| version & 0xffff > 0) {
            // The newest minor version that is known is 0, and nothing of what was asked for is refused by name.
            out.extend_from_slice(&message(b'v', &[0; 8]));
        }
        let mut user = "postgres".to_owned();
        while let (Some(name), Some(value)) = (fields.text().filter(|name| !name.is_empty()), fields.text()) {
            if name == b"user" {
                user = String::from_utf8_lossy(value).into_owned();
            }
        }
        out.extend_from_slice(&message(b'R', &[0; 4]));
        let all = SETTINGS.into_iter().chain([("session_authorization", user.as_str())]);
        for (name, value) in all {
            out.extend_from_slice(&message(b'S', format!("{name}\0{value}\0").as_bytes()));
        }
        out.extend_from_slice(&message(b'K', &[0, 0, 0, 1, 0, 0, 0, 1]));
        out.extend_from_slice(&message(b'Z', b"I"));
        out
    }

    /// Is a text nothing that the stub has to know?
    pub(super) fn asks_alone(&self, text: &str) -> bool {
        let has_failed = self.status == Status::Failed && self.owed.is_empty();
        has_failed
            || self.passes_over && self.owed.is_empty()
            || statements(text).iter().all(|sql| is_own(sql))
    }

    /// Answers a simple query of which the stub knows nothing.
    pub(super) fn answer_alone(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.note_listens(text);
        let all = statements(text);
        if all.is_empty() {
            self.owed.push_back(Owed::Bytes(message(b'I', &[])));
        }
        for sql in all {
            self.owed.push_back(Owed::Statement { sql: sql.to_owned(), describes: true });
        }
        self.owed.push_back(Owed::Ready);
        self.say_owed(out);
    }

    /// Several statements in one text: of each the stub is asked by itself, as each is an interaction of its own. What one
    /// is refused for ends the text. There are at most [`MOST_STATEMENTS`].
    pub(super) fn ask_each_alone(&mut self, text: &str, bytes: Vec<u8>, out: &mut Vec<Piece>) {
        self.note_listens(text);
        let mut bytes = Some(bytes);
        for sql in statements(text) {
            if is_own(sql) {
                self.owed.push_back(Owed::Statement { sql: sql.to_owned(), describes: true });
                continue;
            }
            let text = Arc::new([sql.as_bytes(), b"\0"].concat());
            let about = About::Query(Arc::clone(&text));
            let call = self.know(about.clone(), Vec::new(), &[]);
            if let Some(known) = self.calls.get_mut(&call) {
                known.is_part = true;
            }
            let read = Box::new(Kept::request(about.to_asked(), true));
            let of = Of::Request { call, whole: true, awaited: true, read };
            out.push(Piece { to: Direction::ToProvider, bytes: bytes.take().unwrap_or_default(), of });
            self.push_due(Some(call), Awaited::Query { text, index: 0, refused: false });
            self.status_asked = crate::postgres::control::after(sql, self.calls[&call].before);
            self.owe(Owed::Call(call));
        }
        self.owe(Owed::Ready);
        self.say_owed(out);
    }

    /// Answers an Execute, and what was prepared for it.
    pub(super) fn execute_alone(&mut self, items: &[Awaited], text: &str, out: &mut Vec<Piece>) {
        self.note_listens(text);
        let bytes = replies_to(items);
        self.owed.push_back(Owed::Bytes(bytes));
        self.owed.push_back(match statements(text).first() {
            Some(sql) => Owed::Statement { sql: (*sql).to_owned(), describes: false },
            None => Owed::Bytes(message(b'I', &[])),
        });
        self.say_owed(out);
    }

    /// What was prepared is not executed yet. Where its columns are asked for, the stub has to say which.
    pub(super) fn prepare_alone(&mut self, about: About, unit: Unit, out: &mut Vec<Piece>) {
        let is_unknown = |statement: &Statement| {
            statement.columns.get().is_none()
                && !statements(&sql_text(statement)).iter().all(|sql| is_own(sql))
        };
        let asks = unit.items.iter().any(|item| match item {
            Awaited::DescribeStatement(statement) => is_unknown(statement),
            Awaited::DescribePortal(portal) => {
                portal.columns.get().is_none() && is_unknown(&portal.statement)
            }
            _ => false,
        });
        let is_passed_over = self.passes_over && self.owed.is_empty();
        if !asks || is_passed_over {
            Self::rest(Direction::ToProvider, unit.bytes, out);
            self.owed.push_back(Owed::Bytes(replies_to(&unit.items)));
            self.say_owed(out);
            return;
        }
        let call = self.know(about, unit.items, &unit.bytes);
        let read = Box::new(Kept::request(self.asked_of(call), true));
        let of = Of::Request { call, whole: true, awaited: true, read };
        out.push(Piece { to: Direction::ToProvider, bytes: unit.bytes, of });
        self.owe(Owed::Call(call));
    }

    pub(super) fn owe(&mut self, owed: Owed) {
        self.owed.push_back(owed);
    }

    /// A Sync has come.
    pub(super) fn synced(&mut self, out: &mut Vec<Piece>) {
        if self.behind == Behind::Nobody {
            self.owe(Owed::Ready);
            self.say_owed(out);
        }
    }

    /// Says what can be said now.
    fn say_owed(&mut self, out: &mut Vec<Piece>) {
        let mut bytes = Vec::new();
        self.write_owed(&mut bytes);
        Self::rest(TO, bytes, out);
    }

    /// Writes what is owed, up to the next call.
    fn write_owed(&mut self, out: &mut Vec<u8>) {
        while let Some(owed) = self.owed.pop_front() {
            match owed {
                Owed::Call(call) if self.passes_over => {
                    if let Some(known) = self.calls.get_mut(&call) {
                        (known.skipped, known.stage) = (true, Stage::Answered);
                    }
                }
                Owed::Call(_) => {
                    self.owed.push_front(owed);
                    return;
                }
                Owed::Ready => {
                    self.passes_over = false;
                    self.status_asked = self.status;
                    out.extend_from_slice(&message(b'Z', &[self.status.letter()]));
                }
                _ if self.passes_over => {}
                Owed::Bytes(bytes) => out.extend_from_slice(&bytes),
                Owed::Statement { sql, describes } => self.do_alone(&sql, describes, out),
            }
        }
    }

    /// Carries out a statement of which the stub knows nothing.
    fn do_alone(&mut self, sql: &str, describes: bool, out: &mut Vec<u8>) {
        let does = control(sql);
        if self.status == Status::Failed && !matches!(does, Some(Control::Ends { .. } | Control::GoesBack)) {
            let words = "current transaction is aborted, commands ignored until end of transaction block";
            out.extend_from_slice(&Refusal::of("25P02", words).to_message());
            self.passes_over = true;
            return;
        }
        let words = first_words(sql, 3);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let tag = match (does, words.as_slice()) {
            (Some(Control::Begins), ["START", ..]) => "START TRANSACTION".to_owned(),
            (Some(Control::Begins), _) => "BEGIN".to_owned(),
            (Some(Control::Ends { commits: true, .. }), _) if self.status != Status::Failed => {
                "COMMIT".to_owned()
            }
            (Some(Control::Ends { .. } | Control::GoesBack), _) => "ROLLBACK".to_owned(),
            (None, ["SHOW", ..]) => {
                let (name, value) = shown(sql).unwrap_or(("", ""));
                if describes {
                    out.extend_from_slice(&describe_shown(name));
                }
                let row = [&[0, 1][..], &length(value), value.as_bytes()].concat();
                out.extend_from_slice(&message(b'D', &row));
                "SHOW".to_owned()
            }
            (None, ["DISCARD" | "DEALLOCATE", second, ..]) => match *second {
                "ALL" => format!("{} ALL", words[0]),
                _ => words[0].to_owned(),
            },
            (None, words) => words.first().copied().unwrap_or_default().to_owned(),
        };
        self.status = crate::postgres::control::after(sql, self.status);
        out.extend_from_slice(&message(b'C', format!("{tag}\0").as_bytes()));
    }

    /// A call was answered: what waited behind it is said.
    pub(super) fn answered_alone(&mut self, call: Call, is_error: bool, out: &mut Vec<u8>) {
        let is_simple = self.calls.get(&call).is_some_and(|known| {
            matches!(known.asked, About::Query(_) | About::Function(_)) && !known.is_part
        });
        if let Some(text) = self.calls.get(&call).and_then(|known| match &known.asked {
            About::Query(text) => Some(sql_of_query(text)),
            _ => None,
        }) {
            use crate::postgres::control::{after, refused};
            let status = self.status;
            self.status = if is_error { refused(&text, status).after(status) } else { after(&text, status) };
        } else if is_error && self.status == Status::Open {
            self.status = Status::Failed;
        }
        let is_next = matches!(self.owed.front(), Some(Owed::Call(next)) if *next == call);
        self.owed.retain(|owed| !matches!(owed, Owed::Call(other) if *other == call));
        if is_next {
            self.passes_over = is_error && !is_simple;
            self.write_owed(out);
        }
    }

    /// A call is answered elsewhere: what waited behind it is said with the next bytes.
    pub(super) fn hush_alone(&mut self, call: Call) {
        let is_owed = self.owed.iter().any(|owed| matches!(owed, Owed::Call(other) if *other == call));
        if is_owed {
            let mut bytes = Vec::new();
            self.answered_alone(call, false, &mut bytes);
            let mut pieces = Vec::new();
            Self::rest(TO, bytes, &mut pieces);
            self.loose.append(&mut pieces);
        }
    }

    /// A call never gets an answer, and neither does what stands behind it, up to the end of its batch.
    pub(super) fn hang_alone(&mut self, call: Call) {
        let Some(index) =
            self.owed.iter().position(|owed| matches!(owed, Owed::Call(other) if *other == call))
        else {
            return;
        };
        let n_hanging = self.owed.iter().skip(index).take_while(|owed| !matches!(owed, Owed::Ready)).count();
        let end = (index + n_hanging + 1).min(self.owed.len());
        self.owed.drain(index..end);
    }
}

/// Is it a statement of which a stub knows nothing?
fn is_own(sql: &str) -> bool {
    if control(sql).is_some() {
        return true;
    }
    let words = first_words(sql, 1);
    match words.first().map(String::as_str) {
        Some(
            "SET" | "RESET" | "SAVEPOINT" | "RELEASE" | "DISCARD" | "DEALLOCATE" | "LISTEN" | "UNLISTEN",
        )
        | None => true,
        Some("SHOW") => shown(sql).is_some(),
        Some(_) => false,
    }
}

/// The setting that is to be shown.
fn shown(sql: &str) -> Option<(&'static str, &'static str)> {
    let words = first_words(sql, 4);
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let name = words.get(1..)?.join("_");
    let name = match name.as_str() {
        "transaction_isolation_level" => "transaction_isolation",
        "time_zone" => "timezone",
        name => name,
    };
    SETTINGS.into_iter().chain(SHOWN).find(|(other, _)| other.eq_ignore_ascii_case(name))
}

fn length(text: &str) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or_default().to_be_bytes()
}

/// One column of text.
fn describe_shown(name: &str) -> Vec<u8> {
    let behind =
        [&[0; 7][..], &25_u32.to_be_bytes(), &(-1_i16).to_be_bytes(), &(-1_i32).to_be_bytes(), &[0; 2]];
    message(b'T', &[&[0, 1][..], name.as_bytes(), &behind.concat()].concat())
}

/// The replies to what prepares, where nothing of it has to be known.
fn replies_to(items: &[Awaited]) -> Vec<u8> {
    let mut out = Vec::new();
    let columns = |statement: &Statement, out: &mut Vec<u8>| {
        let sql = sql_text(statement);
        match (statement.columns.get(), shown(&sql)) {
            (Some(columns), _) => out.extend_from_slice(&message(b'T', columns)),
            (None, Some((name, _)))
                if sql.trim_start().get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case("show")) =>
            {
                out.extend_from_slice(&describe_shown(name));
            }
            (None, _) => out.extend_from_slice(&message(b'n', &[])),
        }
    };
    for item in items {
        match item {
            Awaited::Parse(_) => out.extend_from_slice(&message(b'1', &[])),
            Awaited::Bind(_) => out.extend_from_slice(&message(b'2', &[])),
            Awaited::Close => out.extend_from_slice(&message(b'3', &[])),
            Awaited::DescribeStatement(statement) => {
                out.extend_from_slice(&parameter_description(statement, &sql_text(statement), &[]));
                columns(statement, &mut out);
            }
            Awaited::DescribePortal(portal) => columns(&portal.statement, &mut out),
            _ => {}
        }
    }
    out
}
