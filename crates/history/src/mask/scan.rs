//! Finds credentials in plain text by what stands around them: `"password": "…"`, `token=…`, `Bearer …`,
//! `://user:…@`, `Authorization: …`, `<secret>…</secret>`, private keys.
//!
//! Bodies are also kept as the text they came as, log lines quote requests, error messages quote addresses: the
//! lists must hold there too, whether or not the text is whole enough to be decoded.

use super::lists::{self, HeaderRule};
use aho_corasick::AhoCorasick;
use std::ops::Range;
use std::sync::LazyLock;

/// A credential in a text, and the kind of name that it is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) range: Range<usize>,
    pub(crate) kind: &'static str,
}

/// What makes it worth a closer look. Fields' names by the piece of them that none of the lists' spellings change.
const TRIGGERS: &[(&str, Trigger)] = &[
    ("://", Trigger::Address),
    ("bearer ", Trigger::Scheme("bearer")),
    ("basic ", Trigger::Scheme("basic")),
    ("-----begin ", Trigger::Pem),
    ("pass", Trigger::Key),
    ("pwd", Trigger::Key),
    ("token", Trigger::Key),
    ("jwt", Trigger::Key),
    ("session", Trigger::Key),
    ("secret", Trigger::Key),
    ("key", Trigger::Key),
    ("authorization", Trigger::Key),
    ("cookie", Trigger::Key),
    ("cvc", Trigger::Key),
    ("cvv", Trigger::Key),
    ("csc", Trigger::Key),
    ("code", Trigger::Key),
    ("card", Trigger::Key),
    ("ccnumber", Trigger::Key),
    ("pan", Trigger::Key),
];

#[derive(Clone, Copy, Debug)]
enum Trigger {
    Address,
    Scheme(&'static str),
    Pem,
    Key,
}

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(TRIGGERS.iter().map(|(text, _)| text))
        .expect("a handful of short words")
});

/// The shortest text with a credential in it: `pan=1`.
const SHORTEST: usize = 5;

/// All credentials in a text, in no particular order; they may overlap.
pub(crate) fn credentials(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    if text.len() < SHORTEST {
        return spans;
    }
    let mut key_done = 0;
    for found in AUTOMATON.find_iter(text) {
        match TRIGGERS[found.pattern().as_usize()].1 {
            Trigger::Address => spans.extend(address(text, found.end())),
            Trigger::Scheme(kind) => spans.extend(scheme(text, found.end(), kind)),
            Trigger::Pem => spans.extend(pem(text, found.start())),
            Trigger::Key if found.start() >= key_done => {
                let key = key_around(text, found.start());
                key_done = key.end;
                keyed(text, key, &mut spans);
            }
            Trigger::Key => {}
        }
    }
    spans
}

/// The credentials in a header's value by its rule, with the header's own parts left to be read.
pub(crate) fn header(rule: HeaderRule, value: &str) -> Vec<Span> {
    match rule {
        HeaderRule::Whole(kind) => span(0..value.len(), kind).into_iter().collect(),
        HeaderRule::Credentials => {
            let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
            let kind = match scheme.to_ascii_lowercase().as_str() {
                "bearer" => "bearer",
                "basic" => "basic",
                "digest" => "digest",
                _ => "credentials",
            };
            let from = value.len() - rest.trim_start().len();
            span(from..value.trim_end().len().max(from), kind).into_iter().collect()
        }
        HeaderRule::Cookies => pieces(value).filter_map(|piece| cookie(value, piece)).collect(),
        HeaderRule::SetCookie => pieces(value).take(1).filter_map(|piece| cookie(value, piece)).collect(),
    }
}

fn span(range: Range<usize>, kind: &'static str) -> Option<Span> {
    (!range.is_empty()).then_some(Span { range, kind })
}

/// What stands between semicolons.
fn pieces(value: &str) -> impl Iterator<Item = Range<usize>> {
    value.split(';').scan(0, |from, piece| {
        let range = *from..*from + piece.len();
        *from = range.end + 1;
        Some(range)
    })
}

fn cookie(value: &str, piece: Range<usize>) -> Option<Span> {
    let equals = value[piece.clone()].find('=')?;
    let raw = &value[piece.start + equals + 1..piece.end];
    let start = piece.end - raw.trim_start().len();
    span(start..start + raw.trim().len(), "cookie")
}

/// The password of an address, from behind its `://`.
fn address(text: &str, start: usize) -> Option<Span> {
    let rest = &text[start..];
    let authority = &rest[..rest.find(['/', '?', '#', '"', '\'', '<', '>']).unwrap_or(rest.len())];
    let authority = &authority[..authority.find(char::is_whitespace).unwrap_or(authority.len())];
    let at = authority.rfind('@')?;
    let colon = authority[..at].find(':')?;
    span(start + colon + 1..start + at, "password")
}

/// What follows `Bearer ` or `Basic `, where it looks like credentials and not like prose.
fn scheme(text: &str, start: usize, kind: &'static str) -> Option<Span> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let length = text.as_bytes()[start..].iter().take_while(|byte| is_token(byte)).count();
    let token = &text[start..start + length];
    let is_mixed = token.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    (length >= 8 && (is_mixed || length >= 24)).then_some(Span { range: start..start + length, kind })
}

/// What stands between the lines that begin and end a private key.
fn pem(text: &str, start: usize) -> Option<Span> {
    let head_end = start + 5 + text[start + 5..].find("-----")? + 5;
    if !text[start..head_end].contains("PRIVATE KEY") {
        return None;
    }
    let end = text[head_end..].find("-----END").map_or(text.len(), |end| head_end + end);
    span(head_end..end, "private key")
}

/// The whole key that a trigger stands in.
fn key_around(text: &str, position: usize) -> Range<usize> {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let bytes = text.as_bytes();
    let start = position - bytes[..position].iter().rev().take_while(|byte| is_key(byte)).count();
    let end = position + bytes[position..].iter().take_while(|byte| is_key(byte)).count();
    start..end
}

/// What stands right of a key, if the key is in the lists.
fn keyed(text: &str, key: Range<usize>, spans: &mut Vec<Span>) {
    let name = &text[key.clone()];
    if let Some(rule) = lists::header(name)
        && let Some(colon) = text[key.end..].strip_prefix(':')
    {
        let from = text.len() - colon.trim_start_matches(' ').len();
        let value = &text[from..][..text[from..].find(['\r', '\n', '"']).unwrap_or(text.len() - from)];
        let moved =
            |found: Span| Span { range: found.range.start + from..found.range.end + from, kind: found.kind };
        spans.extend(header(rule, value).into_iter().map(moved));
        return;
    }
    let normal = lists::normal(name);
    let is_card = lists::CARD_FIELDS.contains(&normal.as_str());
    let Some(kind) = lists::field(&normal).or_else(|| is_card.then_some("card")) else { return };
    let Some(range) = value_after(text, key.end) else { return };
    let value = &text[range.clone()];
    let is_nothing =
        matches!(value, "" | "null" | "true" | "false" | "None" | "nil") || value.starts_with('«');
    if !is_nothing && (!is_card || lists::is_card_number(value)) {
        spans.push(Span { range, kind });
    }
}

/// The value right of a key that ends at `end`: behind `":`, `=`, `>` or a part's empty line.
fn value_after(text: &str, end: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (after_quote, is_quoted) = match quote_at(text, end) {
        Some((quote_end, _)) => (quote_end, true),
        None => (end, false),
    };
    if is_quoted && text[after_quote..].starts_with("\r\n\r\n") {
        let from = after_quote + 4;
        return Some(from..from + text[from..].find("\r\n").unwrap_or(text.len() - from));
    }
    if !is_quoted && bytes.get(end) == Some(&b'>') {
        let length = text[end + 1..].find('<')?;
        return Some(end + 1..end + 1 + length);
    }
    let separator = skip_spaces(bytes, after_quote);
    let is_colon = match bytes.get(separator)? {
        b':' => true,
        b'=' => false,
        _ => return None,
    };
    let arrow = usize::from(!is_colon && bytes.get(separator + 1) == Some(&b'>'));
    let from = skip_spaces(bytes, separator + 1 + arrow);
    if let Some((inner, level)) = quote_at(text, from) {
        return Some(inner..closing_quote(text, inner, bytes[inner - 1], level));
    }
    let is_tight = !is_colon && separator == end && from == separator + 1;
    let range = bare(text, from);
    let value = &text[range.clone()];
    let looks_secret = value.len() >= 8
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    (is_tight || is_quoted || looks_secret).then_some(range)
}

fn skip_spaces(bytes: &[u8], from: usize) -> usize {
    from + bytes[from.min(bytes.len())..].iter().take_while(|byte| **byte == b' ').count()
}

/// A quote at a place, with the backslashes before it: where what it quotes begins, and how many there are.
fn quote_at(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let level = bytes[from.min(bytes.len())..].iter().take_while(|byte| **byte == b'\\').count();
    matches!(bytes.get(from + level)?, b'"' | b'\'').then_some((from + level + 1, level))
}

/// Where what is quoted ends: before the next such quote that is escaped as often as the first, and no more.
fn closing_quote(text: &str, inner: usize, quote: u8, level: usize) -> usize {
    let bytes = text.as_bytes();
    let mut backslashes = 0;
    for (index, byte) in bytes.iter().enumerate().skip(inner) {
        if *byte == b'\\' {
            backslashes += 1;
        } else if *byte == quote && (backslashes == level || (level == 0 && backslashes % 2 == 0)) {
            return index - backslashes.min(level);
        } else {
            backslashes = 0;
        }
    }
    bytes.len()
}

/// A value without quotes; none where it is a variable, a placeholder or the beginning of a structure.
fn bare(text: &str, from: usize) -> Range<usize> {
    let rest = &text[from.min(text.len())..];
    if rest.starts_with(['{', '[', '(', '$', '?', '*', '<', '«']) {
        return from..from;
    }
    let is_end = |character: char| character.is_whitespace() || "&;,\"'<>)}]|\\".contains(character);
    from..from + rest.find(is_end).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut spans = credentials(text);
        spans.sort_by_key(|span| std::cmp::Reverse(span.range.start));
        let mut out = text.to_owned();
        for span in spans {
            out.replace_range(span.range, &format!("«{}»", span.kind));
        }
        out
    }

    #[test]
    fn credentials_are_found_by_what_stands_around_them() {
        for (text, expected) in [
            (r#"{"email":"a@b","password":"hunter2"}"#, r#"{"email":"a@b","password":"«password»"}"#),
            (r#"{"password" : "a\"b", "x": 1}"#, r#"{"password" : "«password»", "x": 1}"#),
            (r#"{"cvc":123,"n":1}"#, r#"{"cvc":«cvc»,"n":1}"#),
            (r#"{"access_token":null}"#, r#"{"access_token":null}"#),
            (r#"{\"accessToken\":\"abc\\\"d\",\"x\":1}"#, r#"{\"accessToken\":\"«token»\",\"x\":1}"#),
            ("GET /reset?token=abc&x=1", "GET /reset?token=«token»&x=1"),
            ("email=a%40b&password=hunter2", "email=a%40b&password=«password»"),
            ("postgres://u:pw@localhost/db", "postgres://u:«password»@localhost/db"),
            ("see http://localhost:80/a:b@c", "see http://localhost:80/a:b@c"),
            ("Authorization: Bearer abc", "Authorization: Bearer «bearer»"),
            ("sent Bearer abcdefgh1 to x", "sent Bearer «bearer» to x"),
            ("a bearer certificate", "a bearer certificate"),
            ("x-api-key: 123\r\nhost: a", "x-api-key: «api key»\r\nhost: a"),
            ("Set-Cookie: sid=1; Path=/", "Set-Cookie: sid=«cookie»; Path=/"),
            ("Cookie: a=1; b=2", "Cookie: a=«cookie»; b=«cookie»"),
            ("password: must be longer", "password: must be longer"),
            ("token: abcdef123456", "token: «token»"),
            ("Login { password: \"x\" }", "Login { password: \"«password»\" }"),
            (
                "update users set password = 'x' where id = 1",
                "update users set password = '«password»' where id = 1",
            ),
            ("update users set password = $1", "update users set password = $1"),
            ("<password>x</password>", "<password>«password»</password>"),
            ("name=\"password\"\r\n\r\nhunter2\r\n--b", "name=\"password\"\r\n\r\n«password»\r\n--b"),
            (r#"{"card_number":"4111111111111111"}"#, r#"{"card_number":"«card»"}"#),
            (r#"{"card_number":"card-7"}"#, r#"{"card_number":"card-7"}"#),
            ("tokens=5 passengers=3", "tokens=5 passengers=3"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----«private key»-----END RSA PRIVATE KEY-----",
            ),
            ("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMII"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_makes_it_panic() {
        for text in [
            "password",
            "password=",
            "password\\",
            "password\"",
            "password\":\"",
            "://",
            "://:@",
            "ä://ö:ü@",
            "cookie: ä=ö;=;",
        ] {
            let _ = masked(text);
        }
    }
}
