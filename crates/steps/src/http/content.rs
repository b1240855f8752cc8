//! What a request carries: JSON, a form, a form of several parts, a text or a file, from values to bytes.

use crate::action::Trouble;
use bytes::Bytes;
use seam_value::Value;
use std::fmt::Write as _;
use std::path::Path;

/// A body with the type that it has unless a header says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) media: Option<String>,
}

/// Where the files of parts are found, and how a file's content is told by its name.
pub(super) struct Files<'a> {
    pub(super) read: &'a dyn Fn(&str) -> Result<Vec<u8>, Trouble>,
}

impl Content {
    fn of(bytes: impl Into<Bytes>, media: &str) -> Self {
        Self { bytes: bytes.into(), media: Some(media.to_owned()) }
    }

    /// A value as JSON, its digits as they are.
    pub(super) fn json(value: &Value) -> Self {
        Self::of(value.to_string(), "application/json")
    }

    /// `a=1&b=x+y`; a list repeats its key, null leaves it out.
    pub(super) fn form(value: &Value) -> Self {
        Self::of(pairs(value), "application/x-www-form-urlencoded")
    }

    /// A text as it is.
    pub(super) fn text(text: String) -> Self {
        Self::of(text, "text/plain; charset=utf-8")
    }

    /// XML as it is.
    pub(super) fn xml(text: String) -> Self {
        Self::of(text, "application/xml")
    }

    /// A file, its type known by its name.
    pub(super) fn file(path: &str, bytes: Vec<u8>) -> Self {
        Self::of(bytes, media_of(path))
    }

    /// Parts by name: a text, `{ file: … }`, `{ text: …, type: … }`, `{ json: … }`, or a list of these.
    pub(super) fn multipart(value: &Value, files: &Files<'_>) -> Result<Self, Trouble> {
        let mut parts = Vec::new();
        let map = value.as_map().ok_or_else(|| Trouble::failed("`multipart` must be a map of parts"))?;
        for (name, value) in map {
            match value {
                Value::Null => {}
                Value::List(list) => {
                    for element in list {
                        parts.push(part(name, element, files)?);
                    }
                }
                one => parts.push(part(name, one, files)?),
            }
        }
        let boundary = boundary(&parts);
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(format!("--{boundary}\r\n{}\r\n\r\n", part.head).as_bytes());
            bytes.extend_from_slice(&part.body);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(Self::of(bytes, &format!("multipart/form-data; boundary={boundary}")))
    }
}

/// `a=1&b=x+y` from a map; a list repeats its key, null leaves it out.
pub(crate) fn pairs(value: &Value) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in value.as_map().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::List(list) => {
                for element in list.iter().filter(|element| **element != Value::Null) {
                    out.append_pair(key, &element.to_plain_text());
                }
            }
            one => {
                out.append_pair(key, &one.to_plain_text());
            }
        }
    }
    out.finish()
}

struct Part {
    head: String,
    body: Vec<u8>,
}

fn part(name: &str, value: &Value, files: &Files<'_>) -> Result<Part, Trouble> {
    let field = |key: &str| value.get(key).map(Value::to_plain_text);
    let (body, media, file_name) = match (field("file"), field("text"), value.get("json")) {
        (Some(path), _, _) => {
            let base = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
            ((files.read)(&path)?, Some(media_of(&path).to_owned()), base)
        }
        (None, Some(text), _) => (text.into_bytes(), None, None),
        (None, None, Some(json)) => {
            (json.to_string().into_bytes(), Some("application/json".to_owned()), None)
        }
        (None, None, None) => (value.to_plain_text().into_bytes(), None, None),
    };
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
    // Writing to a text can't fail.
    if let Some(file_name) = field("name").or(file_name) {
        let _ = write!(head, "; filename=\"{}\"", quoted(&file_name));
    }
    if let Some(media) = field("type").or(media) {
        let _ = write!(head, "\r\nContent-Type: {}", media.replace(['\r', '\n'], " "));
    }
    Ok(Part { head, body })
}

/// As browsers write names of parts (the URL standard's multipart encoding).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A line that stands in none of the parts; the same parts have the same one, so that runs can be compared.
fn boundary(parts: &[Part]) -> String {
    (0..=parts.iter().map(|part| part.body.len()).sum())
        .map(|number| format!("----seamwork-part-{number}"))
        .find(|line| !parts.iter().any(|part| contains(&part.body, line.as_bytes())))
        .expect("there are more numbers than bytes in which they could stand")
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The media type that a file's name tells.
fn media_of(path: &str) -> &'static str {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "xml" => "application/xml",
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        seam_value::parse(json).unwrap()
    }

    #[test]
    fn forms_repeat_lists_and_leave_null_out() {
        for (json, expect) in [
            (r#"{"a":1,"b":"x y&=ä"}"#, "a=1&b=x+y%26%3D%C3%A4"),
            (r#"{"a":[1,null,true],"b":null}"#, "a=1&a=true"),
            (r#"{"a":{"b":1.50}}"#, "a=%7B%22b%22%3A1.50%7D"),
            ("{}", ""),
        ] {
            assert_eq!(pairs(&value(json)), expect, "{json}");
        }
    }

    #[test]
    fn parts_have_names_types_and_files() {
        let files = Files {
            read: &|path| {
                if path == "cover.png" { Ok(b"\x89P".to_vec()) } else { Err(Trouble::errored("no")) }
            },
        };
        let parts = value(
            r#"{"title":"Hello","n":2,"cover":{"file":"cover.png"},"tags":["a","b"],"none":null,
                "meta":{"json":{"x":1.0}},"note":{"text":"----seamwork-part-0","type":"text/markdown","name":"n\".md"}}"#,
        );
        let content = Content::multipart(&parts, &files).unwrap();
        assert_eq!(content.media.unwrap(), "multipart/form-data; boundary=----seamwork-part-1");
        let text = String::from_utf8_lossy(&content.bytes).replace("\r\n", "|");
        let expect = [
            "title\"||Hello|",
            "n\"||2|",
            "cover\"; filename=\"cover.png\"|Content-Type: image/png||\u{fffd}P|",
            "tags\"||a|",
            "tags\"||b|",
            "meta\"|Content-Type: application/json||{\"x\":1.0}|",
            "note\"; filename=\"n%22.md\"|Content-Type: text/markdown||----seamwork-part-0|",
        ];
        let front = "------seamwork-part-1|Content-Disposition: form-data; name=\"";
        let whole: String = expect.iter().flat_map(|part| [front, part]).collect();
        assert_eq!(text, format!("{whole}------seamwork-part-1--|"));
        assert!(Content::multipart(&value(r#"{"x":{"file":"gone"}}"#), &files).is_err());
    }
}
