//! A recording in the provider's place: requests that are equal, apart from what varies, get the recorded replies.
//!
//! The recording becomes stubs in the language of stubs, so that there is one way to answer and one way to tell what
//! matched nothing. For what was asked again with other answers they come in the recorded order, and the last stays; where
//! tests were answered differently, each test has its own. What varies in a reply and was the request's own is the new
//! request's.

use crate::compare::differences;
use crate::echo::{self, Echo, Piece, Remembered, pieces};
use crate::lists;
use crate::marks::{self, without_marks};
use crate::normal::{is_http, says_the_same};
use crate::recording::{Recorded, Recording};
use crate::sockets::{FIRST, as_calls};
use crate::streams::Streamed;
use crate::volatile::{Mask, is_address, segments};
use seam_diag::{Diagnostics, Span};
use seam_expr::below;
use seam_model::{Entry, Field, Form, Node, NodeKind, Shape, Spanned};
use seam_stub::{Reading, Stubs};
use seam_value::Value;
use std::collections::{BTreeSet, HashMap};

/// Priorities: of stubs for exactly one request, and for all that vary like it; each in one test, and in any.
const EXACT_OF_A_TEST: u64 = 2;
const EXACT: u64 = 3;
const MASKED_OF_A_TEST: u64 = 4;
const MASKED: u64 = 5;
/// What comes after those: whatever is sent, because nobody kept what was.
const WHATEVER_IS_SENT: u64 = 6;

/// What comes last: a statement that a driver has only prepared, and of which it wants to know what it takes and gives.
const ONLY_PREPARED: u64 = 7;

/// Headers whose absence was a part of what was asked.
const SAYS_WHO: &[&str] = &["authorization", "cookie"];

/// What says how and how long a caller asks, not what.
const HOW_IT_ASKS: &[&str] = &["version", "timeout", "length"];

/// The stubs that answer as recorded.
pub fn as_stubs(
    recording: &Recording,
    span: Span,
    reading: &Reading<'_>,
    found: &mut Diagnostics,
) -> Option<Stubs> {
    let recording = as_calls(recording);
    let making = Making::new(&recording, span, reading);
    let list = making.groups().into_iter().flat_map(|group| making.stubs(&group));
    let list = list.chain(making.only_prepared()).collect();
    let stubs = seam_stub::read_stubs(&Node { span, kind: NodeKind::List(list) }, reading, found)?;
    Some(Stubs { state: making.remembered.initial(), ..stubs })
}

struct Making<'a> {
    recording: &'a Recording,
    streamed: Streamed<'a>,
    span: Span,
    /// What a request and an answer of the protocol may have; empty where it does not say.
    request_fields: Vec<&'static str>,
    answer_fields: Vec<&'static str>,
    /// Those of the headers that say who asks that are in the recording at all.
    says_who: BTreeSet<&'static str>,
    /// What later answers have of earlier requests.
    remembered: Remembered,
}

/// Interactions in which the same was asked, apart from what varies.
struct Group<'a> {
    conditions: Vec<(String, Node)>,
    list: Vec<&'a Recorded>,
}

impl<'a> Making<'a> {
    fn new(recording: &'a Recording, span: Span, reading: &Reading<'_>) -> Self {
        let word = reading.protocol.word();
        let part = |name: &str| -> &'static [Field] {
            match word.results.iter().find(|field| field.name == name).map(|field| field.shape) {
                Some(Shape::Fields(fields)) => fields,
                _ => &[],
            }
        };
        let names = |fields: &[Field]| fields.iter().map(|field| field.name).collect::<Vec<_>>();
        let mut answer_fields = names(word.fields);
        if answer_fields.is_empty() {
            answer_fields = names(part("reply"));
        }
        let headers = recording.interactions.iter().filter_map(|one| one.request.get("headers"));
        let says_who = headers
            .flat_map(|headers| SAYS_WHO.iter().copied().filter(|name| headers.get(name).is_some()))
            .collect();
        let streamed = Streamed::of(recording);
        let remembered = Remembered::of(recording);
        let request_fields = names(part("request"));
        Self { recording, streamed, span, request_fields, answer_fields, says_who, remembered }
    }

    fn mask<'r>(&'r self, recorded: &'r Recorded) -> Mask<'r> {
        Mask::new(&self.recording.volatile, &recorded.volatile)
    }

    /// What can be answered, by what was asked, in the order in which it first was.
    fn groups(&self) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for recorded in &self.recording.interactions {
            if recorded.request == Value::Null || recorded.reply == Value::Null || recorded.error.is_some() {
                continue;
            }
            let conditions = self.conditions(recorded, &self.mask(recorded));
            let index = *known.entry(key(&conditions)).or_insert_with(|| {
                groups.push(Group { conditions, list: Vec::new() });
                groups.len() - 1
            });
            groups[index].list.push(recorded);
        }
        groups
    }

    /// The stubs of a group: for all requests like these; before them for exactly these, where there are several; and
    /// before them for each test, where they were answered differently.
    fn stubs(&self, group: &Group<'a>) -> Vec<Node> {
        let mut stubs = Vec::new();
        let nothing = Mask::default();
        let mut exact: Vec<Group<'_>> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for recorded in &group.list {
            let conditions = self.conditions(recorded, &nothing);
            let index = *known.entry(key(&conditions)).or_insert_with(|| {
                exact.push(Group { conditions, list: Vec::new() });
                exact.len() - 1
            });
            exact[index].list.push(recorded);
        }
        if exact.len() > 1 {
            for one in &exact {
                stubs.extend(self.of_tests(EXACT_OF_A_TEST, one));
                stubs.push(self.stub(EXACT, &one.conditions, &one.list));
            }
        }
        stubs.extend(self.of_tests(MASKED_OF_A_TEST, group));
        let body = ["request".to_owned(), "body".to_owned()];
        let is_unknown = group.list.first().is_some_and(|first| self.mask(first).at(&body).is_some());
        let priority = if is_unknown { WHATEVER_IS_SENT } else { MASKED };
        stubs.push(self.stub(priority, &group.conditions, &group.list));
        stubs
    }

    /// For drivers that prepare a statement, and ask what it takes and gives before they bind anything: the recorded
    /// columns and types, whatever was bound then.
    fn only_prepared(&self) -> Vec<Node> {
        let mut prepared: Vec<Recorded> = Vec::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for recorded in self.recording.interactions.iter().filter(|_| self.recording.protocol == "postgres") {
            let statement = recorded.request.get("statement").and_then(Value::as_text);
            let is_bound = recorded
                .request
                .get("parameters")
                .and_then(Value::as_list)
                .is_some_and(|list| !list.is_empty());
            let is_answered = recorded.error.is_none() && recorded.reply.get("rows").is_some();
            let Some(statement) = statement.filter(|_| is_bound && is_answered) else { continue };
            if !known.insert(statement) {
                continue;
            }
            let described = ["columns", "parameters"].into_iter();
            let described = described.filter_map(|name| Some((name, recorded.reply.get(name)?.clone())));
            prepared.push(Recorded {
                test: None,
                request: Value::map([
                    ("statement", Value::text(statement)),
                    ("parameters", Value::List(Vec::new())),
                ]),
                reply: Value::map(described.chain([("rows", Value::List(Vec::new()))])),
                ..recorded.clone()
            });
        }
        let stub = |one: &Recorded| self.stub(ONLY_PREPARED, &self.conditions(one, &Mask::default()), &[one]);
        prepared.iter().map(stub).collect()
    }

    /// Stubs for single tests, where the tests together were answered otherwise than each alone.
    fn of_tests(&self, priority: u64, group: &Group<'_>) -> Vec<Node> {
        let mut by_test: Vec<(&str, Vec<&Recorded>)> = Vec::new();
        for recorded in &group.list {
            let Some(test) = recorded.test.as_deref() else { continue };
            match by_test.iter_mut().find(|(known, _)| *known == test) {
                Some((_, list)) => list.push(recorded),
                None => by_test.push((test, vec![recorded])),
            }
        }
        // What was asked before the tests (by a readiness, a pool) counts like one more test: each test begins anew.
        let is_before = group.list.iter().any(|recorded| recorded.test.is_none());
        if by_test.len() + usize::from(is_before) < 2 || self.turns(&group.list).len() < 2 {
            return Vec::new();
        }
        let of_test = |(test, list): &(&str, Vec<&Recorded>)| {
            let mut conditions = group.conditions.clone();
            self.ask(&format!("test == {}", Value::text(*test)), &mut conditions);
            self.stub(priority, &conditions, list)
        };
        by_test.iter().map(of_test).collect()
    }

    fn stub(&self, priority: u64, conditions: &[(String, Node)], list: &[&Recorded]) -> Node {
        let span = list.first().and_then(|first| first.span).unwrap_or(self.span);
        let title = list.first().map(|first| first.title()).unwrap_or_default();
        let request = conditions.iter().map(|(path, node)| (path.as_str(), node.clone()));
        let turns = self.turns(list);
        let n_turns = turns.len();
        let replies = turns.into_iter().enumerate().map(|(index, (recorded, times))| {
            let mut reply = self.reply(recorded);
            if let NodeKind::Map(entries) = &mut reply.kind
                && index + 1 < n_turns
                && times > 1
            {
                entries.push(self.entry("times", Node { span, kind: NodeKind::Number(times.into()) }));
            }
            reply
        });
        let replies = NodeKind::List(replies.collect());
        let mut stub = self.map([
            ("name", self.text(&format!("recorded {title}"))),
            ("request", self.map(request)),
            ("replies", Node { span, kind: replies }),
            ("priority", Node { span, kind: NodeKind::Number(priority.into()) }),
        ]);
        stub.span = span;
        stub
    }

    /// The replies one after the other, each with how often it was given in a row. What varies counts, for an id that was
    /// given twice would be two things with one name; but what varies in headers says nothing.
    fn turns<'r>(&self, list: &[&'r Recorded]) -> Vec<(&'r Recorded, u64)> {
        let mut turns: Vec<(&'r Recorded, u64)> = Vec::new();
        for recorded in list {
            match turns.last_mut() {
                Some((last, times))
                    if self.is_same_turn(last, recorded) && self.streamed.says_the_same(last, recorded) =>
                {
                    *times += 1;
                }
                _ => turns.push((recorded, 1)),
            }
        }
        turns
    }

    fn is_same_turn(&self, one: &Recorded, other: &Recorded) -> bool {
        let is_remembered = |one: &Recorded| !self.remembered.taken(&self.echoes(one)).is_empty();
        let mask = self.mask(one);
        let mut differences = differences("reply", &one.reply, &other.reply, &Mask::default()).into_iter();
        let is_of_headers = |at: &[String]| {
            at.get(1).is_some_and(|name| matches!(name.as_str(), "headers" | "metadata" | "trailers"))
        };
        differences.all(|one| is_of_headers(&one.at) && mask.at(&one.at).is_some())
            && !is_remembered(one)
            && !is_remembered(other)
    }

    /// What a request must have to be this one.
    fn conditions(&self, recorded: &Recorded, mask: &Mask<'_>) -> Vec<(String, Node)> {
        let mut walk = Conditions { making: self, mask, at: vec!["request".to_owned()], list: Vec::new() };
        let Some(request) = recorded.request.as_map() else { return Vec::new() };
        let is_known = |name: &str| {
            (self.request_fields.is_empty() || self.request_fields.contains(&name)) && name != "message"
        };
        for (name, value) in request.iter().filter(|(name, _)| is_known(name)) {
            // The body says it, in whatever way it was written; and how the caller's library asks is nothing that it asks.
            if (name == "text" && request.contains_key("body")) || HOW_IT_ASKS.contains(&name.as_str()) {
                continue;
            }
            walk.below(name, value);
        }
        if let Some(first) = request.get(FIRST)
            && !is_marked(first)
            && !mask.is_below(&["request".to_owned(), FIRST.to_owned()])
        {
            // It is answered as soon as it is known to stream: then none has come, or one, or more of them already.
            let question = format!(
                "request.body != null ? request.body == {first} : request.bodies == [] || request.bodies[0] == {first}"
            );
            self.ask(&question, &mut walk.list);
        }
        if let Some(Value::Map(message)) = request.get("message") {
            walk.at.push("message".to_owned());
            message.iter().for_each(|(name, value)| walk.below(name, value));
        } else if is_http(&self.recording.protocol) {
            self.what_is_not_there(request, &mut walk.list);
        }
        walk.list
    }

    /// One more question that must be true.
    fn ask(&self, question: &str, conditions: &mut Vec<(String, Node)>) {
        let question = self.text(question);
        let that = conditions.iter_mut().find(|(path, _)| path == "that");
        if let Some((_, Node { kind: NodeKind::List(list), .. })) = that {
            list.push(question);
            return;
        }
        let kind = NodeKind::List(vec![question]);
        conditions.push(("that".to_owned(), Node { span: self.span, kind }));
    }

    fn what_is_not_there(&self, request: &seam_value::Map, list: &mut Vec<(String, Node)>) {
        if !request.contains_key("query") {
            list.push(("query".to_owned(), self.equals(&Value::Map(seam_value::Map::default()))));
        }
        if !request.contains_key("body") && !request.contains_key("text") {
            list.push(("body".to_owned(), Node { span: self.span, kind: NodeKind::Null }));
        }
        for name in &self.says_who {
            if request.get("headers").and_then(|headers| headers.get(name)).is_none() {
                let absent = self.map([("exists", Node { span: self.span, kind: NodeKind::Bool(false) })]);
                list.push((format!("headers.{name}"), absent));
            }
        }
    }

    /// A recorded reply as an answer.
    fn reply(&self, recorded: &Recorded) -> Node {
        let mut echoes = self.echoes(recorded);
        let then: Vec<Entry> = self
            .remembered
            .taken(&echoes)
            .into_iter()
            .map(|(name, expression)| self.entry(&name, self.text(&format!("${{{expression}}}"))))
            .collect();
        echoes.extend(self.remembered.echoes());
        let mask = self.mask(recorded);
        let mut reply = recorded.reply.clone();
        if is_http(&self.recording.protocol) {
            let repeats = !echoes.is_empty() && mask.is_below(&["reply".to_owned(), "body".to_owned()]);
            one_http_body(&mut reply, !repeats);
        }
        let mut entries = Vec::new();
        if let Some(parts) = self.streamed.parts(recorded)
            && self.answer_fields.contains(&parts.name)
        {
            if let Value::Map(map) = &mut reply {
                map.retain(|name, _| !matches!(name.as_str(), "body" | "bodies" | "text" | "json"));
            }
            let mut at = vec!["reply".to_owned(), parts.name.to_owned()];
            let list = self.answer(&Value::List(parts.list), &mut at, &mask, &echoes);
            entries.push(self.entry(parts.name, list));
            if parts.stays_open {
                entries.push(self.entry("open", Node { span: self.span, kind: NodeKind::Bool(true) }));
            }
        }
        for (name, value) in reply.as_map().into_iter().flatten() {
            if !self.answer_fields.is_empty() && !self.answer_fields.contains(&name.as_str()) {
                continue;
            }
            // The path is that of the recording, whatever the answer's field is called.
            let own = if name == "json" { "body" } else { name };
            let mut at = vec!["reply".to_owned(), own.to_owned()];
            entries.push(self.entry(name, self.answer(value, &mut at, &mask, &echoes)));
        }
        if !then.is_empty() {
            entries.push(self.entry("then", Node { span: self.span, kind: NodeKind::Map(then) }));
        }
        Node { span: recorded.span.unwrap_or(self.span), kind: NodeKind::Map(entries) }
    }

    fn answer(&self, value: &Value, at: &mut Vec<String>, mask: &Mask<'_>, echoes: &[Echo]) -> Node {
        let kind = match value {
            Value::Map(map) => {
                let mut entries = Vec::new();
                for (name, child) in map {
                    at.push(name.clone());
                    entries.push(self.entry(name, self.answer(child, at, mask, echoes)));
                    at.pop();
                }
                NodeKind::Map(entries)
            }
            Value::List(list) => {
                let mut nodes = Vec::new();
                for (index, child) in list.iter().enumerate() {
                    at.push(index.to_string());
                    nodes.push(self.answer(child, at, mask, echoes));
                    at.pop();
                }
                NodeKind::List(nodes)
            }
            scalar => {
                let text = scalar.to_plain_text();
                if mask.at(at).is_some()
                    && let Some(pieces) = pieces(scalar, echoes)
                {
                    let text = pieces.iter().map(|piece| match piece {
                        Piece::Plain(text) => escaped(&without_marks(text)),
                        Piece::Expression(expression) => format!("${{{expression}}}"),
                    });
                    return self.text(&text.collect::<String>());
                }
                match scalar {
                    Value::Text(_) => return self.text(&escaped(&without_marks(&text))),
                    other => return self.plain(other),
                }
            }
        };
        Node { span: self.span, kind }
    }

    /// What varies in the request, and how an answer refers to it.
    fn echoes(&self, recorded: &Recorded) -> Vec<Echo> {
        let mask = self.mask(recorded);
        echo::echoes(&recorded.request, &mask)
    }

    fn equals(&self, value: &Value) -> Node {
        let node = self.plain(value);
        match &node.kind {
            NodeKind::Map(_) | NodeKind::List(_) => self.map([("equals", node)]),
            _ => node,
        }
    }

    /// A value as a node that means just this value.
    fn plain(&self, value: &Value) -> Node {
        let kind = match value {
            Value::Null => NodeKind::Null,
            Value::Bool(flag) => NodeKind::Bool(*flag),
            Value::Number(number) => NodeKind::Number(number.clone()),
            Value::Text(text) => return self.text(&escaped(text)),
            Value::List(list) => NodeKind::List(list.iter().map(|child| self.plain(child)).collect()),
            Value::Map(map) => {
                NodeKind::Map(map.iter().map(|(name, child)| self.entry(name, self.plain(child))).collect())
            }
        };
        Node { span: self.span, kind }
    }

    fn text(&self, text: &str) -> Node {
        // Its letters are not those of the file, so no place in it can be found there.
        let form = Form::Pieces(Box::default());
        Node { span: self.span, kind: NodeKind::Text { text: text.to_owned(), form } }
    }

    fn map<'k>(&self, entries: impl IntoIterator<Item = (&'k str, Node)>) -> Node {
        let entries = entries.into_iter().map(|(name, node)| self.entry(name, node)).collect();
        Node { span: self.span, kind: NodeKind::Map(entries) }
    }

    fn entry(&self, name: &str, node: Node) -> Entry {
        Entry { key: Spanned::new(name.to_owned(), self.span), node }
    }
}

/// Gathers conditions.
struct Conditions<'a> {
    making: &'a Making<'a>,
    mask: &'a Mask<'a>,
    at: Vec<String>,
    list: Vec<(String, Node)>,
}

impl Conditions<'_> {
    fn below(&mut self, name: &str, value: &Value) {
        self.at.push(name.to_owned());
        self.add(value);
        self.at.pop();
    }

    fn add(&mut self, value: &Value) {
        if self.mask.at(&self.at).is_some() {
            return;
        }
        let is_headers = self.at.len() == 2 && matches!(self.at[1].as_str(), "headers" | "metadata");
        // Those of gRPC say which library asks.
        if self.at.len() == 3 && self.at[1] == "metadata" && lists::varies(&self.at[2]) {
            return;
        }
        match value {
            Value::Text(text) if is_address(&self.at) => self.address(text),
            Value::Text(text) if marks::has_marks(text) => self.marked(text),
            Value::Map(map) if is_headers || self.is_wild(value) => {
                if !is_headers {
                    self.size(map.len());
                }
                for (name, child) in map {
                    self.below(name, child);
                }
            }
            Value::List(list) if self.is_wild(value) => {
                self.size(list.len());
                for (index, child) in list.iter().enumerate() {
                    self.below(&index.to_string(), child);
                }
            }
            plain => {
                let node = self.making.equals(plain);
                self.push(node);
            }
        }
    }

    fn push(&mut self, node: Node) {
        let path = self.at[1..].iter().fold(String::new(), |path, name| below(&path, name));
        self.list.push((path, node));
    }

    fn size(&mut self, size: usize) {
        let size = Node { span: self.making.span, kind: NodeKind::Number((size as u64).into()) };
        let node = self.making.map([("size", size)]);
        self.push(node);
    }

    fn matches(&mut self, pattern: &str) {
        let pattern = self.making.text(&escaped(&format!("^{pattern}\\z")));
        let node = self.making.map([("matches", pattern)]);
        self.push(node);
    }

    fn marked(&mut self, text: &str) {
        if marks::is_one_mark(text) {
            let there = Node { span: self.making.span, kind: NodeKind::Bool(true) };
            let node = self.making.map([("exists", there)]);
            return self.push(node);
        }
        self.matches(&marks::pattern(text));
    }

    /// The path of an address: parts between slashes may vary or be masked.
    fn address(&mut self, text: &str) {
        let mut is_wild = false;
        let mut parts = Vec::new();
        for (index, part) in segments(text).enumerate() {
            self.at.push(index.to_string());
            let varies = self.mask.at(&self.at).is_some();
            self.at.pop();
            is_wild |= varies || marks::has_marks(part);
            parts.push(if varies { "[^/]+".to_owned() } else { marks::pattern(part) });
        }
        if is_wild {
            let slash = if text.starts_with('/') { "/" } else { "" };
            return self.matches(&format!("{slash}{}", parts.join("/")));
        }
        let node = self.making.text(&escaped(text));
        self.push(node);
    }

    /// Does anything below vary, or was masked?
    fn is_wild(&self, value: &Value) -> bool {
        self.mask.is_below(&self.at) || is_marked(value)
    }
}

fn is_marked(value: &Value) -> bool {
    match value {
        Value::Text(text) => marks::has_marks(text),
        Value::List(list) => list.iter().any(is_marked),
        Value::Map(map) => map.values().any(is_marked),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Leaves one of the ways to give a body: as it was written, where that still says the same.
fn one_http_body(reply: &mut Value, as_written: bool) {
    let Value::Map(map) = reply else { return };
    let media = map.get("headers").and_then(|headers| headers.get("content-type")).and_then(Value::as_text);
    let is_json = media.unwrap_or_default().contains("json");
    let Some(body) = map.get("body") else { return };
    if let Some(text) = map.get("text").and_then(Value::as_text)
        && (!is_json || (as_written && says_the_same(text, body)))
    {
        map.shift_remove("body");
        return;
    }
    map.shift_remove("text");
    let Some(body) = map.shift_remove("body") else { return };
    let name = match &body {
        Value::Text(_) if !is_json => "text",
        Value::Map(map) if map.len() == 1 && map.contains_key("base64") => "body",
        _ => "json",
    };
    map.insert(name.to_owned(), body);
}

/// Requests that need the same are one group.
fn key(conditions: &[(String, Node)]) -> String {
    let lines: Vec<String> =
        conditions.iter().map(|(path, node)| format!("{path}={}", node.to_value())).collect();
    lines.join("\n")
}

/// A text in which no variable stands.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
