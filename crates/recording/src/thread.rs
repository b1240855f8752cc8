//! What an earlier answer gave and a later request used: an id, a token. It is found by equal values, and becomes a
//! variable, so that a replay uses what the provider says now.

use crate::marks;
use crate::volatile::{Mask, segments};
use seam_expr::below;
use seam_value::Value;
use std::collections::HashSet;

/// Texts from this length on are looked for inside other texts.
const SHORTEST_INSIDE: usize = 6;

/// Names of fields whose values are made to be used again, by their ends.
const ID_ENDS: &[&str] = &["id", "token", "key", "uuid", "number", "code", "ref", "location"];

/// A value that a reply gave.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The step that gave it.
    step: usize,
    /// Where in its result: `body.id`.
    path: String,
    /// The name that it gets once somebody uses it.
    name: String,
    value: Value,
}

/// All values that were given so far in a test, and those that are saved under a name.
#[derive(Clone, Default)]
pub(crate) struct Threads {
    given: Vec<Given>,
    names: HashSet<String>,
    /// (step, name, path) of what is used.
    saved: Vec<(usize, String, String)>,
}

impl Threads {
    /// Takes in what a reply gives. Later ones come first: a token that was given anew counts.
    pub(crate) fn take_in(&mut self, step: usize, reply: &Value, mask: &Mask<'_>) {
        for name in ["body", "bodies", "value", "messages", "rows", "insert_id"] {
            if let Some(value) = reply.get(name) {
                let mut at = vec!["reply".to_owned(), name.to_owned()];
                self.collect(step, value, &mut at, mask);
            }
        }
        if let Some(location) = reply.get("headers").and_then(|headers| headers.get("location")) {
            let mut at = vec!["reply".to_owned(), "headers".to_owned(), "location".to_owned()];
            self.collect(step, location, &mut at, mask);
        }
    }

    fn collect(&mut self, step: usize, value: &Value, at: &mut Vec<String>, mask: &Mask<'_>) {
        match value {
            Value::Map(map) => {
                for (name, child) in map {
                    at.push(name.clone());
                    self.collect(step, child, at, mask);
                    at.pop();
                }
            }
            Value::List(list) => {
                for (index, child) in list.iter().enumerate() {
                    at.push(index.to_string());
                    self.collect(step, child, at, mask);
                    at.pop();
                }
            }
            Value::Null | Value::Bool(_) => {}
            scalar => {
                let field = at.last().map(String::as_str).unwrap_or_default();
                let is_marked = scalar.as_text().is_some_and(marks::has_marks);
                let is_made = ID_ENDS.iter().any(|end| field.to_ascii_lowercase().ends_with(end));
                if !scalar.to_plain_text().is_empty() && (mask.at(at).is_some() || is_marked || is_made) {
                    let name = name_of(field, at);
                    let path = at[1..].iter().fold(String::new(), |path, name| below(&path, name));
                    self.given.insert(0, Given { step, path, name, value: scalar.clone() });
                }
            }
        }
    }

    /// The variable of a value that stands in a field of this name: a short value must be the same field's.
    pub(crate) fn in_field(&mut self, field: &str, value: &Value) -> Option<String> {
        let is_long =
            value.as_text().is_some_and(|text| text.len() >= SHORTEST_INSIDE || marks::has_marks(text));
        let same = |given: &Given| {
            let own = given.path.rsplit('.').next().unwrap_or_default();
            let (own, field) = (own.to_ascii_lowercase(), field.to_ascii_lowercase());
            own == field || field.ends_with(&format!("_{own}")) || (own == "id" && field.ends_with("id"))
        };
        let index = self.given.iter().position(|given| given.value == *value && (is_long || same(given)))?;
        Some(format!("${}", self.use_of(index)))
    }

    /// A text with variables in the place of what was given, its own dollars doubled.
    pub(crate) fn inside(&mut self, text: &str) -> String {
        let found = self.given.iter().enumerate().find_map(|(index, given)| {
            let value = given.value.as_text()?;
            let is_long = value.len() >= SHORTEST_INSIDE || marks::has_marks(value);
            text.find(value).filter(|_| is_long).map(|at| (index, at, value.len()))
        });
        let Some((index, at, length)) = found else { return text.replace('$', "$$") };
        let name = self.use_of(index);
        let (before, after) = (self.inside(&text[..at]), self.inside(&text[at + length..]));
        format!("{before}{}{after}", reference(&name, &after))
    }

    /// The path of an address, part by part: there short values count as well.
    pub(crate) fn address(&mut self, path: &str) -> String {
        let parts: Vec<String> = segments(path)
            .map(|part| {
                let whole = self.given.iter().position(|given| given.value.to_plain_text() == part);
                match whole {
                    Some(index) => format!("${}", self.use_of(index)),
                    None => self.inside(part),
                }
            })
            .collect();
        format!("/{}", parts.join("/"))
    }

    /// What steps save: their index, the name, the path.
    pub(crate) fn saved(&self) -> &[(usize, String, String)] {
        &self.saved
    }

    fn use_of(&mut self, index: usize) -> String {
        let Given { step, path, name, .. } = self.given[index].clone();
        let known = self.saved.iter().find(|(own, _, at)| *own == step && *at == path);
        if let Some((_, name, _)) = known {
            return name.clone();
        }
        let mut unique = name.clone();
        let mut n = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}_{n}");
            n += 1;
        }
        self.saved.push((step, unique.clone(), path));
        unique
    }
}

/// `$name`, or `${name}` where the text behind it would be taken for a part of it.
pub(crate) fn reference(name: &str, after: &str) -> String {
    let goes_on = after.starts_with(|next: char| next.is_alphanumeric() || "_.[".contains(next));
    if goes_on { format!("${{{name}}}") } else { format!("${name}") }
}

/// A name for a variable: the field's, in small letters; `id` says too little alone, so what it is the id of comes first.
fn name_of(field: &str, at: &[String]) -> String {
    let above = at.iter().rev().nth(1).map(String::as_str).unwrap_or_default();
    let is_alone =
        matches!(above, "body" | "reply" | "headers" | "") || above.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_alone { field.to_owned() } else { format!("{above}_{field}") };
    let mut name = String::new();
    for character in text.chars() {
        if character.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        let is_part = character.is_ascii_alphanumeric();
        name.push(if is_part { character.to_ascii_lowercase() } else { '_' });
    }
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) && !is_taken(&name) {
        name
    } else {
        format!("the_{name}")
    }
}

/// Names that stand for something already.
fn is_taken(name: &str) -> bool {
    matches!(
        name,
        "secrets"
            | "test"
            | "uuid"
            | "now"
            | "today"
            | "random"
            | "pick"
            | "fake"
            | "base64"
            | "sha256"
            | "hmac"
            | "jwt"
            | "url"
            | "json"
            | "file"
            | "env"
            | "true"
            | "false"
            | "null"
            | "in"
    )
}
