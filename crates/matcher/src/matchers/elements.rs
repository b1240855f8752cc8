//! What `any` and `every` share: matchers for the elements of a list.

use crate::kind::{Finding, Matcher, ReadFile, Scene};
use crate::rule::{ElementRule, Miss};
use crate::show::{self, short};
use seam_diag::{Diagnostics, Span};
use seam_expr::NameUse;
use seam_model::Node;
use seam_value::Value;
use std::sync::Arc;

/// How many elements are shown.
const MAX_SHOWN: usize = 5;
/// How many lines of a matcher are shown for each.
const MAX_DETAILS: usize = 6;

#[derive(Debug)]
struct Elements {
    rule: ElementRule,
    wanted: Wanted,
}

/// How many elements must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    One,
    All,
}

pub(super) fn read(wanted: Wanted, node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    let owner = if wanted == Wanted::One { "any" } else { "every" };
    let rule = ElementRule::read(node, owner, found);
    let says_something = !rule.here.checks.is_empty() || !rule.parts.is_empty();
    says_something.then(|| Arc::new(Elements { rule, wanted }) as Arc<_>)
}

impl Matcher for Elements {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let Value::List(list) = actual else { return Finding::failed(show::unfit(actual, "a list")) };
        let mut missed = Vec::new();
        for (index, element) in list.iter().enumerate() {
            let misses = self.rule.misses(element, index, scene);
            match (self.wanted, misses.is_empty()) {
                (Wanted::One, true) => return Finding::held(),
                (_, false) => missed.push((index, misses)),
                (Wanted::All, true) => {}
            }
        }
        if self.wanted == Wanted::All && missed.is_empty() {
            return Finding::held();
        }
        let n = list.len();
        let message = match (self.wanted, n, missed.as_slice()) {
            (Wanted::One, 0, _) => "the list is empty".to_owned(),
            (Wanted::One, 1, _) => "its one element does not hold".to_owned(),
            (Wanted::One, ..) => format!("none of its {n} elements holds"),
            (Wanted::All, _, [(index, _)]) => format!("element {index} does not hold"),
            (Wanted::All, ..) => format!("{} of its {n} elements do not hold", missed.len()),
        };
        Finding { details: told(list, &missed, scene.path), ..Finding::failed(message) }
    }

    fn names(&self) -> Vec<NameUse> {
        self.rule.names()
    }

    fn check_files(&self, read: ReadFile<'_>, found: &mut Diagnostics) {
        self.rule.check_files(read, found);
    }

    fn files(&self) -> Vec<(String, Span)> {
        self.rule.files()
    }
}

/// The elements that do not hold, those with the fewest misses first: among them is the one that was meant.
fn told(list: &[Value], missed: &[(usize, Vec<Miss>)], path: &str) -> Vec<String> {
    let mut nearest: Vec<&(usize, Vec<Miss>)> = missed.iter().collect();
    nearest.sort_by_key(|(_, misses)| misses.len());
    let mut lines = Vec::new();
    for (index, misses) in nearest.iter().take(MAX_SHOWN) {
        lines.push(format!("{path}.{index} is {}", short(&list[*index])));
        for (line, details) in misses {
            lines.push(format!("  {line}"));
            lines.extend(details.iter().take(MAX_DETAILS).map(|detail| format!("    {detail}")));
        }
    }
    if missed.len() > MAX_SHOWN {
        lines.push(format!("… and {} more", missed.len() - MAX_SHOWN));
    }
    lines
}
