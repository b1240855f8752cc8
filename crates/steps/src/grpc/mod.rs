//! `grpc: gateway.rpc/shop.Orders/Place`: one call of a method, from the test through its own seam to a component.

mod call;

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::answered::{shown, unsaid_error};
use crate::input::{Input, Inputs};
use crate::kind::{Kind, Reading};
use crate::subject::{self, Subject};
use call::{Called, Calling};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use seam_diag::{Diagnostic, Span};
use seam_expr::NameUse;
use seam_model::{Field, Fields, Node, NodeKind, Shape, Step, Word};
use seam_value::{Map, Value};
use seam_wire::grpc::{Descriptors, request};
use std::sync::Arc;
use std::time::Duration;

/// The kind.
pub(crate) struct GrpcStep;

static WORD: Word = Word {
    text: "Calls one method, and reads all that is answered. What stands right of `grpc` is a component's endpoint that \
           speaks gRPC, the service with its package, and the method. A message is written by its fields where the \
           component has `descriptors`, else as `{ base64: … }`. A client that streams says all of `bodies`, and then that \
           there are no more; of a stream that does not end `receive` says how many messages are waited for.\n\n\
           What the actor signed in with is sent as metadata, cookies too. A status other than `OK` fails the step unless it expects \
           something at `status`; a refused or reset connection and a timeout fail it unless it expects something at `error`.",
    subject: Shape::Text,
    fields: &[
        Field::optional("body", Shape::Any, "the message; an empty one where nothing is said"),
        Field::optional(
            "bodies",
            Shape::List(&Shape::Any),
            "the messages of a client that streams, none of them or several",
        ),
        Field::optional(
            "metadata",
            Shape::MapOf(&Shape::Any),
            "what is sent along; a list repeats its name, what ends in `-bin` is `{ base64: … }`",
        ),
        Field::optional("deadline", Shape::Duration, "how long the component is told to take at most"),
        Field::optional(
            "receive",
            Shape::Integer,
            "so many messages are enough: then the call is given up, and has no status",
        ),
    ],
    results: &[
        Field::optional("status", Shape::Text, "the status by name: `OK`, `NOT_FOUND`; null where none came"),
        Field::optional("message", Shape::Text, "what the status says besides; else null"),
        Field::optional("metadata", Shape::MapOf(&Shape::Any), "what was sent before the first message"),
        Field::optional("body", Shape::Any, "the message, where it is one; else null"),
        Field::optional("bodies", Shape::List(&Shape::Any), "all messages in order"),
        Field::optional("trailers", Shape::MapOf(&Shape::Any), "what was sent after the last message"),
        Field::optional("elapsed", Shape::Text, "how long it took, like `12.3ms`"),
        Field::optional(
            "error",
            Shape::OneOf(&["timeout", "refused", "reset", "closed", "malformed"]),
            "why there was no answer, or not all of it; else null",
        ),
    ],
    example: "\
- grpc: gateway.rpc/shop.Orders/Place
  body: { sku: A1, count: 2 }
  expect: { status: OK, body.id: 7 }
- grpc: gateway.rpc/shop.Orders/Place
  body: { sku: gone }
  expect: { status: NOT_FOUND, message: no such book }
",
    ..Word::new("grpc", "calls a method of gRPC")
};

struct Grpc {
    subject: Subject,
    /// `/shop.Orders/Place`
    path: String,
    descriptors: Option<Arc<Descriptors>>,
    bodies: Bodies,
    metadata: Inputs,
    deadline: Option<Duration>,
    receive: Option<usize>,
    span: Span,
}

enum Bodies {
    Empty,
    One(Input),
    Several(Input),
}

impl Kind for GrpcStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `grpc` step");
        let (body, bodies) = (fields.take_entry("body"), fields.take_entry("bodies"));
        if let (Some(one), Some(several)) = (body, bodies) {
            reading.found.push(
                Diagnostic::error("a call says `body` or `bodies`")
                    .at(several.key.span, "")
                    .also(one.key.span, "the other one"),
            );
        }
        let (body, bodies) = (body.map(|entry| &entry.node), bodies.map(|entry| &entry.node));
        let metadata = fields.take("metadata");
        let metadata = metadata.map(|node| read_metadata(node, reading)).unwrap_or_default();
        let deadline = fields.duration("deadline", reading.found);
        let receive = fields.integer("receive", reading.found);
        fields.finish(reading.found);
        let (subject, path) = read_subject(&step.subject, reading)?;
        let descriptors = reading.system.descriptors(&subject.component);
        check_method(&path, descriptors.as_deref(), &step.subject, reading)?;
        for node in body.into_iter().chain(bodies.and_then(Node::as_list).into_iter().flatten()) {
            check_body(node, &path, descriptors.as_deref(), &subject, reading)?;
        }
        let bodies = match (body, bodies) {
            (Some(body), _) => Bodies::One(Input::read(body, reading.found)),
            (None, Some(bodies)) => Bodies::Several(Input::read(bodies, reading.found)),
            (None, None) => Bodies::Empty,
        };
        let receive = receive.and_then(|n| usize::try_from(n).ok());
        let span = step.subject.span;
        Some(Box::new(Grpc { subject, path, descriptors, bodies, metadata, deadline, receive, span }))
    }
}

/// `gateway.rpc/shop.Orders/Place`
fn read_subject(node: &Node, reading: &mut Reading<'_>) -> Option<(Subject, String)> {
    const EXAMPLE: &str = "gateway.rpc/shop.Orders/Place";
    let text = subject::text(node, EXAMPLE, reading)?;
    let (name, path) = text.split_once('/').unwrap_or((text, ""));
    let is_whole = path.split_once('/').is_some_and(|(service, method)| {
        let is_name = |text: &str| !text.is_empty() && !text.contains(|one: char| !one.is_ascii_graphic());
        is_name(service) && is_name(method) && !method.contains(['/', '?', '#'])
    });
    if !is_whole {
        reading.found.push(
            Diagnostic::error("an endpoint, a service and a method are needed here")
                .at(node.span, "")
                .hint(format!("write them like `{EXAMPLE}`")),
        );
        return None;
    }
    let subject = subject::speaking("grpc", name, node.part(0, name.len()), reading)?;
    Some((subject, format!("/{path}")))
}

fn check_method(
    path: &str,
    descriptors: Option<&Descriptors>,
    node: &Node,
    reading: &mut Reading<'_>,
) -> Option<()> {
    let Some(descriptors) = descriptors else { return Some(()) };
    let known = descriptors.methods();
    let name = &path[1..];
    if known.iter().any(|method| method == name) {
        return Some(());
    }
    let begins = node.as_text().and_then(|text| text.find(name)).unwrap_or_default();
    let error = Diagnostic::error(format!("the descriptors know no method `{name}`"));
    let error = error.at(node.part(begins, name.len()), "");
    reading.found.push(error.suggest(name, known.iter().map(String::as_str)));
    None
}

/// What is known of a message beforehand is looked at beforehand.
fn check_body(
    node: &Node,
    path: &str,
    descriptors: Option<&Descriptors>,
    subject: &Subject,
    reading: &mut Reading<'_>,
) -> Option<()> {
    let input = Input::read(node, &mut seam_diag::Diagnostics::default());
    let said = input.fixed().map(|body| request(descriptors, path, body));
    let Some(Err(reason)) = said else { return Some(()) };
    let error = Diagnostic::error(reason).at(node.span, "");
    let name = &subject.component;
    reading.found.push(match descriptors {
        Some(_) => error,
        None => error.hint(format!("give `{name}` its `descriptors: [the.proto]`")),
    });
    None
}

fn read_metadata(node: &Node, reading: &mut Reading<'_>) -> Inputs {
    let NodeKind::Map(entries) = &node.kind else {
        let label = format!("this is {}", node.kind_name());
        reading.found.push(Diagnostic::error("`metadata` must be a map").at(node.span, label));
        return Inputs::default();
    };
    for entry in entries {
        let name = &entry.key.value;
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            let error = Diagnostic::error(format!("`{name}` can't be the name of metadata"));
            reading.found.push(error.at(entry.key.span, ""));
        }
    }
    Inputs::read(entries, reading.found)
}

impl Action for Grpc {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        match &self.bodies {
            Bodies::Empty => {}
            Bodies::One(input) | Bodies::Several(input) => input.uses(&mut uses),
        }
        self.metadata.uses(&mut uses);
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.subject.target()]
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let mut unsaid = unsaid_error(result, "gRPC", format!("called {}", &self.path[1..]));
        let status = result.get("status").filter(|status| **status != Value::Null);
        if let Some(status) = status.filter(|status| **status != Value::text("OK")) {
            let message = result.get("message").and_then(Value::as_text).unwrap_or_default();
            unsaid.push(Unsaid {
                path: "status",
                message: format!("status {}, and the step does not expect it", status.to_plain_text()),
                expected: Some(Value::text("OK")),
                actual: Some(status.clone()),
                details: if message.is_empty() { Vec::new() } else { vec![format!("message: {message}")] },
            });
        }
        unsaid
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let bodies = match &self.bodies {
                Bodies::Empty => vec![Value::Map(Map::default())],
                Bodies::One(input) => vec![input.value(cx.names)?],
                Bodies::Several(input) => match input.value(cx.names)? {
                    Value::List(list) => list,
                    other => vec![other],
                },
            };
            let mut messages = Vec::new();
            for body in &bodies {
                let said = match (&self.bodies, &self.descriptors) {
                    // Nothing at all is the empty message of every sort.
                    (Bodies::Empty, None) => Ok(vec![0; 5]),
                    _ => request(self.descriptors.as_deref(), &self.path, body),
                };
                messages.extend(said.map_err(|reason| Trouble::failed(reason).at(self.span))?);
            }
            let address = cx.bench.address(&self.subject.component, &self.subject.endpoint)?;
            let metadata = self.metadata(cx)?;
            let calling = Calling {
                socket: address.socket,
                path: &self.path,
                messages: messages.into(),
                metadata,
                deadline: self.deadline,
                receive: self.receive,
                descriptors: self.descriptors.as_ref(),
            };
            let Called { reply, error, elapsed } = calling.call(cx.deadline).await?;
            Ok(result(&reply, error, elapsed))
        })
    }
}

impl Grpc {
    /// What the actor signed in with, and what the step says.
    fn metadata(&self, cx: &StepContext<'_>) -> Result<HeaderMap, Trouble> {
        let mut metadata = HeaderMap::new();
        let mut put = |name: &str, value: &Value, span: Span| {
            call::put(&mut metadata, name, value).map_err(|reason| Trouble::failed(reason).at(span))
        };
        let signed_in = cx.actor.signed_in();
        for (name, text) in signed_in.headers {
            put(&name, &Value::Text(text), self.span)?;
        }
        if !signed_in.cookies.is_empty() {
            let pairs: Vec<String> =
                signed_in.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            put("cookie", &Value::Text(pairs.join("; ")), self.span)?;
        }
        for (name, input) in self.metadata.iter() {
            put(name, &input.value(cx.names)?, input.span())?;
        }
        Ok(metadata)
    }
}

/// All fields, also those of which nothing came.
fn result(reply: &Value, error: Option<&'static str>, elapsed: Duration) -> Value {
    let field = |name: &str| reply.get(name).cloned().unwrap_or_default();
    let map = |name: &str| reply.get(name).cloned().unwrap_or_else(|| Value::Map(Map::default()));
    let body = field("body");
    let bodies = match (&body, reply.get("bodies")) {
        (_, Some(bodies)) => bodies.clone(),
        (Value::Null, None) => Value::List(Vec::new()),
        (body, None) => Value::List(vec![body.clone()]),
    };
    Value::map([
        ("status", field("status")),
        ("message", field("message")),
        ("metadata", map("metadata")),
        ("body", body),
        ("bodies", bodies),
        ("trailers", map("trailers")),
        ("elapsed", Value::Text(shown(elapsed))),
        ("error", error.map_or(Value::Null, Value::text)),
    ])
}

#[cfg(test)]
mod tests;
