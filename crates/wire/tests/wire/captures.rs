//! Each capture gives the Interactions beside it, however its bytes are cut.
//!
//! `UPDATE_CAPTURES=1` writes what came out; read the difference before you keep it.

use crate::capture::{Outcome, Piece, read, replay, replay_passing};
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

impl Case {
    fn name(&self) -> String {
        self.path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
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

/// Fails with the first line that differs, not with all of them.
#[track_caller]
fn assert_same(actual: &str, expected: &str, of: &str) {
    for (number, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "{of}, line {}", number + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "{of}, the number of lines");
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
        assert_same(&whole, &expected, &case.name());
    }
}

#[test]
fn cut_at_every_byte_it_is_the_same() {
    for case in all() {
        let whole = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |n_left| n_left));
        for n_bytes in [1, 2, 3, 7] {
            let cut = text(&replay(case.protocol, &case.pieces, Limits::default(), &mut |_| n_bytes));
            assert_same(&cut, &whole, &format!("{} in pieces of {n_bytes}", case.name()));
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
            assert_same(&cut, &whole, &format!("{} cut after {place}", case.name()));
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

#[test]
fn what_need_not_be_seen_may_pass_unseen() {
    let mut n_passed = 0;
    for case in all() {
        for kept_body in [0, 1, 8, 100] {
            let limits = Limits { kept_body, ..Limits::default() };
            // Cut small, so that bodies come in several pieces and can pass in part.
            let seen = text(&replay(case.protocol, &case.pieces, limits, &mut |_| 5));
            let cut = cut_small(&case.pieces);
            let (unseen, n_unseen) = replay_passing(case.protocol, &cut, limits);
            assert_same(&text(&unseen), &seen, &format!("{} keeping {kept_body}", case.name()));
            n_passed += n_unseen;
        }
    }
    assert!(n_passed > 10_000, "only {n_passed} bytes passed unseen");
}

fn cut_small(pieces: &[Piece]) -> Vec<Piece> {
    let cut = |piece: &Piece| match piece {
        Piece::Bytes(direction, bytes) => {
            bytes.chunks(5).map(|chunk| Piece::Bytes(*direction, chunk.to_vec())).collect()
        }
        end @ Piece::End(..) => vec![end.clone()],
    };
    pieces.iter().flat_map(cut).collect()
}

#[test]
fn what_is_longer_than_is_kept_is_cut() {
    let limits = Limits { kept_body: 40, ..Limits::default() };
    for (word, capture, expect) in [
        (
            "http",
            "> GET / HTTP/1.1\\r\\n\\r\\n\n< HTTP/1.1 200 OK\\r\\nContent-Length: 50\\r\\n\\r\\n01234567890123456789012345678901234567890123456789\n",
            r#""text":"0123456789012345678901234567890123456789","length":50"#,
        ),
        (
            "redis",
            "> GET k\\r\\n\n< $50\\r\\n01234567890123456789012345678901234567890123456789\\r\\n\n",
            r#""reply":{"value":"01234567890123456789012345678901234","error":null}"#,
        ),
    ] {
        let protocol = protocol(word).expect("a protocol");
        let outcome = replay(protocol, &read(capture), limits, &mut |n_left| n_left);
        let [line] = outcome.lines.as_slice() else { panic!("{:?}", outcome.lines) };
        assert!(line.starts_with(r#"{"cut":true,"#) && line.contains(expect), "{line}");
    }
}
