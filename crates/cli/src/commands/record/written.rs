//! Writes what was recorded as tests, runs them, and leaves those that do not pass as they are: they did more than ask, or
//! said a secret that nobody keeps.

use crate::chosen::counted;
use crate::commands::replay::told;
use crate::commands::run::Tests;
use crate::recorded::{Recording, shown};
use crate::reports::whole;
use crate::screen::Screen;
use seam_diag::Diagnostic;
use seam_event::TestId;
use seam_history::{Reader, RunFolder};
use seam_judge::{Exit, TestOutcome, verdict};
use seam_recording::{Driver, Made, Thoroughness, as_tests, written_tests};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

/// How the files that are ours begin.
const HEAD: &str = "Recorded by Seamwork: each test asks what was asked, and expects what was answered.";

/// What they begin with until they have passed, for whoever finds them after this program was killed.
const UNCHECKED: &str = "Recorded by Seamwork: each test asks what was asked, and expects what was answered. None \
    of them was run yet: record them again.";

/// The names of tests that are left out and shown.
const MOST_NAMED: usize = 5;

/// Writes the files of tests, and says what there is.
pub(super) fn write(recording: &Recording, made: Made, tests: &Tests, screen: &mut Screen) -> Exit {
    let together = made.recordings;
    let groups: Vec<(String, Vec<_>)> = if recording.choice().is_of_tests() {
        vec![("recorded".to_owned(), together)]
    } else {
        together.into_iter().map(|one| (one.stem(), vec![one])).collect()
    };
    let secrets = tests.secrets();
    let mut is_any = false;
    for (stem, recordings) in groups {
        let drivers =
            as_tests(&recordings, Thoroughness::Gist, &|name| secrets.iter().any(|known| known == name));
        screen.tell(&told(&drivers.not_asked));
        if drivers.list.is_empty() {
            continue;
        }
        let path = recording.folder().join(format!("{stem}.seam.yaml"));
        match write_file(&path, drivers.list, tests, screen) {
            Ok(written) => is_any |= written,
            Err(exit) => return exit,
        }
    }
    if is_any {
        return Exit::Passed;
    }
    screen.diagnostic(&Diagnostic::warning("nothing was recorded that a test could ask again"));
    Exit::Inconclusive
}

/// Was anything written?
fn write_file(path: &Path, drivers: Vec<Driver>, tests: &Tests, screen: &mut Screen) -> Result<bool, Exit> {
    let before = std::fs::read_to_string(path).ok();
    if before.as_ref().is_some_and(|text| !text.starts_with(&format!("# {HEAD}"))) {
        let there = Diagnostic::error(format!("{} is there already, and not ours", shown(path)));
        screen.diagnostic(&there.hint("`--out FOLDER` puts the tests elsewhere"));
        return Err(Exit::CouldNotRun);
    }
    put(path, UNCHECKED, &drivers, screen)?;
    let passed = checked(path, tests, screen).inspect_err(|_| {
        // What nobody has seen pass is no test: what was there before stays.
        let _ = match &before {
            Some(text) => whole(path, text.as_bytes()),
            None => std::fs::remove_file(path),
        };
    })?;
    let (good, bad): (Vec<Driver>, Vec<Driver>) =
        drivers.into_iter().partition(|driver| passed.contains(driver.name.as_str()));
    if good.is_empty() {
        let _ = std::fs::remove_file(path);
    } else {
        put(path, HEAD, &good, screen)?;
    }
    screen.say(&summary(path, &good, &bad));
    Ok(!good.is_empty())
}

/// Runs a file as it is written: the names of the tests that passed.
fn checked(path: &Path, tests: &Tests, screen: &mut Screen) -> Result<HashSet<String>, Exit> {
    screen.tell(&format!("running {} as written\n", shown(path)));
    let ran = screen.hushed(|screen| tests.only(path.to_owned()).run(&|_| Ok(()), screen))?;
    match ran.exit {
        Exit::Interrupted | Exit::CouldNotRun => Err(ran.exit),
        _ => passed(&ran.folder, screen),
    }
}

fn put(path: &Path, head: &str, drivers: &[Driver], screen: &mut Screen) -> Result<(), Exit> {
    whole(path, written_tests(head, drivers).as_bytes()).map_err(|error| {
        screen.error(&error, &format!("{} must be a file that can be written", path.display()));
        Exit::CouldNotRun
    })
}

/// The names of the tests that passed.
fn passed(run: &RunFolder, screen: &mut Screen) -> Result<HashSet<String>, Exit> {
    let stored = Reader::open(run).and_then(Reader::read).map_err(|error| {
        screen.error(&error, "");
        Exit::CouldNotRun
    })?;
    let name = |id: &TestId| id.as_str().split_once("::").map_or(id.as_str(), |(_, name)| name).to_owned();
    let tests = verdict(&stored.history.events).tests;
    Ok(tests.iter().filter(|test| test.outcome == TestOutcome::Passed).map(|test| name(&test.id)).collect())
}

fn summary(path: &Path, good: &[Driver], bad: &[Driver]) -> String {
    let mut text = format!("\nrecorded\n  {}  {}\n", shown(path), counted(good.len(), "test", "tests"));
    if !bad.is_empty() {
        let count = counted(bad.len(), "test that does", "tests that do");
        let _ = writeln!(text, "  left out: {count} not pass by asking alone");
        for driver in bad.iter().take(MOST_NAMED) {
            let _ = writeln!(text, "    {}", driver.name);
        }
        if bad.len() > MOST_NAMED {
            let _ = writeln!(text, "    and {} more", bad.len() - MOST_NAMED);
        }
    }
    text
}
