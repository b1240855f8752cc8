//! One mail as it was handed over and as a person reads it: decoded, with its attachments.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use indexmap::IndexMap;
use mail_parser::{HeaderForm, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use seam_value::Value;
use std::time::Instant;

/// One mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its number in the mailbox, from 1, over all tests.
    pub number: u64,
    /// When it was accepted.
    pub arrived: Instant,
    /// Who hands it over, from the envelope; empty for a bounce.
    pub sender: String,
    /// Who gets it, from the envelope: also those in blind copy.
    pub recipients: Vec<String>,
    /// Whom the client signed in as, if it did.
    pub user: Option<String>,
    /// The address in `From:`, or the sender's where there is none.
    pub from: String,
    /// The addresses in `To:`, or the recipients where there are none.
    pub to: Vec<String>,
    /// The subject, decoded; empty where there is none.
    pub subject: String,
    /// The plain text, decoded, with `\n` line ends; none where the mail has no such part.
    pub text: Option<String>,
    /// The HTML, decoded, with `\n` line ends; none where the mail has no such part.
    pub html: Option<String>,
    /// All headers by name in lower case, in their order, decoded and unfolded.
    pub headers: IndexMap<String, Vec<String>>,
    /// What is attached, images in the text included.
    pub attachments: Vec<Attachment>,
    /// The mail as it came over the wire, without the dots of SMTP.
    pub raw: Bytes,
}

/// One thing that is attached to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its file name, if it has one.
    pub name: Option<String>,
    /// Its type in lower case: `application/pdf`.
    pub content_type: String,
    /// The id by which the HTML refers to it, without angle brackets.
    pub content_id: Option<String>,
    /// Its bytes, decoded.
    pub content: Bytes,
}

/// What the client said about a mail before it sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) user: Option<String>,
}

impl Mail {
    pub(crate) fn read(number: u64, envelope: Envelope, raw: Bytes) -> Self {
        let Envelope { sender, recipients, user } = envelope;
        let mut mail = Self {
            number,
            arrived: Instant::now(),
            from: sender.clone(),
            to: recipients.clone(),
            sender,
            recipients,
            user,
            subject: String::new(),
            text: None,
            html: None,
            headers: IndexMap::new(),
            attachments: Vec::new(),
            raw,
        };
        // Something without any header is kept all the same: its raw bytes say what there is.
        let raw = mail.raw.clone();
        if let Some(message) = MessageParser::default().parse(&raw[..]) {
            mail.fill(&message);
        }
        mail
    }

    /// As a value, as `mail` steps give it: a header that comes once is a text, else a list.
    pub fn to_value(&self) -> Value {
        let headers = self.headers.iter().map(|(name, all)| {
            let value = match all.as_slice() {
                [one] => Value::text(one.as_str()),
                all => Value::from(all.to_vec()),
            };
            (name.clone(), value)
        });
        Value::map([
            ("from", Value::text(self.from.as_str())),
            ("to", Value::from(self.to.clone())),
            ("subject", Value::text(self.subject.as_str())),
            ("text", self.text.clone().into()),
            ("html", self.html.clone().into()),
            ("headers", Value::Map(headers.collect())),
            ("attachments", Value::List(self.attachments.iter().map(Attachment::to_value).collect())),
            ("sender", Value::text(self.sender.as_str())),
            ("recipients", Value::from(self.recipients.clone())),
            ("raw", Value::Text(String::from_utf8_lossy(&self.raw).into_owned())),
        ])
    }

    fn fill(&mut self, message: &Message<'_>) {
        if let Some(from) = addresses(message.from()).into_iter().next() {
            self.from = from;
        }
        let to = addresses(message.to());
        if !to.is_empty() {
            self.to = to;
        }
        self.headers = headers(message);
        self.subject = self.headers.get("subject").and_then(|all| all.first()).cloned().unwrap_or_default();
        self.text = body(message.text_bodies(), false);
        self.html = body(message.html_bodies(), true);
        self.attachments = message.attachments().map(attachment).collect();
    }
}

impl Attachment {
    /// As a value: `content` is a text, or `{ base64: … }` where it is none.
    pub fn to_value(&self) -> Value {
        let content = std::str::from_utf8(&self.content).map_or_else(
            |_| Value::map([("base64", Value::Text(BASE64_STANDARD.encode(&self.content)))]),
            Value::text,
        );
        Value::map([
            ("name", self.name.clone().into()),
            ("content_type", Value::text(self.content_type.as_str())),
            ("content_id", self.content_id.clone().into()),
            ("content", content),
            ("length", Value::from(self.content.len())),
        ])
    }
}

fn addresses(address: Option<&mail_parser::Address<'_>>) -> Vec<String> {
    let Some(address) = address else { return Vec::new() };
    address.iter().filter_map(|one| one.address.as_deref().map(str::to_owned)).collect()
}

fn headers(message: &Message<'_>) -> IndexMap<String, Vec<String>> {
    let mut headers: IndexMap<String, Vec<String>> = IndexMap::new();
    for header in message.headers() {
        let name = header.name.as_str().to_ascii_lowercase();
        if headers.contains_key(&name) {
            continue;
        }
        let texts = message.header_as(header.name.clone(), HeaderForm::Text);
        let texts = texts.into_iter().map(|value| match value {
            HeaderValue::Text(text) => text.into_owned(),
            HeaderValue::TextList(list) => list.join(" "),
            _ => String::new(),
        });
        headers.insert(name, texts.collect());
    }
    headers
}

/// The parts of one kind, one after the other; none where there is no such part.
fn body<'m>(parts: impl Iterator<Item = &'m MessagePart<'m>>, is_html: bool) -> Option<String> {
    let texts: Vec<String> = parts
        .filter_map(|part| match &part.body {
            PartType::Text(text) if !is_html => Some(text),
            PartType::Html(text) if is_html => Some(text),
            _ => None,
        })
        .map(|text| text.replace("\r\n", "\n"))
        .collect();
    if texts.is_empty() { None } else { Some(texts.concat()) }
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let content_type = part.content_type().map_or_else(
        || if part.is_text() { "text/plain".to_owned() } else { "application/octet-stream".to_owned() },
        |found| match found.subtype() {
            Some(subtype) => format!("{}/{subtype}", found.ctype()).to_ascii_lowercase(),
            None => found.ctype().to_ascii_lowercase(),
        },
    );
    let content = match &part.body {
        PartType::Message(message) => Bytes::copy_from_slice(message.raw_message()),
        _ => Bytes::copy_from_slice(part.contents()),
    };
    Attachment {
        name: part.attachment_name().map(str::to_owned),
        content_type,
        content_id: part.content_id().map(str::to_owned),
        content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Mail {
        let envelope =
            Envelope { sender: "shop@x.test".into(), recipients: vec!["ann@x.test".into()], user: None };
        Mail::read(1, envelope, Bytes::from(raw.replace('\n', "\r\n")))
    }

    #[test]
    fn a_mail_is_decoded() {
        let mail = read(concat!(
            "From: =?utf-8?q?B=C3=BCcher?= <shop@x.test>\nTo: Ann <ann@x.test>, bob@x.test\n",
            "Subject: =?utf-8?b?SWhyZSBCw7xjaGVy?=\n =?utf-8?q?_42?=\nReceived: a\nReceived: b\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
            "Content-Type: multipart/alternative; boundary=c\n\n--c\n",
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n",
            "Gr=FC=DFe\nzwei=20Zeilen\n--c\nContent-Type: text/html\n\n<b>Hi</b>\n--c--\n--b\n",
            "Content-Type: application/pdf; name=\"bill.pdf\"\nContent-Transfer-Encoding: base64\n",
            "Content-Disposition: attachment; filename=\"bill.pdf\"\n\naGVsbG8=\n--b--\n",
        ));
        assert_eq!(mail.from, "shop@x.test");
        assert_eq!(mail.to, ["ann@x.test", "bob@x.test"]);
        assert_eq!(mail.recipients, ["ann@x.test"]);
        assert_eq!(mail.subject, "Ihre Bücher 42");
        assert_eq!(mail.text.as_deref(), Some("Grüße\nzwei Zeilen"));
        assert_eq!(mail.html.as_deref(), Some("<b>Hi</b>"));
        assert_eq!(mail.headers["received"], ["a", "b"]);
        assert_eq!(mail.headers["from"], ["Bücher <shop@x.test>"]);
        let [bill] = mail.attachments.as_slice() else { panic!("{:?}", mail.attachments) };
        assert_eq!(bill.name.as_deref(), Some("bill.pdf"));
        assert_eq!((bill.content_type.as_str(), &bill.content[..]), ("application/pdf", &b"hello"[..]));
    }

    #[test]
    fn a_mail_is_a_value() {
        let mail = read(concat!(
            "From: shop@x.test\nTo: ann@x.test\nSubject: Hi\nReceived: a\nReceived: b\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nHi\n--b\n",
            "Content-Type: image/png; name=\"a.png\"\nContent-Transfer-Encoding: base64\n",
            "Content-ID: <pic>\nContent-Disposition: attachment\n\n/wA=\n--b--\n",
        ));
        let Value::Map(mut value) = mail.to_value() else { panic!() };
        assert!(value.shift_remove("raw").unwrap().as_text().unwrap().ends_with("--b--\r\n"));
        let Value::Map(mut headers) = value.shift_remove("headers").unwrap() else { panic!() };
        headers.shift_remove("content-type");
        assert_eq!(
            Value::Map(headers).to_string(),
            r#"{"from":"shop@x.test","to":"ann@x.test","subject":"Hi","received":["a","b"]}"#
        );
        assert_eq!(
            Value::Map(value).to_string(),
            concat!(
                r#"{"from":"shop@x.test","to":["ann@x.test"],"subject":"Hi","text":"Hi","html":null,"#,
                r#""attachments":[{"name":"a.png","content_type":"image/png","content_id":"pic","#,
                r#""content":{"base64":"/wA="},"length":2}],"#,
                r#""sender":"shop@x.test","recipients":["ann@x.test"]}"#
            )
        );
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let mail = read("Subject: only html\nContent-Type: text/html\n\n<p>Hi</p>\n");
        assert_eq!((mail.text.as_deref(), mail.html.as_deref()), (None, Some("<p>Hi</p>\n")));
        assert_eq!((mail.from.as_str(), mail.to.len()), ("shop@x.test", 1));
        let mail = read("");
        assert_eq!((mail.subject.as_str(), mail.text), ("", None));
        let mail = read("Subject: plain\n\nHi\n");
        assert_eq!((mail.text.as_deref(), mail.html), (Some("Hi\n"), None));
    }
}
