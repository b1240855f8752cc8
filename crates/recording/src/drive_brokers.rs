//! What was published to a broker, as a step of a test.

use crate::brokers::{is_said, makes, reply_to};
use crate::drive::Thoroughness;
use crate::drive_step::{Asking, Expecting, provider, threaded, title};
use crate::thread::Threads;
use seam_value::{Map, Value};

pub(crate) fn publish(asking: &Asking<'_>, threads: &mut Threads) -> Option<Map> {
    if let Some(calls) = asking.recorded.request.get("declare") {
        return Some(declare(asking, calls, threads));
    }
    let message = asking.recorded.request.get("message")?;
    // A batch that is packed is several.
    if message.get("compression").is_some_and(|by| *by != Value::Null) {
        return None;
    }
    let reply = &asking.recorded.reply;
    let mut step = Map::default();
    let mut put = |name: &str, value: Value| drop(step.insert(name.to_owned(), value));
    put("name", Value::Text(title(asking)));
    put("publish", Value::text(provider(asking)));
    put("topic", threaded(message.get("topic")?, "topic", asking, threads));
    let known = seam_wire::protocol(&asking.recording.protocol)?.published_fields();
    for name in known {
        let mut value = message.get(name).filter(|_| *name != "reply_to").cloned().unwrap_or_default();
        if let Value::Map(properties) = &mut value {
            // That is said by `receive`, or by `reply_to`.
            properties.shift_remove("response_topic");
            properties.shift_remove("reply_to");
        }
        if *name == "version" {
            value = spoken(&value);
        }
        if is_said(&value) {
            put(name, threaded(&value, name, asking, threads));
        }
    }
    if let Some((kind, said)) = content(message) {
        put(kind, threaded(&said, "", asking, threads));
    }
    let answers = reply.get("messages").and_then(Value::as_list).unwrap_or_default();
    let at = ["request", "message", "reply_to"].map(str::to_owned);
    let is_waited_for = reply.get("error").is_some() && reply_to(message).is_some();
    if !answers.is_empty() || is_waited_for {
        put("receive", Value::from(answers.len().max(1)));
    }
    if let Some(inbox) = reply_to(message).filter(|inbox| !is_made_up(inbox) && known.contains(&"reply_to"))
        && asking.mask.at(&at).is_none()
    {
        put("reply_to", threaded(&Value::text(inbox), "reply_to", asking, threads));
    }
    let mut expecting = Expecting { asking, threads, expect: Map::default() };
    match reply.get("error") {
        None => drop(expecting.expect.insert("error".to_owned(), Value::Null)),
        Some(error) => match error.get("code") {
            Some(code) => expecting.value("error.code", code),
            None => expecting.value("error.message", error),
        },
    }
    for (index, answer) in answers.iter().enumerate() {
        let parts = match asking.thoroughness {
            Thoroughness::Whole => &["headers", "body", "text"][..],
            Thoroughness::Gist => &["body", "text"],
        };
        let said = parts.iter().filter_map(|name| Some((*name, answer.get(name)?)));
        // A text stands beside a body that says the same.
        for (name, value) in said.filter(|(name, _)| *name != "text" || answer.get("body").is_none()) {
            expecting.value(&format!("messages.{index}.{name}"), value);
        }
    }
    put("expect", Value::Map(expecting.expect));
    Some(step)
}

/// What has to be there before anything is published.
fn declare(asking: &Asking<'_>, calls: &Value, threads: &mut Threads) -> Map {
    let name = |call: &Value| {
        let name = ["queue", "destination", "exchange"].iter().find_map(|name| call.get(name));
        name.map(Value::to_plain_text)
    };
    let mut names: Vec<String> = calls.as_list().unwrap_or_default().iter().filter_map(name).collect();
    names.dedup();
    let verb = if makes(asking.recorded) { "declare" } else { "look for" };
    let title = format!("{verb} {}", names.join(", ")).replace('$', "$$");
    let expect = Value::map([("error", Value::Null)]);
    let entries = [
        ("name", Value::Text(title)),
        ("publish", Value::text(provider(asking))),
        ("declare", threaded(calls, "declare", asking, threads)),
        ("expect", expect),
    ];
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The version of MQTT, where it is not the one that is spoken anyway.
fn spoken(version: &Value) -> Value {
    match version.as_text() {
        Some(version) => Value::text(version),
        None => Value::Null,
    }
}

/// Is it a name that clients make for one answer?
fn is_made_up(inbox: &str) -> bool {
    ["_INBOX.", "seam/answers/", "amq."].iter().any(|begin| inbox.starts_with(begin))
}

/// The payload, and under which name a step takes it.
fn content(message: &Value) -> Option<(&'static str, Value)> {
    let field = |name: &str| message.get(name).filter(|value| **value != Value::Null);
    Some(match (field("text"), field("body")) {
        (Some(text), _) => ("text", text.clone()),
        (None, Some(Value::Text(text))) => ("text", Value::text(text)),
        (None, Some(body)) => match body.get("base64") {
            Some(bytes) if body.as_map().is_some_and(|map| map.len() == 1) => ("base64", bytes.clone()),
            _ => ("json", body.clone()),
        },
        (None, None) => return None,
    })
}
