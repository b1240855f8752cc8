//! Several statements in one text: where each begins and ends, as the server's own reader sees it.

/// The statement of this number, from 0, without the white space around it; the whole text where there is no
/// such statement, which a text that can't be taken apart is.
pub(super) fn statement_at(text: &str, index: usize) -> &str {
    let mut statements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && statements.len() <= index {
        let (end, says_something) = statement_end(rest);
        let (statement, behind) = rest.split_at(end);
        rest = behind.strip_prefix(';').unwrap_or(behind);
        if says_something {
            statements.push(statement);
        }
    }
    statements.get(index).map_or_else(|| text.trim(), |statement| statement.trim())
}

/// All statements of a text, without the white space around them.
pub(super) fn statements(text: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (end, says_something) = statement_end(rest);
        let (statement, behind) = rest.split_at(end);
        rest = behind.strip_prefix(';').unwrap_or(behind);
        if says_something {
            statements.push(statement.trim());
        }
    }
    statements
}

/// How much of the beginning is white space and comments.
pub(super) fn space_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b'-' if rest.starts_with(b"--") => find(rest, b"\n"),
            b'/' if rest.starts_with(b"/*") => comment(rest),
            byte if byte.is_ascii_whitespace() => 1,
            _ => break,
        };
    }
    at
}

/// Where the first statement ends (at its semicolon or the end of the text), and whether it is more than white
/// space and comments: the server answers only those.
fn statement_end(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut depth = 0usize;
    let mut says_something = false;
    let mut body = Body::default();
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b'-' if rest.starts_with(b"--") => find(rest, b"\n"),
            b'/' if rest.starts_with(b"/*") => comment(rest),
            b';' if depth == 0 && body.depth == 0 => return (at, says_something),
            byte if byte.is_ascii_whitespace() => 1,
            _ => {
                says_something = true;
                match byte {
                    b'(' => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                token(rest, &mut body)
            }
        };
    }
    (bytes.len(), says_something)
}

/// The length of what begins here: a text, a name, a word, or one byte.
fn token(rest: &[u8], body: &mut Body) -> usize {
    match rest {
        [b'\'', ..] => quoted(rest, b'\'', false),
        [b'e' | b'E', b'\'', ..] => 1 + quoted(&rest[1..], b'\'', true),
        [b'"', ..] => quoted(rest, b'"', false),
        [b'$', ..] => dollar_quoted(rest),
        [first, ..] if is_word(*first) => {
            let n_bytes = rest.iter().take_while(|byte| is_word(**byte) || **byte == b'$').count();
            body.word(&rest[..n_bytes]);
            n_bytes
        }
        _ => 1,
    }
}

/// How deep the text is inside the body of a function in SQL: `BEGIN ATOMIC …; END`.
#[derive(Default)]
struct Body {
    depth: usize,
    after_begin: bool,
}

impl Body {
    fn word(&mut self, word: &[u8]) {
        let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
        if (self.after_begin && is(b"atomic")) || (self.depth > 0 && is(b"case")) {
            self.depth += 1;
        } else if is(b"end") {
            self.depth = self.depth.saturating_sub(1);
        }
        self.after_begin = is(b"begin");
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The length up to and with the needle; all, where it is not there.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find(bytes, needle).map_or(bytes.len(), |place| place + needle.len())
}

/// A comment, in which others may stand.
fn comment(bytes: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// What stands in quotes. A doubled quote ends it and begins another, which comes to the same.
fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if escapes => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `$tag$ … $tag$`; a dollar that begins none is one byte.
fn dollar_quoted(bytes: &[u8]) -> usize {
    let n_tag = 1 + bytes[1..].iter().take_while(|byte| is_word(**byte)).count();
    let starts_with_digit = bytes.get(1).is_some_and(u8::is_ascii_digit);
    if bytes.get(n_tag) != Some(&b'$') || starts_with_digit {
        return 1;
    }
    let (tag, rest) = bytes.split_at(n_tag + 1);
    tag.len() + find(rest, tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_by_number() {
        for (text, expect) in [
            ("select 1", &["select 1"][..]),
            ("select 1; select 2 ;", &["select 1", "select 2"]),
            (";; -- nothing; here\n; select 1", &["select 1"]),
            (
                "select ';', \"a;b\" as \"c\"\"d;\"; select 'it''s;'",
                &["select ';', \"a;b\" as \"c\"\"d;\"", "select 'it''s;'"],
            ),
            (r"select E'\';'; select 2", &[r"select E'\';'", "select 2"]),
            ("do $$ a; b $$; select $1; do $x$ $$; $x$", &["do $$ a; b $$", "select $1", "do $x$ $$; $x$"]),
            ("/* a; /* b; */ c; */ select 1; select 2", &["/* a; /* b; */ c; */ select 1", "select 2"]),
            (
                "create rule r as on insert to t do (a; b); select 1",
                &["create rule r as on insert to t do (a; b)", "select 1"],
            ),
            (
                "create function f() returns int begin atomic select case when a then 1 end; select 2; end; select 3",
                &[
                    "create function f() returns int begin atomic select case when a then 1 end; select 2; end",
                    "select 3",
                ],
            ),
            ("begin; select 1; end; select 2", &["begin", "select 1", "end", "select 2"]),
        ] {
            for (index, statement) in expect.iter().enumerate() {
                assert_eq!(statement_at(text, index), *statement, "{text:?}");
            }
            assert_eq!(statement_at(text, expect.len()), text.trim());
        }
        for broken in ["select 'a", "select $$a", "/* a", "select \"", "'\\", "e'\\", "é;ü"] {
            let _ = statement_at(broken, 0);
        }
    }
}
