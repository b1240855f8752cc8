//! HAR 1.2, the archive of HTTP that browsers and proxies write: out of what happened, and in as recordings.

use crate::learn::learn_alone;
use crate::normal::{is_http, normal};
use crate::recording::{Recorded, Recording, seam_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use seam_event::{Endpoint, Event, Interaction, SeamId, TestId, What};
use seam_value::{Map, Value};
use seam_wire::body;
use std::time::Duration;

/// Of a browser's many headers those that say what is asked.
const ASKING: &[&str] = &["accept", "accept-language", "authorization", "content-type", "range", "x-api-key"];

/// Why a text is no HAR.
#[derive(Debug, thiserror::Error)]
pub enum HarError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NoJson(#[from] seam_value::JsonError),
    /// It has no entries.
    #[error("it has no `log.entries`")]
    NoEntries,
}

/// All HTTP that passed, as a HAR. `version` is the program's.
pub fn to_har(events: &[Event], version: &str) -> Value {
    let began = events.iter().find_map(|event| match &event.what {
        What::Plan { began, .. } => began.parse().ok(),
        _ => None,
    });
    let passed = events.iter().filter_map(|event| match &event.what {
        What::Interaction(passed) => Some((passed, event.scope.test.as_ref())),
        _ => None,
    });
    archive(passed, began.unwrap_or(Timestamp::UNIX_EPOCH), version)
}

/// The HTTP among interactions as a HAR, each with the test in which it passed, where it was in one. `began` is the moment
/// from which their times count; `version` is the program's.
pub fn archive<'a>(
    passed: impl Iterator<Item = (&'a Interaction, Option<&'a TestId>)>,
    began: Timestamp,
    version: &str,
) -> Value {
    let mut passed: Vec<_> =
        passed.filter(|(one, _)| is_http(&one.protocol) && one.request != Value::Null).collect();
    passed.sort_by_key(|(one, _)| (one.at, one.id));
    let entries = passed.into_iter().map(|(one, test)| entry(one, test, began)).collect();
    let creator = Value::map([("name", Value::text("Seamwork")), ("version", Value::text(version))]);
    let log = Value::map([
        ("version", Value::text("1.2")),
        ("creator", creator),
        ("entries", Value::List(entries)),
    ]);
    Value::map([("log", log)])
}

fn entry(passed: &Interaction, test: Option<&TestId>, began: Timestamp) -> Value {
    let started = began.checked_add(passed.at).unwrap_or(began);
    let millis = passed.elapsed.map_or(-1.0, |elapsed| elapsed.as_secs_f64() * 1000.0);
    let millis =
        seam_value::Number::parse(&format!("{:.3}", millis.max(0.0))).map_or(Value::Null, Value::Number);
    let timings =
        Value::map([("send", Value::from(0_i64)), ("wait", millis.clone()), ("receive", Value::from(0_i64))]);
    let mut entry = Map::new();
    let mut put = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
    put("startedDateTime", Value::Text(started.to_string()));
    put("time", millis);
    put("request", request(passed));
    put("response", response(passed));
    put("cache", Value::Map(Map::new()));
    put("timings", timings);
    put("connection", Value::Text(passed.connection.to_string()));
    put("_seam", Value::Text(passed.seam.to_string()));
    if let Some(test) = test {
        put("_test", Value::text(test.as_str()));
    }
    if let Some(error) = passed.error {
        put("_error", Value::text(error.name()));
    }
    if let Some(by) = &passed.answered_by {
        put("_answeredBy", Value::text(by));
    }
    Value::Map(entry)
}

fn request(passed: &Interaction) -> Value {
    let request = &passed.request;
    let text = |name: &str| request.get(name).and_then(Value::as_text).unwrap_or_default();
    let host = request.get("headers").and_then(|headers| headers.get("host")).and_then(Value::as_text);
    let host = host.map_or_else(|| passed.seam.provider.to_string(), str::to_owned);
    let pairs = query_pairs(request.get("query"));
    let query: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let cookies = request.get("cookies").and_then(Value::as_map);
    let cookies =
        cookies.into_iter().flatten().map(|(name, value)| pair(name, &value.to_plain_text())).collect();
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("method", Value::text(text("method")));
    put("url", Value::Text(format!("http://{host}{}{query}", text("path"))));
    put("httpVersion", Value::text(version(&passed.protocol)));
    put("cookies", Value::List(cookies));
    put("headers", headers(request));
    put("queryString", Value::List(pairs.iter().map(|(name, value)| pair(name, value)).collect()));
    let (content, is_packed) = content(request);
    if !content.is_empty() {
        let mut data = vec![
            ("mimeType", Value::text(header(request, "content-type").unwrap_or_default())),
            ("text", Value::text(content)),
        ];
        if is_packed {
            data.push(("comment", Value::text("base64")));
        }
        put("postData", Value::map(data));
    }
    put("headersSize", Value::from(-1_i64));
    put("bodySize", length(request));
    Value::Map(out)
}

fn response(passed: &Interaction) -> Value {
    let reply = &passed.reply;
    let (text, is_packed) = content(reply);
    let media = header(reply, "content-type").unwrap_or("x-unknown");
    let mut content =
        vec![("size", length(reply)), ("mimeType", Value::text(media)), ("text", Value::text(text))];
    if is_packed {
        content.push(("encoding", Value::text("base64")));
    }
    Value::map([
        ("status", reply.get("status").cloned().unwrap_or(Value::from(0_i64))),
        ("statusText", Value::text("")),
        ("httpVersion", Value::text(version(&passed.protocol))),
        ("cookies", Value::List(Vec::new())),
        ("headers", headers(reply)),
        ("content", Value::map(content)),
        ("redirectURL", Value::text(header(reply, "location").unwrap_or_default())),
        ("headersSize", Value::from(-1_i64)),
        ("bodySize", length(reply)),
    ])
}

fn version(protocol: &str) -> &'static str {
    if protocol == "http2" { "HTTP/2" } else { "HTTP/1.1" }
}

fn header<'a>(part: &'a Value, name: &str) -> Option<&'a str> {
    part.get("headers")?.get(name)?.as_text()
}

fn headers(part: &Value) -> Value {
    let map = part.get("headers").and_then(Value::as_map);
    let all = map.into_iter().flatten().flat_map(|(name, value)| {
        let values = value.as_list().unwrap_or(std::slice::from_ref(value));
        values.iter().map(|value| pair(name, &value.to_plain_text())).collect::<Vec<_>>()
    });
    Value::List(all.collect())
}

fn pair(name: &str, value: &str) -> Value {
    Value::map([("name", Value::text(name)), ("value", Value::text(value))])
}

fn length(part: &Value) -> Value {
    part.get("length").cloned().filter(|length| *length != Value::Null).unwrap_or(Value::from(-1_i64))
}

/// The body as text, and whether it is base64.
fn content(part: &Value) -> (String, bool) {
    if let Some(text) = part.get("text").and_then(Value::as_text) {
        return (text.to_owned(), false);
    }
    match part.get("body") {
        None | Some(Value::Null) => (String::new(), false),
        Some(body) => match body.get("base64").and_then(Value::as_text) {
            Some(text) => (text.to_owned(), true),
            None => (body.to_plain_text(), false),
        },
    }
}

fn query_pairs(query: Option<&Value>) -> Vec<(String, String)> {
    let map = query.and_then(Value::as_map);
    map.into_iter()
        .flatten()
        .flat_map(|(name, value)| {
            let values = value.as_list().unwrap_or(std::slice::from_ref(value));
            values.iter().map(|value| (name.clone(), value.to_plain_text())).collect::<Vec<_>>()
        })
        .collect()
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Reads a HAR: a recording for each host that was asked, or for each seam where we wrote it ourselves.
pub fn from_har(text: &str) -> Result<Vec<Recording>, HarError> {
    let har = seam_value::parse(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let entries = har.get("log").and_then(|log| log.get("entries")).and_then(Value::as_list);
    let mut recordings: Vec<Recording> = Vec::new();
    for (number, entry) in (1..).zip(entries.ok_or(HarError::NoEntries)?) {
        let Some((seam, mut recorded)) = read_entry(entry) else { continue };
        recorded.number = number;
        match recordings.iter_mut().find(|known| known.seam == seam) {
            Some(known) => known.interactions.push(recorded),
            None => recordings.push(Recording {
                seam,
                protocol: "http".to_owned(),
                volatile: Vec::new(),
                interactions: vec![recorded],
            }),
        }
    }
    recordings.iter_mut().for_each(learn_alone);
    Ok(recordings)
}

fn read_entry(entry: &Value) -> Option<(SeamId, Recorded)> {
    let (request, response) = (entry.get("request")?, entry.get("response")?);
    let url = request.get("url")?.as_text()?;
    let (_, rest) = url.split_once("://")?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let own = entry.get("_seam").and_then(Value::as_text).and_then(seam_of);
    let ours = own.is_some();
    let seam = own.unwrap_or_else(|| SeamId {
        consumer: "client".into(),
        provider: slug(authority).as_str().into(),
        endpoint: Endpoint::main(),
    });
    let mut asked = Map::new();
    asked.insert("method".to_owned(), request.get("method")?.clone());
    asked.insert("path".to_owned(), Value::text(if path.is_empty() { "/" } else { path }));
    asked.insert("query".to_owned(), body::pairs(query));
    let mut headers = read_headers(request);
    // A browser says much about itself; what our own seams saw is kept as it was.
    headers.retain(|name, _| ours || ASKING.contains(&name.as_str()));
    let data = request.get("postData");
    add_body(&mut asked, &headers, data, data.and_then(|data| data.get("comment")));
    asked.insert("headers".to_owned(), Value::Map(headers));

    let status = response.get("status").filter(|status| status.as_i64().is_some_and(|status| status >= 100));
    let mut reply = Value::Null;
    if let Some(status) = status {
        let mut map = Map::new();
        map.insert("status".to_owned(), status.clone());
        let headers = read_headers(response);
        let content = response.get("content");
        add_body(&mut map, &headers, content, content.and_then(|content| content.get("encoding")));
        map.insert("headers".to_owned(), Value::Map(headers));
        reply = Value::Map(map);
    }
    let text = |name: &str| entry.get(name).and_then(Value::as_text).map(str::to_owned);
    let elapsed = match entry.get("time") {
        Some(Value::Number(number)) => Duration::try_from_secs_f64(number.as_f64() / 1000.0).ok(),
        _ => None,
    };
    let recorded = Recorded {
        test: text("_test"),
        request: normal("http", &Value::Map(asked)),
        error: if reply == Value::Null {
            Some(text("_error").unwrap_or_else(|| "closed".to_owned()))
        } else {
            None
        },
        reply: normal("http", &reply),
        elapsed,
        ..Recorded::default()
    };
    Some((seam, recorded))
}

fn read_headers(part: &Value) -> Map {
    let mut map = Map::new();
    for header in part.get("headers").and_then(Value::as_list).unwrap_or_default() {
        let (Some(name), Some(value)) = (header.get("name"), header.get("value")) else { continue };
        let name = name.to_plain_text().to_ascii_lowercase();
        // `:method` and its like are HTTP/2's own; some programs write what no header is called.
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        {
            continue;
        }
        // Chrome writes a header that was sent several times as lines, others as a list.
        let sent = value.as_list().unwrap_or(std::slice::from_ref(value));
        let text: Vec<String> = sent.iter().map(Value::to_plain_text).collect();
        let lines = text.iter().flat_map(|text| text.split(['\r', '\n'])).map(str::trim).enumerate();
        for value in
            lines.filter(|(index, line)| *index == 0 || !line.is_empty()).map(|(_, line)| line.to_owned())
        {
            match map.get_mut(&name) {
                Some(Value::List(list)) => list.push(Value::Text(value)),
                Some(Value::Text(first)) => {
                    first.push_str(", ");
                    first.push_str(&value);
                }
                _ if name == "set-cookie" => {
                    map.insert(name.clone(), Value::List(vec![Value::Text(value)]));
                }
                _ => {
                    map.insert(name.clone(), Value::Text(value));
                }
            }
        }
    }
    map
}

fn add_body(part: &mut Map, headers: &Map, content: Option<&Value>, encoding: Option<&Value>) {
    let Some(text) = content.and_then(|content| content.get("text")).and_then(Value::as_text) else { return };
    let media = content.and_then(|content| content.get("mimeType")).and_then(Value::as_text);
    let media = headers.get("content-type").and_then(Value::as_text).or(media);
    let is_packed = encoding.and_then(Value::as_text) == Some("base64");
    let bytes = if is_packed { STANDARD.decode(text).unwrap_or_default() } else { text.as_bytes().to_vec() };
    let read = body::decode(media, None, &bytes, body::MAX_UNPACKED);
    part.insert("body".to_owned(), read.value);
    part.insert("text".to_owned(), read.text);
}

/// A host as the name of a component.
fn slug(authority: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let name: String = host.chars().map(plain).collect::<String>().to_ascii_lowercase();
    name.trim_matches('-').to_owned()
}
