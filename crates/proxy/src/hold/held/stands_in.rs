//! What stubs say to requests, in the provider's place: struck by rules as a provider's reply is.

use super::changes::Said;
use super::pieces::push_end;
use super::{Ended, Held};
use crate::elsewhere::ask;
use crate::faults::{Effect, Extent, Moment};
use crate::hold::lane::Act;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{About, Verdict, WHOLE, What};
use crate::observer::Seen;
use crate::relay::Over;
use seam_value::Value;
use seam_wire::{Answering, Call, Parts, Passed, Read, Say, Then, unroll};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Held {
    /// What a stub says to a request.
    pub(super) fn stand_in(
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
        if let Some(loses) = self.losers.remove(&call) {
            self.lose_answer(call, loses, due);
            return Ok(());
        }
        let (said, due) = match say {
            Say::Answer(value) => match self.stubs_answer(call, (&value, &name), due)? {
                Some(said) => said,
                None => return Ok(()),
            },
            Say::Bytes(bytes, then) => {
                self.drop_request(call, &Value::Null, due);
                (Said::instead(bytes.to_vec(), then, by), due)
            }
            Say::Pass => return Ok(()),
            Say::Cannot(reason) => return self.stub_fails(&name, Some(call), &reason),
            Say::Elsewhere(elsewhere) => {
                // What comes of it is struck like any answer.
                let question = self.fates.take_asked(call);
                self.drop_request(call, &Value::Null, due);
                self.fates.keep_asked(call, question);
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
        match (dribble, said.by) {
            (Some(dribble), Some(by)) => self.dribble(call, (said.bytes, said.then), (dribble, due), &by),
            (None, Some(by)) => self.say(call, said.bytes, (due, said.then), &by),
            (_, None) => {}
        }
        Ok(())
    }

    /// A stub's answer, as it is said once rules were asked about it, and when; none where that is seen to otherwise.
    fn stubs_answer(
        &mut self,
        call: Call,
        (value, name): (&Arc<Value>, &Arc<str>),
        due: Instant,
    ) -> Result<Option<(Said, Instant)>, Ended> {
        let by = By::Stub(Arc::clone(name));
        let Some(splitter) = &mut self.with.splitter else { return Err(Ended(Over::Reset)) };
        match if splitter.says_bit_by_bit() { unroll(value) } else { Ok(None) } {
            Ok(None) => {}
            Ok(Some(unrolled)) => return self.stream(call, (value, name), unrolled, due).map(|()| None),
            Err(wrong) => return self.stub_fails(name, Some(call), &wrong.reason).map(|()| None),
        }
        let closes = splitter.ends_with(call, value);
        let verdict = self.decide_answer(call, value);
        let due = due + verdict.wait;
        if let Some((What::Fault(effect), rule)) = verdict.what {
            self.strike_answer(call, (effect, rule), (value, by), due);
            return Ok(None);
        }
        let said = match self.change_answer(call, value, verdict.changes) {
            Ok(said) => said,
            Err(reason) => return self.stub_fails(name, Some(call), &reason).map(|()| None),
        };
        self.drop_request(call, value, due);
        let by = said.by.unwrap_or(by);
        if said.breaks_off {
            self.down.push(Act::Bytes(said.bytes, 0), due, Some(by.clone()));
            if !self.break_off(call, (Extent::Call, Passed::Nowhere), due, &by) {
                self.down.push(Act::Reset, due, Some(by));
            }
            return Ok(None);
        }
        let then = if closes { Then::Close } else { said.then };
        Ok(Some((Said::instead(said.bytes, then, by), due)))
    }

    /// Says an answer's content in so many parts, over so long; what stands before it with the first.
    fn dribble(
        &mut self,
        call: Call,
        (bytes, then): (Vec<u8>, Then),
        ((n_parts, over), due): ((u32, Duration), Instant),
        by: &By,
    ) {
        let content = self.places_of_content(call, &bytes);
        if content.is_empty() {
            self.say(call, bytes, (due, then), by);
            return;
        }
        let n_parts = usize::try_from(n_parts).unwrap_or(usize::MAX).clamp(1, content.len());
        let share = over / u32::try_from(n_parts).unwrap_or(u32::MAX);
        // What frames the content goes with what stands before it, and its end with the last part.
        let end_of =
            |nth| if nth == n_parts { bytes.len() } else { content[content.len() * nth / n_parts - 1] + 1 };
        let ends: Vec<usize> = (1..=n_parts).map(end_of).collect();
        let Some(splitter) = &self.with.splitter else { return };
        let mut at = due;
        let mut parts: Vec<(Act, Instant, Option<By>)> = Vec::new();
        for part in splitter.in_parts(&bytes, &ends) {
            at += share;
            parts.push((Act::Bytes(part, 0), at, Some(by.clone())));
        }
        push_end(&mut parts, due + over, then, by);
        self.in_turn(call, parts);
    }

    /// Which of an answer's bytes are its content: those that change where that is changed.
    fn places_of_content(&self, call: Call, bytes: &[u8]) -> Vec<usize> {
        let mut turn_over = |content: &mut [u8]| content.iter_mut().for_each(|byte| *byte = !*byte);
        let splitter = self.with.splitter.as_ref();
        let changed = splitter.and_then(|splitter| splitter.with_body(call, bytes, &mut turn_over));
        let Some(changed) = changed.filter(|changed| changed.len() == bytes.len()) else { return Vec::new() };
        (0..bytes.len()).filter(|at| bytes[*at] != changed[*at]).collect()
    }

    /// What rules that look at replies make of a stub's answer: the same as of a provider's.
    fn decide_answer(&mut self, call: Call, answer: &Value) -> Verdict {
        if !self.with.state.borrow().looks_at_replies() {
            return Verdict::default();
        }
        let asked = self.fates.take_asked(call);
        let reply = self.with.protocol.told(answer);
        let read = Box::new(Read(Parts { reply, ..Parts::default() }));
        self.decide(&[], Moment::Reply, About { asked: asked.as_ref(), ..WHOLE }, read)
    }

    /// A fault decides otherwise about a stub's answer.
    fn strike_answer(
        &mut self,
        call: Call,
        (effect, rule): (Effect, Arc<Rule>),
        (answer, by): (&Value, By),
        due: Instant,
    ) {
        match effect {
            Effect::Answer(value) => {
                if let Err(unanswerable) = self.say_answer(call, &value, due, &rule) {
                    self.has_no_words(&rule, &unanswerable.reason);
                    // It was to be said as it is.
                    let _ = self.say_by(call, answer, due, &by);
                } else {
                    self.strikes(&rule);
                }
            }
            Effect::Reset(extent) | Effect::LoseReply(extent) | Effect::ResetAfter(extent) => {
                self.lose_answer(call, (extent, rule), due);
            }
            effect => self.strike_request(call, (effect, rule), Vec::new(), due),
        }
    }

    /// What somebody else has answered who was asked instead of the provider.
    pub(super) fn others_have_answered(&mut self, call: Call, answering: Answering) -> Result<(), Ended> {
        self.stand_in(call, answering, &[], Instant::now())?;
        if self.provider_ended && self.may_end() {
            self.end_to_consumer();
        }
        Ok(())
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
}
