//! Which interaction of one run is which of another: by what was asked, and by order where that does not tell.
//!
//! Order alone would do only where nothing is asked at once; likeness alone would confuse what is asked again and again.
//! So requests that are the same are paired first, in order, and what is left with what is most like it.

use crate::brokers::reply_to;
use crate::recording::Recorded;
use crate::volatile::segments;
use seam_value::Value;
use std::collections::{HashMap, HashSet};

/// Requests with less in common than this are not the same one.
const LEAST_LIKENESS: f64 = 0.3;

/// Pairs of indexes into both lists. Only interactions of the same test are paired.
pub(crate) fn pairs(one: &[Recorded], other: &[Recorded]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let tests = |list: &[Recorded]| {
        let mut by_test: HashMap<Option<String>, Vec<usize>> = HashMap::new();
        for (index, recorded) in list.iter().enumerate() {
            by_test.entry(recorded.test.clone()).or_default().push(index);
        }
        by_test
    };
    let inboxes: HashSet<&str> = one.iter().chain(other).filter_map(|one| reply_to(&one.message)).collect();
    let (ours, mut theirs) = (tests(one), tests(other));
    for (test, ours) in ours {
        let theirs = theirs.remove(&test).unwrap_or_default();
        in_a_test((one, &ours), (other, &theirs), &inboxes, &mut found);
    }
    found.sort_unstable();
    found
}

fn in_a_test(
    (one, ours): (&[Recorded], &[usize]),
    (other, theirs): (&[Recorded], &[usize]),
    inboxes: &HashSet<&str>,
    found: &mut Vec<(usize, usize)>,
) {
    let mut same: HashMap<String, Vec<usize>> = HashMap::new();
    for theirs in theirs.iter().rev() {
        same.entry(asked(&other[*theirs])).or_default().push(*theirs);
    }
    let mut left = Vec::new();
    for ours in ours {
        match same.get_mut(&asked(&one[*ours])).and_then(Vec::pop) {
            Some(theirs) => found.push((*ours, theirs)),
            None => left.push(*ours),
        }
    }
    let mut right: Vec<usize> = same.into_values().flatten().collect();
    right.sort_unstable();
    for ours in left {
        let like = right.iter().map(|theirs| likeness(&one[ours], &other[*theirs], inboxes));
        // Of those that are equally like it the first: that is the order.
        let mut best: Option<(usize, f64)> = None;
        for (index, like) in like.enumerate() {
            if like >= LEAST_LIKENESS && best.is_none_or(|(_, most)| like > most) {
                best = Some((index, like));
            }
        }
        if let Some((index, _)) = best {
            found.push((ours, right.remove(index)));
        }
    }
}

/// What was asked or told, without headers: those vary most.
fn asked(recorded: &Recorded) -> String {
    let without_headers = |part: &Value| match part {
        Value::Map(map) => {
            let mut map = map.clone();
            map.shift_remove("headers");
            Value::Map(map)
        }
        other => other.clone(),
    };
    format!("{} {}", without_headers(&recorded.request), without_headers(&recorded.message))
}

/// How much two requests have in common, from 0 to 1; 0 where they can't be the same one.
/// Where answers are waited for is often a name that was made for that.
fn likeness(one: &Recorded, other: &Recorded, inboxes: &HashSet<&str>) -> f64 {
    let topic = |one: &Recorded| one.message.get("topic").and_then(Value::as_text).map(str::to_owned);
    let is_answer = |one: &Recorded| topic(one).is_some_and(|topic| inboxes.contains(topic.as_str()));
    let are_answers = is_answer(one) && is_answer(other);
    for name in ["method", "command", "statement", "topic"] {
        if one.request.get(name) != other.request.get(name)
            || (one.message.get(name) != other.message.get(name) && !(name == "topic" && are_answers))
        {
            return 0.0;
        }
    }
    let path = |recorded: &Recorded| recorded.request.get("path").and_then(Value::as_text).map(str::to_owned);
    if let (Some(one), Some(other)) = (path(one), path(other)) {
        let is_same_shape = segments(&one).count() == segments(&other).count()
            && (one == other || segments(&one).zip(segments(&other)).any(|(one, other)| one == other));
        if !is_same_shape {
            return 0.0;
        }
    }
    let mut leaves = (0, 0);
    count(&one.request, &other.request, &mut leaves);
    count(&one.message, &other.message, &mut leaves);
    let (n_same, n_all) = leaves;
    if n_all == 0 { 1.0 } else { f64::from(n_same) / f64::from(n_all) }
}

/// Counts leaves that are the same, and all.
fn count(one: &Value, other: &Value, leaves: &mut (u32, u32)) {
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => {
            for (name, value) in one {
                match other.get(name) {
                    Some(other) => count(value, other, leaves),
                    None => leaves.1 += 1,
                }
            }
            let n_more = other.keys().filter(|name| !one.contains_key(*name)).count();
            leaves.1 += u32::try_from(n_more).unwrap_or(u32::MAX);
        }
        (Value::List(one), Value::List(other)) => {
            for (one, other) in one.iter().zip(other) {
                count(one, other, leaves);
            }
            leaves.1 += u32::try_from(one.len().abs_diff(other.len())).unwrap_or(u32::MAX);
        }
        (one, other) => {
            leaves.0 += u32::from(one == other);
            leaves.1 += 1;
        }
    }
}
