//! PostgreSQL's arrays to lists: `{1,NULL,"a b"}`, or their binary form.

use super::binary;
use super::frames::{Cell, Fields};
use super::value;
use seam_value::Value;

/// The server allows no more dimensions.
const MAX_DIMENSIONS: usize = 6;

/// Reads the text form; `None` where it is none.
pub(super) fn from_text(element: u32, text: &str) -> Option<Value> {
    // Bounds that do not begin at 1 are written before it: `[0:1]={5,6}`.
    let text = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let mut reader = Reader { element, rest: text };
    let list = reader.list(MAX_DIMENSIONS)?;
    reader.rest.is_empty().then_some(list)
}

struct Reader<'a> {
    element: u32,
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, character: char) -> bool {
        self.rest.strip_prefix(character).map(|rest| self.rest = rest).is_some()
    }

    fn list(&mut self, n_dimensions: usize) -> Option<Value> {
        if n_dimensions == 0 || !self.take('{') {
            return None;
        }
        let mut list = Vec::new();
        if self.take('}') {
            return Some(Value::List(list));
        }
        loop {
            list.push(match self.rest.chars().next()? {
                '{' => self.list(n_dimensions - 1)?,
                '"' => self.quoted()?,
                _ => self.plain()?,
            });
            if self.take('}') {
                return Some(Value::List(list));
            }
            if !self.take(',') {
                return None;
            }
        }
    }

    fn plain(&mut self) -> Option<Value> {
        let end = self.rest.find([',', '}'])?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(if text == "NULL" { Value::Null } else { value::from_text(self.element, &unescape(text)) })
    }

    fn quoted(&mut self) -> Option<Value> {
        let inner = self.rest.strip_prefix('"')?;
        let mut escaped = false;
        let end = inner.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        })?;
        self.rest = &inner[end + 1..];
        Some(value::from_text(self.element, &unescape(&inner[..end])))
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

/// Reads the binary form, which names its elements' type itself.
pub(super) fn from_binary(bytes: &[u8]) -> Option<Value> {
    let mut fields = Fields::new(bytes);
    let n_dimensions = usize::try_from(fields.i32()?).ok()?;
    let (_has_null, element) = (fields.u32()?, fields.u32()?);
    if n_dimensions > MAX_DIMENSIONS {
        return None;
    }
    let mut sizes = Vec::new();
    for _ in 0..n_dimensions {
        sizes.push(usize::try_from(fields.i32()?).ok()?);
        let _lower_bound = fields.i32()?;
    }
    if sizes.is_empty() {
        return Some(Value::List(Vec::new()));
    }
    elements(&mut fields, element, &sizes)
}

fn elements(fields: &mut Fields<'_>, element: u32, sizes: &[usize]) -> Option<Value> {
    let Some((size, inner)) = sizes.split_first() else {
        return match fields.value()? {
            Cell::Null => Some(Value::Null),
            Cell::Value(bytes) => binary::read(element, bytes),
        };
    };
    let mut list = Vec::new();
    for _ in 0..*size {
        // Sizes are whatever the bytes say: what is not there ends it.
        if fields.is_empty() {
            return None;
        }
        list.push(elements(fields, element, inner)?);
    }
    Some(Value::List(list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::value::kinds;

    #[test]
    fn the_text_form() {
        for (text, expect) in [
            ("{}", Some("[]")),
            (r#"{a,"b c",NULL,"NULL","x\"y\\","{}"}"#, Some(r#"["a","b c",null,"NULL","x\"y\\","{}"]"#)),
            ("[0:1]={5,6}", Some(r#"["5","6"]"#)),
            ("{{a},{b}}", Some(r#"[["a"],["b"]]"#)),
            ("{a", None),
            ("{a}b", None),
            ("{\"a}", None),
            ("{{{{{{{a}}}}}}}", None),
        ] {
            let list = from_text(kinds::TEXT, text).map(|list| list.to_string());
            assert_eq!(list.as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn a_binary_form_that_lies() {
        let huge = [1i32, 0, 23, i32::MAX, 1].map(i32::to_be_bytes).concat();
        assert_eq!(from_binary(&huge), None);
        let hollow = [[2i32, 0, 23, i32::MAX, 1].as_slice(), &[0, 1]].concat();
        assert_eq!(from_binary(&hollow.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>()), None);
    }
}
