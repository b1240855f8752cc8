//! Where a program is, by the rules of language.md: with a slash from the project's folder, else on PATH.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a program could not be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Nothing is there.
    #[error("there is no {path}", path = path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It is on none of the folders of PATH.
    #[error("`{program}` is not on PATH")]
    NotOnPath {
        /// Its name.
        program: String,
    },
    /// It is there, but is not executable.
    #[error("{path} is not executable", path = path.display())]
    NotExecutable {
        /// Where it is.
        path: PathBuf,
    },
    /// A folder is there.
    #[error("{path} is a folder", path = path.display())]
    Folder {
        /// Where it is.
        path: PathBuf,
    },
    /// The name is empty.
    #[error("the program's name is empty")]
    Empty,
}

/// Finds a program: one with a slash from the project's folder, any other on `path` (the PATH that it gets itself).
pub fn find_program(program: &str, project: &Path, path: &str) -> Result<PathBuf, ProgramError> {
    if program.is_empty() {
        return Err(ProgramError::Empty);
    }
    if program.contains('/') {
        let path = tidy(&project.join(program));
        return match std::fs::metadata(&path) {
            Err(_) => Err(ProgramError::Missing { path }),
            Ok(found) if found.is_dir() => Err(ProgramError::Folder { path }),
            Ok(found) if found.permissions().mode() & 0o111 == 0 => Err(ProgramError::NotExecutable { path }),
            Ok(_) => Ok(path),
        };
    }
    let mut not_executable = None;
    for folder in path.split(':').filter(|folder| folder.starts_with('/')) {
        let candidate = Path::new(folder).join(program);
        match std::fs::metadata(&candidate) {
            Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => return Ok(candidate),
            Ok(found) if found.is_file() => not_executable = not_executable.or(Some(candidate)),
            _ => {}
        }
    }
    Err(match not_executable {
        Some(path) => ProgramError::NotExecutable { path },
        None => ProgramError::NotOnPath { program: program.to_owned() },
    })
}

/// Without the `.` of `./`, so that messages and tables of processes show the path as people would write it.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn make(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn with_a_slash_from_the_project_else_on_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make(&at("project/bin/tool"), 0o755);
        make(&at("project/bin/text"), 0o644);
        make(&at("first/tool"), 0o644);
        make(&at("second/tool"), 0o755);
        make(&at("second/text"), 0o644);
        fs::create_dir(at("first/folder")).unwrap();
        let path = format!("relative::{}:{}", at("first").display(), at("second").display());
        let absolute = at("second/tool").display().to_string();
        for (program, expected) in [
            ("./bin/tool", Ok(at("project/bin/tool"))),
            ("bin/tool", Ok(at("project/bin/tool"))),
            ("../second/tool", Ok(at("project/../second/tool"))),
            (absolute.as_str(), Ok(at("second/tool"))),
            ("tool", Ok(at("second/tool"))),
            ("./bin/text", Err(ProgramError::NotExecutable { path: at("project/bin/text") })),
            ("./bin", Err(ProgramError::Folder { path: at("project/bin") })),
            ("./none", Err(ProgramError::Missing { path: at("project/none") })),
            ("text", Err(ProgramError::NotExecutable { path: at("second/text") })),
            ("folder", Err(ProgramError::NotOnPath { program: "folder".into() })),
            ("", Err(ProgramError::Empty)),
        ] {
            assert_eq!(find_program(program, &at("project"), &path), expected, "{program}");
        }
    }
}
