//! `at_least: 1`: this or more.

use super::bounds::{SHAPE, read};
use crate::kind::Kind;
use seam_model::Word;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Numbers by their exact decimal value, durations (`250ms`, also a step's `elapsed`) by their length.",
        subject: SHAPE,
        example: "# body: {\"total\": 19.90}\nexpect:\n  body.total: { at_least: 19.9 }\n",
        ..Word::new("at_least", "this or greater, or this or longer")
    },
    read: |node, found| read("at_least", node, found, Ordering::is_ge),
};
