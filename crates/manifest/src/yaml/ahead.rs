//! What is open at the place of a syntax error: braces and quotes between what was read last and there.
//!
//! The parser looks ahead over a whole `{ … }` before it tells its first name, so that it may stop at a mistake
//! without having told what it stands in.

use std::ops::Range;

/// What is open at the end of the range.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Every `{` and `[`, as offsets of the text.
    pub(super) open: Vec<usize>,
    /// The quote.
    pub(super) quote: Option<usize>,
}

/// Walks over the range as YAML reads it, roughly: quotes and braces count where a value can begin.
pub(super) fn walk(text: &str, range: Range<usize>) -> Ahead {
    let mut ahead = Ahead::default();
    let mut before = ' ';
    let mut characters = text[range.clone()].char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        let at = range.start + index;
        let can_begin = before.is_whitespace() || matches!(before, '{' | '[' | ',' | ':' | '-');
        match (ahead.quote.map(|quote| text.as_bytes()[quote]), character) {
            (Some(b'"'), '\\') => {
                characters.next();
            }
            (Some(b'\''), '\'') if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                characters.next();
            }
            (Some(b'"'), '"') | (Some(b'\''), '\'') => ahead.quote = None,
            (None, '"' | '\'') if can_begin => ahead.quote = Some(at),
            (None, '{' | '[') if can_begin => ahead.open.push(at),
            (None, '}' | ']') => {
                ahead.open.pop();
            }
            (None, '#') if before.is_whitespace() => {
                while characters.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            (Some(_) | None, _) => {}
        }
        before = character;
    }
    ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_found() {
        for (text, open, quote) in [
            ("a: { b: [1, 2], c: ", &[3][..], None),
            ("a: { b: [1, 'x }', c: ", &[3, 8], None),
            ("a: \"x \\\" y", &[], Some(3)),
            ("a: 'it''s", &[], Some(3)),
            ("a: 'it''s' # { \"", &[], None),
            ("a: b{c it's", &[], None),
        ] {
            let expect = Ahead { open: open.to_vec(), quote };
            assert_eq!(walk(text, 0..text.len()), expect, "{text}");
        }
    }
}
