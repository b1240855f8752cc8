//! The kept bytes of one HTTP exchange to the fields that tests name.

use super::events;
use super::framing::Message;
use crate::body;
use crate::conversation::{Captured, Direction, Parts};
use seam_value::{Entry, Map, Value, map_with_room};
use std::mem::MaybeUninit;

/// The most headers that one head may have; more is a surprise.
pub(super) const MAX_HEADERS: usize = 256;

/// So many fields has a request; making room for all at once is cheaper than growing.
const MOST_FIELDS: usize = 9;

/// One request with its reply, as kept.
#[derive(Clone, Debug, Default)]
pub(super) struct HttpExchange {
    pub(super) request: Message,
    pub(super) reply: Message,
}

impl Captured for HttpExchange {
    fn size(&self) -> usize {
        self.request.bytes.capacity() + self.reply.bytes.capacity()
    }

    fn glance(&self) -> Option<(&str, &str)> {
        let head = self.request.head();
        let line = &head[..memchr::memchr(b'\n', head)?];
        let asked = line.strip_suffix(b" HTTP/1.1\r").or_else(|| line.strip_suffix(b" HTTP/1.0\r"))?;
        let (method, target) = asked.split_at(memchr::memchr(b' ', asked)?);
        let (method, target) = (plain(method)?, plain(&target[1..])?);
        Some((method, split_target(method, target).0))
    }

    fn read(self: Box<Self>) -> Parts {
        let mut cut = false;
        let request = read_request(&self.request, &mut cut);
        let reply = read_reply(&self.reply, &mut cut);
        Parts { request, reply, message: Value::Null, cut }
    }
}

/// The head of a request or reply, by where it goes, whose body is still to come.
pub(super) struct HeadRead(pub(super) Direction, pub(super) Vec<u8>);

impl Captured for HeadRead {
    fn size(&self) -> usize {
        self.1.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        match self.0 {
            Direction::ToProvider => {
                let request = read_head(&self.1, |mut map, read, cookies| {
                    map.insert("headers".to_owned(), Value::Map(read.map));
                    map.insert("cookies".to_owned(), cookies);
                    Value::Map(map)
                });
                Parts { request, ..Parts::default() }
            }
            Direction::ToConsumer => {
                let reply = read_reply_head(&self.1, |mut map, read| {
                    map.insert("headers".to_owned(), Value::Map(read.map));
                    Value::Map(map)
                });
                Parts { reply, ..Parts::default() }
            }
        }
    }
}

/// One event of a stream, and the path that was asked for.
pub(super) struct EventRead {
    pub(super) path: String,
    pub(super) event: Vec<u8>,
}

impl Captured for EventRead {
    fn size(&self) -> usize {
        self.event.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut map = Map::default();
        map.insert("path".to_owned(), Value::Text(self.path));
        map.extend(events::read(&self.event));
        Parts { message: Value::Map(map), ..Parts::default() }
    }
}

fn read_request(message: &Message, cut: &mut bool) -> Value {
    read_head(message.head(), |mut map, read, cookies| {
        read_rest(message, read, cut, |headers| {
            map.insert("headers".to_owned(), headers);
            map.insert("cookies".to_owned(), cookies);
            map
        })
    })
}

/// What a request's head says, and what is made of it, its headers and its cookies.
fn read_head(head: &[u8], finish: impl FnOnce(Map, Headers, Value) -> Value) -> Value {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    // A head that broke off still has a method and a path, if it came so far.
    if head.is_empty() || request.parse_with_uninit_headers(head, &mut headers).is_err() {
        return Value::Null;
    }
    let Some(method) = request.method else { return Value::Null };
    let (path, query) = split_target(method, request.path.unwrap_or_default());
    let read = Headers::read(request.headers);
    let mut map = map_with_room(MOST_FIELDS);
    map.insert("method".to_owned(), Value::text(method));
    map.insert("path".to_owned(), Value::text(path));
    map.insert("query".to_owned(), body::pairs(query));
    let cookies = read.cookies();
    finish(map, read, cookies)
}

fn read_reply(message: &Message, cut: &mut bool) -> Value {
    read_reply_head(message.head(), |mut map, read| {
        read_rest(message, read, cut, |headers| {
            map.insert("headers".to_owned(), headers);
            map
        })
    })
}

/// What a reply's head says, and what is made of it and its headers.
fn read_reply_head(head: &[u8], finish: impl FnOnce(Map, Headers) -> Value) -> Value {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    if head.is_empty() || config.parse_response_with_uninit_headers(&mut reply, head, &mut headers).is_err() {
        return Value::Null;
    }
    let Some(status) = reply.code else { return Value::Null };
    let read = Headers::read(reply.headers);
    let mut map = map_with_room(MOST_FIELDS);
    map.insert("status".to_owned(), Value::from(status));
    finish(map, read)
}

/// The body and what belongs to it, behind the fields that only one side has.
fn read_rest(message: &Message, read: Headers, cut: &mut bool, begin: impl FnOnce(Value) -> Map) -> Value {
    let decoded = body::decode(
        read.get("content-type"),
        read.get("content-encoding"),
        message.body(),
        MAX_UNPACKED_ON_SEAM,
    );
    // A body that is cut off in its middle is no JSON; it stays text.
    *cut |= decoded.cut;
    let mut map = begin(Value::Map(read.map));
    map.insert("body".to_owned(), decoded.value);
    map.insert("text".to_owned(), decoded.text);
    map.insert("length".to_owned(), Value::from(message.length));
    if message.is_cut_off {
        map.insert("cut_off".to_owned(), Value::Bool(true));
    }
    if !message.trailers().is_empty() {
        let mut trailers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        if let Ok(httparse::Status::Complete((_, trailers))) =
            httparse::parse_headers(message.trailers(), &mut trailers)
            && !trailers.is_empty()
        {
            map.insert("trailers".to_owned(), Value::Map(Headers::read(trailers).map));
        }
    }
    Value::Map(map)
}

/// What a compressed body on a seam may unpack to: some of them are read for each test, side by side.
pub(crate) const MAX_UNPACKED_ON_SEAM: usize = 8 * 1024 * 1024;

/// The same as text; what has anything but plain letters is read with care.
fn plain(text: &[u8]) -> Option<&str> {
    let is_graphic = text.iter().fold(true, |is_graphic, byte| is_graphic & byte.is_ascii_graphic());
    if is_graphic { std::str::from_utf8(text).ok() } else { None }
}

/// Path and query of a request's target, whichever of the four forms it has (RFC 9112, 3.2).
fn split_target<'a>(method: &str, target: &'a str) -> (&'a str, &'a str) {
    if target.starts_with('/') && memchr::memchr2(b'?', b'#', target.as_bytes()).is_none() {
        return (target, "");
    }
    let whole = if target.starts_with('/') { None } else { target.split_once("://") };
    let local = match whole {
        Some((scheme, rest)) if method != "CONNECT" && !scheme.contains('/') => {
            rest.find(['/', '?']).map_or("/", |begin| &rest[begin..])
        }
        _ => target,
    };
    let local = local.split_once('#').map_or(local, |(before, _)| before);
    match local.split_once('?') {
        Some(("", query)) => ("/", query),
        Some(split) => split,
        None => (local, ""),
    }
}

/// Headers as tests see them: names in small letters, one sent twice joined, `set-cookie` a list.
pub(crate) struct Headers {
    pub(crate) map: Map,
}

impl Headers {
    fn read(headers: &[httparse::Header<'_>]) -> Self {
        Self::collect(headers.iter().map(|header| (header.name.as_bytes(), header.value)))
    }

    /// Of names and values.
    pub(crate) fn collect<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut map = map_with_room(headers.size_hint().0);
        for (name, value) in headers.filter(|(name, _)| !name.is_empty()) {
            let mut name = characters(name);
            name.make_ascii_lowercase();
            let text = characters(value);
            let separator = match name.as_str() {
                "set-cookie" => None,
                "cookie" => Some("; "),
                _ => Some(", "),
            };
            match map.entry(name) {
                Entry::Vacant(vacant) => {
                    let text = Value::Text(text);
                    vacant.insert(if separator.is_some() { text } else { Value::List(vec![text]) });
                }
                Entry::Occupied(before) => match (before.into_mut(), separator) {
                    (Value::Text(first), Some(separator)) => {
                        first.push_str(separator);
                        first.push_str(&text);
                    }
                    (Value::List(list), None) => list.push(Value::Text(text)),
                    (other, _) => *other = Value::Text(text),
                },
            }
        }
        Self { map }
    }

    /// The value of this name, in small letters.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_text)
    }

    /// The cookies that a request sends, by name.
    pub(crate) fn cookies(&self) -> Value {
        let sent = self.get("cookie").unwrap_or_default();
        Value::map(sent.split(';').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), Value::text(value.trim().trim_matches('"'))))
        }))
    }
}

/// A header's bytes as text: UTF-8 where they are, else by the old rule that each byte is a character.
fn characters(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A glance says what reading says, or nothing.
    #[test]
    fn a_glance_sees_what_is_read() {
        let lines = [
            ("GET /items/7?a=1 HTTP/1.1", true),
            ("POST http://bank.example/pay HTTP/1.1", true),
            ("OPTIONS * HTTP/1.1", true),
            ("CONNECT bank.example:443 HTTP/1.1", true),
            ("GET ?q HTTP/1.0", true),
            ("GET /a#b HTTP/1.1", true),
            ("GET /caf\u{e9} HTTP/1.1", false),
            ("GET  /a HTTP/1.1", false),
            ("GET /a", false),
            ("", false),
        ];
        for (line, is_plain) in lines {
            let bytes = format!("{line}\r\nhost: bank.example\r\n\r\n").into_bytes();
            let head_end = bytes.len();
            let request = Message { head_end, body_end: head_end, bytes, ..Message::default() };
            let exchange = Box::new(HttpExchange { request, reply: Message::default() });
            let glanced = exchange.glance().map(|(method, path)| (method.to_owned(), path.to_owned()));
            assert_eq!(glanced.is_some(), is_plain, "{line}");
            let read = exchange.read().request;
            let field = |name| read.get(name).and_then(Value::as_text).map(str::to_owned);
            let read = field("method").zip(field("path"));
            assert!(glanced.is_none() || glanced == read, "{line}: {glanced:?} is not {read:?}");
        }
    }
}
