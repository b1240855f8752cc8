//! The settings of a service as it reads them: `${env.NAME}` and `${secret.NAME}` in them have become their values.
//!
//! Nothing else can be referred to there: a service is raised from its settings before anybody has an address.

use crate::plan::environment::Environment;
use crate::plan::references::unset;
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::{Reference, ReferenceText, Target};
use seam_model::{Entry, Form, Node, NodeKind};
use std::collections::{BTreeMap, BTreeSet};

/// What the settings of services may refer to.
pub(crate) struct Known<'a> {
    pub(crate) environment: &'a Environment,
    /// Secrets that have a value.
    pub(crate) secrets: &'a BTreeMap<String, String>,
    /// All secrets that are declared.
    pub(crate) declared: &'a BTreeSet<String>,
}

impl Known<'_> {
    /// The same settings with values in place of references.
    pub(crate) fn resolved(&self, settings: &[Entry], found: &mut Diagnostics) -> Vec<Entry> {
        let resolved = settings
            .iter()
            .map(|Entry { key, node }| Entry { key: key.clone(), node: self.node(node, found) });
        resolved.collect()
    }

    fn node(&self, node: &Node, found: &mut Diagnostics) -> Node {
        let kind = match &node.kind {
            NodeKind::Text { text, .. } if text.contains('$') => {
                NodeKind::Text { text: self.text(node, found), form: Form::default() }
            }
            NodeKind::List(list) => NodeKind::List(list.iter().map(|one| self.node(one, found)).collect()),
            NodeKind::Map(entries) => NodeKind::Map(self.resolved(entries, found)),
            _ => return node.clone(),
        };
        Node { kind, ..node.clone() }
    }

    fn text(&self, node: &Node, found: &mut Diagnostics) -> String {
        let text = ReferenceText::read(node, found);
        let looked_up = text.resolve(|reference| match &reference.target {
            Target::Env(name) => self.environment.get(name),
            Target::Secret(name) => self.secrets.get(name).cloned(),
            Target::Own { .. } | Target::Component { .. } => None,
        });
        match looked_up {
            Ok(text) => text,
            Err(reference) => {
                if let Some(diagnostic) = self.unresolved(reference) {
                    found.push(diagnostic);
                }
                String::new()
            }
        }
    }

    fn unresolved(&self, reference: &Reference) -> Option<Diagnostic> {
        match &reference.target {
            Target::Env(name) => Some(unset(name, reference)),
            // One without a value is told where it is declared.
            Target::Secret(name) if self.declared.contains(name) => None,
            Target::Secret(name) => {
                let known = self.declared.iter().map(String::as_str);
                Some(
                    Diagnostic::error(format!("there is no secret `{name}`"))
                        .at(reference.span, "")
                        .suggest(name, known),
                )
            }
            Target::Own { .. } | Target::Component { .. } => Some(
                Diagnostic::error("the settings of a service can't refer to a component")
                    .at(reference.span, "")
                    .hint("`${env.NAME}` and `${secret.NAME}` can stand here"),
            ),
        }
    }
}
