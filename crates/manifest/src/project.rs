//! Finds the project: its `seam.yaml`, and the files of tests that were asked for.

use crate::near::near_path;
use ignore::WalkBuilder;
use seam_diag::Diagnostic;
use std::path::{Path, PathBuf};

/// The name of the file that makes a folder a project.
pub const SYSTEM_FILE: &str = "seam.yaml";

/// How the names of files of tests end.
pub const TEST_FILE_END: &str = ".seam.yaml";

/// Folders that hold no tests of the user's.
const PASSED_OVER: &[&str] = &["node_modules", "target"];

/// A project on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The folder of `seam.yaml`, absolute.
    pub root: PathBuf,
    /// `seam.yaml` itself, absolute.
    pub system: PathBuf,
    /// The files of tests, absolute, sorted; those that were asked for, or all.
    pub tests: Vec<PathBuf>,
}

/// Why there is no project to run.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A path that is not there.
    #[error("there is no `{}`", shown(.path).display())]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// No `seam.yaml` in the folder or above it.
    #[error("there is no {SYSTEM_FILE} in {} or any folder above it", shown(.folder).display())]
    NoSystem {
        /// The folder where the search began.
        folder: PathBuf,
    },
    /// A file that is neither `seam.yaml` nor `*.seam.yaml`.
    #[error("`{}` is no file of tests", shown(.path).display())]
    NoTests {
        /// The path.
        path: PathBuf,
    },
    /// Paths of two projects.
    #[error("the paths belong to different projects: {} and {}", shown(.first).display(), shown(.second).display())]
    TwoProjects {
        /// The `seam.yaml` of the first path.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// The folder in which the program runs cannot be known.
    #[error("the current folder cannot be read")]
    NoFolder(#[source] std::io::Error),
    /// A folder that cannot be looked through.
    #[error("cannot look through {}", shown(.folder).display())]
    Walk {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: ignore::Error,
    },
}

impl ProjectError {
    /// As it is shown to people.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::NotThere { path } => near_path(diagnostic, path),
            Self::NoSystem { .. } => diagnostic.hint("`seam init` writes a first one"),
            Self::NoTests { .. } => diagnostic
                .hint(format!("name {SYSTEM_FILE}, a file that ends with {TEST_FILE_END}, or a folder")),
            Self::TwoProjects { .. } => diagnostic.hint("run them one after the other"),
            Self::NoFolder(error) => diagnostic.note("", error.to_string()),
            Self::Walk { source, .. } => diagnostic.note("", source.to_string()),
        }
    }
}

/// Finds the project of the paths: folders, `seam.yaml` files, files of tests; the current folder where there is
/// none. Without a file or folder of tests among them, all files of tests in the project's `tests` are meant.
pub fn find_project(paths: &[PathBuf]) -> Result<Project, ProjectError> {
    let current = std::env::current_dir().map_err(ProjectError::NoFolder)?;
    find_project_from(&current, paths)
}

/// [`find_project`], standing in the given folder.
pub fn find_project_from(current: &Path, paths: &[PathBuf]) -> Result<Project, ProjectError> {
    let mut system: Option<PathBuf> = None;
    let mut tests = Vec::new();
    let mut is_all = paths.is_empty();
    let asked = if paths.is_empty() { vec![PathBuf::new()] } else { paths.to_vec() };
    for path in asked {
        let path = crate::paths::normal(&current.join(path));
        let (found, asks) = one(&path)?;
        match &system {
            Some(first) if *first != found => {
                return Err(ProjectError::TwoProjects { first: first.clone(), second: found });
            }
            _ => system = Some(found),
        }
        match asks {
            Asks::Everything => is_all = true,
            Asks::These(files) => tests.extend(files),
        }
    }
    let system = system.ok_or_else(|| ProjectError::NoSystem { folder: current.to_owned() })?;
    let root = system.parent().unwrap_or(current).to_owned();
    if is_all {
        let folder = root.join("tests");
        if folder.is_dir() {
            tests.extend(tests_in(&folder)?);
        }
    }
    tests.sort();
    tests.dedup();
    Ok(Project { root, system, tests })
}

/// What one path asks for.
enum Asks {
    Everything,
    These(Vec<PathBuf>),
}

/// The `seam.yaml` of one path, and what it asks for.
fn one(path: &Path) -> Result<(PathBuf, Asks), ProjectError> {
    if path.is_dir() {
        let system = system_of(path)?;
        let asks =
            if system.parent() == Some(path) { Asks::Everything } else { Asks::These(tests_in(path)?) };
        return Ok((system, asks));
    }
    if !path.exists() {
        return Err(ProjectError::NotThere { path: path.to_owned() });
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name == SYSTEM_FILE {
        return Ok((path.to_owned(), Asks::Everything));
    }
    if !name.ends_with(TEST_FILE_END) {
        return Err(ProjectError::NoTests { path: path.to_owned() });
    }
    let system = system_of(path.parent().unwrap_or(path))?;
    Ok((system, Asks::These(vec![path.to_owned()])))
}

/// The nearest `seam.yaml` from a folder upward.
fn system_of(folder: &Path) -> Result<PathBuf, ProjectError> {
    folder
        .ancestors()
        .map(|ancestor| ancestor.join(SYSTEM_FILE))
        .find(|file| file.is_file())
        .ok_or_else(|| ProjectError::NoSystem { folder: folder.to_owned() })
}

/// All files of tests in a folder and below. Hidden folders and those of build tools are passed over; so are
/// projects of their own.
fn tests_in(folder: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let mut tests = Vec::new();
    let top = folder.to_owned();
    let walk = WalkBuilder::new(folder)
        .standard_filters(false)
        .hidden(true)
        .filter_entry(move |entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy();
            !is_folder
                || entry.path() == top
                || !(PASSED_OVER.contains(&name.as_ref()) || entry.path().join(SYSTEM_FILE).is_file())
        })
        .build();
    for entry in walk {
        let entry = entry.map_err(|source| ProjectError::Walk { folder: folder.to_owned(), source })?;
        let is_file = entry.file_type().is_some_and(|kind| !kind.is_dir());
        let name = entry.file_name().to_string_lossy();
        if is_file && name.ends_with(TEST_FILE_END) && name != TEST_FILE_END {
            tests.push(entry.into_path());
        }
    }
    tests.sort();
    Ok(tests)
}

/// The path as people would name it: relative to where they stand, where that is shorter.
pub fn shown(path: &Path) -> PathBuf {
    match std::env::current_dir() {
        Ok(current) => crate::paths::relative(path, &current),
        Err(_) => path.to_owned(),
    }
}
