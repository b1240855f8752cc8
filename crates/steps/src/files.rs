//! Paths of files as tests write them, and where a step may write.
//!
//! A path is meant from the folder of `seam.yaml`; `./x` from the test's own file. Reading may go anywhere; writing
//! and removing stays below the project and the folders of the run, so that a slip of the pen costs nobody's files.

use crate::action::Trouble;
use crate::bench::Bench;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The file that a path means: `./x` begins at the file in which it is written, whose folder this is, all else at the
/// project's root.
pub fn file_meant(path: &str, root: &Path, folder: &Path) -> PathBuf {
    match path.strip_prefix("./") {
        Some(beside) => folder.join(beside),
        None => root.join(path),
    }
}

/// The same, without `.` and `..`.
pub(crate) fn resolve(path: &str, root: &Path, folder: &Path) -> PathBuf {
    normal(&file_meant(path, root, folder))
}

/// Reads a file whole.
pub(crate) fn read(path: &Path, written: &str) -> Result<Vec<u8>, Trouble> {
    std::fs::read(path)
        .map_err(|error| Trouble::errored(format!("failed to read `{written}`: {}", reason(&error))))
}

/// Reads a file that somebody else's file names, by its path from that file's folder, below which it must lie: a link in its
/// way counts as where it leads. The error says in one line why not.
pub fn read_below(folder: &Path, path: &str) -> Result<Vec<u8>, String> {
    let path = &folder.join(path);
    let told = |error| format!("{}: {}", path.display(), reason(&error));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let found = path.canonicalize().map_err(told)?;
    if !found.starts_with(folder.canonicalize().map_err(told)?) {
        return Err(format!("{}: it leads out of the folder of the file that names it", path.display()));
    }
    std::fs::read(&found).map_err(told)
}

/// Is a file where a step may write? A link in its way counts as where it leads.
pub(crate) fn may_change(path: &Path, bench: &dyn Bench) -> bool {
    let real = real(path);
    bench.folders().iter().any(|folder| {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        real.starts_with(&folder) && real != folder
    })
}

/// Why the machine refused, without the number.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "permission is denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// A path without `.` and `..`, by its looks.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The path with the links of all that exists of it followed.
fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut at = path;
    loop {
        if let Ok(found) = at.canonicalize() {
            return missing.iter().rev().fold(found, |path, name| path.join(name));
        }
        let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else { return path.to_owned() };
        missing.push(name.to_owned());
        at = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_meant_from_the_project_or_from_the_file() {
        for (path, expect) in [
            ("data/a.csv", "/project/data/a.csv"),
            ("./a.csv", "/project/tests/a.csv"),
            ("./../a.csv", "/project/a.csv"),
            ("../other/a", "/other/a"),
            ("/tmp/a", "/tmp/a"),
            ("x/./y//z", "/project/x/y/z"),
        ] {
            let resolved = resolve(path, Path::new("/project"), Path::new("/project/tests"));
            assert_eq!(resolved, Path::new(expect), "{path}");
        }
    }

    #[test]
    fn a_link_out_of_a_folder_is_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let at = |path: &str| base.path().join(path);
        std::fs::create_dir_all(at("own/below")).unwrap();
        std::fs::write(at("secret"), "hidden").unwrap();
        std::fs::write(at("own/below/a"), "shown").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("own/link")).unwrap();
        std::os::unix::fs::symlink("..", at("own/up")).unwrap();
        std::os::unix::fs::symlink("below/a", at("own/inside")).unwrap();
        let read = |name: &str| read_below(&at("own"), name);
        assert_eq!(read("below/a").as_deref(), Ok(&b"shown"[..]));
        assert_eq!(read("inside").as_deref(), Ok(&b"shown"[..]));
        let absolute = at("secret");
        for name in ["link", "up/secret", "../secret", absolute.to_str().unwrap()] {
            assert!(
                read(name).unwrap_err().ends_with("it leads out of the folder of the file that names it"),
                "{name}"
            );
        }
        assert!(read("gone").unwrap_err().ends_with("it is not there"));
    }
}
