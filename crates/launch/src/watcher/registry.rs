//! One file per living run in a folder of the user's own, so that the next start can end what a killed watcher left.
//!
//! The watcher holds a lock on its file for as long as it lives: the kernel lets go of it however the watcher ends,
//! so a file without a lock is a run whose watcher is dead. (A process id with its start time says the same, but not
//! across two containers that share a folder; it is written down all the same, for people and for `seam doctor`.)

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The ending of the files in the registry.
const ENDING: &str = "run";

/// One line of a run's file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Head { run: String, cookie: String, watcher: u32, start: u64 },
    Folder(PathBuf),
}

/// The watcher's own file, which it holds while it lives.
#[derive(Debug)]
pub(crate) struct Entry {
    path: PathBuf,
    file: File,
}

/// The file of a run whose watcher is dead, and its lock, so that two starts do not sweep the same.
#[derive(Debug)]
pub(crate) struct Dead {
    path: PathBuf,
    _lock: File,
    pub(crate) run: String,
    pub(crate) cookie: String,
    pub(crate) folders: Vec<PathBuf>,
}

impl Entry {
    /// Writes a run's file and locks it; it appears in the folder only with its lock held.
    pub(crate) fn create(registry: &Path, run: &str, cookie: &str, start: u64) -> io::Result<Self> {
        own_folder(registry)?;
        let path = registry.join(format!("{cookie}.{ENDING}"));
        let unfinished = registry.join(format!(".{cookie}"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&unfinished)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let mut entry = Self { path, file };
        let head =
            Line::Head { run: run.to_owned(), cookie: cookie.to_owned(), watcher: std::process::id(), start };
        entry.append(&head)?;
        std::fs::rename(&unfinished, &entry.path)?;
        Ok(entry)
    }

    /// Notes a folder that is to be removed when the run is over.
    pub(crate) fn folder(&mut self, folder: &Path) -> io::Result<()> {
        self.append(&Line::Folder(folder.to_owned()))
    }

    /// Takes the file away: nothing is left to sweep.
    pub(crate) fn remove(self) {
        // It may be gone already, with the folder; then there is nothing to do.
        let _ = std::fs::remove_file(&self.path);
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())
    }
}

impl Dead {
    /// The runs in the registry whose watcher is dead. Files that cannot be read, or are not the user's own, are
    /// passed over.
    pub(crate) fn find(registry: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(registry) else { return Vec::new() };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
            .filter_map(|path| Self::of(path).ok().flatten())
            .collect()
    }

    fn of(path: PathBuf) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).open(&path)?;
        if file.metadata()?.uid() != rustix::process::getuid().as_raw() {
            return Ok(None);
        }
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // Its watcher, or another sweep, may have ended between opening and locking, and taken it away.
        if !path.exists() {
            return Ok(None);
        }
        let mut lines = BufReader::new(&file).lines().map_while(Result::ok);
        let head = lines.next().and_then(|line| serde_json::from_str(&line).ok());
        let Some(Line::Head { run, cookie, .. }) = head else { return Ok(None) };
        let folders = lines
            .filter_map(|line| match serde_json::from_str(&line) {
                Ok(Line::Folder(folder)) => Some(folder),
                _ => None,
            })
            .collect();
        Ok(Some(Self { path, _lock: file, run, cookie, folders }))
    }

    /// Takes the file away.
    pub(crate) fn forget(self) {
        // Another sweep may have been faster.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a folder that only the user can look into, and refuses one of somebody else's.
pub(crate) fn own_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = std::fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() {
        let reason = format!("{} is not a folder of your own", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    Ok(())
}

/// Removes a run's folder, and nothing that does not have the run's name in its path: a registry that somebody
/// wrote by hand must not cost a home folder.
pub(crate) fn remove_folder(folder: &Path, run: &str) -> io::Result<()> {
    let names_run = folder.components().any(
        |part| matches!(part, std::path::Component::Normal(name) if name.to_string_lossy().contains(run)),
    );
    let climbs = folder.components().any(|part| part == std::path::Component::ParentDir);
    if run.is_empty() || !names_run || climbs || !folder.is_absolute() {
        let reason = format!("{} is not a folder of run {run}", folder.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A process that has just been ended may have made one more file while we were removing.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => std::fs::remove_dir_all(folder),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_dead_when_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let registry = folder.path().join("runs");
        let mut entry = Entry::create(&registry, "3f2", "3f2.1.2", 2).unwrap();
        entry.folder(Path::new("/tmp/x/3f2")).unwrap();
        assert!(Dead::find(&registry).is_empty(), "a living watcher holds it");
        drop(entry);
        let dead = Dead::find(&registry);
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].run.as_str(), dead[0].cookie.as_str()), ("3f2", "3f2.1.2"));
        assert_eq!(dead[0].folders, [PathBuf::from("/tmp/x/3f2")]);
        assert!(Dead::find(&registry).is_empty(), "another sweep holds it");
        for one in dead {
            one.forget();
        }
        assert_eq!(std::fs::read_dir(&registry).unwrap().count(), 0);
    }

    #[test]
    fn rubbish_in_the_registry_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("a.run", ""), ("b.run", "{\"head\":1}"), ("c.run", "\u{0}\n"), ("d.txt", "x")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        assert!(Dead::find(folder.path()).is_empty());
    }

    #[test]
    fn only_folders_of_the_run_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["other", "run-3f2", "kept"] {
            std::fs::create_dir_all(path(name).join("deep")).unwrap();
        }
        std::os::unix::fs::symlink(path("kept"), path("run-3f2").join("link")).unwrap();
        assert!(remove_folder(&path("other"), "3f2").is_err());
        assert!(remove_folder(&path("run-3f2/../other"), "3f2").is_err());
        assert!(remove_folder(Path::new("run-3f2"), "3f2").is_err());
        assert!(remove_folder(&path("run-3f2"), "").is_err());
        remove_folder(&path("run-3f2"), "3f2").unwrap();
        remove_folder(&path("run-3f2"), "3f2").unwrap();
        assert!(!path("run-3f2").exists() && path("other/deep").exists() && path("kept/deep").exists());
    }
}
