//! A piece of the JSON that a client sent, with its place, read the way WireMock's reader does: a number is good where
//! a text is wanted, a text of digits where a number is; a field that is not known is an error.

use super::wrong::Wrong;
use seam_value::{Map, Number, Value};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) value: &'a Value,
    /// `/request/headers`; empty for the whole.
    pub(crate) pointer: String,
}

impl<'a> Place<'a> {
    pub(crate) fn whole(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// Says what is wrong here.
    pub(crate) fn wrong(&self, detail: impl Into<String>) -> Wrong {
        Wrong::at(&self.pointer, detail)
    }

    fn below(&self, name: &str, value: &'a Value) -> Self {
        Self { value, pointer: format!("{}/{name}", self.pointer) }
    }

    /// A field; one that is null counts as missing.
    pub(crate) fn field(&self, name: &str) -> Option<Self> {
        self.value.get(name).filter(|value| **value != Value::Null).map(|value| self.below(name, value))
    }

    /// The fields, if it is an object that has no others than these.
    pub(crate) fn object(&self, what: &str, known: &[&str]) -> Result<&'a Map, Wrong> {
        let map = self.map(what)?;
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Wrong::at(
                &format!("{}/{key}", self.pointer),
                format!("Unrecognized field \"{key}\" (class {what}), not marked as ignorable"),
            )),
            None => Ok(map),
        }
    }

    /// The fields, whatever they are called.
    pub(crate) fn map(&self, what: &str) -> Result<&'a Map, Wrong> {
        self.value.as_map().ok_or_else(|| self.wrong(not_made(what, self.value)))
    }

    /// The fields with their places.
    pub(crate) fn entries(&self, what: &str) -> Result<Vec<(&'a str, Self)>, Wrong> {
        let map = self.map(what)?;
        Ok(map.iter().map(|(key, value)| (key.as_str(), self.below(key, value))).collect())
    }

    /// The elements with their places.
    pub(crate) fn elements(&self, what: &str) -> Result<Vec<Self>, Wrong> {
        let list = self.value.as_list().ok_or_else(|| {
            self.wrong(format!("Cannot deserialize value of type `{what}` from {}", kind(self.value)))
        })?;
        Ok(list.iter().enumerate().map(|(index, value)| self.below(&index.to_string(), value)).collect())
    }

    /// A text; scalars count as what they are written as.
    pub(crate) fn text(&self) -> Result<String, Wrong> {
        match self.value {
            Value::Text(_) | Value::Number(_) | Value::Bool(_) => Ok(self.value.to_plain_text()),
            Value::Null | Value::List(_) | Value::Map(_) => Err(self.wrong(format!(
                "Cannot deserialize value of type `java.lang.String` from {}",
                kind(self.value)
            ))),
        }
    }

    /// A whole number; fractions are cut off.
    pub(crate) fn integer(&self) -> Result<i64, Wrong> {
        let number = match self.value {
            Value::Number(number) => Some(number.clone()),
            Value::Text(text) => Number::parse(text.trim()).filter(Number::is_written_as_integer),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a fraction is cut off on purpose")]
        let integer = number.map(|number| number.as_i64().unwrap_or_else(|| number.as_f64() as i64));
        integer.ok_or_else(|| match self.value {
            Value::Text(text) => self.wrong(format!(
                "Cannot deserialize value of type `java.lang.Integer` from String \"{text}\": not a valid \
                 `java.lang.Integer` value"
            )),
            other => self
                .wrong(format!("Cannot deserialize value of type `java.lang.Integer` from {}", kind(other))),
        })
    }

    /// Any number.
    pub(crate) fn number(&self) -> Result<f64, Wrong> {
        match self.value {
            Value::Number(number) => Ok(number.as_f64()),
            Value::Text(text) => text.trim().parse().map_err(|_| {
                self.wrong(format!(
                    "Cannot deserialize value of type `double` from String \"{text}\": not a valid `double` value"
                ))
            }),
            other => {
                Err(self.wrong(format!("Cannot deserialize value of type `double` from {}", kind(other))))
            }
        }
    }

    /// True or false.
    pub(crate) fn boolean(&self) -> Result<bool, Wrong> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::Text(text) if text == "true" || text == "false" => Ok(text == "true"),
            other => Err(self
                .wrong(format!("Cannot deserialize value of type `java.lang.Boolean` from {}", kind(other)))),
        }
    }

    /// One of some words.
    pub(crate) fn word(&self, what: &str, words: &[&str]) -> Result<String, Wrong> {
        let text = self.text()?;
        if words.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(self.wrong(format!(
            "Cannot deserialize value of type `{what}` from String \"{text}\": not one of the values accepted for \
             Enum class: [{}]",
            words.join(", ")
        )))
    }
}

/// Why nothing is made of a value, in the words of WireMock's reader.
fn not_made(what: &str, value: &Value) -> String {
    // Of a number it tries to make whatever is no map.
    let is_map = what.starts_with("java.util") || what.ends_with("Parameters") || what.ends_with("Metadata");
    let (argument, from) = match value {
        Value::Text(text) => ("String", format!("String value ('{text}')")),
        Value::Number(number) if !is_map && number.is_written_as_integer() => {
            ("int/Int", format!("Number value ({number})"))
        }
        Value::Number(number) if !is_map => ("double/Double", format!("Number value ({number})")),
        Value::Bool(flag) if !is_map => ("boolean/Boolean", format!("boolean value ({flag})")),
        _ => return format!("Cannot deserialize value of type `{what}` from {}", kind(value)),
    };
    format!(
        "Cannot construct instance of `{what}` (although at least one Creator exists): no {argument}-argument \
         constructor/factory method to deserialize from {from}"
    )
}

/// What a value is, in the words of WireMock's reader.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null value",
        Value::Bool(true) => "Boolean value (token `JsonToken.VALUE_TRUE`)",
        Value::Bool(false) => "Boolean value (token `JsonToken.VALUE_FALSE`)",
        Value::Number(_) => "Integer value (token `JsonToken.VALUE_NUMBER_INT`)",
        Value::Text(_) => "String value",
        Value::List(_) => "Array value (token `JsonToken.START_ARRAY`)",
        Value::Map(_) => "Object value (token `JsonToken.START_OBJECT`)",
    }
}
