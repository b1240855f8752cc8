//! Answers of mappings packed with gzip for those who take it, as the server that carries WireMock packs them.
//!
//! What passes a seam stays as it was written; only addresses that stand for a WireMock do this.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use seam_value::{Map, Value};
use seam_wire::{Answering, Say};
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Packs answers, and keeps what it has packed.
#[derive(Default)]
pub(crate) struct Packing {
    /// As they were, and packed.
    known: Mutex<Vec<(Arc<Value>, Arc<Value>)>>,
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
        // A list is whole after every change.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, packed)) = known.iter().find(|(other, _)| Arc::ptr_eq(other, answer)) {
            return Arc::clone(packed);
        }
        let packed = Arc::new(pack(answer));
        // What only this request is answered with is never asked for again.
        if Arc::strong_count(answer) > 1 && body_of(answer).len() <= LONGEST {
            if known.len() == MOST {
                known.remove(0);
            }
            known.push((Arc::clone(answer), Arc::clone(&packed)));
        }
        packed
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
    fn an_answer_of_its_own_is_packed_once() {
        let answer = Arc::new(parse(r#"{"headers":{"ETag":"\"a\""},"text":"hello"}"#).unwrap());
        let packing = Packing::default();
        let kept = Arc::clone(&answer);
        let packed = packing.packed(&kept);
        assert!(Arc::ptr_eq(&packed, &packing.packed(&kept)));
        assert_eq!(
            packed.get("headers").unwrap().to_string(),
            r#"{"ETag":"\"a--gzip\"","Content-Encoding":"gzip"}"#
        );
        assert_eq!(body_of(&packed)[..2], [0x1f, 0x8b]);
    }
}
