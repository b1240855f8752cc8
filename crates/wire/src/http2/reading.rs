//! The kept headers and bytes of one half to the fields that tests name: the same as HTTP/1's.

use super::half::{Kept, Shared};
use super::hpack::Headers;
use crate::body;
use crate::conversation::{Captured, Direction, Parts};
use crate::http;
use seam_value::{Map, Value};

/// A request as it was kept.
pub(super) struct RequestRead(pub(super) Shared);

/// The head of a request or reply whose body is still to come.
pub(super) struct HeadRead(pub(super) Direction, pub(super) Shared);

/// A reply as it was kept.
pub(super) struct ReplyRead(pub(super) Shared);

/// One event of a reply that is a stream of them.
pub(super) struct MessageRead {
    pub(super) request: Shared,
    pub(super) bytes: Vec<u8>,
}

impl Captured for RequestRead {
    fn keeps_on(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let kept = self.0.lock();
        let mut map = line(&kept.headers);
        let read = plain(&kept.headers);
        let cookies = read.cookies();
        let cut = read_rest(&kept, read, &mut map, Some(cookies));
        Parts { request: Value::Map(map), cut, ..Parts::default() }
    }
}

impl Captured for HeadRead {
    fn size(&self) -> usize {
        self.1.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let kept = self.1.lock();
        let read = plain(&kept.headers);
        if self.0 == Direction::ToConsumer {
            let headers = Value::Map(read.map);
            let reply = Value::map([("status", status(&kept.headers)), ("headers", headers)]);
            return Parts { reply, ..Parts::default() };
        }
        let mut map = line(&kept.headers);
        let cookies = read.cookies();
        map.insert("headers".to_owned(), Value::Map(read.map));
        map.insert("cookies".to_owned(), cookies);
        Parts { request: Value::Map(map), ..Parts::default() }
    }
}

fn status(headers: &Headers) -> Value {
    headers.text(":status").and_then(|status| status.parse::<u16>().ok()).into()
}

impl Captured for ReplyRead {
    fn keeps_on(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn read(self: Box<Self>) -> Parts {
        let kept = self.0.lock();
        let mut map = Map::default();
        map.insert("status".to_owned(), status(&kept.headers));
        let cut = read_rest(&kept, plain(&kept.headers), &mut map, None);
        Parts { reply: Value::Map(map), cut, ..Parts::default() }
    }
}

impl Captured for MessageRead {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut map = Map::default();
        map.insert("path".to_owned(), Value::text(target(&self.request.lock().headers).0));
        map.extend(http::events::read(&self.bytes));
        Parts { message: Value::Map(map), ..Parts::default() }
    }
}

/// What HTTP/1 says in the first line of a request.
fn line(headers: &Headers) -> Map {
    let (path, query) = target(headers);
    let mut map = Map::default();
    map.insert("method".to_owned(), Value::text(headers.text(":method").unwrap_or_default()));
    map.insert("path".to_owned(), Value::text(path));
    map.insert("query".to_owned(), body::pairs(query));
    map.insert("version".to_owned(), Value::text("2"));
    map
}

/// Path and query, as they were sent; `CONNECT` has an authority instead.
pub(crate) fn target(headers: &Headers) -> (&str, &str) {
    let path = headers.text(":path").or_else(|| headers.text(":authority")).unwrap_or_default();
    path.split_once('?').unwrap_or((path, ""))
}

/// The headers that HTTP/1 has, too; the authority is the host.
pub(crate) fn plain(headers: &Headers) -> http::Headers {
    let host = headers.get(":authority").filter(|_| headers.get("host").is_none());
    let named = headers.iter().filter(|(name, _)| !name.starts_with(b":"));
    http::Headers::collect(host.map(|host| (&b"host"[..], host)).into_iter().chain(named))
}

fn read_rest(kept: &Kept, read: http::Headers, map: &mut Map, cookies: Option<Value>) -> bool {
    let content_type = read.get("content-type");
    let decoded =
        body::decode(content_type, read.get("content-encoding"), &kept.body, http::MAX_UNPACKED_ON_SEAM);
    map.insert("headers".to_owned(), Value::Map(read.map));
    map.extend(cookies.map(|cookies| ("cookies".to_owned(), cookies)));
    map.insert("body".to_owned(), decoded.value);
    map.insert("text".to_owned(), decoded.text);
    map.insert("length".to_owned(), Value::from(kept.length));
    if let Some(trailers) = &kept.trailers {
        map.insert("trailers".to_owned(), Value::Map(plain(trailers).map));
    }
    decoded.cut || kept.length > kept.body.len() as u64
}
