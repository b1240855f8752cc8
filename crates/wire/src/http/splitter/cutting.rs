//! Bytes to messages, and messages to pieces.

use super::about::{Wish, first_line, without_upgrade};
use super::events::EventStream;
use super::saying::AnswerTo;
use super::{Awaited, Begun, Expects, HttpSplitter, REMEMBERED};
use crate::conversation::{Captured, Direction, Surprise};
use crate::http::connection::{Upgrade, upgrade};
use crate::http::framing::{Framing, Message, Reached, Stream};
use crate::http::heads::{Method, ReplyHead};
use crate::http::reading::{HeadRead, HttpExchange};
use crate::splitter::{Call, Of, Piece, Splitting};
use crate::websocket::{Agreed, WebSocket};

impl HttpSplitter {
    /// Takes some bytes of requests and says how many.
    pub(super) fn cut_request(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<usize, Surprise> {
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
                let (method, framing) = side.stream.request_head(side.message.head())?;
                let mut about = self.about.of(side.message.head(), side.stream.repeats_headers());
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
                    line: first_line(side.message.head()),
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
    pub(super) fn ask_for_the_rest(&mut self, out: &mut Vec<Piece>) {
        if let Some(awaited) = self.awaited.back_mut().filter(|awaited| awaited.expects == Expects::Continue)
        {
            awaited.expects = Expects::NoMore;
            let bytes = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
            out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
        }
    }

    /// One side has sent no more for now than the beginning of something.
    pub(super) fn tell_beginning(&mut self, to: Direction, out: &mut Vec<Piece>) {
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
    pub(super) fn let_reply_on(&mut self, call: Call, out: &mut Vec<Piece>) {
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
    pub(super) fn cut_reply(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<usize, Surprise> {
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
                let head = side.stream.reply_head(side.message.head(), awaited.method)?;
                let opens_tunnel = awaited.asks_tunnel && (head.status == 101 || head.status / 100 == 2);
                let opens_tunnel = opens_tunnel && (head.status == 101 || awaited.method == Method::Connect);
                if head.status / 100 == 1 && !opens_tunnel {
                    self.tell_interim(&head, out);
                    return Ok(n_taken);
                }
                self.tunnel = opens_tunnel;
                if opens_tunnel && let Some(Upgrade::WebSocket(extensions)) = upgrade(side.message.head()) {
                    let agreed = Agreed::new(&awaited.path(), &extensions);
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

    pub(super) fn tell_reply(&mut self, whole: bool, at_once: bool, awaited: bool, out: &mut Vec<Piece>) {
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
}
