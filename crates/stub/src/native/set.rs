//! The stubs of one stand-in while it serves: put, taken away and asked from many threads at once.

use super::glance::Glances;
use super::index::Index;
use super::scope::Scope;
use super::stub::{Stub, Stubs};
use crate::journal::{Journal, Missed, Near};
use crate::layers::{Layer, MustRead};
use seam_diag::Span;
use seam_expr::Names;
use seam_value::Value;
use seam_wire::{Answering, Answers, Asked, AtHead, Glance, Say};
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

/// All stubs at one moment. Each group has its own index, so that putting one stub above ten thousand costs what one
/// stub costs.
#[derive(Default)]
struct Table {
    /// In the order in which they are asked.
    groups: Vec<Arc<Group>>,
    is_stateful: bool,
}

/// Stubs that were put together, in the order in which they are asked.
struct Group {
    put: Put,
    mounted: Vec<Mounted>,
    index: Index,
    glances: Glances,
    names: Arc<dyn Names + Send + Sync>,
    is_stateful: bool,
    /// What the state is at first, as their file says.
    initial: Option<Value>,
}

/// A stub that serves.
struct Mounted {
    stub: Stub,
    /// How often it has answered.
    n: AtomicU64,
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
        let group = Arc::new(Group::new(put, stubs, names));
        let initial = group.initial.clone();
        self.change(|groups| groups.insert(0, group));
        if let Some(initial) = initial {
            *self.state() = initial;
        }
        put
    }

    /// Takes away what was put together.
    pub fn take(&self, put: Put) {
        self.change(|groups| groups.retain(|group| group.put != put));
    }

    /// As it was when the stubs that stand now had just been put: nothing asked, nothing remembered.
    pub fn reset(&self) {
        let table = self.table();
        for mounted in table.groups.iter().flat_map(|group| &group.mounted) {
            mounted.n.store(0, Ordering::Relaxed);
        }
        *self.state() = table.groups.iter().find_map(|group| group.initial.clone()).unwrap_or_default();
        self.journal().clear();
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.table().groups.iter().all(|group| group.mounted.is_empty())
    }

    /// How often each stub has answered, in the order in which they are asked.
    pub fn counts(&self) -> Vec<(Put, Arc<str>, u64)> {
        let table = self.table();
        let counts = table.groups.iter().flat_map(|group| {
            let count =
                |one: &Mounted| (group.put, Arc::clone(&one.stub.name), one.n.load(Ordering::Relaxed));
            group.mounted.iter().map(count)
        });
        counts.collect()
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

    /// Where the first stub of this name stands.
    pub fn place(&self, name: &str) -> Option<Span> {
        let table = self.table();
        let mut all = table.groups.iter().flat_map(|group| &group.mounted);
        all.find(|one| &*one.stub.name == name).map(|one| one.stub.span)
    }

    /// The stubs that are nearest to a request, each with what is different; those that match it come with nothing.
    pub fn nearest(&self, request: &Value, seam: &seam_event::SeamId) -> Vec<Near> {
        let (table, state) = (self.table(), self.state().clone());
        let near = table.groups.iter().flat_map(|group| {
            let state = &state;
            group.mounted.iter().map(move |mounted| {
                let scope = group.scope(mounted, request, state, seam.consumer.as_str());
                let misses = mounted.stub.misses(&scope);
                Near::of(&mounted.stub.name, mounted.stub.span, misses, mounted.is_used_up())
            })
        });
        Near::first(near)
    }

    /// As [`look`](Layer::look), trying every stub: what the index is held against.
    #[cfg(test)]
    pub(super) fn look_at_all(&self, asked: &Asked<'_>) -> Option<Answering> {
        self.first(&self.table(), asked, |group, ranks| {
            ranks.clear();
            ranks.extend(0..group.mounted.len());
        })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Group>>)) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut groups = table.groups.clone();
        change(&mut groups);
        *table = Arc::new(Table { is_stateful: groups.iter().any(|group| group.is_stateful), groups });
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

    /// The answer of the first stub that matches, of those that `candidates` gives of each group.
    fn first(
        &self,
        table: &Table,
        asked: &Asked<'_>,
        candidates: impl Fn(&Group, &mut Vec<usize>),
    ) -> Option<Answering> {
        // Held from looking to changing, so that two requests at once can't both find the old state.
        let mut state = table.is_stateful.then(|| self.state());
        CANDIDATES.with_borrow_mut(|ranks| {
            table.groups.iter().find_map(|group| {
                candidates(group, ranks);
                let remembered = state.as_deref().unwrap_or(&Value::Null);
                let (answering, after) = group.first(ranks, remembered, asked)?;
                if let (Some(state), Some(after)) = (&mut state, after) {
                    **state = after;
                }
                Some(answering)
            })
        })
    }
}

impl Group {
    fn new(put: Put, stubs: Stubs, names: &Arc<dyn Names + Send + Sync>) -> Self {
        let mut mounted: Vec<Mounted> =
            stubs.list.into_iter().map(|stub| Mounted { stub, n: AtomicU64::new(0) }).collect();
        mounted.sort_by_key(|mounted| mounted.stub.priority);
        Self {
            put,
            index: Index::new(mounted.iter().map(|one| &one.stub)),
            glances: Glances::new(mounted.iter().map(|one| &one.stub)),
            is_stateful: mounted.iter().any(|one| one.stub.is_stateful()),
            mounted,
            names: Arc::clone(names),
            initial: stubs.state,
        }
    }

    fn scope<'a>(
        &'a self,
        of: &Mounted,
        request: &'a Value,
        state: &'a Value,
        consumer: &'a str,
    ) -> Scope<'a> {
        let n = of.n.load(Ordering::Relaxed) + 1;
        Scope { request, state, n, consumer, outer: &*self.names }
    }

    /// The answer of a stub that says the same to everybody, if it still has one.
    fn plainly(&self, rank: usize, glance: Glance<'_>) -> Option<Answering> {
        let mounted = self.mounted.get(rank)?;
        let mut scope = self.scope(mounted, &Value::Null, &Value::Null, glance.seam.consumer.as_str());
        scope.n = mounted.turn()?;
        Some(mounted.answer(&scope).0)
    }

    /// What a head tells, by the first of these stubs that may match; none where none may.
    fn by_head(&self, ranks: &[usize], head: &Asked<'_>) -> Option<AtHead> {
        ranks.iter().filter_map(|rank| self.mounted.get(*rank)).find_map(|mounted| {
            let scope = self.scope(mounted, head.request, &Value::Null, head.seam.consumer.as_str());
            match mounted.stub.asks_by_head(head.request, &scope) {
                _ if mounted.is_used_up() => None,
                Some(false) => None,
                Some(true) if mounted.stub.lets_pass() => Some(AtHead::Passes),
                Some(true) | None => Some(AtHead::Perhaps),
            }
        })
    }

    /// The answer of the first of these stubs that matches, and what is remembered afterwards.
    fn first(&self, ranks: &[usize], state: &Value, asked: &Asked<'_>) -> Option<(Answering, Option<Value>)> {
        ranks.iter().filter_map(|rank| self.mounted.get(*rank)).find_map(|mounted| {
            let mut scope = self.scope(mounted, asked.request, state, asked.seam.consumer.as_str());
            if !mounted.stub.asks_for(asked.request, &scope) || !mounted.stub.is_time(&scope) {
                return None;
            }
            scope.n = mounted.turn()?;
            Some(mounted.answer(&scope))
        })
    }
}

impl Layer for StubSet {
    fn look(&self, asked: &Asked<'_>) -> Option<Answering> {
        self.first(&self.table(), asked, |group, ranks| group.index.candidates(asked.request, ranks))
    }

    fn at_a_glance(&self, glance: Glance<'_>) -> Result<Option<Answering>, MustRead> {
        for group in &self.table().groups {
            let found = group.glances.find(glance, |rank| group.plainly(rank, glance))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        let table = self.table();
        let told = CANDIDATES.with_borrow_mut(|ranks| {
            table.groups.iter().find_map(|group| {
                group.index.candidates_by_head(head.request, ranks);
                group.by_head(ranks, head)
            })
        });
        told.unwrap_or(AtHead::Nothing)
    }

    fn missed(&self, asked: &Asked<'_>) {
        self.journal().add(asked);
    }
}

impl Answers for StubSet {
    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        Layer::at_head(self, head)
    }

    fn passed(&self, asked: &Asked<'_>) {
        Layer::missed(self, asked);
    }

    fn at_a_glance(&self, glance: Glance<'_>) -> Option<Answering> {
        Layer::at_a_glance(self, glance).ok().flatten()
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let answering = self.look(asked);
        if answering.is_none() {
            Layer::missed(self, asked);
        }
        answering
    }
}

impl Mounted {
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
