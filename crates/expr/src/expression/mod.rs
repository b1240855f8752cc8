//! Expressions: `${ … }` in values, `when`, `that`.
//!
//! The language is CEL (<https://cel.dev>), with exact numbers: its grammar, its operators, its macros `all exists
//! exists_one filter map has`, and the functions of [`FUNCTIONS`](crate::FUNCTIONS). Where it differs from other
//! CELs, it is stricter or kinder to testers:
//!
//! - numbers are exact decimals, so `19.5 * 2` is `39.0` and `0.1 + 0.2` is `0.3`; two integers divide to an integer;
//! - `201 == '201'` is an error, not false;
//! - a variable may be written `$order` as well as `order`, and a component's property stands as `api.url`;
//! - `now()` is a time, which compares with texts that are times.

pub(crate) mod budget;
mod evaluate;
mod grammar;
pub(crate) mod item;
mod operate;
mod tree;

use crate::names::{EvalError, NameUse, Names, Way};
use evaluate::{Scope, evaluate, known};
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Node, NodeKind};
use seam_value::Value;
use tree::Tree;

/// An expression that has been read, to be worked out as often as is wanted.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    span: Span,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Tree(Box<Tree>),
    /// `stock-import.url`: a dash without spaces belongs to the name of a component, never to a subtraction.
    Component(String),
}

impl Expression {
    /// Reads the text of an expression; `place` says where its parts stand (offset and length in bytes).
    pub fn parse(text: &str, place: &(dyn Fn(usize, usize) -> Span + Sync)) -> Result<Self, Box<Diagnostic>> {
        let body = match text.trim() {
            name if is_dashed_reference(name) => Body::Component(name.to_owned()),
            _ => Body::Tree(Box::new(grammar::read(text, place)?)),
        };
        let start = text.len() - text.trim_start().len();
        let span = place(start, text.trim().len());
        Ok(Self { text: text.trim().to_owned(), span, body })
    }

    /// Reads a node that is an expression: `when: order.total > 10`, also as `$paid`, `${ … }`, `true`. `what` it is
    /// for stands in messages.
    pub fn read(node: &Node, what: &str, found: &mut Diagnostics) -> Option<Self> {
        let text = match &node.kind {
            NodeKind::Text { text, .. } => text.clone(),
            NodeKind::Bool(flag) => flag.to_string(),
            _ => {
                let label = format!("this is {}", node.kind_name());
                found.push(Diagnostic::error(format!("`{what}` takes an expression")).at(node.span, label));
                return None;
            }
        };
        let (from, inner) = without_braces(&text);
        match Self::parse(inner, &|offset, length| node.part(from + offset, length)) {
            Ok(expression) => Some(expression),
            Err(diagnostic) => {
                found.push(*diagnostic);
                None
            }
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Works it out.
    pub fn evaluate(&self, names: &dyn Names) -> Result<Value, EvalError> {
        self.run(None, names)
    }

    /// Works it out about a result: the result's fields are names, and `it` is the whole of it.
    pub fn evaluate_about(&self, result: &Value, names: &dyn Names) -> Result<Value, EvalError> {
        self.run(Some(result), names)
    }

    /// Does it hold? Anything but true and false is an error.
    pub fn holds(&self, names: &dyn Names) -> Result<bool, EvalError> {
        self.boolean(None, names)
    }

    /// Does it hold about a result?
    pub fn holds_about(&self, result: &Value, names: &dyn Names) -> Result<bool, EvalError> {
        self.boolean(Some(result), names)
    }

    /// The names that it mentions. `way` says what a plain name in it may mean.
    pub fn names(&self, way: Way) -> Vec<NameUse> {
        match &self.body {
            Body::Tree(tree) => {
                let mut out = Vec::new();
                tree.names(way, &mut Vec::new(), &mut out);
                out
            }
            Body::Component(reference) => {
                let (name, path) = reference.split_once('.').unwrap_or((reference, ""));
                vec![NameUse { name: name.to_owned(), path: path.to_owned(), span: self.span, way }]
            }
        }
    }

    /// The functions that it calls, with their places.
    pub fn functions(&self) -> Vec<(&'static str, Span)> {
        let mut out = Vec::new();
        if let Body::Tree(tree) = &self.body {
            tree.functions(&mut out);
        }
        out
    }

    fn run(&self, result: Option<&Value>, names: &dyn Names) -> Result<Value, EvalError> {
        match &self.body {
            Body::Tree(tree) => {
                let known = known(tree, names);
                Ok(evaluate(tree, &Scope::new(names, result, &known))?.into_value())
            }
            Body::Component(reference) => names.component(reference).map(Value::from).ok_or_else(|| {
                EvalError::new(self.span, format!("nothing is known as `{reference}`"))
                    .hint("for a subtraction, write spaces around the minus")
            }),
        }
    }

    fn boolean(&self, result: Option<&Value>, names: &dyn Names) -> Result<bool, EvalError> {
        match self.run(result, names)? {
            Value::Bool(flag) => Ok(flag),
            other => {
                let message =
                    format!("the expression must give true or false, it gave {}", item::kind_name(&other));
                Err(EvalError::new(self.span, message))
            }
        }
    }
}

/// Letters, digits, `_` and `-`, with at least one dot and a dash in a name before the last dot.
fn is_dashed_reference(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    text.contains('.')
        && text.split('.').all(is_name)
        && text.rsplit_once('.').is_some_and(|(before, _)| before.contains('-'))
}

/// The inside of `${ … }` where that is all of the text, with the offset at which it begins.
fn without_braces(text: &str) -> (usize, &str) {
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match inner {
        Some(inner) if !inner.contains("${") => (text.len() - text.trim_start().len() + 2, inner),
        _ => (0, text),
    }
}

#[cfg(test)]
mod tests;
