//! The stubs of one stand-in while it serves: put, taken away and asked from many threads at once.

use super::index::Index;
use super::scope::Scope;
use super::stub::{Stub, Stubs};
use crate::journal::{Journal, Missed, Near};
use crate::layers::Layer;
use seam_expr::Names;
use seam_value::Value;
use seam_wire::{Answering, Answers, Asked, Say};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Stubs that were put together, to be taken away together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Put(u64);

/// Many stubs that can be changed while they serve.
///
/// Asking takes a lock for the time of one clone of a pointer. Only stubs that remember something wait for each other.
pub struct StubSet {
    table: RwLock<Arc<Table>>,
    /// What the stand-in remembers.
    state: Mutex<Value>,
    journal: Mutex<Journal>,
    next: AtomicU64,
}

/// All stubs at one moment, in the order in which they are asked.
#[derive(Default)]
struct Table {
    mounted: Vec<Arc<Mounted>>,
    index: Index,
    is_stateful: bool,
    initial: Value,
}

/// A stub that serves.
struct Mounted {
    put: Put,
    stub: Stub,
    names: Arc<dyn Names + Send + Sync>,
    /// How often it has answered.
    n: AtomicU64,
    /// What the state is at first, as its file says.
    initial: Option<Value>,
}

thread_local! {
    /// Room for the ranks of candidates, so that asking takes no memory.
    static CANDIDATES: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Default for StubSet {
    fn default() -> Self {
        Self {
            table: RwLock::default(),
            state: Mutex::default(),
            journal: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }
}

impl StubSet {
    /// No stubs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts stubs above all that are there. `names` are what their templates may ask besides the stub's own.
    pub fn put(&self, stubs: Stubs, names: &Arc<dyn Names + Send + Sync>) -> Put {
        let put = Put(self.next.fetch_add(1, Ordering::Relaxed));
        let initial = stubs.state;
        let new = stubs.list.into_iter().map(|stub| {
            let (names, initial) = (Arc::clone(names), initial.clone());
            Arc::new(Mounted { put, stub, names, n: AtomicU64::new(0), initial })
        });
        let mut new: Vec<_> = new.collect();
        new.sort_by_key(|mounted| mounted.stub.priority);
        self.change(|mounted| drop(mounted.splice(0..0, new)));
        if let Some(initial) = initial {
            *self.state() = initial;
        }
        put
    }

    /// Takes away what was put together.
    pub fn take(&self, put: Put) {
        self.change(|mounted| mounted.retain(|one| one.put != put));
    }

    /// As it was when the stubs that stand now had just been put: nothing asked, nothing remembered.
    pub fn reset(&self) {
        let table = self.table();
        for mounted in &table.mounted {
            mounted.n.store(0, Ordering::Relaxed);
        }
        *self.state() = table.initial.clone();
        self.journal().clear();
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.table().mounted.is_empty()
    }

    /// How often each stub has answered, in the order in which they are asked.
    pub fn counts(&self) -> Vec<(Put, Arc<str>, u64)> {
        let count = |one: &Arc<Mounted>| (one.put, Arc::clone(&one.stub.name), one.n.load(Ordering::Relaxed));
        self.table().mounted.iter().map(count).collect()
    }

    /// What was asked and matched by no stub, oldest first, each with the stubs that were nearest.
    pub fn missed(&self) -> Vec<Missed> {
        let missed = self.journal().missed();
        missed
            .into_iter()
            .map(|missed| Missed { near: self.nearest(&missed.request, &missed.seam), ..missed })
            .collect()
    }

    /// How many requests that nothing matched were forgotten, because there was no more room.
    pub fn n_forgotten(&self) -> u64 {
        self.journal().n_forgotten()
    }

    /// The stubs that are nearest to a request, each with what is different; those that match it come with nothing.
    pub fn nearest(&self, request: &Value, seam: &seam_event::SeamId) -> Vec<Near> {
        let (table, state) = (self.table(), self.state().clone());
        let near = table.mounted.iter().map(|mounted| {
            let scope = mounted.scope(request, &state, seam.consumer.as_str());
            Near::of(&mounted.stub.name, mounted.stub.span, mounted.stub.misses(&scope), mounted.is_used_up())
        });
        Near::first(near)
    }

    /// As [`look`](Layer::look), trying every stub: what the index is held against.
    #[cfg(test)]
    pub(super) fn look_at_all(&self, asked: &Asked<'_>) -> Option<Answering> {
        let table = self.table();
        let all: Vec<usize> = (0..table.mounted.len()).collect();
        self.first(&table, &all, asked)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Mounted>>)) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut mounted = table.mounted.clone();
        change(&mut mounted);
        *table = Arc::new(Table {
            index: Index::new(mounted.iter().map(|one| &one.stub)),
            is_stateful: mounted.iter().any(|one| one.stub.is_stateful()),
            initial: mounted.iter().find_map(|one| one.initial.clone()).unwrap_or_default(),
            mounted,
        });
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> MutexGuard<'_, Value> {
        // A value is whole after every change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of the first of these stubs that matches.
    fn first(&self, table: &Table, ranks: &[usize], asked: &Asked<'_>) -> Option<Answering> {
        // Held from looking to changing, so that two requests at once can't both find the old state.
        let mut state = table.is_stateful.then(|| self.state());
        for rank in ranks {
            let mounted = table.mounted.get(*rank)?;
            let remembered = state.as_deref().unwrap_or(&Value::Null);
            let mut scope = mounted.scope(asked.request, remembered, asked.seam.consumer.as_str());
            if !mounted.stub.asks_for(asked.request, &scope) || !mounted.stub.is_time(&scope) {
                continue;
            }
            let Some(n) = mounted.turn() else { continue };
            scope.n = n;
            let (answering, after) = mounted.answer(&scope);
            if let (Some(state), Some(after)) = (&mut state, after) {
                **state = after;
            }
            return Some(answering);
        }
        None
    }
}

impl Layer for StubSet {
    fn look(&self, asked: &Asked<'_>) -> Option<Answering> {
        let table = self.table();
        CANDIDATES.with_borrow_mut(|ranks| {
            table.index.candidates(asked.request, ranks);
            self.first(&table, ranks, asked)
        })
    }

    fn missed(&self, asked: &Asked<'_>) {
        self.journal().add(asked);
    }
}

impl Answers for StubSet {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let answering = self.look(asked);
        if answering.is_none() {
            Layer::missed(self, asked);
        }
        answering
    }
}

impl Mounted {
    fn scope<'a>(&'a self, request: &'a Value, state: &'a Value, consumer: &'a str) -> Scope<'a> {
        let n = self.n.load(Ordering::Relaxed) + 1;
        Scope { request, state, n, consumer, outer: &*self.names }
    }

    /// Takes its turn: which one it is, counted from 1; none where it has had all.
    fn turn(&self) -> Option<u64> {
        let most = self.stub.times.unwrap_or(u64::MAX);
        let next = |n: u64| (n < most).then_some(n + 1);
        self.n.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok().map(|before| before + 1)
    }

    fn is_used_up(&self) -> bool {
        self.stub.times.is_some_and(|most| self.n.load(Ordering::Relaxed) >= most)
    }

    /// What it says in this turn, and what is remembered afterwards.
    fn answer(&self, scope: &Scope<'_>) -> (Answering, Option<Value>) {
        let answer = self.stub.answer(scope.n);
        let (mut say, mut afterwards, mut after) = (answer.say(scope), Vec::new(), None);
        match (answer.callbacks(scope), answer.state_after(scope)) {
            (Ok(callbacks), Ok(state)) => (afterwards, after) = (callbacks, state),
            (Err(error), _) | (_, Err(error)) => say = Say::Cannot(error.message),
        }
        let by = Arc::clone(&self.stub.name);
        let delay = answer.delay.draw(scope.outer.chance());
        (Answering { by, after: delay, say, dribble: None, afterwards }, after)
    }
}
