//! Which of somebody else's components a test may ask, and what of them: its `live`.

use crate::plan::system::{Made, SystemPlan};
use crate::plan::test::PlannedTest;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::Target;
use seam_launch::{Bounds, External, parse_external};
use seam_model::{Entry, Fields, Node, NodeKind};

/// An external that a test may ask.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    /// Its name.
    pub(crate) component: String,
    /// What may be asked, besides what stands at the component.
    pub(crate) bounds: Bounds,
    /// Where this is said.
    pub(crate) span: Span,
}

/// Reads the `live` of a test: `true`, a component, a list of them, or a map with bounds.
pub(crate) fn read(node: &Node, system: &SystemPlan, found: &mut Diagnostics) -> Vec<Allowed> {
    let free =
        |component: &str, span| Allowed { component: component.to_owned(), bounds: Bounds::default(), span };
    match &node.kind {
        NodeKind::Null | NodeKind::Bool(false) => Vec::new(),
        NodeKind::Bool(true) => externals(system).map(|(name, _)| free(name, node.span)).collect(),
        NodeKind::Text { text, .. } => {
            is_external(text, node.span, system, found).then(|| free(text, node.span)).into_iter().collect()
        }
        NodeKind::List(list) => list
            .iter()
            .filter_map(|one| {
                let Some(text) = one.as_text() else {
                    found.push(wrong(one));
                    return None;
                };
                is_external(text, one.span, system, found).then(|| free(text, one.span))
            })
            .collect(),
        NodeKind::Map(entries) => entries.iter().filter_map(|entry| bounded(entry, system, found)).collect(),
        NodeKind::Number(_) => {
            found.push(wrong(node));
            Vec::new()
        }
    }
}

/// `rates: true`, or `rates: { budget: 3, operations: [GET /rates] }`.
fn bounded(entry: &Entry, system: &SystemPlan, found: &mut Diagnostics) -> Option<Allowed> {
    let (component, span) = (&entry.key.value, entry.key.span);
    if !is_external(component, span, system, found) {
        return None;
    }
    let bounds = match &entry.node.kind {
        NodeKind::Bool(false) => return None,
        NodeKind::Bool(true) => Bounds::default(),
        _ => {
            let mut fields = Fields::of(&entry.node, format!("`live` of `{component}`"), found);
            let bounds = Bounds::read(&mut fields, found);
            fields.finish(found);
            bounds
        }
    };
    if let Some(address) = address(component, system)
        && let Err(reason) = bounds.check(&address)
    {
        found.push(Diagnostic::error(format!("`{component}` can't be bounded")).at(span, reason));
    }
    Some(Allowed { component: component.clone(), bounds, span })
}

/// The externals that nothing allows to be asked, neither they themselves nor a test.
pub(crate) fn unasked(system: &SystemPlan, tests: &[PlannedTest]) -> Vec<String> {
    let is_far = |name: &str| address(name, system).is_some_and(|address| !address.is_loopback());
    let unasked = externals(system).filter(|(name, external)| {
        let has_stub = system.components.get(*name).is_some_and(|planned| planned.declared.stub.is_some());
        !external.live && !has_stub && is_far(name) && !tests.iter().any(|test| test.body.allows(name))
    });
    unasked.map(|(name, _)| name.to_owned()).collect()
}

/// All that are somebody else's.
fn externals(system: &SystemPlan) -> impl Iterator<Item = (&str, &External)> {
    system.components.iter().filter_map(|(name, planned)| match &planned.made {
        Made::Runtime(raise, _) => Some((name.as_str(), raise.external()?)),
        Made::Service(_) => None,
    })
}

/// The address of an external, where that is known before it is raised.
fn address(name: &str, system: &SystemPlan) -> Option<seam_launch::ExternalAddress> {
    let text = system.components.get(name)?.external_address()?;
    let text = text.resolve(|reference| match &reference.target {
        Target::Env(name) => system.environment.get(name),
        Target::Secret(name) => system.secrets.get(name).cloned(),
        Target::Own { .. } | Target::Component { .. } => None,
    });
    parse_external(&text.ok()?).ok()
}

fn is_external(name: &str, span: Span, system: &SystemPlan, found: &mut Diagnostics) -> bool {
    if externals(system).any(|(known, _)| known == name) {
        return true;
    }
    // One that could not be read is told already.
    let title = format!("there is no external component `{name}`");
    let known = externals(system).map(|(name, _)| name);
    found.push(Diagnostic::error(title).at(span, "").suggest(name, known));
    false
}

fn wrong(node: &Node) -> Diagnostic {
    Diagnostic::error("`live` is `true`, the name of an external component, or several of them")
        .at(node.span, format!("this is {}", node.kind_name()))
        .hint("with bounds: `live: { rates: { budget: 3, operations: [GET /rates] } }`")
}
