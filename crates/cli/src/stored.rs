//! The stored run that somebody means, found and read.

use crate::screen::chain;
use seam_diag::Diagnostic;
use seam_history::{FindError, ReadError, Reader, RunFolder, Stored, find};
use seam_manifest::{ProjectError, find_project};
use std::path::{Path, PathBuf};

/// A stored run with where it stands.
pub(crate) struct StoredRun {
    /// The folder of its project; empty for a run that was copied elsewhere.
    pub(crate) project: PathBuf,
    /// Its own folder.
    pub(crate) folder: RunFolder,
    /// All of it.
    pub(crate) stored: Stored,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredError {
    /// There is no project here.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The project has no such run.
    #[error(transparent)]
    Find(#[from] FindError),
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl StoredError {
    /// As it is shown to people.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let told = Diagnostic::error(chain(self));
        match self {
            Self::Project(error) => error.diagnostic(),
            Self::Find(FindError::Nothing(_)) => told.hint("`seam run` makes one"),
            Self::Find(_) | Self::Read(_) => told,
        }
    }
}

/// Finds and reads a run: the name of one in the project of the paths, or the folder of one.
pub(crate) fn stored_run(paths: &[PathBuf], name: &str) -> Result<StoredRun, StoredError> {
    let path = Path::new(name);
    let (project, folder) = if path.join("events.jsonl").is_file() {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_at_home = path.parent().is_some_and(|runs| runs.ends_with(".seam/runs"));
        let project = path.ancestors().nth(3).filter(|_| is_at_home);
        (project.map(Path::to_owned).unwrap_or_default(), RunFolder { id: id.as_str().into(), path })
    } else {
        let project = find_project(paths)?;
        let folder = find(&project.root, name)?;
        (project.root, folder)
    };
    let stored = Reader::open(&folder).and_then(Reader::read)?;
    Ok(StoredRun { project, folder, stored })
}
