//! Does this value hold what was expected? And if not, what is different, in one line and in detail.
//!
//! A [`Statement`] is one entry of an `expect` (a path and what is expected there), read once with all its mistakes
//! told, and judged as often as is wanted. What stands right of a path is a plain value or a map of matchers: one
//! file each in `matchers/`, one line each in [`MATCHERS`].
#![forbid(unsafe_code)]

mod diff;
mod kind;
mod literal;
mod matchers;
mod moment;
mod rule;
mod show;
mod snapshots;
mod statement;
#[cfg(test)]
mod tests;

pub use diff::{Difference, How, Mode, differences};
pub use kind::Kind;
pub use matchers::MATCHERS;
pub use show::short;
pub use snapshots::{
    NoSnapshots, Offered, SnapshotKey, Snapshots, UPDATE_COMMAND, read_snapshot, snapshot_text,
};
pub use statement::{Judgement, Statement};
