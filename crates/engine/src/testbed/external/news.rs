//! Tells why externals could not be asked: the same once for each test, and once in a run that `live` is missing.

use crate::testbed::journal::Journal;
use crate::testbed::state::chain;
use seam_diag::Span;
use seam_event::{Level, Notice, Scope, TestId, What};
use seam_history::Recorder;
use seam_launch::ExternalAddress;
use seam_proxy::ExternalError;
use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What there is to tell of externals.
pub(crate) struct ExternalNews {
    journal: Arc<Journal>,
    recorder: Recorder,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    externals: HashMap<String, One>,
    /// What has been told, with the test in which it was.
    told: HashSet<(Option<TestId>, String)>,
}

/// One external.
struct One {
    address: ExternalAddress,
    /// Where its address stands.
    span: Span,
    door: Door,
    /// Woken when it refused somebody.
    refused: Arc<Notify>,
}

/// What becomes of somebody who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// He is led to the external.
    Open,
    /// He is refused: nothing allows it to be asked.
    Forbidden,
    /// He is refused: nobody listens there.
    Closed,
}

impl ExternalNews {
    pub(crate) fn new(journal: &Arc<Journal>, recorder: &Recorder) -> Self {
        Self { journal: Arc::clone(journal), recorder: recorder.clone(), known: Mutex::default() }
    }

    /// An external stands here. What this gives is woken when it has refused somebody.
    pub(super) fn declared(&self, name: &str, address: &ExternalAddress, span: Span) -> Arc<Notify> {
        let refused = Arc::new(Notify::new());
        let one =
            One { address: address.clone(), span, door: Door::Forbidden, refused: Arc::clone(&refused) };
        self.lock().externals.insert(name.to_owned(), one);
        refused
    }

    /// What becomes of whoever connects from here on.
    pub(super) fn set_door(&self, name: &str, door: Door) {
        if let Some(one) = self.lock().externals.get_mut(name) {
            one.door = door;
        }
    }

    /// Somebody wanted to ask a component, or asked it and was refused. Where it is an external to which nothing
    /// leads at present, it is told why.
    pub(crate) fn asked(&self, name: &str) {
        self.asked_in(name, self.journal.scope());
    }

    /// The same of somebody who did so then: it may be heard of only when another test has begun.
    pub(crate) fn asked_in(&self, name: &str, scope: Scope) {
        let (door, authority, span) = match self.lock().externals.get(name) {
            Some(one) => (one.door, one.address.authority(), one.span),
            None => return,
        };
        match door {
            Door::Open => {}
            Door::Forbidden => {
                let notice = Notice {
                    place: Some(span.into()),
                    hint: Some(format!(
                        "write `live: true` at `{name}`, best in a profile, if it is to be asked for real"
                    )),
                    ..Notice::new(
                        Level::Warning,
                        format!("`{name}` is not on this machine and was not asked"),
                    )
                };
                self.tell(Scope::default(), notice);
            }
            Door::Closed => {
                let source = ErrorKind::ConnectionRefused.into();
                self.failed_in(name, &ExternalError::Unreachable { authority, source }, scope);
            }
        }
    }

    /// An external could not be asked, or gave no proper answer.
    pub(crate) fn failed(&self, name: &str, error: &ExternalError) {
        self.failed_in(name, error, self.journal.scope());
    }

    fn failed_in(&self, name: &str, error: &ExternalError, scope: Scope) {
        let span = self.lock().externals.get(name).map(|one| {
            if let ExternalError::Unreachable { source, .. } = error
                && source.kind() == ErrorKind::ConnectionRefused
            {
                one.refused.notify_one();
            }
            one.span
        });
        let (level, text) = match error {
            ExternalError::NotAllowed { reason } => {
                (Level::Inconclusive, format!("`{name}` was not asked: {reason}"))
            }
            error => (Level::Warning, format!("`{name}` gave no answer: {}", chain(error))),
        };
        let notice = Notice { place: span.map(Into::into), hint: error.hint(), ..Notice::new(level, text) };
        self.tell(scope, notice);
    }

    fn tell(&self, scope: Scope, notice: Notice) {
        if self.lock().told.insert((scope.test.clone(), notice.text.clone())) {
            self.recorder.record(scope, What::Notice(notice));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing that holds this lock can leave what it guards half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
