//! What is said to a mail in an SMTP server's place; and all that one says, where a stub stands in for it.

use super::connection::Mode;
use super::session::address;
use super::splitter::{Cutter, Due, Envelope, LEAVE, MOST_RECIPIENTS, Twice, short};
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Behind, Call, NOBODY, Of, Piece, Splitter, Unanswerable};
use crate::unmatched::unmatched;
use seam_value::Value;

const GREETING: &[u8] = b"220 seamwork ESMTP\r\n";
const ABILITIES: &[u8] =
    b"250-seamwork\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 67108864\r\n\
    250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n250 HELP\r\n";

impl Splitter for Cutter {
    fn begin(&mut self, out: &mut Vec<Piece>) {
        if self.behind == Behind::Nobody {
            self.pass(Direction::ToConsumer, GREETING.to_vec(), out);
        }
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.cut_bytes(direction, bytes, out)
    }

    fn lets_go(&self, _: bool) -> bool {
        self.owes_nothing()
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.rest_of(direction)
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let mut bytes = reply(answer)?;
        match self.last {
            Some((last, _)) if last == call => {}
            _ => return Err(Unanswerable::new("this mail is over")),
        }
        if self.last != Some((call, true)) {
            self.let_drop(call);
        }
        bytes.append(&mut self.owed);
        Ok(bytes)
    }

    fn instead(&mut self, call: Call, _: &Value) -> Vec<u8> {
        if self.last == Some((call, false)) {
            self.let_drop(call);
            // Answered in bytes of somebody's own.
            self.say_owed();
        }
        let Some(index) = self.due.iter().position(|due| *due == Due::Nothing(call)) else {
            return Vec::new();
        };
        // The server knows of the mail, and would take its recipients for those of the next.
        self.due[index] = Due::Unseen;
        b"RSET\r\n".to_vec()
    }

    /// Only once the server has taken the mail is it sent again.
    fn again(&mut self, call: Call, _: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        let mail = self.mail.as_ref().filter(|mail| mail.call == call && mail.is_whole && !mail.is_dropped);
        let envelope = self.envelope.as_ref().filter(|envelope| envelope.recipients.len() < MOST_RECIPIENTS);
        let (Some(mail), Some(envelope)) = (mail, envelope) else {
            return Err(Unanswerable::new(
                "only a mail that is there whole, with less than 1000 recipients, is sent twice",
            ));
        };
        let (lines, content) = (envelope.lines.clone(), mail.content.clone());
        self.twice = Some(Twice { call, lines, content });
        Ok(Vec::new())
    }

    /// The words behind the codes.
    fn with_body(&self, _: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let mut changed = reply.to_vec();
        for line in changed.split_inclusive_mut(|byte| *byte == b'\n') {
            let n_line =
                line.len() - if line.ends_with(b"\r\n") { 2 } else { usize::from(line.ends_with(b"\n")) };
            if let Some(words) = line.get_mut(4..n_line) {
                change(words);
            }
        }
        Some(changed)
    }

    fn forget(&mut self, call: Call) {
        if self.last == Some((call, false)) {
            self.let_drop(call);
            self.owed.clear();
        }
    }
}

impl Cutter {
    /// A mail goes nowhere.
    fn let_drop(&mut self, call: Call) {
        self.last = Some((call, true));
        (self.envelope, self.twice) = (None, None);
        if let Some(due) = self.due.iter_mut().find(|due| **due == Due::DataOf(call)) {
            *due = Due::Nothing(call);
        }
        if let Some(mail) = self.mail.as_mut().filter(|mail| mail.call == call) {
            (mail.is_dropped, mail.content) = (true, Vec::new());
        }
        self.mail.take_if(|mail| mail.is_dropped && mail.is_whole);
    }

    fn say_owed(&mut self) {
        let bytes = std::mem::take(&mut self.owed);
        let mut pieces = Vec::new();
        self.pass(Direction::ToConsumer, bytes, &mut pieces);
        self.loose.append(&mut pieces);
    }

    /// Says something by itself, behind the answer to a mail that is owed.
    fn say(&mut self, words: &[u8], out: &mut Vec<Piece>) {
        if self.last.is_some_and(|(_, has_reply)| !has_reply) {
            self.owed.extend_from_slice(words);
        } else {
            self.pass(Direction::ToConsumer, words.to_vec(), out);
        }
    }

    /// A command where nobody is behind.
    pub(super) fn command_alone(&mut self, name: &[u8], rest: &[u8], out: &mut Vec<Piece>) {
        let has_recipients = self.envelope.as_ref().is_some_and(|envelope| !envelope.recipients.is_empty());
        let words: &[u8] = match name {
            b"EHLO" | b"LHLO" => {
                self.envelope = None;
                ABILITIES
            }
            b"HELO" => {
                self.envelope = None;
                b"250 seamwork\r\n"
            }
            b"RSET" => {
                self.envelope = None;
                b"250 2.0.0 OK\r\n"
            }
            b"MAIL" => {
                self.envelope = Some(Envelope { sender: short(address(rest)), ..Envelope::default() });
                b"250 2.1.0 OK\r\n"
            }
            b"RCPT" => match &mut self.envelope {
                Some(envelope) => {
                    if envelope.recipients.len() < 1000 {
                        envelope.recipients.push(short(address(rest)));
                    }
                    b"250 2.1.5 OK\r\n"
                }
                None => b"503 5.5.1 MAIL first\r\n",
            },
            b"DATA" if has_recipients => {
                self.begin_content();
                LEAVE
            }
            b"DATA" => b"503 5.5.1 RCPT first\r\n",
            b"NOOP" => b"250 2.0.0 OK\r\n",
            b"VRFY" => b"252 2.1.5 send some mail\r\n",
            b"HELP" => b"214 2.0.0 a stub of Seamwork\r\n",
            b"QUIT" => b"221 2.0.0 bye\r\n",
            b"AUTH" => {
                let mut args = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                let way = args.next().unwrap_or_default().to_ascii_uppercase();
                self.sign_in(&way, args.next().is_some())
            }
            _ => b"502 5.5.1 not implemented\r\n",
        };
        self.say(words, out);
    }

    /// A way of signing in: whoever comes is let in.
    fn sign_in(&mut self, way: &[u8], says_all: bool) -> &'static [u8] {
        let (words, n_due): (&[u8], usize) = match (way, says_all) {
            (b"PLAIN", true) => (b"235 2.7.0 OK\r\n", 0),
            (b"PLAIN", false) => (b"334 \r\n", 1),
            (b"LOGIN", true) => (b"334 UGFzc3dvcmQ6\r\n", 1),
            (b"LOGIN", false) => (b"334 VXNlcm5hbWU6\r\n", 2),
            _ => (b"504 5.5.4 not this way\r\n", 0),
        };
        for _ in 0..n_due {
            self.due.push_back(Due::Auth);
        }
        self.mode = if n_due > 0 { Mode::Secret } else { Mode::Commands };
        words
    }

    /// A line that only the server may read, where nobody is behind.
    pub(super) fn secret_alone(&mut self, out: &mut Vec<Piece>) {
        if self.behind == Behind::Provider {
            return;
        }
        self.due.pop_front();
        if self.due.is_empty() {
            self.mode = Mode::Commands;
            self.say(b"235 2.7.0 OK\r\n", out);
        } else {
            self.mode = Mode::Secret;
            self.say(b"334 UGFzc3dvcmQ6\r\n", out);
        }
    }

    /// Content where nobody is behind: what is more than is kept goes nowhere, and the mail is told at its end.
    pub(super) fn content_alone(&mut self, bytes: &[u8], is_whole: bool, out: &mut Vec<Piece>) {
        let room = self.limits.kept_body.saturating_sub(self.kept.len());
        self.n_passed += bytes.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if !is_whole {
            return;
        }
        let content = std::mem::take(&mut self.kept);
        let is_all = std::mem::take(&mut self.n_passed) == content.len();
        self.n_calls += 1;
        let call = self.n_calls;
        let read = Box::new(self.told_mail(&content, is_all));
        let of = Of::Request { call, whole: true, awaited: true, read };
        self.last = Some((call, false));
        out.push(Piece { to: Direction::ToProvider, bytes: content, of });
    }
}

/// An answer as a reply's lines.
pub(super) fn reply(answer: &Value) -> Result<Vec<u8>, Unanswerable> {
    if let Some(words) = unmatched(answer) {
        return Ok(lines(554, &format!("5.3.0 {words}")));
    }
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new(format!(
            "an answer of smtp is a map with status and text, not {answer}"
        )));
    };
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "status" | "text")) {
        return Err(Unanswerable::new(format!("smtp has no {other}; its answers have status and text")));
    }
    let status = match map.get("status") {
        None | Some(Value::Null) => 250,
        Some(status) => status
            .as_i64()
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| Unanswerable::new(format!("a status of smtp has three digits, not {status}")))?,
    };
    let text = match map.get("text") {
        None | Some(Value::Null) => words_for(status).to_owned(),
        Some(text) => text.to_plain_text(),
    };
    Ok(lines(status, &text))
}

fn lines(status: u16, text: &str) -> Vec<u8> {
    let text = text.replace('\r', "");
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let sign = if index + 1 < lines.len() { '-' } else { ' ' };
        out.extend_from_slice(format!("{status}{sign}{line}\r\n").as_bytes());
    }
    out
}

/// What a server commonly says with a status.
fn words_for(status: u16) -> &'static str {
    match status {
        200..=399 => "2.0.0 OK",
        421 => "4.3.2 service not available",
        450 => "4.2.1 mailbox unavailable, try again later",
        451 => "4.3.0 local error in processing, try again later",
        452 => "4.3.1 insufficient system storage",
        550 => "5.7.1 message rejected",
        552 => "5.3.4 message too big",
        553 => "5.1.3 address not allowed",
        554 => "5.0.0 transaction failed",
        400..=499 => "4.0.0 try again later",
        _ => "5.0.0 refused",
    }
}
