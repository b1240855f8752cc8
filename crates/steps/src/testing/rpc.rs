//! A small gRPC server, and what describes it.

use crate::testing::serving;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seam_wire::grpc::Descriptors;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

const PROTO: &str = "syntax = \"proto3\"; package shop;
    message Book { string sku = 1; int32 count = 2; }
    message Placed { int32 id = 1; }
    service Orders {
      rpc Place(Book) returns (Placed);
      rpc Sum(stream Book) returns (Placed);
      rpc Watch(Book) returns (stream Placed);
      rpc Forever(Book) returns (stream Placed);
    }";

pub(crate) fn descriptors() -> Arc<Descriptors> {
    let read = |name: &str| (name == "shop.proto").then(|| PROTO.to_owned());
    Arc::new(Descriptors::from_protos(&["shop.proto"], read).unwrap())
}

pub(crate) async fn server() -> SocketAddr {
    let serve = |stream, _| async {
        let serve = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = serve.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
    };
    serving(serve).await.0
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn placed(id: u8) -> Frame<Bytes> {
    let message: &[u8] = if id == 0 { &[0, 0, 0, 0, 0] } else { &[0, 0, 0, 0, 2, 8, id] };
    Frame::data(Bytes::copy_from_slice(message))
}

fn trailers(pairs: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Frame::trailers(headers.collect())
}

async fn answer(request: hyper::Request<Incoming>) -> Result<hyper::Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let sent = ["authorization", "cookie", "x-a", "x-bin", "grpc-timeout"].into_iter().flat_map(|name| {
        let values = head.headers.get_all(name).iter();
        values.map(move |value| format!("; {name}: {}", value.to_str().unwrap()))
    });
    let said = format!("{}{}", head.uri.path(), sent.collect::<String>());
    let ok = || trailers(&[("grpc-status", "0"), ("checksum", "abc")]);
    let (mut frames, mut ends) = (Vec::new(), true);
    match head.uri.path() {
        "/shop.Orders/Place" if body.windows(4).any(|window| window == b"gone") => {
            frames.push(trailers(&[("grpc-status", "5"), ("grpc-message", "no such book")]));
        }
        "/shop.Orders/Sum" => {
            let (mut n_messages, mut rest) = (0, &body[..]);
            while let [_, _, _, _, length, more @ ..] = rest {
                (n_messages, rest) = (n_messages + 1, &more[usize::from(*length)..]);
            }
            frames.extend([placed(n_messages), ok()]);
        }
        // More than anybody waits for, in one go.
        "/shop.Orders/Watch" if body.windows(4).any(|window| window == b"many") => {
            frames.extend((0..5).map(placed).chain([ok()]));
        }
        "/shop.Orders/Watch" => frames.extend([placed(0), placed(1), ok()]),
        "/shop.Orders/Forever" => {
            frames.extend([placed(0), placed(1)]);
            ends = false;
        }
        _ => frames.extend([placed(7), ok()]),
    }
    let frames = futures_util::stream::iter(frames.into_iter().map(Ok));
    let body = if ends {
        BodyExt::boxed(StreamBody::new(frames))
    } else {
        BodyExt::boxed(StreamBody::new(frames.chain(futures_util::stream::pending())))
    };
    let response =
        hyper::Response::builder().header("content-type", "application/grpc").header("x-said", said);
    Ok(response.body(body).unwrap())
}
