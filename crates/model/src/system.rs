//! What `seam.yaml` says: the system, its components, and what must hold in it always.

use crate::node::{Entry, Node, Spanned};
use crate::test::Step;
use indexmap::IndexMap;
use seam_diag::Span;
use std::time::Duration;

/// A system as declared. Profiles are laid over it and `like` is followed already.
#[derive(Clone, Debug)]
pub struct System {
    /// Its name.
    pub name: Spanned<String>,
    /// How long nothing may pass before a test counts as settled.
    pub quiet: Option<Duration>,
    /// Commands run once before the start, in order.
    pub prepare: Vec<Prepare>,
    /// Secrets by name.
    pub secrets: IndexMap<String, Secret>,
    /// Components by name, in the written order.
    pub components: IndexMap<String, Component>,
    /// What must hold, besides quiet, before counts and invariants are judged.
    pub settled: Vec<Step>,
    /// Calls that wait for something to happen: while they are open the system is quiet all the same.
    pub waits: Vec<Node>,
    /// What must hold after every test.
    pub invariants: Vec<Invariant>,
    /// How long things may take, where nothing nearer says it.
    pub deadlines: Deadlines,
    /// Names of the profiles that the file has.
    pub profiles: Vec<String>,
    /// Keys at the top that later parts read (stores that must agree).
    pub further: Vec<Entry>,
}

/// How long things may take; none where the file says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Until a component is ready; 30 s.
    pub ready: Option<Duration>,
    /// One command of `prepare`; 10 min.
    pub prepare: Option<Duration>,
    /// One try of a step; 10 s.
    pub step: Option<Duration>,
    /// A whole test; 60 s.
    pub test: Option<Duration>,
    /// Until a component has stopped, and is then made to; 5 s.
    pub stop: Option<Duration>,
}

/// A command run once before the start.
#[derive(Clone, Debug)]
pub struct Prepare {
    /// The command: a text that is split like a shell would, or a list taken as it is.
    pub command: Node,
    /// Its own deadline; 10 minutes if it has none.
    pub timeout: Option<Duration>,
}

/// A value that is masked wherever it shows.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Where its name stands.
    pub span: Span,
    /// The environment variable that holds it.
    pub env: Option<Spanned<String>>,
    /// What it is where the variable is not set.
    pub default: Option<Spanned<String>>,
}

/// One part of the system.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: Spanned<String>,
    /// What makes it: `run`, `service`, `external`, `image`, `build`, `compose`, `planned`.
    pub origin: Spanned<String>,
    /// What stands right of the origin: the command line, the service's name, the address.
    pub subject: Node,
    /// Further keys, which the origin's kind reads itself (databases, version, live, budget).
    pub settings: Vec<Entry>,
    /// Its environment: names with texts in which references stand.
    pub env: Vec<(Spanned<String>, Node)>,
    /// Files rendered for it: target and template.
    pub files: Vec<(Spanned<String>, Spanned<String>)>,
    /// Where the process starts.
    pub dir: Option<Spanned<String>>,
    /// Folders whose change can affect it.
    pub source: Vec<Spanned<String>>,
    /// Further endpoints with their protocols.
    pub endpoints: IndexMap<String, Spanned<String>>,
    /// The protocol of the endpoint without a name.
    pub protocol: Option<Spanned<String>>,
    /// When it is ready; the service's own way, or that it accepts connections, where nothing is said.
    pub ready: Option<Node>,
    /// How long that may take.
    pub ready_within: Option<Duration>,
    /// Components that must be ready before it starts although no address shows it.
    pub needs: Vec<Spanned<String>>,
    /// Components that it calls although no address shows it.
    pub calls: Vec<Spanned<String>>,
    /// A request that makes it forget what it keeps in memory: `POST /test/reset`.
    pub reset: Option<Spanned<String>>,
    /// Is it started anew before each test?
    pub restart_each_test: bool,
    /// How long it may take to stop before it is made to.
    pub stop_within: Option<Duration>,
    /// What stands in for it.
    pub stub: Option<Node>,
    /// How it listens with TLS, where it does.
    pub tls: Option<Node>,
    /// Files that describe the messages of its gRPC endpoints.
    pub descriptors: Vec<Spanned<String>>,
}

/// A statement that holds after every test, and under every fault.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// Its name.
    pub name: Spanned<String>,
    /// The steps whose expectations say it.
    pub steps: Vec<Step>,
}
