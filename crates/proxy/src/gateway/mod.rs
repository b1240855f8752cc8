//! Puts on what somebody else's component needs: TLS, its own name in `Host`, and the way back in `Location`.
//!
//! ```text
//! consumer ──▶ seam ──▶ relay ══ plain HTTP, watched ══▶ gateway ── TLS ──▶ https://api.pay.example
//! ```
//!
//! There is one for each such component, on loopback and behind the seams, so that what the seams watch stays
//! legible. Bodies are streamed; nothing is held whole. When the component fails, the consumer's connection fails
//! in the same way: a gateway's own answer (a 502, say) would be one that the component never gives.

mod body;
mod dial;
mod fate;
mod http;
mod pool;
mod rewrite;
mod trust;
mod tunnel;
mod two;

pub(crate) use dial::{Duplex, EndsAnyhow};
pub(crate) use trust::{distrust, judged_by};

use crate::reach::{ExternalError, authority};
use dial::Dialler;
use pool::Pool;
use rewrite::OwnAddress;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Who hears why the external component could not be asked. Called where the call failed; it must not block.
pub type Told = Arc<dyn Fn(&ExternalError) + Send + Sync>;

/// Whether a request of this method and path, without its query, may be passed on; the error says why not. Asked once
/// for each request. It must not block.
pub type Permit = Arc<dyn Fn(&str, &str) -> Result<(), String> + Send + Sync>;

/// What a gateway passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// Requests and answers of HTTP, in the version that the consumer speaks.
    Http,
    /// Bytes, as they are.
    Bytes,
}

/// Whose word on certificates counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// That of the authorities which this machine trusts, or which SSL_CERT_FILE and SSL_CERT_DIR name.
    #[default]
    Machine,
    /// That of the authorities in this file, in PEM.
    File(PathBuf),
    /// That of the authorities which this machine trusts, and of those in this file.
    Also(PathBuf),
}

/// How long to wait for the external component.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For its name to be looked up and a connection to be taken.
    pub connect: Duration,
    /// For TLS to come about.
    pub handshake: Duration,
    /// For an answer to begin, once nothing more of the request is sent.
    pub answer: Duration,
    /// For the next piece of an answer.
    pub still: Duration,
}

impl Default for Patience {
    /// The consumer's own patience is what counts, and mostly shorter; these see to it that nothing waits for ever.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            answer: Duration::from_mins(5),
            still: Duration::from_mins(10),
        }
    }
}

/// What a gateway leads to, and how.
#[derive(Clone)]
pub struct GatewaySpec {
    /// The external's host: a name, or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Is TLS to be put on?
    pub tls: bool,
    /// What is passed on.
    pub passing: Passing,
    /// Whose word on certificates counts.
    pub trust: Trust,
    /// A certificate (PEM, with its chain) to be shown to the external, and the file with its key.
    pub shown: Option<(PathBuf, PathBuf)>,
    /// How long to wait.
    pub patience: Patience,
    /// Who decides on each request of HTTP; all are passed on where there is nobody.
    pub permit: Option<Permit>,
    /// Who hears what goes wrong.
    pub told: Told,
}

/// The gateway of one external component. It is gone, with all that passes it, when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    /// All tasks of the gateway end when this is gone.
    _alive: watch::Sender<()>,
}

impl Gateway {
    /// Opens a gateway on a free port of loopback. The external itself is not asked before somebody asks for it.
    /// Its tasks run on the runtime that this is called on.
    pub async fn open(spec: GatewaySpec) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (alive, over) = watch::channel(());
        let far = Arc::new(Far {
            own: OwnAddress::new(spec.tls, &spec.host, spec.port),
            dialler: Dialler::new(&spec),
            pool: Pool::default(),
            patience: spec.patience,
            permit: spec.permit,
            told: spec.told,
            over,
        });
        let accepting = accept(listener, Arc::clone(&far), spec.passing);
        tokio::spawn(until_over(far.over.clone(), accepting));
        Ok(Self { address, _alive: alive })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The far side: all that the connections of one gateway share.
struct Far {
    own: OwnAddress,
    dialler: Dialler,
    pool: Pool,
    patience: Patience,
    permit: Option<Permit>,
    told: Told,
    /// Nobody holds the gateway any more once this is closed.
    over: watch::Receiver<()>,
}

/// Takes connections for as long as the gateway is there.
async fn accept(listener: TcpListener, far: Arc<Far>, passing: Passing) {
    loop {
        // Out of file descriptors, or the client is gone already: the next may do better.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let over = far.over.clone();
        tokio::spawn(until_over(over, pass(stream, Arc::clone(&far), passing)));
    }
}

async fn pass(stream: TcpStream, far: Arc<Far>, passing: Passing) {
    match passing {
        Passing::Http => http::serve(stream, far).await,
        Passing::Bytes => tunnel::serve(stream, far).await,
    }
}

/// Does it, or leaves it when the gateway goes.
async fn until_over(mut over: watch::Receiver<()>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        // Nothing is ever sent: this comes back when the sender is gone.
        _ = over.changed() => {}
    }
}

impl std::fmt::Debug for GatewaySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = authority(&self.host, self.port);
        write!(f, "GatewaySpec({to}, tls: {}, {:?})", self.tls, self.passing)
    }
}
