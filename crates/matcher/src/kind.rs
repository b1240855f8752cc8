//! What a matcher is: its documentation, how it is read, and how it judges one value.

use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_event::Outcome;
use seam_expr::{EvalError, Missing, NameUse, Names};
use seam_model::{Node, Word};
use seam_value::Value;
use std::sync::Arc;

/// One kind of matcher.
#[derive(Debug)]
pub struct Kind {
    /// Its documentation. The example begins with comments that say what is there: `# body: {"total": 19.90}`.
    pub word: Word,
    /// Reads what stands right of its name; mistakes are told, and then there is no matcher.
    pub(crate) read: fn(&Node, &mut Diagnostics) -> Option<Arc<dyn Matcher>>,
}

impl Kind {
    /// Its documentation, asked for as that of all other kinds is.
    pub fn word(&self) -> &Word {
        &self.word
    }
}

/// Where values that were kept on purpose are found again (the matcher `snapshot`).
pub trait Snapshots {
    /// The value kept under a name; none where there is none yet, or it is to be taken anew.
    fn kept(&self, name: &str) -> Option<Value>;

    /// Keeps a value under a name for the next run.
    fn keep(&self, name: &str, value: &Value);
}

/// No snapshots at all: every one is missing, and none is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSnapshots;

impl Snapshots for NoSnapshots {
    fn kept(&self, _: &str) -> Option<Value> {
        None
    }

    fn keep(&self, _: &str, _: &Value) {}
}

/// One matcher with what it expects.
pub(crate) trait Matcher: std::fmt::Debug + Send + Sync {
    /// Judges a value.
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding;

    /// Judges that there is no value. None: as for all others, what is not there fails.
    fn judge_missing(&self, _: &Missing) -> Option<Finding> {
        None
    }

    /// The names that it mentions.
    fn names(&self) -> Vec<NameUse> {
        Vec::new()
    }

    /// The files that it will read, with the places where they are named.
    fn files(&self) -> Vec<(String, Span)> {
        Vec::new()
    }
}

/// What a matcher may ask while it judges.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) names: &'a dyn Names,
    pub(crate) snapshots: &'a dyn Snapshots,
    /// The path as written, for messages.
    pub(crate) path: &'a str,
    /// Do the keys of the value ignore case (headers)? They are small letters then.
    pub(crate) folds_keys: bool,
}

/// What a matcher found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) expected: Option<Value>,
    /// One line to stand beneath the caret; empty where it held.
    pub(crate) message: String,
    pub(crate) details: Vec<String>,
    /// A place that fits better than all of the expectation.
    pub(crate) at: Option<Span>,
}

impl Finding {
    pub(crate) fn held() -> Self {
        Self { outcome: Outcome::Held, expected: None, message: String::new(), details: Vec::new(), at: None }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, message: message.into(), ..Self::held() }
    }

    pub(crate) fn inconclusive(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Inconclusive, message: message.into(), ..Self::held() }
    }

    /// Held where it holds, else failed with the message.
    pub(crate) fn when(holds: bool, message: impl FnOnce() -> String) -> Self {
        if holds { Self::held() } else { Self::failed(message()) }
    }

    pub(crate) fn expecting(self, expected: Value) -> Self {
        Self { expected: Some(expected), ..self }
    }

    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    pub(crate) fn detail_all(mut self, lines: Vec<String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// Adds lines where it did not hold.
    pub(crate) fn detailed(self, lines: impl FnOnce() -> Vec<String>) -> Self {
        if self.holds() { self } else { self.detail_all(lines()) }
    }

    pub(crate) fn holds(&self) -> bool {
        self.outcome == Outcome::Held
    }
}

impl From<EvalError> for Finding {
    fn from(error: EvalError) -> Self {
        let finding = Self { at: Some(error.span), ..Self::failed(error.message) };
        match error.hint {
            Some(hint) => finding.detail(hint),
            None => finding,
        }
    }
}

/// Tells that something else was expected right of a matcher's name.
pub(crate) fn wrong(name: &str, expected: &str, node: &Node) -> Diagnostic {
    Diagnostic::error(format!("`{name}` takes {expected}"))
        .at(node.span, format!("this is {}", node.kind_name()))
}
