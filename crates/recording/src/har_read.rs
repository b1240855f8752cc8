//! Reads HAR, the archive of HTTP that browsers and proxies write, as recordings.
//!
//! Each program leaves out something else: what was sent where it was no text, what was answered where nobody looked at
//! it, whatever never came to an answer. What is not there is not made up: what was sent then is no condition, and what
//! is answered without its body, or not at all, is told with the entry's number ([`Noted`]).

use crate::har_noted::{Note, Noted, Notes};
use crate::learn::learn_alone;
use crate::normal::normal;
use crate::read::Around;
use crate::recording::{Recorded, Recording, seam_of};
use crate::volatile::Volatile;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use seam_event::{Endpoint, SeamId};
use seam_value::{Map, Value};
use seam_wire::body;
use std::path::{Component, Path};
use std::time::Duration;

/// Of a browser's many headers those that say what is asked.
const ASKING: &[&str] = &["accept", "accept-language", "authorization", "content-type", "range", "x-api-key"];

/// Of these what another program asks for the same with: they choose where the same was asked with several, and shut
/// nobody out. (The type of a form with files has another boundary each time.)
const PREFERRED: &[&str] = &["accept", "accept-language", "content-type"];

/// The type of a form without files.
const FORM: &str = "application/x-www-form-urlencoded";

/// What programs write where they took what is no text for text.
const SPOILED: char = '\u{fffd}';

/// Some leave its last signs out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a text is no HAR.
#[derive(Debug, thiserror::Error)]
pub enum HarError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NoJson(#[from] seam_value::JsonError),
    /// It has no entries.
    #[error("it has no `log.entries`")]
    NoEntries,
}

/// What an archive holds.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// A recording for each host that was asked, or for each seam where we wrote it ourselves.
    pub recordings: Vec<Recording>,
    /// What is not in it, and what that means for whoever answers from it.
    pub noted: Vec<Noted>,
}

/// Reads a HAR. Some programs keep bodies in files beside it.
pub fn from_har(text: &str, around: &Around<'_>) -> Result<Archive, HarError> {
    let har = seam_value::parse(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let entries = har.get("log").and_then(|log| log.get("entries")).and_then(Value::as_list);
    let mut recordings: Vec<Recording> = Vec::new();
    let mut notes = Notes::default();
    for (number, entry) in (1..).zip(entries.ok_or(HarError::NoEntries)?) {
        let mut reader = Reader { entry, around, noted: Vec::new() };
        let read = reader.entry();
        notes.add(number, reader.noted);
        let Some((seam, mut recorded)) = read else { continue };
        recorded.number = number;
        let messages = messages(entry, &mut recorded);
        let mut read: Vec<Recorded> = [recorded].into_iter().chain(messages).collect();
        if is_ours(entry).is_none() {
            read.iter_mut().filter(|one| one.number == number).for_each(prefer);
        }
        if let Some(known) = recordings.iter_mut().find(|known| known.seam == seam) {
            known.interactions.extend(read);
        } else {
            let (protocol, volatile) = ("http".to_owned(), Vec::new());
            recordings.push(Recording { seam, protocol, volatile, interactions: read });
        }
    }
    recordings.iter_mut().for_each(learn_alone);
    Ok(Archive { recordings, noted: notes.in_order() })
}

/// The seam on which it passed, where we have written it.
fn is_ours(entry: &Value) -> Option<SeamId> {
    entry.get("_seam").and_then(Value::as_text).and_then(seam_of)
}

fn prefer(recorded: &mut Recorded) {
    let headers = recorded.request.get("headers").and_then(Value::as_map);
    let said = |name: &&&str| headers.is_some_and(|headers| headers.contains_key(**name));
    let paths = PREFERRED.iter().filter(said).map(|name| ["request", "headers", name].map(str::to_owned));
    let volatile: Vec<Volatile> = paths.map(|path| Volatile::of(&path, true)).collect();
    recorded.volatile.extend(volatile);
}

/// Reads one entry.
struct Reader<'a> {
    entry: &'a Value,
    around: &'a Around<'a>,
    noted: Vec<Note>,
}

/// A body of which an archive may hold nothing.
enum Kept {
    Bytes(Vec<u8>),
    /// As a browser shows it, whatever its letters were sent as.
    Text(String),
    /// The fields of a form.
    Form(String),
    /// There was none.
    Nothing,
    /// There was one, or may have been.
    Unknown,
}

impl Reader<'_> {
    fn entry(&mut self) -> Option<(SeamId, Recorded)> {
        let Some((seam, asked, volatile)) = self.request() else {
            self.noted.push(Note::NoRequest);
            return None;
        };
        let entry = self.entry;
        if entry.get("_cut") == Some(&Value::Bool(true)) {
            self.noted = vec![Note::Beginning];
            return None;
        }
        let reply = self.response(&asked);
        if reply == Value::Null && is_ours(entry).is_none() {
            self.noted = vec![Note::NoResponse];
            return None;
        }
        let text = |name: &str| entry.get(name).and_then(Value::as_text).map(str::to_owned);
        let elapsed = match entry.get("time") {
            Some(Value::Number(number)) => Duration::try_from_secs_f64(number.as_f64() / 1000.0).ok(),
            _ => None,
        };
        let error = || text("_error").unwrap_or_else(|| "closed".to_owned());
        let recorded = Recorded {
            test: text("_test"),
            request: normal("http", &Value::Map(asked)),
            error: (reply == Value::Null).then(error),
            reply: normal("http", &reply),
            elapsed,
            volatile,
            ..Recorded::default()
        };
        Some((seam, recorded))
    }

    fn request(&mut self) -> Option<(SeamId, Map, Vec<Volatile>)> {
        let request = self.entry.get("request")?;
        let (scheme, rest) = request.get("url")?.as_text()?.split_once("://")?;
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https" | "ws" | "wss") {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let own = is_ours(self.entry);
        let ours = own.is_some();
        let seam = own.unwrap_or_else(|| SeamId {
            consumer: "client".into(),
            provider: slug(authority).as_str().into(),
            endpoint: Endpoint::main(),
        });
        let mut asked = Map::default();
        let method = request.get("method")?.as_text().filter(|method| !method.is_empty())?;
        asked.insert("method".to_owned(), Value::text(method));
        asked.insert("path".to_owned(), Value::text(if path.is_empty() { "/" } else { path }));
        asked.insert("query".to_owned(), body::pairs(query));
        let mut headers = read_headers(request);
        let n_sent =
            headers.get("content-length").and_then(Value::as_text).and_then(|text| text.parse().ok());
        // A browser says much about itself; what our own seams saw is kept as it was.
        headers.retain(|name, _| ours || ASKING.contains(&name.as_str()));
        let mut volatile = Vec::new();
        match self.sent(request, n_sent) {
            Kept::Unknown => {
                self.noted.push(Note::UnknownRequest);
                asked.insert("body".to_owned(), Value::Null);
                volatile.push(Volatile::of(&["request", "body"].map(str::to_owned), true));
            }
            kept => add_body(&mut asked, &headers, request.get("postData"), kept),
        }
        asked.insert("headers".to_owned(), Value::Map(headers));
        Some((seam, asked, volatile))
    }

    /// What was sent. Browsers keep of it what is text, and write nothing for the rest, or what can't be read.
    fn sent(&mut self, request: &Value, n_sent: Option<u64>) -> Kept {
        let data = request.get("postData");
        let field = |name: &str| data.and_then(|data| data.get(name));
        let packing = field("encoding").or_else(|| field("comment"));
        let text = field("text").and_then(Value::as_text).filter(|text| !text.is_empty());
        match text {
            Some(text) if is_packed(packing) => return unpacked(text),
            Some(text) if text.contains(SPOILED) => return Kept::Unknown,
            Some(text) => return counted(text, request.get("bodySize")),
            None => {}
        }
        if let Some(kept) = data.and_then(|data| self.beside(data)) {
            return kept;
        }
        let media = field("mimeType").and_then(Value::as_text).unwrap_or_default().to_ascii_lowercase();
        let params = field("params").and_then(Value::as_list).unwrap_or_default();
        if !params.is_empty() {
            let is_form = media.is_empty() || media.starts_with(FORM);
            return if is_form { Kept::Form(form(params)) } else { Kept::Unknown };
        }
        let size = request.get("bodySize").and_then(Value::as_i64).unwrap_or(0);
        if size > 0 || n_sent.is_some_and(|n_sent| n_sent > 0) { Kept::Unknown } else { Kept::Nothing }
    }

    fn response(&mut self, asked: &Map) -> Value {
        let Some(response) = self.entry.get("response") else { return Value::Null };
        let status = response.get("status").map(Value::to_plain_text).unwrap_or_default();
        let Some(status) = status.parse::<u64>().ok().filter(|status| (100..1000).contains(status)) else {
            return Value::Null;
        };
        let mut map = Map::default();
        map.insert("status".to_owned(), Value::from(status));
        let mut headers = read_headers(response);
        if headers.is_empty() {
            headers = told_otherwise(response);
        }
        let content = response.get("content");
        let may_have_body = asked.get("method") != Some(&Value::text("HEAD"))
            && !matches!(status, 100..=199 | 204 | 205 | 300..=399);
        let kept = content.map_or(Kept::Nothing, |content| self.answered(content));
        let is_told = self.noted.iter().any(|note| matches!(note, Note::NoFile(_)));
        if matches!(kept, Kept::Unknown) && may_have_body && !is_told && is_ours(self.entry).is_none() {
            self.noted.push(Note::UnknownResponse);
        }
        add_body(&mut map, &headers, content, kept);
        map.insert("headers".to_owned(), Value::Map(headers));
        if status == 101 && self.entry.get("_webSocketMessages").is_none() && is_ours(self.entry).is_none() {
            self.noted.push(Note::SilentSocket);
        }
        Value::Map(map)
    }

    fn answered(&mut self, content: &Value) -> Kept {
        let packing = content.get("encoding");
        match content.get("text").and_then(Value::as_text) {
            Some(text) if is_packed(packing) => return unpacked(text),
            Some(text) if !text.is_empty() => {
                let media = content.get("mimeType").and_then(Value::as_text).unwrap_or_default();
                if text.contains(SPOILED) && !["text/", "json", "xml"].iter().any(|part| media.contains(part))
                {
                    self.noted.push(Note::SpoiledResponse);
                }
                return counted(text, content.get("size"));
            }
            _ => {}
        }
        if let Some(kept) = self.beside(content) {
            return kept;
        }
        let size = content.get("size").and_then(Value::as_i64).unwrap_or(0);
        let is_empty = size == 0 || (size < 0 && content.get("text").is_some());
        if is_empty { Kept::Nothing } else { Kept::Unknown }
    }

    /// What stands in a file beside the archive, where it says so.
    fn beside(&mut self, part: &Value) -> Option<Kept> {
        let path = part.get("_file").and_then(Value::as_text)?;
        if !is_below(path) {
            self.noted.push(Note::Elsewhere(path.to_owned()));
            return Some(Kept::Unknown);
        }
        Some(match (self.around.read_file)(path) {
            // What is text was written as the browser showed it.
            Ok(bytes) => {
                String::from_utf8(bytes).map_or_else(|error| Kept::Bytes(error.into_bytes()), Kept::Text)
            }
            Err(reason) => {
                self.noted.push(Note::NoFile(reason));
                Kept::Unknown
            }
        })
    }
}

/// Can a path only mean what lies below a folder? What others wrote must not make a body of any file of this machine.
fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A text as the bytes that it was, where their number says that a program took each byte for a letter.
fn counted(text: &str, size: Option<&Value>) -> Kept {
    let size = size.and_then(Value::as_i64).and_then(|size| usize::try_from(size).ok());
    let is_utf8 = text.is_ascii() || size.is_none_or(|size| size == text.len());
    let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
    match bytes {
        Some(bytes) if !is_utf8 && size == Some(bytes.len()) => Kept::Bytes(bytes),
        _ => Kept::Text(text.to_owned()),
    }
}

fn is_packed(packing: Option<&Value>) -> bool {
    packing.and_then(Value::as_text).is_some_and(|packing| packing.eq_ignore_ascii_case("base64"))
}

fn unpacked(text: &str) -> Kept {
    let text: String = text.split_whitespace().collect();
    BASE64.decode(text).map_or(Kept::Unknown, Kept::Bytes)
}

/// What stands in a form as it is, as browsers write one.
const AS_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A form of which only the fields were kept, as a browser sends it.
fn form(params: &[Value]) -> String {
    let part = |param: &Value, name: &str| {
        let text = param.get(name).map(Value::to_plain_text).unwrap_or_default();
        percent_encoding::utf8_percent_encode(&text, AS_IS).to_string().replace("%20", "+")
    };
    let pair = |param: &Value| format!("{}={}", part(param, "name"), part(param, "value"));
    params.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// What headers would say, where none were kept.
fn told_otherwise(response: &Value) -> Map {
    let mut map = Map::default();
    let media = response.get("content").and_then(|content| content.get("mimeType"));
    let says = |value: Option<&Value>| value.and_then(Value::as_text).map(str::to_owned);
    if let Some(media) = says(media).filter(|media| media.contains('/')) {
        map.insert("content-type".to_owned(), Value::Text(media));
    }
    if let Some(to) = says(response.get("redirectURL")).filter(|to| !to.is_empty()) {
        map.insert("location".to_owned(), Value::Text(to));
    }
    map
}

fn read_headers(part: &Value) -> Map {
    let mut map = Map::default();
    for header in part.get("headers").and_then(Value::as_list).unwrap_or_default() {
        let (Some(name), Some(value)) = (header.get("name"), header.get("value")) else { continue };
        let name = name.to_plain_text().to_ascii_lowercase();
        // `:method` and its like are HTTP/2's own; some programs write what no header is called.
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        {
            continue;
        }
        // Chrome writes a header that was sent several times as lines, others as a list.
        let sent = value.as_list().unwrap_or(std::slice::from_ref(value));
        let text: Vec<String> = sent.iter().map(Value::to_plain_text).collect();
        let lines = text.iter().flat_map(|text| text.split(['\r', '\n'])).map(str::trim).enumerate();
        for value in
            lines.filter(|(index, line)| *index == 0 || !line.is_empty()).map(|(_, line)| line.to_owned())
        {
            match map.get_mut(&name) {
                Some(Value::List(list)) => list.push(Value::Text(value)),
                Some(Value::Text(first)) => {
                    first.push_str(", ");
                    first.push_str(&value);
                }
                _ if name == "set-cookie" => {
                    map.insert(name.clone(), Value::List(vec![Value::Text(value)]));
                }
                _ => {
                    map.insert(name.clone(), Value::Text(value));
                }
            }
        }
    }
    map
}

fn add_body(part: &mut Map, headers: &Map, content: Option<&Value>, kept: Kept) {
    let media = content.and_then(|content| content.get("mimeType")).and_then(Value::as_text);
    let media = headers.get("content-type").and_then(Value::as_text).or(media);
    let read = match kept {
        Kept::Bytes(bytes) => body::decode(media, None, &bytes, body::MAX_UNPACKED),
        Kept::Text(text) => {
            let media = media.map(without_charset);
            body::decode(media.as_deref(), None, text.as_bytes(), body::MAX_UNPACKED)
        }
        Kept::Form(text) => body::decode(Some(FORM), None, text.as_bytes(), body::MAX_UNPACKED),
        Kept::Nothing | Kept::Unknown => return,
    };
    part.insert("body".to_owned(), read.value);
    part.insert("text".to_owned(), read.text);
}

/// A media type of a text whose letters were read already.
fn without_charset(media: &str) -> String {
    let is_charset = |part: &&str| part.trim_start().to_ascii_lowercase().starts_with("charset=");
    media.split(';').filter(|part| !is_charset(part)).collect::<Vec<_>>().join(";")
}

/// What was said on a WebSocket, as Chromium's programs keep it.
fn messages(entry: &Value, opening: &mut Recorded) -> Vec<Recorded> {
    let Some(said) = entry.get("_webSocketMessages").and_then(Value::as_list) else { return Vec::new() };
    opening.connection = Some(opening.number);
    let path = opening.request.get("path").cloned().unwrap_or_default();
    let message = |said: &Value| {
        let from = match said.get("type").and_then(Value::as_text)? {
            "send" => "consumer",
            "receive" => "provider",
            _ => return None,
        };
        let data = said.get("data").and_then(Value::as_text)?;
        let mut message = Map::default();
        message.insert("path".to_owned(), path.clone());
        message.insert("from".to_owned(), Value::text(from));
        if said.get("opcode").and_then(Value::as_i64) == Some(2) {
            let Kept::Bytes(bytes) = unpacked(data) else { return None };
            message.insert("type".to_owned(), Value::text("binary"));
            let packed = Value::Text(STANDARD.encode(bytes));
            message.insert("body".to_owned(), Value::map([("base64", packed)]));
        } else {
            let read = body::decode(None, None, data.as_bytes(), body::MAX_UNPACKED);
            message.insert("type".to_owned(), Value::text("text"));
            message.insert("body".to_owned(), read.value);
            message.insert("text".to_owned(), read.text);
        }
        let message = normal("http", &Value::Map(message));
        let (number, connection) = (opening.number, opening.connection);
        Some(Recorded { message, connection, number, ..Recorded::default() })
    };
    said.iter().filter_map(message).collect()
}

/// A host as the name of a component.
fn slug(authority: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let name: String = host.chars().map(plain).collect::<String>().to_ascii_lowercase();
    name.trim_matches('-').to_owned()
}
