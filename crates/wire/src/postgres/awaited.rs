//! What a PostgreSQL server still owes, and what it was told to remember.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A statement that was prepared, named or not.
#[derive(Debug, Default)]
pub(super) struct Statement {
    /// The whole Parse message: name, SQL, parameter types.
    pub(super) parse: Vec<u8>,
    /// The types that the server found for the parameters, from Describe.
    pub(super) types: OnceLock<Vec<u8>>,
    /// The columns, from Describe.
    pub(super) columns: OnceLock<Vec<u8>>,
}

/// A statement with its parameters.
#[derive(Debug, Default)]
pub(super) struct Portal {
    pub(super) statement: Arc<Statement>,
    /// The whole Bind message.
    pub(super) bind: Vec<u8>,
    /// The columns, from Describe.
    pub(super) columns: OnceLock<Vec<u8>>,
}

/// What one reply is to be an answer to.
#[derive(Clone, Debug)]
pub(super) enum Awaited {
    /// The first message of the connection: its parameters.
    Startup(Vec<u8>),
    /// Statements without parameters, as one text.
    Query {
        text: Arc<Vec<u8>>,
        /// Which of its statements is next.
        index: usize,
        /// One of them was refused, which ends it.
        refused: bool,
    },
    Parse(Arc<Statement>),
    Bind(Arc<Portal>),
    DescribeStatement(Arc<Statement>),
    DescribePortal(Arc<Portal>),
    Execute(Arc<Portal>),
    Close,
    /// The end of a batch.
    Sync,
    /// A call of a function by number.
    Function(u32),
    /// No reply is owed: here the consumer ended its COPY data.
    CopyEnd,
}

/// One entry of the queue.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) began: Duration,
    pub(super) awaited: Awaited,
    /// Bytes that it holds of the connection's room.
    pub(super) n_kept: usize,
}

impl Awaited {
    /// Is it a call: something with a result that somebody waits for?
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::Startup(_) | Self::Query { .. } | Self::Execute(_) | Self::Function(_))
    }

    /// Does an error skip it, because the server reads on to the next Sync?
    pub(super) fn is_skipped(&self) -> bool {
        !matches!(self, Self::Startup(_) | Self::Query { .. } | Self::Function(_) | Self::Sync)
    }
}

/// Statements or portals by name, the oldest forgotten when there are too many or they are too large.
#[derive(Debug)]
pub(super) struct Named<T> {
    /// The one with the empty name, which each driver uses again and again.
    unnamed: Option<Arc<T>>,
    by_name: HashMap<Vec<u8>, (Arc<T>, usize)>,
    order: VecDeque<Vec<u8>>,
    n_bytes: usize,
    most_bytes: usize,
}

/// So many names are remembered; drivers' caches have some hundreds.
const MOST_NAMES: usize = 4096;
/// What a name costs besides its bytes.
const OVERHEAD: usize = 128;

impl<T> Clone for Named<T> {
    fn clone(&self) -> Self {
        Self {
            unnamed: self.unnamed.clone(),
            by_name: self.by_name.clone(),
            order: self.order.clone(),
            n_bytes: self.n_bytes,
            most_bytes: self.most_bytes,
        }
    }
}

impl<T> Named<T> {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { unnamed: None, by_name: HashMap::new(), order: VecDeque::new(), n_bytes: 0, most_bytes }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Arc<T>> {
        if name.is_empty() {
            return self.unnamed.clone();
        }
        self.by_name.get(name).map(|(value, _)| Arc::clone(value))
    }

    pub(super) fn insert(&mut self, name: &[u8], value: Arc<T>, n_bytes: usize) {
        if name.is_empty() {
            self.unnamed = Some(value);
            return;
        }
        let n_bytes = n_bytes + 2 * name.len() + OVERHEAD;
        match self.by_name.insert(name.to_vec(), (value, n_bytes)) {
            Some((_, n_before)) => self.n_bytes -= n_before,
            None => self.order.push_back(name.to_vec()),
        }
        self.n_bytes += n_bytes;
        while self.by_name.len() > MOST_NAMES || self.n_bytes > self.most_bytes {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(&oldest);
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
        } else if self.by_name.contains_key(name) {
            self.forget(name);
            self.order.retain(|other| other != name);
        }
    }

    fn forget(&mut self, name: &[u8]) {
        if let Some((_, n_bytes)) = self.by_name.remove(name) {
            self.n_bytes -= n_bytes;
        }
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        self.by_name.clear();
        self.order.clear();
        self.n_bytes = 0;
    }
}
