//! A mail's bytes as a person reads it: headers, texts and attachments, decoded.

use crate::body::in_base64;
use mail_parser::{
    Address, HeaderForm, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};
use seam_value::{Map, Value};

/// One mail, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// The address in `From:`, if there is one.
    pub from: Option<String>,
    /// The addresses in `To:`.
    pub to: Vec<String>,
    /// The subject, decoded; empty where there is none.
    pub subject: String,
    /// The plain text, with `\n` line ends; none where the mail has no such part.
    pub text: Option<String>,
    /// The HTML, with `\n` line ends; none where the mail has no such part.
    pub html: Option<String>,
    /// The headers by name in small letters, decoded and unfolded; one that comes again has a list.
    pub headers: Map,
    /// What is attached.
    pub attachments: Vec<Attachment>,
}

/// One thing that is attached to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its file name, if it has one.
    pub name: Option<String>,
    /// Its type in small letters: `application/pdf`.
    pub content_type: String,
    /// The id by which the HTML refers to it, without angle brackets.
    pub content_id: Option<String>,
    /// Its bytes, decoded.
    pub content: Vec<u8>,
}

impl Mail {
    /// Reads a mail as it came over the wire, without the dots of SMTP. It never fails: what is not there is
    /// empty.
    pub fn read(raw: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(raw) else { return Self::default() };
        let headers = headers(&message);
        let subject = match headers.get("subject") {
            Some(Value::List(list)) => list.first().map(Value::to_plain_text).unwrap_or_default(),
            Some(subject) => subject.to_plain_text(),
            None => String::new(),
        };
        Self {
            from: addresses(message.from()).into_iter().next(),
            to: addresses(message.to()),
            subject,
            text: joined(message.text_bodies(), false),
            html: joined(message.html_bodies(), true),
            headers,
            attachments: message.attachments().map(Attachment::read).collect(),
        }
    }
}

impl Attachment {
    /// One part of a mail or a form.
    pub(crate) fn read(part: &MessagePart<'_>) -> Self {
        let content_type = part.content_type().map_or_else(
            || if part.is_text() { "text/plain".to_owned() } else { "application/octet-stream".to_owned() },
            |found| match found.subtype() {
                Some(subtype) => format!("{}/{subtype}", found.ctype()).to_ascii_lowercase(),
                None => found.ctype().to_ascii_lowercase(),
            },
        );
        let content = match &part.body {
            PartType::Message(message) => message.raw_message().to_vec(),
            _ => part.contents().to_vec(),
        };
        let [name, content_id] =
            [part.attachment_name(), part.content_id()].map(|text| text.map(str::to_owned));
        Self { name, content_type, content_id, content }
    }

    /// As a value: `name`, `content_type`, and `content` as text or `{ base64: … }`.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("name", self.name.clone().into()),
            ("content_type", Value::text(self.content_type.clone())),
            ("content", self.content()),
        ])
    }

    /// Its bytes as a text, or as `{ base64: … }` where they are none.
    pub fn content(&self) -> Value {
        std::str::from_utf8(&self.content).map_or_else(|_| in_base64(&self.content), Value::text)
    }
}

fn addresses(address: Option<&Address<'_>>) -> Vec<String> {
    let Some(address) = address else { return Vec::new() };
    address.iter().filter_map(|one| one.address.as_deref().map(str::to_owned)).collect()
}

fn headers(message: &Message<'_>) -> Map {
    let mut headers = Map::default();
    for header in message.headers() {
        let name = header.name.as_str().to_ascii_lowercase();
        if headers.contains_key(&name) {
            continue;
        }
        let texts = message.header_as(header.name.clone(), HeaderForm::Text);
        let mut texts: Vec<Value> = texts
            .into_iter()
            .map(|value| match value {
                HeaderValue::Text(text) => Value::Text(text.into_owned()),
                HeaderValue::TextList(list) => Value::Text(list.join(" ")),
                _ => Value::text(""),
            })
            .collect();
        let value = if texts.len() == 1 { texts.swap_remove(0) } else { Value::List(texts) };
        headers.insert(name, value);
    }
    headers
}

/// The parts of one kind, one after the other; none where there is no such part.
fn joined<'m>(parts: impl Iterator<Item = &'m MessagePart<'m>>, is_html: bool) -> Option<String> {
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
