//! What becomes of replies: passed on, later, changed, or lost.

use super::pieces::push_end;
use super::{Ended, Held};
use crate::faults::{Effect, Extent, Moment, garbled, noise, truncated};
use crate::hold::fates::Fate;
use crate::hold::lane::Act;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{About, WHOLE, What};
use crate::relay::Over;
use seam_wire::{Call, Captured, Direction, Passed, Then};
use std::sync::Arc;
use tokio::time::Instant;

/// What is said of a reply.
struct Said {
    bytes: Vec<u8>,
    then: Then,
    /// Whose doing it is that it is otherwise than the provider said.
    by: Option<By>,
    /// Does what follows it follow?
    goes_on: bool,
}

impl Said {
    fn as_it_is(bytes: Vec<u8>) -> Self {
        Self { bytes, then: Then::Stay, by: None, goes_on: true }
    }

    fn instead(bytes: Vec<u8>, then: Then, by: By) -> Self {
        Self { bytes, then, by: Some(by), goes_on: false }
    }

    fn altered(bytes: Vec<u8>, by: By) -> Self {
        Self { bytes, then: Then::Stay, by: Some(by), goes_on: true }
    }
}

impl Held {
    /// A reply: passed on, later, changed, or lost.
    pub(super) fn reply(
        &mut self,
        call: Call,
        bytes: Vec<u8>,
        whole: bool,
        read: Box<dyn Captured>,
    ) -> Result<(), Ended> {
        if let Some(Fate::LosesReply(extent)) = self.fates.of(call) {
            return self.lose(call, extent, whole);
        }
        let asked = self.fates.take_asked(call);
        let about = About { is_whole: whole, asked: asked.as_ref(), ..WHOLE };
        let verdict = self.decide(&bytes, Moment::Reply, about, read);
        let due = Instant::now() + verdict.wait;
        let struck = self.apart.remove(&call).map(By::Fault);
        let said = match verdict.what {
            None if !verdict.apart.is_empty() => {
                let (said, by) = self.change_apart(call, (&bytes, whole), &verdict.apart)?;
                Said::instead(said, Then::Stay, by)
            }
            Some((What::Fault(effect), rule)) => {
                match self.strike_reply(call, (effect, rule), (bytes, whole), due) {
                    Some(said) => said,
                    None => return Ok(()),
                }
            }
            _ => Said::as_it_is(bytes),
        };
        if whole || said.goes_on {
            self.fates.is_due(call, due);
        } else {
            self.fates.set(call, Fate::Replaced);
        }
        self.down.push(Act::Bytes(said.bytes, 0), due, said.by.clone().or(struck));
        if let Some(by) = said.by {
            let mut acts = Vec::new();
            push_end(&mut acts, due, said.then, &by);
            for (act, due, by) in acts {
                self.down.push(act, due, by);
            }
        }
        if whole {
            self.answered(call);
        }
        Ok(())
    }

    /// What a fault leaves of a reply; none where nothing more is to be done about it.
    fn strike_reply(
        &mut self,
        call: Call,
        (effect, rule): (Effect, Arc<Rule>),
        (bytes, whole): (Vec<u8>, bool),
        due: Instant,
    ) -> Option<Said> {
        let by = By::Fault(Arc::clone(&rule));
        match effect {
            Effect::Answer(value) => {
                let said = self.with.splitter.as_mut().map(|splitter| splitter.answer(call, &value));
                let reason = match said {
                    Some(Ok(said)) if said == bytes && whole => {
                        "it is said in the same words as before".into()
                    }
                    Some(Ok(said)) => {
                        self.strikes(&rule);
                        return Some(Said::instead(said, Then::Stay, by));
                    }
                    Some(Err(unanswerable)) => unanswerable.reason,
                    None => "its bytes are not understood".into(),
                };
                self.has_no_words(&rule, &reason);
                Some(Said::as_it_is(bytes))
            }
            Effect::Say(said, then) => Some(Said::instead(said, then, by)),
            Effect::Truncate(most) => {
                let Some(beginning) = self.beginning(&bytes, most) else {
                    return Some(Said::instead(truncated(&bytes, most), Then::Close, by));
                };
                self.down.push(Act::Bytes(beginning, 0), due, Some(by.clone()));
                if !self.break_off(call, (Extent::Call, Passed::On), due, &by) {
                    self.down.push(Act::Reset, due, Some(by));
                }
                None
            }
            Effect::Garble => {
                let said = self.with.splitter.as_ref();
                let said = said.and_then(|splitter| splitter.with_body(&bytes, &mut |body| noise(body)));
                Some(Said::altered(said.unwrap_or_else(|| garbled(&bytes)), by))
            }
            Effect::Alter(said) => Some(Said::altered(said, by)),
            Effect::Reset(extent) | Effect::LoseReply(extent) | Effect::ResetAfter(extent) => {
                if !self.break_off(call, (extent, Passed::On), due, &by) {
                    self.down.push(Act::Reset, due, Some(by));
                }
                None
            }
            Effect::Hang => {
                self.hung = Some(rule);
                None
            }
            Effect::Cut(time) => {
                self.cut_seam(Direction::ToConsumer, time, &rule);
                None
            }
            Effect::Wait(_) | Effect::Twice | Effect::Refuse | Effect::Pace(_) | Effect::CloseAfter(_) => {
                Some(Said::as_it_is(bytes))
            }
        }
    }

    /// The beginning of a reply of which the rest is to be missing, where that is the matter of its call alone.
    fn beginning(&self, reply: &[u8], most: Option<usize>) -> Option<Vec<u8>> {
        self.with.splitter.as_ref().and_then(|splitter| splitter.beginning(reply, most))
    }

    /// A reply has come that is to be lost.
    pub(super) fn lose(&mut self, call: Call, extent: Extent, whole: bool) -> Result<(), Ended> {
        if !whole {
            return Ok(());
        }
        let by = self.losers.remove(&call).map(By::Fault);
        if let Some(by) = by
            && self.break_off(call, (extent, Passed::On), Instant::now(), &by)
        {
            return Ok(());
        }
        self.with.tap.borrow_mut().reset_by_fault();
        Err(Ended(Over::Reset))
    }
}
