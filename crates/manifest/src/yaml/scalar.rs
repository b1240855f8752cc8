//! What an unquoted scalar is: `true`, `12`, nothing, or a text.
//!
//! YAML 1.2's core schema decides, with two things said aloud. What YAML 1.1 took for a boolean or an octal
//! number (`no`, `0123`) is a text here and is warned about. What the core schema takes for a number although
//! JSON could not write it (`+1`, `.5`, `0x1F`, `.inf`) is an error: no reader agrees with the next on it, and
//! the digits could not be kept.

use seam_value::Number;

/// What an unquoted scalar means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// `null`, `~`
    Null,
    /// `true`, `False`
    Bool(bool),
    /// `1`, `-2.50`, `1e3`
    Number(Number),
    /// Anything else.
    Text,
    /// A text that looks like something else; what to tell.
    Doubtful(Doubt),
    /// A number that only YAML writes so; what to write for the number.
    OddNumber(Option<String>),
}

/// Why a text looks like something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// `yes`, `off`: the boolean it once was.
    Boolean(bool),
    /// `0123`, `1_000`: the number that may be meant.
    Number(String),
}

/// Reads an unquoted scalar.
pub(super) fn meaning(text: &str) -> Meaning {
    match text {
        "null" | "Null" | "NULL" | "~" | "" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Meaning::Doubtful(Doubt::Boolean(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Meaning::Doubtful(Doubt::Boolean(false)),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Meaning::Text;
    }
    if let Some(number) = Number::parse(text) {
        return Meaning::Number(number);
    }
    odd_number(text)
}

/// Tells numbers that JSON could not write from texts.
fn odd_number(text: &str) -> Meaning {
    let (sign, rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (if text.starts_with('-') { "-" } else { "" }, rest),
        None => ("", text),
    };
    if matches!(rest, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Meaning::OddNumber(None);
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_digit(radix))
        {
            return Meaning::OddNumber(u64::from_str_radix(digits, radix).ok().map(|n| n.to_string()));
        }
    }
    if !rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Meaning::Text;
    }
    let plain = rest.replace('_', "");
    let Some(written) = as_json(sign, &plain) else { return Meaning::Text };
    let leading_zero = plain.len() > 1 && plain.starts_with('0') && plain.as_bytes()[1].is_ascii_digit();
    if leading_zero || plain.len() != rest.len() {
        return Meaning::Doubtful(Doubt::Number(written));
    }
    Meaning::OddNumber(Some(written))
}

/// A core schema float or integer as JSON would write it; none if it is no number at all.
fn as_json(sign: &str, text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let written = format!("{sign}{whole}{point}{fraction}{exponent}");
    Number::parse(&written).map(|_| written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_decides() {
        let number = |text: &str| Meaning::Number(Number::parse(text).unwrap());
        let looks_like = |text: &str| Meaning::Doubtful(Doubt::Number(text.to_owned()));
        let odd = |text: &str| Meaning::OddNumber(Some(text.to_owned()));
        for (text, expect) in [
            ("~", Meaning::Null),
            ("NULL", Meaning::Null),
            ("nULL", Meaning::Text),
            ("True", Meaning::Bool(true)),
            ("tRue", Meaning::Text),
            ("0", number("0")),
            ("-0", number("-0")),
            ("39.90", number("39.90")),
            ("1e3", number("1e3")),
            ("12345678901234567890123", number("12345678901234567890123")),
            ("yes", Meaning::Doubtful(Doubt::Boolean(true))),
            ("OFF", Meaning::Doubtful(Doubt::Boolean(false))),
            ("y", Meaning::Text),
            ("0123", looks_like("123")),
            ("-007", looks_like("-7")),
            ("1_000", looks_like("1000")),
            ("00.50", looks_like("0.50")),
            ("+1", odd("1")),
            ("+49301234567", odd("49301234567")),
            (".5", odd("0.5")),
            ("-.5", odd("-0.5")),
            ("1.", odd("1")),
            ("0x1F", odd("31")),
            ("0o17", odd("15")),
            (".inf", Meaning::OddNumber(None)),
            ("-.INF", Meaning::OddNumber(None)),
            (".nan", Meaning::OddNumber(None)),
            ("-", Meaning::Text),
            (".", Meaning::Text),
            ("..", Meaning::Text),
            (".sku", Meaning::Text),
            ("1.2.3", Meaning::Text),
            ("10s", Meaning::Text),
            ("10:30", Meaning::Text),
            ("2026-01-01", Meaning::Text),
            ("0x", Meaning::Text),
            ("0xZZ", Meaning::Text),
            ("1e", Meaning::Text),
            ("978-0", Meaning::Text),
            ("+", Meaning::Text),
            ("-x", Meaning::Text),
            ("./run", Meaning::Text),
        ] {
            assert_eq!(meaning(text), expect, "{text:?}");
        }
    }
}
