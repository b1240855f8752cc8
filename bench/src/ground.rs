//! What all groups stand on: where the programs are, how often to measure, and a folder for what is made.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What all groups stand on.
pub(crate) struct Ground {
    /// How many rounds.
    pub(crate) n_rounds: usize,
    /// The `seam` that is measured.
    pub(crate) seam: PathBuf,
    /// The root of the workspace.
    pub(crate) root: PathBuf,
    only: Vec<String>,
    folder: TempDir,
}

impl Ground {
    /// Finds what is needed.
    pub(crate) fn new(n_rounds: usize, only: Vec<String>) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let seam = own.with_file_name("seam");
        if !seam.is_file() {
            return Err(format!("{} is missing: cargo build --release -p seam-cli", seam.display()));
        }
        let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        open_to_all(folder.path());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { n_rounds, seam, root, only, folder })
    }

    /// Is this part of a group to be measured?
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text.as_str()))
    }

    /// An empty folder that servers may pass through which do not run as root.
    pub(crate) fn fresh_folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        // What an earlier round left may not be there.
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::create_dir_all(&folder);
        open_to_all(&folder);
        folder
    }
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755));
}
