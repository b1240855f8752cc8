//! Answers of stubs that are said bit by bit: events and messages, each in its time, and then the end.
//!
//! ```text
//! head, in its turn ─▶ part ─▶ part ─▶ … ─▶ end       rules strike each part as they strike what a provider streams
//! ```
//! Where answers keep an order the call keeps its turn until the end, and what its consumer asks meanwhile waits.

use super::{Ended, Held};
use crate::faults::Extent;
use crate::hold::lane::{Act, FULL};
use crate::hold::rule::By;
use crate::relay::Over;
use seam_value::Value;
use seam_wire::{Answering, Call, Direction, Ends, Of, Passed, Piece, Say, Unrolled, unroll};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One such answer.
pub(super) struct Streaming {
    /// The call whose turn it takes; none where it is only messages, on a connection that has changed over to them.
    call: Option<Call>,
    /// The call with whose head it begins, until that was said.
    begins_with: Option<Call>,
    answer: Arc<Value>,
    by: Arc<str>,
    later: VecDeque<(Duration, Value)>,
    ends: Ends,
    /// When the next part is due; none where nothing more is said.
    due: Option<Instant>,
    /// When the last part was due, with all that made it wait.
    last: Instant,
}

/// What a connection says bit by bit, and what waits for the end of it.
#[derive(Default)]
pub(super) struct Streams {
    all: Vec<Streaming>,
    /// What came behind a call that has not been answered to its end.
    parked: VecDeque<Piece>,
    n_parked: usize,
}

impl Streaming {
    /// How long after the part before the next one is said.
    fn pause(&self) -> Option<Duration> {
        self.later.front().map(|(after, _)| *after).or(match self.ends {
            Ends::Well => Some(Duration::ZERO),
            Ends::Truncated(after) | Ends::Reset(after) => Some(after),
            Ends::Open => None,
        })
    }
}

impl Streams {
    /// When something is to be said.
    pub(super) fn due(&self) -> Option<Instant> {
        self.all.iter().filter_map(|streaming| streaming.due).min()
    }

    /// Is there no answer that has not ended?
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.parked.is_empty()
    }

    /// Is anything still to be said without being pushed?
    pub(super) fn has_more(&self) -> bool {
        self.all.iter().any(|streaming| streaming.due.is_some() || streaming.begins_with.is_some())
    }

    /// Has to wait what a consumer asks?
    pub(super) fn parks(&self) -> bool {
        self.all.iter().any(|streaming| streaming.call.is_some())
    }

    /// It waits.
    pub(super) fn park(&mut self, piece: Piece) {
        self.n_parked += piece.bytes.len();
        self.parked.push_back(piece);
    }

    /// Has what begins there come by now?
    fn has_come(&self, begun: &Piece) -> bool {
        let Of::Begun { call, .. } = begun.of else { return false };
        self.parked.iter().any(|piece| matches!(piece.of, Of::Request { call: other, .. } if other == call))
    }

    /// Does so much wait that nothing more is to be read?
    pub(super) fn is_full(&self) -> bool {
        self.n_parked >= FULL
    }

    /// The call is over, whatever was to be said of its answer.
    pub(super) fn forget(&mut self, call: Call) {
        self.all.retain(|streaming| streaming.call != Some(call));
    }

    /// The head of a call's answer is said. True where the call keeps its turn.
    pub(super) fn begin(&mut self, call: Call) -> bool {
        let begins = |streaming: &Streaming| streaming.begins_with == Some(call);
        let Some(streaming) = self.all.iter_mut().find(|streaming| begins(streaming)) else { return false };
        streaming.begins_with = None;
        streaming.last = streaming.last.max(Instant::now());
        streaming.due = streaming.pause().map(|pause| streaming.last + pause);
        streaming.call.is_some()
    }
}

impl Held {
    /// Begins to say an answer bit by bit.
    pub(super) fn stream(
        &mut self,
        call: Call,
        (answer, by): (&Arc<Value>, &Arc<str>),
        unrolled: Unrolled,
        due: Instant,
    ) -> Result<(), Ended> {
        let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
        let head = match splitter.answer(call, &unrolled.first) {
            Ok(head) => head,
            Err(unanswerable) => return self.stub_fails(by, Some(call), &unanswerable.reason),
        };
        self.drop_request(call, answer, due);
        let changes_over = answer.get("status").and_then(Value::as_i64) == Some(101);
        // What has changed over has no end of its own.
        let ends = if changes_over && unrolled.ends == Ends::Well { Ends::Open } else { unrolled.ends };
        self.streams.all.push(Streaming {
            call: (!changes_over).then_some(call),
            begins_with: Some(call),
            answer: Arc::clone(answer),
            by: Arc::clone(by),
            later: unrolled.later.into(),
            ends,
            due: None,
            last: due,
        });
        self.in_turn(call, vec![(Act::Bytes(head, 0), due, Some(By::Stub(Arc::clone(by))))]);
        Ok(())
    }

    /// What a stub says to a message of a connection on which both sides talk: messages to who said it. It goes nowhere.
    pub(super) fn answer_back(&mut self, answering: Answering, due: Instant) -> Result<(), Ended> {
        let Answering { by, after, say, afterwards, .. } = answering;
        self.with.elsewhere.call_back(afterwards, after);
        let due = due + after;
        let answer = match say {
            Say::Answer(answer) => answer,
            Say::Bytes(said, _) => {
                self.down.push(Act::Bytes(said.to_vec(), 0), due, Some(By::Stub(by)));
                return Ok(());
            }
            Say::Cannot(reason) => return self.stub_fails(&by, None, &reason),
            Say::Pass | Say::Elsewhere(_) => return Ok(()),
        };
        let (later, ends) = match unroll(&answer) {
            Ok(Some(unrolled)) => (unrolled.later.into(), unrolled.ends),
            // Nothing may be the answer, too.
            Ok(None) if answer.get("messages").is_some() => (VecDeque::new(), Ends::Open),
            Ok(None) => (VecDeque::from([(Duration::ZERO, (*answer).clone())]), Ends::Open),
            Err(unanswerable) => return self.stub_fails(&by, None, &unanswerable.reason),
        };
        let ends = if ends == Ends::Well { Ends::Open } else { ends };
        let mut streaming =
            Streaming { call: None, begins_with: None, answer, by, later, ends, due: None, last: due };
        streaming.due = streaming.pause().map(|pause| due + pause);
        if streaming.due.is_some() {
            self.streams.all.push(streaming);
        }
        Ok(())
    }

    /// When the next part of an answer is to be said, if the consumer takes any.
    pub(super) fn next_part(&self) -> Option<Instant> {
        let is_hung = !self.hung.is_empty() && !self.multiplexes();
        self.streams.due().filter(|_| !self.down.is_full() && !is_hung)
    }

    /// Says the parts of answers that are due.
    pub(super) fn stream_on(&mut self) -> Result<(), Ended> {
        while self.next_part().is_some_and(|due| due <= Instant::now()) {
            let now = Instant::now();
            let is_due = |streaming: &Streaming| streaming.due.is_some_and(|due| due <= now);
            let Some(index) = self.streams.all.iter().position(is_due) else { return Ok(()) };
            self.say_part(index)?;
        }
        Ok(())
    }

    fn say_part(&mut self, index: usize) -> Result<(), Ended> {
        let streaming = &mut self.streams.all[index];
        let Some((_, message)) = streaming.later.pop_front() else { return self.end_stream(index) };
        let name = Arc::clone(&streaming.by);
        let (call, by, last) = (streaming.call, By::Stub(Arc::clone(&name)), streaming.last);
        // From when it was due, so that nothing adds up.
        streaming.due = streaming.due.zip(streaming.pause()).map(|(due, pause)| due + pause);
        if streaming.due.is_none() && call.is_none() {
            self.streams.all.remove(index);
        }
        let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
        let piece = match splitter.say_more(call, &message) {
            Ok(piece) => piece,
            Err(unanswerable) => return self.stub_fails(&name, call, &unanswerable.reason),
        };
        let Of::Message { read, .. } = piece.of else { return Ok(()) };
        let said = self.pass_message((Direction::ToConsumer, call), piece.bytes, read, (Some(by), last))?;
        // It may be gone by now, with a rule that broke it.
        if let Some(streaming) =
            self.streams.all.iter_mut().find(|one| one.call.is_some() && one.call == call)
        {
            streaming.last = said;
        }
        Ok(())
    }

    fn end_stream(&mut self, index: usize) -> Result<(), Ended> {
        let Streaming { call, answer, by, ends, last, .. } = self.streams.all.remove(index);
        let (name, due) = (Arc::clone(&by), last.max(Instant::now()));
        let by = By::Stub(by);
        let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
        let (said, act) = match (ends, call) {
            (Ends::Open, _) | (Ends::Well, None) => return Ok(()),
            (Ends::Well, Some(call)) => {
                let closes = splitter.ends_with(call, &answer);
                match splitter.say_last(call, &answer) {
                    Ok(said) => (said, closes.then_some(Act::Close)),
                    Err(unanswerable) => return self.stub_fails(&name, Some(call), &unanswerable.reason),
                }
            }
            (Ends::Truncated(_), call) => match call.and_then(|call| splitter.say_no_more(call)) {
                Some(said) => (said, None),
                None => (Vec::new(), Some(Act::Close)),
            },
            (Ends::Reset(_), call) => {
                let extent = (Extent::Call, Passed::Nowhere);
                if call.is_some_and(|call| self.break_off(call, extent, due, &by)) {
                    return Ok(());
                }
                (Vec::new(), Some(Act::Reset))
            }
        };
        self.down.push(Act::Bytes(said, 0), due, Some(by.clone()));
        if let Some(act) = act {
            self.down.push(act, due, Some(by));
            return Ok(());
        }
        if let Some(call) = call {
            self.leave_order(call);
            self.take_turns();
        }
        self.let_parked_on()
    }

    /// What waited for the end of an answer goes on, until there is another to wait for.
    fn let_parked_on(&mut self) -> Result<(), Ended> {
        while !self.streams.parks()
            && let Some(piece) = self.streams.parked.pop_front()
        {
            self.streams.n_parked -= piece.bytes.len();
            // All of it may have come meanwhile: then nobody decides by the head alone.
            if !self.streams.has_come(&piece) {
                self.take_in_one(piece)?;
            }
        }
        if self.provider_ended && self.may_end() {
            self.end_to_consumer();
        }
        Ok(())
    }

    /// May the consumer be told that nothing more comes, now that nothing more comes of the provider?
    pub(super) fn may_end(&self) -> bool {
        let is_over = self.streams.is_empty() || (self.consumer_ended && !self.streams.has_more());
        self.others.is_empty() && is_over
    }
}
