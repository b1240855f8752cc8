//! The variables of the environment that a program reads, seen in its sources and in the example of its `.env`.

use super::variables::Variables;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a variable of the environment is read, in the languages that people write services in.
const READ_BY: &[&str] = &[
    "process.env.",
    "process.env[\"",
    "process.env['",
    "environ[\"",
    "environ['",
    "environ.get(\"",
    "environ.get('",
    "getenv(\"",
    "getenv('",
    "Getenv(\"",
    "LookupEnv(\"",
    "env::var(\"",
    "env::var_os(\"",
    "ENV[\"",
    "ENV['",
    "ENV.fetch(\"",
    "ENV.fetch('",
    "@Value(\"${",
];

/// Files that are sources.
const SOURCES: &[&str] = &["rs", "js", "mjs", "cjs", "ts", "py", "go", "rb", "java", "kt", "php"];

/// More of a program than this is not read.
const MOST_FILES: usize = 400;

/// What a program in a folder reads.
pub(super) fn variables_in(folder: &Path) -> Variables {
    let mut variables = variables_of(folder);
    for name in [".env.example", ".env.sample", ".env.template", ".env"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim().trim_start_matches("export ").to_owned();
            if is_name(&name) {
                // Its value tells only what kind of thing it is; it may be a secret, and is not written anywhere.
                variables.given.push((name, value.trim().trim_matches(['"', '\'']).to_owned()));
            }
        }
    }
    variables
}

/// What the source files at a path read.
pub(super) fn variables_of(path: &Path) -> Variables {
    let (mut files, mut reads) = (Vec::new(), BTreeSet::new());
    collect(path, 5, &mut files);
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        reads.extend(names_in(&text));
    }
    Variables { reads, ..Variables::default() }
}

fn names_in(text: &str) -> impl Iterator<Item = String> + '_ {
    READ_BY.iter().flat_map(move |way| {
        text.match_indices(way).filter_map(move |(at, _)| {
            let rest = &text[at + way.len()..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            is_name(&rest[..end]).then(|| rest[..end].to_owned())
        })
    })
}

/// `DATABASE_URL`
fn is_name(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if SOURCES.contains(&extension.as_ref()) && files.len() < MOST_FILES {
            files.push(path.to_owned());
        }
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_other = name.starts_with('.')
            || ["node_modules", "target", "venv", "dist", "tests", "test"].contains(&name.as_ref());
        // Programs of their own below are looked through by themselves.
        let is_program = ["package.json", "Cargo.toml", "requirements.txt"]
            .iter()
            .any(|sign| entry.path().join(sign).is_file());
        if !is_other && !is_program {
            collect(&entry.path(), depth, files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_seen_in_sources() {
        let text = "const p = process.env.PORT || 3000; os.environ[\"DATABASE_URL\"]; os.getenv('A_1')\n\
                    std::env::var(\"LISTEN\") process.env.lower process.env.X";
        let mut names: Vec<String> = names_in(text).collect();
        names.sort();
        assert_eq!(names, ["A_1", "DATABASE_URL", "LISTEN", "PORT"]);
    }
}
