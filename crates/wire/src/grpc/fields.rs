//! A message without its description: its fields by number, as far as the bytes tell (protobuf's wire format).

use crate::body::in_base64;
use seam_value::{Map, Number, Value};

/// How deep messages may nest.
const MAX_DEPTH: usize = 32;

/// The message as `{ base64: …, fields: { "1": … } }`; without `fields` where it is no message.
pub(super) fn undescribed(bytes: &[u8]) -> Value {
    let mut value = in_base64(bytes);
    if let (Value::Map(map), Some(fields)) = (&mut value, fields(bytes, 0)) {
        map.insert("fields".to_owned(), Value::Map(fields));
    }
    value
}

/// The fields by number; one that comes again has a list. None where the bytes are no message.
fn fields(mut bytes: &[u8], depth: usize) -> Option<Map> {
    let mut map = Map::default();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return None;
        }
        let value = match tag & 7 {
            0 => Value::from(varint(&mut bytes)?),
            1 => {
                let (bits, rest) = bytes.split_first_chunk::<8>()?;
                bytes = rest;
                let number = Number::from_f64(f64::from_le_bytes(*bits));
                either("fixed64", u64::from_le_bytes(*bits), "double", number)
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (text, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                text_or_message(text, depth)
            }
            5 => {
                let (bits, rest) = bytes.split_first_chunk::<4>()?;
                bytes = rest;
                let number = Number::parse(&format!("{:?}", f32::from_le_bytes(*bits)));
                either("fixed32", u64::from(u32::from_le_bytes(*bits)), "float", number)
            }
            _ => return None,
        };
        match map.get_mut(&number.to_string()) {
            None => drop(map.insert(number.to_string(), value)),
            Some(Value::List(list)) => list.push(value),
            Some(first) => *first = Value::List(vec![std::mem::take(first), value]),
        }
    }
    Some(map)
}

fn either(name: &str, bits: u64, real: &str, number: Option<Number>) -> Value {
    Value::map([(name, Value::from(bits)), (real, number.map_or(Value::Null, Value::Number))])
}

/// Printable characters are a text; what else can be a message is one.
fn text_or_message(bytes: &[u8], depth: usize) -> Value {
    let text = std::str::from_utf8(bytes).ok();
    if let Some(text) = text
        && !text.chars().any(char::is_control)
    {
        return Value::text(text);
    }
    let nested = if depth < MAX_DEPTH { fields(bytes, depth + 1) } else { None };
    match (nested, text) {
        (Some(nested), _) => Value::Map(nested),
        (None, Some(text)) => Value::text(text),
        (None, None) => in_base64(bytes),
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_number() {
        for (bytes, expect) in [
            (&b"\x08\x96\x01"[..], r#"{"base64":"CJYB","fields":{"1":150}}"#),
            (b"\x12\x07testing", r#"{"base64":"Egd0ZXN0aW5n","fields":{"2":"testing"}}"#),
            (b"\x1a\x03\x08\x96\x01", r#"{"base64":"GgMIlgE=","fields":{"3":{"1":150}}}"#),
            (b"\x08\x01\x08\x02\x08\x03", r#"{"base64":"CAEIAggD","fields":{"1":[1,2,3]}}"#),
            (b"\x0a\x02\xff\xfe", r#"{"base64":"CgL//g==","fields":{"1":{"base64":"//4="}}}"#),
            (
                b"\x09\x66\x66\x66\x66\x66\xe6\x33\x40",
                r#"{"base64":"CWZmZmZm5jNA","fields":{"1":{"fixed64":4626294569718670950,"double":19.9}}}"#,
            ),
            (b"", r#"{"base64":"","fields":{}}"#),
            (b"\x0f", r#"{"base64":"Dw=="}"#),
            (b"\x0a\x05ab", r#"{"base64":"CgVhYg=="}"#),
        ] {
            assert_eq!(undescribed(bytes).to_string(), expect);
        }
        let deep = (0..200).fold(b"\x08\x01".to_vec(), |inner, _| {
            let length = u8::try_from(inner.len().min(127)).unwrap();
            [&[0x0a, length][..], &inner[..usize::from(length)]].concat()
        });
        undescribed(&deep);
    }
}
