//! Each capture gives the Interactions beside it, however its bytes are cut.
//!
//! `UPDATE_CAPTURES=1` writes what came out; read the difference before you keep it.

use crate::capture::{Outcome, Piece, read, replay};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seam_wire::{Limits, Protocol, protocol};
use std::path::{Path, PathBuf};

/// One capture with what it must give.
pub(crate) struct Case {
    pub(crate) path: PathBuf,
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) pieces: Vec<Piece>,
}

/// All captures: `<protocol>-<what>.capture`.
pub(crate) fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the captures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "capture"))
        .collect();
    paths.sort();
    let read_case = |path: PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let word = name.split('-').next().expect("a protocol");
        let protocol = protocol(word).unwrap_or_else(|| panic!("{word} is no protocol"));
        let pieces = read(&std::fs::read_to_string(&path).expect("a readable capture"));
        Case { path, protocol, pieces }
    };
    paths.into_iter().map(read_case).collect()
}

/// What came out as text: Interactions, and a last line for what was left.
fn text(outcome: &Outcome) -> String {
    let mut lines = outcome.lines.clone();
    lines.extend(outcome.surprise.iter().map(|surprise| format!("surprise: {surprise}")));
    if outcome.n_open > 0 {
        lines.push(format!("open: {}", outcome.n_open));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[test]
fn each_capture_gives_its_interactions() {
    let cases = all();
    assert!(cases.len() >= 10, "the captures are missing");
    for case in cases {
        let expected_path = case.path.with_extension("jsonl");
        let whole = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |n_left| n_left));
        if std::env::var_os("UPDATE_CAPTURES").is_some() {
            std::fs::write(&expected_path, &whole).expect("writable");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        assert_eq!(whole, expected, "{}", case.path.display());
    }
}

#[test]
fn cut_at_every_byte_it_is_the_same() {
    for case in all() {
        let whole = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |n_left| n_left));
        for n_bytes in [1, 2, 3, 7] {
            let cut = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |_| n_bytes));
            assert_eq!(cut, whole, "{} in pieces of {n_bytes}", case.path.display());
        }
        // Cut once, at each place.
        let n_bytes: usize = case.pieces.iter().map(Piece::len).sum();
        for place in (1..n_bytes.min(3000)).step_by(1 + n_bytes / 400) {
            let mut n_before = place;
            let cut = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |n_left| {
                let n_now = if n_before == 0 { n_left } else { n_left.min(n_before) };
                n_before -= n_now.min(n_before);
                n_now
            }));
            assert_eq!(cut, whole, "{} cut after {place}", case.path.display());
        }
    }
}

#[test]
fn in_random_pieces_it_is_the_same() {
    for case in all() {
        let whole = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |n_left| n_left));
        let mut runner =
            TestRunner::new(Config { cases: 30, failure_persistence: None, ..Config::default() });
        let sizes = proptest::collection::vec(1usize..200, 1..50);
        runner
            .run(&sizes, |sizes| {
                let mut next = sizes.iter().copied().cycle();
                let cut =
                    replay(case.protocol, &case.pieces, Limits::default(), &mut |_| next.next().unwrap_or(1));
                prop_assert_eq!(text(&cut), whole.as_str(), "{}", case.path.display());
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
