//! One proxy that a client of Toxiproxy has made: its toxics by name, and its listener while it is enabled.

use super::ApiError;
use super::json::quoted;
use super::listen::{not_bound, resolve, split};
use seam_expr::Chance;
use seam_proxy::{Chains, Counters, Left, Toxic, ToxicStand};
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::watch;

/// One of the two directions, by Toxiproxy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Upstream,
    Downstream,
}

impl Stream {
    pub(super) fn read(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "upstream" => Some(Self::Upstream),
            "downstream" => Some(Self::Downstream),
            _ => None,
        }
    }
}

/// A toxic with the names that its client gave.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// As the client wrote it.
    pub(super) stream: String,
    pub(super) toxic: Toxic,
}

impl Named {
    pub(super) fn to_json(&self) -> String {
        let mut text = "{\"attributes\":{".to_owned();
        for (index, (name, value)) in
            self.toxic.kind.attributes.iter().zip(&self.toxic.attributes).enumerate()
        {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(text, "{comma}\"{name}\":{value}");
        }
        let (name, stream) = (quoted(&self.name), quoted(&self.stream));
        let (kind, toxicity) = (self.toxic.kind.name, self.toxic.toxicity);
        let _ = write!(
            text,
            "}},\"name\":{name},\"type\":\"{kind}\",\"stream\":{stream},\"toxicity\":{toxicity}}}"
        );
        text
    }
}

/// One proxy.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) listen: String,
    pub(super) upstream: String,
    /// Toxics in the order in which bytes pass them.
    up: Vec<Named>,
    down: Vec<Named>,
    chains: watch::Sender<Chains>,
    /// Tells when connections have turned from the toxics that stand now to later ones.
    left: Left,
    pub(super) counters: Arc<Counters>,
    chance: Arc<Chance>,
    stand: Option<ToxicStand>,
}

impl Made {
    pub(super) fn new((name, listen, upstream): (String, String, String), chance: &Chance) -> Self {
        let chance = Arc::new(chance.branch(&name));
        let (chains, left) = Chains::new(Vec::new(), Vec::new());
        Self {
            name,
            listen,
            upstream,
            up: Vec::new(),
            down: Vec::new(),
            chains: watch::channel(chains).0,
            left,
            counters: Arc::default(),
            chance,
            stand: None,
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.stand.is_some()
    }

    /// Listens, if it does not.
    pub(super) async fn start(&mut self) -> Result<(), ApiError> {
        if self.stand.is_some() {
            return Ok(());
        }
        let address = resolve(&self.listen)
            .await
            .map_err(|error| ApiError::internal(format!("listen tcp: {error}")))?;
        // One that can't be read can't be dialled either, which is when Toxiproxy finds out.
        let server = match split(&self.upstream) {
            Ok((host, port)) => {
                let host = if host.is_empty() { "localhost" } else { host };
                (host.to_owned(), port.parse().unwrap_or(0))
            }
            Err(_) => (self.upstream.clone(), 0),
        };
        let shared = (Arc::clone(&self.counters), Arc::clone(&self.chance));
        let stand = ToxicStand::listen(address, server, self.chains.subscribe(), shared)
            .map_err(|error| ApiError::internal(not_bound(address, &error)))?;
        self.listen = stand.address().to_string();
        self.stand = Some(stand);
        Ok(())
    }

    /// Stops listening and closes all connections.
    pub(super) async fn stop(&mut self) {
        if let Some(stand) = self.stand.take() {
            stand.close().await;
        }
    }

    /// Would it lead or listen elsewhere?
    pub(super) async fn differs(&self, listen: &str, upstream: &str) -> Result<bool, ApiError> {
        let resolved = resolve(listen).await.map_err(ApiError::internal)?;
        Ok(self.listen != resolved.to_string() || self.upstream != upstream)
    }

    pub(super) async fn update(
        &mut self,
        (listen, upstream): (String, String),
        enabled: bool,
    ) -> Result<(), ApiError> {
        if self.differs(&listen, &upstream).await? {
            self.stop().await;
            self.listen = listen;
            self.upstream = upstream;
        }
        match (enabled, self.is_enabled()) {
            (true, false) => self.start().await,
            (false, true) => {
                self.stop().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// All its toxics, those towards the server first.
    pub(super) fn toxics(&self) -> impl Iterator<Item = &Named> {
        self.up.iter().chain(&self.down)
    }

    pub(super) fn toxic(&self, name: &str) -> Option<&Named> {
        self.toxics().find(|toxic| toxic.name == name)
    }

    pub(super) async fn add(&mut self, stream: Stream, toxic: Named) {
        match stream {
            Stream::Upstream => self.up.push(toxic),
            Stream::Downstream => self.down.push(toxic),
        }
        self.tell().await;
    }

    /// Changes a toxic, which is drawn anew for each connection.
    pub(super) async fn change(&mut self, name: &str, attributes: Vec<i64>, toxicity: f32) -> Option<&Named> {
        let toxic = self.up.iter_mut().chain(&mut self.down).find(|toxic| toxic.name == name)?;
        toxic.toxic.attributes = attributes;
        toxic.toxic.toxicity = toxicity;
        toxic.toxic.revision += 1;
        self.tell().await;
        self.toxic(name)
    }

    /// Takes a toxic away; false where there is none of that name.
    pub(super) async fn remove(&mut self, name: &str) -> bool {
        let n_before = self.up.len() + self.down.len();
        self.up.retain(|toxic| toxic.name != name);
        self.down.retain(|toxic| toxic.name != name);
        self.tell().await;
        self.up.len() + self.down.len() < n_before
    }

    pub(super) async fn remove_all(&mut self) {
        self.up.clear();
        self.down.clear();
        self.tell().await;
    }

    /// Lets all connections know, and waits until they do.
    async fn tell(&mut self) {
        let toxics = |named: &[Named]| named.iter().map(|named| named.toxic.clone()).collect();
        let (chains, left) = Chains::new(toxics(&self.up), toxics(&self.down));
        self.chains.send_replace(chains);
        std::mem::replace(&mut self.left, left).by_all().await;
    }

    pub(super) fn toxics_json(&self) -> String {
        let toxics: Vec<String> = self.toxics().map(Named::to_json).collect();
        format!("[{}]", toxics.join(","))
    }

    pub(super) fn to_json(&self) -> String {
        // The empty `Logger` is there in every answer of Toxiproxy's.
        format!(
            "{{\"name\":{},\"listen\":{},\"upstream\":{},\"enabled\":{},\"Logger\":{{}},\"toxics\":{}}}",
            quoted(&self.name),
            quoted(&self.listen),
            quoted(&self.upstream),
            self.is_enabled(),
            self.toxics_json()
        )
    }
}
