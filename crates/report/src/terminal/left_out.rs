//! Which steps of a test were left out, and why: what did not happen explains what did.

use super::Attempted;
use crate::clean::{cut, line};
use seam_event::{StageOf, What};
use std::fmt::Write as _;

/// More would bury the failure that they stand beside.
const MOST_STEPS: usize = 10;

/// The steps that were left out, in order.
pub(super) fn left_out(attempted: &Attempted<'_>) -> String {
    let Attempted { events, test, page, .. } = attempted;
    let mine = events.iter().filter(|event| event.scope.test.as_ref() == Some(&test.id));
    let steps: Vec<String> = mine
        .filter_map(|event| match &event.what {
            What::Step { name, stage: StageOf::LeftOut(why), .. } => {
                Some(format!("{}: {}", line(name), line(why)))
            }
            _ => None,
        })
        .collect();
    if steps.is_empty() {
        return String::new();
    }
    let mut out = String::from("  left out\n");
    for step in steps.iter().take(MOST_STEPS) {
        let _ = writeln!(out, "    {}", cut(step, page.look.width.saturating_sub(4).max(40)));
    }
    if let Some(more @ 1..) = steps.len().checked_sub(MOST_STEPS) {
        let _ = writeln!(out, "    … and {more} more");
    }
    out
}
