//! Rules that strike single messages of those that a call carries: Kafka's records, which come in batches.

use super::rule::{Held, Rule};
use super::verdict::{Case, OfOne};
use crate::faults::{Change, Effect, Moment, Role};
use seam_value::Value;
use std::sync::Arc;

/// What becomes of a message that a call carries.
pub(super) struct OneCarried {
    /// Where it stands among the things that the call is about, and how manieth it is there.
    pub(super) place: usize,
    pub(super) message: usize,
    /// It is changed, or lost.
    pub(super) effect: Effect,
    /// Its fields before.
    pub(super) before: Value,
    pub(super) rule: Arc<Rule>,
}

/// Does a rule that changes messages mean the reply as a whole: everything, or all of what was asked? What breaks off does so
/// with all of it also where one of the things that were asked for is chosen by what was asked.
pub(super) fn is_for_all(rule: &Rule, case: &Case<'_>, (interaction, apart): (&Value, &[OfOne])) -> bool {
    if rule.moment() != Moment::Reply || case.moment != Moment::Reply {
        return false;
    }
    let breaks_off = rule.role() == Role::Changes(Change::Length);
    rule.fits(interaction)
        || breaks_off && apart.iter().any(|one| !one.is_message() && rule.fits(&one.interaction))
}

/// Changes those that it is about. One without a choice that is about replies as well means these, and so does one that
/// chooses by what is asked, while that is asked.
pub(super) fn change(rule: &Arc<Rule>, case: &Case<'_>, apart: &mut [OfOne], carried: &mut Vec<OneCarried>) {
    let is_of_replies = rule.moment() == Moment::Reply;
    if is_of_replies && !rule.needs_value() {
        return;
    }
    strike(rule, case, apart, is_of_replies && case.moment == Moment::Request, carried);
}

/// Loses those that it is about. What was asked was decided about when it was asked.
pub(super) fn lose(rule: &Arc<Rule>, case: &Case<'_>, apart: &mut [OfOne], carried: &mut Vec<OneCarried>) {
    strike(rule, case, apart, true, carried);
}

/// Strikes them, but not those in places that the rule is about as such, where these are to be left.
fn strike(
    rule: &Arc<Rule>,
    case: &Case<'_>,
    apart: &mut [OfOne],
    leaves_places: bool,
    carried: &mut Vec<OneCarried>,
) {
    for of_place in apart.chunk_by_mut(|one, other| one.apart.place == other.apart.place) {
        if leaves_places && of_place.iter().any(|one| !one.is_message() && rule.fits(&one.interaction)) {
            continue;
        }
        for (message, one) in of_place.iter_mut().filter(|one| one.is_message()).enumerate() {
            if !rule.fits(&one.interaction) || !rule.strikes_this_one(case.at) {
                continue;
            }
            let parts = &mut one.apart.parts;
            let held = Held { parts, is_message: true, is_whole: true, says_texts: false, at: case.at };
            let Some(effect) = rule.effect(&held) else { continue };
            let mut before = Value::Null;
            if let Effect::Change(value) = &effect {
                before = std::mem::replace(&mut parts.message, value.clone());
            }
            rule.struck();
            let (place, rule) = (one.apart.place, Arc::clone(rule));
            carried.push(OneCarried { place, message, effect, before, rule });
        }
    }
}
