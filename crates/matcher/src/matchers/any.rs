//! `any: { .sku: A1 }`: at least one element holds.

use super::elements::{Wanted, read};
use crate::kind::Kind;
use seam_model::{Shape, Word};

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "Takes a plain value, matchers for an element, and paths in the element, which begin with a dot. All of them \
               must hold for the same element.",
        subject: Shape::Matchers,
        example: "# body: {\"lines\": [{\"sku\": \"A1\", \"price\": 9.90}, {\"sku\": \"B2\", \"price\": 30}]}\n\
                  expect:\n  body.lines: { any: { .sku: A1, .price: { below: 10 } } }\n",
        ..Word::new("any", "at least one element of the list holds")
    },
    read: |node, found| read(Wanted::One, node, found),
};
