//! `equals: { state: paid }`: the same value, type included. A plain value right of a path means this.

use crate::diff::{Difference, How, Mode, differences_at, lines};
use crate::kind::{Finding, Kind, Matcher, Scene};
use crate::literal::Literal;
use crate::matchers::MATCHERS;
use crate::show::short;
use seam_expr::NameUse;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "What a plain value right of a path means. Numbers are equal by their exact decimal value (`1` is `1.0`), \
               but `\"1\"` is not `1`; texts by code point, without trimming; lists in order; maps with the same keys in \
               any order. Inside, everything is literal, so this is how a map is expected as it stands.",
        subject: Shape::Any,
        example: "# body: {\"customer\": {\"name\": \"Ann\", \"points\": 10.0}, \"lines\": [1, 2]}\n\
                  expect:\n  body.customer: { equals: { name: Ann, points: 10 } }\n  body.lines: [1, 2]\n",
        ..Word::new("equals", "the same value, type included")
    },
    read: |node, found| Some(Arc::new(Equals { literal: Literal::read(node, found), mode: Mode::Equal })),
};

/// Compares with an expected value, all of it or as far as it says.
#[derive(Debug)]
pub(crate) struct Equals {
    pub(crate) literal: Literal,
    pub(crate) mode: Mode,
}

impl Matcher for Equals {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let expected = match self.literal.value(scene) {
            Ok(expected) => expected,
            Err(error) => return error.into(),
        };
        let found = differences_at(scene.case, &expected, actual, self.mode);
        told(&found, &self.literal, scene.path).expecting(expected)
    }

    fn names(&self) -> Vec<NameUse> {
        self.literal.names()
    }
}

/// What differences look like: a single one at its own place, several as a list.
fn told(found: &[Difference], literal: &Literal, path: &str) -> Finding {
    let finding = match found {
        [] => return Finding::held(),
        [one] => Finding { at: Some(literal.place_of(&one.path)), ..Finding::failed(one.message()) },
        many => Finding::failed(format!("{} differences", many.len())),
    };
    let finding = Finding { details: lines(found, path), ..finding };
    finding.detail_all(
        found.iter().find_map(|difference| meant_as_matchers(difference, path)).into_iter().collect(),
    )
}

/// Says it where a map inside the expected value looks like matchers, which it can't be there.
fn meant_as_matchers(difference: &Difference, path: &str) -> Option<String> {
    let How::Other { expected: Value::Map(expected), actual } = &difference.how else { return None };
    let is_matcher = |name: &String| MATCHERS.iter().any(|kind| kind.word.name == name);
    if expected.is_empty() || actual.as_map().is_some() || !expected.keys().all(is_matcher) {
        return None;
    }
    let at = difference.path.iter().fold(path.to_owned(), |path, segment| format!("{path}.{segment}"));
    let matchers: Vec<String> =
        expected.iter().map(|(name, value)| format!("{name}: {}", short(value))).collect();
    let matchers = matchers.join(", ");
    Some(format!("inside a value a map is taken as it stands; for matchers write `{at}: {{ {matchers} }}`"))
}
