//! Is nothing repeated that changes things? And does no flow use itself? Both are known before anything starts.

use crate::plan::test::{PlannedFlow, PlannedStep};
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Flow, Step};
use std::collections::HashMap;
use std::sync::Arc;

/// The flows that steps may use, by name.
type Flows = HashMap<String, Arc<PlannedFlow>>;

/// Tells steps that are tried again (`within`, `holds_for`) although they, or steps inside them, change things.
pub(crate) fn check(steps: &[PlannedStep], flows: &Flows, found: &mut Diagnostics) {
    for step in steps {
        let word = if step.pacing.within.is_some() { "within" } else { "holds_for" };
        let repeats = step.pacing.within.is_some() || step.pacing.holds_for.is_some();
        if repeats && !step.pacing.repeatable && !only_reads(step, flows) {
            let title = format!("`{word}` repeats this step, and `{}` changes things", step.action_text);
            let hint = "`repeatable: true` says that it may be repeated";
            found.push(Diagnostic::error(title).at(step.action_span, "").hint(hint));
        }
        check(&step.children, flows, found);
    }
}

fn only_reads(step: &PlannedStep, flows: &Flows) -> bool {
    let flow = step.flow.as_ref().and_then(|name| flows.get(name));
    let inside = flow.into_iter().flat_map(|flow| &flow.steps).chain(&step.children);
    step.action.only_reads() && inside.into_iter().all(|step| only_reads(step, flows))
}

/// Tells flows that use themselves, directly or through others. True if there are any.
pub(crate) fn tell_circles(flows: &[Flow], found: &mut Diagnostics) -> bool {
    let mut any = false;
    for flow in flows {
        let mut way = vec![flow.name.value.as_str()];
        if leads_back(flow, flow, flows, &mut way) {
            any = true;
            way.push(&flow.name.value);
            let way: Vec<String> = way.iter().map(|name| format!("`{name}`")).collect();
            let title = format!("the flow `{}` uses itself", flow.name.value);
            found.push(Diagnostic::error(title).at(flow.name.span, "").note("circle", way.join(" → ")));
        }
    }
    any
}

/// Does a flow come back to the first one? Then `way` holds those in between.
fn leads_back<'a>(first: &Flow, at: &'a Flow, flows: &'a [Flow], way: &mut Vec<&'a str>) -> bool {
    for name in used(&at.steps) {
        if name == first.name.value {
            return true;
        }
        let Some(next) = flows.iter().find(|flow| flow.name.value == name) else { continue };
        if way.contains(&next.name.value.as_str()) {
            continue;
        }
        way.push(&next.name.value);
        if leads_back(first, next, flows, way) {
            return true;
        }
        way.pop();
    }
    false
}

/// The flows that steps use.
fn used(steps: &[Step]) -> Vec<&str> {
    let mut names = Vec::new();
    for step in steps {
        if step.action.value == "use" {
            names.extend(step.subject.as_text());
        }
        names.extend(used(&step.children));
    }
    names
}
