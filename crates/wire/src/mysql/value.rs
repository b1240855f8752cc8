//! MySQL's values to plain ones and back: as texts, and in the binary form that prepared statements have.

use super::packets::{Fields, put_bytes};
use crate::body;
use crate::body::from_base64;
use seam_value::{Number, Value, parse};

/// Types by their numbers.
pub(super) mod kinds {
    pub(in crate::mysql) const TINY: u8 = 1;
    pub(in crate::mysql) const SHORT: u8 = 2;
    pub(in crate::mysql) const LONG: u8 = 3;
    pub(in crate::mysql) const FLOAT: u8 = 4;
    pub(in crate::mysql) const DOUBLE: u8 = 5;
    pub(in crate::mysql) const NULL: u8 = 6;
    pub(in crate::mysql) const TIMESTAMP: u8 = 7;
    pub(in crate::mysql) const LONGLONG: u8 = 8;
    pub(in crate::mysql) const INT24: u8 = 9;
    pub(in crate::mysql) const DATE: u8 = 10;
    pub(in crate::mysql) const TIME: u8 = 11;
    pub(in crate::mysql) const DATETIME: u8 = 12;
    pub(in crate::mysql) const YEAR: u8 = 13;
    pub(in crate::mysql) const BIT: u8 = 16;
    pub(in crate::mysql) const JSON: u8 = 245;
    pub(in crate::mysql) const DECIMAL: u8 = 246;
    pub(in crate::mysql) const BLOB: u8 = 252;
    pub(in crate::mysql) const VAR_STRING: u8 = 253;
}

/// The character set of bytes that are no text.
pub(super) const BINARY: u16 = 63;
/// That of texts (utf8mb4).
pub(super) const UTF8: u16 = 45;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kind: u8,
    pub(super) is_unsigned: bool,
    pub(super) charset: u16,
    pub(super) decimals: u8,
}

impl Type {
    /// Of a bound parameter: two bytes.
    pub(super) fn bound(kind: u8, flags: u8) -> Self {
        Self { kind, is_unsigned: flags & 0x80 != 0, charset: UTF8, decimals: 31 }
    }

    /// Is it written with inner lengths in binary form: a date, a time?
    pub(super) fn is_time(self) -> bool {
        matches!(self.kind, kinds::DATE | kinds::DATETIME | kinds::TIMESTAMP | kinds::TIME)
    }

    fn is_number(self) -> bool {
        use kinds::{DECIMAL, DOUBLE, FLOAT, INT24, LONG, LONGLONG, SHORT, TINY, YEAR};
        matches!(self.kind, 0 | TINY | SHORT | LONG | FLOAT | DOUBLE | LONGLONG | INT24 | YEAR | DECIMAL)
    }
}

/// A value as text, which is not null.
pub(super) fn of_text(kind: Type, bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).ok();
    let number = || text.and_then(Number::parse).map(Value::Number);
    let read = match kind.kind {
        kinds::JSON => text.and_then(|text| parse(text).ok()),
        kinds::BIT => Some(bits(bytes)),
        _ if kind.is_number() => number(),
        _ => None,
    };
    read.unwrap_or_else(|| of_bytes(kind, bytes))
}

fn of_bytes(kind: Type, bytes: &[u8]) -> Value {
    let is_text =
        kind.charset != BINARY || matches!(kind.kind, 7 | 10..=12 | 14 | 17..=19) || kind.is_number();
    match std::str::from_utf8(bytes) {
        Ok(text) if is_text => Value::text(text),
        _ => body::in_base64(bytes),
    }
}

fn bits(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return body::in_base64(bytes);
    }
    Value::from(bytes.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte)))
}

/// How many bytes a value of this type always has in binary form; none where it says so itself.
pub(super) fn is_counted(kind: Type) -> Option<usize> {
    match kind.kind {
        kinds::NULL => Some(0),
        kinds::TINY => Some(1),
        kinds::SHORT | kinds::YEAR => Some(2),
        kinds::LONG | kinds::INT24 | kinds::FLOAT => Some(4),
        kinds::LONGLONG | kinds::DOUBLE => Some(8),
        _ => None,
    }
}

/// Takes a value in binary form, which is not null.
pub(super) fn of_binary(kind: Type, fields: &mut Fields<'_>) -> Option<Value> {
    let integer = |n_bytes: usize, fields: &mut Fields<'_>| {
        let number = fields.number(n_bytes)?;
        let shift = 64 - 8 * u32::try_from(n_bytes).ok()?;
        let signed = (number << shift).cast_signed() >> shift;
        Some(if kind.is_unsigned { Value::from(number) } else { Value::from(signed) })
    };
    let float = |text: String| Number::parse(&text).map_or(Value::Null, Value::Number);
    match kind.kind {
        kinds::NULL => Some(Value::Null),
        kinds::TINY => integer(1, fields),
        kinds::SHORT | kinds::YEAR => integer(2, fields),
        kinds::LONG | kinds::INT24 => integer(4, fields),
        kinds::LONGLONG => integer(8, fields),
        kinds::FLOAT => Some(float(f32::from_bits(fields.u32()?).to_string())),
        kinds::DOUBLE => Some(float(f64::from_bits(fields.number(8)?).to_string())),
        kinds::DATE | kinds::DATETIME | kinds::TIMESTAMP => date_time(kind, fields.bytes()?).map(Value::text),
        kinds::TIME => time(kind, fields.bytes()?).map(Value::text),
        _ => fields.bytes().map(|bytes| of_text(kind, bytes)),
    }
}

/// Where the parts of a second are not known, as many as there are.
fn fraction(kind: Type, micros: u32) -> String {
    let digits = format!("{micros:06}");
    match kind.decimals {
        0 => String::new(),
        decimals @ 1..=6 => format!(".{}", &digits[..usize::from(decimals)]),
        _ if micros == 0 => String::new(),
        _ => format!(".{digits}"),
    }
}

fn date_time(kind: Type, bytes: &[u8]) -> Option<String> {
    let mut fields = Fields(bytes);
    let mut date = (0, 0, 0);
    if !bytes.is_empty() {
        date = (fields.u16()?, fields.u8()?, fields.u8()?);
    }
    let date = format!("{:04}-{:02}-{:02}", date.0, date.1, date.2);
    if kind.kind == kinds::DATE {
        return Some(date);
    }
    let (mut clock, mut micros) = ((0, 0, 0), 0);
    if bytes.len() >= 7 {
        clock = (fields.u8()?, fields.u8()?, fields.u8()?);
    }
    if bytes.len() >= 11 {
        micros = fields.u32()?;
    }
    Some(format!("{date} {:02}:{:02}:{:02}{}", clock.0, clock.1, clock.2, fraction(kind, micros)))
}

fn time(kind: Type, bytes: &[u8]) -> Option<String> {
    let mut fields = Fields(bytes);
    if bytes.is_empty() {
        return Some(format!("00:00:00{}", fraction(kind, 0)));
    }
    let sign = if fields.u8()? == 1 { "-" } else { "" };
    let hours = u64::from(fields.u32()?) * 24 + u64::from(fields.u8()?);
    let (minutes, seconds) = (fields.u8()?, fields.u8()?);
    let micros = if bytes.len() >= 12 { fields.u32()? } else { 0 };
    Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(kind, micros)))
}

/// The type that a column of these values has, where nobody has said it.
pub(super) fn type_of<'a>(values: impl Iterator<Item = &'a Value>) -> Type {
    let mut found = None;
    for value in values {
        let kind = match value {
            Value::Null => continue,
            Value::Bool(_) => kinds::LONGLONG,
            Value::Number(number) if number.as_i64().is_some() && number.is_written_as_integer() => {
                kinds::LONGLONG
            }
            Value::Number(_) => kinds::DECIMAL,
            Value::Text(_) => kinds::VAR_STRING,
            Value::Map(_) if from_base64(value).is_some() => kinds::BLOB,
            Value::List(_) | Value::Map(_) => kinds::JSON,
        };
        found = Some(match found {
            None => kind,
            Some(found) if found == kind => kind,
            Some(kinds::LONGLONG | kinds::DECIMAL) if matches!(kind, kinds::LONGLONG | kinds::DECIMAL) => {
                kinds::DECIMAL
            }
            Some(_) => kinds::VAR_STRING,
        });
    }
    let kind = found.unwrap_or(kinds::VAR_STRING);
    let charset = if matches!(kind, kinds::VAR_STRING) { UTF8 } else { BINARY };
    Type { kind, is_unsigned: false, charset, decimals: if kind == kinds::DECIMAL { 10 } else { 0 } }
}

/// Can a column of this type hold the value?
pub(super) fn holds(kind: Type, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => false,
        Value::Number(number) => match kind.kind {
            kinds::TINY | kinds::SHORT | kinds::LONG | kinds::INT24 | kinds::LONGLONG | kinds::YEAR => {
                number.as_i64().is_some() || (kind.is_unsigned && unsigned(value).is_some())
            }
            kinds::BIT => unsigned(value).is_some(),
            _ => kind.is_number(),
        },
        Value::Text(text) => match kind.kind {
            kinds::DATE | kinds::DATETIME | kinds::TIMESTAMP | kinds::TIME => {
                text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            }
            kinds::BIT | kinds::JSON => false,
            _ => !kind.is_number() && kind.charset != BINARY,
        },
        Value::List(_) | Value::Map(_) if from_base64(value).is_some() => {
            kind.charset == BINARY && !kind.is_number()
        }
        Value::List(_) | Value::Map(_) => kind.kind == kinds::JSON,
    }
}

/// A whole number from zero on.
fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) if number.is_written_as_integer() => number.to_string().parse().ok(),
        _ => None,
    }
}

/// A number's bits, without those bytes at the beginning that hold none.
pub(super) fn to_bits(value: &Value) -> Vec<u8> {
    let bytes = unsigned(value).unwrap_or_default().to_be_bytes();
    let n_empty = bytes.iter().take(bytes.len() - 1).take_while(|byte| **byte == 0).count();
    bytes[n_empty..].to_vec()
}

/// A value's bytes as text.
pub(super) fn to_text(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(is_true) => if *is_true { b"1" } else { b"0" }.to_vec(),
        value => from_base64(value).unwrap_or_else(|| value.to_plain_text().into_bytes()),
    }
}

/// Writes a value in binary form, which is not null.
pub(super) fn to_binary(kind: Type, value: &Value, out: &mut Vec<u8>) {
    let integer = match value {
        Value::Bool(is_true) => i64::from(*is_true),
        value => value.as_i64().or_else(|| unsigned(value).map(u64::cast_signed)).unwrap_or_default(),
    };
    let float = match value {
        Value::Number(number) => number.as_f64(),
        _ => 0.0,
    };
    match kind.kind {
        kinds::TINY => out.extend_from_slice(&integer.to_le_bytes()[..1]),
        kinds::SHORT | kinds::YEAR => out.extend_from_slice(&integer.to_le_bytes()[..2]),
        kinds::LONG | kinds::INT24 => out.extend_from_slice(&integer.to_le_bytes()[..4]),
        kinds::LONGLONG => out.extend_from_slice(&integer.to_le_bytes()),
        #[expect(clippy::cast_possible_truncation, reason = "the column holds no more")]
        kinds::FLOAT => out.extend_from_slice(&(float as f32).to_le_bytes()),
        kinds::DOUBLE => out.extend_from_slice(&float.to_le_bytes()),
        kinds::DATE | kinds::DATETIME | kinds::TIMESTAMP => put_date_time(kind, value, out),
        kinds::TIME => put_time(value, out),
        kinds::BIT => put_bytes(out, &to_bits(value)),
        _ => put_bytes(out, &to_text(value)),
    }
}

/// The numbers in a text, whatever stands between them; behind a point parts of a million.
fn numbers(text: &str) -> (Vec<u32>, u32) {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    (whole.collect(), part.parse().unwrap_or_default())
}

fn byte(numbers: &[u32], index: usize) -> u8 {
    numbers.get(index).and_then(|number| u8::try_from(*number).ok()).unwrap_or_default()
}

fn put_date_time(kind: Type, value: &Value, out: &mut Vec<u8>) {
    let (numbers, micros) = numbers(value.as_text().unwrap_or_default());
    let year = numbers.first().and_then(|year| u16::try_from(*year).ok()).unwrap_or_default();
    out.push(if kind.kind == kinds::DATE { 4 } else { 11 });
    out.extend_from_slice(&year.to_le_bytes());
    out.extend_from_slice(&[byte(&numbers, 1), byte(&numbers, 2)]);
    if kind.kind != kinds::DATE {
        out.extend_from_slice(&[byte(&numbers, 3), byte(&numbers, 4), byte(&numbers, 5)]);
        out.extend_from_slice(&micros.to_le_bytes());
    }
}

fn put_time(value: &Value, out: &mut Vec<u8>) {
    let text = value.as_text().unwrap_or_default();
    let (numbers, micros) = numbers(text);
    let hours = numbers.first().copied().unwrap_or_default();
    out.extend_from_slice(&[12, u8::from(text.starts_with('-'))]);
    out.extend_from_slice(&(hours / 24).to_le_bytes());
    out.extend_from_slice(&[u8::try_from(hours % 24).unwrap_or(0), byte(&numbers, 1), byte(&numbers, 2)]);
    out.extend_from_slice(&micros.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_in_binary_form() {
        for (kind, decimals, json) in [
            (kinds::TINY, 0, "-5"),
            (kinds::SHORT, 0, "-300"),
            (kinds::LONG, 0, "70000"),
            (kinds::LONGLONG, 0, "-9007199254740993"),
            (kinds::DOUBLE, 31, "0.1"),
            (kinds::BIT, 0, "261"),
            (kinds::FLOAT, 31, "1.5"),
            (kinds::DECIMAL, 2, "19.90"),
            (kinds::DATE, 0, r#""2026-01-31""#),
            (kinds::DATETIME, 0, r#""2026-01-31 23:59:58""#),
            (kinds::TIMESTAMP, 3, r#""2026-01-31 23:59:58.120""#),
            (kinds::TIME, 0, r#""-26:01:02""#),
            (kinds::VAR_STRING, 0, r#""é""#),
            (kinds::JSON, 0, r#"{"a":[1]}"#),
        ] {
            let value = parse(json).expect("JSON");
            let kind = Type { kind, is_unsigned: false, charset: UTF8, decimals };
            assert!(holds(kind, &value), "{json}");
            let mut bytes = Vec::new();
            to_binary(kind, &value, &mut bytes);
            let mut fields = Fields(&bytes);
            assert_eq!(of_binary(kind, &mut fields).expect("a value").to_string(), json);
            assert!(fields.0.is_empty());
        }
    }
}
