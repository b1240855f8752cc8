//! All seams of a testbed: one thread that moves their bytes, and the way to tell it what each seam does.

use crate::callbacks::Callbacks;
use crate::hold::{Rule, SeamState};
use crate::leads::Leads;
use crate::observer::{Callers, Observer, Witness};
use crate::pulse::Pulse;
use crate::refusals::Refusals;
use crate::relay::scratch;
use crate::stand::{Shared, Stand, Standing, Upstream, serve_doors};
use crate::tls::{Authority, Encryption, ProviderTls, ProviderTlsSpec};
use crate::ways::Doors;
use seam_event::{ComponentId, SeamId};
use seam_value::Value;
use seam_wire::grpc::Descriptors;
use seam_wire::{Exchange, Limits, Protocol};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How many orders may wait for the proxy's thread.
const ORDERS: usize = 64;

/// How long a seam may take to begin or to cease listening: a turn of the proxy's thread.
const POINTED_WITHIN: Duration = Duration::from_secs(1);

/// Why a seam could not be stood on.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No thread, no runtime, or no port.
    #[error("stand on {what}")]
    Io {
        /// On what.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The proxy's thread is gone.
    #[error("reach the proxy's thread")]
    Gone,
}

/// What to stand on.
#[derive(Clone, Debug)]
pub struct SeamSpec {
    /// The seam.
    pub seam: SeamId,
    /// What is spoken there.
    pub protocol: &'static dyn Protocol,
    /// Where it leads.
    pub upstream: Upstream,
    /// Where to listen; a free port on loopback where nothing is said.
    pub listen: Option<SocketAddr>,
}

/// The proxy of a testbed.
pub struct Proxy {
    orders: mpsc::Sender<Order>,
    observer: Arc<Observer>,
    pulse: Arc<Pulse>,
    /// What each seam does, to be changed at any moment.
    leads: Leads,
    threads: Option<(JoinHandle<()>, JoinHandle<()>)>,
}

/// What the proxy's thread is asked to do.
enum Order {
    /// To stand on a seam.
    Stand {
        number: usize,
        spec: SeamSpec,
        state: watch::Receiver<SeamState>,
        listens: watch::Sender<bool>,
        answer: oneshot::Sender<io::Result<SocketAddr>>,
    },
    /// To say on which seam a session of a provider is.
    Whose { provider: ComponentId, session: u32, answer: oneshot::Sender<Option<SeamId>> },
    /// To tell the calls that are open, as far as they have come.
    TellOpen(oneshot::Sender<()>),
    /// To say which calls are open.
    Calls(oneshot::Sender<OpenCalls>),
    /// To answer. Bytes are looked at right after they were written, on that thread: once it has answered, all
    /// that anybody has received by now has been looked at.
    Answer(oneshot::Sender<()>),
}

/// Calls that are open at one moment: requests begun whose replies have not ended.
#[derive(Debug, Default)]
pub struct OpenCalls {
    /// How many there are in all.
    pub n_all: usize,
    /// Those that are asked to their end, and whose protocol can tell what was asked.
    pub asked: Vec<OpenCall>,
}

/// A call that is asked and not answered.
#[derive(Debug)]
pub struct OpenCall {
    /// The seam that it passes.
    pub seam: SeamId,
    /// The protocol by name.
    pub protocol: &'static str,
    /// The connection's number in the run.
    pub connection: u64,
    /// It, as far as it has come.
    pub exchange: Exchange,
}

impl Proxy {
    /// Starts the proxy's thread and the observer's.
    pub fn start(
        pulse: Arc<Pulse>,
        limits: Limits,
        witness: Box<dyn Witness>,
        callers: Box<dyn Callers>,
    ) -> Result<Self, ProxyError> {
        raise_file_limit();
        let failed = |source| ProxyError::Io { what: "any seam".to_owned(), source };
        let (observer, observing) = Observer::start(Arc::clone(&pulse), witness, callers).map_err(failed)?;
        let (orders, inbox) = mpsc::channel(ORDERS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let for_thread = Arc::clone(&observer);
        let leads = Leads::new(Arc::clone(&observer), runtime.handle().clone());
        let for_relaying = leads.clone();
        let relaying = std::thread::Builder::new()
            .name("seams".to_owned())
            .spawn(move || {
                let local = tokio::task::LocalSet::new();
                runtime.block_on(local.run_until(take_orders(inbox, for_thread, (limits, for_relaying))));
                drop(local);
                // A name that is still being looked up keeps nobody waiting.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self { orders, observer, pulse, leads, threads: Some((relaying, observing)) })
    }

    /// Stands on a seam and gives the address where its consumer dials.
    pub async fn stand(&self, spec: SeamSpec) -> Result<SocketAddr, ProxyError> {
        let (tell, listens) = watch::channel(false);
        let number = self.observer.register(spec.seam.clone(), spec.protocol);
        let (answer, answered) = oneshot::channel();
        let seam = spec.seam.clone();
        let state = self.leads.begin(seam.clone(), (number, spec.upstream.clone()), listens);
        self.orders
            .send(Order::Stand { number, spec, state, listens: tell, answer })
            .await
            .map_err(|_| ProxyError::Gone)?;
        let address = answered.await.map_err(|_| ProxyError::Gone)?;
        address.map_err(|source| ProxyError::Io { what: seam.to_string(), source })
    }

    /// Where a seam leads; none where there is no such seam.
    pub fn leads_to(&self, seam: &SeamId) -> Option<Upstream> {
        self.leads.upstream(seam)
    }

    /// Lets all seams to which this applies lead elsewhere: new connections go there, old ones stay as they are.
    pub fn point(&self, applies: impl Fn(&SeamId) -> bool, upstream: &Upstream) {
        self.leads.change(applies, |state| {
            let changes = state.upstream != *upstream;
            state.upstream.clone_from(upstream);
            if changes {
                state.tls.seen = Arc::default();
            }
            changes
        });
    }

    /// Consumers who speak TLS to a seam find this authority's certificate there. Once, before anybody connects.
    pub fn vouch(&self, authority: &Authority) {
        self.leads.encrypt_with(authority.encryption());
    }

    /// The consumers of these seams are known to want nothing but TLS, where they would otherwise be asked to do
    /// without: PostgreSQL's with `sslmode=require`.
    pub fn insist_on_tls(&self, applies: impl Fn(&SeamId) -> bool) {
        self.leads.insists_on_tls(applies);
    }

    /// The provider of these seams speaks TLS: it is met with this from now on, whatever its consumers speak. They are shown
    /// its own certificate, where that is given.
    pub fn speak_tls(
        &self,
        applies: impl Fn(&SeamId) -> bool,
        provider: &Arc<ProviderTls>,
        presented: Option<&Arc<Encryption>>,
    ) {
        self.leads.change(applies, |state| {
            state.tls.provider = Some(Arc::clone(provider));
            state.tls.presented = presented.map(Arc::clone);
            true
        });
    }

    /// Others of whom the provider of these seams tells (the brokers of its cluster) are met with this TLS, where nothing is
    /// said of the provider itself because somebody else puts TLS on towards it. None: they are met as the provider.
    pub fn speak_tls_to_others(&self, applies: impl Fn(&SeamId) -> bool, others: Option<&ProviderTlsSpec>) {
        let others = others.cloned().map(Arc::new);
        self.leads.change(applies, |state| {
            state.tls.others.clone_from(&others);
            true
        });
    }

    /// What describes the messages that are spoken on these seams, for connections that come from now on.
    pub fn describe(&self, applies: impl Fn(&SeamId) -> bool, descriptors: &Arc<Descriptors>) {
        self.leads.change(applies, |state| {
            state.descriptors = Some(Arc::clone(descriptors));
            true
        });
    }

    /// Puts a fault or a stub on all seams to which this applies: at once, also for connections that are open. Says on
    /// how many. The newest rule is asked first.
    pub fn put(&self, applies: impl Fn(&SeamId) -> bool, rule: &Arc<Rule>) -> usize {
        self.leads.put(applies, rule)
    }

    /// Takes a rule away from all seams; what hangs because of it is reset.
    pub fn take_away(&self, rule: &Arc<Rule>) {
        self.leads.take_away(rule);
    }

    /// Says a message to the consumers of a seam of its own accord, as if the provider had said it: on every connection that
    /// is held, which is each of a seam with rules. What became of it on each of them, with the reason where it can't be
    /// said there; none where there is no such seam.
    pub async fn push(&self, seam: &SeamId, message: Value) -> Option<Vec<Result<(), String>>> {
        let pushes = self.leads.pushes(seam)?;
        Some(pushes.push(message).await)
    }

    /// Waits until the seams to which this applies do what [`point`](Self::point) has said: they listen, or refuse.
    pub async fn pointed(&self, applies: impl Fn(&SeamId) -> bool) {
        let waited_for = self.leads.listening(applies);
        for (mut listens, wanted) in waited_for {
            // One that can't listen (no file descriptors are left) refuses, and goes on trying.
            let _ =
                tokio::time::timeout(POINTED_WITHIN, listens.wait_for(|listens| *listens == wanted)).await;
        }
    }

    /// How many connections are held piece by piece at present: those of seams with faults or stubs, and, where a protocol
    /// allows no way back, those of seams that had some.
    pub fn n_held(&self) -> usize {
        self.leads.n_held()
    }

    /// Is anything going on?
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// The seam on which a session of a provider is open, by the provider's own number for it.
    pub async fn whose_session(&self, provider: &ComponentId, session: u32) -> Option<SeamId> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Whose { provider: provider.clone(), session, answer }).await.ok()?;
        answered.await.ok()?
    }

    /// Lets the calls that are open be told to the witness, as interactions without an end. They stay open, and are
    /// told again when they end, as the same interaction: with the same id.
    pub async fn tell_open(&self) {
        let (answer, answered) = oneshot::channel();
        // A proxy that is gone has nothing open.
        if self.orders.send(Order::TellOpen(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }

    /// The calls that are open now.
    pub async fn calls(&self) -> OpenCalls {
        let (answer, answered) = oneshot::channel();
        // A proxy that is gone has nothing open.
        if self.orders.send(Order::Calls(answer)).await.is_err() {
            return OpenCalls::default();
        }
        answered.await.unwrap_or_default()
    }

    /// Waits until all that has passed up to now was told to the witness, at most so long; false if the time was
    /// not enough. Where that is little it is read here, without waking any other thread.
    pub async fn drain(&self, at_most: Duration) -> bool {
        if !self.observer.has_all() {
            let (answer, answered) = oneshot::channel();
            let looked_at =
                async { self.orders.send(Order::Answer(answer)).await.is_ok() && answered.await.is_ok() };
            if !matches!(tokio::time::timeout(at_most, looked_at).await, Ok(true)) {
                return false;
            }
        }
        self.observer.drain_here() || self.drain_there(at_most).await
    }

    /// The same for what is queued already, on the observer's thread.
    async fn drain_there(&self, at_most: Duration) -> bool {
        let observer = Arc::clone(&self.observer);
        tokio::task::spawn_blocking(move || observer.drain(at_most)).await.unwrap_or(false)
    }

    /// Takes all seams down, tells what was still to be told, and ends both threads.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some((relaying, observing)) = self.threads.take() else { return };
        // The thread ends when nobody can send orders any more.
        self.orders = mpsc::channel(1).0;
        self.leads.clear();
        let _ = relaying.join();
        self.observer.stop();
        let _ = observing.join();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end();
    }
}

/// The proxy's thread: stands on seams as ordered, until nobody can order any more.
async fn take_orders(
    mut inbox: mpsc::Receiver<Order>,
    observer: Arc<Observer>,
    (limits, leads): (Limits, Leads),
) {
    let connections = Rc::default();
    let refusals = Refusals::new(Arc::clone(&observer), Rc::clone(&connections));
    let shared = Shared {
        observer,
        scratch: scratch(),
        connections,
        limits,
        leads,
        refusals,
        callbacks: Callbacks::default(),
        taps: Rc::default(),
        ended: Rc::default(),
    };
    while let Some(order) = inbox.recv().await {
        let (number, spec, state, listens, answer) = match order {
            Order::Stand { number, spec, state, listens, answer } => (number, spec, state, listens, answer),
            Order::TellOpen(answer) => {
                shared.taps.borrow().values().for_each(|tap| tap.borrow_mut().tell_open());
                let _ = answer.send(());
                continue;
            }
            Order::Whose { provider, session, answer } => {
                let _ = answer.send(whose(&shared, &provider, session));
                continue;
            }
            Order::Calls(answer) => {
                let _ = answer.send(calls(&shared));
                continue;
            }
            Order::Answer(answer) => {
                shared.refusals.read();
                let _ = answer.send(());
                continue;
            }
        };
        let stand = Stand::take(spec.listen, &spec.upstream, listens);
        let address = stand
            .as_ref()
            .map(Stand::address)
            .map_err(|error| io::Error::new(error.kind(), error.to_string()));
        if let Ok(stand) = stand {
            // Before anybody knows the address.
            stand.watch_refusals(number, &shared);
            stand_there(stand, (number, spec), state, &shared);
        }
        let _ = answer.send(address);
    }
}

/// Serves a seam, and the addresses that it may get besides its own.
fn stand_there(
    stand: Stand,
    (number, spec): (usize, SeamSpec),
    state: watch::Receiver<SeamState>,
    shared: &Shared,
) {
    let own = (number, stand.address());
    let (doors, opened) = Doors::new(own, state.clone(), Arc::clone(&shared.observer));
    let SeamSpec { seam, protocol, .. } = spec;
    let standing = Standing { seam: (number, seam), protocol, doors, beyond: None };
    // Only then others are told of, whom somebody has to lead to.
    if protocol.is_always_held() {
        let serving = serve_doors(opened, standing.clone(), state.clone(), shared.clone());
        tokio::task::spawn_local(serving);
    }
    tokio::task::spawn_local(stand.serve(standing, state, shared.clone()));
}

fn calls(shared: &Shared) -> OpenCalls {
    let mut open = OpenCalls::default();
    for tap in shared.taps.borrow().values() {
        let tap = tap.borrow();
        let (n_all, asked) = tap.calls();
        open.n_all += n_all;
        open.asked.extend(asked.into_iter().map(|exchange| OpenCall {
            seam: shared.observer.seam(tap.seam),
            protocol: tap.protocol_name(),
            connection: tap.connection,
            exchange,
        }));
    }
    open
}

fn whose(shared: &Shared, provider: &ComponentId, session: u32) -> Option<SeamId> {
    let (taps, ended) = (shared.taps.borrow(), shared.ended.borrow());
    let open = taps.values().filter_map(|tap| Some((tap.borrow().session()?, tap.borrow().seam)));
    let mut of_session = open.chain(ended.iter().rev().copied()).filter(|(number, _)| *number == session);
    of_session
        .find_map(|(_, seam)| Some(shared.observer.seam(seam)).filter(|seam| seam.provider == *provider))
}

/// A seam needs two file descriptors for each connection, and a thousand connections are nothing unusual.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Not being allowed to is no reason to stop: the limit that there is may do.
    let _ = setrlimit(Resource::Nofile, limit);
}
