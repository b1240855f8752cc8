//! What is counted.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Kinds of mistakes that are told with examples, so many of each.
const EXAMPLES: usize = 5;

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) asked: Cell<u64>,
    pub(crate) answered: Cell<u64>,
    pub(crate) connections: Cell<u64>,
    pub(crate) cuts: RefCell<HashMap<&'static str, u64>>,
    /// Longest time from a cut to the other side's end.
    pub(crate) slowest_end: Cell<Duration>,
    wrong: RefCell<HashMap<&'static str, (u64, Vec<String>)>>,
    /// Numbers of what was asked that changes something, and of what was answered.
    pub(crate) done: RefCell<HashSet<u64>>,
    pub(crate) tried: RefCell<HashSet<u64>>,
}

impl Tally {
    /// Something went wrong.
    pub(crate) fn wrong(&self, kind: &'static str, example: impl Into<String>) {
        let mut wrong = self.wrong.borrow_mut();
        let (count, examples) = wrong.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(example.into());
        }
    }

    pub(crate) fn cut(&self, kind: &'static str) {
        *self.cuts.borrow_mut().entry(kind).or_default() += 1;
    }

    pub(crate) fn ended_after(&self, time: Duration) {
        self.slowest_end.set(self.slowest_end.get().max(time));
        if time > Duration::from_secs(1) {
            self.wrong("hung", format!("the other side heard of an end after {time:?}"));
        }
    }

    /// Compares with what the server has.
    pub(crate) fn compare(&self, at_server: &[u64]) {
        let mut seen: HashMap<u64, u64> = HashMap::new();
        for number in at_server {
            *seen.entry(*number).or_default() += 1;
        }
        for (number, count) in &seen {
            if *count > 1 {
                self.wrong("doubled", format!("{number} was done {count} times"));
            }
            if !self.tried.borrow().contains(number) {
                self.wrong("changed", format!("{number} was done and never asked"));
            }
        }
        for number in self.done.borrow().iter().filter(|number| !seen.contains_key(*number)) {
            self.wrong("lost", format!("{number} was answered and never done"));
        }
    }

    pub(crate) fn n_wrong(&self) -> u64 {
        self.wrong.borrow().values().map(|(count, _)| count).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} asked, {} answered, {} connections, cuts {:?}, slowest end {:?}",
            self.asked.get(),
            self.answered.get(),
            self.connections.get(),
            self.cuts.borrow(),
            self.slowest_end.get()
        )?;
        for (kind, (count, examples)) in self.wrong.borrow().iter() {
            write!(f, "\n    {kind}: {count}, such as {examples:?}")?;
        }
        Ok(())
    }
}
