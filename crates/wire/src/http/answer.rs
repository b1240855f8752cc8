//! An answer in HTTP's own terms: the fields of a reply as bytes.

use super::events;
use super::reading::MAX_UNPACKED_ON_SEAM;
use super::splitter::saying::AnswerTo;
use crate::body::{decode, in_charset};
use crate::splitter::Unanswerable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_model::{Field, Shape};
use seam_value::{Map, Value};
use std::borrow::Cow;

/// What an answer may have.
pub(super) const FIELDS: &[Field] = &[
    Field::optional("status", Shape::Integer, "the status; 200 where nothing is said"),
    Field::optional(
        "reason",
        Shape::Text,
        "the words behind the status; the usual ones where nothing is said",
    ),
    Field::optional("headers", Shape::MapOf(&Shape::Any), "the headers; a list sends one again"),
    Field::optional("json", Shape::Any, "the body, as JSON"),
    Field::optional("text", Shape::Text, "the body, as text"),
    Field::optional(
        "body",
        Shape::Any,
        "the body as an interaction tells it: a text, `{ base64: … }`, or a value as JSON",
    ),
    Field::optional(
        "events",
        Shape::List(&Shape::Any),
        "a stream of events instead of a body, one after the other: `{ event, id, data, retry }`, each with `after`, how \
            long after what came before it; the last may be `{ fault: reset | truncate | hang }`",
    ),
    Field::optional(
        "messages",
        Shape::List(&Shape::Any),
        "messages of WebSocket, behind `status: 101` or as the answer to a message: texts, or `{ text, json, body }`, or \
            `{ code, reason }` of a close; `after` and `fault` as for events",
    ),
    Field::optional(
        "every",
        Shape::Duration,
        "how long between two events or messages that don't say so themselves",
    ),
    Field::optional(
        "open",
        Shape::Boolean,
        "the stream does not end after its events: further ones can be pushed",
    ),
];

/// What ends a body that is sent in chunks.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What an interaction's reply has besides, which follows from the rest.
const IMPLIED: &[&str] = &["length", "trailers", "cut_off"];

/// How a body is framed of which only the beginning is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Chunked,
    /// The end of the connection ends it.
    UntilClose,
}

/// The bytes of an answer; of one that stays open its beginning.
pub(super) fn encode(answer: &Value, to: AnswerTo, open: Option<Open>) -> Result<Vec<u8>, Unanswerable> {
    let Some(fields) = answer.as_map() else {
        return Err(Unanswerable::new("an answer of http is a map: `{ status: 503 }`"));
    };
    let is_known = |name: &str| FIELDS.iter().any(|field| field.name == name) || IMPLIED.contains(&name);
    if let Some(name) = fields.keys().find(|name| !is_known(name)) {
        let known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        return Err(Unanswerable::new(format!(
            "http has no `{name}`; its answers have {}",
            known.join(", ")
        )));
    }
    let status = status(fields)?;
    let reason = fields.get("reason").and_then(Value::as_text).unwrap_or_else(|| usual_reason(status));
    let (body, media) = body(fields)?;
    let has_body = !matches!(status, 100..=199 | 204 | 304);
    // Told of a body that isn't sent: what there is otherwise (RFC 9110, 8.6 and 15.4.5).
    let is_of_another = open.is_none() && (status == 304 || (to.is_head && has_body));
    let mut head = format!("HTTP/1.1 {status} {}\r\n", one_line("reason", reason)?);
    let (mut has_type, mut has_length) = (false, false);
    // How a recorded reply, or one of events, was framed is nothing that the answer still is.
    let is_framed_anew = open.is_some() || fields.contains_key("length");
    let mut frame = open;
    // Spelt as the answer spells it: there are clients that know no other spelling.
    let mut length_name = "content-length";
    for (name, value) in fields.get("headers").and_then(Value::as_map).into_iter().flatten() {
        if !is_token(name) {
            return Err(Unanswerable::new(format!("`{name}` is no header's name")));
        }
        match name.to_ascii_lowercase().as_str() {
            "content-type" => has_type = true,
            // How the body was packed and framed when it was recorded is nothing that it still is.
            "content-encoding" if fields.contains_key("length") && !(is_of_another && body.is_empty()) => {
                continue;
            }
            "transfer-encoding" | "connection" | "keep-alive" if is_framed_anew => continue,
            "transfer-encoding" => {
                let is_chunked = value.as_text().is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
                frame = (is_chunked && !to.is_old && has_body).then_some(Open::Chunked);
                continue;
            }
            "connection" if to.closes => continue,
            "content-length" if !is_of_another => {
                length_name = name;
                continue;
            }
            "content-length" => has_length = true,
            _ => {}
        }
        // Said to be absent: nothing is made up in its place.
        if *value == Value::Null {
            continue;
        }
        for value in value.as_list().unwrap_or(std::slice::from_ref(value)) {
            let text = value.to_plain_text();
            head.extend([name.as_str(), ": ", one_line(name, &text)?, "\r\n"]);
        }
    }
    if let Some(media) = media.filter(|_| !has_type) {
        head.extend(["content-type: ", media, "\r\n"]);
    }
    match frame {
        Some(Open::Chunked) => head.push_str("transfer-encoding: chunked\r\n"),
        None if has_body && !has_length => {
            head.extend([length_name, ": ", &body.len().to_string(), "\r\n"]);
        }
        Some(Open::UntilClose) | None => {}
    }
    if to.closes || open == Some(Open::UntilClose) {
        head.push_str("connection: close\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if has_body && !to.is_head {
        bytes.extend(framed(&body, frame));
        if frame == Some(Open::Chunked) && open.is_none() {
            bytes.extend(LAST_CHUNK);
        }
    }
    Ok(bytes)
}

/// Does the connection end with an answer, because its own headers say so?
pub(super) fn closes(answer: &Value) -> bool {
    let headers = answer.get("headers").and_then(Value::as_map).into_iter().flatten();
    let mut connection = headers.filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let says = |value: &Value| value.as_text().is_some_and(|value| value.eq_ignore_ascii_case("close"));
    connection.any(|(_, value)| value.as_list().unwrap_or(std::slice::from_ref(value)).iter().any(says))
        && answer.get("length").is_none()
}

/// Bytes of a body as they are sent.
pub(super) fn framed(bytes: &[u8], open: Option<Open>) -> Vec<u8> {
    if open != Some(Open::Chunked) || bytes.is_empty() {
        return bytes.to_vec();
    }
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The answer as an interaction tells it.
pub(super) fn told(answer: &Value) -> Value {
    let Some(fields) = answer.as_map().filter(|fields| !fields.contains_key("length")) else {
        return answer.clone();
    };
    let (Ok(status), Ok((said, media))) = (status(fields), body(fields)) else { return answer.clone() };
    let mut headers = Map::default();
    headers.extend(media.map(|media| ("content-type".to_owned(), Value::text(media))));
    for (name, value) in fields.get("headers").and_then(Value::as_map).into_iter().flatten() {
        headers.insert(name.to_ascii_lowercase(), value.clone());
    }
    let header = |name: &str| headers.get(name).and_then(Value::as_text);
    let read = decode(header("content-type"), header("content-encoding"), &said, MAX_UNPACKED_ON_SEAM);
    let mut told = Map::default();
    told.insert("status".to_owned(), Value::from(status));
    told.extend(fields.get("reason").map(|reason| ("reason".to_owned(), reason.clone())));
    told.insert("headers".to_owned(), Value::Map(headers));
    told.insert("body".to_owned(), read.value);
    told.insert("text".to_owned(), read.text);
    told.insert("length".to_owned(), Value::from(said.len() as u64));
    Value::Map(told)
}

/// Why no request can be answered so; none where one may.
pub(super) fn misfit(answer: &Value) -> Option<Unanswerable> {
    let to = AnswerTo::default();
    let is_final = |status: &Value| status.as_i64().is_none_or(|status| status >= 200);
    match encode(answer, to, None) {
        Err(unanswerable) => Some(unanswerable),
        Ok(_) if answer.get("status").is_none_or(is_final) => None,
        Ok(_) => Some(Unanswerable::new("an answer's status is a number from 200 to 999")),
    }
}

/// The bytes of an answer that changes over to WebSocket. Nothing is said of extensions, which are the provider's.
pub(super) fn change_over(answer: &Value, accept: &str) -> Result<Vec<u8>, Unanswerable> {
    let mut head =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n".to_owned();
    head.extend(["sec-websocket-accept: ", accept, "\r\n"]);
    for (name, value) in answer.get("headers").and_then(Value::as_map).into_iter().flatten() {
        const OURS: &[&str] =
            &["upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions", "content-length"];
        if !is_token(name) {
            return Err(Unanswerable::new(format!("`{name}` is no header's name")));
        }
        if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            continue;
        }
        for value in value.as_list().unwrap_or(std::slice::from_ref(value)) {
            head.extend([name.as_str(), ": ", one_line(name, &value.to_plain_text())?, "\r\n"]);
        }
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}

fn status(fields: &Map) -> Result<i64, Unanswerable> {
    let Some(status) = fields.get("status") else { return Ok(200) };
    status
        .as_i64()
        .filter(|status| (100..=999).contains(status))
        .ok_or_else(|| Unanswerable::new("a status is a number from 100 to 999"))
}

/// The body's bytes, and what they are where no header says it.
fn body(fields: &Map) -> Result<(Cow<'_, [u8]>, Option<&'static str>), Unanswerable> {
    let given = ["events", "json", "text", "body"].into_iter().filter(|name| fields.contains_key(*name));
    // A recorded reply has its body twice: as text, and as what that means.
    if given.clone().count() > 1 && !fields.contains_key("length") {
        let names: Vec<&str> = given.collect();
        return Err(Unanswerable::new(format!("one body is enough: there are {}", names.join(" and "))));
    }
    if let Some(events) = fields.get("events").and_then(Value::as_list) {
        return Ok((
            events.iter().flat_map(events::write).collect::<Vec<u8>>().into(),
            Some("text/event-stream"),
        ));
    }
    if let Some(json) = fields.get("json") {
        return Ok((json.to_string().into_bytes().into(), Some("application/json")));
    }
    if let Some(text) = fields.get("text").and_then(Value::as_text) {
        return Ok((
            in_charset(text, media(fields)),
            (!text.is_empty()).then_some("text/plain; charset=utf-8"),
        ));
    }
    match fields.get("body") {
        None | Some(Value::Null) => Ok((Cow::Borrowed(&[]), None)),
        Some(Value::Text(text)) => Ok((in_charset(text, media(fields)), Some("text/plain; charset=utf-8"))),
        Some(Value::Map(map)) if map.len() == 1 && map.contains_key("base64") => {
            let text = map.get("base64").and_then(Value::as_text).unwrap_or_default();
            let bytes = STANDARD.decode(text).map_err(|_| Unanswerable::new("`base64` holds no base64"))?;
            Ok((bytes.into(), Some("application/octet-stream")))
        }
        Some(other) => Ok((other.to_string().into_bytes().into(), Some("application/json"))),
    }
}

/// The type that the headers say.
fn media(fields: &Map) -> Option<&str> {
    let headers = fields.get("headers").and_then(Value::as_map)?;
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"))?.1.as_text()
}

fn one_line<'a>(name: &str, text: &'a str) -> Result<&'a str, Unanswerable> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(Unanswerable::new(format!("`{name}` can't have more than one line")));
    }
    Ok(text)
}

/// RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 9110, 15, and RFC 6585.
fn usual_reason(status: i64) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        418 => "I'm a teapot",
        422 => "Unprocessable Content",
        423 => "Locked",
        425 => "Too Early",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn an_answer_is_framed_as_its_headers_say() {
        let (plain, old) =
            (AnswerTo::default(), AnswerTo { is_old: true, closes: true, ..AnswerTo::default() });
        let head = AnswerTo { is_head: true, ..AnswerTo::default() };
        for (headers, to, said, closes) in [
            (r#"{"Transfer-Encoding":"chunked"}"#, plain, "transfer-encoding: chunked||2|hi|0||", false),
            (r#"{"Transfer-Encoding":"chunked"}"#, head, "transfer-encoding: chunked||", false),
            (r#"{"Transfer-Encoding":"chunked"}"#, old, "content-length: 2|connection: close||hi", false),
            (
                r#"{"Transfer-Encoding":"chunked","Content-Length":"9"}"#,
                plain,
                "transfer-encoding: chunked||2|hi|0||",
                false,
            ),
            (r#"{"Transfer-Encoding":"gzip"}"#, plain, "content-length: 2||hi", false),
            (r#"{"Connection":"Close"}"#, plain, "Connection: Close|content-length: 2||hi", true),
            (r#"{"Connection":["x","close"]}"#, old, "content-length: 2|connection: close||hi", true),
            (
                r#"{"Connection":"keep-alive","Keep-Alive":"timeout=5"}"#,
                plain,
                "Connection: keep-alive|Keep-Alive: timeout=5|content-length: 2||hi",
                false,
            ),
        ] {
            let answer = parse(&format!(r#"{{"text":"hi","headers":{headers}}}"#)).unwrap();
            let bytes = String::from_utf8(encode(&answer, to, None).unwrap()).unwrap();
            let bytes = bytes.replace("content-type: text/plain; charset=utf-8\r\n", "").replace("\r\n", "|");
            assert_eq!(bytes.strip_prefix("HTTP/1.1 200 OK|"), Some(said), "{headers}");
            assert_eq!(super::closes(&answer), closes, "{headers}");
        }
    }

    #[test]
    fn the_length_of_a_body_that_is_not_sent_is_told_as_the_answer_says() {
        let (get, head) = (AnswerTo::default(), AnswerTo { is_head: true, ..AnswerTo::default() });
        let of_body = r#""headers":{"Content-Length":"9","content-encoding":"gzip"}"#;
        let all = "Content-Length: 9|content-encoding: gzip||";
        for (fields, to, said) in [
            (r#""status":304"#, get, all),
            (r#""status":304"#, head, all),
            (r#""status":200"#, head, all),
            (r#""status":404"#, head, all),
            // As it was recorded.
            (r#""status":304,"text":"","body":null,"length":0"#, get, all),
            (r#""status":200,"text":"","body":null,"length":0"#, head, all),
            // Here no length may be told at all, and there it is another one.
            (r#""status":204"#, get, "content-encoding: gzip||"),
            (r#""status":204"#, head, "content-encoding: gzip||"),
            (r#""status":200"#, get, "content-encoding: gzip|Content-Length: 0||"),
            (r#""status":200,"text":"","body":null,"length":0"#, get, "Content-Length: 0||"),
        ] {
            let answer = parse(&format!("{{{fields},{of_body}}}")).unwrap();
            let bytes = String::from_utf8(encode(&answer, to, None).unwrap()).unwrap();
            let (_, head) = bytes.split_once("\r\n").unwrap();
            assert_eq!(head.replace("\r\n", "|"), said, "{fields}, head: {}", to.is_head);
        }
    }

    #[test]
    fn a_recorded_reply_is_framed_anew() {
        let answer = r#"{"text":"hi","body":"hi","length":2,
            "headers":{"transfer-encoding":"chunked","connection":"close","content-type":"text/plain"}}"#;
        let answer = parse(answer).unwrap();
        let bytes = String::from_utf8(encode(&answer, AnswerTo::default(), None).unwrap()).unwrap();
        assert_eq!(bytes, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi");
        assert!(!closes(&answer));
    }
}
