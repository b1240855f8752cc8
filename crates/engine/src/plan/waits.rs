//! Seams on which something is waited for: the readiness `seam`, and `waits`, which says what of a seam is no work.

use seam_diag::{Diagnostic, Diagnostics};
use seam_launch::SeamReady;
use seam_matcher::Statement;
use seam_model::{Fields, Node};
use seam_steps::{DeclaredSystem, SeamFilter, check_awaited};
use std::collections::BTreeSet;

/// Calls of a seam that wait for something to happen.
pub(crate) struct PlannedWait {
    pub(crate) seam: SeamFilter,
    /// What must hold for them.
    pub(crate) filter: Vec<Statement>,
}

/// Both sides of a seam that is waited for, or on which is waited, must be components.
pub(super) fn check_seam(
    seam: &SeamReady,
    declared: &BTreeSet<&str>,
    system: &dyn DeclaredSystem,
    found: &mut Diagnostics,
) {
    let mut are_known = true;
    for side in [&seam.consumer, &seam.provider] {
        let name = side.split('.').next().unwrap_or_default();
        if !declared.contains(name) {
            are_known = false;
            let title = format!("there is no component `{name}`");
            found.push(Diagnostic::error(title).at(seam.span, "").suggest(name, declared.iter().copied()));
        }
    }
    let provider = match seam.provider.split_once('.') {
        Some((provider, endpoint)) => (provider, Some(endpoint)),
        None => (seam.provider.as_str(), None),
    };
    if !are_known {
        return;
    }
    let filter = seam.filter.as_ref().and_then(Node::as_map).unwrap_or_default();
    check_awaited(filter, provider, system, found);
}

/// What of the seams is waiting, and not work.
pub(super) fn waits(
    nodes: &[Node],
    declared: &BTreeSet<&str>,
    system: &dyn DeclaredSystem,
    found: &mut Diagnostics,
) -> Vec<PlannedWait> {
    let mut read = |node: &Node| {
        let mut fields = Fields::of(node, "the entry of `waits`", found);
        let seam = fields.require("seam", found);
        let seam = if let Some(seam) = seam {
            SeamReady::read(seam, &mut fields, found)
        } else {
            fields.take("where");
            None
        };
        fields.finish(found);
        let seam = seam?;
        check_seam(&seam, declared, system, found);
        let (to, endpoint) = seam.sides();
        let filter = SeamFilter { from: seam.consumer.as_str().into(), to: to.into(), endpoint };
        Some(PlannedWait { seam: filter, filter: read_where(Some(&seam), found) })
    };
    nodes.iter().filter_map(&mut read).collect()
}

/// Reads which interactions of it are meant.
pub(super) fn read_where(seam: Option<&SeamReady>, found: &mut Diagnostics) -> Vec<Statement> {
    let filter = seam.and_then(|seam| seam.filter.as_ref()?.as_map());
    filter.unwrap_or_default().iter().map(|entry| Statement::read(&entry.key, &entry.node, found)).collect()
}
