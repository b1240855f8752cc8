//! What a step says: a value as JSON, a text, or bytes.

use crate::action::Trouble;
use crate::input::Input;
use crate::kind::Reading;
use seam_diag::Diagnostic;
use seam_expr::{NameUse, Names};
use seam_model::{Entry, Field, Fields, Shape};
use seam_value::Value;
use seam_wire::body::from_base64;

/// The fields of which at most one may be there.
pub(crate) const CONTENTS: [Field; 3] = [
    Field::optional("json", Shape::Any, "a message: a value as JSON"),
    Field::optional("text", Shape::Text, "a message: a text as it is"),
    Field::optional("base64", Shape::Text, "a message: bytes"),
];

/// What is said.
pub(crate) enum Content {
    Nothing,
    Json(Input),
    Text(Input),
    Bytes(Input),
}

/// What is said, worked out.
pub(crate) enum Said {
    Text(String),
    Bytes(Vec<u8>),
}

impl Content {
    /// Takes what a step says; tells where that are two things.
    pub(crate) fn read(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let keys = CONTENTS.iter().map(|field| field.name);
        let given: Vec<(&str, &Entry)> =
            keys.filter_map(|key| Some((key, fields.take_entry(key)?))).collect();
        let [(key, entry), others @ ..] = given.as_slice() else { return Self::Nothing };
        for (other, second) in others {
            reading.found.push(
                Diagnostic::error(format!("a step says one message: `{key}` or `{other}`"))
                    .at(second.key.span, "")
                    .also(entry.key.span, "the other one"),
            );
        }
        let input = Input::read(&entry.node, reading.found);
        match *key {
            "json" => Self::Json(input),
            "text" => Self::Text(input),
            _ => Self::Bytes(input),
        }
    }

    /// The variables in it.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        match self {
            Self::Nothing => {}
            Self::Json(input) | Self::Text(input) | Self::Bytes(input) => input.uses(into),
        }
    }

    /// What is said now; none where that is nothing.
    pub(crate) fn said(&self, names: &dyn Names) -> Result<Option<Said>, Trouble> {
        Ok(Some(match self {
            Self::Nothing => return Ok(None),
            Self::Json(input) => Said::Text(input.value(names)?.to_string()),
            Self::Text(input) => Said::Text(input.text(names)?),
            Self::Bytes(input) => {
                let text = input.text(names)?;
                let bytes = from_base64(&Value::map([("base64", Value::text(&text))]));
                let wrong = || Trouble::failed(format!("`{text}` is no base64")).at(input.span());
                Said::Bytes(bytes.ok_or_else(wrong)?)
            }
        }))
    }
}

impl Said {
    /// As it goes over the wire.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}
