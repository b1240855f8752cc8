//! What a matcher is: its documentation, how it is read, and how it judges one value.

use crate::snapshots::Snapshots;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_event::Outcome;
use seam_expr::{EvalError, KeyCase, Missing, NameUse, Names, Path};
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

    /// Tells what is wrong in the files that it will read.
    fn check_files(&self, _: ReadFile<'_>, _: &mut Diagnostics) {}

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
    /// How the keys of the value are compared.
    pub(crate) case: KeyCase,
    /// Is the value a list because the path can lead to several things?
    pub(crate) is_many: bool,
}

impl Scene<'_> {
    /// The scene of an element of the value, or of a part of it.
    pub(crate) fn inside<'b>(&'b self, part: Option<&Path>, path: &'b str) -> Scene<'b> {
        let case = part.map_or(self.case, |part| self.case.follow(part.segments()));
        Scene { path, case, is_many: part.is_some_and(Path::is_many), ..*self }
    }
}

/// Reads a file by its path as written; the error says in one line why it can't be read.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

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

/// Warns of an expectation that every text meets.
pub(crate) fn always_holds(name: &str, node: &Node) -> Diagnostic {
    Diagnostic::warning(format!("`{name}` holds for every text"))
        .at(node.span, "nothing is asked")
        .hint("for an empty text write `\"\"` alone, or `empty: true`")
}

/// Tells that something else was expected right of a matcher's name.
pub(crate) fn wrong(name: &str, expected: &str, node: &Node) -> Diagnostic {
    Diagnostic::error(format!("`{name}` takes {expected}"))
        .at(node.span, format!("this is {}", node.kind_name()))
}
