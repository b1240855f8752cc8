//! What is spoken over HTTP/2: plain requests and replies, or gRPC. It decides when a half can be told, and reads it.

use super::connection::Mode;
use super::half::{Cutter, Kept, Shared, Stream, Streams, Told};
use super::hpack::Headers;
use super::reading::{MessageRead, ReplyRead, RequestRead};
use crate::conversation::{Captured, Direction};

/// What is spoken.
#[derive(Clone, Debug)]
pub(crate) enum Flavor {
    /// Requests and replies, as in HTTP/1.
    Http,
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

    pub(super) fn told(&self) -> Told {
        self.cutter.map_or(Told::Begun, Told::Streams)
    }
}

impl Flavor {
    /// What is known beforehand of a call with these headers.
    pub(super) fn streams(&self, headers: &Headers) -> Streams {
        let _ = headers;
        match self {
            Self::Http => Streams::default(),
        }
    }

    /// Can a half be told by now? `ends` says that the stream ends with the frame that is passing.
    pub(super) fn decide(
        &self,
        mode: Mode,
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
        let kept = half.kept.lock();
        match self {
            Self::Http => match direction {
                Direction::ToProvider => {
                    let is_awaited = mode != Mode::Watched && wants_to_begin(&kept.headers);
                    is_awaited.then(|| Tell::begun(true))
                }
                Direction::ToConsumer => {
                    let is_tunnel = stream.request.kept.lock().headers.get(":method") == Some(b"CONNECT");
                    let content_type = kept.headers.text("content-type").unwrap_or_default();
                    let essence = content_type.split(';').next().unwrap_or_default().trim();
                    if is_tunnel {
                        return Some(Tell::begun(false));
                    }
                    match essence {
                        "text/event-stream" => Some(Tell::streams(0, false, Cutter::events())),
                        _ if mode == Mode::Watched => None,
                        "application/x-ndjson" | "application/stream+json" | "multipart/x-mixed-replace" => {
                            Some(Tell::begun(true))
                        }
                        _ => None,
                    }
                }
            },
        }
    }

    /// The reply begins before the request has ended.
    pub(super) fn early_request(&self, kept: &Kept) -> Tell {
        let _ = kept;
        match self {
            Self::Http => Tell::all(),
        }
    }

    pub(super) fn request(&self, kept: Shared) -> Box<dyn Captured> {
        match self {
            Self::Http => Box::new(RequestRead(kept)),
        }
    }

    pub(super) fn reply(&self, request: &Shared, kept: Shared) -> Box<dyn Captured> {
        let _ = request;
        match self {
            Self::Http => Box::new(ReplyRead(kept)),
        }
    }

    /// One message of a stream, and where it goes.
    pub(super) fn message(&self, to: Direction, request: Shared, bytes: Vec<u8>) -> Box<dyn Captured> {
        let _ = to;
        match self {
            Self::Http => Box::new(MessageRead { request, bytes }),
        }
    }
}

/// Does the sender want to hear something before it goes on?
fn wants_to_begin(headers: &Headers) -> bool {
    headers.get(":method") == Some(b"CONNECT")
        || headers.get("expect").is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"))
}
