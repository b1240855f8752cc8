//! What was asked and what was answered, as WireMock's clients count and find it; bounded in bytes.

use super::answer::FRAMED;
use super::mapping::Mapping;
use super::pattern::Misread;
use super::request::Request;
use crate::journal::weight;
use seam_value::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many bytes are kept. What comes later pushes out what came first.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How many requests are kept.
const MOST: usize = 100_000;

/// One request with what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) request: Arc<Request>,
    /// None where nothing matched.
    pub(crate) mapping: Option<Arc<Mapping>>,
    /// What was answered: the fields of an answer in HTTP.
    pub(crate) response: Option<Arc<Value>>,
    pub(crate) delay: Duration,
    /// The report of what did not match; made when it is asked for.
    pub(crate) report: Option<String>,
    /// What was wrong with a body that mappings looked into; found when it is asked for.
    pub(crate) misread: Vec<Misread>,
    /// Was somebody else asked?
    pub(crate) is_proxied: bool,
}

/// The newest events.
#[derive(Default)]
pub(crate) struct Journal {
    list: VecDeque<(usize, Event)>,
    n_bytes: usize,
    /// How many are kept; where nothing is said, `MOST`.
    pub(crate) most: Option<usize>,
}

impl Journal {
    pub(crate) fn add(&mut self, event: Event) {
        // What the mapping takes is counted with the mapping; a prepared answer is shared too, but counts as if it weren't.
        let size = event.request.weight() + event.response.as_ref().map_or(0, |value| weight(value));
        self.n_bytes += size;
        self.list.push_back((size, event));
        while self.n_bytes > MOST_BYTES || self.list.len() > self.most.unwrap_or(MOST) {
            let Some((size, _)) = self.list.pop_front() else { break };
            self.n_bytes -= size;
        }
    }

    /// All of them, oldest first.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.list.iter().map(|(_, event)| event)
    }

    /// Takes out those for which the condition holds, and gives them, oldest first.
    pub(crate) fn take(&mut self, mut condition: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let mut taken = Vec::new();
        let mut kept = VecDeque::with_capacity(self.list.len());
        for (size, event) in self.list.drain(..) {
            if condition(&event) {
                self.n_bytes -= size;
                taken.push(event);
            } else {
                kept.push_back((size, event));
            }
        }
        self.list = kept;
        taken
    }

    /// Sets what somebody else has answered to a request; one that was forgotten meanwhile stays forgotten.
    pub(crate) fn set_response(&mut self, id: &str, response: &Value) {
        let Some((size, event)) = self.list.iter_mut().rev().find(|(_, event)| event.id == id) else {
            return;
        };
        let response = with_length(response);
        let more = weight(&response);
        *size += more;
        self.n_bytes += more;
        event.response = Some(response);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { most: self.most, ..Self::default() };
    }
}

impl Event {
    /// As WireMock shows it; `report` is what the 404 said where nothing matched, and `nobody` the id of no mapping.
    pub(crate) fn to_value(&self, nobody: &str) -> Value {
        let unmatched = || {
            let response =
                Value::map([("status", Value::from(404_i64)), ("fromConfiguredStub", Value::Bool(false))]);
            Value::map([
                ("id", Value::text(nobody)),
                ("request", Value::map([("method", Value::text("ANY"))])),
                ("response", response),
                ("uuid", Value::text(nobody)),
            ])
        };
        let stub = self.mapping.as_ref().map_or_else(unmatched, |mapping| (*mapping.shown).clone());
        let definition = stub.get("response").cloned().unwrap_or_default();
        let millis = i64::try_from(self.delay.as_millis()).unwrap_or(i64::MAX);
        let timing = [("addedDelay", millis), ("processTime", 0), ("responseSendTime", 0), ("serveTime", 0)];
        let mut timing: Map =
            timing.into_iter().map(|(name, millis)| (name.to_owned(), Value::from(millis))).collect();
        timing.insert("totalTime".to_owned(), Value::from(millis));
        let misread = self.misread.iter().map(misread_event);
        let unmatched = self.report.iter().map(|report| {
            let data = Value::map([
                ("status", Value::from(404_i64)),
                ("contentType", Value::text("text/plain")),
                ("report", Value::text(report)),
            ]);
            // How long it took until then is not measured: next to nothing.
            let mut event = event("REQUEST_NOT_MATCHED", data);
            if let Value::Map(event) = &mut event {
                event.insert("timeOffsetNanos".to_owned(), Value::from(1_i64));
            }
            event
        });
        let events: Vec<Value> = misread.chain(unmatched).collect();
        Value::map([
            ("id", Value::text(&self.id)),
            ("request", self.request.to_value()),
            ("responseDefinition", definition),
            ("response", self.response_value()),
            ("wasMatched", Value::Bool(self.mapping.is_some())),
            ("timing", Value::Map(timing)),
            ("subEvents", Value::List(events)),
            ("stubMapping", stub),
        ])
    }

    /// Does the mapping that answered say this header, however it spells it?
    fn mapping_says(&self, header: &str) -> bool {
        let headers = self.mapping.iter().flat_map(|mapping| &mapping.response.headers);
        headers.into_iter().any(|(name, _)| name.eq_ignore_ascii_case(header))
    }

    fn response_value(&self) -> Value {
        let mut out = Map::default();
        let Some(response) = &self.response else {
            let status = if self.mapping.is_some() { 200_i64 } else { 404 };
            out.insert("status".to_owned(), Value::from(status));
            out.insert("bodyAsBase64".to_owned(), Value::text(""));
            out.insert("body".to_owned(), Value::text(""));
            return Value::Map(out);
        };
        out.insert("status".to_owned(), response.get("status").cloned().unwrap_or(Value::from(200_i64)));
        let headers = response.get("headers").and_then(Value::as_map);
        let headers: Map = headers
            .into_iter()
            .flatten()
            .filter(|(_, value)| value.as_list().is_none_or(|list| !list.is_empty()))
            .filter(|(name, _)| *name != FRAMED || self.mapping_says(FRAMED))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !headers.is_empty() {
            out.insert("headers".to_owned(), Value::Map(headers));
        }
        let bytes = body_bytes(response);
        out.insert("bodyAsBase64".to_owned(), Value::Text(super::answer::to_base64(&bytes)));
        out.insert("body".to_owned(), Value::Text(String::from_utf8_lossy(&bytes).into_owned()));
        Value::Map(out)
    }
}

/// Something that happened on the way.
fn event(kind: &str, data: Value) -> Value {
    Value::map([("type", Value::text(kind)), ("data", data)])
}

fn misread_event(misread: &Misread) -> Value {
    match misread {
        Misread::Other(message) => event("WARNING", Value::map([("message", Value::text(message))])),
        Misread::Json(detail) => {
            let error = Value::map([
                ("code", Value::from(10_i64)),
                ("source", Value::Map(Map::default())),
                ("title", Value::text("Error parsing JSON")),
                ("detail", Value::text(detail)),
            ]);
            event("JSON_ERROR", Value::map([("errors", Value::List(vec![error]))]))
        }
    }
}

/// An answer from elsewhere with the length of its body among the headers, as it came.
fn with_length(response: &Value) -> Arc<Value> {
    let length = body_bytes(response).len();
    let mut response = response.clone();
    if let Value::Map(map) = &mut response
        && let Some(Value::Map(headers)) = map.get_mut("headers")
        && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-length"))
    {
        headers.insert("Content-Length".to_owned(), Value::Text(length.to_string()));
    }
    Arc::new(response)
}

/// The bytes of the body of an answer.
pub(crate) fn body_bytes(response: &Value) -> Vec<u8> {
    if let Some(text) = response.get("text").and_then(Value::as_text) {
        return text.as_bytes().to_vec();
    }
    if let Some(json) = response.get("json") {
        return json.to_string().into_bytes();
    }
    match response.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(body) => super::request::base64_of(body).unwrap_or_else(|| body.to_plain_text().into_bytes()),
    }
}
