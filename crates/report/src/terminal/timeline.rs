//! Which of all that happened during a test is shown: what went wrong and what came last, and the same over and
//! over only once.

use super::Attempted;
use crate::clean::line;
use crate::exchange::{answered, asked, is_bad, route, sent};
use crate::time::human;
use seam_event::{ComponentState, Event, Interaction, What};
use seam_judge::is_within;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// More moments than these bury what they are shown for.
const MOST_SHOWN: usize = 40;
/// How many of them may be earlier ones that went wrong.
const MOST_WRONG: usize = 12;
/// Of more than these only the number is told; a test that polls for a minute is not read through.
const MOST_LOOKED_AT: usize = 1_000;

/// One line of the timeline.
#[derive(Debug)]
pub(super) struct Moment {
    /// Since the test began.
    pub(super) at: String,
    /// In how many calls it is nested.
    pub(super) depth: usize,
    /// On which seam, or of which component.
    pub(super) on: String,
    /// How long it took.
    pub(super) took: String,
    /// What was asked, or what happened.
    pub(super) asked: String,
    /// What was answered.
    pub(super) answered: String,
    /// How often it came in a row.
    pub(super) times: usize,
    /// Did it go wrong, or was it done on purpose?
    pub(super) matters: bool,
}

/// A moment, or how many are left out in its place.
#[derive(Debug)]
pub(super) enum Shown {
    Moment(Moment),
    Left(usize),
}

/// What happened until the last finding, in order.
pub(super) fn timeline(attempted: &Attempted<'_>) -> Vec<Shown> {
    let Attempted { events, attempt, .. } = attempted;
    let last = attempt.findings.iter().map(|finding| finding.seq).max();
    let until = last.and_then(|seq| events.iter().find(|event| event.seq == seq)).map(|event| event.at);
    let told: HashSet<(String, &str)> = events.iter().filter_map(|event| fault_of(event)).collect();
    let ours = events.iter().filter(|event| event.seq >= attempt.window.first);
    // What was open when a test ended is told again when it ends.
    let last_told: HashMap<u64, u64> =
        ours.clone().filter_map(|event| Some((interaction(event)?.id, event.seq))).collect();
    let mut happened: VecDeque<(Duration, u64, &Event)> = ours
        .filter(|event| interaction(event).is_none_or(|passed| last_told[&passed.id] == event.seq))
        .filter(|event| !is_strike_of(event, &told))
        .filter_map(|event| when(event).map(|(at, order)| (at, order, *event)))
        .filter(|(at, ..)| until.is_none_or(|until| *at <= until))
        .collect();
    happened.make_contiguous().sort_by_key(|(at, order, _)| (*at, *order));
    let early = happened.len().saturating_sub(MOST_LOOKED_AT);
    happened.drain(..early);
    let calls: Vec<&Interaction> = happened.iter().filter_map(|(_, _, event)| interaction(event)).collect();
    let moments = happened.iter().filter_map(|(at, _, event)| {
        let since = at.saturating_sub(attempt.window.from);
        match interaction(event) {
            Some(passed) => {
                let is_left_over = event.scope.test.is_none();
                Some(Moment {
                    depth: depth(passed, &calls, 0),
                    ..of_interaction(passed, since, is_left_over)
                })
            }
            None => of_state(event, since),
        }
    });
    shorten(merge(moments), early)
}

/// When it happened, and its order among what happened at the same time; none for what no line is for.
fn when(event: &Event) -> Option<(Duration, u64)> {
    match &event.what {
        What::Interaction(passed) => Some((passed.at, passed.id)),
        What::Component { state: ComponentState::Starting, .. } => None,
        What::Component { .. } | What::Fault { .. } | What::Degraded { .. } => Some((event.at, u64::MAX)),
        _ => None,
    }
}

/// The fault whose name an interaction bears, with the seam.
fn fault_of(event: &Event) -> Option<(String, &str)> {
    let passed = interaction(event)?;
    let fault = passed.answered_by.as_deref()?.strip_prefix("fault ")?;
    Some((passed.seam.to_string(), fault))
}

/// Does it tell that a fault struck, which what it struck tells already?
fn is_strike_of(event: &Event, told: &HashSet<(String, &str)>) -> bool {
    match &event.what {
        What::Fault { seam, fault, action, .. } => {
            action == "struck" && told.contains(&(seam.to_string(), fault.as_str()))
        }
        _ => false,
    }
}

fn interaction(event: &Event) -> Option<&Interaction> {
    match &event.what {
        What::Interaction(passed) => Some(passed),
        _ => None,
    }
}

fn of_interaction(passed: &Interaction, since: Duration, is_left_over: bool) -> Moment {
    let mut asked = asked(passed);
    if let Some(sent) = sent(passed) {
        asked = format!("{asked} {sent}");
    }
    if is_left_over {
        asked = format!("(left over) {asked}");
    }
    Moment {
        at: format!("+{}", human(since)),
        depth: 0,
        on: route(passed),
        took: passed.elapsed.map(human).unwrap_or_default(),
        asked,
        answered: answered(passed),
        times: 1,
        matters: is_bad(passed) || is_left_over || passed.answered_by.is_some(),
    }
}

fn of_state(event: &Event, since: Duration) -> Option<Moment> {
    let matters = !matches!(&event.what, What::Component { state: ComponentState::Ready, .. });
    let (on, asked) = match &event.what {
        What::Component { component, state, detail } => {
            let word = format!("{state:?}").to_lowercase();
            let detail = if detail.is_empty() { word } else { format!("{word}: {detail}") };
            (component.as_str().to_owned(), detail)
        }
        What::Fault { seam, fault, action, is_stub, .. } => {
            let kind = if *is_stub { "stub" } else { "fault" };
            (seam.to_string(), format!("{kind} `{fault}` {action}"))
        }
        What::Degraded { seam, reason, .. } => {
            (seam.to_string(), format!("watched as plain bytes from here on: {reason}"))
        }
        _ => return None,
    };
    Some(Moment {
        at: format!("+{}", human(since)),
        depth: 0,
        on: line(&on).into_owned(),
        took: String::new(),
        asked: line(&asked).into_owned(),
        answered: String::new(),
        times: 1,
        matters,
    })
}

/// How many calls it is nested in. Bounded, since a component may call itself.
fn depth(passed: &Interaction, calls: &[&Interaction], above: usize) -> usize {
    const DEEPEST: usize = 8;
    let outer = calls.iter().rev().find(|outer| is_within(passed, outer));
    match outer {
        Some(outer) if above < DEEPEST => 1 + depth(outer, calls, above + 1),
        _ => 0,
    }
}

/// The same again and again, one moment or several in the same order (a step that is tried again, with the calls
/// that it leads to), is told once, with the first one's time and how often it came.
fn merge(moments: impl Iterator<Item = Moment>) -> Vec<Moment> {
    /// Longer repeated stretches than this are rare, and each length costs a look at every moment.
    const LONGEST: usize = 8;
    let mut rest: Vec<Moment> = moments.collect();
    let mut list = Vec::new();
    while !rest.is_empty() {
        // The stretch that hides most is taken.
        let best = (1..=LONGEST.min(rest.len()))
            .map(|length| (repeats(&rest, length) * length, length))
            .max_by_key(|(covered, length)| (*covered - *length, usize::MAX - *length));
        let (covered, length) = best.unwrap_or((1, 1));
        let later = rest.split_off(covered);
        rest.truncate(length);
        list.extend(rest.into_iter().map(|moment| Moment { times: covered / length, ..moment }));
        rest = later;
    }
    list
}

/// How often the first so many moments come one after the other.
fn repeats(moments: &[Moment], length: usize) -> usize {
    let is_same = |one: &Moment, other: &Moment| {
        (&one.on, &one.asked, &one.answered, one.depth)
            == (&other.on, &other.asked, &other.answered, other.depth)
    };
    let first = &moments[..length];
    let others = moments.chunks_exact(length).skip(1);
    1 + others.take_while(|other| first.iter().zip(*other).all(|(one, other)| is_same(one, other))).count()
}

/// The last ones, and of those before them what went wrong.
fn shorten(moments: Vec<Moment>, early: usize) -> Vec<Shown> {
    let first_of_last = moments.len().saturating_sub(MOST_SHOWN - MOST_WRONG);
    let all_fit = moments.len() <= MOST_SHOWN;
    let (mut shown, mut left, mut wrong) = (Vec::new(), early, 0);
    for (index, moment) in moments.into_iter().enumerate() {
        let is_wrong = moment.matters && wrong < MOST_WRONG;
        if !all_fit && index < first_of_last && !is_wrong {
            left += moment.times;
            continue;
        }
        wrong += usize::from(is_wrong);
        if left > 0 {
            shown.push(Shown::Left(std::mem::take(&mut left)));
        }
        shown.push(Shown::Moment(moment));
    }
    shown
}
