//! A connection of the protocol `http`, whichever version is spoken on it: the first bytes say which.

use super::connection::Http2;
use super::flavor::Flavor;
use super::frame::PREFACE;
use crate::conversation::{Conversation, Direction, End, Exchange, Limits, Position, Surprise};
use crate::splitter::{
    Anew, BrokenOff, Call, Carried, InPart, Passed, Piece, Rest, SaidAnew, Splitter, Splitting, Unanswerable,
    Underway, Ways,
};
use crate::watching::Watching;
use seam_value::Value;
use std::sync::Arc;
use std::time::Duration;

/// HTTP/1 until the preface of HTTP/2 has come. Generic over what watches HTTP/1, so that it is not called through a
/// pointer.
pub(crate) struct Versions<One> {
    limits: Limits,
    one: One,
    two: Option<Box<Watching<Http2>>>,
    /// So many bytes of the preface have come, and nothing else. None once it is known what is spoken.
    n_preface: Option<usize>,
}

impl<One: Conversation> Versions<One> {
    /// Begins with what watches HTTP/1.
    pub(crate) fn new(one: One, limits: Limits) -> Self {
        Self { limits, one, two: None, n_preface: Some(0) }
    }

    fn spoken(&self) -> &dyn Conversation {
        match &self.two {
            Some(two) => &**two,
            None => &self.one,
        }
    }

    fn spoken_mut(&mut self) -> &mut dyn Conversation {
        match &mut self.two {
            Some(two) => &mut **two,
            None => &mut self.one,
        }
    }

    /// It is HTTP/1: gives it what was held back.
    fn is_one(&mut self, at: Duration, out: &mut Vec<Exchange>) -> Result<(), Surprise> {
        match self.n_preface.take() {
            Some(n_preface) => self.one.feed(Direction::ToProvider, &PREFACE[..n_preface], at, out),
            None => Ok(()),
        }
    }
}

impl<One: Conversation> Conversation for Versions<One> {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        if let Some(two) = &mut self.two {
            return two.step(direction, bytes, at, out);
        }
        let Some(n_preface) = self.n_preface else { return self.one.step(direction, bytes, at, out) };
        match look(direction, bytes, n_preface) {
            Shows::One => {
                self.is_one(at, out)?;
                self.one.step(direction, bytes, at, out)
            }
            Shows::Nothing(n_taken) => {
                self.n_preface = Some(n_preface + n_taken);
                Ok(n_taken)
            }
            Shows::Two => {
                let mut two = Watching::new(Http2::watched(Flavor::Http, self.limits), self.limits);
                two.feed(Direction::ToProvider, &PREFACE[..n_preface], at, out)?;
                self.n_preface = None;
                self.two.insert(Box::new(two)).step(direction, bytes, at, out)
            }
        }
    }

    fn end(&mut self, direction: Direction, how: End, at: Duration, out: &mut Vec<Exchange>) {
        // What was held back may be the beginning of a request; that it is none is told by nobody.
        let _ = self.is_one(at, out);
        self.spoken_mut().end(direction, how, at, out);
    }

    fn n_open(&self) -> usize {
        match self.n_preface {
            Some(n_preface) => usize::from(n_preface > 0),
            None => self.spoken().n_open(),
        }
    }

    fn unfinished(&self) -> Vec<Exchange> {
        self.spoken().unfinished()
    }

    fn calls(&self) -> Vec<Exchange> {
        self.spoken().calls()
    }

    fn position(&self, direction: Direction) -> Position {
        match self.n_preface {
            Some(1..) if direction == Direction::ToProvider => Position::Head,
            _ => self.spoken().position(direction),
        }
    }

    fn may_split(&self, direction: Direction) -> bool {
        match self.n_preface {
            Some(1..) if direction == Direction::ToProvider => false,
            _ => self.spoken().may_split(direction),
        }
    }

    fn n_to_split(&self, direction: Direction) -> Option<usize> {
        self.spoken().n_to_split(direction)
    }

    fn passable(&self, direction: Direction) -> u64 {
        self.spoken().passable(direction)
    }

    fn pass(&mut self, direction: Direction, n_bytes: u64, at: Duration, out: &mut Vec<Exchange>) {
        self.spoken_mut().pass(direction, n_bytes, at, out);
    }

    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        let split = self.spoken().split(splitting)?;
        Some(match self.n_preface {
            None => split,
            Some(n_preface) => Box::new(Splits {
                splitting,
                split,
                gathers: false,
                is_ruled: true,
                tells_beginnings: false,
                n_preface: Some(n_preface),
                unseen: Vec::new(),
            }),
        })
    }
}

/// What the first bytes show.
enum Shows {
    One,
    Two,
    /// So many bytes of the preface, and not all of it.
    Nothing(usize),
}

/// Looks at the first bytes, after so many of the preface.
fn look(direction: Direction, bytes: &[u8], n_preface: usize) -> Shows {
    match (direction, bytes) {
        (_, []) => Shows::Nothing(0),
        // A provider may say its settings before it was asked anything; a reply of HTTP/1 begins with its name.
        (Direction::ToConsumer, [0, ..]) => Shows::Two,
        (Direction::ToConsumer, _) => Shows::One,
        (Direction::ToProvider, _) => {
            let expected = &PREFACE[n_preface..];
            let n_now = expected.len().min(bytes.len());
            match bytes[..n_now] == expected[..n_now] {
                false => Shows::One,
                true if n_now == expected.len() => Shows::Two,
                true => Shows::Nothing(n_now),
            }
        }
    }
}

/// The same, cut into pieces.
struct Splits {
    splitting: Splitting,
    /// Cuts HTTP/1, until it is known that HTTP/2 is spoken.
    split: Box<dyn Splitter>,
    gathers: bool,
    is_ruled: bool,
    tells_beginnings: bool,
    /// So many bytes of the preface have come, and nothing else. None once it is known what is spoken.
    n_preface: Option<usize>,
    /// What the provider said when the consumer's bytes surprised.
    unseen: Vec<u8>,
}

impl Splitter for Splits {
    fn begin(&mut self, out: &mut Vec<Piece>) {
        self.split.begin(out);
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let Some(n_preface) = self.n_preface else { return self.split.cut(direction, bytes, out) };
        match look(direction, bytes, n_preface) {
            Shows::Nothing(n_taken) => {
                self.n_preface = Some(n_preface + n_taken);
                return Ok(());
            }
            Shows::One => {}
            Shows::Two => {
                self.split = Box::new(Http2::new(Flavor::Http, self.splitting));
                self.split.gather_replies(self.gathers);
                self.split.is_ruled(self.is_ruled);
                if self.tells_beginnings {
                    self.split.tell_beginnings();
                }
            }
        }
        self.n_preface = None;
        let held_back = &PREFACE[..n_preface];
        if direction == Direction::ToProvider {
            return self.split.cut(direction, &[held_back, bytes].concat(), out);
        }
        self.split
            .cut(Direction::ToProvider, held_back, out)
            .inspect_err(|_| bytes.clone_into(&mut self.unseen))?;
        self.split.cut(direction, bytes, out)
    }

    fn stands_at(&mut self, ways: Arc<dyn Ways>) {
        self.split.stands_at(ways);
    }

    fn ended(&mut self, direction: Direction, out: &mut Vec<Piece>) {
        self.split.ended(direction, out);
    }

    fn follow(&mut self, out: &mut Vec<Piece>) {
        self.split.follow(out);
    }

    fn say_carried_anew(
        &mut self,
        call: Call,
        piece: (Direction, &[u8]),
        carried: &mut [Carried<'_>],
    ) -> Result<SaidAnew, Unanswerable> {
        self.split.say_carried_anew(call, piece, carried)
    }

    fn answer_apart(
        &mut self,
        call: Call,
        piece: (Direction, &[u8]),
        answers: &[(usize, &Value)],
    ) -> Result<InPart, Unanswerable> {
        self.split.answer_apart(call, piece, answers)
    }

    fn gather_replies(&mut self, gather: bool) {
        self.gathers = gather;
        self.split.gather_replies(gather);
    }

    fn tell_beginnings(&mut self) {
        self.tells_beginnings = true;
        self.split.tell_beginnings();
    }

    fn goes_on(&mut self, of: (Direction, Call), rest: Rest, out: &mut Vec<Piece>) {
        self.split.goes_on(of, rest, out);
    }

    fn refuse(&mut self, message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.split.refuse(message, answer)
    }

    fn is_ruled(&mut self, ruled: bool) {
        self.is_ruled = ruled;
        self.split.is_ruled(ruled);
    }

    fn level(&mut self, out: &mut Vec<Piece>) {
        self.split.level(out);
    }

    fn lets_go(&self, untouched: bool) -> bool {
        self.n_preface.is_none_or(|n_preface| n_preface == 0) && self.split.lets_go(untouched)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        let is_here = direction == Direction::ToProvider;
        let n_preface = if is_here { self.n_preface.take().unwrap_or_default() } else { 0 };
        let unseen = if is_here { Vec::new() } else { std::mem::take(&mut self.unseen) };
        [&PREFACE[..n_preface], &self.split.take_rest(direction), &unseen].concat()
    }

    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        self.split.passes(to, bytes)
    }

    fn multiplexes(&self) -> bool {
        self.split.multiplexes()
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.split.answer(call, answer)
    }

    fn says_bit_by_bit(&self) -> bool {
        self.split.says_bit_by_bit()
    }

    fn say_more(&mut self, call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
        self.split.say_more(call, message)
    }

    fn say_last(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.split.say_last(call, answer)
    }

    fn say_no_more(&mut self, call: Call) -> Option<Vec<u8>> {
        self.split.say_no_more(call)
    }

    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        self.split.instead(call, answer)
    }

    fn break_off(&mut self, call: Call, request: Passed) -> Option<BrokenOff> {
        self.split.break_off(call, request)
    }

    fn break_off_message(&mut self, message: &[u8]) -> Option<BrokenOff> {
        self.split.break_off_message(message)
    }

    fn beginning(&self, reply: &[u8], most: Option<usize>) -> Option<Vec<u8>> {
        self.split.beginning(reply, most)
    }

    fn with_body(&self, call: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        self.split.with_body(call, reply, change)
    }

    fn in_parts(&self, answer: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
        self.split.in_parts(answer, ends)
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        self.split.say_anew(message, anew)
    }

    fn forget(&mut self, call: Call) {
        self.split.forget(call);
    }

    fn alike(&self, call: Call) -> Option<u8> {
        self.split.alike(call)
    }

    fn ends_with(&self, call: Call, answer: &Value) -> bool {
        self.split.ends_with(call, answer)
    }

    fn is_over(&self) -> bool {
        self.split.is_over()
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        self.split.again(call, request)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.split.deliver_again(message)
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.split.push(message)
    }
}
