//! A connection that comes to be cut while calls are under way: what has passed of them stays gone, and the next request
//! that begins is told as any other.

use super::about::{About, Wish, first_line};
use super::events::EventStream;
use super::saying::AnswerTo;
use super::{Awaited, Expects, HttpSplitter, Side};
use crate::conversation::{Captured, Direction};
use crate::http::connection::Open;
use crate::http::framing::{Framing, Message, Stream};
use crate::http::heads::{Heads, Method};
use crate::http::reading::HttpExchange;
use crate::splitter::{Call, Of, Piece, Splitting};
use std::collections::VecDeque;

impl HttpSplitter {
    /// Begins where these streams of requests and replies stand, with these calls under way, the oldest first.
    pub(in crate::http) fn resumed(
        splitting: Splitting,
        (requests, replies): (&Stream, &Stream),
        open: &VecDeque<Open>,
    ) -> Self {
        let mut splitter = Self::new(splitting);
        (splitter.requests.stream, splitter.replies.stream) = (requests.clone(), replies.clone());
        for (call, open) in (1..).zip(open) {
            splitter.last = call;
            splitter.resume(call, open);
        }
        if let Some(newest) = open.back().filter(|_| !requests.is_between()) {
            splitter.requests.resume(&newest.kept.request);
        }
        if let Some(oldest) = open.front().filter(|_| !replies.is_between()) {
            splitter.replies.resume(&oldest.kept.reply);
            splitter.replies.resume_events(oldest);
        }
        splitter
    }

    /// Begins where HTTP has come to its end.
    pub(in crate::http) fn tunnel(splitting: Splitting) -> Self {
        Self { tunnel: true, ..Self::new(splitting) }
    }

    fn resume(&mut self, call: Call, open: &Open) {
        let head = open.kept.request.head();
        let is_in_head = !open.request_is_whole && self.requests.stream.is_in_head();
        let awaits = open.ended.is_none();
        if !is_in_head {
            let about = About::read(head);
            let is_head = open.method == Method::Head;
            let (closes, is_old) = (about.closes, about.is_old);
            self.asked.push_back(AnswerTo { is_head, closes, is_old, events: None });
            self.newest = call;
            if awaits {
                self.awaited.push_back(Awaited {
                    call,
                    method: open.method,
                    expects: Expects::Nothing,
                    is_repeated: false,
                    asks_tunnel: open.method == Method::Connect || about.wish != Wish::None,
                    line: first_line(head),
                    key: about.key,
                });
            }
        }
        let has_reply = open.kept.reply.head_end > 0 || !awaits;
        let read = (!has_reply && !is_in_head).then(|| -> Box<dyn Captured> {
            Box::new(HttpExchange { request: open.kept.request.clone(), reply: Message::default() })
        });
        // What is answered behind a stream waits for its end, too.
        let of = Of::UnderWay { call, whole: open.request_is_whole, awaited: awaits, read };
        self.under_way.push(Piece { to: Direction::ToProvider, bytes: Vec::new(), of });
    }
}

impl Side {
    /// The rest of this message is still to come.
    fn resume(&mut self, message: &Message) {
        self.told = true;
        self.message = if self.stream.is_in_head() {
            message.clone()
        } else {
            // Nobody is told what has passed.
            Message { length: message.length, ..Message::default() }
        };
    }

    /// If it is a stream of events, the next that begins is told.
    fn resume_events(&mut self, open: &Open) {
        let Some(passing) = open.kept.reply.passing.as_ref().filter(|_| open.streams) else { return };
        let Ok(head) = Heads::default().reply(open.kept.reply.head(), open.method) else { return };
        if matches!(head.framing, Framing::Chunked | Framing::UntilClose) {
            self.events = Some(EventStream::resumed(head.framing, open.cutter, passing.len()));
            self.message.passing = Some(passing.clone());
        }
    }
}
