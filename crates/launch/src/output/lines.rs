//! Cuts a stream of bytes into lines, whatever is in it.

use std::fmt::Write;

/// A line is kept up to this length; what comes after is counted.
pub(crate) const KEPT: usize = 1 << 20;

/// How much of a line is shown to people.
pub(crate) const SHOWN: usize = 8 * 1024;

/// The part of a stream that is no whole line yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    open: Vec<u8>,
    /// Bytes of the open line that were not kept.
    n_dropped: u64,
}

/// One whole line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawLine<'a> {
    pub(crate) bytes: &'a [u8],
    /// How much longer it was.
    pub(crate) n_dropped: u64,
}

impl Lines {
    /// Takes a piece of the stream and gives each line that it ends.
    pub(crate) fn push(&mut self, mut piece: &[u8], mut each: impl FnMut(RawLine<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, rest) = (&piece[..end], &piece[end + 1..]);
            if self.open.is_empty() && self.n_dropped == 0 && line.len() <= KEPT {
                each(RawLine { bytes: without_return(line), n_dropped: 0 });
            } else {
                self.keep(line);
                self.end(&mut each);
            }
            piece = rest;
        }
        self.keep(piece);
    }

    /// The stream has ended: gives what is left, if anything is.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(RawLine<'_>)) {
        if !self.open.is_empty() || self.n_dropped > 0 {
            self.end(&mut each);
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = KEPT - self.open.len().min(KEPT);
        let kept = piece.len().min(room);
        self.open.extend_from_slice(&piece[..kept]);
        self.n_dropped += (piece.len() - kept) as u64;
    }

    fn end(&mut self, each: &mut impl FnMut(RawLine<'_>)) {
        each(RawLine { bytes: without_return(&self.open), n_dropped: self.n_dropped });
        self.open.clear();
        self.open.shrink_to(SHOWN);
        self.n_dropped = 0;
    }
}

impl RawLine<'_> {
    /// As people read it: at most [`SHOWN`] bytes of it, bytes that are no UTF-8 as `\xff`, and how much is missing.
    pub(crate) fn text(&self) -> String {
        let shown = &self.bytes[..self.bytes.len().min(SHOWN)];
        let n_missing = self.n_dropped + (self.bytes.len() - shown.len()) as u64;
        let mut text = String::with_capacity(shown.len());
        let mut chunks = shown.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            // A character that our own cut went through is no mistake of the component.
            if chunks.peek().is_some() || n_missing == 0 {
                for byte in chunk.invalid() {
                    write!(text, "\\x{byte:02x}").expect("a String takes everything");
                }
            }
        }
        if n_missing > 0 {
            write!(text, " … ({n_missing} more bytes)").expect("a String takes everything");
        }
        text
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<(String, u64)> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut each = |line: RawLine<'_>| found.push((line.text(), line.n_dropped));
        for piece in pieces {
            lines.push(piece, &mut each);
        }
        lines.finish(&mut each);
        found
    }

    #[test]
    fn lines_end_where_they_end_however_the_pieces_fall() {
        let whole: &[u8] = b"one\r\n\ntwo \xc3\xa4\nthree";
        let expected = ["one", "", "two ä", "three"];
        for at in 0..whole.len() {
            let found: Vec<String> =
                cut(&[&whole[..at], &whole[at..]]).into_iter().map(|line| line.0).collect();
            assert_eq!(found, expected, "cut at {at}");
        }
        assert!(cut(&[b""]).is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_made_visible() {
        assert_eq!(cut(&[b"a\xff\xfeb\xc3\n"]), [("a\\xff\\xfeb\\xc3".to_owned(), 0)]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let long = "ä".repeat(SHOWN);
        let (text, n_dropped) = cut(&[long.as_bytes(), b"\n"]).remove(0);
        assert_eq!(n_dropped, 0);
        assert!(
            text.starts_with("ää") && text.ends_with(" … (8192 more bytes)"),
            "{}",
            &text[text.len() - 40..]
        );
        let odd = format!("x{long}");
        let (text, _) = cut(&[odd.as_bytes()]).remove(0);
        assert!(!text.contains("\\x"), "our own cut is not shown as a mistake");

        let endless = vec![b'y'; KEPT + 5];
        let (text, n_dropped) = cut(&[&endless, b"y\nnext\n"]).remove(0);
        assert_eq!(n_dropped, 6);
        assert!(text.ends_with(&format!("({} more bytes)", KEPT - SHOWN + 6)));
    }
}
