//! `garble`: the reply's content is noise.

use super::{Effect, Fault, FaultKind, Moment, Struck, no_argument};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_model::{Shape, Word};
use seam_value::Value;
use std::ops::Range;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "Some of the reply's characters are others. An HTTP reply keeps its status and its headers, a reply of gRPC its \
            metadata, and the body is garbled, as far as its first mebibyte; one without a body is left as it is, and does not \
            count. In other protocols the second half of the reply's bytes is garbled.",
        subject: Shape::Nothing,
        example: "garble",
        ..Word::new("garble", "the reply's content is noise")
    },
    read: |argument, _| no_argument("garble", argument).map(|()| Arc::new(Garble) as Arc<dyn Fault>),
};

struct Garble;

impl Fault for Garble {
    fn moment(&self) -> Moment {
        Moment::Reply
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let reply = &struck.parts.reply;
        if !struck.is_whole {
            return Some(match body_at(struck.bytes).filter(|_| struck.protocol == "http") {
                Some(begins) => Effect::Alter(garbled_from(struck.bytes, begins)),
                None => Effect::Garble,
            });
        }
        if let Some(text) = reply.get("text").and_then(Value::as_text).filter(|text| !text.is_empty()) {
            let length = text.chars().count();
            let garbled: String = text
                .chars()
                .enumerate()
                .map(|(index, character)| if is_noise(index, length) { '\u{fffd}' } else { character })
                .collect();
            return Some(said_instead(reply, "text", Value::Text(garbled)));
        }
        if struck.protocol == "http" {
            let packed = reply.get("body")?.get("base64").and_then(Value::as_text)?;
            let mut bytes = STANDARD.decode(packed).ok().filter(|bytes| !bytes.is_empty())?;
            noise(&mut bytes);
            let body = Value::map([("base64", Value::text(STANDARD.encode(bytes)))]);
            return Some(said_instead(reply, "body", body));
        }
        Some(Effect::Garble)
    }
}

fn is_noise(index: usize, length: usize) -> bool {
    index % 5 == 2.min(length - 1)
}

/// A body of noise.
pub(crate) fn noise(body: &mut [u8]) {
    let length = body.len();
    for (_, byte) in body.iter_mut().enumerate().filter(|(index, _)| is_noise(*index, length)) {
        *byte ^= 0x5a;
    }
}

/// A reply of which nothing is known but its bytes: the beginning of it is left, so that it is taken for one.
pub(crate) fn garbled(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let half = bytes.len() / 2;
    noise(&mut bytes[half..]);
    bytes
}

fn garbled_from(bytes: &[u8], begins: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for range in content(&bytes, begins) {
        noise(&mut bytes[range]);
    }
    bytes
}

/// The reply with another body in the place of its own.
fn said_instead(reply: &Value, name: &str, body: Value) -> Effect {
    let mut reply = reply.as_map().cloned().unwrap_or_default();
    reply.shift_remove("body");
    reply.insert(name.to_owned(), body);
    Effect::Answer(Value::Map(reply))
}

/// Where the body of an HTTP reply begins.
fn body_at(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4)
}

/// What of the bytes from there on is content: in the chunked coding (RFC 9112, 7.1) all but the lines that say how long
/// each chunk is.
fn content(bytes: &[u8], begins: usize) -> Vec<Range<usize>> {
    let head = String::from_utf8_lossy(&bytes[..begins]).to_ascii_lowercase();
    if !head.contains("\r\ntransfer-encoding: chunked") {
        return std::iter::once(begins..bytes.len()).collect();
    }
    let (mut at, mut ranges) = (begins, Vec::new());
    while let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&bytes[at..at + line]).ok();
        let size = size.and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let data = at + line + 2;
        let end = data.saturating_add(size).min(bytes.len());
        ranges.push(data..end);
        at = end.saturating_add(2).min(bytes.len());
    }
    ranges
}
