//! A mail's bytes, of what a step says about it: headers, texts and attachments (RFC 5322, 2045 to 2047, 2231).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use seam_value::{Map, Value};
use seam_wire::body::from_base64;
use std::fmt::Write as _;

/// Who hands a mail over, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
}

impl Envelope {
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.sender).chain(&self.recipients).map(String::as_str)
    }
}

/// What a mail says.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    /// The headers, in order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) attachments: Vec<Value>,
    /// Divides the parts, which nothing else may contain.
    pub(super) boundary: String,
}

/// What a parameter's text may not have as it is (RFC 2231, 7).
const IN_PARAMETERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// How many letters of a file's name stand in one line: of each there are twelve at most.
const LETTERS: usize = 5;

/// The headers whose texts are addresses, in small letters (RFC 5322, 3.6).
const OF_PEOPLE: &[&str] = &["from", "sender", "reply-to", "to", "cc", "bcc"];

/// The people in a header's text, each as they are written, by the commas that stand in no quotes.
fn people(text: &str) -> Vec<String> {
    let (mut quoted, mut parts) = (false, vec![String::new()]);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("it begins with one").push(letter);
    }
    parts
}

/// The addresses in a header's text: `Ann <ann@example.test>, bob@example.test`.
pub(super) fn addresses(text: &str) -> Vec<String> {
    let address = |part: &String| {
        let inside = part.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
        inside.map_or(part.as_str(), |(address, _)| address).trim().to_owned()
    };
    people(text).iter().map(address).filter(|address| !address.is_empty()).collect()
}

impl Mail {
    /// The mail's bytes. The error says what can't be written.
    pub(super) fn write(&self) -> Result<Vec<u8>, String> {
        let mut out = String::new();
        for (name, value) in &self.headers {
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            if !is_name || value.contains(['\r', '\n']) {
                return Err(format!("`{name}: {value}` can't be a header"));
            }
            let plain = name.to_ascii_lowercase();
            let is_of_people = OF_PEOPLE.contains(&plain.strip_prefix("resent-").unwrap_or(&plain));
            let value = if is_of_people { encoded_people(value) } else { encoded(value) };
            let _ = write!(out, "{name}: {value}\r\n");
        }
        out.push_str("MIME-Version: 1.0\r\n");
        let texts = [("plain", &self.text), ("html", &self.html)];
        let texts: Vec<String> =
            texts.iter().filter_map(|(kind, text)| Some(text_part(kind, text.as_ref()?))).collect();
        let body = match texts.as_slice() {
            [] => text_part("plain", ""),
            [one] => one.clone(),
            several => multipart("alternative", &format!("{}-a", self.boundary), several),
        };
        if self.attachments.is_empty() {
            out.push_str(&body);
        } else {
            let attached = self.attachments.iter().map(attachment).collect::<Result<Vec<_>, _>>()?;
            let parts: Vec<String> = std::iter::once(body).chain(attached).collect();
            out.push_str(&multipart("mixed", &self.boundary, &parts));
        }
        Ok(out.into_bytes())
    }
}

/// A header of people in ASCII: each one's name is encoded by itself where it has other letters, addresses stay.
fn encoded_people(text: &str) -> String {
    let person = |person: &String| {
        let person = person.trim();
        match person.rsplit_once('<') {
            Some((name, address)) if !name.is_ascii() => format!("{} <{address}", in_words(name.trim())),
            _ => person.to_owned(),
        }
    };
    people(text).iter().map(person).collect::<Vec<_>>().join(", ")
}

/// A header's text in ASCII: words with other letters are encoded.
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    // Words that have to be encoded stand together with the space between them, which would get lost otherwise.
    let words: Vec<&str> = text.split(' ').collect();
    let is_other = |word: &&str| !word.is_ascii() && !word.starts_with('<');
    let first = words.iter().position(is_other).unwrap_or(words.len());
    let last = words.iter().rposition(is_other).unwrap_or(first);
    let mut out: Vec<String> = words[..first.min(words.len())].iter().map(ToString::to_string).collect();
    if let Some(others) = words.get(first..=last) {
        out.push(in_words(&others.join(" ")));
        out.extend(words[last + 1..].iter().map(ToString::to_string));
    }
    out.join(" ")
}

/// A text as encoded words, which stand in no quotes (RFC 2047, 2 and 5).
fn in_words(text: &str) -> String {
    let letters: Vec<char> = text.chars().filter(|letter| *letter != '"').collect();
    // An encoded word has 75 letters at most.
    let part = |letters: &[char]| format!("=?utf-8?B?{}?=", STANDARD.encode(String::from_iter(letters)));
    letters.chunks(10).map(part).collect::<Vec<_>>().join("\r\n ")
}

fn text_part(kind: &str, text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    // A lone `\r` stands in no line of a mail (RFC 5321, 2.3.8).
    let is_plain =
        text.is_ascii() && !lines.contains(['\0', '\r']) && lines.lines().all(|line| line.len() < 990);
    let head = format!("Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: ");
    if is_plain {
        format!("{head}7bit\r\n\r\n{}", lines.replace('\n', "\r\n"))
    } else {
        format!("{head}base64\r\n\r\n{}", in_lines(lines.as_bytes()))
    }
}

fn attachment(value: &Value) -> Result<String, String> {
    let field = |name: &str| value.get(name).filter(|value| **value != Value::Null);
    let Some(content) = field("content") else { return Err("an attachment needs `content`".to_owned()) };
    let bytes = from_base64(content).unwrap_or_else(|| content.to_plain_text().into_bytes());
    let is_text = content.as_text().is_some();
    let kind = field("content_type").map_or_else(
        || if is_text { "text/plain".to_owned() } else { "application/octet-stream".to_owned() },
        Value::to_plain_text,
    );
    let name = field("name").map(Value::to_plain_text);
    if [Some(&kind), name.as_ref()].into_iter().flatten().any(|text| text.contains(['\r', '\n'])) {
        return Err(format!("{value} can't be attached: its name or type has line ends"));
    }
    let name = name.map_or_else(String::new, |name| filename(&name));
    Ok(format!(
        "Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment{name}\r\n\r\n{}",
        in_lines(&bytes)
    ))
}

/// A file's name as a parameter, in quotes that no letter of it ends (RFC 2045, 5.1); one with letters beyond ASCII in
/// parts, each of a line's length (RFC 2231, 3 and 4).
fn filename(name: &str) -> String {
    if name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        return format!("; filename=\"{name}\"");
    }
    let letters: Vec<char> = name.chars().collect();
    let parts: Vec<String> = letters
        .chunks(LETTERS)
        .map(|letters| utf8_percent_encode(&String::from_iter(letters), IN_PARAMETERS).to_string())
        .collect();
    let is_one = parts.len() == 1;
    let part = |(index, part): (usize, &String)| {
        let number = if is_one { String::new() } else { format!("*{index}") };
        let charset = if index == 0 { "utf-8''" } else { "" };
        format!(";\r\n filename{number}*={charset}{part}")
    };
    parts.iter().enumerate().map(part).collect()
}

fn multipart(kind: &str, boundary: &str, parts: &[String]) -> String {
    let mut out = format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n");
    for part in parts {
        let _ = write!(out, "--{boundary}\r\n{part}\r\n");
    }
    let _ = write!(out, "--{boundary}--\r\n");
    out
}

fn in_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = (0..text.len()).step_by(76).map(|at| &text[at..text.len().min(at + 76)]).collect();
    lines.join("\r\n")
}

/// Headers that a step says by itself, in small letters, unless it is told others.
pub(super) fn is_said(headers: &Map, name: &str) -> bool {
    headers.keys().any(|key| key.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_wire::mail::Mail as Read;

    #[test]
    fn addresses_in_headers() {
        for (text, expect) in [
            ("ann@example.test", &["ann@example.test"][..]),
            ("Ann <ann@example.test>, bob@example.test", &["ann@example.test", "bob@example.test"]),
            ("\"Ann, of Sales\" <ann@example.test>", &["ann@example.test"]),
            (" ", &[]),
        ] {
            assert_eq!(addresses(text), expect, "{text}");
        }
    }

    /// The phrase of each stands by itself: a word that is encoded must not swallow an address.
    #[test]
    fn all_addresses_stay_whatever_letters_the_names_have() {
        let header = |name: &str, value: &str| Mail {
            headers: vec![(name.to_owned(), value.to_owned())],
            boundary: "b".to_owned(),
            ..Mail::default()
        };
        for (people, expect) in [
            ("Ä <a@x.test>, Ö <b@x.test>", &["a@x.test", "b@x.test"][..]),
            ("Ä <a@x.test>, bob@x.test, Carl Ö <c@x.test>", &["a@x.test", "bob@x.test", "c@x.test"]),
            ("\"Bücher, GmbH\" <a@x.test>, \"Ann, of Sales\" <b@x.test>", &["a@x.test", "b@x.test"]),
            ("Ä<a@x.test>,b@x.test", &["a@x.test", "b@x.test"]),
        ] {
            for name in ["To", "Cc", "reply-to", "Resent-To"] {
                let bytes = header(name, people).write().unwrap();
                let text = String::from_utf8(bytes.clone()).unwrap();
                assert!(text.is_ascii(), "{text}");
                let written = text.split("MIME-Version").next().unwrap();
                for one in expect {
                    assert!(written.contains(one), "{people}: {text}");
                }
                assert_eq!(addresses(written.split_once(':').unwrap().1), expect, "{people}: {text}");
                if name == "To" {
                    assert_eq!(Read::read(&bytes).to, expect, "{people}: {text}");
                }
            }
        }
        let bytes = header("To", "Ä <a@x.test>, Carl Ö <c@x.test>").write().unwrap();
        let read = Read::read(&bytes);
        assert_eq!(read.headers.get("to"), Some(&Value::text("Ä <a@x.test>, Carl Ö <c@x.test>")));
        let bytes = header("Subject", "Ä <a@x.test>, Ö <b@x.test>").write().unwrap();
        assert_eq!(Read::read(&bytes).subject, "Ä <a@x.test>, Ö <b@x.test>");
    }

    #[test]
    fn names_of_files_have_all_letters() {
        for (name, expect) in [
            ("bill 7.pdf", "attachment; filename=\"bill 7.pdf\"\r\n"),
            (r#"a\b "c".pdf"#, "attachment; filename=\"a\\\\b \\\"c\\\".pdf\"\r\n"),
            ("a\tb", "attachment;\r\n filename*=utf-8''a%09b\r\n"),
            ("Ä.pdf", "attachment;\r\n filename*=utf-8''%C3%84.pdf\r\n"),
            (
                "Bücher & 日本.pdf",
                "attachment;\r\n filename*0*=utf-8''B%C3%BCche;\r\n filename*1*=r%20%26%20%E6%97%A5;\r\n filename*2*=%E6%9C%AC.pdf\r\n",
            ),
        ] {
            let attached = Value::map([("name", Value::text(name)), ("content", Value::text("a"))]);
            let mail = Mail { attachments: vec![attached], boundary: "b".to_owned(), ..Mail::default() };
            let bytes = mail.write().unwrap();
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.is_ascii() && text.contains(expect), "{text}");
            assert_eq!(Read::read(&bytes).attachments[0].name.as_deref(), Some(name), "{text}");
        }
    }

    /// What ends a line for some and not for others goes in letters that say which it is.
    #[test]
    fn no_line_ends_but_those_of_mails() {
        for (text, is_plain) in [("a\nb\r\nc", true), ("a\rb", false), ("a\r\r\nb", false)] {
            let mail = Mail { text: Some(text.to_owned()), ..Mail::default() };
            let bytes = mail.write().unwrap();
            let written = String::from_utf8(bytes.clone()).unwrap();
            assert_eq!(written.contains("7bit"), is_plain, "{written}");
            assert!(!written.replace("\r\n", "").contains(['\r', '\n']), "{written:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let headers = [
            ("From", "Bücher & Söhne <shop@example.test>"),
            ("To", "ann@example.test"),
            ("Subject", "Ihre Bestellung über zwölf große Bücher ist unterwegs, für Sie"),
        ];
        let mail = Mail {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            text: Some("Danke\n.\nfür alles".to_owned()),
            html: Some("<p>Thanks".to_owned()),
            attachments: vec![
                seam_value::parse(
                    r#"{"name":"bill.pdf","content_type":"application/pdf","content":{"base64":"/wA="}}"#,
                )
                .unwrap(),
            ],
            boundary: "b".to_owned(),
        };
        let bytes = mail.write().unwrap();
        assert!(bytes.is_ascii());
        let read = Read::read(&bytes);
        assert_eq!(read.from.as_deref(), Some("shop@example.test"));
        assert_eq!(read.headers.get("from"), Some(&Value::text(headers[0].1)));
        assert_eq!(read.subject, headers[2].1);
        assert_eq!(read.text.as_deref(), Some("Danke\n.\nfür alles"));
        assert_eq!(read.html.as_deref(), Some("<p>Thanks"));
        let attachment = &read.attachments[0];
        assert_eq!(
            (attachment.name.as_deref(), &*attachment.content_type, &*attachment.content),
            (Some("bill.pdf"), "application/pdf", &[0xff, 0][..])
        );
        let wrong = Mail { headers: vec![("Subject".to_owned(), "a\r\nBcc: x".to_owned())], ..mail };
        assert!(wrong.write().is_err());
    }
}
