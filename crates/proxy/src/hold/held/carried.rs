//! Single messages of those that a call carries are changed, or lost.

use super::Held;
use super::changes::{EMPTY, SAME, SHORT, UNREAD, cut};
use crate::faults::{Effect, noise};
use crate::hold::carried::OneCarried;
use crate::hold::rule::By;
use crate::hold::verdict::OneApart;
use seam_wire::{Anew, Call, Carried, Direction, SaidAnew, Unanswerable};

impl Held {
    /// A request or reply after what becomes of its messages, and whose doing that is.
    pub(super) fn change_carried(
        &mut self,
        call: Call,
        (to, bytes, whole): (Direction, Vec<u8>, bool),
        carried: Vec<OneCarried>,
        apart: &[OneApart],
    ) -> (Vec<u8>, Option<By>) {
        let is_answered = |one: &OneCarried| apart.iter().any(|(place, ..)| *place == one.place);
        let (answered, carried): (Vec<_>, Vec<_>) = carried.into_iter().partition(is_answered);
        self.leave_carried(answered, "what carries it is answered otherwise");
        if carried.is_empty() {
            return (bytes, None);
        }
        match self.say_carried_anew(call, (to, &bytes), &carried) {
            _ if !whole => self.leave_carried(carried, "what carries it is too long to be changed"),
            Err(unanswerable) => self.leave_carried(carried, &unanswerable.reason),
            Ok(SaidAnew { bytes, mut refused }) => {
                let mut by = None;
                for (index, one) in carried.into_iter().enumerate() {
                    match refused.iter_mut().find(|(other, _)| *other == index) {
                        None => {
                            self.strikes(&one.rule);
                            by = Some(By::Fault(one.rule));
                        }
                        Some((_, Some(unanswerable))) => {
                            self.has_no_words(&one.rule, &unanswerable.reason);
                        }
                        Some((_, None)) => self.has_no_words(&one.rule, why_same(&one.effect)),
                    }
                }
                return (bytes, by);
            }
        }
        (bytes, None)
    }

    /// Nothing becomes of these.
    pub(super) fn leave_carried(&mut self, carried: Vec<OneCarried>, reason: &str) {
        for one in carried {
            self.has_no_words(&one.rule, reason);
        }
    }

    fn say_carried_anew(
        &mut self,
        call: Call,
        piece: (Direction, &[u8]),
        carried: &[OneCarried],
    ) -> Result<SaidAnew, Unanswerable> {
        let splitter = self.with.splitter.as_mut().ok_or_else(|| Unanswerable::new(UNREAD))?;
        let change = |one: &OneCarried| {
            let most = if let Effect::Truncate(most) = one.effect { Some(most) } else { None };
            move |content: &mut Vec<u8>| match most {
                Some(most) => cut(content, most),
                None => noise(content),
            }
        };
        let mut changes: Vec<_> = carried.iter().map(change).collect();
        let mut said: Vec<Carried<'_>> = carried
            .iter()
            .zip(&mut changes)
            .map(|(one, change)| {
                let anew = match &one.effect {
                    Effect::Change(now) => Some(Anew::Fields(&one.before, now)),
                    Effect::Garble | Effect::Truncate(_) => Some(Anew::Content(change)),
                    // It is lost.
                    _ => None,
                };
                Carried { place: one.place, message: one.message, anew }
            })
            .collect();
        splitter.say_carried_anew(call, piece, &mut said)
    }
}

fn why_same(effect: &Effect) -> &'static str {
    match effect {
        Effect::Truncate(_) => SHORT,
        Effect::Garble => EMPTY,
        _ => SAME,
    }
}
