//! A mail that a component sent, as a step of a test.

use crate::drive::Thoroughness;
use crate::drive_step::{Asking, Expecting, provider, threaded, title};
use crate::lists;
use crate::thread::Threads;
use seam_value::{Map, Value};

/// Headers that the step says by itself, or that its other fields say.
const SAID: &[&str] = &[
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
];

pub(crate) fn send(asking: &Asking<'_>, threads: &mut Threads) -> Option<Map> {
    let (request, reply) = (&asking.recorded.request, &asking.recorded.reply);
    let command = request.get("command");
    if command.is_some_and(|command| !matches!(command.as_text(), Some("MAIL" | "RCPT" | "DATA"))) {
        return None;
    }
    let mut step = Map::default();
    step.insert("name".to_owned(), Value::Text(title(asking)));
    step.insert("send".to_owned(), Value::text(provider(asking)));
    let headers = request.get("headers").and_then(Value::as_map);
    let header =
        |name: &str| headers.and_then(|headers| headers.get(name)).filter(|value| value.as_text().is_some());
    let is_said = |value: &&Value| {
        let is_empty = value.as_text() == Some("") || value.as_list().is_some_and(<[Value]>::is_empty);
        **value != Value::Null && !is_empty
    };
    for name in ["from", "to", "subject", "text", "html", "attachments"] {
        // A header says the name beside the address, too.
        let written = header(name).filter(|_| matches!(name, "from" | "to"));
        if let Some(value) = written.or_else(|| request.get(name)).filter(is_said) {
            step.insert(name.to_owned(), threaded(value, name, asking, threads));
        }
    }
    let further = headers
        .into_iter()
        .flatten()
        .filter(|(name, _)| !SAID.contains(&name.as_str()) && !lists::varies(name));
    let further: Map =
        further.map(|(name, value)| (name.clone(), threaded(value, name, asking, threads))).collect();
    if !further.is_empty() {
        step.insert("headers".to_owned(), Value::Map(further));
    }
    for name in ["sender", "recipients"] {
        let value = request.get(name)?;
        let is_the_same = match name {
            "sender" => request.get("from") == Some(value),
            _ => {
                request.get("to") == Some(value) && headers.is_none_or(|headers| !headers.contains_key("cc"))
            }
        };
        if !is_the_same {
            step.insert(name.to_owned(), threaded(value, name, asking, threads));
        }
    }
    let mut expecting = Expecting { asking, threads, expect: Map::default() };
    if let Some(command) = command {
        expecting.expect.insert("command".to_owned(), command.clone());
    }
    expecting.value("status", reply.get("status")?);
    if asking.thoroughness == Thoroughness::Whole
        && let Some(text) = reply.get("text")
    {
        expecting.value("text", text);
    }
    step.insert("expect".to_owned(), Value::Map(expecting.expect));
    Some(step)
}
