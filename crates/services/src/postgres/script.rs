//! Cuts an SQL file into statements as psql does, so that each can be sent by itself and pointed at.
//!
//! Semicolons count outside of quotes, comments, parentheses and the bodies of SQL-standard functions alone. Data
//! after `COPY … FROM stdin;` is one piece up to the line `\.`.

use std::ops::Range;

/// One piece of a file, with where it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A statement, without its semicolon.
    Statement(Range<usize>),
    /// `COPY … FROM stdin` with the lines that follow it.
    Copy { statement: Range<usize>, data: Range<usize> },
    /// A command of psql itself: `\connect shop`.
    Command(Range<usize>),
}

struct Cutter<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Where the statement began: its first byte that is neither space nor comment.
    start: Option<usize>,
    parentheses: usize,
    /// How deep we are in `BEGIN ATOMIC … END` and `CASE … END`.
    blocks: usize,
    /// The first words of the statement, in lower case.
    words: Vec<String>,
    from_stdin: u8,
    pieces: Vec<Piece>,
}

/// Cuts a file. What has no end (a quote that is never closed) is one statement up to the end of the file, and the
/// server says what is wrong with it.
pub(super) fn cut(text: &str) -> Vec<Piece> {
    let mut cutter = Cutter {
        text,
        bytes: text.as_bytes(),
        at: 0,
        start: None,
        parentheses: 0,
        blocks: 0,
        words: Vec::new(),
        from_stdin: 0,
        pieces: Vec::new(),
    };
    while cutter.at < cutter.bytes.len() {
        cutter.step();
    }
    cutter.end_statement();
    cutter.pieces
}

impl Cutter<'_> {
    fn step(&mut self) {
        let here = self.bytes[self.at];
        let next = self.bytes.get(self.at + 1).copied();
        match here {
            b'-' if next == Some(b'-') => self.at = self.end_of_line(),
            b'/' if next == Some(b'*') => self.skip_comment(),
            _ if here.is_ascii_whitespace() => self.at += 1,
            b'\\' => self.command(),
            b';' if self.parentheses == 0 && self.blocks == 0 => {
                self.end_statement();
                self.at += 1;
            }
            _ => {
                self.start.get_or_insert(self.at);
                self.token(here);
            }
        }
    }

    fn token(&mut self, here: u8) {
        match here {
            b'\'' => self.skip_quoted(b'\'', false),
            b'"' => self.skip_quoted(b'"', false),
            b'$' => self.skip_dollars(),
            b'(' => {
                self.parentheses += 1;
                self.at += 1;
            }
            b')' => {
                self.parentheses = self.parentheses.saturating_sub(1);
                self.at += 1;
            }
            _ if is_word(here) => self.word(),
            _ => self.at += 1,
        }
    }

    fn word(&mut self) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|byte| is_word(*byte) || *byte == b'$') {
            self.at += 1;
        }
        let word = self.text[start..self.at].to_ascii_lowercase();
        if word == "e" && self.bytes.get(self.at) == Some(&b'\'') {
            return self.skip_quoted(b'\'', true);
        }
        self.count_blocks(&word);
        self.from_stdin = match (self.from_stdin, word.as_str()) {
            (2, _) | (1, "stdin") => 2,
            (_, "from") => 1,
            _ => 0,
        };
        if self.words.len() < 4 {
            self.words.push(word);
        }
    }

    /// As psql does: only functions and procedures have bodies with semicolons.
    fn count_blocks(&mut self, word: &str) {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (["create", "or", "replace", kind, ..] | ["create", kind, ..]) = words[..] else { return };
        if !matches!(kind, "function" | "procedure") {
            return;
        }
        match word {
            "begin" => self.blocks += 1,
            "case" if self.blocks > 0 => self.blocks += 1,
            "end" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    fn skip_quoted(&mut self, quote: u8, backslashes: bool) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            if *byte == b'\\' && backslashes {
                self.at += 1;
            } else if *byte == quote {
                // A doubled quote is read as the end of one text and the beginning of the next.
                return;
            }
        }
        self.at = self.bytes.len();
    }

    /// `$tag$ … $tag$`; a `$1` is no quote.
    fn skip_dollars(&mut self) {
        let rest = &self.text[self.at + 1..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if !rest[end..].starts_with('$') || rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.at += 1;
            return;
        }
        let tag = &self.text[self.at..=self.at + 1 + end];
        let body = self.at + tag.len();
        self.at = self.text[body..].find(tag).map_or(self.bytes.len(), |found| body + found + tag.len());
    }

    fn skip_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match &self.bytes[self.at..] {
                [b'/', b'*', ..] => depth += 1,
                [b'*', b'/', ..] => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    fn command(&mut self) {
        let end = self.end_of_line();
        let range = self.at..self.at + self.text[self.at..end].trim_end().len();
        // What stands before it was never ended; psql would keep it, and so would nobody expect.
        self.end_statement();
        self.pieces.push(Piece::Command(range));
        self.at = end;
    }

    fn end_statement(&mut self) {
        let Some(start) = self.start.take() else {
            self.words.clear();
            return;
        };
        let statement = start..start + self.text[start..self.at].trim_end().len();
        let is_copy = self.words.first().is_some_and(|word| word == "copy") && self.from_stdin == 2;
        self.words.clear();
        (self.parentheses, self.blocks, self.from_stdin) = (0, 0, 0);
        if is_copy {
            let data = self.copy_data();
            self.pieces.push(Piece::Copy { statement, data });
        } else {
            self.pieces.push(Piece::Statement(statement));
        }
    }

    /// The lines after the one we are on, up to the line `\.`; leaves us before what follows it.
    fn copy_data(&mut self) -> Range<usize> {
        let start = (self.end_of_line() + 1).min(self.bytes.len());
        let mut line = start;
        while line < self.bytes.len() {
            let end = self.text[line..].find('\n').map_or(self.bytes.len(), |found| line + found);
            if self.text[line..end].trim_end_matches('\r') == "\\." {
                // One byte before the line's end: the caller steps over the semicolon that it was called for.
                self.at = end - 1;
                return start..line;
            }
            line = end + 1;
        }
        self.at = self.bytes.len() - 1;
        start..self.bytes.len()
    }

    fn end_of_line(&self) -> usize {
        self.text[self.at..].find('\n').map_or(self.bytes.len(), |found| self.at + found)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<String> {
        let show = |range: &Range<usize>| text[range.clone()].to_owned();
        cut(text)
            .iter()
            .map(|piece| match piece {
                Piece::Statement(range) => show(range),
                Piece::Copy { statement, data } => format!("{} << {}", show(statement), show(data)),
                Piece::Command(range) => format!("! {}", show(range)),
            })
            .collect()
    }

    #[test]
    fn files_are_cut_as_psql_does() {
        for (text, expected) in [
            ("select 1; select 2", &["select 1", "select 2"][..]),
            (" -- a;\n/* b; /* c; */ ; */ select 1 ;;\n", &["select 1"]),
            ("select ';', \"a;b\", 'it''s;', E'\\';'; x", &["select ';', \"a;b\", 'it''s;', E'\\';'", "x"]),
            ("select $$;$$, $a$ $$; $a$, $1; y", &["select $$;$$, $a$ $$; $a$, $1", "y"]),
            (
                "create rule r as on insert to t do (a; b); z",
                &["create rule r as on insert to t do (a; b)", "z"],
            ),
            (
                "create or replace function f() returns int begin atomic select case when 1=1 then 1 end; end; z",
                &[
                    "create or replace function f() returns int begin atomic select case when 1=1 then 1 end; end",
                    "z",
                ],
            ),
            ("begin; insert into t values (1); end; z", &["begin", "insert into t values (1)", "end", "z"]),
            (
                "COPY t (a) FROM stdin;\n1;\n2\n\\.\nselect 1;",
                &["COPY t (a) FROM stdin << 1;\n2\n", "select 1"],
            ),
            (
                "copy t from stdin with (format csv);\r\n\"a\"\r\n\\.\r\n",
                &["copy t from stdin with (format csv) << \"a\"\r\n"],
            ),
            ("copy t from stdin;\n", &["copy t from stdin << "]),
            ("copy t from stdin;", &["copy t from stdin << "]),
            ("copy t from '/x'; a", &["copy t from '/x'", "a"]),
            (
                "\\restrict abc\nselect 1;\n\\unrestrict abc\n",
                &["! \\restrict abc", "select 1", "! \\unrestrict abc"],
            ),
            ("select 'never closed; select 2;", &["select 'never closed; select 2;"]),
            ("select e'a\\", &["select e'a\\"]),
            ("select 'größe;'; select $ü$;$ü$", &["select 'größe;'", "select $ü$;$ü$"]),
            ("", &[]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }

    #[test]
    fn any_part_of_a_file_can_be_cut() {
        let text = "COPY t FROM stdin;\nä\n\\.\n/* ü */ select $ö$;$ö$, E'\\ß', \"x\"; \\c\n(";
        for (end, _) in text.char_indices() {
            for (start, _) in text[..end].char_indices() {
                cut(&text[start..end]);
            }
        }
    }
}
