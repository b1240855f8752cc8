//! The files that mappings name: those of a folder's `__files`, and those that a client has put over the admin interface.

use seam_value::Value;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files by their names, on disk where there is a folder, else in memory.
#[derive(Default)]
pub(crate) struct Files {
    root: Option<PathBuf>,
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Files {
    /// Those of a folder with `mappings` and `__files`, or of none.
    pub(crate) fn of(root: Option<PathBuf>) -> Self {
        Self { root, kept: Mutex::default() }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        if let Some(bytes) = self.kept().get(name.trim_start_matches('/')) {
            return Ok(bytes.clone());
        }
        let path = self.path(name)?.ok_or_else(|| format!("there is no file {name}"))?;
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let Some(path) = self.path(name)? else {
            self.kept().insert(name.to_owned(), bytes.to_vec());
            return Ok(());
        };
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        folder
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), String> {
        let Some(path) = self.path(name)? else {
            self.kept().remove(name);
            return Ok(());
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("{}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn list(&self) -> Vec<String> {
        let mut names: Vec<String> = self.kept().keys().cloned().collect();
        if let Some(root) = &self.root {
            let folder = root.join("__files");
            let mut found = Vec::new();
            walk(&folder, &mut found);
            names.extend(
                found.iter().filter_map(|path| Some(path.strip_prefix(&folder).ok()?.display().to_string())),
            );
        }
        names.sort();
        names
    }

    /// Writes mappings, each into a file of its own.
    pub(crate) fn save(&self, mappings: &[(String, Value)]) -> Result<(), String> {
        let Some(root) = &self.root else { return Ok(()) };
        let folder = root.join("mappings");
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        for (name, mapping) in mappings {
            std::fs::write(folder.join(name), mapping.to_string()).map_err(failed)?;
        }
        Ok(())
    }

    /// All mapping files of the folder, with their paths below it.
    pub(crate) fn mappings(&self) -> Result<Vec<(String, String)>, String> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        walk(&root.join("mappings"), &mut found);
        found.retain(|path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")));
        let read = |path: PathBuf| {
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok((path.strip_prefix(root).unwrap_or(&path).display().to_string(), text))
        };
        found.into_iter().map(read).collect()
    }

    /// Where a file lies; an error where its name leads out of the folder.
    fn path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(root) = &self.root else { return Ok(None) };
        let relative = Path::new(name.trim_start_matches('/'));
        if relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(format!("{name} is not below __files"));
        }
        Ok(Some(root.join("__files").join(relative)))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        // A map is whole after every change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All files below a folder, in the order of their paths.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        // A link is what it leads to, as for WireMock; one in a circle ends with the system's own limit of names.
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}
