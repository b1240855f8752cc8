//! Which project, which profile and which tests a command is about, and all that is wrong with their files.

use crate::screen::Screen;
use clap::Args;
use jiff::Timestamp;
use seam_diag::Severity;
use seam_engine::{Checked, Plan, PlannedSeam, Request, Selection, SystemPlan, plan};
use seam_judge::Exit;
use std::path::PathBuf;
use std::time::Instant;

/// Where the files are.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Files {
    /// Folders, seam.yaml, or files of tests (*.seam.yaml); the project of this folder where nothing is said
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Lay this profile of seam.yaml over the system
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// Files that were read and have no mistakes.
pub(crate) struct Readable {
    /// The folder of `seam.yaml`.
    pub(crate) root: PathBuf,
    /// The files.
    pub(crate) sources: seam_diag::Sources,
    /// What to do with them.
    pub(crate) plan: Plan,
    /// How many warnings were told.
    pub(crate) n_warnings: usize,
    /// When reading them began, on the clock that never goes back and on the wall: the zero of all times of a run.
    pub(crate) began: (Instant, Timestamp),
}

impl Files {
    /// Reads and checks the files, and tells all that was found in them. With mistakes nothing can be started.
    pub(crate) fn read(
        &self,
        selection: Selection,
        seed: u64,
        screen: &mut Screen,
    ) -> Result<Readable, Exit> {
        let began = (Instant::now(), Timestamp::now());
        let request = Request { paths: self.paths.clone(), profile: self.profile.clone(), selection, seed };
        let Checked { root, sources, found, plan } = plan(&request);
        screen.diagnostics(&found, &sources);
        let n_warnings = found.in_order().iter().filter(|one| one.severity == Severity::Warning).count();
        if let Some(plan) = plan {
            return Ok(Readable { root, sources, plan, n_warnings, began });
        }
        let mut count = counted(found.n_errors(), "mistake", "mistakes");
        if n_warnings > 0 {
            count = format!("{count}, {}", counted(n_warnings, "warning", "warnings"));
        }
        // One that is told alone needs no counting.
        if found.n_errors() + n_warnings > 1 {
            let count = screen.err_ink().red(&count);
            screen.tell(&format!("{count}\n"));
        }
        Err(Exit::CouldNotRun)
    }
}

/// Is an endpoint to be shown? Those with a number for a name (a Redis' sixteen databases) are there whether anybody
/// wants them or not.
pub(crate) fn is_shown(system: &SystemPlan, component: &str, endpoint: &str) -> bool {
    let is_numbered = !endpoint.is_empty() && endpoint.bytes().all(|byte| byte.is_ascii_digit());
    let is_used =
        |seam: &PlannedSeam| seam.id.provider.as_str() == component && seam.id.endpoint.as_str() == endpoint;
    !is_numbered || system.seams.iter().any(is_used)
}

/// `1 test`, `2 tests`.
pub(crate) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
