//! What a template may ask while it is rendered: variables, components, chance, the clock, files.
//!
//! Nothing in this crate looks anything up by itself. Whoever runs a test answers these questions, so that the
//! same answers give the same values again.

use crate::chance::Chance;
use jiff::Timestamp;
use seam_diag::Span;
use seam_value::Value;

/// The answers of one test (or fixture) to what its templates ask.
pub trait Names {
    /// The value of a variable; none where it has none (yet).
    fn get(&self, name: &str) -> Option<Value>;

    /// A property of a component as the test reaches it: `api.url`, `pg.orders.port`.
    fn component(&self, path: &str) -> Option<String>;

    /// The random numbers of this test.
    fn chance(&self) -> &Chance;

    /// What the time is.
    fn now(&self) -> Timestamp;

    /// A variable of the environment, `.env` included.
    fn env(&self, name: &str) -> Option<String>;

    /// The bytes of a file, its path relative to the project's folder (`./x`: to the test's own file); the error
    /// says why it can't be read.
    fn file(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Why a value could not be worked out, with its place in the user's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// The part of the template or expression that it is about.
    pub span: Span,
    /// What is wrong: lower case, without a full stop.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl EvalError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// One mention of a name in a template or an expression, for whoever checks before the start that it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameUse {
    /// The first name: `order` of `$order.id`, `api` of `${api.url}`.
    pub name: String,
    /// What follows it, with dots, as far as it is plain names; empty where nothing does.
    pub path: String,
    /// Where it stands, from the first name to the last.
    pub span: Span,
    /// How it is written, which decides what it may mean.
    pub way: Way,
}

/// How a name is mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `$name`: a variable.
    Dollar,
    /// Inside `${ … }`: a variable or, with a path, a component (`api.url`).
    Expression,
    /// In an expression about a result (`that`, `unless`): a field of the result, else as in
    /// [`Expression`](Self::Expression).
    Result,
}
