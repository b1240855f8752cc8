//! RESP's values to plain values, and commands to RESP.

use crate::body::in_base64;
use seam_value::{Map, Number, Value};

/// What a server answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The value; null where it is an error.
    pub value: Value,
    /// The error with its first word, `WRONGTYPE …`.
    pub error: Option<String>,
}

/// Values may be nested so deeply; what is deeper is left out.
const MAX_DEPTH: usize = 64;

/// Reads one whole reply and says how many bytes it has; `None` where the bytes end before it does, or are
/// no RESP. Attributes are passed over.
pub fn parse(bytes: &[u8]) -> Option<(Reply, usize)> {
    let mut reader = Reader { rest: bytes, cut: false };
    let reply = reader.reply()?;
    (!reader.cut).then_some((reply, bytes.len() - reader.rest.len()))
}

/// A command as it is sent: an array of its words.
pub fn encode<Word: AsRef<[u8]>>(words: &[Word]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A flat list of names and values as a map: what RESP2 has for a hash.
pub(super) fn pairs_to_map(value: Value) -> Value {
    match value {
        Value::List(list) if list.len().is_multiple_of(2) => {
            let mut list = list.into_iter();
            let mut map = Map::default();
            while let (Some(key), Some(value)) = (list.next(), list.next()) {
                map.insert(key.to_plain_text(), value);
            }
            Value::Map(map)
        }
        other => other,
    }
}

/// A text where it is one, else `{ base64: … }`.
pub(super) fn text_of(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| in_base64(bytes), Value::text)
}

/// Reads values from kept bytes, which may break off anywhere.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// The bytes ended before the value did: what was read is the beginning.
    pub(super) cut: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, cut: false }
    }

    /// The next value, an error apart. `None` at the end.
    pub(super) fn reply(&mut self) -> Option<Reply> {
        self.skip_attributes()?;
        let is_error = matches!(self.rest.first(), Some(b'-' | b'!'));
        let value = self.value(MAX_DEPTH)?;
        Some(if is_error {
            let error = value.get("error").map(Value::to_plain_text).unwrap_or_default();
            Reply { value: Value::Null, error: Some(error) }
        } else {
            Reply { value, error: None }
        })
    }

    fn skip_attributes(&mut self) -> Option<()> {
        while self.rest.first() == Some(&b'|') {
            let line = self.line()?;
            let n_pairs = number(line)?;
            self.list(n_pairs.saturating_mul(2), MAX_DEPTH);
        }
        Some(())
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        let Some(end) = memchr::memchr(b'\n', self.rest) else {
            self.cut = true;
            return None;
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line).get(1..).unwrap_or_default())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.skip_attributes()?;
        let kind = *self.rest.first()?;
        let line = self.line()?;
        let depth = depth.checked_sub(1)?;
        let text = || text_of(line);
        Some(match kind {
            b'+' => text(),
            b'-' => Value::map([("error", text())]),
            b':' | b'(' | b',' => {
                let written = std::str::from_utf8(line).ok().map(|line| line.trim_start_matches('+'));
                written.and_then(Number::parse).map_or_else(text, Value::Number)
            }
            b'#' => Value::Bool(line == b"t"),
            b'$' => self.bulk(line).map_or(Value::Null, text_of),
            b'!' => Value::map([("error", self.bulk(line).map_or(Value::Null, text_of))]),
            // A verbatim text has three letters for its form before it.
            b'=' => self.bulk(line).map_or(Value::Null, |bytes| text_of(bytes.get(4..).unwrap_or_default())),
            b'*' | b'~' | b'>' => match number(line) {
                Some(n_values) => Value::List(self.list(n_values, depth)),
                None => Value::Null,
            },
            b'%' => {
                let n_values = number(line).unwrap_or_default().saturating_mul(2);
                pairs_to_map(Value::List(self.list(n_values, depth)))
            }
            _ => Value::Null,
        })
    }

    fn bulk(&mut self, length: &[u8]) -> Option<&'a [u8]> {
        let length = number(length)?;
        self.cut |= self.rest.len() < length.saturating_add(2);
        let bytes = &self.rest[..length.min(self.rest.len())];
        self.rest = self.rest.get(length.saturating_add(2)..).unwrap_or_default();
        Some(bytes)
    }

    fn list(&mut self, n_values: usize, depth: usize) -> Vec<Value> {
        let mut list = Vec::new();
        while list.len() < n_values {
            let Some(value) = self.value(depth) else {
                (self.cut, self.rest) = (true, &[]);
                break;
            };
            list.push(value);
        }
        list
    }
}

/// A length; `None` for -1, which is nil.
fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (bytes, expect) in [
            (&b"+OK\r\n"[..], r#""OK""#),
            (b":-7\r\n", "-7"),
            (b"$2\r\n\xc3\xa4\r\n", r#""ä""#),
            (b"$2\r\n\x00\xff\r\n", r#"{"base64":"AP8="}"#),
            (b"$-1\r\n", "null"),
            (b"*-1\r\n", "null"),
            (b"_\r\n", "null"),
            (b"*3\r\n:1\r\n*1\r\n+a\r\n-ERR no\r\n", r#"[1,["a"],{"error":"ERR no"}]"#),
            (b"%1\r\n+a\r\n#t\r\n", r#"{"a":true}"#),
            (b",1.50\r\n", "1.50"),
            (b",inf\r\n", r#""inf""#),
            (b"(123456789012345678901234567890\r\n", "123456789012345678901234567890"),
            (b"=7\r\ntxt:abc\r\n", r#""abc""#),
            (b"|1\r\n+k\r\n+v\r\n~1\r\n:1\r\n", "[1]"),
        ] {
            let (reply, n_bytes) = parse(bytes).unwrap();
            assert_eq!(reply.value.to_string(), expect);
            assert_eq!((n_bytes, reply.error), (bytes.len(), None));
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), None, "{expect} cut at {end}");
            }
        }
        assert_eq!(parse(b"-WRONGTYPE no\r\n+").unwrap().0.error.as_deref(), Some("WRONGTYPE no"));
        assert_eq!(parse(b"!5\r\nERR x\r\n").unwrap().0.error.as_deref(), Some("ERR x"));
        assert_eq!(parse(&b"*1\r\n".repeat(10_000)), None);
        assert_eq!(parse(b"*99999999999\r\n"), None);
    }

    #[test]
    fn commands() {
        assert_eq!(encode(&["SET", "ä", ""]), "*3\r\n$3\r\nSET\r\n$2\r\nä\r\n$0\r\n\r\n".as_bytes());
    }
}
