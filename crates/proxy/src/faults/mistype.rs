//! `mistype`: one field of the reply is not what it should be.

use super::{Change, Effect, Fault, FaultKind, Moment, Role, Struck};
use jiff::Timestamp;
use seam_model::{Field, Shape, Word};
use seam_value::{Map, Value};
use seam_wire::Deed;
use std::sync::Arc;

const KINDS: &[&str] = &["null", "absent", "text", "number", "boolean", "list", "map", "empty", "date"];

const FIELDS: &[Field] = &[Field::optional(
    "as",
    Shape::OneOf(KINDS),
    "what it is instead: `null` (where nothing is said), `absent`, another type, `empty`, or for a date another form",
)];

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "One field of the reply, by its path (`body.total`, `rows.0.price`), or of a message that nobody answers \
            (`message.body.total`, an event's `message.data.total`), is null, or absent, or of another type; \
            `date` writes a date in another form (day first, or as seconds). What is without that field, or in which it is \
            so already, is left as it is, and does not count.",
        subject: Shape::Text,
        fields: FIELDS,
        example: "{ mistype: body.total, as: text }",
        ..Word::new("mistype", "one field of the reply is null, absent or of another type")
    },
    read: |argument, map: &Map| {
        let path = argument.as_text().ok_or("`mistype` takes a path in the reply, such as body.total")?;
        let kind = match map.get("as") {
            None | Some(Value::Null) => "null",
            Some(kind) => kind.as_text().unwrap_or_default(),
        };
        let Some(kind) = KINDS.iter().find(|known| **known == kind) else {
            return Err(format!("`as` is one of {}", KINDS.join(", ")));
        };
        let (is_of_message, path) = match path.strip_prefix("message.") {
            Some(path) => (true, path),
            None => (false, path.strip_prefix("reply.").unwrap_or(path)),
        };
        let path = path.split('.').map(str::to_owned).collect();
        Ok(Arc::new(Mistype { is_of_message, path, kind }))
    },
};

struct Mistype {
    /// Is it a field of a message that nobody answers? Else it is one of a reply.
    is_of_message: bool,
    path: Vec<String>,
    kind: &'static str,
}

impl Fault for Mistype {
    fn moment(&self) -> Moment {
        if self.is_of_message { Moment::Request } else { Moment::Reply }
    }

    fn role(&self) -> Role {
        Role::Changes(Change::Field)
    }

    fn deeds(&self) -> &'static [Deed] {
        if self.is_of_message { &[Deed::ChangeMessage] } else { &[Deed::ChangeReply] }
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let said = if self.is_of_message { &struck.parts.message } else { &struck.parts.reply };
        let mut changed = said.clone();
        if !self.change(&mut changed, &self.path) || changed == *said {
            return None;
        }
        if let Value::Map(map) = &mut changed {
            // What it says stands there twice: as it was sent, and as what that means.
            match self.path[0].as_str() {
                "body" | "data" => drop(map.shift_remove("text")),
                "text" => ["body", "data"].into_iter().for_each(|name| drop(map.shift_remove(name))),
                _ => {}
            }
        }
        Some(Effect::Change(changed))
    }
}

impl Mistype {
    fn is_of_headers(&self) -> bool {
        self.path.len() == 2 && self.path[0] == "headers"
    }

    /// Changes the value at the path; false where there is none.
    fn change(&self, value: &mut Value, path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            *value = self.instead_of(value);
            return true;
        };
        match value {
            // Where nothing is said of some headers, such as what the body is, they are made up.
            Value::Map(map) if rest.is_empty() && self.kind == "absent" && self.is_of_headers() => {
                map.get_mut(first).is_some_and(|header| std::mem::replace(header, Value::Null) != Value::Null)
            }
            Value::Map(map) if rest.is_empty() && self.kind == "absent" => map.shift_remove(first).is_some(),
            Value::Map(map) => map.get_mut(first).is_some_and(|inner| self.change(inner, rest)),
            Value::List(list) if first == "*" => {
                list.iter_mut().map(|inner| self.change(inner, rest)).filter(|changed| *changed).count() > 0
            }
            Value::List(list) => {
                let index = first.parse::<usize>().ok().filter(|index| *index < list.len());
                match index {
                    Some(index) if rest.is_empty() && self.kind == "absent" => {
                        list.remove(index);
                        true
                    }
                    Some(index) => self.change(&mut list[index], rest),
                    None => false,
                }
            }
            _ => false,
        }
    }

    fn instead_of(&self, value: &Value) -> Value {
        match self.kind {
            "text" => Value::Text(value.to_plain_text()),
            "number" => value
                .as_text()
                .and_then(|text| seam_value::parse(text).ok())
                .filter(is_number)
                .unwrap_or_else(|| Value::from(1_u64)),
            "boolean" => Value::Bool(true),
            "list" => Value::List(vec![value.clone()]),
            "map" => Value::map([("value", value.clone())]),
            "empty" => match value {
                Value::List(_) => Value::List(Vec::new()),
                Value::Map(_) => Value::Map(Map::default()),
                _ => Value::text(""),
            },
            "date" => value.as_text().map_or_else(|| value.clone(), |text| Value::Text(other_date(text))),
            _ => Value::Null,
        }
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_))
}

/// The same day as people write it elsewhere; seconds since 1970 for an instant.
fn other_date(text: &str) -> String {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return instant.as_second().to_string();
    }
    match text.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => format!("{day}/{month}/{year}"),
        _ => text.to_owned(),
    }
}
