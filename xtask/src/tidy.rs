//! The rules of the house that a script can see: floors, heads of files, sizes, words that are not ours.

use crate::chore::{Result, root};
use std::path::{Path, PathBuf};

/// A crate imports only crates on lower floors (ARCHITECTURE.md).
const FLOORS: &[(&str, u8)] = &[
    ("diag", 1),
    ("value", 1),
    ("model", 2),
    ("event", 2),
    ("history", 3),
    ("expr", 3),
    ("wire", 4),
    ("manifest", 4),
    ("matcher", 4),
    ("proxy", 5),
    ("launch", 5),
    ("contract", 5),
    ("stub", 5),
    ("services", 6),
    ("judge", 6),
    ("recording", 6),
    ("steps", 7),
    ("report", 7),
    ("engine", 8),
    ("control", 8),
    ("cli", 9),
];

/// Only these may know sockets and time.
const KNOW_TOKIO: &[&str] = &["cli", "engine", "steps", "services", "proxy", "launch", "control"];

/// A file longer than this needs to be divided.
const LONGEST_FILE: usize = 800;

/// Checks all rules and prints every breach.
pub(crate) fn run(_: &[String]) -> Result {
    let breaches = breaches();
    for breach in &breaches {
        println!("tidy: {breach}");
    }
    if breaches.is_empty() {
        Ok(())
    } else {
        Err(format!("{} breaches of the rules of the house", breaches.len()))
    }
}

fn breaches() -> Vec<String> {
    let mut found = Vec::new();
    let crates = root().join("crates");
    for folder in folders(&crates) {
        floors(&folder, &mut found);
    }
    let mut sources = Vec::new();
    for place in ["crates", "xtask", "bench", "examples"] {
        rust_files(&root().join(place), &mut sources);
    }
    for file in &sources {
        source_file(file, &mut found);
    }
    found
}

/// Imports go down only, and each crate of the house has a floor.
fn floors(folder: &Path, found: &mut Vec<String>) {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(floor) = floor_of(name) else {
        found.push(format!("crates/{name} has no floor; add it to ARCHITECTURE.md and to xtask/src/tidy.rs"));
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let dependencies = manifest.split("[dev-dependencies]").next().unwrap_or_default();
    for line in dependencies.lines() {
        let word = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if let Some(other) = word.strip_prefix("seam-")
            && line.contains("workspace = true")
            && floor_of(other).is_none_or(|below| below >= floor)
        {
            found.push(format!("crates/{name} (floor {floor}) imports seam-{other}, which is not below it"));
        }
        if matches!(word, "tokio" | "hyper" | "hyper-util") && !KNOW_TOKIO.contains(&name) {
            found.push(format!("crates/{name} is pure and imports {word}"));
        }
    }
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

/// Every file begins with what it is, and is not too long.
fn source_file(file: &Path, found: &mut Vec<String>) {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let shown = file.strip_prefix(root()).unwrap_or(file).display().to_string();
    if !text.starts_with("//!") {
        found.push(format!("{shown} does not begin with `//!` and what it is"));
    }
    let n_lines = text.lines().count();
    if n_lines > LONGEST_FILE {
        found.push(format!("{shown} has {n_lines} lines; {LONGEST_FILE} are the most, 300 what we like"));
    }
}

fn folders(place: &Path) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> = std::fs::read_dir(place)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    list.sort();
    list
}

fn rust_files(place: &Path, list: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            rust_files(&path, list);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            list.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let breaches = super::breaches();
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }
}
