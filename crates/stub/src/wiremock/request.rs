//! An HTTP request as WireMock sees it: address, headers, cookies, forms and parts, each worked out when it is asked for.

use super::parts::{Part, parts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use seam_value::{Map, Value};
use seam_wire::{Asked, Glance};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::OnceLock;

/// How many headers one head may have.
const MAX_HEADERS: usize = 256;

/// All that listens does so on loopback.
const CLIENT: Cow<'static, str> = Cow::Borrowed("127.0.0.1");

/// A request that was received.
#[derive(Debug, Default)]
pub struct Request {
    /// `GET`
    pub method: String,
    /// Path and query as sent.
    pub url: String,
    /// `http` or `https`.
    pub scheme: Cow<'static, str>,
    /// The name by which it was asked, without the port.
    pub host: String,
    /// The port by which it was asked; -1 where none is known.
    pub port: i32,
    /// From where it was asked.
    pub client_ip: Cow<'static, str>,
    /// `HTTP/1.1`
    pub protocol: Cow<'static, str>,
    /// Headers in the order in which they were sent.
    pub headers: Vec<(String, String)>,
    /// The body without transfer encoding.
    pub body: Vec<u8>,
    /// When it was received.
    pub at: Timestamp,
    unpacked: OnceLock<Vec<u8>>,
    query: OnceLock<Pairs>,
    form: OnceLock<Pairs>,
    parts: OnceLock<Vec<Part>>,
}

/// Names with their values, in order.
pub(crate) type Pairs = Vec<(String, Vec<String>)>;

impl Request {
    /// Of its parts.
    pub fn new(method: impl Into<String>, url: &str, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let mut request = Self {
            method: method.into(),
            scheme: Cow::Borrowed("http"),
            port: -1,
            protocol: Cow::Borrowed("HTTP/1.1"),
            headers,
            body,
            ..Self::default()
        };
        request.take_target(url);
        if request.host.is_empty()
            && let Some(host) = request.header("host").map(str::to_owned)
        {
            request.take_authority(&host);
        }
        request
    }

    /// What a seam was asked: from the bytes where they are HTTP/1, else from what was read of them.
    pub fn of(asked: &Asked<'_>, at: Timestamp) -> Self {
        // What is in chunks was put together already by whoever read it.
        let unchunked = || Some(body_of(asked.request));
        let read = Self::of_bytes(asked.bytes, unchunked).unwrap_or_else(|| Self::of_fields(asked.request));
        Self { client_ip: CLIENT, at, ..read }
    }

    /// What a seam was asked and nobody has read yet; none where it must be read.
    pub fn at_a_glance(glance: Glance<'_>, at: Timestamp) -> Option<Self> {
        let read = Self::of_bytes(glance.bytes?, || None)?;
        Some(Self { client_ip: CLIENT, at, ..read })
    }

    fn of_bytes(bytes: &[u8], unchunked: impl FnOnce() -> Option<Vec<u8>>) -> Option<Self> {
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut room);
        let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
        let headers: Vec<(String, String)> = head
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
            .collect();
        let chunked = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value.to_ascii_lowercase().contains("chunked")
        });
        let body = if chunked { unchunked()? } else { bytes[length..].to_vec() };
        Some(Self::new(head.method?, head.path?, headers, body))
    }

    /// Of the fields of a request in HTTP, as interactions have them.
    pub fn of_fields(read: &Value) -> Self {
        let text = |name: &str| read.get(name).and_then(Value::as_text).unwrap_or_default();
        let headers =
            read.get("headers").and_then(Value::as_map).into_iter().flatten().flat_map(|(name, value)| {
                let values = value.as_list().unwrap_or(std::slice::from_ref(value));
                values.iter().map(|value| (name.clone(), value.to_plain_text())).collect::<Vec<_>>()
            });
        let mut url = text("path").to_owned();
        for (name, value) in read.get("query").and_then(Value::as_map).into_iter().flatten() {
            for value in value.as_list().unwrap_or(std::slice::from_ref(value)) {
                url.push(if url.contains('?') { '&' } else { '?' });
                let _ = write!(url, "{}={}", escape(name), escape(&value.to_plain_text()));
            }
        }
        Self::new(text("method"), &url, headers.collect(), body_of(read))
    }

    /// A request as clients send it to be compared (`near-misses/request`).
    pub(crate) fn of_json(value: &Value) -> Self {
        let text =
            |name: &str| value.get(name).filter(|value| **value != Value::Null).map(Value::to_plain_text);
        let headers =
            value.get("headers").and_then(Value::as_map).into_iter().flatten().flat_map(|(name, value)| {
                let values = value.as_list().unwrap_or(std::slice::from_ref(value));
                values.iter().map(|value| (name.clone(), value.to_plain_text())).collect::<Vec<_>>()
            });
        let body = match text("bodyAsBase64").filter(|coded| !coded.is_empty()) {
            Some(coded) => STANDARD.decode(coded).unwrap_or_default(),
            None => text("body").unwrap_or_default().into_bytes(),
        };
        let mut request = Self::new(
            text("method").unwrap_or_default(),
            &text("url").unwrap_or_default(),
            headers.collect(),
            body,
        );
        if let Some(url) = text("absoluteUrl") {
            let own = std::mem::take(&mut request.url);
            request.take_target(&url);
            request.url = own;
        }
        if let Some(host) = text("host") {
            request.host = host;
        }
        if let Some(port) = value.get("port").and_then(Value::as_i64) {
            request.port = i32::try_from(port).unwrap_or(-1);
        }
        if let Some(scheme) = text("scheme") {
            request.scheme = scheme.into();
        }
        request.client_ip = text("clientIp").unwrap_or_default().into();
        request
    }

    /// The target of the request line: path and query, or a whole address as proxies are asked.
    fn take_target(&mut self, target: &str) {
        let whole = target.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?']));
        let Some((scheme, rest)) = whole else {
            // A question mark with nothing behind it asks nothing.
            target.strip_suffix('?').unwrap_or(target).clone_into(&mut self.url);
            return;
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        self.scheme = Cow::Owned(scheme.to_owned());
        self.take_authority(&rest[..at]);
        self.url =
            if rest[at..].starts_with('/') { rest[at..].to_owned() } else { format!("/{}", &rest[at..]) };
    }

    fn take_authority(&mut self, authority: &str) {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()) => {
                (host, port.parse().unwrap_or(-1))
            }
            _ => (authority, if self.scheme == "https" { 443 } else { 80 }),
        };
        host.clone_into(&mut self.host);
        self.port = port;
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub(crate) fn header_values(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }

    /// The whole address.
    pub(crate) fn absolute_url(&self) -> String {
        let usual = if self.scheme == "https" { 443 } else { 80 };
        let port =
            if self.port < 0 || self.port == usual { String::new() } else { format!(":{}", self.port) };
        format!("{}://{}{port}{}", self.scheme, self.host, self.url)
    }

    /// The body, unpacked where it was sent packed.
    pub(crate) fn bytes(&self) -> &[u8] {
        let Some(encoding) = self.header("content-encoding") else { return &self.body };
        self.unpacked.get_or_init(|| {
            let read = seam_wire::body::decode(
                Some("application/octet-stream"),
                Some(encoding),
                &self.body,
                seam_wire::body::MAX_UNPACKED,
            );
            match read.text {
                Value::Text(text) => text.into_bytes(),
                _ => base64_of(&read.value).unwrap_or_else(|| self.body.clone()),
            }
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        let bytes = self.bytes();
        let media = if bytes.is_ascii() { None } else { self.header("content-type") };
        match media.and_then(charset) {
            Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
            None => String::from_utf8_lossy(bytes),
        }
    }

    /// The query, decoded.
    pub(crate) fn query(&self) -> &Pairs {
        self.query.get_or_init(|| {
            let query = self.url.split_once('?').map_or("", |(_, query)| query);
            pairs(query.split('#').next().unwrap_or_default())
        })
    }

    /// The fields of a form in the body.
    pub(crate) fn form(&self) -> &Pairs {
        self.form.get_or_init(|| {
            let is_form = self.header("content-type").is_some_and(|kind| {
                kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
            });
            if is_form { pairs(&self.text()) } else { Vec::new() }
        })
    }

    /// Is the body made of parts?
    pub(crate) fn is_multipart(&self) -> bool {
        let is_said = |kind: &str| kind.to_ascii_lowercase().starts_with("multipart/");
        self.header("content-type").is_some_and(is_said) && !self.parts().is_empty()
    }

    /// The parts of the body.
    pub(crate) fn parts(&self) -> &[Part] {
        self.parts.get_or_init(|| {
            self.header("content-type").map_or_else(Vec::new, |kind| parts(kind, self.bytes()))
        })
    }

    /// The cookies by name.
    pub(crate) fn cookies(&self) -> Pairs {
        let mut all = Vec::new();
        for header in self.header_values("cookie") {
            for (name, value) in header.split(';').filter_map(|pair| pair.split_once('=')) {
                add(&mut all, name.trim().to_owned(), value.trim().trim_matches('"').to_owned());
            }
        }
        all
    }

    /// The fields of a request in HTTP, as interactions have them.
    pub(crate) fn to_fields(&self) -> Value {
        let mut headers = Map::default();
        for (name, _) in &self.headers {
            let name = name.to_ascii_lowercase();
            let values = self.header_values(&name);
            headers.entry(name).or_insert_with(|| Value::Text(values.join(", ")));
        }
        let read = seam_wire::body::decode(
            self.header("content-type"),
            None,
            self.bytes(),
            seam_wire::body::MAX_UNPACKED,
        );
        Value::map([
            ("method", Value::text(&self.method)),
            ("path", Value::text(self.path())),
            (
                "query",
                Value::map(self.query().iter().map(|(name, values)| {
                    (name.clone(), one_or_list(&values.iter().map(String::as_str).collect::<Vec<_>>()))
                })),
            ),
            ("headers", Value::Map(headers)),
            ("body", read.value),
            ("text", read.text),
        ])
    }

    /// As WireMock's journal shows it.
    pub(crate) fn to_value(&self) -> Value {
        let mut headers = Map::default();
        for (name, _) in &self.headers {
            if !headers.keys().any(|known: &String| known.eq_ignore_ascii_case(name)) {
                headers.insert(name.clone(), one_or_list(&self.header_values(name)));
            }
        }
        let cookies = self.cookies();
        let cookies = cookies.iter().map(|(name, values)| {
            (name.clone(), one_or_list(&values.iter().map(String::as_str).collect::<Vec<_>>()))
        });
        let pairs = |pairs: &Pairs| {
            Value::map(pairs.iter().map(|(key, values)| {
                let values: Vec<Value> = values.iter().map(Value::text).collect();
                (key.clone(), Value::map([("key", Value::text(key)), ("values", Value::List(values))]))
            }))
        };
        let millis = self.at.as_millisecond();
        Value::map([
            ("url", Value::text(&self.url)),
            ("absoluteUrl", Value::Text(self.absolute_url())),
            ("method", Value::text(&self.method)),
            ("clientIp", Value::text(&*self.client_ip)),
            ("headers", Value::Map(headers)),
            ("cookies", Value::map(cookies)),
            ("browserProxyRequest", Value::Bool(false)),
            ("loggedDate", Value::from(millis)),
            ("bodyAsBase64", Value::Text(STANDARD.encode(self.bytes()))),
            ("body", Value::Text(self.text().into_owned())),
            ("protocol", Value::text(&*self.protocol)),
            ("scheme", Value::text(&*self.scheme)),
            ("host", Value::text(&self.host)),
            ("port", Value::from(i64::from(self.port))),
            ("loggedDateString", Value::Text(iso_millis(self.at))),
            ("queryParams", pairs(self.query())),
            ("formParams", pairs(self.form())),
        ])
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        512 + self.url.len() + headers + self.body.len()
    }
}

/// A moment with milliseconds, as WireMock writes it.
pub(crate) fn iso_millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Names and values of a query or form; one that comes again has several values.
pub(crate) fn pairs(text: &str) -> Pairs {
    let mut all = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(&mut all, unescape(name), unescape(value));
    }
    all
}

fn add(all: &mut Pairs, name: String, value: String) {
    match all.iter_mut().find(|(known, _)| *known == name) {
        Some((_, values)) => values.push(value),
        None => all.push((name, vec![value])),
    }
}

/// The charset of a media type, where it says one that is not UTF-8's.
fn charset(media: &str) -> Option<&'static encoding_rs::Encoding> {
    let said = media.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })?;
    encoding_rs::Encoding::for_label(said.as_bytes()).filter(|encoding| *encoding != encoding_rs::UTF_8)
}

/// What a query or form escapes.
pub(crate) fn unescape(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The bytes of a body as the protocol's fields have it.
fn body_of(read: &Value) -> Vec<u8> {
    match (read.get("text"), read.get("body")) {
        (Some(Value::Text(text)), _) => text.clone().into_bytes(),
        (_, Some(body)) => base64_of(body).unwrap_or_else(|| match body {
            Value::Null => Vec::new(),
            other => other.to_plain_text().into_bytes(),
        }),
        _ => Vec::new(),
    }
}

/// The bytes of `{ base64: … }`.
pub(crate) fn base64_of(value: &Value) -> Option<Vec<u8>> {
    let map = value.as_map().filter(|map| map.len() == 1)?;
    STANDARD.decode(map.get("base64")?.as_text()?).ok()
}

/// One value as it is, several as a list.
pub(crate) fn one_or_list(values: &[&str]) -> Value {
    match values {
        [one] => Value::text(*one),
        several => Value::List(several.iter().map(|value| Value::text(*value)).collect()),
    }
}
