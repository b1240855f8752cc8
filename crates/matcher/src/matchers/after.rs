//! `after: now - 5m`: a later instant.

use super::times::{kind, read};
use crate::kind::Kind;
use std::cmp::Ordering;

pub(crate) const KIND: Kind = kind(
    "after",
    "a later instant than this",
    "# body: {\"created\": \"2026-01-31T12:59:00+01:00\"}\nexpect:\n  body.created: { after: now - 5m }\n",
    |node, found| read("after", node, found, Ordering::is_gt),
);
