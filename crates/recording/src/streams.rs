//! What was streamed, as the parts of an answer: the events of a reply, the messages of gRPC and of WebSocket, each with how
//! long after what came before it it came.
//!
//! In a recording they stand one by one behind what was asked, as they passed. Those of WebSocket are made into calls before
//! (`sockets.rs`).

use crate::recording::{Recorded, Recording};
use seam_value::Value;
use seam_wire::events_of;
use std::collections::HashMap;
use std::ptr;
use std::time::Duration;

/// The messages of a recording, by what they are the answer to.
#[derive(Default)]
pub(crate) struct Streamed<'a> {
    behind: HashMap<*const Recorded, Vec<&'a Recorded>>,
}

/// What a stream was asked for with: a path, or a method of gRPC.
pub(crate) fn stream_of(asked: &Value) -> Option<String> {
    let text = |name: &str| asked.get(name).and_then(Value::as_text);
    match (text("path"), text("service").zip(text("method"))) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some((service, method))) => Some(format!("/{service}/{method}")),
        (None, None) => None,
    }
}

impl<'a> Streamed<'a> {
    pub(crate) fn of(recording: &'a Recording) -> Self {
        let mut streamed = Self::default();
        let mut last: HashMap<(Option<&str>, String), &Recorded> = HashMap::new();
        for recorded in &recording.interactions {
            let asked = if recorded.message == Value::Null { &recorded.request } else { &recorded.message };
            let Some(stream) = stream_of(asked) else { continue };
            let stream = (recorded.test.as_deref(), stream);
            if recorded.message == Value::Null {
                last.insert(stream, recorded);
                continue;
            }
            let is_from = |who: &str| recorded.message.get("from").and_then(Value::as_text) == Some(who);
            if !is_from("consumer")
                && let Some(asked) = last.get(&stream)
            {
                streamed.behind.entry(ptr::from_ref(*asked)).or_default().push(recorded);
            }
        }
        streamed
    }

    /// The messages behind something that was asked, as parts of an answer.
    fn behind(&self, asked: &Recorded) -> &[&'a Recorded] {
        self.behind.get(&ptr::from_ref(asked)).map_or(&[], Vec::as_slice)
    }

    /// Did the same messages come behind both? Of a reply with a text that says so already.
    pub(crate) fn says_the_same(&self, one: &Recorded, other: &Recorded) -> bool {
        let said = |of: &Recorded| self.behind(of).iter().map(|message| &message.message).collect::<Vec<_>>();
        one.message == Value::Null || said(one) == said(other)
    }

    /// The answer's fields that say in parts what the recorded reply says as a whole. None where it has no parts.
    pub(crate) fn parts(&self, asked: &Recorded) -> Option<Parts> {
        let messages = self.behind(asked);
        let reply = &asked.reply;
        if reply.get("messages").is_some() {
            return None;
        }
        if let Some(Value::List(bodies)) = reply.get("bodies") {
            let list = bodies.iter().enumerate().map(|(index, body)| {
                let elapsed = messages.get(index).filter(|_| messages.len() == bodies.len());
                part(Value::map([("body", body.clone())]), elapsed.and_then(|message| message.elapsed))
            });
            return Some(Parts { name: "messages", list: list.collect(), stays_open: false });
        }
        let media = reply.get("headers")?.get("content-type")?.as_text()?;
        if !media.trim_start().starts_with("text/event-stream") {
            return None;
        }
        let text = reply.get("text").or_else(|| reply.get("body")).and_then(Value::as_text);
        let events = match text {
            Some(text) => events_of(text.as_bytes()),
            None => messages.iter().map(|message| message.message.clone()).collect(),
        };
        let are_the_same = events.len() == messages.len();
        let list = events.iter().enumerate().map(|(index, event)| {
            let message = messages.get(index).filter(|_| are_the_same);
            part(what_an_event_says(event), message.and_then(|message| message.elapsed))
        });
        Some(Parts { name: "events", list: list.collect(), stays_open: asked.elapsed.is_none() })
    }
}

/// The parts of an answer.
pub(crate) struct Parts {
    /// The answer's field in which they stand.
    pub(crate) name: &'static str,
    pub(crate) list: Vec<Value>,
    /// Was the end of it never seen?
    pub(crate) stays_open: bool,
}

/// Is the reply a stream that was never seen to end? Nobody can be asked for it and wait for the end.
pub(crate) fn never_ends(recorded: &Recorded) -> bool {
    let media = recorded.reply.get("headers").and_then(|headers| headers.get("content-type"));
    let is_stream =
        media.and_then(Value::as_text).is_some_and(|media| media.starts_with("text/event-stream"));
    is_stream && recorded.elapsed.is_none()
}

/// A part of an answer, so long after what came before it.
pub(crate) fn part(mut said: Value, after: Option<Duration>) -> Value {
    if let (Value::Map(map), Some(after)) = (&mut said, after.filter(|after| !after.is_zero())) {
        map.insert("after".to_owned(), Value::Text(format!("{}us", after.as_micros())));
    }
    said
}

fn what_an_event_says(event: &Value) -> Value {
    let fields = ["event", "id", "text", "retry"].into_iter().filter_map(|name| {
        let value = event.get(name).filter(|value| **value != Value::Null)?;
        (name != "event" || *value != Value::text("message")).then(|| (name, value.clone()))
    });
    Value::map(fields.collect::<Vec<_>>())
}
