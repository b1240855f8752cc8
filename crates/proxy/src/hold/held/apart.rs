//! Calls that are about several things, some of which are answered here: Kafka's partitions.

use super::changes::{Changes, Said};
use super::pieces::Besides;
use super::{Ended, Held};
use crate::faults::Effect;
use crate::hold::rule::By;
use crate::hold::verdict::OneApart;
use crate::relay::Over;
use seam_value::Value;
use seam_wire::{Call, Direction, InPart, Then, Unanswerable};
use std::sync::Arc;
use tokio::time::Instant;

impl Held {
    /// Answers some of what a request is about here, and passes the rest on.
    pub(super) fn answer_apart(
        &mut self,
        call: Call,
        (bytes, whole): (&[u8], bool),
        apart: &[OneApart],
        (due, (twice, after)): (Instant, Besides),
    ) -> Result<(), Ended> {
        let Some((_, _, rule)) = apart.first() else { return Ok(()) };
        let rule = Arc::clone(rule);
        match self.answered_apart(call, (Direction::ToProvider, bytes), whole, apart) {
            Ok(InPart::On(bytes)) => {
                // All else strikes what goes on.
                self.ask(call, bytes, due, (twice, after));
                self.apart.insert(call, rule);
                Ok(())
            }
            Ok(InPart::Answered(bytes)) => {
                if let Some(twice) = twice {
                    self.has_no_words(&twice, "nothing is left of it that could be asked twice");
                }
                if let Some((Effect::LoseReply(extent) | Effect::ResetAfter(extent), rule)) = after {
                    self.lose_answer(call, (extent, rule), due);
                    return Ok(());
                }
                self.drop_request(call, &Value::Null, due);
                self.say(call, bytes, (due, Then::Stay), &By::Fault(rule));
                Ok(())
            }
            Err(unanswerable) => self.unanswerable(&unanswerable.reason),
        }
    }

    /// A reply in which some of what it says is said anew here, after all changes.
    pub(super) fn change_apart(
        &mut self,
        call: Call,
        (bytes, whole): (&[u8], bool),
        (apart, changes): (&[OneApart], Changes),
    ) -> Result<Said, Ended> {
        let Some((_, _, rule)) = apart.first() else { return Err(Ended(Over::Reset)) };
        match self.answered_apart(call, (Direction::ToConsumer, bytes), whole, apart) {
            Ok(InPart::On(said) | InPart::Answered(said)) => {
                let by = By::Fault(Arc::clone(rule));
                Ok(self.change_said(call, Said::instead(said, Then::Stay, by), changes))
            }
            Err(unanswerable) => {
                self.unanswerable(&unanswerable.reason)?;
                Err(Ended(Over::Reset))
            }
        }
    }

    fn answered_apart(
        &mut self,
        call: Call,
        piece: (Direction, &[u8]),
        whole: bool,
        apart: &[OneApart],
    ) -> Result<InPart, Unanswerable> {
        let splitter = self.with.splitter.as_mut().filter(|_| whole);
        let splitter = splitter.ok_or_else(|| Unanswerable::new("it is too long to be answered in part"))?;
        let answers: Vec<(usize, &Value)> = apart.iter().map(|(place, value, _)| (*place, value)).collect();
        splitter.answer_apart(call, piece, &answers)
    }
}
