//! Where runs are kept: `.seam/runs/<id>/` beside `seam.yaml`, a folder that git ignores by itself.
//!
//! An id is short and sorts by time: `0s9f3k2-3f2` is seven characters of the time in 32nds of a second, and
//! three of chance. People may write any beginning that is unique, the three last characters, or `latest`.

use seam_event::RunId;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many runs are kept unless the user says otherwise.
pub const KEPT_RUNS: usize = 50;

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    /// The run.
    pub id: RunId,
    /// The folder.
    pub path: PathBuf,
}

/// Why there is no folder for a run.
#[derive(Debug, thiserror::Error)]
#[error("failed to make the folder of a run, {path}")]
pub struct FolderError {
    /// The folder.
    pub path: PathBuf,
    /// What the machine said.
    pub source: io::Error,
}

/// Why a run was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There are none.
    #[error("no run is stored under {0}")]
    Nothing(PathBuf),
    /// None has that name.
    #[error("no stored run is called `{name}`; the latest is `{latest}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The latest there is.
        latest: RunId,
    },
    /// Several have it.
    #[error("`{name}` could be {}", .candidates.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Those that it could be, newest first.
        candidates: Vec<RunId>,
    },
    /// The folder could not be read.
    #[error("failed to read {path}")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
}

/// Digits that sort as they count, without those that are mistaken for one another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 2025-01-01T00:00:00Z, 20,089 days after 1970: ids begin to repeat 34 years later.
const EPOCH: Duration = Duration::from_hours(20_089 * 24);
const TIME_DIGITS: usize = 7;
const CHANCE_DIGITS: usize = 3;
/// More tries than runs can begin in one 32nd of a second.
const MOST_TRIES: u64 = 64;

impl RunFolder {
    /// Makes the folder of a new run of the project in `project`; `clock` is the time since 1970, `seed` gives
    /// the part of chance.
    pub fn create(project: &Path, clock: Duration, seed: u64) -> Result<Self, FolderError> {
        let runs = runs(project);
        let fail = |path: &Path, source| FolderError { path: path.to_owned(), source };
        fs::create_dir_all(&runs).map_err(|source| fail(&runs, source))?;
        ignore_for_git(project).map_err(|source| fail(&runs, source))?;
        let mut tries = 0;
        loop {
            let id = new_id(clock, seed.wrapping_add(tries));
            let path = runs.join(id.as_str());
            match fs::create_dir(&path) {
                Ok(()) => {
                    let bodies = path.join("bodies");
                    fs::create_dir(&bodies).map_err(|source| fail(&bodies, source))?;
                    return Ok(Self { id, path });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < MOST_TRIES => {
                    tries += 1;
                }
                Err(source) => return Err(fail(&path, source)),
            }
        }
    }

    /// The file of events.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// Where bodies are kept, each under the hash of its content.
    pub fn bodies(&self) -> PathBuf {
        self.path.join("bodies")
    }

    /// Where the logs of components may be kept; whoever writes there masks with a [`crate::Masker`].
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Is it being written? Its writer holds a lock that the system gives back whatever becomes of the writer.
    pub fn is_being_written(&self) -> bool {
        File::open(self.events())
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }
}

/// All stored runs of a project, newest first.
pub fn list(project: &Path) -> Result<Vec<RunFolder>, FindError> {
    let path = runs(project);
    let unreadable = |source| FindError::Unreadable { path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        // A symbolic link is nothing that we made, so it is nothing that we read or delete.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let Some(name) = entry.file_name().to_str().filter(|name| is_folder && is_id(name)) {
            folders.push(RunFolder { id: name.into(), path: entry.path() });
        }
    }
    folders.sort_by(|one, other| other.id.cmp(&one.id));
    Ok(folders)
}

/// The run that people mean: `latest`, an id, a beginning of one or its last characters, where that is unique.
pub fn find(project: &Path, name: &str) -> Result<RunFolder, FindError> {
    let folders = list(project)?;
    let Some(latest) = folders.first() else { return Err(FindError::Nothing(runs(project))) };
    if name == "latest" {
        return Ok(latest.clone());
    }
    let matching = |is: &dyn Fn(&str) -> bool| -> Vec<&RunFolder> {
        folders.iter().filter(|folder| !name.is_empty() && is(folder.id.as_str())).collect()
    };
    let by_rule = [
        matching(&|id| id == name),
        matching(&|id| id.starts_with(name)),
        matching(&|id| id.ends_with(name)),
    ];
    for candidates in by_rule {
        match candidates.as_slice() {
            [] => {}
            [one] => return Ok((*one).clone()),
            several => {
                let candidates = several.iter().map(|folder| folder.id.clone()).collect();
                return Err(FindError::Ambiguous { name: name.into(), candidates });
            }
        }
    }
    Err(FindError::Unknown { name: name.into(), latest: latest.id.clone() })
}

/// Deletes all but the newest `keep` runs; one that is being written stays and is not counted. Gives those that
/// were deleted.
pub fn prune(project: &Path, keep: usize) -> Result<Vec<RunId>, FindError> {
    let finished = list(project)?.into_iter().filter(|folder| !folder.is_being_written());
    let mut deleted = Vec::new();
    for folder in finished.skip(keep) {
        fs::remove_dir_all(&folder.path)
            .map_err(|source| FindError::Unreadable { path: folder.path.clone(), source })?;
        deleted.push(folder.id);
    }
    Ok(deleted)
}

fn runs(project: &Path) -> PathBuf {
    project.join(".seam").join("runs")
}

/// One file with one asterisk in it, unless somebody put another there.
fn ignore_for_git(project: &Path) -> io::Result<()> {
    match File::create_new(project.join(".seam").join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn new_id(clock: Duration, seed: u64) -> RunId {
    let ticks = clock.saturating_sub(EPOCH).as_millis() * 32 / 1000;
    let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
    let chance = blake3::hash(&[seed.to_le_bytes(), ticks.to_le_bytes()].concat());
    let chance = u64::from_le_bytes(*chance.as_bytes().first_chunk().expect("a hash has 32 bytes"));
    format!("{}-{}", digits(ticks, TIME_DIGITS), digits(chance, CHANCE_DIGITS)).into()
}

/// The last `count` digits of a number, to the base of 32.
fn digits(number: u64, count: usize) -> String {
    let digit = |place: usize| char::from(DIGITS[usize::try_from(number >> (5 * place) & 31).unwrap_or(0)]);
    (0..count).rev().map(digit).collect()
}

fn is_id(name: &str) -> bool {
    let is_digits =
        |part: &str, count| part.len() == count && part.bytes().all(|byte| DIGITS.contains(&byte));
    name.split_once('-')
        .is_some_and(|(time, chance)| is_digits(time, TIME_DIGITS) && is_digits(chance, CHANCE_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        EPOCH + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn ids_sort_by_time() {
        let mut ids: Vec<RunId> =
            [0.0, 0.05, 1.0, 60.0, 86_400.0, 3e7, 9e8].map(|seconds| new_id(at(seconds), 7)).into();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| is_id(id.as_str())), "{ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 7);
        assert_ne!(new_id(at(1.0), 1), new_id(at(1.0), 2));
    }

    #[test]
    fn runs_are_found_by_what_people_write() {
        let project = tempfile::tempdir().unwrap();
        assert!(matches!(find(project.path(), "latest"), Err(FindError::Nothing(_))));
        let folders: Vec<RunFolder> = [1.0, 100.0, 100_000.0]
            .map(|seconds| RunFolder::create(project.path(), at(seconds), 7).unwrap())
            .into();
        let listed = list(project.path()).unwrap();
        assert_eq!(listed.iter().rev().cloned().collect::<Vec<_>>(), folders);
        let id = |index: usize| folders[index].id.as_str();
        for (name, found) in [("latest", id(2)), (id(0), id(0)), (&id(2)[..4], id(2)), (&id(1)[8..], id(1))] {
            assert_eq!(find(project.path(), name).unwrap().id.as_str(), found, "{name}");
        }
        assert!(
            matches!(find(project.path(), "00"), Err(FindError::Ambiguous { candidates, .. }) if candidates.len() == 3)
        );
        assert!(matches!(find(project.path(), "zzz"), Err(FindError::Unknown { .. })));
        assert!(matches!(find(project.path(), ""), Err(FindError::Unknown { .. })));
        assert_eq!(fs::read_to_string(project.path().join(".seam/.gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn the_same_moment_and_seed_give_two_folders() {
        let project = tempfile::tempdir().unwrap();
        let one = RunFolder::create(project.path(), at(5.0), 7).unwrap();
        assert_ne!(one, RunFolder::create(project.path(), at(5.0), 7).unwrap());
    }

    #[test]
    fn old_runs_go_but_not_one_that_is_written_and_nothing_else() {
        let project = tempfile::tempdir().unwrap();
        let folders: Vec<RunFolder> = (0..5_u8)
            .map(|index| RunFolder::create(project.path(), at(f64::from(index) * 10.0), 7).unwrap())
            .collect();
        let strange = project.path().join(".seam/runs/notes");
        fs::create_dir(&strange).unwrap();
        let held = File::create(folders[0].events()).unwrap();
        held.lock().unwrap();
        let deleted = prune(project.path(), 2).unwrap();
        assert_eq!(deleted, [folders[2].id.clone(), folders[1].id.clone()]);
        assert!(folders[0].path.exists() && strange.exists());
        drop(held);
        assert_eq!(prune(project.path(), 2).unwrap(), [folders[0].id.clone()]);
    }
}
