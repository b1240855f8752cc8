//! gRPC: calls at once on one connection, each with one message, and with its status behind the answer.

use crate::http::{Done, done, noted};
use crate::load::{Ask, Owned, Speaks};
use crate::servers::Server;
use crate::wire::wrong;
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;

pub(crate) struct Grpc {
    send: SendRequest<Full<Bytes>>,
    _connection: Owned,
}

/// A message with its length before it.
fn message(said: &str) -> Bytes {
    let length = u32::try_from(said.len()).unwrap().to_be_bytes();
    [&[0], &length[..], said.as_bytes()].concat().into()
}

fn said(message: &[u8]) -> Option<String> {
    let (head, said) = message.split_at_checked(5)?;
    let is_whole = head[0] == 0 && said.len() == u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
    String::from_utf8(said.to_vec()).ok().filter(|_| is_whole)
}

type Parts = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn answer(request: Request<Incoming>, done: Done) -> Result<Response<Parts>, Infallible> {
    let does = request.uri().path().ends_with("/Do");
    let Ok(body) = request.into_body().collect().await else {
        return Ok(Response::new(StreamBody::new(stream::iter(Vec::new()))));
    };
    let heard = said(&body.to_bytes());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(if heard.is_some() { "0" } else { "13" }));
    let mut heard = heard.unwrap_or_default();
    if does {
        let number = heard[1..heard.find('Z').unwrap_or(1)].parse().unwrap_or_default();
        done.lock().unwrap().push(number);
        heard.clear();
    }
    let parts = vec![Ok(Frame::data(message(&heard))), Ok(Frame::trailers(trailers))];
    let response = Response::builder().header("content-type", "application/grpc");
    Ok(response.body(StreamBody::new(stream::iter(parts))).unwrap())
}

impl Speaks for Grpc {
    const SEAM: &'static str = "grpc";

    async fn serve() -> Option<Server> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let done = noted(address);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let done = Arc::clone(&done);
                let answer = move |request: Request<Incoming>| answer(request, Arc::clone(&done));
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(async move {
                    // Whoever cuts a connection is no news here.
                    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
                });
            }
        });
        Some(Server::here(address.port()))
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (send, connection) = shaken.map_err(io::Error::other)?;
        let connection = Owned::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { send, _connection: connection })
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let each = asks.iter().map(|ask| {
            let mut send = self.send.clone();
            async move {
                let method = if ask.does { "Do" } else { "Say" };
                let request = Request::post(format!("http://a/soak.Soak/{method}"))
                    .header("content-type", "application/grpc")
                    .header("te", "trailers")
                    .body(Full::new(message(&ask.payload())))
                    .unwrap();
                let response = send.send_request(request).await.map_err(io::Error::other)?;
                let body = response.into_body().collect().await.map_err(io::Error::other)?;
                let status = body.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
                if status.as_ref().is_none_or(|status| status != "0") {
                    return Err(wrong(format!("{status:?}")));
                }
                said(&body.to_bytes()).ok_or_else(|| wrong("no message"))
            }
        });
        try_join_all(each).await
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
