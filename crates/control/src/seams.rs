//! Seams without a system: `seam serve --seam LISTEN=UPSTREAM`, and stubs where nothing stands behind.

use crate::kept::Passed;
use crate::own::{ComponentView, House, HouseError, SeamView};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Names;
use seam_history::Masker;
use seam_proxy::{
    Authority, Kind, Often, Proxy, ProxyError, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream,
};
use seam_stub::{StubSet, Stubs, Surroundings};
use seam_wire::{Limits, Protocol};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long what has passed may take to be told.
const DRAIN: Duration = Duration::from_secs(5);

/// Seams that lead to addresses, and stubs that stand at some.
pub struct Seams {
    proxy: Proxy,
    views: Mutex<Vec<SeamView>>,
    passed: Passed,
    began: Timestamp,
    masker: Masker,
    names: Arc<Surroundings>,
    /// Is TLS spoken to consumers who ask for it?
    is_vouched_for: bool,
}

impl Seams {
    /// Stands on nothing yet. `names` are what templates of stubs may ask.
    pub fn start(names: Surroundings) -> Result<Self, ProxyError> {
        let passed = Passed::default();
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let proxy = Proxy::start(pulse, Limits::default(), Box::new(passed.clone()), Box::new(Strangers))?;
        Ok(Self {
            proxy,
            views: Mutex::default(),
            passed,
            began: Timestamp::now(),
            masker: Masker::default(),
            names: Arc::new(names),
            is_vouched_for: false,
        })
    }

    /// Consumers who want TLS get it, by this authority. Nothing says which of them insist on it, so all who ask are
    /// taken at their word. Before anything is stood on.
    #[must_use]
    pub fn vouched_for(mut self, authority: &Authority) -> Self {
        self.proxy.vouch(authority);
        self.is_vouched_for = true;
        self
    }

    /// Keeps what passes from now on to be recorded: as much as a machine can bear, not only the newest.
    #[must_use]
    pub fn keeping_all(self) -> Self {
        self.passed.keep_for_recording();
        self
    }

    /// Why stubs had no answer that can be said, from now on: each stub once. Whoever waited for it was reset.
    pub fn failures(&self) -> mpsc::Receiver<String> {
        self.passed.failures()
    }

    /// Stands on a seam from an address to an upstream (`host:port`), and gives the address where it listens.
    pub async fn stand(
        &self,
        listen: SocketAddr,
        upstream: &str,
        protocol: &'static dyn Protocol,
    ) -> Result<SeamView, ProxyError> {
        let leads = if let Ok(address) = upstream.parse::<SocketAddr>() {
            Upstream::Tcp(address)
        } else {
            let (host, port) = upstream.rsplit_once(':').unwrap_or((upstream, "0"));
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Upstream::Name { host, port: port.parse().unwrap_or(0) }
        };
        self.stand_on(listen, (upstream, leads), protocol).await
    }

    /// Stubs stand at an address, with nothing behind them.
    pub async fn stand_stubs(
        &self,
        (listen, name): (SocketAddr, &str),
        stubs: Stubs,
        protocol: &'static dyn Protocol,
    ) -> Result<SeamView, ProxyError> {
        let view = self.stand_on(listen, (name, Upstream::Nowhere), protocol).await?;
        let set = Arc::new(StubSet::new());
        let names: Arc<dyn Names + Send + Sync> = Arc::clone(&self.names) as _;
        set.put(stubs, &names);
        let rule = Arc::new(Rule::new(RuleSpec {
            name: name.to_owned(),
            kind: Kind::Stub(set as _),
            filter: None,
            filters_replies: false,
            often: Often::default(),
            chance: self.names.chance.branch(name),
        }));
        self.proxy.put(|seam| *seam == view.id, &rule);
        self.proxy.pointed(|seam| *seam == view.id).await;
        Ok(view)
    }

    async fn stand_on(
        &self,
        listen: SocketAddr,
        (name, upstream): (&str, Upstream),
        protocol: &'static dyn Protocol,
    ) -> Result<SeamView, ProxyError> {
        // Named by the address as it was asked for, or, with a free port, by the one that it got.
        // A seam shares its port with whoever else wants to, which nobody would expect who names one.
        let free = std::net::TcpListener::bind(listen).and_then(|listener| listener.local_addr());
        let listen = free.map_err(|source| ProxyError::Io { what: listen.to_string(), source })?;
        let id = SeamId {
            consumer: ComponentId::from(listen.to_string()),
            provider: ComponentId::from(name),
            endpoint: Endpoint::main(),
        };
        let spec = SeamSpec { seam: id.clone(), protocol, upstream, listen: Some(listen) };
        let address = self.proxy.stand(spec).await?;
        if self.is_vouched_for {
            self.proxy.insist_on_tls(|seam| *seam == id);
        }
        let view = SeamView { id, protocol, listens: Some(address), leads_to: name.to_owned() };
        self.views.lock().unwrap_or_else(PoisonError::into_inner).push(view.clone());
        Ok(view)
    }
}

impl House for Seams {
    fn name(&self) -> String {
        "seams".to_owned()
    }

    fn seams(&self) -> Vec<SeamView> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn components(&self) -> Vec<ComponentView> {
        Vec::new()
    }

    fn put<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, Result<(), HouseError>> {
        Box::pin(async move {
            if self.proxy.put(|other| other == seam, rule) == 0 {
                return Err(HouseError::Unknown(format!("seam `{seam}`")));
            }
            self.proxy.pointed(|other| other == seam).await;
            Ok(())
        })
    }

    fn take_away<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.proxy.take_away(rule);
            self.proxy.pointed(|other| other == seam).await;
        })
    }

    fn push<'a>(
        &'a self,
        seam: &'a SeamId,
        message: seam_value::Value,
    ) -> BoxFuture<'a, Result<Vec<Result<(), String>>, HouseError>> {
        Box::pin(async move {
            let pushed = self.proxy.push(seam, message).await;
            pushed.ok_or_else(|| HouseError::Unknown(format!("seam `{seam}`")))
        })
    }

    fn began(&self) -> Timestamp {
        self.began
    }

    fn masker(&self) -> Masker {
        self.masker.clone()
    }

    fn interactions(&self) -> BoxFuture<'_, Vec<Arc<Interaction>>> {
        Box::pin(async move {
            self.proxy.drain(DRAIN).await;
            self.passed.all()
        })
    }

    fn act<'a>(&'a self, component: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), HouseError>> {
        let unknown = HouseError::Unknown(format!("component `{component}`: there are only seams"));
        Box::pin(std::future::ready(Err(unknown)))
    }

    fn names(&self) -> Arc<dyn Names + Send + Sync> {
        Arc::clone(&self.names) as _
    }
}
