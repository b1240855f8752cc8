//! The listener of one seam: takes connections and passes them on to wherever the seam leads at that moment.
//!
//! The port stays the seam's for as long as it stands, held by a socket that is bound and never listens. Where
//! nothing is known to listen behind the seam, nothing listens here either, so that the kernel refuses
//! connections exactly as it would without Seamwork.

use crate::callbacks::Callbacks;
use crate::hold::By;
use crate::hold::held::{Holding, Outcome, hold};
use crate::hold::{SeamState, until_broken};
use crate::leads::Leads;
use crate::observer::{Dialled, Observer, Seen};
use crate::reach::{DIAL, ExternalError, connect};
use crate::refusals::Refusals;
use crate::relay::{Left, Over, Passed, Scratch, relay};
use crate::socket::Socket;
use crate::switch::Switch;
use crate::tap::Tap;
use crate::tls::{Meeting, SeamTls};
use crate::ways::{Door, Doors};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seam_event::SeamId;
use seam_wire::{Behind, Limits, Protocol, Splitting};
use socket2::{Domain, SockRef, Type};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Where a seam leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
    /// Somebody else's port, by a name that is looked up anew for each connection.
    Name {
        /// A name, or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// Nowhere: the provider is known not to listen, so connections are refused.
    Nowhere,
}

/// What all seams of one proxy share, on the proxy's thread.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) observer: Arc<Observer>,
    pub(crate) scratch: Scratch,
    /// How many connections there were, which numbers them.
    pub(crate) connections: Rc<Cell<u64>>,
    pub(crate) limits: Limits,
    /// What looks at each open connection, by its number.
    pub(crate) taps: Rc<RefCell<HashMap<u64, Rc<RefCell<Tap>>>>>,
    /// Sessions that have ended, by their server's number, with the seam's; the newest last.
    pub(crate) ended: Rc<RefCell<VecDeque<(u32, usize)>>>,
    /// Whom to tell where nothing listens.
    pub(crate) refusals: Refusals,
    /// What all seams do.
    pub(crate) leads: Leads,
    /// Who sends what stubs want sent.
    pub(crate) callbacks: Callbacks,
}

/// Sessions that have ended are remembered up to this many.
const REMEMBERED: usize = 1024;

impl Shared {
    fn splitting(&self, behind: Behind) -> Splitting {
        Splitting { limits: self.limits, behind }
    }

    /// A session that its server has ended is asked for only then.
    fn remember(&self, tap: &Tap) {
        let Some(session) = tap.session() else { return };
        let mut ended = self.ended.borrow_mut();
        if ended.len() == REMEMBERED {
            ended.pop_front();
        }
        ended.push_back((session, tap.seam));
    }
}

/// The listener of one seam, before it listens.
pub(crate) struct Stand {
    /// Keeps the port while nothing listens; never used otherwise.
    held: socket2::Socket,
    address: SocketAddr,
    /// None while the seam leads nowhere.
    listener: Option<TcpListener>,
    /// Says whether it listens at present.
    listens: watch::Sender<bool>,
}

impl Stand {
    /// Takes a free port on loopback, or this one.
    pub(crate) fn take(
        address: Option<SocketAddr>,
        upstream: &Upstream,
        listens: watch::Sender<bool>,
    ) -> io::Result<Self> {
        let wanted = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let held = bound(wanted)?;
        let address = held.local_addr()?.as_socket().unwrap_or(wanted);
        let listener = if *upstream == Upstream::Nowhere { None } else { Some(listen(address)?) };
        // Known before anybody knows the address.
        listens.send_replace(listener.is_some());
        Ok(Self { held, address, listener, listens })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client came to: of all addresses of this machine the one that it knows, where the seam listens on all.
    fn dialled(&self, stream: &TcpStream) -> SocketAddr {
        let listens_on_all = self.address.ip().is_unspecified();
        let local = listens_on_all.then(|| stream.local_addr().ok()).flatten();
        local.unwrap_or(self.address)
    }

    /// Refused connections are seen from here on, where nothing listens yet.
    pub(crate) fn watch_refusals(&self, seam: usize, shared: &Shared) {
        if self.listener.is_none() {
            shared.refusals.begin(self.address.port(), seam);
        }
    }

    /// Serves the seam until the sender of `state` is gone.
    pub(crate) async fn serve(
        mut self,
        standing: Standing,
        mut state: watch::Receiver<SeamState>,
        shared: Shared,
    ) {
        let seam = standing.seam.0;
        loop {
            let refuses = state.borrow_and_update().refuses();
            if refuses {
                shared.refusals.begin(self.address.port(), seam);
                self.listener = None;
            } else if self.listener.is_none() {
                self.listener = listen(self.address).ok();
                shared.refusals.end(self.address.port());
            }
            let is_listening = self.listener.is_some();
            self.listens.send_if_modified(|listens| std::mem::replace(listens, is_listening) != is_listening);
            let changed = match &self.listener {
                Some(listener) => tokio::select! {
                    changed = state.changed() => changed.is_ok(),
                    accepted = listener.accept() => {
                        match accepted {
                            Ok((stream, client)) => {
                                let between = Dialled { client, dialled: self.dialled(&stream) };
                                let task = Accepted { stream, between, standing: standing.clone() };
                                let passing = task.pass(state.clone(), shared.clone());
                                let observer = Arc::clone(&shared.observer);
                                tokio::task::spawn_local(at_work(observer, Box::pin(passing)));
                            }
                            // Out of file descriptors, or the client is gone already: the next may do better.
                            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                        }
                        true
                    }
                },
                None => state.changed().await.is_ok(),
            };
            if !changed {
                drop(self.held);
                return;
            }
        }
    }
}

/// For which seam something listens, and where that leads.
#[derive(Clone)]
pub(crate) struct Standing {
    /// Its number with the observer.
    pub(crate) seam: (usize, SeamId),
    pub(crate) protocol: &'static dyn Protocol,
    /// All its addresses.
    pub(crate) doors: Doors,
    /// Where this one leads, where that is not to the seam's own provider.
    pub(crate) beyond: Option<Beyond>,
}

/// Another of whom a provider tells.
#[derive(Clone)]
pub(crate) struct Beyond {
    pub(crate) upstream: Upstream,
    /// How TLS stands on the connections to it.
    tls: SeamTls,
}

/// Serves the further addresses of a seam from when they are opened.
pub(crate) async fn serve_doors(
    mut opened: mpsc::Receiver<Door>,
    standing: Standing,
    state: watch::Receiver<SeamState>,
    shared: Shared,
) {
    while let Some(Door { stand, host, upstream }) = opened.recv().await {
        let usual = state.borrow().tls.clone();
        let tls = usual.of_other(&host).unwrap_or_else(|error| {
            let error = ExternalError::Astray { authority: host, reason: error.to_string() };
            shared.observer.tell(Seen::Unreached { seam: standing.seam.0, error });
            usual
        });
        let standing = Standing { beyond: Some(Beyond { upstream, tls }), ..standing.clone() };
        tokio::task::spawn_local(stand.serve(standing, state.clone(), shared.clone()));
    }
}

/// A connection that was accepted and not yet passed on.
struct Accepted {
    stream: TcpStream,
    between: Dialled,
    standing: Standing,
}

impl Accepted {
    async fn pass(self, state: watch::Receiver<SeamState>, shared: Shared) {
        let Self { stream, between, standing } = self;
        let Standing { seam: (seam, id), protocol, doors, beyond } = standing;
        let connection = shared.connections.get() + 1;
        shared.connections.set(connection);
        let address = between.dialled;
        shared.observer.tell(Seen::Opened { seam, connection, between });
        let _ = stream.set_nodelay(true);
        let meeting = match &beyond {
            Some(Beyond { tls, .. }) => Meeting::new(protocol, shared.leads.encryption(), tls),
            None => Meeting::new(protocol, shared.leads.encryption(), &state.borrow().tls),
        };
        let beyond = beyond.map(|beyond| beyond.upstream);
        let spoken = (protocol, shared.limits);
        let tap =
            Rc::new(RefCell::new(Tap::new(connection, seam, spoken, meeting.clone(), &shared.observer)));
        if let Some(descriptors) = &state.borrow().descriptors {
            tap.borrow_mut().is_described_by(descriptors, shared.limits);
        }
        let (first, stands_in, refuses, n_cuts) = {
            let state = state.borrow();
            tap.borrow_mut().insists_on_tls(state.insists_on_tls);
            (state.leads_to(beyond.as_ref()), state.stands_in(), state.refuses(), state.n_cuts)
        };
        let stands_in = stands_in && tap.borrow().split(shared.splitting(Behind::Nobody)).is_some();
        let dialled = match (refuses, stands_in) {
            (true, _) => Err(Undialled::Ours),
            (false, true) => Ok(None),
            (false, false) => dial(&first, &meeting).await.map(Some),
        };
        let provider = match dialled {
            Ok(provider) => provider,
            Err(error) => {
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                if let Undialled::External(error) = error {
                    shared.observer.tell(Seen::Unreached { seam, error });
                }
                shared.observer.tell(Seen::Refused { seam, connection, by: None });
                shared.observer.tell(Seen::Closed { seam, connection, state: "refused" });
                return;
            }
        };
        shared.taps.borrow_mut().insert(connection, Rc::clone(&tap));
        let open = Open {
            consumer: meeting.consumer(stream),
            provider,
            protocol,
            seam: (seam, id.clone()),
            connection,
            tap,
            n_cuts,
            beyond,
            doors,
            address,
        };
        let state = match open.pass(state, &shared).await {
            Over::Closed => "closed",
            Over::Reset => "reset",
        };
        if let Some(error) = meeting.take_trouble() {
            shared.observer.tell(Seen::Unreached { seam, error });
        }
        if let Some(tap) = shared.taps.borrow_mut().remove(&connection) {
            shared.remember(&tap.borrow());
            if tap.borrow().left_for_want_of_tls() {
                shared.leads.insists_on_tls(|seam| *seam == id);
            }
        }
        shared.observer.tell(Seen::Closed { seam, connection, state });
    }
}

/// A connection of which both sides are there, or somebody stands in for the provider.
struct Open {
    consumer: Socket,
    provider: Option<Socket>,
    protocol: &'static dyn Protocol,
    seam: (usize, SeamId),
    connection: u64,
    tap: Rc<RefCell<Tap>>,
    /// How often the seam had been cut when the connection came.
    n_cuts: u64,
    /// Where it leads, where that is not to the seam's own provider.
    beyond: Option<Upstream>,
    /// Where its consumer comes to who is told of others.
    doors: Doors,
    /// Where it was made to.
    address: SocketAddr,
}

impl Open {
    /// Passes bytes while the seam has no rules, and pieces while it has.
    async fn pass(mut self, state: watch::Receiver<SeamState>, shared: &Shared) -> Over {
        let meeting = self.tap.borrow().meeting();
        let comes_with_tls = tokio::select! {
            comes_with_tls = meeting.awaits_tls(&self.consumer, self.provider.as_ref()) => comes_with_tls,
            () = until_changed(state.clone()) => false,
        };
        if comes_with_tls && !Box::pin(self.encrypt(&state, Vec::new())).await {
            return Over::Reset;
        }
        loop {
            let mut left = Left::default();
            while let Some(provider) = self.provider.as_ref().filter(|_| !self.protocol.is_always_held()) {
                let passed = self.relayed(provider, &state, shared).await;
                match passed {
                    Passed::Over(over) => return over,
                    Passed::ToBeHeld(passed) => {
                        left = passed;
                        break;
                    }
                    Passed::ToBeEncrypted(early) => {
                        if !Box::pin(self.encrypt(&state, early)).await {
                            return Over::Reset;
                        }
                    }
                }
            }
            let held = Box::pin(hold(self.holding(&state, left, shared)));
            match held.await {
                Outcome::Over(over) => return over,
                Outcome::LetGo(consumer, provider) => {
                    (self.consumer, self.provider) = (consumer, Some(provider));
                }
            }
        }
    }

    /// Speaks TLS to the consumer from here on. False where there is no connection any more.
    async fn encrypt(&mut self, state: &watch::Receiver<SeamState>, early: Vec<u8>) -> bool {
        let meeting = self.tap.borrow().meeting();
        let upstream = state.borrow().leads_to(self.beyond.as_ref());
        let redial = async || dial(&upstream, &meeting).await.ok();
        self.tap.borrow_mut().is_encrypted();
        meeting.encrypt(&mut self.consumer, self.provider.as_mut(), redial, early).await
    }

    /// Passes bytes until the connection ends, or something else is to be done with it.
    async fn relayed(
        &self,
        provider: &Socket,
        state: &watch::Receiver<SeamState>,
        shared: &Shared,
    ) -> Passed {
        let switch = Switch::new(state.clone());
        // Asked only when the seam has changed: what passes wakes the task far more often.
        let broken = until_broken(state.clone(), self.n_cuts, |state| switch.follow(state));
        let mut broken: FuturesUnordered<_> = std::iter::once(broken).collect();
        tokio::select! {
            biased;
            passed = relay((&self.consumer, provider), &self.tap, &shared.scratch, &switch) => passed,
            Some(()) = broken.next() => {
                for rule in state.borrow().enders(self.n_cuts) {
                    rule.struck();
                    shared.observer.tell(Seen::Struck { seam: self.seam.0, rule: Arc::clone(rule) });
                }
                if let Some(breaker) = state.borrow().breaker() {
                    self.tap.borrow_mut().harmed(By::Fault(breaker));
                }
                self.tap.borrow_mut().reset_by_fault();
                self.consumer.reset_on_close();
                provider.reset_on_close();
                Passed::Over(Over::Reset)
            }
        }
    }

    /// What it takes to hold the connection from here on.
    fn holding(&mut self, state: &watch::Receiver<SeamState>, left: Left, shared: &Shared) -> Holding {
        let behind = if self.provider.is_some() { Behind::Provider } else { Behind::Nobody };
        let mut splitter = self.tap.borrow().split(shared.splitting(behind));
        if let Some(splitter) = &mut splitter {
            splitter.stands_at(self.doors.seen_from(self.address));
        }
        Holding {
            consumer: std::mem::replace(&mut self.consumer, Socket::Gone),
            provider: self.provider.take(),
            splitter,
            left,
            protocol: self.protocol,
            is_alone: behind == Behind::Nobody && !self.protocol.is_stateless(),
            seam: self.seam.clone(),
            connection: self.connection,
            tap: Rc::clone(&self.tap),
            n_cuts: self.n_cuts,
            scratch: Rc::clone(&shared.scratch),
            state: state.clone(),
            beyond: self.beyond.clone(),
            observer: Arc::clone(&shared.observer),
            elsewhere: shared.callbacks.clone(),
            leads: shared.leads.clone(),
        }
    }
}

/// Comes back when something is done to the seam.
async fn until_changed(mut state: watch::Receiver<SeamState>) {
    if state.changed().await.is_err() {
        // The proxy is being taken down, which ends this task in a moment.
        std::future::pending::<()>().await;
    }
}

/// A task of the proxy's thread, which says so for as long as each of its turns lasts.
async fn at_work(observer: Arc<Observer>, mut task: Pin<Box<impl Future<Output = ()>>>) {
    std::future::poll_fn(|cx| {
        let _at_work = observer.at_work();
        task.as_mut().poll(cx)
    })
    .await;
}

/// Why there is no connection to a provider.
pub(crate) enum Undialled {
    /// One of ours does not listen; whoever raises it knows why.
    Ours,
    /// Somebody else's can't be reached, and nobody else knows why.
    External(ExternalError),
}

/// Connects to where a seam leads. What that takes is not kept by those who wait for nothing any more.
pub(crate) fn dial<'a>(
    upstream: &'a Upstream,
    meeting: &'a Meeting,
) -> Pin<Box<impl Future<Output = Result<Socket, Undialled>> + use<'a>>> {
    Box::pin(dialled(upstream, meeting))
}

async fn dialled(upstream: &Upstream, meeting: &Meeting) -> Result<Socket, Undialled> {
    let dialled = async {
        match upstream {
            Upstream::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(|_| Undialled::Ours)?;
                let _ = stream.set_nodelay(true);
                Ok(meeting.provider(stream))
            }
            Upstream::Unix(path) => {
                UnixStream::connect(path).await.map(Socket::Unix).map_err(|_| Undialled::Ours)
            }
            Upstream::Name { host, port } => {
                let connected = connect(host, *port, DIAL).await;
                connected.map(|stream| meeting.provider(stream)).map_err(Undialled::External)
            }
            Upstream::Nowhere => Err(Undialled::Ours),
        }
    };
    // A name has the same deadline of its own, and says then what took so long.
    tokio::time::timeout(DIAL + DIAL / 10, dialled).await.unwrap_or(Err(Undialled::Ours))
}

/// A socket bound so that a second one of ours may be bound beside it.
fn bound(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
