//! What is said in the provider's place, or anew.

use super::events::unchunked;
use super::{Awaited, HttpSplitter};
use crate::conversation::{Direction, Limits};
use crate::http::answer::{self, Open};
use crate::http::events;
use crate::http::framing::{Message, Reached, Stream};
use crate::http::heads::{Heads, Method};
use crate::http::reading::EventRead;
use crate::kept::Room;
use crate::splitter::{Anew, Behind, Call, Of, Piece, Splitter, Splitting, Unanswerable, Underway};
use crate::websocket::{self, Agreed, WebSocket};
use seam_value::Value;

/// An answer that is said bit by bit in the provider's place.
pub(super) struct Own {
    pub(super) call: Call,
    pub(super) path: String,
    pub(super) open: Open,
    /// Does the consumer hear nothing but its head?
    pub(super) is_head: bool,
}

impl Own {
    pub(super) fn ends_with_connection(&self) -> bool {
        self.open == Open::UntilClose
    }
}

/// What an answer to a request must keep to, and what is said anew of its reply.
#[derive(Clone, Copy, Default)]
pub(in crate::http) struct AnswerTo {
    pub(in crate::http) is_head: bool,
    /// Does the consumer expect the connection to end with the answer?
    pub(in crate::http) closes: bool,
    /// Does it know nothing of chunks?
    pub(in crate::http) is_old: bool,
    /// How the events of its reply are framed. Asked of events that were told, whose stream may have ended with them, and
    /// further ones behind it.
    pub(in crate::http) events: Option<Open>,
}

impl HttpSplitter {
    /// What an answer to a call must keep to.
    pub(super) fn asked_in(&self, call: Call) -> Option<AnswerTo> {
        self.asked.get(self.index_of(call)?).copied()
    }

    fn index_of(&self, call: Call) -> Option<usize> {
        // Each call whose head has come has one, and they are numbered one after the other.
        let behind = usize::try_from(self.newest.checked_sub(call)?).ok()?;
        self.asked.len().checked_sub(behind.checked_add(1)?)
    }

    /// The events of the reply to a call are framed like this.
    pub(super) fn frames_events(&mut self, call: Call, open: Open) {
        if let Some(index) = self.index_of(call) {
            self.asked[index].events = Some(open);
        }
    }

    /// The whole answer to a call, or the beginning of one that stays open.
    pub(super) fn said(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let wishes = self.awaited.iter().find(|awaited| awaited.call == call);
        if answer.get("status").and_then(Value::as_i64) == Some(101)
            && let Some((key, path)) =
                wishes.and_then(|awaited| Some((awaited.key.as_deref()?, awaited.path())))
        {
            let said = answer::change_over(answer, &websocket::accept(key))?;
            let splitting = Splitting { limits: self.limits, behind: Behind::Nobody };
            self.beyond = Some(Box::new(WebSocket::new(&Agreed::new(&path, ""), splitting)));
            self.tunnel = true;
            self.forget(call);
            return Ok(said);
        }
        let to = self.asked_in(call).unwrap_or_default();
        let stays = answer.get("open") == Some(&Value::Bool(true));
        let open = stays.then_some(if to.is_old { Open::UntilClose } else { Open::Chunked });
        let said = answer::encode(answer, to, open)?;
        if let Some(open) = open {
            let path = self.awaited.iter().find(|awaited| awaited.call == call).map(Awaited::path);
            self.own = Some(Own { call, path: path.unwrap_or_default(), open, is_head: to.is_head });
            self.frames_events(call, open);
        }
        self.forget(call);
        Ok(said)
    }

    /// One more event of an answer that stays open.
    pub(super) fn one_more(&mut self, call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
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

    /// What ends such an answer.
    pub(super) fn last(&mut self, call: Call) -> Vec<u8> {
        let own = self.own.take_if(|own| own.call == call);
        let is_chunked = own.is_some_and(|own| own.open == Open::Chunked && !own.is_head);
        if is_chunked { answer::LAST_CHUNK.to_vec() } else { Vec::new() }
    }

    /// An event that nobody asked for, in the stream that is open.
    pub(super) fn pushed(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        match (&mut self.beyond, self.replies.events.filter(|_| self.replies.told), &self.own) {
            (Some(beyond), ..) => beyond.push(message),
            (None, Some(stream), _) if stream.is_within() => Err(Unanswerable::within()),
            (None, Some(stream), _) => Ok(stream.framed(&events::write(message))),
            (None, None, Some(own)) if !own.is_head => {
                Ok(answer::framed(&events::write(message), Some(own.open)))
            }
            (None, None, _) => Err(Unanswerable::new("there is no open stream to push to")),
        }
    }

    /// A reply whose content is another of the same length, as far as it is there.
    pub(super) fn with_content(
        &self,
        call: Call,
        reply: &[u8],
        change: &mut dyn FnMut(&mut [u8]),
    ) -> Option<Vec<u8>> {
        let to = self.asked_in(call).unwrap_or_default();
        let method = if to.is_head { Method::Head } else { Method::Other };
        let limits = Limits { kept_body: 0, ..self.limits };
        let (mut stream, mut message, mut room) = (Stream::new(), Message::default(), Room::new(limits));
        let (mut changed, mut at) = (reply.to_vec(), stream.n_idle(reply));
        while at < changed.len() {
            let n_content = usize::try_from(stream.body_left()).unwrap_or(usize::MAX);
            if n_content > 0 {
                let end = at.saturating_add(n_content).min(changed.len());
                change(&mut changed[at..end]);
                stream.pass(&mut message, (end - at) as u64);
                at = end;
                continue;
            }
            // What stands between chunks is looked at byte by byte, so that nothing of these is taken with it.
            let end = if message.head_end > 0 && !stream.is_in_head() { at + 1 } else { changed.len() };
            let (n_taken, reached) =
                stream.advance(&mut message, &changed[at..end], limits, &mut room).ok()?;
            at += n_taken;
            let is_over = match reached {
                Reached::Nothing => false,
                Reached::HeadEnd => {
                    stream.begin_body(Heads::default().reply(message.head(), method).ok()?.framing)
                }
                Reached::MessageEnd => true,
            };
            if is_over {
                break;
            }
        }
        (message.head_end > 0).then_some(changed)
    }

    /// An event that says something else.
    pub(super) fn anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
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
}
