//! A bare hyper server on one thread: the floor of everything that answers HTTP.
//!
//! It answers every request alike, and takes HTTP/1.1 and HTTP/2 on the same port. Of bodies it reads nothing but the
//! end. `GET /bulk/N` gets N MiB.

use super::Started;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpListener;

const ANSWER: &[u8] = b"{\"id\":7,\"name\":\"item-7\",\"price\":7.5,\"tags\":[\"a\",\"b\"]}";

/// Starts it on a free port.
pub(crate) fn start(_: &[String]) -> std::io::Result<Started> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || runtime.block_on(serve(listener)));
    Ok((address, Box::new(())))
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let n_mib = request.uri().path().strip_prefix("/bulk/").and_then(|n_mib| n_mib.parse().ok());
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let body = match n_mib {
        Some(n_mib) => Bulk { left: n_mib, chunk: Bytes::from(vec![b'x'; MIB]) }.boxed(),
        None => Full::new(Bytes::from_static(ANSWER)).boxed(),
    };
    let mut response = Response::new(body);
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    Ok(response)
}

const MIB: usize = 1024 * 1024;

/// The same MiB again and again.
struct Bulk {
    left: u64,
    chunk: Bytes,
}

impl Body for Bulk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.left * MIB as u64)
    }
}
