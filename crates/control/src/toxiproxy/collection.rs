//! All proxies that clients of Toxiproxy have made, and what each route does to them.

use super::ApiError;
use super::json::{self, boolean, field, first_value, float, integer, text};
use super::made::{Made, Named, Stream};
use hyper::StatusCode;
use seam_expr::Chance;
use seam_proxy::{Toxic, ToxicKind, toxic_kind};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, MutexGuard};

/// All proxies, by name. Two requests never change them at once.
pub struct Toxiproxy {
    proxies: Mutex<BTreeMap<String, Made>>,
    chance: Chance,
    next_toxic: AtomicU64,
}

/// A proxy made from a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Populated {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub listen: String,
    /// Where it leads.
    pub upstream: String,
    /// Does it listen?
    pub is_enabled: bool,
}

/// What a client says of a proxy.
struct Input {
    name: String,
    listen: String,
    upstream: String,
    enabled: Option<bool>,
}

impl Input {
    fn read(map: &Map<String, Value>, structure: &str) -> Result<Self, String> {
        Ok(Self {
            name: text(map, structure, "name")?.unwrap_or_default(),
            listen: text(map, structure, "listen")?.unwrap_or_default(),
            upstream: text(map, structure, "upstream")?.unwrap_or_default(),
            enabled: boolean(map, structure, "enabled")?,
        })
    }
}

impl Toxiproxy {
    /// No proxies yet; what toxics draw comes from this seed.
    pub fn new(seed: u64) -> Self {
        let chance = Chance::new(seed, "toxiproxy");
        Self { proxies: Mutex::default(), chance, next_toxic: AtomicU64::new(1) }
    }

    /// Makes the proxies of a configuration file of Toxiproxy's, as `POST /populate` would. The error is one line.
    pub async fn populate(&self, config: &[u8]) -> Result<Vec<Populated>, String> {
        let (names, error) = self.populated(config).await;
        if let Some(error) = error {
            return Err(error.message);
        }
        let proxies = self.proxies().await;
        let made = names.unwrap_or_default().into_iter().filter_map(|name| {
            let made = proxies.get(&name)?;
            let (listen, upstream) = (made.listen.clone(), made.upstream.clone());
            Some(Populated { name, listen, upstream, is_enabled: made.is_enabled() })
        });
        Ok(made.collect())
    }

    /// Takes all proxies down.
    pub(crate) async fn clear(&self) {
        let proxies = std::mem::take(&mut *self.proxies().await);
        for (_, mut proxy) in proxies {
            proxy.stop().await;
        }
    }

    pub(super) async fn proxies(&self) -> MutexGuard<'_, BTreeMap<String, Made>> {
        self.proxies.lock().await
    }

    pub(super) async fn list(&self) -> String {
        let proxies = self.proxies().await;
        let entries: Vec<String> = proxies
            .values()
            .map(|proxy| format!("{}:{}", json::quoted(&proxy.name), proxy.to_json()))
            .collect();
        format!("{{{}}}", entries.join(","))
    }

    pub(super) async fn create(&self, body: &[u8]) -> Result<String, ApiError> {
        let value = decode(body)?;
        let map = in_body(json::object(&value, "toxiproxy.Proxy"))?;
        let empty = Map::new();
        let input = in_body(Input::read(map.unwrap_or(&empty), "Proxy"))?;
        if input.name.is_empty() {
            return Err(ApiError::missing("name"));
        }
        if input.upstream.is_empty() {
            return Err(ApiError::missing("upstream"));
        }
        let mut proxies = self.proxies().await;
        if proxies.contains_key(&input.name) {
            return Err(ApiError::new(StatusCode::CONFLICT, "proxy already exists"));
        }
        let mut made = Made::new((input.name.clone(), input.listen, input.upstream), &self.chance);
        if input.enabled.unwrap_or(true) {
            made.start().await?;
        }
        let told = made.to_json();
        proxies.insert(input.name, made);
        Ok(told)
    }

    pub(super) async fn populate_answer(&self, body: &[u8]) -> (StatusCode, String) {
        let (names, error) = self.populated(body).await;
        let proxies = self.proxies().await;
        let told: Vec<String> =
            names.iter().flatten().filter_map(|name| proxies.get(name)).map(Made::to_json).collect();
        // A list of nothing is null, as Go writes one that was never begun.
        let told = if told.is_empty() { "null".to_owned() } else { format!("[{}]", told.join(",")) };
        match error {
            None => (StatusCode::CREATED, format!("{{\"proxies\":{told}}}")),
            Some(error) => {
                let (message, status) = (json::quoted(&error.message), error.status.as_u16());
                let text = format!("{{\"error\":{message},\"status\":{status},\"proxies\":{told}}}");
                (error.status, text)
            }
        }
    }

    /// Makes proxies one by one; gives the names of those that are there, and what went wrong with the next.
    async fn populated(&self, body: &[u8]) -> (Option<Vec<String>>, Option<ApiError>) {
        let inputs = match read_list(body) {
            Ok(inputs) => inputs,
            Err(error) => return (None, Some(error)),
        };
        let mut proxies = self.proxies().await;
        let mut names = Vec::new();
        for input in inputs {
            let name = input.name.clone();
            if let Err(error) = self.add_or_replace(&mut proxies, input).await {
                return (Some(names), Some(error));
            }
            names.push(name);
        }
        (Some(names), None)
    }

    async fn add_or_replace(
        &self,
        proxies: &mut BTreeMap<String, Made>,
        input: Input,
    ) -> Result<(), ApiError> {
        if let Some(existing) = proxies.get_mut(&input.name) {
            if !existing.differs(&input.listen, &input.upstream).await? {
                return Ok(());
            }
            existing.stop().await;
        }
        let mut made = Made::new((input.name.clone(), input.listen, input.upstream), &self.chance);
        if input.enabled.unwrap_or(true) {
            made.start().await?;
        }
        proxies.insert(input.name, made);
        Ok(())
    }

    pub(super) async fn show(&self, name: &str) -> Result<String, ApiError> {
        self.proxies().await.get(name).map(Made::to_json).ok_or_else(ApiError::no_proxy)
    }

    pub(super) async fn update(&self, name: &str, body: &[u8]) -> Result<String, ApiError> {
        let mut proxies = self.proxies().await;
        let proxy = proxies.get_mut(name).ok_or_else(ApiError::no_proxy)?;
        let value = decode(body)?;
        let map = in_body(json::object(&value, "toxiproxy.Proxy"))?;
        let empty = Map::new();
        let map = map.unwrap_or(&empty);
        let input = in_body(Input::read(map, "Proxy"))?;
        let or_as_is = |name: &str, said: String, is: &str| {
            if field(map, name).is_some() { said } else { is.to_owned() }
        };
        let listen = or_as_is("listen", input.listen, &proxy.listen);
        let upstream = or_as_is("upstream", input.upstream, &proxy.upstream);
        let enabled = input.enabled.unwrap_or(proxy.is_enabled());
        proxy.update((listen, upstream), enabled).await?;
        Ok(proxy.to_json())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), ApiError> {
        let mut proxies = self.proxies().await;
        let mut proxy = proxies.remove(name).ok_or_else(ApiError::no_proxy)?;
        proxy.stop().await;
        Ok(())
    }

    pub(super) async fn reset(&self) -> Result<(), ApiError> {
        for proxy in self.proxies().await.values_mut() {
            proxy.start().await?;
            proxy.remove_all().await;
        }
        Ok(())
    }

    pub(super) async fn toxics(&self, proxy: &str) -> Result<String, ApiError> {
        self.proxies().await.get(proxy).map(Made::toxics_json).ok_or_else(ApiError::no_proxy)
    }

    pub(super) async fn toxic(&self, proxy: &str, name: &str) -> Result<String, ApiError> {
        let proxies = self.proxies().await;
        let proxy = proxies.get(proxy).ok_or_else(ApiError::no_proxy)?;
        proxy.toxic(name).map(Named::to_json).ok_or_else(ApiError::no_toxic)
    }

    pub(super) async fn add_toxic(&self, proxy: &str, body: &[u8]) -> Result<String, ApiError> {
        let mut proxies = self.proxies().await;
        let proxy = proxies.get_mut(proxy).ok_or_else(ApiError::no_proxy)?;
        let value = decode(body)?;
        let empty = Map::new();
        let map = in_body(json::object(&value, "toxics.ToxicWrapper"))?.unwrap_or(&empty);
        let read = |name| in_body(text(map, "ToxicWrapper", name));
        let (name, type_name) = (read("name")?.unwrap_or_default(), read("type")?.unwrap_or_default());
        let stream = read("stream")?.unwrap_or_else(|| "downstream".to_owned());
        let toxicity = in_body(float(map, "ToxicWrapper", "toxicity"))?.unwrap_or(1.0);
        let Some(direction) = Stream::read(&stream) else {
            let message = "stream was invalid, can be either upstream or downstream";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
        };
        let name = if name.is_empty() { format!("{type_name}_{stream}") } else { name };
        let Some(kind) = toxic_kind(&type_name) else {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid toxic type"));
        };
        if proxy.toxic(&name).is_some() {
            return Err(ApiError::new(StatusCode::CONFLICT, "toxic already exists"));
        }
        let attributes = in_body(read_attributes(map, kind, &vec![0; kind.attributes.len()]))?;
        let id = self.next_toxic.fetch_add(1, Ordering::Relaxed);
        let named = Named { name, stream, toxic: Toxic { id, revision: 0, kind, attributes, toxicity } };
        let told = named.to_json();
        proxy.add(direction, named).await;
        Ok(told)
    }

    pub(super) async fn update_toxic(
        &self,
        proxy: &str,
        name: &str,
        body: &[u8],
    ) -> Result<String, ApiError> {
        let mut proxies = self.proxies().await;
        let proxy = proxies.get_mut(proxy).ok_or_else(ApiError::no_proxy)?;
        let Toxic { kind, attributes, toxicity, .. } =
            proxy.toxic(name).ok_or_else(ApiError::no_toxic)?.toxic.clone();
        let value = decode(body)?;
        let empty = Map::new();
        let unnamed = "struct { Attributes interface {} \"json:\\\"attributes\\\"\"; Toxicity float32 \"json:\\\"toxicity\\\"\" }";
        let map = in_body(json::object(&value, unnamed))?.unwrap_or(&empty);
        let attributes = in_body(read_attributes(map, kind, &attributes))?;
        let toxicity = in_body(float(map, "", "toxicity"))?.unwrap_or(toxicity);
        proxy.change(name, attributes, toxicity).await.map(Named::to_json).ok_or_else(ApiError::no_toxic)
    }

    pub(super) async fn remove_toxic(&self, proxy: &str, name: &str) -> Result<(), ApiError> {
        let mut proxies = self.proxies().await;
        let proxy = proxies.get_mut(proxy).ok_or_else(ApiError::no_proxy)?;
        if proxy.remove(name).await { Ok(()) } else { Err(ApiError::no_toxic()) }
    }
}

fn decode(body: &[u8]) -> Result<Value, ApiError> {
    in_body(first_value(body))
}

fn in_body<T>(read: Result<T, String>) -> Result<T, ApiError> {
    read.map_err(|error| ApiError::bad_body(&error))
}

/// The attributes of a kind; what is not said stays as it is.
fn read_attributes(map: &Map<String, Value>, kind: &ToxicKind, as_is: &[i64]) -> Result<Vec<i64>, String> {
    let empty = Map::new();
    let attributes = match field(map, "attributes") {
        None => &empty,
        Some(Value::Object(attributes)) => attributes,
        Some(other) => {
            let (other, structure) = (json::kind(other), kind.structure);
            return Err(format!(
                "json: cannot unmarshal {other} into Go struct field .attributes of type toxics.{structure}"
            ));
        }
    };
    let go_type = if kind.name == "slicer" { "int" } else { "int64" };
    let read = |(name, is): (&&'static str, &i64)| {
        let path = format!("attributes.{name}");
        Ok(integer(attributes, kind.structure, (*name, &path), go_type)?.unwrap_or(*is))
    };
    kind.attributes.iter().zip(as_is).map(read).collect()
}

/// The proxies of `POST /populate`, all of which say what they must before any is made.
fn read_list(body: &[u8]) -> Result<Vec<Input>, ApiError> {
    const LIST: &str = "[]struct { toxiproxy.Proxy; Enabled *bool \"json:\\\"enabled\\\"\" }";
    let value = decode(body)?;
    let list = match &value {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        other => {
            let other = json::kind(other);
            return Err(ApiError::bad_body(&format!(
                "json: cannot unmarshal {other} into Go value of type {LIST}"
            )));
        }
    };
    let empty = Map::new();
    let mut inputs = Vec::with_capacity(list.len());
    for value in list {
        let map = in_body(json::object(value, LIST.trim_start_matches("[]")))?;
        inputs.push(in_body(Input::read(map.unwrap_or(&empty), ""))?);
    }
    for (number, input) in (1..).zip(&inputs) {
        for (name, said) in [("name", &input.name), ("upstream", &input.upstream)] {
            if said.is_empty() {
                return Err(ApiError::missing(&format!("{name} at proxy {number}")));
            }
        }
    }
    Ok(inputs)
}
