//! Finds equal values in long lists without comparing each with each, which would take the square of their length.

use seam_value::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Values with their indexes; equal ones are found by a digest that is the same for equal values.
#[derive(Clone, Debug, Default)]
pub struct Lookup<'v> {
    by_digest: HashMap<u64, Vec<(usize, &'v Value)>>,
}

impl<'v> Lookup<'v> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All elements of a list, by their index.
    pub fn of(values: &'v [Value]) -> Self {
        let mut lookup = Self::new();
        // From the end, so that the first of several equal ones is taken first.
        for (index, value) in values.iter().enumerate().rev() {
            lookup.add(index, value);
        }
        lookup
    }

    /// Adds a value.
    pub fn add(&mut self, index: usize, value: &'v Value) {
        self.by_digest.entry(digest(value)).or_default().push((index, value));
    }

    /// The index of an equal value.
    pub fn find(&self, value: &Value) -> Option<usize> {
        let same = self.by_digest.get(&digest(value))?;
        same.iter().find(|(_, known)| *known == value).map(|(index, _)| *index)
    }

    /// Takes an equal value out and gives its index.
    pub fn take(&mut self, value: &Value) -> Option<usize> {
        let same = self.by_digest.get_mut(&digest(value))?;
        let at = same.iter().rposition(|(_, known)| *known == value)?;
        Some(same.remove(at).0)
    }

    /// The indexes that are left, in order.
    pub fn left(self) -> Vec<usize> {
        let mut left: Vec<usize> = self.by_digest.into_values().flatten().map(|(index, _)| index).collect();
        left.sort_unstable();
        left
    }
}

fn digest(value: &Value) -> u64 {
    let mut state = DefaultHasher::new();
    std::mem::discriminant(value).hash(&mut state);
    match value {
        Value::Null => {}
        Value::Bool(flag) => flag.hash(&mut state),
        Value::Number(number) => number.hash(&mut state),
        Value::Text(text) => text.hash(&mut state),
        Value::List(list) => list.iter().for_each(|element| digest(element).hash(&mut state)),
        // The order of keys does not count.
        Value::Map(map) => {
            let entry = |(key, value): (&String, &Value)| {
                let mut state = DefaultHasher::new();
                (key, digest(value)).hash(&mut state);
                state.finish()
            };
            map.iter().map(entry).fold(0, u64::wrapping_add).hash(&mut state);
        }
    }
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_digest() {
        for (left, right) in [
            ("1", "1.0"),
            ("[0, -0, 0e5]", "[0.0, 0, 0]"),
            (r#"{"a":1,"b":[2]}"#, r#"{"b":[2.00],"a":1e0}"#),
            (r#""\u0041""#, r#""A""#),
        ] {
            let (left, right) = (seam_value::parse(left).unwrap(), seam_value::parse(right).unwrap());
            assert_eq!(left, right);
            assert_eq!(digest(&left), digest(&right), "{left} and {right}");
        }
        for (left, right) in [("1", "\"1\""), ("[1,2]", "[2,1]"), ("null", "false"), ("[]", "{}")] {
            let (left, right) = (seam_value::parse(left).unwrap(), seam_value::parse(right).unwrap());
            assert_ne!(digest(&left), digest(&right), "{left} and {right}");
        }
    }

    #[test]
    fn each_value_is_taken_once() {
        let values = [Value::from(5_i64), Value::from("a"), Value::from(5_i64)];
        let mut lookup = Lookup::of(&values);
        let five = seam_value::parse("5.0").unwrap();
        assert_eq!(lookup.find(&five), Some(2));
        assert_eq!(lookup.take(&five), Some(0));
        assert_eq!(lookup.take(&five), Some(2));
        assert_eq!(lookup.take(&five), None);
        assert_eq!(lookup.left(), [1]);
    }
}
