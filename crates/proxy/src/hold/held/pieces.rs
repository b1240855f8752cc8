//! What becomes of requests, and of more of what began before.

use super::{Ended, Held};
use crate::faults::{Effect, Extent, Moment};
use crate::hold::fates::Fate;
use crate::hold::lane::Act;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{self, About, WHOLE, What};
use crate::observer::Seen;
use crate::relay::Over;
use seam_value::Value;
use seam_wire::{BrokenOff, Call, Captured, Direction, Passed, Read, Rest, Then, Unanswerable};
use std::sync::Arc;
use tokio::time::Instant;

/// What becomes of a request that is asked, besides: whose doing it is that it is asked twice, and what becomes of the
/// answer.
pub(super) type Besides = (Option<Arc<Rule>>, Option<(Effect, Arc<Rule>)>);

/// Why nothing becomes of the messages of a call.
pub(super) const GONE: &str = "what carries it goes nowhere";

impl Held {
    /// A request of which no more than the head has come is decided about, unless somebody needs all of it. Where it is
    /// answered in the provider's place, its consumer gets to the end of it first, as with most servers.
    pub(super) fn request_begins(&mut self, call: Call, read: Box<dyn Captured>) -> Result<(), Ended> {
        let parts = read.read();
        let about = About { is_whole: false, is_head: true, ..WHOLE };
        let rules = Arc::clone(&self.with.state.borrow().rules);
        let (mut rest, unmet) = verdict::rest(&rules, &self.case(&[], Moment::Request, about), &parts);
        if rest != Rest::IsGathered {
            let about = About { unmet: &unmet, ..about };
            let verdict = self.decide(&[], Moment::Request, about, Box::new(Read(parts)));
            // A stub was to let it pass, and may have become another in between.
            let is_said = |what: &What| {
                matches!(what, What::Fault(Effect::Answer(_) | Effect::Say(..)) | What::Stub(_))
            };
            if verdict.what.as_ref().is_some_and(|(what, _)| is_said(what)) {
                rest = Rest::IsGathered;
            }
            self.decided.insert(call, verdict);
        }
        self.goes_on((Direction::ToProvider, call), rest)
    }

    /// A reply of which no more than the head has come passes, where no rule that may apply to it needs more.
    pub(super) fn reply_begins(&mut self, call: Call, read: Box<dyn Captured>) -> Result<(), Ended> {
        let mut parts = read.read();
        if let Some(asked) = self.fates.asked(call) {
            parts.request = asked.clone();
        }
        let rules = Arc::clone(&self.with.state.borrow().rules);
        let rest = verdict::rest_of_reply(&rules, &self.case(&[], Moment::Reply, WHOLE), &parts);
        self.goes_on((Direction::ToConsumer, call), rest)
    }

    pub(super) fn goes_on(&mut self, of: (Direction, Call), rest: Rest) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.goes_on(of, rest, &mut pieces);
        }
        self.take_in(pieces)
    }

    /// All of a request that was decided about by its head.
    pub(super) fn told(&mut self, call: Call, read: Box<dyn Captured>) {
        let request = read.read().request;
        if let Some(unmet) = self.unmet.remove(&call) {
            verdict::passed(&unmet, &self.case(&[], Moment::Request, WHOLE), &request);
        }
        self.fates.is_told(call, request);
    }

    /// A request: passed on, later, or answered here.
    pub(super) fn request(
        &mut self,
        call: Call,
        bytes: Vec<u8>,
        whole: bool,
        read: Box<dyn Captured>,
    ) -> Result<(), Ended> {
        // Mostly all of it comes at once.
        let decided = if self.decided.is_empty() { None } else { self.decided.remove(&call) };
        let (mut verdict, read) = match decided {
            Some(verdict) => (verdict, Some(read)),
            None => (self.decide(&bytes, Moment::Request, About { is_whole: whole, ..WHOLE }, read), None),
        };
        self.fates.begin(call, whole, verdict.asked.take());
        if !verdict.unmet.is_empty() && verdict.what.is_none() {
            self.unmet.insert(call, std::mem::take(&mut verdict.unmet));
        }
        if let Some(read) = read.filter(|_| whole) {
            // It was decided about by its head, and all of it is there: nobody tells it again.
            self.told(call, read);
        }
        let due = Instant::now() + verdict.wait;
        let (twice, after) = (verdict.twice.take(), verdict.after.take());
        let carried = std::mem::take(&mut verdict.carried);
        let bytes = if verdict.what.is_none() {
            self.change_carried(call, (Direction::ToProvider, bytes, whole), carried, &verdict.apart).0
        } else {
            self.leave_carried(carried, GONE);
            bytes
        };
        match verdict.what {
            None if !verdict.apart.is_empty() => {
                self.answer_apart(call, (&bytes, whole), &verdict.apart, (due, (twice, after)))
            }
            None => {
                self.ask(call, bytes, due, (twice, after));
                Ok(())
            }
            Some((What::Stub(answering), _)) => {
                if let Some(rule) = twice {
                    self.strikes(&rule);
                }
                if let Some((Effect::LoseReply(extent) | Effect::ResetAfter(extent), rule)) = after {
                    self.losers.insert(call, (extent, rule));
                }
                self.stand_in(call, answering, &bytes, due)
            }
            Some((What::Unknown, rule)) => {
                if let Some(twice) = twice {
                    self.has_no_words(&twice, "nobody is there who could get it");
                }
                if let Some((Effect::LoseReply(extent) | Effect::ResetAfter(extent), rule)) = after {
                    self.lose_answer(call, (extent, rule), due);
                    return Ok(());
                }
                // The protocol may have a word for it; where it has none the connection ends.
                let unknown = Value::map([
                    ("status", Value::from(404_u64)),
                    ("text", Value::text("no stub answers this\n")),
                ]);
                self.answer(call, &unknown, due, &rule)
            }
            Some((What::Fault(effect), rule)) => {
                self.strike_request(call, (effect, rule), bytes, due);
                Ok(())
            }
        }
    }

    pub(super) fn pass_request(&mut self, call: Call, bytes: Vec<u8>, due: Instant) {
        let due = self.up.push(Act::Bytes(bytes, 0), due, None);
        self.fates.is_due(call, due);
    }

    /// The provider is asked: twice, or for an answer that nobody hears of.
    pub(super) fn ask(&mut self, call: Call, bytes: Vec<u8>, due: Instant, (twice, after): Besides) {
        let again = twice
            .zip(self.with.splitter.as_mut())
            .map(|(rule, splitter)| (splitter.again(call, &bytes), rule));
        self.pass_request(call, bytes, due);
        match again {
            None => {}
            Some((Ok(again), rule)) => {
                self.strikes(&rule);
                self.up.push(Act::Bytes(again, 0), due, None);
            }
            Some((Err(unanswerable), rule)) => self.has_no_words(&rule, &unanswerable.reason),
        }
        match after {
            Some((Effect::LoseReply(extent), rule)) => {
                self.fates.set(call, Fate::LosesReply(extent));
                self.losers.insert(call, (extent, rule));
            }
            Some((Effect::ResetAfter(extent), rule)) => {
                let by = By::Fault(rule);
                if !self.break_off(call, (extent, Passed::On), due, &by) {
                    self.up.push(Act::Reset, due, Some(by));
                }
            }
            _ => {}
        }
    }

    /// What was to be said to a call in the provider's place is lost: the call breaks, or its connection.
    pub(super) fn lose_answer(&mut self, call: Call, (extent, rule): (Extent, Arc<Rule>), due: Instant) {
        let by = By::Fault(rule);
        if !self.break_off(call, (extent, Passed::Nowhere), due, &by) {
            self.drop_request(call, &Value::Null, due);
            self.down.push(Act::Reset, due, Some(by));
        }
    }

    pub(super) fn strike_request(
        &mut self,
        call: Call,
        (effect, rule): (Effect, Arc<Rule>),
        bytes: Vec<u8>,
        due: Instant,
    ) {
        match effect {
            Effect::Answer(value) => match self.say_answer(call, &value, due, &rule) {
                Ok(()) => self.strikes(&rule),
                Err(unanswerable) => {
                    self.has_no_words(&rule, &unanswerable.reason);
                    self.pass_request(call, bytes, due);
                }
            },
            Effect::Say(said, then) => {
                self.drop_request(call, &Value::Null, due);
                self.say(call, said, (due, then), &By::Fault(rule));
            }
            Effect::Reset(extent) => {
                let by = By::Fault(rule);
                if !self.break_off(call, (extent, Passed::Nowhere), due, &by) {
                    self.up.push(Act::Reset, due, Some(by));
                }
            }
            Effect::Hang => {
                self.fates.set(call, Fate::Dropped);
                if let Some(splitter) = &mut self.with.splitter {
                    splitter.forget(call);
                }
                self.hung.push(Some(call), rule, Passed::Nowhere);
            }
            Effect::Cut(time) => {
                self.cut_seam(Direction::ToProvider, time, &rule);
            }
            Effect::ResetAfter(_)
            | Effect::LoseReply(_)
            | Effect::Twice
            | Effect::Wait(_)
            | Effect::Change(_)
            | Effect::Truncate(_)
            | Effect::Garble
            | Effect::Refuse
            | Effect::Pace(_)
            | Effect::CloseAfter(_) => {
                self.pass_request(call, bytes, due);
            }
        }
    }

    /// Answers a request here, in the protocol's own terms.
    fn answer(&mut self, call: Call, value: &Value, due: Instant, rule: &Arc<Rule>) -> Result<(), Ended> {
        match self.say_answer(call, value, due, rule) {
            Ok(()) => Ok(()),
            Err(unanswerable) => self.unanswerable(&unanswerable.reason),
        }
    }

    pub(super) fn say_answer(
        &mut self,
        call: Call,
        value: &Value,
        due: Instant,
        rule: &Arc<Rule>,
    ) -> Result<(), Unanswerable> {
        self.say_by(call, value, due, &by_of(rule))
    }

    pub(super) fn say_by(
        &mut self,
        call: Call,
        value: &Value,
        due: Instant,
        by: &By,
    ) -> Result<(), Unanswerable> {
        let Some(splitter) = &mut self.with.splitter else {
            return Err(Unanswerable::new("its bytes are not understood"));
        };
        let then = if splitter.ends_with(call, value) { Then::Close } else { Then::Stay };
        let bytes = splitter.answer(call, value)?;
        self.drop_request(call, value, due);
        self.say(call, bytes, (due, then), by);
        Ok(())
    }

    /// A fault can't be said in the protocol's terms: what it was to strike passes, and it has not struck.
    pub(super) fn has_no_words(&mut self, rule: &Arc<Rule>, reason: &str) {
        rule.missed(reason);
        let (seam, name) = (self.with.seam.0, format!("the fault `{}`", rule.name()));
        self.with.observer.tell(Seen::Unsaid { seam, name, reason: reason.to_owned() });
    }

    pub(super) fn unanswerable(&mut self, reason: &str) -> Result<(), Ended> {
        let (seam, name) = (self.with.seam.0, "what was to be answered".to_owned());
        self.with.observer.tell(Seen::Unsaid { seam, name, reason: reason.to_owned() });
        self.with.tap.borrow_mut().reset_by_fault();
        Err(Ended(Over::Reset))
    }

    /// A request is not passed on; the provider gets what keeps it in step.
    pub(super) fn drop_request(&mut self, call: Call, answer: &Value, due: Instant) {
        self.fates.set(call, Fate::Dropped);
        let Some(splitter) = &mut self.with.splitter else { return };
        let instead = splitter.instead(call, answer);
        if !instead.is_empty() {
            self.up.push(Act::Bytes(instead, 0), due, None);
        }
    }

    pub(super) fn say(&mut self, call: Call, bytes: Vec<u8>, (due, then): (Instant, Then), by: &By) {
        let mut acts = vec![(Act::Bytes(bytes, 0), due, Some(by.clone()))];
        push_end(&mut acts, due, then, by);
        self.in_turn(call, acts);
    }

    /// Says something to the consumer as the whole answer to a call, once its turn has come.
    pub(super) fn in_turn(&mut self, call: Call, acts: Vec<(Act, Instant, Option<By>)>) {
        self.ready.insert(call, acts);
        if self.multiplexes() || !self.order.contains(&call) {
            self.speak(call);
            return;
        }
        self.take_turns();
    }

    fn speak(&mut self, call: Call) {
        for (act, due, by) in self.ready.remove(&call).unwrap_or_default() {
            self.down.push(act, due, by);
        }
        self.fates.spoken(call);
        if !self.streams.begin(call) {
            self.leave_order(call);
        }
    }

    pub(super) fn leave_order(&mut self, call: Call) {
        // Mostly its turn has come.
        if self.order.front() == Some(&call) {
            self.order.pop_front();
        } else {
            self.order.retain(|other| *other != call);
        }
    }

    pub(super) fn take_turns(&mut self) {
        while let Some(call) = self.order.front().copied().filter(|call| self.ready.contains_key(call)) {
            self.speak(call);
        }
    }

    /// The answer to a call has ended.
    pub(super) fn answered(&mut self, call: Call) {
        self.leave_order(call);
        self.fates.answered(call);
        self.losers.remove(&call);
        self.apart.remove(&call);
        self.take_turns();
    }

    /// A call is broken off alone, where its connection carries others. Says whether it was.
    pub(super) fn break_off(
        &mut self,
        call: Call,
        (extent, request): (Extent, Passed),
        due: Instant,
        by: &By,
    ) -> bool {
        let splitter = self.with.splitter.as_mut().filter(|_| extent == Extent::Call);
        let Some(broken) = splitter.and_then(|splitter| splitter.break_off(call, request)) else {
            return false;
        };
        self.tell_both(broken, due, by);
        self.unmet.remove(&call);
        self.ready.remove(&call);
        self.streams.forget(call);
        self.answered(call);
        true
    }

    pub(super) fn tell_both(&mut self, broken: BrokenOff, due: Instant, by: &By) {
        self.down.push(Act::Bytes(broken.to_consumer, 0), due, Some(by.clone()));
        if !broken.to_provider.is_empty() {
            self.up.push(Act::Bytes(broken.to_provider, 0), due, None);
        }
    }

    /// More of what began before shares the fate of its beginning.
    pub(super) fn more(
        &mut self,
        to: Direction,
        call: Call,
        bytes: Vec<u8>,
        whole: bool,
    ) -> Result<(), Ended> {
        let fate = self.fates.of(call);
        let now = Instant::now();
        match (to, fate) {
            (Direction::ToProvider, Some(Fate::Dropped)) | (Direction::ToConsumer, Some(Fate::Replaced)) => {}
            (Direction::ToConsumer, Some(Fate::LosesReply(extent))) => return self.lose(call, extent, whole),
            (_, fate) => {
                let due = if let Some(Fate::Later(due)) = fate { due.max(now) } else { now };
                self.lane(to).push(Act::Bytes(bytes, 0), due, None);
            }
        }
        match to {
            Direction::ToConsumer if whole => self.answered(call),
            Direction::ToProvider if whole => self.fates.request_ended(call),
            _ => {}
        }
        Ok(())
    }
}

/// Whose doing a rule's answer is.
fn by_of(rule: &Arc<Rule>) -> By {
    if rule.is_stub() { By::Stub(Arc::from(rule.name())) } else { By::Fault(Arc::clone(rule)) }
}

pub(super) fn push_end(acts: &mut Vec<(Act, Instant, Option<By>)>, due: Instant, then: Then, by: &By) {
    match then {
        Then::Stay => {}
        Then::Close => acts.push((Act::Close, due, Some(by.clone()))),
        Then::Reset => acts.push((Act::Reset, due, Some(by.clone()))),
    }
}
