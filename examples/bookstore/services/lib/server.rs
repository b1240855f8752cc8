//! Serves JSON over HTTP/1.1: one request in, one reply or problem out.
//!
//! Every request is carried out as a task of its own, so that a caller who goes away does not stop half way what it
//! has begun. `GET /health` answers 200 only when each dependency was connected once.

use crate::config;
use crate::log;
use crate::problem::Problem;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Why a program cannot go on.
pub type Fatal = Box<dyn std::error::Error + Send + Sync>;

const BODY_LIMIT: usize = 1024 * 1024;

/// What a program answers to requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn answer(self: Arc<Self>, request: Request) -> impl Future<Output = Result<Reply, Problem>> + Send;
}

/// Runs a program until it is told to stop; what keeps it from starting is its last line.
pub fn run<F, T>(name: &str, start: F) -> ExitCode
where
    F: FnOnce() -> T,
    T: Future<Output = Result<(), Fatal>>,
{
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log::line(format_args!("{name}: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(async { start().await }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(format_args!("{name}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Listens on `LISTEN` and answers until SIGTERM.
pub async fn serve<S: Service>(name: &str, readiness: Readiness, service: Arc<S>) -> Result<(), Fatal> {
    let address = config::required("LISTEN")?;
    let patience = config::duration("ANSWER_WITHIN", Duration::from_secs(10))?;
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    log::line(format_args!("{name}: listening on {address}"));
    let mut stop = signal(SignalKind::terminate())?;
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = stop.recv() => return Ok(()),
        };
        let (readiness, service) = (readiness.clone(), service.clone());
        tokio::spawn(talk(stream, readiness, service, patience));
    }
}

async fn talk<S: Service>(stream: TcpStream, readiness: Readiness, service: Arc<S>, patience: Duration) {
    // Small answers must not wait for more to come; a socket that refuses the option works all the same.
    let _ = stream.set_nodelay(true);
    let each = service_fn(move |request| {
        let (readiness, service) = (readiness.clone(), service.clone());
        async move { Ok::<_, Infallible>(respond(request, &readiness, service, patience).await) }
    });
    // A peer that breaks off is its own affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), each).await;
}

async fn respond<S: Service>(
    request: hyper::Request<Incoming>,
    readiness: &Readiness,
    service: Arc<S>,
    patience: Duration,
) -> hyper::Response<Full<Bytes>> {
    if request.uri().path() == "/health" {
        return readiness.reply().written();
    }
    let begun = Instant::now();
    let told = format!("{} {}", request.method(), request.uri().path());
    let reply = match Request::read(request).await {
        Ok(request) => {
            let work = tokio::spawn(service.answer(request));
            match tokio::time::timeout(patience, work).await {
                Ok(Ok(answered)) => answered.unwrap_or_else(Reply::from),
                Ok(Err(_)) => Problem::new(500, "internal", "the request could not be carried out").into(),
                Err(_) => {
                    Problem::try_again(503, "too_slow", "this took too long; it may still happen").into()
                }
            }
        }
        Err(problem) => problem.into(),
    };
    log::line(format_args!("{told} {} {} ms", reply.status, begun.elapsed().as_millis()));
    reply.written()
}

/// One request, read whole.
#[derive(Debug)]
pub struct Request {
    head: hyper::http::request::Parts,
    body: Bytes,
}

impl Request {
    async fn read(request: hyper::Request<Incoming>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body
            .map_err(|_| Problem::new(413, "too_large", "the body could not be read, or is above 1 MiB"))?;
        Ok(Self { head, body: body.to_bytes() })
    }

    /// Method and path segments, to be matched against.
    pub fn route(&self) -> (&str, Vec<&str>) {
        let segments = self.head.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
        (self.head.method.as_str(), segments)
    }

    /// The body as JSON of the wanted shape; 400 when it is no JSON, 422 when the shape differs.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let value: Value = serde_json::from_slice(&self.body)
            .map_err(|error| Problem::new(400, "no_json", format_args!("the body is not JSON: {error}")))?;
        // A list would be taken for the fields in their order.
        if value.is_array() {
            return Err(Problem::invalid("wrong_fields", "an object is expected"));
        }
        serde_json::from_value(value).map_err(|error| Problem::invalid("wrong_fields", error))
    }

    /// A field of a body that is an HTML form.
    pub fn form(&self, name: &str) -> Option<String> {
        pair(&self.body, name)
    }

    /// A parameter of the address.
    pub fn query(&self, name: &str) -> Option<String> {
        pair(self.head.uri.query()?.as_bytes(), name)
    }

    /// A header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.head.headers.get(COOKIE)?.to_str().ok()?;
        cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
    }

    /// What no route matched.
    pub fn nowhere(&self) -> Problem {
        Problem::new(404, "no_such_route", format_args!("{} {}", self.head.method, self.head.uri.path()))
    }
}

fn pair(encoded: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(encoded).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    body: Option<Value>,
}

impl Reply {
    /// A status and a JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: vec![], body: Some(body) }
    }

    /// 204, and nothing else.
    pub fn empty() -> Self {
        Self { status: 204, headers: vec![], body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn written(self) -> hyper::Response<Full<Bytes>> {
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        let is_json = !body.is_empty();
        let mut response = hyper::Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() =
            hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        if is_json {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        Self::json(problem.status, problem.body)
    }
}

/// Which dependencies were connected once.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Vec<Dependency>>>);

/// Its name, and whether it was connected once.
type Dependency = (&'static str, Arc<AtomicBool>);

impl Readiness {
    /// Tries a dependency, again and again, until it answers once.
    pub fn needs<F, T, E>(&self, name: &'static str, probe: F)
    where
        F: Fn() -> T + Send + 'static,
        T: Future<Output = Result<(), E>> + Send,
    {
        let seen = Arc::new(AtomicBool::new(false));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, seen.clone()));
        tokio::spawn(async move {
            while probe().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            seen.store(true, Ordering::Release);
        });
    }

    fn reply(&self) -> Reply {
        let dependencies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: Vec<_> = dependencies
            .iter()
            .filter(|(_, seen)| !seen.load(Ordering::Acquire))
            .map(|(name, _)| *name)
            .collect();
        if waiting.is_empty() {
            Reply::json(200, json!({ "status": "ok" }))
        } else {
            Reply::json(503, json!({ "status": "starting", "waiting": waiting }))
        }
    }
}
