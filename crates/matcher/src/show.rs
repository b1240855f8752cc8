//! How values and differences look in one line and in several.

use seam_expr::kind_name;
use seam_value::Value;
use similar::{ChangeTag, TextDiff};

/// How many characters of a value stand beneath a caret.
const SHORT: usize = 72;
/// How many lines are laid side by side at most.
const MAX_ALIGNED_LINES: usize = 2000;
/// How many lines of a difference are shown.
const MAX_LINES: usize = 40;

/// A value in one line, cut where it is long.
pub fn short(value: &Value) -> String {
    shorten(&value.to_string(), SHORT)
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let begin: String = text.chars().take(most).collect();
    format!("{begin} …")
}

/// `actual: 500`, with a word on the kind where that is the difference.
pub(crate) fn actual(actual: &Value, expected: Option<&Value>) -> String {
    let shown = short(actual);
    match expected {
        Some(expected) if std::mem::discriminant(expected) != std::mem::discriminant(actual) => {
            match (kind_name(actual), kind_name(expected)) {
                ("null", _) | (_, "null") => format!("actual: {shown}"),
                (actual, expected) => format!("actual: {shown} ({actual}, not {expected})"),
            }
        }
        _ => format!("actual: {shown}"),
    }
}

/// `actual: "x" (a text)`: for matchers that need another kind of value.
pub(crate) fn unfit(actual: &Value, needed: &str) -> String {
    format!("actual: {} ({}, not {needed})", short(actual), kind_name(actual))
}

/// How a long text ends, of which only the beginning is shown.
pub(crate) fn end_of(text: &str) -> Vec<String> {
    let n = text.chars().count();
    if n <= SHORT {
        return Vec::new();
    }
    let end: String = text.chars().skip(n - SHORT / 2).collect();
    vec![format!("it ends: … {}", end.escape_debug())]
}

/// What is different between two texts: line by line where there are several, else where they part.
pub(crate) fn text_difference(expected: &str, actual: &str) -> Vec<String> {
    if let Some(alike) = alike(expected, actual) {
        return vec![alike.to_owned()];
    }
    if expected.contains('\n') || actual.contains('\n') {
        return line_difference(expected, actual);
    }
    let same = expected.chars().zip(actual.chars()).take_while(|(left, right)| left == right).count();
    let (left, right) = (expected.chars().nth(same), actual.chars().nth(same));
    let looks_odd = |sign: Option<char>| sign.is_some_and(|sign| !sign.is_ascii_graphic() && sign != ' ');
    let code =
        |sign: Option<char>| sign.map_or("the end".to_owned(), |sign| format!("U+{:04X}", u32::from(sign)));
    let mut lines = Vec::new();
    let is_short = expected.chars().count().max(actual.chars().count()) <= SHORT / 2;
    if looks_odd(left) || looks_odd(right) {
        // Signs that look the same are told by their numbers.
        lines.push(format!("they part at character {}: {} and {}", same + 1, code(left), code(right)));
    } else if !is_short {
        lines.push(format!("they part at character {}", same + 1));
    }
    if !is_short {
        lines.push(format!("- {}", window(expected, same)));
        lines.push(format!("+ {}", window(actual, same)));
    }
    lines
}

/// Says it where two texts differ in nothing that one sees at once.
fn alike(expected: &str, actual: &str) -> Option<&'static str> {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if expected.trim() == actual.trim() {
        Some("only the white space around it is different")
    } else if expected.replace("\r\n", "\n") == actual.replace("\r\n", "\n") {
        Some("only the line ends are different: CR LF and LF")
    } else if expected.to_lowercase() == actual.to_lowercase() {
        Some("only letters are different, capital or small")
    } else if spaced(expected) == spaced(actual) {
        Some("only the white space is different")
    } else {
        None
    }
}

/// The part of a text around a character.
fn window(text: &str, around: usize) -> String {
    let from = around.saturating_sub(24);
    let begin = if from > 0 { "… " } else { "" };
    let part: String = text.chars().skip(from).take(SHORT).collect();
    let end = if text.chars().count() > from + SHORT { " …" } else { "" };
    format!("{begin}{}{end}", part.escape_debug())
}

/// Lines that differ, with two around them. Where most of two long texts differs they are not laid side by side: that
/// takes the square of their length.
fn line_difference(expected: &str, actual: &str) -> Vec<String> {
    let (left, right): (Vec<&str>, Vec<&str>) =
        (expected.split_inclusive('\n').collect(), actual.split_inclusive('\n').collect());
    let before = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let room = left.len().min(right.len()) - before;
    let pairs = left.iter().rev().zip(right.iter().rev());
    let after = pairs.take(room).take_while(|(left, right)| left == right).count();
    let (old, new) = (&left[before..left.len() - after], &right[before..right.len() - after]);
    let mut lines = vec!["- expected, + actual".to_owned()];
    if old.len().max(new.len()) > MAX_ALIGNED_LINES {
        lines.push(format!("they part at line {}", before + 1));
        lines.extend(old.iter().take(MAX_LINES / 4).map(|line| format!("- {}", shown_line(line))));
        lines.extend(new.iter().take(MAX_LINES / 4).map(|line| format!("+ {}", shown_line(line))));
        lines.push("… and more".to_owned());
        return lines;
    }
    let (from, to) = (before.saturating_sub(2), (after.saturating_sub(2)));
    let (left, right) = (&left[from..left.len() - to], &right[from..right.len() - to]);
    let diff = TextDiff::from_slices(left, right);
    for group in diff.grouped_ops(2) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            if lines.len() == MAX_LINES {
                lines.push("… and more".to_owned());
                return lines;
            }
            let end = if change.value().ends_with('\n') { "" } else { " (no line end)" };
            lines.push(format!("{sign} {}{end}", shown_line(change.value())));
        }
    }
    lines
}

/// A line without its end; in quotes where it holds what one can't see.
fn shown_line(line: &str) -> String {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let is_odd = line.ends_with([' ', '\t']) || line.chars().any(|sign| sign.is_control() && sign != '\t');
    let line = shorten(line, 160);
    if is_odd { format!("{line:?}") } else { line }
}
