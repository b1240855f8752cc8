//! One mail as it was handed over and as a person reads it: decoded, with its attachments. How it is read is what seams
//! know of mails (`seam_wire::mail`).

use bytes::Bytes;
use seam_value::Value;
use seam_wire::mail::{Attachment, Mail as Read};
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
    /// What it says, decoded; `from` and `to` are those of the envelope where it says none.
    pub read: Read,
    /// The mail as it came over the wire, without the dots of SMTP.
    pub raw: Bytes,
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
        // Something without any header is kept all the same: its raw bytes say what there is.
        let mut read = Read::read(&raw);
        read.from.get_or_insert_with(|| sender.clone());
        if read.to.is_empty() {
            read.to.clone_from(&recipients);
        }
        Self { number, arrived: Instant::now(), sender, recipients, user, read, raw }
    }

    /// As a value, as `mail` steps give it: a header that comes once is a text, else a list.
    pub fn to_value(&self) -> Value {
        let Read { from, to, subject, text, html, headers, attachments } = &self.read;
        Value::map([
            ("from", from.clone().into()),
            ("to", Value::from(to.clone())),
            ("subject", Value::text(subject.as_str())),
            ("text", text.clone().into()),
            ("html", html.clone().into()),
            ("headers", Value::Map(headers.clone())),
            ("attachments", Value::List(attachments.iter().map(attached).collect())),
            ("sender", Value::text(self.sender.as_str())),
            ("recipients", Value::from(self.recipients.clone())),
            ("raw", Value::Text(String::from_utf8_lossy(&self.raw).into_owned())),
        ])
    }
}

/// What is attached as a value, images in the text included: `content` is a text, or `{ base64: … }` where it is none.
fn attached(attachment: &Attachment) -> Value {
    Value::map([
        ("name", attachment.name.clone().into()),
        ("content_type", Value::text(attachment.content_type.as_str())),
        ("content_id", attachment.content_id.clone().into()),
        ("content", attachment.content()),
        ("length", Value::from(attachment.content.len())),
    ])
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
        assert_eq!(mail.recipients, ["ann@x.test"]);
        let mail = mail.read;
        assert_eq!(mail.from.as_deref(), Some("shop@x.test"));
        assert_eq!(mail.to, ["ann@x.test", "bob@x.test"]);
        assert_eq!(mail.subject, "Ihre Bücher 42");
        assert_eq!(mail.text.as_deref(), Some("Grüße\nzwei Zeilen"));
        assert_eq!(mail.html.as_deref(), Some("<b>Hi</b>"));
        assert_eq!(mail.headers["received"].to_string(), r#"["a","b"]"#);
        assert_eq!(mail.headers["from"], Value::text("Bücher <shop@x.test>"));
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
        let mail = read("Subject: only html\nContent-Type: text/html\n\n<p>Hi</p>\n").read;
        assert_eq!((mail.text.as_deref(), mail.html.as_deref()), (None, Some("<p>Hi</p>\n")));
        assert_eq!((mail.from.as_deref(), mail.to.len()), (Some("shop@x.test"), 1));
        let mail = read("").read;
        assert_eq!((mail.subject.as_str(), mail.text), ("", None));
        let mail = read("Subject: plain\n\nHi\n").read;
        assert_eq!((mail.text.as_deref(), mail.html), (Some("Hi\n"), None));
    }
}
