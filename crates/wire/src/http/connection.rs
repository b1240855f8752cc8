//! One HTTP connection: requests queue up, each reply goes to the oldest.

use super::framing::{Message, Reached, Stream};
use super::heads::Method;
use super::reading::{EventRead, HttpExchange, MAX_HEADERS};
use super::splitter::HttpSplitter;
use crate::conversation::{
    Conversation, Direction, End, Exchange, Limits, Position, Surprise, why_unfinished,
};
use crate::http2::{Cutter, Flavor, Http2};
use crate::kept::Room;
use crate::splitter::{Splitter, Splitting};
use crate::watching::Watching;
use crate::websocket::{Agreed, WebSocket};
use seam_event::InteractionError;
use std::collections::VecDeque;
use std::time::Duration;

/// One connection while it passes.
pub(super) struct Connection {
    limits: Limits,
    room: Room,
    requests: Stream,
    replies: Stream,
    /// Requests without the end of their reply, the oldest first. While `requests` is within a message, that
    /// is the last one's; while `replies` is, it is the first one's.
    open: VecDeque<Open>,
    tunnel: Tunnel,
    /// What is spoken in the tunnel, where that is known.
    beyond: Option<Box<dyn Conversation>>,
    consumer_ended: bool,
}

/// A request that was begun, with what there is of its reply.
#[derive(Clone)]
pub(super) struct Open {
    began: Duration,
    pub(super) ended: Option<Duration>,
    pub(super) kept: HttpExchange,
    pub(super) request_is_whole: bool,
    pub(super) method: Method,
    /// The reply is a stream of events, which the consumer waits on.
    pub(super) streams: bool,
    /// Where those end.
    pub(super) cutter: Cutter,
}

/// Has HTTP come to its end on this connection?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tunnel {
    No,
    /// `CONNECT` was asked; bytes that the consumer sends before the answer are the tunnel's already.
    Asked {
        early: bool,
    },
    Open,
}

impl Connection {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            room: Room::new(limits),
            requests: Stream::new(),
            replies: Stream::new(),
            open: VecDeque::new(),
            tunnel: Tunnel::No,
            beyond: None,
            consumer_ended: false,
        }
    }

    fn request_bytes(
        &mut self,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        if let Tunnel::Asked { early } = &mut self.tunnel {
            *early = true;
            return Ok(bytes.len());
        }
        let n_idle = self.requests.n_idle(bytes);
        if n_idle > 0 {
            return Ok(n_idle);
        }
        if self.requests.is_between() {
            if self.open.len() >= self.limits.n_open {
                return Err(Surprise::new("too many requests without a reply"));
            }
            self.open.push_back(Open::new(at));
        }
        let Some(open) = self.open.back_mut() else { return Ok(bytes.len()) };
        let (n_taken, reached) =
            self.requests.advance(&mut open.kept.request, bytes, self.limits, &mut self.room)?;
        let ended = match reached {
            Reached::Nothing => false,
            Reached::MessageEnd => true,
            Reached::HeadEnd => {
                let (method, framing) = self.requests.request_head(open.kept.request.head())?;
                open.method = method;
                if method == Method::Connect {
                    self.tunnel = Tunnel::Asked { early: false };
                }
                self.requests.begin_body(framing)
            }
        };
        if ended {
            open.request_is_whole = true;
            self.tell_finished(out);
        }
        Ok(n_taken)
    }

    fn reply_bytes(
        &mut self,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        let n_idle = self.replies.n_idle(bytes);
        if n_idle > 0 {
            return Ok(n_idle);
        }
        if self.open.is_empty() {
            // A reply that nobody asked for: a server that says 408 before it closes an idle connection.
            self.open.push_back(Open { request_is_whole: true, ..Open::new(at) });
        }
        let Some(open) = self.open.front_mut() else { return Ok(bytes.len()) };
        if open.ended.is_some() {
            return Err(Surprise::new("a further reply before the request has ended"));
        }
        let (n_taken, reached) =
            self.replies.advance(&mut open.kept.reply, bytes, self.limits, &mut self.room)?;
        let ended = match reached {
            Reached::Nothing => false,
            Reached::MessageEnd => true,
            Reached::HeadEnd => {
                let head = self.replies.reply_head(open.kept.reply.head(), open.method)?;
                let upgraded =
                    head.status == 101 || (open.method == Method::Connect && head.status / 100 == 2);
                if head.status / 100 == 1 && !upgraded {
                    // An interim reply is none: what is kept begins anew with the final one.
                    self.room.give_back(open.kept.reply.bytes.len());
                    open.kept.reply = Message::default();
                    self.replies = Stream::new();
                    return Ok(n_taken);
                }
                let upgrade = (head.status == 101).then(|| upgrade(open.kept.reply.head())).flatten();
                self.end_of_tunnel(upgraded)?;
                if let Some(upgrade) = upgrade {
                    if upgrade == Upgrade::Http2 && self.open.len() == 1 {
                        self.change_to_http2();
                        return Ok(n_taken);
                    }
                    self.change_to(&upgrade);
                }
                let Some(open) = self.open.front_mut() else { return Ok(n_taken) };
                open.streams = head.is_event_stream;
                open.kept.reply.passing = head.is_event_stream.then(Vec::new);
                self.replies.begin_body(head.framing)
            }
        };
        self.tell_events(at, out);
        if ended {
            if let Some(open) = self.open.front_mut() {
                open.ended = Some(at);
            }
            self.tell_finished(out);
        }
        Ok(n_taken)
    }

    /// Tells the events that are whole by now.
    fn tell_events(&mut self, at: Duration, out: &mut Vec<Exchange>) {
        let most = self.limits.kept_body;
        let Some(open) = self.open.front_mut() else { return };
        let Some(passing) = &mut open.kept.reply.passing else { return };
        let mut begin = 0;
        while let Some((n_bytes, is_event)) = open.cutter.next(&passing[begin..], most) {
            let event = passing[begin..begin + n_bytes].to_vec();
            begin += n_bytes;
            // One that is longer than what is kept is told by nobody.
            if is_event {
                let captured = Box::new(EventRead { path: path_of(open.kept.request.head()), event });
                out.push(Exchange {
                    call: None,
                    began: at,
                    ended: Some(at),
                    error: None,
                    cut: false,
                    captured,
                });
            }
        }
        passing.drain(..begin);
    }

    /// The tunnel speaks something that is understood.
    fn change_to(&mut self, upgrade: &Upgrade) {
        let (Upgrade::WebSocket(extensions), Some(open)) = (upgrade, self.open.front()) else { return };
        let agreed = Agreed::new(&path_of(open.kept.request.head()), extensions);
        self.beyond = Some(Box::new(Watching::new(WebSocket::watched(&agreed, self.limits), self.limits)));
    }

    /// The request that asked for HTTP/2 is answered there, on the first stream.
    fn change_to_http2(&mut self) {
        let Some(open) = self.open.pop_front() else { return };
        self.room.give_back(open.kept.request.bytes.len() + open.kept.reply.bytes.len());
        let mut http2 = Http2::watched(Flavor::Http, self.limits);
        let call = http2.upgraded();
        let mut watching = Watching::new(http2, self.limits);
        let request = HttpExchange { request: open.kept.request, reply: Message::default() };
        watching.begin_with(call, open.began, Box::new(request));
        self.beyond = Some(Box::new(watching));
        self.replies = Stream::new();
    }

    /// A final reply has come: did it open the tunnel that was asked for?
    fn end_of_tunnel(&mut self, upgraded: bool) -> Result<(), Surprise> {
        match self.tunnel {
            _ if upgraded => self.tunnel = Tunnel::Open,
            // With several requests open, the one that asks for the tunnel is the last.
            _ if self.open.len() > 1 => {}
            Tunnel::Asked { early: true } => {
                return Err(Surprise::new("bytes for a tunnel that was declined"));
            }
            Tunnel::Asked { early: false } => self.tunnel = Tunnel::No,
            Tunnel::No | Tunnel::Open => {}
        }
        Ok(())
    }

    /// Tells the oldest exchange if both of its sides have ended.
    fn tell_finished(&mut self, out: &mut Vec<Exchange>) {
        while self.open.front().is_some_and(|open| open.request_is_whole && open.ended.is_some()) {
            self.tell_first(None, out);
        }
    }

    fn tell_first(&mut self, error: Option<InteractionError>, out: &mut Vec<Exchange>) {
        let Some(open) = self.open.pop_front() else { return };
        self.room.give_back(open.kept.request.bytes.len() + open.kept.reply.bytes.len());
        out.push(open.told(error));
    }
}

impl Open {
    /// Has it asked for another version, and not been answered?
    fn may_change_to_http2(&self) -> bool {
        let names_it = || memchr::memmem::find(self.kept.request.head(), b"h2c").is_some();
        self.kept.reply.head_end == 0 && names_it()
    }

    fn told(self, error: Option<InteractionError>) -> Exchange {
        let kept = self.kept;
        Exchange {
            call: None,
            began: self.began,
            ended: self.ended,
            error,
            cut: kept.request.is_cut()
                || kept.reply.is_cut()
                || !self.request_is_whole
                // What of a stream has come was told event by event, and it need not end.
                || (self.ended.is_none() && kept.reply.head_end > 0 && !self.streams),
            captured: Box::new(kept),
        }
    }
}

impl Conversation for Connection {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        if let Some(beyond) = &mut self.beyond {
            return beyond.step(direction, bytes, at, out);
        }
        match direction {
            _ if self.tunnel == Tunnel::Open => Ok(bytes.len()),
            Direction::ToProvider => self.request_bytes(bytes, at, out),
            Direction::ToConsumer => self.reply_bytes(bytes, at, out),
        }
    }

    fn end(&mut self, direction: Direction, how: End, at: Duration, out: &mut Vec<Exchange>) {
        if let Some(beyond) = &mut self.beyond {
            beyond.end(direction, how, at, out);
        }
        if direction == Direction::ToProvider && how == End::Fin {
            // Half closed: what was asked may still be answered.
            self.consumer_ended = true;
            return;
        }
        if matches!(how, End::Fin | End::CutOff)
            && self.replies.is_until_close()
            && let Some(open) = self.open.front_mut()
        {
            (open.ended, self.replies) = (Some(at), Stream::new());
            open.kept.reply.is_cut_off = how == End::CutOff;
        }
        while let Some(open) = self.open.front() {
            // An answer that came before the request had ended is an answer all the same.
            let error = match open.ended {
                Some(_) => None,
                None => why_unfinished(how, self.consumer_ended && open.request_is_whole),
            };
            self.tell_first(error, out);
        }
    }

    fn unfinished(&self) -> Vec<Exchange> {
        if let Some(beyond) = &self.beyond {
            return beyond.unfinished();
        }
        self.open.iter().filter(|open| open.request_is_whole).map(|open| open.clone().told(None)).collect()
    }

    fn calls(&self) -> Vec<Exchange> {
        if let Some(beyond) = &self.beyond {
            return beyond.calls();
        }
        let calls = self.open.iter().filter(|open| open.request_is_whole && !open.streams);
        calls.map(|open| open.clone().told(None)).collect()
    }

    fn n_open(&self) -> usize {
        if let Some(beyond) = &self.beyond {
            return beyond.n_open();
        }
        if self.tunnel == Tunnel::Open {
            return 0;
        }
        // Only the oldest has the beginning of a reply.
        self.open.len() - usize::from(self.open.front().is_some_and(|open| open.streams))
    }

    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        if let Some(beyond) = &self.beyond {
            return beyond.split(splitting);
        }
        Some(match self.tunnel {
            Tunnel::No => {
                Box::new(HttpSplitter::resumed(splitting, (&self.requests, &self.replies), &self.open))
            }
            Tunnel::Asked { .. } => return None,
            Tunnel::Open => Box::new(HttpSplitter::tunnel(splitting)),
        })
    }

    fn may_split(&self, direction: Direction) -> bool {
        if let Some(beyond) = &self.beyond {
            return beyond.may_split(direction);
        }
        match (self.tunnel, direction) {
            (Tunnel::Open, _) => true,
            (Tunnel::Asked { .. }, _) => false,
            (Tunnel::No, Direction::ToProvider) => !self.open.iter().any(Open::may_change_to_http2),
            (Tunnel::No, Direction::ToConsumer) if self.replies.is_between() => true,
            // One that nobody asked for belongs to no call.
            (Tunnel::No, Direction::ToConsumer) => self.open.front().is_some_and(|open| {
                let is_whole_chunk = !open.streams || self.replies.n_to_chunk().is_none();
                open.kept.request.head_end > 0 && !self.replies.is_in_head() && is_whole_chunk
            }),
        }
    }

    fn n_to_split(&self, direction: Direction) -> Option<usize> {
        match &self.beyond {
            Some(beyond) => beyond.n_to_split(direction),
            None if direction == Direction::ToConsumer => self.replies.n_to_chunk(),
            None => None,
        }
    }

    fn position(&self, direction: Direction) -> Position {
        match direction {
            _ if self.beyond.is_some() => {
                self.beyond.as_ref().map_or(Position::Unseen, |beyond| beyond.position(direction))
            }
            _ if self.tunnel == Tunnel::Open => Position::Unseen,
            Direction::ToProvider if self.tunnel != Tunnel::No => Position::Unseen,
            Direction::ToProvider => self.requests.position(),
            Direction::ToConsumer => self.replies.position(),
        }
    }

    fn passable(&self, direction: Direction) -> u64 {
        if let Some(beyond) = &self.beyond {
            return beyond.passable(direction);
        }
        let (stream, message) = match direction {
            _ if self.tunnel == Tunnel::Open => return u64::MAX,
            Direction::ToProvider => (&self.requests, self.open.back().map(|open| &open.kept.request)),
            Direction::ToConsumer => (&self.replies, self.open.front().map(|open| &open.kept.reply)),
        };
        if message.is_some_and(|message| message.passing.is_some()) {
            return 0;
        }
        if message.is_some_and(|message| message.is_cut() || message.body().len() >= self.limits.kept_body) {
            stream.body_left()
        } else {
            0
        }
    }

    fn pass(&mut self, direction: Direction, n_bytes: u64, at: Duration, out: &mut Vec<Exchange>) {
        if let Some(beyond) = &mut self.beyond {
            return beyond.pass(direction, n_bytes, at, out);
        }
        if self.tunnel == Tunnel::Open {
            return;
        }
        match (direction, self.open.len()) {
            (_, 0) => {}
            (Direction::ToProvider, n_open) => {
                let open = &mut self.open[n_open - 1];
                open.request_is_whole |= self.requests.pass(&mut open.kept.request, n_bytes);
            }
            (Direction::ToConsumer, _) => {
                let open = &mut self.open[0];
                if self.replies.pass(&mut open.kept.reply, n_bytes) {
                    open.ended = Some(at);
                }
            }
        }
        self.tell_finished(out);
    }
}

impl Open {
    fn new(began: Duration) -> Self {
        Self {
            began,
            ended: None,
            kept: HttpExchange::default(),
            request_is_whole: false,
            method: Method::Other,
            streams: false,
            cutter: Cutter::events(),
        }
    }
}

/// What a connection changes over to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// With the extensions that were agreed on.
    WebSocket(String),
    Http2,
}

/// What a reply with status 101 says that comes next, where it is understood.
pub(super) fn upgrade(reply: &[u8]) -> Option<Upgrade> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let parser = httparse::ParserConfig::default();
    if !parser.parse_response(&mut parsed, reply).is_ok_and(|status| status.is_complete()) {
        return None;
    }
    let get = |name: &str| {
        let values = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let values: Vec<_> = values.map(|header| String::from_utf8_lossy(header.value)).collect();
        values.join(", ")
    };
    match get("upgrade").to_ascii_lowercase().as_str() {
        "websocket" => Some(Upgrade::WebSocket(get("sec-websocket-extensions"))),
        "h2c" => Some(Upgrade::Http2),
        _ => None,
    }
}

/// The path of a request, without the query.
pub(super) fn path_of(request: &[u8]) -> String {
    let begin = memchr::memchr2(b' ', b'\r', request).map_or(request.len(), |end| end + 1);
    let target = &request[begin..];
    let end = memchr::memchr3(b' ', b'\r', b'?', target).unwrap_or(target.len());
    match std::str::from_utf8(&target[..end]) {
        Ok(path) => path.to_owned(),
        Err(_) => String::from_utf8_lossy(&target[..end]).into_owned(),
    }
}
