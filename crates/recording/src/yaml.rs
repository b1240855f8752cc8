//! Values as the YAML that people write: blocks, quotes only where they are needed, texts of several lines as such.

use seam_value::{Map, Value};
use std::fmt::Write as _;

/// Lists of short scalars up to this length stand on one line.
const WIDEST_LIST: usize = 80;

/// Writes a map's entries, each line behind so many spaces.
pub(crate) fn entries(map: &Map, indent: usize, out: &mut String) {
    for (name, value) in map {
        entry(name, value, indent, out);
    }
}

/// Writes `name: value`.
pub(crate) fn entry(name: &str, value: &Value, indent: usize, out: &mut String) {
    pad(indent, out);
    scalar_text(name, out);
    out.push(':');
    below(value, indent, out);
}

/// Writes `- value`; a map begins on the same line.
pub(crate) fn element(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            let mut inside = String::new();
            entries(map, indent + 2, &mut inside);
            pad(indent, out);
            out.push_str("- ");
            out.push_str(&inside[indent + 2..]);
        }
        Value::List(list) if !list.is_empty() && on_one_line(list).is_none() => {
            let mut inside = String::new();
            for one in list {
                element(one, indent + 2, &mut inside);
            }
            pad(indent, out);
            out.push_str("- ");
            out.push_str(&inside[indent + 2..]);
        }
        scalar => {
            pad(indent, out);
            out.push('-');
            below(scalar, indent, out);
        }
    }
}

/// What stands behind a colon or a dash, with the line's end.
fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            out.push('\n');
            entries(map, indent + 2, out);
        }
        Value::Map(_) => out.push_str(" {}\n"),
        Value::List(list) => {
            if let Some(line) = on_one_line(list) {
                let _ = writeln!(out, " {line}");
                return;
            }
            out.push('\n');
            for one in list {
                element(one, indent + 2, out);
            }
        }
        Value::Text(text) if is_block(text) => {
            out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                if !line.is_empty() {
                    pad(indent + 2, out);
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        Value::Text(text) => {
            out.push(' ');
            scalar_text(text, out);
            out.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = writeln!(out, " {value}");
        }
    }
}

/// A list of scalars on one line, where it is short.
fn on_one_line(list: &[Value]) -> Option<String> {
    let mut line = String::from("[");
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            line.push_str(", ");
        }
        match value {
            Value::Text(text) => line.push_str(&quoted_in_braces(text)),
            Value::Map(_) | Value::List(_) => return None,
            other => line.push_str(&other.to_string()),
        }
        if line.len() > WIDEST_LIST {
            return None;
        }
    }
    line.push(']');
    Some(line)
}

fn quoted_in_braces(text: &str) -> String {
    let mut out = String::new();
    scalar_text(text, &mut out);
    out
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Can a text stand as a block of lines?
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && body.starts_with(|first: char| first.is_ascii_graphic())
        && body.split('\n').all(|line| !line.ends_with(' ') && (line.is_empty() || !line.trim().is_empty()))
        && body.chars().all(|character| character == '\n' || is_printable(character))
}

fn is_printable(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}')
}

/// A text on one line, in quotes where YAML would take it for something else.
fn scalar_text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character if is_printable(character) => out.push(character),
            character if u32::from(character) <= 0xffff => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            character => {
                let _ = write!(out, "\\U{:08x}", u32::from(character));
            }
        }
    }
    out.push('"');
}

/// Can it stand without quotes, also inside brackets? What looks like anything but a text can't.
fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_inside =
        |character: char| character.is_ascii_alphanumeric() || "_-./@+*?=;() '~«»>:$%…".contains(character);
    // A colon before a space, or at the end, would make a key of what stands before it.
    let has_key = text.ends_with(':') || text.contains(": ");
    is_duration(text)
        || (text
            .starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '_' | '«' | '$'))
            && !text.ends_with(' ')
            && !has_key
            && text.chars().all(is_inside)
            && !WORDS.contains(&text.to_ascii_lowercase().as_str()))
}

/// `12ms`
fn is_duration(text: &str) -> bool {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    matches!(&text[digits.len()..], "ms" | "us" | "s")
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}
