//! `like: { state: paid }`: at least what is written; maps may hold more.

use super::equals::Equals;
use crate::diff::Mode;
use crate::kind::Kind;
use crate::literal::Literal;
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Maps may hold more than is written, at any depth; lists have the same length and order, their elements \
               are compared in the same way; everything else must be equal.",
        subject: Shape::Any,
        example: "# body: {\"id\": 17, \"lines\": [{\"sku\": \"A1\", \"n\": 2}, {\"sku\": \"B2\", \"n\": 1}]}\n\
                  expect:\n  body: { like: { lines: [{ sku: A1 }, { sku: B2 }] } }\n",
        ..Word::new("like", "at least what is written: maps may hold more")
    },
    read: |node, found| Some(Arc::new(Equals { literal: Literal::read(node, found), mode: Mode::Like })),
};
