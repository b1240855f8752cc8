//! What is different between an expected and an actual value, part by part.

use crate::show::{self, short};
use seam_expr::{KeyCase, Segment};
use seam_value::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Beyond so many elements lists of different lengths are compared place by place.
const MAX_ALIGNED: usize = 500;
/// How many differences are listed.
const MAX_LISTED: usize = 20;

/// Which parts may be there without being expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None: both are equal.
    Equal,
    /// Maps may hold more, at any depth; lists have the same length and order.
    Like,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, from the value that was compared. Indexes are those of the actual list, or of the expected one
    /// where something is missing.
    pub path: Vec<Segment>,
    /// What.
    pub how: How,
}

/// In what way two values differ at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Another value is there.
    Other {
        /// What was expected.
        expected: Value,
        /// What is there.
        actual: Value,
    },
    /// Nothing is there.
    Missing {
        /// What was expected.
        expected: Value,
    },
    /// Something is there that was not expected.
    Unexpected {
        /// What is there.
        actual: Value,
    },
}

/// All differences, in the order of the expected value; none exactly where they are equal (or, in the other mode,
/// where the actual value holds all that was expected).
pub fn differences(expected: &Value, actual: &Value, mode: Mode) -> Vec<Difference> {
    differences_at(KeyCase::Exact, expected, actual, mode)
}

/// The same for values that stand at a place where keys may ignore case.
pub(crate) fn differences_at(case: KeyCase, expected: &Value, actual: &Value, mode: Mode) -> Vec<Difference> {
    let mut comparing = Comparing { mode, case, path: Vec::new(), found: Vec::new() };
    comparing.values(expected, actual);
    comparing.found
}

/// Is there none?
pub(crate) fn matches(case: KeyCase, expected: &Value, actual: &Value, mode: Mode) -> bool {
    match (expected, actual) {
        (Value::List(expected), Value::List(actual)) => {
            let mut pairs = expected.iter().zip(actual);
            expected.len() == actual.len()
                && pairs.all(|(expected, actual)| matches(case, expected, actual, mode))
        }
        (Value::Map(expected), Value::Map(actual)) => {
            let holds = |(key, expected): (&String, &Value)| {
                let inside = case.below(key);
                case.get(actual, key).is_some_and(|actual| matches(inside, expected, actual, mode))
            };
            (mode == Mode::Like || unexpected(case, expected, actual).next().is_none())
                && expected.iter().all(holds)
        }
        _ => expected == actual,
    }
}

/// What a map has beyond what is expected of it.
fn unexpected<'v>(
    case: KeyCase,
    expected: &'v Map,
    actual: &'v Map,
) -> impl Iterator<Item = (&'v String, &'v Value)> {
    actual.iter().filter(move |(key, _)| case.get(expected, key).is_none())
}

/// Of the elements of a list the one that differs least from what was expected, with its differences: the one that was
/// meant. None where no element is anywhere near.
pub(crate) fn nearest<'v>(
    case: KeyCase,
    expected: &Value,
    elements: impl Iterator<Item = (usize, &'v Value)>,
    mode: Mode,
) -> Option<(usize, Vec<Difference>)> {
    let n_leaves = if expected.as_map().is_some() { leaves(expected) } else { 0 };
    elements
        .filter(|(_, element)| element.as_map().is_some())
        .take(MAX_ALIGNED)
        .map(|(index, element)| (index, differences_at(case, expected, element, mode)))
        .filter(|(_, found)| found.len() < n_leaves)
        .min_by_key(|(_, found)| found.len())
}

/// How many plain values stand in a value.
fn leaves(value: &Value) -> usize {
    match value {
        Value::List(list) => list.iter().map(leaves).sum(),
        Value::Map(map) => map.values().map(leaves).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => 1,
    }
}

struct Comparing {
    mode: Mode,
    /// How keys are compared at the place that it is at.
    case: KeyCase,
    path: Vec<Segment>,
    found: Vec<Difference>,
}

impl Comparing {
    fn values(&mut self, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Map(expected), Value::Map(actual)) => self.maps(expected, actual),
            (Value::List(expected), Value::List(actual)) => self.lists(expected, actual),
            _ if expected == actual => {}
            _ => self.push(How::Other { expected: expected.clone(), actual: actual.clone() }),
        }
    }

    fn maps(&mut self, expected: &Map, actual: &Map) {
        for (key, expected) in expected {
            let found = self.case.get(actual, key);
            self.below(key.clone(), |this| match found {
                Some(actual) => this.values(expected, actual),
                None => this.push(How::Missing { expected: expected.clone() }),
            });
        }
        if self.mode == Mode::Equal {
            for (key, actual) in unexpected(self.case, expected, actual) {
                self.below(key.clone(), |this| this.push(How::Unexpected { actual: actual.clone() }));
            }
        }
    }

    fn lists(&mut self, expected: &[Value], actual: &[Value]) {
        if expected.len() == actual.len() || expected.len().max(actual.len()) > MAX_ALIGNED {
            self.in_order(expected, 0, actual, 0);
            return;
        }
        // One element more or less must not make all that follow look different.
        let mut kinds: Vec<&Value> = Vec::new();
        let (mode, case) = (self.mode, self.case);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for value in expected {
            let known = kinds.iter().position(|known| *known == value);
            left.push(known.unwrap_or(kinds.len()));
            if known.is_none() {
                kinds.push(value);
            }
        }
        for value in actual {
            let known = kinds.iter().position(|known| matches(case, known, value, mode));
            right.push(known.unwrap_or(usize::MAX));
        }
        for op in capture_diff_slices(Algorithm::Myers, &left, &right) {
            let (old, new) = (op.old_range(), op.new_range());
            if !matches!(op, DiffOp::Equal { .. }) {
                self.in_order(&expected[old.clone()], old.start, &actual[new.clone()], new.start);
            }
        }
    }

    /// Place by place; what is left over on one side is missing or unexpected.
    fn in_order(&mut self, expected: &[Value], first_expected: usize, actual: &[Value], first_actual: usize) {
        for index in 0..expected.len().max(actual.len()) {
            match (expected.get(index), actual.get(index)) {
                (Some(expected), Some(actual)) => {
                    self.inside((first_actual + index).to_string(), |this| this.values(expected, actual));
                }
                (Some(expected), None) => {
                    let how = How::Missing { expected: expected.clone() };
                    self.inside((first_expected + index).to_string(), |this| this.push(how));
                }
                (None, Some(actual)) => {
                    let how = How::Unexpected { actual: actual.clone() };
                    self.inside((first_actual + index).to_string(), |this| this.push(how));
                }
                (None, None) => {}
            }
        }
    }

    /// Looks at a part of a map.
    fn below(&mut self, name: String, look: impl FnOnce(&mut Self)) {
        let above = self.case;
        self.case = above.below(&name);
        self.inside(name, look);
        self.case = above;
    }

    /// Looks at an element of a list, or at a part of a map.
    fn inside(&mut self, name: String, look: impl FnOnce(&mut Self)) {
        self.path.push(Segment::Name(name));
        look(self);
        self.path.pop();
    }

    fn push(&mut self, how: How) {
        self.found.push(Difference { path: self.path.clone(), how });
    }
}

impl Difference {
    /// The line beneath a caret that already points at the part.
    pub(crate) fn message(&self) -> String {
        match &self.how {
            How::Other { expected, actual } => show::actual(actual, Some(expected)),
            How::Missing { .. } => "missing".to_owned(),
            How::Unexpected { actual } => match self.path.last() {
                Some(name) => format!("unexpected: `{name}` is {}", short(actual)),
                None => format!("unexpected: {}", short(actual)),
            },
        }
    }

    /// The line in a list of differences.
    fn line(&self, path: &str) -> String {
        let at = self.path.iter().fold(path.to_owned(), |path, segment| format!("{path}.{segment}"));
        match &self.how {
            How::Other { expected, actual } => {
                let actual = show::actual(actual, Some(expected));
                format!("{at}: expected {}, {}", short(expected), actual.replacen("actual: ", "actual ", 1))
            }
            How::Missing { expected } => format!("{at}: missing, expected {}", short(expected)),
            How::Unexpected { actual } => format!("{at}: unexpected {}", short(actual)),
        }
    }
}

/// All differences as lines; `path` is where the compared value stands.
pub(crate) fn lines(differences: &[Difference], path: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for difference in differences.iter().take(MAX_LISTED) {
        if !(differences.len() == 1 && difference.path.is_empty()) {
            lines.push(difference.line(path));
        }
        if let How::Other { expected: Value::Text(expected), actual: Value::Text(actual) } = &difference.how {
            let indent = if difference.path.is_empty() { "" } else { "  " };
            lines.extend(
                show::text_difference(expected, actual).into_iter().map(|line| format!("{indent}{line}")),
            );
        }
    }
    if differences.len() > MAX_LISTED {
        lines.push(format!("… and {} more", differences.len() - MAX_LISTED));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(expected: &str, actual: &str, mode: Mode) -> Vec<String> {
        let (expected, actual) = (seam_value::parse(expected).unwrap(), seam_value::parse(actual).unwrap());
        let found = differences(&expected, &actual, mode);
        found.iter().map(|difference| difference.line("it")).collect()
    }

    #[test]
    fn differences_are_named() {
        for (expected, actual, mode, lines) in [
            ("1", "1.0", Mode::Equal, &[][..]),
            ("1", "2", Mode::Equal, &["it: expected 1, actual 2"]),
            ("1", "\"1\"", Mode::Equal, &["it: expected 1, actual \"1\" (a text, not a number)"]),
            ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", Mode::Equal, &[]),
            (
                "{\"a\":1,\"b\":{\"c\":2}}",
                "{\"a\":null,\"b\":{\"d\":3}}",
                Mode::Equal,
                &["it.a: expected 1, actual null", "it.b.c: missing, expected 2", "it.b.d: unexpected 3"],
            ),
            ("{\"b\":{\"c\":2}}", "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", Mode::Like, &[]),
            ("[1,2,3]", "[1,3]", Mode::Equal, &["it.1: missing, expected 2"]),
            ("[1,3]", "[1,2,3]", Mode::Equal, &["it.1: unexpected 2"]),
            ("[1,2]", "[2,1]", Mode::Equal, &["it.0: expected 1, actual 2", "it.1: expected 2, actual 1"]),
            (
                "[{\"a\":1},{\"b\":2}]",
                "[{\"b\":2,\"x\":0}]",
                Mode::Like,
                &["it.0: missing, expected {\"a\":1}"],
            ),
            (
                "[{\"a\":1,\"b\":1}]",
                "[{\"a\":1,\"b\":2},{\"a\":2}]",
                Mode::Equal,
                &["it.0.b: expected 1, actual 2", "it.1: unexpected {\"a\":2}"],
            ),
        ] {
            assert_eq!(listed(expected, actual, mode), lines, "{expected} against {actual}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            prop_oneof![Just("1.0"), Just("0.1"), Just("1e0")].prop_map(|n| seam_value::parse(n).unwrap()),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::vec(("[abc]", inner), 0..4).prop_map(Value::map),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_difference_exactly_where_they_are_equal(left in value(), right in value()) {
            prop_assert_eq!(differences(&left, &right, Mode::Equal).is_empty(), left == right);
            prop_assert_eq!(differences(&left, &right, Mode::Like).is_empty(), matches(KeyCase::Exact, &left, &right, Mode::Like));
            prop_assert!(differences(&left, &left, Mode::Equal).is_empty());
            if left == right {
                prop_assert!(matches(KeyCase::Exact, &left, &right, Mode::Like));
            }
        }
    }
}
