//! JSON as WireMock's reader takes it: with comments, and with texts in single quotes. What is JSON is read as JSON.

use seam_value::{JsonError, Value, parse};

/// What stands behind the end of a document, in the words of the reader.
const TRAILING: &str = "end of file expected";

/// Reads one value; anything but white space after it is an error.
pub(crate) fn read(text: &str) -> Result<Value, JsonError> {
    // What is wrong is told of the text as it was given.
    parse(text).or_else(|wrong| parse(&strict(text)).map_err(|_| wrong))
}

/// Reads the first value of a text, and tells whether anything stands behind it.
pub(crate) fn read_first(text: &str) -> Result<(Value, bool), JsonError> {
    read(text).map(|value| (value, false)).or_else(|wrong| {
        let plain = strict(text);
        match parse(&plain) {
            Err(second) if second.reason == TRAILING => {
                let first = plain.get(..second.offset).unwrap_or_default();
                parse(first).map(|value| (value, true)).map_err(|_| wrong)
            }
            _ => Err(wrong),
        }
    })
}

/// The line and the column of a place in a text, both from one.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    (line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// What is wrong as WireMock's reader says it, where it is one of the usual mistakes.
pub(crate) fn in_jacksons_words(text: &str, wrong: &JsonError) -> String {
    const VALUE: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let rest = text.get(wrong.offset..).unwrap_or_default();
    let (line, mut column) = line_and_column(text, wrong.offset);
    let wants_value = wrong.reason.contains("value");
    let what = match rest.chars().next() {
        None if text.trim().is_empty() => "No content to map due to end-of-input".to_owned(),
        None => {
            let kind = match text.rfind(['{', '[']).map(|at| text.as_bytes()[at]) {
                Some(b'{') => " within/between Object entries".to_owned(),
                Some(_) => " within/between Array entries".to_owned(),
                None => format!(": {}", wrong.reason),
            };
            format!("Unexpected end-of-input{kind}")
        }
        Some(letter) if letter.is_alphabetic() && wants_value => {
            let token: String = rest.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            column += token.chars().count();
            format!("Unrecognized token '{token}': was expecting {VALUE}")
        }
        Some(letter) => {
            let why = match wrong.reason.as_str() {
                _ if wants_value => format!("expected a valid value {VALUE}"),
                reason if reason.contains("colon") || reason.contains("`:`") => {
                    "was expecting a colon to separate field name and value".to_owned()
                }
                reason => reason.to_owned(),
            };
            format!("Unexpected character ('{letter}' (code {})): {why}", u32::from(letter))
        }
    };
    format!("{what}\n at [Source: (String)\"{text}\"; line: {line}, column: {column}]")
}

/// The same in double quotes and without comments.
fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quote) = (text, None);
    while let Some(letter) = rest.chars().next() {
        if quote.is_none() && rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
            continue;
        }
        if quote.is_none() && rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |at| &rest[at + 2..]);
            continue;
        }
        let mut length = letter.len_utf8();
        match (letter, quote) {
            ('\\', Some(_)) => {
                let escaped = rest[1..].chars().next();
                length += escaped.map_or(0, char::len_utf8);
                // JSON proper knows no escaped single quote.
                out.push_str(if escaped == Some('\'') { "'" } else { &rest[..length] });
            }
            ('"', Some('\'')) => out.push_str("\\\""),
            ('"' | '\'', None) => {
                quote = Some(letter);
                out.push('"');
            }
            (_, Some(open)) if letter == open => {
                quote = None;
                out.push('"');
            }
            _ => out.push(letter),
        }
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_comments() {
        for (text, expect) in [
            (r#"{"a": 1}"#, r#"{"a":1}"#),
            (r"{'a': 'b'}", r#"{"a":"b"}"#),
            (
                r#"{'a': "it's", 'b': 'say "hi"', 'c': 'it\'s'}"#,
                r#"{"a":"it's","b":"say \"hi\"","c":"it's"}"#,
            ),
            ("{ // why\n \"a\": \"//\" /* x */ }", r#"{"a":"//"}"#),
            (r"['\\', '\n']", r#"["\\","\n"]"#),
        ] {
            assert_eq!(read(text).unwrap().to_string(), expect, "{text}");
        }
        for text in ["{a: 1}", "{'a': 1,}", "{'a'", "'a' 'b'", "'a\"", "{} {}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_of_a_text() {
        for (text, expect, is_more) in [
            (r#"{"a": 1}"#, r#"{"a":1}"#, false),
            ("{\"a\": 1}\n}\n", r#"{"a":1}"#, true),
            ("{'a': 1} // no more", r#"{"a":1}"#, false),
            ("{'a': 1} more", r#"{"a":1}"#, true),
        ] {
            let (value, more) = read_first(text).unwrap();
            assert_eq!((value.to_string().as_str(), more), (expect, is_more), "{text}");
        }
        assert!(read_first("{\"a\": ").is_err());
        assert!(read_first("").is_err());
    }

    #[test]
    fn where_a_place_is() {
        assert_eq!(line_and_column("ab\ncd", 4), (2, 2));
        assert_eq!(line_and_column("", 0), (1, 1));
    }
}
