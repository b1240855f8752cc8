//! Server-sent events: each answer is a stream of them, a moment apart.

use crate::http::path;
use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::{Reader, Wire, wrong};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

pub(crate) struct Events(Wire);

/// Events of each answer.
const EVENTS: usize = 3;

/// As much of an event as is sent at once.
const PART: usize = 20_000;

async fn answer(
    request: Request<Incoming>,
) -> Result<
    Response<StreamBody<impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>>>>,
    Infallible,
> {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    let (path, size) = path.split_once('?').unwrap_or_default();
    let number: u64 = path.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let ask = Ask { number, size: size.parse().unwrap_or_default(), does: false };
    let event = format!("event: e\ndata: {}\n\n", ask.payload());
    let parts: Vec<Bytes> = event.as_bytes().chunks(PART).map(Bytes::copy_from_slice).collect();
    let parts = std::iter::repeat_n(parts, EVENTS).flatten();
    let parts = stream::unfold(parts, |mut parts| async move {
        let part = parts.next()?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        Some((Ok(Frame::data(part)), parts))
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(StreamBody::new(parts)).unwrap())
}

async fn chunks(reader: &mut Reader<'_>) -> io::Result<String> {
    let mut body = Vec::new();
    loop {
        let line = reader.line().await?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| wrong(line))?;
        body.extend(reader.exactly(length).await?);
        let end = reader.line().await?;
        if !end.is_empty() {
            return Err(wrong(end));
        }
        if length == 0 {
            return String::from_utf8(body).map_err(|_| wrong("no text"));
        }
    }
}

impl Speaks for Events {
    const SEAM: &'static str = "http";

    const DOES: bool = false;

    async fn serve() -> Option<Server> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let mut builder = hyper::server::conn::http1::Builder::new();
                builder.pipeline_flush(true);
                tokio::spawn(async move {
                    // Whoever cuts a connection is no news here.
                    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
                });
            }
        });
        Some(Server::here(address.port()))
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        Ok(Self(Wire::new(stream)))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let head = |ask: &Ask| format!("GET {}?{} HTTP/1.1\r\nhost: a\r\n\r\n", path(ask), ask.size);
        let said: String = asks.iter().map(head).collect();
        let read = async |reader: &mut Reader<'_>| {
            let mut answers = Vec::new();
            for ask in asks {
                let head = reader.up_to(b"\r\n\r\n").await?;
                if !head.to_ascii_lowercase().starts_with("http/1.1 200") {
                    return Err(wrong(head));
                }
                let (came, payload) = (chunks(reader).await?, ask.payload());
                let is_it = came == format!("event: e\ndata: {payload}\n\n").repeat(EVENTS);
                answers.push(if is_it { payload } else { came });
            }
            Ok(answers)
        };
        self.0.say(said.as_bytes(), read).await
    }
}
