//! What of the catalogue this machine can run, and from where: what `seam doctor` tells. Starts and fetches nothing.

use super::{Found, Requirement, Search};
use crate::SERVICES;
use crate::places::Places;
use std::path::PathBuf;
use std::sync::Arc;

/// What is known of one service here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// The service's word: `postgres`.
    pub service: &'static str,
    /// What it needs; none where it is built in.
    pub needs: Option<Needed>,
}

/// A program that a service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// What people call it: `PostgreSQL`.
    pub title: &'static str,
    /// All that are here; the first is taken where no version is asked for.
    pub found: Vec<Found>,
    /// What was looked at and cannot be used, with the reason.
    pub unfit: Vec<(PathBuf, String)>,
    /// Registries that this machine has a client for, from which it could be fetched.
    pub registries: Vec<&'static str>,
    /// What to do by hand, one line.
    pub hint: String,
}

/// Looks around for the programs of all services. `path` is the PATH of the user.
pub async fn survey(path: &str, places: &Places) -> Vec<Surveyed> {
    let mut surveyed = Vec::new();
    for service in SERVICES {
        let needs = match service.program() {
            None => None,
            Some(program) => {
                let search = Search {
                    given: None,
                    requirement: &Requirement::default(),
                    path,
                    places,
                    fetch: false,
                    progress: &(Arc::new(|_| {}) as crate::Progress),
                };
                let (found, unfit) = program.find_all(&search).await;
                let (registries, hint) = (program.registries(path), program.hint());
                Some(Needed { title: program.title, found, unfit, registries, hint })
            }
        };
        surveyed.push(Surveyed { service: service.word().name, needs });
    }
    surveyed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_service_is_looked_for() {
        let cache = tempfile::tempdir().unwrap();
        let surveyed = survey("/usr/bin:/bin", &Places::at(cache.path())).await;
        let services: Vec<&str> = surveyed.iter().map(|one| one.service).collect();
        assert_eq!(services, ["postgres", "redis", "mailbox"]);
        assert!(surveyed[2].needs.is_none(), "the mailbox is built in");
        for needed in surveyed.iter().filter_map(|one| one.needs.as_ref()) {
            assert!(needed.hint.starts_with("install it: "), "{needed:?}");
            assert!(needed.found.iter().all(|found| found.path.is_file()), "{needed:?}");
        }
    }
}
