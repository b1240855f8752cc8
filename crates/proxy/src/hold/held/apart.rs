//! Calls that are about several things, some of which are answered here: Kafka's partitions.

use super::{Ended, Held};
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
        due: Instant,
    ) -> Result<(), Ended> {
        let Some((_, _, rule)) = apart.first() else { return Ok(()) };
        let rule = Arc::clone(rule);
        match self.answered_apart(call, (Direction::ToProvider, bytes), whole, apart) {
            Ok(InPart::On(bytes)) => {
                self.pass_request(call, bytes, due);
                self.apart.insert(call, rule);
                Ok(())
            }
            Ok(InPart::Answered(bytes)) => {
                self.drop_request(call, &Value::Null, due);
                self.say(call, bytes, (due, Then::Stay), &By::Fault(rule));
                Ok(())
            }
            Err(unanswerable) => self.unanswerable(&unanswerable.reason),
        }
    }

    /// A reply in which some of what it says is said anew here, with whose doing that is.
    pub(super) fn change_apart(
        &mut self,
        call: Call,
        (bytes, whole): (&[u8], bool),
        apart: &[OneApart],
    ) -> Result<(Vec<u8>, By), Ended> {
        let Some((_, _, rule)) = apart.first() else { return Err(Ended(Over::Reset)) };
        match self.answered_apart(call, (Direction::ToConsumer, bytes), whole, apart) {
            Ok(InPart::On(said) | InPart::Answered(said)) => Ok((said, By::Fault(Arc::clone(rule)))),
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
