//! JSONPath (RFC 9535), by serde_json_path.
//!
//! That crate works on its own values, in which numbers are floats. So it is only asked *where* things are; the values
//! are taken from ours, with every digit. Comparisons inside filters (`[?@.n > 2]`) do see floats.

use super::Mistake;
use crate::find::{Found, Missing};
use crate::lossy::to_lossy_json;
use crate::path::Path;
use seam_value::Value;
use serde_json_path::{JsonPath, PathElement};

#[derive(Clone, Debug)]
pub(super) struct Question {
    path: JsonPath,
    /// The names that lead to the one thing that it can find by its form; that is then the answer, else a list of all.
    names: Option<Vec<String>>,
}

impl Question {
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        match JsonPath::parse(text) {
            Ok(path) => Ok(Self { path, names: singular(text) }),
            Err(error) => Err(Mistake {
                offset: error.position().saturating_sub(1),
                message: error.message().to_owned(),
            }),
        }
    }

    pub(super) fn find(&self, value: &Value) -> Option<Value> {
        let theirs = to_lossy_json(value);
        let located = self.path.query_located(&theirs);
        let ours = located.locations().filter_map(|location| {
            location.iter().try_fold(value, |value, element| match element {
                PathElement::Name(name) => value.get(name),
                PathElement::Index(index) => value.as_list()?.get(*index),
            })
        });
        let mut found: Vec<Value> = ours.cloned().collect();
        if self.is_many() { Some(Value::List(found)) } else { found.pop() }
    }

    /// Can it find several things?
    pub(super) fn is_many(&self) -> bool {
        self.names.is_none()
    }

    /// Where it stops, if it can find one thing only.
    pub(super) fn missing(&self, value: &Value) -> Option<Missing> {
        match Path::of_names(self.names.as_ref()?).find(value) {
            Found::Missing(missing) => Some(missing),
            Found::One(_) | Found::Many(_) => None,
        }
    }
}

/// The names of a path that leads to one place (RFC 9535, 2.3.5.1), with names and single indexes only.
fn singular(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim().trim_start_matches('$');
    while !rest.is_empty() {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('.') {
            let length = after.find(['.', '[']).unwrap_or(after.len());
            if length == 0 || after.starts_with('*') {
                return None;
            }
            names.push(after[..length].trim_end().to_owned());
            rest = &after[length..];
        } else {
            let after = rest.strip_prefix('[')?.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let length = match quote {
                Some(quote) => closing_quote(after, quote)?,
                None => after.find(']').filter(|length| after[..*length].trim().parse::<i64>().is_ok())?,
            };
            names.push(after[..length].trim_end().trim_matches(['\'', '"']).to_owned());
            rest = after[length..].trim_start().strip_prefix(']')?;
        }
    }
    Some(names)
}

/// The byte behind the closing quote.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    while let Some((offset, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return Some(offset + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_by_form() {
        for (text, expect) in [
            ("$", true),
            ("$.a.b", true),
            ("$['a.b'][0]", true),
            ("$[ 'a\\'b' ]", true),
            ("$.a[*]", false),
            ("$.*", false),
            ("$..a", false),
            ("$[0,1]", false),
            ("$[0:2]", false),
            ("$['a','b']", false),
            ("$[?@.a]", false),
        ] {
            assert_eq!(singular(text).is_some(), expect, "{text}");
        }
    }
}
