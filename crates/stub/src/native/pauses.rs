//! What is said bit by bit: how long after what came before it each part is said, and how it may break off.
//!
//! `events: [{ data: 1 }, { data: 2, after: { from: 1s, to: 2s } }]`: durations stay where they are, what is drawn is drawn
//! for each answer.

use super::answer::Pause;
use crate::delay::Delay;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Entry, Node, NodeKind};
use seam_wire::Protocol;

/// How a part can break an answer off.
const FAULTS: [&str; 3] = ["reset", "truncate", "hang"];

/// The lists whose elements have their own times.
const LISTS: [&str; 2] = ["events", "messages"];

/// Reads the pauses of an answer, and leaves in it what is no delay that has to be drawn.
pub(super) fn read(fields: &mut Vec<Entry>, protocol: &dyn Protocol, found: &mut Diagnostics) -> Vec<Pause> {
    let known = |name: &str| protocol.word().fields.iter().any(|field| field.name == name);
    let every = known("every").then(|| fields.iter().find(|entry| entry.key.value == "every")).flatten();
    let every = every.map_or(Delay::None, |entry| Delay::read(&entry.node, found));
    let is_drawn = |delay: Delay| !matches!(delay, Delay::None | Delay::Fixed(_));
    let mut pauses = Vec::new();
    for list in LISTS.into_iter().filter(|list| known(list)) {
        let Some(entry) = fields.iter_mut().find(|entry| entry.key.value == list) else { continue };
        let NodeKind::List(parts) = &mut entry.node.kind else { continue };
        let n_parts = parts.len();
        for (index, part) in parts.iter_mut().enumerate() {
            check_fault(part, index + 1 == n_parts, found);
            let own = part.get("after").map(|node| Delay::read(node, found));
            let delay = own.unwrap_or(if index > 0 { every } else { Delay::None });
            if is_drawn(delay) {
                if let NodeKind::Map(entries) = &mut part.kind {
                    entries.retain(|entry| entry.key.value != "after");
                }
                pauses.push(Pause { list, index, delay });
            }
        }
    }
    if is_drawn(every) {
        fields.retain(|entry| entry.key.value != "every");
    }
    pauses
}

fn check_fault(part: &Node, is_last: bool, found: &mut Diagnostics) {
    let Some(fault) = part.get("fault") else { return };
    match fault.as_text() {
        Some(name) if FAULTS.contains(&name) && is_last => {}
        Some(name) if FAULTS.contains(&name) => {
            found.push(Diagnostic::error("nothing is said after a fault").at(part.span, ""));
        }
        name => found.push(
            Diagnostic::error(format!("an answer breaks off by {}", FAULTS.join(", ")))
                .at(fault.span, "")
                .suggest(name.unwrap_or_default(), FAULTS),
        ),
    }
}
