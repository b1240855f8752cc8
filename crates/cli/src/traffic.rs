//! What passed seams that belong to no run, kept in a file: an archive of HTTP, or recordings.

use crate::recorded::{Choice, Recording};
use crate::reports::whole;
use crate::screen::Screen;
use seam_control::House;
use seam_diag::Diagnostic;
use seam_event::{Endpoint, Event, Interaction};
use seam_history::{Reader, RunFolder};
use seam_judge::Exit;
use seam_recording::{Made, archive, learn_alone, record_passed, to_har};
use seam_value::Value;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// What passed, with all secrets masked.
pub(crate) struct Traffic {
    passed: Vec<Interaction>,
    began: jiff::Timestamp,
}

/// Why it could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the recording {path}", path = path.display())]
struct Unwritten {
    path: PathBuf,
    source: io::Error,
}

/// Is this the name of an archive of HTTP?
fn is_har(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("har"))
}

impl Traffic {
    /// All that has passed so far, and is kept.
    pub(crate) async fn of(house: &dyn House) -> Self {
        let masker = house.masker();
        let mut passed: Vec<Interaction> =
            house.interactions().await.iter().map(|one| (**one).clone()).collect();
        for one in &mut passed {
            masker.interaction(one);
        }
        Self { passed, began: house.began() }
    }

    /// Writes it: as an archive where the file ends with `.har`, else as recordings: into the file where anything passed
    /// one seam only, else one for each, whose names begin with the file's.
    pub(crate) fn keep(self, path: &Path, screen: &mut Screen) -> Exit {
        if is_har(path) {
            let passed = self.passed.iter().map(|one| (one, None));
            return write_har(path, &archive(passed, self.began, env!("CARGO_PKG_VERSION")), screen);
        }
        let mut made = record_passed(self.passed.iter().map(|one| (one, None)), &|_| true);
        let mut n_of: HashMap<String, usize> = HashMap::new();
        for recording in &mut made.recordings {
            // Addresses are no names of components, which those have who replay it. Two seams may lead to one provider.
            let nth = n_of.entry(recording.seam.provider.to_string()).and_modify(|n| *n += 1).or_insert(1);
            let client = if *nth == 1 { "client".to_owned() } else { format!("client-{nth}") };
            recording.seam.consumer = client.as_str().into();
            recording.seam.provider = named(recording.seam.provider.as_str()).as_str().into();
            recording.seam.endpoint = Endpoint::main();
            learn_alone(recording);
        }
        keep_recordings(path, made, screen)
    }
}

/// Is this file there already, and nothing that Seamwork has recorded? Then it is not written over.
pub(crate) fn is_somebody_elses(path: &Path) -> bool {
    let Ok(text) = std::fs::read(path) else { return false };
    let text = String::from_utf8_lossy(&text);
    let is_recording = text.lines().any(|line| line.starts_with("recording:"));
    !(is_har(path) || is_recording || text.trim().is_empty())
}

/// What passed in a stored run, as an archive or as recordings in a folder.
pub(crate) fn keep_run(run: &RunFolder, path: &Path, screen: &mut Screen) -> Exit {
    if !is_har(path) {
        return Recording::new(path.to_owned(), Choice::default()).of(std::slice::from_ref(run), screen);
    }
    let read = Reader::open(run).and_then(Reader::read);
    match read {
        Ok(stored) => {
            let events: &[Event] = &stored.history.events;
            write_har(path, &to_har(events, env!("CARGO_PKG_VERSION")), screen)
        }
        Err(error) => {
            screen.error(&error, "");
            Exit::CouldNotRun
        }
    }
}

fn write_har(path: &Path, har: &Value, screen: &mut Screen) -> Exit {
    let mut text = har.to_pretty();
    text.push('\n');
    match whole(path, text.as_bytes()) {
        Ok(()) => {
            let entries = har.get("log").and_then(|log| log.get("entries")).and_then(Value::as_list);
            let count = crate::chosen::counted(entries.unwrap_or_default().len(), "request", "requests");
            screen.tell(&format!("recorded {count} in {}\n", path.display()));
            Exit::Passed
        }
        Err(source) => {
            screen.error(&Unwritten { path: path.to_owned(), source }, "");
            Exit::CouldNotRun
        }
    }
}

fn keep_recordings(path: &Path, made: Made, screen: &mut Screen) -> Exit {
    if made.recordings.is_empty() {
        let nothing = "nothing passed the seams that a provider answered, so there is nothing to record";
        screen.diagnostic(&Diagnostic::warning(nothing));
        return Exit::Passed;
    }
    let is_file = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    match (is_file, made.recordings.as_slice()) {
        (true, [_]) => Recording::new(folder, Choice::default()).keep_as(path, made, screen),
        (true, _) => {
            let own = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let beside = |stem: &str| folder.join(format!("{own}-{stem}.yaml"));
            Recording::new(folder.clone(), Choice::default()).keep_at(&beside, made, screen)
        }
        (false, _) => Recording::new(path.to_owned(), Choice::default()).keep(made, screen),
    }
}

/// An address as the name of a component.
fn named(address: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    address.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
}
