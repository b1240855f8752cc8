//! Plain values to PostgreSQL's, as text or in the type's own bytes: what is said in a server's place.

use super::time;
use super::value::{Format, element_kind, kinds};
use crate::body::from_base64;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::Value;
use std::fmt::Write as _;
use std::net::IpAddr;

/// The type that values of a column have, where nobody has said it: the smallest that holds them all.
pub(super) fn kind_of<'a>(values: impl Iterator<Item = &'a Value>) -> u32 {
    let mut kind = None;
    for value in values {
        let other = match value {
            Value::Null => continue,
            Value::Bool(_) => kinds::BOOL,
            Value::Number(number) if number.is_written_as_integer() => match number.as_i64() {
                Some(integer) if i32::try_from(integer).is_ok() => kinds::INT4,
                Some(_) => kinds::INT8,
                None => kinds::NUMERIC,
            },
            Value::Number(_) => kinds::NUMERIC,
            Value::Text(_) => kinds::TEXT,
            Value::Map(_) if from_base64(value).is_some() => kinds::BYTEA,
            Value::List(_) | Value::Map(_) => kinds::JSON,
        };
        let numbers = [kinds::INT4, kinds::INT8, kinds::NUMERIC];
        let rank = |kind| numbers.iter().position(|number| *number == kind);
        kind = Some(match kind {
            None => other,
            Some(kind) if kind == other => kind,
            Some(kind) => match (rank(kind), rank(other)) {
                (Some(one), Some(another)) => numbers[one.max(another)],
                _ => kinds::TEXT,
            },
        });
    }
    kind.unwrap_or(kinds::TEXT)
}

/// Is this a value as a column of this type has it?
pub(super) fn holds(kind: u32, value: &Value) -> bool {
    let is_text = matches!(value, Value::Text(_)) || from_base64(value).is_some();
    match kind {
        _ if *value == Value::Null => true,
        kinds::JSON | kinds::JSONB => true,
        kinds::BOOL => matches!(value, Value::Bool(_)),
        kinds::INT2 | kinds::INT4 | kinds::INT8 | kinds::OID => {
            matches!(value, Value::Number(number) if number.is_written_as_integer())
        }
        // These also have texts for what is no number.
        kinds::NUMERIC | kinds::FLOAT4 | kinds::FLOAT8 => match value {
            Value::Text(text) => matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity"),
            value => matches!(value, Value::Number(_)),
        },
        _ if element_kind(kind).is_some() => matches!(value, Value::List(_)) || is_text,
        _ => is_text,
    }
}

/// The bytes of a fixed length that a type has; -1 where it has none. What drivers see in a description.
pub(super) fn length_of(kind: u32) -> i16 {
    match kind {
        kinds::BOOL | kinds::CHAR => 1,
        kinds::INT2 => 2,
        kinds::INT4 | kinds::OID | kinds::FLOAT4 | kinds::DATE => 4,
        kinds::INT8 | kinds::FLOAT8 | kinds::TIMESTAMP | kinds::TIMESTAMPTZ | kinds::TIME | kinds::MONEY => 8,
        kinds::TIMETZ => 12,
        kinds::UUID | kinds::INTERVAL => 16,
        kinds::NAME => 64,
        _ => -1,
    }
}

/// The bytes of a value that is not null; none where the type can't have it in this form.
fn bytes(kind: u32, format: Format, value: &Value) -> Option<Vec<u8>> {
    match format {
        Format::Text => Some(text(kind, value).into_bytes()),
        Format::Binary => binary(kind, value),
    }
}

/// Writes a value with its length before it, -1 for null; none where the type can't have it in this form.
pub(super) fn write(kind: u32, format: Format, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    if *value == Value::Null {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Some(());
    }
    let bytes = bytes(kind, format, value)?;
    out.extend_from_slice(&i32::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend_from_slice(&bytes);
    Some(())
}

/// The bytes of a bytea, which tests see in base64.
fn bytes_of(value: &Value) -> Vec<u8> {
    let decoded = value.as_text().and_then(|text| STANDARD.decode(text).ok());
    from_base64(value).or(decoded).unwrap_or_else(|| value.to_plain_text().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

fn text(kind: u32, value: &Value) -> String {
    if let (Some(element), Value::List(list)) = (element_kind(kind), value) {
        return array_text(element, list);
    }
    match (kind, value) {
        (kinds::JSON | kinds::JSONB, value) => value.to_string(),
        (kinds::BYTEA, value) => format!("\\x{}", hex(&bytes_of(value))),
        (kinds::BOOL, Value::Bool(is_true)) => if *is_true { "t" } else { "f" }.to_owned(),
        // The server's own form: `2026-01-01 12:00:00+00`.
        (kinds::TIMESTAMPTZ, Value::Text(text)) => {
            match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
                Some((date, clock)) => format!("{date} {clock}+00"),
                None => text.clone(),
            }
        }
        (_, value) => match from_base64(value) {
            Some(bytes) => format!("\\x{}", hex(&bytes)),
            None => value.to_plain_text(),
        },
    }
}

fn array_text(element: u32, list: &[Value]) -> String {
    let elements = list.iter().map(|value| match value {
        Value::Null => "NULL".to_owned(),
        Value::List(inner) => array_text(element, inner),
        value => {
            let text = text(element, value);
            let is_plain = !text.is_empty()
                && !text.eq_ignore_ascii_case("null")
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._:".contains(&byte));
            if is_plain { text } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
        }
    });
    format!("{{{}}}", elements.collect::<Vec<_>>().join(","))
}

fn binary(kind: u32, value: &Value) -> Option<Vec<u8>> {
    let integer = || match value {
        Value::Number(number) => number.as_i64(),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let float = || match value {
        Value::Number(number) => Some(number.as_f64()),
        Value::Text(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    let plain = || value.to_plain_text();
    Some(match kind {
        kinds::BOOL => match value {
            Value::Bool(is_true) => vec![u8::from(*is_true)],
            _ => return None,
        },
        kinds::INT2 => i16::try_from(integer()?).ok()?.to_be_bytes().to_vec(),
        kinds::INT4 => i32::try_from(integer()?).ok()?.to_be_bytes().to_vec(),
        kinds::INT8 => integer()?.to_be_bytes().to_vec(),
        kinds::OID => u32::try_from(integer()?).ok()?.to_be_bytes().to_vec(),
        #[expect(clippy::cast_possible_truncation, reason = "a float4 has no more digits")]
        kinds::FLOAT4 => (float()? as f32).to_be_bytes().to_vec(),
        kinds::FLOAT8 => float()?.to_be_bytes().to_vec(),
        kinds::NUMERIC => numeric(&plain())?,
        kinds::BYTEA => bytes_of(value),
        kinds::JSON => value.to_string().into_bytes(),
        kinds::JSONB => [&b"\x01"[..], value.to_string().as_bytes()].concat(),
        kinds::UUID => uuid(&plain())?,
        kinds::DATE => time::days(value.as_text()?)?.to_be_bytes().to_vec(),
        kinds::TIME => time::micros_of_day(value.as_text()?)?.to_be_bytes().to_vec(),
        kinds::TIMESTAMP | kinds::TIMESTAMPTZ => time::micros(value.as_text()?)?.to_be_bytes().to_vec(),
        kinds::INET | kinds::CIDR => network(kind, value.as_text()?)?,
        kinds::INTERVAL => {
            let (months, days, micros) = time::interval(value.as_text()?)?;
            [&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat()
        }
        kinds::TIMETZ => {
            let text = value.as_text()?;
            let (clock, offset) = text.split_at(text.find(['+', '-'])?);
            let west = i32::try_from(-time::offset_seconds(offset)?).ok()?;
            [&time::micros_of_day(clock)?.to_be_bytes()[..], &west.to_be_bytes()].concat()
        }
        kinds::MONEY => return None,
        _ => match (element_kind(kind), value) {
            (Some(element), Value::List(list)) => array(element, list)?,
            (Some(_), _) => return None,
            (None, Value::List(_) | Value::Map(_)) if from_base64(value).is_none() => {
                value.to_string().into_bytes()
            }
            (None, value) => from_base64(value).unwrap_or_else(|| plain().into_bytes()),
        },
    })
}

/// Digits to the base of 10,000, with a weight, a sign and a scale.
fn numeric(text: &str) -> Option<Vec<u8>> {
    let head = |n_digits: u16, weight: i16, sign: u16, scale: u16| {
        let weight = weight.cast_unsigned();
        [n_digits, weight, sign, scale].into_iter().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()
    };
    match text {
        "NaN" => return Some(head(0, 0, 0xC000, 0)),
        "Infinity" => return Some(head(0, 0, 0xD000, 0x20)),
        "-Infinity" => return Some(head(0, 0, 0xF000, 0x20)),
        _ => {}
    }
    let (sign, digits) = text.strip_prefix('-').map_or((0, text), |digits| (0x4000, digits));
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent: i32 = exponent.parse().ok().filter(|exponent| (-1000..=1000).contains(exponent))?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) || all.len() > 10_000 {
        return None;
    }
    // How many of all digits stand before the point.
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let scale = u16::try_from((i32::try_from(all.len()).ok()? - point).max(0)).ok()?;
    let n_zeros = usize::try_from((-point).max(0)).ok()?;
    let n_whole = usize::try_from(point.max(0)).ok()?;
    let padded = "0".repeat(n_zeros) + &all + &"0".repeat(n_whole.saturating_sub(all.len()));
    let n_before = (4 - n_whole % 4) % 4;
    let mut padded = "0".repeat(n_before) + &padded;
    padded.push_str(&"0".repeat((4 - padded.len() % 4) % 4));
    let groups: Option<Vec<u16>> =
        padded.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).ok()?.parse().ok()).collect();
    let groups = groups?;
    let n_leading = groups.iter().take_while(|group| **group == 0).count();
    let n_trailing = groups.iter().rev().take_while(|group| **group == 0).count();
    if n_leading == groups.len() {
        return Some(head(0, 0, 0, scale));
    }
    let weight = i16::try_from((n_before + n_whole) / 4).ok()? - 1 - i16::try_from(n_leading).ok()?;
    let groups = &groups[n_leading..groups.len() - n_trailing];
    let mut bytes = head(u16::try_from(groups.len()).ok()?, weight, sign, scale);
    bytes.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
    Some(bytes)
}

fn uuid(text: &str) -> Option<Vec<u8>> {
    let digits = text.replace('-', "");
    (digits.len() == 32)
        .then(|| u128::from_str_radix(&digits, 16).ok())?
        .map(|number| number.to_be_bytes().to_vec())
}

fn network(kind: u32, text: &str) -> Option<Vec<u8>> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let (family, address) = match address.parse().ok()? {
        IpAddr::V4(address) => (2, address.octets().to_vec()),
        IpAddr::V6(address) => (3, address.octets().to_vec()),
    };
    let length = u8::try_from(address.len()).ok()?;
    let bits = bits.map_or(Some(length * 8), |bits| bits.parse().ok())?;
    Some([&[family, bits, u8::from(kind == kinds::CIDR), length], address.as_slice()].concat())
}

/// An array of one dimension or several, all of whose lists have the same length.
fn array(element: u32, list: &[Value]) -> Option<Vec<u8>> {
    let (mut lengths, mut level) = (Vec::new(), list);
    if !list.is_empty() {
        lengths.push(list.len());
        while let Some(Value::List(inner)) = level.first() {
            lengths.push(inner.len());
            level = inner;
        }
    }
    let mut elements = Vec::new();
    flatten(list, &lengths, &mut elements)?;
    let has_null = elements.iter().any(|value| **value == Value::Null);
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&u32::try_from(lengths.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&u32::from(has_null).to_be_bytes());
    bytes.extend_from_slice(&element.to_be_bytes());
    for length in lengths {
        bytes.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
        bytes.extend_from_slice(&1_u32.to_be_bytes());
    }
    for value in elements {
        write(element, Format::Binary, value, &mut bytes)?;
    }
    Some(bytes)
}

fn flatten<'a>(list: &'a [Value], lengths: &[usize], elements: &mut Vec<&'a Value>) -> Option<()> {
    let Some((length, inner)) = lengths.split_first() else { return list.is_empty().then_some(()) };
    if list.len() != *length {
        return None;
    }
    for value in list {
        match value {
            Value::List(list) if !inner.is_empty() => flatten(list, inner, elements)?,
            value if inner.is_empty() => elements.push(value),
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::value::to_value;
    use super::*;
    use seam_value::parse;

    /// What is written is read again as it was, in both forms.
    #[test]
    fn there_and_back() {
        for (kind, value) in [
            (kinds::BOOL, "true"),
            (kinds::INT2, "-7"),
            (kinds::INT4, "2147483647"),
            (kinds::INT8, "9007199254740993"),
            (kinds::OID, "4294967295"),
            (kinds::FLOAT8, "1.5"),
            (kinds::FLOAT4, "0.1"),
            (kinds::NUMERIC, "0"),
            (kinds::NUMERIC, "0.00"),
            (kinds::NUMERIC, "19.90"),
            (kinds::NUMERIC, "-1234567.0089"),
            (kinds::NUMERIC, "0.0001"),
            (kinds::NUMERIC, "0.00000001"),
            (kinds::NUMERIC, "10000"),
            (kinds::NUMERIC, "100000000000000000000"),
            (kinds::NUMERIC, "123456789012345678901234567890.5"),
            (kinds::TEXT, r#""ä""#),
            (kinds::TEXT, r#""12""#),
            (kinds::BYTEA, r#""3q2+7w==""#),
            (kinds::JSON, r#"{"a":[1.10,null]}"#),
            (kinds::JSONB, r#""x""#),
            (kinds::UUID, r#""00000000-0000-0000-0000-00000000002a""#),
            (kinds::DATE, r#""2024-02-29""#),
            (kinds::TIME, r#""13:14:15.5""#),
            (kinds::TIMESTAMP, r#""1999-12-31 23:59:59.999999""#),
            (kinds::TIMESTAMPTZ, r#""2026-01-01T11:00:00.25Z""#),
            (kinds::INTERVAL, r#""1 year 2 mons 3 days 04:05:06.5""#),
            (kinds::INTERVAL, r#""-1 mons +3 days -00:00:01""#),
            (kinds::INTERVAL, r#""00:00:00""#),
            (kinds::TIMETZ, r#""13:14:15.5+05:30""#),
            (kinds::INET, r#""10.0.0.1/24""#),
            (kinds::INET, r#""::1""#),
            (1007, "[[1,2],[3,null]]"),
            (1009, r#"["a b","null","",null,"\"\\"]"#),
            (1009, "[]"),
            (1231, "[1.10]"),
            (99_999, r#""shipped""#),
        ] {
            let value = parse(value).unwrap();
            for format in [Format::Text, Format::Binary] {
                let bytes = bytes(kind, format, &value).unwrap();
                assert_eq!(
                    to_value(kind, format, &bytes).to_string(),
                    value.to_string(),
                    "{kind} {format:?}"
                );
            }
        }
    }

    #[test]
    fn what_a_type_cannot_have() {
        for (kind, value) in [
            (kinds::INT4, "2147483648"),
            (kinds::INT4, r#""x""#),
            (kinds::BOOL, "1"),
            (kinds::UUID, r#""x""#),
            (kinds::DATE, r#""soon""#),
            (1007, "[[1],[2,3]]"),
            (1007, "[1,[2]]"),
        ] {
            assert_eq!(bytes(kind, Format::Binary, &parse(value).unwrap()), None, "{kind} {value}");
        }
    }

    #[test]
    fn what_a_column_holds() {
        for (kind, value, expect) in [
            (kinds::FLOAT8, "19.9", true),
            (kinds::FLOAT8, r#""19.9""#, false),
            (kinds::FLOAT8, r#""NaN""#, true),
            (kinds::INT8, "1.5", false),
            (kinds::TEXT, "1", false),
            (kinds::JSONB, "1", true),
            (1007, "[1]", true),
            (1007, "1", false),
            (kinds::UUID, "null", true),
        ] {
            assert_eq!(holds(kind, &parse(value).unwrap()), expect, "{kind} {value}");
        }
    }

    #[test]
    fn kinds_of_columns() {
        for (values, expect) in [
            ("[null]", kinds::TEXT),
            ("[1,null]", kinds::INT4),
            ("[1,2147483648]", kinds::INT8),
            ("[1,1.5]", kinds::NUMERIC),
            (r#"[1,"a"]"#, kinds::TEXT),
            (r#"[{"a":1}]"#, kinds::JSON),
            (r#"[{"base64":"AA=="}]"#, kinds::BYTEA),
            ("[true]", kinds::BOOL),
        ] {
            let values = parse(values).unwrap();
            assert_eq!(kind_of(values.as_list().unwrap().iter()), expect, "{values}");
        }
    }
}
