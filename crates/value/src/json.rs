//! JSON text to values and back, without losing a digit (RFC 8259).
//!
//! serde_json turns numbers into floats unless a feature is switched on for every crate in the program, and
//! that feature breaks others; hifijson hands numbers over as they stand.

use crate::number::Number;
use crate::value::{Map, Value};
use hifijson::num::LexWrite as _;
use hifijson::str::LexAlloc as _;
use hifijson::token::{Expect, Lex};
use hifijson::{Error, SliceLexer};
use std::fmt::Write as _;

/// How deep lists and maps may nest: enough for people, too little to exhaust the stack.
const MAX_DEPTH: usize = 128;

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub reason: String,
    /// Where, in bytes from the beginning of the text.
    pub offset: usize,
}

/// Reads one JSON value; anything but white space after it is an error. The last of two equal keys wins,
/// as in JavaScript.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    let mut lexer = SliceLexer::new(text.as_bytes());
    let read = lexer.exactly_one(Lex::ws_peek, |next, lexer| value(MAX_DEPTH, next, lexer));
    match read {
        Ok(value) => Ok(value),
        Err(error) => {
            let mut offset = text.len() - lexer.as_slice().len();
            if matches!(error, Error::Token(Expect::Value)) {
                // The lexer has taken a word before it knows that there is no such word: point at its beginning.
                let before = text.get(..offset).unwrap_or_default();
                offset = before.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).len();
            }
            Err(JsonError { reason: error.to_string(), offset })
        }
    }
}

/// Reads the value that begins with this byte, `depth` levels deep at most.
fn value(depth: usize, next: u8, lexer: &mut SliceLexer<'_>) -> Result<Value, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::Depth)?;
    match next {
        b'a'..=b'z' => {
            let word = lexer.null_or_bool().ok_or(Expect::Value)?;
            Ok(word.map_or(Value::Null, Value::Bool))
        }
        b'-' | b'0'..=b'9' => {
            let sign = if next == b'-' { "-" } else { "" };
            let lexer = if sign.is_empty() { lexer } else { lexer.discarded() };
            let (text, parts) = lexer.num_string(sign)?;
            Ok(Value::Number(Number::of_token(text, parts.is_int())))
        }
        b'"' => Ok(Value::Text(lexer.discarded().str_string()?.into_owned())),
        b'[' => {
            let mut list = Vec::new();
            lexer.discarded().seq(b']', Lex::ws_peek, |next, lexer| {
                list.push(value(depth, next, lexer)?);
                Ok::<_, Error>(())
            })?;
            Ok(Value::List(list))
        }
        b'{' => {
            let mut map = Map::default();
            lexer.discarded().seq(b'}', Lex::ws_peek, |next, lexer| {
                lexer.expect(|_| Some(next), b'"').ok_or(Expect::String)?;
                let key = lexer.str_string()?.into_owned();
                lexer.expect(Lex::ws_peek, b':').ok_or(Expect::Colon)?;
                let next = lexer.ws_peek().ok_or(Expect::Value)?;
                map.insert(key, value(depth, next, lexer)?);
                Ok::<_, Error>(())
            })?;
            Ok(Value::Map(map))
        }
        _ => Err(Expect::Value.into()),
    }
}

/// Appends compact JSON.
pub(crate) fn write_compact(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Text(text) => write_text(text, out),
        Value::List(list) => {
            out.push('[');
            for (index, element) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_compact(element, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, element)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write_compact(element, out);
            }
            out.push('}');
        }
    }
}

/// Appends JSON on several lines; empty lists and maps stay on one.
pub(crate) fn write_pretty(value: &Value, indent: usize, out: &mut String) {
    let open_line = |out: &mut String, index: usize| {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.extend(std::iter::repeat_n(' ', 2 * (indent + 1)));
    };
    let close_line = |out: &mut String, bracket: char| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', 2 * indent));
        out.push(bracket);
    };
    match value {
        Value::List(list) if !list.is_empty() => {
            out.push('[');
            for (index, element) in list.iter().enumerate() {
                open_line(out, index);
                write_pretty(element, indent + 1, out);
            }
            close_line(out, ']');
        }
        Value::Map(map) if !map.is_empty() => {
            out.push('{');
            for (index, (key, element)) in map.iter().enumerate() {
                open_line(out, index);
                write_text(key, out);
                out.push_str(": ");
                write_pretty(element, indent + 1, out);
            }
            close_line(out, '}');
        }
        flat => write_compact(flat, out),
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    // All that is escaped is one byte, so what lies between is copied at once.
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\\' | ..0x20)) {
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_same_text() {
        for text in [
            "null",
            "true",
            r#"{"a":[1,2.50,-3e7],"b":{"c":""},"d":"\"\\ \u0001 ä 🦀"}"#,
            "123456789012345678901234567890",
            "[]",
            "{}",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse(r#""\ud83e\udd80\/""#).unwrap(), Value::text("🦀/"));
        assert_eq!(parse(r#"{"a":1,"a":2}"#).unwrap().to_string(), r#"{"a":2}"#);
    }

    #[test]
    fn what_is_not_json_is_an_error_with_its_place() {
        for text in
            ["", "{", "[1,]", "{\"a\" 1}", "nul", "01", "\"\u{1}\"", "1 2", "'a'", "\"\\ud800\"", "NaN"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("[1, x]").unwrap_err().offset, 4);
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn pretty_is_for_people() {
        assert_eq!(
            parse(r#"{"a":[1,{}],"b":[]}"#).unwrap().to_pretty(),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"
        );
    }
}
