//! `below: 500ms`: less.

use super::bounds::{SHAPE, read};
use crate::kind::Kind;
use seam_model::Word;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Numbers by their exact decimal value, durations (`250ms`, also a step's `elapsed`) by their length.",
        subject: SHAPE,
        example: "# elapsed: \"1200us\"\nexpect:\n  elapsed: { below: 500ms }\n",
        ..Word::new("below", "less than this, or shorter")
    },
    read: |node, found| read("below", node, found, Ordering::is_lt),
};
