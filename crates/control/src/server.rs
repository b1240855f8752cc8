//! Listens on the control address: reads each request whole, within bounds, and hands it to whom its path belongs.

use crate::answer::{Answer, Asked};
use crate::guard::refusal;
use crate::own::{House, Own};
use crate::toxiproxy::Toxiproxy;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// The most that the body of a request may have.
const MOST_BODY: usize = 8 * 1024 * 1024;

/// How long reading a head may take, and then a body.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 1024;

/// Why there is no control address.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is none of loopback's.
    #[error("listen for control on {0}, which is not on loopback")]
    NotLoopback(SocketAddr),
    /// Nothing can listen there.
    #[error("listen for control on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What the control address serves.
pub struct Control {
    /// The proxies that Toxiproxy's clients make.
    pub toxiproxy: Arc<Toxiproxy>,
    /// What is up.
    pub house: Arc<dyn House>,
}

/// The control address while it listens.
pub struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Control {
    /// Listens there; must be called within a runtime.
    pub async fn serve(self, address: SocketAddr) -> Result<Served, ControlError> {
        if !address.ip().is_loopback() {
            return Err(ControlError::NotLoopback(address));
        }
        let failed = |source| ControlError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::new(Serving { toxiproxy: self.toxiproxy, own: Own::new(self.house) });
        Ok(Served { address, stop, serving: tokio::spawn(serving.listen(listener, stopped)) })
    }
}

impl Served {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, closes all connections of clients, and takes down what Toxiproxy's clients have made.
    pub async fn close(self) {
        drop(self.stop);
        // A task that has panicked has closed all the same.
        let _ = self.serving.await;
    }
}

struct Serving {
    toxiproxy: Arc<Toxiproxy>,
    own: Own,
}

impl Serving {
    async fn listen(self: Arc<Self>, listener: TcpListener, mut stopped: oneshot::Receiver<()>) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(_) = open.join_next(), if !open.is_empty() => {}
                accepted = listener.accept(), if open.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        open.spawn(Arc::clone(&self).connection(stream));
                    }
                    // Out of file descriptors, or the client is gone already: the next may do better.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        }
        drop(listener);
        open.shutdown().await;
        self.toxiproxy.clear().await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let serving = Arc::clone(&self);
            async move { Ok::<_, Infallible>(serving.exchange(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(READ_WITHIN)
            .serve_connection(TokioIo::new(stream), service);
        // An error is the client's: it went away, was too slow, or spoke no HTTP, which it was told.
        let _ = connection.await;
    }

    async fn exchange(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if let Some(refused) = refusal(&head.headers, head.uri.authority().map(hyper::http::uri::Authority::as_str)) {
            return refused.with("connection", "close").into();
        }
        let body = match read(body).await {
            Ok(body) => body,
            Err(refused) => return refused.with("connection", "close").into(),
        };
        let asked = Asked {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
        };
        self.answer(&asked).await.into()
    }

    async fn answer(&self, asked: &Asked) -> Answer {
        if let Some(answer) = self.toxiproxy.answer(asked).await {
            return answer;
        }
        if let Some(answer) = self.own.answer(asked).await {
            return answer;
        }
        let message = format!("nothing answers {} {}", asked.method, asked.path);
        let hint = "Seamwork's own API stands under /seam/ (its description at /seam/openapi.yaml), Toxiproxy's at /proxies";
        Answer::error(StatusCode::NOT_FOUND, &message, hint)
    }
}

/// Reads a body, unless it is too large or too slow.
async fn read(body: Incoming) -> Result<Bytes, Answer> {
    let reading = Limited::new(body, MOST_BODY).collect();
    match tokio::time::timeout(READ_WITHIN, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = "the body is larger than 8 MiB";
            Err(Answer::error(StatusCode::PAYLOAD_TOO_LARGE, message, "send it in parts"))
        }
        Ok(Err(_)) => Err(Answer::error(StatusCode::BAD_REQUEST, "the body can't be read", "")),
        Err(_) => Err(Answer::error(StatusCode::REQUEST_TIMEOUT, "the body did not come within 15 s", "")),
    }
}
