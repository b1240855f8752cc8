//! Masks secrets in everything that is kept: declared ones wherever they stand, and what the published lists name.
//!
//! The value is replaced by its stable name between guillemets: `Bearer «bearer 1»`, `«ann_password»`. So two
//! steps that used the same token can still be told to have used the same token.

mod declared;
pub(crate) mod lists;
mod names;
mod scan;
mod walk;

pub use declared::Secret;

use declared::Declared;
use names::Names;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Masks texts and events; its clones share the names that they give.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    declared: Arc<Declared>,
    names: Arc<Mutex<Names>>,
}

/// A secret that was masked, and where it stood: `orders -> paygate request.headers.authorization`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sighting {
    pub(crate) name: Arc<str>,
    pub(crate) place: String,
}

/// One pass over one event or text: the names are locked once.
struct Pass<'a> {
    declared: &'a Declared,
    names: MutexGuard<'a, Names>,
    sightings: Vec<Sighting>,
    /// Secrets that stood in fields of this event, as they were: the same event may quote them as text.
    local: Vec<(String, Arc<str>)>,
}

impl Masker {
    /// Masks the declared secrets and the published lists.
    pub fn new(secrets: &[Secret]) -> Self {
        let mut names = Names::default();
        for secret in secrets {
            names.give(secret.name.as_str().into());
        }
        Self { declared: Arc::new(Declared::new(secrets)), names: Arc::new(Mutex::new(names)) }
    }

    /// A text without secrets: a log line, an error message.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.pass().masked(text, &|| String::new()).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// A user's file with each declared secret overwritten by asterisks, byte for byte, so that places in it
    /// stay true. The lists don't apply: what stands in the user's own files stands in their repository.
    pub fn file(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for hit in self.declared.find(text) {
            // A line end stays one, so that lines keep their numbers.
            let stars: String =
                text[hit.range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
            masked.replace_range(hit.range, &stars);
        }
        masked
    }

    /// Masks an event in place and says what was masked where.
    pub(crate) fn event(&self, event: &mut seam_event::Event) -> Vec<Sighting> {
        let mut pass = self.pass();
        walk::event(&mut pass, event);
        pass.sightings
    }

    /// Masks an interaction in place, for whoever keeps it in a file of another kind.
    pub fn interaction(&self, passed: &mut seam_event::Interaction) {
        walk::interaction(&mut self.pass(), passed);
    }

    fn pass(&self) -> Pass<'_> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        Pass { declared: &self.declared, names, sightings: Vec::new(), local: Vec::new() }
    }
}

impl Pass<'_> {
    /// The name of a secret: the declared one if it is declared, else one of its kind.
    fn name(&mut self, kind: &'static str, raw: &str) -> Arc<str> {
        let plain = decoded(raw);
        if let Some(name) = self.declared.whole(raw).or_else(|| self.declared.whole(&plain)) {
            return name;
        }
        if let ("basic", Some(password)) = (kind, basic_password(&plain))
            && let Some(name) = self.declared.whole(&password)
        {
            return name;
        }
        self.names.of(kind, &plain)
    }

    /// Remembers a secret that stood in a field of this event. The short ones of headers are not looked for elsewhere: a
    /// cookie `a=1` must not cut every `1` out of what was answered.
    fn stood(&mut self, kind: &str, raw: String, name: Arc<str>) {
        if !(is_short(&raw) && matches!(kind, "cookie" | "header")) {
            self.local.push((raw, name));
        }
    }

    /// Notes that a secret was seen.
    fn saw(&mut self, name: &Arc<str>, place: String) {
        if !place.is_empty() {
            self.sightings.push(Sighting { name: name.clone(), place });
        }
    }

    /// The text without secrets, or `None` where there are none in it.
    fn masked(&mut self, text: &str, place: &dyn Fn() -> String) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        if let Some(name) = self.declared.whole(text) {
            self.saw(&name, place());
            return Some(format!("«{name}»"));
        }
        let looks_secret = scan::credentials(text);
        if looks_secret.is_empty()
            && self.declared.is_empty()
            && self.names.is_empty()
            && self.local.is_empty()
        {
            return None;
        }
        let mut spans: Vec<(Range<usize>, Arc<str>)> = Vec::new();
        for hit in self.declared.find(text) {
            if !self.is_in_a_name(text, &hit.range) {
                spans.push((hit.range, hit.name));
            }
        }
        for found in looks_secret {
            if !self.is_in_a_name(text, &found.range) {
                let name = self.name(found.kind, &text[found.range.clone()]);
                spans.push((found.range, name));
            }
        }
        self.known_words(text, &mut spans);
        self.local_secrets(text, &mut spans);
        if spans.is_empty() {
            return None;
        }
        let spans = merged(spans);
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (range, name) in spans {
            self.saw(&name, place());
            out.push_str(&text[done..range.start]);
            out.push('«');
            out.push_str(&name);
            out.push('»');
            done = range.end;
        }
        out.push_str(&text[done..]);
        Some(out)
    }

    /// Does a place lie within a name that we gave?
    fn is_in_a_name(&self, text: &str, range: &Range<usize>) -> bool {
        let Some(open) = text[..range.start].rfind('«').map(|at| at + '«'.len_utf8()) else {
            // The place may be the guillemets and all.
            return text[range.clone()]
                .strip_prefix('«')
                .and_then(|rest| rest.strip_suffix('»'))
                .is_some_and(|name| self.names.is_given(name));
        };
        let Some(close) = text[open..].find('»').map(|at| open + at) else { return false };
        range.start < close + '»'.len_utf8() && self.names.is_given(&text[open..close])
    }

    /// Secrets that were seen before in a field or a header, where they stand as a word.
    fn known_words(&self, text: &str, spans: &mut Vec<(Range<usize>, Arc<str>)>) {
        if self.names.is_empty() {
            return;
        }
        let is_word = |character: char| character.is_ascii_alphanumeric() || "._~+/-".contains(character);
        let mut rest = 0;
        while let Some(from) = text[rest..].find(is_word).map(|at| rest + at) {
            let end = text[from..].find(|character| !is_word(character)).map_or(text.len(), |at| from + at);
            let padded = end + text[end..].bytes().take_while(|byte| *byte == b'=').count();
            rest = padded.max(end);
            if end - from < names::SHORTEST_WORD {
                continue;
            }
            let whole = [from..end, from..padded].into_iter();
            let mut at = from;
            let segments = text[from..end].split('/').map(|segment| {
                let range = at..at + segment.len();
                at = range.end + 1;
                range
            });
            for range in whole.chain(segments.collect::<Vec<_>>()) {
                if let Some(name) = self.names.known(&text[range.clone()]) {
                    spans.push((range, name));
                }
            }
        }
    }

    /// Secrets of this very event, where its texts quote them.
    fn local_secrets(&self, text: &str, spans: &mut Vec<(Range<usize>, Arc<str>)>) {
        for (raw, name) in &self.local {
            let is_short = is_short(raw);
            for (start, found) in text.match_indices(raw.as_str()) {
                let range = start..start + found.len();
                let before = text[..range.start].chars().next_back();
                let after = text[range.end..].chars().next();
                let is_bounded = ![before, after].into_iter().flatten().any(char::is_alphanumeric);
                // A short one stands in every second sentence: it is one where it is a value, as in `"pin":"42"`.
                let is_value = !is_short || before.is_none_or(|before| "\"'=:\\".contains(before));
                if is_bounded && is_value && !self.is_in_a_name(text, &range) {
                    spans.push((range, name.clone()));
                }
            }
        }
    }
}

/// Is a secret so short that texts hold it by chance?
fn is_short(raw: &str) -> bool {
    raw.chars().count() < declared::SHORTEST_INSIDE_A_TEXT
}

/// Overlapping places become one, under the name of the longest.
fn merged(mut spans: Vec<(Range<usize>, Arc<str>)>) -> Vec<(Range<usize>, Arc<str>)> {
    // Stable: of equal ranges the declared one, which was pushed first, gives the name.
    spans.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut merged: Vec<(Range<usize>, Arc<str>)> = Vec::new();
    for (range, name) in spans {
        match merged.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push((range, name)),
        }
    }
    merged
}

/// What a value says once its escapes are undone, so that it is the same secret in a body and in an address.
fn decoded(raw: &str) -> Cow<'_, str> {
    if raw.contains('\\')
        && let Ok(seam_value::Value::Text(text)) = seam_value::parse(&format!("\"{raw}\""))
    {
        return Cow::Owned(text);
    }
    if raw.contains('%') {
        return percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
    }
    Cow::Borrowed(raw)
}

/// The password in the credentials of HTTP's basic scheme.
fn basic_password(credentials: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(credentials).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_secret_keeps_its_name() {
        let masker = Masker::new(&[Secret { name: "ann_password".into(), value: "s3cret".into() }]);
        for (text, expected) in [
            ("login ann s3cret", "login ann «ann_password»"),
            (r#"{"password":"s3cret"}"#, r#"{"password":"«ann_password»"}"#),
            ("Authorization: Basic YW5uOnMzY3JldA==", "Authorization: Basic «ann_password»"),
            ("Authorization: Bearer tok-1234567890", "Authorization: Bearer «bearer 1»"),
            ("Authorization: Bearer tok-0987654321", "Authorization: Bearer «bearer 2»"),
            ("it was tok-1234567890, again", "it was «bearer 1», again"),
            ("/reset/tok-0987654321?x", "/reset/«bearer 2»?x"),
            (r#"{"token":"tok-1234567890"}"#, r#"{"token":"«bearer 1»"}"#),
            ("Bearer «bearer 1» and «ann_password»", "Bearer «bearer 1» and «ann_password»"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(masker.text(text), expected, "{text}");
        }
        assert!(matches!(masker.text("nothing here"), Cow::Borrowed(_)));
    }

    #[test]
    fn short_secrets_are_masked_in_their_own_place_only() {
        let masker = Masker::new(&[]);
        let interaction = |cookie: &str, body: &str| {
            let text = format!(
                r#"{{"id":1,"seam":{{"consumer":"web","provider":"api","endpoint":""}},"from":"web","to":"api","via":null,
                "caller":"known","protocol":"http","connection":1,"at":0,"elapsed":1,"error":null,"request":null,
                "reply":{{"headers":{{"set-cookie":["{cookie}"]}},"text":"{body}"}},"message":null}}"#
            );
            serde_json::from_str::<seam_event::Interaction>(&text).unwrap()
        };
        for (cookie, body, expected) in [
            ("a=1", "q 1 27", ("a=«cookie 1»", "q 1 27")),
            ("a=s3cretly", "q s3cretly 27", ("a=«cookie 2»", "q «cookie 2» 27")),
        ] {
            let mut passed = interaction(cookie, body);
            masker.interaction(&mut passed);
            let cookies = passed.reply.get("headers").and_then(|headers| headers.get("set-cookie"));
            let cookie = cookies.and_then(|all| all.as_list()?.first()?.as_text());
            let text = passed.reply.get("text").and_then(seam_value::Value::as_text);
            assert_eq!((cookie, text), (Some(expected.0), Some(expected.1)));
        }
    }

    #[test]
    fn a_secret_that_is_a_common_word_does_not_eat_the_names() {
        let masker = Masker::new(&[Secret { name: "db".into(), value: "password".into() }]);
        let once = masker.text(r#"{"password":"hunter2"}"#).into_owned();
        assert_eq!(masker.text(&once), once);
    }

    #[test]
    fn files_keep_their_length_and_lines() {
        let masker = Masker::new(&[Secret { name: "key".into(), value: "line1\nlinä2".into() }]);
        let text = "a: |\n line1\nlinä2\nb: 1\n";
        let masked = masker.file(text);
        assert_eq!(masked, "a: |\n *****\n******\nb: 1\n");
        assert_eq!(masked.len(), text.len());
    }
}
