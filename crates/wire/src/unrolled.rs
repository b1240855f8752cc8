//! An answer that is said bit by bit: events of a stream, messages of WebSocket or gRPC, each at its time.
//!
//! ```text
//! events: [{ data: 1 }, { data: 2, after: 1s }]      head ─▶ 1 ──── 1 s ────▶ 2 ─▶ end
//! ```
//! In the fields of an answer they stand as a list (`events`, `messages`, `bodies`). An element says with `after` how long
//! after what came before it it is said; without, that is what `every` says, and the first is said at once. An element that is a `fault` breaks the answer off.

use crate::splitter::Unanswerable;
use seam_value::{Map, Value};
use std::time::Duration;

/// An answer in its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Unrolled {
    /// What is said at once, as an answer of its own: its fields without the list, and `open`.
    pub first: Value,
    /// What is said then, each so long after what came before it.
    pub later: Vec<(Duration, Value)>,
    /// And how it ends.
    pub ends: Ends,
}

/// How an answer ends that was said bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// In order, right behind the last part.
    Well,
    /// Not at all: further messages may be pushed.
    Open,
    /// Its end is missing, so long after the last part.
    Truncated(Duration),
    /// The call is reset, or the connection where that carries no others, so long after the last part.
    Reset(Duration),
}

/// The lists of which one may stand in an answer.
const LISTS: [&str; 3] = ["events", "messages", "bodies"];

/// The parts of an answer; none where it is said at once.
pub fn unroll(answer: &Value) -> Result<Option<Unrolled>, Unanswerable> {
    let Some(fields) = answer.as_map() else { return Ok(None) };
    let found = LISTS.iter().find_map(|name| Some((*name, fields.get(*name)?.as_list()?)));
    let Some((name, list)) = found.filter(|(_, list)| !list.is_empty()) else { return Ok(None) };
    let every = pause("every", fields.get("every"))?;
    let (mut later, mut ends) = (Vec::new(), Ends::Well);
    for (index, element) in list.iter().enumerate() {
        let usual = every.filter(|_| index > 0).unwrap_or_default();
        let after = pause("after", own(name, element, "after"))?.unwrap_or(usual);
        let Some(fault) = own(name, element, "fault") else {
            later.push((after, message(name, element)));
            continue;
        };
        ends = match fault.as_text() {
            Some("reset") => Ends::Reset(after),
            Some("truncate") => Ends::Truncated(after),
            Some("hang") => Ends::Open,
            _ => return Err(Unanswerable::new(format!("`{name}` break off by reset, truncate or hang"))),
        };
        if index + 1 < list.len() {
            return Err(Unanswerable::new(format!("nothing comes after a fault in `{name}`")));
        }
    }
    if fields.get("open") == Some(&Value::Bool(true)) && ends == Ends::Well {
        ends = Ends::Open;
    }
    Ok(Some(Unrolled { first: first(name, fields), later, ends }))
}

/// What belongs to the element and not to what it says. A body of gRPC may have a field of any name.
fn own<'a>(list: &str, element: &'a Value, name: &str) -> Option<&'a Value> {
    element.get(name).filter(|_| list != "bodies")
}

fn message(list: &str, element: &Value) -> Value {
    match (list, element) {
        ("bodies", body) => Value::map([("body", body.clone())]),
        (_, Value::Map(map)) => {
            let mut map = map.clone();
            map.shift_remove("after");
            Value::Map(map)
        }
        ("events", data) => Value::map([("data", data.clone())]),
        (_, said) => said.clone(),
    }
}

fn first(list: &str, fields: &Map) -> Value {
    let mut first = fields.clone();
    first.shift_remove("every");
    // An empty list still says of what type the answer is.
    first.insert(list.to_owned(), Value::List(Vec::new()));
    first.insert("open".to_owned(), Value::Bool(true));
    Value::Map(first)
}

fn pause(name: &str, value: Option<&Value>) -> Result<Option<Duration>, Unanswerable> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => seam_model::duration(&value.to_plain_text())
            .map(Some)
            .map_err(|reason| Unanswerable::new(format!("`{name}`: {reason}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    fn told(answer: &str) -> String {
        match unroll(&parse(answer).unwrap()) {
            Err(error) => error.to_string(),
            Ok(None) => "at once".to_owned(),
            Ok(Some(Unrolled { first, later, ends })) => {
                let later: Vec<String> =
                    later.iter().map(|(after, message)| format!("{after:?} {message}")).collect();
                format!("{first} [{}] {ends:?}", later.join(", "))
            }
        }
    }

    #[test]
    fn answers_in_their_parts() {
        for (answer, expect) in [
            (r#"{"status":200}"#, "at once"),
            (r#"{"events":[]}"#, "at once"),
            (r#""text""#, "at once"),
            (
                r#"{"headers":{"a":"b"},"events":[{"data":1},{"event":"x","data":2,"after":"1s"},"y"]}"#,
                r#"{"headers":{"a":"b"},"events":[],"open":true} [0ns {"data":1}, 1s {"event":"x","data":2}, 0ns {"data":"y"}] Well"#,
            ),
            (
                r#"{"messages":[{"body":{"n":1}},{"body":{"n":2},"after":"1s"},{"body":{"n":3}}],"every":"5ms","open":true}"#,
                r#"{"messages":[],"open":true} [0ns {"body":{"n":1}}, 1s {"body":{"n":2}}, 5ms {"body":{"n":3}}] Open"#,
            ),
            (
                r#"{"bodies":[{"after":1}],"status":"OK"}"#,
                r#"{"bodies":[],"status":"OK","open":true} [0ns {"body":{"after":1}}] Well"#,
            ),
            (
                r#"{"events":["a",{"fault":"reset","after":"2s"}]}"#,
                r#"{"events":[],"open":true} [0ns {"data":"a"}] Reset(2s)"#,
            ),
            (r#"{"events":[{"fault":"truncate"}]}"#, r#"{"events":[],"open":true} [] Truncated(0ns)"#),
            (r#"{"events":["a",{"fault":"hang"}]}"#, r#"{"events":[],"open":true} [0ns {"data":"a"}] Open"#),
            (r#"{"events":[{"fault":"cut"}]}"#, "`events` break off by reset, truncate or hang"),
            (r#"{"events":[{"fault":"reset"},"a"]}"#, "nothing comes after a fault in `events`"),
            (r#"{"events":["a"],"every":"soon"}"#, "`every`: "),
        ] {
            let told = told(answer);
            assert!(
                told == expect || (expect.ends_with(": ") && told.starts_with(expect)),
                "{answer}: {told}"
            );
        }
    }
}
