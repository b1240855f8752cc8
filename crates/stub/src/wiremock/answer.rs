//! What a mapping answers: worked out from its response, its template and its files.

use super::delays::Settings;
use super::mapping::{Body, Fault, Mapping, Response};
use super::request::Request;
use super::template::{Item, Template, World, model, webhook_model};
use crate::surroundings::Surroundings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::{Map, Value};
use seam_wire::body::in_charset;
use seam_wire::{Answering, Callback, Elsewhere, Say, Then};
use std::sync::Arc;
use std::time::Duration;

/// What WireMock sends before it breaks off: a good head, and then no chunk.
const MALFORMED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlskdu018973t09sylgasjkfg1][]'./.sdlv";
const GARBAGE: &[u8] = b"lskdu018973t09sylgasjkfg1][]'./.sdlv";

/// The header that says how a body is framed.
pub(crate) const FRAMED: &str = "Transfer-Encoding";

/// Whose bodies and headers are templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Templates {
    /// Of the mappings that say so (`transformers`).
    #[default]
    Named,
    /// All mappings', as with WireMock's `--global-response-templating`.
    All,
}

/// A mapping with what can be prepared of its answer.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) mapping: Arc<Mapping>,
    /// What whoever answers is called.
    name: Arc<str>,
    is_template: bool,
    /// The answer, where it is always the same.
    fixed: Option<Say>,
    body: Option<Template>,
    headers: Vec<(String, Vec<Template>)>,
}

impl Prepared {
    /// Prepares an answer.
    pub(crate) fn new(mapping: &Arc<Mapping>, templates: Templates) -> Self {
        let response = &mapping.response;
        let is_template = response.is_template || templates == Templates::All;
        let mut broken = None;
        let mut read = |text: &str| Template::parse(text).map_err(|wrong| broken = Some(wrong)).ok();
        let body = match &response.body {
            Body::Text(text) | Body::Json(text) if is_template => read(text),
            _ => None,
        };
        let headers =
            response.headers.iter().filter(|_| is_template).map(|(name, values)| {
                (name.clone(), values.iter().filter_map(|value| read(value)).collect())
            });
        let headers = headers.collect();
        let fixed = broken.map(|wrong| failed(&wrong));
        let name = mapping.name.as_deref().unwrap_or(&mapping.id).into();
        let mut prepared = Self { mapping: Arc::clone(mapping), name, is_template, fixed, body, headers };
        if prepared.fixed.is_some() {
            return prepared;
        }
        let source =
            if let Body::Text(text) | Body::Json(text) = &response.body { text.as_str() } else { "" };
        let headers = prepared.headers.iter().zip(&response.headers);
        let is_plain = prepared.body.as_ref().is_none_or(|body| body.says(source))
            && headers.into_iter().all(|((_, values), (_, sources))| {
                values.iter().zip(sources).all(|(value, source)| value.says(source))
            })
            && !matches!(response.body, Body::File(_))
            && response.proxy.is_none();
        if let Some(fault) = response.fault {
            prepared.fixed = Some(say_fault(fault));
        } else if is_plain {
            let headers = response.headers.clone();
            prepared.fixed = Some(Say::Answer(Arc::new(answer(mapping, &body_of(&response.body), headers))));
        }
        prepared
    }

    /// What becomes of a request that it matches.
    pub(crate) fn answering(&self, id: &str, request: &Request, around: &Around<'_>) -> Answering {
        let response = &self.mapping.response;
        let say = match &self.fixed {
            Some(say) => say.clone(),
            None => self.say(id, request, around).unwrap_or_else(|wrong| failed(&wrong)),
        };
        let is_answer = matches!(say, Say::Answer(_) | Say::Elsewhere(_));
        Answering {
            by: Arc::clone(&self.name),
            after: response.delays.draw(around.settings.delays, &around.surroundings.chance),
            say,
            dribble: response.dribble.filter(|_| is_answer),
            afterwards: self.callbacks(id, request, around),
        }
    }

    fn say(&self, id: &str, request: &Request, around: &Around<'_>) -> Result<Say, String> {
        let response = &self.mapping.response;
        let path_values =
            self.mapping.request.has_template().then(|| self.mapping.request.path_values(request));
        let model = model(id, request, path_values, &response.parameters);
        let world = World { surroundings: around.surroundings, now: request.at };
        let is_template = self.is_template;
        if let Some(proxy) = &response.proxy {
            return self.elsewhere(proxy, is_template, &model, world);
        }
        let mut headers = Vec::new();
        if is_template {
            for (name, values) in &self.headers {
                let values =
                    values.iter().map(|value| value.render(&model, world)).collect::<Result<_, _>>()?;
                headers.push((name.clone(), values));
            }
        } else {
            headers.clone_from(&response.headers);
        }
        let bytes = match (&response.body, &self.body) {
            (_, Some(template)) => Sent::Text(template.render(&model, world)?),
            (Body::File(name), None) => {
                let name =
                    if is_template { Template::parse(name)?.render(&model, world)? } else { name.clone() };
                let bytes = (around.files)(&name).map_err(|wrong| format!("{name}: {wrong}"))?;
                let stays = response.parameters.get("disableBodyFileTemplating") == Some(&Value::Bool(true));
                match String::from_utf8(bytes) {
                    Ok(text) if is_template && !stays => {
                        Sent::Text(Template::parse(&text)?.render(&model, world)?)
                    }
                    Ok(text) => Sent::Text(text),
                    Err(error) => Sent::Bytes(error.into_bytes()),
                }
            }
            (body, None) => body_of(body),
        };
        Ok(Say::Answer(Arc::new(answer(&self.mapping, &bytes, headers))))
    }

    fn elsewhere(
        &self,
        proxy: &super::mapping::Proxy,
        is_template: bool,
        model: &Item,
        world: World<'_>,
    ) -> Result<Say, String> {
        let text = |text: &str| {
            if is_template { Template::parse(text)?.render(model, world) } else { Ok(text.to_owned()) }
        };
        let mut headers = Vec::new();
        for (name, values) in &proxy.headers {
            for value in values {
                headers.push((name.clone(), text(value)?));
            }
        }
        let mut reply_headers = Vec::new();
        for (name, values) in &self.mapping.response.headers {
            for value in values {
                reply_headers.push((name.clone(), text(value)?));
            }
        }
        Ok(Say::Elsewhere(Arc::new(Elsewhere {
            base: text(&proxy.base)?,
            without_prefix: proxy.without_prefix.clone(),
            headers,
            without_headers: proxy.without_headers.clone(),
            reply_headers,
            heard_by: None,
        })))
    }

    fn callbacks(&self, id: &str, request: &Request, around: &Around<'_>) -> Vec<Callback> {
        // One that can't be worked out is left out, as in WireMock, which writes it into its log.
        self.mapping
            .webhooks
            .iter()
            .filter_map(|webhook| callback(id, request, webhook, around).ok())
            .collect()
    }
}

/// What an answer is worked out with.
pub(crate) struct Around<'a> {
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) settings: &'a Settings,
    /// A body's file by its name.
    pub(crate) files: &'a (dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync),
}

/// A body as it is sent.
pub(crate) enum Sent {
    Nothing,
    Text(String),
    Bytes(Vec<u8>),
}

fn body_of(body: &Body) -> Sent {
    match body {
        Body::None | Body::File(_) => Sent::Nothing,
        Body::Text(text) | Body::Json(text) => Sent::Text(text.clone()),
        Body::Bytes(bytes) => Sent::Bytes(bytes.clone()),
    }
}

/// An answer in HTTP's fields.
fn answer(mapping: &Mapping, body: &Sent, headers: Vec<(String, Vec<String>)>) -> Value {
    let response: &Response = &mapping.response;
    let mut out = Map::default();
    out.insert("status".to_owned(), Value::from(response.status));
    let reason = response.reason.clone().or_else(|| phrase(response.status));
    if let Some(mut reason) = reason {
        in_one_line(&mut reason);
        out.insert("reason".to_owned(), Value::Text(reason));
    }
    let mut all = Map::default();
    for (name, mut values) in headers {
        values.iter_mut().for_each(in_one_line);
        let value = if values.len() == 1 { Value::Text(values.remove(0)) } else { Value::from(values) };
        all.insert(name, value);
    }
    all.insert("Matched-Stub-Id".to_owned(), Value::text(&mapping.id));
    if let Some(name) = &mapping.name {
        let name: String =
            name.chars().map(|c| if c.is_ascii() && !c.is_control() { c } else { '?' }).collect();
        all.insert("Matched-Stub-Name".to_owned(), Value::Text(name));
    }
    // WireMock says nothing of the type where the mapping doesn't.
    if !all.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        all.insert("Content-Type".to_owned(), Value::List(Vec::new()));
    }
    let content_type = all.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.and_then(|(_, value)| value.as_text().map(str::to_owned));
    // Its server sends in chunks what isn't said to be so and so long.
    let is_framed =
        |name: &&String| ["content-length", FRAMED].iter().any(|other| name.eq_ignore_ascii_case(other));
    if !all.keys().any(|name| is_framed(&name)) {
        all.insert(FRAMED.to_owned(), Value::text("chunked"));
    }
    out.insert("headers".to_owned(), Value::Map(all));
    match body {
        Sent::Nothing => {}
        // Whatever the type says, WireMock sends a text in UTF-8.
        Sent::Text(text) if *in_charset(text, content_type.as_deref()) == *text.as_bytes() => {
            out.insert("text".to_owned(), Value::text(text));
        }
        Sent::Text(text) => {
            let packed = to_base64(text.as_bytes());
            out.insert("body".to_owned(), Value::map([("base64", Value::Text(packed))]));
        }
        Sent::Bytes(bytes) => {
            out.insert("body".to_owned(), Value::map([("base64", Value::Text(to_base64(bytes)))]));
        }
    }
    Value::Map(out)
}

/// A header has one line, whatever a template made of it.
fn in_one_line(text: &mut String) {
    if text.contains(['\r', '\n', '\0']) {
        *text = text.replace(['\r', '\n', '\0'], " ");
    }
}

/// What stands behind a status where the mapping says nothing, as far as WireMock's server knows it by another name than
/// others do: what it doesn't know it tells by its number.
fn phrase(status: i64) -> Option<String> {
    let known = match status {
        200..=202
        | 204
        | 206
        | 301..=304
        | 307
        | 308
        | 400..=406
        | 408..=410
        | 412
        | 415
        | 423
        | 429
        | 501..=504
        | 507 => return None,
        203 => "Non Authoritative Information",
        205 => "Reset Content",
        207 => "Multi-Status",
        300 => "Multiple Choices",
        305 => "Use Proxy",
        407 => "Proxy Authentication Required",
        411 => "Length Required",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a Teapot",
        420 => "Enhance your Calm",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        424 => "Failed Dependency",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable for Legal Reason",
        500 => "Server Error",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        other => return Some(other.to_string()),
    };
    Some(known.to_owned())
}

/// What is answered where a template can't be worked out.
fn failed(wrong: &str) -> Say {
    Say::Answer(Arc::new(Value::map([
        ("status", Value::from(500_i64)),
        ("reason", Value::text("Server Error")),
        ("headers", Value::map([("Content-Type", Value::text("text/plain"))])),
        ("text", Value::text(wrong)),
    ])))
}

fn say_fault(fault: Fault) -> Say {
    match fault {
        Fault::Reset => Say::Bytes(Arc::from(&b""[..]), Then::Reset),
        Fault::Empty => Say::Bytes(Arc::from(&b""[..]), Then::Close),
        Fault::Random => Say::Bytes(Arc::from(GARBAGE), Then::Close),
        Fault::Malformed => Say::Bytes(Arc::from(MALFORMED), Then::Close),
    }
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn callback(id: &str, request: &Request, webhook: &Value, around: &Around<'_>) -> Result<Callback, String> {
    let model = webhook_model(id, request, webhook);
    let world = World { surroundings: around.surroundings, now: request.at };
    let render = |text: &str| Template::parse(text)?.render(&model, world);
    let text =
        |name: &str| webhook.get(name).filter(|value| **value != Value::Null).map(Value::to_plain_text);
    let mut headers = Vec::new();
    for (name, value) in webhook.get("headers").and_then(Value::as_map).into_iter().flatten() {
        for value in value.as_list().unwrap_or(std::slice::from_ref(value)) {
            headers.push((name.clone(), render(&value.to_plain_text())?));
        }
    }
    let body = match (text("body"), text("base64Body")) {
        (Some(body), _) => render(&body)?.into_bytes(),
        (None, Some(coded)) => STANDARD.decode(coded).unwrap_or_default(),
        (None, None) => Vec::new(),
    };
    let delay = webhook
        .get("delay")
        .map(|delay| super::delays::read_distribution(&super::place::Place::whole(delay)));
    Ok(Callback {
        after: match delay {
            Some(Ok(delay)) => delay.draw(&around.surroundings.chance),
            Some(Err(_)) | None => Duration::ZERO,
        },
        method: render(&text("method").unwrap_or_else(|| "GET".to_owned()))?,
        url: render(&text("url").unwrap_or_default())?,
        headers,
        body,
    })
}
