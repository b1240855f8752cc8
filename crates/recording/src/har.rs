//! HAR 1.2, the archive of HTTP that browsers and proxies read and write, out of what happened.

use crate::normal::is_http;
use crate::record::passed;
use jiff::Timestamp;
use seam_event::{Event, Interaction, TestId, What};
use seam_value::{Map, Value};

/// All HTTP that passed, as a HAR. `version` is the program's.
pub fn to_har(events: &[Event], version: &str) -> Value {
    let began = events.iter().find_map(|event| match &event.what {
        What::Plan { began, .. } => began.parse().ok(),
        _ => None,
    });
    let passed = passed(events).map(|(one, scope)| (one, scope.test.as_ref()));
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
    let mut entry = Map::default();
    let mut put = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
    put("startedDateTime", Value::Text(started.to_string()));
    put("time", millis);
    put("request", request(passed));
    put("response", response(passed));
    put("cache", Value::Map(Map::default()));
    put("timings", timings);
    put("connection", Value::Text(passed.connection.to_string()));
    put("_seam", Value::Text(passed.seam.to_string()));
    if let Some(test) = test {
        put("_test", Value::text(test.as_str()));
    }
    if let Some(error) = passed.error {
        put("_error", Value::text(error.name()));
    }
    // What was large was kept in part.
    if passed.cut {
        put("_cut", Value::Bool(true));
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
    let mut out = Map::default();
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
