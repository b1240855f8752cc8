//! Statements as text: what is quoted or a comment, and so no code. One place says it, for whoever counts question marks,
//! fills them, or looks for words.
//!
//! ```text
//! '…'  "…"  `…`      a backslash escapes, but not in a name
//! -- …  # …          to the end of the line; of the first only where a blank or nothing stands behind it: 10--3 is 13
//! /* … */            to the first end, they do not nest; /*! … */ and /*+ … */ are code
//! ```

/// What is not code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// A text or a name that ends with this.
    Quoted(char),
    /// A comment that ends with its line.
    Line,
    /// A comment that ends with `*/`.
    Block,
}

/// What begins here that is no code, with how many bytes it opens.
pub fn opens(text: &str) -> Option<(Apart, usize)> {
    match *text.as_bytes() {
        [quote @ (b'\'' | b'"' | b'`'), ..] => Some((Apart::Quoted(char::from(quote)), 1)),
        [b'#', ..] => Some((Apart::Line, 1)),
        [b'-', b'-'] => Some((Apart::Line, 2)),
        [b'-', b'-', next, ..] if next.is_ascii_whitespace() || next.is_ascii_control() => {
            Some((Apart::Line, 2))
        }
        [b'/', b'*', b'!' | b'+', ..] | [b'/', b'*', b'M', b'!', ..] => None,
        [b'/', b'*', ..] => Some((Apart::Block, 2)),
        _ => None,
    }
}

/// How many bytes at the beginning are no code; none where code begins.
pub fn passed(text: &str) -> Option<usize> {
    let (apart, n_opening) = opens(text)?;
    let end = |found: Option<usize>, n_closing: usize| {
        Some(found.map_or(text.len(), |at| at + n_opening + n_closing))
    };
    let rest = &text[n_opening..];
    match apart {
        Apart::Line => end(rest.find('\n'), 1),
        Apart::Block => end(rest.find("*/"), 2),
        Apart::Quoted(quote) => {
            let mut letters = rest.char_indices();
            while let Some((at, letter)) = letters.next() {
                if letter == '\\' && quote != '`' {
                    letters.next();
                } else if letter == quote {
                    return end(Some(at), 1);
                }
            }
            end(None, 0)
        }
    }
}

/// The text in pieces, each with whether it is code. A quote that is doubled ends one piece and begins the next, which comes
/// to the same.
pub fn pieces(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let n_passed = passed(rest);
        let n_bytes = n_passed.unwrap_or_else(|| {
            let is_end = |(at, _): &(usize, char)| passed(&rest[*at..]).is_some();
            rest.char_indices().find(is_end).map_or(rest.len(), |(at, _)| at)
        });
        let (piece, left) = rest.split_at(n_bytes);
        rest = left;
        (!piece.is_empty()).then_some((n_passed.is_none(), piece))
    })
}

/// The first words of all statements in a text, in small letters.
pub fn first_words(text: &str) -> Vec<String> {
    // What is no code parts words, and nothing else.
    let code: String = pieces(text).map(|(is_code, piece)| if is_code { piece } else { " '' " }).collect();
    let first = |statement: &str| {
        let mut words = statement.split(|end: char| !end.is_alphanumeric() && end != '_');
        words.find(|word| !word.is_empty()).map(str::to_ascii_lowercase)
    };
    code.split(';').filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_code_is_passed() {
        for (text, expect) in [
            ("a 'b' c", "a | c"),
            ("select 10--3", "select 10--3"),
            ("1 -- a\n, 2 --\tb\n, 3 --\nx --", "1 |, 2 |, 3 |x "),
            ("1 # a\n, 2", "1 |, 2"),
            ("/* a /* b */ c", " c"),
            ("1 /*! + ? */ /*M!100 ? */ /*+ x */", "1 /*! + ? */ /*M!100 ? */ /*+ x */"),
            (r"'a\'b' + `a\` + 'it''s'", " + | + "),
            ("'é\\", ""),
            ("'a", ""),
        ] {
            let code: Vec<&str> =
                pieces(text).filter(|(is_code, _)| *is_code).map(|(_, piece)| piece).collect();
            assert_eq!(code.join("|"), expect, "{text}");
            assert_eq!(pieces(text).map(|(_, piece)| piece).collect::<String>(), text);
        }
    }

    #[test]
    fn each_statement_has_a_first_word() {
        for (text, expect) in [
            ("select 1", "select"),
            ("/* x */ BEGIN; -- y\n insert into t values ('a; commit'); ", "begin insert"),
            ("(select 1)", "select"),
            ("", ""),
        ] {
            assert_eq!(first_words(text).join(" "), expect, "{text}");
        }
    }
}
