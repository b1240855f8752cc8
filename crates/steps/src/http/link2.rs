//! One HTTP/2 connection, begun by prior knowledge (RFC 9113, 3.3): the seam speaks it without TLS, whatever is behind.
//!
//! It carries one request at a time all the same: who asks for several at once has `together`, and each of its steps may
//! have a connection of its own. Unlike HTTP/1's it has a task that drives it, because a server may say something at any
//! moment (a ping, a window) and is answered.

use super::link::{Answer, Broken, LONGEST_IDLE, broken, read_rest};
use bytes::Bytes;
use http::header;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// One connection.
pub(crate) struct Link2 {
    sender: SendRequest<Full<Bytes>>,
    /// Gives why the connection ended, where that was no orderly end.
    driving: JoinHandle<Option<hyper::Error>>,
    /// When it was used last.
    used: Instant,
}

impl Link2 {
    /// Opens a connection.
    pub(super) async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let driving = tokio::spawn(async { connection.await.err() });
        Ok(Self { sender, driving, used: Instant::now() })
    }

    /// Why there was no answer. A request only hears that its connection is gone, which has its own reason.
    async fn why(&mut self, error: &hyper::Error) -> Broken {
        let is_gone = self.sender.is_closed();
        let of_the_connection = if is_gone { (&mut self.driving).await.ok().flatten() } else { None };
        broken(of_the_connection.as_ref().unwrap_or(error))
    }

    /// Can it carry a request, and was it used so lately that it is not about to be closed?
    pub(super) fn is_fresh(&self) -> bool {
        self.used.elapsed() < LONGEST_IDLE && !self.sender.is_closed()
    }

    /// Sends a request and reads the whole answer. Gives the connection back where it can carry another one.
    pub(super) async fn exchange(
        mut self,
        request: http::Request<Full<Bytes>>,
    ) -> (Result<Answer, Broken>, Option<Self>) {
        let response = match self.sender.send_request(in_its_form(request)).await {
            Ok(response) => response,
            Err(error) => return (Err(self.why(&error).await), None),
        };
        let (head, incoming) = response.into_parts();
        let answer = read_rest(incoming).await.behind(head);
        let goes_on = answer.broke_off.is_none();
        self.used = Instant::now();
        (Ok(answer), goes_on.then_some(self))
    }
}

impl Drop for Link2 {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// The host is part of the address here, as `:authority`.
fn in_its_form(mut request: http::Request<Full<Bytes>>) -> http::Request<Full<Bytes>> {
    let host = request.headers_mut().remove(header::HOST);
    let authority = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let whole = format!("http://{authority}{}", request.uri());
    if let Ok(uri) = whole.parse() {
        *request.uri_mut() = uri;
    }
    request
}
