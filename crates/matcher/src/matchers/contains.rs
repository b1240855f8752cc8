//! `contains: order 17`: a part of a text; an element of a list.

use crate::diff::{Difference, Mode, differences_at, lines, matches, nearest};
use crate::kind::{Finding, Kind, Matcher, Scene};
use crate::literal::Literal;
use crate::show;
use seam_expr::NameUse;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "In a text: a part of it, case and white space included; a number or boolean counts as it is written. In a \
               list: an element that is `like` it.",
        subject: Shape::Any,
        example: "# mails: [{\"subject\": \"Your order 17\"}]\n# rows: [{\"sku\": \"A1\", \"n\": 2}]\n\
                  expect:\n  mails.0.subject: { contains: order 17 }\n  rows: { contains: { sku: A1 } }\n",
        ..Word::new("contains", "a part of a text, or an element of a list")
    },
    read: |node, found| Some(Arc::new(Contains { literal: Literal::read(node, found) })),
};

#[derive(Debug)]
struct Contains {
    literal: Literal,
}

impl Matcher for Contains {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let expected = match self.literal.value(scene) {
            Ok(expected) => expected,
            Err(error) => return error.into(),
        };
        judged(&expected, actual, scene).expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}

fn judged(expected: &Value, actual: &Value, scene: &Scene<'_>) -> Finding {
    match (actual, expected) {
        (Value::List(list), _) => {
            let case = scene.case;
            let holds = list.iter().any(|element| matches(case, expected, element, Mode::Like));
            Finding::when(holds, || match list.len() {
                0 => "actual: an empty list".to_owned(),
                1 => format!("not in it; its one element is {}", show::short(&list[0])),
                n => format!("none of its {n} elements is like this"),
            })
            .detailed(|| {
                match (nearest(case, expected, list.iter().enumerate(), Mode::Like), list.as_slice()) {
                    (Some((index, found)), _) => nearest_lines(scene.path, index, &found),
                    (None, [only]) if expected.as_map().is_some() && only.as_map().is_some() => {
                        lines(&differences_at(case, expected, only, Mode::Like), &format!("{}.0", scene.path))
                    }
                    (None, [] | [_]) => Vec::new(),
                    (None, several) => several.iter().take(10).map(show::short).collect(),
                }
            })
        }
        (Value::Text(text), Value::Text(_) | Value::Number(_) | Value::Bool(_)) => {
            let part = expected.to_plain_text();
            let holds = text.contains(&part);
            Finding::when(holds, || show::actual(actual, None)).detailed(|| near_miss(text, &part))
        }
        (Value::Text(_), _) => Finding::failed("a text can only contain a text"),
        _ => Finding::failed(show::unfit(actual, "a text or a list")),
    }
}

/// What the element that was probably meant differs in.
fn nearest_lines(path: &str, index: usize, found: &[Difference]) -> Vec<String> {
    let differences = lines(found, &format!("{path}.{index}")).into_iter();
    std::iter::once("the nearest:".to_owned()).chain(differences).collect()
}

/// Says it where only the case or the white space is different.
fn near_miss(text: &str, part: &str) -> Vec<String> {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.to_lowercase().contains(&part.to_lowercase()) {
        vec!["it is there in other letters, capital or small".to_owned()]
    } else if spaced(text).contains(&spaced(part)) {
        vec!["it is there with other white space".to_owned()]
    } else {
        Vec::new()
    }
}
