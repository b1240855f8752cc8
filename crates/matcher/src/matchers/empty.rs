//! `empty: true`: a text, list or map without anything in it.

use super::exists::read_flag;
use crate::kind::{Finding, Kind, Matcher, Scene};
use crate::show;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "`true`: a text without characters, a list without elements, a map without keys. `false`: one with some. \
               Null is neither: write `x: null`.",
        subject: Shape::Boolean,
        example: "# rows: []\n# body: {\"name\": \"Ann\"}\nexpect:\n  rows: { empty: true }\n  body.name: { empty: false }\n",
        ..Word::new("empty", "a text, list or map without anything in it")
    },
    read: |node, found| {
        let expected = read_flag("empty", node, found)?;
        Some(Arc::new(Empty { expected }))
    },
};

#[derive(Debug)]
struct Empty {
    expected: bool,
}

impl Matcher for Empty {
    fn judge(&self, actual: &Value, _: &Scene<'_>) -> Finding {
        let is_empty = match actual {
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => return Finding::failed(show::unfit(actual, "a text, a list or a map")),
        };
        Finding::when(is_empty == self.expected, || show::actual(actual, None))
            .expecting(self.expected.into())
    }
}
