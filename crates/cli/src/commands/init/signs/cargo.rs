//! `Cargo.toml`: the programs of a package of Rust.

use super::{libraries, read};
use crate::commands::init::guess::{Guess, Guesses};
use crate::commands::init::source::{variables_in, variables_of};
use crate::commands::init::variables::Variables;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(in super::super) fn look(file: &Path, guesses: &mut Guesses) {
    let Some(text) = read(file) else { return };
    let folder = file.parent().unwrap_or(file);
    let manifest = Manifest::of(&text);
    let why = guesses.shown(file);
    if guesses.proclaimed.contains(folder) {
        return;
    }
    let programs = manifest.programs(folder);
    for (name, source) in &programs {
        let built = target(folder, &guesses.root).join("debug").join(name);
        let run = format!("./{}", guesses.relative(&built));
        let variables =
            if source.ends_with("src/main.rs") { variables_in(folder) } else { variables_of(source) };
        let variables = Variables { listens: true, ..variables };
        // Programs of Rust start in the project's folder, as `cargo run` does.
        guesses.add(Guess::program(
            name,
            run,
            String::new(),
            variables,
            format!("{why}: the program {name}"),
        ));
    }
    if !programs.is_empty() {
        let build = "cargo build -q".to_owned();
        if !guesses.prepare.contains(&build) {
            guesses.prepare.push(build);
        }
        libraries(manifest.dependencies.iter().map(String::as_str), &why, guesses);
    }
}

/// What of a manifest matters here. Only lines of the usual form are read: this is a guess, not a build.
#[derive(Debug, Default)]
struct Manifest {
    package: Option<String>,
    programs: Vec<BTreeMap<String, String>>,
    dependencies: Vec<String>,
}

impl Manifest {
    fn of(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = String::new();
        for line in text.lines() {
            let line = line.split(" #").next().unwrap_or(line).trim();
            if let Some(name) = line.strip_prefix('[') {
                name.trim_matches(['[', ']']).trim().clone_into(&mut section);
                if section == "bin" {
                    manifest.programs.push(BTreeMap::new());
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            match section.as_str() {
                "package" if key == "name" => manifest.package = Some(value.to_owned()),
                "bin" => {
                    if let Some(program) = manifest.programs.last_mut() {
                        program.insert(key.to_owned(), value.to_owned());
                    }
                }
                "dependencies" | "workspace.dependencies" => {
                    let name = key.split('.').next().unwrap_or(key);
                    manifest.dependencies.push(name.to_owned());
                }
                _ => {}
            }
        }
        manifest
    }

    /// Programs with the files they begin in.
    fn programs(&self, folder: &Path) -> Vec<(String, PathBuf)> {
        let mut programs: Vec<(String, PathBuf)> = Vec::new();
        for program in &self.programs {
            let Some(name) = program.get("name") else { continue };
            let path =
                program.get("path").map_or_else(|| folder.join("src/main.rs"), |path| folder.join(path));
            programs.push((name.clone(), path));
        }
        let main = folder.join("src/main.rs");
        if let Some(package) = self.package.as_ref().filter(|_| main.is_file()) {
            programs.push((package.clone(), main));
        }
        for entry in std::fs::read_dir(folder.join("src/bin")).into_iter().flatten().flatten() {
            let path = entry.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file() {
                programs.push((stem, path));
            }
        }
        // A `[[bin]]` names what lies in the usual places, too.
        let mut seen: Vec<PathBuf> = Vec::new();
        programs.retain(|(_, path)| {
            let is_new = !seen.contains(path);
            seen.push(path.clone());
            is_new
        });
        programs.sort();
        programs.dedup_by(|one, other| one.0 == other.0);
        programs
    }
}

/// Where a package is built: in its workspace's folder, which is the outermost one with a manifest.
fn target(folder: &Path, root: &Path) -> PathBuf {
    let workspace = folder
        .ancestors()
        .take_while(|ancestor| ancestor.starts_with(root))
        .filter(|ancestor| {
            read(&ancestor.join("Cargo.toml"))
                .is_some_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
        })
        .last();
    workspace.unwrap_or(folder).join("target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_libraries_of_a_manifest() {
        let manifest = Manifest::of(
            "[package]\nname = \"shop\" # ours\n\n[[bin]]\nname = \"web\"\npath = \"src/web.rs\"\n\n[dependencies]\n\
             redis = \"1\"\ntokio-postgres.workspace = true\n\n[dev-dependencies]\nlettre = \"1\"\n",
        );
        assert_eq!(manifest.package.as_deref(), Some("shop"));
        assert_eq!(manifest.dependencies, ["redis", "tokio-postgres"]);
        let folder = Path::new("/nowhere");
        assert_eq!(manifest.programs(folder), [("web".to_owned(), folder.join("src/web.rs"))]);
    }
}
