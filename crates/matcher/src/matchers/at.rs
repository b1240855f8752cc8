//! `at: 2026-01-01T00:00Z`: the same instant, whatever the offset.

use super::times::{kind, read};
use crate::kind::Kind;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = kind(
    "at",
    "the same instant, whatever the offset",
    "# body: {\"due\": \"2026-01-01T01:00:00+01:00\"}\nexpect:\n  body.due: { at: 2026-01-01T00:00Z }\n",
    |node, found| read("at", node, found, Ordering::is_eq),
);
