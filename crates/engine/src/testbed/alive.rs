//! A system that is up, for whoever controls it from outside: its seams, its components, and what has passed.

use crate::testbed::component::Readiness;
use crate::testbed::{Testbed, all_seams};
use jiff::Timestamp;
use seam_event::{Interaction, Scope, SeamId, What};
use seam_expr::Names;
use seam_launch::parse_external;
use seam_proxy::{Rule, Upstream};
use seam_steps::{Act, Trouble};
use seam_value::Value;
use seam_wire::Protocol;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A system that is up.
#[derive(Clone)]
pub struct Alive(Arc<Testbed>);

impl Alive {
    pub(crate) fn of(bed: &Arc<Testbed>) -> Self {
        Self(Arc::clone(bed))
    }

    /// The system's name.
    pub fn name(&self) -> String {
        self.0.system().name.clone()
    }

    /// All seams, those of the test among them, each with its protocol and where its consumer dials.
    pub fn seams(&self) -> Vec<(SeamId, &'static dyn Protocol, Option<SocketAddr>)> {
        let seams = all_seams(self.0.plan()).into_iter();
        seams.map(|(id, protocol)| (id.clone(), protocol, self.0.wiring().dials(&id))).collect()
    }

    /// Where a seam leads, for people: the address of somebody else's component, the address or the socket of one of our
    /// own; empty where nothing listens there.
    pub fn leads_to(&self, seam: &SeamId) -> String {
        let provider = seam.provider.as_str();
        let external = self.0.system().components.get(provider).and_then(|planned| {
            let address = self.0.wiring().render(provider, planned.external_address()?).ok()?;
            parse_external(&address).ok()
        });
        match (external, self.0.proxy.leads_to(seam)) {
            (_, None | Some(Upstream::Nowhere)) => String::new(),
            (Some(address), Some(_)) => format!("{}://{}", address.scheme, address.authority()),
            (None, Some(Upstream::Tcp(address))) => address.to_string(),
            (None, Some(Upstream::Unix(socket))) => socket.display().to_string(),
            (None, Some(Upstream::Name { host, port })) if host.contains(':') => format!("[{host}]:{port}"),
            (None, Some(Upstream::Name { host, port })) => format!("{host}:{port}"),
        }
    }

    /// All components, with how each is: `starting`, `ready`, `paused`, `stopped`, `dead`.
    pub fn components(&self) -> Vec<(String, &'static str)> {
        let state = |name: &str| {
            let Some(component) = self.0.components.get(name) else { return "stopped" };
            if component.is_dead() {
                "dead"
            } else if component.live().is_none() || component.is_stopped() {
                "stopped"
            } else if component.paused.load(Ordering::SeqCst) {
                "paused"
            } else if *component.readiness.borrow() == Readiness::Ready {
                "ready"
            } else {
                "starting"
            }
        };
        self.0.system().components.keys().map(|name| (name.clone(), state(name))).collect()
    }

    /// Puts a rule on a seam, and comes back when it stands there; false where there is no such seam.
    pub async fn put(&self, seam: &SeamId, rule: &Arc<Rule>) -> bool {
        let bed = &self.0;
        if bed.proxy.put(|other| other == seam, rule) == 0 {
            return false;
        }
        bed.proxy.pointed(|other| other == seam).await;
        self.tell(seam, rule, "put");
        true
    }

    /// Takes a rule away from its seam.
    pub async fn take_away(&self, seam: &SeamId, rule: &Arc<Rule>) {
        let bed = &self.0;
        bed.drain().await;
        bed.proxy.take_away(rule);
        bed.proxy.pointed(|other| other == seam).await;
        self.tell(seam, rule, "taken away");
    }

    /// What has passed so far and is still kept, in the order in which requests began.
    pub async fn interactions(&self) -> Vec<Arc<Interaction>> {
        self.0.drain().await;
        self.0.journal().interactions(|_| true)
    }

    /// Says a message to a seam's consumers of its own accord, on every connection that is held. What became of it on each;
    /// none where there is no such seam.
    pub async fn push(&self, seam: &SeamId, message: Value) -> Option<Vec<Result<(), String>>> {
        self.0.proxy.push(seam, message).await
    }

    /// When the run began: what the times of its interactions count from.
    pub fn began(&self) -> Timestamp {
        self.0.ground.began.1
    }

    /// Does something to a component and waits until it is so.
    pub async fn act(&self, component: &str, act: Act) -> Result<(), String> {
        self.0.act(component, act).await.map_err(|trouble| match trouble {
            Trouble::Failed { reason, .. }
            | Trouble::Errored { reason, .. }
            | Trouble::Inconclusive { reason, .. } => reason,
        })
    }

    /// What templates of stubs may ask.
    pub fn names(&self) -> Arc<dyn Names + Send + Sync> {
        Arc::new(self.0.surroundings("control"))
    }

    fn tell(&self, seam: &SeamId, rule: &Rule, action: &str) {
        let (fault, action) = (rule.name().to_owned(), action.to_owned());
        let is_stub = rule.is_stub();
        let what = What::Fault { seam: seam.clone(), fault, action, is_stub, interaction: None };
        self.0.record(Scope::default(), what);
    }
}
