//! `above: 0`: more.

use super::bounds::{SHAPE, read};
use crate::kind::Kind;
use seam_model::Word;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Numbers by their exact decimal value, durations (`250ms`, also a step's `elapsed`) by their length.",
        subject: SHAPE,
        example: "# body: {\"copies\": 3}\nexpect:\n  body.copies: { above: 0 }\n",
        ..Word::new("above", "greater than this, or longer")
    },
    read: |node, found| read("above", node, found, Ordering::is_gt),
};
