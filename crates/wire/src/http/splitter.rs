//! One HTTP connection cut into requests and replies.

mod resuming;

use super::answer::{self, Open};
use super::connection::{Method, ReplyHead, Upgrade, path_of, reply_head, request_framing, upgrade};
use super::events::{self, Events};
use super::framing::{Framing, Message, Reached, Stream};
use super::reading::{EventRead, HeadRead, HttpExchange};
use crate::conversation::{Captured, Direction, Limits, Surprise};
use crate::http2::Cutter;
use crate::kept::Room;
use crate::splitter::{
    Anew, Behind, Call, NOBODY, Of, Piece, Rest, Splitter, Splitting, Unanswerable, Underway,
};
use crate::websocket::{self, Agreed, WebSocket};
use seam_value::Value;
use std::collections::VecDeque;

/// So many calls are remembered after their request, to be answered.
const REMEMBERED: usize = 4096;

/// Cuts HTTP/1.
pub(super) struct HttpSplitter {
    limits: Limits,
    behind: Behind,
    requests: Side,
    replies: Side,
    /// Requests that were or will be passed on and have no whole reply, the oldest first.
    awaited: VecDeque<Awaited>,
    /// What an answer to each of the newest calls must keep to, the newest last.
    asked: VecDeque<AnswerTo>,
    /// The call to which the last of these belongs.
    newest: Call,
    last: Call,
    gathers: bool,
    tells_beginnings: bool,
    tunnel: bool,
    /// Cuts what is spoken in the tunnel, where that is known.
    beyond: Option<Box<dyn Splitter>>,
    /// An answer of ours that was begun and has not ended.
    own: Option<Own>,
    /// The calls that were under way when it began, until they are told.
    under_way: Vec<Piece>,
}

/// An answer that is said bit by bit in the provider's place.
struct Own {
    call: Call,
    path: String,
    open: Open,
    /// Does the consumer hear nothing but its head?
    is_head: bool,
}

/// One direction.
struct Side {
    stream: Stream,
    message: Message,
    room: Room,
    /// The message's bytes as they came, as far as they have not come out.
    raw: Vec<u8>,
    /// Has its beginning come out?
    told: bool,
    /// What was said of a message that has begun and is not whole.
    begun: Begun,
    /// How the rest of it is cut into events, where it is a stream of them.
    events: Option<EventStream>,
}

/// What was said of a message whose rest is still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    /// Nothing.
    #[default]
    Unsaid,
    /// That it has begun.
    Said,
    /// That, and it is to be told whole when it is.
    ToBeTold,
}

/// A reply that is a stream of events.
#[derive(Clone, Copy)]
struct EventStream {
    cutter: Cutter,
    open: Open,
    /// So many bytes of what is pending have passed already.
    n_gone: usize,
}

impl EventStream {
    fn new(framing: Framing) -> Self {
        Self::resumed(framing, Events::default(), 0)
    }

    fn resumed(framing: Framing, events: Events, n_gone: usize) -> Self {
        let cutter = Cutter::Events { events, skips: false };
        let open = if framing == Framing::Chunked { Open::Chunked } else { Open::UntilClose };
        Self { cutter, open, n_gone }
    }

    /// What of some bytes has not passed.
    fn not_gone<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let n_gone = self.n_gone.min(bytes.len());
        self.n_gone -= n_gone;
        &bytes[n_gone..]
    }

    /// Bytes of the body as they are sent.
    fn framed(self, bytes: &[u8]) -> Vec<u8> {
        answer::framed(bytes, Some(self.open))
    }
}

struct Awaited {
    call: Call,
    method: Method,
    expects: Expects,
    /// Is its reply for nobody, because it was asked a second time?
    is_repeated: bool,
    asks_tunnel: bool,
    path: String,
    /// The key of one that asks for WebSocket.
    key: Option<String>,
}

/// Does a consumer wait to be told to go on?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Nothing,
    Continue,
    /// It has been told already.
    NoMore,
}

/// What an answer to a request must keep to, and what is said anew of its reply.
#[derive(Clone, Copy, Default)]
pub(super) struct AnswerTo {
    pub(super) is_head: bool,
    /// Does the consumer expect the connection to end with the answer?
    pub(super) closes: bool,
    /// Does it know nothing of chunks?
    pub(super) is_old: bool,
    /// How the events of its reply are framed. Asked of events that were told, whose stream may have ended with them, and
    /// further ones behind it.
    pub(super) events: Option<Open>,
}

impl Side {
    fn new(limits: Limits) -> Self {
        Self {
            stream: Stream::new(),
            message: Message::default(),
            room: Room::new(limits),
            raw: Vec::new(),
            told: false,
            begun: Begun::Unsaid,
            events: None,
        }
    }

    /// Empty lines before a message say nothing; they pass with the message behind them.
    fn keep_idle(&mut self, bytes: &[u8], limits: Limits) -> Result<usize, Surprise> {
        let n_idle = self.stream.n_idle(bytes);
        if n_idle > 0 && self.raw.len() + n_idle > limits.head {
            return Err(Surprise::new("nothing but empty lines"));
        }
        self.raw.extend_from_slice(&bytes[..n_idle]);
        Ok(n_idle)
    }

    fn begin_anew(&mut self, limits: Limits) {
        (self.message, self.room, self.told) = (Message::default(), Room::new(limits), false);
        (self.events, self.begun) = (None, Begun::Unsaid);
    }
}

impl HttpSplitter {
    pub(super) fn new(splitting: Splitting) -> Self {
        Self {
            limits: splitting.limits,
            behind: splitting.behind,
            requests: Side::new(splitting.limits),
            replies: Side::new(splitting.limits),
            awaited: VecDeque::new(),
            asked: VecDeque::new(),
            newest: 0,
            last: 0,
            gathers: false,
            tells_beginnings: false,
            tunnel: false,
            beyond: None,
            own: None,
            under_way: Vec::new(),
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToProvider => &mut self.requests,
            Direction::ToConsumer => &mut self.replies,
        }
    }

    /// What an answer to a call must keep to.
    fn asked_in(&self, call: Call) -> Option<AnswerTo> {
        self.asked.get(self.index_of(call)?).copied()
    }

    fn index_of(&self, call: Call) -> Option<usize> {
        // Each call whose head has come has one, and they are numbered one after the other.
        let behind = usize::try_from(self.newest.checked_sub(call)?).ok()?;
        self.asked.len().checked_sub(behind.checked_add(1)?)
    }

    /// The events of the reply to a call are framed like this.
    fn frames_events(&mut self, call: Call, open: Open) {
        if let Some(index) = self.index_of(call) {
            self.asked[index].events = Some(open);
        }
    }

    /// Takes some bytes of requests and says how many.
    fn cut_request(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<usize, Surprise> {
        let side = &mut self.requests;
        let n_idle = side.keep_idle(bytes, self.limits)?;
        if n_idle > 0 {
            return Ok(n_idle);
        }
        if side.stream.is_between() {
            if self.awaited.len() >= self.limits.n_open {
                return Err(Surprise::new("too many requests without a reply"));
            }
            self.last += 1;
        }
        let (n_taken, reached) =
            side.stream.advance(&mut side.message, bytes, self.limits, &mut side.room)?;
        side.raw.extend_from_slice(&bytes[..n_taken]);
        let whole = match reached {
            Reached::Nothing => false,
            Reached::MessageEnd => true,
            Reached::HeadEnd => {
                let (method, framing) = request_framing(side.message.head())?;
                let mut about = About::read(side.message.head());
                // What has passed already can't be changed, and was heard by the provider.
                let is_new = !side.told;
                if about.wish == Wish::Http2 && is_new {
                    // Who declines goes on in HTTP/1, as any server may.
                    side.raw = without_upgrade(&side.raw);
                    about.wish = Wish::None;
                }
                let whole = side.stream.begin_body(framing);
                let expects_continue = about.expects_continue && !whole && is_new;
                let expects = if expects_continue { Expects::Continue } else { Expects::Nothing };
                self.awaited.push_back(Awaited {
                    call: self.last,
                    method,
                    expects,
                    is_repeated: false,
                    asks_tunnel: method == Method::Connect || about.wish != Wish::None,
                    path: path_of(side.message.head()),
                    key: about.key,
                });
                let is_head = method == Method::Head;
                let to = AnswerTo { is_head, closes: about.closes, is_old: about.is_old, events: None };
                if self.asked.len() == REMEMBERED {
                    self.asked.pop_front();
                }
                self.asked.push_back(to);
                self.newest = self.last;
                if !self.tells_beginnings {
                    self.ask_for_the_rest(out);
                }
                whole
            }
        };
        self.tell_request(whole, out);
        Ok(n_taken)
    }

    /// What is held must be whole first, and its consumer may wait to be asked for it.
    fn ask_for_the_rest(&mut self, out: &mut Vec<Piece>) {
        if let Some(awaited) = self.awaited.back_mut().filter(|awaited| awaited.expects == Expects::Continue)
        {
            awaited.expects = Expects::NoMore;
            let bytes = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
            out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
        }
    }

    /// One side has sent no more for now than the beginning of something.
    fn tell_beginning(&mut self, to: Direction, out: &mut Vec<Piece>) {
        let call = match to {
            Direction::ToProvider => Some(self.last),
            Direction::ToConsumer => {
                self.awaited.front().filter(|front| !front.is_repeated).map(|front| front.call)
            }
        };
        let (tells, side) = (self.tells_beginnings, self.side(to));
        let is_in_body = !side.stream.is_between() && !side.stream.is_in_head();
        if let Some(call) = call
            && tells
            && is_in_body
            && !side.told
            && side.begun == Begun::Unsaid
        {
            side.begun = Begun::Said;
            let read = Box::new(HeadRead(to, side.message.head().to_vec()));
            out.push(Piece { to, bytes: Vec::new(), of: Of::Begun { call, read } });
        }
    }

    /// A reply that was begun is told now, and the rest of it as it comes.
    fn let_reply_on(&mut self, call: Call, out: &mut Vec<Piece>) {
        let side = &mut self.replies;
        let is_it = self.awaited.front().is_some_and(|front| front.call == call);
        if !is_it || side.told || side.begun == Begun::Unsaid {
            return;
        }
        let (to, whole) = (Direction::ToConsumer, false);
        let read = Box::new(HeadRead(to, side.message.head().to_vec()));
        let of = Of::Reply { call, whole, awaited: true, read };
        out.push(Piece { to, bytes: std::mem::take(&mut side.raw), of });
        side.told = true;
        side.message.keep_no_more();
    }

    fn tell_request(&mut self, whole: bool, out: &mut Vec<Piece>) {
        let side = &mut self.requests;
        let is_long = side.message.body().len() >= self.limits.kept_body || side.message.is_cut();
        let call = self.last;
        if side.told {
            if whole && side.begun == Begun::ToBeTold {
                let request = std::mem::take(&mut side.message);
                let read = Box::new(HttpExchange { request, reply: Message::default() });
                let of = Of::Told { call, read };
                out.push(Piece { to: Direction::ToProvider, bytes: Vec::new(), of });
            }
            if whole || !side.raw.is_empty() {
                let bytes = std::mem::take(&mut side.raw);
                out.push(Piece { to: Direction::ToProvider, bytes, of: Of::More { call, whole } });
            }
        } else if whole || is_long {
            let bytes = std::mem::take(&mut side.raw);
            let request = std::mem::take(&mut side.message);
            side.message.length = request.length;
            let read: Box<dyn Captured> = Box::new(HttpExchange { request, reply: Message::default() });
            let of = Of::Request { call, whole, awaited: true, read };
            out.push(Piece { to: Direction::ToProvider, bytes, of });
            side.told = true;
        }
        if whole {
            side.begin_anew(self.limits);
        }
    }

    /// Takes some bytes of replies and says how many.
    fn cut_reply(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<usize, Surprise> {
        let side = &mut self.replies;
        let n_idle = side.keep_idle(bytes, self.limits)?;
        if n_idle > 0 {
            return Ok(n_idle);
        }
        let Some(awaited) = self.awaited.front() else {
            return Err(Surprise::new("a reply that nobody asked for"));
        };
        let (n_taken, reached) =
            side.stream.advance(&mut side.message, bytes, self.limits, &mut side.room)?;
        side.raw.extend_from_slice(&bytes[..n_taken]);
        let mut streams = false;
        let whole = match reached {
            Reached::Nothing => false,
            Reached::MessageEnd => true,
            Reached::HeadEnd => {
                let head = reply_head(side.message.head(), awaited.method)?;
                let opens_tunnel = awaited.asks_tunnel && (head.status == 101 || head.status / 100 == 2);
                let opens_tunnel = opens_tunnel && (head.status == 101 || awaited.method == Method::Connect);
                if head.status / 100 == 1 && !opens_tunnel {
                    self.tell_interim(&head, out);
                    return Ok(n_taken);
                }
                self.tunnel = opens_tunnel;
                if opens_tunnel && let Some(Upgrade::WebSocket(extensions)) = upgrade(side.message.head()) {
                    let agreed = Agreed::new(&awaited.path, &extensions);
                    let splitting = Splitting { limits: self.limits, behind: self.behind };
                    self.beyond = Some(Box::new(WebSocket::new(&agreed, splitting)));
                }
                streams = head.is_event_stream;
                // Events come and go as they like only where the body's length isn't said.
                let is_open = matches!(head.framing, Framing::Chunked | Framing::UntilClose);
                side.events = (streams && is_open).then(|| EventStream::new(head.framing));
                side.stream.begin_body(head.framing)
            }
        };
        let head_is_known = side.message.head_end > 0 && !side.stream.is_in_head();
        self.tell_reply(whole, head_is_known && (streams || !self.gathers), !streams, out);
        Ok(n_taken)
    }

    /// Passes an interim reply on, unless the consumer has had it from us.
    fn tell_interim(&mut self, head: &ReplyHead, out: &mut Vec<Piece>) {
        let side = &mut self.replies;
        let bytes = std::mem::take(&mut side.raw);
        (side.message, side.stream) = (Message::default(), Stream::new());
        let is_for_nobody = self.awaited.front().is_some_and(|awaited| {
            awaited.is_repeated || (awaited.expects == Expects::NoMore && head.status == 100)
        });
        if !is_for_nobody {
            out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
        }
    }

    fn tell_reply(&mut self, whole: bool, at_once: bool, awaited: bool, out: &mut Vec<Piece>) {
        let side = &mut self.replies;
        let Some((call, is_repeated)) = self.awaited.front().map(|front| (front.call, front.is_repeated))
        else {
            return;
        };
        let is_long = side.message.body().len() >= self.limits.kept_body || side.message.is_cut();
        if is_repeated {
            side.raw.clear();
        } else if side.told && side.events.is_some() {
            self.tell_events(whole, out);
        } else if side.told {
            if whole || !side.raw.is_empty() {
                let bytes = std::mem::take(&mut side.raw);
                out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::More { call, whole } });
            }
        } else if whole || is_long || at_once {
            let bytes = std::mem::take(&mut side.raw);
            let reply = std::mem::take(&mut side.message);
            (side.message.length, side.message.head_end) = (reply.length, 0);
            let read: Box<dyn Captured> = Box::new(HttpExchange { request: Message::default(), reply });
            out.push(Piece {
                to: Direction::ToConsumer,
                bytes,
                of: Of::Reply { call, whole, awaited, read },
            });
            side.told = true;
            side.message.passing = side.events.map(|_| Vec::new());
        }
        if whole {
            self.replies.begin_anew(self.limits);
            self.awaited.pop_front();
        }
    }

    /// Tells the events that are whole by now.
    fn tell_events(&mut self, whole: bool, out: &mut Vec<Piece>) {
        let (side, to) = (&mut self.replies, Direction::ToConsumer);
        let trailers = if whole { side.message.trailers().to_vec() } else { Vec::new() };
        let (Some(front), Some(stream), Some(passing)) =
            (self.awaited.front(), &mut side.events, &mut side.message.passing)
        else {
            return;
        };
        // What is written is framed anew.
        side.raw.clear();
        let call = front.call;
        let mut begin = 0;
        while let Some((mut n_bytes, is_event)) = stream.cutter.next(&passing[begin..], self.limits.kept_body)
        {
            let is_inside = matches!(stream.cutter, Cutter::Events { skips: true, .. });
            if is_inside && side.stream.is_before_chunk_end() {
                // What is left must have a chunk that can end.
                n_bytes -= 1;
            }
            let all = &passing[begin..begin + n_bytes];
            let event = stream.not_gone(all).to_vec();
            begin += n_bytes;
            if n_bytes == 0 {
                break;
            }
            if event.is_empty() {
                continue;
            }
            // Of what has passed in part the rest only passes.
            let is_event = is_event && event.len() == n_bytes;
            let bytes = stream.framed(&event);
            let of = if is_event {
                let read = Box::new(EventRead { path: front.path.clone(), event });
                Of::Message { call: Some(call), read }
            } else {
                Of::More { call, whole: false }
            };
            out.push(Piece { to, bytes, of });
        }
        passing.drain(..begin);
        if whole {
            let rest = stream.not_gone(passing);
            let mut bytes = stream.framed(rest);
            if stream.open == Open::Chunked {
                bytes.extend_from_slice(b"0\r\n");
                bytes.extend_from_slice(if trailers.is_empty() { b"\r\n" } else { &trailers });
            }
            out.push(Piece { to, bytes, of: Of::More { call, whole: true } });
        }
        let open = stream.open;
        self.frames_events(call, open);
    }
}

/// What is in one chunk.
fn unchunked(chunk: &[u8]) -> &[u8] {
    let begins = memchr::memchr(b'\n', chunk).map_or(0, |end| end + 1);
    chunk[begins..].strip_suffix(b"\r\n").unwrap_or(&chunk[begins..])
}

/// A head without its wish for another protocol.
fn without_upgrade(head: &[u8]) -> Vec<u8> {
    let is_wish = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"upgrade") || name.eq_ignore_ascii_case(b"http2-settings")
    };
    head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_wish(line)).flatten().copied().collect()
}

/// What a request's head says besides its method and its body's framing.
#[derive(Default)]
struct About {
    expects_continue: bool,
    wish: Wish,
    closes: bool,
    is_old: bool,
    key: Option<String>,
}

/// Which other protocol it would rather speak.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    None,
    Http2,
    Other,
}

impl About {
    fn read(head: &[u8]) -> Self {
        let mut about = Self::default();
        let mut keeps = false;
        for (number, line) in head.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii_end();
            if number == 0 {
                about.is_old = line.ends_with(b"HTTP/1.0");
                continue;
            }
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            let says = |token: &[u8]| {
                value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
            };
            if name.eq_ignore_ascii_case(b"expect") {
                about.expects_continue |= says(b"100-continue");
            } else if name.eq_ignore_ascii_case(b"upgrade") {
                about.wish = if says(b"h2c") { Wish::Http2 } else { Wish::Other };
            } else if name.eq_ignore_ascii_case(b"sec-websocket-key") {
                about.key = Some(String::from_utf8_lossy(value).into_owned());
            } else if name.eq_ignore_ascii_case(b"connection") {
                about.closes |= says(b"close");
                keeps |= says(b"keep-alive");
            }
        }
        about.closes |= about.is_old && !keeps;
        about
    }
}

impl Splitter for HttpSplitter {
    fn begin(&mut self, out: &mut Vec<Piece>) {
        out.append(&mut self.under_way);
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.tunnel {
                // What was gathered before goes first.
                let bytes = std::mem::take(&mut self.side(direction).raw);
                if !bytes.is_empty() {
                    out.push(Piece { to: direction, bytes, of: Of::Rest });
                }
            }
            if let Some(beyond) = &mut self.beyond {
                return beyond.cut(direction, rest, out);
            }
            if self.tunnel {
                out.push(Piece { to: direction, bytes: rest.to_vec(), of: Of::Rest });
                return Ok(());
            }
            let n_kept = self.side(direction).raw.len();
            let cut = match direction {
                Direction::ToProvider => self.cut_request(rest, out),
                Direction::ToConsumer => self.cut_reply(rest, out),
            };
            match cut {
                Ok(n_taken) => rest = rest.get(n_taken..).unwrap_or_default(),
                Err(surprise) => {
                    let raw = &mut self.side(direction).raw;
                    raw.truncate(n_kept);
                    raw.extend_from_slice(rest);
                    return Err(surprise);
                }
            }
        }
        self.tell_beginning(direction, out);
        Ok(())
    }

    fn ended(&mut self, direction: Direction, out: &mut Vec<Piece>) {
        if direction == Direction::ToConsumer && self.replies.stream.is_until_close() {
            self.tell_reply(true, true, true, out);
            self.replies.stream = Stream::new();
        }
    }

    fn gather_replies(&mut self, gather: bool) {
        self.gathers = gather;
    }

    fn tell_beginnings(&mut self) {
        self.tells_beginnings = true;
    }

    fn goes_on(&mut self, (to, call): (Direction, Call), rest: Rest, out: &mut Vec<Piece>) {
        if to == Direction::ToConsumer {
            if rest != Rest::IsGathered {
                self.let_reply_on(call, out);
            }
            return;
        }
        let side = &mut self.requests;
        if call != self.last || side.told || side.begun == Begun::Unsaid {
            return;
        }
        if rest == Rest::IsGathered {
            self.ask_for_the_rest(out);
            return;
        }
        let read = Box::new(HeadRead(to, side.message.head().to_vec()));
        let of = Of::Request { call, whole: false, awaited: true, read };
        out.push(Piece { to: Direction::ToProvider, bytes: std::mem::take(&mut side.raw), of });
        side.told = true;
        if rest == Rest::IsTold {
            side.begun = Begun::ToBeTold;
        } else {
            side.message.keep_no_more();
        }
    }

    fn lets_go(&self, untouched: bool) -> bool {
        if let Some(beyond) = &self.beyond {
            return beyond.lets_go(untouched);
        }
        let is_empty = |side: &Side| side.stream.is_between() && side.raw.is_empty() && side.events.is_none();
        self.own.is_none() && self.awaited.is_empty() && is_empty(&self.requests) && is_empty(&self.replies)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        if let Some(beyond) = &mut self.beyond {
            let mut rest = beyond.take_rest(direction);
            rest.splice(..0, std::mem::take(&mut self.side(direction).raw));
            return rest;
        }
        let side = self.side(direction);
        let mut rest = Vec::new();
        if let (Some(stream), Some(passing)) = (&mut side.events, side.message.passing.take()) {
            let mut passing = stream.not_gone(&passing);
            if passing.is_empty() && side.raw.is_empty() && side.stream.is_before_chunk_end() {
                // All that the chunk says is gone, framed by itself. Its end still comes, and needs one that it can end: an
                // empty line between events says nothing to anybody.
                passing = b"\n";
            }
            rest = match stream.open {
                Open::Chunked => side.stream.framed_so_far(passing, side.message.trailers()),
                Open::UntilClose => passing.to_vec(),
            };
        }
        rest.append(&mut side.raw);
        rest
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        match (&mut self.beyond, self.replies.events.filter(|_| self.replies.told), &self.own) {
            (Some(beyond), ..) => beyond.push(message),
            (None, Some(stream), _) => Ok(stream.framed(&events::write(message))),
            (None, None, Some(own)) if !own.is_head => {
                Ok(answer::framed(&events::write(message), Some(own.open)))
            }
            (None, None, _) => Err(Unanswerable::new("there is no open stream to push to")),
        }
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        Some(message.to_vec())
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        if let Some(beyond) = &mut self.beyond {
            return beyond.say_anew(message, anew);
        }
        let to = message.call.and_then(|call| self.asked_in(call)).unwrap_or_default();
        if to.is_head {
            // Nothing is said to it of what is in a reply.
            return Ok(message.bytes.to_vec());
        }
        let event = if to.events == Some(Open::Chunked) { unchunked(message.bytes) } else { message.bytes };
        Ok(answer::framed(&events::anew(event, anew)?, to.events))
    }

    fn is_over(&self) -> bool {
        self.beyond.as_ref().is_some_and(|beyond| beyond.is_over())
    }

    fn refuse(&mut self, message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        match &mut self.beyond {
            Some(beyond) => beyond.refuse(message, answer),
            None => Err(Unanswerable::new("an event has nobody to be refused to")),
        }
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let wishes = self.awaited.iter().find(|awaited| awaited.call == call);
        if answer.get("status").and_then(Value::as_i64) == Some(101)
            && let Some((key, path)) =
                wishes.and_then(|awaited| Some((awaited.key.as_deref()?, awaited.path.as_str())))
        {
            let said = answer::change_over(answer, &websocket::accept(key))?;
            let splitting = Splitting { limits: self.limits, behind: Behind::Nobody };
            self.beyond = Some(Box::new(WebSocket::new(&Agreed::new(path, ""), splitting)));
            self.tunnel = true;
            self.forget(call);
            return Ok(said);
        }
        let to = self.asked_in(call).unwrap_or_default();
        let stays = answer.get("open") == Some(&Value::Bool(true));
        let open = stays.then_some(if to.is_old { Open::UntilClose } else { Open::Chunked });
        let said = answer::encode(answer, to, open)?;
        if let Some(open) = open {
            let path = self.awaited.iter().find(|awaited| awaited.call == call).map(|one| one.path.clone());
            self.own = Some(Own { call, path: path.unwrap_or_default(), open, is_head: to.is_head });
            self.frames_events(call, open);
        }
        self.forget(call);
        Ok(said)
    }

    fn says_bit_by_bit(&self) -> bool {
        true
    }

    fn say_more(&mut self, call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
        if let Some(beyond) = &mut self.beyond {
            return beyond.say_more(call, message);
        }
        let Some(own) = self.own.as_ref().filter(|own| Some(own.call) == call) else {
            return Err(Unanswerable::new("the answer is over"));
        };
        let event = events::write(message);
        let bytes = if own.is_head { Vec::new() } else { answer::framed(&event, Some(own.open)) };
        let read = Box::new(EventRead { path: own.path.clone(), event });
        Ok(Piece { to: Direction::ToConsumer, bytes, of: Of::Message { call, read } })
    }

    fn say_last(&mut self, call: Call, _answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let own = self.own.take_if(|own| own.call == call);
        let is_chunked = own.is_some_and(|own| own.open == Open::Chunked && !own.is_head);
        Ok(if is_chunked { b"0\r\n\r\n".to_vec() } else { Vec::new() })
    }

    fn alike(&self, call: Call) -> Option<u8> {
        // Whoever asks for WebSocket is answered with a key of his own.
        let asks_tunnel = self.awaited.iter().any(|awaited| awaited.call == call && awaited.asks_tunnel);
        self.asked_in(call).filter(|_| !asks_tunnel).map(|to| u8::from(to.is_head) | u8::from(to.closes) << 1)
    }

    fn ends_with(&self, call: Call) -> bool {
        let needs_end = |own: &Own| own.call == call && own.open == Open::UntilClose;
        self.asked_in(call).is_some_and(|to| to.closes) || self.own.as_ref().is_some_and(needs_end)
    }

    fn forget(&mut self, call: Call) {
        // What is in the middle of its reply keeps its place: the rest of that is still to come.
        if !(self.replies.told && self.awaited.front().is_some_and(|front| front.call == call)) {
            self.awaited.retain(|awaited| awaited.call != call);
        }
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        let index = self.awaited.iter().position(|awaited| awaited.call == call);
        let index = index.ok_or_else(|| Unanswerable::new("the call is over"))?;
        let Awaited { method, expects, asks_tunnel, ref path, .. } = self.awaited[index];
        let (path, key) = (path.clone(), None);
        if asks_tunnel {
            return Err(Unanswerable::new("what asks for another protocol is asked once on its connection"));
        }
        let repeated = Awaited { call, method, expects, is_repeated: true, asks_tunnel, path, key };
        self.awaited.insert(index + 1, repeated);
        Ok(request.to_vec())
    }
}
