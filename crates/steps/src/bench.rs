//! The living testbed, as far as steps need it. The engine implements it, once for each attempt of a test.

use crate::action::Trouble;
use crate::disturb::Placed;
use futures_util::future::BoxFuture;
use seam_event::{ComponentId, Interaction};
use seam_launch::Watcher;
use seam_value::Value;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::Instant;

/// The living testbed of one attempt of a test.
pub trait Bench: Send + Sync {
    /// Where the test dials an endpoint (the empty text for the one without a name): its own seam `test -> component`.
    fn address(&self, component: &str, endpoint: &str) -> Result<Address, Trouble>;

    /// The component and the endpoint that are reached at a `host:port`, be it their own address, one that some
    /// consumer dials, or the public one; none if it is nobody's.
    fn owner(&self, authority: &str) -> Option<(String, String)>;

    /// What a reference of `seam.yaml` gives when the test asks: `api.url`, `pg.orders.user`.
    fn property(&self, reference: &str) -> Option<String>;

    /// What passed the seams since the test's first step, drained up to now, in the order in which requests began.
    /// Inconclusive where some could not be kept.
    fn interactions<'a>(
        &'a self,
        seam: &'a SeamFilter,
    ) -> BoxFuture<'a, Result<Vec<Arc<Interaction>>, Trouble>>;

    /// Waits until the test is quiet and `settled` holds; not by the deadline: inconclusive.
    fn quiet(&self, deadline: Instant) -> BoxFuture<'_, Result<(), Trouble>>;

    /// Waits for further interactions of a seam from now on, or for the deadline.
    fn further<'a>(
        &'a self,
        seam: &'a SeamFilter,
        more: u64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Awaited, Trouble>>;

    /// What a component said since the test began, drained up to now.
    fn lines(&self, component: &str) -> Result<Vec<SaidLine>, Trouble>;

    /// The mails that a mailbox got since the test's state was set: maps of `from to subject text html headers
    /// attachments raw`.
    fn mails(&self, component: &str) -> Result<Vec<Value>, Trouble>;

    /// Does something to a component and waits until it is so.
    fn control<'a>(
        &'a self,
        component: &'a str,
        act: Act,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Puts a fault or a stub on its seam. It stays there until the test's last step has ended, or the step under
    /// which it stands.
    fn put<'a>(&'a self, placed: &'a Placed) -> BoxFuture<'a, Result<(), Trouble>>;

    /// The folder of `seam.yaml`.
    fn root(&self) -> &Path;

    /// The folders below which a step may write and remove: the project, the run's own, those of components.
    fn folders(&self) -> Vec<PathBuf>;

    /// Who starts the programs of `exec` steps, so that they are gone when the run is.
    fn watcher(&self) -> Option<&Watcher>;

    /// The environment that a program of an `exec` step has to begin with: PATH, HOME, LANG, TZ, TMPDIR.
    fn environment(&self) -> Vec<(String, String)>;
}

/// Where the test dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The seam's listener.
    pub socket: SocketAddr,
    /// Whose cookies it takes: `127.0.0.1`, or an external's own host name.
    pub host: Arc<str>,
    /// The path that an external's own address ends with, without a slash at its end; empty mostly.
    pub base: Arc<str>,
}

/// Which interactions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeamFilter {
    /// Who asked.
    pub from: ComponentId,
    /// Who was asked.
    pub to: ComponentId,
    /// Only this endpoint of it; none for all of them.
    pub endpoint: Option<String>,
}

/// What came of waiting for further interactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// How many there were in time.
    pub count: u64,
}

/// One line that a component said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidLine {
    /// Its number in the component's log, from 1.
    pub number: u64,
    /// Was it on standard error?
    pub error: bool,
    /// The line without its end.
    pub text: String,
}

/// What can be done to a component. What is so already is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Raised, and waited for until it is ready.
    Start,
    /// Asked to end, and by force if it does not; back when its whole tree of processes is gone.
    Stop,
    /// Ended by force at once; back when its whole tree of processes is gone.
    Kill,
    /// Stopped and started.
    Restart,
    /// Held still, connections and all.
    Pause,
    /// Let go on.
    Resume,
}

impl SeamFilter {
    /// Does an interaction belong to it?
    pub fn takes(&self, interaction: &Interaction) -> bool {
        interaction.from == self.from
            && interaction.to == self.to
            && self.endpoint.as_ref().is_none_or(|endpoint| *endpoint == *interaction.seam.endpoint.as_str())
    }
}

/// As people write it: `orders -> pg.orders`.
impl fmt::Display for SeamFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)?;
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, ".{endpoint}"))
    }
}
