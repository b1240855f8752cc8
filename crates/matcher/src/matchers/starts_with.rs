//! `starts_with: https://`: how a text begins.

use super::ends_with::Affix;
use crate::kind::Kind;
use crate::literal::Literal;
use seam_model::{Shape, Word};
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        subject: Shape::Text,
        example: "# headers: {\"location\": \"https://shop.test/c/9\"}\n\
                  expect:\n  headers.location: { starts_with: \"https://\" }\n",
        ..Word::new("starts_with", "how a text begins")
    },
    read: |node, found| {
        Some(Arc::new(Affix {
            literal: Literal::read(node, found),
            holds: |text, part| text.starts_with(part),
        }))
    },
};
