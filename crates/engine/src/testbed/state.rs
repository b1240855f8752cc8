//! Keeps the state of all services, and restores it before each test.
//!
//! Kept states nest: the run's, a file's, each on top of the wider one. A test starts from the innermost.

use crate::testbed::Testbed;
use crate::testbed::component::Live;
use futures_util::future::join_all;
use seam_event::{ComponentId, Level, Notice, What};
use seam_services::{HeldOpen, Kept, Running};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One kept state of the whole testbed.
#[derive(Default, Clone)]
pub(crate) struct KeptState(Arc<BTreeMap<String, Kept>>);

/// The kept states, the innermost last.
#[derive(Default)]
pub(crate) struct KeptStates(Mutex<Vec<(usize, KeptState)>>);

impl KeptStates {
    /// The innermost.
    fn innermost(&self) -> Option<KeptState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last().map(|(_, state)| state.clone())
    }

    /// Puts a state in place of all at this depth and beyond.
    fn put(&self, depth: usize, state: KeptState) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|(other, _)| *other < depth);
        states.push((depth, state));
    }

    /// Forgets all at this depth and beyond.
    fn forget(&self, depth: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(other, _)| *other < depth);
    }
}

impl Testbed {
    /// Keeps the state of all services as the one that tests start from: at depth 0 the system's own, at depth 1
    /// with the run's fixtures, at depth 2 with a file's. Kept states further inside are forgotten.
    pub(crate) async fn keep_state(&self, depth: usize) -> Result<(), String> {
        let mut kept = BTreeMap::new();
        for (name, live) in self.all_live() {
            let Live::Service(service) = &*live else { continue };
            let state = service
                .keep()
                .await
                .map_err(|error| format!("keep the state of `{name}`: {}", chain(&error)))?;
            self.tell_state(&name, "kept", state.took, &state.notes);
            self.tell_held_open(&name, &state.held_open).await;
            kept.insert(name, state);
        }
        self.kept.put(depth, KeptState(Arc::new(kept)));
        Ok(())
    }

    /// Makes the state of all services what it was when the innermost state was kept.
    pub(crate) async fn restore_state(&self) -> Result<(), String> {
        let Some(kept) = self.kept.innermost() else { return Ok(()) };
        let live = self.all_live();
        let restoring = live.iter().filter_map(|(name, live)| match (&**live, kept.0.get(name)) {
            (Live::Service(service), Some(state)) => Some(self.restore(name, service.as_ref(), state)),
            _ => None,
        });
        join_all(restoring).await.into_iter().collect()
    }

    async fn restore(&self, name: &str, service: &dyn Running, state: &Kept) -> Result<(), String> {
        let restored = service.restore(state).await;
        let restored =
            restored.map_err(|error| format!("restore the state of `{name}`: {}", chain(&error)))?;
        self.warn_of(name, &restored.notes);
        let notes = [restored.changed, restored.notes].concat();
        self.tell_state(name, "restored", restored.took, &notes);
        self.tell_held_open(name, &restored.held_open).await;
        Ok(())
    }

    /// Forgets the states kept at this depth and beyond.
    pub(crate) fn forget_state(&self, depth: usize) {
        self.kept.forget(depth);
    }

    /// What could not be put back, or not without ending connections, may be why a later test fails.
    fn warn_of(&self, name: &str, notes: &[String]) {
        for note in notes {
            let notice = Notice::new(Level::Warning, format!("the state of `{name}`: {note}"));
            self.record(self.scope(), What::Notice(notice));
        }
    }

    fn tell_state(&self, name: &str, action: &str, took: Duration, notes: &[String]) {
        let (component, action) = (ComponentId::from(name), action.to_owned());
        self.record(self.scope(), What::State { component, action, took, detail: notes.join(", ") });
    }

    /// A session that still held a transaction open is a fault of whoever holds it, worth a warning by name.
    async fn tell_held_open(&self, name: &str, held_open: &[HeldOpen]) {
        for held in held_open {
            let session = u32::try_from(held.session).unwrap_or_default();
            let title = match self.proxy.whose_session(&ComponentId::from(name), session).await {
                Some(seam) => {
                    format!("`{}` still held a transaction open on `{name}`: {held}", seam.consumer)
                }
                None => format!("a transaction was still open on `{name}`: {held}"),
            };
            let hint = "commit or roll back before answering; its session was ended so that the run goes on";
            let notice = Notice { hint: Some(hint.to_owned()), ..Notice::new(Level::Warning, title) };
            self.record(self.scope(), What::Notice(notice));
        }
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
