//! Publishing to NATS. Nothing is acknowledged there, so a PING goes behind each publication: its PONG says that the server
//! has read it, and a refusal comes before.
//!
//! ```text
//!                                     ◀───  INFO {…}
//! CONNECT {…}  PING                   ───▶  PONG
//! SUB inbox.1 1                       ───▶
//! PUB orders.get inbox.1 2 ⏎ {} ⏎  PING ─▶  PONG
//!                                     ◀───  MSG inbox.1 1 9 ⏎ {…} ⏎      an answer
//! ```

use super::framing::{Head, Line, read};
use super::reading::Kept;
use super::saying::{header_block, is_subject};
use crate::conversation::{Captured as _, Surprise};
use crate::pending::Pending;
use crate::publishing::{Came, Publication, Publisher, SignIn, answer, limits, next};
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};

/// What a publication may have besides its topic and its payload.
pub(super) const FIELDS: &[&str] = &["headers", "reply_to"];

/// Nobody listens to what was asked.
const NOBODY: i64 = 503;

/// One connection.
pub(super) struct Publishing {
    sign_in: SignIn,
    pending: Pending,
    is_greeted: bool,
    is_open: bool,
    /// Has the server read all that was said?
    is_read: bool,
    /// How many answers the publication waits for that is under way.
    n_awaited: Option<usize>,
    n_inboxes: u64,
    answers: Vec<Value>,
    refused: Option<Came>,
}

impl Publishing {
    pub(super) fn new(sign_in: SignIn) -> Self {
        Self {
            sign_in,
            pending: Pending::default(),
            is_greeted: false,
            is_open: false,
            is_read: false,
            n_awaited: None,
            n_inboxes: 0,
            answers: Vec::new(),
            refused: None,
        }
    }

    fn connect(&self) -> Vec<u8> {
        let SignIn { user, password, name, .. } = &self.sign_in;
        let mut options = Map::default();
        for (name, value) in [
            ("verbose", Value::Bool(false)),
            ("pedantic", Value::Bool(false)),
            ("lang", Value::text("seamwork")),
            ("version", Value::text(env!("CARGO_PKG_VERSION"))),
            ("name", Value::text(name)),
            ("protocol", Value::from(1_u64)),
            ("headers", Value::Bool(true)),
            ("no_responders", Value::Bool(true)),
        ] {
            options.insert(name.to_owned(), value);
        }
        match (user, password) {
            (Some(user), Some(password)) => {
                options.insert("user".to_owned(), Value::text(user));
                options.insert("pass".to_owned(), Value::text(password));
            }
            // Who has one word only has a token.
            (Some(token), None) | (None, Some(token)) => {
                options.insert("auth_token".to_owned(), Value::text(token));
            }
            (None, None) => {}
        }
        format!("CONNECT {}\r\nPING\r\n", Value::Map(options)).into_bytes()
    }

    /// The next line with its payload, once it is whole.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Surprise> {
        let whole = |held: &[u8]| {
            let Some(end) = memchr::memchr(b'\n', held) else {
                return if held.len() > limits().head {
                    Err(Surprise::new("a line that is too long"))
                } else {
                    Ok(None)
                };
            };
            Ok(Some(match read(&held[..=end], true)? {
                Line::Message(head) => (end + 1 + 2).saturating_add(head.n_bytes),
                _ => end + 1,
            }))
        };
        next(&mut self.pending, whole, "a message")
    }

    fn line(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        let n_line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        match read(&bytes[..n_line], true)? {
            Line::Info(_) if !self.is_greeted => {
                self.is_greeted = true;
                out.extend_from_slice(&self.connect());
            }
            Line::Ping => out.extend_from_slice(b"PONG\r\n"),
            Line::Pong => self.is_read = true,
            Line::Error(words) => {
                let message = String::from_utf8_lossy(words).into_owned();
                self.refused = Some(Came::Refused { code: Value::Null, message });
            }
            Line::Message(_) => {
                let message = Box::new(Kept::new(bytes, true, limits())).read().message;
                let status = message.get("status").and_then(Value::as_i64);
                let is_empty = message.get("text").and_then(Value::as_text).is_none_or(str::is_empty);
                if status == Some(NOBODY) && is_empty {
                    let message = "nobody answers to it".to_owned();
                    self.refused = Some(Came::Refused { code: Value::from(NOBODY), message });
                } else {
                    self.answers.push(answer(&message));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Publisher for Publishing {
    fn publish(&mut self, publication: &Publication, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let Publication { topic, fields, body, n_answers } = publication;
        if !is_subject(topic) {
            return Err(Unanswerable::new(format!("{topic:?} is no subject")));
        }
        let reply_to = fields.get("reply_to").filter(|value| **value != Value::Null);
        let mut reply_to = reply_to.map(Value::to_plain_text);
        if *n_answers > 0 {
            self.n_inboxes += 1;
            let (sid, own) = (self.n_inboxes, &self.sign_in.name);
            let inbox = reply_to.get_or_insert_with(|| format!("_INBOX.{own}.{sid}"));
            if is_subject(inbox) {
                out.extend_from_slice(format!("SUB {inbox} {sid}\r\nUNSUB {sid} {n_answers}\r\n").as_bytes());
            }
        }
        if let Some(inbox) = reply_to.as_ref().filter(|inbox| !is_subject(inbox)) {
            return Err(Unanswerable::new(format!("{inbox:?} is no subject to reply to")));
        }
        let headers = header_block(None, fields.get("headers").and_then(Value::as_map))?;
        let head = Head {
            subject: topic.as_bytes(),
            sid: None,
            reply_to: reply_to.as_deref().map(str::as_bytes),
            n_headers: 0,
            n_bytes: 0,
        };
        out.extend_from_slice(&head.write(false, &headers, body.as_deref().unwrap_or_default()));
        out.extend_from_slice(b"PING\r\n");
        (self.is_read, self.n_awaited) = (false, Some(*n_answers));
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        self.pending.push(bytes);
        while let Some(line) = self.next()? {
            self.line(&line, out)?;
        }
        Ok(())
    }

    fn came(&mut self) -> Option<Came> {
        if self.refused.is_some() || !self.is_read {
            return self.refused.take();
        }
        if !self.is_open {
            self.is_open = true;
            return Some(Came::Open);
        }
        self.n_awaited.take_if(|n_awaited| self.answers.len() >= *n_awaited).map(|_| Came::Done)
    }

    fn told(&mut self) -> Map {
        Map::from_iter([("messages".to_owned(), Value::List(std::mem::take(&mut self.answers)))])
    }
}
