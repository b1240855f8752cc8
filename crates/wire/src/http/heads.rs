//! What the heads of messages say about their bodies: RFC 9112, section 6.3.
//!
//! A side says nearly the same head again and again: only its first line, and in replies a date or a length, differ. So
//! the headers of the last one are remembered with what they mean, and where they come again nothing is parsed.

use super::framing::Framing;
use super::reading::MAX_HEADERS;
use crate::conversation::Surprise;
use std::mem::MaybeUninit;

/// What the method means for the reply's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    Other,
}

/// What a reply's head says about its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReplyHead {
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) is_event_stream: bool,
}

/// Headers that are longer are not remembered.
const MOST: usize = 1024;

/// The headers that one side said last.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads {
    /// With the empty line behind them.
    headers: Vec<u8>,
    meaning: Meaning,
    /// Were those of the newest head the same as of the one before?
    are_repeated: bool,
}

/// What headers say about a body.
#[derive(Clone, Copy, Debug, Default)]
struct Meaning {
    lengths: Lengths,
    is_event_stream: bool,
}

impl Heads {
    /// How long the head is that begins here, where its headers are known.
    pub(super) fn n_known(&self, bytes: &[u8]) -> Option<usize> {
        let line = memchr::memchr(b'\n', bytes)? + 1;
        let is_known = !self.headers.is_empty() && bytes[line..].starts_with(&self.headers);
        is_known.then_some(line + self.headers.len())
    }

    /// Reads a request's head.
    pub(super) fn request(&mut self, head: &[u8]) -> Result<(Method, Framing), Surprise> {
        let known = self.known(head).and_then(|(line, meaning)| Some((plain_method(line)?, meaning)));
        self.are_repeated = known.is_some();
        let (method, meaning) = match known {
            Some(known) => known,
            None => parsed_request(head).inspect(|(_, meaning)| self.remember(head, *meaning))?,
        };
        let framing = match meaning.lengths {
            _ if method == Method::Connect => Framing::Empty,
            Lengths { chunked: true, .. } => Framing::Chunked,
            Lengths { coded: true, .. } => return Err(Surprise::new("a request whose end cannot be known")),
            Lengths { length, .. } => length.map_or(Framing::Empty, Framing::Length),
        };
        Ok((method, framing))
    }

    /// Were the headers of the request that was read last those of the one before, and is it HTTP/1.1 too?
    pub(super) fn are_repeated(&self) -> bool {
        self.are_repeated
    }

    /// Reads the head of a reply to a request of this method.
    pub(super) fn reply(&mut self, head: &[u8], method: Method) -> Result<ReplyHead, Surprise> {
        let known = self.known(head).and_then(|(line, meaning)| Some((plain_status(line)?, meaning)));
        let (status, meaning) = match known {
            Some(known) => known,
            None => parsed_reply(head).inspect(|(_, meaning)| self.remember(head, *meaning))?,
        };
        let framing = match meaning.lengths {
            _ if method == Method::Head || matches!(status, 100..=199 | 204 | 304) => Framing::Empty,
            _ if method == Method::Connect && status / 100 == 2 => Framing::Empty,
            Lengths { chunked: true, .. } => Framing::Chunked,
            Lengths { coded: false, length: Some(length), .. } => Framing::Length(length),
            Lengths { .. } => Framing::UntilClose,
        };
        Ok(ReplyHead { status, framing, is_event_stream: meaning.is_event_stream })
    }

    /// What stands before the known headers in a head that ends with them, and what these mean. It is the head's first
    /// line if it is a plain one: in such a line no other ends.
    fn known<'a>(&self, head: &'a [u8]) -> Option<(&'a [u8], Meaning)> {
        let line = head.strip_suffix(&*self.headers).filter(|_| !self.headers.is_empty())?;
        Some((line, self.meaning))
    }

    fn remember(&mut self, head: &[u8], meaning: Meaning) {
        self.headers.clear();
        if let Some(headers) = memchr::memchr(b'\n', head).map(|line_end| &head[line_end + 1..])
            && headers.len() <= MOST
        {
            self.headers.extend_from_slice(headers);
            self.meaning = meaning;
        }
    }
}

/// Bytes that stand in a target without meaning anything unusual.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'/' | b'?' | b'&' | b'=' | b'%' | b'.' | b'_' | b'~' | b':' | b'-' | b',' | b';' | b'+'
            );
        byte += 1;
    }
    table
};

/// The method of a request's first line, where that has nothing unusual.
fn plain_method(line: &[u8]) -> Option<Method> {
    let asked = line.strip_suffix(b" HTTP/1.1\r\n")?;
    let (method, target) = asked.split_at(memchr::memchr(b' ', asked)?);
    let (_, target) = target.split_first()?;
    if target.is_empty() || !target.iter().all(|byte| IS_PLAIN[usize::from(*byte)]) {
        return None;
    }
    match method {
        b"HEAD" => Some(Method::Head),
        b"GET" | b"POST" | b"PUT" | b"PATCH" | b"DELETE" | b"OPTIONS" => Some(Method::Other),
        _ => None,
    }
}

/// The status of a reply's first line, where that has nothing unusual.
fn plain_status(line: &[u8]) -> Option<u16> {
    let said = line.strip_prefix(b"HTTP/1.1 ")?.strip_suffix(b"\r\n")?;
    let (status, reason) = said.split_first_chunk::<3>()?;
    let is_plain = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b' ';
    if !reason.starts_with(b" ") || !reason.iter().all(is_plain) || !status.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(status.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0')))
}

fn parsed_request(head: &[u8]) -> Result<(Method, Meaning), Surprise> {
    let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut headers) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Surprise::new("a request that breaks off")),
        Err(_) if head.starts_with(b"PRI * HTTP/2.0") => return Err(Surprise::new("HTTP/2")),
        Err(error) => return Err(Surprise::new(format!("no HTTP request: {error}"))),
    }
    let method = match request.method {
        Some("HEAD") => Method::Head,
        Some("CONNECT") => Method::Connect,
        _ => Method::Other,
    };
    Ok((method, Meaning::of(request.headers)?))
}

fn parsed_reply(head: &[u8]) -> Result<(u16, Meaning), Surprise> {
    let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut reply, head, &mut headers) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Surprise::new("a reply that breaks off")),
        Err(error) => return Err(Surprise::new(format!("no HTTP reply: {error}"))),
    }
    Ok((reply.code.unwrap_or_default(), Meaning::of(reply.headers)?))
}

impl Meaning {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, Surprise> {
        let is_event_stream = headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case("content-type") && header.value.starts_with(b"text/event-stream")
        });
        Ok(Self { lengths: Lengths::read(headers)?, is_event_stream })
    }
}

/// The headers that say where a body ends.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    length: Option<u64>,
    /// There is a transfer coding.
    coded: bool,
    /// The last transfer coding is `chunked`.
    chunked: bool,
}

impl Lengths {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, Surprise> {
        let mut lengths = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                for text in header.value.split(|byte| *byte == b',') {
                    let length = decimal(text.trim_ascii())
                        .ok_or_else(|| Surprise::new("a content-length that is no number"))?;
                    if lengths.length.is_some_and(|other| other != length) {
                        return Err(Surprise::new("two lengths for one body"));
                    }
                    lengths.length = Some(length);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                lengths.coded = true;
                let last = header.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                lengths.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            }
        }
        Ok(lengths)
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: &[&str] = &[
        "GET / HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\n\r\n",
        "HEAD /b?x=1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n",
        "PUT /c HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n",
        "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /a HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "G\"T / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /<> HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
        "GET HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost a\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
    ];

    const REPLIES: &[&str] = &[
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 204\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n",
        "HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 20 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 2000 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 200 O\u{e9}\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1  200 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 3\n\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
        "HTTX/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
    ];

    fn said<T: std::fmt::Debug>(result: Result<T, Surprise>) -> String {
        match result {
            Ok(result) => format!("{result:?}"),
            Err(surprise) => surprise.reason.into_owned(),
        }
    }

    #[test]
    fn what_was_said_before_changes_nothing() {
        for (first, second) in pairs(REQUESTS) {
            let mut heads = Heads::default();
            let _ = heads.request(first);
            let anew = said(Heads::default().request(second));
            assert_eq!(said(heads.request(second)), anew, "{second:?} behind {first:?}");
        }
        for (first, second) in pairs(REPLIES) {
            for method in [Method::Head, Method::Connect, Method::Other] {
                let mut heads = Heads::default();
                let _ = heads.reply(first, Method::Other);
                let anew = said(Heads::default().reply(second, method));
                assert_eq!(said(heads.reply(second, method)), anew, "{second:?} behind {first:?}");
            }
        }
    }

    #[test]
    fn a_head_ends_where_its_headers_are_known_to_end() {
        for (first, second) in pairs(REQUESTS).chain(pairs(REPLIES)) {
            let mut heads = Heads::default();
            heads.remember(first, Meaning::default());
            let behind = [second, b"more\r\n\r\n"].concat();
            assert!(heads.n_known(&behind).is_none_or(|n_known| n_known == second.len()), "{second:?}");
            assert_eq!(heads.n_known(first), Some(first.len()), "{first:?}");
        }
    }

    fn pairs(heads: &'static [&'static str]) -> impl Iterator<Item = (&'static [u8], &'static [u8])> {
        let each = heads.iter().map(|head| head.as_bytes());
        each.clone().flat_map(move |first| each.clone().map(move |second| (first, second)))
    }
}
