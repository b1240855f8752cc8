//! The first line of a stored run: which format, which version of it, which run.

use seam_event::RunId;
use serde::{Deserialize, Serialize};

/// The name of the format.
pub(crate) const FORMAT: &str = "seamwork-history";

/// The version that is written. It changes only when an older reader could no longer make sense of a run; new
/// kinds of events and new fields don't change it. A run of each version stays under `tests/runs/`.
pub(crate) const VERSION: u32 = 1;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `seamwork-history`
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The run.
    pub run: RunId,
}

impl Head {
    /// The head of a run that is written now.
    pub fn new(run: RunId) -> Self {
        Self { format: FORMAT.into(), version: VERSION, run }
    }
}
