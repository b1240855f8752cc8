//! `ws: gateway/live`: something said on a WebSocket, and what is answered; the connection stays the actor's.
//!
//! ```text
//! ws: gateway/live                         the handshake                       ─▶ ◀─ 101
//! ws: gateway/live, json: …, receive: 2    a message, on the same connection   ─▶ ◀─ ◀─
//! ws: gateway/live, close: true            the end of it                       ─▶ ◀─
//! ```

mod line;
mod parked;

pub(crate) use parked::Parked;

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::answered::{shown, unsaid_error};
use crate::heard::Unread;
use crate::http::{Address, Place};
use crate::input::{Input, Inputs, pieces};
use crate::kind::{Kind, Reading};
use crate::message::{CONTENTS, Content};
use crate::subject;
use futures_util::future::BoxFuture;
use line::{Broken, Line};
use seam_diag::Diagnostic;
use seam_expr::NameUse;
use seam_model::{Field, Fields, NodeKind, Shape, Step, Word};
use seam_value::{Map, Value};
use tokio::time::{Instant, timeout_at};

/// The kind.
pub(crate) struct WsStep;

static WORD: Word = Word {
    text: "Says one message on a WebSocket, and waits for as many as `receive` says. What stands right of `ws` is a \
           component, or its endpoint after a dot, and a path, as in an `http` step. The first such step of an actor opens \
           the connection, with the actor's cookies and sign-in; later ones to the same path go on with it, whatever their query, \
           until one closes it, the component does, or the test ends. A second connection to the same path has a name of \
           its own in `connection`.\n\n\
           Messages that come while nobody waits are kept for the next step, and so is a close; pings are answered \
           meanwhile. A component that does not change over to WebSocket fails the step unless it expects something at \
           `status`; a refused connection, one that has ended, a handshake that no browser would take, and messages that don't \
           come in time fail it unless it expects something at `error`.",
    subject: Shape::Text,
    fields: &[
        CONTENTS[0],
        CONTENTS[1],
        CONTENTS[2],
        Field::optional(
            "receive",
            Shape::Integer,
            "how many messages are waited for; 1 where something is said, else none",
        ),
        Field::optional(
            "query",
            Shape::MapOf(&Shape::Any),
            "what stands behind the `?`, as in an `http` step",
        ),
        Field::optional(
            "headers",
            Shape::MapOf(&Shape::Any),
            "headers by name, of the step that opens the connection, those of the handshake too; a list repeats its name",
        ),
        Field::optional("connection", Shape::Text, "the name of one of several connections to the same path"),
        Field::optional(
            "close",
            Shape::Either(&[Shape::Boolean, Shape::Integer]),
            "closes it at the end, by a code (1000 for `true`), and waits for the component to do so too",
        ),
    ],
    results: &[
        Field::optional("status", Shape::Integer, "the status of the handshake: 101"),
        Field::optional(
            "headers",
            Shape::MapOf(&Shape::Any),
            "the headers with which the component changed over",
        ),
        Field::optional(
            "messages",
            Shape::List(&Shape::Fields(&[
                Field::optional("type", Shape::OneOf(&["text", "binary", "close"]), "what it is"),
                Field::optional(
                    "body",
                    Shape::Any,
                    "what it says: JSON decoded, other text as text, or `{ base64: … }`",
                ),
                Field::optional("text", Shape::Text, "the text as it is"),
                Field::optional("code", Shape::Integer, "the code of a close"),
                Field::optional("reason", Shape::Text, "its reason"),
            ])),
            "what the component said, in order",
        ),
        Field::optional("elapsed", Shape::Text, "how long it took, like `12.3ms`"),
        Field::optional(
            "error",
            Shape::OneOf(&["timeout", "refused", "reset", "closed", "malformed"]),
            "why not all of it came; else null",
        ),
    ],
    example: "\
- ws: gateway/live
  expect: { status: 101 }
- ws: gateway/live
  json: { subscribe: orders }
  receive: 2
  expect: { messages.0.body.subscribed: orders, messages.1.body.state: new }
- ws: gateway/live
  close: true
  expect: { messages.0.code: 1000 }
",
    ..Word::new("ws", "talks over a WebSocket")
};

struct Ws {
    address: Address,
    query: Option<Input>,
    headers: Inputs,
    content: Content,
    receive: Option<usize>,
    connection: Option<Input>,
    close: Option<u16>,
}

impl Kind for WsStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `ws` step");
        let content = Content::read(&mut fields, reading);
        let receive = fields.integer("receive", reading.found);
        let query = fields.take("query").map(|node| Input::read(node, reading.found));
        let headers = Inputs::read(fields.map("headers", reading.found), reading.found);
        let connection = fields.take("connection").map(|node| Input::read(node, reading.found));
        let close = read_close(&mut fields, reading);
        fields.finish(reading.found);
        subject::text(&step.subject, "gateway/live", reading)?;
        let pieces = pieces(&step.subject, reading.found)?;
        let address = Address::read(pieces, &step.subject, reading)?;
        let receive = receive.and_then(|n| usize::try_from(n).ok());
        Some(Box::new(Ws { address, query, headers, content, receive, connection, close }))
    }
}

fn read_close(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<u16> {
    let node = fields.take("close")?;
    let code = match &node.kind {
        NodeKind::Bool(true) => Some(1000),
        NodeKind::Bool(false) => return None,
        NodeKind::Number(number) => number.as_i64().and_then(|code| u16::try_from(code).ok()),
        _ => None,
    };
    let code = code.filter(|code| (1000..5000).contains(code));
    if code.is_none() {
        let error = Diagnostic::error("`close` must be `true` or a code").at(node.span, "");
        reading.found.push(error.hint("codes are numbers from 1000 to 4999; 1000 is the usual one"));
    }
    code
}

impl Action for Ws {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.address.uses(&mut uses);
        self.content.uses(&mut uses);
        for input in self.query.iter().chain(&self.connection) {
            input.uses(&mut uses);
        }
        self.headers.uses(&mut uses);
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.address.target()]
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let came = result.get("messages").and_then(Value::as_list).map_or(0, <[Value]>::len);
        let waited = match came {
            0 => "no message came; `receive: 0` waits for none".to_owned(),
            1 => "one message came".to_owned(),
            n => format!("{n} messages came"),
        };
        let mut unsaid = unsaid_error(result, "WebSocket", waited);
        if came == 0 && result.get("error") == Some(&Value::text("malformed")) {
            let needed = "a handshake is answered with `upgrade: websocket`, `connection: upgrade` and a \
                          `sec-websocket-accept` made of the key (RFC 6455, 4.1)";
            for one in &mut unsaid {
                one.details.push(needed.to_owned());
            }
        }
        let status = result.get("status").filter(|status| **status != Value::Null);
        if let Some(status) = status.filter(|status| status.as_i64() != Some(101)) {
            unsaid.push(Unsaid {
                path: "status",
                message: format!("status {status}: the component did not change over to WebSocket"),
                expected: Some(Value::from(101_u64)),
                actual: Some(status.clone()),
                details: Vec::new(),
            });
        }
        let last = result.get("messages").and_then(Value::as_list).and_then(<[Value]>::last);
        let closed = last.filter(|last| last.get("type").and_then(Value::as_text) == Some("close"));
        // Whoever closes is answered by a close; one that comes by itself is no answer to anything.
        if let Some(closed) = closed.filter(|_| self.close.is_none()) {
            let code = closed.get("code").map_or_else(String::new, |code| format!(" {code}"));
            unsaid.push(Unsaid {
                path: "messages",
                message: format!("the component closed the connection:{code}, and nothing expects it"),
                expected: None,
                actual: Some(closed.clone()),
                details: Vec::new(),
            });
        }
        unsaid
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let began = Instant::now();
            let mut place = self.address.place(cx)?;
            if let Some(query) = &self.query {
                place.add_query(&crate::http::pairs(&query.value(cx.names)?));
            }
            let name = self.connection.as_ref().map(|input| input.text(cx.names)).transpose()?;
            let key = format!("{} {} {}", place.socket, place.path_only(), name.unwrap_or_default());
            let frame = self.content.said(cx.names)?;
            let (head, shake_key) = self.head(&place, cx)?;
            let parked = match cx.actor.lines.take(&key) {
                Some(parked) => timeout_at(cx.deadline, parked.take()).await.ok().flatten(),
                None => None,
            };
            let mut line = parked.unwrap_or_else(|| Line::new(place.socket));
            let receive = self.receive.unwrap_or(usize::from(frame.is_some()));
            let work = async {
                line.open(&head, shake_key.as_deref()).await?;
                match frame {
                    Some(frame) => line.say(&frame).await?,
                    None if receive == 0 && self.close.is_none() => line.still()?,
                    None => {}
                }
                line.wait(receive).await?;
                match self.close {
                    Some(code) => line.close(code).await,
                    None => Ok(()),
                }
            };
            let error = match timeout_at(cx.deadline, work).await {
                Ok(Ok(())) => None,
                Ok(Err(Broken::TooLong)) => {
                    return Err(Trouble::errored(Unread::TooLong.to_string()));
                }
                Ok(Err(Broken::Seen(seen))) => Some(seen.name()),
                Ok(Err(Broken::Malformed)) => Some("malformed"),
                Err(_) => Some("timeout"),
            };
            let messages =
                line.take(if error.is_none() && self.close.is_none() { receive } else { usize::MAX });
            let shake = line.shake();
            let field = |name: &str| shake.get(name).cloned().unwrap_or_default();
            let result = Value::map([
                ("status", field("status")),
                ("headers", shake.get("headers").cloned().unwrap_or_else(|| Value::Map(Map::default()))),
                ("messages", Value::List(messages)),
                ("elapsed", Value::Text(shown(began.elapsed()))),
                ("error", error.map_or(Value::Null, Value::text)),
            ]);
            if line.has_more() {
                cx.actor.lines.put(key, Parked::new(line));
            }
            Ok(result)
        })
    }
}

impl Ws {
    /// The request that opens the connection, and the key that is in it.
    fn head(&self, place: &Place, cx: &StepContext<'_>) -> Result<(Vec<u8>, Option<String>), Trouble> {
        let signed_in = cx.actor.signed_in();
        // The step may say each of them otherwise.
        let mut headers: Map = [
            ("host", place.socket.to_string()),
            ("connection", "Upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
            ("sec-websocket-version", "13".to_owned()),
            ("sec-websocket-key", line::key()),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::Text(text)))
        .collect();
        headers.extend(signed_in.headers.into_iter().map(|(name, text)| (name, Value::Text(text))));
        for (name, value) in self.headers.values(cx.names)? {
            headers.insert(name.to_ascii_lowercase(), value);
        }
        let mut cookies: Vec<(String, String)> = cx.actor.cookies_for(&place.host, place.path_only());
        cookies.extend(signed_in.cookies);
        if !cookies.is_empty() && !headers.contains_key("cookie") {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.insert("cookie".to_owned(), Value::Text(pairs.join("; ")));
        }
        let mut head = format!("GET {}{} HTTP/1.1\r\n", place.base, place.path);
        for (name, value) in headers.iter().filter(|(_, value)| **value != Value::Null) {
            let values =
                if let Value::List(list) = value { list.as_slice() } else { std::slice::from_ref(value) };
            for value in values {
                let text = value.to_plain_text();
                if text.contains(['\r', '\n']) || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                    return Err(Trouble::failed(format!("`{name}: {text}` can't be a header")));
                }
                head.extend([name.as_str(), ": ", &text, "\r\n"]);
            }
        }
        head.push_str("\r\n");
        let key = headers.get("sec-websocket-key").filter(|key| **key != Value::Null);
        Ok((head.into_bytes(), key.map(Value::to_plain_text)))
    }
}

#[cfg(test)]
mod tests;
