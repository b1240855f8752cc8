//! `garble`: the reply's content is noise.

use super::{Change, Effect, Fault, FaultKind, Moment, Role, Struck, no_argument};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_model::{Shape, Word};
use seam_value::Value;
use seam_wire::Deed;
use std::ops::Range;
use std::sync::Arc;

pub(super) static KIND: FaultKind = FaultKind {
    word: Word {
        text: "Some of the reply's characters are others: those of an HTTP reply's body, of gRPC's messages, of the values in \
            rows, of the text behind SMTP's code, as far as the first mebibyte. What is around it, and how long each part of it is, \
            stays: it arrives well framed. A reply without content is left as it is, and does not count. A message that nobody \
            answers (of WebSocket or of gRPC's streams, an event, one of a broker) is garbled in the same way.",
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

    fn role(&self) -> Role {
        Role::Changes(Change::Content)
    }

    fn deeds(&self) -> &'static [Deed] {
        &[Deed::GarbleReply, Deed::ChangeMessage]
    }

    fn effect(&self, struck: &Struck<'_>) -> Option<Effect> {
        let reply = &struck.parts.reply;
        // HTTP/2 is framed throughout, and by its own.
        let is_framed =
            struck.protocol != "http" || (!struck.is_whole && !struck.bytes.starts_with(b"HTTP/"));
        if struck.is_message || is_framed {
            return Some(Effect::Garble);
        }
        if !struck.is_whole {
            let garbled = garbled_from(struck.bytes, body_at(struck.bytes)?);
            return (garbled != struck.bytes).then_some(Effect::Alter(garbled));
        }
        let text = match (reply.get("text"), reply.get("body")) {
            (Some(Value::Text(text)), _) | (_, Some(Value::Text(text))) => text.clone(),
            (_, None | Some(Value::Null)) => return None,
            (_, Some(body)) => match body.get("base64").and_then(Value::as_text) {
                Some(packed) => {
                    let mut bytes = STANDARD.decode(packed).ok().filter(|bytes| !bytes.is_empty())?;
                    noise(&mut bytes);
                    let body = Value::map([("base64", Value::text(STANDARD.encode(bytes)))]);
                    return Some(said_instead(reply, "body", body));
                }
                None => body.to_string(),
            },
        };
        let length = text.chars().count();
        let garbled = text.chars().enumerate();
        let garbled =
            garbled.map(|(index, character)| if is_noise(index, length) { '\u{fffd}' } else { character });
        (length > 0).then(|| said_instead(reply, "text", Value::Text(garbled.collect())))
    }
}

fn is_noise(index: usize, length: usize) -> bool {
    length > 0 && index % 5 == 2.min(length - 1)
}

/// Content of noise, as long as it was. What was text still is, and in one line where it was one.
pub(crate) fn noise(content: &mut [u8]) {
    let length = content.len();
    let is_line_end = |byte: u8| matches!(byte, b'\n' | b'\r' | b'\t');
    let is_readable = |byte: &u8| !byte.is_ascii_control() || is_line_end(*byte);
    let is_text = std::str::from_utf8(content).is_ok() && content.iter().all(is_readable);
    for (_, byte) in content.iter_mut().enumerate().filter(|(index, _)| is_noise(*index, length)) {
        *byte = match *byte ^ 0x5a {
            // A part of a character that has several is left, or it would be none.
            _ if is_text && (!byte.is_ascii() || is_line_end(*byte)) => continue,
            other if !is_text || other.is_ascii_graphic() => other,
            _ if *byte == b'#' => b'%',
            _ => b'#',
        };
    }
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
    Effect::Change(Value::Map(reply))
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
