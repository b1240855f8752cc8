//! What becomes of replies: passed on, later, changed, or lost.

use super::changes::Said;
use super::pieces::{GONE, push_end};
use super::{Ended, Held};
use crate::faults::{Effect, Extent, Moment};
use crate::hold::fates::Fate;
use crate::hold::lane::Act;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{About, WHOLE, What};
use crate::relay::Over;
use seam_wire::{Call, Captured, Direction, Passed, Then};
use std::sync::Arc;
use tokio::time::Instant;

impl Held {
    /// A reply: passed on, later, changed, or lost.
    pub(super) fn reply(
        &mut self,
        call: Call,
        bytes: Vec<u8>,
        (whole, awaited): (bool, bool),
        read: Box<dyn Captured>,
    ) -> Result<(), Ended> {
        if let Some(Fate::LosesReply(extent)) = self.fates.of(call) {
            return self.lose(call, extent, whole);
        }
        let asked = self.fates.take_asked(call);
        let about = About { is_whole: whole, is_stream: !awaited && !whole, asked: asked.as_ref(), ..WHOLE };
        let verdict = self.decide(&bytes, Moment::Reply, about, read);
        let due = Instant::now() + verdict.wait;
        let mut struck = self.apart.remove(&call).map(By::Fault);
        let bytes = if verdict.what.is_none() {
            let reply = (Direction::ToConsumer, bytes, whole);
            let (bytes, by) = self.change_carried(call, reply, verdict.carried, &verdict.apart);
            struck = by.or(struck);
            bytes
        } else {
            self.leave_carried(verdict.carried, GONE);
            bytes
        };
        let said = match verdict.what {
            None if !verdict.apart.is_empty() => {
                self.change_apart(call, (&bytes, whole), (&verdict.apart, verdict.changes))?
            }
            Some((What::Fault(effect), rule)) => {
                match self.strike_reply(call, (effect, rule), (bytes, whole), due) {
                    Some(said) => said,
                    None => return Ok(()),
                }
            }
            _ => self.change_reply(call, (bytes, whole), verdict.changes),
        };
        if whole || said.goes_on {
            self.fates.is_due(call, due);
        } else {
            self.fates.set(call, Fate::Replaced);
        }
        self.down.push(Act::Bytes(said.bytes, 0), due, said.by.clone().or(struck));
        if said.breaks_off
            && let Some(by) = &said.by
        {
            if !self.break_off(call, (Extent::Call, Passed::On), due, by) {
                self.down.push(Act::Reset, due, said.by);
            }
            return Ok(());
        }
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
            Effect::Reset(extent) | Effect::LoseReply(extent) | Effect::ResetAfter(extent) => {
                if !self.break_off(call, (extent, Passed::On), due, &by) {
                    self.down.push(Act::Reset, due, Some(by));
                }
                None
            }
            Effect::Hang => {
                self.fates.set(call, Fate::Replaced);
                self.hung.push(Some(call), rule, Passed::On);
                None
            }
            Effect::Cut(time) => {
                self.cut_seam(Direction::ToConsumer, time, &rule);
                None
            }
            Effect::Wait(_)
            | Effect::Twice
            | Effect::Change(_)
            | Effect::Truncate(_)
            | Effect::Garble
            | Effect::Refuse
            | Effect::Pace(_)
            | Effect::CloseAfter(_) => Some(Said::as_it_is(bytes)),
        }
    }

    /// A reply has come that is to be lost.
    pub(super) fn lose(&mut self, call: Call, extent: Extent, whole: bool) -> Result<(), Ended> {
        if !whole {
            return Ok(());
        }
        let by = self.losers.remove(&call).map(|(_, rule)| By::Fault(rule));
        if let Some(by) = by
            && self.break_off(call, (extent, Passed::On), Instant::now(), &by)
        {
            return Ok(());
        }
        self.with.tap.borrow_mut().reset_by_fault();
        Err(Ended(Over::Reset))
    }
}
