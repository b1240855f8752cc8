//! Reads the fields of an `http` step, with those that the file's defaults add.

use super::address::Address;
use super::{Authorization, ContentInput, Follow, Headers, HttpAction, Method, Version, WORD};
use crate::input::{Input, Inputs, Piece, pieces};
use crate::kind::Reading;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Entry, Fields, Node, NodeKind, Step};

/// The fields of which at most one may be there.
const CONTENTS: [&str; 6] = ["json", "form", "multipart", "text", "xml", "body_file"];

pub(super) fn read(step: &Step, reading: &mut Reading<'_>) -> Option<HttpAction> {
    let mut fields = Fields::over(&step.inputs, step.span, "the `http` step");
    let path = fields.take("path").map(|node| Input::read(node, reading.found));
    let query = map(fields.take("query").or_else(|| default(reading, "query")), "query", reading.found);
    let headers = read_headers(&mut fields, reading);
    let cookies = [default(reading, "cookies"), fields.take("cookies")];
    let cookies = cookies.into_iter().filter_map(|node| map(node, "cookies", reading.found)).collect();
    let content = read_content(&mut fields, reading.found);
    let authorization = read_authorization(&mut fields, reading);
    let follow = fields.take("follow").or_else(|| default(reading, "follow"));
    let follow = follow.map_or(Follow::Some(0), |node| read_follow(node, reading.found));
    let version = fields.take("version").or_else(|| default(reading, "version"));
    let version = version.map_or(Version::One, |node| read_version(node, reading.found));
    fields.finish(reading.found);
    let (method, address) = read_subject(&step.subject, reading)?;
    if let (Some(path), true) = (&path, address.has_path()) {
        reading.found.push(
            Diagnostic::error("the path is said twice")
                .at(path.span(), "")
                .also(address.span(), "here")
                .hint("with `path:` the address is the component alone"),
        );
        return None;
    }
    let folder = reading.folder.to_owned();
    Some(HttpAction {
        method,
        address,
        path,
        query,
        headers,
        cookies,
        content,
        authorization,
        follow,
        version,
        folder,
    })
}

/// What all steps of the file take over under a key.
fn default<'a>(reading: &Reading<'a>, key: &str) -> Option<&'a Node> {
    // Only what the table says is a field of this kind.
    WORD.field(key)?;
    reading.defaults.inputs.iter().find(|entry| entry.key.value == key).map(|entry| &entry.node)
}

/// A map, or a variable that will be one.
fn map(node: Option<&Node>, key: &str, found: &mut Diagnostics) -> Option<Input> {
    let node = node?;
    match &node.kind {
        NodeKind::Map(_) | NodeKind::Null => {}
        NodeKind::Text { text, .. } if text.starts_with('$') => {}
        _ => {
            let label = format!("this is {}", node.kind_name());
            found.push(Diagnostic::error(format!("`{key}` must be a map")).at(node.span, label));
            return None;
        }
    }
    Some(Input::read(node, found))
}

fn read_headers(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Vec<Headers> {
    let nodes = [default(reading, "headers"), fields.take("headers")];
    let mut headers = Vec::new();
    for node in nodes.into_iter().flatten() {
        if let Some(entries) = node.as_map() {
            for entry in entries {
                check_header(entry, reading.found);
            }
            headers.push(Headers::Named(Inputs::read(entries, reading.found)));
        } else if let Some(input) = map(Some(node), "headers", reading.found) {
            headers.push(Headers::Variable(input));
        }
    }
    headers
}

fn check_header(entry: &Entry, found: &mut Diagnostics) {
    let name = &entry.key.value;
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        found.push(
            Diagnostic::error(format!("`{name}` can't be the name of a header")).at(entry.key.span, ""),
        );
    }
    if matches!(entry.node.kind, NodeKind::Map(_)) {
        let label = format!("this is {}", entry.node.kind_name());
        found.push(
            Diagnostic::error(format!("the header `{name}` must be a text")).at(entry.node.span, label),
        );
    }
}

fn read_content(fields: &mut Fields<'_>, found: &mut Diagnostics) -> ContentInput {
    let mut given: Vec<(&str, &Entry)> = Vec::new();
    for key in CONTENTS {
        given.extend(fields.take_entry(key).map(|entry| (key, entry)));
    }
    let [(key, entry), others @ ..] = given.as_slice() else { return ContentInput::Nothing };
    for (other, second) in others {
        found.push(
            Diagnostic::error(format!("a request has one body: `{key}` or `{other}`"))
                .at(second.key.span, "")
                .also(entry.key.span, "the other one"),
        );
    }
    let input = match *key {
        "form" | "multipart" => match map(Some(&entry.node), key, found) {
            Some(input) => input,
            None => return ContentInput::Nothing,
        },
        _ => Input::read(&entry.node, found),
    };
    match *key {
        "json" => ContentInput::Json(input),
        "form" => ContentInput::Form(input),
        "multipart" => {
            check_parts(&entry.node, found);
            ContentInput::Multipart(input)
        }
        "xml" => ContentInput::Xml(input),
        "body_file" => ContentInput::File(input),
        _ => ContentInput::Text(input),
    }
}

/// The keys of a part that is a map.
fn check_parts(node: &Node, found: &mut Diagnostics) {
    const KEYS: [&str; 5] = ["file", "text", "json", "type", "name"];
    for part in node.as_map().unwrap_or_default() {
        let elements = part.node.as_list().unwrap_or(std::slice::from_ref(&part.node));
        for entry in elements.iter().filter_map(Node::as_map).flatten() {
            let key = &entry.key.value;
            if !KEYS.contains(&key.as_str()) {
                let error =
                    Diagnostic::error(format!("unknown key `{key}` in a part")).at(entry.key.span, "");
                found.push(error.suggest(key, KEYS));
            }
        }
    }
}

fn read_authorization(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Authorization> {
    let (bearer, basic) = (fields.take_entry("bearer"), fields.take_entry("basic"));
    if let (Some(bearer), Some(basic)) = (bearer, basic) {
        reading.found.push(
            Diagnostic::error("a request signs in once: `bearer` or `basic`")
                .at(basic.key.span, "")
                .also(bearer.key.span, "the other one"),
        );
    }
    let nodes = match (bearer, basic) {
        (None, None) => (default(reading, "bearer"), default(reading, "basic")),
        (bearer, basic) => (bearer.map(|entry| &entry.node), basic.map(|entry| &entry.node)),
    };
    match nodes {
        (Some(bearer), _) => Some(Authorization::Bearer(Input::read(bearer, reading.found))),
        (None, Some(basic)) => {
            check_basic(basic, reading.found);
            Some(Authorization::Basic(Input::read(basic, reading.found)))
        }
        (None, None) => None,
    }
}

/// `{ user: …, password: … }`, or a text.
fn check_basic(node: &Node, found: &mut Diagnostics) {
    if node.as_map().is_some() {
        let mut fields = Fields::of(node, "`basic`", found);
        fields.require("user", found);
        fields.require("password", found);
        fields.finish(found);
    } else if node.as_text().is_none() {
        let label = format!("this is {}", node.kind_name());
        let error = Diagnostic::error("`basic` must be a map").at(node.span, label);
        found.push(error.hint("write `basic: { user: …, password: … }`"));
    }
}

fn read_follow(node: &Node, found: &mut Diagnostics) -> Follow {
    match &node.kind {
        NodeKind::Bool(true) => Follow::All,
        NodeKind::Bool(false) => Follow::Some(0),
        NodeKind::Number(number) if number.as_i64().is_some_and(|count| (0..=100).contains(&count)) => {
            Follow::Some(number.as_i64().map_or(0, i64::unsigned_abs))
        }
        _ => {
            let label = format!("this is {}", node.kind_name());
            let error =
                Diagnostic::error("`follow` must be `true`, or how many redirects").at(node.span, label);
            found.push(error);
            Follow::Some(0)
        }
    }
}

fn read_version(node: &Node, found: &mut Diagnostics) -> Version {
    let written = match &node.kind {
        NodeKind::Number(number) => number.to_string(),
        _ => node.as_text().unwrap_or_default().to_owned(),
    };
    match written.as_str() {
        "1" | "1.1" => Version::One,
        "2" | "2.0" => Version::Two,
        _ => {
            let label =
                if written.is_empty() { format!("this is {}", node.kind_name()) } else { String::new() };
            found.push(Diagnostic::error("`version` must be `1.1` or `2`").at(node.span, label));
            Version::One
        }
    }
}

/// `POST gateway/orders`, `$method gateway/orders`
fn read_subject(node: &Node, reading: &mut Reading<'_>) -> Option<(Method, Address)> {
    crate::subject::text(node, "GET gateway/orders", reading)?;
    let mut pieces = pieces(node, reading.found)?;
    let incomplete = |reading: &mut Reading<'_>| {
        reading.found.push(
            Diagnostic::error("a method and an address are needed here")
                .at(node.span, "")
                .hint("write them like `GET gateway/orders`"),
        );
    };
    let method = match pieces.first_mut() {
        Some(Piece::Fixed { text, offset }) => {
            let start = text.len() - text.trim_start().len();
            let Some(length) = text[start..].find(char::is_whitespace) else {
                incomplete(reading);
                return None;
            };
            let word = text[start..start + length].to_owned();
            let place = node.part(*offset + start, length);
            let after = text[start + length..].len() - text[start + length..].trim_start().len();
            *offset += start + length + after;
            *text = text[start + length + after..].to_owned();
            if text.is_empty() {
                pieces.remove(0);
            }
            let is_name = word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
            match http::Method::from_bytes(word.to_ascii_uppercase().as_bytes()) {
                Ok(method) if is_name => Method::Fixed(method),
                _ => {
                    let error = Diagnostic::error(format!("`{word}` is no method of HTTP")).at(place, "");
                    reading.found.push(error.hint("write one in front of the address: `GET gateway/orders`"));
                    return None;
                }
            }
        }
        Some(Piece::Part(_)) => {
            let Piece::Part(variable) = pieces.remove(0) else { return None };
            match pieces.first_mut() {
                Some(Piece::Fixed { text, offset }) if text.starts_with(char::is_whitespace) => {
                    let length = text.len() - text.trim_start().len();
                    *offset += length;
                    *text = text[length..].to_owned();
                    if text.is_empty() {
                        pieces.remove(0);
                    }
                }
                _ => {
                    incomplete(reading);
                    return None;
                }
            }
            Method::Variable(variable)
        }
        None => {
            incomplete(reading);
            return None;
        }
    };
    Some((method, Address::read(pieces, node, reading)?))
}

#[cfg(test)]
mod tests {
    use crate::action::Target;
    use crate::testing::{in_a_file, mistakes, read_file, step};

    #[test]
    fn mistakes_are_told_at_their_place() {
        mistakes(&[
            ("- http: GET gatway/x", "there is no component `gatway` [gatway] {did you mean `gateway`?}"),
            (
                "- http: GET gateway.admn/x",
                "`gateway` has no endpoint or database `admn` [admn] {did you mean `admin`?}",
            ),
            ("- http: GET pg.orders/x", "`pg.orders` does not speak http [pg.orders: this speaks postgres]"),
            (
                "- http: gateway/x",
                "a method and an address are needed here [gateway/x] {write them like `GET gateway/orders`}",
            ),
            (
                "- http: GET",
                "a method and an address are needed here [GET] {write them like `GET gateway/orders`}",
            ),
            (
                "- http: G@T gateway/x",
                "`G@T` is no method of HTTP [G@T] {write one in front of the address: `GET gateway/orders`}",
            ),
            (
                "- http: GET http://127.0.0.1:80/x",
                "an address begins with a component [http://127.0.0.1:80/x] {declare it in seam.yaml (`external: …`) \
                 and write its name: `GET api/path`}",
            ),
            (
                "- http: GET gate$way/x",
                "a component's name can't be put together from parts [GET gate$way/x] {write the name, or one \
                 variable for all of it}",
            ),
            ("- http: GET $site-1/x", "a path must follow the variable, beginning with `/` [GET $site-1/x]"),
            ("- http: 5", "expected `GET gateway/orders` [5: this is a number]"),
            (
                "- http: GET gateway/x\n  path: $there",
                "the path is said twice [$there] {with `path:` the address is the component alone}",
            ),
            (
                "- http: POST gateway/x\n  json: {}\n  form: {}",
                "a request has one body: `json` or `form` [form]",
            ),
            ("- http: GET gateway/x\n  query: 5", "`query` must be a map [5: this is a number]"),
            ("- http: GET gateway/x\n  headers: { a b: c }", "`a b` can't be the name of a header [a b]"),
            (
                "- http: GET gateway/x\n  basic: { usr: a, password: b }",
                "unknown key `usr` in `basic` [usr] {did you mean `user`?}",
            ),
            (
                "- http: GET gateway/x\n  bearer: a\n  basic: { user: a, password: b }",
                "a request signs in once: `bearer` or `basic` [basic]",
            ),
            (
                "- http: GET gateway/x\n  follow: often",
                "`follow` must be `true`, or how many redirects [often: this is a text]",
            ),
            ("- http: GET gateway/x\n  version: 3", "`version` must be `1.1` or `2` [3]"),
            (
                "- http: POST gateway/x\n  multipart: { a: { fil: x.png } }",
                "unknown key `fil` in a part [fil] {did you mean `file`?}",
            ),
            (
                "- http: GET gateway/x\n  quary: {}",
                "unknown key `quary` in the step `http` [quary] {did you mean `query`?}",
            ),
        ]);
    }

    #[test]
    fn several_mistakes_are_told_at_once() {
        let told = read_file(&in_a_file("- http: GET nowhere/$x\n  query: []\n  json: { a: '${ 1 + }' }"))
            .err()
            .unwrap();
        assert_eq!(told.len(), 3, "{told:#?}");
    }

    #[test]
    fn variables_and_targets_are_known_before_anything_runs() {
        let action = step(
            "- http: $method gateway.admin/orders/$order.id?full=$full\n  query: { page: $page }\n  \
             headers: { X-A: a $header }\n  json: { items: [$item, { n: '${ count + 1 }' }] }\n  bearer: $token",
        );
        let mut names: Vec<String> = action.uses().into_iter().map(|used| used.name).collect();
        names.sort();
        assert_eq!(names, ["count", "full", "header", "item", "method", "order", "page", "token"]);
        let [Target::Endpoint { component, endpoint, .. }] = &action.targets()[..] else { panic!() };
        assert_eq!((component.as_str(), endpoint.as_str()), ("gateway", "admin"));
        assert!(matches!(step("- http: GET $link").targets()[..], [Target::Unknown { .. }]));
    }

    #[test]
    fn only_safe_methods_may_be_repeated() {
        for (text, expect) in [
            ("- http: GET gateway/x", true),
            ("- http: head gateway/x", true),
            ("- http: POST gateway/x", false),
            ("- http: DELETE gateway/x", false),
            ("- http: $method gateway/x", false),
        ] {
            assert_eq!(step(text).only_reads(), expect, "{text}");
        }
    }
}
