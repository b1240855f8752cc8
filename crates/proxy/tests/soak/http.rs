//! HTTP/1.1, pipelined.

use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::{Wire, wrong};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Http(Wire);

impl Http {
    pub(crate) fn over(wire: Wire) -> Self {
        Self(wire)
    }
}

/// What a server did.
pub(crate) type Done = Arc<Mutex<Vec<u64>>>;

static DONE: Mutex<Vec<(std::net::SocketAddr, Done)>> = Mutex::new(Vec::new());

/// Where the server of an address notes what it did.
pub(crate) fn noted(address: std::net::SocketAddr) -> Done {
    let done = Done::default();
    DONE.lock().unwrap().push((address, Arc::clone(&done)));
    done
}

/// A server of whatever this speaks on a connection, which notes what it is to do.
pub(crate) async fn serving<F>(serve: fn(TcpStream, Done) -> F) -> Server
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let done = noted(address);
    tokio::task::spawn_local(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let done = Arc::clone(&done);
            // Whoever cuts a connection is no news here.
            tokio::task::spawn_local(async move { drop(serve(stream, done).await) });
        }
    });
    Server::here(address.port())
}

/// A server of HTTP/1.1 and 2 that says back what it hears, and notes what it is to do; within TLS, where that is given.
pub(crate) async fn listen(tls: Option<TlsAcceptor>) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let done = noted(address);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (done, tls) = (Arc::clone(&done), tls.clone());
            tokio::spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| answer(request, Arc::clone(&done)));
                let builder = auto::Builder::new(TokioExecutor::new());
                // Whoever cuts a connection is no news here.
                match tls {
                    None => drop(builder.serve_connection(TokioIo::new(stream), answer).await),
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        drop(builder.serve_connection(TokioIo::new(stream), answer).await);
                    }
                }
            });
        }
    });
    Server::here(address.port())
}

async fn answer(request: Request<Incoming>, done: Done) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = request.uri().path().strip_prefix("/do/").and_then(|number| number.parse().ok());
    let Ok(body) = request.into_body().collect().await else { return Ok(Response::default()) };
    if let Some(number) = number {
        done.lock().unwrap().push(number);
        return Ok(Response::default());
    }
    Ok(Response::new(Full::new(body.to_bytes())))
}

pub(crate) fn done(address: std::net::SocketAddr) -> Vec<u64> {
    let all = DONE.lock().unwrap();
    let found = all.iter().find(|(other, _)| *other == address).unwrap();
    found.1.lock().unwrap().clone()
}

pub(crate) fn path(ask: &Ask) -> String {
    if ask.does { format!("/do/{}", ask.number) } else { format!("/say/{}", ask.number) }
}

impl Speaks for Http {
    const SEAM: &'static str = "http";

    async fn serve() -> Option<Server> {
        Some(listen(None).await)
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        Ok(Self(Wire::new(stream)))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let mut said = Vec::new();
        for ask in asks {
            let (path, body) = (path(ask), ask.payload());
            let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
            said.extend_from_slice(head.as_bytes());
            said.extend_from_slice(body.as_bytes());
        }
        let read = async |reader: &mut crate::wire::Reader<'_>| {
            let mut answers = Vec::new();
            for _ in asks {
                let head = reader.up_to(b"\r\n\r\n").await?.to_ascii_lowercase();
                if !head.starts_with("http/1.1 200") {
                    return Err(wrong(head));
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length = length.ok_or_else(|| wrong("no length"))?.trim().parse().unwrap();
                answers.push(String::from_utf8(reader.exactly(length).await?).map_err(|_| wrong("no text"))?);
            }
            Ok(answers)
        };
        self.0.say(&said, read).await
    }

    fn stub(payload: &str) -> Option<String> {
        Some(format!(r#"{{"status":200,"text":"{payload}"}}"#))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
