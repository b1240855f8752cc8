//! The secrets that the user declared, found in any text in one pass, in each form in which they travel.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use seam_value::Value;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// A declared secret: its stable name and its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The name under which it is shown: `ann_password`.
    pub name: String,
    /// What must not be seen.
    pub value: String,
}

/// The value never shows, not even in our own traces.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Secrets shorter than this many characters are masked only where they are a whole value: `42` as a substring
/// would be found in every second number, and a masked history that nobody can read hides nothing worth hiding.
pub(super) const SHORTEST_INSIDE_A_TEXT: usize = 4;

/// A piece of base64 shorter than this is not looked for: it would be found where there is none.
const SHORTEST_BASE64: usize = 5;

/// All declared secrets in all forms.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    whole: HashMap<String, Arc<str>>,
    patterns: Vec<Pattern>,
    automaton: Option<AhoCorasick>,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    name: Arc<str>,
    /// In base64 a character before or after the piece may hold some bits of the secret: it is masked too.
    ragged_start: bool,
    ragged_end: bool,
}

/// A declared secret in a text.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) range: Range<usize>,
    pub(crate) name: Arc<str>,
}

impl Declared {
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let mut declared = Self::default();
        let mut seen = HashSet::new();
        for secret in secrets.iter().filter(|secret| !secret.value.is_empty()) {
            let name: Arc<str> = secret.name.as_str().into();
            declared.whole.entry(secret.value.clone()).or_insert_with(|| name.clone());
            if secret.value.chars().count() >= SHORTEST_INSIDE_A_TEXT {
                declared.patterns.extend(
                    forms(&secret.value, &name).into_iter().filter(|form| seen.insert(form.text.clone())),
                );
            }
        }
        if !declared.patterns.is_empty() {
            let texts = declared.patterns.iter().map(|pattern| &pattern.text);
            let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts);
            declared.automaton = Some(builder.expect("fewer than two thousand million bytes of secrets"));
        }
        declared
    }

    /// Is there none?
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// The name of a secret whose value is exactly this.
    pub(crate) fn whole(&self, text: &str) -> Option<Arc<str>> {
        self.whole.get(text).cloned()
    }

    /// The same of a text or a number.
    pub(crate) fn whole_value(&self, value: &Value) -> Option<Arc<str>> {
        match value {
            _ if self.is_empty() => None,
            Value::Text(text) => self.whole(text),
            other => self.whole(&other.to_plain_text()),
        }
    }

    /// Each place where a secret stands, or what is left of one that was cut. Places may lie within one another.
    pub(crate) fn find(&self, text: &str) -> Vec<Hit> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
        automaton
            .find_iter(text)
            .map(|found| {
                let pattern = &self.patterns[found.pattern().as_usize()];
                let (mut start, mut end) = (found.start(), found.end());
                if pattern.ragged_start && start > 0 && is_base64(&text.as_bytes()[start - 1]) {
                    start -= 1;
                }
                if pattern.ragged_end && text.as_bytes().get(end).is_some_and(is_base64) {
                    end += 1;
                }
                Hit { range: start..end, name: pattern.name.clone() }
            })
            .chain(self.cut(text))
            .collect()
    }

    /// What is left of secrets where a text was cut (`…`): the beginning of one before that, the end of one after it.
    fn cut(&self, text: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (at, mark) in text.match_indices('…') {
            let before = text[..at].trim_end();
            let after = &text[at + mark.len()..];
            let from = text.len() - after.trim_start().len();
            for Pattern { text: form, name, .. } in &self.patterns {
                if let Some(length) = longest(form, |part| before.ends_with(part), |form, at| form.get(..at))
                {
                    hits.push(Hit { range: before.len() - length..before.len(), name: name.clone() });
                }
                if let Some(length) = longest(
                    form,
                    |part| text[from..].starts_with(part),
                    |form, at| form.get(form.len() - at..),
                ) {
                    hits.push(Hit { range: from..from + length, name: name.clone() });
                }
            }
        }
        hits
    }
}

/// The length of the longest part of a secret that stands somewhere, if one does that is long enough to tell anything.
fn longest(
    form: &str,
    stands: impl Fn(&str) -> bool,
    part: impl for<'f> Fn(&'f str, usize) -> Option<&'f str>,
) -> Option<usize> {
    (SHORTEST_INSIDE_A_TEXT..form.len()).rev().find(|length| part(form, *length).is_some_and(&stands))
}

/// The value in each form in which it travels.
fn forms(value: &str, name: &Arc<str>) -> Vec<Pattern> {
    let plain = |text: String| Pattern { text, name: name.clone(), ragged_start: false, ragged_end: false };
    let json = json_forms(value);
    let twice = json.iter().flat_map(|form| json_forms(form)).collect::<Vec<_>>();
    let mut forms = vec![plain(value.to_owned())];
    forms.extend(json.into_iter().chain(twice).chain(url_forms(value)).chain([xml_form(value)]).map(plain));
    forms.extend(base64_forms(value, name));
    forms
}

/// Inside a JSON text: as we write it, with `\/`, with everything but ASCII escaped, and with `<>&` escaped.
fn json_forms(value: &str) -> Vec<String> {
    let quoted = Value::text(value).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let escape = |is_escaped: fn(char) -> bool, upper: bool| {
        plain.chars().fold(String::new(), |mut out, character| {
            if !is_escaped(character) {
                out.push(character);
                return out;
            }
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
            }
            out
        })
    };
    vec![
        plain.replace('/', "\\/"),
        escape(|character| !character.is_ascii(), false),
        escape(|character| !character.is_ascii(), true),
        escape(|character| matches!(character, '<' | '>' | '&'), false),
        plain,
    ]
}

/// Inside an address or a form: encoders differ in what they leave as it is.
fn url_forms(value: &str) -> Vec<String> {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    const COMPONENT: &AsciiSet =
        &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
    const SEGMENT: &AsciiSet =
        &COMPONENT.remove(b'$').remove(b'&').remove(b'+').remove(b',').remove(b';').remove(b'=');
    const PATH: &AsciiSet = &SEGMENT.remove(b':').remove(b'@');
    const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');
    let mut forms: Vec<String> = [UNRESERVED, COMPONENT, SEGMENT, PATH, FORM]
        .map(|set| utf8_percent_encode(value, set).to_string())
        .into_iter()
        .collect();
    forms.push(utf8_percent_encode(value, FORM).to_string().replace("%20", "+"));
    let lower: Vec<String> = forms.iter().map(|form| lower_hex(form)).collect();
    forms.extend(lower);
    forms
}

/// `%2F` as `%2f`.
fn lower_hex(text: &str) -> String {
    let mut after_percent = 0;
    text.chars()
        .map(|character| {
            after_percent = if character == '%' { 2 } else { i32::max(after_percent - 1, -1) };
            if after_percent >= 0 { character.to_ascii_lowercase() } else { character }
        })
        .collect()
}

/// Inside an XML or HTML text.
fn xml_form(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The characters of a base64 text that the value fills alone, for each of the three ways it may be aligned.
fn base64_forms(value: &str, name: &Arc<str>) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for offset in 0..3 {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(value.as_bytes());
        let from = (offset * 8).div_ceil(6);
        let to = bytes.len() * 8 / 6;
        if to < from + SHORTEST_BASE64 {
            continue;
        }
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes)[from..to].to_owned();
            let (ragged_start, ragged_end) = (offset > 0, !bytes.len().is_multiple_of(3));
            patterns.push(Pattern { text, name: name.clone(), ragged_start, ragged_end });
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    fn masked(value: &str, text: &str) -> String {
        let declared = Declared::new(&[Secret { name: "it".into(), value: value.into() }]);
        let mut out = text.to_owned();
        for hit in declared.find(text).into_iter().rev() {
            out.replace_range(hit.range, "«it»");
        }
        out
    }

    #[test]
    fn each_form_is_found() {
        for (value, text, expected) in [
            ("s3cret", "a s3cret word", "a «it» word"),
            ("a b/c", "x=a+b%2Fc&y=a%20b%2fc", "x=«it»&y=«it»"),
            ("p\"q\\r", r#"{"x":"p\"q\\r"}"#, r#"{"x":"«it»"}"#),
            ("p\"qr", r#"{"json":"{\"x\":\"p\\\"qr\"}"}"#, r#"{"json":"{\"x\":\"«it»\"}"}"#),
            ("käse", r#"{"x":"k\u00e4se"}"#, r#"{"x":"«it»"}"#),
            ("käse", "x=k%C3%A4se", "x=«it»"),
            ("a<b&c", "<p>a&lt;b&amp;c</p>", "<p>«it»</p>"),
            ("a/b/c", r#""a\/b\/c""#, r#""«it»""#),
            ("none", "non e", "non e"),
            ("abc", "abcabc", "abcabc"),
        ] {
            assert_eq!(masked(value, text), expected, "{value} in {text}");
        }
    }

    #[test]
    fn what_is_left_of_one_that_was_cut_is_found() {
        let declared = Declared::new(&[Secret { name: "it".into(), value: "dot-s3cretvalue".into() }]);
        let found = |text: &str| -> Vec<String> {
            declared.find(text).into_iter().map(|hit| text[hit.range].to_owned()).collect()
        };
        assert_eq!(found("… it is dot-s3c …"), ["dot-s3c"]);
        assert_eq!(found("it is dot-s3cr…"), ["dot-s3cr"]);
        assert_eq!(found("…value and more"), ["value"]);
        assert!(found("a dot… and a lue").is_empty());
    }

    #[test]
    fn base64_is_found_at_every_alignment() {
        let value = "s3cret-value?>";
        for before in ["", "a", "ab", "abc", "ann:"] {
            for after in ["", "x", "xy", "xyz"] {
                for encoded in [
                    STANDARD.encode(format!("{before}{value}{after}")),
                    URL_SAFE.encode(format!("{before}{value}{after}")),
                ] {
                    let text = masked(value, &encoded);
                    assert!(text.contains("«it»"), "{before} {after}: {encoded} -> {text}");
                    let rest: String = text.replace("«it»", "");
                    let left = before.len().div_ceil(3) * 4 + after.len().div_ceil(3) * 4 + 4;
                    assert!(rest.len() <= left, "{encoded} -> {text}");
                }
            }
        }
    }

    #[test]
    fn a_short_one_is_a_whole_value_only() {
        let declared = Declared::new(&[Secret { name: "pin".into(), value: "42".into() }]);
        assert!(declared.find("42").is_empty());
        assert_eq!(declared.whole("42").as_deref(), Some("pin"));
    }
}
