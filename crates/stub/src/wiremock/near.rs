//! What nearly matched: distances as WireMock measures them, and its report of two columns.

use super::mapping::Mapping;
use super::pattern::Pattern;
use super::request::Request;
use seam_value::{Map, Value};
use std::fmt::Write as _;
use std::sync::Arc;

/// How many near misses are told.
const N_NEAR: usize = 3;
const WIDTH: usize = 119;
const COLUMN: usize = 59;

/// Mappings by how far off a request is, the nearest first.
pub(crate) fn nearest(mappings: &[Arc<Mapping>], request: &Request) -> Vec<(Arc<Mapping>, f64)> {
    let mut all: Vec<(Arc<Mapping>, f64)> =
        mappings.iter().map(|mapping| (Arc::clone(mapping), mapping.request.distance(request))).collect();
    all.sort_by(|(_, left), (_, right)| left.total_cmp(right));
    all.truncate(N_NEAR);
    all
}

/// A near miss as clients read it; `what` is `stubMapping` or `requestPattern`.
pub(crate) fn to_value(
    request: Value,
    what: &str,
    pattern: Value,
    state: Option<&str>,
    distance: f64,
) -> Value {
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
    if let Some(state) = state {
        out.insert("scenarioState".to_owned(), Value::text(state));
    }
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
    let indent = " ".repeat((WIDTH - title.len()) / 2);
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
            let row = format!("{:<width$}| {:<width$}{told}", part(&left), part(&right), width = COLUMN);
            let _ = writeln!(self.out, "{}", row.trim_end());
        }
    }

    fn request(&mut self, mapping: &Mapping, request: &Request) {
        let asked = &mapping.request;
        let shown = &asked.shown;
        let told = |holds: bool, message: &str| if holds { String::new() } else { message.to_owned() };
        let text = |name: &str| shown.get(name).map(Value::to_plain_text);
        for name in ["scheme", "host", "port"] {
            if let Some(value) = shown.get(name) {
                let actual = match name {
                    "scheme" => request.scheme.clone(),
                    "host" => request.host.clone(),
                    _ => request.port.to_string(),
                };
                let expected = if name == "host" { Pattern::shown(value).1 } else { value.to_plain_text() };
                self.row(
                    &expected,
                    &actual,
                    &told(asked.part_holds(name, "", request), &format!("{name} does not match")),
                );
            }
        }
        let method = text("method").unwrap_or_else(|| "ANY".to_owned());
        self.row(
            &method,
            &request.method,
            &told(asked.part_holds("method", "", request), "HTTP method does not match"),
        );
        let forms = [
            ("url", ""),
            ("urlPattern", "[regex] "),
            ("urlPath", "[path] "),
            ("urlPathPattern", "[path regex] "),
            ("urlPathTemplate", "[path template] "),
        ];
        if let Some((expected, prefix)) = forms.iter().find_map(|(name, prefix)| Some((text(name)?, *prefix)))
        {
            self.row(
                &format!("{prefix}{expected}"),
                &request.url,
                &told(asked.part_holds("url", "", request), "URL does not match"),
            );
        }
        self.empty();
        let several = [
            ("headers", "", "Header"),
            ("queryParameters", "Query: ", "Query"),
            ("formParameters", "Form: ", "Form data"),
            ("cookies", "Cookie: ", "Cookie"),
        ];
        for (part, prefix, what) in several {
            let Some(all) = shown.get(part).and_then(Value::as_map) else { continue };
            for (name, pattern) in all {
                self.named(mapping, request, (part, prefix, what), (name, pattern));
            }
            self.empty();
        }
        for (index, pattern) in
            shown.get("bodyPatterns").and_then(Value::as_list).into_iter().flatten().enumerate()
        {
            let holds = asked.part_holds("bodyPatterns", &index.to_string(), request);
            let (operator, expected) = Pattern::shown(pattern);
            let body = request.text();
            let body = match (operator.as_str(), seam_value::parse(&body)) {
                ("equalToJson" | "matchesJsonPath" | "matchesJsonSchema", Ok(value)) => value.to_pretty(),
                _ => body.into_owned(),
            };
            let expected = match (operator.as_str(), seam_value::parse(&expected)) {
                ("equalToJson", Ok(value)) => value.to_pretty(),
                _ => expected,
            };
            let actual = if operator == "equalTo" { body } else { format!("\n{body}") };
            let expected = if operator == "equalTo" { expected } else { format!("[{operator}]\n{expected}") };
            self.row(&expected, &actual, &told(holds, "Body does not match"));
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
        let sign = if part == "headers" { ": " } else { " = " };
        let sign = if operator == "equalTo" { sign.to_owned() } else { format!(" [{operator}]{sign}") };
        let actual = values.map_or_else(String::new, |(_, values)| {
            let plain = if part == "headers" { ": " } else { " = " };
            format!("{}{name}{plain}{}", if part == "headers" { "" } else { prefix }, values.join(", "))
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
