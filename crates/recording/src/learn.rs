//! What varies from run to run, found by itself: where two runs of the same differ, and, of a single run, where two
//! answers to the same request differ in what looks like a time or an id.

use crate::compare::{Difference, differences};
use crate::lists;
use crate::pair::pairs;
use crate::recording::{Recorded, Recording};
use crate::volatile::{Mask, Volatile, is_address, segments};
use seam_value::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The shortest text that may be an id by its looks.
const SHORTEST_ID: usize = 12;

/// Marks what differs between a recording and that of a second run from the same state.
pub fn learn(recording: &mut Recording, second: &Recording) {
    let mut learnt = Learnt::default();
    for (ours, theirs) in pairs(&recording.interactions, &second.interactions) {
        let (one, other) = (&recording.interactions[ours], &second.interactions[theirs]);
        for difference in all_differences(one, other) {
            learnt.add(ours, &difference);
        }
    }
    learnt.into_recording(recording);
}

/// Marks what is known to vary, and what looks like it where the same was asked twice.
pub fn learn_alone(recording: &mut Recording) {
    let mut learnt = Learnt::default();
    let list = &recording.interactions;
    let mut first: HashMap<String, usize> = HashMap::new();
    for (index, recorded) in list.iter().enumerate() {
        let kind = ["method", "path", "command", "statement"]
            .map(|name| recorded.request.get(name).map(Value::to_plain_text).unwrap_or_default());
        let earlier = *first.entry(kind.join(" ")).or_insert(index);
        if earlier == index {
            continue;
        }
        for difference in all_differences(&list[earlier], recorded) {
            let looks = |value: &Option<Value>| value.as_ref().is_none_or(looks_volatile);
            if looks(&difference.recorded) && looks(&difference.now) {
                learnt.add(earlier, &difference);
                learnt.add(index, &difference);
            }
        }
    }
    learnt.into_recording(recording);
}

fn all_differences(one: &Recorded, other: &Recorded) -> Vec<Difference> {
    let mask = Mask::default();
    [
        ("request", &one.request, &other.request),
        ("reply", &one.reply, &other.reply),
        ("message", &one.message, &other.message),
    ]
    .into_iter()
    .flat_map(|(part, one, other)| differences(part, one, other, &mask))
    .collect()
}

/// A text that is a moment, or an id that nobody chose.
fn looks_volatile(value: &Value) -> bool {
    let Some(text) = value.as_text() else {
        // Seconds or milliseconds since 1970, in this century.
        return value.as_i64().is_some_and(|number| {
            (1_000_000_000..10_000_000_000).contains(&number)
                || (1_000_000_000_000..10_000_000_000_000).contains(&number)
        });
    };
    let count = |is: fn(&u8) -> bool| text.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    let is_moment = text.len() >= 16 && text.starts_with("20") && text.contains(':') && digits >= 10;
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte));
    is_moment || (is_word && text.len() >= SHORTEST_ID && digits >= 3)
}

/// Paths that were found to vary, each with the interactions in which they did.
#[derive(Default)]
struct Learnt {
    paths: BTreeMap<Vec<String>, Seen>,
}

#[derive(Default)]
struct Seen {
    places: HashSet<usize>,
    may_be_absent: bool,
}

impl Learnt {
    fn add(&mut self, index: usize, difference: &Difference) {
        let names = every(&difference.at);
        let seen = self.paths.entry(names).or_default();
        seen.places.insert(index);
        seen.may_be_absent |= difference.recorded.is_none() || difference.now.is_none();
    }

    /// Into the head what varies wherever it is there; else into the interactions in which it did.
    fn into_recording(self, recording: &mut Recording) {
        let mut all: Vec<Volatile> = known(recording);
        for (names, seen) in self.paths {
            if is_known(&names) {
                continue;
            }
            let n_there = recording.interactions.iter().filter(|one| is_there(one, &names)).count();
            let volatile = Volatile::of(&names, seen.may_be_absent);
            if seen.places.len() >= n_there && !is_in_an_address(&names) {
                all.push(volatile);
                continue;
            }
            for index in seen.places {
                recording.interactions[index].volatile.push(volatile.clone());
            }
        }
        all.retain(|one| !recording.volatile.contains(one));
        recording.volatile.extend(all);
    }
}

/// Names with `*` for elements of lists: what varies in one element varies in all.
fn every(at: &[String]) -> Vec<String> {
    // Arguments have their places: what is a key in one command is no key in all.
    let is_positional = matches!(at, [part, list, ..] if part == "request" && ["args", "parameters"].contains(&list.as_str()));
    if is_in_an_address(at) || is_positional {
        return at.to_vec();
    }
    // In maps numbers may be keys; a `*` covers those as well.
    let is_index = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    at.iter().map(|name| if is_index(name) { "*".to_owned() } else { name.clone() }).collect()
}

fn is_in_an_address(at: &[String]) -> bool {
    at.len() == 3 && is_address(&at[..2])
}

fn is_known(names: &[String]) -> bool {
    matches!(names, [_, headers, name] if matches!(headers.as_str(), "headers" | "metadata") && lists::varies(name))
}

/// The headers in it that are known to vary.
fn known(recording: &Recording) -> Vec<Volatile> {
    let mut found = BTreeMap::new();
    for recorded in &recording.interactions {
        for (part, value) in [("request", &recorded.request), ("reply", &recorded.reply)] {
            for kind in ["headers", "metadata"] {
                let headers = value.get(kind).and_then(Value::as_map);
                let names = headers.into_iter().flat_map(|map| map.keys());
                for name in names.filter(|name| lists::varies(name)) {
                    let names = [part.to_owned(), kind.to_owned(), name.clone()];
                    found.entry((part, kind, name.clone())).or_insert_with(|| Volatile::of(&names, false));
                }
            }
        }
    }
    found.into_values().collect()
}

/// Does an interaction have this place?
fn is_there(recorded: &Recorded, names: &[String]) -> bool {
    let Some((part, rest)) = names.split_first() else { return false };
    let part = match part.as_str() {
        "request" => &recorded.request,
        "reply" => &recorded.reply,
        _ => &recorded.message,
    };
    if is_in_an_address(names) {
        return part
            .get("path")
            .and_then(Value::as_text)
            .is_some_and(|path| segments(path).nth(names[2].parse().unwrap_or(0)).is_some());
    }
    has(part, rest)
}

fn has(value: &Value, names: &[String]) -> bool {
    let Some((name, rest)) = names.split_first() else { return true };
    match value {
        Value::Map(map) if name == "*" => map.values().any(|child| has(child, rest)),
        Value::Map(map) => map.get(name).is_some_and(|child| has(child, rest)),
        Value::List(list) if name == "*" => list.iter().any(|child| has(child, rest)),
        _ => false,
    }
}
