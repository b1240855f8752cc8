//! The files that mappings name: those of a folder's `__files`, and those that a client has put over the admin interface.

use seam_stub::wiremock::{Alone, body_path, jackson};
use seam_value::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files by their names, on disk where there is a folder, else in memory.
#[derive(Default)]
pub(crate) struct Files {
    root: Option<PathBuf>,
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The mappings that are kept in files: by their ids, the file's name below `mappings` and what stands in it; none where
    /// the user wrote it.
    mapped: Mutex<BTreeMap<String, (PathBuf, Option<String>)>>,
    /// By their ids, the files from which mappings came that stood alone there: kept ones go back to them.
    origins: Mutex<BTreeMap<String, PathBuf>>,
}

impl Files {
    /// Those of a folder with `mappings` and `__files`, or of none.
    pub(crate) fn of(root: Option<PathBuf>) -> Self {
        Self { root, ..Self::default() }
    }

    /// Is there a folder?
    pub(crate) fn has_folder(&self) -> bool {
        self.root.is_some()
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

    /// Lets the folder hold these mappings, each in a file of its own: writes what is new or was changed, and takes away what
    /// it held of others that were marked to be kept.
    pub(crate) fn keep(&self, mappings: &[(String, String, Value)]) -> Result<(), String> {
        let Some(root) = &self.root else { return Ok(()) };
        let folder = root.join("mappings");
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> =
            mapped.keys().filter(|id| !mappings.iter().any(|(other, _, _)| other == *id)).cloned().collect();
        for id in gone {
            if let Some((name, _)) = mapped.remove(&id) {
                // One that somebody else has taken away is away.
                let _ = std::fs::remove_file(folder.join(name));
            }
        }
        for (id, name, mapping) in mappings {
            let text = jackson(mapping);
            let known = mapped.get(id);
            let same = known.is_some_and(|(_, before)| before.as_ref() == Some(&text));
            if same {
                continue;
            }
            // The first change of a file of the user's is told apart from none by what it says.
            let path = match known {
                Some((path, _)) => path.clone(),
                None => origins.get(id).cloned().unwrap_or_else(|| PathBuf::from(name)),
            };
            if known.is_some_and(|(_, before)| before.is_none()) && self.says_the_same(&path, mapping) {
                mapped.insert(id.clone(), (path, Some(text)));
                continue;
            }
            std::fs::create_dir_all(&folder).map_err(failed)?;
            std::fs::write(folder.join(&path), &text).map_err(failed)?;
            mapped.insert(id.clone(), (path, Some(text)));
        }
        Ok(())
    }

    /// Does a file of the user's say what a mapping says, apart from what was added when it was read?
    fn says_the_same(&self, path: &Path, mapping: &Value) -> bool {
        let Some(root) = &self.root else { return false };
        let text = std::fs::read_to_string(root.join("mappings").join(path)).unwrap_or_default();
        let Ok(written) = seam_stub::wiremock::read_json(&text) else { return false };
        ["request", "response", "name", "priority"].iter().all(|name| written.get(name) == mapping.get(name))
    }

    /// Takes note of the files in which single mappings stand, in the place of what was known.
    pub(crate) fn note(&self, alone: &[Alone]) {
        let below =
            |path: &str| Path::new(path).strip_prefix("mappings").unwrap_or(Path::new(path)).to_owned();
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        let persistent = alone.iter().filter(|one| one.is_persistent);
        *mapped = persistent.map(|one| (one.id.clone(), (below(&one.path), None))).collect();
        drop(mapped);
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        *origins = alone.iter().map(|one| (one.id.clone(), below(&one.path))).collect();
    }

    /// A file that is asked for by its path, where no mapping answers: its bytes, and is it a folder's `index.html`? None
    /// where there is no such file, an error where it is a folder without one.
    pub(crate) fn served(&self, path: &str) -> Option<Result<(Vec<u8>, bool), NoFile>> {
        self.root.as_ref()?;
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
        let file = self.path(&decoded).ok()??;
        if file.is_dir() {
            let index = std::fs::read(file.join("index.html"));
            return Some(index.map(|bytes| (bytes, true)).map_err(|_| NoFile));
        }
        // What has a slash behind it is a folder or nothing.
        let bytes = std::fs::read(file).ok().filter(|_| !decoded.ends_with('/'))?;
        Some(Ok((bytes, false)))
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
        match body_path(name) {
            Some(below) => Ok(Some(root.join("__files").join(below))),
            None => Err(format!("{name} is not below __files")),
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        // A map is whole after every change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It is a folder, and no file.
pub(crate) struct NoFile;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        let files = Files::of(Some(PathBuf::from("/r")));
        for (name, path) in [
            ("a/b.json", Some("/r/__files/a/b.json")),
            ("/a.json", Some("/r/__files/a.json")),
            ("./a.json", Some("/r/__files/a.json")),
            ("a/../b.json", Some("/r/__files/b.json")),
            ("../__files/a.json", Some("/r/__files/a.json")),
            ("../mappings/a.json", None),
            ("../../r/__files/a.json", None),
            ("../../__files/a.json", None),
            ("..", None),
        ] {
            assert_eq!(files.path(name).ok().flatten(), path.map(PathBuf::from), "{name}");
        }
    }
}
