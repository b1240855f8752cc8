//! Whatever stands in a file, reading it ends, tells something where it gives nothing, and never panics.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod words;

use proptest::prelude::*;
use seam_diag::{Diagnostics, Look, Severity, Sources, render};
use seam_manifest::{TestFiles, from_bytes, parse, read_system};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Files as people write them, right and wrong.
static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files: Vec<PathBuf> = ["language", "mistakes/system", "mistakes/tests"]
        .iter()
        .flat_map(|name| std::fs::read_dir(folder.join(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
});

/// Pieces that mean something to YAML or to us.
const PIECES: &[&str] = &[
    "\n",
    "  ",
    "- ",
    "-",
    ": ",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "\\",
    "#",
    " #",
    "|",
    ">",
    "|-\n",
    "&a ",
    "*a",
    "!t ",
    "<<: ",
    "? ",
    "%",
    "@",
    "`",
    "\t",
    "\r\n",
    "---\n",
    "...\n",
    "$",
    "${",
    "${a.b}",
    "$$",
    "~",
    "yes",
    "0123",
    "1e9",
    "ä",
    "日本",
    "\u{feff}",
    "\u{2028}",
    "name: a",
    "tests:\n  - ",
    "steps:\n",
    "http: GET web/a",
    "expect: { ",
    "together:\n",
    "components:\n",
    "like: a",
    "each: [",
    "needs: [a]",
    "include: [./a.seam.yaml]",
];

fn read_all(bytes: &[u8]) {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let Some(file) = from_bytes(bytes, Path::new("a.seam.yaml"), &mut sources, &mut found) else {
        assert!(found.has_errors());
        return;
    };
    let text = sources.file(file).unwrap().text.clone();
    let mut told = Diagnostics::default();
    let node = parse(file, &text, &mut told);
    assert!(node.is_some() || told.has_errors(), "nothing came out and nothing was told");
    read_system(file, Some("staging"), &words::WORDS, &sources, &mut found);
    let root = Path::new("/nowhere");
    let path = root.join("a.seam.yaml");
    TestFiles::new(root, &words::WORDS).read_source(&path, file, &mut sources, &mut found);
    for diagnostic in found {
        let place = diagnostic.place.as_ref().map(|(span, _)| *span);
        if let Some(span) = place {
            assert!(span.start <= span.end, "{diagnostic:?}");
            assert!(span.start as usize <= text.len(), "{diagnostic:?}");
        } else {
            assert_eq!(diagnostic.severity, Severity::Error);
        }
        assert!(!render(&diagnostic, &sources, Look::default()).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn soup_of_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn soup_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        read_all(pieces.concat().as_bytes());
    }

    #[test]
    fn real_files_changed(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..6, prop::sample::select(PIECES)), 1..5),
    ) {
        let mut bytes = which.get(&REAL).clone();
        for (at, n_dropped, piece) in changes {
            let at = if bytes.is_empty() { 0 } else { at.index(bytes.len()) };
            let end = (at + n_dropped).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        read_all(&bytes);
    }
}

#[test]
fn real_files_cut_at_every_byte() {
    for file in REAL.iter() {
        for end in 0..file.len() {
            if file.len() < 2_000 || end % 7 == 0 {
                read_all(&file[..end]);
            }
        }
    }
}

#[test]
fn bombs_of_nesting_and_length_end_quickly() {
    let deep = |open: &str| format!("a: {}", open.repeat(100_000));
    let mut indented = String::new();
    for depth in 0..3_000 {
        indented.push_str(&" ".repeat(depth));
        indented.push_str("a:\n");
    }
    let long_key = format!("{}: 1", "k".repeat(1 << 20));
    let quotes = "- '".repeat(50_000);
    let commas = format!("a: {{ b: x{} }}", ", y".repeat(20_000));
    let references = format!("a: {{ {} }}", "b: ${x}, ".repeat(20_000));
    let dashes = "- ".repeat(100_000);
    let needs = (0..5_000)
        .fold("fixtures:\n".to_owned(), |text, n| text + &format!("  f{n}: {{ needs: [f{}] }}\n", n + 1));
    for text in [deep("["), deep("{ a: "), indented, long_key, quotes, commas, references, dashes, needs] {
        let begun = std::time::Instant::now();
        read_all(text.as_bytes());
        assert!(begun.elapsed().as_secs() < 20, "{} took {:?}", &text[..20], begun.elapsed());
    }
}
