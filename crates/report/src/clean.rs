//! Texts from outside made harmless before anybody's terminal sees them.
//!
//! A name, a log line or an answer of the system under test may hold escape sequences that move the cursor, clear
//! the screen or reorder what is read. They are shown, not obeyed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text on one line: control characters, line ends and marks that reorder text are shown as escapes.
pub fn line(text: &str) -> Cow<'_, str> {
    clean(text, |_| false)
}

/// A text on several lines: line ends and tabs stay, and `\r\n` becomes a line end.
pub fn block(text: &str) -> Cow<'_, str> {
    match clean(text, |character| matches!(character, '\n' | '\t')) {
        Cow::Owned(text) => Cow::Owned(text.replace("\\r\n", "\n")),
        borrowed @ Cow::Borrowed(_) => borrowed,
    }
}

fn clean(text: &str, stays: fn(char) -> bool) -> Cow<'_, str> {
    let is_odd = |character: char| !stays(character) && (character.is_control() || reorders(character));
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            _ if !is_odd(character) => out.push(character),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("  "),
            odd => {
                let _ = if (odd as u32) < 0x100 {
                    write!(out, "\\x{:02x}", odd as u32)
                } else {
                    write!(out, "\\u{{{:x}}}", odd as u32)
                };
            }
        }
    }
    Cow::Owned(out)
}

/// Marks that change the direction of the text after them, or that nobody can see.
fn reorders(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// The text cut after so many characters, with a mark where something is missing.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_odd_reaches_a_terminal() {
        for (text, one, several) in [
            ("plain ä 🦀", "plain ä 🦀", "plain ä 🦀"),
            ("a\u{1b}[2Jb", "a\\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\nb\tc\r\nd", "a\\nb  c\\r\\nd", "a\nb\tc\nd"),
            ("\u{9b}31m\u{7f}", "\\x9b31m\\x7f", "\\x9b31m\\x7f"),
            ("a\u{202e}b", "a\\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(line(text), one);
            assert_eq!(block(text), several);
        }
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
