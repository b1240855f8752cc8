//! Reads a recording: all mistakes at once, each at its place. What it does not know it passes over, because a later version
//! may have written it; a version that is newer as a whole is refused.

use crate::har_read::{Archive, from_har};
use crate::recording::{Recorded, Recording, VERSION, seam_of};
use crate::stubs::as_stubs;
use crate::volatile::Volatile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_diag::{Diagnostic, Diagnostics, FileId, Span};
use seam_manifest::parse;
use seam_model::{Entry, Fields, Node, NodeKind};
use seam_stub::{Reading, Stubs};
use seam_value::{Map, Value};

/// What stands around a recording or an archive.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The bytes of a file that it names, by the path from its own folder; the error says in one line why not. Others may
    /// have written it, so what does not lie below that folder is none of its files.
    pub read_file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// Has this file the head of a recording?
pub fn is_recording(node: &Node) -> bool {
    node.get("recording").is_some()
}

/// Is this file an archive of HTTP, by its name?
fn is_archive(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("har"))
}

/// Reads a file that stands in a provider's place: a recording, an archive, or stubs. `path` is as it was written; `around`
/// is what lies beside the file.
pub fn read_stub_file(
    (path, file, text): (&str, FileId, &str),
    reading: &Reading<'_>,
    around: &Around<'_>,
    found: &mut Diagnostics,
) -> Option<Stubs> {
    if is_archive(path) {
        return read_har((file, text), reading, around, found);
    }
    let mut ignored = Diagnostics::default();
    // Only a head makes a recording; whatever is wrong in anything else is told by whoever reads that.
    let has_head = text.lines().any(|line| line.starts_with("recording:"));
    let Some(node) = has_head.then(|| parse(file, text, &mut ignored)).flatten().filter(is_recording) else {
        return seam_stub::read_file(file, text, reading, found);
    };
    let before = found.n_errors();
    found.append(ignored);
    let recording = read_node(&node, around, found)?;
    if recording.protocol != reading.protocol.name() {
        let title = format!(
            "this recording speaks `{}`, the seam speaks `{}`",
            recording.protocol,
            reading.protocol.name()
        );
        found.push(Diagnostic::error(title).at(node.span.part(0, 1), ""));
    }
    (found.n_errors() == before).then(|| as_stubs(&recording, node.span, reading, found)).flatten()
}

/// An archive of HTTP in a provider's place, whichever of its hosts was asked.
fn read_har(
    (file, text): (FileId, &str),
    reading: &Reading<'_>,
    around: &Around<'_>,
    found: &mut Diagnostics,
) -> Option<Stubs> {
    let span = Span::at_start(file);
    let Archive { recordings, noted } = match from_har(text, around) {
        Ok(archive) => archive,
        Err(error) => {
            found.push(Diagnostic::error("this is no HAR").at(span, error.to_string()));
            return None;
        }
    };
    for noted in noted {
        found.push(Diagnostic::warning(noted.to_string()).at(span, ""));
    }
    let mut stubs = Stubs { list: Vec::new(), state: None };
    for recording in &recordings {
        stubs.list.extend(as_stubs(recording, span, reading, found)?.list);
    }
    Some(stubs)
}

/// Reads a recording whose text is known. None where anything is wrong, which is told.
pub fn read(file: FileId, text: &str, around: &Around<'_>, found: &mut Diagnostics) -> Option<Recording> {
    let node = parse(file, text, found)?;
    read_node(&node, around, found)
}

fn read_node(node: &Node, around: &Around<'_>, found: &mut Diagnostics) -> Option<Recording> {
    let before = found.n_errors();
    let mut fields = Fields::of(node, "the recording", found);
    if !fields.is_map() {
        return None;
    }
    let head = fields.require("recording", found)?;
    match head.to_value().as_i64() {
        Some(version) if version > VERSION.cast_signed() => {
            let title = format!("this recording has version {version}; this seam reads up to {VERSION}");
            found.push(
                Diagnostic::error(title)
                    .at(head.span, "")
                    .hint("a newer seam wrote it: take that, or record anew"),
            );
            return None;
        }
        Some(version) if version >= 1 => {}
        _ => {
            found.push(Diagnostic::error("`recording` must be the version of the format").at(head.span, ""));
            return None;
        }
    }
    let seam = fields.require("seam", found).and_then(|node| {
        let seam = node.as_text().and_then(seam_of);
        if seam.is_none() {
            found.push(
                Diagnostic::error("`seam` must be a consumer and a provider")
                    .at(node.span, "")
                    .hint("write `seam: web -> api`"),
            );
        }
        seam
    });
    let protocol = fields.require("protocol", found).and_then(|node| read_protocol(node, found));
    let volatile = read_volatile(&mut fields, found);
    let interactions: Vec<Recorded> = fields
        .list("interactions", found)
        .iter()
        .filter_map(|node| read_interaction(node, around, protocol.as_deref(), found))
        .zip(1..)
        .map(|(recorded, number)| Recorded { number, ..recorded })
        .collect();
    // What else stands there a later version may have written.
    fields.rest();
    (found.n_errors() == before)
        .then(|| Some(Recording { seam: seam?, protocol: protocol?, volatile, interactions }))
        .flatten()
}

fn read_volatile(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Vec<Volatile> {
    let mut list = Vec::new();
    for text in fields.texts("volatile", found) {
        match Volatile::parse(&text.value) {
            Ok(volatile) if matches!(volatile.path.first(), "request" | "reply" | "message") => {
                list.push(volatile);
            }
            Ok(volatile) => found.push(
                Diagnostic::error(format!("an interaction has no `{}`", volatile.path.first()))
                    .at(text.span, "")
                    .hint("begin with `request.`, `reply.` or `message.`"),
            ),
            Err(error) => {
                let title = format!("`{}` is no path", text.value);
                found.push(Diagnostic::error(title).at(text.span, error.message));
            }
        }
    }
    list
}

/// A protocol that can be read; which ones there are is told where it is none.
fn read_protocol(node: &Node, found: &mut Diagnostics) -> Option<String> {
    let name = node.scalar_text().unwrap_or_default();
    if seam_wire::protocol(&name).is_some() {
        return Some(name);
    }
    let names = seam_wire::PROTOCOLS.iter().map(|protocol| protocol.name());
    let title = format!("there is no protocol `{name}`");
    found.push(Diagnostic::error(title).at(node.span, "").suggest(&name, names));
    None
}

/// Without these nobody could tell what was asked: each protocol's requests have one of these groups of fields, whole.
fn needed(protocol: &str) -> &'static [&'static [&'static str]] {
    match protocol {
        "http" | "http2" => &[&["method", "path"]],
        "grpc" => &[&["service", "method"], &["method", "path"]],
        "redis" => &[&["command"]],
        "postgres" => &[&["statement"], &["user"], &["cancel"], &["function"]],
        "mysql" => &[&["statement"], &["user"]],
        _ => &[],
    }
}

/// Tells a request that lacks what says what was asked. A key that is misspelt is found that way, too.
fn check_request(node: &Node, protocol: &str, found: &mut Diagnostics) {
    let groups = needed(protocol);
    let name = |entry: &'_ Entry| entry.key.value.trim_end_matches("_file").to_owned();
    let names: Vec<String> = node.as_map().into_iter().flatten().map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if groups.is_empty() || groups.iter().any(|group| group.iter().all(|name| names.contains(name))) {
        return;
    }
    let Some(missing) = groups[0].iter().find(|name| !names.contains(name)) else { return };
    let mistake = Diagnostic::error(format!("a request of {protocol} has a `{missing}`"));
    let entries = node.as_map().into_iter().flatten();
    let odd = entries.filter(|entry| seam_diag::did_you_mean(&entry.key.value, [*missing]).is_some());
    found.push(match odd.map(|entry| &entry.key).next() {
        Some(key) => mistake.at(key.span, "").hint(format!("did you mean `{missing}`?")),
        None => mistake.at(node.span.part(0, 1), "this one has none"),
    });
}

fn read_interaction(
    node: &Node,
    around: &Around<'_>,
    protocol: Option<&str>,
    found: &mut Diagnostics,
) -> Option<Recorded> {
    if let (Some(request), Some(protocol)) = (node.get("request"), protocol)
        && request.as_map().is_some()
    {
        check_request(request, protocol, found);
    }
    let mut fields = Fields::of(node, "the interaction", found);
    let mut part = |name: &'static str, found: &mut Diagnostics| {
        fields.take(name).map_or(Value::Null, |node| read_part(node, around, found))
    };
    let request = part("request", found);
    let reply = part("reply", found);
    let message = part("message", found);
    let volatile = read_volatile(&mut fields, found);
    let recorded = Recorded {
        test: fields.text("test", found).map(|text| text.value),
        request,
        reply,
        message,
        error: fields.text("error", found).map(|text| text.value),
        elapsed: fields.duration("elapsed", found),
        connection: fields.integer("connection", found),
        volatile,
        number: 0,
        span: Some(node.span),
    };
    fields.rest();
    // An interaction of a kind that this version does not know says nothing to it.
    (recorded.request != Value::Null || recorded.message != Value::Null).then_some(recorded)
}

/// A part with what stands in files beside put back.
fn read_part(node: &Node, around: &Around<'_>, found: &mut Diagnostics) -> Value {
    let NodeKind::Map(entries) = &node.kind else { return node.to_value() };
    let mut map = Map::default();
    for entry in entries {
        match entry.key.value.strip_suffix("_file") {
            Some(name) if !name.is_empty() => {
                if let Some(value) = read_beside(entry, around, found) {
                    map.insert(name.to_owned(), value);
                }
            }
            _ => {
                map.insert(entry.key.value.clone(), entry.node.to_value());
            }
        }
    }
    Value::Map(map)
}

fn read_beside(entry: &Entry, around: &Around<'_>, found: &mut Diagnostics) -> Option<Value> {
    let key = &entry.key.value;
    let Some(path) = entry.node.as_text() else {
        found.push(Diagnostic::error(format!("`{key}` must be a path")).at(entry.node.span, ""));
        return None;
    };
    let value = (around.read_file)(path).and_then(|bytes| from_bytes(path, bytes));
    match value {
        Ok(value) => Some(value),
        Err(reason) => {
            found.push(Diagnostic::error(format!("`{path}` can't be read")).at(entry.node.span, reason));
            None
        }
    }
}

fn from_bytes(path: &str, bytes: Vec<u8>) -> Result<Value, String> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.into_bytes();
            return Ok(Value::map([("base64", Value::Text(STANDARD.encode(bytes)))]));
        }
    };
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    if ending == "json" {
        return seam_value::parse(&text).map_err(|error| error.to_string());
    }
    if ending == "bin" {
        return Ok(Value::map([("base64", Value::Text(STANDARD.encode(text)))]));
    }
    Ok(Value::Text(text))
}
