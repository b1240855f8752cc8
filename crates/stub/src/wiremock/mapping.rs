//! One mapping: what it asks, what it answers, and what belongs to it.

use super::delays::{Delays, read_distribution};
use super::place::Place;
use super::request_pattern::RequestPattern;
use super::template::Template;
use super::wrong::Wrong;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_expr::Chance;
use seam_value::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

const CLASS: &str = "com.github.tomakehurst.wiremock.stubbing.StubMapping";
const RESPONSE: &str = "com.github.tomakehurst.wiremock.http.ResponseDefinition";
const USUAL_PRIORITY: i64 = 5;

const KNOWN: &[&str] = &[
    "id",
    "uuid",
    "name",
    "request",
    "newRequest",
    "response",
    "persistent",
    "priority",
    "scenarioName",
    "requiredScenarioState",
    "newScenarioState",
    "postServeActions",
    "serveEventListeners",
    "metadata",
    "insertionIndex",
    "$schema",
];
const KNOWN_RESPONSE: &[&str] = &[
    "status",
    "statusMessage",
    "body",
    "jsonBody",
    "base64Body",
    "bodyFileName",
    "headers",
    "additionalProxyRequestHeaders",
    "removeProxyRequestHeaders",
    "fixedDelayMilliseconds",
    "delayDistribution",
    "chunkedDribbleDelay",
    "proxyBaseUrl",
    "proxyUrlPrefixToRemove",
    "fault",
    "transformers",
    "transformerParameters",
    "fromConfiguredStub",
];
const FAULTS: &[&str] =
    &["CONNECTION_RESET_BY_PEER", "EMPTY_RESPONSE", "RANDOM_DATA_THEN_CLOSE", "MALFORMED_RESPONSE_CHUNK"];

/// One stub in WireMock's form.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) request: RequestPattern,
    pub(crate) response: Response,
    pub(crate) priority: i64,
    pub(crate) scenario: Option<String>,
    pub(crate) required_state: Option<String>,
    pub(crate) new_state: Option<String>,
    pub(crate) metadata: Option<Value>,
    pub(crate) webhooks: Vec<Arc<Value>>,
    /// As it is shown.
    pub(crate) shown: Arc<Value>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: i64,
    pub(crate) reason: Option<String>,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(String, Vec<String>)>,
    pub(crate) delays: Delays,
    pub(crate) dribble: Option<(u32, Duration)>,
    pub(crate) fault: Option<Fault>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) is_template: bool,
    pub(crate) parameters: Value,
}

/// The body as declared.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Text(String),
    /// JSON as it is written out.
    Json(String),
    Bytes(Vec<u8>),
    File(String),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Reset,
    Empty,
    Random,
    Malformed,
}

/// Whom to ask instead.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) base: String,
    pub(crate) without_prefix: String,
    pub(crate) headers: Vec<(String, Vec<String>)>,
    pub(crate) without_headers: Vec<String>,
}

impl Mapping {
    /// Reads a mapping; `new_id` is the id of one that has none.
    pub(crate) fn read(place: &Place<'_>, new_id: impl FnOnce() -> String) -> Result<Self, Wrong> {
        place.object(CLASS, KNOWN)?;
        let text = |name: &str| place.field(name).map(|place| place.text()).transpose();
        // An empty id is none, as for WireMock.
        let id_of = |name: &str| place.field(name).filter(|id| *id.value != Value::text(""));
        let id = match (id_of("id"), id_of("uuid")) {
            (Some(id), _) | (None, Some(id)) => read_id(&id)?,
            (None, None) => new_id(),
        };
        let nothing = Value::Map(Map::default());
        let request = match place.field("request").or_else(|| place.field("newRequest")) {
            Some(request) => RequestPattern::read(&request)?,
            None => RequestPattern::any(),
        };
        let response_at =
            place.field("response").unwrap_or(Place { value: &nothing, pointer: String::new() });
        let metadata = place.field("metadata");
        if let Some(metadata) = &metadata {
            metadata.map("com.github.tomakehurst.wiremock.common.Metadata")?;
            // Ours: on which seam it stands.
            if let Some(seam) = metadata.field("seam").filter(|seam| seam.value.as_text().is_none()) {
                return Err(seam.wrong("a mapping's seam is a text, such as `orders -> paygate`"));
            }
        }
        let mut mapping = Self {
            id,
            name: text("name")?,
            request,
            response: Response::read(&response_at)?,
            priority: place.field("priority").map_or(Ok(USUAL_PRIORITY), |place| place.integer())?,
            scenario: text("scenarioName")?,
            required_state: text("requiredScenarioState")?,
            new_state: text("newScenarioState")?,
            metadata: metadata.map(|metadata| metadata.value.clone()),
            webhooks: read_listeners(place)?,
            shown: Arc::new(Value::Null),
        };
        place.field("persistent").map_or(Ok(false), |place| place.boolean())?;
        mapping.check_scenario(place)?;
        mapping.response.check_templates(&response_at)?;
        mapping.shown = Arc::new(mapping.show(place, &response_at));
        Ok(mapping)
    }

    /// A state without a scenario is never looked at.
    fn check_scenario(&self, place: &Place<'_>) -> Result<(), Wrong> {
        let stray =
            ["requiredScenarioState", "newScenarioState"].into_iter().find_map(|name| place.field(name));
        match stray {
            Some(stray) if self.scenario.is_none() => Err(stray.wrong("a state needs a scenarioName")),
            _ => Ok(()),
        }
    }

    fn show(&self, place: &Place<'_>, response: &Place<'_>) -> Value {
        let mut out = Map::default();
        out.insert("id".to_owned(), Value::text(&self.id));
        if let Some(name) = &self.name {
            out.insert("name".to_owned(), Value::text(name));
        }
        out.insert("request".to_owned(), (*self.request.shown).clone());
        out.insert("response".to_owned(), show_response(response, self.response.status));
        out.insert("uuid".to_owned(), Value::text(&self.id));
        for name in &KNOWN[6..14] {
            let value = place.value.get(name).filter(|value| **value != Value::Null);
            if let Some(value) = value {
                let value = match *name {
                    "priority" => Value::from(self.priority),
                    "persistent" => Value::Bool(value.to_plain_text() == "true"),
                    "postServeActions" => without_nulls(&as_list(value)),
                    "serveEventListeners" | "metadata" => without_nulls(value),
                    name if name.ends_with("Name") || name.ends_with("State") => {
                        Value::Text(value.to_plain_text())
                    }
                    _ => value.clone(),
                };
                out.insert((*name).to_owned(), value);
            }
        }
        Value::Map(out)
    }

    /// Is it kept in a file?
    pub(crate) fn is_persistent(&self) -> bool {
        self.shown.get("persistent") == Some(&Value::Bool(true))
    }

    /// The same, marked to be kept.
    pub(crate) fn persistent(&self) -> Self {
        let mut shown = (*self.shown).clone();
        if let Value::Map(map) = &mut shown {
            map.insert("persistent".to_owned(), Value::Bool(true));
        }
        Self { shown: Arc::new(shown), ..self.clone() }
    }
}

impl Response {
    /// The file that is answered with, where it is one.
    pub(crate) fn body_file(&self) -> Option<&str> {
        if let Body::File(name) = &self.body { Some(name) } else { None }
    }

    fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        place.object(RESPONSE, KNOWN_RESPONSE)?;
        let text = |name: &str| place.field(name).map(|place| place.text()).transpose();
        let status = match place.field("status") {
            Some(status) => {
                let number = status.integer().map_err(|wrong| wrong.saying("java.lang.Integer", "int"))?;
                if (1..100).contains(&number) || number > 999 {
                    // WireMock sends what no client can read.
                    return Err(status.wrong(format!("{number} is no HTTP status")));
                }
                if number <= 0 { 200 } else { number }
            }
            None => 200,
        };
        let fault = place
            .field("fault")
            .map(|fault| fault.word("com.github.tomakehurst.wiremock.http.Fault", FAULTS));
        let transformers = match place.field("transformers") {
            Some(list) => {
                let list = list.elements("java.util.ArrayList")?;
                list.iter().map(Place::text).collect::<Result<Vec<_>, _>>()?
            }
            None => Vec::new(),
        };
        let parameters = place.field("transformerParameters");
        if let Some(parameters) = &parameters {
            parameters.map("com.github.tomakehurst.wiremock.extension.Parameters")?;
        }
        let fixed = place.field("fixedDelayMilliseconds").map(|delay| delay.integer()).transpose()?;
        let drawn = place.field("delayDistribution").map(|place| read_distribution(&place)).transpose()?;
        Ok(Self {
            status,
            reason: text("statusMessage")?,
            body: Body::read(place)?,
            headers: headers(place, "headers")?,
            delays: Delays { fixed: fixed.map(super::delays::millis), drawn },
            dribble: place.field("chunkedDribbleDelay").map(|place| read_dribble(&place)).transpose()?,
            fault: fault.transpose()?.map(|fault| Fault::of(&fault)),
            proxy: read_proxy(place)?,
            is_template: transformers.iter().any(|name| name == "response-template"),
            parameters: parameters
                .map_or_else(|| Value::Map(Map::default()), |parameters| parameters.value.clone()),
        })
    }
}

impl Response {
    /// Tells templates that are none; WireMock fails when they are asked for.
    fn check_templates(&self, place: &Place<'_>) -> Result<(), Wrong> {
        if !self.is_template {
            return Ok(());
        }
        let check = |at: &str, text: &str| match Template::parse(text) {
            Ok(_) => Ok(()),
            Err(wrong) => Err(Wrong::at(&format!("{}/{at}", place.pointer), wrong)),
        };
        match &self.body {
            Body::Text(text) => check("body", text)?,
            Body::Json(text) => check("jsonBody", text)?,
            Body::File(name) => check("bodyFileName", name)?,
            Body::Bytes(_) | Body::None => {}
        }
        for (name, values) in &self.headers {
            for value in values {
                check(&format!("headers/{name}"), value)?;
            }
        }
        match &self.proxy {
            Some(proxy) => check("proxyBaseUrl", &proxy.base),
            None => Ok(()),
        }
    }
}

impl Body {
    fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        if let Some(body) = place.field("body") {
            return Ok(Self::Text(body.text()?));
        }
        if let Some(body) = place.field("jsonBody") {
            return Ok(Self::Json(body.value.to_string()));
        }
        if let Some(body) = place.field("base64Body") {
            let bytes = STANDARD.decode(body.text()?.trim());
            return Ok(Self::Bytes(bytes.map_err(|wrong| place.wrong(format!("Illegal base64: {wrong}")))?));
        }
        Ok(match place.field("bodyFileName") {
            Some(name) => Self::File(name.text()?),
            None => Self::None,
        })
    }
}

impl Fault {
    fn of(name: &str) -> Self {
        match name {
            "CONNECTION_RESET_BY_PEER" => Self::Reset,
            "EMPTY_RESPONSE" => Self::Empty,
            "RANDOM_DATA_THEN_CLOSE" => Self::Random,
            _ => Self::Malformed,
        }
    }
}

/// An id that is none, told in WireMock's words.
fn read_id(place: &Place<'_>) -> Result<String, Wrong> {
    let text = place.text()?;
    match uuid::Uuid::try_parse(&text) {
        Ok(id) if text.len() == 36 => Ok(id.hyphenated().to_string()),
        _ => Err(place.wrong(format!(
            "Cannot deserialize value of type `java.util.UUID` from String \"{text}\": UUID has to be represented by \
             standard 36-char representation"
        ))),
    }
}

/// A new id.
pub(crate) fn new_id(chance: &Chance) -> String {
    let id = uuid::Builder::from_random_bytes(chance.bytes()).into_uuid();
    id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
}

fn headers(place: &Place<'_>, name: &str) -> Result<Vec<(String, Vec<String>)>, Wrong> {
    let Some(map) = place.field(name) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (key, value) in map.entries("com.github.tomakehurst.wiremock.http.HttpHeaders")? {
        let values = match value.value {
            Value::List(list) => list.iter().map(|one| one.as_text().map(str::to_owned)).collect(),
            Value::Text(text) => Some(vec![text.clone()]),
            _ => None,
        };
        let Some(values) = values else {
            return Err(map.wrong(format!("null value in entry: {key}=null")));
        };
        if !key.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)) {
            // WireMock sends nothing that a client could read.
            return Err(map.wrong(format!("`{key}` is no header's name")));
        }
        if !key.is_empty() {
            all.push((key.to_owned(), values));
        }
    }
    Ok(all)
}

fn read_dribble(place: &Place<'_>) -> Result<(u32, Duration), Wrong> {
    place.object(
        "com.github.tomakehurst.wiremock.http.ChunkedDribbleDelay",
        &["numberOfChunks", "totalDuration"],
    )?;
    let number = |name: &str| match place.field(name) {
        Some(field) => field.integer(),
        // WireMock fails when it is asked.
        None => Err(place.wrong(format!("{name} is missing"))),
    };
    let (n, total) = (number("numberOfChunks")?, number("totalDuration")?);
    let chunks = u32::try_from(n).ok().filter(|n| *n > 0);
    let chunks = chunks.ok_or_else(|| place.wrong(format!("numberOfChunks must be positive, not {n}")))?;
    Ok((chunks, super::delays::millis(total)))
}

fn read_proxy(place: &Place<'_>) -> Result<Option<Proxy>, Wrong> {
    let Some(base_at) = place.field("proxyBaseUrl") else { return Ok(None) };
    let base = base_at.text()?.trim().to_owned();
    if !base.contains("://") && !base.contains("{{") {
        // WireMock fails when it is asked.
        return Err(base_at.wrong(format!("{base} is no address: it has no scheme")));
    }
    let text = |name: &str| place.field(name).map(|place| place.text()).transpose();
    let removed = match place.field("removeProxyRequestHeaders") {
        Some(list) => {
            let list = list.elements("java.util.ArrayList")?;
            list.iter().map(|one| Ok(one.text()?.to_ascii_lowercase())).collect::<Result<Vec<_>, Wrong>>()?
        }
        None => Vec::new(),
    };
    Ok(Some(Proxy {
        base,
        without_prefix: text("proxyUrlPrefixToRemove")?.unwrap_or_default(),
        headers: headers(place, "additionalProxyRequestHeaders")?,
        without_headers: removed,
    }))
}

/// The webhooks among the listeners, in either of the forms in which they are written.
fn read_listeners(place: &Place<'_>) -> Result<Vec<Arc<Value>>, Wrong> {
    let mut webhooks = Vec::new();
    for (name, class) in [
        ("serveEventListeners", "com.github.tomakehurst.wiremock.extension.ServeEventListenerDefinition"),
        ("postServeActions", "com.github.tomakehurst.wiremock.extension.PostServeActionDefinition"),
    ] {
        let Some(listeners) = place.field(name) else { continue };
        if let Value::Map(map) = listeners.value {
            if let Some((action, _)) = map.iter().find(|(_, value)| value.as_map().is_none()) {
                return Err(listeners.wrong(format!("the parameters of `{action}` are a map")));
            }
            webhooks.extend(
                map.iter().filter(|(name, _)| *name == "webhook").map(|(_, value)| Arc::new(value.clone())),
            );
            continue;
        }
        for listener in listeners.elements("java.util.ArrayList")? {
            let map = listener.map(class)?;
            let known = ["name", "parameters", "requestPhases"];
            if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
                let detail =
                    format!("Unrecognized field \"{unknown}\" (class {class}), not marked as ignorable");
                return Err(listeners.wrong(detail));
            }
            if map.get("name").and_then(Value::as_text) == Some("webhook") {
                let parameters = map.get("parameters").cloned().unwrap_or(Value::Map(Map::default()));
                if parameters.get("url").and_then(Value::as_text).is_none() {
                    // WireMock tells it in its log when it is too late.
                    return Err(listener.wrong("a webhook needs parameters.url"));
                }
                webhooks.push(Arc::new(parameters));
            }
        }
    }
    Ok(webhooks)
}

/// Actions by their names, as the list that they are told as.
fn as_list(actions: &Value) -> Value {
    let Value::Map(map) = actions else { return actions.clone() };
    let told = |(name, parameters): (&String, &Value)| {
        Value::map([("name", Value::text(name)), ("parameters", parameters.clone())])
    };
    Value::List(map.iter().map(told).collect())
}

/// Nothing is told of what is null, but in lists, where others stand behind it.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let said = map.iter().filter(|(_, value)| **value != Value::Null);
            Value::map(said.map(|(name, value)| (name.clone(), without_nulls(value))))
        }
        Value::List(list) => Value::List(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// What is drawn from a curve is told in numbers with a point.
fn as_doubles(distribution: &Value) -> Value {
    let Value::Map(map) = distribution else { return distribution.clone() };
    if map.get("type").and_then(Value::as_text) != Some("lognormal") {
        return distribution.clone();
    }
    let double = |value: &Value| match value {
        Value::Number(number) if number.is_written_as_integer() => {
            seam_value::Number::parse(&format!("{number}.0")).map_or_else(|| value.clone(), Value::Number)
        }
        other => other.clone(),
    };
    Value::map(map.iter().map(|(name, value)| (name.clone(), double(value))))
}

/// A header with one value is told as that, in whatever way it was said.
fn as_headers(headers: &Value) -> Value {
    let Value::Map(map) = headers else { return headers.clone() };
    let told = |value: &Value| match value {
        Value::List(list) if list.len() == 1 => Value::Text(list[0].to_plain_text()),
        Value::List(list) => Value::List(list.iter().map(|one| Value::Text(one.to_plain_text())).collect()),
        one => Value::Text(one.to_plain_text()),
    };
    Value::map(map.iter().map(|(name, value)| (name.clone(), told(value))))
}

/// A response as WireMock shows it: in its order, with the status, and with the one body that counts.
fn show_response(place: &Place<'_>, status: i64) -> Value {
    let mut out = Map::default();
    out.insert("status".to_owned(), Value::from(status));
    let mut has_body = false;
    for name in &KNOWN_RESPONSE[1..] {
        let Some(value) = place.field(name) else { continue };
        let is_empty = value.value.as_list().is_some_and(<[Value]>::is_empty)
            || value.value.as_map().is_some_and(Map::is_empty);
        if is_empty && name.starts_with("transformer") {
            continue;
        }
        let is_body = matches!(*name, "body" | "jsonBody" | "base64Body");
        if is_body && std::mem::replace(&mut has_body, true) {
            continue;
        }
        let shown = match *name {
            "delayDistribution" => as_doubles(value.value),
            "fixedDelayMilliseconds" => value.integer().map_or_else(|_| value.value.clone(), Value::from),
            "headers" | "additionalProxyRequestHeaders" => as_headers(value.value),
            "body" | "base64Body" | "bodyFileName" | "statusMessage" | "fault" | "proxyBaseUrl" => {
                Value::Text(value.value.to_plain_text())
            }
            _ => value.value.clone(),
        };
        out.insert((*name).to_owned(), shown);
    }
    Value::Map(out)
}
