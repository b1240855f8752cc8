//! The group `spine`: standing on seams, running steps, raising PostgreSQL, restoring its state, the whole example.

mod bookstore;
mod postgres;
mod restore;
pub(crate) mod run;
mod runner;

use crate::Part;
use crate::wires::seams;

/// The parts of the group.
pub(crate) const PARTS: &[Part] = &[
    ("seam http", seams::http),
    ("seam postgres", seams::postgres),
    ("runner", runner::measure),
    ("postgres start", postgres::measure),
    ("restore", restore::measure),
    ("bookstore", bookstore::measure),
];
