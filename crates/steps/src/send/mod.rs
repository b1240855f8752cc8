//! `send: mail`: one mail, handed over by SMTP over the test's own seam.

mod mime;
mod session;

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::answered::{shown, unsaid_error};
use crate::input::{Input, Inputs};
use crate::kind::{Kind, Reading};
use crate::login::login;
use crate::subject::{self, Subject};
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use mime::{Envelope, Mail, addresses, is_said};
use seam_diag::Diagnostic;
use seam_expr::{NameUse, Names};
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::{Map, Value};
use session::{Answer, Encryption, Halt, send};
use std::hash::{BuildHasher as _, RandomState};
use tokio::time::{Instant, timeout_at};

/// The kind.
pub(crate) struct SendStep;

const PEOPLE: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

static WORD: Word = Word {
    text: "Hands one mail over by SMTP, on a connection of its own, as whoever sends mails does. It goes to all of `to`, `cc` \
           and `bcc`; `sender` and `recipients` say otherwise what stands on its envelope. `Date` and `Message-ID` are \
           written where `headers` have none. User and password are those of the component's address. The first \
           command that is refused ends it. To an endpoint that speaks `smtps` TLS comes first; to others it is begun by STARTTLS with \
           `tls: true`, and where nobody can sign in without it, unless `tls: false` forbids that.\n\n\
           A status of 300 and more fails the step unless it expects something at `status`; a refused connection, or one that \
           ends, fails it unless it expects something at `error`.",
    subject: Shape::Component,
    fields: &[
        Field::optional("from", Shape::Text, "whom it is from: `Shop <shop@example.test>`"),
        Field::optional("to", PEOPLE, "whom it is to, one or several"),
        Field::optional("cc", PEOPLE, "who gets a copy"),
        Field::optional("bcc", PEOPLE, "who gets a copy that nobody knows of"),
        Field::optional("subject", Shape::Text, "the subject"),
        Field::optional("text", Shape::Text, "the plain text"),
        Field::optional("html", Shape::Text, "the HTML"),
        Field::optional(
            "headers",
            Shape::MapOf(&Shape::Any),
            "further headers by name; those of MIME are said by what the mail has",
        ),
        Field::optional(
            "attachments",
            Shape::List(&Shape::Any),
            "what is attached, each with `name`, `content_type` and `content`: a text, or `{ base64: … }`",
        ),
        Field::optional("raw", Shape::Text, "the whole mail as it is, with its headers"),
        Field::optional("sender", Shape::Text, "who hands it over, by the envelope; empty for a bounce"),
        Field::optional("recipients", PEOPLE, "who gets it, by the envelope"),
        Field::optional(
            "tls",
            Shape::Boolean,
            "is it handed over by TLS, which STARTTLS begins; where nothing is said, only if need be",
        ),
    ],
    results: &[
        Field::optional("status", Shape::Integer, "the three digits of the reply that decided: 250"),
        Field::optional("text", Shape::Text, "the words behind them"),
        Field::optional(
            "command",
            Shape::Text,
            "the command that was refused: `RCPT`; null where it was the mail, or nothing",
        ),
        Field::optional("elapsed", Shape::Text, "how long it took, like `12.3ms`"),
        Field::optional(
            "error",
            Shape::OneOf(&["timeout", "refused", "reset", "closed", "malformed"]),
            "why there is no reply; else null",
        ),
    ],
    example: "\
- send: mail
  from: Shop <shop@example.test>
  to: ann@example.test
  subject: Your order 7
  text: Thank you!
  attachments: [{ name: bill.txt, content: 39.90 EUR }]
  expect: { status: 250 }
",
    ..Word::new("send", "sends a mail")
};

/// Single values and such that may be lists, as they are read and worked out.
const NAMES: &[&str] =
    &["from", "to", "cc", "bcc", "subject", "text", "html", "attachments", "raw", "sender", "recipients"];

/// What `raw` says by itself.
const NOT_BESIDE_RAW: &[&str] = &["subject", "text", "html", "attachments"];

/// Headers that say how the texts and the attachments are written, in small letters.
const OF_MIME: &[&str] =
    &["mime-version", "content-type", "content-transfer-encoding", "content-disposition"];

struct Send {
    subject: Subject,
    inputs: Vec<(&'static str, Input)>,
    headers: Inputs,
    encryption: Encryption,
}

impl Kind for SendStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `send` step");
        let given: Vec<_> = NAMES.iter().filter_map(|name| Some((*name, fields.take_entry(name)?))).collect();
        let further = fields.map("headers", reading.found);
        for entry in further {
            let name = &entry.key.value;
            if OF_MIME.contains(&name.to_ascii_lowercase().as_str()) {
                let error = Diagnostic::error(format!("`{name}` is said by what the mail has"));
                let hint = "`text`, `html` and `attachments` say it; with `raw` the mail goes as it is written there";
                reading.found.push(error.at(entry.key.span, "").hint(hint));
            }
        }
        let headers = Inputs::read(further, reading.found);
        let wants_tls = fields.boolean("tls", reading.found);
        fields.finish(reading.found);
        let is_given = |name: &str| given.iter().any(|(other, _)| *other == name);
        for (name, entry) in given.iter().filter(|(name, _)| NOT_BESIDE_RAW.contains(name)) {
            if is_given("raw") {
                let title = format!("`raw` is the whole mail: `{name}` stands in it");
                reading.found.push(Diagnostic::error(title).at(entry.key.span, ""));
            }
        }
        if let Some(entry) = further.first().filter(|_| is_given("raw")) {
            let title = "`raw` is the whole mail: `headers` stand in it";
            reading.found.push(Diagnostic::error(title).at(entry.key.span, ""));
        }
        let mut require = |names: &[&str], what: &str| {
            if !names.iter().any(|name| is_given(name)) {
                reading
                    .found
                    .push(Diagnostic::error(format!("the `send` step needs {what}")).at(step.span, ""));
            }
        };
        require(&["from", "sender"], "`from`");
        require(&["to", "cc", "bcc", "recipients"], "`to`");
        let inputs =
            given.iter().map(|(name, entry)| (*name, Input::read(&entry.node, reading.found))).collect();
        let text = subject::text(&step.subject, "mail", reading)?;
        let subject = subject::speaking_one_of(&["smtp", "smtps"], text, step.subject.span, reading)?;
        let spoken = reading.system.protocol(&subject.component, &subject.endpoint);
        let encryption = match (spoken, wants_tls) {
            (Some("smtps"), Some(false)) => {
                let entry = step.inputs.iter().find(|entry| entry.key.value == "tls")?;
                let title = format!("`{}` speaks smtps, which begins with TLS", subject.name());
                reading.found.push(Diagnostic::error(title).at(entry.node.span, "this forbids it"));
                return None;
            }
            (Some("smtps"), _) => Encryption::First,
            (_, Some(true)) => Encryption::Asked,
            (_, None) => Encryption::IfNeeded,
            (_, Some(false)) => Encryption::Unwanted,
        };
        Some(Box::new(Send { subject, inputs, headers, encryption }))
    }
}

impl Action for Send {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.inputs.iter().for_each(|(_, input)| input.uses(&mut uses));
        self.headers.uses(&mut uses);
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.subject.target()]
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let mut unsaid = unsaid_error(result, "SMTP", "no mail was sent".to_owned());
        let text = |name: &str| result.get(name).and_then(Value::as_text);
        // Where a command is told, it was not done, whatever else was said to it.
        let is_bad = |status: &i64| *status >= 300 || text("command").is_some();
        let status = result.get("status").and_then(Value::as_i64).filter(is_bad);
        if let Some(status) = status {
            let to = text("command").map(|command| format!(" to {command}")).unwrap_or_default();
            unsaid.push(Unsaid {
                path: "status",
                message: format!("status {status}{to}, and nothing expects it"),
                expected: None,
                actual: Some(Value::from(status)),
                details: text("text").map(str::to_owned).into_iter().collect(),
            });
        }
        unsaid
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let began = Instant::now();
            let login = login(&self.subject, cx)?;
            let (envelope, content) = self.mail(cx.names)?;
            let sent = timeout_at(cx.deadline, send((&login, self.encryption), &envelope, &content)).await;
            let elapsed = shown(began.elapsed());
            let (answer, error) = match sent {
                Ok(Ok((answer, session))) => {
                    session.leave(cx.deadline).await;
                    (answer, None)
                }
                Ok(Err(Halt::Lost(why))) => (Answer::default(), Some(why.name())),
                Ok(Err(Halt::Malformed)) => (Answer::default(), Some("malformed")),
                Ok(Err(Halt::NoWay)) => {
                    let reason = "the server lets nobody sign in by PLAIN or LOGIN, and `send` steps know no other way";
                    return Err(Trouble::errored(reason).at(self.subject.span));
                }
                Ok(Err(Halt::NoTls(reason))) => {
                    let reason = format!("TLS came to nothing: {reason}");
                    return Err(Trouble::failed(reason).at(self.subject.span));
                }
                Err(_) => (Answer::default(), Some("timeout")),
            };
            Ok(Value::map([
                ("status", answer.status),
                ("text", answer.text),
                ("command", answer.command),
                ("elapsed", Value::Text(elapsed)),
                ("error", error.map_or(Value::Null, Value::text)),
            ]))
        })
    }
}

impl Send {
    fn value(&self, name: &str, names: &dyn Names) -> Result<Option<Value>, Trouble> {
        let input = self.inputs.iter().find(|(other, _)| *other == name);
        let value = input.map(|(_, input)| input.value(names)).transpose()?;
        Ok(value.filter(|value| *value != Value::Null))
    }

    fn text(&self, name: &str, names: &dyn Names) -> Result<Option<String>, Trouble> {
        Ok(self.value(name, names)?.map(|value| value.to_plain_text()))
    }

    /// One or several, each as it was written.
    fn people(&self, name: &str, names: &dyn Names) -> Result<Option<Vec<String>>, Trouble> {
        Ok(self.value(name, names)?.map(|value| match value {
            Value::List(list) => list.iter().map(Value::to_plain_text).collect(),
            other => vec![other.to_plain_text()],
        }))
    }

    fn mail(&self, names: &dyn Names) -> Result<(Envelope, Vec<u8>), Trouble> {
        let from = self.text("from", names)?;
        let mut everybody = Vec::new();
        let mut written = Vec::new();
        for (name, header) in [("to", "To"), ("cc", "Cc"), ("bcc", "")] {
            if let Some(people) = self.people(name, names)? {
                everybody.extend(people.iter().flat_map(|one| addresses(one)));
                written.push((header.to_owned(), people.join(", ")));
            }
        }
        let of_from = from.as_deref().map(addresses).and_then(|list| list.into_iter().next());
        let sender = self.text("sender", names)?.or(of_from).unwrap_or_default();
        let recipients = self.people("recipients", names)?.unwrap_or(everybody);
        let envelope = Envelope { sender, recipients };
        if let Some(wrong) = envelope.addresses().find(|one| one.contains(['\r', '\n', '<', '>', ' '])) {
            return Err(Trouble::failed(format!("{wrong:?} is no address")));
        }
        if envelope.recipients.is_empty() {
            return Err(Trouble::failed("the mail is to nobody"));
        }
        if let Some(raw) = self.text("raw", names)? {
            return Ok((envelope, raw.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()));
        }
        let given: Map = self.headers.values(names)?;
        let id = format!("{:016x}", RandomState::new().hash_one(0_u8));
        let date = jiff::fmt::rfc2822::to_string(&names.now().to_zoned(TimeZone::UTC)).unwrap_or_default();
        let own = [
            ("From", from),
            ("Subject", self.text("subject", names)?),
            ("Date", Some(date)),
            ("Message-ID", Some(format!("<{id}@seamwork>"))),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let mut headers: Vec<(String, String)> =
            own.chain(written).filter(|(name, _)| !name.is_empty() && !is_said(&given, name)).collect();
        for (name, value) in given {
            match value {
                Value::Null => {}
                Value::List(list) => {
                    headers.extend(list.iter().map(|one| (name.clone(), one.to_plain_text())));
                }
                other => headers.push((name, other.to_plain_text())),
            }
        }
        let attachments = match self.value("attachments", names)? {
            Some(Value::List(list)) => list,
            Some(_) => return Err(Trouble::failed("`attachments` must be a list")),
            None => Vec::new(),
        };
        let (text, html) = (self.text("text", names)?, self.text("html", names)?);
        let mail = Mail { headers, text, html, attachments, boundary: format!("seam-{id}") };
        let content = mail.write().map_err(Trouble::failed)?;
        Ok((envelope, content))
    }
}

#[cfg(test)]
mod tests;
