//! `in_any_order: [201, 409]`: the same elements, whatever their order.

use crate::diff::{self, Mode, nearest};
use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::literal::Literal;
use crate::show::{self, short};
use seam_expr::{Lookup, NameUse};
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

/// How many missing elements are looked for among the unexpected ones.
const MAX_PAIRED: usize = 10;
/// How many lines are shown.
const MAX_SHOWN: usize = 20;

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
            (Some(expected), Some(actual)) => compared(expected, actual, scene),
            (None, _) => Finding::failed("`in_any_order` takes a list"),
            (_, None) => Finding::failed(show::unfit(actual, "a list")),
        };
        finding.expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}

fn compared(expected: &[Value], actual: &[Value], scene: &Scene<'_>) -> Finding {
    let mut lookup = Lookup::of(actual);
    let missing: Vec<&Value> = expected.iter().filter(|value| lookup.take(value).is_none()).collect();
    let unexpected = lookup.left();
    Finding::when(missing.is_empty() && unexpected.is_empty(), || {
        let n = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let parts = [n(missing.len(), "missing"), n(unexpected.len(), "unexpected")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    })
    .detailed(|| told(&missing, &unexpected, actual, scene))
}

/// What is missing and what is there instead. Where two of them are near each other only their difference is told.
fn told(missing: &[&Value], unexpected: &[usize], actual: &[Value], scene: &Scene<'_>) -> Vec<String> {
    let mut unexpected = unexpected.to_vec();
    let (mut apart, mut lines) = (Vec::new(), Vec::new());
    for (n, value) in missing.iter().enumerate() {
        let candidates = unexpected.iter().map(|index| (*index, &actual[*index]));
        let near = if n < MAX_PAIRED { nearest(scene.case, value, candidates, Mode::Equal) } else { None };
        match near {
            Some((index, found)) => {
                unexpected.retain(|other| *other != index);
                lines.extend(diff::lines(&found, &format!("{}.{index}", scene.path)));
            }
            None => apart.push(format!("missing: {}", short(value))),
        }
    }
    lines.extend(apart);
    lines.extend(unexpected.iter().map(|index| format!("unexpected: {}", short(&actual[*index]))));
    let n = lines.len();
    if n > MAX_SHOWN {
        lines.truncate(MAX_SHOWN);
        lines.push(format!("… and {} more", n - MAX_SHOWN));
    }
    lines
}
