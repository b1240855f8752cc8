//! HTTP requests that a stub wants sent: to somebody else instead of the provider, and of its own accord (webhooks).
//!
//! Each has a connection of its own, a deadline and bounds. What can't be asked is answered with 500 and the reason, as
//! WireMock does it. TLS is not spoken here.

use crate::reach::connect;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use seam_value::{Map, Value};
use seam_wire::{Callback, Elsewhere};
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long dialling may take.
const DIAL: Duration = Duration::from_secs(10);

/// How long the whole answer may take.
const ANSWER: Duration = Duration::from_mins(1);

/// The longest answer that is passed on.
const MOST_BODY: usize = 64 * 1024 * 1024;

/// What belongs to one connection and is never passed on.
const OF_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

/// A request of HTTP/1 as it came: method, target, headers, body.
struct Came<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Vec<u8>,
}

/// Asks somebody else what was asked here; the fields of the reply as HTTP's interactions have them.
pub(crate) async fn ask(elsewhere: &Elsewhere, asked: &[u8]) -> Value {
    let answered = async {
        let came = Came::read(asked).ok_or("only requests of HTTP/1 can be passed on")?;
        let target = came.target.strip_prefix(elsewhere.without_prefix.as_str()).unwrap_or(came.target);
        let url = format!("{}{target}", elsewhere.base.trim_end_matches('/'));
        let mut headers: Vec<(String, String)> = came
            .headers
            .iter()
            .filter(|(name, _)| {
                !elsewhere.without_headers.iter().any(|other| name.eq_ignore_ascii_case(other))
            })
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (name, value) in &elsewhere.headers {
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        send(came.method, &url, &headers, came.body).await
    };
    match answered.await {
        Ok((status, mut headers, body)) => {
            for (name, value) in &elsewhere.reply_headers {
                headers.insert(name.to_ascii_lowercase(), Value::text(value));
            }
            let body = Value::map([("base64", Value::text(base64(&body)))]);
            Value::map([("status", Value::from(status)), ("headers", Value::Map(headers)), ("body", body)])
        }
        Err(reason) => {
            let text = format!("nothing came back from {}: {reason}", elsewhere.base);
            Value::map([("status", Value::from(500_u16)), ("text", Value::text(text))])
        }
    }
}

/// Sends a request of a stub's own accord, after its time. Nobody waits for what comes of it.
pub(crate) async fn call_back(callback: Callback) {
    tokio::time::sleep(callback.after).await;
    let _ = send(&callback.method, &callback.url, &callback.headers, callback.body).await;
}

/// Sends a request, and gives the answer's status, headers and body.
async fn send(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> Result<(u16, Map, Bytes), String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no address"))?;
    if uri.scheme_str() != Some("http") {
        return Err("only addresses that begin with http:// can be asked".to_owned());
    }
    let host = uri.host().ok_or_else(|| format!("{url} names no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream =
        connect(bare, uri.port_u16().unwrap_or(80), DIAL).await.map_err(|error| error.to_string())?;
    let exchange = async {
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let path = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
        let mut request = Request::builder().method(method).uri(path);
        let is_ours = |name: &str| OF_CONNECTION.iter().any(|ours| name.eq_ignore_ascii_case(ours));
        let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        request = request.header("host", authority);
        for (name, value) in
            headers.iter().filter(|(name, _)| !is_ours(name) && !name.eq_ignore_ascii_case("host"))
        {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let answering = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST_BODY).collect().await.map_err(|error| error.to_string())?;
            Ok((head, body.to_bytes()))
        };
        // The connection is driven for as long as the answer comes; whoever asked hears why it ended.
        let mut answering = pin!(answering);
        tokio::select! {
            biased;
            answered = &mut answering => answered,
            _ = connection => answering.await,
        }
    };
    let answered: Result<(hyper::http::response::Parts, Bytes), String> =
        timeout(ANSWER, exchange).await.unwrap_or_else(|_| Err("no answer within a minute".to_owned()));
    let (head, body) = answered?;
    let mut told = Map::new();
    for name in head.headers.keys().filter(|name| !OF_CONNECTION.contains(&name.as_str())) {
        let values: Vec<Value> = head
            .headers
            .get_all(name)
            .iter()
            .map(|value| Value::text(String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let value = if values.len() == 1 { values[0].clone() } else { Value::List(values) };
        told.insert(name.as_str().to_owned(), value);
    }
    Ok((head.status.as_u16(), told, body))
}

impl<'a> Came<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if !version.starts_with("HTTP/1") {
            return None;
        }
        let headers: Vec<(&str, &str)> =
            lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect();
        let is_chunked = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value.to_ascii_lowercase().contains("chunked")
        });
        let rest = &bytes[end + 4..];
        let body = if is_chunked { unchunked(rest)? } else { rest.to_vec() };
        // A proxy is asked for a whole address, of which the authority was meant for us.
        let target = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
            _ => target,
        };
        Some(Self { method, target, headers, body })
    }
}

/// A body without its chunks' heads.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_came() {
        let came = Came::read(b"POST http://a/b?c=d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").unwrap();
        assert_eq!((came.method, came.target, came.body.as_slice()), ("POST", "/b?c=d", b"abcde".as_slice()));
        assert!(Came::read(b"PRI * HTTP/2.0\r\n\r\n").is_none());
        assert!(Came::read(b"GET").is_none());
    }
}
