//! Answers of mappings packed with gzip for those who take it, as the server that carries WireMock packs them.
//!
//! What passes a seam stays as it was written; only addresses that stand for a WireMock do this.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use seam_value::{Map, Value};
use seam_wire::{Answering, Say};
use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// So many answers that are always the same are kept packed; longer ones than this are not.
const MOST: usize = 64;
const LONGEST: usize = 256 * 1024;

/// Requests by other methods are answered unpacked.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What is packed already, or has to be read while it comes.
const UNPACKED: &[&str] = &[
    "application/compress",
    "application/zip",
    "application/gzip",
    "application/bzip2",
    "application/brotli",
    "application/x-xz",
    "application/x-rar-compressed",
    "text/event-stream",
];

/// So many answers are remembered to have been said once.
const SEEN: usize = 256;

/// Packs answers, and keeps what it has packed.
#[derive(Default)]
pub(crate) struct Packing {
    known: Mutex<Known>,
}

/// What is known of answers. Only what is said a second time is kept: what a template makes for one request never is, and
/// would push out what is always the same.
#[derive(Default)]
struct Known {
    /// As they were, and packed; the newest last.
    packed: Vec<(Arc<Value>, Arc<Value>)>,
    /// Those that were said once. Held so, an address is given to no other value, and the value is not kept.
    seen: VecDeque<Weak<Value>>,
}

impl Packing {
    /// The same answer, packed where it is one that is.
    pub(crate) fn of(&self, mut answering: Answering) -> Answering {
        if let Say::Answer(answer) = &mut answering.say
            && may_be_packed(answer)
        {
            *answer = self.packed(answer);
        }
        answering
    }

    fn packed(&self, answer: &Arc<Value>) -> Arc<Value> {
        let known = self.known().packed.iter().find(|(other, _)| Arc::ptr_eq(other, answer)).cloned();
        if let Some((_, packed)) = known {
            return packed;
        }
        // Nobody waits for this.
        let packed = Arc::new(pack(answer));
        if body_of(answer).len() <= LONGEST {
            self.known().note(answer, &packed);
        }
        packed
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // It is whole after every change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, answer: &Arc<Value>, packed: &Arc<Value>) {
        let Some(at) = self.seen.iter().position(|seen| seen.as_ptr() == Arc::as_ptr(answer)) else {
            if self.seen.len() == SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(Arc::downgrade(answer));
            return;
        };
        self.seen.remove(at);
        if self.packed.len() == MOST {
            self.packed.remove(0);
        }
        self.packed.push((Arc::clone(answer), Arc::clone(packed)));
    }
}

/// Does whoever asks like this take packed answers?
pub(crate) fn takes_gzip(method: &str, accepted: Option<&str>) -> bool {
    let says = |one: &str| {
        let mut parts = one.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    };
    METHODS.contains(&method) && accepted.is_some_and(|accepted| accepted.split(',').any(says))
}

fn may_be_packed(answer: &Value) -> bool {
    let status = answer.get("status").and_then(Value::as_i64).unwrap_or(200);
    let media = header(answer, "content-type").unwrap_or_default().to_ascii_lowercase();
    let media = media.split(';').next().unwrap_or_default().trim();
    let is_seen = ["image/", "audio/", "video/"].iter().any(|kind| media.starts_with(kind));
    matches!(status, 200..=203 | 205..=299)
        && header(answer, "content-encoding").is_none()
        && (media == "image/svg+xml" || !is_seen && !UNPACKED.contains(&media))
}

fn header(answer: &Value, name: &str) -> Option<String> {
    let headers = answer.get("headers")?.as_map()?;
    let value = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
    value.as_list().is_none_or(|values| !values.is_empty()).then(|| value.to_plain_text())
}

fn body_of(answer: &Value) -> Vec<u8> {
    match (answer.get("text").and_then(Value::as_text), answer.get("body")) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(body)) => {
            let coded = body.get("base64").and_then(Value::as_text).unwrap_or_default();
            STANDARD.decode(coded).unwrap_or_default()
        }
        (None, None) => Vec::new(),
    }
}

fn pack(answer: &Value) -> Value {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(&body_of(answer)).and_then(|()| encoder.finish());
    let bytes = packed.expect("a vector takes whatever is written");
    let mut out: Map = answer.as_map().cloned().unwrap_or_default();
    out.shift_remove("text");
    out.insert("body".to_owned(), Value::map([("base64", Value::Text(STANDARD.encode(bytes)))]));
    if let Some(Value::Map(headers)) = out.get_mut("headers") {
        for (name, value) in headers.iter_mut() {
            // The packed body is another than the one that this names.
            if let Value::Text(tag) = value
                && name.eq_ignore_ascii_case("etag")
                && let Some(inner) = tag.strip_suffix('"')
            {
                *tag = format!("{inner}--gzip\"");
            }
        }
        headers.insert("Content-Encoding".to_owned(), Value::text("gzip"));
    }
    Value::Map(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn who_takes_it() {
        for (method, accepted, takes) in [
            ("GET", "gzip", true),
            ("POST", "gzip, deflate, br", true),
            ("PATCH", "GZIP;q=0.5", true),
            ("GET", "deflate, gzip;q=1.0, *;q=0.5", true),
            ("GET", "gzip;q=0", false),
            ("GET", "x-gzip", false),
            ("GET", "*", false),
            ("GET", "", false),
            ("HEAD", "gzip", false),
            ("OPTIONS", "gzip", false),
        ] {
            assert_eq!(takes_gzip(method, Some(accepted)), takes, "{method} {accepted}");
        }
        assert!(!takes_gzip("GET", None));
    }

    #[test]
    fn what_is_packed() {
        for (answer, is_packed) in [
            (r#"{"text":"x"}"#, true),
            (r#"{"status":206,"headers":{"Content-Type":[]}}"#, true),
            (r#"{"headers":{"content-type":"image/svg+xml"}}"#, true),
            (r#"{"headers":{"content-type":"IMAGE/PNG"}}"#, false),
            (r#"{"headers":{"Content-Type":"text/event-stream; charset=utf-8"}}"#, false),
            (r#"{"headers":{"content-encoding":"identity"}}"#, false),
            (r#"{"status":204}"#, false),
            (r#"{"status":404,"text":"x"}"#, false),
        ] {
            assert_eq!(may_be_packed(&parse(answer).unwrap()), is_packed, "{answer}");
        }
    }

    #[test]
    fn what_is_always_the_same_is_packed_twice_and_kept() {
        let answer = Arc::new(parse(r#"{"headers":{"ETag":"\"a\""},"text":"hello"}"#).unwrap());
        let packing = Packing::default();
        packing.packed(&answer);
        let packed = packing.packed(&answer);
        // However many are said once, and however long somebody else holds them.
        let once: Vec<Arc<Value>> = (0..2 * MOST).map(|_| Arc::new(Value::clone(&answer))).collect();
        for one in &once {
            packing.packed(one);
        }
        assert!(Arc::ptr_eq(&packed, &packing.packed(&answer)));
        assert_eq!(packing.known().packed.len(), 1);
        assert_eq!(
            packed.get("headers").unwrap().to_string(),
            r#"{"ETag":"\"a--gzip\"","Content-Encoding":"gzip"}"#
        );
        assert_eq!(body_of(&packed)[..2], [0x1f, 0x8b]);
    }
}
