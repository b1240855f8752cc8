//! `in_any_order: [201, 409]`: the same elements, whatever their order.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::literal::Literal;
use crate::show::{self, short};
use seam_expr::NameUse;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "As many elements, each equal to one of those; what stands twice must be there twice.",
        subject: Shape::List(&Shape::Any),
        example: "# results: [{\"status\": 409}, {\"status\": 201}]\n\
                  expect:\n  results.*.status: { in_any_order: [201, 409] }\n",
        ..Word::new("in_any_order", "the same elements, whatever their order")
    },
    read: |node, found| {
        let literal = Literal::read(node, found);
        if literal.known().is_some_and(|value| value.as_list().is_none()) {
            found.push(wrong("in_any_order", "a list", node));
            return None;
        }
        Some(Arc::new(InAnyOrder { literal }))
    },
};

#[derive(Debug)]
struct InAnyOrder {
    literal: Literal,
}

impl Matcher for InAnyOrder {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let expected = match self.literal.value(scene) {
            Ok(expected) => expected,
            Err(error) => return error.into(),
        };
        let finding = match (expected.as_list(), actual.as_list()) {
            (Some(expected), Some(actual)) => compared(expected, actual),
            (None, _) => Finding::failed("`in_any_order` takes a list"),
            (_, None) => Finding::failed(show::unfit(actual, "a list")),
        };
        finding.expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}

fn compared(expected: &[Value], actual: &[Value]) -> Finding {
    let mut left: Vec<&Value> = actual.iter().collect();
    let mut missing: Vec<&Value> = Vec::new();
    for value in expected {
        match left.iter().position(|candidate| *candidate == value) {
            Some(index) => {
                left.remove(index);
            }
            None => missing.push(value),
        }
    }
    let whole = Value::List(actual.to_vec());
    Finding::when(missing.is_empty() && left.is_empty(), || show::actual(&whole, None)).detailed(|| {
        let missing = missing.iter().map(|value| format!("missing: {}", short(value)));
        let unexpected = left.iter().map(|value| format!("unexpected: {}", short(value)));
        missing.chain(unexpected).take(20).collect()
    })
}
