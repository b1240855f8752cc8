//! Recordings: requests and what was answered to them, made into mappings.

use super::journal::{Event, body_bytes};
use super::mapping::{Mapping, new_id};
use super::place::Place;
use super::request::{Request, unescape};
use super::request_pattern::RequestPattern;
use super::scenarios::STARTED;
use super::wrong::Wrong;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_expr::Chance;
use seam_value::{Map, Value};
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization as _;

/// Headers of an answer that say how it was sent, not what.
const LEFT_OUT: &[&str] =
    &["content-encoding", "content-length", "transfer-encoding", "matched-stub-id", "matched-stub-name"];

const KNOWN: &[&str] = &[
    "targetBaseUrl",
    "filters",
    "captureHeaders",
    "requestBodyPattern",
    "requestBodyPatternFactory",
    "extractBodyCriteria",
    "outputFormat",
    "persist",
    "repeatsAsScenarios",
    "transformers",
    "transformerParameters",
];

/// Is something being recorded?
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) state: State,
    /// What was asked for when it began.
    pub(crate) spec: Value,
    /// The mapping that passes everything on meanwhile.
    pub(crate) proxy: Option<String>,
    /// Which requests were known when it began.
    pub(crate) known: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    NeverStarted,
    Recording,
    Stopped,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NeverStarted => "NeverStarted",
            Self::Recording => "Recording",
            Self::Stopped => "Stopped",
        }
    }
}

impl Recording {
    pub(crate) fn begin(&mut self, spec: Value, proxy: Option<String>, known: Vec<String>) {
        *self = Self { state: State::Recording, spec, proxy, known };
    }
}

/// A file that a mapping names: its name below `__files`, and what stands in it.
pub type BodyFile = (String, Vec<u8>);

/// What of the recorded becomes mappings, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of WireMock's interface")]
pub(crate) struct Spec {
    filters: Option<RequestPattern>,
    ids: Option<Vec<String>>,
    allows_direct: bool,
    capture: Vec<(String, bool)>,
    body: BodyKind,
    pub(crate) is_ids_only: bool,
    pub(crate) persists: bool,
    repeats: bool,
    /// Bodies longer than this go into files: texts, and what is none.
    extract: Option<(u64, u64)>,
    pub(crate) target: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct BodyKind {
    kind: Kind,
    ignores_array_order: Option<bool>,
    ignores_extra: Option<bool>,
    ignores_case: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Auto,
    Text,
    Json,
    Xml,
}

impl Spec {
    pub(crate) fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        place.object("com.github.tomakehurst.wiremock.recording.RecordSpec", KNOWN)?;
        let flag = |name: &str| place.field(name).map(|place| place.boolean()).transpose();
        let mut spec = Self {
            filters: None,
            ids: None,
            allows_direct: false,
            capture: Vec::new(),
            body: BodyKind::read(place)?,
            is_ids_only: false,
            persists: flag("persist")?.unwrap_or(true),
            repeats: flag("repeatsAsScenarios")?.unwrap_or(true),
            extract: read_extract(place)?,
            target: place.field("targetBaseUrl").map(|place| place.text()).transpose()?,
        };
        if let Some(format) = place.field("outputFormat") {
            spec.is_ids_only = format.text()?.eq_ignore_ascii_case("ids");
            if !spec.is_ids_only {
                let upper = Value::Text(format.text()?.to_uppercase());
                if upper.as_text() != Some("FULL") {
                    return Err(format.wrong("Invalid output format"));
                }
            }
        }
        if let Some(filters) = place.field("filters") {
            let mut rest =
                filters.map("com.github.tomakehurst.wiremock.recording.ProxiedServeEventFilters")?.clone();
            spec.allows_direct = match rest.shift_remove("allowNonProxied") {
                Some(flag) => flag == Value::Bool(true),
                None => false,
            };
            spec.ids = rest
                .shift_remove("ids")
                .and_then(|ids| Some(ids.as_list()?.iter().map(Value::to_plain_text).collect()));
            let rest = Value::Map(rest);
            spec.filters = Some(RequestPattern::read(&Place { value: &rest, pointer: filters.pointer })?);
        }
        if let Some(capture) = place.field("captureHeaders") {
            for (name, how) in capture.entries("java.util.Map")? {
                spec.capture
                    .push((name.to_owned(), how.value.get("caseInsensitive") == Some(&Value::Bool(true))));
            }
        }
        Ok(spec)
    }

    fn wants(&self, event: &Event) -> bool {
        (event.is_proxied || self.allows_direct)
            && (event.response.is_some() || event.mapping.is_none())
            && self.filters.as_ref().is_none_or(|filters| filters.matches(&event.request))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&event.id))
    }

    /// The mappings of what was recorded, oldest first, and the files with bodies that are too long for them.
    pub(crate) fn mappings(&self, events: &[Event], chance: &Chance) -> (Vec<Mapping>, Vec<BodyFile>) {
        let wanted = events.iter().filter(|event| self.wants(event));
        let mut made: Vec<(String, Map)> = wanted
            .map(|event| {
                let request = self.request(&event.request);
                // What nothing matched was answered with 404.
                let missing = || Map::from_iter([("status".to_owned(), Value::from(404_i64))]);
                let response = event.response.as_ref();
                let response =
                    response.map_or_else(|| Value::Map(missing()), |response| definition(response));
                let mut map = Map::default();
                map.insert("id".to_owned(), Value::Text(new_id(chance)));
                map.insert("name".to_owned(), Value::Text(name_of(&unescape(event.request.path()))));
                let key = request.to_string();
                map.insert("request".to_owned(), request);
                map.insert("response".to_owned(), response);
                if self.persists {
                    map.insert("persistent".to_owned(), Value::Bool(true));
                }
                (key, map)
            })
            .collect();
        if self.repeats {
            in_scenarios(&mut made);
        } else {
            // Of several that ask the same the newest counts.
            let mut seen = HashMap::new();
            for (index, (key, _)) in made.iter().enumerate() {
                seen.insert(key.clone(), index);
            }
            let mut index = 0;
            made.retain(|(key, _)| {
                index += 1;
                seen.get(key) == Some(&(index - 1))
            });
        }
        let mut files = Vec::new();
        if let Some(thresholds) = self.extract {
            files.extend(made.iter_mut().filter_map(|(_, map)| extracted(map, thresholds)));
        }
        let mappings = made
            .into_iter()
            .filter_map(|(_, map)| Mapping::read(&Place::whole(&Value::Map(map)), || new_id(chance)).ok())
            .collect();
        (mappings, files)
    }

    fn request(&self, request: &Request) -> Value {
        let mut map = Map::default();
        let query = request.query();
        if query.is_empty() {
            map.insert("url".to_owned(), Value::text(&request.url));
        } else {
            map.insert("urlPath".to_owned(), Value::text(request.path()));
        }
        map.insert("method".to_owned(), Value::text(&request.method));
        let equal = |value: &str| Value::map([("equalTo", Value::text(value))]);
        let headers: Map = self
            .capture
            .iter()
            .filter_map(|(name, ignores_case)| {
                let mut pattern = vec![("equalTo", Value::text(request.header(name)?))];
                if *ignores_case {
                    pattern.push(("caseInsensitive", Value::Bool(true)));
                }
                Some((name.clone(), Value::map(pattern)))
            })
            .collect();
        if !headers.is_empty() {
            map.insert("headers".to_owned(), Value::Map(headers));
        }
        if !query.is_empty() {
            let all = query.iter().map(|(name, values)| {
                let values = values.iter().map(|value| equal(value)).collect();
                (name.clone(), Value::map([("hasExactly", Value::List(values))]))
            });
            map.insert("queryParameters".to_owned(), Value::map(all));
        }
        if !request.body.is_empty() {
            map.insert("bodyPatterns".to_owned(), Value::List(vec![self.body.pattern(request)]));
        }
        Value::Map(map)
    }
}

impl BodyKind {
    fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        // WireMock's own client in Java says it by the second name, and WireMock takes that for the same.
        let named = place.field("requestBodyPatternFactory").or_else(|| place.field("requestBodyPattern"));
        let Some(place) = named else { return Ok(Self::default()) };
        let known = ["matcher", "ignoreArrayOrder", "ignoreExtraElements", "caseInsensitive"];
        place.object("com.github.tomakehurst.wiremock.recording.RequestBodyPatternFactory", &known)?;
        let flag = |name: &str| place.field(name).map(|place| place.boolean()).transpose();
        let kind = match place.field("matcher").map(|matcher| matcher.text()).transpose()?.as_deref() {
            None | Some("auto") => Kind::Auto,
            Some("equalTo") => Kind::Text,
            Some("equalToJson") => Kind::Json,
            Some("equalToXml") => Kind::Xml,
            Some(other) => {
                return Err(place.wrong(format!(
                    "Could not resolve type id '{other}' as a subtype of `RequestBodyPatternFactory`: known type ids = \
                     [auto, equalTo, equalToJson, equalToXml]"
                )));
            }
        };
        Ok(Self {
            kind,
            ignores_array_order: flag("ignoreArrayOrder")?,
            ignores_extra: flag("ignoreExtraElements")?,
            ignores_case: flag("caseInsensitive")?.unwrap_or_default(),
        })
    }

    fn pattern(self, request: &Request) -> Value {
        let media = media_type(request.header("content-type"));
        let text = request.text().into_owned();
        let json = |kind: Self, otherwise: Option<bool>| {
            let mut pattern = vec![("equalToJson", Value::text(&text))];
            if let Some(flag) = kind.ignores_array_order.or(otherwise) {
                pattern.push(("ignoreArrayOrder", Value::Bool(flag)));
            }
            if let Some(flag) = kind.ignores_extra.or(otherwise) {
                pattern.push(("ignoreExtraElements", Value::Bool(flag)));
            }
            Value::map(pattern)
        };
        let plain = || {
            Value::map([("equalTo", Value::text(&text)), ("caseInsensitive", Value::Bool(self.ignores_case))])
        };
        match self.kind {
            Kind::Json => json(self, None),
            Kind::Xml => Value::map([("equalToXml", Value::text(&text))]),
            Kind::Text => plain(),
            Kind::Auto => match media.as_deref() {
                Some(media) if media.contains("json") && seam_value::parse(&text).is_ok() => {
                    json(self, Some(true))
                }
                Some(media) if media.contains("xml") => Value::map([("equalToXml", Value::text(&text))]),
                Some("multipart/form-data") => Value::map([("anything", Value::text("(always)"))]),
                Some(media) if !is_text(media) => {
                    Value::map([("binaryEqualTo", Value::Text(STANDARD.encode(request.bytes())))])
                }
                _ => plain(),
            },
        }
    }
}

/// Several answers to the same request come one after the other.
fn in_scenarios(made: &mut [(String, Map)]) {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, (key, _)) in made.iter().enumerate() {
        match groups.iter_mut().find(|(known, _)| known == key) {
            Some((_, members)) => members.push(index),
            None => groups.push((key.clone(), vec![index])),
        }
    }
    groups.retain(|(_, members)| members.len() > 1);
    for (number, (_, members)) in groups.iter().enumerate() {
        let request = made[members[0]].1.get("request").cloned().unwrap_or_default();
        let url = request
            .get("url")
            .or_else(|| request.get("urlPath"))
            .map(Value::to_plain_text)
            .unwrap_or_default();
        let path = unescape(url.split('?').next().unwrap_or_default());
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let name = format!("scenario-{}-{}", number + 1, parts.join("-"));
        for (turn, index) in members.iter().enumerate() {
            let map = &mut made[*index].1;
            let state =
                |turn: usize| if turn == 0 { STARTED.to_owned() } else { format!("{name}-{}", turn + 1) };
            map.insert("scenarioName".to_owned(), Value::text(&name));
            map.insert("requiredScenarioState".to_owned(), Value::Text(state(turn)));
            if turn + 1 < members.len() {
                map.insert("newScenarioState".to_owned(), Value::Text(state(turn + 1)));
            }
        }
    }
}

/// `extractBodyCriteria`: `{ "textSizeThreshold": "2 kb", "binarySizeThreshold": 1024 }`
fn read_extract(place: &Place<'_>) -> Result<Option<(u64, u64)>, Wrong> {
    let Some(criteria) = place.field("extractBodyCriteria") else { return Ok(None) };
    let class = "com.github.tomakehurst.wiremock.recording.ResponseDefinitionBodyMatcher";
    criteria.object(class, &["textSizeThreshold", "binarySizeThreshold"])?;
    let size = |name: &str| {
        let Some(place) = criteria.field(name) else { return Ok(u64::MAX) };
        let text = place.text()?;
        read_size(&text).ok_or_else(|| place.wrong(format!("Invalid size value: {text}")))
    };
    Ok(Some((size("textSizeThreshold")?, size("binarySizeThreshold")?)))
}

/// `2048`, `10 kb`, `1.5MB`
fn read_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim();
    let unit = match text[digits.len()..].trim() {
        "" | "b" | "byte" | "bytes" => 1.0,
        "kb" | "k" => 1024.0,
        "mb" | "m" => 1024.0 * 1024.0,
        "gb" | "g" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let number: f64 = digits.parse().ok().filter(|number: &f64| *number >= 0.0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, cut off on purpose")]
    Some((number * unit) as u64)
}

/// Takes the body out of a mapping into a file, where it is longer than it may be.
fn extracted(mapping: &mut Map, (most_text, most_bytes): (u64, u64)) -> Option<BodyFile> {
    let text = |value: &Value, name: &str| value.get(name).map(Value::to_plain_text);
    let (id, name) = (mapping.get("id")?.to_plain_text(), mapping.get("name")?.to_plain_text());
    let request = mapping.get("request")?;
    let path = text(request, "url").or_else(|| text(request, "urlPath")).unwrap_or_default();
    let Value::Map(response) = mapping.get_mut("response")? else { return None };
    let shown = Value::Map(response.clone());
    let (bytes, most) = match (text(&shown, "body"), text(&shown, "base64Body")) {
        (Some(text), _) => (text.into_bytes(), most_text),
        (None, Some(coded)) => (STANDARD.decode(coded).ok()?, most_bytes),
        (None, None) => return None,
    };
    if bytes.len() as u64 <= most {
        return None;
    }
    let headers = shown.get("headers").and_then(Value::as_map);
    let kind = headers.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let media = media_type(kind.and_then(|(_, value)| value.as_text()));
    let ending = ending_of(media.as_deref(), path.split('?').next().unwrap_or_default(), &bytes);
    let file = sanitised(&format!("{name}-{id}.{ending}"));
    response.shift_remove("body");
    response.shift_remove("base64Body");
    response.insert("bodyFileName".to_owned(), Value::text(&file));
    Some((file, bytes))
}

/// How a file with such a body ends.
fn ending_of(media: Option<&str>, path: &str, body: &[u8]) -> String {
    const MEDIA: &[(&str, &str)] = &[
        ("image/jpeg", "jpeg"),
        ("image/gif", "gif"),
        ("image/tiff", "tiff"),
        ("image/png", "png"),
        ("image/x-icon", "ico"),
        ("audio/x-aiff", "aiff"),
        ("video/x-ms-asf", "asf"),
        ("video/mpeg", "mp2"),
        ("audio/mpeg", "mp3"),
        ("video/quicktime", "mov"),
        ("application/pdf", "pdf"),
    ];
    let media = media.unwrap_or_default();
    let named =
        [("json", "json"), ("xml", "xml"), ("text", "txt")].iter().find(|(part, _)| media.contains(part));
    if let Some((_, ending)) = named.or_else(|| MEDIA.iter().find(|(known, _)| *known == media)) {
        return (*ending).to_owned();
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if let Some((_, ending)) = last.rsplit_once('.') {
        return ending.to_owned();
    }
    let text = String::from_utf8_lossy(body);
    if super::loose_json::read(&text).is_ok() {
        "json".to_owned()
    } else if super::xml::Element::parse(&text).is_ok() {
        "xml".to_owned()
    } else {
        "txt".to_owned()
    }
}

/// An answer as a mapping says it.
fn definition(response: &Value) -> Value {
    let mut map = Map::default();
    map.insert("status".to_owned(), response.get("status").cloned().unwrap_or(Value::from(200_i64)));
    let headers = response.get("headers").and_then(Value::as_map).into_iter().flatten();
    let headers: Map = headers
        .filter(|(name, value)| {
            !LEFT_OUT.contains(&name.to_ascii_lowercase().as_str())
                && value.as_list().is_none_or(|list| !list.is_empty())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let media = media_type(kind.and_then(|(_, value)| value.as_text()));
    let bytes = unpacked(response);
    if !bytes.is_empty() {
        match String::from_utf8(bytes) {
            Ok(text) if media.as_deref().is_some_and(is_text) => {
                drop(map.insert("body".to_owned(), Value::Text(text)));
            }
            Ok(text) => drop(map.insert("base64Body".to_owned(), Value::Text(STANDARD.encode(text)))),
            Err(error) => {
                map.insert("base64Body".to_owned(), Value::Text(STANDARD.encode(error.into_bytes())));
            }
        }
    }
    if !headers.is_empty() {
        map.insert("headers".to_owned(), Value::Map(headers));
    }
    Value::Map(map)
}

/// The body of an answer, unpacked where it was sent packed: a mapping says what was meant.
fn unpacked(response: &Value) -> Vec<u8> {
    let bytes = body_bytes(response);
    let headers = response.get("headers").and_then(Value::as_map).into_iter().flatten();
    let mut encodings = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
    let Some(encoding) = encodings.next().and_then(|(_, value)| value.as_text()) else { return bytes };
    let kind = Some("application/octet-stream");
    let read = seam_wire::body::decode(kind, Some(encoding), &bytes, seam_wire::body::MAX_UNPACKED);
    match read.text {
        Value::Text(text) => text.into_bytes(),
        _ => super::request::base64_of(&read.value).unwrap_or(bytes),
    }
}

fn media_type(header: Option<&str>) -> Option<String> {
    header.and_then(|header| header.split(';').next()).map(|media| media.trim().to_ascii_lowercase())
}

fn is_text(media: &str) -> bool {
    ["text", "json", "xml", "html", "yaml", "csv", "x-www-form-urlencoded"]
        .iter()
        .any(|part| media.contains(part))
}

/// A name for a mapping: the path without what names of files can't have.
fn name_of(path: &str) -> String {
    const MOST: usize = 200;
    let joined: String = path
        .chars()
        .map(|letter| match letter {
            '/' => '_',
            letter if letter.is_whitespace() => '-',
            letter => letter,
        })
        .collect();
    sanitised(&joined.nfd().collect::<String>()).trim_matches('_').chars().take(MOST).collect()
}

fn sanitised(name: &str) -> String {
    name.chars()
        .map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() })
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
        .collect()
}
