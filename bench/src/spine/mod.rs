//! The group `spine`: standing on seams, running steps, raising PostgreSQL, restoring its state, the whole example.

mod bookstore;
mod load;
mod postgres;
mod restore;
mod rivals;
mod run;
mod runner;
mod seams;

use crate::Part;

/// The parts of the group.
pub(crate) const PARTS: &[Part] = &[
    ("seam http", seams::http),
    ("seam postgres", seams::postgres),
    ("runner", runner::measure),
    ("postgres start", postgres::measure),
    ("restore", restore::measure),
    ("bookstore", bookstore::measure),
];
