//! What is asked of the control address and what it answers, apart from any socket.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// A request that was read whole.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// As it was sent, without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// The parts of the path between its slashes, decoded. None of them holds a slash.
    pub(crate) fn segments(&self) -> Vec<String> {
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        self.path.trim_start_matches('/').split('/').map(decoded).collect()
    }

    /// The first value of this name in the query, decoded.
    pub(crate) fn queried(&self, name: &str) -> Option<String> {
        let decoded =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key) == name).then(|| decoded(value))
        })
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Nothing but a status.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A body of a type.
    pub(crate) fn of(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { status, headers, body: body.into() }
    }

    /// JSON, on one line.
    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::of(status, "application/json", value.to_string())
    }

    /// An error of our own: what is wrong, and how it is mended.
    pub(crate) fn error(status: StatusCode, message: &str, hint: &str) -> Self {
        let mut error = json!({ "message": message });
        if !hint.is_empty() {
            error["hint"] = Value::from(hint);
        }
        Self::json(status, &error)
    }

    /// With another header.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }
}

impl Answer {
    /// With a header of which only the value is known; one that can't be sent is left out.
    pub(crate) fn saying(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        for (name, value) in answer.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}
