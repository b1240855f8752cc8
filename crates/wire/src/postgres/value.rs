//! One value of PostgreSQL as tests see it: by its type where that is known, else as the server writes it.

use super::array;
use super::binary;
use super::time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::{Number, Value, parse};

/// How a value is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As text.
    Text,
    /// In the type's own bytes.
    Binary,
}

impl From<u16> for Format {
    fn from(code: u16) -> Self {
        if code == 0 { Self::Text } else { Self::Binary }
    }
}

impl Format {
    /// The format of one of several values: none said means text, one said holds for all.
    pub(super) fn at(formats: &[u16], index: usize) -> Self {
        match formats {
            [] => Self::Text,
            [one] => Self::from(*one),
            several => several.get(index).map_or(Self::Text, |code| Self::from(*code)),
        }
    }
}

/// A value that is not null. `kind` is the type's object id: numbers of any size are exact, json is decoded,
/// timestamptz is RFC 3339 in UTC, bytea is base64, arrays are lists, all others are texts as the server
/// writes them. What can't be read is `{ base64: … }`.
pub fn to_value(kind: u32, format: Format, bytes: &[u8]) -> Value {
    let read = match format {
        Format::Text => std::str::from_utf8(bytes).ok().map(|text| from_text(kind, text)),
        Format::Binary => binary::read(kind, bytes),
    };
    read.unwrap_or_else(|| crate::body::in_base64(bytes))
}

/// The object ids of the types that are read.
pub(super) mod kinds {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const CHAR: u32 = 18;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OID: u32 = 26;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const XML: u32 = 142;
    pub(crate) const CIDR: u32 = 650;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const UNKNOWN: u32 = 705;
    pub(crate) const MONEY: u32 = 790;
    pub(crate) const INET: u32 = 869;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const TIMETZ: u32 = 1266;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const JSONB: u32 = 3802;
}

/// The type of an array's elements.
pub(super) fn element_kind(array: u32) -> Option<u32> {
    Some(match array {
        1000 => kinds::BOOL,
        1001 => kinds::BYTEA,
        1002 => kinds::CHAR,
        1003 => kinds::NAME,
        1005 => kinds::INT2,
        1007 => kinds::INT4,
        1016 => kinds::INT8,
        1009 => kinds::TEXT,
        1028 => kinds::OID,
        199 => kinds::JSON,
        143 => kinds::XML,
        651 => kinds::CIDR,
        1021 => kinds::FLOAT4,
        1022 => kinds::FLOAT8,
        791 => kinds::MONEY,
        1041 => kinds::INET,
        1014 => kinds::BPCHAR,
        1015 => kinds::VARCHAR,
        1182 => kinds::DATE,
        1183 => kinds::TIME,
        1115 => kinds::TIMESTAMP,
        1185 => kinds::TIMESTAMPTZ,
        1187 => kinds::INTERVAL,
        1270 => kinds::TIMETZ,
        1231 => kinds::NUMERIC,
        2951 => kinds::UUID,
        3807 => kinds::JSONB,
        _ => return None,
    })
}

/// A value as the server writes it.
pub(super) fn from_text(kind: u32, text: &str) -> Value {
    let read = match kind {
        kinds::BOOL => match text {
            "t" => Some(Value::Bool(true)),
            "f" => Some(Value::Bool(false)),
            _ => None,
        },
        kinds::INT2
        | kinds::INT4
        | kinds::INT8
        | kinds::OID
        | kinds::NUMERIC
        | kinds::FLOAT4
        | kinds::FLOAT8 => Number::parse(text).map(Value::Number),
        kinds::JSON | kinds::JSONB => parse(text).ok(),
        kinds::TIMESTAMPTZ => time::utc_from_text(text).map(Value::Text),
        kinds::BYTEA => text.strip_prefix("\\x").and_then(unhex).map(|bytes| bytea(&bytes)),
        _ => element_kind(kind).and_then(|element| array::from_text(element, text)),
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// Bytes of a bytea.
pub(super) fn bytea(bytes: &[u8]) -> Value {
    Value::Text(STANDARD.encode(bytes))
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    digits?.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair.get(1)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_type_from_text() {
        for (kind, text, expect) in [
            (kinds::BOOL, "t", "true"),
            (kinds::INT8, "9007199254740993", "9007199254740993"),
            (kinds::NUMERIC, "1.50", "1.50"),
            (kinds::NUMERIC, "NaN", r#""NaN""#),
            (kinds::FLOAT8, "1e+30", "1e+30"),
            (kinds::FLOAT8, "-Infinity", r#""-Infinity""#),
            (kinds::JSONB, r#"{"a": [1.10, null]}"#, r#"{"a":[1.10,null]}"#),
            (kinds::BYTEA, "\\xdeadbeef", r#""3q2+7w==""#),
            (kinds::BYTEA, "\\xd", r#""\\xd""#),
            (kinds::UUID, "0-1", r#""0-1""#),
            (kinds::TEXT, "12", r#""12""#),
            (99_999, "ok", r#""ok""#),
            (1007, "{{1,2},{3,NULL}}", "[[1,2],[3,null]]"),
            (1185, r#"{"2026-01-01 12:00:00+01",NULL}"#, r#"["2026-01-01T11:00:00Z",null]"#),
        ] {
            assert_eq!(to_value(kind, Format::Text, text.as_bytes()).to_string(), expect, "{kind} {text}");
        }
    }
}
