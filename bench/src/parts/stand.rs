//! A seam that is stood on, alone: the proxy as a testbed has it, watching, keeping what it sees, or holding every message.

use super::{Started, Upstream};
use seam_event::{ComponentId, Interaction, Scope, SeamId, What};
use seam_expr::Chance;
use seam_history::{Recorder, RunFolder, Writer};
use seam_proxy::{Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Unread, Witness};
use seam_value::Value;
use seam_wire::Limits;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Stands on a seam of this protocol that leads there, and keeps the newest of what it sees until somebody asks, as
/// `seam serve` does: `PROTOCOL ADDRESS`.
pub(crate) fn start(words: &[String]) -> std::io::Result<Started> {
    let (proxy, address) = stand(words, Box::new(Watcher::default()))?;
    Ok((address, Box::new(proxy)))
}

/// The same, reading all that it sees and keeping nothing.
pub(crate) fn start_read(words: &[String]) -> std::io::Result<Started> {
    let (proxy, address) = stand(words, Box::new(Nobody))?;
    Ok((address, Box::new(proxy)))
}

/// The same, with a History in this folder: `PROTOCOL ADDRESS FOLDER`.
pub(crate) fn start_recorded(words: &[String]) -> std::io::Result<Started> {
    let folder = words.get(2).ok_or_else(|| std::io::Error::other("a folder is missing"))?;
    let folder = RunFolder::create(Path::new(folder), Duration::from_hours(500_000), 1)
        .map_err(std::io::Error::other)?;
    let writer = Writer::start(&folder, &[]).map_err(std::io::Error::other)?;
    let (proxy, address) = stand(words, Box::new(Keeper(writer.recorder())))?;
    Ok((address, Box::new((proxy, writer))))
}

/// Stands on a seam under a fault that never strikes, so that each message is held until it is decided about.
pub(crate) fn start_held(words: &[String]) -> std::io::Result<Started> {
    let (proxy, address) = stand(words, Box::new(Nobody))?;
    let reset = seam_proxy::read_fault(&Value::text("reset")).map_err(std::io::Error::other)?;
    let rule = Rule::new(RuleSpec {
        name: "reset".to_owned(),
        kind: Kind::Fault(reset),
        // It looks into what is asked, as a `where` does.
        filter: Some(Box::new(|interaction| interaction.as_map().is_none())),
        filters_replies: false,
        often: Often::default(),
        chance: Chance::new(1, "bench"),
    });
    proxy.put(|_| true, &Arc::new(rule));
    Ok((address, Box::new(proxy)))
}

fn stand(words: &[String], witness: Box<dyn Witness>) -> std::io::Result<(Proxy, SocketAddr)> {
    let wrong = || std::io::Error::other("the protocol is missing");
    let protocol = words.first().and_then(|name| seam_wire::protocol(name)).ok_or_else(wrong)?;
    let upstream = match Upstream::read(words.get(1))? {
        Upstream::Tcp(address) => seam_proxy::Upstream::Tcp(address),
        Upstream::Unix(path) => seam_proxy::Upstream::Unix(path),
    };
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), witness, Box::new(Strangers))
        .map_err(std::io::Error::other)?;
    let seam = SeamId { consumer: "shop".into(), provider: "bank".into(), endpoint: "".into() };
    let spec = SeamSpec { seam, protocol, upstream, listen: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = runtime.block_on(proxy.stand(spec)).map_err(std::io::Error::other)?;
    Ok((proxy, address))
}

/// Interactions that are kept to be looked at.
const KEPT: usize = 10_000;

/// Keeps the newest of what passed, unread.
#[derive(Default)]
struct Watcher(VecDeque<Unread>);

impl Witness for Watcher {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, _: Interaction) {}

    fn unread(&mut self, unread: Unread) {
        self.0.push_back(unread);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    fn degraded(&mut self, _: &SeamId, _: u64, _: &str) {}

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

/// Hears everything and keeps nothing.
struct Nobody;

impl Witness for Nobody {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        std::hint::black_box(interaction);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, _: &str) {}

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

/// Keeps what passed in a History.
struct Keeper(Recorder);

impl Witness for Keeper {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        self.0.record(Scope::default(), What::Interaction(interaction));
    }

    fn degraded(&mut self, seam: &SeamId, connection: u64, reason: &str) {
        let reason = reason.to_owned();
        self.0.record(Scope::default(), What::Degraded { seam: seam.clone(), connection, reason });
    }

    fn lost(&mut self, seam: &SeamId, count: u64) {
        let of = "interactions".to_owned();
        self.0.record(Scope::default(), What::Lost { of, seam: Some(seam.clone()), count, since: 0 });
    }
}
