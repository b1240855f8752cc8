//! The kept bytes of one mail to the fields that tests name.

use super::session::Content;
use crate::conversation::{Captured, Parts};
use crate::mail::{Attachment, Mail};
use seam_value::{Map, Value};

/// One mail with the reply to it, or a command that was refused.
#[derive(Debug, Default)]
pub(super) struct SmtpExchange {
    /// The command that was refused; empty for a mail.
    pub(super) command: Vec<u8>,
    pub(super) sender: Vec<u8>,
    pub(super) recipients: Vec<Vec<u8>>,
    pub(super) content: Content,
    pub(super) reply: Option<(u16, Vec<u8>)>,
}

impl SmtpExchange {
    /// The bytes of the session's room that it holds.
    pub(super) fn n_own(&self) -> usize {
        let recipients = self.recipients.iter().map(Vec::len).sum::<usize>();
        match self.command.as_slice() {
            b"" => self.sender.len() + recipients + self.content.bytes.len(),
            b"MAIL" => self.sender.len(),
            b"RCPT" => recipients,
            b"DATA" | b"AUTH" | b"STARTTLS" => 0,
            other => other.len(),
        }
    }
}

impl Captured for SmtpExchange {
    fn size(&self) -> usize {
        self.sender.capacity()
            + self.recipients.iter().map(Vec::capacity).sum::<usize>()
            + self.content.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let is_refusal = !self.command.is_empty();
        let is_greeting =
            !is_refusal && self.content.length == 0 && self.recipients.is_empty() && self.sender.is_empty();
        let request = if is_refusal {
            self.read_refused()
        } else if is_greeting {
            Value::Null
        } else {
            self.read_mail()
        };
        let reply = self.reply.as_ref().map_or(Value::Null, |(status, text)| {
            Value::map([("status", Value::from(*status)), ("text", Value::Text(lossy(text)))])
        });
        Parts { request, reply, ..Parts::default() }
    }
}

impl SmtpExchange {
    fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(|recipient| lossy(recipient)).collect()
    }

    fn read_refused(&self) -> Value {
        let (sender, recipients) = (Value::Text(lossy(&self.sender)), Value::from(self.recipients()));
        Value::map([
            ("command", Value::Text(lossy(&self.command).to_uppercase())),
            ("sender", sender.clone()),
            ("recipients", recipients.clone()),
            ("from", sender),
            ("to", recipients),
        ])
    }

    fn read_mail(&self) -> Value {
        let undotted;
        let raw = if self.content.has_dots {
            undotted = without_dots(&self.content.bytes);
            &undotted
        } else {
            &self.content.bytes
        };
        let mail = Mail::read(raw);
        let sender = lossy(&self.sender);
        let to = if mail.to.is_empty() { self.recipients() } else { mail.to };
        let mut map = Map::default();
        let mut set = |name: &str, value: Value| map.insert(name.to_owned(), value);
        set("sender", Value::text(sender.clone()));
        set("recipients", Value::from(self.recipients()));
        set("from", Value::Text(mail.from.unwrap_or(sender)));
        set("to", Value::from(to));
        set("subject", Value::Text(mail.subject));
        set("text", mail.text.into());
        set("html", mail.html.into());
        set("headers", Value::Map(mail.headers));
        set("attachments", Value::List(mail.attachments.iter().map(Attachment::to_value).collect()));
        set("length", Value::from(self.content.length));
        Value::Map(map)
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Takes away what SMTP adds: the last line with its dot, and the first of two dots at a line's beginning.
fn without_dots(content: &[u8]) -> Vec<u8> {
    let content = match content {
        b".\r\n" => &[],
        content => content.strip_suffix(b".\r\n").filter(|rest| rest.ends_with(b"\r\n")).unwrap_or(content),
    };
    let mut plain = Vec::with_capacity(content.len());
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        plain.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    plain
}
