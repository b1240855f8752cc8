//! Goes through all that an event holds: first the fields that the lists name, then every text.
//!
//! Two passes, because a body is kept decoded and as text: what was masked as the field `cvc` of the one has to
//! be found in the other as well, whichever comes first.

use super::lists::{self, HeaderRule, Holds};
use super::{Pass, scan};
use seam_event::{
    Event, Interaction, Judged, Notice, Scope, SeamId, StageOf, StoredFile, TestId, TestPlan, What,
};
use seam_value::{Map, Value};

/// Matchers whose right side is no value from the system: `type: string` is not a token named `string`.
const MATCHERS_WITHOUT_VALUES: &[&str] =
    &["type", "size", "exists", "empty", "unique", "sorted", "matches", "schema", "that", "near"];

/// Masks all of an event.
pub(super) fn event(pass: &mut Pass<'_>, event: &mut Event) {
    scope(pass, &mut event.scope);
    match &mut event.what {
        What::Interaction(passed) => interaction(pass, passed),
        What::Judged(it) => judged(pass, it),
        What::Line { component, text, .. } => {
            string(pass, text, &|| format!("log of {component}"));
        }
        What::Plan { system, files, tests, command, .. } => plan(pass, system, files, tests, command),
        What::Component { component, detail, .. } => {
            string(pass, detail, &|| format!("component {component}"));
        }
        What::State { component, detail, .. } => string(pass, detail, &|| format!("state of {component}")),
        What::Degraded { seam, reason, .. } => string(pass, reason, &|| seam.to_string()),
        What::Fault { seam, fault, .. } => string(pass, fault, &|| format!("fault on {seam}")),
        What::Step { name, action, stage, .. } => {
            string(pass, name, &|| "a step's name".into());
            string(pass, action, &|| "a step's action".into());
            match stage {
                StageOf::LeftOut(why) | StageOf::Errored(why) | StageOf::Inconclusive(why) => {
                    string(pass, why, &|| "a step's message".into());
                }
                StageOf::Began | StageOf::Ended => {}
            }
        }
        What::Notice(told) => notice(pass, told),
        What::Finished { reason } => string(pass, reason, &String::new),
        What::Fixture { name, .. } => string(pass, name, &String::new),
        What::Connection { .. } | What::Lost { .. } | What::Test { .. } | What::Secret { .. } => {}
    }
}

/// Masks all of an interaction.
pub(super) fn interaction(pass: &mut Pass<'_>, passed: &mut Interaction) {
    let seam = Place::seam(&passed.seam);
    let is_redis = passed.protocol == "redis";
    if is_redis {
        redis_credentials(pass, &mut passed.request, &seam);
    }
    let mut parts =
        [("request", &mut passed.request), ("reply", &mut passed.reply), ("message", &mut passed.message)];
    for (name, part) in &mut parts {
        fields(pass, part, &seam.below(name), Inside::default());
    }
    for (name, part) in &mut parts {
        texts(pass, part, &seam.below(name));
    }
}

/// `AUTH user password`: what a command's name says about its arguments.
fn redis_credentials(pass: &mut Pass<'_>, request: &mut Value, seam: &Place<'_>) {
    let Value::Map(request) = request else { return };
    let command = request.get("command").and_then(Value::as_text).unwrap_or_default().to_ascii_uppercase();
    let Some(Value::List(args)) = request.get_mut("args") else { return };
    let from = match lists::REDIS_COMMANDS.iter().find(|(name, _)| *name == command) {
        Some((_, from)) => *from,
        // HELLO 3 AUTH user password
        None if command == "HELLO" => {
            let is_auth = |arg: &Value| arg.as_text().is_some_and(|text| text.eq_ignore_ascii_case("AUTH"));
            args.iter().position(is_auth).map_or(args.len(), |at| at + 2)
        }
        None => return,
    };
    for arg in args.iter_mut().skip(from) {
        secret_value(pass, arg, "password", &seam.below("request").below("args"));
    }
}

fn judged(pass: &mut Pass<'_>, it: &mut Judged) {
    let place = format!("expected of {}", it.path);
    let inside = Inside {
        headers: ["headers.", "metadata.", "trailers."].iter().any(|map| it.path.contains(map)),
        cookies: it.path.starts_with("cookies.") || it.path.contains(".cookies."),
        card: it.path.contains("card"),
    };
    let has_value = !MATCHERS_WITHOUT_VALUES.contains(&it.matcher.as_str());
    let sides = [&mut it.expected, &mut it.actual];
    for (index, side) in sides.into_iter().enumerate() {
        let Some(value) = side else { continue };
        let at = &Place::new(&place);
        if index == 1 || has_value {
            field(pass, last_name(&it.path), value, at, inside);
        }
        texts(pass, value, at);
    }
    string(pass, &mut it.message, &|| place.clone());
    for detail in &mut it.details {
        string(pass, detail, &|| place.clone());
    }
}

fn last_name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn plan(
    pass: &mut Pass<'_>,
    system: &mut String,
    files: &mut [StoredFile],
    tests: &mut [TestPlan],
    command: &mut [String],
) {
    string(pass, system, &String::new);
    for file in files {
        string(pass, &mut file.path, &String::new);
    }
    for argument in command {
        string(pass, argument, &|| "the command line".into());
    }
    for test in tests {
        test_id(pass, &mut test.id);
        declared_only(pass, &mut test.name);
        declared_only(pass, &mut test.suite);
        for reason in [&mut test.skip, &mut test.fails].into_iter().flatten() {
            string(pass, reason, &String::new);
        }
    }
}

fn notice(pass: &mut Pass<'_>, told: &mut Notice) {
    let place = || "a message".to_owned();
    string(pass, &mut told.text, &place);
    string(pass, &mut told.label, &place);
    for (name, text) in &mut told.notes {
        string(pass, name, &place);
        string(pass, text, &place);
    }
    if let Some(hint) = &mut told.hint {
        string(pass, hint, &place);
    }
}

fn scope(pass: &mut Pass<'_>, scope: &mut Scope) {
    if let Some(test) = &mut scope.test {
        test_id(pass, test);
    }
}

/// A test is known by its id in every event: only what is masked the same way each time may be masked in it.
fn test_id(pass: &mut Pass<'_>, id: &mut TestId) {
    let hits = pass.declared.find(id.as_str());
    if !hits.is_empty() {
        let mut text = id.as_str().to_owned();
        declared_only(pass, &mut text);
        *id = TestId::from(text);
    }
}

fn declared_only(pass: &mut Pass<'_>, text: &mut String) {
    for hit in pass.declared.find(text).into_iter().rev() {
        if !pass.is_in_a_name(text, &hit.range) {
            text.replace_range(hit.range, &format!("«{}»", hit.name));
        }
    }
}

fn string(pass: &mut Pass<'_>, text: &mut String, place: &dyn Fn() -> String) {
    if let Some(masked) = pass.masked(text, place) {
        *text = masked;
    }
}

/// Where in a value the walk is; written out only when something is found.
#[derive(Clone, Copy)]
struct Place<'a> {
    above: Option<&'a Place<'a>>,
    name: Name<'a>,
}

/// A place's own name.
#[derive(Clone, Copy)]
enum Name<'a> {
    /// The seam that all of it passed.
    Seam(&'a SeamId),
    Of(&'a str),
}

/// A path is written no deeper than people look.
const DEEPEST_PLACE: usize = 8;

impl<'a> Place<'a> {
    fn new(root: &'a str) -> Self {
        Self { above: None, name: Name::Of(root) }
    }

    fn seam(seam: &'a SeamId) -> Self {
        Self { above: None, name: Name::Seam(seam) }
    }

    fn below(&'a self, name: &'a str) -> Self {
        Self { above: Some(self), name: Name::Of(name) }
    }

    /// The path, with `*` for every element: `orders -> paygate request.headers.authorization`.
    fn text(&self) -> String {
        let mut names = vec![self.name];
        let mut place = self;
        while let Some(above) = place.above {
            names.push(above.name);
            place = above;
        }
        let mut seam = String::new();
        if let Some(Name::Seam(passed)) = names.last() {
            seam = format!("{passed} ");
            names.pop();
        }
        let names = names.iter().rev().take(DEEPEST_PLACE).filter_map(|name| match name {
            Name::Of(name) => Some(*name),
            Name::Seam(_) => None,
        });
        seam + &names.collect::<Vec<_>>().join(".")
    }
}

/// What the names above a value say about it.
#[derive(Clone, Copy, Default)]
struct Inside {
    headers: bool,
    cookies: bool,
    card: bool,
}

/// Masks the fields that the lists name, in a value of any shape.
fn fields(pass: &mut Pass<'_>, value: &mut Value, place: &Place<'_>, inside: Inside) {
    match value {
        Value::Map(map) => {
            for (name, child) in map.iter_mut() {
                field(pass, name, child, &place.below(name), inside);
            }
        }
        Value::List(list) => {
            for child in list {
                fields(pass, child, &place.below("*"), inside);
            }
        }
        Value::Text(_) | Value::Number(_) => {
            if let Some(name) = pass.declared.whole_value(value) {
                let raw = std::mem::replace(value, Value::text(format!("«{name}»"))).to_plain_text();
                pass.saw(&name, place.text());
                pass.local.push((raw, name));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Masks one field, given by its name.
fn field(pass: &mut Pass<'_>, name: &str, value: &mut Value, place: &Place<'_>, inside: Inside) {
    let listed = pass.names.looked_up.listed(name);
    if inside.headers
        && let Some(rule) = listed.header
    {
        return header(pass, rule, value, place);
    }
    if inside.cookies {
        return secret_value(pass, value, "cookie", place);
    }
    if let Some(kind) = listed.secret {
        return secret_value(pass, value, kind, place);
    }
    let is_card_field = listed.is_card_field || (inside.card && listed.is_inside_a_card);
    if is_card_field && lists::is_card_number(&value.to_plain_text()) {
        return secret_value(pass, value, "card", place);
    }
    let inside = Inside {
        headers: listed.holds == Holds::Headers,
        cookies: listed.holds == Holds::Cookies,
        card: inside.card || listed.holds == Holds::Card,
    };
    fields(pass, value, place, inside);
}

/// Masks a header's value; one that was sent several times may be a list.
fn header(pass: &mut Pass<'_>, rule: HeaderRule, value: &mut Value, place: &Place<'_>) {
    match value {
        Value::List(list) => {
            for one in list {
                header(pass, rule, one, place);
            }
        }
        Value::Text(text) => {
            let mut found = scan::header(rule, text);
            found.retain(|found| !pass.is_in_a_name(text, &found.range));
            // Names are given from left to right, places replaced from right to left.
            let names: Vec<_> =
                found.iter().map(|found| pass.name(found.kind, &text[found.range.clone()])).collect();
            for (found, name) in found.into_iter().zip(names).rev() {
                let raw = text[found.range.clone()].to_owned();
                text.replace_range(found.range, &format!("«{name}»"));
                pass.saw(&name, place.text());
                pass.stood("header", raw, name);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => {}
    }
}

/// Masks a value that is secret, or all that a structure holds.
fn secret_value(pass: &mut Pass<'_>, value: &mut Value, kind: &'static str, place: &Place<'_>) {
    match value {
        Value::Map(map) => map.values_mut().for_each(|child| secret_value(pass, child, kind, place)),
        Value::List(list) => list.iter_mut().for_each(|child| secret_value(pass, child, kind, place)),
        Value::Text(text) if text.is_empty() || pass.is_in_a_name(text, &(0..text.len())) => {}
        Value::Text(_) | Value::Number(_) => {
            let raw = value.to_plain_text();
            let name = pass.name(kind, &raw);
            *value = Value::text(format!("«{name}»"));
            pass.saw(&name, place.text());
            pass.stood(kind, raw, name);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Masks every text in a value, keys included.
fn texts(pass: &mut Pass<'_>, value: &mut Value, place: &Place<'_>) {
    match value {
        Value::Text(text) => string(pass, text, &|| place.text()),
        Value::List(list) => {
            for child in list {
                texts(pass, child, &place.below("*"));
            }
        }
        Value::Map(map) => {
            if !pass.declared.is_empty() && map.keys().any(|key| !pass.declared.find(key).is_empty()) {
                *map = with_masked_keys(pass, std::mem::take(map));
            }
            for (name, child) in map.iter_mut() {
                texts(pass, child, &place.below(name));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn with_masked_keys(pass: &mut Pass<'_>, map: Map) -> Map {
    map.into_iter()
        .map(|(mut key, child)| {
            declared_only(pass, &mut key);
            (key, child)
        })
        .collect()
}
