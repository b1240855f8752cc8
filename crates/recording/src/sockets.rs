//! WebSocket in the provider's place: what a consumer says becomes a request, and what the provider said then, until
//! the consumer spoke again, becomes its answer.
//!
//! ```text
//! recorded       GET /live 101   provider: hello   consumer: subscribe   provider: subscribed   provider: price 1
//! as calls       GET /live ─▶ 101, hello           subscribe ─▶ subscribed, price 1
//! ```
//! Each is said so long after what came before it as it was then. A call of gRPC that
//! is a stream itself is answered at its first message, so that is what it asks.

use crate::normal::is_http;
use crate::recording::{Recorded, Recording};
use crate::streams::part;
use crate::volatile::Volatile;
use seam_expr::Segment;
use seam_value::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Whose conversation it is: the test, the connection and the path.
type Whose = (Option<String>, Option<u64>, String);

/// In whose form a message of the provider is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As a stub says it, each in its time.
    Answer,
    /// As the `ws` step tells it.
    Result,
}

/// The recording with calls in the place of messages of WebSocket, and of streams.
pub(crate) fn as_calls(recording: &Recording) -> Cow<'_, Recording> {
    match recording.protocol.as_str() {
        "grpc" => Cow::Owned(with_first_messages(recording)),
        _ => with_turns(recording, Form::Answer),
    }
}

/// The recording with turns of talk in the place of messages of WebSocket: what the consumer said is asked, what the
/// provider said then is its reply.
pub(crate) fn as_talk(recording: &Recording) -> Cow<'_, Recording> {
    with_turns(recording, Form::Result)
}

fn with_turns(recording: &Recording, form: Form) -> Cow<'_, Recording> {
    if !is_http(&recording.protocol) || !recording.interactions.iter().any(is_of_socket) {
        return Cow::Borrowed(recording);
    }
    let mut calls: Vec<Recorded> = Vec::new();
    let mut open: HashMap<Whose, usize> = HashMap::new();
    for one in &recording.interactions {
        let said = &one.message;
        let asked_for = if *said == Value::Null { &one.request } else { said };
        let path = asked_for.get("path").map(Value::to_plain_text).unwrap_or_default();
        let whose = (one.test.clone(), one.connection, path);
        match said.get("from").and_then(Value::as_text) {
            None if is_change_over(one) => {
                open.insert(whose, calls.len());
                calls.push(Recorded { reply: with_messages(&one.reply), ..one.clone() });
            }
            None => calls.push(one.clone()),
            Some("consumer") => {
                open.insert(whose, calls.len());
                calls.push(Recorded {
                    request: Value::map([("message", asked(said, form))]),
                    reply: with_messages(&Value::Map(Map::default())),
                    message: Value::Null,
                    volatile: translated(&one.volatile),
                    ..one.clone()
                });
            }
            Some(_) => {
                let Some(call) = open.get(&whose).and_then(|index| calls.get_mut(*index)) else { continue };
                if let Value::Map(reply) = &mut call.reply
                    && let Some(Value::List(messages)) = reply.get_mut("messages")
                {
                    messages.push(match form {
                        Form::Answer => part(what_was_said(said), one.elapsed),
                        Form::Result => told(said),
                    });
                    call.volatile.extend(translated(&one.volatile));
                }
            }
        }
    }
    let volatile = translated(&recording.volatile);
    Cow::Owned(Recording { volatile, interactions: calls, ..recording.clone() })
}

/// Where the first message of a call stands that streams several.
pub(crate) const FIRST: &str = "first_message";

/// Calls of gRPC with the first message of those that they stream.
fn with_first_messages(recording: &Recording) -> Recording {
    let mut recording = recording.clone();
    for one in &mut recording.interactions {
        if let Value::Map(request) = &mut one.request
            && let Some(Value::List(bodies)) = request.shift_remove("bodies")
            && let Some(first) = bodies.into_iter().next()
        {
            request.shift_remove("body");
            request.insert(FIRST.to_owned(), first);
        }
        one.volatile = of_first_messages(&one.volatile);
    }
    recording.volatile = of_first_messages(&recording.volatile);
    recording
}

/// What varies in the messages of a stream varies in the first.
fn of_first_messages(list: &[Volatile]) -> Vec<Volatile> {
    let translate = |one: &Volatile| match names(one).as_slice() {
        [request, bodies, _, rest @ ..] if request == "request" && bodies == "bodies" => {
            let above = ["request".to_owned(), FIRST.to_owned()];
            Volatile::of(
                &above.into_iter().chain(rest.iter().cloned()).collect::<Vec<_>>(),
                one.may_be_absent,
            )
        }
        _ => one.clone(),
    };
    list.iter().map(translate).collect()
}

fn names(volatile: &Volatile) -> Vec<String> {
    let name = |segment: &Segment| match segment {
        Segment::Every => "*".to_owned(),
        Segment::Name(name) => name.clone(),
    };
    volatile.path.segments().iter().map(name).collect()
}

fn is_of_socket(one: &Recorded) -> bool {
    one.message.get("from").is_some() || is_change_over(one)
}

/// Does the connection speak WebSocket from here on?
pub(crate) fn is_change_over(one: &Recorded) -> bool {
    one.reply.get("status").and_then(Value::as_i64) == Some(101)
}

/// A reply that says messages; none as yet.
fn with_messages(reply: &Value) -> Value {
    let mut map = reply.as_map().cloned().unwrap_or_default();
    map.insert("messages".to_owned(), Value::List(Vec::new()));
    Value::Map(map)
}

/// What the consumer said, as far as it can be asked for: a stub answers whichever code it closes with, a step says it.
fn asked(said: &Value, form: Form) -> Value {
    let is_close = said.get("type") == Some(&Value::text("close"));
    let parts: &[&str] = match form {
        _ if !is_close => &["path", "type", "body", "text"],
        Form::Answer => &["path", "type"],
        Form::Result => &["path", "type", "code"],
    };
    let part = |name: &&str| Some(((*name).to_owned(), said.get(name)?.clone()));
    let mut map: Map = parts.iter().filter_map(part).collect();
    if map.contains_key("body") {
        map.shift_remove("text");
    }
    Value::Map(map)
}

/// What the provider said, as an answer says it.
fn what_was_said(message: &Value) -> Value {
    let field = |name: &str| message.get(name).filter(|value| **value != Value::Null).cloned();
    if let Some(code) = field("code") {
        return Value::map([("code", code), ("reason", field("reason").unwrap_or_else(|| Value::text("")))]);
    }
    match (field("text"), field("body")) {
        (Some(text), _) => Value::map([("text", text)]),
        (None, Some(body)) if body.get("base64").is_some() => Value::map([("body", body)]),
        (None, Some(Value::Text(text))) => Value::map([("text", Value::Text(text))]),
        (None, Some(body)) => Value::map([("json", body)]),
        (None, None) => Value::map([("text", Value::text(""))]),
    }
}

/// The same, as a step tells it.
fn told(message: &Value) -> Value {
    let field =
        |name: &'static str| Some((name, message.get(name).filter(|value| **value != Value::Null)?.clone()));
    let body = field("body").or_else(|| field("text").map(|(_, text)| ("body", text)));
    Value::map(field("code").into_iter().chain(body))
}

/// What varies in messages, at the places where calls have it.
pub(crate) fn translated(list: &[Volatile]) -> Vec<Volatile> {
    let mut all = Vec::new();
    for one in list {
        if one.path.first() != "message" {
            all.push(one.clone());
            continue;
        }
        let rest = names(one).split_off(1);
        let below = |above: &[&str]| {
            let above = above.iter().map(|name| (*name).to_owned());
            Volatile::of(&above.chain(rest.iter().cloned()).collect::<Vec<_>>(), one.may_be_absent)
        };
        all.extend([below(&["request", "message"]), below(&["reply", "messages", "*"])]);
        // An answer says a body as JSON, or as text.
        if let [body, inside @ ..] = rest.as_slice()
            && body == "body"
        {
            for name in ["json", "text"] {
                let above = ["reply", "messages", "*", name].map(str::to_owned);
                let whole: Vec<String> = above.into_iter().chain(inside.iter().cloned()).collect();
                all.push(Volatile::of(&whole, one.may_be_absent));
            }
        }
    }
    all
}
