//! `ends_with: .pdf`: how a text ends.

use crate::kind::{Finding, Kind, Matcher, Scene, always_holds, wrong};
use crate::literal::Literal;
use crate::show;
use seam_diag::Diagnostics;
use seam_expr::NameUse;
use seam_model::{Node, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(super) const AFFIX_TEXT: &str =
    "Case and white space included; a number or boolean counts as it is written. The value must be a text.";

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: AFFIX_TEXT,
        subject: Shape::Text,
        example: "# body: {\"file\": \"invoice-17.pdf\"}\nexpect:\n  body.file: { ends_with: .pdf }\n",
        ..Word::new("ends_with", "how a text ends")
    },
    read: |node, found| Affix::read("ends_with", node, found, |text, part| text.ends_with(part)),
};

/// Looks at one end of a text.
#[derive(Debug)]
pub(super) struct Affix {
    literal: Literal,
    holds: fn(&str, &str) -> bool,
}

impl Affix {
    pub(super) fn read(
        name: &'static str,
        node: &Node,
        found: &mut Diagnostics,
        holds: fn(&str, &str) -> bool,
    ) -> Option<Arc<dyn Matcher>> {
        let literal = Literal::read(node, found);
        match literal.known() {
            Some(Value::Null | Value::List(_) | Value::Map(_)) => {
                found.push(wrong(name, "a text", node));
                return None;
            }
            Some(Value::Text(text)) if text.is_empty() => found.push(always_holds(name, node)),
            Some(Value::Text(_) | Value::Number(_) | Value::Bool(_)) | None => {}
        }
        Some(Arc::new(Self { literal, holds }))
    }
}

impl Matcher for Affix {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let expected = match self.literal.value(scene) {
            Ok(expected) => expected,
            Err(error) => return error.into(),
        };
        let finding = match (actual, &expected) {
            (Value::Text(text), Value::Text(_) | Value::Number(_) | Value::Bool(_)) => {
                let holds = (self.holds)(text, &expected.to_plain_text());
                Finding::when(holds, || show::actual(actual, None)).detailed(|| show::end_of(text))
            }
            (Value::Text(_), _) => Finding::failed(format!(
                "a text must stand here, this is {}",
                seam_expr::kind_name(&expected)
            )),
            _ => Finding::failed(show::unfit(actual, "a text")),
        };
        finding.expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}
