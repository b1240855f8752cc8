//! `one_of: [paid, open]`: equal to one of these.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::literal::Literal;
use crate::show;
use seam_diag::Diagnostic;
use seam_expr::NameUse;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "The value is compared with each, type included, as by `equals`; maps and lists in it are literal.",
        subject: Shape::List(&Shape::Any),
        example: "# status: 202\nexpect:\n  status: { one_of: [200, 202] }\n",
        ..Word::new("one_of", "equal to one of these")
    },
    read: |node, found| {
        let literal = Literal::read(node, found);
        match literal.known().map(Value::as_list) {
            Some(None) => {
                found.push(wrong("one_of", "a list of values", node));
                return None;
            }
            Some(Some([])) => {
                found.push(Diagnostic::error("`one_of` takes at least one value").at(node.span, ""));
                return None;
            }
            Some(Some(_)) | None => {}
        }
        Some(Arc::new(OneOf { literal }))
    },
};

#[derive(Debug)]
struct OneOf {
    literal: Literal,
}

impl Matcher for OneOf {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let expected = match self.literal.value(scene) {
            Ok(expected) => expected,
            Err(error) => return error.into(),
        };
        let finding = match expected.as_list() {
            Some(list) => Finding::when(list.contains(actual), || show::actual(actual, list.first())),
            None => Finding::failed("`one_of` takes a list of values"),
        };
        finding.expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}
