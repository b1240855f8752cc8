//! `ends_with: .pdf`: how a text ends.

use crate::kind::{Finding, Kind, Matcher, Scene};
use crate::literal::Literal;
use crate::show;
use seam_expr::NameUse;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        subject: Shape::Text,
        example: "# body: {\"file\": \"invoice-17.pdf\"}\nexpect:\n  body.file: { ends_with: .pdf }\n",
        ..Word::new("ends_with", "how a text ends")
    },
    read: |node, found| {
        Some(Arc::new(Affix {
            literal: Literal::read(node, found),
            holds: |text, part| text.ends_with(part),
        }))
    },
};

/// Looks at one end of a text.
#[derive(Debug)]
pub(super) struct Affix {
    pub(super) literal: Literal,
    pub(super) holds: fn(&str, &str) -> bool,
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
                Finding::when(holds, || show::actual(actual, None))
            }
            (Value::Text(_), _) => Finding::failed("only a text can stand at the end of a text"),
            _ => Finding::failed(show::unfit(actual, "a text")),
        };
        finding.expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}
