//! Recordings as tests: the provider is asked what the consumer asked, and must answer as recorded, apart from what varies.
//!
//! They are written in the language of tests, so that they are run, judged and told like all others. What an earlier answer
//! gave and a later request used is saved and used again.

use crate::brokers::{as_asked, exclusive_queues, is_about, is_broker, makes};
use crate::drive_step::{Asking, step};
use crate::marks;
use crate::recording::{Recorded, Recording};
use crate::sockets::as_talk;
use crate::thread::Threads;
use crate::volatile::Mask;
use crate::yaml;
use seam_value::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How much of an answer is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// All that does not vary, and nothing more may be there: a replay.
    Whole,
    /// What people would write: the status and the body's fields.
    Gist,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// Its name, unique among those made together.
    pub name: String,
    /// The test in which it was recorded; none for what passed outside of tests.
    pub recorded_in: Option<String>,
    /// How many of its steps ask something.
    pub n_asked: usize,
    /// As it stands in the list of a file's tests.
    pub text: String,
}

/// Tests made of recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drivers {
    /// In the order in which they were recorded.
    pub list: Vec<Driver>,
    /// How many interactions are in none of them, by the reason.
    pub not_asked: BTreeMap<NotAsked, usize>,
}

/// Why an interaction can't be asked again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NotAsked {
    /// There is no step for it.
    #[error("no step asks such a thing of {0}")]
    NoStep(String),
    /// Whoever subscribes waits for what others publish.
    #[error("subscriptions are not asked")]
    Subscription,
    /// It was published to answer what nobody asks the consumer here.
    #[error("it answers a message that was delivered")]
    Answer,
    /// It is about a queue that belongs to one connection.
    #[error("an exclusive queue belongs to the connection that declared it")]
    Exclusive,
    /// It is not asked at all.
    #[error("messages are not asked")]
    Message,
    /// It never came to an answer that could be compared.
    #[error("there was no answer")]
    Unanswered,
    /// It changes the protocol.
    #[error("no step speaks what the connection was upgraded to")]
    Upgrade,
    /// What it says was masked, is no declared secret, and no earlier answer gave it.
    #[error("«{0}» was masked when it was recorded; declare it under `secrets`")]
    Masked(String),
    /// What it says was given by an answer to something that is not asked.
    #[error("an answer that is not asked for gave it «{0}»")]
    Given(String),
    /// The system does so whenever it is raised.
    #[error("the system asks by itself while it is raised")]
    Raising,
}

impl Drivers {
    /// Without what was asked while the system was raised, for a system that is raised before it is asked: that has done it
    /// by then, and a migration can't be asked twice. It is what a job asked, and what passed outside of tests where there
    /// were some.
    #[must_use]
    pub fn without_raising(mut self, of_job: bool) -> Self {
        if of_job || self.list.iter().any(|driver| driver.recorded_in.is_some()) {
            let outside = self.list.extract_if(.., |driver| driver.recorded_in.is_none());
            let n_asked: usize = outside.map(|driver| driver.n_asked).sum();
            if n_asked > 0 {
                *self.not_asked.entry(NotAsked::Raising).or_default() += n_asked;
            }
        }
        self
    }
}

/// An interaction with the recording in which it stands.
type Passed<'a> = (&'a Recording, &'a Recorded);

/// Makes tests of recordings that belong together: one for each in which anything was asked. `knows_secret` says whether
/// the system has a secret of this name.
pub fn as_tests(
    recordings: &[Recording],
    thoroughness: Thoroughness,
    knows_secret: &dyn Fn(&str) -> bool,
) -> Drivers {
    let recordings: Vec<Cow<'_, Recording>> = recordings
        .iter()
        .map(|one| if is_broker(&one.protocol) { as_asked(one) } else { as_talk(one) })
        .collect();
    let recordings: Vec<&Recording> = recordings.iter().map(AsRef::as_ref).collect();
    let of_amqp = recordings.iter().filter(|recording| recording.protocol == "amqp");
    let exclusive: Vec<_> = of_amqp.map(|recording| (*recording, exclusive_queues(recording))).collect();
    let mut passed: Vec<Passed<'_>> = recordings
        .into_iter()
        .flat_map(|recording| recording.interactions.iter().map(move |one| (recording, one)))
        .collect();
    passed.sort_by_key(|(_, one)| one.number);
    let mut groups: Vec<(Option<&str>, Vec<Passed<'_>>)> = Vec::new();
    for (recording, recorded) in passed {
        let test = recorded.test.as_deref();
        match groups.iter_mut().find(|(known, _)| *known == test) {
            Some((_, list)) => list.push((recording, recorded)),
            None => groups.push((test, vec![(recording, recorded)])),
        }
    }
    let before: Vec<Vec<Passed<'_>>> =
        groups.iter().map(|(test, list)| what_comes_before(*test, list, &groups)).collect();
    let mut drivers = Drivers::default();
    for ((test, own), mut list) in groups.into_iter().zip(before) {
        list.extend(own);
        let list = declared_first(list);
        let mut steps = Vec::new();
        let mut vars = Map::default();
        let mut threads = Threads::default();
        // What only answers gave that are not asked for.
        let mut missing: Vec<String> = Vec::new();
        let who = actors(&list);
        for ((recording, recorded), actor) in list.into_iter().zip(who) {
            if is_part_of_a_call(recording, recorded) {
                continue;
            }
            let mask = Mask::new(&recording.volatile, &recorded.volatile);
            let is_exclusive = exclusive
                .iter()
                .any(|(of, queues)| std::ptr::eq(*of, recording) && is_about(&recorded.request, queues));
            let (mask, number) = (&mask, steps.len());
            let asking =
                Asking { recording, recorded, is_exclusive, mask, thoroughness, knows_secret, number };
            match step(&asking, &mut threads, &mut vars) {
                Ok(mut made) => {
                    if let Some(actor) = actor {
                        made.shift_insert(1, "as".to_owned(), Value::Text(format!("visitor_{actor}")));
                    }
                    threads.take_in(steps.len(), &recorded.reply, mask);
                    steps.push(made);
                }
                Err(reason) => {
                    let reason = match reason {
                        NotAsked::Masked(mark) if missing.contains(&mark) => NotAsked::Given(mark),
                        other => other,
                    };
                    marks_in(&recorded.reply, &mut missing);
                    *drivers.not_asked.entry(reason).or_default() += 1;
                }
            }
        }
        if steps.is_empty() {
            continue;
        }
        for (index, name, path) in threads.saved() {
            if let Value::Map(save) =
                steps[*index].entry("save".to_owned()).or_insert_with(|| Value::Map(Map::default()))
            {
                save.insert(name.clone(), Value::text(path));
            }
        }
        let name = unique(title(test), &drivers.list);
        let n_asked = steps.len();
        let text = written(&name, vars, steps);
        drivers.list.push(Driver { name, recorded_in: test.map(str::to_owned), n_asked, text });
    }
    drivers
}

/// Is it a message of a gRPC call, whose messages stand in its request and its reply as well?
fn is_part_of_a_call(recording: &Recording, recorded: &Recorded) -> bool {
    let of = |part: &Value| Some((part.get("service")?.clone(), part.get("method")?.clone()));
    recording.protocol == "grpc"
        && of(&recorded.message).is_some_and(|own| {
            recording.interactions.iter().any(|one| of(&one.request).as_ref() == Some(&own))
        })
}

/// What was asked elsewhere and has to be asked first: a test may go on with a session that a fixture of its file opened.
/// It is all that led to the answer that gave what the test's requests use and none of its own answers gave.
fn what_comes_before<'a>(
    test: Option<&str>,
    list: &[Passed<'a>],
    groups: &[(Option<&str>, Vec<Passed<'a>>)],
) -> Vec<Passed<'a>> {
    let (mut used, mut given) = (Vec::new(), HashSet::new());
    for (_, one) in list {
        let mut marks = Vec::new();
        marks_in(&one.request, &mut marks);
        used.extend(marks.into_iter().filter(|mark| !given.contains(mark)).map(|mark| (mark, one.number)));
        let mut marks = Vec::new();
        marks_in(&one.reply, &mut marks);
        given.extend(marks);
    }
    let mut before: Vec<Passed<'a>> = Vec::new();
    for (mark, number) in used {
        let gives = |(_, one): &&Passed<'_>| {
            let mut marks = Vec::new();
            marks_in(&one.reply, &mut marks);
            one.number < number && marks.contains(&mark)
        };
        let others = groups.iter().filter(|(other, _)| *other != test);
        let giver = others.filter_map(|(_, list)| Some((list, list.iter().rev().find(gives)?.1.number)));
        let Some((list, last)) = giver.max_by_key(|(_, number)| *number) else { continue };
        let new = list.iter().filter(|(_, one)| one.number <= last);
        let is_new = |one: &&Passed<'a>| !before.iter().any(|known| known.1.number == one.1.number);
        let new: Vec<Passed<'a>> = new.filter(is_new).copied().collect();
        before.extend(new);
    }
    before.extend(declared_before(test, list, groups));
    before.sort_by_key(|(_, one)| one.number);
    before
}

/// The first that is published to each broker.
fn published<'a>(list: &[Passed<'a>]) -> Vec<Passed<'a>> {
    let mut firsts: Vec<Passed<'a>> = Vec::new();
    for (on, one) in list {
        let is_known = firsts.iter().any(|(known, _)| known.seam.provider == on.seam.provider);
        // What is said on a WebSocket is a message as well.
        if is_broker(&on.protocol) && one.request.get("message").is_some() && !is_known {
            firsts.push((*on, *one));
        }
    }
    firsts
}

/// What others declared at the brokers to which a test publishes: a component does so when it starts, which belongs to no
/// test, or in an earlier one.
fn declared_before<'a>(
    test: Option<&str>,
    list: &[Passed<'a>],
    groups: &[(Option<&str>, Vec<Passed<'a>>)],
) -> Vec<Passed<'a>> {
    let published = published(list);
    let declares = |(other, one): &&Passed<'_>| {
        // The numbers of one recording alone tell what was before; of another's only its test may.
        let is_before = |(on, first): &Passed<'_>| {
            let is_later =
                || on.interactions.iter().any(|own| own.test == one.test && own.number >= first.number);
            let is_before = if std::ptr::eq(*other, *on) {
                one.number < first.number
            } else {
                one.test.is_none() || !is_later()
            };
            other.seam.provider == on.seam.provider && is_before
        };
        makes(one) && published.iter().any(is_before)
    };
    let others = groups.iter().filter(|(other, _)| *other != test);
    let mut once: Vec<Passed<'a>> = Vec::new();
    for (on, one) in others.flat_map(|(_, list)| list.iter().filter(declares).copied()) {
        // A component may do so again in each test.
        let is_known = |(known, before): &Passed<'_>| {
            known.seam.provider == on.seam.provider && before.request == one.request
        };
        if !once.iter().any(is_known) {
            once.push((on, one));
        }
    }
    once
}

/// What others declared stands before all that is published: which of both was first is not known.
fn declared_first(list: Vec<Passed<'_>>) -> Vec<Passed<'_>> {
    let published = published(&list);
    let is_others = |(other, one): &Passed<'_>| {
        let is_of_another =
            |(on, _): &Passed<'_>| other.seam.provider == on.seam.provider && !std::ptr::eq(*other, *on);
        makes(one) && published.iter().any(is_of_another)
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(is_others);
    first.extend(rest);
    first
}

/// Who asks, where there are several: each session, which a cookie opened, is somebody's. None is the test's own actor.
fn actors(list: &[Passed<'_>]) -> Vec<Option<usize>> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut n_actors = 0;
    let marks = |part: &Value, name: &str| {
        let mut marks = Vec::new();
        part.get("headers")
            .and_then(|headers| headers.get(name))
            .iter()
            .for_each(|value| marks_in(value, &mut marks));
        marks
    };
    let mut who = Vec::new();
    for (_, one) in list {
        let (sent, set) = (marks(&one.request, "cookie"), marks(&one.reply, "set-cookie"));
        let mut actor = sent.iter().find_map(|mark| known.get(mark).copied());
        if actor.is_none() && !set.is_empty() {
            n_actors += 1;
            actor = Some(n_actors);
        }
        if let Some(actor) = actor {
            known.extend(set.into_iter().map(|mark| (mark, actor)));
        }
        who.push(actor);
    }
    let first = who.iter().position(Option::is_some).unwrap_or(who.len());
    let is_one = n_actors < 2 && who[first..].iter().all(Option::is_some);
    if is_one { vec![None; who.len()] } else { who }
}

fn marks_in(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Text(text) => out.extend(marks::names_in(text)),
        Value::List(list) => list.iter().for_each(|child| marks_in(child, out)),
        Value::Map(map) => map.values().for_each(|child| marks_in(child, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A file of these tests; `head` are lines of comment.
pub fn written_tests(head: &str, drivers: &[Driver]) -> String {
    let comment: String = head.lines().flat_map(|line| ["# ", line, "\n"]).collect();
    let tests: Vec<&str> = drivers.iter().map(|driver| driver.text.as_str()).collect();
    format!("{comment}tests:\n{}", tests.join("\n"))
}

fn written(name: &str, vars: Map, steps: Vec<Map>) -> String {
    let mut test = Map::default();
    test.insert("name".to_owned(), Value::text(name));
    if !vars.is_empty() {
        test.insert("vars".to_owned(), Value::Map(vars));
    }
    test.insert("steps".to_owned(), Value::List(steps.into_iter().map(Value::Map).collect()));
    let mut text = String::new();
    yaml::element(&Value::Map(test), 2, &mut text);
    text
}

/// The name of a test without its file's.
fn title(test: Option<&str>) -> &str {
    test.map_or("Outside of tests", |test| test.split_once("::").map_or(test, |(_, name)| name))
}

fn unique(title: &str, list: &[Driver]) -> String {
    let is_taken = |name: &str| list.iter().any(|driver| driver.name == name);
    let numbered = (2..).map(|n| format!("{title} ({n})"));
    std::iter::once(title.to_owned())
        .chain(numbered)
        .find(|name| !is_taken(name))
        .expect("there are more numbers than tests")
}

#[cfg(test)]
mod tests {
    use super::{Driver, Drivers, NotAsked};

    #[test]
    fn what_the_system_asks_while_it_is_raised_is_not_asked_again() {
        let driver = |recorded_in: Option<&str>| Driver {
            name: recorded_in.unwrap_or("Outside of tests").to_owned(),
            recorded_in: recorded_in.map(str::to_owned),
            n_asked: 3,
            text: String::new(),
        };
        let test = Some("a.seam.yaml::A");
        for (recorded_in, of_job, n_left, n_raising) in [
            (vec![None, test], false, 1, Some(3)),
            (vec![None], true, 0, Some(3)),
            // What passed while it was up, and nobody knows whom it served.
            (vec![None], false, 1, None),
            (vec![test], true, 1, None),
        ] {
            let list = recorded_in.iter().map(|test| driver(*test)).collect();
            let left = Drivers { list, ..Drivers::default() }.without_raising(of_job);
            let told = left.not_asked.get(&NotAsked::Raising).copied();
            assert_eq!((left.list.len(), told), (n_left, n_raising), "{recorded_in:?}");
        }
    }
}
