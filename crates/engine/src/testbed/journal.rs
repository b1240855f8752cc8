//! What passed and what was said while the current test runs, whole and unmasked, for its steps to look into.
//!
//! The History keeps everything, masked, on disk; this keeps the present test's part in memory. It is bounded:
//! what goes beyond is counted, and whoever counts over it is told. While no test runs, the newest are kept, for whoever
//! looks at a system that is up.

use crate::testbed::external::ExternalNews;
use seam_event::{
    ComponentId, Interaction, InteractionError, Level, Notice, Scope, SeamId, What, asked, on_one_line,
};
use seam_history::Recorder;
use seam_proxy::{ExternalError, Rule, Witness};
use seam_steps::SaidLine;
use seam_value::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Interactions kept for one test.
const MOST_INTERACTIONS: usize = 200_000;

/// Memory that they may take, in bytes.
const MOST_BYTES: usize = 1024 * 1024 * 1024;

/// Memory that they may take while no test runs, in bytes: a system that is up may be so for days.
const MOST_BYTES_IDLE: usize = 256 * 1024 * 1024;

/// Steps remembered to find the one to which something belongs that is told late.
const MOST_SCOPES: usize = 1_000;

/// Lines kept of one component for one test.
pub(crate) const MOST_LINES: usize = 100_000;

/// How many different answers that could not be said are kept.
const MOST_FAILED: usize = 100;

/// The journal of a testbed.
#[derive(Default)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    /// Woken whenever an interaction is added.
    pub(crate) grew: Notify,
}

#[derive(Default)]
struct Entries {
    /// To which test and step belongs what begins from which moment on, the present ones last. What passed is told
    /// a little later, when the next step may have begun.
    scopes: VecDeque<(Duration, Scope)>,
    /// What began before this moment is left over from an earlier test: its steps do not see it.
    since: Duration,
    interactions: VecDeque<Arc<Interaction>>,
    /// About how much memory they take, in bytes.
    n_bytes: usize,
    lines: HashMap<ComponentId, Vec<SaidLine>>,
    /// Interactions that could not be kept, here or on the way here.
    n_lost: u64,
    /// Who was seen using which seam at all, in the whole run.
    used: std::collections::BTreeSet<(ComponentId, SeamId)>,
    /// What stubs could not say, each once.
    failed: Vec<StubFailed>,
}

/// A stub had an answer that could not be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StubFailed {
    pub(crate) seam: SeamId,
    /// Its name.
    pub(crate) stub: String,
    pub(crate) reason: String,
    /// The step in which that was.
    pub(crate) scope: Scope,
}

impl Journal {
    /// Forgets what is there: a new test begins, or its first step, at this time since the run began.
    pub(crate) fn begin(&self, scope: Scope, now: Duration) {
        let mut entries = self.lock();
        entries.scopes.clear();
        entries.scopes.push_back((now, scope));
        entries.since = now;
        entries.interactions.clear();
        entries.n_bytes = 0;
        entries.lines.clear();
        entries.n_lost = 0;
    }

    /// From this time of the run on what happens belongs to this test and step.
    pub(crate) fn set_scope(&self, scope: Scope, now: Duration) {
        let mut entries = self.lock();
        if entries.scopes.len() == MOST_SCOPES {
            entries.scopes.pop_front();
        }
        entries.scopes.push_back((now, scope));
    }

    /// To which test and step what happens now belongs.
    pub(crate) fn scope(&self) -> Scope {
        self.lock().scope()
    }

    /// The interactions so far that the filter takes, in the order in which requests began.
    pub(crate) fn interactions(&self, takes: impl Fn(&Interaction) -> bool) -> Vec<Arc<Interaction>> {
        let mut taken: Vec<_> = self.lock().interactions.iter().filter(|one| takes(one)).cloned().collect();
        taken.sort_by_key(|interaction| (interaction.at, interaction.id));
        taken
    }

    /// How many interactions could not be kept.
    pub(crate) fn n_lost(&self) -> u64 {
        self.lock().n_lost
    }

    /// What a component said so far.
    pub(crate) fn lines(&self, component: &ComponentId) -> Vec<SaidLine> {
        self.lock().lines.get(component).cloned().unwrap_or_default()
    }

    /// What stubs on these seams could not say, as far as it was not taken before.
    pub(crate) fn take_failed(&self, is_meant: impl Fn(&StubFailed) -> bool) -> Vec<StubFailed> {
        let mut entries = self.lock();
        entries.failed.extract_if(.., |failed| is_meant(failed)).collect()
    }

    /// A component said something at this time since the run began. Gives whose it is: many lines are heard late, and
    /// what was said before the present test began belongs to no test that still runs.
    pub(crate) fn said(&self, component: &ComponentId, at: Duration, line: SaidLine) -> Scope {
        let mut entries = self.lock();
        if at < entries.since {
            return Scope::default();
        }
        let lines = entries.lines.entry(component.clone()).or_default();
        if lines.len() < MOST_LINES {
            lines.push(line);
        }
        entries.scope_at(at)
    }

    /// Who used which seam, in the whole run.
    pub(crate) fn used(&self) -> Vec<(ComponentId, SeamId)> {
        self.lock().used.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics while it holds this lock half way through a change.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Keeps it, in place of the oldest where no test runs that could count over them.
    fn keep(&mut self, interaction: &Interaction) {
        let weight = interaction.weight();
        let is_idle = self.scope().test.is_none();
        let most_bytes = if is_idle { MOST_BYTES_IDLE } else { MOST_BYTES };
        let is_full = |entries: &Self| {
            entries.interactions.len() >= MOST_INTERACTIONS || entries.n_bytes + weight > most_bytes
        };
        while is_idle && is_full(self) {
            let Some(oldest) = self.interactions.pop_front() else { break };
            self.n_bytes -= oldest.weight();
        }
        if is_full(self) {
            self.n_lost += 1;
            return;
        }
        self.n_bytes += weight;
        self.interactions.push_back(Arc::new(interaction.clone()));
    }

    /// The present scope.
    fn scope(&self) -> Scope {
        self.scopes.back().map(|(_, scope)| scope.clone()).unwrap_or_default()
    }

    /// The scope of what began then; the oldest that is known for what was before all of them.
    fn scope_at(&self, at: Duration) -> Scope {
        let n_before = self.scopes.partition_point(|(since, _)| *since <= at);
        let scope = self.scopes.get(n_before.saturating_sub(1));
        scope.map(|(_, scope)| scope.clone()).unwrap_or_default()
    }
}

/// Tells the journal and the History what the observer saw.
pub(crate) struct JournalWitness {
    pub(crate) journal: Arc<Journal>,
    pub(crate) recorder: Recorder,
    pub(crate) externals: Arc<ExternalNews>,
}

impl Witness for JournalWitness {
    fn connection(
        &mut self,
        seam: &SeamId,
        connection: u64,
        state: &'static str,
        caller: Option<&ComponentId>,
    ) {
        if matches!(state, "opened" | "refused") {
            let who = caller.unwrap_or(&seam.consumer).clone();
            self.journal.lock().used.insert((who, seam.clone()));
        }
        let what = What::Connection {
            seam: seam.clone(),
            connection,
            state: state.to_owned(),
            caller: caller.cloned(),
        };
        self.recorder.record(self.journal.scope(), what);
    }

    fn interaction(&mut self, interaction: Interaction) {
        let scope = {
            let mut entries = self.journal.lock();
            if interaction.at < entries.since {
                drop(entries);
                // It belongs to no test that still runs; whose it was, its time tells.
                self.recorder.record(Scope::default(), What::Interaction(interaction));
                return;
            }
            entries.keep(&interaction);
            entries.scope_at(interaction.at)
        };
        if interaction.error == Some(InteractionError::Refused) {
            self.externals.asked_in(interaction.to.as_str(), scope.clone());
        }
        self.recorder.record(scope, What::Interaction(interaction));
        self.journal.grew.notify_waiters();
    }

    fn degraded(&mut self, seam: &SeamId, connection: u64, reason: &str) {
        let what = What::Degraded { seam: seam.clone(), connection, reason: reason.to_owned() };
        self.recorder.record(self.journal.scope(), what);
    }

    fn stub_failed(&mut self, seam: &SeamId, stub: &str, reason: &str) {
        let mut entries = self.journal.lock();
        let (scope, stub, reason) = (entries.scope(), stub.to_owned(), reason.to_owned());
        let failed = StubFailed { seam: seam.clone(), stub, reason, scope };
        if entries.failed.len() < MOST_FAILED && !entries.failed.contains(&failed) {
            entries.failed.push(failed);
        }
    }

    fn unsaid(&mut self, seam: &SeamId, name: &str, reason: &str) {
        let text = format!("on {seam}, {name} can't be said: {reason}");
        self.recorder.record(self.journal.scope(), What::Notice(Notice::new(Level::Warning, text)));
    }

    fn unreached(&mut self, seam: &SeamId, error: &ExternalError) {
        self.externals.failed(seam.provider.as_str(), error);
    }

    fn struck(&mut self, seam: &SeamId, rule: &Rule) {
        let what = What::Fault {
            seam: seam.clone(),
            fault: rule.name().to_owned(),
            action: "struck".to_owned(),
            is_stub: false,
            interaction: None,
        };
        self.recorder.record(self.journal.scope(), what);
    }

    fn lost(&mut self, seam: &SeamId, count: u64) {
        self.journal.lock().n_lost += count;
        let what = What::Lost { of: "interactions".to_owned(), seam: Some(seam.clone()), count, since: 0 };
        self.recorder.record(self.journal.scope(), what);
    }
}

/// What was asked, on one line: as reports tell it, or all of it where they would tell nothing.
pub(crate) fn shown_request(request: &Value) -> String {
    const MOST: usize = 120;
    on_one_line(&shown_whole(request), MOST)
}

/// The same, however long it is, for those who mask it first.
pub(crate) fn shown_whole(request: &Value) -> String {
    let text = |name: &str| request.get(name).and_then(Value::as_text);
    // Many services have a method of the same name.
    let of_service =
        text("service").zip(text("method")).map(|(service, method)| format!("{service}/{method}"));
    of_service.or_else(|| asked(request, &Value::Null)).unwrap_or_else(|| request.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Entries, Journal, MOST_INTERACTIONS};
    use seam_event::{Caller, ComponentId, Endpoint, Interaction, Scope, SeamId};
    use seam_steps::SaidLine;
    use seam_value::Value;
    use std::time::Duration;

    fn interaction(id: usize) -> Interaction {
        let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
        Interaction {
            id: id as u64,
            from: seam.consumer.clone(),
            to: seam.provider.clone(),
            seam,
            via: None,
            caller: Caller::Known,
            protocol: "http".to_owned(),
            connection: 1,
            at: Duration::ZERO,
            elapsed: None,
            error: None,
            request: Value::Null,
            reply: Value::Null,
            message: Value::Null,
            answered_by: None,
            cut: false,
        }
    }

    /// Who counts must know that something is missing; who only looks wants the newest.
    #[test]
    fn a_test_keeps_the_first_and_counts_the_rest_and_an_idle_system_keeps_the_newest() {
        let of_test = Scope { test: Some("t".into()), ..Scope::default() };
        for (scope, first, n_lost) in [(of_test, 0, 2), (Scope::default(), 2, 0)] {
            let mut entries = Entries::default();
            entries.scopes.push_back((Duration::ZERO, scope));
            (0..MOST_INTERACTIONS + 2).for_each(|id| entries.keep(&interaction(id)));
            assert_eq!(entries.interactions.front().map(|one| one.id), Some(first));
            assert_eq!((entries.interactions.len(), entries.n_lost), (MOST_INTERACTIONS, n_lost));
        }
    }

    /// A component that says very much is heard late.
    #[test]
    fn a_line_belongs_to_the_test_in_which_it_was_said() {
        let journal = Journal::default();
        let who = ComponentId::from("web");
        let begins = Duration::from_secs(1);
        let of_test = Scope { test: Some("t".into()), ..Scope::default() };
        journal.begin(of_test.clone(), begins);
        let said = [
            ("before", begins / 2, Scope::default()),
            ("within", begins, of_test.clone()),
            ("later", begins * 2, of_test),
        ];
        for (number, (text, at, scope)) in (1..).zip(said) {
            let line = SaidLine { number, error: false, text: text.to_owned() };
            assert_eq!(journal.said(&who, at, line), scope, "{text}");
        }
        let texts: Vec<String> = journal.lines(&who).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["within", "later"]);
    }

    #[test]
    fn an_idle_system_keeps_no_more_than_its_memory() {
        let mut entries = Entries::default();
        for id in 0..40 {
            let request = Value::text("x".repeat(16 * 1024 * 1024));
            entries.keep(&Interaction { request, ..interaction(id) });
        }
        assert!(entries.n_bytes <= super::MOST_BYTES_IDLE, "{}", entries.n_bytes);
        assert_eq!(entries.interactions.back().map(|one| one.id), Some(39));
        assert_eq!(entries.n_lost, 0);
    }
}
