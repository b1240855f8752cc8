//! One recorded interaction as a step of a test: the request as its inputs, the reply as what is expected.

use crate::brokers::{is_broker, is_published};
use crate::drive::{NotAsked, Thoroughness};
use crate::drive_brokers::publish;
use crate::drive_mail::send;
use crate::drive_streams::{grpc, is_talk, ws};
use crate::lists;
use crate::marked;
use crate::marks;
use crate::normal::is_http;
use crate::recording::{Recorded, Recording};
use crate::sockets::is_change_over;
use crate::streams::never_ends;
use crate::thread::Threads;
use crate::volatile::{Mask, segments};
use seam_expr::below;
use seam_value::{Kind, Map, Value};

/// One interaction that is to be asked again.
pub(crate) struct Asking<'a> {
    pub(crate) recording: &'a Recording,
    pub(crate) recorded: &'a Recorded,
    /// Is it about a queue that belongs to one connection?
    pub(crate) is_exclusive: bool,
    pub(crate) mask: &'a Mask<'a>,
    pub(crate) thoroughness: Thoroughness,
    pub(crate) knows_secret: &'a dyn Fn(&str) -> bool,
    /// The step's index in its test.
    pub(crate) number: usize,
}

/// Redis commands that wait, speak of the connection or the server's part in a cluster, or open or end a subscription: what
/// they say alone, on a connection of their own, is not what they said among the others.
const NOT_ASKED: &[&str] = &[
    "ASKING",
    "AUTH",
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "CLIENT",
    "COMMAND",
    "DEBUG",
    "DISCARD",
    "EXEC",
    "FAILOVER",
    "HELLO",
    "INFO",
    "MONITOR",
    "MULTI",
    "PING",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SHUTDOWN",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WAIT",
    "WAITAOF",
    "WATCH",
    "XREAD",
    "XREADGROUP",
];

/// How statements begin that stand for themselves.
const STATEMENTS: &[&str] = &["select", "insert", "update", "delete", "with", "values", "replace"];

/// The step, or why there is none.
pub(crate) fn step(asking: &Asking<'_>, threads: &mut Threads, vars: &mut Map) -> Result<Map, NotAsked> {
    let Recorded { request, reply, error, message, .. } = asking.recorded;
    let protocol = asking.recording.protocol.as_str();
    if *message != Value::Null {
        return Err(if is_published(message) { NotAsked::Answer } else { NotAsked::Message });
    }
    if let Some("SUB" | "SUBSCRIBE" | "UNSUBSCRIBE") = request.get("command").and_then(Value::as_text)
        && is_broker(protocol)
    {
        return Err(NotAsked::Subscription);
    }
    if asking.is_exclusive {
        return Err(NotAsked::Exclusive);
    }
    // A stream that was given up has no status.
    let is_given_up = protocol == "grpc" && reply.get("status").is_none_or(|status| *status == Value::Null);
    if *request == Value::Null
        || *reply == Value::Null
        || error.is_some()
        || is_given_up
        || never_ends(asking.recorded)
    {
        return Err(NotAsked::Unanswered);
    }
    if is_http(protocol) {
        let wish = header(request, "upgrade").map(str::to_ascii_lowercase);
        let is_known = wish.as_deref().is_none_or(|wish| matches!(wish, "h2c" | "websocket"));
        if !is_known || (is_change_over(asking.recorded) && wish.as_deref() != Some("websocket")) {
            return Err(NotAsked::Upgrade);
        }
    }
    let (mut tried, mut values) = (threads.clone(), Map::default());
    let step = match protocol {
        _ if is_http(protocol) && is_talk(asking.recorded) => ws(asking, &mut tried),
        _ if is_http(protocol) => http(asking, &mut tried),
        "redis" => redis(asking, &mut tried),
        "grpc" => grpc(asking, &mut tried),
        _ if is_broker(protocol) => publish(asking, &mut tried),
        "smtp" | "smtps" => send(asking, &mut tried),
        "postgres" | "mysql" => sql(asking, &mut tried, &mut values),
        _ => None,
    };
    let step = step.ok_or_else(|| NotAsked::NoStep(protocol.to_owned()))?;
    if let Some(name) = unknown_secret(&step).or_else(|| values.values().find_map(first_mark)) {
        return Err(NotAsked::Masked(name));
    }
    vars.extend(values);
    *threads = tried;
    Ok(step)
}

/// A mark that is left in what is said, and so would be said as it is.
fn unknown_secret(step: &Map) -> Option<String> {
    let said = step.iter().filter(|(name, _)| !matches!(name.as_str(), "expect" | "name" | "save"));
    said.into_iter().find_map(|(_, value)| first_mark(value))
}

fn first_mark(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => marks::names_in(text).into_iter().next(),
        Value::List(list) => list.iter().find_map(first_mark),
        Value::Map(map) => map.values().find_map(first_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

pub(crate) fn provider(asking: &Asking<'_>) -> String {
    let seam = &asking.recording.seam;
    match seam.endpoint.as_str() {
        "" => seam.provider.to_string(),
        endpoint => format!("{}.{endpoint}", seam.provider),
    }
}

fn http(asking: &Asking<'_>, threads: &mut Threads) -> Option<Map> {
    let request = &asking.recorded.request;
    let (method, path) = (request.get("method")?.as_text()?, request.get("path")?.as_text()?);
    let mut step = Map::default();
    let mut put = |name: &str, value: Value| drop(step.insert(name.to_owned(), value));
    put("name", Value::Text(title(asking)));
    let is_usual =
        path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_.~-%:@+,;=!*'()".contains(&byte));
    if is_usual && path.starts_with('/') {
        put("http", Value::Text(format!("{method} {}{}", provider(asking), threads.address(path))));
    } else {
        put("http", Value::Text(format!("{method} {}", provider(asking))));
        put("path", Value::Text(threads.inside(path)));
    }
    let is_http_2 = request.get("version") == Some(&Value::text("2"));
    if is_http_2 {
        put("version", Value::from(2_u64));
    }
    if let Some(query) = request.get("query") {
        put("query", threaded(query, "", asking, threads));
    }
    let media = header(request, "content-type").unwrap_or_default().to_owned();
    let body = body(request, &media)?;
    let mut headers = Map::default();
    for (name, value) in request.get("headers").and_then(Value::as_map).into_iter().flatten() {
        let is_noise = lists::is_left_out(name);
        let is_said = match name.as_str() {
            "content-type" => body.as_ref().is_some_and(|(kind, _)| says_type(kind, &media)),
            "accept" => *value == Value::text("*/*"),
            // The actor keeps its cookies by itself; HTTP/2 is spoken from the beginning.
            "cookie" | "upgrade" | "http2-settings" => true,
            _ => false,
        };
        if is_noise || is_said {
            continue;
        }
        let value = threaded(value, name, asking, threads);
        match (name.as_str(), value.as_text().and_then(|text| text.strip_prefix("Bearer "))) {
            ("authorization", Some(token)) => put("bearer", Value::text(token)),
            _ => drop(headers.insert(name.clone(), value)),
        }
    }
    if !headers.is_empty() {
        put("headers", Value::Map(headers));
    }
    if let Some((kind, body)) = body {
        put(kind, threaded(&body, "", asking, threads));
    }
    let reply = &asking.recorded.reply;
    let mut expect = Map::default();
    if let Some(status) = reply.get("status") {
        expect.insert("status".to_owned(), status.clone());
    }
    let mut expecting = Expecting { asking, threads, expect };
    expecting.headers(reply);
    match (reply.get("body"), reply.get("text")) {
        (Some(body), _) => expecting.value("body", body),
        (None, Some(text)) => expecting.value("text", text),
        (None, None) => {}
    }
    if let Some(trailers) = reply.get("trailers") {
        expecting.value("trailers", trailers);
    }
    put("expect", Value::Map(expecting.expect));
    Some(step)
}

/// What is asked, without what varies in it.
pub(crate) fn title(asking: &Asking<'_>) -> String {
    let title = asking.recorded.title();
    let path = asking.recorded.request.get("path").and_then(Value::as_text).unwrap_or_default();
    let parts = segments(path).enumerate().map(|(index, part)| {
        let at = ["request".to_owned(), "path".to_owned(), index.to_string()];
        if asking.mask.at(&at).is_some() { "…" } else { part }
    });
    let shown = format!("/{}", parts.collect::<Vec<_>>().join("/"));
    let title = if path.len() > 1 { title.replacen(path, &shown, 1) } else { title };
    title.replace('$', "$$")
}

/// The body and under which name the step takes it. The outer none: it can't be sent by a step.
#[expect(clippy::option_option, reason = "no body is something else than one that can't be sent")]
fn body(request: &Value, media: &str) -> Option<Option<(&'static str, Value)>> {
    let Some(body) = request.get("body") else {
        return Some(request.get("text").map(|text| ("text", text.clone())));
    };
    if *body == Value::Null && request.get("text").is_none() {
        return None;
    }
    let text = || request.get("text").unwrap_or(body).clone();
    let is_packed = body.as_map().is_some_and(|map| map.len() == 1 && map.contains_key("base64"));
    if is_packed || media.starts_with("multipart/") {
        return None;
    }
    Some(Some(if media.contains("json") {
        ("json", body.clone())
    } else if media.starts_with("application/x-www-form-urlencoded") && body.as_map().is_some() {
        ("form", body.clone())
    } else if media.is_empty() && body.as_text().is_none() {
        ("json", body.clone())
    } else if let Value::Text(_) = text() {
        ("text", text())
    } else {
        ("text", Value::Text(body.to_string()))
    }))
}

/// Does the step say this type by itself?
fn says_type(kind: &str, media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    matches!(
        (kind, essence),
        ("json", "application/json") | ("form", "application/x-www-form-urlencoded") | ("text", "text/plain")
    )
}

fn header<'a>(part: &'a Value, name: &str) -> Option<&'a str> {
    part.get("headers")?.get(name)?.as_text()
}

fn redis(asking: &Asking<'_>, threads: &mut Threads) -> Option<Map> {
    let request = &asking.recorded.request;
    let command = request.get("command")?.as_text()?;
    if NOT_ASKED.contains(&command) {
        return None;
    }
    let args = request.get("args").and_then(Value::as_list).unwrap_or_default();
    if args.iter().any(|arg| arg.as_text().is_none()) {
        return None;
    }
    let mut words = vec![Value::text(command)];
    words.extend(args.iter().map(|arg| threaded(arg, "", asking, threads)));
    let mut step = Map::default();
    step.insert("name".to_owned(), Value::Text(title(asking)));
    step.insert("redis".to_owned(), Value::text(provider(asking)));
    step.insert("command".to_owned(), Value::List(words));
    let mut expecting = Expecting { asking, threads, expect: Map::default() };
    for name in ["value", "error"] {
        if let Some(value) = asking.recorded.reply.get(name) {
            expecting.value(name, value);
        }
    }
    step.insert("expect".to_owned(), Value::Map(expecting.expect));
    Some(step)
}

fn sql(asking: &Asking<'_>, threads: &mut Threads, vars: &mut Map) -> Option<Map> {
    let request = &asking.recorded.request;
    let statement = request.get("statement")?.as_text()?.trim();
    let first = statement.split(|end: char| !end.is_ascii_alphabetic()).next()?.to_ascii_lowercase();
    if !STATEMENTS.contains(&first.as_str()) || statement.trim_end_matches(';').contains(';') {
        return None;
    }
    let parameters = request.get("parameters").and_then(Value::as_list).unwrap_or_default();
    let mut references: Vec<String> = Vec::new();
    for (index, value) in parameters.iter().enumerate() {
        references.push(threads.in_field("", value).unwrap_or_else(|| {
            let name = format!("p{}_{}", asking.number + 1, index + 1);
            vars.insert(name.clone(), escaped(value));
            format!("${name}")
        }));
    }
    let query = match asking.recording.protocol.as_str() {
        "mysql" => marked::filled(statement, &references)?,
        _ => (0..references.len()).rev().fold(statement.to_owned(), |query, index| {
            query.replace(&format!("${}", index + 1), &references[index])
        }),
    };
    let mut step = Map::default();
    step.insert("name".to_owned(), Value::Text(title(asking)));
    step.insert("sql".to_owned(), Value::text(provider(asking)));
    step.insert("query".to_owned(), Value::Text(query));
    let reply = &asking.recorded.reply;
    let mut expecting = Expecting { asking, threads, expect: Map::default() };
    match reply.get("error").and_then(|error| error.get("code")) {
        Some(code) => expecting.value("error.code", code),
        None if first == "select"
            || reply.get("rows").and_then(Value::as_list).is_some_and(|rows| !rows.is_empty()) =>
        {
            expecting.value("rows", reply.get("rows").unwrap_or(&Value::Null));
        }
        None => {
            if let Some(affected) = reply.get("affected") {
                expecting.value("affected", affected);
            }
        }
    }
    step.insert("expect".to_owned(), Value::Map(expecting.expect));
    Some(step)
}

/// A part of a request with variables in the place of what earlier answers gave, and of secrets.
pub(crate) fn threaded(value: &Value, field: &str, asking: &Asking<'_>, threads: &mut Threads) -> Value {
    if let Some(variable) = threads.in_field(field, value) {
        return Value::Text(variable);
    }
    match value {
        Value::Text(text) => Value::Text(with_secrets(&threads.inside(text), asking.knows_secret)),
        Value::List(list) => {
            Value::List(list.iter().map(|child| threaded(child, field, asking, threads)).collect())
        }
        Value::Map(map) => Value::Map(
            map.iter().map(|(name, child)| (name.clone(), threaded(child, name, asking, threads))).collect(),
        ),
        other => other.clone(),
    }
}

/// Declared secrets are known where the test runs, and cards become those that are taken for tests; what else was masked
/// stays marked.
fn with_secrets(text: &str, knows_secret: &dyn Fn(&str) -> bool) -> String {
    if !marks::has_marks(text) {
        return text.to_owned();
    }
    let out = marks::replaced(text, &|name| match knows_secret(name) {
        true => Some(format!("${{secrets.{name}}}")),
        false if marks::is_card(name) => None,
        false => Some(format!("«{name}»")),
    });
    // Alone it may stand as a variable, which reads better.
    match out.strip_prefix("${secrets.").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if !name.contains(['}', '$']) => format!("$secrets.{name}"),
        _ => out,
    }
}

/// Gathers what is expected of a reply.
pub(crate) struct Expecting<'a, 't> {
    pub(crate) asking: &'a Asking<'a>,
    pub(crate) threads: &'t mut Threads,
    pub(crate) expect: Map,
}

impl Expecting<'_, '_> {
    fn headers(&mut self, reply: &Value) {
        for (name, value) in reply.get("headers").and_then(Value::as_map).into_iter().flatten() {
            let is_of_interest = match self.asking.thoroughness {
                Thoroughness::Whole => name != "set-cookie",
                Thoroughness::Gist => matches!(name.as_str(), "content-type" | "location"),
            };
            let mut at = vec!["reply".to_owned(), "headers".to_owned(), name.clone()];
            if is_of_interest && self.asking.mask.at(&at).is_none() {
                self.add(below("headers", name), value, &mut at);
            }
        }
    }

    /// What stands at a path of the result, which begins with a name of the reply's.
    pub(crate) fn value(&mut self, path: &str, value: &Value) {
        let mut at = vec!["reply".to_owned()];
        at.extend(path.split('.').map(str::to_owned));
        self.add(path.to_owned(), value, &mut at);
    }

    pub(crate) fn add(&mut self, path: String, value: &Value, at: &mut Vec<String>) {
        if let Some(volatile) = self.asking.mask.at(at) {
            if !volatile.may_be_absent {
                let expected = self.volatile(value, at);
                self.expect.insert(path, expected);
            }
            return;
        }
        if let Value::Text(text) = value
            && marks::has_marks(text)
        {
            let expected = if marks::is_one_mark(text) {
                ("exists", Value::Bool(true))
            } else {
                ("matches", Value::Text(format!("^{}\\z", marks::pattern(text)).replace('$', "$$")))
            };
            self.expect.insert(path, Value::map([expected]));
            return;
        }
        // Field by field, as people write it, where nothing more may be said.
        let is_told_by_field = self.asking.thoroughness == Thoroughness::Gist
            && value.as_map().is_some_and(|map| !map.is_empty());
        if !self.is_wild(value, at) && !is_told_by_field {
            let expected = match value {
                Value::Map(_) => Value::map([("equals", escaped(value))]),
                other => escaped(other),
            };
            self.expect.insert(path, expected);
            return;
        }
        let n_children = match value {
            Value::Map(map) => map.len(),
            Value::List(list) => list.len(),
            _ => 0,
        };
        if self.asking.thoroughness == Thoroughness::Whole || value.as_list().is_some() {
            self.expect.insert(path.clone(), Value::map([("size", Value::from(n_children))]));
        }
        match value {
            Value::Map(map) => {
                for (name, child) in map {
                    at.push(name.clone());
                    self.add(below(&path, name), child, at);
                    at.pop();
                }
            }
            Value::List(list) => {
                for (index, child) in list.iter().enumerate() {
                    at.push(index.to_string());
                    self.add(format!("{path}.{index}"), child, at);
                    at.pop();
                }
            }
            _ => {}
        }
    }

    /// Of what varies: what an earlier answer gave, where it was that, else its sort.
    fn volatile(&mut self, value: &Value, at: &[String]) -> Value {
        let field = at.last().map(String::as_str).unwrap_or_default();
        if let Some(variable) = self.threads.in_field(field, value) {
            return Value::Text(variable);
        }
        let expected = match value.kind() {
            Kind::Null => ("exists", Value::Bool(true)),
            Kind::Integer | Kind::Number => ("type", Value::text("number")),
            kind => ("type", Value::text(kind.name())),
        };
        Value::map([expected])
    }

    fn is_wild(&self, value: &Value, at: &[String]) -> bool {
        let has_parts = matches!(value, Value::List(_) | Value::Map(_));
        (has_parts && self.asking.mask.is_below(at)) || has_mark(value)
    }
}

fn has_mark(value: &Value) -> bool {
    match value {
        Value::Text(text) => marks::has_marks(text),
        Value::List(list) => list.iter().any(has_mark),
        Value::Map(map) => map.values().any(has_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value in which no variable stands.
fn escaped(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.replace('$', "$$")),
        Value::List(list) => Value::List(list.iter().map(escaped).collect()),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(name, child)| (name.clone(), escaped(child))).collect())
        }
        other => other.clone(),
    }
}
