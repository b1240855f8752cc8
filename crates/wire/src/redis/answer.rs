//! Plain values to RESP: what is said in a server's place, in the form that its command is answered in.

use crate::body::from_base64;
use crate::splitter::Unanswerable;
use crate::unmatched::unmatched;
use seam_value::{Number, Value};

/// In what form a command's replies come: RESP has more kinds of values than tests have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the value says.
    #[default]
    Any,
    /// Texts, also where they look like numbers.
    Texts,
    /// A hash of texts.
    Hash,
    /// A set of texts.
    Set,
    /// A word of the server's own.
    Word,
    /// A list that may be missing as a whole.
    List,
}

impl Shape {
    /// The form of a command's replies.
    pub(super) fn of(command: &[u8]) -> Self {
        match command.to_ascii_uppercase().as_slice() {
            b"GET" | b"GETSET" | b"GETDEL" | b"GETEX" | b"GETRANGE" | b"SUBSTR" | b"MGET" | b"HGET"
            | b"HMGET" | b"HKEYS" | b"HVALS" | b"LINDEX" | b"LPOP" | b"RPOP" | b"LRANGE" | b"LMOVE"
            | b"RPOPLPUSH" | b"BRPOPLPUSH" | b"BLMOVE" | b"KEYS" | b"RANDOMKEY" | b"ECHO" | b"HRANDFIELD"
            | b"SRANDMEMBER" | b"SORT" | b"SORT_RO" | b"INCRBYFLOAT" | b"HINCRBYFLOAT" | b"INFO"
            | b"DUMP" => Self::Texts,
            b"HGETALL" => Self::Hash,
            b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF" => Self::Set,
            b"TYPE" => Self::Word,
            b"EXEC" | b"BLPOP" | b"BRPOP" | b"BZPOPMIN" | b"BZPOPMAX" | b"BLMPOP" | b"BZMPOP" | b"LMPOP"
            | b"ZMPOP" | b"XREAD" | b"XREADGROUP" => Self::List,
            _ => Self::Any,
        }
    }

    fn has_texts(self) -> bool {
        matches!(self, Self::Texts | Self::Hash | Self::Set)
    }
}

/// What is to be said.
#[derive(Debug)]
pub(super) enum Said<'a> {
    Value(&'a Value),
    Error(String),
}

/// Reads an answer's fields.
pub(super) fn read(answer: &Value) -> Result<Said<'_>, Unanswerable> {
    if let Some(words) = unmatched(answer) {
        return Ok(Said::Error(error_line(words)));
    }
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new(format!(
            "an answer of redis is a map with value or error, not {answer}"
        )));
    };
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "value" | "error")) {
        return Err(Unanswerable::new(format!("redis has no {other}; its answers have value or error")));
    }
    match map.get("error").unwrap_or(&Value::Null) {
        Value::Null => Ok(Said::Value(map.get("value").unwrap_or(&Value::Null))),
        Value::Text(text) => Ok(Said::Error(error_line(text))),
        other => Err(Unanswerable::new(format!("error is a text (`LOADING …`), not {other}"))),
    }
}

/// An error as one line that begins with its kind, as clients expect it.
fn error_line(text: &str) -> String {
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    let first = line.split(' ').next().unwrap_or_default();
    let has_kind = !first.is_empty()
        && first.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if has_kind { line.to_owned() } else { format!("ERR {line}").trim_end().to_owned() }
}

/// An error as a reply.
pub(super) fn error(line: &str) -> Vec<u8> {
    format!("-{line}\r\n").into_bytes()
}

/// A value as a reply.
pub(super) fn encode(value: &Value, shape: Shape, is_resp3: bool) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new(), shape, is_resp3 };
    match value {
        Value::Null if shape == Shape::List && !is_resp3 => writer.out.extend_from_slice(b"*-1\r\n"),
        Value::Text(text) if is_word(text, shape) => {
            writer.out.extend_from_slice(format!("+{text}\r\n").as_bytes());
        }
        Value::List(list) if shape == Shape::Set && is_resp3 => {
            writer.head(b'~', list.len());
            for value in list {
                writer.value(value);
            }
        }
        value => writer.value(value),
    }
    writer.out
}

/// Is it one of the words that a server says as a status, where a command has no texts of its own?
fn is_word(text: &str, shape: Shape) -> bool {
    let is_line = !text.is_empty() && !text.contains(['\r', '\n']);
    match shape {
        Shape::Word => is_line,
        Shape::Texts | Shape::Hash | Shape::Set => false,
        Shape::Any | Shape::List => {
            matches!(text, "OK" | "PONG" | "QUEUED" | "RESET" | "CONTINUE")
                || (is_line && (text.starts_with("Background ") || text.starts_with("FULLRESYNC ")))
        }
    }
}

/// A text's bytes; those of anything else as it is written.
pub(super) fn bytes_of(value: &Value) -> Vec<u8> {
    match from_base64(value) {
        Some(bytes) => bytes,
        None if *value == Value::Null => Vec::new(),
        None => value.to_plain_text().into_bytes(),
    }
}

/// The text in `{ error: … }`, which stands for an error among the values of a list.
fn inner_error(value: &Value) -> Option<&str> {
    value.as_map().filter(|map| map.len() == 1)?.get("error")?.as_text()
}

struct Writer {
    out: Vec<u8>,
    shape: Shape,
    is_resp3: bool,
}

impl Writer {
    fn head(&mut self, kind: u8, length: usize) {
        self.out.push(kind);
        self.out.extend_from_slice(format!("{length}\r\n").as_bytes());
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.head(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, kind: char, text: &str) {
        self.out.extend_from_slice(format!("{kind}{text}\r\n").as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null if self.is_resp3 => self.out.extend_from_slice(b"_\r\n"),
            Value::Null => self.out.extend_from_slice(b"$-1\r\n"),
            Value::Bool(is_true) if self.is_resp3 => self.line('#', if *is_true { "t" } else { "f" }),
            Value::Bool(is_true) => self.line(':', if *is_true { "1" } else { "0" }),
            Value::Number(number) => self.number(number),
            Value::Text(text) => self.bulk(text.as_bytes()),
            Value::List(list) => {
                self.head(b'*', list.len());
                for value in list {
                    self.value(value);
                }
            }
            Value::Map(map) => {
                if let Some(bytes) = from_base64(value) {
                    self.bulk(&bytes);
                } else if let Some(text) = inner_error(value) {
                    self.line('-', &error_line(text));
                } else {
                    if self.is_resp3 {
                        self.head(b'%', map.len());
                    } else {
                        self.head(b'*', map.len() * 2);
                    }
                    for (key, value) in map {
                        self.bulk(key.as_bytes());
                        self.value(value);
                    }
                }
            }
        }
    }

    fn number(&mut self, number: &Number) {
        let written = number.to_string();
        if self.shape.has_texts() {
            self.bulk(written.as_bytes());
        } else if number.is_written_as_integer() && number.as_i64().is_some() {
            self.line(':', &written);
        } else if !self.is_resp3 {
            self.bulk(written.as_bytes());
        } else if number.is_written_as_integer() {
            self.line('(', &written);
        } else {
            self.line(',', &written);
        }
    }
}

/// A message to a subscriber, as published.
pub(super) fn published(kind: &[u8], fields: &[&[u8]], is_resp3: bool) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new(), shape: Shape::Any, is_resp3 };
    writer.head(if is_resp3 { b'>' } else { b'*' }, fields.len() + 1);
    writer.bulk(kind);
    for field in fields {
        writer.bulk(field);
    }
    writer.out
}

/// The confirmation of one subscription; `name` is none where nothing was subscribed to.
pub(super) fn confirmed(kind: &[u8], name: Option<&[u8]>, count: i64, is_resp3: bool) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new(), shape: Shape::Any, is_resp3 };
    writer.head(if is_resp3 { b'>' } else { b'*' }, 3);
    writer.bulk(kind);
    match name {
        Some(name) => writer.bulk(name),
        None => writer.value(&Value::Null),
    }
    writer.line(':', &count.to_string());
    writer.out
}

/// Is it a list of lists: several replies to one command?
pub(super) fn are_several(value: &Value) -> Option<&[Value]> {
    value.as_list().filter(|list| !list.is_empty() && list.iter().all(|each| each.as_list().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn values() {
        for (value, shape, resp2, resp3) in [
            (r#""OK""#, Shape::Any, "+OK\r\n", "+OK\r\n"),
            (r#""OK""#, Shape::Texts, "$2\r\nOK\r\n", "$2\r\nOK\r\n"),
            (r#""hash""#, Shape::Word, "+hash\r\n", "+hash\r\n"),
            ("12", Shape::Any, ":12\r\n", ":12\r\n"),
            ("12", Shape::Texts, "$2\r\n12\r\n", "$2\r\n12\r\n"),
            ("1.50", Shape::Any, "$4\r\n1.50\r\n", ",1.50\r\n"),
            (
                "99999999999999999999",
                Shape::Any,
                "$20\r\n99999999999999999999\r\n",
                "(99999999999999999999\r\n",
            ),
            ("null", Shape::Any, "$-1\r\n", "_\r\n"),
            ("null", Shape::List, "*-1\r\n", "_\r\n"),
            ("true", Shape::Any, ":1\r\n", "#t\r\n"),
            (r#"{"a":1}"#, Shape::Hash, "*2\r\n$1\r\na\r\n$1\r\n1\r\n", "%1\r\n$1\r\na\r\n$1\r\n1\r\n"),
            (r#"["a"]"#, Shape::Set, "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"),
            (r#"[1,{"error":"ERR no"}]"#, Shape::List, "*2\r\n:1\r\n-ERR no\r\n", "*2\r\n:1\r\n-ERR no\r\n"),
            (r#"{"base64":"AAE="}"#, Shape::Any, "$2\r\n\0\u{1}\r\n", "$2\r\n\0\u{1}\r\n"),
        ] {
            let value = parse(value).unwrap();
            for (is_resp3, expect) in [(false, resp2), (true, resp3)] {
                let bytes = encode(&value, shape, is_resp3);
                assert_eq!(String::from_utf8(bytes).unwrap(), expect, "{value} {shape:?} {is_resp3}");
            }
        }
    }

    #[test]
    fn errors() {
        for (text, expect) in [
            ("LOADING Redis is loading", "LOADING Redis is loading"),
            ("no such key", "ERR no such key"),
            ("WRONGTYPE", "WRONGTYPE"),
            ("ERR a\r\n+OK", "ERR a"),
            ("", "ERR"),
        ] {
            assert_eq!(error_line(text), expect);
        }
        for answer in [r#"{"status":503}"#, r#""OK""#, r#"{"error":{"code":1}}"#] {
            read(&parse(answer).unwrap()).unwrap_err();
        }
    }
}
