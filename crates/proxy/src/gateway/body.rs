//! Bodies as they pass a gateway: piece by piece, with an eye on whether they go on.

use super::Far;
use super::fate::Fate;
use super::pool::Return;
use super::trust::wants_certificate;
use crate::reach::ExternalError;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, timeout};

/// How long a consumer that asked whether to go on is left waiting; it must not wait for ever (RFC 9110, 10.1.1).
const GO_ON_AFTER: Duration = Duration::from_secs(1);

/// When the last piece of a request was sent.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The body of a request on its way to the external.
pub(super) struct Sent {
    /// None for a request without one.
    body: Option<Incoming>,
    /// Comes when the consumer may be told to go on, where it asked for that.
    go_on: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    progress: Progress,
}

impl Sent {
    pub(super) fn new(body: Option<Incoming>, progress: &Progress) -> Self {
        Self { body, go_on: None, progress: progress.clone() }
    }

    /// Holds the body back until the external says `100 Continue`, a while at most. The consumer gets its own `100`
    /// when the first piece is asked for.
    pub(super) fn held_until(mut self, told: oneshot::Receiver<()>) -> Self {
        self.go_on = Some(Box::pin(async {
            // Nobody is left to say so where the external has answered already: it does not want the body.
            if let Ok(Err(_)) = timeout(GO_ON_AFTER, told).await {
                std::future::pending::<()>().await;
            }
        }));
        self
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(go_on) = &mut self.go_on {
            ready!(go_on.as_mut().poll(cx));
            self.go_on = None;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        self.progress.touch();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The body of an answer on its way to the consumer.
pub(super) struct Answer {
    body: Incoming,
    /// Wakes when nothing has come for too long.
    still: Pin<Box<Sleep>>,
    far: Arc<Far>,
    returning: Arc<Return>,
    fate: Fate,
    /// It has broken off; the consumer gets what came before that, and then the same end.
    broken: Option<hyper::Error>,
}

/// An answer did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(super) struct BrokeOff(#[source] Option<hyper::Error>);

impl Answer {
    pub(super) fn new(body: Incoming, far: Arc<Far>, returning: Arc<Return>) -> Self {
        let still = Box::pin(tokio::time::sleep(far.patience.still));
        let answer = Self { body, still, far, returning, fate: Fate::default(), broken: None };
        answer.look_for_its_end();
        answer
    }

    /// The consumer's connection ends with it where it breaks off.
    pub(super) fn with(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    fn look_for_its_end(&self) {
        if self.body.is_end_stream() {
            self.returning.answered();
        }
    }

    fn tell(&self, error: &ExternalError) {
        self.fate.follow(error);
        (self.far.told)(error);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(BrokeOff(Some(error)))));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let next = Instant::now() + self.far.patience.still;
                self.still.as_mut().reset(next);
                self.look_for_its_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.tell(&why(&error, MIDST));
                // What came before is written out first.
                self.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => {
                self.returning.answered();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.still.as_mut().poll(cx));
                let within = self.far.patience.still;
                self.tell(&ExternalError::Slow { what: "the next piece of its answer".to_owned(), within });
                Poll::Ready(Some(Err(BrokeOff(None))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// When an answer breaks off whose head has come.
pub(super) const MIDST: &str = "in the middle of its answer";

/// Why an exchange with the external came to no proper end.
pub(super) fn why(error: &hyper::Error, when: &'static str) -> ExternalError {
    let chain = std::iter::successors(error.source(), |error| (*error).source());
    let of_two = |error: &'_ (dyn std::error::Error + 'static)| {
        error.downcast_ref::<h2::Error>().and_then(h2::Error::get_io).map(io::Error::kind)
    };
    let two = std::iter::successors(error.source(), |error| (*error).source()).find_map(of_two);
    let socket = chain.filter_map(|error| error.downcast_ref::<io::Error>()).last();
    // Of HTTP/2 only the words are left of it.
    if socket.is_some_and(|socket| wants_certificate(&socket.to_string())) {
        return ExternalError::Unshown;
    }
    let kind = socket.map(io::Error::kind);
    match kind.or(two) {
        // So HTTP/2 calls an end of the connection in the midst of a call.
        Some(io::ErrorKind::BrokenPipe) if kind.is_none() => ExternalError::Closed { when },
        Some(
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe,
        ) => ExternalError::Reset { when },
        Some(io::ErrorKind::UnexpectedEof) => ExternalError::Closed { when },
        _ if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
            ExternalError::Closed { when }
        }
        _ => ExternalError::NoHttp { reason: reason(error) },
    }
}

/// The error with all that led to it.
fn reason(error: &hyper::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    std::iter::once(error.to_string()).chain(sources.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
