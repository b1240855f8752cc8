//! AMQP's values: arguments of methods and the fields of tables, to plain values and back.

use super::method::{Argument, Kind};
use crate::body;
use crate::body::from_base64;
use crate::splitter::Unanswerable;
use seam_value::{Map, Number, Value};

/// Tables in tables are read so deep.
const MOST_DEEP: u8 = 32;

/// Bytes to be read, from the front. Everything is none where there is not enough.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn long_long(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn short_text(&mut self) -> Option<&'a [u8]> {
        let length = self.octet()?;
        self.take(usize::from(length))
    }

    pub(super) fn long_text(&mut self) -> Option<&'a [u8]> {
        let length = self.long()?;
        self.take(usize::try_from(length).ok()?)
    }

    pub(super) fn table(&mut self) -> Option<Map> {
        self.table_within(0)
    }

    fn table_within(&mut self, depth: u8) -> Option<Map> {
        let mut inner = Reader(self.long_text()?);
        let mut map = Map::default();
        while !inner.0.is_empty() {
            let name = inner.short_text()?;
            let name = String::from_utf8_lossy(name).into_owned();
            map.insert(name, inner.field(depth)?);
        }
        Some(map)
    }

    /// A field of a table, in the letters that RabbitMQ and all its clients use.
    fn field(&mut self, depth: u8) -> Option<Value> {
        if depth > MOST_DEEP {
            return None;
        }
        Some(match self.octet()? {
            b't' => Value::Bool(self.octet()? != 0),
            b'b' => Value::from(i64::from(i8::from_be_bytes(self.array()?))),
            b'B' => Value::from(u64::from(self.octet()?)),
            b's' | b'U' => Value::from(i64::from(i16::from_be_bytes(self.array()?))),
            b'u' => Value::from(self.short()?),
            b'I' => Value::from(i64::from(i32::from_be_bytes(self.array()?))),
            b'i' => Value::from(u64::from(self.long()?)),
            b'l' | b'L' => Value::from(i64::from_be_bytes(self.array()?)),
            b'T' => Value::from(self.long_long()?),
            b'f' => float(&f32::from_be_bytes(self.array()?).to_string()),
            b'd' => float(&f64::from_be_bytes(self.array()?).to_string()),
            b'D' => {
                let scale = self.octet()?;
                let digits = i32::from_be_bytes(self.array()?);
                Number::parse(&format!("{digits}e-{scale}")).map_or(Value::Null, Value::Number)
            }
            b'S' => text(self.long_text()?),
            b'x' => body::in_base64(self.long_text()?),
            b'A' => {
                let mut inner = Reader(self.long_text()?);
                let mut list = Vec::new();
                while !inner.0.is_empty() {
                    list.push(inner.field(depth + 1)?);
                }
                Value::List(list)
            }
            b'F' => Value::Map(self.table_within(depth + 1)?),
            b'V' => Value::Null,
            _ => return None,
        })
    }

    /// A method's arguments by name, as far as they go; false where they break off.
    pub(super) fn arguments(&mut self, arguments: &[Argument], map: &mut Map) -> bool {
        let (mut bits, mut n_bits) = (0_u8, 0_u32);
        for (name, kind) in arguments {
            if *kind != Kind::Bit {
                n_bits = 0;
            }
            let value = match kind {
                Kind::Bit => {
                    if n_bits.is_multiple_of(8) {
                        let Some(octet) = self.octet() else { return false };
                        bits = octet;
                    }
                    let bit = bits >> (n_bits % 8) & 1;
                    n_bits += 1;
                    Some(Value::Bool(bit == 1))
                }
                Kind::Octet => self.octet().map(|octet| Value::from(u64::from(octet))),
                Kind::Short => self.short().map(Value::from),
                Kind::Long => self.long().map(|long| Value::from(u64::from(long))),
                Kind::LongLong => self.long_long().map(Value::from),
                Kind::ShortText => self.short_text().map(text),
                Kind::LongText => self.long_text().map(text),
                Kind::Table => self.table().map(Value::Map),
            };
            let Some(value) = value else { return false };
            if !name.is_empty() {
                map.insert((*name).to_owned(), value);
            }
        }
        true
    }
}

/// A float as it is written shortest; what is no number is a text.
fn float(written: &str) -> Value {
    let with_point =
        if written.contains(['.', 'e', 'N', 'i']) { written.to_owned() } else { format!("{written}.0") };
    Number::parse(&with_point).map_or_else(|| Value::text(written), Value::Number)
}

fn text(bytes: &[u8]) -> Value {
    body::text_or_base64(bytes, false).0
}

/// The bytes that a value stands for: a text's, those in `{ base64: … }`, else it as JSON; none of null.
pub(super) fn bytes_of(value: &Value) -> Vec<u8> {
    match from_base64(value) {
        Some(bytes) => bytes,
        None if *value == Value::Null => Vec::new(),
        None => value.to_plain_text().into_bytes(),
    }
}

/// Writes at most 255 bytes with their length.
pub(super) fn put_short_text(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(255)];
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

pub(super) fn put_long_text(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_table(map: &Map, out: &mut Vec<u8>) {
    let mut inner = Vec::new();
    for (name, value) in map {
        put_short_text(name.as_bytes(), &mut inner);
        put_field(value, &mut inner);
    }
    put_long_text(&inner, out);
}

fn put_field(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'V'),
        Value::Bool(is_true) => out.extend_from_slice(&[b't', u8::from(*is_true)]),
        Value::Number(number) => put_number(number, out),
        Value::Text(text) => {
            out.push(b'S');
            put_long_text(text.as_bytes(), out);
        }
        Value::List(list) => {
            out.push(b'A');
            let mut inner = Vec::new();
            for value in list {
                put_field(value, &mut inner);
            }
            put_long_text(&inner, out);
        }
        Value::Map(map) => {
            if let Some(bytes) = from_base64(value) {
                out.push(b'x');
                put_long_text(&bytes, out);
            } else {
                out.push(b'F');
                put_table(map, out);
            }
        }
    }
}

fn put_number(number: &Number, out: &mut Vec<u8>) {
    let integer = number.as_i64().filter(|_| number.is_written_as_integer());
    if let Some(small) = integer.and_then(|integer| i32::try_from(integer).ok()) {
        out.push(b'I');
        out.extend_from_slice(&small.to_be_bytes());
    } else if let Some(integer) = integer {
        out.push(b'l');
        out.extend_from_slice(&integer.to_be_bytes());
    } else {
        out.push(b'd');
        out.extend_from_slice(&number.as_f64().to_be_bytes());
    }
}

/// Writes a method's arguments from a map; what is not in it is zero, empty or false.
pub(super) fn put_arguments(
    arguments: &[Argument],
    map: &Map,
    out: &mut Vec<u8>,
) -> Result<(), Unanswerable> {
    let mut n_bits = 0_u32;
    for (name, kind) in arguments {
        let value = map.get(*name).unwrap_or(&Value::Null);
        if *kind != Kind::Bit {
            n_bits = 0;
        }
        match kind {
            Kind::Bit => {
                let bit = match value {
                    Value::Null => false,
                    Value::Bool(is_true) => *is_true,
                    other => return Err(Unanswerable::new(format!("{name} is true or false, not {other}"))),
                };
                if n_bits.is_multiple_of(8) {
                    out.push(0);
                }
                if let Some(last) = out.last_mut() {
                    *last |= u8::from(bit) << (n_bits % 8);
                }
                n_bits += 1;
            }
            Kind::Octet => out.push(integer(name, value)?),
            Kind::Short => out.extend_from_slice(&integer::<u16>(name, value)?.to_be_bytes()),
            Kind::Long => out.extend_from_slice(&integer::<u32>(name, value)?.to_be_bytes()),
            Kind::LongLong => out.extend_from_slice(&integer::<u64>(name, value)?.to_be_bytes()),
            Kind::ShortText => {
                let bytes = bytes_of(value);
                if bytes.len() > 255 {
                    return Err(Unanswerable::new(format!("{name} has at most 255 bytes")));
                }
                put_short_text(&bytes, out);
            }
            Kind::LongText => put_long_text(&bytes_of(value), out),
            Kind::Table => match value {
                Value::Null => put_table(&Map::default(), out),
                Value::Map(map) => put_table(map, out),
                other => return Err(Unanswerable::new(format!("{name} is a map, not {other}"))),
            },
        }
    }
    Ok(())
}

/// A whole number that fits; 0 for null.
pub(super) fn integer<N: TryFrom<i64> + Default>(name: &str, value: &Value) -> Result<N, Unanswerable> {
    if *value == Value::Null {
        return Ok(N::default());
    }
    let number = value.as_i64().and_then(|integer| N::try_from(integer).ok());
    number.ok_or_else(|| Unanswerable::new(format!("{name} is a whole number, not {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn tables_there_and_back() {
        for table in [
            "{}",
            r#"{"a":1,"b":-5000000000,"c":1.5,"d":true,"e":null,"f":"text","g":[1,"x",{"h":false}]}"#,
            r#"{"x":{"base64":"AP8="}}"#,
        ] {
            let Value::Map(map) = parse(table).unwrap() else { panic!("a map") };
            let mut bytes = Vec::new();
            put_table(&map, &mut bytes);
            let mut reader = Reader(&bytes);
            assert_eq!(Value::Map(reader.table().unwrap()).to_string(), table);
            assert_eq!(reader.0.len(), 0);
            for n_bytes in 0..bytes.len() {
                assert!(Reader(&bytes[..n_bytes]).table().is_none(), "{table} cut after {n_bytes}");
            }
        }
    }

    #[test]
    fn the_letters_of_fields() {
        for (bytes, expect) in [
            (&b"t\x01"[..], "true"),
            (b"b\xff", "-1"),
            (b"B\xff", "255"),
            (b"s\xff\xfe", "-2"),
            (b"u\xff\xfe", "65534"),
            (b"i\xff\xff\xff\xff", "4294967295"),
            (b"T\0\0\0\0\0\0\0\x07", "7"),
            (b"f\x3f\xc0\0\0", "1.5"),
            (b"d\x40\0\0\0\0\0\0\0", "2.0"),
            (b"D\x02\0\0\x01\0", "256e-2"),
            (b"V", "null"),
        ] {
            assert_eq!(Reader(bytes).field(0).unwrap().to_string(), expect);
        }
        let deep = b"A\0\0\0\x01".repeat(100);
        assert!(Reader(&deep).field(0).is_none());
    }
}
