//! `seam replay`: asks a provider what its consumer asked when it was recorded, and compares the answers.
//!
//! A recording is written out as tests, and these are run: so a difference is told like every other failure, and what is
//! raised, put back and masked is the same as in a run.

use crate::chosen::counted;
use crate::commands::Act;
use crate::commands::run::Tests;
use crate::recorded::archive_at;
use crate::reports::whole;
use crate::screen::{Screen, chain};
use clap::Args;
use seam_diag::{Diagnostic, Diagnostics, Sources};
use seam_judge::Exit;
use seam_manifest::find_project;
use seam_recording::{Around, NotAsked, Recording, Thoroughness, as_tests, read, written_tests};
use seam_steps::read_below;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Ask the provider again what was recorded, and compare its answers
///
/// The system is raised; each request of the recording goes to the provider itself, in the recorded order, test by test,
/// each from a clean state. Answers must be as recorded, apart from what varies. What an earlier answer gave and a later
/// request used (an id, a token) is what the provider says now.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam replay recordings/web-api.yaml                               in the system of this folder
  seam replay recordings/web-api.yaml shop                          in that of the folder shop
  seam replay recordings/*.yaml --against http://localhost:8080     without a system
  seam replay traffic.har --against http://localhost:8080

Exit codes: 0 all as recorded, 1 something differs, 2 could not run, 3 nothing to ask, 130 interrupted.")]
pub(crate) struct Replay {
    #[command(flatten)]
    tests: Tests,
    /// Ask whoever listens there, instead of raising a system
    #[arg(long, value_name = "URL", help_heading = "How")]
    against: Option<String>,
}

/// How many interactions are not asked, by the reason.
pub(crate) type Counts = BTreeMap<NotAsked, usize>;

/// What keeps a replay from beginning.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {path}", path = path.display())]
struct Unwritten {
    path: PathBuf,
    source: std::io::Error,
}

impl Act for Replay {
    fn act(self, screen: &mut Screen) -> Exit {
        let is_file = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            !path.is_dir() && name != "seam.yaml"
        };
        let (files, projects): (Vec<&PathBuf>, Vec<&PathBuf>) = self.tests.paths().iter().partition(is_file);
        if files.is_empty() {
            let nothing = Diagnostic::error("which recording?");
            screen
                .diagnostic(&nothing.hint("`seam replay recordings/web-api.yaml`; `seam record` makes them"));
            return Exit::CouldNotRun;
        }
        let Some(recordings) = read_all(&files, screen) else { return Exit::CouldNotRun };
        let root = match self.root(&projects) {
            Ok(root) => root,
            Err(diagnostic) => {
                screen.diagnostic(&diagnostic);
                return Exit::CouldNotRun;
            }
        };
        let secrets = self.secrets(&root);
        match self.write(&recordings, &root, &secrets) {
            Err(error) => {
                screen.error(&error, "");
                Exit::CouldNotRun
            }
            Ok((written, not_asked)) => {
                screen.tell(&told(&not_asked));
                if written.is_empty() {
                    screen.diagnostic(&Diagnostic::error("nothing in these recordings can be asked"));
                    return Exit::Inconclusive;
                }
                let mut tests = self.tests.of(written).in_a_consumers_place();
                tests.run(&|_| Ok(()), screen).map_or_else(|exit| exit, |ran| ran.exit)
            }
        }
    }
}

impl Replay {
    /// The folder of the project in which the tests are written and run.
    fn root(&self, projects: &[&PathBuf]) -> Result<PathBuf, Diagnostic> {
        if self.against.is_some() {
            return Ok(PathBuf::from(".seam/replay/against"));
        }
        let paths: Vec<PathBuf> = projects.iter().map(|path| (*path).clone()).collect();
        find_project(&paths).map(|project| project.root).map_err(|error| {
            let diagnostic = error.diagnostic();
            Diagnostic {
                hint: Some("name its folder, or the provider with `--against URL`".to_owned()),
                ..diagnostic
            }
        })
    }

    /// The secrets that the system declares. Without a system there are none.
    fn secrets(&self, root: &Path) -> Vec<String> {
        if self.against.is_some() { Vec::new() } else { self.tests.of(vec![root.to_owned()]).secrets() }
    }

    /// Writes the tests, one file for each recording, and says where they are and what is in none of them.
    fn write(
        &self,
        recordings: &[Recording],
        root: &Path,
        secrets: &[String],
    ) -> Result<(Vec<PathBuf>, Counts), Unwritten> {
        let folder = if self.against.is_some() { root.join("tests") } else { root.join(".seam/replay") };
        let knows = |name: &str| secrets.iter().any(|secret| secret == name);
        let put = |path: PathBuf, text: &str| {
            whole(&path, text.as_bytes()).map(|()| path.clone()).map_err(|source| Unwritten { path, source })
        };
        let jobs =
            if self.against.is_some() { Vec::new() } else { self.tests.of(vec![root.to_owned()]).jobs() };
        let mut written = Vec::new();
        let mut n_of: HashMap<String, u32> = HashMap::new();
        let mut not_asked = Counts::new();
        for recording in recordings {
            let mut drivers = as_tests(std::slice::from_ref(recording), Thoroughness::Whole, &knows);
            if self.against.is_none() {
                let of_job = jobs.iter().any(|job| job == recording.seam.consumer.as_str());
                drivers = drivers.without_raising(of_job);
            }
            for (reason, n) in drivers.not_asked {
                *not_asked.entry(reason).or_default() += n;
            }
            if drivers.list.is_empty() {
                continue;
            }
            // Two recordings of one seam are two files.
            let stem = recording.stem();
            let nth = n_of.entry(stem.clone()).and_modify(|n| *n += 1).or_insert(1);
            let stem = if *nth == 1 { stem } else { format!("{stem}-{nth}") };
            let head = format!("Made by `seam replay` of what was recorded on {}.", recording.seam);
            let path = folder.join(format!("{stem}.seam.yaml"));
            written.push(put(path, &written_tests(&head, &drivers.list))?);
        }
        if let Some(against) = &self.against {
            put(PathBuf::from(".seam/.gitignore"), "*\n")?;
            put(root.join("seam.yaml"), &system(recordings, against))?;
        }
        Ok((written, not_asked))
    }
}

/// What was not asked, a line for each reason.
pub(crate) fn told(not_asked: &Counts) -> String {
    let line = |(reason, n): (&NotAsked, &usize)| {
        format!("{} not asked: {reason}\n", counted(*n, "interaction is", "interactions are"))
    };
    not_asked.iter().map(line).collect()
}

/// A system of nothing but somebody who listens already.
fn system(recordings: &[Recording], against: &str) -> String {
    // One provider may have been asked over HTTP and over gRPC, which are one protocol to whoever dials.
    let providers: BTreeMap<&str, &str> = recordings
        .iter()
        .map(|recording| {
            let protocol = recording.protocol.as_str();
            let protocol = if protocol.starts_with("http") { "http" } else { protocol };
            (recording.seam.provider.as_str(), protocol)
        })
        .collect();
    let address = seam_value::Value::text(against.trim_end_matches('/'));
    let mut text = String::from("system: replay\ncomponents:\n");
    for (name, protocol) in providers {
        let _ = writeln!(text, "  {name}: {{ external: {address}, live: true, protocol: {protocol} }}");
    }
    text
}

/// Reads recordings and archives; none where anything is wrong, which is told.
fn read_all(files: &[&PathBuf], screen: &mut Screen) -> Option<Vec<Recording>> {
    let (mut sources, mut found, mut all) = (Sources::default(), Diagnostics::default(), Vec::new());
    for path in files {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                found.push(Diagnostic::error(format!(
                    "failed to read {}: {}",
                    path.display(),
                    chain(&error)
                )));
                continue;
            }
        };
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("har")) {
            match archive_at(path, &text) {
                Ok(archive) => {
                    let told = archive.noted.iter().map(|noted| format!("{}: {noted}", path.display()));
                    told.for_each(|title| found.push(Diagnostic::warning(title)));
                    all.extend(archive.recordings);
                }
                Err(error) => {
                    found.push(Diagnostic::error(format!("{} is no HAR: {}", path.display(), chain(&error))));
                }
            }
            continue;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let read_file = |name: &str| read_below(folder, name);
        let file = sources.add(path.as_path(), text.clone());
        all.extend(read(file, &text, &Around { read_file: &read_file }, &mut found));
    }
    screen.diagnostics(&found, &sources);
    (!found.has_errors()).then_some(all)
}
