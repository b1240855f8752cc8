//! Reads stubs: every mistake in them at once, and none is taken where one of them is wrong.

use super::answer::{Answer, Body, CallBack, Says, below_state, with};
use super::condition::Condition;
use super::pauses;
use super::scope::OWN;
use super::stub::{Stub, Stubs, USUAL_PRIORITY};
use crate::delay::Delay;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_diag::{Diagnostic, Diagnostics, FileId, Span};
use seam_expr::{NameUse, Path, Template};
use seam_manifest::parse;
use seam_matcher::Statement;
use seam_model::{Entry, Field, Fields, Node, NodeKind, Shape};
use seam_value::{Map, Value};
use seam_wire::grpc::Descriptors;
use seam_wire::{Protocol, unroll};
use std::sync::Arc;

/// What has to be known to read stubs.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// What is spoken on the seam.
    pub protocol: &'static dyn Protocol,
    /// What describes its messages, where something does.
    pub descriptors: Option<&'a Descriptors>,
    /// May this name stand in them, because whoever puts them knows it? Their own need not be known.
    pub knows: &'a dyn Fn(&NameUse) -> bool,
    /// A file by its path as written, for `body_file`; the error says in one line why it can't be read.
    pub read_file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// Reads a file of stubs, whose text is known. None where anything in it is wrong, which is told.
pub fn read_file(file: FileId, text: &str, reading: &Reading<'_>, found: &mut Diagnostics) -> Option<Stubs> {
    let node = parse(file, text, found)?;
    if node.is_null() {
        found.push(
            Diagnostic::error("there are no stubs in this file")
                .at(node.span, "")
                .hint("write `stubs:` and a list"),
        );
        return None;
    }
    read_stubs(&node, reading, found)
}

/// Reads one stub, a list of them, or a map with `stubs`. None where anything is wrong, which is told.
pub fn read_stubs(node: &Node, reading: &Reading<'_>, found: &mut Diagnostics) -> Option<Stubs> {
    let before = found.n_errors();
    let stubs = match &node.kind {
        NodeKind::List(list) => Stubs { list: read_list(list, reading, found), state: None },
        NodeKind::Map(_) if node.get("stubs").is_some() => read_top(node, reading, found),
        NodeKind::Map(entries)
            if let Some(key) = entries
                .iter()
                .map(|entry| &entry.key)
                .find(|key| seam_diag::did_you_mean(&key.value, ["stubs"]).is_some()) =>
        {
            let title = format!("unknown key `{}` in the file of stubs", key.value);
            found.push(Diagnostic::error(title).at(key.span, "").hint("did you mean `stubs`?"));
            return None;
        }
        NodeKind::Map(_) => {
            Stubs { list: read_list(std::slice::from_ref(node), reading, found), state: None }
        }
        _ => {
            found.push(
                Diagnostic::error("a stub must be a map, or a list of them")
                    .at(node.span, format!("this is {}", node.kind_name())),
            );
            return None;
        }
    };
    (found.n_errors() == before).then_some(stubs)
}

fn read_top(node: &Node, reading: &Reading<'_>, found: &mut Diagnostics) -> Stubs {
    let mut fields = Fields::of(node, "the file of stubs", found);
    if let Some(protocol) = fields.text("protocol", found)
        && protocol.value != reading.protocol.name()
    {
        let title =
            format!("these stubs speak `{}`, the seam speaks `{}`", protocol.value, reading.protocol.name());
        found.push(Diagnostic::error(title).at(protocol.span, ""));
        // Whatever else could be told would only say the same.
        return Stubs { list: Vec::new(), state: None };
    }
    let state = fields.take("state").map(Node::to_value);
    let list = read_list(fields.list("stubs", found), reading, found);
    fields.finish(found);
    Stubs { list, state }
}

fn read_list(list: &[Node], reading: &Reading<'_>, found: &mut Diagnostics) -> Vec<Stub> {
    (1..).zip(list).filter_map(|(number, node)| read_stub(number, node, reading, found)).collect()
}

fn read_stub(number: usize, node: &Node, reading: &Reading<'_>, found: &mut Diagnostics) -> Option<Stub> {
    let mut fields = Fields::of(node, "the stub", found);
    if !fields.is_map() {
        return None;
    }
    let name = fields.text("name", found).map_or_else(|| format!("stub {number}"), |name| name.value);
    let request = fields.take("request").map_or_else(Vec::new, |node| read_request(node, reading, found));
    let when = read_when(fields.map("when", found), found);
    let asks_messages =
        request.iter().any(|condition| condition.statement.fields().any(|one| one == "message"));
    let shared = Shared {
        method: method(&request),
        is_whole: !asks_messages,
        delay: fields.take("delay").map_or(Delay::None, |node| Delay::read(node, found)),
        then: read_then(fields.map("then", found), found),
        callbacks: read_callbacks(fields.list("callbacks", found), found),
    };
    let answers = read_answers(&mut fields, &shared, reading, found);
    let repeat = fields.boolean("repeat", found).unwrap_or_default();
    let times = fields.positive("times", found);
    let priority = fields.positive("priority", found).unwrap_or(USUAL_PRIORITY);
    fields.finish(found);
    let stub = Stub { name: name.into(), span: node.span, request, when, answers, repeat, times, priority };
    for used in stub.names() {
        if !(reading.knows)(&used) {
            let title = format!("there is no `{}` here", used.name);
            found.push(Diagnostic::error(title).at(used.span, "").suggest(&used.name, OWN.iter().copied()));
        }
    }
    (!stub.answers.is_empty()).then_some(stub)
}

/// The method that is asked for, as descriptors name it.
fn method(request: &[Condition]) -> Option<String> {
    let asked = |name: &str| request.iter().find_map(|condition| condition.text_of(name));
    let method = || Some(format!("/{}/{}", asked("service")?, asked("method")?));
    asked("path").map(str::to_owned).or_else(method)
}

/// Tells an answer that can't be said in this protocol, as far as it depends on nothing.
fn check_answer(
    (says, span): (&Says, Span),
    method: Option<&str>,
    reading: &Reading<'_>,
    found: &mut Diagnostics,
) {
    let Says::Prepared(value) = says else { return };
    // What is said bit by bit, or changes over to something else, is no whole answer.
    if !matches!(unroll(value), Ok(None)) || value.get("status").and_then(Value::as_i64) == Some(101) {
        return;
    }
    let misfit = match (reading.descriptors, method) {
        (Some(descriptors), Some(path)) => reading.protocol.misfit_of(descriptors, path, value),
        _ => reading.protocol.misfit(value),
    };
    if let Some(misfit) = misfit {
        let title = format!("this can't be answered: {}", misfit.reason);
        found.push(Diagnostic::error(title).at(span, ""));
    }
}

/// What all answers of a stub have that say nothing else.
struct Shared {
    /// The method that they answer, where that is known.
    method: Option<String>,
    /// Do they answer requests, and no messages?
    is_whole: bool,
    delay: Delay,
    then: Vec<(Vec<String>, Template)>,
    callbacks: Vec<CallBack>,
}

fn read_request(node: &Node, reading: &Reading<'_>, found: &mut Diagnostics) -> Vec<Condition> {
    let known = fields_of(reading.protocol, "request");
    let conditions = match &node.kind {
        NodeKind::Map(entries) => {
            entries.iter().map(|entry| Condition::read(&entry.key, &entry.node, found)).collect()
        }
        NodeKind::Text { text, .. } if has(known, "method") && has(known, "path") => {
            return read_line(text, node, found);
        }
        _ => {
            found.push(
                Diagnostic::error("`request` must be a map of paths with what is expected there")
                    .at(node.span, format!("this is {}", node.kind_name())),
            );
            Vec::new()
        }
    };
    // Where a stub answers what is said on a connection that both sides talk on.
    let says =
        has(reading.protocol.word().fields, "messages") && has(reading.protocol.word().fields, "events");
    let is_known = |first: &str| known.is_empty() || has(known, first) || (says && first == "message");
    for condition in &conditions {
        for first in condition.statement.fields().filter(|first| !is_known(first)) {
            let title = format!("a request of {} has no `{first}`", reading.protocol.name());
            let diagnostic = Diagnostic::error(title).at(condition.path.span, "");
            found.push(match condition.path.value.strip_prefix("request.") {
                Some(rest) => diagnostic.hint(format!("write `{rest}`: all paths here are the request's")),
                None => diagnostic.suggest(first, known.iter().map(|field| field.name)),
            });
        }
    }
    conditions
}

/// `POST /charge`
fn read_line(text: &str, node: &Node, found: &mut Diagnostics) -> Vec<Condition> {
    let Some((method, path)) = text.split_once(' ').map(|(method, path)| (method, path.trim_start())) else {
        let hint = if text.starts_with('/') {
            format!("write `GET {text}`")
        } else {
            format!("write `{text} /path`")
        };
        found.push(Diagnostic::error("a method and a path are needed").at(node.span, "").hint(hint));
        return Vec::new();
    };
    let path_at = node.part(text.len() - path.len(), path.len());
    if !path.starts_with(['/', '*', '$']) || path.contains(['?', ' ']) {
        let hint = "the query stands in a map: `request: { method: GET, path: /items, query.page: \"2\" }`";
        found.push(Diagnostic::error(format!("`{path}` is no path")).at(path_at, "").hint(hint));
        return Vec::new();
    }
    if method != method.to_ascii_uppercase() && !method.contains('$') {
        let hint = format!("write `{} {path}`", method.to_ascii_uppercase());
        let error =
            Diagnostic::error(format!("no client asks with `{method}`: methods have capital letters"));
        found.push(error.at(node.part(0, method.len()), "").hint(hint));
    }
    vec![
        Condition::is_text("method", method, node.part(0, method.len()), found),
        Condition::is_text("path", path, path_at, found),
    ]
}

fn read_when(entries: &[Entry], found: &mut Diagnostics) -> Vec<Statement> {
    const KNOWN: [&str; 3] = ["state", "n", "consumer"];
    let mut list = Vec::new();
    for entry in entries {
        let statement = Statement::read(&entry.key, &entry.node, found);
        for first in statement.fields().filter(|first| !KNOWN.contains(first)) {
            found.push(
                Diagnostic::error(format!("`when` knows no `{first}`"))
                    .at(entry.key.span, "")
                    .suggest(first, KNOWN),
            );
        }
        list.push(statement);
    }
    list
}

fn read_then(entries: &[Entry], found: &mut Diagnostics) -> Vec<(Vec<String>, Template)> {
    let mut list = Vec::new();
    for entry in entries {
        match Path::parse(&entry.key.value).ok().as_ref().and_then(below_state) {
            Some(names) => list.push((names, Template::read(&entry.node, found))),
            None => found.push(
                Diagnostic::error("`then` changes `state`, or a part of it")
                    .at(entry.key.span, "")
                    .hint("write `then: { state: paid }` or `then: { state.order: paid }`"),
            ),
        }
    }
    list
}

/// Reads `reply`, `replies` or `pass`, exactly one of which must be there.
fn read_answers(
    fields: &mut Fields<'_>,
    shared: &Shared,
    reading: &Reading<'_>,
    found: &mut Diagnostics,
) -> Vec<Answer> {
    let span = fields.span();
    let reply = fields.take_entry("reply");
    let replies = fields.take_entry("replies");
    let pass = fields.boolean("pass", found).unwrap_or_default();
    let n_given = usize::from(reply.is_some()) + usize::from(replies.is_some()) + usize::from(pass);
    if n_given != 1 {
        let title = if n_given == 0 {
            "the stub says nothing: it needs `reply`, `replies` or `pass: true`"
        } else {
            "`reply`, `replies` and `pass` exclude each other"
        };
        found.push(Diagnostic::error(title).at(span, ""));
    }
    if let Some(entry) = reply {
        return read_answer(&entry.node, shared, reading, found).into_iter().collect();
    }
    if let Some(entry) = replies {
        let NodeKind::List(list) = &entry.node.kind else {
            found.push(
                Diagnostic::error("`replies` must be a list")
                    .at(entry.node.span, "")
                    .hint("a single answer is `reply`"),
            );
            return Vec::new();
        };
        if list.is_empty() {
            found.push(Diagnostic::error("there is no answer in `replies`").at(entry.node.span, ""));
        }
        return list.iter().filter_map(|node| read_answer(node, shared, reading, found)).collect();
    }
    let says = Says::Pass;
    vec![Answer {
        says,
        delay: shared.delay,
        then: shared.then.clone(),
        callbacks: shared.callbacks.clone(),
        times: 1,
        pauses: Vec::new(),
    }]
}

/// Reads one answer: what belongs to the stub is taken out, the rest are the protocol's fields.
fn read_answer(
    node: &Node,
    shared: &Shared,
    reading: &Reading<'_>,
    found: &mut Diagnostics,
) -> Option<Answer> {
    let NodeKind::Map(_) = node.kind else {
        let title = "an answer must be a map of the protocol's fields";
        found.push(Diagnostic::error(title).at(node.span, format!("this is {}", node.kind_name())));
        return None;
    };
    let mut fields = Fields::of(node, "the answer", found);
    let delay = fields.take("delay").map_or(shared.delay, |node| Delay::read(node, found));
    let then = match fields.take("then") {
        Some(_) => read_then(fields.map("then", found), found),
        None => shared.then.clone(),
    };
    let callbacks = match fields.take("callbacks") {
        Some(_) => read_callbacks(fields.list("callbacks", found), found),
        None => shared.callbacks.clone(),
    };
    let times = fields.positive("times", found).unwrap_or(1);
    let pass = fields.boolean("pass", found).unwrap_or_default();
    let mut rest: Vec<Entry> = fields.rest().into_iter().cloned().collect();
    if pass && let Some(entry) = rest.first() {
        found.push(
            Diagnostic::error("what the provider is asked can't be answered too").at(entry.key.span, ""),
        );
    }
    let before = found.n_errors();
    if !pass {
        check_reply(&rest, reading, found);
    }
    let pauses = if pass { Vec::new() } else { pauses::read(&mut rest, reading.protocol, found) };
    let says = if pass { Says::Pass } else { read_says(rest, node.span, reading, found) };
    // A field that there is not is told at its own place.
    if shared.is_whole && found.n_errors() == before {
        check_answer((&says, node.span), shared.method.as_deref(), reading, found);
    }
    Some(Answer { says, delay, then, callbacks, times, pauses })
}

fn read_says(mut rest: Vec<Entry>, span: Span, reading: &Reading<'_>, found: &mut Diagnostics) -> Says {
    // What stands in a file is taken as it is, dollars included: it never becomes part of the template.
    let mut files = Map::default();
    if !has(reading.protocol.word().fields, "body_file") {
        for entry in rest.extract_if(.., |entry| entry.key.value == "body_file") {
            files.extend(read_body_file(&entry.node, reading, found));
        }
    }
    let template = Template::read(&Node { span, kind: NodeKind::Map(rest) }, found);
    match template.as_literal() {
        Some(value) => Says::Prepared(Arc::new(with(value.clone(), &files))),
        None => Says::Template(template, files),
    }
}

/// `body_file: answer.json` as `text` or `body`.
fn read_body_file(node: &Node, reading: &Reading<'_>, found: &mut Diagnostics) -> Option<(String, Value)> {
    let Some(path) = node.as_text() else {
        found.push(Diagnostic::error("`body_file` must be a path").at(node.span, ""));
        return None;
    };
    match (reading.read_file)(path).map(String::from_utf8) {
        Err(reason) => {
            found.push(Diagnostic::error(format!("`{path}` can't be read")).at(node.span, reason));
            None
        }
        Ok(Ok(text)) => Some(("text".to_owned(), Value::Text(text))),
        Ok(Err(error)) => {
            let bytes = Value::Text(STANDARD.encode(error.into_bytes()));
            Some(("body".to_owned(), Value::map([("base64", bytes)])))
        }
    }
}

/// Tells fields that an answer in this protocol does not have.
fn check_reply(entries: &[Entry], reading: &Reading<'_>, found: &mut Diagnostics) {
    let word = reading.protocol.word();
    let mut known: Vec<&str> = word.fields.iter().map(|field| field.name).collect();
    if known.is_empty() {
        // A protocol that says nothing of answers takes what its replies have, and the common short forms.
        known.extend(fields_of(reading.protocol, "reply").iter().map(|field| field.name));
        if known.is_empty() {
            return;
        }
        known.extend(["json", "text", "error"]);
    }
    known.push("body_file");
    for entry in entries {
        let field = word.fields.iter().find(|field| field.name == entry.key.value);
        let is_template = entry.node.as_text().is_some_and(|text| text.contains('$'));
        let wanted = match field.map(|field| field.shape) {
            Some(Shape::MapOf(_)) if !matches!(entry.node.kind, NodeKind::Map(_) | NodeKind::Null) => "a map",
            Some(Shape::List(_)) if !matches!(entry.node.kind, NodeKind::List(_) | NodeKind::Null) => {
                "a list"
            }
            _ => continue,
        };
        if !is_template {
            let title = format!("`{}` must be {wanted}", entry.key.value);
            found.push(
                Diagnostic::error(title).at(entry.node.span, format!("this is {}", entry.node.kind_name())),
            );
        }
    }
    for entry in entries.iter().filter(|entry| !known.contains(&entry.key.value.as_str())) {
        let title = format!("an answer of {} has no `{}`", word.name, entry.key.value);
        found.push(
            Diagnostic::error(title).at(entry.key.span, "").suggest(&entry.key.value, known.iter().copied()),
        );
    }
}

fn read_callbacks(list: &[Node], found: &mut Diagnostics) -> Vec<CallBack> {
    list.iter().filter_map(|node| read_callback(node, found)).collect()
}

fn read_callback(node: &Node, found: &mut Diagnostics) -> Option<CallBack> {
    let mut fields = Fields::of(node, "the callback", found);
    let url = fields.require("url", found);
    if let Some(url) = url
        && let Some(text) = url.as_text()
        && !["http://", "https://", "$"].iter().any(|begin| text.starts_with(begin))
    {
        let error = Diagnostic::error(format!("`{text}` is no address")).at(url.span, "");
        found.push(error.hint("it begins with `http://` or `https://`"));
    }
    let url = url.map(|url| Template::read(url, found));
    let method = fields.take("method").map_or_else(
        || Template::literal(Value::text("POST"), node.span),
        |method| Template::read(method, found),
    );
    let headers = fields.map("headers", found);
    let headers =
        headers.iter().map(|entry| (entry.key.value.clone(), Template::read(&entry.node, found))).collect();
    let after = fields.take("after").map_or(Delay::None, |node| Delay::read(node, found));
    let bodies = [fields.take_entry("json"), fields.take_entry("form"), fields.take_entry("text")];
    let given: Vec<&Entry> = bodies.into_iter().flatten().collect();
    if let [first, second, ..] = given.as_slice() {
        let title = format!("`{}` and `{}` exclude each other", first.key.value, second.key.value);
        found.push(Diagnostic::error(title).at(second.key.span, "").also(first.key.span, ""));
    }
    let body = given.first().map_or(Body::None, |entry| {
        let template = Template::read(&entry.node, found);
        match entry.key.value.as_str() {
            "json" => Body::Json(template),
            "form" => Body::Form(template),
            _ => Body::Text(template),
        }
    });
    fields.finish(found);
    Some(CallBack { after, method, url: url?, headers, body })
}

/// The fields that a protocol documents for a part of its interactions; none where it does not say.
fn fields_of(protocol: &dyn Protocol, part: &str) -> &'static [Field] {
    match protocol.word().results.iter().find(|field| field.name == part).map(|field| field.shape) {
        Some(Shape::Fields(fields)) => fields,
        _ => &[],
    }
}

fn has(fields: &[Field], name: &str) -> bool {
    fields.iter().any(|field| field.name == name)
}
