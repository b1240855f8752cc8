//! What all seams do at present, and the ways to change that at any moment.

use crate::faults::Effect;
use crate::hold::{Pushes, Rule, SeamState};
use crate::observer::Observer;
use crate::stand::Upstream;
use crate::tls::Encryption;
use seam_event::SeamId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What all seams do.
#[derive(Clone)]
pub(crate) struct Leads(Arc<Inner>);

struct Inner {
    by_seam: Mutex<HashMap<SeamId, Lead>>,
    observer: Arc<Observer>,
    /// Where time is waited for, whoever asks.
    runtime: tokio::runtime::Handle,
    /// With what TLS is spoken to consumers, once somebody vouches for the seams.
    encryption: OnceLock<Arc<Encryption>>,
    /// How many connections are held piece by piece.
    n_held: AtomicUsize,
}

/// What one seam does.
pub(crate) struct Lead {
    /// Its number with the observer.
    number: usize,
    state: watch::Sender<SeamState>,
    /// Does the seam listen at present?
    listens: watch::Receiver<bool>,
}

/// A connection that is held piece by piece.
pub(crate) struct Holds(Arc<Inner>);

impl Drop for Holds {
    fn drop(&mut self) {
        self.0.n_held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Leads {
    pub(crate) fn new(observer: Arc<Observer>, runtime: tokio::runtime::Handle) -> Self {
        Self(Arc::new(Inner {
            by_seam: Mutex::default(),
            observer,
            runtime,
            encryption: OnceLock::new(),
            n_held: AtomicUsize::new(0),
        }))
    }

    /// One more connection is held, until what this gives is dropped.
    pub(crate) fn holds_one(&self) -> Holds {
        self.0.n_held.fetch_add(1, Ordering::Relaxed);
        Holds(Arc::clone(&self.0))
    }

    /// How many connections are held.
    pub(crate) fn n_held(&self) -> usize {
        self.0.n_held.load(Ordering::Relaxed)
    }

    /// A seam leads there from now on.
    pub(crate) fn begin(
        &self,
        seam: SeamId,
        (number, upstream): (usize, Upstream),
        listens: watch::Receiver<bool>,
    ) -> watch::Receiver<SeamState> {
        let (state, receiver) = watch::channel(SeamState::new(upstream));
        self.lock().insert(seam, Lead { number, state, listens });
        receiver
    }

    /// Changes all seams to which this applies; the change says whether it changed anything.
    pub(crate) fn change(
        &self,
        applies: impl Fn(&SeamId) -> bool,
        mut change: impl FnMut(&mut SeamState) -> bool,
    ) {
        let mut refusers = Vec::new();
        for (_, lead) in self.lock().iter().filter(|(seam, _)| applies(seam)) {
            // The same again would wake the listener for nothing.
            lead.state.send_if_modified(&mut change);
            let refusing = lead.state.borrow().refuser();
            refusers.push((lead.number, refusing));
        }
        self.0.observer.refused_by(refusers);
    }

    /// TLS is spoken with this to consumers who want it.
    pub(crate) fn encrypt_with(&self, encryption: &Arc<Encryption>) {
        let _ = self.0.encryption.set(Arc::clone(encryption));
    }

    /// With what TLS is spoken to consumers.
    pub(crate) fn encryption(&self) -> Option<Arc<Encryption>> {
        self.0.encryption.get().cloned()
    }

    /// The consumers of these seams want nothing but TLS.
    pub(crate) fn insists_on_tls(&self, applies: impl Fn(&SeamId) -> bool) {
        self.change(applies, |state| !std::mem::replace(&mut state.insists_on_tls, true));
    }

    /// Puts a rule on all seams to which this applies. Says on how many.
    pub(crate) fn put(&self, applies: impl Fn(&SeamId) -> bool, rule: &Arc<Rule>) -> usize {
        rule.begins(self.0.observer.pulse().now());
        if let Some(lasts) = rule.lasts_by_itself() {
            let (leads, rule) = (self.clone(), Arc::clone(rule));
            self.0.runtime.spawn(async move {
                tokio::time::sleep(lasts).await;
                leads.take_away(&rule);
            });
        }
        let mut n_seams = 0;
        self.change(&applies, |state| {
            n_seams += 1;
            let rules = std::iter::once(rule).chain(state.rules.iter()).cloned().collect();
            state.rules = rules;
            true
        });
        if let Some(Effect::Cut(time)) = rule.effect_now() {
            let seams: Vec<SeamId> = self.lock().keys().filter(|seam| applies(seam)).cloned().collect();
            for seam in seams {
                self.cut(&seam, time, rule);
            }
        }
        n_seams
    }

    /// Takes a rule away, wherever it is.
    pub(crate) fn take_away(&self, rule: &Arc<Rule>) {
        let is_it = |other: &&Arc<Rule>| !Arc::ptr_eq(other, rule);
        self.change(
            |_| true,
            |state| {
                let n_before = state.rules.len();
                state.rules = state.rules.iter().filter(is_it).cloned().collect();
                // An outage ends with the fault that made it.
                let was_cut = state.cut_by.take_if(|by| Arc::ptr_eq(by, rule)).is_some();
                state.is_cut &= !was_cut;
                was_cut || state.rules.len() != n_before
            },
        );
    }

    /// Resets all connections of a seam, and refuses new ones for so long.
    pub(crate) fn cut(&self, seam: &SeamId, time: Duration, by: &Arc<Rule>) {
        let mut n_cuts = 0;
        self.change(
            |other| other == seam,
            |state| {
                state.n_cuts += 1;
                state.is_cut |= !time.is_zero();
                state.cut_by = Some(Arc::clone(by));
                n_cuts = state.n_cuts;
                true
            },
        );
        if time.is_zero() {
            return;
        }
        let (leads, seam) = (self.clone(), seam.clone());
        self.0.runtime.spawn(async move {
            tokio::time::sleep(time).await;
            // A later cut has its own end.
            let ends = |state: &mut SeamState| state.n_cuts == n_cuts && std::mem::take(&mut state.is_cut);
            leads.change(|other| *other == seam, ends);
        });
    }

    /// Where a seam leads; none where there is no such seam.
    pub(crate) fn upstream(&self, seam: &SeamId) -> Option<Upstream> {
        self.lock().get(seam).map(|lead| lead.state.borrow().upstream.clone())
    }

    /// Where what a seam's connections are to say comes in; none where there is no such seam.
    pub(crate) fn pushes(&self, seam: &SeamId) -> Option<Pushes> {
        self.lock().get(seam).map(|lead| lead.state.borrow().pushes.clone())
    }

    /// Whether each of these seams listens, with whether it should.
    pub(crate) fn listening(&self, applies: impl Fn(&SeamId) -> bool) -> Vec<(watch::Receiver<bool>, bool)> {
        let leads = self.lock();
        let applying = leads.iter().filter(|(seam, _)| applies(seam));
        applying.map(|(_, lead)| (lead.listens.clone(), !lead.state.borrow().refuses())).collect()
    }

    /// No seam is stood on any more.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SeamId, Lead>> {
        // Nothing panics while it holds this lock half way through a change.
        self.0.by_seam.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
