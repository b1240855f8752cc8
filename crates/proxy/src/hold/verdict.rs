//! What rules make of one piece.
//!
//! ```text
//! faults that delay ─▶ the one that decides ─▶ it arrives twice ─▶ stubs, where it is asked ─▶ what arrives is changed
//! all of them          put last                                   put last                   fields, content, length
//! ```
//! In whatever order they were put: who wants it slow and then failing gets that, and what lies over a stub strikes the
//! stub's answer as it would the provider's.

use super::carried::{self, OneCarried};
use super::rule::{ByHead, Held, Kind, Rule};
use crate::faults::{Change, Effect, Moment, Role};
use seam_event::SeamId;
use seam_value::Value;
use seam_wire::{Answering, Apart, Asked, AtHead, Captured, Glance, Parts, Rest, Say};
use std::sync::Arc;
use std::time::Duration;

/// What becomes of a piece.
#[derive(Default)]
pub(super) struct Verdict {
    /// It goes on so much later.
    pub(super) wait: Duration,
    /// What else, and whose doing it is.
    pub(super) what: Option<(What, Arc<Rule>)>,
    /// It is asked of whoever answers, and then this becomes of the answer.
    pub(super) after: Option<(Effect, Arc<Rule>)>,
    /// It arrives twice.
    pub(super) twice: Option<Arc<Rule>>,
    /// What arrives is another thing, one change after the other.
    pub(super) changes: Vec<(Effect, Arc<Rule>)>,
    /// A message as it was, where its fields are others.
    pub(super) before: Value,
    /// All rules that struck, but those of whom it shows later whether they could do what they were to do.
    pub(super) struck: Vec<Arc<Rule>>,
    /// What was asked, for those who look at the reply to it.
    pub(super) asked: Option<Value>,
    /// Where the answer to a message is to go, as far as that says so.
    pub(super) reply_to: Option<Value>,
    /// Is a message answered to who said it, as on WebSocket?
    pub(super) is_answered_back: bool,
    /// Stubs that are told of all of it, when that is there, because they had no answer to its head.
    pub(super) unmet: Vec<Arc<Rule>>,
    /// What is answered for some of the things that it is about, by their places; all else goes on.
    pub(super) apart: Vec<OneApart>,
    /// What becomes of single messages that it carries.
    pub(super) carried: Vec<OneCarried>,
}

/// What is answered for one of the things that a call is about: its place among them, the answer, and whose doing that is.
pub(super) type OneApart = (usize, Value, Arc<Rule>);

/// What else becomes of a piece.
pub(super) enum What {
    /// A fault's doing.
    Fault(Effect),
    /// A stub's answer.
    Stub(Answering),
    /// No stub has an answer, and there is no provider to ask.
    Unknown,
}

/// What is to be decided about.
pub(super) struct Case<'a> {
    pub(super) seam: &'a SeamId,
    pub(super) protocol: &'static str,
    /// Are its replies' contents texts that are said anew?
    pub(super) says_texts: bool,
    pub(super) at: Duration,
    pub(super) bytes: &'a [u8],
    pub(super) moment: Moment,
    pub(super) about: About<'a>,
    /// Is nothing known of them, but that they are bytes? Then nobody can answer.
    pub(super) is_bytes: bool,
    /// Is there somebody to ask what no stub answers?
    pub(super) has_provider: bool,
}

impl<'a> Case<'a> {
    /// What a fault may look at.
    fn held(&self, parts: &'a Parts) -> Held<'a> {
        Held {
            parts,
            is_message: self.about.is_message,
            is_whole: self.about.is_whole,
            says_texts: self.says_texts,
            at: self.at,
        }
    }
}

/// What a piece is.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is something of its own that is known of the piece")]
pub(super) struct About<'a> {
    pub(super) is_message: bool,
    /// Is all of it there?
    pub(super) is_whole: bool,
    /// Is only the head of a request known?
    pub(super) is_head: bool,
    /// Is it the beginning of what is said message by message?
    pub(super) is_stream: bool,
    /// What was asked, where this is the reply to it.
    pub(super) asked: Option<&'a Value>,
    /// Stubs that can have no answer, as the head of a request says.
    pub(super) unmet: &'a [Arc<Rule>],
}

/// A request that is all there.
pub(super) const WHOLE: About<'static> =
    About { is_message: false, is_whole: true, is_head: false, is_stream: false, asked: None, unmet: &[] };

/// What becomes of the rest of a request of which only the head is known: it is gathered only where a rule that may
/// apply to it needs more of it. With the stubs that can have no answer to it: each is asked once for that, for what it
/// says may be otherwise a moment later.
pub(super) fn rest(rules: &[Arc<Rule>], case: &Case<'_>, head: &Parts) -> (Rest, Vec<Arc<Rule>>) {
    let gathered = (Rest::IsGathered, Vec::new());
    if !case.has_provider {
        return gathered;
    }
    let interaction = told(case.seam, head);
    let (mut rest, mut passes, mut unmet) = (Rest::Passes, false, Vec::new());
    for rule in rules.iter().filter(|rule| !rule.is_spent(case.at)) {
        let by_head = rule.by_head(&interaction);
        if by_head == ByHead::Misses {
            continue;
        }
        match (rule.moment(), rule.kind()) {
            (Moment::Request, Kind::Stub(_)) if passes => {}
            (Moment::Request, Kind::Stub(answers)) => match answers.at_head(&asked(case, &head.request)) {
                // What nothing answers may be written down.
                AtHead::Nothing if by_head == ByHead::Fits || !rule.counts() => {
                    rest = Rest::IsTold;
                    unmet.push(Arc::clone(rule));
                }
                AtHead::Passes if by_head == ByHead::Fits && rule.is_for_all() => passes = true,
                AtHead::Nothing | AtHead::Passes | AtHead::Perhaps => return gathered,
            },
            (Moment::Request, Kind::Fault(_)) if by_head != ByHead::Fits || rule.needs_whole() => {
                return gathered;
            }
            (Moment::Reply, _) if by_head == ByHead::OnRequest => rest = Rest::IsTold,
            (Moment::Request | Moment::Reply | Moment::Now | Moment::Connection, _) => {}
        }
    }
    (rest, unmet)
}

/// What becomes of the rest of a reply of which only the head is known, given with what was asked.
pub(super) fn rest_of_reply(rules: &[Arc<Rule>], case: &Case<'_>, head: &Parts) -> Rest {
    let interaction = told(case.seam, head);
    let may_strike = |rule: &Arc<Rule>| {
        rule.moment() == Moment::Reply
            && !rule.is_spent(case.at)
            && rule.by_head(&interaction) != ByHead::Misses
    };
    if rules.iter().any(may_strike) { Rest::IsGathered } else { Rest::Passes }
}

/// A request was passed on that these stubs could not answer, as its head said; this is all of it.
pub(super) fn passed(unmet: &[Arc<Rule>], case: &Case<'_>, request: &Value) {
    let parts = Parts { request: request.clone(), ..Parts::default() };
    let interaction = told(case.seam, &parts);
    for rule in unmet.iter().filter(|rule| rule.fits(&interaction)) {
        if let Kind::Stub(answers) = rule.kind() {
            answers.passed(&asked(case, request));
        }
    }
}

fn asked<'a>(case: &Case<'a>, request: &'a Value) -> Asked<'a> {
    Asked { seam: case.seam, protocol: case.protocol, at: case.at, request, bytes: case.bytes }
}

/// Asks the rules, which stand there with the newest first.
pub(super) fn decide(rules: &[Arc<Rule>], case: &Case<'_>, read: Box<dyn Captured>) -> Verdict {
    if let Some(verdict) = at_a_glance(rules, case, &*read) {
        return verdict;
    }
    let mut verdict = Verdict::default();
    let is_narrow = |rule: &Arc<Rule>| rule.needs_value() && !rule.is_stub();
    let carries = read.carries_messages() && !case.about.is_message;
    let is_of_carried = |rule: &Arc<Rule>| carries && rule.changes_messages();
    let looks_closely = rules.iter().any(|rule| is_narrow(rule) || is_of_carried(rule));
    let has_messages = read.is_about_messages();
    let is_concerned = |rule: &&Arc<Rule>| {
        rule.is_about(case.moment, case.about.is_message)
            || (has_messages && is_of_messages(rule, case))
            || is_of_carried(rule)
    };
    let (stubs, mut faults): (Vec<&Arc<Rule>>, Vec<&Arc<Rule>>) =
        rules.iter().filter(is_concerned).partition(|rule| rule.is_stub());
    let asks_later = case.moment == Moment::Request
        && (rules.iter().any(|rule| rule.moment() == Moment::Reply) || (looks_closely && has_messages));
    if stubs.is_empty() && faults.is_empty() && !asks_later {
        return verdict;
    }
    let mut apart = if looks_closely && !case.about.is_message { of_each(case, &*read) } else { Vec::new() };
    let mut parts = read.read();
    if let Some(asked) = case.about.asked {
        parts.request = asked.clone();
    }
    if asks_later {
        verdict.asked = Some(parts.request.clone());
    }
    let needs_value = rules.iter().any(|rule| rule.needs_value());
    let interaction = if needs_value { told(case.seam, &parts) } else { Value::Null };
    faults.sort_by_key(|rule| rule.role());
    for rule in faults {
        if !verdict.has_room_for(rule.role()) {
            continue;
        }
        if is_of_carried(rule) && !carried::is_for_all(rule, case, (&interaction, &apart)) {
            carried::change(rule, case, &mut apart, &mut verdict.carried);
        } else if is_of_messages(rule, case) && carries && rule.loses_messages() {
            carried::lose(rule, case, &mut apart, &mut verdict.carried);
        } else if is_of_messages(rule, case) || !rule.fits(&interaction) {
            strike_apart(rule, case, &apart, &mut verdict);
        } else {
            strike(rule, case, &mut parts, &mut verdict);
        }
    }
    let unmatched = match verdict.what {
        None => stub(&stubs, case, (&parts, &interaction), &mut verdict),
        Some(_) => None,
    };
    verdict.answer_the_rest(&apart);
    // What is published needs no answer.
    if verdict.what.is_none() && verdict.apart.is_empty() && !case.has_provider && !case.about.is_message {
        verdict.what = unmatched.map(|rule| (What::Unknown, rule));
    }
    verdict
}

/// Asks the stubs in the provider's place. Gives one of those that had no answer where none had.
fn stub(
    stubs: &[&Arc<Rule>],
    case: &Case<'_>,
    (parts, interaction): (&Parts, &Value),
    verdict: &mut Verdict,
) -> Option<Arc<Rule>> {
    let is_said = is_said(parts);
    // A message goes on to a broker that is there; where nobody is, a stub stands in for it.
    let goes_on = case.about.is_message && !is_said && (case.has_provider || !is_published(parts));
    if case.is_bytes || goes_on {
        return None;
    }
    let mut unmatched = None;
    let said = is_said.then(|| Value::map([("message", parts.message.clone())]));
    let published = if case.about.is_message { &parts.message } else { &parts.request };
    let asked = asked(case, said.as_ref().unwrap_or(published));
    for rule in stubs {
        let Kind::Stub(answers) = rule.kind() else { continue };
        let is_unmet = case.about.unmet.iter().any(|other| Arc::ptr_eq(other, rule));
        if is_unmet && rule.by_head(interaction) != ByHead::Fits {
            // Whether it is about it shows with the rest.
            verdict.unmet.push(Arc::clone(rule));
            continue;
        }
        if !rule.applies(interaction, case.at) {
            continue;
        }
        if is_unmet {
            // That nothing here answers it is told with all of it.
            verdict.unmet.push(Arc::clone(rule));
            continue;
        }
        unmatched = Some(Arc::clone(rule));
        match answers.answer(&asked) {
            Some(Answering { say: Say::Pass, after, .. }) => {
                // No other stub is asked.
                rule.struck();
                verdict.wait += after;
                return None;
            }
            // A stub for all requests is none for what is said afterwards.
            Some(answering) if said.is_some() && is_reply(&answering) => {}
            Some(mut answering) => {
                rule.struck();
                verdict.is_answered_back = said.is_some();
                verdict.reply_to = reply_to(&parts.message);
                if verdict.twice.is_some() {
                    // It is asked a second time, as a provider is, with all that comes of that but the answer.
                    let again = answers.answer(&asked).into_iter();
                    answering.afterwards.extend(again.flat_map(|again| again.afterwards));
                }
                verdict.what = Some((What::Stub(answering), Arc::clone(rule)));
                return None;
            }
            None => {}
        }
    }
    unmatched
}

impl Verdict {
    /// Can a fault still do something, after those that came before it?
    fn has_room_for(&self, role: Role) -> bool {
        match role {
            Role::Delays => true,
            Role::Decides => self.what.is_none() && self.after.is_none(),
            Role::Repeats | Role::Changes(_) => self.what.is_none(),
        }
    }

    /// Something becomes of the call as a whole: what was to be answered for some of it is not.
    fn leave_apart(&mut self) {
        for (_, _, rule) in std::mem::take(&mut self.apart) {
            rule.missed("another rule decides about all of it");
            if let Some(index) = self.struck.iter().position(|other| Arc::ptr_eq(other, &rule)) {
                self.struck.remove(index);
            }
        }
    }

    /// Where one rule answers for some and another for all, the latter is left with the others.
    fn answer_the_rest(&mut self, apart: &[OfOne]) {
        if self.apart.is_empty() {
            return;
        }
        let Some((What::Fault(Effect::Answer(value)), rule)) = &self.what else {
            if self.what.is_some() {
                self.leave_apart();
            }
            return;
        };
        self.struck.push(Arc::clone(rule));
        for one in apart {
            if !self.apart.iter().any(|(place, ..)| *place == one.apart.place) {
                self.apart.push((one.apart.place, value.clone(), Arc::clone(rule)));
            }
        }
        self.what = None;
    }
}

/// One of several things that a call is about, for rules that look closely.
pub(super) struct OfOne {
    pub(super) apart: Apart,
    /// As filters see it.
    pub(super) interaction: Value,
}

impl OfOne {
    pub(super) fn is_message(&self) -> bool {
        self.apart.parts.message != Value::Null
    }
}

/// Does it look for messages in a reply, though it strikes requests?
fn is_of_messages(rule: &Rule, case: &Case<'_>) -> bool {
    let is_about_requests = rule.moment() == Moment::Request && !rule.is_stub();
    case.moment == Moment::Reply && is_about_requests && rule.needs_value()
}

/// What is said of each of several things, if a call is about such.
fn of_each(case: &Case<'_>, read: &dyn Captured) -> Vec<OfOne> {
    let mut all = read.apart();
    for one in &mut all {
        // A reply says of the request only what it is the reply to.
        if let Some(Value::Map(asked)) = case.about.asked {
            let mut request = asked.clone();
            request.extend(one.parts.request.as_map().cloned().unwrap_or_default());
            one.parts.request = Value::Map(request);
        }
    }
    all.into_iter().map(|apart| OfOne { interaction: told(case.seam, &apart.parts), apart }).collect()
}

/// A rule that is about a piece strikes it, if it strikes this one.
fn strike(rule: &Arc<Rule>, case: &Case<'_>, parts: &mut Parts, verdict: &mut Verdict) {
    // What is said message by message has its content in these.
    let is_empty =
        case.about.is_stream && matches!(rule.role(), Role::Changes(change) if change != Change::Field);
    if is_empty || !rule.strikes_this_one(case.at) {
        return;
    }
    let Some(effect) = rule.effect(&case.held(parts)) else { return };
    if case.is_bytes && !effect.fits_bytes() {
        // What can't be done was not done: it does not count.
        return;
    }
    if let Effect::Change(value) = &effect {
        let said = if case.about.is_message { &mut parts.message } else { &mut parts.reply };
        let before = std::mem::replace(said, value.clone());
        if verdict.before == Value::Null {
            verdict.before = before;
        }
    }
    note(effect, rule, case, verdict);
}

/// What a rule does that strikes.
fn note(effect: Effect, rule: &Arc<Rule>, case: &Case<'_>, verdict: &mut Verdict) {
    rule.struck();
    let rule = Arc::clone(rule);
    let is_request = case.moment == Moment::Request && !case.about.is_message && !case.is_bytes;
    match effect {
        Effect::Wait(time) => {
            verdict.wait += time;
            verdict.struck.push(rule);
        }
        Effect::Twice => verdict.twice = Some(rule),
        Effect::Change(_) | Effect::Truncate(_) | Effect::Garble => {
            verdict.changes.push((effect, rule));
        }
        Effect::LoseReply(_) | Effect::ResetAfter(_) if is_request => {
            verdict.struck.push(Arc::clone(&rule));
            verdict.after = Some((effect, rule));
        }
        effect => {
            // Whether it can be said shows when it is said.
            if !matches!(effect, Effect::Answer(_)) {
                verdict.struck.push(Arc::clone(&rule));
            }
            verdict.what = Some((What::Fault(effect), rule));
        }
    }
}

/// A rule that is not about a call as a whole strikes what it is about.
fn strike_apart(rule: &Arc<Rule>, case: &Case<'_>, apart: &[OfOne], verdict: &mut Verdict) {
    for of_place in apart.chunk_by(|one, other| one.apart.place == other.apart.place) {
        let place = of_place[0].apart.place;
        let is_known = verdict.apart.iter().any(|(other, ..)| *other == place);
        let Some(one) = of_place.iter().find(|one| rule.fits(&one.interaction)).filter(|_| !is_known) else {
            continue;
        };
        // What was asked was decided about when it was asked.
        let is_old = || of_place.iter().any(|other| !other.is_message() && rule.fits(&other.interaction));
        if is_of_messages(rule, case) && is_old() || !rule.strikes_this_one(case.at) {
            continue;
        }
        let held = case.held(&one.apart.parts);
        match rule.effect(&held) {
            None => {}
            Some(Effect::Answer(value)) => {
                rule.struck();
                verdict.struck.push(Arc::clone(rule));
                verdict.apart.push((place, value, Arc::clone(rule)));
            }
            // All else strikes the call as a whole.
            Some(effect) => return note(effect, rule, case, verdict),
        }
    }
}

/// What stubs say that needn't read the request, where nobody else has to.
fn at_a_glance(rules: &[Arc<Rule>], case: &Case<'_>, read: &dyn Captured) -> Option<Verdict> {
    // Whoever waits, breaks or looks at replies wants to know more, and a filter needs all of it.
    if case.about.is_message
        || case.about.is_head
        || case.is_bytes
        || case.moment != Moment::Request
        || !rules.iter().all(|rule| rule.is_stub() && rule.is_for_all())
    {
        return None;
    }
    let rule = rules.first()?;
    let Kind::Stub(answers) = rule.kind() else { return None };
    let (method, path) = read.glance()?;
    let bytes = Some(case.bytes).filter(|_| case.about.is_whole);
    let answering = answers.at_a_glance(Glance { seam: case.seam, method, path, bytes })?;
    rule.struck();
    if let Answering { say: Say::Pass, after, .. } = answering {
        return Some(Verdict { wait: after, ..Verdict::default() });
    }
    Some(Verdict { what: Some((What::Stub(answering), Arc::clone(rule))), ..Verdict::default() })
}

/// Is it a message to the provider, as a broker gets them?
fn is_published(parts: &Parts) -> bool {
    parts.message.get("kind").and_then(Value::as_text) == Some("published")
}

/// Is it a message of a consumer to whom it speaks, one by one and without a broker: WebSocket's?
fn is_said(parts: &Parts) -> bool {
    let is = |name: &str, values: &[&str]| {
        parts.message.get(name).and_then(Value::as_text).is_some_and(|text| values.contains(&text))
    };
    is("from", &["consumer"]) && is("type", &["text", "binary"])
}

/// Does it answer a request of HTTP?
fn is_reply(answering: &Answering) -> bool {
    matches!(&answering.say, Say::Answer(value) if value.get("status").is_some())
}

/// Where who published a message waits for an answer.
fn reply_to(message: &Value) -> Option<Value> {
    let property = || message.get("properties").and_then(|properties| properties.get("reply_to"));
    let said = message.get("reply_to").filter(|topic| **topic != Value::Null).or_else(property);
    said.filter(|topic| topic.as_text().is_some_and(|topic| !topic.is_empty())).cloned()
}

/// As much of an interaction as there is, for filters.
fn told(seam: &SeamId, parts: &Parts) -> Value {
    Value::map([
        ("from", Value::text(seam.consumer.as_str())),
        ("to", Value::text(seam.provider.as_str())),
        ("seam", Value::text(seam.to_string())),
        ("request", parts.request.clone()),
        ("reply", parts.reply.clone()),
        ("message", parts.message.clone()),
    ])
}
