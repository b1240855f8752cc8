//! Where values that were kept on purpose are found again, for the matcher `snapshot`.
//!
//! This crate reads and writes no files. It says what is kept under which key, what to say where nothing is, and how
//! a value looks in a file ([`snapshot_text`], [`read_snapshot`]); whoever runs the tests keeps the files.

use seam_value::Value;

/// What a person runs so that snapshots are kept, or kept anew.
pub const UPDATE_COMMAND: &str = "seam run --update-snapshots";

/// Under what a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotKey<'a> {
    /// `snapshot: a paid order`: the same for all tests of the project that say this name.
    Named(&'a str),
    /// `snapshot: true`: what stands at this path, in this test and at this step only.
    At(&'a str),
}

/// What became of a value that was offered to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is kept now, in place of what was kept before.
    Kept,
    /// Nobody asked for that in this run.
    NotAsked,
    /// It should have been kept and can't be: one line that says why.
    Refused(String),
}

/// What was kept, as one step of one test sees it.
pub trait Snapshots {
    /// What is kept under a key; none where nothing is yet. The error says in one line why it can't be read.
    fn kept(&self, key: SnapshotKey<'_>) -> Result<Option<Value>, String>;

    /// Offers a value that is not kept yet, or not so. Only where the user has asked for it in this run is it kept.
    fn offer(&self, key: SnapshotKey<'_>, value: &Value) -> Offered;

    /// The value as it may lie in a file that people share: secrets masked. Compared is what this gives.
    fn shown(&self, value: &Value) -> Value {
        value.clone()
    }
}

/// No snapshots at all: every one is missing, and none is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSnapshots;

impl Snapshots for NoSnapshots {
    fn kept(&self, _: SnapshotKey<'_>) -> Result<Option<Value>, String> {
        Ok(None)
    }

    fn offer(&self, _: SnapshotKey<'_>, _: &Value) -> Offered {
        Offered::NotAsked
    }
}

/// A value as it lies in a file: JSON on several lines, so that version control shows what changed.
pub fn snapshot_text(value: &Value) -> String {
    format!("{}\n", value.to_pretty())
}

/// Reads such a file. The error is one line.
pub fn read_snapshot(text: &str) -> Result<Value, String> {
    seam_value::parse(text).map_err(|error| format!("it is no JSON: {error}"))
}
