//! What varies in a request and comes back in an answer: in the answer to the same request, or later in another's.
//!
//! An id that the consumer made is no recorded one; whoever gets a recorded one back takes it for somebody else's. So it
//! is looked for by its recorded value, and the new request's stands in its place; what only later answers have the
//! stand-in remembers (`state`) until then.

use crate::recording::Recording;
use crate::volatile::{Mask, is_address, segments};
use seam_value::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is the request's own is looked for in replies from this length on.
const SHORTEST: usize = 4;
/// Inside of longer texts from this one.
const SHORTEST_INSIDE: usize = 6;

/// A part of the request that an answer may repeat.
pub(crate) struct Echo {
    /// As it was recorded.
    pub(crate) value: Value,
    /// What it is now.
    pub(crate) expression: String,
}

/// A piece of an answer.
pub(crate) enum Piece {
    Plain(String),
    Expression(String),
}

/// What varies in a request.
pub(crate) fn echoes(request: &Value, mask: &Mask<'_>) -> Vec<Echo> {
    let mut echoes = Vec::new();
    collect(request, &mut vec!["request".to_owned()], "request".to_owned(), mask, &mut echoes);
    echoes
}

fn collect(value: &Value, at: &mut Vec<String>, expression: String, mask: &Mask<'_>, echoes: &mut Vec<Echo>) {
    match value {
        Value::Map(map) => {
            for (name, child) in map {
                at.push(name.clone());
                let expression = format!("{expression}[{}]", Value::text(name));
                collect(child, at, expression, mask, echoes);
                at.pop();
            }
        }
        Value::List(list) => {
            for (index, child) in list.iter().enumerate() {
                at.push(index.to_string());
                collect(child, at, format!("{expression}[{index}]"), mask, echoes);
                at.pop();
            }
        }
        Value::Text(path) if is_address(at) => {
            // Before the first slash stands nothing.
            let n_before = usize::from(path.starts_with('/'));
            for (index, part) in segments(path).enumerate() {
                at.push(index.to_string());
                if mask.at(at).is_some() && part.len() >= SHORTEST {
                    let expression = format!("{expression}.split(\"/\")[{}]", index + n_before);
                    echoes.push(Echo { value: Value::text(part), expression });
                }
                at.pop();
            }
        }
        Value::Null | Value::Bool(_) => {}
        scalar => {
            if mask.at(at).is_some() && scalar.to_plain_text().len() >= SHORTEST {
                echoes.push(Echo { value: scalar.clone(), expression });
            }
        }
    }
}

/// A value that varies, in pieces; none where nothing in it comes back.
pub(crate) fn pieces(value: &Value, echoes: &[Echo]) -> Option<Vec<Piece>> {
    if let Some(echo) = echoes.iter().find(|echo| echo.value == *value) {
        return Some(vec![Piece::Expression(echo.expression.clone())]);
    }
    let text = value.as_text()?;
    let (at, length, expression) = echoes.iter().find_map(|echo| {
        let inside = echo.value.as_text().filter(|inside| inside.len() >= SHORTEST_INSIDE)?;
        text.find(inside).map(|at| (at, inside.len(), &echo.expression))
    })?;
    let plain = |text: &str| {
        pieces(&Value::text(text), echoes).unwrap_or_else(|| vec![Piece::Plain(text.to_owned())])
    };
    let mut all = plain(&text[..at]);
    all.push(Piece::Expression(expression.clone()));
    all.extend(plain(&text[at + length..]));
    Some(all)
}

/// What a stand-in remembers of requests, because answers to later ones have it: names in its state by recorded values.
#[derive(Default)]
pub(crate) struct Remembered(BTreeMap<String, (String, Value)>);

impl Remembered {
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut asked: HashMap<String, Value> = HashMap::new();
        let mut remembered = BTreeMap::new();
        for one in &recording.interactions {
            let mask = Mask::new(&recording.volatile, &one.volatile);
            let own: Vec<Value> = echoes(&one.request, &mask).into_iter().map(|echo| echo.value).collect();
            let mut given = BTreeSet::new();
            scalars(&one.reply, &mut vec!["reply".to_owned()], &mask, &mut given);
            for key in given {
                if let Some(value) = asked.get(&key).filter(|value| !own.contains(value)) {
                    let name = format!("v{}", remembered.len() + 1);
                    remembered.entry(key).or_insert_with(|| (name, value.clone()));
                }
            }
            asked.extend(own.into_iter().map(|value| (value.to_string(), value)));
        }
        Self(remembered)
    }

    /// What the state is before anything was asked: what was recorded.
    pub(crate) fn initial(&self) -> Option<Value> {
        let state: Map = self.0.values().cloned().collect();
        (!state.is_empty()).then_some(Value::Map(state))
    }

    /// What of a request is to be remembered: names in the state, and what they become.
    pub(crate) fn taken<'e>(&self, echoes: &'e [Echo]) -> Vec<(String, &'e str)> {
        let name = |echo: &'e Echo| {
            let (name, _) = self.0.get(&echo.value.to_string())?;
            Some((format!("state.{name}"), echo.expression.as_str()))
        };
        echoes.iter().filter_map(name).collect()
    }

    /// What later answers find in the state.
    pub(crate) fn echoes(&self) -> impl Iterator<Item = Echo> {
        self.0
            .values()
            .map(|(name, value)| Echo { value: value.clone(), expression: format!("state.{name}") })
    }
}

/// Values of a reply that vary.
fn scalars(value: &Value, at: &mut Vec<String>, mask: &Mask<'_>, found: &mut BTreeSet<String>) {
    match value {
        Value::Map(map) => {
            for (name, child) in map {
                at.push(name.clone());
                scalars(child, at, mask, found);
                at.pop();
            }
        }
        Value::List(list) => {
            for (index, child) in list.iter().enumerate() {
                at.push(index.to_string());
                scalars(child, at, mask, found);
                at.pop();
            }
        }
        scalar => {
            if mask.at(at).is_some() {
                found.insert(scalar.to_string());
            }
        }
    }
}
