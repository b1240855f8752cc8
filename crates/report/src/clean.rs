//! Texts from outside made harmless before anybody's terminal sees them.
//!
//! A name, a log line or an answer of the system under test may hold escape sequences that move the cursor, clear
//! the screen or reorder what is read. They are shown, not obeyed.

use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

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

/// How many columns a text takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The text cut to so many columns, with a mark where something is missing.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || columns(text) <= most {
        return Cow::Borrowed(text);
    }
    let (mut end, mut used) = (0, 1);
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > most {
            break;
        }
        end = at + character.len_utf8();
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// The text, followed by blanks up to so many columns.
pub(crate) fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(columns(text))))
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
        for (text, most, expected) in [
            ("äöü", 3, "äöü"),
            ("äöüß", 3, "äö…"),
            ("本屋", 4, "本屋"),
            ("本屋です", 4, "本…"),
            ("本屋です", 5, "本屋…"),
            ("ab", 0, "…"),
        ] {
            assert_eq!(cut(text, most), expected);
        }
        assert_eq!(padded("本", 4), "本  ");
    }
}
