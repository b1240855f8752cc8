//! A real server with a seam in front of it.

use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Filter, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, Witness, read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Limits, Say, protocol};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Nothing here takes so long.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A server that was started for a test, and ends with it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// It goes with the server.
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    /// Starts a program that says this on one of its outputs when it is ready; none where it is not there.
    pub(crate) fn start(
        command: &mut Command,
        ready: &str,
        address: SocketAddr,
        folder: tempfile::TempDir,
    ) -> Option<Self> {
        let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("left out: {command:?}: {error}");
                return None;
            }
        };
        let (said, ready_at) = std::sync::mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let (said, ready) = (said.clone(), ready.to_owned());
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if line.contains(&ready) {
                        let _ = said.send(());
                    }
                }
            });
        }
        ready_at.recv_timeout(Duration::from_mins(1)).expect("a server that gets ready");
        Some(Self { child, address, _folder: folder })
    }
}

/// What was told.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    pub(crate) interactions: Arc<Mutex<Vec<Interaction>>>,
    pub(crate) degraded: Arc<Mutex<Vec<String>>>,
}

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        self.interactions.lock().unwrap().push(interaction);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        self.degraded.lock().unwrap().push(reason.to_owned());
    }

    fn struck(&mut self, _: &SeamId, _: &Rule) {}

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

/// A seam.
pub(crate) struct Bed {
    proxy: Proxy,
    pub(crate) notes: Notes,
    pub(crate) address: SocketAddr,
}

impl Bed {
    pub(crate) async fn stand(word: &str, upstream: Option<SocketAddr>) -> Self {
        let notes = Notes::default();
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let proxy =
            Proxy::start(pulse, Limits::default(), Box::new(notes.clone()), Box::new(Strangers)).unwrap();
        let seam = SeamId { consumer: "shop".into(), provider: "store".into(), endpoint: Endpoint::main() };
        let upstream = upstream.map_or(Upstream::Nowhere, Upstream::Tcp);
        let spec = SeamSpec { seam, protocol: protocol(word).unwrap(), upstream, listen: None };
        let address = proxy.stand(spec).await.unwrap();
        Self { proxy, notes, address }
    }

    /// A fault on what has this text in it, at most so many times.
    pub(crate) async fn fault(&self, fault: &str, on: &'static str, times: Option<u64>) -> Arc<Rule> {
        let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
        let filter: Filter = Box::new(move |interaction| interaction.to_string().contains(on));
        self.put(kind, Some(filter), Often { times, ..Often::default() }).await
    }

    /// A stub that answers what has a text in it.
    pub(crate) async fn stub(&self, answers: &[(&'static str, &str)]) -> Arc<Rule> {
        let answers = answers.iter().map(|(on, answer)| (*on, Arc::new(parse(answer).unwrap())));
        self.put(Kind::Stub(Arc::new(Stub(answers.collect()))), None, Often::default()).await
    }

    async fn put(&self, kind: Kind, filter: Option<Filter>, often: Often) -> Arc<Rule> {
        let (name, chance) = ("a rule".to_owned(), Chance::new(7, "a rule"));
        let rule =
            Arc::new(Rule::new(RuleSpec { name, kind, filter, filters_replies: false, often, chance }));
        self.proxy.put(|_| true, &rule);
        self.proxy.pointed(|_| true).await;
        rule
    }

    pub(crate) fn take_away(&self, rule: &Arc<Rule>) {
        self.proxy.take_away(rule);
    }

    /// Nothing that passed surprised anybody.
    pub(crate) fn was_legible(&self) {
        assert_eq!(*self.notes.degraded.lock().unwrap(), [""; 0]);
    }
}

struct Stub(Vec<(&'static str, Arc<Value>)>);

impl Answers for Stub {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let request = asked.request.to_string();
        let (_, answer) = self.0.iter().find(|(on, _)| request.contains(on))?;
        Some(Answering {
            by: Arc::from("the stub"),
            after: Duration::ZERO,
            say: Say::Answer(Arc::clone(answer)),
            dribble: None,
            afterwards: Vec::new(),
        })
    }
}
