//! One kept-alive HTTP/1 connection, driven by the step that uses it.
//!
//! hyper wants its connection polled beside the request, which is usually done by a task of its own for each
//! connection. Here both are polled by the same future: a request costs no task, no channel between threads and no
//! lock. The price is that an idle connection is not watched, so whether it is still alive is asked of the kernel
//! before it is used again (one `recv` that only peeks).

use super::link2::Link2;
use crate::actor::Pool;
use crate::socket::{is_silent, seen};
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use seam_event::InteractionError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Free connections by where they lead.
#[derive(Default)]
pub(crate) struct Links {
    pub(super) one: Pool<SocketAddr, Link>,
    pub(super) two: Pool<SocketAddr, Link2>,
}

impl Links {
    /// Closes those that nobody uses.
    pub(crate) fn clear(&self) {
        self.one.clear();
        self.two.clear();
    }
}

/// The most that a body may have; more ends the reading, so that no answer can fill the memory.
const MOST_BODY: usize = crate::heard::MOST;

/// A connection that was idle for longer is not used again: servers close such ones (the most impatient known, after
/// two seconds), and a request that crosses with the closing is lost.
pub(super) const LONGEST_IDLE: Duration = Duration::from_secs(1);

/// One connection that carries one request at a time.
pub(crate) struct Link {
    stream: Arc<TcpStream>,
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Shared>, Full<Bytes>>,
    /// When it was used last.
    used: Instant,
}

/// What came back, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Bytes,
    /// What was sent after the body.
    pub(crate) trailers: http::HeaderMap,
    /// Why the body is not whole.
    pub(crate) broke_off: Option<Broken>,
}

/// Why there was no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// In the words that tests use.
    Seen(InteractionError),
    /// What came is not HTTP.
    Malformed(String),
    /// The body is longer than this side reads.
    TooLong,
}

impl Link {
    /// Opens a connection.
    pub(crate) async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let stream = Arc::new(stream);
        let (sender, connection) = Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(Shared(stream.clone())))
            .await
            .map_err(io::Error::other)?;
        Ok(Self { stream, sender, connection, used: Instant::now() })
    }

    /// Has the other side neither closed nor said anything unasked, nor waited so long that it may be about to close?
    pub(crate) fn is_fresh(&self) -> bool {
        self.used.elapsed() < LONGEST_IDLE && is_silent(&self.stream) && !self.sender.is_closed()
    }

    /// Sends a request and reads the whole answer. Gives the connection back where it can carry another one.
    pub(crate) async fn exchange(
        mut self,
        request: http::Request<Full<Bytes>>,
    ) -> (Result<Answer, Broken>, Option<Self>) {
        if let Err(broken) = self.make_ready().await {
            return (Err(broken), None);
        }
        let Self { sender, connection, .. } = &mut self;
        let mut connection = Driven { connection, ended: None };
        let response = match connection.beside(sender.send_request(request)).await {
            Ok(response) => response,
            Err(error) => {
                let broken = connection.ended.take().unwrap_or_else(|| broken(&error));
                return (Err(broken), None);
            }
        };
        let (head, incoming) = response.into_parts();
        let is_http_still = head.status != http::StatusCode::SWITCHING_PROTOCOLS;
        let rest = if is_http_still { connection.beside(read_rest(incoming)).await } else { Rest::default() };
        // Some servers close behind an application that broke (uvicorn does), a moment after its answer and without
        // a word in it; a request that crosses with that is lost, and would be told as a fault of theirs.
        let has_broken = head.status.is_server_error();
        let may_go_on =
            rest.broke_off.is_none() && connection.ended.is_none() && is_http_still && !has_broken;
        let answer = rest.behind(head);
        let goes_on = may_go_on && self.is_idle().await;
        self.used = Instant::now();
        (Ok(answer), goes_on.then_some(self))
    }

    /// Lets the connection come to the point where it takes a request.
    async fn make_ready(&mut self) -> Result<(), Broken> {
        let Self { sender, connection, .. } = self;
        let mut connection = Driven { connection, ended: None };
        match connection.beside(sender.ready()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(connection.ended.take().unwrap_or_else(|| broken(&error))),
        }
    }

    /// Polls the connection once after an answer, and says whether it takes a further request.
    async fn is_idle(&mut self) -> bool {
        let Self { sender, connection, .. } = self;
        std::future::poll_fn(|cx| {
            let is_open = Pin::new(&mut *connection).poll(cx).is_pending();
            Poll::Ready(is_open && matches!(sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }
}

/// The connection, polled beside whatever waits for it.
struct Driven<'a> {
    connection: &'a mut Connection<TokioIo<Shared>, Full<Bytes>>,
    /// Set when the connection came to its end, with why if that was no orderly one.
    ended: Option<Broken>,
}

impl Driven<'_> {
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut is_over = self.ended.is_some();
        std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if is_over {
                return Poll::Pending;
            }
            if let Poll::Ready(end) = Pin::new(&mut *self.connection).poll(cx) {
                is_over = true;
                if let Err(error) = end {
                    self.ended = Some(broken(&error));
                }
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// What follows the head of an answer.
#[derive(Default)]
pub(super) struct Rest {
    body: Bytes,
    trailers: http::HeaderMap,
    broke_off: Option<Broken>,
}

impl Rest {
    pub(super) fn behind(self, head: http::response::Parts) -> Answer {
        let Self { body, trailers, broke_off } = self;
        Answer { head, body, trailers, broke_off }
    }
}

/// Reads the body, and what is sent after it.
pub(super) async fn read_rest(mut incoming: Incoming) -> Rest {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    let mut trailers = http::HeaderMap::new();
    let broke_off = loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await;
        let data = match frame {
            None => break None,
            Some(Err(error)) => break Some(broken(&error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    trailers.extend(frame.into_trailers().unwrap_or_default());
                    continue;
                }
            },
        };
        // Nearly all bodies are one frame, which is kept without copying.
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
        if first.len() + more.len() > MOST_BODY {
            break Some(Broken::TooLong);
        }
    };
    Rest { body: joined(first, &more), trailers, broke_off }
}

fn joined(first: Bytes, more: &BytesMut) -> Bytes {
    if more.is_empty() {
        return first;
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(more);
    whole.freeze()
}

/// hyper's error in the words that tests use.
pub(crate) fn broken(error: &hyper::Error) -> Broken {
    if error.is_parse() || error.is_parse_too_large() {
        return Broken::Malformed(error.to_string());
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Broken::Seen(seen(io));
        }
        if let Some(of_http2) = cause.downcast_ref::<h2::Error>() {
            return match of_http2.get_io() {
                Some(io) => Broken::Seen(seen(io)),
                None if of_http2.is_remote() && of_http2.is_reset() => Broken::Seen(InteractionError::Reset),
                None if of_http2.is_remote() => Broken::Seen(InteractionError::Closed),
                None => Broken::Malformed(of_http2.to_string()),
            };
        }
        source = cause.source();
    }
    Broken::Seen(InteractionError::Closed)
}

/// The socket, readable by hyper and still ours to peek at.
struct Shared(Arc<TcpStream>);

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buf.initialize_unfilled()) {
                Ok(n_read) => {
                    buf.advance(n_read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Write) {
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
