//! Values of PostgreSQL as tests see them, from what the server writes and back.
//!
//! numeric and bigint are numbers with all their digits; timestamptz is RFC 3339 in UTC; json is decoded; bytea is
//! base64; arrays are lists; everything else is the text that psql would show.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use seam_value::{Number, Value};
use std::collections::HashMap;

type Oid = u32;

/// Element types of the arrays that every server has: array, element.
const ARRAYS: &[(Oid, Oid)] = &[
    (1000, 16),   // bool
    (1001, 17),   // bytea
    (1002, 18),   // "char"
    (1003, 19),   // name
    (1005, 21),   // int2
    (1007, 23),   // int4
    (1009, 25),   // text
    (1014, 1042), // char(n)
    (1015, 1043), // varchar
    (1016, 20),   // int8
    (1021, 700),  // float4
    (1022, 701),  // float8
    (1028, 26),   // oid
    (1041, 869),  // inet
    (1115, 1114), // timestamp
    (1182, 1082), // date
    (1183, 1083), // time
    (1185, 1184), // timestamptz
    (1187, 1186), // interval
    (1231, 1700), // numeric
    (1270, 1266), // timetz
    (199, 114),   // json
    (2951, 2950), // uuid
    (3807, 3802), // jsonb
];

/// JSON, and JSON in binary form.
const JSON: [Oid; 2] = [114, 3802];

/// int8, int2, int4 and oid.
const INTEGERS: [Oid; 4] = [20, 21, 23, 26];

/// text, char(n), varchar and name.
const TEXTS: [Oid; 4] = [25, 1042, 1043, 19];

/// Types below this number are the server's own; those that the user makes get higher ones.
const FIRST_OF_USERS: Oid = 16_384;

/// Which types are arrays, and of what.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    learnt: HashMap<Oid, Option<Oid>>,
}

impl Arrays {
    /// Is it known whether this type is an array?
    pub(super) fn knows(&self, oid: Oid) -> bool {
        oid < FIRST_OF_USERS || self.learnt.contains_key(&oid)
    }

    /// Keeps the element's type of an array, or that it is none.
    pub(super) fn learn(&mut self, oid: Oid, element: Option<Oid>) {
        self.learnt.insert(oid, element);
    }

    fn element(&self, oid: Oid) -> Option<Oid> {
        let built_in = ARRAYS.iter().find(|(array, _)| *array == oid).map(|(_, element)| *element);
        built_in.or_else(|| self.learnt.get(&oid).copied().flatten())
    }
}

/// A value from what the server wrote. What does not look as its type should stays as it was written.
pub(super) fn read(oid: Oid, text: &str, arrays: &Arrays) -> Value {
    if let Some(element) = arrays.element(oid) {
        return read_array(element, text, arrays).unwrap_or_else(|| Value::text(text));
    }
    let read = match oid {
        16 => Some(Value::Bool(text == "t")),
        20 | 21 | 23 | 26 | 700 | 701 | 1700 => Number::parse(text).map(Value::Number),
        17 => text.strip_prefix("\\x").and_then(from_hex).map(|bytes| Value::Text(STANDARD.encode(bytes))),
        114 | 3802 => seam_value::parse(text).ok(),
        1184 => in_utc(text).map(Value::Text),
        _ => None,
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// A value as the server reads it for a type; none for null.
pub(super) fn write(oid: Oid, value: &Value, arrays: &Arrays) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        other if JSON.contains(&oid) => write_json(other),
        // What was worked out may be `3990.0`, which is a whole number all the same.
        Value::Number(number) if INTEGERS.contains(&oid) && number.as_i64().is_some() => {
            number.as_i64().unwrap_or_default().to_string()
        }
        Value::List(_) if TEXTS.contains(&oid) => value.to_string(),
        Value::List(list) => write_array(arrays.element(oid).unwrap_or_default(), list, arrays),
        other => other.to_plain_text(),
    })
}

/// A text that holds an object or a list is one; any other text is a text in JSON too.
fn write_json(value: &Value) -> String {
    match value {
        Value::Text(text) if text.trim_start().starts_with(['{', '[']) && seam_value::parse(text).is_ok() => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// `2026-01-01 01:00:00.5+01` to `2026-01-01T00:00:00.5Z`; none for `infinity` and years before Christ.
fn in_utc(text: &str) -> Option<String> {
    let sign = text.rfind(['+', '-']).filter(|place| *place > "0000-00-00".len())?;
    let (civil, offset) = text.split_at(sign);
    let civil: DateTime = civil.parse().ok()?;
    let mut parts = offset[1..].split(':').map(str::parse::<i32>);
    let mut seconds = 0;
    for unit in [3600, 60, 1] {
        seconds += parts.next().transpose().ok()?.unwrap_or_default() * unit;
    }
    let seconds = if offset.starts_with('-') { -seconds } else { seconds };
    let instant: Timestamp = Offset::from_seconds(seconds).ok()?.to_timestamp(civil).ok()?;
    Some(instant.to_string())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| if let [high, low] = pair { Some(digit(*high)? * 16 + digit(*low)?) } else { None })
        .collect()
}

/// `{1,NULL,"a \"b\""}`, nested as deep as it is, with or without bounds in front (`[0:1]={…}`).
fn read_array(element: Oid, text: &str, arrays: &Arrays) -> Option<Value> {
    let text = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    // Boxes are the one type whose arrays are separated by something else; they have no number in the table.
    let mut reader = ArrayReader { rest: text.strip_prefix('{')?, element, arrays };
    let list = reader.list()?;
    reader.rest.is_empty().then_some(list)
}

struct ArrayReader<'a> {
    rest: &'a str,
    element: Oid,
    arrays: &'a Arrays,
}

impl ArrayReader<'_> {
    /// What stands between an opening bracket, which has been read, and its closing one.
    fn list(&mut self) -> Option<Value> {
        let mut list = Vec::new();
        if self.takes('}') {
            return Some(Value::List(list));
        }
        loop {
            list.push(self.value()?);
            if self.takes('}') {
                return Some(Value::List(list));
            }
            if !self.takes(',') {
                return None;
            }
        }
    }

    fn value(&mut self) -> Option<Value> {
        if self.takes('{') {
            return self.list();
        }
        if self.takes('"') {
            return self.quoted().map(|text| read(self.element, &text, self.arrays));
        }
        let end = self.rest.find([',', '}'])?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(if text == "NULL" { Value::Null } else { read(self.element, text, self.arrays) })
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[place + 1..];
                    return Some(text);
                }
                '\\' => text.push(characters.next()?.1),
                other => text.push(other),
            }
        }
        None
    }

    fn takes(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn write_array(element: Oid, list: &[Value], arrays: &Arrays) -> String {
    let write = |value: &Value| match value {
        Value::List(inner) if !JSON.contains(&element) => write_array(element, inner, arrays),
        other => match write(element, other, arrays) {
            None => "NULL".to_owned(),
            Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        },
    };
    format!("{{{}}}", list.iter().map(write).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_tests_expect_them() {
        let mut arrays = Arrays::default();
        arrays.learn(20_000, Some(20_001));
        arrays.learn(20_002, None);
        for (oid, text, expect) in [
            (16, "t", "true"),
            (16, "f", "false"),
            (20, "9223372036854775807", "9223372036854775807"),
            (1700, "19.90", "19.90"),
            (1700, "NaN", "\"NaN\""),
            (701, "1e+20", "1e+20"),
            (701, "-Infinity", "\"-Infinity\""),
            (25, "5", "\"5\""),
            (17, "\\x00ff", "\"AP8=\""),
            (17, "\\x", "\"\""),
            (114, "{\"a\": 1.0}", "{\"a\":1.0}"),
            (3802, "null", "null"),
            (1184, "2026-01-01 01:00:00+01", "\"2026-01-01T00:00:00Z\""),
            (1184, "2026-01-01 00:00:00.123456-05:30", "\"2026-01-01T05:30:00.123456Z\""),
            (1184, "1850-01-01 00:53:28+00:53:28", "\"1850-01-01T00:00:00Z\""),
            (1184, "infinity", "\"infinity\""),
            (1184, "0044-03-15 00:00:00+00 BC", "\"0044-03-15 00:00:00+00 BC\""),
            (1114, "2026-01-01 00:00:00", "\"2026-01-01 00:00:00\""),
            (1082, "2026-01-01", "\"2026-01-01\""),
            (1007, "{1,NULL,3}", "[1,null,3]"),
            (1007, "{}", "[]"),
            (1007, "[0:1]={7,8}", "[7,8]"),
            (1007, "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            (
                1009,
                "{a,\"b c\",\"\\\"q\\\\\",NULL,\"NULL\",\"\"}",
                "[\"a\",\"b c\",\"\\\"q\\\\\",null,\"NULL\",\"\"]",
            ),
            (3807, "{\"{\\\"a\\\": 1}\"}", "[{\"a\":1}]"),
            (1007, "{1,2", "\"{1,2\""),
            (20_000, "{new,paid}", "[\"new\",\"paid\"]"),
            (20_002, "{odd}", "\"{odd}\""),
        ] {
            assert_eq!(read(oid, text, &arrays).to_string(), expect, "{oid} {text}");
        }
    }

    #[test]
    fn values_are_written_as_the_server_reads_them() {
        for (oid, json, expect) in [
            (25, "null", None),
            (16, "true", Some("true")),
            (1700, "19.90", Some("19.90")),
            (23, "1e2", Some("100")),
            (20, "3990.0", Some("3990")),
            (20, "19.90", Some("19.90")),
            (1700, "3990.0", Some("3990.0")),
            (25, "1.0", Some("1.0")),
            (1082, "\"it's\"", Some("it's")),
            (0, "[1,null,\"a\\\"b\\\\\",[true]]", Some("{\"1\",NULL,\"a\\\"b\\\\\",{\"true\"}}")),
            (1007, "[1.0,[2]]", Some("{\"1\",{\"2\"}}")),
            (25, "[1,\"a\"]", Some("[1,\"a\"]")),
            (25, "{\"a\":1}", Some("{\"a\":1}")),
            (1009, "[]", Some("{}")),
            (114, "[]", Some("[]")),
            (114, "null", None),
            (3802, "\"paid\"", Some("\"paid\"")),
            (3802, "\"{\\\"a\\\":1.50}\"", Some("{\"a\":1.50}")),
            (3802, "\"{no\"", Some("\"{no\"")),
            (3807, "[{\"a\":1},\"b\",[1]]", Some("{\"{\\\"a\\\":1}\",\"\\\"b\\\"\",\"[1]\"}")),
        ] {
            let written = write(oid, &seam_value::parse(json).unwrap(), &Arrays::default());
            assert_eq!(written.as_deref(), expect, "{oid} {json}");
        }
    }
}
