//! A recording is a fold over what happened: the interactions of each chosen seam, in the order in which they were asked.

use crate::normal::{is_http, normal};
use crate::recording::{Recorded, Recording};
use crate::streams;
use seam_event::{Event, Interaction, Scope, SeamId, TestId, What};
use seam_value::Value;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What came of recording.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// A recording for each seam on which anything passed, by the seams' names.
    pub recordings: Vec<Recording>,
    /// What is not in them.
    pub left_out: LeftOut,
}

/// Interactions that are in no recording, because they don't say what the provider answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// A stub or a fault answered.
    pub answered: usize,
    /// Longer than what is kept.
    pub cut: usize,
    /// Never came to an end.
    pub open: usize,
}

/// Records the chosen seams. Of a test that was tried several times the last try is taken.
pub fn record(events: &[Event], chosen: &dyn Fn(&SeamId) -> bool) -> Made {
    let last = last_attempts(events);
    let passed = passed(events).filter(|(_, scope)| is_of_last(scope, &last));
    record_passed(passed.map(|(one, scope)| (one, scope.test.as_ref())), chosen)
}

/// All that passed, each with where it belongs. What was open when its test ended is told again when it ends, and belongs
/// to that test all the same.
pub(crate) fn passed(events: &[Event]) -> impl Iterator<Item = (&Interaction, &Scope)> {
    let mut passed: BTreeMap<u64, (&Interaction, &Scope)> = BTreeMap::new();
    for event in events {
        if let What::Interaction(one) = &event.what {
            passed.entry(one.id).or_insert((one, &event.scope)).0 = one;
        }
    }
    passed.into_values()
}

/// Records the chosen seams of interactions, each with the test in which it passed, where it was in one.
pub fn record_passed<'a>(
    passed: impl Iterator<Item = (&'a Interaction, Option<&'a TestId>)>,
    chosen: &dyn Fn(&SeamId) -> bool,
) -> Made {
    let mut made = Made::default();
    let mut by_seam: BTreeMap<SeamId, Vec<(&Interaction, Option<&TestId>)>> = BTreeMap::new();
    for (passed, test) in passed.filter(|(passed, _)| chosen(&passed.seam)) {
        let is_open = passed.error.is_none() && passed.reply == Value::Null && passed.message == Value::Null;
        if passed.answered_by.is_some() {
            made.left_out.answered += 1;
        } else if passed.cut {
            made.left_out.cut += 1;
        } else if is_open || (passed.request == Value::Null && passed.message == Value::Null) {
            made.left_out.open += 1;
        } else {
            by_seam.entry(passed.seam.clone()).or_default().push((passed, test));
        }
    }
    for (seam, mut passed) in by_seam {
        passed.sort_by_key(|(one, _)| (one.at, one.id));
        let mut paces = Paces::default();
        let Some(protocol) = passed.first().map(|(one, _)| one.protocol.clone()) else { continue };
        passed.retain(|(one, _)| one.protocol == protocol);
        let sockets = Sockets::of(&passed);
        let interactions = passed
            .iter()
            .map(|(one, test)| Recorded {
                connection: sockets.number(one),
                elapsed: paces.elapsed(one),
                ..recorded(one, *test)
            })
            .collect();
        made.recordings.push(Recording { seam, protocol, volatile: Vec::new(), interactions });
    }
    made
}

/// When something was last said on each stream of a seam: by its connection, and what was asked for.
#[derive(Default)]
struct Paces(HashMap<(u64, String), Duration>);

impl Paces {
    /// How long it took; of a message on a stream, how long after what came before it.
    fn elapsed(&mut self, passed: &Interaction) -> Option<Duration> {
        let asked = if passed.message == Value::Null { &passed.request } else { &passed.message };
        let Some(stream) = streams::stream_of(asked) else { return passed.elapsed };
        let before = self.0.insert((passed.connection, stream), passed.at);
        match before {
            Some(before) if passed.message != Value::Null => Some(passed.at.saturating_sub(before)),
            _ => passed.elapsed,
        }
    }
}

fn recorded(passed: &Interaction, test: Option<&TestId>) -> Recorded {
    Recorded {
        test: test.map(|test| test.as_str().to_owned()),
        request: normal(&passed.protocol, &passed.request),
        reply: normal(&passed.protocol, &passed.reply),
        message: normal(&passed.protocol, &passed.message),
        error: passed.error.map(|error| error.name().to_owned()),
        elapsed: passed.elapsed,
        number: passed.id,
        ..Recorded::default()
    }
}

/// The connections on which messages of WebSocket passed; where there was only one it needs no number.
struct Sockets(Vec<u64>);

impl Sockets {
    fn of(passed: &[(&Interaction, Option<&TestId>)]) -> Self {
        let mut connections: Vec<u64> = Vec::new();
        for (one, _) in passed.iter().filter(|(one, _)| is_of_socket(one)) {
            if !connections.contains(&one.connection) {
                connections.push(one.connection);
            }
        }
        Self(connections)
    }

    fn number(&self, one: &Interaction) -> Option<u64> {
        let index = self.0.iter().position(|known| *known == one.connection)?;
        (self.0.len() > 1 && is_of_socket(one)).then_some(index as u64 + 1)
    }
}

/// Is it a message of WebSocket, or the change over to it?
fn is_of_socket(one: &Interaction) -> bool {
    is_http(&one.protocol)
        && (one.message.get("from").is_some() || one.reply.get("status").and_then(Value::as_i64) == Some(101))
}

fn last_attempts(events: &[Event]) -> HashMap<&TestId, u32> {
    let mut last = HashMap::new();
    for scope in events.iter().map(|event| &event.scope) {
        if let (Some(test), Some(attempt)) = (&scope.test, scope.attempt) {
            let known = last.entry(test).or_insert(attempt);
            *known = attempt.max(*known);
        }
    }
    last
}

fn is_of_last(scope: &Scope, last: &HashMap<&TestId, u32>) -> bool {
    match (&scope.test, scope.attempt) {
        (Some(test), Some(attempt)) => last.get(test).is_none_or(|last| *last == attempt),
        _ => true,
    }
}
