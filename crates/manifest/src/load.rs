//! A file's bytes to text, or what is wrong with them.
//!
//! Text that YAML cannot hold is told at its very byte; a file too large to have been written by a person is not
//! read at all.

use seam_diag::{Diagnostic, Diagnostics, FileId, Sources, Span};
use std::io::Read;
use std::path::Path;

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 16 << 20;

/// Reads a file into the sources under the name by which people know it; none where it cannot be used, which is
/// told then.
pub fn load(path: &Path, shown: &Path, sources: &mut Sources, found: &mut Diagnostics) -> Option<FileId> {
    let fail =
        |reason: String| Diagnostic::error(format!("cannot read {}", shown.display())).note("", reason);
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| {
        // One byte more than is allowed tells a file that is too large, whatever its length is said to be.
        if file.metadata()?.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
        }
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)
    });
    if let Err(error) = opened {
        found.push(fail(error.to_string()));
        return None;
    }
    if bytes.len() as u64 > MAX_FILE {
        let limit = MAX_FILE >> 20;
        found.push(fail(format!("it holds more than {limit} MiB")).hint(
            "large data belongs into files of its own, which `csv:`, `json:`, `body_file:` and `seed:` read",
        ));
        return None;
    }
    from_bytes(&bytes, shown, sources, found)
}

/// Takes a file's bytes into the sources; none where they are no text for YAML, which is told then. A byte order
/// mark at the beginning is dropped.
pub fn from_bytes(
    bytes: &[u8],
    shown: &Path,
    sources: &mut Sources,
    found: &mut Diagnostics,
) -> Option<FileId> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let file = sources.add(shown, text);
            let odd = odd_character(file, text);
            let is_fine = odd.is_none();
            if let Some(diagnostic) = odd {
                found.push(diagnostic);
            }
            is_fine.then_some(file)
        }
        Err(error) => {
            let at = error.valid_up_to();
            let file = sources.add(shown, String::from_utf8_lossy(bytes));
            let start = u32::try_from(at).unwrap_or(u32::MAX);
            let place = Span { file, start, end: start.saturating_add(1) };
            let is_wide = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
            let title = if is_wide { "the file is UTF-16, not UTF-8" } else { "the file is not UTF-8" };
            found.push(
                Diagnostic::error(title)
                    .at(place, format!("byte {:#04x} at offset {at}", bytes[at]))
                    .hint("save it as UTF-8"),
            );
            None
        }
    }
}

/// The first character that YAML does not allow anywhere.
fn odd_character(file: FileId, text: &str) -> Option<Diagnostic> {
    let bytes = text.as_bytes();
    let (at, byte) = bytes.iter().enumerate().find(|(at, byte)| match byte {
        b'\t' | b'\n' => false,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        0..=0x1f | 0x7f => true,
        _ => false,
    })?;
    let start = u32::try_from(at).unwrap_or(u32::MAX);
    let place = Span { file, start, end: start.saturating_add(1) };
    let diagnostic = match byte {
        0 => {
            Diagnostic::error("a NUL byte").at(place, format!("at offset {at}")).hint("is this a text file?")
        }
        b'\r' => Diagnostic::error("a carriage return that ends no line")
            .at(place, format!("at offset {at}"))
            .hint("lines end with a line feed, or with both"),
        _ => Diagnostic::error(format!("the control character U+{byte:04X}"))
            .at(place, format!("at offset {at}"))
            .hint(format!("in double quotes it is written \"\\x{byte:02x}\"")),
    };
    Some(diagnostic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_told_where_they_stand() {
        for (bytes, title, offset) in [
            (&b"a: \xff"[..], "the file is not UTF-8", 3),
            (&b"\xff\xfea\0"[..], "the file is UTF-16, not UTF-8", 0),
            (&b"a: b\0"[..], "a NUL byte", 4),
            (&b"a: \x07"[..], "the control character U+0007", 3),
            (&b"a: b\rc: d"[..], "a carriage return that ends no line", 4),
        ] {
            let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
            assert_eq!(from_bytes(bytes, Path::new("a.yaml"), &mut sources, &mut found), None);
            let diagnostic = found.into_iter().next().unwrap();
            assert_eq!(diagnostic.title, title);
            assert_eq!(diagnostic.place.unwrap().0.start, offset);
        }
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
        let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
        let file =
            from_bytes(b"\xEF\xBB\xBFa: b\r\n", Path::new("a.yaml"), &mut sources, &mut found).unwrap();
        assert_eq!(sources.file(file).unwrap().text, "a: b\r\n");
        assert!(found.is_empty());
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused_without_being_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big.yaml");
        // A sparse file: it takes no room and would take long only if it were read.
        std::fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
        let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
        assert_eq!(load(&path, Path::new("big.yaml"), &mut sources, &mut found), None);
        let diagnostic = found.into_iter().next().unwrap();
        assert_eq!(diagnostic.notes, [(String::new(), "it holds more than 16 MiB".to_owned())]);
    }
}
