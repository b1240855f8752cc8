//! `near: { value: 20, by: 0.01 }`: not farther away than so much.

use super::times;
use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::literal::Literal;
use crate::moment::moment;
use crate::show;
use jiff::Timestamp;
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::{NameUse, instant, length};
use seam_model::{Field, Fields, Node, NodeKind, Shape, Word};
use seam_value::{Number, Value};
use std::sync::Arc;

const FIELDS: &[Field] = &[
    Field::required("value", Shape::Any, "what it is near to: a number, a duration, an instant, `now`"),
    Field::required(
        "by",
        Shape::Either(&[Shape::Number, Shape::Duration]),
        "how far away it may be, itself included",
    ),
];

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "For numbers, exactly (`0.1` by `0` is only `0.1`); for durations; for instants, where `by` is a duration: \
               `near: { value: now, by: 5s }`.",
        subject: Shape::Fields(FIELDS),
        fields: FIELDS,
        example: "# body: {\"total\": 19.995}\nexpect:\n  body.total: { near: { value: 20, by: 0.01 } }\n",
        ..Word::new("near", "a number, duration or time not farther away than so much")
    },
    read,
};

#[derive(Debug)]
struct Near {
    value: Literal,
    by: Literal,
}

fn read(node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    if !matches!(node.kind, NodeKind::Map(_)) {
        found.push(wrong("near", "a map: `{ value: 20, by: 0.01 }`", node));
        return None;
    }
    let mut fields = Fields::of(node, "`near`", found);
    let value = fields.require("value", found);
    let by = fields.require("by", found);
    fields.finish(found);
    let (value, by) = (value?, by?);
    let near = Near { value: Literal::read(value, found), by: Literal::read(by, found) };
    if near.by.known().is_some_and(|value| !is_distance(value)) {
        found.push(wrong("by", "a number or a duration, not below zero", by));
        return None;
    }
    match (near.value.known(), near.by.known()) {
        (Some(Value::Number(_)), Some(Value::Text(_))) => {
            found.push(wrong("by", "a number, as `value` is one", by));
            None
        }
        (Some(Value::Text(_)), Some(Value::Number(_))) => {
            found.push(
                wrong("by", "a duration, as `value` is a time", by).hint("write a unit: `5s`, `250ms`"),
            );
            None
        }
        (Some(Value::Text(text)), _) if length(text).is_none() => match moment(text, Timestamp::UNIX_EPOCH) {
            Ok(_) => Some(Arc::new(near)),
            Err(reason) => {
                let title = "`value` takes a number, a duration or an instant";
                found.push(Diagnostic::error(title).at(value.span, reason));
                None
            }
        },
        (Some(Value::Number(_) | Value::Text(_)) | None, _) => Some(Arc::new(near)),
        (Some(_), _) => {
            found.push(wrong("value", "a number, a duration or an instant", value));
            None
        }
    }
}

/// Can it say how far away something is?
fn is_distance(value: &Value) -> bool {
    match value {
        Value::Number(number) => *number >= Number::from(0_i64),
        Value::Text(text) => length(text).is_some_and(|length| !length.is_negative()),
        _ => false,
    }
}

impl Matcher for Near {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let (value, by) = match (self.value.value(scene), self.by.value(scene)) {
            (Ok(value), Ok(by)) => (value, by),
            (Err(error), _) | (_, Err(error)) => return error.into(),
        };
        judged(&value, &by, actual, scene).expecting(value)
    }

    fn names(&self) -> Vec<NameUse> {
        self.value.names().into_iter().chain(self.by.names()).collect()
    }
}

fn judged(value: &Value, by: &Value, actual: &Value, scene: &Scene<'_>) -> Finding {
    match (value, by, actual) {
        (Value::Number(value), Value::Number(by), Value::Number(actual)) => match within(value, by, actual) {
            Some(holds) => Finding::when(holds, || format!("actual: {actual}")).detailed(|| {
                let away = seam_expr::subtract(actual, value).map(|away| away.to_string());
                away.map(|away| format!("{} away from it", away.trim_start_matches('-')))
                    .into_iter()
                    .collect()
            }),
            None => Finding::failed("the numbers have more digits than can be compared exactly"),
        },
        (Value::Text(value), Value::Text(by), _) => {
            let Some(by) = length(by) else { return Finding::failed(format!("`{by}` is no duration")) };
            let Some(text) = actual.as_text() else { return Finding::failed(show::unfit(actual, "a time")) };
            if let (Some(value), Some(actual)) = (length(value), length(text)) {
                // Durations are shorter than a year.
                let away = (value - actual).abs();
                return Finding::when(away <= by, || format!("actual: {text}"))
                    .detailed(|| vec![format!("{} away from it", seam_expr::length_text(away))]);
            }
            match (moment(value, scene.names.now()), instant(text)) {
                (Err(reason), _) => Finding::failed(reason),
                (Ok(_), None) => times::unfit(actual),
                (Ok(value), Some(actual)) => {
                    let away = actual.duration_since(value);
                    Finding::when(away.abs() <= by, || format!("actual: {text}")).beside(away)
                }
            }
        }
        (Value::Number(_), _, _) => Finding::failed(show::unfit(actual, "a number")),
        _ => Finding::failed("`by` must be a number for numbers, a duration for times"),
    }
}

/// Is the distance at most `by`? Worked out on the digits: `value - by <= actual <= value + by`.
fn within(value: &Number, by: &Number, actual: &Number) -> Option<bool> {
    let low = seam_expr::subtract(value, by)?;
    let high = seam_expr::add(value, by)?;
    Some(low <= *actual && *actual <= high)
}
