//! What becomes of messages that nobody answers: passed on, changed, later, twice, refused, or not at all; and what is said
//! of one's own accord.

use super::{Ended, Held};
use crate::faults::{Effect, Extent, Moment};
use crate::hold::fates::Fate;
use crate::hold::lane::Act;
use crate::hold::pushed::Pushed;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{About, WHOLE, What};
use crate::relay::Over;
use seam_value::{Map, Value};
use seam_wire::{Answering, Call, Captured, Direction, Parts, Passed, Read, Say};
use std::sync::Arc;
use tokio::time::Instant;

impl Held {
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
        let (bytes, by) = match self.change_message((to, call), bytes, (&verdict.before, verdict.changes)) {
            (bytes, Some(by)) => (bytes, Some(by)),
            (bytes, None) => (bytes, by),
        };
        if let (Some((What::Stub(_), _)), Some(rule)) = (&verdict.what, &verdict.twice) {
            // The stub was asked twice.
            self.strikes(rule);
        }
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
        match (effect, verdict.twice) {
            (None, Some(rule)) => {
                let again = self.with.splitter.as_mut().and_then(|splitter| splitter.deliver_again(&bytes));
                self.lane(to).push(Act::Bytes(bytes, 0), due, by);
                match again {
                    Some(again) => {
                        self.strikes(&rule);
                        self.lane(to).push(Act::Bytes(again, 0), due, Some(By::Fault(rule)));
                    }
                    None => self.has_no_words(&rule, "it can't be said twice in this protocol"),
                }
                return Ok(due);
            }
            (effect, _) => self.strike_message((to, call), bytes, effect, (due, by))?,
        }
        Ok(due)
    }

    /// What a fault decides about a message, where one does.
    fn strike_message(
        &mut self,
        (to, call): (Direction, Option<Call>),
        bytes: Vec<u8>,
        effect: Option<(Effect, Arc<Rule>)>,
        (due, by): (Instant, Option<By>),
    ) -> Result<(), Ended> {
        match effect {
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
        Ok(())
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
                let message = Value::Map(message);
                let said = message.get("topic").is_some().then(|| splitter.push(&message));
                said.map(|said| said.map(|said| (said, delivered(&message))))
            }
            Say::Bytes(said, _) => Some(Ok((said.to_vec(), Parts::default()))),
            Say::Cannot(reason) => return self.stub_fails(&name, None, &reason),
            Say::Pass | Say::Elsewhere(_) => None,
        };
        // Its publisher hears that it was taken before anybody hears of what became of it.
        self.lane(to).push(Act::Bytes(bytes, 0), due, None);
        match said {
            Some(Ok((said, told))) => {
                // Rules strike it as they strike what a broker delivers.
                let read = Box::new(Read(told));
                self.pass_message((to.opposite(), None), said, read, (by, due + after)).map(drop)
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

    /// Says something to the consumer that nobody asked for, where the protocol lets it.
    pub(super) fn push(&mut self, pushed: &Pushed) {
        let said = match &mut self.with.splitter {
            Some(_) if !self.hung.is_empty() || self.consumer_ended => {
                Err("nothing is said there".to_owned())
            }
            Some(splitter) => splitter.push(&pushed.message).map_err(|wrong| wrong.reason.into_owned()),
            None => Err("its bytes are not understood".to_owned()),
        };
        pushed.tell(said.map(|bytes| {
            self.is_touched = true;
            self.down.push(Act::Bytes(bytes, 0), Instant::now(), Some(By::Stub("push".into())));
        }));
    }
}

/// A message that a stub says, as what a broker delivers is told.
fn delivered(message: &Value) -> Parts {
    let mut told = Map::default();
    told.insert("kind".to_owned(), Value::text("delivered"));
    told.insert("method".to_owned(), Value::text("basic.deliver"));
    told.extend(message.as_map().cloned().unwrap_or_default());
    if let Some(Value::Text(text)) = told.get("text") {
        let body = seam_wire::body::decode(None, None, text.as_bytes(), text.len());
        told.entry("body".to_owned()).or_insert(body.value);
    }
    Parts { message: Value::Map(told), ..Parts::default() }
}
