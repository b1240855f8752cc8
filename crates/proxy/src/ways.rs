//! Leads a seam's consumers to others of whom its provider tells them, such as the brokers of a cluster: each gets an
//! address of its own on the same seam.
//!
//! ```text
//! consumer ──▶ 127.0.0.1:7001 ──▶ broker 1     "there is also broker 2" becomes "there is also 127.0.0.1:7002"
//!          └─▶ 127.0.0.1:7002 ──▶ broker 2     taken and listened on before the consumer hears of it
//! ```
//! All of them are one seam: watched, held, cut and blamed together. Which address is whose is remembered for as long as
//! the seam stands, because consumers remember it, too.

use crate::hold::SeamState;
use crate::observer::{Observer, Seen};
use crate::reach::ExternalError;
use crate::stand::{Stand, Upstream};
use seam_wire::Ways;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};

/// So many addresses one seam may have besides its own: more brokers than a cluster in a test has.
const MOST: usize = 64;

/// A further address of a seam, and where it leads.
pub(crate) struct Door {
    pub(crate) stand: Stand,
    /// Who is there: a name, or an address.
    pub(crate) host: String,
    pub(crate) upstream: Upstream,
}

/// All addresses of one seam.
#[derive(Clone)]
pub(crate) struct Doors(Arc<Inner>);

struct Inner {
    /// The seam's number with the observer.
    seam: usize,
    /// Its own address.
    own: SocketAddr,
    state: watch::Receiver<SeamState>,
    observer: Arc<Observer>,
    known: Mutex<Known>,
    /// Whoever serves them hears of new ones here.
    opened: mpsc::Sender<Door>,
}

#[derive(Default)]
struct Known {
    /// The seam's port for each place.
    ports: HashMap<(String, u16), u16>,
    n_opened: usize,
    /// Was it told that there are too many?
    is_told: bool,
}

impl Doors {
    /// Of a seam that has only its own address yet, and what comes of them.
    pub(crate) fn new(
        (seam, own): (usize, SocketAddr),
        state: watch::Receiver<SeamState>,
        observer: Arc<Observer>,
    ) -> (Self, mpsc::Receiver<Door>) {
        let (opened, doors) = mpsc::channel(MOST);
        let known = Mutex::default();
        (Self(Arc::new(Inner { seam, own, state, observer, known, opened })), doors)
    }

    /// As a connection sees them that was made to this address.
    pub(crate) fn seen_from(&self, here: SocketAddr) -> Arc<dyn Ways> {
        Arc::new(Seeing { doors: self.clone(), here })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing that holds this lock can leave it half changed.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is this where the seam itself leads?
    fn is_own(&self, host: &str, port: u16) -> bool {
        match &self.0.state.borrow().upstream {
            Upstream::Tcp(address) => address.port() == port && is_at(host, address.ip()),
            Upstream::Name { host: own, port: own_port } => {
                let is_same = own.eq_ignore_ascii_case(host) || (is_loopback(own) && is_loopback(host));
                *own_port == port && is_same
            }
            Upstream::Unix(_) | Upstream::Nowhere => false,
        }
    }

    /// Takes one more address, which leads there.
    fn open(&self, known: &mut Known, host: &str, port: u16) -> Result<u16, &'static str> {
        if known.n_opened >= MOST {
            return Err("the seam has led to as many others as it may");
        }
        let upstream = host.parse().map_or_else(
            |_| Upstream::Name { host: host.to_owned(), port },
            |ip| Upstream::Tcp(SocketAddr::new(ip, port)),
        );
        let listens = watch::channel(false).0;
        let wanted = SocketAddr::new(self.0.own.ip(), 0);
        let stand =
            Stand::take(Some(wanted), &upstream, listens).map_err(|_| "the seam finds no port for it")?;
        let own_port = stand.address().port();
        let opened = self.0.opened.try_send(Door { stand, host: host.to_owned(), upstream });
        opened.map_err(|_| "nobody serves the seam any more")?;
        known.n_opened += 1;
        known.ports.insert((host.to_owned(), port), own_port);
        Ok(own_port)
    }
}

/// The addresses of a seam, as one connection sees them.
struct Seeing {
    doors: Doors,
    here: SocketAddr,
}

impl Ways for Seeing {
    fn here(&self) -> SocketAddr {
        self.here
    }

    fn is_here(&self, host: &str, port: u16) {
        let mut known = self.doors.lock();
        if known.ports.len() < 2 * MOST {
            known.ports.entry((host.to_owned(), port)).or_insert(self.here.port());
        }
    }

    fn to(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let mut known = self.doors.lock();
        let at = |port| Some(SocketAddr::new(self.here.ip(), port));
        if let Some(port) = known.ports.get(&(host.to_owned(), port)) {
            return at(*port);
        }
        let own = self.doors.0.own.port();
        if self.doors.is_own(host, port) {
            return at(own);
        }
        // A provider may have been told to send everybody to the seam.
        let is_the_seams = port == own || known.ports.values().any(|known| *known == port);
        if is_the_seams && is_at(host, self.here.ip()) {
            return at(port);
        }
        match self.doors.open(&mut known, host, port) {
            Ok(port) => at(port),
            Err(reason) => {
                if !std::mem::replace(&mut known.is_told, true) {
                    let authority = format!("{host}:{port}");
                    let error = ExternalError::Astray { authority, reason: reason.to_owned() };
                    self.doors.0.observer.tell(Seen::Unreached { seam: self.doors.0.seam, error });
                }
                None
            }
        }
    }
}

/// Does a name, or an address, stand for this address?
fn is_at(host: &str, address: IpAddr) -> bool {
    host.parse() == Ok(address) || (address.is_loopback() && is_loopback(host))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}
