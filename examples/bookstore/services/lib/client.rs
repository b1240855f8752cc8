//! Asks another component over HTTP, with a deadline for the whole exchange.

use crate::config;
use crate::problem::Problem;
use crate::server::{Fatal, Readiness};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use std::time::Duration;

/// An exchange that did not give an answer. Whether the other side did its work is unknown in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke before the answer was complete.
    #[error("{0} cannot be reached")]
    Broken(&'static str),
    /// No answer in time.
    #[error("{0} did not answer in time")]
    Slow(&'static str),
    /// An answer that is not JSON.
    #[error("{0} gave an answer that cannot be read")]
    Garbled(&'static str),
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let (status, name) = match error {
            CallError::Broken(peer) => (503, format!("{peer}_unavailable")),
            CallError::Slow(peer) => (504, format!("{peer}_timeout")),
            CallError::Garbled(peer) => (502, format!("{peer}_unreadable")),
        };
        Problem::try_again(status, &name, error)
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; null when there was none.
    pub body: Value,
}

impl Answer {
    /// The body of a success; a problem is passed on as it came.
    pub fn success(self) -> Result<Value, Problem> {
        if self.status < 400 { Ok(self.body) } else { Err(Problem { status: self.status, body: self.body }) }
    }
}

/// A request to another component.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
}

impl Call {
    /// `GET path`.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: vec![], body: Bytes::new() }
    }

    /// `POST path` with a JSON body.
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::POST, ..Self::get(path) }.json(body)
    }

    /// `PUT path` with a JSON body.
    pub fn put(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::PUT, ..Self::get(path) }.json(body)
    }

    /// `DELETE path`.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// Replaces the body by an HTML form.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body = Bytes::from(form);
        self.headers.retain(|(name, _)| name != CONTENT_TYPE);
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = Bytes::from(body.to_string());
        self.header("content-type", "application/json")
    }
}

/// Another component: where it is and how long its answers may take.
#[derive(Clone, Debug)]
pub struct Peer {
    name: &'static str,
    base: String,
    patience: Duration,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Peer {
    /// A peer whose address stands in `url_variable` and its patience in `patience_variable`.
    pub fn from_env(
        name: &'static str,
        url_variable: &'static str,
        patience_variable: &'static str,
        default_patience: Duration,
    ) -> Result<Self, Fatal> {
        let base = config::required(url_variable)?.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|error| format!("{url_variable} is {base:?}: {error}"))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(format!("{url_variable} is {base:?}, which is not an http:// address").into());
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(1)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        let patience = config::duration(patience_variable, default_patience)?;
        Ok(Self { name, base, patience, client })
    }

    /// Another patience for this peer.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the program's health wait until this peer could be connected once.
    #[must_use]
    pub fn awaited(self, readiness: &Readiness) -> Self {
        let uri: Uri = self.base.parse().unwrap_or_default();
        let host = uri.host().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(80);
        readiness.needs(self.name, move || {
            let address = (host.clone(), port);
            async move { tokio::net::TcpStream::connect(address).await.map(drop) }
        });
        self
    }

    /// One exchange.
    pub async fn ask(&self, call: Call) -> Result<Answer, CallError> {
        let exchange = self.exchange(call);
        tokio::time::timeout(self.patience, exchange).await.unwrap_or(Err(CallError::Slow(self.name)))
    }

    async fn exchange(&self, call: Call) -> Result<Answer, CallError> {
        let mut request = hyper::Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() =
            format!("{}{}", self.base, call.path).parse().map_err(|_| CallError::Broken(self.name))?;
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(&value).map_err(|_| CallError::Broken(self.name))?;
            request.headers_mut().insert(name, value);
        }
        let response = self.client.request(request).await.map_err(|_| CallError::Broken(self.name))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| CallError::Broken(self.name))?.to_bytes();
        if body.is_empty() {
            return Ok(Answer { status, body: Value::Null });
        }
        let body = serde_json::from_slice(&body).map_err(|_| CallError::Garbled(self.name))?;
        Ok(Answer { status, body })
    }
}
