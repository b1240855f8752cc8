//! The golden cases: one test for each folder in `tests/cases`.
//!
//! A folder is a project with its `case.txt`, the transcript that must come again. What every run must hold is
//! looked at in each: nothing is left behind, nothing panicked, and the stored run tells the same as the living one.
//! `SEAM_BLESS=1` writes what came; look at the difference before you keep it.

use crate::normal::normalised;
use crate::sandbox::{Said, Sandbox};
use crate::survivors::none_survives;
use crate::transcript::{Outcome, Transcript, difference};
use libtest_mimic::{Failed, Trial};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

/// The file in a folder that makes it a case.
const FILE: &str = "case.txt";

/// One test for each case.
pub(crate) fn trials() -> Vec<Trial> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(cases).unwrap().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.into_iter().filter(|folder| folder.is_dir()).map(trial).collect()
}

fn trial(folder: PathBuf) -> Trial {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let transcript = Transcript::read(&text);
    let missing = transcript.needs.iter().find(|need| !is_there(need)).cloned();
    if let Some(need) = &missing {
        eprintln!("SKIPPED: case {name}: this machine has no {need}");
    }
    let is_ignored = missing.is_some() || transcript.ignored.is_some();
    Trial::test(name, move || check(&folder, &text, &transcript))
        .with_ignored_flag(is_ignored)
        .with_kind("case")
}

/// Is this service's program on the machine?
fn is_there(need: &str) -> bool {
    let in_path = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    match need {
        "postgres" => {
            let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            in_path("initdb")
                || versions.map(|entry| entry.path().join("bin/initdb")).any(|path| path.is_file())
        }
        "redis" => in_path("redis-server"),
        other => in_path(other),
    }
}

fn check(folder: &Path, expected: &str, transcript: &Transcript) -> Result<(), Failed> {
    let sandbox = Sandbox::of(folder);
    let troubles = RefCell::new(Vec::new());
    let came = transcript.written(|line| {
        let before = sandbox.runs();
        let said = sandbox.shell(line);
        for run in sandbox.runs().iter().filter(|run| !before.contains(run)) {
            troubles.borrow_mut().extend(every_run(&sandbox, line, run, &said));
        }
        if said.err.contains("this is a mistake in Seamwork") {
            troubles.borrow_mut().push(format!("$ {line}\n{}", said.err));
        }
        let places = sandbox.places();
        Outcome { code: said.code, out: normalised(&said.out, &places), err: normalised(&said.err, &places) }
    });
    if std::env::var_os("SEAM_BLESS").is_some_and(|value| value == "1") {
        fs::write(folder.join(FILE), &came).unwrap();
    } else if came != expected {
        troubles
            .borrow_mut()
            .push(format!("{}\nSEAM_BLESS=1 writes it down as it is now", difference(expected, &came)));
    }
    let troubles = troubles.into_inner();
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("\n").into()) }
}

/// What must be so after each run, whatever it came to.
fn every_run(sandbox: &Sandbox, line: &str, run: &str, said: &Said) -> Vec<String> {
    let mut troubles: Vec<String> = none_survives(run).err().into_iter().collect();
    // Only where nothing else came on its standard output, and by itself.
    let is_plain =
        line.starts_with("seam run") && !line.contains(['|', '>', ';', '&']) && !line.contains("=-");
    let is_over = matches!(said.code, Some(0..=3));
    if is_plain && is_over {
        let again = sandbox.shell(&format!("seam report {run}"));
        if (again.code, &again.out) != (said.code, &said.out) {
            troubles.push(format!(
                "`seam report` does not say what `{line}` said ({:?}, {:?}), {}",
                said.code,
                again.code,
                difference(&said.out, &again.out)
            ));
        }
    }
    troubles
}
