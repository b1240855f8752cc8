//! `at_most: 20`: this or less.

use super::bounds::{SHAPE, read};
use crate::kind::Kind;
use seam_model::Word;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Numbers by their exact decimal value, durations (`250ms`, also a step's `elapsed`) by their length.",
        subject: SHAPE,
        example: "# body: {\"total\": 19.90}\nexpect:\n  body.total: { at_most: 20 }\n",
        ..Word::new("at_most", "this or less, or this or shorter")
    },
    read: |node, found| read("at_most", node, found, Ordering::is_le),
};
