//! A value of a step in which variables may stand, and the parts of a text, as steps work them out.

use crate::action::Trouble;
use seam_diag::{Diagnostics, Span};
use seam_expr::{EvalError, NameUse, Names, Template};
use seam_model::{Entry, Node};
use seam_value::{Map, Value};

/// A value of a step in which variables may stand.
#[derive(Clone, Debug)]
pub(crate) struct Input(Template);

/// A part of a text in which variables stand.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Text as it is, beginning at this byte of the whole text (as far as that is known).
    Fixed {
        /// The text.
        text: String,
        /// Where it begins in the node's text.
        offset: usize,
    },
    /// A variable or an expression.
    Part(Part),
}

/// A variable or an expression, worked out with its type.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    piece: seam_expr::Piece,
    span: Span,
}

/// Maps of inputs, in the written order: `headers`, `env`, `with`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs(Vec<(String, Input)>);

impl Input {
    /// Reads a node; mistakes in expressions are told.
    pub(crate) fn read(node: &Node, found: &mut Diagnostics) -> Self {
        Self(Template::read(node, found))
    }

    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        self.0.span()
    }

    /// The value, where it is known beforehand.
    pub(crate) fn fixed(&self) -> Option<&Value> {
        self.0.as_literal()
    }

    /// Its value now.
    pub(crate) fn value(&self, names: &dyn Names) -> Result<Value, Trouble> {
        self.0.render(names).map_err(Trouble::from)
    }

    /// Its value as a text: lists and maps become JSON.
    pub(crate) fn text(&self, names: &dyn Names) -> Result<String, Trouble> {
        Ok(match self.value(names)? {
            Value::Text(text) => text,
            other => other.to_plain_text(),
        })
    }

    /// The variables in it.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        into.extend(self.0.names());
    }
}

impl Part {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Its value now.
    pub(crate) fn value(&self, names: &dyn Names) -> Result<Value, Trouble> {
        self.piece.render(names).map_err(Trouble::from)
    }

    /// As it was written, without the dollar: `order.id`.
    pub(crate) fn written(&self) -> String {
        match &self.piece {
            seam_expr::Piece::Text(text) => text.clone(),
            seam_expr::Piece::Name { path, .. } => format!("${path}"),
            seam_expr::Piece::Expression(expression) => format!("${{{}}}", expression.text()),
        }
    }

    /// The variables in it.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        match &self.piece {
            seam_expr::Piece::Text(_) => {}
            seam_expr::Piece::Name { path, span } => into.push(NameUse {
                name: path.first().to_owned(),
                path: path.rest().map(|rest| rest.to_string()).unwrap_or_default(),
                span: *span,
                way: seam_expr::Way::Dollar,
            }),
            seam_expr::Piece::Expression(expression) => {
                into.extend(expression.names(seam_expr::Way::Expression));
            }
        }
    }
}

impl Inputs {
    /// Reads the entries of a map.
    pub(crate) fn read(entries: &[Entry], found: &mut Diagnostics) -> Self {
        let pairs = entries.iter().map(|entry| (entry.key.value.clone(), Input::read(&entry.node, found)));
        Self(pairs.collect())
    }

    /// In the written order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, Input)> {
        self.0.iter()
    }

    /// Their values now.
    pub(crate) fn values(&self, names: &dyn Names) -> Result<Map, Trouble> {
        self.0.iter().map(|(name, input)| Ok((name.clone(), input.value(names)?))).collect()
    }

    /// The variables in them.
    pub(crate) fn uses(&self, into: &mut Vec<NameUse>) {
        for (_, input) in &self.0 {
            input.uses(into);
        }
    }
}

/// A value that can't be worked out is a fault of what was saved, and so of the system: the test fails.
impl From<EvalError> for Trouble {
    fn from(error: EvalError) -> Self {
        let reason = match error.hint {
            Some(hint) => format!("{} ({hint})", error.message),
            None => error.message,
        };
        Self::failed(reason).at(error.span)
    }
}

/// The parts of a text; the whole of a plain one. None for what is no text, and for what has a mistake.
pub(crate) fn pieces(node: &Node, found: &mut Diagnostics) -> Option<Vec<Piece>> {
    let whole = node.as_text()?;
    let template = Template::read(node, found);
    let Some(parts) = template.pieces() else {
        let Some(Value::Text(text)) = template.as_literal() else { return None };
        return Some(vec![Piece::Fixed { text: text.clone(), offset: 0 }]);
    };
    let mut pieces = Vec::with_capacity(parts.len());
    let mut offset = 0;
    for part in parts {
        match part {
            seam_expr::Piece::Text(text) => {
                // With `$$` in it the text is shorter than what was written, and is then placed where it may begin.
                let begins =
                    whole[offset.min(whole.len())..].find(text.as_str()).map_or(offset, |at| offset + at);
                offset = begins + text.len();
                pieces.push(Piece::Fixed { text: text.clone(), offset: begins });
            }
            seam_expr::Piece::Name { span, .. } => {
                pieces.push(Piece::Part(Part { piece: part.clone(), span: *span }));
            }
            seam_expr::Piece::Expression(expression) => {
                pieces.push(Piece::Part(Part { piece: part.clone(), span: expression.span() }));
            }
        }
    }
    Some(pieces)
}
