//! `matches: '^\d+$'`: a regular expression that finds something in a text.

use crate::kind::{Finding, Kind, Matcher, Scene, always_holds, wrong};
use crate::show;
use regex::Regex;
use seam_diag::Diagnostics;
use seam_expr::{EvalError, NameUse, Piece, Template, regex_error};
use seam_model::{Node, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "The expression may match anywhere; `^` and `$` hold it to the beginning and the end. A variable inside it \
               stands for itself, whatever signs it holds; a variable alone is the whole expression. `$$` is a dollar \
               before a letter.",
        subject: Shape::Text,
        example: "# body: {\"number\": \"ORD-0017\"}\nexpect:\n  body.number: { matches: '^ORD-[0-9]{4}$' }\n",
        ..Word::new("matches", "a regular expression finds something in the text")
    },
    read,
};

#[derive(Debug)]
struct Matches {
    template: Template,
    /// Compiled when it was read, where no variable stands in it.
    compiled: Option<Regex>,
}

fn read(node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    if node.as_text().is_none() {
        found.push(wrong("matches", "a regular expression", node));
        return None;
    }
    if node.as_text() == Some("") {
        found.push(always_holds("matches", node));
    }
    let template = Template::read(node, found);
    let compiled = match (template.as_literal(), template.pieces()) {
        (Some(Value::Text(pattern)), _) => Some(pattern.clone()),
        // With a letter for each value it must be right, too.
        (_, Some(pieces)) if template.alone().is_none() => {
            let text =
                |piece: &Piece| if let Piece::Text(text) = piece { text.clone() } else { "x".to_owned() };
            Some(pieces.iter().map(text).collect())
        }
        _ => None,
    };
    let compiled = match compiled.map(|pattern| Regex::new(&pattern)) {
        Some(Err(error)) => {
            found.push(regex_error(&error, node));
            return None;
        }
        Some(Ok(regex)) if template.as_literal().is_some() => Some(regex),
        _ => None,
    };
    Some(Arc::new(Matches { template, compiled }))
}

impl Matches {
    fn regex(&self, scene: &Scene<'_>) -> Result<Regex, EvalError> {
        if let Some(regex) = &self.compiled {
            return Ok(regex.clone());
        }
        let pattern = match (self.template.pieces(), self.template.alone()) {
            (Some(pieces), None) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => Ok(text.clone()),
                    piece => Ok(regex::escape(&piece.render(scene.names)?.to_plain_text())),
                })
                .collect::<Result<String, EvalError>>()?,
            _ => self.template.render_text(scene.names)?,
        };
        Regex::new(&pattern).map_err(|_| EvalError {
            span: self.template.span(),
            message: format!("`{pattern}` is no regular expression"),
            hint: None,
        })
    }
}

impl Matcher for Matches {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let regex = match self.regex(scene) {
            Ok(regex) => regex,
            Err(error) => return error.into(),
        };
        let finding = match actual {
            Value::Text(text) => Finding::when(regex.is_match(text), || show::actual(actual, None)),
            _ => Finding::failed(show::unfit(actual, "a text")),
        };
        finding.expecting(Value::text(regex.as_str()))
    }

    fn names(&self) -> Vec<NameUse> {
        self.template.names()
    }
}
