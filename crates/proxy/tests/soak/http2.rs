//! HTTP/2 by prior knowledge, several requests at once.

use crate::http::{done, listen, path};
use crate::load::{Ask, Owned, Speaks};
use crate::servers::Server;
use crate::wire::wrong;
use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use tokio::net::TcpStream;

pub(crate) struct Http2 {
    send: SendRequest<Full<Bytes>>,
    _connection: Owned,
}

impl Speaks for Http2 {
    const SEAM: &'static str = "http";

    async fn serve() -> Option<Server> {
        Some(listen(None).await)
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
                let body = Full::new(Bytes::from(ask.payload()));
                let request = Request::post(format!("http://a{}", path(ask))).body(body).unwrap();
                let response = send.send_request(request).await.map_err(io::Error::other)?;
                if response.status() != 200 {
                    return Err(wrong(response.status().to_string()));
                }
                let body = response.into_body().collect().await.map_err(io::Error::other)?;
                String::from_utf8(body.to_bytes().to_vec()).map_err(|_| wrong("no text"))
            }
        });
        try_join_all(each).await
    }

    fn stub(payload: &str) -> Option<String> {
        Some(format!(r#"{{"status":200,"text":"{payload}"}}"#))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
