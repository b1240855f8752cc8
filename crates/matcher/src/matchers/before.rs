//! `before: now`: an earlier instant.

use super::times::{kind, read};
use crate::kind::Kind;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = kind(
    "before",
    "an earlier instant than this",
    "# body: {\"created\": \"2026-01-31T11:59:00Z\"}\nexpect:\n  body.created: { before: now }\n",
    |node, found| read("before", node, found, Ordering::is_lt),
);
