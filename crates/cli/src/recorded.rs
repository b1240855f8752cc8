//! Makes recordings of stored runs: which seams are meant, what varies, and the files.

use crate::chosen::{Readable, counted};
use crate::reports::whole;
use crate::screen::Screen;
use seam_diag::{Diagnostic, Diagnostics, Sources};
use seam_event::{SeamId, What};
use seam_history::{Reader, RunFolder};
use seam_judge::Exit;
use seam_recording::{
    Archive, Around, HarError, LeftOut, Made, Recording as Kept, from_har, learn, learn_alone, read, record,
    seam_of, write,
};
use seam_steps::read_below;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of recordings beside `seam.yaml`, where nothing else is said.
pub(crate) const USUAL_FOLDER: &str = "recordings";

/// Reads an archive of HTTP, with what it keeps in files below its folder; others may have written it.
pub(crate) fn archive_at(path: &Path, text: &str) -> Result<Archive, HarError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let read_file = |name: &str| read_below(folder, name);
    from_har(text, &Around { read_file: &read_file })
}

/// Who asks in an archive that names no seams.
const FOREIGN: &str = "client";

/// The seams that are recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// As people wrote them; all between components where there are none.
    seams: Vec<SeamId>,
    /// Where there are none: those of the tests instead.
    of_tests: bool,
}

impl Choice {
    /// Of what stands behind `--seam`; what the tests ask themselves where nothing does.
    pub(crate) fn of_tests(seams: Vec<SeamId>) -> Self {
        Self { seams, of_tests: true }
    }

    /// Is it what the tests ask themselves?
    pub(crate) fn is_of_tests(&self) -> bool {
        self.of_tests && self.seams.is_empty()
    }

    /// Of what stands behind `--seam`.
    pub(crate) fn new(seams: Vec<SeamId>) -> Self {
        Self { seams, of_tests: false }
    }

    /// Is this one of them?
    pub(crate) fn takes(&self, seam: &SeamId) -> bool {
        if self.seams.is_empty() {
            return seam.consumer.is_test() == self.of_tests;
        }
        self.seams.iter().any(|wanted| {
            wanted.consumer == seam.consumer
                && wanted.provider == seam.provider
                && (wanted.endpoint.as_str().is_empty() || wanted.endpoint == seam.endpoint)
        })
    }

    /// What an archive of HTTP holds of the chosen seams; all of it where none is chosen. What a browser has written names
    /// no seams: it is what passed the one that is chosen. Else the seams that it holds.
    pub(crate) fn of_archive(&self, all: Vec<Kept>) -> Result<Vec<Kept>, String> {
        if self.seams.is_empty() {
            return Ok(all);
        }
        let held: Vec<String> = all.iter().map(|one| format!("`{}`", one.seam)).collect();
        let (mut taken, rest): (Vec<Kept>, Vec<Kept>) =
            all.into_iter().partition(|one| self.takes(&one.seam));
        if taken.is_empty()
            && let [seam] = self.seams.as_slice()
        {
            let foreign = rest.into_iter().filter(|one| one.seam.consumer.as_str() == FOREIGN);
            let mut interactions: Vec<_> = foreign.flat_map(|one| one.interactions).collect();
            interactions.sort_by_key(|one| one.number);
            if !interactions.is_empty() {
                let protocol = "http".to_owned();
                let mut whole = Kept { seam: seam.clone(), protocol, volatile: Vec::new(), interactions };
                learn_alone(&mut whole);
                taken.push(whole);
            }
        }
        if taken.is_empty() { Err(held.join(", ")) } else { Ok(taken) }
    }

    /// What was chosen by its name, and that nothing passed, with the seams that something did.
    fn missed(&self, passed: &BTreeSet<SeamId>) -> Vec<Diagnostic> {
        let is_missed = |wanted: &&SeamId| {
            let own = Self::new(vec![(*wanted).clone()]);
            !passed.iter().any(|seam| own.takes(seam))
        };
        let names: Vec<String> = passed.iter().map(ToString::to_string).collect();
        let told = |wanted: &SeamId| {
            let wanted = wanted.to_string();
            let warning = Diagnostic::warning(format!("nothing passed the seam `{wanted}`"));
            match seam_diag::did_you_mean(&wanted, names.iter().map(String::as_str)) {
                Some(near) => warning.hint(format!("did you mean `{near}`?")),
                None if names.is_empty() => warning,
                None => warning.hint(format!("something passed {}", names.join(", "))),
            }
        };
        self.seams.iter().filter(is_missed).map(told).collect()
    }

    /// Tells a seam that the system does not have.
    pub(crate) fn check(&self, read: &Readable) -> Result<(), Diagnostic> {
        let seams = &read.plan.system.seams;
        // What only the tests ask is on no list.
        let is_there = |wanted: &SeamId| {
            let own = Self::new(vec![wanted.clone()]);
            wanted.consumer.is_test() || seams.iter().any(|seam| own.takes(&seam.id))
        };
        let Some(missing) = self.seams.iter().find(|wanted| !is_there(wanted)) else {
            return Ok(());
        };
        let names: Vec<String> = seams.iter().map(|seam| seam.id.to_string()).collect();
        let title = format!("there is no seam `{missing}`");
        let diagnostic = Diagnostic::error(title);
        let text = missing.to_string();
        let near = seam_diag::did_you_mean(&text, names.iter().map(String::as_str));
        Err(match near {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint("`seam map` shows all seams"),
        })
    }
}

/// Reads `web -> api`.
pub(crate) fn seam_value(text: &str) -> Result<SeamId, String> {
    seam_of(text).ok_or_else(|| "a seam is written `consumer -> provider`, as in 'web -> api'".to_owned())
}

/// Recordings that are to be made.
pub(crate) struct Recording {
    folder: PathBuf,
    choice: Choice,
}

/// Why a recording could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the recording {path}", path = path.display())]
struct Unwritten {
    path: PathBuf,
    source: io::Error,
}

impl Recording {
    /// Into this folder.
    pub(crate) fn new(folder: PathBuf, choice: Choice) -> Self {
        Self { folder, choice }
    }

    /// Where they go.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is recorded.
    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Makes them of a stored run, or of two runs of the same, and tells what there is now.
    pub(crate) fn of(&self, runs: &[RunFolder], screen: &mut Screen) -> Exit {
        match self.made(runs) {
            Ok((made, missed)) => {
                for missed in &missed {
                    screen.diagnostic(missed);
                }
                self.keep(made, screen)
            }
            Err(error) => {
                screen.error(&error, "");
                Exit::CouldNotRun
            }
        }
    }

    /// The recordings of the first run; what is otherwise in the others varies. With a warning for each seam that was
    /// chosen by its name, and that nothing passed.
    pub(crate) fn made(
        &self,
        runs: &[RunFolder],
    ) -> Result<(Made, Vec<Diagnostic>), seam_history::ReadError> {
        let (mut all, mut passed) = (Vec::new(), BTreeSet::new());
        for run in runs {
            let stored = Reader::open(run).and_then(Reader::read)?;
            passed.extend(stored.history.events.iter().filter_map(|event| match &event.what {
                What::Interaction(passed) => Some(passed.seam.clone()),
                _ => None,
            }));
            all.push(record(&stored.history.events, &|seam| self.choice.takes(seam)));
        }
        let mut all = all.into_iter();
        let mut made = all.next().unwrap_or_default();
        let others: Vec<Made> = all.collect();
        for recording in &mut made.recordings {
            let same =
                |made: &'_ Made| made.recordings.iter().find(|one| one.seam == recording.seam).cloned();
            let seconds: Vec<_> = others.iter().filter_map(same).collect();
            for second in &seconds {
                learn(recording, second);
            }
            if seconds.is_empty() {
                learn_alone(recording);
            }
        }
        Ok((made, self.choice.missed(&passed)))
    }

    /// Writes the only recording there is into this file, and says so.
    pub(crate) fn keep_as(&self, path: &Path, made: Made, screen: &mut Screen) -> Exit {
        self.keep_at(&|_| path.to_owned(), made, screen)
    }

    /// Writes the files, and says what there is.
    pub(crate) fn keep(&self, made: Made, screen: &mut Screen) -> Exit {
        self.keep_at(&|stem| self.folder.join(format!("{stem}.yaml")), made, screen)
    }

    /// Writes each into the file that its name has there, and says what there is.
    pub(crate) fn keep_at(
        &self,
        path: &dyn Fn(&str) -> PathBuf,
        mut made: Made,
        screen: &mut Screen,
    ) -> Exit {
        if made.recordings.is_empty() {
            let nothing =
                Diagnostic::warning("nothing passed the chosen seams, so there is nothing to record");
            screen.diagnostic(
                &nothing.hint("`seam map` shows all seams; `--seam 'test -> api'` records what tests ask"),
            );
            return Exit::Inconclusive;
        }
        let mut table = Vec::new();
        for recording in &mut made.recordings {
            let path = path(&recording.stem());
            keep_what_people_marked(recording, &path);
            if let Err(error) = self.write(recording, &path) {
                screen.error(&error, "");
                return Exit::CouldNotRun;
            }
            table.push((
                shown(&path),
                counted(recording.interactions.len(), "interaction", "interactions"),
                counted(recording.n_volatile(), "path varies", "paths vary"),
            ));
        }
        screen.say(&summary(&table, made.left_out));
        Exit::Passed
    }

    fn write(&self, recording: &seam_recording::Recording, path: &Path) -> Result<(), Unwritten> {
        let written = write(recording);
        for (name, content) in &written.beside {
            let beside = self.folder.join(name);
            whole(&beside, content).map_err(|source| Unwritten { path: beside.clone(), source })?;
        }
        whole(path, written.text.as_bytes()).map_err(|source| Unwritten { path: path.to_owned(), source })?;
        forget_others(&self.folder.join(recording.stem()), &written.beside);
        Ok(())
    }
}

/// What people marked as varying in the recording that was there stays marked.
fn keep_what_people_marked(recording: &mut seam_recording::Recording, path: &Path) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let mut ignored = Diagnostics::default();
    let file = Sources::default().add(path, text.clone());
    let read_file = |_: &str| Ok(b"null".to_vec());
    let Some(old) = read(file, &text, &Around { read_file: &read_file }, &mut ignored) else { return };
    for volatile in old.volatile {
        if old.seam == recording.seam && !recording.volatile.contains(&volatile) {
            recording.volatile.push(volatile);
        }
    }
}

/// Takes away bodies of an earlier recording. Only what has our kind of name is ours.
fn forget_others(folder: &Path, beside: &[(String, Vec<u8>)]) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = name.split_once('.').is_some_and(|(hash, ending)| {
            hash.len() == 16
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
                && matches!(ending, "json" | "txt" | "bin")
        });
        let is_used = beside.iter().any(|(used, _)| used.ends_with(&format!("/{name}")));
        if is_ours && !is_used {
            // One that stays harms nobody.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A path from here, where it lies below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn summary(table: &[(String, String, String)], left_out: LeftOut) -> String {
    let width = |column: fn(&(String, String, String)) -> &String| {
        table.iter().map(|row| column(row).chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(|row| &row.0), width(|row| &row.1));
    let mut text = String::from("\nrecorded\n");
    for (path, interactions, volatile) in table {
        let _ = writeln!(text, "  {path:first$}  {interactions:second$}  {volatile}");
    }
    let LeftOut { answered, cut, open } = left_out;
    for (count, why) in [
        (answered, "that a stub or a fault answered"),
        (cut, "longer than what a run keeps"),
        (open, "that came to no answer"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  left out: {} {why}", counted(count, "interaction", "interactions"));
        }
    }
    text
}
