//! What one expression may take, so that a loop over loops ends and no value grows without bound.
//!
//! An expression stands in a file of tests, but what it goes through comes over a wire and may be of any size.

use crate::expression::item::{Item, Problem};
use seam_value::Value;
use std::cell::Cell;

/// How many elements all loops of one expression may go through together. An expression has no business with more.
const MAX_STEPS: u64 = 1_000_000;
/// How many values (and 64 bytes of text for each) may be put into the lists and maps that it makes.
const MAX_PARTS: u64 = 4_000_000;
/// How many elements (and 64 bytes of text for each) its functions may look at.
const MAX_WORK: u64 = 200_000_000;
/// How long a text may become.
pub(crate) const MAX_TEXT: usize = 64 << 20;
/// How many elements a function may make of a text.
pub(crate) const MAX_ELEMENTS: usize = 1_000_000;

/// What is left.
pub(crate) struct Budget {
    steps: Cell<u64>,
    parts: Cell<u64>,
    work: Cell<u64>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { steps: Cell::new(MAX_STEPS), parts: Cell::new(MAX_PARTS), work: Cell::new(MAX_WORK) }
    }

    /// A loop goes on to its next element.
    pub(crate) fn step(&self) -> Result<(), Problem> {
        let all = || format!("the loop goes through more than {MAX_STEPS} elements");
        take(&self.steps, 1).ok_or_else(|| Problem::new(all()))
    }

    /// A value is put into a list or a map.
    pub(crate) fn keep(&self, value: &Value) -> Result<(), Problem> {
        let all = || format!("the expression makes more than {MAX_PARTS} values");
        take(&self.parts, weight(value)).ok_or_else(|| Problem::new(all()))
    }

    /// Something is done with all of some values.
    pub(crate) fn work(&self, items: &[Item<'_>]) -> Result<(), Problem> {
        let sizes = items.iter().filter_map(Item::as_value).map(size);
        take(&self.work, sizes.sum::<u64>() + 1).ok_or_else(too_much)
    }
}

impl Budget {
    /// A value that an element of a loop holds is copied.
    pub(crate) fn copy(&self, value: &Value) -> Result<(), Problem> {
        take(&self.work, weight(value)).ok_or_else(too_much)
    }
}

fn too_much() -> Problem {
    Problem::new("the expression goes through too much")
}

fn take(left: &Cell<u64>, n: u64) -> Option<()> {
    left.set(left.get().checked_sub(n)?);
    Some(())
}

/// A text that is about to be made.
pub(crate) fn fits(length: Option<usize>) -> Result<(), Problem> {
    match length {
        Some(length) if length <= MAX_TEXT => Ok(()),
        _ => Err(Problem::new(format!("the text becomes longer than {} MiB", MAX_TEXT >> 20))),
    }
}

/// A value with all that is in it.
fn weight(value: &Value) -> u64 {
    match value {
        Value::List(list) => 1 + list.iter().map(weight).sum::<u64>(),
        Value::Map(map) => 1 + map.values().map(weight).sum::<u64>(),
        plain => 1 + size(plain),
    }
}

/// What is to be gone through from one end to the other.
fn size(value: &Value) -> u64 {
    match value {
        Value::Text(text) => text.len() as u64 / 64,
        Value::List(list) => list.len() as u64,
        Value::Map(map) => map.len() as u64,
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_through_is_counted_by_its_size() {
        let list = Value::List(vec![Value::from(1_i64); 1_000_000]);
        let text = Value::text("a".repeat(64_000_000));
        for value in [&list, &text] {
            let budget = Budget::new();
            let n = (0..1_000).take_while(|_| budget.work(&[Item::borrowed(value)]).is_ok()).count();
            assert_eq!(n, 199);
            let error = budget.work(&[Item::borrowed(value)]).unwrap_err();
            assert_eq!(error.message, "the expression goes through too much");
            assert!(budget.work(&[]).is_ok(), "what is small may go on");
        }
        let budget = Budget::new();
        assert!((0..3).all(|_| budget.keep(&list).is_ok()) && budget.keep(&list).is_err());
        assert!((0..1_000).all(|_| budget.step().is_ok()));
    }
}
