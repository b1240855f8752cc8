//! PostgreSQL's types in their own bytes, as texts would have them (the server's `…send` functions).

use super::array;
use super::frames::Fields;
use super::time;
use super::value::{bytea, element_kind, from_text, kinds};
use seam_value::{Number, Value};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Reads a value; `None` where the type is not known or the bytes are not of it.
pub(super) fn read(kind: u32, bytes: &[u8]) -> Option<Value> {
    let mut fields = Fields::new(bytes);
    match kind {
        kinds::BOOL => Some(Value::Bool(fields.byte()? != 0)),
        kinds::BYTEA => Some(bytea(bytes)),
        kinds::INT2 => fields.u16().map(|number| Value::from(i64::from(number.cast_signed()))),
        kinds::INT4 => fields.i32().map(|number| Value::from(i64::from(number))),
        kinds::INT8 => fields.i64().map(Value::from),
        kinds::OID => fields.u32().map(|number| Value::from(u64::from(number))),
        kinds::FLOAT4 => {
            let float4 = f32::from_bits(fields.u32()?);
            Some(float(float4.into(), &format!("{float4:?}")))
        }
        kinds::FLOAT8 => {
            let float8 = f64::from_bits(fields.i64()?.cast_unsigned());
            Some(float(float8, &format!("{float8:?}")))
        }
        kinds::NUMERIC => numeric(&mut fields).map(|text| from_text(kinds::NUMERIC, &text)),
        kinds::JSONB => text_as(kind, bytes.strip_prefix(b"\x01")?),
        kinds::TIMESTAMPTZ => {
            let micros = fields.i64()?;
            time::utc_from_micros(micros).or_else(|| time::timestamp_text(micros)).map(Value::Text)
        }
        kinds::TIMESTAMP => time::timestamp_text(fields.i64()?).map(Value::Text),
        kinds::DATE => time::date_only_text(fields.i32()?).map(Value::Text),
        kinds::TIME => Some(Value::Text(time::clock_text(fields.i64()?.max(0)))),
        kinds::TIMETZ => {
            let (micros, west) = (fields.i64()?.max(0), fields.i32()?);
            Some(Value::Text(time::clock_text(micros) + &time::offset_text(west.checked_neg()?)))
        }
        kinds::INTERVAL => interval(fields.i64()?, fields.i32()?, fields.i32()?).map(Value::Text),
        kinds::UUID => uuid(bytes).map(Value::Text),
        kinds::INET | kinds::CIDR => network(kind, bytes).map(Value::Text),
        kinds::MONEY => None,
        kinds::TEXT
        | kinds::VARCHAR
        | kinds::BPCHAR
        | kinds::NAME
        | kinds::CHAR
        | kinds::XML
        | kinds::JSON
        | kinds::UNKNOWN => text_as(kind, bytes),
        _ if element_kind(kind).is_some() => array::from_binary(bytes),
        // An enum is its text in both forms, and so are many types of extensions; what holds control
        // characters is not.
        _ => text_as(kind, bytes).filter(|_| !bytes.iter().any(u8::is_ascii_control)),
    }
}

fn text_as(kind: u32, bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok().map(|text| from_text(kind, text))
}

/// A float in its shortest form; `written` is that form, which for `1.0` the server writes as `1`.
fn float(float: f64, written: &str) -> Value {
    if float.is_nan() {
        return Value::text("NaN");
    }
    if float.is_infinite() {
        return Value::text(if float > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let text = written.strip_suffix(".0").unwrap_or(written);
    Number::parse(text).map_or_else(|| Value::text(text), Value::Number)
}

/// Digits to the base of 10,000, a weight and a scale.
fn numeric(fields: &mut Fields<'_>) -> Option<String> {
    let n_digits = fields.u16()?;
    let (weight, sign, scale) = (fields.u16()?.cast_signed(), fields.u16()?, fields.u16()?);
    let mut text = match sign {
        0x0000 => String::new(),
        0x4000 => "-".to_owned(),
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let digits: Vec<u16> = (0..n_digits).map_while(|_| fields.u16()).collect();
    if digits.len() != usize::from(n_digits) || digits.iter().any(|digit| *digit > 9999) || scale > 0x3fff {
        return None;
    }
    let digit = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok()?;
        digits.get(index).copied()
    };
    let mut whole = String::new();
    for place in (0..=i32::from(weight.max(0))).rev() {
        let _ = write!(whole, "{:04}", digit(place).unwrap_or_default());
    }
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::new();
        for place in 1..=(i32::from(scale) + 3) / 4 {
            let _ = write!(fraction, "{:04}", digit(-place).unwrap_or_default());
        }
        text.push('.');
        text.push_str(&fraction[..usize::from(scale)]);
    }
    Some(text)
}

/// As the server writes it by default: `1 year 2 mons 3 days 04:05:06.5`.
fn interval(micros: i64, days: i32, months: i32) -> Option<String> {
    let mut parts = Vec::new();
    let mut was_negative = false;
    for (count, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if count != 0 {
            let plus = if was_negative && count > 0 { "+" } else { "" };
            let ending = if count == 1 { "" } else { "s" };
            parts.push(format!("{plus}{count} {unit}{ending}"));
            was_negative = count < 0;
        }
    }
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 {
            "-"
        } else if was_negative {
            "+"
        } else {
            ""
        };
        parts.push(format!("{sign}{}", time::clock_text(micros.checked_abs()?)));
    }
    Some(parts.join(" "))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(bytes.try_into().ok()?);
    let hex = format!("{number:032x}");
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// An address with its network: family, bits, whether it is a network, length, address.
fn network(kind: u32, bytes: &[u8]) -> Option<String> {
    let [_family, bits, _is_cidr, _length, address @ ..] = bytes else { return None };
    let (text, most) = match address.len() {
        4 => (Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?).to_string(), 32),
        16 => (Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?).to_string(), 128),
        _ => return None,
    };
    Some(if *bits == most && kind == kinds::INET { text } else { format!("{text}/{bits}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// The bytes are what PostgreSQL 15's `encode(…send(value), 'hex')` says.
    #[test]
    fn by_type() {
        for (kind, bytes, expect) in [
            (kinds::INT2, "ffff", "-1"),
            (kinds::FLOAT4, "3dcccccd", "0.1"),
            (kinds::FLOAT8, "3ff0000000000000", "1"),
            (kinds::FLOAT8, "7ff8000000000000", r#""NaN""#),
            (kinds::NUMERIC, "0000000000000000", "0"),
            (kinds::NUMERIC, "0000000000000002", "0.00"),
            (kinds::NUMERIC, "00000000c0000000", r#""NaN""#),
            (kinds::NUMERIC, "0003000140000004007b11d70059", "-1234567.0089"),
            (kinds::NUMERIC, "000200000000000200132328", "19.90"),
            (kinds::NUMERIC, "0001ffff000000040001", "0.0001"),
            (kinds::NUMERIC, "00010001000000000001", "10000"),
            (
                kinds::NUMERIC,
                "0009000700000001000c0d801ed204d2162e23340d801ed21388",
                "123456789012345678901234567890.5",
            ),
            (kinds::NUMERIC, "00010005000000000001", "100000000000000000000"),
            (kinds::TIMESTAMPTZ, "0002ea5043443c90", r#""2026-01-01T11:00:00.25Z""#),
            (kinds::TIMESTAMPTZ, "7fffffffffffffff", r#""infinity""#),
            (kinds::TIMESTAMP, "ffffffffffffffff", r#""1999-12-31 23:59:59.999999""#),
            (kinds::INTERVAL, "000000036c9361a0000000030000000e", r#""1 year 2 mons 3 days 04:05:06.5""#),
            (kinds::INTERVAL, "fffffffffff0bdc000000003ffffffff", r#""-1 mons +3 days -00:00:01""#),
            (kinds::INTERVAL, "00000000000000000000000000000000", r#""00:00:00""#),
            (kinds::INTERVAL, "000000000000000000000003fffffff2", r#""-1 years -2 mons +3 days""#),
            (kinds::TIMETZ, "0000000b187d38e0ffffb2a8", r#""13:14:15.5+05:30""#),
            (kinds::DATE, "00002279", r#""2024-02-29""#),
            (kinds::INET, "022000040a000001", r#""10.0.0.1""#),
            (kinds::INET, "0340001000000000000000000000000000000001", r#""::1/64""#),
            (
                1007,
                "00000002000000010000001700000002000000010000000200000001000000040000000100000004000000020000000400000003ffffffff",
                "[[1,2],[3,null]]",
            ),
            (1009, "000000000000000000000019", "[]"),
            (kinds::JSONB, "017b7d", "{}"),
            (kinds::UUID, "00000000000000000000000000000001", r#""00000000-0000-0000-0000-000000000001""#),
            (kinds::INET, "021800040a000001", r#""10.0.0.1/24""#),
            (99_999, "6f6b", r#""ok""#),
        ] {
            let value = read(kind, &hex(bytes)).map(|value| value.to_string());
            assert_eq!(value.as_deref(), Some(expect), "{kind} {bytes}");
        }
        for (kind, bytes) in [(kinds::INT4, "00"), (kinds::MONEY, "0000000000000096"), (99_999, "00000001")] {
            assert_eq!(read(kind, &hex(bytes)), None);
        }
    }
}
