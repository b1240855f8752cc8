//! What the program prints, kept as transcripts in `tests/cases`: the commands, and what came of them.
//!
//! A case is a folder with the files of a project and a `transcript`. In that, each line that begins with `$ ` is a
//! command; what stands beneath is its standard output, then its standard error behind `! `, then its exit code where
//! it is not 0. With `SEAM_BLESS=1` transcripts are written anew; look at what changed before you keep it.

use crate::place::{Place, has_python};
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn every_transcript_is_what_the_program_prints() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<_> = std::fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() > 3, "the cases are there");
    let mut wrong = String::new();
    for folder in folders {
        if folder.join("app.py").is_file() && !has_python() {
            continue;
        }
        let transcript = folder.join("transcript");
        let expected = std::fs::read_to_string(&transcript).unwrap();
        let actual = played(&folder, &expected);
        if actual == expected {
            continue;
        }
        if std::env::var_os("SEAM_BLESS").is_some() {
            std::fs::write(&transcript, actual).unwrap();
        } else {
            let name = folder.file_name().unwrap().to_string_lossy();
            let _ = write!(wrong, "\n=== {name}: expected\n{expected}\n=== {name}: actual\n{actual}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Runs the commands of a transcript in a copy of its folder, and writes what came of them.
fn played(folder: &Path, transcript: &str) -> String {
    let place = Place::new();
    copy(folder, &place.path());
    let mut text = String::new();
    for command in transcript.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[0], "seam", "{command}");
        let done = place.seam(&words[1..]);
        let _ = write!(text, "$ {command}\n{}", done.out);
        for line in done.err.lines() {
            let _ = writeln!(text, "{}", format!("! {line}").trim_end());
        }
        if done.code != Some(0) {
            let _ = writeln!(text, "exit {}", done.code.unwrap());
        }
    }
    text
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
