//! `starts_with: https://`: how a text begins.

use super::ends_with::{AFFIX_TEXT, Affix};
use crate::kind::Kind;
use seam_model::{Shape, Word};

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: AFFIX_TEXT,
        subject: Shape::Text,
        example: "# headers: {\"location\": \"https://shop.test/c/9\"}\n\
                  expect:\n  headers.location: { starts_with: \"https://\" }\n",
        ..Word::new("starts_with", "how a text begins")
    },
    read: |node, found| Affix::read("starts_with", node, found, |text, part| text.starts_with(part)),
};
