//! One address at which stubs answer whatever no interface of ours answers: a seam whose provider is our own HTTP server.
//!
//! ```text
//! client ─▶ seam with a stub: the mappings ─┬▶ the answer, with delays and faults, by the proxy
//!                                           └▶ /__admin, /seam, /proxies … ─▶ our HTTP server on a private socket
//! ```
//!
//! So delays, dribbled bodies, broken connections and requests that are passed on elsewhere are done where they are done
//! for every other seam.

use crate::guard::is_local;
use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Callers, Dialled, Kind, Often, Proxy, ProxyError, Pulse, Rule, RuleSpec, SeamSpec, Unread, Upstream,
    Witness,
};
use seam_stub::wiremock::{Request, WireMock};
use seam_value::Value;
use seam_wire::{Answering, Answers, Asked, Limits, Say};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first parts of paths that our own server answers.
pub(crate) type Reserved = &'static [&'static str];

/// Bodies up to this are held to be matched; the server refuses larger ones.
const HELD_BODY: usize = 8 * 1024 * 1024;

/// The proxy of an address with stubs.
pub(crate) struct Front {
    proxy: Proxy,
}

impl Front {
    /// Stands at the address, in front of the server that listens on this socket. Gives the address where it listens.
    pub(crate) async fn stand(
        listen: SocketAddr,
        server: PathBuf,
        (wiremock, reserved): (Arc<WireMock>, Reserved),
    ) -> Result<(Self, SocketAddr), ProxyError> {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let limits = Limits { kept_body: HELD_BODY, ..Limits::default() };
        let proxy = Proxy::start(pulse, limits, Box::new(Unwatched), Box::new(Unwatched))?;
        let seam = SeamId {
            consumer: ComponentId::from("client"),
            provider: ComponentId::from("stubs"),
            endpoint: Endpoint::main(),
        };
        let protocol = seam_wire::protocol("http").unwrap_or(seam_wire::PROTOCOLS[0]);
        let spec = SeamSpec { seam, protocol, upstream: Upstream::Unix(server), listen: Some(listen) };
        let address = proxy.stand(spec).await?;
        let rule = Arc::new(Rule::new(RuleSpec {
            name: "stubs".to_owned(),
            kind: Kind::Stub(Arc::new(Mapped { wiremock, reserved })),
            filter: None,
            filters_replies: false,
            often: Often::default(),
            chance: Chance::new(0, "stubs"),
        }));
        proxy.put(|_| true, &rule);
        proxy.pointed(|_| true).await;
        Ok((Self { proxy }, address))
    }

    /// Takes the address down.
    pub(crate) fn stop(self) {
        self.proxy.stop();
    }
}

/// Mappings, and what is not theirs to answer.
struct Mapped {
    wiremock: Arc<WireMock>,
    reserved: Reserved,
}

impl Answers for Mapped {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let path = asked.request.get("path").and_then(Value::as_text).unwrap_or("/");
        let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        let host = asked.request.get("headers").and_then(|headers| headers.get("host"));
        let is_ours = self.reserved.contains(&first) || !host.and_then(Value::as_text).is_some_and(is_local);
        if is_ours {
            // What comes from elsewhere is refused by the server, as it refuses it everywhere.
            return Some(answering(Say::Pass));
        }
        let now = jiff::Timestamp::now();
        if let Some(answer) = self.wiremock.serve(Request::of(asked, now)).answering {
            return Some(answer);
        }
        let report = self.wiremock.not_matched(&Request::of(asked, now));
        Some(answering(Say::Answer(Arc::new(not_found(&report)))))
    }
}

/// What a client is told whom nothing has answered.
fn not_found(report: &str) -> Value {
    Value::map([
        ("status", Value::from(404_u16)),
        ("headers", Value::map([("content-type", Value::text("text/plain"))])),
        ("text", Value::text(report)),
    ])
}

fn answering(say: Say) -> Answering {
    Answering { by: "stubs".into(), after: Duration::ZERO, say, dribble: None, afterwards: Vec::new() }
}

/// What passes here is a client's own, and nobody is told.
struct Unwatched;

impl Witness for Unwatched {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, _: Interaction) {}

    fn unread(&mut self, _: Unread) {}

    fn degraded(&mut self, _: &SeamId, _: u64, _: &str) {}

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

impl Callers for Unwatched {
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>> {
        connections.iter().map(|_| None).collect()
    }
}
