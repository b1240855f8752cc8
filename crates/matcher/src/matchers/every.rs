//! `every: { .state: paid }`: all elements hold.

use super::elements::{Wanted, read};
use crate::kind::Kind;
use seam_model::{Shape, Word};

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "As `any`, for all elements. An empty list holds; where there must be some, say `size: { above: 0 }` too.",
        subject: Shape::Matchers,
        example: "# rows: [{\"state\": \"paid\"}, {\"state\": \"paid\"}]\n\
                  expect:\n  rows: { every: { .state: paid }, size: 2 }\n",
        ..Word::new("every", "all elements of the list hold")
    },
    read: |node, found| read(Wanted::All, node, found),
};
