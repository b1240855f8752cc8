//! Passes requests of HTTP/2 on to the external, gRPC's with their trailers among them, and its answers back: each call for
//! itself, over one connection for each that a consumer has.

use super::body::{MIDST, Progress, Sent, why};
use super::dial::Dialled;
use super::fate::{ConsumerSocket, Fate};
use super::rewrite::asked_for;
use super::{Far, until_over};
use crate::reach::ExternalError;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2::{Builder as ClientBuilder, SendRequest};
use hyper::server::conn::http2::Builder as ServerBuilder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::time::{Instant, timeout_at};

/// How a connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Why a call has no answer; whoever is to hear of it has been told. The call alone is reset, as the external did it.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("there is no answer")]
    Failed,
    #[error(transparent)]
    Reset(hyper::Error),
}

/// Does a consumer speak HTTP/2? Its first bytes say so, and stay before what else it says.
pub(super) async fn is_spoken(consumer: &mut ConsumerSocket) -> bool {
    let mut first = Vec::with_capacity(PREFACE.len());
    // Nothing that has so many bytes of it is anything else.
    while first.len() < 3 && PREFACE.starts_with(&first) {
        if !matches!(consumer.read_buf(&mut first).await, Ok(1..)) {
            break;
        }
    }
    let n_known = first.len().min(PREFACE.len());
    let is_spoken = n_known >= 3 && first[..n_known] == PREFACE[..n_known];
    consumer.put_back(first);
    is_spoken
}

/// Serves one connection of a consumer until it ends.
pub(super) async fn serve(consumer: ConsumerSocket, fate: Fate, far: Arc<Far>) {
    let external = Arc::new(External { far: Arc::clone(&far), link: Mutex::new(None) });
    let service = service_fn(|request| {
        let (external, fate) = (Arc::clone(&external), fate.clone());
        async move { external.exchange(request, &fate).await }
    });
    let executor = TokioExecutor::new();
    let serving = ServerBuilder::new(executor)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(consumer), service);
    // An error is the consumer's, or has been told.
    let _ = serving.await;
}

/// The connection to the external that is one consumer's.
struct External {
    far: Arc<Far>,
    link: Mutex<Option<Link>>,
}

/// That connection, for one call.
#[derive(Clone)]
struct Link {
    sender: SendRequest<Sent>,
    /// Says when it has ended, by being closed itself.
    ended: watch::Receiver<()>,
    /// Why it has, until that is told.
    why: Arc<OnceCell<Mutex<Option<ExternalError>>>>,
}

impl Link {
    /// Why there was no answer, where that is still to be told. A call only hears that its connection is gone, which has its
    /// own reason.
    async fn why(
        mut self,
        (is_reset, reason): (bool, ExternalError),
        when: &'static str,
    ) -> Option<ExternalError> {
        if !self.sender.is_closed() {
            return (!is_reset).then_some(reason);
        }
        let _ = self.ended.changed().await;
        let of_connection = match self.why.get() {
            Some(reason) => reason.lock().await.take()?,
            None => return Some(reason),
        };
        // When that was, the call knows.
        Some(match of_connection {
            ExternalError::Reset { .. } => ExternalError::Reset { when },
            ExternalError::Closed { .. } => ExternalError::Closed { when },
            other => other,
        })
    }
}

const BEFORE: &str = "before it answered";

/// The body of an answer. Where it breaks off with the connection, somebody has to hear of it: the consumer is only told that
/// its call was reset.
struct Answering {
    body: Incoming,
    far: Arc<Far>,
    link: Option<Link>,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Err(error)) = &frame
            && let Some(link) = self.link.take()
        {
            let (far, reason) = (Arc::clone(&self.far), (is_reset(error), why(error, MIDST)));
            let telling = async move {
                if let Some(reason) = link.why(reason, MIDST).await {
                    (far.told)(&reason);
                }
            };
            tokio::spawn(until_over(self.far.over.clone(), telling));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl External {
    /// One call with its answer.
    async fn exchange(
        &self,
        mut request: Request<Incoming>,
        fate: &Fate,
    ) -> Result<Response<Answering>, Unanswered> {
        let far = &self.far;
        let came_to = far.own.outward_by_authority(&mut request);
        if let Some(permit) = &far.permit
            && let Err(reason) = permit(request.method().as_str(), asked_for(&request))
        {
            (far.told)(&ExternalError::NotAllowed { reason });
            return Err(Unanswered::Failed);
        }
        let mut link = match self.link().await {
            Ok(link) => link,
            Err(error) => {
                // Nothing can be asked on this connection, this call or another.
                fate.follow(&error);
                (far.told)(&error);
                return Err(Unanswered::Failed);
            }
        };
        match send(&mut link, request, far.patience.answer).await {
            Err(slow) => {
                // The call alone is given up: others on the connection may go well.
                (far.told)(&slow);
                Err(Unanswered::Failed)
            }
            Ok(Ok(mut response)) => {
                far.own.homeward(&mut response, came_to.as_ref());
                let far = Arc::clone(far);
                Ok(response.map(|body| Answering { body, far, link: Some(link) }))
            }
            Ok(Err(error)) => {
                // What resets a call says all there is to say of it, and the consumer hears the same.
                if let Some(reason) = link.why((is_reset(&error), why(&error, BEFORE)), BEFORE).await {
                    (far.told)(&reason);
                }
                Err(Unanswered::Reset(error))
            }
        }
    }

    /// The connection, a new one where it is gone.
    async fn link(&self) -> Result<Link, ExternalError> {
        let mut kept = self.link.lock().await;
        if let Some(link) = kept.as_ref().filter(|link| !link.sender.is_closed()) {
            return Ok(link.clone());
        }
        let Dialled { stream, .. } = self.far.dialler.dial_two().await?;
        let begun = ClientBuilder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(|error| why(&error, BEFORE))?;
        let ((ends, ended), reason) = (watch::channel(()), Arc::new(OnceCell::new()));
        let told: Arc<OnceCell<_>> = Arc::clone(&reason);
        let driving = async move {
            if let Err(error) = connection.await {
                let _ = told.set(Mutex::new(Some(why(&error, BEFORE))));
            }
            drop(ends);
        };
        tokio::spawn(until_over(self.far.over.clone(), driving));
        Ok(kept.insert(Link { sender, ended, why: reason }).clone())
    }
}

/// Sends a request and waits for the head of its answer, for so long after the last piece of the request. The error of the
/// outside says that nothing came.
async fn send(
    link: &mut Link,
    request: Request<Incoming>,
    within: Duration,
) -> Result<hyper::Result<Response<Incoming>>, ExternalError> {
    let progress = Progress::begin();
    let request = request.map(|body| Sent::new(Some(body), &progress));
    let mut answering = std::pin::pin!(link.sender.send_request(request));
    loop {
        let deadline = progress.last() + within;
        match timeout_at(deadline, &mut answering).await {
            Ok(answered) => return Ok(answered),
            // More of the request has been sent in the meantime.
            Err(_) if progress.last() + within > Instant::now() => {}
            Err(_) => return Err(ExternalError::Slow { what: "its answer".to_owned(), within }),
        }
    }
}

/// Was a call reset by the external, and nothing else?
fn is_reset(error: &hyper::Error) -> bool {
    let mut sources = std::iter::successors(error.source(), |error| (*error).source());
    sources.any(|error| {
        error.downcast_ref().is_some_and(|error: &h2::Error| error.is_reset() && error.is_remote())
    })
}
