//! JSON as Toxiproxy reads and writes it: its clients compare the texts of its errors, which are those of Go's decoder.
//!
//! The decoder takes the first value of a body and leaves whatever comes behind it, finds fields without regard to case,
//! lets null change nothing, and tells the first thing that is wrong in its own words.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Reads the first value of a body; the error is Go's.
pub(super) fn first_value(body: &[u8]) -> Result<Value, String> {
    let mut scanner = Scanner { bytes: body, at: 0, depth: 0 };
    scanner.space();
    if scanner.at == body.len() {
        return Err("EOF".to_owned());
    }
    let from = scanner.at;
    scanner.value()?;
    let text = String::from_utf8_lossy(&body[from..scanner.at]);
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// A field, whatever its case; none where it is missing or null.
pub(super) fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let value = map.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    value.filter(|value| !value.is_null())
}

/// An object that is to become this Go type.
pub(super) fn object<'a>(value: &'a Value, go_type: &str) -> Result<Option<&'a Map<String, Value>>, String> {
    match value {
        Value::Object(map) => Ok(Some(map)),
        Value::Null => Ok(None),
        other => Err(format!("json: cannot unmarshal {} into Go value of type {go_type}", kind(other))),
    }
}

/// A text field of a Go struct.
pub(super) fn text(map: &Map<String, Value>, structure: &str, name: &str) -> Result<Option<String>, String> {
    match field(map, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(mismatch(kind(other), structure, name, "string")),
    }
}

/// A field that is true or false.
pub(super) fn boolean(map: &Map<String, Value>, structure: &str, name: &str) -> Result<Option<bool>, String> {
    match field(map, name) {
        None => Ok(None),
        Some(Value::Bool(is)) => Ok(Some(*is)),
        Some(other) => Err(mismatch(kind(other), structure, name, "bool")),
    }
}

/// A 64-bit integer; Go takes none that is written with a point.
pub(super) fn integer(
    map: &Map<String, Value>,
    structure: &str,
    (name, path): (&str, &str),
    go_type: &str,
) -> Result<Option<i64>, String> {
    match field(map, name) {
        None => Ok(None),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(mismatch(&format!("number {number}"), structure, path, go_type)),
        },
        Some(other) => Err(mismatch(kind(other), structure, path, go_type)),
    }
}

/// A number with 32 bits.
pub(super) fn float(map: &Map<String, Value>, structure: &str, name: &str) -> Result<Option<f32>, String> {
    match field(map, name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let float: Result<f32, _> = number.to_string().parse();
            match float.ok().filter(|float| float.is_finite()) {
                Some(float) => Ok(Some(float)),
                None => Err(mismatch(&format!("number {number}"), structure, name, "float32")),
            }
        }
        Some(other) => Err(mismatch(kind(other), structure, name, "float32")),
    }
}

fn mismatch(kind: &str, structure: &str, path: &str, go_type: &str) -> String {
    format!("json: cannot unmarshal {kind} into Go struct field {structure}.{path} of type {go_type}")
}

/// What Go calls a kind of value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A text as Go writes it: with `<`, `>` and `&` escaped, so that it may stand in a page.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Finds where a value ends, and what is wrong in it.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

/// Deeper nesting is refused by Go as well.
const DEEPEST: usize = 120;

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// What stands here does not belong here.
    fn wrong(&self, context: &str) -> String {
        let Some(byte) = self.peek() else { return "unexpected EOF".to_owned() };
        let shown = match byte {
            b'\'' => "\\'".to_owned(),
            b'"' => "\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            0x20..=0x7e | 0xa1..=0xff => char::from(byte).to_string(),
            other => format!("\\x{other:02x}"),
        };
        format!("invalid character '{shown}' {context}")
    }

    fn value(&mut self) -> Result<(), String> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.wrong("looking for beginning of value")),
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        self.at += 1;
        if self.depth > DEEPEST { Err("exceeded max depth".to_owned()) } else { Ok(()) }
    }

    fn object(&mut self) -> Result<(), String> {
        self.deeper()?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("looking for beginning of object key string"));
            }
            self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("after object key"));
            }
            self.at += 1;
            self.value()?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<(), String> {
        self.deeper()?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.value()?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("after array element")),
            }
        }
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return Err(self.wrong("in \\u hexadecimal character escape"));
                                }
                                self.at += 1;
                            }
                        }
                        _ => return Err(self.wrong("in string escape code")),
                    }
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(self.wrong("in string literal")),
            }
        }
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        for expected in literal.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return Err(self.wrong(&format!("in literal {literal} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Result<(), String> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong(context));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_go() {
        for (body, error) in [
            ("", "EOF"),
            ("  ", "EOF"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            ("{", "unexpected EOF"),
            (r#"{"a""#, "unexpected EOF"),
            (r#"{"a":1"#, "unexpected EOF"),
            (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
            ("{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":1 "b":2}"#, "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[tru3]", "invalid character '3' in literal true (expecting 'e')"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            (r#"{"a":01}"#, "invalid character '1' after object key:value pair"),
            ("[1.x]", "invalid character 'x' after decimal point in numeric literal"),
        ] {
            assert_eq!(first_value(body.as_bytes()), Err(error.to_owned()), "{body}");
        }
    }

    #[test]
    fn the_first_value_is_enough() {
        assert_eq!(first_value(b" {\"a\": [1, -2.5e3, \"\\u00e4\"]} rest").unwrap()["a"][2], "ä");
    }

    #[test]
    fn types_are_told_as_go_tells_them() {
        let value = first_value(br#"{"NAME": 1, "enabled": "yes", "latency": 1.5, "x": null}"#).unwrap();
        let map = object(&value, "toxiproxy.Proxy").unwrap().unwrap();
        assert_eq!(
            text(map, "Proxy", "name"),
            Err("json: cannot unmarshal number into Go struct field Proxy.name of type string".to_owned())
        );
        assert_eq!(text(map, "Proxy", "x"), Ok(None));
        assert!(boolean(map, "Proxy", "enabled").unwrap_err().contains("cannot unmarshal string into"));
        assert_eq!(
            integer(map, "LatencyToxic", ("latency", "attributes.latency"), "int64"),
            Err("json: cannot unmarshal number 1.5 into Go struct field LatencyToxic.attributes.latency of type int64"
                .to_owned())
        );
    }
}
