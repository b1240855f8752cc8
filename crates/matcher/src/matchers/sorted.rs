//! `sorted: true`, `sorted: descending`, `sorted: { by: .price }`: the elements are in order.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::show::{self, short};
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::{Found, Path, instant, kind_name};
use seam_model::{Field, Fields, Node, NodeKind, Shape, Word};
use seam_value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

const ORDERS: &[&str] = &["ascending", "descending"];
const FIELDS: &[Field] = &[
    Field::optional("by", Shape::Text, "a path in the element, with a leading dot"),
    Field::optional("order", Shape::OneOf(ORDERS), "which way; else `ascending`"),
];

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Numbers by value, instants as instants, other texts by code point. Equal neighbours are in order. `true` is \
               `ascending`.",
        subject: Shape::Either(&[Shape::Boolean, Shape::OneOf(ORDERS), Shape::Fields(FIELDS)]),
        fields: FIELDS,
        example: "# rows: [{\"price\": 30}, {\"price\": 9.90}, {\"price\": 9.9}]\n\
                  expect:\n  rows: { sorted: { by: .price, order: descending } }\n",
        ..Word::new("sorted", "the elements of the list are in order")
    },
    read,
};

#[derive(Debug)]
struct Sorted {
    by: Option<Path>,
    /// What no element may be to the one before it.
    wrong: Ordering,
}

fn read(node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    let (by, order) = match &node.kind {
        NodeKind::Bool(true) => (None, Ordering::Less),
        NodeKind::Map(_) => {
            let mut fields = Fields::of(node, "`sorted`", found);
            let (by, order) = (fields.take("by"), fields.take("order"));
            fields.finish(found);
            let by = match by {
                Some(by) => Some(read_path(by, found)?),
                None => None,
            };
            (by, order.map_or(Some(Ordering::Less), |order| read_order(order, found))?)
        }
        _ => (None, read_order(node, found)?),
    };
    Some(Arc::new(Sorted { by, wrong: order }))
}

fn read_order(node: &Node, found: &mut Diagnostics) -> Option<Ordering> {
    match node.as_text() {
        Some("ascending") => Some(Ordering::Less),
        Some("descending") => Some(Ordering::Greater),
        Some(other) => {
            let diagnostic = Diagnostic::error(format!("`{other}` is no order")).at(node.span, "");
            found.push(diagnostic.suggest(other, ORDERS.iter().copied()));
            None
        }
        None => {
            found.push(wrong("sorted", "`true`, `ascending`, `descending` or `{ by: .price }`", node));
            None
        }
    }
}

/// Reads a path in an element, with or without its leading dot.
pub(super) fn read_path(node: &Node, found: &mut Diagnostics) -> Option<Path> {
    let Some(text) = node.scalar_text() else {
        found.push(wrong("by", "a path in the element such as `.price`", node));
        return None;
    };
    match Path::parse(text.strip_prefix('.').unwrap_or(&text)) {
        Ok(path) => Some(path),
        Err(error) => {
            found.push(Diagnostic::error(error.message).at(node.span, ""));
            None
        }
    }
}

/// The parts of the elements that are compared; the error says where there is none.
pub(super) fn values_of(list: &[Value], by: Option<&Path>) -> Result<Vec<Value>, String> {
    let Some(path) = by else { return Ok(list.to_vec()) };
    let part = |(index, element): (usize, &Value)| match path.find(element) {
        Found::Missing(_) => Err(format!("element {index} has no `{path}`")),
        found => Ok(found.to_value().unwrap_or_default()),
    };
    list.iter().enumerate().map(part).collect()
}

impl Matcher for Sorted {
    fn judge(&self, actual: &Value, _: &Scene<'_>) -> Finding {
        let Value::List(list) = actual else { return Finding::failed(show::unfit(actual, "a list")) };
        let values = match values_of(list, self.by.as_ref()) {
            Ok(values) => values,
            Err(message) => return Finding::failed(message),
        };
        for (index, pair) in values.windows(2).enumerate() {
            match order(&pair[0], &pair[1]) {
                None => {
                    let (left, right) = (kind_name(&pair[0]), kind_name(&pair[1]));
                    return Finding::failed(format!("{left} and {right} have no order"))
                        .detail(format!("elements {index} and {}", index + 1));
                }
                Some(order) if order == self.wrong.reverse() => {
                    return Finding::failed(format!("element {} is out of order", index + 1))
                        .detail(format!("{} stands before {}", short(&pair[0]), short(&pair[1])));
                }
                Some(_) => {}
            }
        }
        Finding::held()
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => match (instant(left), instant(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(left.cmp(right)),
        },
        _ => None,
    }
}
