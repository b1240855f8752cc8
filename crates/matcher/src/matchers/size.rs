//! `size: 3`, `size: { above: 0 }`: how many characters, elements or keys there are.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::rule::Rule;
use crate::show::{self, short};
use seam_expr::NameUse;
use seam_model::{Node, NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Of a text its characters (code points), of a list its elements, of a map its keys. Takes a number, or \
               matchers for it.",
        subject: Shape::Either(&[Shape::Integer, Shape::Matchers]),
        example: "# rows: [{\"id\": 1}, {\"id\": 2}]\nexpect:\n  rows: { size: 2 }\n  rows.0: { size: { at_least: 1 } }\n",
        ..Word::new("size", "how many characters, elements or keys there are")
    },
    read: |node, found| {
        if !may_be_size(node) {
            found.push(wrong("size", "a whole number from 0, or matchers for it", node));
            return None;
        }
        let rule = Rule::read(node, "size", found);
        (!rule.checks.is_empty()).then(|| Arc::new(Size { rule }) as Arc<_>)
    },
};

/// Can a size be equal to it, or held against it?
fn may_be_size(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Number(number) => number.as_i64().is_some_and(|size| size >= 0),
        NodeKind::Text { text, .. } => text.contains('$'),
        NodeKind::Map(entries) => !entries.is_empty(),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::List(_) => false,
    }
}

#[derive(Debug)]
struct Size {
    rule: Rule,
}

impl Matcher for Size {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let size = match actual {
            Value::Text(text) => text.chars().count(),
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            _ => return Finding::failed(show::unfit(actual, "a text, a list or a map")),
        };
        let judged = self.rule.judge(&Value::from(size), scene);
        let expected = match judged.as_slice() {
            [(_, only)] => only.expected.clone(),
            _ => None,
        };
        let finding = match judged.into_iter().find(|(_, finding)| !finding.holds()) {
            None => Finding::held(),
            Some(_) => Finding::failed(format!("actual: {size}")).detail(format!("it is {}", short(actual))),
        };
        Finding { expected, ..finding }
    }

    fn names(&self) -> Vec<NameUse> {
        self.rule.names()
    }
}
