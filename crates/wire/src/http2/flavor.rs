//! What is spoken over HTTP/2: plain requests and replies, or gRPC. It decides when a half can be told, and reads it.

use super::connection::Mode;
use super::half::{Cutter, Shared, Stream, Streams, Told, message_length};
use super::hpack::Headers;
use super::reading::{HeadRead, MessageRead, ReplyRead, RequestRead};
use super::said::{self, Said};
use super::splitting::Asked;
use crate::conversation::{Captured, Direction};
use crate::grpc::{self, Descriptors};
use crate::http::events;
use crate::splitter::{Anew, Unanswerable};
use seam_value::Value;
use std::sync::Arc;

/// What is spoken.
#[derive(Clone, Debug)]
pub(crate) enum Flavor {
    /// Requests and replies, as in HTTP/1.
    Http,
    /// Calls of gRPC, described or not. What is none is read as HTTP.
    Grpc(Option<Arc<Descriptors>>),
}

/// How a half is told for the first time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tell {
    /// So much of the body belongs to its beginning; the rest passes later.
    pub(super) n_body: usize,
    pub(super) awaited: bool,
    /// The rest is told message by message.
    cutter: Option<Cutter>,
}

impl Tell {
    /// With all that has come.
    pub(super) fn all() -> Self {
        Self { n_body: usize::MAX, awaited: true, cutter: None }
    }

    fn begun(awaited: bool) -> Self {
        Self { n_body: 0, awaited, cutter: None }
    }

    fn streams(n_body: usize, awaited: bool, cutter: Cutter) -> Self {
        Self { n_body, awaited, cutter: Some(cutter) }
    }

    /// What is not known to stream goes on as it comes: its first message belongs to what is told now.
    pub(super) fn behind_one() -> Self {
        Self::streams(0, true, Cutter::MessagesBehindOne)
    }

    pub(super) fn told(&self) -> Told {
        self.cutter.map_or(Told::Begun, Told::Streams)
    }
}

impl Flavor {
    /// What is known beforehand of a call with these headers.
    pub(super) fn streams(&self, headers: &Headers) -> Streams {
        let Self::Grpc(Some(descriptors)) = self else { return Streams::default() };
        let method = headers.text(":path").and_then(|path| descriptors.method(path));
        method.map_or(Streams::default(), |method| Streams {
            request: Some(method.is_client_streaming()),
            reply: Some(method.is_server_streaming()),
        })
    }

    /// Can a half be told by now? `gathers` says that replies have to be whole, `ends` that the stream ends with the
    /// frame that is passing.
    pub(super) fn decide(
        &self,
        (mode, gathers): (Mode, bool),
        direction: Direction,
        (stream, ends): (&Stream, bool),
    ) -> Option<Tell> {
        let half = stream.half_of(direction);
        if half.has_ended {
            return Some(Tell::all());
        }
        if ends {
            return None;
        }
        if self.is_grpc(stream) {
            return decide_messages(mode, direction, stream);
        }
        let is_tunnel = stream.request.kept.lock().headers.get(":method") == Some(b"CONNECT");
        let kept = half.kept.lock();
        match direction {
            Direction::ToProvider => {
                let is_awaited = mode != Mode::Watched && wants_to_begin(&kept.headers);
                is_awaited.then(|| Tell::begun(true))
            }
            Direction::ToConsumer => {
                let content_type = kept.headers.text("content-type").unwrap_or_default();
                let essence = content_type.split(';').next().unwrap_or_default().trim();
                if is_tunnel {
                    return Some(Tell::begun(false));
                }
                match essence {
                    "text/event-stream" => Some(Tell::streams(0, false, Cutter::events())),
                    _ if mode == Mode::Watched => None,
                    _ if !gathers => Some(Tell::begun(true)),
                    "application/x-ndjson" | "application/stream+json" | "multipart/x-mixed-replace" => {
                        Some(Tell::begun(true))
                    }
                    _ => None,
                }
            }
        }
    }

    /// May a half that has begun, and isn't told message by message, still have messages to be told?
    pub(super) fn may_stream(&self, direction: Direction, stream: &Stream) -> bool {
        let is_single = match direction {
            Direction::ToProvider => stream.streams.request == Some(false),
            Direction::ToConsumer => stream.streams.reply == Some(false),
        };
        self.is_grpc(stream) && !is_single && !stream.half_of(direction).has_ended
    }

    fn is_grpc(&self, stream: &Stream) -> bool {
        matches!(self, Self::Grpc(_)) && grpc::is_grpc(&stream.request.kept.lock().headers)
    }

    /// The reply begins before the request has ended.
    pub(super) fn early_request(&self, stream: &Stream) -> Tell {
        // What is known to be a single message is read with the rest of the call, however late it comes.
        let is_single = stream.streams.request == Some(false);
        if self.is_grpc(stream) && !is_single {
            Tell::streams(0, false, Cutter::messages())
        } else {
            Tell::all()
        }
    }

    /// A half that was begun goes on as it comes.
    pub(super) fn rest_as_it_comes(&self, to: Direction, stream: &Stream) -> Tell {
        let streams = match to {
            Direction::ToProvider => stream.streams.request,
            Direction::ToConsumer => stream.streams.reply,
        };
        let may_stream = self.is_grpc(stream) && streams.is_none();
        if may_stream { Tell::behind_one() } else { Tell::all() }
    }

    /// What the head of a request or reply says.
    pub(super) fn head(&self, to: Direction, kept: Shared) -> Box<dyn Captured> {
        let is_grpc = matches!(self, Self::Grpc(_)) && grpc::is_grpc(&kept.lock().headers);
        match to {
            Direction::ToProvider if is_grpc => Box::new(grpc::HeadRead(kept)),
            Direction::ToConsumer if is_grpc => Box::new(grpc::ReplyHeadRead(kept)),
            to => Box::new(HeadRead(to, kept)),
        }
    }

    pub(super) fn request(&self, kept: Shared) -> Box<dyn Captured> {
        let is_grpc = grpc::is_grpc(&kept.lock().headers);
        match self {
            Self::Grpc(descriptors) if is_grpc => {
                Box::new(grpc::RequestRead { kept, descriptors: descriptors.clone() })
            }
            _ => Box::new(RequestRead(kept)),
        }
    }

    pub(super) fn reply(&self, request: &Shared, kept: Shared) -> Box<dyn Captured> {
        let request = request.lock();
        match self {
            Self::Grpc(descriptors) if grpc::is_grpc(&request.headers) => Box::new(grpc::ReplyRead {
                path: request.headers.text(":path").unwrap_or_default().to_owned(),
                kept,
                descriptors: descriptors.clone(),
            }),
            _ => Box::new(ReplyRead(kept)),
        }
    }

    /// What an answer to a call says.
    pub(super) fn said(&self, asked: &Asked, answer: &Value) -> Result<Said, Unanswerable> {
        match self {
            Self::Grpc(descriptors) if asked.is_grpc => {
                grpc::said(descriptors.as_deref(), &asked.path, answer)
            }
            _ => said::read(answer, asked.has_body),
        }
    }

    /// What is said last of an answer whose messages were said one by one; none where nothing is.
    pub(super) fn last(&self, stream: &Stream, answer: &Value) -> Result<Option<Headers>, Unanswerable> {
        if self.is_grpc(stream) {
            return grpc::last(answer).map(Some);
        }
        said::trailers(answer)
    }

    /// Does a whole answer end with trailers?
    pub(super) fn has_trailers(&self, stream: &Stream) -> bool {
        self.is_grpc(stream)
    }

    /// The bytes of a message that is pushed into an open reply.
    pub(super) fn pushed(&self, stream: &Stream, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        match self {
            Self::Grpc(descriptors) if self.is_grpc(stream) => {
                grpc::pushed(descriptors.as_deref(), &stream.path(), message)
            }
            _ => Ok(events::write(message)),
        }
    }

    /// A message of a stream, given its bytes, that says something else.
    pub(super) fn anew(
        &self,
        (to, asked): (Direction, &Asked),
        message: &[u8],
        anew: Anew<'_>,
    ) -> Result<Vec<u8>, Unanswerable> {
        match self {
            Self::Grpc(descriptors) if asked.is_grpc => {
                grpc::anew(descriptors.as_deref(), (to, &asked.path), message, anew)
            }
            _ => events::anew(message, anew),
        }
    }

    /// One message of a stream, and where it goes.
    pub(super) fn message(&self, to: Direction, stream: &Stream, bytes: Vec<u8>) -> Box<dyn Captured> {
        match self {
            Self::Grpc(descriptors) if self.is_grpc(stream) => Box::new(grpc::MessageRead {
                to,
                path: stream.path(),
                packing: stream.half_of(to).kept.lock().headers.text("grpc-encoding").map(str::to_owned),
                bytes,
                descriptors: descriptors.clone(),
            }),
            _ => Box::new(MessageRead { request: stream.request.kept.clone(), bytes }),
        }
    }

    /// How the messages of an open reply are cut.
    pub(super) fn cutter(&self, is_grpc: bool) -> Cutter {
        match self {
            Self::Grpc(_) if is_grpc => Cutter::messages(),
            _ => Cutter::events(),
        }
    }
}

/// Can a half of a call of gRPC be told?
///
/// One that isn't described may stream or not. Who only watches can wait for a second message; who holds can't, because
/// the receiver may have something to say to the first.
fn decide_messages(mode: Mode, direction: Direction, stream: &Stream) -> Option<Tell> {
    let streams = match direction {
        Direction::ToProvider => stream.streams.request,
        Direction::ToConsumer => stream.streams.reply,
    };
    let kept = stream.half_of(direction).kept.lock();
    match streams {
        Some(false) => None,
        Some(true) => {
            let awaited = direction == Direction::ToProvider && stream.streams.reply == Some(false);
            Some(Tell::streams(0, awaited, Cutter::messages()))
        }
        None => {
            let n_first = message_length(&kept.body).filter(|length| kept.body.len() >= *length)?;
            match mode {
                Mode::Watched if kept.body.len() > n_first => {
                    Some(Tell::streams(0, false, Cutter::messages()))
                }
                Mode::Watched => None,
                Mode::Held | Mode::Alone => Some(Tell::streams(n_first, true, Cutter::messages())),
            }
        }
    }
}

/// Does the sender want to hear something before it goes on?
fn wants_to_begin(headers: &Headers) -> bool {
    headers.get(":method") == Some(b"CONNECT")
        || headers.get("expect").is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"))
}
