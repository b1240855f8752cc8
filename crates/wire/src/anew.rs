//! Messages that say something else: what all protocols have in common.

use crate::splitter::{Anew, Unanswerable};
use seam_value::{Map, Value};

/// Where a message's content stands among its fields.
const CONTENT: [&str; 3] = ["text", "body", "data"];

impl Anew<'_> {
    /// The content that a message has now, given the one that it had; for protocols in which all around it stays.
    pub(crate) fn content(self, content: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        match self {
            Anew::Fields(before, now) => {
                only(before, now, &[])?;
                Ok(payload(now))
            }
            Anew::Content(change) => {
                let mut content = content.to_vec();
                change(&mut content);
                Ok(content)
            }
        }
    }
}

/// Fields besides the content, and but these, stay as they are: whoever is told of a message was told of these before, or
/// counts by them.
pub(crate) fn only(before: &Value, now: &Value, fields: &[&str]) -> Result<(), Unanswerable> {
    let (empty, known) = (Map::default(), |name: &str| CONTENT.contains(&name) || fields.contains(&name));
    let (before, now) = (before.as_map().unwrap_or(&empty), now.as_map().unwrap_or(&empty));
    let names = before.keys().chain(now.keys());
    let other = names.filter(|name| !known(name)).find(|name| before.get(*name) != now.get(*name));
    match other {
        None => Ok(()),
        Some(name) => Err(Unanswerable::new(format!("what a message has as its `{name}` stays as it is"))),
    }
}

/// The bytes of a message's content: its text, or else its body, as JSON where that is no text.
pub(crate) fn payload(message: &Value) -> Vec<u8> {
    let said = |name: &str| message.get(name);
    let text = said("text").filter(|text| **text != Value::Null);
    match text.or_else(|| said("body")).or_else(|| said("data")) {
        None => Vec::new(),
        Some(Value::Text(text)) => text.clone().into_bytes(),
        Some(value) => crate::body::from_base64(value).unwrap_or_else(|| value.to_string().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn contents() {
        let message = parse(r#"{"topic":"t","body":{"a":1},"text":"{ \"a\": 1 }"}"#).unwrap();
        for (now, expected) in [
            (r#"{"topic":"t","body":{"a":"1"}}"#, Ok(r#"{"a":"1"}"#)),
            (r#"{"topic":"t","text":"x"}"#, Ok("x")),
            (r#"{"topic":"t","body":null}"#, Ok("null")),
            (r#"{"topic":"t"}"#, Ok("")),
            (r#"{"topic":"t","body":{"base64":"YWI="}}"#, Ok("ab")),
            (r#"{"topic":1,"text":"x"}"#, Err("what a message has as its `topic` stays as it is")),
            (r#"{"text":"x"}"#, Err("what a message has as its `topic` stays as it is")),
        ] {
            let said = Anew::Fields(&message, &parse(now).unwrap()).content(b"");
            let said = said.map(|said| String::from_utf8(said).unwrap());
            assert_eq!(said.as_deref().map_err(|wrong| &*wrong.reason), expected, "{now}");
        }
        let mut cut = |content: &mut Vec<u8>| content.truncate(1);
        assert_eq!(Anew::Content(&mut cut).content(b"xyz").unwrap(), b"x");
    }
}
