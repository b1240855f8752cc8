//! Packages of Debian and its descendants, with the libraries that this machine lacks.
//!
//! `apt-get` says what would have to be installed; of that, the package itself, what it cannot do without and
//! libraries are downloaded and unpacked side by side. Where the machine has no lists of packages (images often have
//! none), our cache gets some.

use super::{Unpacked, Wanted};
use crate::programs::Version;
use std::fs;
use std::path::{Path, PathBuf};

/// A package of Debian's.
#[derive(Clone, Copy, Debug)]
pub struct DebianPackage {
    /// Its name; `*` at the end for any number, of which the highest that fits is taken.
    pub name: &'static str,
    /// What else is needed of what it depends on, besides libraries; `*` at the end for any end.
    pub with: &'static [&'static str],
    /// Libraries that are left out, by the beginning of their packages' names.
    pub without: &'static [&'static str],
    /// Files that would only look for what is left out; `*` for one part of any name.
    pub removed: &'static [&'static str],
    /// Where the program's folder is; `*` for one part of any name.
    pub folder: &'static str,
    /// A file that the machine must have, which no library path can give, and what it is.
    pub needs: Option<(&'static str, &'static str)>,
}

impl DebianPackage {
    pub(super) async fn unpack(&self, wanted: &Wanted<'_>) -> Result<Unpacked, String> {
        if let Some((file, what)) = self.needs.filter(|(file, _)| !Path::new(file).exists()) {
            return Err(format!("it needs {what} ({file}), which this machine has not"));
        }
        let options = self.lists(wanted).await?;
        let name = self.choose(wanted, &options).await?;
        let mut asked = options.clone();
        asked.extend(
            ["install", "--print-uris", "--no-install-recommends", "-qq", "-y", &name].map(str::to_owned),
        );
        let told = wanted.client.run("apt-get", &asked).await?;
        let mut packages: Vec<&str> =
            packages(&told).filter(|package| self.is_wanted(package, &name)).collect();
        // What is installed already is not told, but may be elsewhere than where we look.
        let always = self.with.iter().filter(|name| !name.ends_with('*'));
        for name in std::iter::once(name.as_str()).chain(always.copied()) {
            if !packages.contains(&name) {
                packages.push(name);
            }
        }
        let mut asked = options;
        asked.extend(["download".to_owned(), "-qq".to_owned()]);
        asked.extend(packages.iter().map(ToString::to_string));
        wanted.client.run("apt-get", &asked).await?;
        for archive in archives(wanted.folder) {
            let archive = archive.display().to_string();
            wanted.client.run("dpkg-deb", &["-x", &archive, "."]).await?;
            let _ = fs::remove_file(archive);
        }
        for pattern in self.removed {
            for file in matching(wanted.folder, pattern) {
                let _ = fs::remove_file(file);
            }
        }
        let folder = matching(wanted.folder, self.folder).pop().ok_or("the program is not in it")?;
        let within = |path: &Path| path.strip_prefix(wanted.folder).unwrap_or(path).to_owned();
        let libraries = ["usr/lib/*", "lib/*", "usr/lib", "lib"];
        let libraries = libraries.iter().flat_map(|pattern| matching(wanted.folder, pattern));
        Ok(Unpacked {
            program: within(&folder.join(wanted.program.file)),
            libraries: libraries
                .filter(|folder| has_libraries(folder))
                .map(|folder| within(&folder))
                .collect(),
        })
    }

    /// Options for a machine whose lists of packages are empty: lists of our own, fetched now.
    async fn lists(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, String> {
        let mut options = Vec::new();
        if rustix::process::geteuid().is_root() {
            // The user that apt-get would change to cannot write where we download to.
            options.extend(["-o".to_owned(), "APT::Sandbox::User=root".to_owned()]);
        }
        let known = wanted.client.run("apt-cache", &["pkgnames", self.stem()]).await?;
        if !known.trim().is_empty() {
            return Ok(options);
        }
        let own = wanted.search.places.cache.join("apt");
        let folders = [own.join("lists/partial"), own.join("archives/partial")];
        for folder in &folders {
            wanted
                .search
                .places
                .make(folder)
                .map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
        }
        let own = own.display();
        for option in [format!("Dir::State::Lists={own}/lists"), format!("Dir::Cache={own}")] {
            options.extend(["-o".to_owned(), option]);
        }
        let mut asked = options.clone();
        asked.extend(["update".to_owned(), "-qq".to_owned()]);
        wanted.client.run("apt-get", &asked).await?;
        Ok(options)
    }

    /// The package of the highest version that fits.
    async fn choose(&self, wanted: &Wanted<'_>, options: &[String]) -> Result<String, String> {
        let ask = |words: &[&str]| {
            let words = words.iter().map(ToString::to_string);
            let asked: Vec<String> = options.iter().cloned().chain(words).collect();
            async move { wanted.client.run("apt-cache", &asked).await }
        };
        let names = ask(&["pkgnames", self.stem()]).await?;
        let mut best: Option<(Version, String)> = None;
        let mut unfit = Vec::new();
        for name in names.lines().map(str::trim).filter(|name| self.is(name)) {
            let told = ask(&["show", "--no-all-versions", name]).await.unwrap_or_default();
            let Some(version) = version(&told) else { continue };
            if !wanted.search.requirement.allows(&version) {
                unfit.push(version.to_string());
            } else if best.as_ref().is_none_or(|(other, _)| *other < version) {
                best = Some((version, name.to_owned()));
            }
        }
        best.map(|(_, name)| name).ok_or_else(|| match unfit.as_slice() {
            [] => format!("there is no {}", self.name),
            unfit => format!("it has {}", unfit.join(", ")),
        })
    }

    fn stem(&self) -> &'static str {
        self.name.trim_end_matches('*')
    }

    fn is(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            None => name == self.name,
            Some(stem) => name
                .strip_prefix(stem)
                .is_some_and(|end| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit())),
        }
    }

    fn is_wanted(&self, package: &str, name: &str) -> bool {
        let is = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(stem) => package.starts_with(stem),
            None => package == *pattern,
        };
        let is_library = package.starts_with("lib") && !package.ends_with("-perl");
        let is_system =
            ["libc6", "libc-", "libgcc", "libstdc++", "libperl"].iter().any(|part| package.starts_with(part));
        let is_left_out = self.without.iter().any(|part| package.starts_with(part));
        package == name || self.with.iter().any(is) || (is_library && !is_system && !is_left_out)
    }
}

/// The names of packages in `'http://…' redis-tools_5%3a7.0.15_amd64.deb 900 SHA256:…`.
fn packages(told: &str) -> impl Iterator<Item = &str> {
    told.lines().filter_map(|line| line.split(' ').nth(1)?.split_once('_').map(|(name, _)| name))
}

/// `Version: 5:7.0.15-1`: 7.0.15; what stands before the colon only orders packages.
fn version(told: &str) -> Option<Version> {
    let version = told.lines().find_map(|line| line.strip_prefix("Version: "))?;
    Version::first_in(version.split_once(':').map_or(version, |(_, version)| version))
}

fn archives(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "deb")).collect()
}

/// What a pattern means below a folder.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for part in pattern.split('/') {
        found = match part {
            "*" => {
                let entries = found.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
                entries.map(|entry| entry.path()).collect()
            }
            part => found.iter().map(|folder| folder.join(part)).filter(|path| path.exists()).collect(),
        };
    }
    found.sort();
    found
}

fn has_libraries(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().contains(".so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIS: DebianPackage = DebianPackage {
        name: "postgresql-*",
        with: &["postgresql-client-*", "tools"],
        without: &["libllvm"],
        removed: &[],
        folder: "usr/bin",
        needs: None,
    };

    #[test]
    fn what_apt_says_is_understood() {
        let told = "'http://x/r_5%3a7.deb' redis-tools_5%3a7.0.15-1_amd64.deb 989 SHA256:ab\n\
                    'http://x/l.deb' liblzf1_3.6-3_amd64.deb 10 \nE: nonsense\n";
        assert_eq!(packages(told).collect::<Vec<_>>(), ["redis-tools", "liblzf1"]);
        let told = "Package: redis-server\nVersion: 5:7.0.15-1~deb12u2\nPriority: optional\n";
        assert_eq!(version(told).unwrap().to_string(), "7.0.15");
        assert_eq!(version("Version: 15.20-0+deb12u1\n").unwrap().to_string(), "15.20");
    }

    #[test]
    fn only_what_is_needed_is_fetched() {
        for (package, wanted) in [
            ("postgresql-15", true),
            ("postgresql-client-15", true),
            ("tools", true),
            ("libicu72", true),
            ("libllvm14", false),
            ("libjson-perl", false),
            ("libc6", false),
            ("ssl-cert", false),
        ] {
            assert_eq!(REDIS.is_wanted(package, "postgresql-15"), wanted, "{package}");
        }
        assert!(REDIS.is("postgresql-15"));
        assert!(
            !REDIS.is("postgresql-client-15") && !REDIS.is("postgresql-15-cron") && !REDIS.is("postgresql-")
        );
    }
}
