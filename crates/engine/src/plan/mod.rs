//! From the files to the Plan: everything read, checked and resolved; nothing done yet.
//!
//! Whatever can be wrong in the files is found here, all of it at once. A [`Plan`] that exists can be run.

pub(crate) mod cases;
pub(crate) mod environment;
pub(crate) mod live;
mod names;
mod order;
mod pacing;
mod references;
pub(crate) mod secure;
mod select;
mod settings;
mod steps;
pub(crate) mod system;
pub(crate) mod test;
mod tests;
pub(crate) mod vocabulary;
pub(crate) mod waits;

use crate::plan::system::SystemPlan;
use crate::plan::test::{PlannedFlow, PlannedInvariant, PlannedStep, PlannedTest};
use seam_diag::{Diagnostics, Sources};
use seam_expr::Template;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use crate::plan::select::Selection;

/// What is going to be run.
pub struct Plan {
    /// The system.
    pub system: Arc<SystemPlan>,
    /// The files of tests.
    pub files: Vec<FilePlan>,
    /// The chosen tests, in their order.
    pub tests: Vec<PlannedTest>,
    /// What must hold after every test.
    pub invariants: Vec<PlannedInvariant>,
    /// What must hold, besides quiet, before counts and invariants are judged.
    pub settled: Vec<PlannedStep>,
    /// What stands in for components that are not there, by their names.
    pub stubs: HashMap<String, seam_stub::Source>,
    /// The seed of all chance.
    pub seed: u64,
    /// How many tests there are in all, chosen or not.
    pub n_tests_in_all: usize,
    /// Somebody else's components that nothing allows to be asked.
    pub unasked: Vec<String>,
}

/// One file of tests.
pub struct FilePlan {
    /// Its path, relative to the project.
    pub path: String,
    /// Its folder, where `./x` begins.
    pub folder: PathBuf,
    /// Its variables, in order.
    pub vars: Vec<(String, Template)>,
    /// Its flows by name.
    pub flows: Arc<HashMap<String, Arc<PlannedFlow>>>,
}

/// The files as they were read, with all that was found in them.
pub struct Checked {
    /// The folder of `seam.yaml`.
    pub root: PathBuf,
    /// All files that were read.
    pub sources: Sources,
    /// What was found.
    pub found: Diagnostics,
    /// The plan, unless there are errors.
    pub plan: Option<Plan>,
}

/// What to read and what to choose of it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Files and folders; the current folder's project where there are none.
    pub paths: Vec<PathBuf>,
    /// The profile to lay over the system.
    pub profile: Option<String>,
    /// Which tests.
    pub selection: Selection,
    /// The seed of all chance.
    pub seed: u64,
}

/// Reads and checks everything, and plans it where there is no mistake.
pub fn plan(request: &Request) -> Checked {
    tests::plan(request)
}
