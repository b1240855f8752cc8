//! `unique: true`, `unique: .sku`: no two elements are equal.

use super::sorted::{read_path, values_of};
use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::show::{self, short};
use seam_expr::{Lookup, Path};
use seam_model::{NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "`true` looks at the elements themselves, a path with a leading dot at that part of each.",
        subject: Shape::Either(&[Shape::Boolean, Shape::Text]),
        example: "# rows: [{\"id\": 1, \"n\": 5}, {\"id\": 2, \"n\": 5}]\nexpect:\n  rows: { unique: .id }\n",
        ..Word::new("unique", "no two elements of the list are equal")
    },
    read: |node, found| match &node.kind {
        NodeKind::Bool(true) => Some(Arc::new(Unique { by: None })),
        NodeKind::Text { text, .. } if text.starts_with('.') => {
            Some(Arc::new(Unique { by: Some(read_path(node, found)?) }))
        }
        _ => {
            found.push(wrong("unique", "`true`, or a path in the element such as `.id`", node));
            None
        }
    },
};

#[derive(Debug)]
struct Unique {
    by: Option<Path>,
}

impl Matcher for Unique {
    fn judge(&self, actual: &Value, _: &Scene<'_>) -> Finding {
        let Value::List(list) = actual else { return Finding::failed(show::unfit(actual, "a list")) };
        let values = match values_of(list, self.by.as_ref()) {
            Ok(values) => values,
            Err(message) => return Finding::failed(message),
        };
        let mut seen = Lookup::new();
        let mut twice = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match seen.find(value) {
                Some(first) => twice.push(format!("elements {first} and {index}: {}", short(value))),
                None => seen.add(index, value),
            }
        }
        let n = twice.len();
        Finding::when(n == 0, || {
            if n == 1 { "one is there twice".to_owned() } else { format!("{n} are there again") }
        })
        .detailed(|| twice.into_iter().take(10).collect())
    }
}
