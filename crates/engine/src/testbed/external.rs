//! Somebody else's components: where their seams lead, and what is told when they can't be asked.
//!
//! ```text
//! https wss ──────────▶ gateway ── TLS ──▶ the external     `Host` and its own `Location` are rewritten
//! http ws, far away ──▶ gateway ─────────▶ the external     the same without TLS
//! tls rediss amqps ───▶ gateway ── TLS ──▶ the external     bytes
//! all else ──────────────────────────────▶ the external     bytes
//! ```
//!
//! Nothing is looked up before somebody asks: an external that nobody uses need not be there.

use crate::plan::system::PlannedComponent;
use crate::testbed::Testbed;
use crate::testbed::journal::Journal;
use crate::testbed::state::chain;
use crate::testbed::told::about;
use seam_diag::{Diagnostic, Span};
use seam_event::{Level, Notice, Scope, TestId, What};
use seam_history::Recorder;
use seam_launch::{External, ExternalAddress, parse_external};
use seam_proxy::{ExternalError, Gateway, GatewaySpec, Passing, Patience, Trust, Upstream};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The gateways of a testbed, and what is told of externals.
pub(crate) struct Externals {
    gateways: Mutex<HashMap<String, Gateway>>,
    news: Arc<ExternalNews>,
}

impl Externals {
    pub(crate) fn new(news: ExternalNews) -> Self {
        Self { gateways: Mutex::default(), news: Arc::new(news) }
    }

    /// Who tells what goes wrong with them.
    pub(crate) fn news(&self) -> &Arc<ExternalNews> {
        &self.news
    }

    /// Nothing is asked of anybody any more.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Gateway>> {
        // Nothing that holds this lock can leave the map half changed.
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Testbed {
    /// Lets the seams to somebody else's component lead to its address. Gives what there is to say of it.
    pub(super) async fn point_external(
        &self,
        name: &str,
        planned: &PlannedComponent,
        external: &External,
        text: &str,
    ) -> Result<String, Diagnostic> {
        let span = planned.declared.subject.span;
        let address = parse_external(text)
            .map_err(|reason| about(format!("`{name}` can't be reached: {reason}"), span))?;
        let is_asked = external.live || address.is_loopback();
        self.externals.news.declared(name, span, is_asked);
        if !is_asked {
            return Ok(format!("{text}, which is not asked: there is no `live: true`"));
        }
        let (upstream, detail) = match Way::to(&address) {
            Way::Straight => (Upstream::Name { host: address.host, port: address.port }, text.to_owned()),
            Way::Gateway { tls, passing } => {
                let detail = format!("{text}, {}", rewritten(tls, passing));
                let gateway = self.gateway(name, &address, tls, passing).await;
                let gateway = gateway
                    .map_err(|error| about(format!("`{name}` can't be reached: {}", chain(&error)), span))?;
                let upstream = Upstream::Tcp(gateway.address());
                self.externals.lock().insert(name.to_owned(), gateway);
                (upstream, detail)
            }
        };
        for endpoint in &planned.endpoints {
            self.point(name, &endpoint.name, &upstream);
        }
        Ok(detail)
    }

    async fn gateway(
        &self,
        name: &str,
        address: &ExternalAddress,
        tls: bool,
        passing: Passing,
    ) -> std::io::Result<Gateway> {
        let (news, component) = (Arc::clone(&self.externals.news), name.to_owned());
        let spec = GatewaySpec {
            host: address.host.clone(),
            port: address.port,
            tls,
            passing,
            trust: Trust::Machine,
            patience: Patience::default(),
            told: Arc::new(move |error| news.failed(&component, error)),
        };
        Gateway::open(spec).await
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
    fn to(address: &ExternalAddress) -> Self {
        match address.scheme.as_str() {
            "https" | "wss" => Self::Gateway { tls: true, passing: Passing::Http },
            // On this machine itself it answers to whatever name it is called by, as it does without Seamwork; only
            // names of its own (`shop.localhost`) tell several servers apart.
            "http" | "ws"
                if !address.is_loopback() || address.host.to_ascii_lowercase().ends_with(".localhost") =>
            {
                Self::Gateway { tls: false, passing: Passing::Http }
            }
            _ if address.tls => Self::Gateway { tls: true, passing: Passing::Bytes },
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
        (false, Passing::Bytes) => "byte for byte",
    }
}

/// Tells why externals could not be asked: the same once for each test, and once in a run that `live` is missing.
pub(crate) struct ExternalNews {
    journal: Arc<Journal>,
    recorder: Recorder,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Where each external's address stands, and whether it is asked at all.
    declared: HashMap<String, (Span, bool)>,
    /// What has been told, with the test in which it was.
    told: HashSet<(Option<TestId>, String)>,
}

impl ExternalNews {
    pub(crate) fn new(journal: &Arc<Journal>, recorder: &Recorder) -> Self {
        Self { journal: Arc::clone(journal), recorder: recorder.clone(), known: Mutex::default() }
    }

    /// An external stands here; may it be asked?
    fn declared(&self, name: &str, span: Span, is_asked: bool) {
        self.lock().declared.insert(name.to_owned(), (span, is_asked));
    }

    /// Somebody wanted to ask a component, or asked it and was refused. Where it is an external that nobody may ask,
    /// the run says so, once.
    pub(crate) fn asked(&self, name: &str) {
        let Some(span) =
            self.lock().declared.get(name).and_then(|(span, is_asked)| (!is_asked).then_some(*span))
        else {
            return;
        };
        let notice = Notice {
            place: Some(span.into()),
            hint: Some(format!(
                "write `live: true` at `{name}`, best in a profile, if it is to be asked for real"
            )),
            ..Notice::new(Level::Warning, format!("`{name}` is not on this machine and was not asked"))
        };
        self.tell(Scope::default(), notice);
    }

    /// An external could not be asked, or gave no proper answer.
    pub(crate) fn failed(&self, name: &str, error: &ExternalError) {
        let span = self.lock().declared.get(name).map(|(span, _)| *span);
        let notice = Notice {
            place: span.map(Into::into),
            hint: error.hint(),
            ..Notice::new(Level::Warning, format!("`{name}` gave no answer: {}", chain(error)))
        };
        self.tell(self.journal.scope(), notice);
    }

    fn tell(&self, scope: Scope, notice: Notice) {
        if self.lock().told.insert((scope.test.clone(), notice.text.clone())) {
            self.recorder.record(scope, What::Notice(notice));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing that holds this lock can leave what it guards half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
            assert_eq!(Way::to(&parse_external(address).unwrap()), way, "{address}");
        }
    }
}
