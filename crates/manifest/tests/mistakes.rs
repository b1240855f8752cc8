//! Every mistake as a user sees it: `mistakes/system/*.yaml` and `mistakes/tests/*.seam.yaml` against `*.out`.
//!
//! With `SEAM_BLESS=1` the `.out` files are written anew; look at what changed before you keep it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod words;

use seam_diag::{Diagnostics, Look, Sources, render};
use seam_manifest::{TestFiles, load, read_system};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is told of one file.
fn told(path: &Path) -> String {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let name = path.file_name().unwrap();
    if path.to_str().unwrap().ends_with(".seam.yaml") {
        let root = path.parent().unwrap();
        TestFiles::new(root, &words::WORDS).read(path, &mut sources, &mut found);
    } else if let Some(file) = load(path, Path::new(name), &mut sources, &mut found) {
        read_system(file, None, &words::WORDS, &sources, &mut found);
    }
    let mut text = String::new();
    for diagnostic in found.in_order() {
        writeln!(text, "{}", render(diagnostic, &sources, Look::default())).unwrap();
    }
    // Files of tests are shown from where the test runs.
    text.replace("tests/mistakes/tests/", "")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_mistake_reads_as_it_should() {
    let mut wrong = String::new();
    let files = [files("system"), files("tests")].concat();
    assert!(files.len() >= 40, "only {} kinds of mistake", files.len());
    for file in files {
        let out = file.with_extension("out");
        let actual = told(&file);
        assert!(!actual.is_empty(), "nothing is told of {}", file.display());
        if std::env::var_os("SEAM_BLESS").is_some() {
            std::fs::write(&out, &actual).unwrap();
        } else if std::fs::read_to_string(&out).unwrap_or_default() != actual {
            write!(wrong, "\n--- {}\n{actual}", out.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "these are told otherwise now:\n{wrong}");
}
