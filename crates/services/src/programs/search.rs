//! Looks through this machine for a program, and asks what it finds for its version.

use super::{Origin, Program, Search, Version, fetch};
use crate::places::Places;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// A file that may be the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) origin: Origin,
    pub(super) libraries: Vec<PathBuf>,
}

/// All files that may be the program, best first.
pub(super) fn candidates(program: &Program, search: &Search<'_>) -> Vec<Candidate> {
    let here = |path: PathBuf, origin| Candidate { path, origin, libraries: Vec::new() };
    if let Some(given) = search.given {
        // A folder is taken as well: the one that PostgreSQL's programs lie in.
        let path = if given.is_dir() { given.join(program.file) } else { given.to_owned() };
        return vec![here(path, Origin::Given)];
    }
    let mut found = Vec::new();
    let mut add = |path: PathBuf, origin| {
        if is_program(&path) {
            found.push(here(path, origin));
        }
    };
    for folder in search.path.split(':').filter(|folder| folder.starts_with('/')) {
        add(Path::new(folder).join(program.file), Origin::Path);
    }
    for pattern in program.folders {
        for folder in newest_first(matching(pattern)) {
            add(folder.join(program.file), Origin::Distribution);
        }
    }
    for prefix in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        for formula in program.formulas {
            for folder in newest_first(matching(&format!("{prefix}/{formula}"))) {
                add(folder.join("bin").join(program.file), Origin::Homebrew);
            }
        }
    }
    found.extend(fetch::fetched(program, search));
    found
}

pub(super) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The folders that a pattern means, in which `*` stands for any text within one part.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        folders = match part.split_once('*') {
            None => folders.iter().map(|folder| folder.join(part)).collect(),
            Some((start, end)) => folders.iter().flat_map(|folder| children(folder, start, end)).collect(),
        };
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

fn children(folder: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let fits =
        |name: &str| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
    let names = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(fits));
    names.map(|entry| entry.path()).collect()
}

/// Folders by the version that stands in their paths, the newest first.
fn newest_first(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let version = |folder: &PathBuf| folder.to_str().and_then(Version::first_in);
    folders.sort_by(|one, other| version(other).cmp(&version(one)).then_with(|| one.cmp(other)));
    folders
}

/// The version that a program says it has. What was once heard is remembered as long as the file is the same,
/// because starting PostgreSQL only to hear it costs a tenth of a warm start.
pub(super) async fn version_of(path: &Path, libraries: &[PathBuf], places: &Places) -> Option<Version> {
    let file = fs::metadata(path).ok()?;
    let key = format!("{}\t{}.{}\t{}", path.display(), file.mtime(), file.mtime_nsec(), file.len());
    let memory = places.cache.join("versions");
    let known = fs::read_to_string(&memory).unwrap_or_default();
    let line = known.lines().find_map(|line| line.strip_prefix(&key)?.strip_prefix('\t'));
    if let Some(version) = line.and_then(Version::first_in) {
        return Some(version);
    }
    let mut command = tokio::process::Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    if !libraries.is_empty() {
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).ok()?);
    }
    let said = tokio::time::timeout(VERSION_LIMIT, command.output()).await.ok()?.ok()?;
    let version = Version::first_in(&String::from_utf8_lossy(&said.stdout))?;
    // Forgetting it costs milliseconds at the next start, so a full disk is no reason to stop.
    let _ = remember(&memory, &format!("{key}\t{version}\n"), places);
    Some(version)
}

fn remember(memory: &Path, line: &str, places: &Places) -> std::io::Result<()> {
    places.make(&places.cache)?;
    // One write of one short line: two runs at once do not mix theirs.
    fs::OpenOptions::new().create(true).append(true).open(memory)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_folders_newest_first() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["pg/9.6/bin", "pg/15/bin", "pg/16", "other"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let pattern = format!("{}/pg/*/bin", root.path().display());
        let found: Vec<_> = newest_first(matching(&pattern));
        assert_eq!(found.len(), 2);
        assert!(found.contains(&root.path().join("pg/15/bin")), "{found:?}");
        assert!(matching("/there/is/no/*/such").is_empty());
    }
}
