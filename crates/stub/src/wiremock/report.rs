//! What the answer of 404 says: the nearest mapping and the request side by side, as WireMock writes them.
//!
//! ```text
//! [path] /books                     | /book               <<<<< URL does not match
//!                                   |
//! X-Key [matches] : [a-z]+          | X-Key: 1            <<<<< Header does not match
//! ```

use super::described::described;
use super::mapping::Mapping;
use super::parts::Part;
use super::pattern::Pattern;
use super::place::Place;
use super::request::Request;
use super::template::jackson;
use super::xml::Element;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::Value;
use std::fmt::Write as _;

/// The width of the page where the request does not say one.
const WIDTH: usize = 119;
/// Widths that a request can say; others are taken for the nearest of them.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=1_000;

/// The report. `state` is that of the mapping's scenario.
pub(crate) fn report(mapping: Option<&Mapping>, request: &Request, state: Option<&str>) -> String {
    let Some(mapping) = mapping else {
        return "No response could be served as there are no stub mappings in this WireMock instance."
            .to_owned();
    };
    let title = "Request was not matched";
    let width = request.header("x-wiremock-console-width").and_then(|width| width.trim().parse().ok());
    let width = width.unwrap_or(WIDTH).clamp(*WIDTHS.start(), *WIDTHS.end());
    let indent = " ".repeat((width - title.len()) / 2 - 1);
    let line = "-".repeat(width);
    let mut rows = Rows::of(width);
    let half = rows.half;
    let _ = write!(rows.out, "\n{indent}{title}\n{indent}{}\n\n", "=".repeat(title.len()));
    let _ = write!(rows.out, "{line}\n| {:<half$}| {:<half$}|\n{line}\n", "Closest stub", "Request");
    rows.empty();
    if let Some(name) = &mapping.name {
        rows.row(name, "", None);
        rows.empty();
    }
    rows.request(mapping, request);
    rows.scenario(mapping, state);
    rows.empty();
    rows.out + &line + "\n"
}

/// What of a mapping does not match, for others than WireMock's clients.
pub(crate) fn misses(mapping: &Mapping, request: &Request, state: Option<&str>) -> Vec<Miss> {
    let mut rows = Rows::of(WIDTH);
    rows.request(mapping, request);
    if state != mapping.required_state.as_deref() {
        rows.scenario(mapping, state);
    }
    rows.misses
}

/// One row of the report in which something is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Miss {
    /// What does not match, in WireMock's words.
    pub(crate) message: String,
    /// What the mapping asks for.
    pub(crate) expected: String,
    /// What there was; empty where nothing was.
    pub(crate) actual: String,
}

struct Rows {
    /// Letters of a line in a column; longer ones are broken.
    half: usize,
    out: String,
    misses: Vec<Miss>,
}

/// A part of a request that has names, and how it is told.
struct Named<'a> {
    /// The part of the mapping.
    part: &'a str,
    /// What stands before a name.
    prefix: &'a str,
    /// What it is called.
    what: &'a str,
}

impl Rows {
    fn of(width: usize) -> Self {
        Self { half: (width - 5) / 2, out: String::new(), misses: Vec::new() }
    }

    fn empty(&mut self) {
        self.single("", "", None);
    }

    /// A row with what is wrong with it, where anything is.
    fn told(&mut self, what: &str, expected: &str, actual: &str, holds: bool) {
        let message = match (actual.is_empty(), holds) {
            (true, _) => Some(format!("{what} is not present")),
            (false, false) => Some(format!("{what} does not match")),
            (false, true) => None,
        };
        self.row(expected, actual, message.as_deref());
    }

    fn row(&mut self, left: &str, right: &str, message: Option<&str>) {
        if let Some(message) = message {
            let (message, expected, actual) = (message.to_owned(), left.to_owned(), right.to_owned());
            self.misses.push(Miss { message, expected, actual });
        }
        let (left, right) = (lines(left, self.half), lines(right, self.half));
        for index in 0..left.len().max(right.len()).max(1) {
            let part = |side: &[String]| side.get(index).cloned().unwrap_or_default();
            self.single(&part(&left), &part(&right), message.filter(|_| index == 0));
        }
    }

    fn single(&mut self, left: &str, right: &str, message: Option<&str>) {
        // Up to there the right column is filled before what is wrong is told.
        let (column, told) = (self.half + 2, self.half - 5);
        let _ = write!(self.out, "{left:<column$}|");
        let _ = match (right, message) {
            ("", None) => Ok(()),
            ("", Some(message)) => write!(self.out, "{:<1$}<<<<< {message}", "", told + 1),
            (right, None) => write!(self.out, " {right}"),
            (right, Some(message)) => write!(self.out, " {right:<told$}<<<<< {message}"),
        };
        self.out.push('\n');
    }

    fn scenario(&mut self, mapping: &Mapping, state: Option<&str>) {
        if let (Some(scenario), Some(required), Some(state)) =
            (&mapping.scenario, &mapping.required_state, state)
        {
            let shown = |state: &str| format!("[Scenario '{scenario}' state: {state}]");
            self.told("Scenario", &shown(required), &shown(state), false);
        }
    }

    fn request(&mut self, mapping: &Mapping, request: &Request) {
        self.address(mapping, request);
        self.headers(mapping, request);
        self.path_parameters(mapping, request);
        self.several(mapping, request, &Named { part: "queryParameters", prefix: "Query: ", what: "Query" });
        self.several(
            mapping,
            request,
            &Named { part: "formParameters", prefix: "Form: ", what: "Form data" },
        );
        self.cookies(mapping, request);
        let bodies = mapping.request.shown.get("bodyPatterns").and_then(Value::as_list).unwrap_or_default();
        for (index, pattern) in bodies.iter().enumerate() {
            if !mapping.request.part_holds("bodyPatterns", &index.to_string(), request) {
                self.body(pattern, &request.text(), request.bytes());
            }
        }
        self.multipart(mapping, request);
        let custom = mapping.request.shown.get("customMatcher").and_then(|custom| custom.get("name"));
        if let Some(name) = custom {
            let title = format!("[custom matcher: {}]", name.to_plain_text());
            self.row(&title, &title, None);
        }
    }

    /// From where and to where, method and address.
    fn address(&mut self, mapping: &Mapping, request: &Request) {
        let asked = &mapping.request;
        let text = |name: &str| asked.shown.get(name).map(Value::to_plain_text);
        if let Some(host) = asked.shown.get("host") {
            let (name, expected, _) = described(host);
            let sign = if is_equal(&name) { String::new() } else { format!("[{name}] ") };
            let holds = asked.part_holds("host", "", request);
            self.told("Host", &format!("{sign}{expected}"), &request.host, holds);
        }
        if let Some(port) = text("port") {
            self.told("Port", &port, &request.port.to_string(), asked.part_holds("port", "", request));
        }
        if let Some(address) = asked.shown.get("clientIp") {
            // WireMock compares the address with what it writes for the pattern, which is never the same.
            let (name, _, value) = described(address);
            self.told("ClientIp", &format!("{name} {value}"), &request.client_ip, false);
        }
        if let Some(scheme) = text("scheme") {
            self.told("Scheme", &scheme, &request.scheme, asked.part_holds("scheme", "", request));
        }
        let method = text("method").unwrap_or_else(|| "ANY".to_owned());
        self.told("HTTP method", &method, &request.method, asked.part_holds("method", "", request));
        self.url(mapping, request);
        self.empty();
    }

    fn url(&mut self, mapping: &Mapping, request: &Request) {
        const FORMS: [(&str, &str); 5] = [
            ("url", ""),
            ("urlPattern", "[regex] "),
            ("urlPath", "[path] "),
            ("urlPathPattern", "[path regex] "),
            ("urlPathTemplate", "[path template] "),
        ];
        let asked = &mapping.request;
        let found = FORMS.iter().find_map(|(name, prefix)| Some((asked.shown.get(name)?, *name, *prefix)));
        let Some((expected, name, prefix)) = found else {
            self.row("(always)", &request.url, None);
            return;
        };
        let expected = expected.to_plain_text();
        let mut message = match (request.url.is_empty(), asked.part_holds("url", "", request)) {
            (true, _) => Some("URL is not present".to_owned()),
            (false, false) => Some("URL does not match".to_owned()),
            (false, true) => None,
        };
        let mut more = |text: &str| {
            // What holds, and is told something all the same, WireMock tells like this.
            message = Some(format!("{}{text}", message.as_deref().unwrap_or("null")));
        };
        if name.ends_with("Pattern") && !is_escaped(&expected) {
            more(r#". When using a regex, "?" should be "\?""#);
        }
        if !expected.starts_with('/') {
            more(". URLs must start with a /");
        }
        self.row(&format!("{prefix}{expected}"), &request.url, message.as_deref());
    }

    fn headers(&mut self, mapping: &Mapping, request: &Request) {
        let asked = &mapping.request;
        let all = asked.shown.get("headers").and_then(Value::as_map);
        let mut rows: Vec<(String, String, Vec<&str>, bool)> = Vec::new();
        if let Some(expected) = asked.basic() {
            let left = format!("Authorization [prefix] : Basic {expected}");
            let holds = asked.part_holds("basic", "", request);
            rows.push(("Authorization".to_owned(), left, request.header_values("authorization"), holds));
        }
        for (name, pattern) in all.into_iter().flatten() {
            let holds = asked.part_holds("headers", name, request);
            rows.push((name.clone(), of_header(name, pattern), request.header_values(name), holds));
        }
        if asked.basic().is_some() {
            // With the other headers WireMock puts it into a map without an order of its own.
            let room = room_for(rows.len());
            rows.rotate_left(1);
            rows.sort_by_key(|(name, ..)| bucket(name, room));
        }
        let is_any = !rows.is_empty();
        for (name, left, values, holds) in rows {
            self.told("Header", &left, &shown(&name, &values), holds);
        }
        if is_any {
            self.empty();
        }
    }

    fn path_parameters(&mut self, mapping: &Mapping, request: &Request) {
        let all = mapping.request.shown.get("pathParameters").and_then(Value::as_map);
        let Some(all) = all.filter(|all| !all.is_empty()) else { return };
        if !mapping.request.part_holds("url", "", request) {
            return;
        }
        for (name, actual) in mapping.request.path_values(request) {
            let Some(pattern) = all.get(&name) else { continue };
            let (operator, _, value) = described(pattern);
            let sign = if is_equal(&operator) { " = ".to_owned() } else { format!(" [{operator}] ") };
            let left = format!("Path parameter: {name}{sign}{value}");
            self.told("Path parameter", &left, &actual, holds(pattern, Some(&actual), request));
        }
        self.empty();
    }

    /// Query or form.
    fn several(&mut self, mapping: &Mapping, request: &Request, named: &Named<'_>) {
        let Some(all) = mapping.request.shown.get(named.part).and_then(Value::as_map) else { return };
        let pairs = if named.part == "queryParameters" { request.query() } else { request.form() };
        for (name, pattern) in all {
            let values = pairs.iter().find(|(known, _)| known == name);
            let values: Vec<&str> =
                values.into_iter().flat_map(|(_, values)| values.iter().map(String::as_str)).collect();
            let left = several_of(pattern).unwrap_or_else(|| {
                let (operator, expected, _) = described(pattern);
                let sign = if is_equal(&operator) { " = ".to_owned() } else { format!(" [{operator}] ") };
                format!("{sign}{expected}")
            });
            let left = format!("{}{name}{left}", named.prefix);
            let holds = mapping.request.part_holds(named.part, name, request);
            self.told(named.what, &left, &shown(name, &values), holds);
        }
        self.empty();
    }

    fn cookies(&mut self, mapping: &Mapping, request: &Request) {
        let Some(all) = mapping.request.shown.get("cookies").and_then(Value::as_map) else { return };
        let known = request.cookies();
        for (name, pattern) in all {
            let values = known.iter().find(|(known, _)| known == name).map(|(_, values)| values);
            let actual = values.and_then(|values| values.first()).cloned().unwrap_or_default();
            let (operator, _, value) = described(pattern);
            let sign = if is_equal(&operator) { "=".to_owned() } else { format!(" [{operator}] ") };
            let fits = values.is_some_and(|values| {
                values.iter().any(|value| holds(pattern, Some(value.as_str()), request))
            });
            self.told("Cookie", &format!("Cookie: {name}{sign}{value}"), &actual, fits);
        }
        self.empty();
    }

    /// A body that does not match.
    fn body(&mut self, pattern: &Value, text: &str, bytes: &[u8]) {
        let (operator, expected, _) = described(pattern);
        match operator.as_str() {
            "matchesJsonPath" | "matchesXPath" => {
                let operand = pattern.get(&operator).cloned().unwrap_or_default();
                if matches!(operand, Value::Text(_)) {
                    self.told("Body", &expected, text, false);
                    return;
                }
                let (name, inner, _) = described(&operand);
                let found = Pattern::read(&Place::whole(pattern)).ok().and_then(|read| read.found(text));
                let left = format!("{expected} [{name}] {inner}");
                self.told("Body", &left, found.as_deref().unwrap_or(text), false);
            }
            "binaryEqualTo" => self.told("Body", &expected, &STANDARD.encode(bytes), false),
            _ => {
                let formatted = match operator.as_str() {
                    "equalToJson" => seam_value::parse(text).map(|value| jackson(&value)).ok(),
                    "equalToXml" => Element::parse(text.trim()).map(|root| root.to_pretty()).ok(),
                    _ => None,
                };
                let actual = formatted.unwrap_or_else(|| text.to_owned());
                self.told("Body", &format!("[{operator}]\n{expected}"), &format!("\n{actual}"), false);
            }
        }
    }

    fn multipart(&mut self, mapping: &Mapping, request: &Request) {
        let all = mapping.request.shown.get("multipartPatterns").and_then(Value::as_list);
        for (index, pattern) in all.unwrap_or_default().iter().enumerate() {
            if !request.is_multipart() {
                let title = "[Multipart request body]";
                self.told(title, title, "", true);
                continue;
            }
            if mapping.request.multipart_holds(index, request) {
                continue;
            }
            for part in request.parts() {
                let name = part.name.as_deref().unwrap_or_default();
                let wanted = pattern.get("name").map(|name| format!(": {}", name.to_plain_text()));
                self.empty();
                self.row(&format!("[Multipart{}]", wanted.unwrap_or_default()), &format!("[{name}]"), None);
                self.empty();
                if !mapping.request.multipart_part_holds(index, part, request.at) {
                    self.part(pattern, part, request);
                    self.empty();
                }
                self.row("[/Multipart]", &format!("[/{name}]"), None);
                self.empty();
            }
        }
    }

    fn part(&mut self, pattern: &Value, part: &Part, request: &Request) {
        let headers = pattern.get("headers").and_then(Value::as_map);
        for (name, one) in headers.into_iter().flatten() {
            let values = part.header_values(name);
            let fits = if values.is_empty() {
                holds(one, None, request)
            } else {
                values.iter().any(|value| holds(one, Some(value), request))
            };
            self.told("Header", &of_header(name, one), &shown(name, &values), fits);
        }
        if headers.is_some_and(|headers| !headers.is_empty()) {
            self.empty();
        }
        let text = part.text();
        for one in pattern.get("bodyPatterns").and_then(Value::as_list).unwrap_or_default() {
            let read = Pattern::read(&Place::whole(one));
            if !read.is_ok_and(|read| read.matches_bytes(&part.body, &text, request.at)) {
                self.body(one, &text, &part.body);
            }
        }
    }
}

fn holds(pattern: &Value, value: Option<&str>, request: &Request) -> bool {
    Pattern::read(&Place::whole(pattern)).is_ok_and(|read| read.matches(value, request.at))
}

/// Does this operator need no name, because it says what is equal?
fn is_equal(operator: &str) -> bool {
    matches!(operator, "equalTo" | "equalToJson" | "equalToXml" | "binaryEqualTo")
}

/// ` exactly [equalTo 1 AND contains 2]`, where a pattern is for all values of a name.
fn several_of(pattern: &Value) -> Option<String> {
    let (word, all) = [("exactly", "hasExactly"), ("including", "includes")]
        .into_iter()
        .find_map(|(word, name)| Some((word, pattern.get(name)?.as_list()?)))?;
    let all: Vec<String> = all
        .iter()
        .map(|one| {
            let (name, expected, _) = described(one);
            format!("{name} {expected}")
        })
        .collect();
    Some(format!(" {word} [{}]", all.join(" AND ")))
}

/// A header as it is expected.
fn of_header(name: &str, pattern: &Value) -> String {
    if let Some(several) = several_of(pattern) {
        return format!("{name}{several}");
    }
    let (operator, expected, _) = described(pattern);
    let sign = if is_equal(&operator) { String::new() } else { format!(" [{operator}] ") };
    if expected.is_empty() { format!("{name}{sign}") } else { format!("{name}{sign}: {expected}") }
}

/// All values of a name, a line for each.
fn shown(name: &str, values: &[&str]) -> String {
    values.iter().map(|value| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// Is the first question mark of a regular expression escaped?
fn is_escaped(expression: &str) -> bool {
    match expression.find('?') {
        None => true,
        Some(at) => at >= 2 && expression[..at].ends_with('\\'),
    }
}

/// How much room Java's maps without an order have for so many names, the last of which was put in later.
fn room_for(n_names: usize) -> u32 {
    let n_first = n_names.saturating_sub(1);
    let room = (n_first * 4 / 3 + 1).next_power_of_two();
    let room = if n_names * 4 > room * 3 { room * 2 } else { room };
    u32::try_from(room).unwrap_or(16)
}

/// In which order such a map with so much room, a power of two, gives names.
pub(crate) fn bucket(name: &str, room: u32) -> u32 {
    let hash =
        name.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) & (room - 1)
}

/// A text in lines that fit the column: where one is too long all are broken anew.
fn lines(text: &str, most: usize) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let is_long = text.split('\n').any(|line| line.chars().count() > most);
    let text = if is_long { wrapped(&text, most) } else { text };
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    while lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Broken at spaces, or within words that are too long; empty lines are left out. Ends of lines count like letters.
fn wrapped(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < letters.len() {
        let seen = &letters[at..(at + most + 1).min(letters.len())];
        if seen.first() == Some(&' ') {
            at += 1;
            continue;
        }
        if letters.len() - at <= most {
            break;
        }
        let end = seen.iter().rposition(|letter| *letter == ' ').unwrap_or(most);
        out.extend(&letters[at..at + end]);
        out.push('\n');
        at += if seen.get(end) == Some(&' ') { end + 1 } else { end };
    }
    out.extend(&letters[at.min(letters.len())..]);
    let mut lines: Vec<&str> = out.split('\n').collect();
    let last = lines.pop().unwrap_or_default();
    lines.retain(|line| !line.trim_matches([' ', '\t', '\r']).is_empty());
    lines.push(last);
    lines.join("\n")
}
