//! What becomes of each piece but replies: requests, messages, and more of them.

use super::{Ended, Held};
use crate::elsewhere::ask;
use crate::faults::{Effect, Extent, Moment};
use crate::hold::fates::Fate;
use crate::hold::lane::Act;
use crate::hold::pushed::Pushed;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{self, About, WHOLE, What};
use crate::observer::Seen;
use crate::relay::Over;
use seam_value::Value;
use seam_wire::{
    Answering, BrokenOff, Call, Captured, Direction, Passed, Read, Rest, Say, Then, Unanswerable, unroll,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Held {
    /// A request of which no more than the head has come is decided about, unless somebody needs all of it. Where it is
    /// answered in the provider's place, its consumer gets to the end of it first, as with most servers.
    pub(super) fn begun(&mut self, call: Call, read: Box<dyn Captured>) -> Result<(), Ended> {
        let parts = read.read();
        let about = About { is_whole: false, is_head: true, ..WHOLE };
        let rules = Arc::clone(&self.with.state.borrow().rules);
        let mut rest = verdict::rest(&rules, &self.case(&[], Moment::Request, about), &parts);
        if rest != Rest::IsGathered {
            let verdict = self.decide(&[], Moment::Request, about, Box::new(Read(parts)));
            if let Some((What::Fault(Effect::Answer(_) | Effect::Say(..)), _)) = verdict.what {
                rest = Rest::IsGathered;
            }
            self.decided.insert(call, verdict);
        }
        self.goes_on(call, rest)
    }

    pub(super) fn goes_on(&mut self, call: Call, rest: Rest) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.goes_on(call, rest, &mut pieces);
        }
        self.take_in(pieces)
    }

    /// All of a request that was decided about by its head.
    pub(super) fn told(&mut self, call: Call, read: Box<dyn Captured>) {
        let request = read.read().request;
        let rules = Arc::clone(&self.with.state.borrow().rules);
        verdict::passed(&rules, &self.case(&[], Moment::Request, WHOLE), &request);
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
        let mut verdict = match self.decided.remove(&call) {
            Some(verdict) => verdict,
            None => self.decide(&bytes, Moment::Request, About { is_whole: whole, ..WHOLE }, read),
        };
        self.fates.begin(call, whole, verdict.asked.take());
        let due = Instant::now() + verdict.wait;
        match verdict.what {
            None if !verdict.apart.is_empty() => {
                self.answer_apart(call, (&bytes, whole), &verdict.apart, due)
            }
            None => {
                self.pass_request(call, bytes, due);
                Ok(())
            }
            Some((What::Stub(answering), _)) => self.stand_in(call, answering, &bytes, due),
            Some((What::Unknown, rule)) => {
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

    fn strike_request(
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
            Effect::ResetAfter(extent) => {
                let by = By::Fault(rule);
                self.pass_request(call, bytes, due);
                if !self.break_off(call, (extent, Passed::On), due, &by) {
                    self.up.push(Act::Reset, due, Some(by));
                }
            }
            Effect::LoseReply(extent) => {
                self.pass_request(call, bytes, due);
                self.fates.set(call, Fate::LosesReply(extent));
                self.losers.insert(call, rule);
            }
            Effect::Hang => {
                self.fates.set(call, Fate::Dropped);
                if let Some(splitter) = &mut self.with.splitter {
                    splitter.forget(call);
                }
                self.hung = Some(rule);
            }
            Effect::Twice => {
                let again = self.with.splitter.as_mut().and_then(|splitter| splitter.again(call, &bytes));
                self.pass_request(call, bytes, due);
                match again {
                    Some(again) => {
                        self.strikes(&rule);
                        self.up.push(Act::Bytes(again, 0), due, None);
                    }
                    None => self.has_no_words(&rule, "it can't be said twice in this protocol"),
                }
            }
            Effect::Cut(time) => {
                self.cut_seam(Direction::ToProvider, time, &rule);
            }
            Effect::Wait(_)
            | Effect::Truncate(_)
            | Effect::Garble
            | Effect::Alter(_)
            | Effect::Refuse
            | Effect::Pace(_)
            | Effect::CloseAfter(_) => {
                self.pass_request(call, bytes, due);
            }
        }
    }

    /// What a stub says to a request.
    fn stand_in(
        &mut self,
        call: Call,
        answering: Answering,
        asked: &[u8],
        due: Instant,
    ) -> Result<(), Ended> {
        let Answering { by, after, say, dribble, afterwards } = answering;
        let name = Arc::clone(&by);
        let by = By::Stub(by);
        self.with.elsewhere.call_back(afterwards, after);
        let due = due + after;
        let (bytes, then) = match say {
            Say::Answer(value) => {
                let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
                match if splitter.says_bit_by_bit() { unroll(&value) } else { Ok(None) } {
                    Ok(None) => {}
                    Ok(Some(unrolled)) => return self.stream(call, (&value, &name), unrolled, due),
                    Err(unanswerable) => return self.stub_fails(&name, Some(call), &unanswerable.reason),
                }
                let then = if splitter.ends_with(call) { Then::Close } else { Then::Stay };
                match self.said.bytes(&mut **splitter, call, &value) {
                    Ok(bytes) => {
                        self.drop_request(call, &value, due);
                        (bytes, then)
                    }
                    Err(unanswerable) => return self.stub_fails(&name, Some(call), &unanswerable.reason),
                }
            }
            Say::Bytes(bytes, then) => {
                self.drop_request(call, &Value::Null, due);
                (bytes.to_vec(), then)
            }
            Say::Pass => return Ok(()),
            Say::Cannot(reason) => return self.stub_fails(&name, Some(call), &reason),
            Say::Elsewhere(elsewhere) => {
                self.drop_request(call, &Value::Null, due);
                let asked = asked.to_vec();
                self.others.spawn_local(async move {
                    tokio::time::sleep_until(due).await;
                    let answer = Arc::new(ask(&elsewhere, &asked).await);
                    (
                        call,
                        Answering {
                            by: name,
                            after: Duration::ZERO,
                            say: Say::Answer(answer),
                            dribble,
                            afterwards: Vec::new(),
                        },
                    )
                });
                return Ok(());
            }
        };
        match dribble {
            Some((n_parts, over)) if n_parts > 1 && !bytes.is_empty() => {
                let n_parts = usize::try_from(n_parts).unwrap_or(usize::MAX).min(bytes.len());
                let size = bytes.len().div_ceil(n_parts);
                let mut parts: Vec<(Act, Instant, Option<By>)> = bytes
                    .chunks(size)
                    .enumerate()
                    .map(|(index, part)| {
                        let nth = u32::try_from(index + 1).unwrap_or(u32::MAX);
                        let share = over / u32::try_from(n_parts).unwrap_or(u32::MAX) * nth;
                        (Act::Bytes(part.to_vec(), 0), due + share, Some(by.clone()))
                    })
                    .collect();
                push_end(&mut parts, due + over, then, &by);
                self.in_turn(call, parts);
            }
            _ => self.say(call, bytes, (due, then), &by),
        }
        Ok(())
    }

    /// Says something to the consumer that nobody asked for, where the protocol lets it.
    pub(super) fn push(&mut self, pushed: &Pushed) {
        let said = match &mut self.with.splitter {
            Some(_) if self.hung.is_some() || self.consumer_ended => Err("nothing is said there".to_owned()),
            Some(splitter) => splitter.push(&pushed.message).map_err(|wrong| wrong.reason.into_owned()),
            None => Err("its bytes are not understood".to_owned()),
        };
        pushed.tell(said.map(|bytes| {
            self.is_touched = true;
            self.down.push(Act::Bytes(bytes, 0), Instant::now(), Some(By::Stub("push".into())));
        }));
    }

    /// What somebody else has answered who was asked instead of the provider.
    pub(super) fn others_have_answered(&mut self, call: Call, answering: Answering) -> Result<(), Ended> {
        self.stand_in(call, answering, &[], Instant::now())?;
        if self.provider_ended && self.may_end() {
            self.end_to_consumer();
        }
        Ok(())
    }

    /// Answers a request here, in the protocol's own terms.
    fn answer(&mut self, call: Call, value: &Value, due: Instant, rule: &Arc<Rule>) -> Result<(), Ended> {
        match self.say_answer(call, value, due, rule) {
            Ok(()) => Ok(()),
            Err(unanswerable) => self.unanswerable(&unanswerable.reason),
        }
    }

    fn say_answer(
        &mut self,
        call: Call,
        value: &Value,
        due: Instant,
        rule: &Arc<Rule>,
    ) -> Result<(), Unanswerable> {
        let Some(splitter) = &mut self.with.splitter else {
            return Err(Unanswerable::new("its bytes are not understood"));
        };
        let then = if splitter.ends_with(call) { Then::Close } else { Then::Stay };
        let bytes = splitter.answer(call, value)?;
        self.drop_request(call, value, due);
        self.say(call, bytes, (due, then), &by_of(rule));
        Ok(())
    }

    /// A fault can't be said in the protocol's terms: what it was to strike passes, and it has not struck.
    pub(super) fn has_no_words(&mut self, rule: &Arc<Rule>, reason: &str) {
        rule.missed(reason);
        let (seam, name) = (self.with.seam.0, format!("the fault `{}`", rule.name()));
        self.with.observer.tell(Seen::Unsaid { seam, name, reason: reason.to_owned() });
    }

    /// A stub has an answer, and it can't be said: whoever waits for it is told so, and nobody blames the provider.
    pub(super) fn stub_fails(
        &mut self,
        name: &Arc<str>,
        call: Option<Call>,
        reason: &str,
    ) -> Result<(), Ended> {
        let (seam, stub) = (self.with.seam.0, Arc::clone(name));
        self.with.observer.tell(Seen::StubFailed { seam, stub, reason: reason.to_owned() });
        let by = By::Stub(Arc::clone(name));
        if let Some(call) = call
            && self.break_off(call, (Extent::Call, Passed::Nowhere), Instant::now(), &by)
        {
            return Ok(());
        }
        let mut tap = self.with.tap.borrow_mut();
        tap.harmed(by);
        tap.reset_by_fault();
        Err(Ended(Over::Reset))
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
        self.ready.remove(&call);
        self.streams.forget(call);
        self.answered(call);
        true
    }

    fn tell_both(&mut self, broken: BrokenOff, due: Instant, by: &By) {
        self.down.push(Act::Bytes(broken.to_consumer, 0), due, Some(by.clone()));
        if !broken.to_provider.is_empty() {
            self.up.push(Act::Bytes(broken.to_provider, 0), due, None);
        }
    }

    /// A message that nobody answers: passed on, later, twice, or not at all.
    pub(super) fn message(
        &mut self,
        to: Direction,
        call: Option<Call>,
        bytes: Vec<u8>,
        read: Box<dyn Captured>,
    ) -> Result<(), Ended> {
        if let Some(call) = call
            && let Some(fate) = self.fates.of(call)
        {
            let is_lost = to == Direction::ToConsumer && matches!(fate, Fate::LosesReply(_));
            if is_lost || matches!(fate, Fate::Dropped | Fate::Replaced) {
                return Ok(());
            }
        }
        // What belongs to one call keeps its order: nothing comes before its beginning, or before what was said earlier.
        let earliest = match call.and_then(|call| self.fates.of(call)) {
            Some(Fate::Later(earlier)) => earlier,
            _ => Instant::now(),
        };
        let due = self.pass_message((to, call), bytes, read, (None, earliest))?;
        if let Some(call) = call {
            self.fates.is_due(call, due);
        }
        Ok(())
    }

    /// The same, of the provider or of whoever says it in its place, and not before it was due. Says when it is due.
    pub(super) fn pass_message(
        &mut self,
        (to, call): (Direction, Option<Call>),
        bytes: Vec<u8>,
        read: Box<dyn Captured>,
        (by, earliest): (Option<By>, Instant),
    ) -> Result<Instant, Ended> {
        let verdict = self.decide(&bytes, Moment::Request, About { is_message: true, ..WHOLE }, read);
        let due = (Instant::now() + verdict.wait).max(earliest);
        let effect = match verdict.what {
            Some((What::Fault(effect), rule)) => Some((effect, rule)),
            Some((What::Stub(answering), _)) if verdict.is_answered_back => {
                self.answer_back(answering, due)?;
                return Ok(due);
            }
            Some((What::Stub(answering), _)) => {
                self.answer_message((to, bytes), answering, verdict.reply_to, due)?;
                return Ok(due);
            }
            _ => None,
        };
        match effect {
            Some((Effect::Twice, rule)) => {
                let again = self.with.splitter.as_mut().and_then(|splitter| splitter.deliver_again(&bytes));
                self.lane(to).push(Act::Bytes(bytes, 0), due, by);
                match again {
                    Some(again) => {
                        self.strikes(&rule);
                        self.lane(to).push(Act::Bytes(again, 0), due, Some(By::Fault(rule)));
                    }
                    None => self.has_no_words(&rule, "it can't be said twice in this protocol"),
                }
            }
            Some((Effect::LoseReply(_) | Effect::Hang, _)) => {}
            Some((Effect::Answer(value), rule)) => {
                let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
                match splitter.refuse(&bytes, &value) {
                    Ok(said) => {
                        self.strikes(&rule);
                        self.lane(to.opposite()).push(Act::Bytes(said, 0), due, Some(By::Fault(rule)));
                        // What that has for the other side stands before all that was said behind the message.
                        self.take_in_what_follows()?;
                    }
                    Err(unanswerable) => {
                        self.has_no_words(&rule, &unanswerable.reason);
                        self.lane(to).push(Act::Bytes(bytes, 0), due, by);
                    }
                }
            }
            Some((Effect::Reset(extent), rule)) => {
                self.break_with_message((to, extent), (call, &bytes), due, By::Fault(rule));
            }
            Some((Effect::ResetAfter(extent), rule)) => {
                self.lane(to).push(Act::Bytes(bytes.clone(), 0), due, by);
                self.break_with_message((to, extent), (call, &bytes), due, By::Fault(rule));
            }
            Some((Effect::Cut(time), rule)) => self.cut_seam(to, time, &rule),
            None | Some(_) => {
                self.lane(to).push(Act::Bytes(bytes, 0), due, by);
            }
        }
        Ok(due)
    }

    /// What a stub says to a message that was published to where no broker is: another message, for whoever has subscribed,
    /// or a refusal. The message is taken all the same.
    fn answer_message(
        &mut self,
        (to, bytes): (Direction, Vec<u8>),
        answering: Answering,
        reply_to: Option<Value>,
        due: Instant,
    ) -> Result<(), Ended> {
        let Answering { by, after, say, afterwards, .. } = answering;
        self.with.elsewhere.call_back(afterwards, after);
        let name = Arc::clone(&by);
        let by = Some(By::Stub(by));
        let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
        let said = match say {
            Say::Answer(value) if value.get("error").is_some_and(|error| *error != Value::Null) => {
                match splitter.refuse(&bytes, &value) {
                    Ok(said) => self.lane(to.opposite()).push(Act::Bytes(said, 0), due + after, by),
                    Err(unanswerable) => return self.stub_fails(&name, None, &unanswerable.reason),
                };
                return Ok(());
            }
            Say::Answer(value) => {
                let mut message = value.as_map().cloned().unwrap_or_default();
                if let Some(topic) = reply_to.filter(|_| !message.contains_key("topic")) {
                    message.insert("topic".to_owned(), topic);
                }
                if message.contains_key("topic") { Some(splitter.push(&Value::Map(message))) } else { None }
            }
            Say::Bytes(said, _) => Some(Ok(said.to_vec())),
            Say::Cannot(reason) => return self.stub_fails(&name, None, &reason),
            Say::Pass | Say::Elsewhere(_) => None,
        };
        // Its publisher hears that it was taken before anybody hears of what became of it.
        self.lane(to).push(Act::Bytes(bytes, 0), due, None);
        match said {
            Some(Ok(said)) => {
                self.lane(to.opposite()).push(Act::Bytes(said, 0), due + after, by);
                Ok(())
            }
            Some(Err(unanswerable)) if !unanswerable.is_for_nobody => {
                self.stub_fails(&name, None, &unanswerable.reason)
            }
            None | Some(Err(_)) => Ok(()),
        }
    }

    /// What carries a message breaks: the call to which it belongs, its channel, or the connection.
    fn break_with_message(
        &mut self,
        (to, extent): (Direction, Extent),
        (call, message): (Option<Call>, &[u8]),
        due: Instant,
        by: By,
    ) {
        if let Some(call) = call
            && self.break_off(call, (extent, Passed::On), due, &by)
        {
            return;
        }
        let splitter = self.with.splitter.as_mut().filter(|_| extent == Extent::Call && call.is_none());
        match splitter.and_then(|splitter| splitter.break_off_message(message)) {
            Some(broken) => self.tell_both(broken, due, &by),
            None => {
                self.lane(to).push(Act::Reset, due, Some(by));
            }
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
