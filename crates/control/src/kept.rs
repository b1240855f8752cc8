//! What has passed on seams without a system: the newest of it, read when somebody asks.

use seam_event::{ComponentId, Interaction, SeamId};
use seam_proxy::{Unread, Witness};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Interactions kept to be looked at.
const KEPT: usize = 10_000;

/// Interactions kept where they are to be recorded.
const RECORDED: usize = 200_000;

/// Bytes that these may hold as they were captured.
const KEPT_BYTES: usize = 256 * 1024 * 1024;

/// Stubs whose failures are told, and how many tellings may wait to be heard.
const MOST_FAILING: usize = 1_000;
const UNHEARD: usize = 64;

/// Keeps what passed.
#[derive(Clone, Default)]
pub(crate) struct Passed(Arc<Mutex<Kept>>);

struct Kept {
    list: VecDeque<Interacted>,
    n_bytes: usize,
    most: usize,
    /// Who hears of stubs that fail, and which of them were told.
    failures: Option<mpsc::Sender<String>>,
    failing: HashSet<(SeamId, String)>,
}

/// Few of all interactions are ever asked for, so each is read when it is.
enum Interacted {
    Unread(Unread),
    Read(Arc<Interaction>, usize),
}

impl Passed {
    /// Keeps as many as a recording may have, from now on.
    pub(crate) fn keep_for_recording(&self) {
        self.kept().most = RECORDED;
    }

    /// Why stubs had no answer that can be said, from now on: each stub once.
    pub(crate) fn failures(&self) -> mpsc::Receiver<String> {
        let (tell, failures) = mpsc::channel(UNHEARD);
        self.kept().failures = Some(tell);
        failures
    }

    /// All that is kept, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Interaction>> {
        self.kept().read()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds this lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Kept {
    fn default() -> Self {
        let (list, failing) = (VecDeque::new(), HashSet::new());
        Self { list, n_bytes: 0, most: KEPT, failures: None, failing }
    }
}

impl Kept {
    fn push(&mut self, new: Interacted) {
        self.n_bytes += new.size();
        self.list.push_back(new);
        while self.list.len() > self.most || (self.n_bytes > KEPT_BYTES && self.list.len() > 1) {
            let oldest = self.list.pop_front();
            self.n_bytes -= oldest.map_or(0, |oldest| oldest.size());
        }
    }

    fn read(&mut self) -> Vec<Arc<Interaction>> {
        let list = std::mem::take(&mut self.list).into_iter().filter_map(|one| match one {
            Interacted::Unread(unread) => {
                let size = unread.size();
                unread.read().map(|read| Interacted::Read(Arc::new(read), size))
            }
            read @ Interacted::Read(..) => Some(read),
        });
        self.list = list.collect();
        self.n_bytes = self.list.iter().map(Interacted::size).sum();
        let read = self.list.iter().filter_map(|one| match one {
            Interacted::Read(read, _) => Some(Arc::clone(read)),
            Interacted::Unread(_) => None,
        });
        read.collect()
    }
}

impl Interacted {
    /// About how much memory it holds; one that was read holds a few times as much, which is still bounded.
    fn size(&self) -> usize {
        match self {
            Self::Unread(unread) => unread.size(),
            Self::Read(_, size) => *size,
        }
    }
}

impl Witness for Passed {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        self.kept().push(Interacted::Read(Arc::new(interaction), size_of::<Interaction>()));
    }

    fn unread(&mut self, unread: Unread) {
        self.kept().push(Interacted::Unread(unread));
    }

    fn degraded(&mut self, _: &SeamId, _: u64, _: &str) {}

    fn stub_failed(&mut self, seam: &SeamId, stub: &str, reason: &str) {
        let mut kept = self.kept();
        let about = (seam.clone(), stub.to_owned());
        if kept.failing.len() == MOST_FAILING || kept.failing.contains(&about) {
            return;
        }
        let text = format!("the stub `{stub}` on {seam} has an answer that can't be said: {reason}");
        // Where it finds no room it is told the next time.
        if kept.failures.as_ref().is_some_and(|tell| tell.try_send(text).is_ok()) {
            kept.failing.insert(about);
        }
    }

    fn lost(&mut self, _: &SeamId, _: u64) {}
}
