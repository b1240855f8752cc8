//! Makes the Plan and carries it out.
//!
//! [`plan()`] reads and checks all files; [`run()`] raises the testbed, runs every test, and takes everything down
//! again; [`up()`] keeps the testbed up. Nothing here prints: what happens is recorded as Events.
#![forbid(unsafe_code)]

mod plan;
mod run;
mod snapshots;
mod testbed;

pub use plan::environment::Environment;
pub use plan::system::{EndpointPlan, PlannedComponent, PlannedSeam, SystemPlan};
pub use plan::test::PlannedTest;
pub use plan::vocabulary::Words;
pub use plan::{Checked, FilePlan, Plan, Request, Selection, plan};
pub use run::{Opening, Raised, RunOptions, Stopped, Up, opening, run, up};
pub use testbed::{Alive, BedError, Ground, Progress};
