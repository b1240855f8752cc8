//! JSONPath in the dialect that WireMock's users write: Jayway's, which is older than the standard and differs from it.
//!
//! A path that can lead to one place only is *definite*: it gives what is there, or nothing. Any other gives a list.
//! Filters compare across types more freely, know `=~`, `in`, `size`, `empty` and others, and paths may end in functions.

mod evaluate;
mod parse;
#[cfg(test)]
mod tests;

use seam_value::Value;

/// A path that has been read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
    function: Option<Function>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// `.name`, `['a', 'b']`
    Names(Vec<String>),
    /// `[0]`, `[0, -1]`
    Indexes(Vec<i64>),
    /// `[1:3]`
    Slice(Option<i64>, Option<i64>),
    /// `*`
    Every,
    /// `..`: here and everywhere below.
    Deep,
    /// `[?(…)]`
    Filter(Condition),
}

/// What a filter asks.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// Something is there.
    Exists(Operand),
    Compare(Operand, String, Operand),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    /// `/…/i`
    Pattern(String),
    /// `@.a` or `$.a`.
    Path {
        from_root: bool,
        path: JsonPath,
    },
}

/// What is made of what was found.
#[derive(Clone, Debug, PartialEq)]
enum Function {
    Length,
    Keys,
    Sum,
    Min,
    Max,
    Average,
    First,
    Last,
    Index(i64),
    Concat(Vec<Operand>),
    Append(Vec<Operand>),
}

/// Why a text is no path: one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoPath(String);

/// What a path led to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// Nothing is there.
    Nothing,
    /// One value.
    One(Value),
    /// All that an indefinite path led to.
    Many(Vec<Value>),
}

impl JsonPath {
    /// Reads a path; `$.` may be left out.
    pub(crate) fn parse(text: &str) -> Result<Self, NoPath> {
        parse::parse(text)
    }

    /// Can it lead to one place only?
    pub(crate) fn is_definite(&self) -> bool {
        let last = self.steps.len().saturating_sub(1);
        self.steps.iter().enumerate().all(|(at, step)| match step {
            // Several names at the end lead to one map of these.
            Step::Names(names) => names.len() == 1 || at == last,
            Step::Indexes(indexes) => indexes.len() == 1,
            Step::Slice(..) | Step::Every | Step::Deep | Step::Filter(_) => false,
        })
    }

    /// Follows it.
    pub(crate) fn find(&self, root: &Value) -> Found {
        evaluate::find(self, root, root)
    }

    /// Follows it, where a map without the field that is asked for last has it as null: as in templates.
    pub(crate) fn find_or_null(&self, root: &Value) -> Found {
        evaluate::find_or_null(self, root)
    }

    /// Where it leads, as plain paths from the root.
    pub(crate) fn places(&self, root: &Value) -> Vec<Vec<Key>> {
        evaluate::places(self, root)
    }
}

/// One step of a plain path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A field.
    Name(String),
    /// An element.
    Index(usize),
}

/// The value at a plain path, to be changed.
pub(crate) fn at_mut<'v>(root: &'v mut Value, path: &[Key]) -> Option<&'v mut Value> {
    path.iter().try_fold(root, |value, key| match (key, value) {
        (Key::Name(name), Value::Map(map)) => map.get_mut(name),
        (Key::Index(index), Value::List(list)) => list.get_mut(*index),
        _ => None,
    })
}
