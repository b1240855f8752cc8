//! What nearly matched: distances as WireMock measures them, and its report of two columns.

use super::mapping::Mapping;
use super::pattern::Pattern;
use super::request::Request;
use super::template::jackson;
use seam_value::{Map, Value};
use std::fmt::Write as _;
use std::sync::Arc;

/// How many near misses are told.
const N_NEAR: usize = 3;
const WIDTH: usize = 119;
const COLUMN: usize = 59;
const RIGHT: usize = 52;

/// Mappings by how far off a request is, the nearest first.
pub(crate) fn nearest(mappings: &[Arc<Mapping>], request: &Request) -> Vec<(Arc<Mapping>, f64)> {
    let mut all: Vec<(Arc<Mapping>, f64)> =
        mappings.iter().map(|mapping| (Arc::clone(mapping), mapping.request.distance(request))).collect();
    all.sort_by(|(_, left), (_, right)| left.total_cmp(right));
    all.truncate(N_NEAR);
    all
}

/// A near miss as clients read it; `what` is `stubMapping` or `requestPattern`.
pub(crate) fn to_value(request: Value, what: &str, pattern: Value, distance: f64) -> Value {
    let number = seam_value::Number::from_f64(distance);
    let distance = number.map_or(Value::from(0_i64), Value::Number);
    let mut out = Map::new();
    out.insert("request".to_owned(), request);
    out.insert(what.to_owned(), pattern);
    out.insert(
        "matchResult".to_owned(),
        Value::map([
            ("subEvents", Value::List(Vec::new())),
            ("diffDescriptions", Value::List(Vec::new())),
            ("distance", distance),
        ]),
    );
    Value::Map(out)
}

/// What the answer of 404 says: the nearest mapping and the request side by side.
pub(crate) fn report(mapping: Option<&Mapping>, request: &Request, state: Option<&str>) -> String {
    let Some(mapping) = mapping else {
        return "No response could be served as there are no stub mappings in this WireMock instance."
            .to_owned();
    };
    let mut out = String::from("\n");
    let title = "Request was not matched";
    let indent = " ".repeat((WIDTH - title.len()) / 2 - 1);
    let _ = write!(out, "{indent}{title}\n{indent}{}\n\n", "=".repeat(title.len()));
    let line = "-".repeat(WIDTH);
    let _ = write!(out, "{line}\n| {:<57}| {:<57}|\n{line}\n", "Closest stub", "Request");
    let mut rows = Rows { out: String::new() };
    rows.empty();
    if let Some(name) = &mapping.name {
        rows.row(name, "", "");
        rows.empty();
    }
    rows.request(mapping, request);
    if let (Some(scenario), Some(required), Some(state)) = (&mapping.scenario, &mapping.required_state, state)
        && required != state
    {
        let shown = |state: &str| format!("[Scenario '{scenario}' state: {state}]");
        rows.row(&shown(required), &shown(state), "Scenario does not match");
        rows.empty();
    }
    out + &rows.out + &line + "\n"
}

struct Rows {
    out: String,
}

impl Rows {
    fn empty(&mut self) {
        self.row("", "", "");
    }

    fn row(&mut self, left: &str, right: &str, message: &str) {
        let (left, right) = (lines(left), lines(right));
        for index in 0..left.len().max(right.len()).max(1) {
            let part = |side: &[String]| side.get(index).cloned().unwrap_or_default();
            let told =
                if index == 0 && !message.is_empty() { format!("<<<<< {message}") } else { String::new() };
            let row = format!("{:<COLUMN$}| {:<RIGHT$}{told}", part(&left), part(&right));
            let _ = writeln!(self.out, "{}", row.trim_end());
        }
    }

    fn request(&mut self, mapping: &Mapping, request: &Request) {
        self.line(mapping, request);
        let asked = &mapping.request;
        let shown = &asked.shown;
        if let Some(expected) = asked.basic() {
            let actual = request.header("authorization").unwrap_or_default();
            let what = if actual.is_empty() { "is not present" } else { "does not match" };
            let message =
                if asked.part_holds("basic", "", request) { String::new() } else { format!("Header {what}") };
            let actual = if actual.is_empty() { String::new() } else { format!("Authorization: {actual}") };
            self.row(&format!("Authorization [prefix] : Basic {expected}"), &actual, &message);
            self.empty();
        }
        self.several(mapping, request, ("headers", "", "Header"));
        self.path_parameters(mapping, request);
        self.several(mapping, request, ("queryParameters", "Query: ", "Query"));
        self.several(mapping, request, ("formParameters", "Form: ", "Form data"));
        if self.several(mapping, request, ("cookies", "Cookie: ", "Cookie")) {
            self.empty();
        }
        self.bodies(mapping, request);
        for _ in shown.get("multipartPatterns").and_then(Value::as_list).into_iter().flatten() {
            if !asked.part_holds("multipart", "", request) {
                let what = "[Multipart request body]";
                let how = if request.is_multipart() { "does not match" } else { "is not present" };
                self.row(what, "", &format!("{what} {how}"));
                self.empty();
            }
        }
    }

    /// Method and address, and what belongs to them.
    fn line(&mut self, mapping: &Mapping, request: &Request) {
        const FORMS: [(&str, &str); 5] = [
            ("url", ""),
            ("urlPattern", "[regex] "),
            ("urlPath", "[path] "),
            ("urlPathPattern", "[path regex] "),
            ("urlPathTemplate", "[path template] "),
        ];
        let asked = &mapping.request;
        let shown = &asked.shown;
        let told = |part: &str, message: &str| {
            if asked.part_holds(part, "", request) { String::new() } else { message.to_owned() }
        };
        let text = |name: &str| shown.get(name).map(Value::to_plain_text);
        for (name, actual) in [
            ("scheme", request.scheme.clone()),
            ("host", request.host.clone()),
            ("port", request.port.to_string()),
        ] {
            let Some(value) = shown.get(name) else { continue };
            let expected = if name == "host" { Pattern::shown(value).1 } else { value.to_plain_text() };
            self.row(&expected, &actual, &told(name, &format!("{name} does not match")));
        }
        let method = text("method").unwrap_or_else(|| "ANY".to_owned());
        self.row(&method, &request.method, &told("method", "HTTP method does not match"));
        if let Some((expected, prefix)) = FORMS.iter().find_map(|(name, prefix)| Some((text(name)?, *prefix)))
        {
            self.row(&format!("{prefix}{expected}"), &request.url, &told("url", "URL does not match"));
        }
        self.empty();
    }

    /// Whatever has names. Is there any?
    fn several(&mut self, mapping: &Mapping, request: &Request, part: (&str, &str, &str)) -> bool {
        let Some(all) = mapping.request.shown.get(part.0).and_then(Value::as_map) else { return false };
        for (name, pattern) in all {
            self.named(mapping, request, part, (name, pattern));
        }
        self.empty();
        true
    }

    fn path_parameters(&mut self, mapping: &Mapping, request: &Request) {
        let values = mapping.request.path_values(request);
        let all = mapping.request.shown.get("pathParameters").and_then(Value::as_map);
        for (name, pattern) in all.into_iter().flatten() {
            let Some((_, actual)) = values.iter().find(|(known, _)| known == name) else { continue };
            let (operator, expected) = Pattern::shown(pattern);
            let sign = if operator == "equalTo" { " = ".to_owned() } else { format!(" [{operator}] ") };
            let holds = mapping.request.part_holds("pathParameters", name, request);
            let message = if holds { "" } else { "Path parameter does not match" };
            self.row(&format!("Path parameter: {name}{sign}{expected}"), actual, message);
            self.empty();
        }
    }

    /// Those of the bodies that don't match.
    fn bodies(&mut self, mapping: &Mapping, request: &Request) {
        let all = mapping.request.shown.get("bodyPatterns").and_then(Value::as_list).unwrap_or_default();
        for (index, pattern) in all.iter().enumerate() {
            if mapping.request.part_holds("bodyPatterns", &index.to_string(), request) {
                continue;
            }
            let (operator, expected) = Pattern::shown(pattern);
            let body = request.text();
            let actual = match (operator.as_str(), seam_value::parse(&body)) {
                ("equalToJson" | "matchesJsonPath" | "matchesJsonSchema", Ok(value)) => jackson(&value),
                _ => body.into_owned(),
            };
            let expected = match (operator.as_str(), seam_value::parse(&expected)) {
                ("equalToJson", Ok(value)) => jackson(&value),
                _ => expected,
            };
            if operator == "equalTo" {
                self.row(&expected, &actual, "Body does not match");
            } else {
                self.row(&format!("[{operator}]\n{expected}"), &format!("\n{actual}"), "Body does not match");
            }
        }
        if !all.is_empty() {
            self.empty();
        }
    }

    fn named(
        &mut self,
        mapping: &Mapping,
        request: &Request,
        (part, prefix, what): (&str, &str, &str),
        (name, pattern): (&str, &Value),
    ) {
        let pairs = match part {
            "queryParameters" => request.query().clone(),
            "formParameters" => request.form().clone(),
            "cookies" => request.cookies(),
            _ => vec![(
                name.to_owned(),
                request.header_values(name).iter().map(|value| (*value).to_owned()).collect(),
            )],
        };
        let values = pairs.iter().find(|(known, values)| known == name && !values.is_empty());
        let (operator, expected) = Pattern::shown(pattern);
        let sign = match (part, operator.as_str()) {
            ("headers", "equalTo") => ": ".to_owned(),
            ("headers", operator) => format!(" [{operator}] : "),
            ("cookies", "equalTo") => "=".to_owned(),
            (_, "equalTo") => " = ".to_owned(),
            (_, operator) => format!(" [{operator}] "),
        };
        let actual = values.map_or_else(String::new, |(_, values)| match part {
            "cookies" => values.join(", "),
            _ => format!("{name}: {}", values.join(", ")),
        });
        let holds = mapping.request.part_holds(part, name, request);
        let message = match (holds, values) {
            (true, _) => String::new(),
            (false, None) => format!("{what} is not present"),
            (false, Some(_)) => format!("{what} does not match"),
        };
        self.row(&format!("{prefix}{name}{sign}{expected}"), &actual, &message);
    }
}

/// A text in lines that fit the column.
fn lines(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let letters: Vec<char> = line.chars().collect();
        if letters.is_empty() {
            out.push(String::new());
        }
        out.extend(letters.chunks(COLUMN - 2).map(|chunk| chunk.iter().collect()));
    }
    out
}
