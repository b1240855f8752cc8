//! `that: [ "size(rows) == count" ]`: expressions about the value, for what no other matcher says.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::show::short;
use seam_diag::Diagnostics;
use seam_expr::{EvalError, Expression, NameUse, Way};
use seam_model::{Node, NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "One expression or a list, each of which must give true. The fields of the value are names in it, `it` is \
               the value itself, and variables stand with or without their dollar. Beside the paths of an `expect` it \
               is about the whole result.",
        subject: Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
        example: "# count: 2\n# rows: [{\"n\": 1}, {\"n\": 3}]\n\
                  expect:\n  that: [size(rows) == count, \"rows.all(row, row.n > 0)\"]\n  rows.0.n: { that: it % 2 == 1 }\n",
        ..Word::new("that", "an expression about the value is true")
    },
    read: |node, found| That::read(node, found).map(|that| Arc::new(that) as Arc<_>),
};

/// Expressions that must hold.
#[derive(Debug)]
pub(crate) struct That {
    expressions: Vec<Expression>,
}

impl That {
    pub(crate) fn read(node: &Node, found: &mut Diagnostics) -> Option<Self> {
        let nodes: Vec<&Node> = match &node.kind {
            NodeKind::List(list) if !list.is_empty() => list.iter().collect(),
            NodeKind::Text { .. } | NodeKind::Bool(_) => vec![node],
            _ => {
                found.push(wrong("that", "an expression, or a list of them", node));
                return None;
            }
        };
        let expressions: Vec<_> =
            nodes.into_iter().filter_map(|node| Expression::read(node, "that", found)).collect();
        (!expressions.is_empty()).then_some(Self { expressions })
    }
}

impl Matcher for That {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let failed: Vec<(&Expression, Result<bool, EvalError>)> = self
            .expressions
            .iter()
            .map(|expression| (expression, expression.holds_about(actual, scene.names)))
            .filter(|(_, outcome)| *outcome != Ok(true))
            .collect();
        let Some((expression, outcome)) = failed.first() else { return Finding::held() };
        let finding = match outcome {
            Err(error) => Finding::from(error.clone()),
            Ok(_) => Finding { at: Some(expression.span()), ..Finding::failed("false") },
        };
        let finding = finding.detail_all(values(expression, actual));
        failed.iter().skip(1).fold(finding, |finding, (expression, outcome)| match outcome {
            Ok(_) => finding.detail(format!("also false: {}", expression.text())),
            Err(error) => finding.detail(format!("also: {}: {error}", expression.text())),
        })
    }

    fn names(&self) -> Vec<NameUse> {
        self.expressions.iter().flat_map(|expression| expression.names(Way::Result)).collect()
    }
}

/// What the fields that an expression mentions are.
fn values(expression: &Expression, actual: &Value) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for used in expression.names(Way::Result) {
        let path =
            if used.path.is_empty() { used.name.clone() } else { format!("{}.{}", used.name, used.path) };
        let value = if used.name == "it" { Some(actual) } else { actual.get(&used.name) };
        let parts = used.path.split('.').filter(|part| !part.is_empty());
        let value = parts.fold(value, |value, part| value.and_then(|value| value.get(part)));
        if let (Some(value), Way::Result) = (value, used.way) {
            let line = format!("{path} is {}", short(value));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}
