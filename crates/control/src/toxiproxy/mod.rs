//! Toxiproxy's HTTP API, version 2.12: its thirteen routes, with the statuses and texts that its clients know.
//!
//! The proxies made here are listeners of their own (`seam_proxy::ToxicStand`); `GET /proxies` lists these and no others.
//! An address without a host means loopback, where Toxiproxy would listen on every network.

mod collection;
mod json;
mod listen;
mod made;
mod metrics;
#[cfg(test)]
mod tests;

pub use collection::{Populated, Toxiproxy};

use crate::answer::{Answer, Asked};
use hyper::header::USER_AGENT;
use hyper::{Method, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};

/// The version whose answers these are.
const VERSION: &str = "2.12.0";

/// Something that went wrong, as Toxiproxy tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    message: String,
    status: StatusCode,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { message: message.into(), status }
    }

    fn bad_body(error: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("bad request body: {error}"))
    }

    fn missing(field: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("missing required field: {field}"))
    }

    fn no_proxy() -> Self {
        Self::new(StatusCode::NOT_FOUND, "proxy not found")
    }

    fn no_toxic() -> Self {
        Self::new(StatusCode::NOT_FOUND, "toxic not found")
    }

    /// What Go could not do, which Toxiproxy gives no status of its own.
    fn internal(message: String) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    fn to_json(&self) -> String {
        format!("{{\"error\":{},\"status\":{}}}", json::quoted(&self.message), self.status.as_u16())
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        plain(error.status, error.to_json())
    }
}

/// A text as Go's `http.Error` sends it.
fn plain(status: StatusCode, text: impl Into<String>) -> Answer {
    let mut text = text.into();
    text.push('\n');
    Answer::of(status, "text/plain; charset=utf-8", text).with("x-content-type-options", "nosniff")
}

fn ok(body: String) -> Answer {
    Answer::of(StatusCode::OK, "application/json", body)
}

/// What a path is about.
enum Route<'a> {
    Proxies,
    Populate,
    Proxy(&'a str),
    Toxics(&'a str),
    Toxic(&'a str, &'a str),
    Reset,
    Version,
    Metrics,
}

impl<'a> Route<'a> {
    fn of(segments: &'a [String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let is_named = |name: &str| !name.is_empty() && !name.contains('/');
        Some(match segments.as_slice() {
            ["proxies"] => Self::Proxies,
            ["populate"] => Self::Populate,
            ["reset"] => Self::Reset,
            ["version"] => Self::Version,
            ["metrics"] => Self::Metrics,
            ["proxies", proxy] if is_named(proxy) => Self::Proxy(proxy),
            ["proxies", proxy, "toxics"] if is_named(proxy) => Self::Toxics(proxy),
            ["proxies", proxy, "toxics", toxic] if is_named(proxy) && is_named(toxic) => {
                Self::Toxic(proxy, toxic)
            }
            _ => return None,
        })
    }
}

impl Toxiproxy {
    /// Answers what its API answers; none where the path is none of its.
    pub(crate) async fn answer(&self, asked: &Asked) -> Option<Answer> {
        let segments = asked.segments();
        let route = Route::of(&segments)?;
        let is_browser = asked
            .headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .is_some_and(|agent| agent.starts_with("Mozilla/"));
        let answer = if is_browser {
            plain(StatusCode::FORBIDDEN, "User agent not allowed")
        } else {
            match self.routed(route, asked).await {
                Some(Ok(answer)) => answer,
                Some(Err(error)) => error.into(),
                None => Answer::empty(StatusCode::METHOD_NOT_ALLOWED),
            }
        };
        Some(with_request_id(answer))
    }

    async fn routed(&self, route: Route<'_>, asked: &Asked) -> Option<Result<Answer, ApiError>> {
        let body = asked.body.as_ref();
        let created = |body| Answer::of(StatusCode::CREATED, "application/json", body);
        let gone = |()| Answer::empty(StatusCode::NO_CONTENT);
        Some(match (route, &asked.method) {
            (Route::Proxies, &Method::GET) => Ok(ok(self.list().await)),
            (Route::Proxies, &Method::POST) => self.create(body).await.map(created),
            (Route::Populate, &Method::POST) => {
                let (status, text) = self.populate_answer(body).await;
                Ok(Answer::of(status, "application/json", text))
            }
            (Route::Proxy(name), &Method::GET) => self.show(name).await.map(ok),
            (Route::Proxy(name), &Method::POST | &Method::PATCH) => self.update(name, body).await.map(ok),
            (Route::Proxy(name), &Method::DELETE) => self.delete(name).await.map(gone),
            (Route::Toxics(proxy), &Method::GET) => self.toxics(proxy).await.map(ok),
            (Route::Toxics(proxy), &Method::POST) => self.add_toxic(proxy, body).await.map(ok),
            (Route::Toxic(proxy, name), &Method::GET) => self.toxic(proxy, name).await.map(ok),
            (Route::Toxic(proxy, name), &Method::POST | &Method::PATCH) => {
                self.update_toxic(proxy, name, body).await.map(ok)
            }
            (Route::Toxic(proxy, name), &Method::DELETE) => self.remove_toxic(proxy, name).await.map(gone),
            (Route::Reset, &Method::POST) => self.reset().await.map(gone),
            (Route::Version, &Method::GET) => {
                let text = format!("{{\"version\": \"{VERSION}\"}}\n");
                Ok(Answer::of(StatusCode::OK, "application/json;charset=utf-8", text))
            }
            (Route::Metrics, _) => {
                let text = self.metrics().await;
                Ok(Answer::of(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text))
            }
            _ => return None,
        })
    }
}

/// Every answer has a number of its own, in twenty letters as Toxiproxy's has.
fn with_request_id(answer: Answer) -> Answer {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut number = u128::from(std::process::id()) << 64 | u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    let mut id = [b'0'; 20];
    for letter in id.iter_mut().rev() {
        *letter = LETTERS[usize::try_from(number & 31).unwrap_or(0)];
        number >>= 5;
    }
    let mut answer = answer;
    if let Ok(value) = hyper::header::HeaderValue::from_bytes(&id) {
        let name = hyper::header::HeaderName::from_static("x-toxiproxy-request-id");
        answer.headers.push((name, value));
    }
    answer
}
