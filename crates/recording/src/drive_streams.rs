//! A turn of talk on a WebSocket, or a call of gRPC, as a step of a test.

use crate::drive::Thoroughness;
use crate::drive_step::{Asking, Expecting, provider, threaded, title};
use crate::lists;
use crate::recording::Recorded;
use crate::sockets::is_change_over;
use crate::thread::Threads;
use seam_expr::below;
use seam_value::{Map, Value};

/// Is it a turn of talk on a WebSocket, or what opened it?
pub(crate) fn is_talk(recorded: &Recorded) -> bool {
    recorded.request.get("message").is_some() || is_change_over(recorded)
}

pub(crate) fn ws(asking: &Asking<'_>, threads: &mut Threads) -> Option<Map> {
    let Recorded { request, reply, connection, .. } = asking.recorded;
    let said = request.get("message");
    let path = said.unwrap_or(request).get("path")?.as_text()?;
    let mut step = Map::default();
    let mut put = |name: &str, value: Value| drop(step.insert(name.to_owned(), value));
    put("name", Value::Text(title(asking)));
    put("ws", Value::Text(format!("{}{}", provider(asking), threads.address(path))));
    if let Some(connection) = connection {
        put("connection", Value::Text(connection.to_string()));
    }
    if let Some(query) = request.get("query") {
        put("query", threaded(query, "", asking, threads));
    }
    let mut headers = Map::default();
    for (name, value) in request.get("headers").and_then(Value::as_map).into_iter().flatten() {
        let is_its_own = matches!(name.as_str(), "upgrade" | "cookie" | "sec-websocket-version");
        if !is_its_own && !lists::is_left_out(name) {
            headers.insert(name.clone(), threaded(value, name, asking, threads));
        }
    }
    if !headers.is_empty() {
        put("headers", Value::Map(headers));
    }
    let messages = reply.get("messages").and_then(Value::as_list).unwrap_or_default();
    let is_close = |message: &Value| message.get("code").is_some();
    let says_close = said.and_then(|said| said.get("type")) == Some(&Value::text("close"));
    match said.and_then(|said| said.get("body").or_else(|| said.get("text"))) {
        _ if says_close => {
            // Who closes without a code says none that a frame could have.
            let code = said.and_then(|said| said.get("code")).and_then(Value::as_i64);
            let code = code.filter(|code| matches!(code, 1000..=1004 | 1007..=1014 | 1016..=4999));
            put("close", code.map_or(Value::Bool(true), Value::from));
        }
        Some(body) => {
            let kind = if body.as_text().is_some() { "text" } else { "json" };
            let (kind, said) = match body.get("base64") {
                Some(bytes) => ("base64", bytes.clone()),
                None => (kind, threaded(body, "", asking, threads)),
            };
            put(kind, said);
        }
        None => {}
    }
    // Where the consumer closes, what came before the provider did so as well is what was on its way.
    if !says_close {
        put("receive", Value::from(messages.len()));
    }
    let mut expecting = Expecting { asking, threads, expect: Map::default() };
    if let Some(status) = reply.get("status") {
        expecting.expect.insert("status".to_owned(), status.clone());
    }
    for (index, message) in
        messages.iter().enumerate().filter(|(_, message)| !says_close || is_close(message))
    {
        for name in ["code", "body"] {
            if let Some(value) = message.get(name) {
                let at = if says_close { "-1".to_owned() } else { index.to_string() };
                let mut place =
                    vec!["reply".to_owned(), "messages".to_owned(), index.to_string(), name.to_owned()];
                expecting.add(format!("messages.{at}.{name}"), value, &mut place);
            }
        }
    }
    let expect = expecting.expect;
    if !expect.is_empty() {
        put("expect", Value::Map(expect));
    }
    Some(step)
}

pub(crate) fn grpc(asking: &Asking<'_>, threads: &mut Threads) -> Option<Map> {
    let Recorded { request, reply, .. } = asking.recorded;
    let text = |name: &str| request.get(name).and_then(Value::as_text);
    let mut step = Map::default();
    let mut put = |name: &str, value: Value| drop(step.insert(name.to_owned(), value));
    put("name", Value::Text(title(asking)));
    put("grpc", Value::Text(format!("{}/{}/{}", provider(asking), text("service")?, text("method")?)));
    match (request.get("body"), request.get("bodies")) {
        (None | Some(Value::Null), Some(bodies)) => put("bodies", threaded(bodies, "", asking, threads)),
        (Some(body), _) => put("body", threaded(body, "", asking, threads)),
        (None, None) => {}
    }
    let mut metadata = Map::default();
    for (name, value) in request.get("metadata").and_then(Value::as_map).into_iter().flatten() {
        if !lists::is_left_out(name) && !lists::OF_THE_CONNECTION.contains(&name.as_str()) {
            metadata.insert(name.clone(), threaded(value, name, asking, threads));
        }
    }
    if !metadata.is_empty() {
        put("metadata", Value::Map(metadata));
    }
    let status = reply.get("status").filter(|status| **status != Value::Null)?;
    // How long the consumer would have waited matters only where that was too short.
    if *status == Value::text("DEADLINE_EXCEEDED") {
        put("deadline", Value::Text(waited(text("timeout")?)?));
    }
    let mut expecting = Expecting { asking, threads, expect: Map::default() };
    expecting.value("status", status);
    let said = |name: &str| reply.get(name).filter(|value| **value != Value::Null);
    for name in ["message", "body"] {
        if let Some(value) = said(name) {
            expecting.value(name, value);
        }
    }
    if let (None, Some(bodies)) = (said("body"), said("bodies")) {
        expecting.value("bodies", bodies);
    }
    if asking.thoroughness == Thoroughness::Whole {
        for part in ["metadata", "trailers"] {
            for (name, value) in reply.get(part).and_then(Value::as_map).into_iter().flatten() {
                if !lists::varies(name) && !lists::OF_THE_CONNECTION.contains(&name.as_str()) {
                    let mut at = vec!["reply".to_owned(), part.to_owned(), name.clone()];
                    expecting.add(below(part, name), value, &mut at);
                }
            }
        }
    }
    step.insert("expect".to_owned(), Value::Map(expecting.expect));
    Some(step)
}

/// `500m` as gRPC writes it, to `500ms`.
fn waited(timeout: &str) -> Option<String> {
    let (digits, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => format!("{number}h"),
        "M" => format!("{number}m"),
        "S" => format!("{number}s"),
        "m" => format!("{number}ms"),
        "u" => format!("{number}us"),
        "n" => format!("{}us", number.div_ceil(1000)),
        _ => return None,
    })
}
