//! What was published to a broker, as something that can be asked again: a publication is the request, what came to where it
//! wanted its answers is the reply.
//!
//! ```text
//! recorded    SUB inbox   published: orders.get, reply_to inbox   delivered: inbox, {…}   published: orders.new
//! as asked                orders.get ─▶ {…}                                               orders.new ─▶ taken
//! ```
//! Queues and exchanges that were declared are declared again: what is published goes nowhere without them. Only what is
//! exclusive is not: it belongs to a connection that has it now, or is gone. What is delivered to subscriptions stays a
//! message, and what a consumer publishes to answer one of these does too.

use crate::recording::{Recorded, Recording};
use crate::sockets::translated;
use seam_value::{Map, Value};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Is it published to, by the protocol's name?
pub(crate) fn is_broker(protocol: &str) -> bool {
    seam_wire::protocol(protocol).is_some_and(|protocol| !protocol.published_fields().is_empty())
}

/// Is this a publication?
pub(crate) fn is_published(message: &Value) -> bool {
    let text = |name: &str| message.get(name).and_then(Value::as_text);
    text("kind") == Some("published") || text("method") == Some("basic.publish")
}

/// Where the answers to a message go.
pub(crate) fn reply_to(message: &Value) -> Option<&str> {
    let inside = || message.get("properties").and_then(|properties| properties.get("reply_to"));
    message.get("reply_to").filter(|value| **value != Value::Null).or_else(inside)?.as_text()
}

fn topic(message: &Value) -> Option<&str> {
    message.get("topic").and_then(Value::as_text)
}

/// The recording with publications in the place of messages.
pub(crate) fn as_asked(recording: &Recording) -> Cow<'_, Recording> {
    let all = &recording.interactions;
    let inboxes: HashSet<&str> =
        all.iter().map(|one| &one.message).filter(|said| is_published(said)).filter_map(reply_to).collect();
    let mut asked: Vec<Recorded> = Vec::new();
    // Where answers are waited for, and to what; where a consumer was asked to answer to; what was published last where.
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut wanted: HashSet<&str> = HashSet::new();
    let exclusive = exclusive_queues(recording);
    for one in all {
        let said = &one.message;
        let error = said.get("error").filter(|error| **error != Value::Null);
        let is_answer = topic(said).is_some_and(|topic| wanted.contains(topic));
        if is_published(said) && !is_answer {
            if let Some(inbox) = reply_to(said) {
                open.insert(inbox, asked.len());
            }
            asked.push(Recorded {
                request: Value::map([("message", said.clone())]),
                reply: Value::map([("messages", Value::List(Vec::new()))]),
                message: Value::Null,
                volatile: translated(&one.volatile),
                ..one.clone()
            });
        } else if let Some(index) = topic(said).filter(|_| !is_published(said)).and_then(|to| open.get(to)) {
            let call = &mut asked[*index];
            call.volatile.extend(translated(&one.volatile));
            if let Value::Map(reply) = &mut call.reply {
                if is_from_nobody(said) {
                    let code = said.get("status").cloned().unwrap_or_default();
                    reply.insert("error".to_owned(), Value::map([("code", code)]));
                } else if let Some(Value::List(messages)) = reply.get_mut("messages") {
                    messages.push(told(said));
                }
            }
        } else if let Some(error) = error
            && let Some(call) = asked.iter_mut().rev().find(|call| is_refused(call, said, error))
        {
            if let Value::Map(reply) = &mut call.reply {
                reply.insert("error".to_owned(), error.clone());
            }
        } else if let Some(call) = declared(one).filter(|call| !is_about(call, &exclusive)) {
            // One step declares all that comes one after the other, or asks whether all is there.
            let is_alike =
                |before: &&mut Recorded| before.test == one.test && makes(before) != is_passive(&call);
            let before = asked.last_mut().filter(is_alike).map(|call| &mut call.request);
            if let Some(Value::Map(request)) = before
                && let Some(Value::List(calls)) = request.get_mut("declare")
            {
                calls.push(call);
            } else {
                let request = Value::map([("declare", Value::List(vec![call]))]);
                asked.push(Recorded { request, reply: Value::Map(Map::default()), ..one.clone() });
            }
        } else if !belongs_to_publishing(&one.request, &inboxes) {
            wanted.extend(reply_to(said).filter(|_| !is_published(said)));
            asked.push(one.clone());
        }
    }
    let volatile = translated(&recording.volatile);
    Cow::Owned(Recording { volatile, interactions: asked, ..recording.clone() })
}

/// What a queue, an exchange or a way between them was declared by, as far as it says anything. Names that the broker
/// makes are others the next time.
fn declared(one: &Recorded) -> Option<Value> {
    let text = |name: &str| one.request.get(name).and_then(Value::as_text);
    let is_known = |name: &str| text(name).is_some_and(|name| !name.is_empty() && !name.starts_with("amq."));
    let is_made_by_us = match text("method")? {
        "queue.declare" | "queue.bind" => is_known("queue"),
        "exchange.declare" => is_known("exchange"),
        "exchange.bind" => is_known("destination"),
        _ => false,
    };
    let is_refused = one.reply.get("error").is_some_and(|error| *error != Value::Null);
    if !is_made_by_us || is_refused || one.reply == Value::Null {
        return None;
    }
    let entries = one.request.as_map().into_iter().flatten().filter(|(_, value)| is_said(value));
    Some(Value::map(entries.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()))
}

/// The queues that belong to the connection which declared them: to anybody else they are locked, and afterwards gone.
pub(crate) fn exclusive_queues(recording: &Recording) -> HashSet<&str> {
    // One that consumes alone from a queue has none of its own, and who looks or was refused has made none.
    let makes_one = |one: &&Recorded| {
        one.request.get("method").and_then(Value::as_text) == Some("queue.declare")
            && one.request.get("exclusive") == Some(&Value::Bool(true))
            && !is_passive(&one.request)
            && one.reply.get("error").is_none_or(|error| *error == Value::Null)
    };
    let all = recording.interactions.iter().filter(makes_one);
    all.filter_map(|one| one.request.get("queue")?.as_text()).filter(|name| !name.is_empty()).collect()
}

/// Is a call about one of these queues?
pub(crate) fn is_about(call: &Value, queues: &HashSet<&str>) -> bool {
    call.get("queue").and_then(Value::as_text).is_some_and(|queue| queues.contains(queue))
}

/// Does a call only ask whether something is there?
fn is_passive(call: &Value) -> bool {
    call.get("passive") == Some(&Value::Bool(true))
}

/// Is anything there after these declarations that may not have been there before?
pub(crate) fn makes(asked: &Recorded) -> bool {
    let calls = asked.request.get("declare").and_then(Value::as_list);
    calls.is_some_and(|calls| calls.iter().any(|call| !is_passive(call)))
}

/// Does a field say anything that would not be so without it?
pub(crate) fn is_said(value: &Value) -> bool {
    let is_empty = value.as_map().is_some_and(Map::is_empty) || value.as_text() == Some("");
    !is_empty && !matches!(value, Value::Null | Value::Bool(false))
}

/// What is told of an answer.
fn told(message: &Value) -> Value {
    let fields = ["status", "headers", "properties", "body", "text"];
    let field = |name: &str| {
        let value = message.get(name).filter(|value| **value != Value::Null)?;
        let is_empty = value.as_map().is_some_and(Map::is_empty) && name != "body";
        (!is_empty).then(|| (name.to_owned(), value.clone()))
    };
    Value::Map(fields.into_iter().filter_map(field).collect())
}

/// Is it the word of NATS that nobody listens there?
fn is_from_nobody(message: &Value) -> bool {
    let is_empty = message.get("body").is_none_or(|body| *body == Value::Null);
    is_empty && message.get("status").and_then(Value::as_i64) == Some(503)
}

/// Is this message of the broker's about what was published here? It is that itself, or names its topic or exchange.
fn is_refused(call: &Recorded, said: &Value, error: &Value) -> bool {
    let Some(published) = call.request.get("message") else { return false };
    if said.get("method") == Some(&Value::text("basic.return")) {
        return ["topic", "exchange", "text", "body"]
            .iter()
            .all(|name| said.get(name) == published.get(name));
    }
    let words = error.get("message").or_else(|| error.get("text")).unwrap_or(error).to_plain_text();
    let names = |name: &str, quote: char| {
        let name = published.get(name).and_then(Value::as_text).filter(|name| !name.is_empty());
        name.is_some_and(|name| words.contains(&format!("{quote}{name}{quote}")))
    };
    names("topic", '"') || names("exchange", '\'')
}

/// Is it a subscription to where answers are waited for, or the wish to be told what was taken? Whoever publishes asks for
/// these as well.
fn belongs_to_publishing(request: &Value, inboxes: &HashSet<&str>) -> bool {
    let text = |name: &str| request.get(name).and_then(Value::as_text);
    // What was produced is told record by record; who it is and where that goes is said by each producer for itself.
    let of_producers =
        ["ApiVersions", "SaslHandshake", "SaslAuthenticate", "Metadata", "Produce", "InitProducerId"];
    if text("api").is_some_and(|api| of_producers.contains(&api)) {
        return true;
    }
    match text("method") {
        Some("confirm.select" | "basic.qos") => return true,
        Some("basic.consume") => return text("queue").is_some_and(|queue| inboxes.contains(queue)),
        _ => {}
    }
    let (Some("SUB" | "SUBSCRIBE" | "UNSUBSCRIBE"), Some(pattern)) = (text("command"), text("topic")) else {
        return false;
    };
    let begin = pattern.trim_end_matches(['*', '>', '#', '+']);
    inboxes.iter().any(|inbox| *inbox == pattern || (begin.len() < pattern.len() && inbox.starts_with(begin)))
}
