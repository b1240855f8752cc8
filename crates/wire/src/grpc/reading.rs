//! The kept headers and bytes of one half of a call to the fields that tests name.

use super::descriptors::{Descriptors, decode};
use super::fields::undescribed;
use super::status;
use crate::body::in_base64;
use crate::conversation::{Captured, Direction, Parts};
use crate::http2::hpack::Headers;
use crate::http2::{self, Kept, Shared};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use prost_reflect::MessageDescriptor;
use seam_value::{Map, Value};
use std::io::Read as _;
use std::sync::Arc;

/// What one message may unpack to.
const MOST_UNPACKED: u64 = 8 * 1024 * 1024;

/// Both sorts of padding are allowed on the wire.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Do these headers belong to a call of gRPC?
pub(crate) fn is_grpc(headers: &Headers) -> bool {
    let content_type = headers.get("content-type").unwrap_or_default();
    content_type.starts_with(b"application/grpc") && !content_type.starts_with(b"application/grpc-web")
}

/// Service and method of a path.
fn method_of(path: &str) -> (&str, &str) {
    path.strip_prefix('/').unwrap_or(path).rsplit_once('/').unwrap_or(("", path))
}

/// A request as it was kept.
pub(crate) struct RequestRead {
    pub(crate) kept: Shared,
    pub(crate) descriptors: Option<Arc<Descriptors>>,
}

/// The head of a call whose first message is still to come.
pub(crate) struct HeadRead(pub(crate) Shared);

/// The head of a reply whose first message is still to come.
pub(crate) struct ReplyHeadRead(pub(crate) Shared);

/// A reply as it was kept, with the path of its call.
pub(crate) struct ReplyRead {
    pub(crate) path: String,
    pub(crate) kept: Shared,
    pub(crate) descriptors: Option<Arc<Descriptors>>,
}

/// One message of a stream.
pub(crate) struct MessageRead {
    pub(crate) to: Direction,
    pub(crate) path: String,
    pub(crate) packing: Option<String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) descriptors: Option<Arc<Descriptors>>,
}

impl Captured for HeadRead {
    fn size(&self) -> usize {
        self.0.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let request = Value::Map(head(&self.0.lock().headers));
        Parts { request, ..Parts::default() }
    }
}

impl Captured for ReplyHeadRead {
    fn size(&self) -> usize {
        self.0.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let reply = Value::map([("metadata", metadata(&self.0.lock().headers))]);
        Parts { reply, ..Parts::default() }
    }
}

/// What is said of a call before its first message.
fn head(headers: &Headers) -> Map {
    let (service, method) = method_of(headers.text(":path").unwrap_or_default());
    let mut map = Map::default();
    map.insert("service".to_owned(), Value::text(service));
    map.insert("method".to_owned(), Value::text(method));
    map.insert("metadata".to_owned(), metadata(headers));
    if let Some(timeout) = headers.text("grpc-timeout") {
        map.insert("timeout".to_owned(), Value::text(timeout));
    }
    map
}

impl Captured for RequestRead {
    fn keeps_on(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        self.kept.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let kept = self.kept.lock();
        let path = kept.headers.text(":path").unwrap_or_default();
        let mut map = head(&kept.headers);
        let described = described(self.descriptors.as_deref(), path, Direction::ToProvider);
        let cut = read_bodies(&kept, described.as_ref(), &mut map);
        Parts { request: Value::Map(map), cut, ..Parts::default() }
    }
}

impl Captured for ReplyRead {
    fn keeps_on(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        self.kept.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let kept = self.kept.lock();
        // A reply that has nothing but a status has it in its headers.
        let last = kept.trailers.as_ref().unwrap_or(&kept.headers);
        let has_only_status = kept.trailers.is_none() && kept.headers.get("grpc-status").is_some();
        let mut map = Map::default();
        map.insert("status".to_owned(), last.text("grpc-status").map(status::name).into());
        let message = last.text("grpc-message").map(status::read_message);
        map.insert("message".to_owned(), message.into());
        let first = if has_only_status { Value::Map(Map::default()) } else { metadata(&kept.headers) };
        map.insert("metadata".to_owned(), first);
        let described = described(self.descriptors.as_deref(), &self.path, Direction::ToConsumer);
        let cut = read_bodies(&kept, described.as_ref(), &mut map);
        if kept.trailers.is_some() || has_only_status {
            map.insert("trailers".to_owned(), metadata(last));
        }
        Parts { reply: Value::Map(map), cut, ..Parts::default() }
    }
}

impl Captured for MessageRead {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let (service, method) = method_of(&self.path);
        let from = match self.to {
            Direction::ToProvider => "consumer",
            Direction::ToConsumer => "provider",
        };
        let described = described(self.descriptors.as_deref(), &self.path, self.to);
        let mut cut = false;
        let (head, message) = self.bytes.split_at(self.bytes.len().min(http2::MESSAGE_HEAD));
        let body = read_message(
            head.first().copied(),
            message,
            (self.packing.as_deref(), described.as_ref()),
            &mut cut,
        );
        let fields = [
            ("service", Value::text(service)),
            ("method", Value::text(method)),
            ("from", Value::text(from)),
            ("body", body),
        ];
        Parts { message: Value::map(fields), cut, ..Parts::default() }
    }
}

/// What the messages of one direction are.
fn described(descriptors: Option<&Descriptors>, path: &str, to: Direction) -> Option<MessageDescriptor> {
    let method = descriptors?.method(path)?;
    Some(match to {
        Direction::ToProvider => method.input(),
        Direction::ToConsumer => method.output(),
    })
}

/// Headers without those that belong to gRPC and HTTP themselves.
fn metadata(headers: &Headers) -> Value {
    let mut map = http2::plain(headers).map;
    map.retain(|name, _| {
        !matches!(
            name.as_str(),
            "content-type" | "te" | "host" | "grpc-timeout" | "grpc-status" | "grpc-message"
        ) && !matches!(name.as_str(), "grpc-encoding" | "grpc-accept-encoding")
    });
    for (name, value) in map.iter_mut().filter(|(name, _)| name.ends_with("-bin")) {
        let sent = headers.iter().filter(|(other, _)| *other == name.as_bytes());
        let mut values: Vec<Value> = sent.flat_map(|(_, sent)| binary(sent)).collect();
        *value = if values.len() == 1 { values.swap_remove(0) } else { Value::List(values) };
    }
    Value::Map(map)
}

/// The values of one header that ends in `-bin`: in base64, several with commas, or plain after a zero byte, where both
/// sides know that way.
fn binary(sent: &[u8]) -> Vec<Value> {
    if let [0, plain @ ..] = sent {
        return vec![in_base64(plain)];
    }
    let decode = |one: &[u8]| match LENIENT.decode(one.trim_ascii()) {
        Ok(bytes) => in_base64(&bytes),
        Err(_) => Value::Text(String::from_utf8_lossy(one).into_owned()),
    };
    sent.split(|byte| *byte == b',').map(decode).collect()
}

/// The messages of a half: `body` where it is one, else `bodies`. True where it is not all of them.
fn read_bodies(kept: &Kept, described: Option<&MessageDescriptor>, map: &mut Map) -> bool {
    let packing = kept.headers.text("grpc-encoding");
    let mut cut = kept.length > kept.body.len() as u64;
    let mut bodies = Vec::new();
    let mut rest = kept.body.as_slice();
    while let Some(length) = http2::message_length(rest) {
        let Some((message, later)) = rest.split_at_checked(length) else { break };
        let (head, message) = message.split_at(http2::MESSAGE_HEAD);
        bodies.push(read_message(head.first().copied(), message, (packing, described), &mut cut));
        rest = later;
    }
    if bodies.len() == 1 {
        map.insert("body".to_owned(), bodies.pop().unwrap_or_default());
    } else {
        map.insert("body".to_owned(), Value::Null);
        map.insert("bodies".to_owned(), Value::List(bodies));
    }
    map.insert("length".to_owned(), Value::from(kept.length));
    cut
}

fn read_message(
    flag: Option<u8>,
    message: &[u8],
    (packing, described): (Option<&str>, Option<&MessageDescriptor>),
    cut: &mut bool,
) -> Value {
    let mut unpacked = Vec::new();
    let message = match (flag, packing) {
        (Some(1), Some("gzip")) => {
            let mut unpacking = flate2::read::GzDecoder::new(message).take(MOST_UNPACKED);
            *cut |= unpacking.read_to_end(&mut unpacked).is_err() || unpacked.len() as u64 == MOST_UNPACKED;
            &unpacked
        }
        (Some(1), _) => return in_base64(message),
        _ => message,
    };
    described.and_then(|described| decode(described.clone(), message)).unwrap_or_else(|| undescribed(message))
}
