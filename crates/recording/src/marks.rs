//! The marks that the History leaves where a secret stood: `«ann_password»`, `Bearer «bearer 1»`.
//!
//! In a request a mark stands for anything: the secret is not known, and may be another by now. In a stand-in's answer it
//! becomes a plain word, because headers hold no guillemets.

use seam_value::Value;
use std::borrow::Cow;

/// Names are short; guillemets farther apart than this are somebody's quotation.
const LONGEST_NAME: usize = 80;

/// Numbers that all providers take for tests, and that belong to nobody.
const TEST_CARDS: &[&str] = &["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117"];

/// A text in pieces: what stands between marks, and the names of marks.
pub(crate) enum Piece<'t> {
    Plain(&'t str),
    Mark(&'t str),
}

/// The pieces of a text, in order.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(open) = rest[from..].find('«').map(|at| from + at) {
        let inside = open + '«'.len_utf8();
        let name = rest[inside..].find('»').map(|length| &rest[inside..inside + length]);
        match name.filter(|name| is_name(name)) {
            Some(name) => {
                if open > 0 {
                    pieces.push(Piece::Plain(&rest[..open]));
                }
                pieces.push(Piece::Mark(name));
                rest = &rest[inside + name.len() + '»'.len_utf8()..];
                from = 0;
            }
            None => from = inside,
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(['«', '\n', '\r'])
}

/// Does a mark stand in this text?
pub fn has_marks(text: &str) -> bool {
    text.contains('«') && pieces(text).iter().any(|piece| matches!(piece, Piece::Mark(_)))
}

/// The names of the marks in a text, in order.
pub fn names_in(text: &str) -> Vec<String> {
    let name = |piece: &Piece<'_>| match piece {
        Piece::Mark(name) => Some((*name).to_owned()),
        Piece::Plain(_) => None,
    };
    if text.contains('«') { pieces(text).iter().filter_map(name).collect() } else { Vec::new() }
}

/// A text with a plain word in the place of each mark: `Bearer bearer-1`.
pub fn without_marks(text: &str) -> Cow<'_, str> {
    if !has_marks(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(replaced(text, &|_| None))
}

/// A text with other words in the place of marks: those that `known` gives, else plain ones. Where a number stood in JSON,
/// and so no quotes do, a word gets some.
pub(crate) fn replaced(text: &str, known: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut pieces = pieces(text).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let name = match piece {
            Piece::Plain(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Mark(name) => name,
        };
        let word = known(name).unwrap_or_else(|| word(name));
        let is_behind_value = out.trim_end().ends_with([':', '[', ',']);
        let ends_value = match pieces.peek() {
            Some(Piece::Plain(next)) => next.trim_start().starts_with([',', '}', ']']),
            _ => false,
        };
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        if is_behind_value && ends_value && !is_number {
            out.extend(["\"", &word, "\""]);
        } else {
            out.push_str(&word);
        }
    }
    out
}

/// What may stand where a secret stood: a card's number must have the form of one.
fn word(name: &str) -> String {
    match name.strip_prefix("card ").and_then(|number| number.parse::<usize>().ok()) {
        Some(number) => TEST_CARDS[number.saturating_sub(1) % TEST_CARDS.len()].to_owned(),
        None => name.replace(' ', "-"),
    }
}

/// Was it a card's number, for which there is one that all take?
pub(crate) fn is_card(name: &str) -> bool {
    name.strip_prefix("card ").is_some_and(|number| number.parse::<usize>().is_ok())
}

/// A pattern that matches the text with anything in the place of its marks.
pub(crate) fn pattern(text: &str) -> String {
    let anything = if text.contains('\n') { r"[\s\S]*" } else { ".*" };
    let piece = |piece: &Piece<'_>| match piece {
        Piece::Plain(text) => regex::escape(text),
        Piece::Mark(_) => anything.to_owned(),
    };
    pieces(text).iter().map(piece).collect()
}

/// Is the whole text one mark? Then it need not have been a text.
pub(crate) fn is_one_mark(text: &str) -> bool {
    matches!(pieces(text).as_slice(), [Piece::Mark(_)])
}

/// Could this value stand where the recorded text with its marks stood?
pub(crate) fn fits(recorded: &str, now: &Value) -> bool {
    if is_one_mark(recorded) {
        return !matches!(now, Value::Null);
    }
    let Some(now) = now.as_text() else { return false };
    regex::Regex::new(&format!(r"\A{}\z", pattern(recorded))).is_ok_and(|pattern| pattern.is_match(now))
}
