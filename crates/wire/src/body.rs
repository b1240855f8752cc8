//! A body's bytes to what they mean: unpacked, in characters, and as a value where its type says how.
//!
//! The same reading serves both the seams and the `http` step, so that a test and a recording of the same
//! answer never disagree.

use crate::mail::Attachment;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use mail_parser::{MessageParser, MimeHeaders as _};
use seam_value::{Map, Value, parse};
use std::borrow::Cow;
use std::io::Read;

/// The most that a compressed body may unpack to, for callers without a wish of their own.
pub const MAX_UNPACKED: usize = 64 * 1024 * 1024;

/// What a body means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// JSON decoded, a form as a map (a file in it with name, content_type and content), other text as text, what is no text as `{ base64: … }`; null where
    /// there is no body.
    pub value: Value,
    /// The body as text, unpacked but otherwise as it was sent; null where it is no text.
    pub text: Value,
    /// Is it only the beginning, because it unpacks to more than asked for or its packing breaks off?
    pub cut: bool,
}

/// Reads a body. `content_type` and `content_encoding` are those headers' values; `most` bounds in bytes what
/// it may unpack to. It never fails: what is not as its headers say stays as it is, text or base64.
pub fn decode(content_type: Option<&str>, content_encoding: Option<&str>, bytes: &[u8], most: usize) -> Body {
    if bytes.is_empty() {
        return Body { value: Value::Null, text: Value::text(""), cut: false };
    }
    let Some((unpacked, cut)) = unpack(content_encoding.unwrap_or_default(), bytes, most) else {
        return Body { value: in_base64(bytes), text: Value::Null, cut: false };
    };
    let media = Media::read(content_type.unwrap_or_default());
    if let Some(fields) = media.is_multipart().then(|| fields(content_type.unwrap_or_default(), &unpacked)) {
        let text = to_text(&unpacked, None, cut).map_or(Value::Null, Value::text);
        return Body { value: Value::Map(fields), text, cut };
    }
    let Some(text) = to_text(&unpacked, media.charset, cut) else {
        return Body { value: in_base64(&unpacked), text: Value::Null, cut };
    };
    let value = match media.form() {
        Form::Json => parse(&text).ok(),
        Form::Pairs => Some(pairs(&text)),
        Form::Unsaid if text.trim_start().starts_with(['{', '[']) => parse(&text).ok(),
        Form::Unsaid | Form::Text => None,
    };
    let text = text.into_owned();
    Body { value: value.unwrap_or_else(|| Value::text(text.clone())), text: Value::Text(text), cut }
}

/// A text's bytes as its type says they are sent: by the charset that is said, else UTF-8. What the charset has no letter for
/// is a question mark; `utf-16` alone is big-endian behind its mark (RFC 2781, 4.3).
pub fn in_charset<'a>(text: &'a str, content_type: Option<&str>) -> Cow<'a, [u8]> {
    let charset = content_type.and_then(|content_type| Media::read(content_type).charset);
    let Some(label) = charset else { return text.as_bytes().into() };
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding == UTF_16LE && label.eq_ignore_ascii_case("utf-16") => {
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect()
        }
        Some(encoding) if encoding == UTF_16LE => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Some(encoding) if encoding == UTF_16BE => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Some(encoding) => {
            let lacks = |text: &str| encoding.encode(text).2;
            if !lacks(text) {
                return encoding.encode(text).0;
            }
            let or_mark = |letter: char| if lacks(letter.encode_utf8(&mut [0; 4])) { '?' } else { letter };
            let said: String = text.chars().map(or_mark).collect();
            encoding.encode(&said).0.into_owned().into()
        }
        None => text.as_bytes().into(),
    }
}

/// `a=1&b=2` as a map, decoded; a key that comes again has a list.
pub fn pairs(text: &str) -> Value {
    let mut map = Map::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(&mut map, unescape(key), Value::Text(unescape(value)));
    }
    Value::Map(map)
}

/// Bytes of which nothing is known: as they are where they are UTF-8, else `{ base64: … }`; and their text.
pub(crate) fn text_or_base64(bytes: &[u8], cut: bool) -> (Value, Value) {
    match utf8(bytes, cut) {
        Some(text) => (Value::text(text), Value::text(text)),
        None => (in_base64(bytes), Value::Null),
    }
}

/// The mark of what is no text.
pub(crate) fn in_base64(bytes: &[u8]) -> Value {
    Value::map([("base64", Value::Text(STANDARD.encode(bytes)))])
}

/// The bytes that such a mark stands for; none where it is none.
pub fn from_base64(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_map().filter(|map| map.len() == 1)?.get("base64")?.as_text()?;
    STANDARD.decode(text).ok()
}

/// Adds a value under a key; one that comes again makes it a list.
fn add(map: &mut Map, key: String, value: Value) {
    match map.get_mut(&key) {
        None => {
            map.insert(key, value);
        }
        Some(Value::List(list)) => list.push(value),
        Some(first) => *first = Value::List(vec![std::mem::take(first), value]),
    }
}

/// The fields of `multipart/form-data`: texts, and files as `name`, `content_type` and `content`.
fn fields(content_type: &str, body: &[u8]) -> Map {
    let mail = [b"Content-Type: ", content_type.as_bytes(), b"\r\n\r\n", body].concat();
    let mut map = Map::default();
    let Some(message) = MessageParser::default().parse(&mail) else { return map };
    for part in &message.parts {
        let Some(found) = part.content_disposition() else { continue };
        let Some(name) = found.attribute("name") else { continue };
        let value = match found.attribute("filename") {
            Some(_) => Attachment::read(part).to_value(),
            None => text_or_base64(part.contents(), false).0,
        };
        add(&mut map, name.to_owned(), value);
    }
    map
}

fn unescape(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// What a `content-type` says.
struct Media<'a> {
    essence: String,
    charset: Option<&'a str>,
}

/// How a body is to be read.
enum Form {
    Json,
    Pairs,
    Text,
    /// There is no type, or one that says nothing.
    Unsaid,
}

impl<'a> Media<'a> {
    fn read(content_type: &'a str) -> Self {
        let mut parts = content_type.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
        Self { essence, charset }
    }

    fn is_multipart(&self) -> bool {
        self.essence == "multipart/form-data"
    }

    fn form(&self) -> Form {
        match self.essence.as_str() {
            "application/x-www-form-urlencoded" => Form::Pairs,
            "" | "application/octet-stream" => Form::Unsaid,
            json if json.ends_with("/json") || json.ends_with("+json") => Form::Json,
            _ => Form::Text,
        }
    }
}

/// The characters: by the charset that was said, or UTF-8. `None` where they are none.
fn to_text<'a>(bytes: &'a [u8], charset: Option<&str>, cut: bool) -> Option<Cow<'a, str>> {
    if let Some(encoding) = charset.and_then(|label| Encoding::for_label(label.as_bytes()))
        && encoding != encoding_rs::UTF_8
    {
        // A mark at the beginning says more than the type does.
        let (text, _, had_errors) = encoding.decode(bytes);
        return (!had_errors || cut).then_some(text);
    }
    utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), cut).map(Cow::Borrowed)
}

/// As UTF-8; where the bytes are cut off, the last character may be incomplete and is left out.
fn utf8(bytes: &[u8], cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// Undoes the content encodings, the last one first. `None` where one is not known or nothing could be
/// unpacked; the flag says that it is only the beginning.
fn unpack<'a>(encodings: &str, bytes: &'a [u8], most: usize) -> Option<(Cow<'a, [u8]>, bool)> {
    let mut unpacked = Cow::Borrowed(bytes);
    let mut cut = false;
    for encoding in encodings.rsplit(',') {
        let (next, is_cut) = match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => read_some(flate2::read::MultiGzDecoder::new(&*unpacked), most)?,
            "deflate" => read_some(flate2::read::ZlibDecoder::new(&*unpacked), most)
                // Some senders mean deflate without the frame that the standard asks for.
                .or_else(|| read_some(flate2::read::DeflateDecoder::new(&*unpacked), most))?,
            "br" => read_some(brotli_decompressor::Decompressor::new(&*unpacked, 4096), most)?,
            _ => return None,
        };
        cut |= is_cut;
        unpacked = Cow::Owned(next);
    }
    Some((unpacked, cut))
}

/// Reads up to `most` bytes; an error after the first bytes means that the rest is missing.
fn read_some(mut packed: impl Read, most: usize) -> Option<(Vec<u8>, bool)> {
    let mut unpacked = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match packed.read(&mut chunk) {
            Ok(0) => return Some((unpacked, false)),
            Ok(n_read) => {
                let n_kept = n_read.min(most - unpacked.len());
                unpacked.extend_from_slice(&chunk[..n_kept]);
                if n_kept < n_read {
                    return Some((unpacked, true));
                }
            }
            Err(_) if unpacked.is_empty() => return None,
            Err(_) => return Some((unpacked, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn said_in_the_letters_of_its_type() {
        for (content_type, text, bytes) in [
            (None, "é☃", "é☃".as_bytes()),
            (Some("text/plain"), "é", "é".as_bytes()),
            (Some("text/plain; charset=iso-8859-1"), "é☃x", b"\xe9?x"),
            (Some("application/json; charset=shift_jis"), "\"ｱ\"", b"\"\xb1\""),
            (Some("text/plain; charset=utf-16"), "a", b"\xfe\xff\0a"),
            (Some("text/plain; charset=utf-16le"), "a☃", b"a\0\x03\x26"),
            (Some("text/plain; charset=utf-16be"), "a", b"\0a"),
            (Some("text/plain; charset=no-such"), "é", "é".as_bytes()),
        ] {
            let said = in_charset(text, content_type);
            assert_eq!(said, bytes, "{content_type:?} {text}");
            if !said.contains(&b'?') {
                let read = decode(content_type, None, &said, 1000);
                assert_eq!(read.text, Value::text(text), "{content_type:?} {text}");
            }
        }
    }

    #[test]
    fn by_its_type() {
        for (content_type, bytes, value) in [
            (Some("application/json"), &br#"{"a":1.50}"#[..], r#"{"a":1.50}"#),
            (Some("application/problem+json; charset=utf-8"), b"[1]", "[1]"),
            (Some("application/json"), b"\xef\xbb\xbf{}", "{}"),
            (Some("application/json"), b"{not json", r#""{not json""#),
            (
                Some("application/x-www-form-urlencoded"),
                b"a=1&b=x+y%21&a=2&c",
                r#"{"a":["1","2"],"b":"x y!","c":""}"#,
            ),
            (Some("text/plain"), b"{\"a\":1}", r#""{\"a\":1}""#),
            (Some("application/xml"), b"<a/>", r#""<a/>""#),
            (Some("text/plain; charset=\"ISO-8859-1\""), b"caf\xe9", r#""café""#),
            (
                Some("multipart/form-data; boundary=b"),
                b"--b\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\n\xc3\xa4\r\n--b\r\n\
                Content-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\
                Content-Type: application/x-a\r\n\r\n\x00\xff\r\n--b--\r\n",
                r#"{"k":"ä","f":{"name":"a.bin","content_type":"application/x-a","content":{"base64":"AP8="}}}"#,
            ),
            (Some("image/png"), b"\x89PNG\xff", r#"{"base64":"iVBOR/8="}"#),
            (None, b"{\"a\":1}", r#"{"a":1}"#),
            (None, b"plain", r#""plain""#),
            (None, b"\xff", r#"{"base64":"/w=="}"#),
            (Some("application/json"), b"", "null"),
        ] {
            let body = decode(content_type, None, bytes, MAX_UNPACKED);
            assert_eq!(body.value.to_string(), value, "{content_type:?}");
            assert!(!body.cut);
        }
    }

    #[test]
    fn unpacked_first() {
        let json = br#"{"a":1}"#;
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(json).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(json).unwrap();
        // `{"a":1}` as an uncompressed meta-block of brotli.
        let brotli = [&[0x0b, 0x03, 0x80][..], json, &[0x03]].concat();
        for (encoding, packed) in [
            ("gzip", gzip(json)),
            ("X-GZIP", gzip(json)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("br", brotli),
            ("gzip, gzip", gzip(&gzip(json))),
            ("identity", json.to_vec()),
        ] {
            let body = decode(Some("application/json"), Some(encoding), &packed, MAX_UNPACKED);
            assert_eq!(body.value.to_string(), r#"{"a":1}"#, "{encoding}");
            assert_eq!(body.text, Value::text(r#"{"a":1}"#));
        }
    }

    #[test]
    fn what_cannot_be_unpacked_whole() {
        let long = vec![b'x'; 100_000];
        let bomb = decode(Some("text/plain"), Some("gzip"), &gzip(&long), 1000);
        assert!(bomb.cut);
        assert_eq!(bomb.text, Value::text("x".repeat(1000)));
        let packed =
            gzip(&(0u32..50_000).flat_map(u32::to_be_bytes).map(|byte| byte & 0x7f).collect::<Vec<_>>());
        let half = decode(Some("text/plain"), Some("gzip"), &packed[..packed.len() / 2], MAX_UNPACKED);
        assert!(half.cut && half.text != Value::Null);
        let unknown = decode(Some("text/plain"), Some("zstd"), b"abc", MAX_UNPACKED);
        assert_eq!(unknown.value.to_string(), r#"{"base64":"YWJj"}"#);
        let wrong = decode(Some("text/plain"), Some("gzip"), b"abc", MAX_UNPACKED);
        assert_eq!(wrong.text, Value::Null);
    }
}
