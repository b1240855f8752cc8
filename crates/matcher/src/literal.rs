//! A value that is expected as it stands, with variables in it, and the places of its parts.

use crate::kind::Scene;
use seam_diag::{Diagnostics, Span};
use seam_expr::{EvalError, NameUse, Segment, Template};
use seam_model::{Node, NodeKind};
use seam_value::Value;

/// An expected value.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    template: Template,
    /// Kept for the places of its parts: a caret belongs under the one that differs.
    node: Node,
}

impl Literal {
    pub(crate) fn read(node: &Node, found: &mut Diagnostics) -> Self {
        Self { template: Template::read(node, found), node: node.clone() }
    }

    /// The value, where no variable stands in it.
    pub(crate) fn known(&self) -> Option<&Value> {
        self.template.as_literal()
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// The value as it is now.
    pub(crate) fn value(&self, scene: &Scene<'_>) -> Result<Value, EvalError> {
        self.template.render(scene.names)
    }

    pub(crate) fn names(&self) -> Vec<NameUse> {
        self.template.names()
    }

    /// Where a part stands, or the innermost thing around it that was written.
    pub(crate) fn place_of(&self, path: &[Segment]) -> Span {
        let mut node = &self.node;
        for segment in path {
            let Segment::Name(name) = segment else { break };
            let inner = match &node.kind {
                NodeKind::Map(entries) => entries
                    .iter()
                    .find(|entry| entry.key.value.eq_ignore_ascii_case(name))
                    .map(|entry| &entry.node),
                NodeKind::List(list) => name.parse::<usize>().ok().and_then(|index| list.get(index)),
                _ => None,
            };
            let Some(inner) = inner else { break };
            node = inner;
        }
        node.span
    }
}
