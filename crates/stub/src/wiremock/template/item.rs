//! What a template works with.

use crate::wiremock::dates::JavaFormat;
use crate::wiremock::xml::XmlPart;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use seam_value::{Map, Number, Value};
use std::fmt::Write as _;

/// One thing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// Nothing is there.
    Nothing,
    /// A plain value; lists and maps print as Java prints them.
    Value(Value),
    /// What a JSONPath found; prints as JSON.
    Json(Value),
    /// Things in order.
    List(Vec<Item>),
    /// Several values of one name, printed as the first.
    Many(Vec<Item>),
    /// Things by name.
    Map(Vec<(String, Item)>),
    /// The same, where the names ignore case.
    Headers(Vec<(String, Item)>),
    /// A text that can be asked for parts by name or number.
    Path {
        text: String,
        parts: Vec<(String, Item)>,
    },
    /// A text that equals no other text, as Java's object for a method doesn't.
    Method(String),
    Date(Date),
    Xml(XmlPart),
}

/// A moment with the way in which it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Date {
    pub(crate) at: Timestamp,
    pub(crate) format: Option<String>,
    pub(crate) zone: Option<TimeZone>,
}

impl Item {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Value(Value::Text(text.into()))
    }

    pub(crate) fn flag(flag: bool) -> Self {
        Self::Value(Value::Bool(flag))
    }

    pub(crate) fn integer(number: i64) -> Self {
        Self::Value(Value::from(number))
    }

    /// A value, where null is nothing.
    pub(crate) fn of(value: Value) -> Self {
        if value == Value::Null { Self::Nothing } else { Self::Value(value) }
    }

    /// What stands in it under a name or number.
    pub(crate) fn child(&self, name: &str) -> Option<Self> {
        let index = || name.parse::<usize>().ok();
        match self {
            Self::Value(Value::Map(map)) => map.get(name).cloned().map(Self::of),
            Self::Value(Value::List(list)) => {
                list_part(list.len(), name, |at| list.get(at).cloned().map(Self::of))
            }
            Self::Json(Value::Map(map)) => map.get(name).cloned().map(Self::found),
            Self::Json(Value::List(list)) => {
                list_part(list.len(), name, |at| list.get(at).cloned().map(Self::found))
            }
            Self::List(list) | Self::Many(list) => list_part(list.len(), name, |at| list.get(at).cloned()),
            Self::Map(map) => map.iter().find(|(known, _)| known == name).map(|(_, item)| item.clone()),
            Self::Headers(map) => {
                map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, item)| item.clone())
            }
            Self::Path { parts, .. } => {
                let named = parts.iter().find(|(known, _)| known == name);
                named.or_else(|| parts.get(index()?)).map(|(_, item)| item.clone())
            }
            Self::Xml(part) => match name {
                "text" => Some(Self::text(&part.text)),
                "name" => Some(Self::text(&part.name)),
                "attributes" => Some(Self::Map(
                    part.attributes.iter().map(|(name, value)| (name.clone(), Self::text(value))).collect(),
                )),
                _ => None,
            },
            Self::Nothing | Self::Value(_) | Self::Json(_) | Self::Method(_) | Self::Date(_) => None,
        }
    }

    /// What a JSONPath found: lists print as JSON wherever they stand, objects only alone.
    pub(crate) fn found(value: Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            list @ Value::List(_) => Self::Json(list),
            other => Self::Value(doubles(other)),
        }
    }

    /// Its elements, if it is a list.
    pub(crate) fn elements(&self) -> Option<Vec<Self>> {
        match self {
            Self::Value(Value::List(list)) => Some(list.iter().cloned().map(Self::of).collect()),
            Self::Json(Value::List(list)) => Some(list.iter().cloned().map(Self::found).collect()),
            Self::List(list) | Self::Many(list) => Some(list.clone()),
            Self::Path { parts, .. } => Some(parts.iter().map(|(_, item)| item.clone()).collect()),
            _ => None,
        }
    }

    /// Its entries, if it has names.
    pub(crate) fn entries(&self) -> Option<Vec<(String, Self)>> {
        match self {
            Self::Value(Value::Map(map)) => {
                Some(map.iter().map(|(key, value)| (key.clone(), Self::of(value.clone()))).collect())
            }
            Self::Json(Value::Map(map)) => {
                Some(map.iter().map(|(key, value)| (key.clone(), Self::found(value.clone()))).collect())
            }
            Self::Map(map) | Self::Headers(map) => Some(map.clone()),
            _ => None,
        }
    }

    /// Does it count as true?
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Value(value) | Self::Json(value) => match value {
                Value::Null => false,
                Value::Bool(flag) => *flag,
                Value::Number(number) => number.as_f64() != 0.0,
                Value::Text(text) => !text.is_empty(),
                Value::List(list) => !list.is_empty(),
                Value::Map(_) => true,
            },
            Self::List(list) | Self::Many(list) => !list.is_empty(),
            Self::Path { text, .. } | Self::Method(text) => !text.is_empty(),
            Self::Map(_) | Self::Headers(_) | Self::Date(_) | Self::Xml(_) => true,
        }
    }

    /// The text, if it is one and nothing more.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Value(Value::Text(text)) = self { Some(text) } else { None }
    }

    /// The number, also that of a text of digits.
    pub(crate) fn as_number(&self) -> Option<Number> {
        match self {
            Self::Value(Value::Number(number)) | Self::Json(Value::Number(number)) => Some(number.clone()),
            other => Number::parse(other.print().trim()),
        }
    }

    /// The whole number.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// As it stands in a text.
    pub(crate) fn print(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Value(value) => java(value),
            Self::Json(map @ Value::Map(_)) => jackson(&doubles(map.clone())),
            Self::Json(value) => doubles(value.clone()).to_plain_text(),
            Self::Many(list) => list.first().map(Self::print).unwrap_or_default(),
            Self::List(list) => {
                let null =
                    |item: &Self| if *item == Self::Nothing { "null".to_owned() } else { item.print() };
                format!("[{}]", list.iter().map(null).collect::<Vec<_>>().join(", "))
            }
            Self::Map(map) | Self::Headers(map) => {
                let entries = map.iter().map(|(key, item)| format!("{key}={}", item.print()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            Self::Path { text, .. } | Self::Method(text) => text.clone(),
            Self::Date(date) => date.print(),
            Self::Xml(part) if part.name.is_empty() => part.shown.clone(),
            Self::Xml(part) => format!("{}\n", part.shown),
        }
    }

    /// As a plain value, for what writes JSON.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Value(value) => value.clone(),
            Self::Json(value) => doubles(value.clone()),
            Self::List(list) => Value::List(list.iter().map(Self::to_value).collect()),
            Self::Many(list) => match list.as_slice() {
                [one] => one.to_value(),
                several => Value::List(several.iter().map(Self::to_value).collect()),
            },
            Self::Map(map) | Self::Headers(map) => {
                Value::Map(map.iter().map(|(key, item)| (key.clone(), item.to_value())).collect::<Map>())
            }
            Self::Xml(part) => {
                let attributes =
                    part.attributes.iter().map(|(name, value)| (name.clone(), Value::text(value)));
                let name = if part.name.is_empty() { "#text" } else { &part.name };
                Value::map([
                    ("attributes", Value::Map(attributes.collect())),
                    ("name", Value::text(name)),
                    ("text", Value::text(&part.text)),
                ])
            }
            Self::Path { .. } | Self::Method(_) | Self::Date(_) => Value::Text(self.print()),
        }
    }
}

impl Date {
    pub(crate) fn zoned(&self) -> Zoned {
        self.at.to_zoned(self.zone.clone().unwrap_or(TimeZone::UTC))
    }

    fn print(&self) -> String {
        let zoned = self.zoned();
        if let Some(Ok(format)) = self.format.as_deref().map(JavaFormat::parse) {
            return format.format(&zoned);
        }
        let offset = if zoned.offset().is_zero() { "'Z'" } else { "XXX" };
        let format = JavaFormat::parse(&format!("yyyy-MM-dd'T'HH:mm:ss{offset}"));
        format.map(|format| format.format(&zoned)).unwrap_or_default()
    }
}

fn list_part(length: usize, name: &str, get: impl Fn(usize) -> Option<Item>) -> Option<Item> {
    match name {
        "first" => get(0),
        "last" => get(length.checked_sub(1)?),
        "size" | "length" => Some(Item::integer(i64::try_from(length).ok()?)),
        index => get(index.parse().ok()?),
    }
}

/// As Java prints it.
fn java(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::List(list) => {
            let null = |value: &Value| if *value == Value::Null { "null".to_owned() } else { java(value) };
            format!("[{}]", list.iter().map(null).collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => {
            let null = |value: &Value| if *value == Value::Null { "null".to_owned() } else { java(value) };
            let entries = map.iter().map(|(key, value)| format!("{key}={}", null(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_plain_text(),
    }
}

/// JSON as WireMock writes it for people: ` : ` between name and value, lists on one line.
pub fn jackson(value: &Value) -> String {
    let mut out = String::new();
    write_jackson(value, 0, &mut out);
    out
}

fn write_jackson(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Map(map) if map.is_empty() => out.push_str("{ }"),
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ",\n" } else { "\n" });
                out.extend(std::iter::repeat_n("  ", depth + 1));
                let _ = write!(out, "{} : ", Value::text(key));
                write_jackson(value, depth + 1, out);
            }
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
            out.push('}');
        }
        Value::List(list) if list.is_empty() => out.push_str("[ ]"),
        Value::List(list) => {
            out.push_str("[ ");
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_jackson(value, depth, out);
            }
            out.push_str(" ]");
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

/// Numbers with a point as Java's doubles: what a JSONPath finds has lost its last noughts.
fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) if !number.is_written_as_integer() => {
            Number::parse(&double(number.as_f64())).map_or(Value::Number(number), Value::Number)
        }
        Value::List(list) => Value::List(list.into_iter().map(doubles).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, doubles(value))).collect()),
        other => other,
    }
}

/// A double as Java writes it.
pub(crate) fn double(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) && number.is_finite() {
        let text = format!("{number:E}");
        return match text.split_once('E') {
            Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
            _ => text,
        };
    }
    if number.fract() == 0.0 && number.is_finite() { format!("{number:.1}") } else { number.to_string() }
}
