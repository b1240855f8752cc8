//! How values and differences look in one line and in several.

use seam_expr::kind_name;
use seam_value::Value;
use similar::{ChangeTag, TextDiff};

/// How many characters of a value stand beneath a caret.
const SHORT: usize = 72;
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

/// What is different between two texts: line by line where there are several, else where they part.
pub(crate) fn text_difference(expected: &str, actual: &str) -> Vec<String> {
    if expected.contains('\n') || actual.contains('\n') {
        return line_difference(expected, actual);
    }
    if expected.chars().count().max(actual.chars().count()) <= SHORT / 2 {
        return Vec::new();
    }
    let same = expected.chars().zip(actual.chars()).take_while(|(left, right)| left == right).count();
    let from = same.saturating_sub(24);
    let window = |text: &str| {
        let begin = if from > 0 { "… " } else { "" };
        let part: String = text.chars().skip(from).take(SHORT).collect();
        let end = if text.chars().count() > from + SHORT { " …" } else { "" };
        format!("{begin}{part}{end}").escape_debug().to_string()
    };
    vec![
        format!("they part at character {}", same + 1),
        format!("- {}", window(expected)),
        format!("+ {}", window(actual)),
    ]
}

fn line_difference(expected: &str, actual: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(expected, actual);
    let mut lines = vec!["- expected, + actual".to_owned()];
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
            let end = if change.missing_newline() { " (no line end)" } else { "" };
            lines
                .push(format!("{sign} {}{end}", shorten(change.value().trim_end_matches(['\n', '\r']), 160)));
        }
    }
    lines
}
