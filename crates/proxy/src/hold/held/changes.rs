//! What arrives is another thing: the fields, the content and the length of replies and of messages, whoever says them.

use super::Held;
use crate::faults::{Effect, noise, truncated};
use crate::hold::rule::{By, Rule};
use seam_value::Value;
use seam_wire::{Anew, Call, Direction, Then, Underway};
use std::sync::Arc;

/// Changes in the order in which they are made, with whose doing each is.
pub(super) type Changes = Vec<(Effect, Arc<Rule>)>;

/// What is said of a reply.
pub(super) struct Said {
    pub(super) bytes: Vec<u8>,
    pub(super) then: Then,
    /// Whose doing it is that it is otherwise than it was.
    pub(super) by: Option<By>,
    /// Does what follows it follow?
    pub(super) goes_on: bool,
    /// Its call is broken off behind it.
    pub(super) breaks_off: bool,
}

impl Said {
    pub(super) fn as_it_is(bytes: Vec<u8>) -> Self {
        Self { bytes, then: Then::Stay, by: None, goes_on: true, breaks_off: false }
    }

    pub(super) fn instead(bytes: Vec<u8>, then: Then, by: By) -> Self {
        Self { bytes, then, by: Some(by), goes_on: false, breaks_off: false }
    }
}

impl Said {
    /// What is left where it breaks off, where that is the matter of its call alone, and else of its connection.
    fn broken_off(&mut self, beginning: Option<Vec<u8>>, most: Option<usize>, is_all: bool) -> Vec<u8> {
        if let Some(beginning) = beginning {
            // More is to come of what goes on.
            self.breaks_off = beginning.len() < self.bytes.len() || !is_all;
            self.goes_on &= !self.breaks_off;
            return beginning;
        }
        // Of what goes on there is more than this.
        let n_bytes = self.bytes.len().saturating_sub(usize::from(!is_all));
        let n_left = truncated(self.bytes.len(), most).min(n_bytes);
        if n_left < self.bytes.len() {
            (self.then, self.goes_on) = (Then::Close, false);
        }
        self.bytes[..n_left].to_vec()
    }
}

/// What is to be said, and what was there before.
struct Fields {
    said: Vec<(Value, Arc<Rule>)>,
    others: Changes,
}

impl Fields {
    fn of(changes: Changes) -> Self {
        let (mut said, mut others) = (Vec::new(), Vec::new());
        for (effect, rule) in changes {
            match effect {
                Effect::Change(value) => said.push((value, rule)),
                effect => others.push((effect, rule)),
            }
        }
        Self { said, others }
    }
}

pub(super) const SAME: &str = "it is said in the same words as before";

impl Held {
    /// A provider's reply after all changes.
    pub(super) fn change_reply(
        &mut self,
        call: Call,
        (bytes, whole): (Vec<u8>, bool),
        changes: Changes,
    ) -> Said {
        let Fields { said, others } = Fields::of(changes);
        let anew = self.say_first_that_can(&said, &mut |held, value| {
            let Some(splitter) = &mut held.with.splitter else { return Err(UNREAD.into()) };
            let said = splitter.answer(call, value).map_err(|wrong| wrong.reason.into_owned())?;
            Ok((!whole || said != bytes).then_some(said))
        });
        let mut said = match anew {
            Some((bytes, by)) => Said::instead(bytes, Then::Stay, by),
            None => Said::as_it_is(bytes),
        };
        let is_all = whole || !said.goes_on;
        self.change_content(call, &mut said, others, is_all);
        said
    }

    /// What is said anew here already, after all changes but those of its fields, which are others by now.
    pub(super) fn change_said(&mut self, call: Call, mut said: Said, changes: Changes) -> Said {
        let Fields { said: values, others } = Fields::of(changes);
        for (_, rule) in values {
            self.has_no_words(&rule, "some of it is answered otherwise");
        }
        self.change_content(call, &mut said, others, true);
        said
    }

    /// A stub's answer after all changes; as it is, `answer`. An error where it can't be said.
    pub(super) fn change_answer(
        &mut self,
        call: Call,
        answer: &Arc<Value>,
        changes: Changes,
    ) -> Result<Said, String> {
        let Fields { said, others } = Fields::of(changes);
        let anew = self.say_first_that_can(&said, &mut |held, value| {
            let Some(splitter) = &mut held.with.splitter else { return Err(UNREAD.into()) };
            let said = splitter.answer(call, value).map_err(|wrong| wrong.reason.into_owned())?;
            // Where answers are written without a trace, what it would have been can still be asked.
            let is_same = splitter.says_bit_by_bit()
                && splitter.answer(call, answer).is_ok_and(|before| before == said);
            Ok((!is_same).then_some(said))
        });
        let mut said = match (anew, &mut self.with.splitter) {
            (Some((bytes, by)), _) => Said::instead(bytes, Then::Stay, by),
            (None, Some(splitter)) => match self.said.bytes(&mut **splitter, call, answer) {
                Ok(said) => Said::as_it_is(said),
                Err(wrong) => return Err(self.leave(others, wrong.reason.into_owned())),
            },
            (None, None) => return Err(self.leave(others, UNREAD.into())),
        };
        self.change_content(call, &mut said, others, true);
        Ok(said)
    }

    /// Nothing is said that these could change.
    fn leave(&mut self, changes: Changes, reason: String) -> String {
        for (_, rule) in changes {
            self.has_no_words(&rule, &reason);
        }
        reason
    }

    /// A message after all changes, given its fields as they were; and whose doing they are.
    pub(super) fn change_message(
        &mut self,
        (to, call): (Direction, Option<Call>),
        bytes: Vec<u8>,
        (before, changes): (&Value, Changes),
    ) -> (Vec<u8>, Option<By>) {
        let Fields { said, others } = Fields::of(changes);
        let message = Underway { to, call, bytes: &bytes };
        let anew = self.say_first_that_can(&said, &mut |held, value| {
            if message.bytes.is_empty() {
                // It goes nowhere but to a stub, which has seen it.
                return Ok(Some(Vec::new()));
            }
            held.say_anew(message, Anew::Fields(before, value))
        });
        let (mut bytes, mut by) = anew.map_or((bytes, None), |(said, by)| (said, Some(by)));
        for (effect, rule) in others {
            let mut change = |content: &mut Vec<u8>| match effect {
                Effect::Truncate(most) => cut(content, most),
                _ => noise(content),
            };
            let standing = Underway { to, call, bytes: &bytes };
            match self.say_anew(standing, Anew::Content(&mut change)) {
                Ok(Some(said)) => {
                    self.strikes(&rule);
                    (bytes, by) = (said, Some(By::Fault(rule)));
                }
                Ok(None) if matches!(effect, Effect::Truncate(_)) => self.has_no_words(&rule, SHORT),
                Ok(None) => self.has_no_words(&rule, EMPTY),
                Err(reason) => self.has_no_words(&rule, &reason),
            }
        }
        (bytes, by)
    }

    /// None where it would be the same again.
    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Option<Vec<u8>>, String> {
        let Some(splitter) = &mut self.with.splitter else { return Err(UNREAD.into()) };
        let said = splitter.say_anew(message, anew).map_err(|wrong| wrong.reason.into_owned())?;
        Ok((said != message.bytes).then_some(said))
    }

    /// Each of these values has the changes of those before it: the last is said, or else one before it.
    fn say_first_that_can(&mut self, all: &[(Value, Arc<Rule>)], say: &mut Say<'_>) -> Option<(Vec<u8>, By)> {
        for (index, (value, rule)) in all.iter().enumerate().rev() {
            match say(self, value) {
                Err(reason) => self.has_no_words(rule, &reason),
                Ok(None) => {
                    all[..=index].iter().for_each(|(_, rule)| self.has_no_words(rule, SAME));
                    return None;
                }
                Ok(Some(said)) => {
                    all[..=index].iter().for_each(|(_, rule)| self.strikes(rule));
                    return Some((said, By::Fault(Arc::clone(rule))));
                }
            }
        }
        None
    }

    /// What changes nothing but the bytes of a reply.
    fn change_content(&mut self, call: Call, said: &mut Said, changes: Changes, is_all: bool) {
        for (effect, rule) in changes {
            let splitter = self.with.splitter.as_ref();
            let changed = match effect {
                Effect::Truncate(most) => {
                    let beginning = splitter.and_then(|splitter| splitter.beginning(&said.bytes, most));
                    Ok(said.broken_off(beginning, most, is_all))
                }
                _ => splitter
                    .and_then(|splitter| splitter.with_body(call, &said.bytes, &mut noise))
                    .ok_or(EMPTY),
            };
            match changed {
                Ok(bytes) if bytes != said.bytes || said.breaks_off => {
                    self.strikes(&rule);
                    (said.bytes, said.by) = (bytes, Some(By::Fault(rule)));
                }
                Ok(_) => self.has_no_words(&rule, SHORT),
                Err(reason) => self.has_no_words(&rule, reason),
            }
        }
    }
}

type Say<'a> = dyn FnMut(&mut Held, &Value) -> Result<Option<Vec<u8>>, String> + 'a;

pub(super) const UNREAD: &str = "its bytes are not understood";
pub(super) const SHORT: &str = "it is no longer than that";
pub(super) const EMPTY: &str = "there is no content to change";

/// The end of a content is missing. What was text still is.
pub(super) fn cut(content: &mut Vec<u8>, most: Option<usize>) {
    let n_left = truncated(content.len(), most);
    let is_text = std::str::from_utf8(content).is_ok();
    let is_inside = |at: usize| is_text && content.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let n_left = (0..=n_left).rev().find(|at| !is_inside(*at)).unwrap_or(0);
    content.truncate(n_left);
}
