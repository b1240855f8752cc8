//! Somebody else's components: where their seams lead, and what is told when they can't be asked.
//!
//! ```text
//! https wss ──────────▶ gateway ── TLS ──▶ the external     `Host` and its own `Location` are rewritten
//! http ws, far away ──▶ gateway ─────────▶ the external     the same without TLS
//! tls rediss amqps ───▶ gateway ── TLS ──▶ the external     bytes
//! all else ──────────────────────────────▶ the external     bytes
//! ```
//!
//! Nothing is looked up before somebody asks: an external that nobody uses need not be there. One on this machine where
//! nobody listens refuses, and is looked at again and again until somebody does.

mod access;
mod door;
mod news;

use crate::plan::live::Allowed;
use crate::plan::system::PlannedComponent;
use crate::testbed::Testbed;
use crate::testbed::state::chain;
use crate::testbed::told::about;
use access::Access;
use door::{LOOK_EVERY, is_closed};
use news::Door;
use seam_diag::{Diagnostic, Span};
use seam_launch::{Bounds, External, ExternalAddress, parse_external};
use seam_proxy::{Gateway, GatewaySpec, Passing, Patience, ProviderTlsSpec, Trust, Upstream};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) use news::ExternalNews;

/// The externals of a testbed, and what is told of them.
pub(crate) struct Externals {
    there: Mutex<HashMap<String, There>>,
    news: Arc<ExternalNews>,
}

/// An external as it stands.
#[derive(Clone)]
struct Elsewhere {
    name: String,
    address: ExternalAddress,
    span: Span,
    /// Is it asked in all tests?
    always: bool,
    /// Is something of it bounded?
    bounded: bool,
    trust: Trust,
    /// The certificate that it is shown, with its key.
    shown: Option<(PathBuf, PathBuf)>,
    access: Arc<Access>,
    refused: Arc<Notify>,
}

impl Elsewhere {
    fn way(&self) -> Way {
        Way::to(&self.address, self.bounded, self.always)
    }

    /// Does it take another way to it to keep these bounds? Only then what is connected has to be left.
    fn goes_otherwise(&self, bounds: &Bounds) -> bool {
        !bounds.is_free() && Way::to(&self.address, true, self.always) != self.way()
    }
}

struct There {
    elsewhere: Elsewhere,
    /// Through which it is asked at present, if it is asked through one. All connections through it end with it.
    gateway: Option<Gateway>,
    /// Who looks whether somebody listens there. It ends with this.
    looking: JoinSet<()>,
}

impl Externals {
    pub(crate) fn new(news: ExternalNews) -> Self {
        Self { there: Mutex::default(), news: Arc::new(news) }
    }

    /// Who tells what goes wrong with them.
    pub(crate) fn news(&self) -> &Arc<ExternalNews> {
        &self.news
    }

    /// Nothing is asked of anybody any more.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    /// The external of this name as it stands, made where it is not there yet: what was asked of it before it was
    /// stopped still counts.
    fn known(&self, name: &str, make: impl FnOnce() -> Elsewhere) -> Elsewhere {
        let mut there = self.lock();
        let one = there.entry(name.to_owned()).or_insert_with(|| There {
            elsewhere: make(),
            gateway: None,
            looking: JoinSet::new(),
        });
        one.elsewhere.clone()
    }

    fn find(&self, name: &str) -> Option<Elsewhere> {
        self.lock().get(name).map(|one| one.elsewhere.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, There>> {
        // Nothing that holds this lock can leave the map half changed.
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Testbed {
    /// Lets the seams to somebody else's component lead to its address. Gives what there is to say of it.
    pub(super) async fn point_external(
        self: &Arc<Self>,
        name: &str,
        planned: &PlannedComponent,
        external: &External,
        text: &str,
    ) -> Result<String, Diagnostic> {
        let span = planned.declared.subject.span;
        let address = parse_external(text)
            .map_err(|reason| about(format!("`{name}` can't be reached: {reason}"), span))?;
        external
            .bounds
            .check(&address)
            .map_err(|reason| about(format!("`{name}` can't be bounded: {reason}"), span))?;
        let elsewhere = self.externals.known(name, || Elsewhere {
            name: name.to_owned(),
            span,
            always: external.live || address.is_loopback(),
            bounded: !external.bounds.is_free(),
            trust: match &external.ca {
                Some(file) => Trust::Also(self.root().join(&file.value)),
                None => Trust::Machine,
            },
            shown: external.client.as_ref().map(|(certificate, key)| {
                (self.root().join(&certificate.value), self.root().join(&key.value))
            }),
            access: Arc::new(Access::new(&address.base, external.bounds.clone())),
            refused: self.externals.news.declared(name, &address, span),
            address,
        });
        if !elsewhere.always {
            if let Some(detail) = self.stand_in(name) {
                return Ok(detail);
            }
            let by_tests = self.plan().tests.iter().any(|test| test.body.allows(name));
            let why = if by_tests {
                "asked only by tests that say `live`"
            } else {
                "not asked: nothing says `live: true`"
            };
            return Ok(format!("{text}, which is {why}"));
        }
        let rewritten = self.lead_to(&elsewhere).await?;
        Ok(if rewritten.is_empty() { text.to_owned() } else { format!("{text}, {rewritten}") })
    }

    /// A test begins that allows these to be asked.
    pub(crate) async fn allow(self: &Arc<Self>, allowed: &[Allowed]) -> Result<(), Diagnostic> {
        for Allowed { component, bounds, span } in allowed {
            let Some(mut elsewhere) = self.externals.find(component) else { continue };
            let checked = bounds.check(&elsewhere.address);
            checked.map_err(|reason| about(format!("`{component}` can't be bounded: {reason}"), *span))?;
            elsewhere.access.bound_test(Some(bounds.clone()));
            let goes_otherwise = elsewhere.goes_otherwise(bounds);
            elsewhere.bounded |= !bounds.is_free();
            if !elsewhere.always || goes_otherwise {
                self.step_aside(component);
                self.lead_anew(&elsewhere).await?;
            }
        }
        Ok(())
    }

    /// That test is over.
    pub(crate) async fn forbid(self: &Arc<Self>, allowed: &[Allowed]) -> Result<(), Diagnostic> {
        for Allowed { component, bounds, .. } in allowed {
            let Some(elsewhere) = self.externals.find(component) else { continue };
            elsewhere.access.bound_test(None);
            if !elsewhere.always {
                self.externals.news.set_door(component, Door::Forbidden);
                self.point_all(component, &Upstream::Nowhere);
                if let Some(there) = self.externals.lock().get_mut(component) {
                    there.gateway = None;
                }
                self.connections().close_idle();
                let _ = self.stand_in(component);
                self.pointed(component).await;
            } else if elsewhere.goes_otherwise(bounds) {
                self.lead_anew(&elsewhere).await?;
            }
        }
        Ok(())
    }

    /// Lets the seams lead to an external, while components use them. What was connected before is so no longer.
    async fn lead_anew(self: &Arc<Self>, elsewhere: &Elsewhere) -> Result<(), Diagnostic> {
        self.lead_to(elsewhere).await?;
        self.connections().close_idle();
        self.pointed(&elsewhere.name).await;
        Ok(())
    }

    /// Lets the seams lead to an external. Gives what is changed on the way.
    async fn lead_to(self: &Arc<Self>, elsewhere: &Elsewhere) -> Result<&'static str, Diagnostic> {
        let Elsewhere { name, address, .. } = elsewhere;
        let (upstream, gateway, rewritten) = match elsewhere.way() {
            Way::Straight => (Upstream::Name { host: address.host.clone(), port: address.port }, None, ""),
            Way::Gateway { tls, passing } => {
                let gateway = self.gateway(elsewhere, tls, passing).await.map_err(|error| {
                    about(format!("`{name}` can't be reached: {}", chain(&error)), elsewhere.span)
                })?;
                (Upstream::Tcp(gateway.address()), Some(gateway), rewritten(tls, passing))
            }
        };
        let others = (gateway.is_some() && address.tls).then(|| ProviderTlsSpec {
            authorities: Some(elsewhere.trust.clone()),
            shown: elsewhere.shown.clone(),
            ..ProviderTlsSpec::default()
        });
        self.proxy.speak_tls_to_others(|seam| seam.provider.as_str() == name, others.as_ref());
        let closed = address.is_loopback() && is_closed(address).await;
        self.lead(elsewhere, &upstream, closed);
        let mut there = self.externals.lock();
        if let Some(there) = there.get_mut(name) {
            there.gateway = gateway;
            there.looking = JoinSet::new();
            if address.is_loopback() {
                there.looking.spawn(look(Arc::downgrade(self), elsewhere.clone(), upstream, closed));
            }
        }
        Ok(rewritten)
    }

    /// Lets the seams lead there, or refuse where it is closed.
    fn lead(&self, elsewhere: &Elsewhere, upstream: &Upstream, closed: bool) {
        let door = if closed { Door::Closed } else { Door::Open };
        self.externals.news.set_door(&elsewhere.name, door);
        self.point_all(&elsewhere.name, if closed { &Upstream::Nowhere } else { upstream });
    }

    /// Lets the seams to all endpoints of a component lead there.
    fn point_all(&self, component: &str, upstream: &Upstream) {
        for endpoint in &self.system().components[component].endpoints {
            self.point(component, &endpoint.name, upstream);
        }
    }

    async fn gateway(&self, elsewhere: &Elsewhere, tls: bool, passing: Passing) -> std::io::Result<Gateway> {
        let (news, component) = (Arc::clone(&self.externals.news), elsewhere.name.clone());
        let access = Arc::clone(&elsewhere.access);
        let spec = GatewaySpec {
            host: elsewhere.address.host.clone(),
            port: elsewhere.address.port,
            tls,
            passing,
            trust: elsewhere.trust.clone(),
            shown: elsewhere.shown.clone(),
            patience: Patience::default(),
            permit: Some(Arc::new(move |method, path| access.permit(method, path))),
            told: Arc::new(move |error| news.failed(&component, error)),
        };
        Gateway::open(spec).await
    }
}

/// Looks whether somebody listens at an external on this machine: while nobody does again and again, otherwise when
/// somebody was refused. Its seams refuse for as long as nobody does.
async fn look(bed: Weak<Testbed>, elsewhere: Elsewhere, upstream: Upstream, mut closed: bool) {
    loop {
        if closed {
            tokio::time::sleep(LOOK_EVERY).await;
        } else {
            elsewhere.refused.notified().await;
        }
        let is_closed = is_closed(&elsewhere.address).await;
        let Some(bed) = bed.upgrade() else { return };
        // One that a step has stopped stays so.
        if is_closed != closed && bed.live(&elsewhere.name).is_some() {
            bed.lead(&elsewhere, &upstream, is_closed);
            closed = is_closed;
        }
    }
}

/// How the seams to an external lead there.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// Byte for byte.
    Straight,
    /// Through a gateway.
    Gateway { tls: bool, passing: Passing },
}

impl Way {
    /// One that is not asked always must be left again, with all connections; one that is bounded is looked at.
    fn to(address: &ExternalAddress, bounded: bool, always: bool) -> Self {
        match address.scheme.as_str() {
            "https" | "wss" => Self::Gateway { tls: true, passing: Passing::Http },
            // On this machine itself it answers to whatever name it is called by, as it does without Seamwork; only
            // names of its own (`shop.localhost`) tell several servers apart.
            "http" | "ws"
                if bounded
                    || !address.is_loopback()
                    || address.host.to_ascii_lowercase().ends_with(".localhost") =>
            {
                Self::Gateway { tls: false, passing: Passing::Http }
            }
            _ if address.tls => Self::Gateway { tls: true, passing: Passing::Bytes },
            _ if !always => Self::Gateway { tls: false, passing: Passing::Bytes },
            _ => Self::Straight,
        }
    }
}

/// What is changed on the way, for the History.
fn rewritten(tls: bool, passing: Passing) -> &'static str {
    match (tls, passing) {
        (true, Passing::Http) => "with TLS put on, `Host` and its own `Location` rewritten",
        (false, Passing::Http) => "with `Host` and its own `Location` rewritten",
        (true, Passing::Bytes) => "with TLS put on",
        (false, Passing::Bytes) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seams_lead_to_externals_in_the_way_that_each_needs() {
        let gateway = |tls, passing| Way::Gateway { tls, passing };
        for (address, way) in [
            ("https://localhost:8443/v1", gateway(true, Passing::Http)),
            ("wss://api.example", gateway(true, Passing::Http)),
            ("http://api.example/v1", gateway(false, Passing::Http)),
            ("ws://api.example", gateway(false, Passing::Http)),
            ("http://shop.localhost:3000", gateway(false, Passing::Http)),
            ("http://localhost:3000", Way::Straight),
            ("http://127.0.0.1:3000", Way::Straight),
            ("http://[::1]:3000", Way::Straight),
            ("tcp://queue.example:99", Way::Straight),
            ("postgresql://db.example/orders", Way::Straight),
            ("rediss://cache.example", gateway(true, Passing::Bytes)),
            ("tls://queue.example:99", gateway(true, Passing::Bytes)),
        ] {
            assert_eq!(Way::to(&parse_external(address).unwrap(), false, true), way, "{address}");
        }
    }

    #[test]
    fn what_is_bounded_or_asked_for_a_while_goes_through_a_gateway() {
        let way = |text: &str, bounded, always| Way::to(&parse_external(text).unwrap(), bounded, always);
        let gateway = |passing| Way::Gateway { tls: false, passing };
        assert_eq!(way("http://127.0.0.1:1", true, true), gateway(Passing::Http));
        assert_eq!(way("postgresql://db.example", false, false), gateway(Passing::Bytes));
    }
}
