//! One HTTP connection cut into requests and replies: what it knows, and what is asked of it from outside.

mod about;
mod cutting;
mod events;
mod resuming;
pub(super) mod saying;

use super::connection::path_of;
use super::framing::{Message, Stream};
use super::heads::Method;
use super::reading::HeadRead;
use crate::conversation::{Direction, Limits, Surprise};
use crate::kept::Room;
use crate::splitter::{
    Anew, Behind, BrokenOff, Call, NOBODY, Of, Piece, Rest, Splitter, Splitting, Unanswerable, Underway,
};
use about::Newest;
use events::EventStream;
use saying::{AnswerTo, Own};
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
    about: Newest,
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

struct Awaited {
    call: Call,
    method: Method,
    expects: Expects,
    /// Is its reply for nobody, because it was asked a second time?
    is_repeated: bool,
    asks_tunnel: bool,
    /// The first line, which names the path.
    line: Vec<u8>,
    /// The key of one that asks for WebSocket.
    key: Option<String>,
}

impl Awaited {
    fn path(&self) -> String {
        path_of(&self.line)
    }
}

/// Does a consumer wait to be told to go on?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Nothing,
    Continue,
    /// It has been told already.
    NoMore,
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
            about: Newest::default(),
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
        if let Some(beyond) = &mut self.beyond {
            return beyond.ended(direction, out);
        }
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

    fn follow(&mut self, out: &mut Vec<Piece>) {
        if let Some(beyond) = &mut self.beyond {
            beyond.follow(out);
        }
    }

    fn level(&mut self, out: &mut Vec<Piece>) {
        if let Some(beyond) = &mut self.beyond {
            beyond.level(out);
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
        let mut rest = side.take_pending();
        rest.append(&mut side.raw);
        rest
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.pushed(message)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        match &mut self.beyond {
            Some(beyond) => beyond.deliver_again(message),
            // An event is framed by itself.
            None => Some(message.to_vec()),
        }
    }

    fn break_off_message(&mut self, message: &[u8]) -> Option<BrokenOff> {
        self.beyond.as_mut()?.break_off_message(message)
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        self.anew(message, anew)
    }

    fn beginning(&self, reply: &[u8], _most: Option<usize>) -> Option<Vec<u8>> {
        // What changes over has no content of which a part could be missing.
        let line = reply.split(|byte| *byte == b'\r').next().unwrap_or_default();
        line.split(|byte| *byte == b' ').nth(1).filter(|status| *status == b"101").map(|_| reply.to_vec())
    }

    fn with_body(&self, call: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        self.with_content(call, reply, change)
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
        self.said(call, answer)
    }

    fn says_bit_by_bit(&self) -> bool {
        true
    }

    fn say_more(&mut self, call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
        self.one_more(call, message)
    }

    fn say_last(&mut self, call: Call, _answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        Ok(self.last(call))
    }

    fn alike(&self, call: Call) -> Option<u8> {
        // Whoever asks for WebSocket is answered with a key of his own.
        let asks_tunnel = self.awaited.iter().any(|awaited| awaited.call == call && awaited.asks_tunnel);
        let bits = |to: AnswerTo| u8::from(to.is_head) | u8::from(to.closes) << 1 | u8::from(to.is_old) << 2;
        self.asked_in(call).filter(|_| !asks_tunnel).map(bits)
    }

    fn ends_with(&self, call: Call, answer: &Value) -> bool {
        let needs_end = |own: &Own| own.call == call && own.ends_with_connection();
        self.asked_in(call).is_some_and(|to| to.closes)
            || self.own.as_ref().is_some_and(needs_end)
            || super::answer::closes(answer)
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
        let Awaited { method, expects, asks_tunnel, ref line, .. } = self.awaited[index];
        let (line, key) = (line.clone(), None);
        if asks_tunnel {
            return Err(Unanswerable::new("what asks for another protocol is asked once on its connection"));
        }
        let repeated = Awaited { call, method, expects, is_repeated: true, asks_tunnel, line, key };
        self.awaited.insert(index + 1, repeated);
        Ok(request.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitter::Passed;

    /// Says of everything that it was asked for it.
    struct Beyond;

    impl Splitter for Beyond {
        fn cut(&mut self, to: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
            out.push(Piece { to, bytes: [b"cut ", bytes].concat(), of: Of::Rest });
            Ok(())
        }

        fn ended(&mut self, to: Direction, out: &mut Vec<Piece>) {
            out.push(Piece { to, bytes: b"ended".to_vec(), of: Of::Rest });
        }

        fn take_rest(&mut self, _: Direction) -> Vec<u8> {
            b"rest".to_vec()
        }

        fn follow(&mut self, out: &mut Vec<Piece>) {
            out.push(Piece { to: Direction::ToConsumer, bytes: b"follows".to_vec(), of: Of::Rest });
        }

        fn level(&mut self, out: &mut Vec<Piece>) {
            out.push(Piece { to: Direction::ToConsumer, bytes: b"level".to_vec(), of: Of::Rest });
        }

        fn answer(&mut self, _: Call, _: &Value) -> Result<Vec<u8>, Unanswerable> {
            Err(Unanswerable::new("nobody asks"))
        }

        fn break_off_message(&mut self, _: &[u8]) -> Option<BrokenOff> {
            Some(BrokenOff { to_consumer: b"broken".to_vec(), to_provider: Vec::new() })
        }

        fn deliver_again(&mut self, _: &[u8]) -> Option<Vec<u8>> {
            Some(b"again".to_vec())
        }

        fn refuse(&mut self, _: &[u8], _: &Value) -> Result<Vec<u8>, Unanswerable> {
            Ok(b"refused".to_vec())
        }

        fn push(&mut self, _: &Value) -> Result<Vec<u8>, Unanswerable> {
            Ok(b"pushed".to_vec())
        }

        fn is_over(&self) -> bool {
            true
        }
    }

    #[test]
    fn what_is_spoken_behind_a_change_over_is_asked_there() {
        let splitting = Splitting { limits: Limits::default(), behind: Behind::Provider };
        let mut http = HttpSplitter::new(splitting);
        assert_eq!(http.break_off_message(b"x"), None);
        assert_eq!(http.deliver_again(b"x").as_deref(), Some(&b"x"[..]));
        http.beyond = Some(Box::new(Beyond));
        http.tunnel = true;
        let mut out = Vec::new();
        http.cut(Direction::ToProvider, b"x", &mut out).expect("no surprise");
        http.follow(&mut out);
        http.level(&mut out);
        http.ended(Direction::ToConsumer, &mut out);
        let said: Vec<&[u8]> = out.iter().map(|piece| piece.bytes.as_slice()).collect();
        assert_eq!(said, [&b"cut x"[..], b"follows", b"level", b"ended"]);
        assert_eq!(http.take_rest(Direction::ToProvider), b"rest");
        assert_eq!(http.deliver_again(b"x").as_deref(), Some(&b"again"[..]));
        assert_eq!(http.break_off_message(b"x").expect("it can be").to_consumer, b"broken");
        assert_eq!(http.break_off(1, Passed::On), None);
        assert_eq!(http.refuse(b"x", &Value::Null).expect("an answer"), b"refused");
        assert_eq!(http.push(&Value::Null).expect("a message"), b"pushed");
        assert!(http.is_over());
    }
}
