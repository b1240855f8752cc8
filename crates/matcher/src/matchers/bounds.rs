//! What `above`, `below`, `at_least` and `at_most` share: numbers and lengths of time in their order.

use crate::kind::{Finding, Matcher, Scene};
use crate::literal::Literal;
use crate::show;
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::{NameUse, instant, length};
use seam_model::{Node, Shape};
use seam_value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// What may stand right of a bound.
pub(super) const SHAPE: Shape = Shape::Either(&[Shape::Number, Shape::Duration]);

/// A bound on one side.
#[derive(Debug)]
struct Bound {
    literal: Literal,
    holds: fn(Ordering) -> bool,
}

pub(super) fn read(
    name: &'static str,
    node: &Node,
    found: &mut Diagnostics,
    holds: fn(Ordering) -> bool,
) -> Option<Arc<dyn Matcher>> {
    let literal = Literal::read(node, found);
    match literal.known() {
        Some(value) if compare(value, value).is_none() => {
            let is_time =
                value.as_text().is_some_and(|text| text.starts_with("now") || instant(text).is_some());
            // `10 seconds` is meant as a duration: say what is wrong with it.
            let reason = value
                .as_text()
                .map(|text| text.trim_start_matches('-'))
                .filter(|text| !is_time && text.starts_with(|c: char| c.is_ascii_digit()))
                .and_then(|text| seam_model::duration(text).err());
            let label = reason.unwrap_or_else(|| format!("this is {}", node.kind_name()));
            let diagnostic =
                Diagnostic::error(format!("`{name}` takes a number or a duration")).at(node.span, label);
            found.push(if is_time {
                diagnostic.hint("for times there are `before` and `after`")
            } else {
                diagnostic
            });
            None
        }
        _ => Some(Arc::new(Bound { literal, holds })),
    }
}

/// The order of two numbers, or of two lengths of time.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(length(left)?.cmp(&length(right)?)),
        _ => None,
    }
}

impl Matcher for Bound {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let expected = match self.literal.value(scene) {
            Ok(expected) => expected,
            Err(error) => return error.into(),
        };
        let finding = if let Some(order) = compare(actual, &expected) {
            Finding::when((self.holds)(order), || show::actual(actual, None))
        } else {
            let needed = if matches!(expected, Value::Number(_)) { "a number" } else { "a duration" };
            let is_length = |text: &str| length(text).is_some();
            let lacks_unit = matches!(expected, Value::Number(_)) && actual.as_text().is_some_and(is_length);
            let hint = lacks_unit.then(|| format!("it is a duration: write a unit, such as `{expected}ms`"));
            Finding::failed(show::unfit(actual, needed)).detail_all(hint.into_iter().collect())
        };
        finding.expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}
