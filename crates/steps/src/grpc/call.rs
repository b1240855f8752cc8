//! One call over a connection of its own. What is said on it is read by the seam's own decoder.

use crate::action::Trouble;
use crate::heard::{Heard, Unread};
use crate::http::{Broken, broken};
use crate::socket::seen;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seam_event::InteractionError;
use seam_value::Value;
use seam_wire::Direction;
use seam_wire::body::from_base64;
use seam_wire::grpc::Descriptors;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// What stands before each message: a flag, and the length.
const HEAD: usize = 5;

/// A call that is to be made.
pub(super) struct Calling<'a> {
    pub(super) socket: SocketAddr,
    pub(super) path: &'a str,
    /// All messages, each with its head.
    pub(super) messages: Bytes,
    pub(super) metadata: HeaderMap,
    pub(super) deadline: Option<Duration>,
    /// So many messages are enough.
    pub(super) receive: Option<usize>,
    pub(super) descriptors: Option<&'a Arc<Descriptors>>,
}

/// What came of it.
pub(super) struct Called {
    /// The reply as an interaction has it, as far as it came; null where nothing did.
    pub(super) reply: Value,
    pub(super) error: Option<&'static str>,
    pub(super) elapsed: Duration,
}

/// How a call ended that nothing broke off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// All of the answer is there.
    Whole,
    /// So many messages were enough.
    GivenUp { n_messages: usize },
}

impl Calling<'_> {
    /// Makes it.
    pub(super) async fn call(self, deadline: Instant) -> Result<Called, Trouble> {
        let began = Instant::now();
        let request = self.request()?;
        let heard = Arc::new(Mutex::new(Ears { heard: Heard::new("grpc", self.descriptors), unread: None }));
        let done = timeout_at(deadline, self.over(request, &heard)).await;
        let mut ears = lock(&heard);
        if let Some(unread @ Unread::TooLong) = ears.unread.take() {
            return Err(Trouble::errored(unread.to_string()));
        }
        let mut told = ears.heard.told().map_err(|unread| Trouble::errored(unread.to_string()))?;
        // Of a call that was given up, as far as it came.
        told.extend(ears.heard.unfinished().map_err(|unread| Trouble::errored(unread.to_string()))?);
        let reply = told.into_iter().rev().map(|told| told.parts.reply).find(|reply| *reply != Value::Null);
        let mut reply = reply.unwrap_or_default();
        let error = match done {
            Err(_) => Some(InteractionError::Timeout.name()),
            Ok(Ok(ending)) => {
                if let Ending::GivenUp { n_messages } = ending {
                    reply = beginning(&reply, n_messages);
                }
                None
            }
            Ok(Err(Broken::Seen(seen))) => Some(seen.name()),
            Ok(Err(Broken::Malformed(_))) => Some("malformed"),
            Ok(Err(Broken::TooLong)) => return Err(Trouble::errored(Unread::TooLong.to_string())),
        };
        Ok(Called { reply, error, elapsed: began.elapsed() })
    }

    async fn over(
        &self,
        request: http::Request<Full<Bytes>>,
        heard: &Arc<Mutex<Ears>>,
    ) -> Result<Ending, Broken> {
        let lost = |error: &io::Error| Broken::Seen(seen(error));
        let stream = TcpStream::connect(self.socket).await.map_err(|error| lost(&error))?;
        stream.set_nodelay(true).map_err(|error| lost(&error))?;
        let stream = TokioIo::new(Overheard { stream, ears: heard.clone() });
        let (mut sender, connection) =
            Builder::new(TokioExecutor::new()).handshake(stream).await.map_err(|error| broken(&error))?;
        let call = async move {
            let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
            // A reply that is nothing but its status has come whole with its head.
            if response.headers().contains_key("grpc-status") {
                return Ok(Ending::Whole);
            }
            let mut body = response.into_body();
            let mut messages = Counting::default();
            loop {
                if let Some(n_messages) = self.receive.filter(|enough| messages.n_whole >= *enough) {
                    return Ok(Ending::GivenUp { n_messages });
                }
                match body.frame().await {
                    None => return Ok(Ending::Whole),
                    Some(Err(error)) => return Err(broken(&error)),
                    Some(Ok(frame)) => messages.count(frame.data_ref().map_or(&[][..], |data| data)),
                }
            }
        };
        // What the client spawns to drive it ends when the call is over or dropped, which gives up what is open.
        let mut call = std::pin::pin!(call);
        tokio::select! {
            biased;
            done = &mut call => done,
            // A server that answers and leaves at once has answered all the same: that may be on its way to the call.
            ended = connection => match (call.await, ended) {
                (Err(_), Err(error)) => Err(broken(&error)),
                (done, _) => done,
            },
        }
    }

    fn request(&self) -> Result<http::Request<Full<Bytes>>, Trouble> {
        let mut request = http::Request::new(Full::new(self.messages.clone()));
        *request.method_mut() = http::Method::POST;
        let address = format!("http://{}{}", self.socket, self.path);
        let wrong = |_| Trouble::failed(format!("`{}` can't be asked for over HTTP/2", self.path));
        *request.uri_mut() = address.parse().map_err(wrong)?;
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("seamwork"));
        if let Some(deadline) = self.deadline {
            // At most eight digits are allowed.
            let text = match deadline.as_millis() {
                millis @ ..=99_999_999 => format!("{millis}m"),
                millis => format!("{}S", millis / 1000),
            };
            headers.extend(
                HeaderValue::from_str(&text).map(|value| (HeaderName::from_static("grpc-timeout"), value)),
            );
        }
        headers.extend(self.metadata.clone());
        Ok(request)
    }
}

/// So many messages of a reply, and what was said before them: whether more was on its way already is chance.
fn beginning(reply: &Value, n_messages: usize) -> Value {
    let all = match (reply.get("bodies"), reply.get("body")) {
        (Some(Value::List(all)), _) => all.clone(),
        (_, None | Some(Value::Null)) => Vec::new(),
        (_, Some(only)) => vec![only.clone()],
    };
    let bodies: Vec<Value> = all.into_iter().take(n_messages).collect();
    let body = if let [only] = bodies.as_slice() { only.clone() } else { Value::Null };
    let metadata = reply.get("metadata").cloned().unwrap_or_default();
    Value::map([("metadata", metadata), ("body", body), ("bodies", Value::List(bodies))])
}

/// Puts metadata as it is sent; a list repeats its name, null says nothing. The error says what can't be sent.
pub(super) fn put(metadata: &mut HeaderMap, name: &str, value: &Value) -> Result<(), String> {
    let wrong = |value: &Value| format!("`{name}: {}` can't be metadata", value.to_plain_text());
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(value))?;
    metadata.remove(&name);
    let values = match value {
        Value::Null => &[],
        Value::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for value in values {
        let text = match from_base64(value) {
            Some(bytes) => STANDARD_NO_PAD.encode(bytes),
            None if name.as_str().ends_with("-bin") => {
                return Err(format!("what ends in `-bin` is bytes: `{name}: {{ base64: … }}`"));
            }
            None => value.to_plain_text(),
        };
        metadata.append(name.clone(), HeaderValue::from_bytes(text.as_bytes()).map_err(|_| wrong(value))?);
    }
    Ok(())
}

/// How many messages have come, whatever the pieces in which they came.
#[derive(Default)]
struct Counting {
    n_whole: usize,
    head: Vec<u8>,
    /// Of the message that has begun.
    n_left: usize,
}

impl Counting {
    fn count(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.head.len() < HEAD {
                let (now, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(now);
                bytes = rest;
                let Some(length) = self.head.get(1..HEAD).and_then(|length| length.first_chunk()) else {
                    continue;
                };
                self.n_left = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            }
            let n_now = bytes.len().min(self.n_left);
            self.n_left -= n_now;
            bytes = &bytes[n_now..];
            if self.head.len() == HEAD && self.n_left == 0 {
                self.n_whole += 1;
                self.head.clear();
            }
        }
    }
}

struct Ears {
    heard: Heard,
    /// Why nothing more is listened to.
    unread: Option<Unread>,
}

impl Ears {
    fn hear(&mut self, direction: Direction, bytes: &[u8]) {
        if self.unread.is_none() {
            self.unread = self.heard.hear(direction, bytes).err();
        }
    }
}

fn lock(ears: &Mutex<Ears>) -> MutexGuard<'_, Ears> {
    ears.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket of which all is heard that passes.
struct Overheard {
    stream: TcpStream,
    ears: Arc<Mutex<Ears>>,
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        lock(&self.ears).hear(Direction::ToConsumer, &buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(n_written)) = polled {
            lock(&self.ears).hear(Direction::ToProvider, &bytes[..n_written]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let bytes = [&[0, 0, 0, 0, 2, 7, 7][..], &[0; 5], &[1, 0, 0, 0, 1, 9], &[0, 0, 0]].concat();
        for size in 1..=bytes.len() {
            let mut counting = Counting::default();
            bytes.chunks(size).for_each(|chunk| counting.count(chunk));
            assert_eq!(counting.n_whole, 3, "in pieces of {size}");
        }
    }
}
