//! What a run comes to, as data.

use crate::blame::{Suspect, suspects};
use crate::fold::Fold;
use crate::grade::{Exit, Grade, TestOutcome};
use seam_event::{Event, Judged, Notice, Place, RunId, SeamId, TestId, What};
use std::time::Duration;

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The run; empty where its plan was never recorded.
    pub run: Option<RunId>,
    /// The system's name.
    pub system: String,
    /// The version of `seam` that ran.
    pub version: String,
    /// The seed of all chance.
    pub seed: u64,
    /// When the run began, RFC 3339 in UTC.
    pub began: String,
    /// The command line that runs the same again, without the program's path.
    pub command: Vec<String>,
    /// The worst of all.
    pub outcome: Grade,
    /// Did it never come to its end?
    pub interrupted: bool,
    /// Why it came out so, as far as no test and no finding says it: `nothing ran`.
    pub reasons: Vec<String>,
    /// The tests, in the planned order.
    pub tests: Vec<TestVerdict>,
    /// What belongs to no test and is not as it should be.
    pub findings: Vec<Finding>,
    /// What is worth a look and belongs to no test.
    pub warnings: Vec<Notice>,
    /// The invariants that were judged, in the order in which they came up.
    pub invariants: Vec<InvariantVerdict>,
    /// What could not be kept: of what, on which seam, how many.
    pub lost: Vec<(String, Option<SeamId>, u64)>,
    /// How long each part took.
    pub times: Times,
}

/// What one test comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestVerdict {
    /// The test.
    pub id: TestId,
    /// Its name, with its case.
    pub name: String,
    /// The file it stands in, by which it is grouped.
    pub suite: String,
    /// Where its name stands.
    pub place: Place,
    /// Its tags.
    pub tags: Vec<String>,
    /// How it came out: passed if its last attempt did, else as the worst of them.
    pub outcome: TestOutcome,
    /// Why, where no finding says it: why it is skipped or known to fail, that it checked nothing.
    pub reason: Option<String>,
    /// Did it pass after an attempt that did not?
    pub flaky: bool,
    /// Each attempt.
    pub attempts: Vec<Attempt>,
}

/// One try of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// How it came out: the worst of its findings, but for a known failure, and for one that checked nothing.
    pub outcome: TestOutcome,
    /// Why, where no finding says it.
    pub reason: Option<String>,
    /// What kept it from passing, in the order in which it happened.
    pub findings: Vec<Finding>,
    /// What is worth a look.
    pub warnings: Vec<Notice>,
    /// How many written expectations were judged.
    pub checks: usize,
    /// How long it took.
    pub took: Duration,
    /// Which events happened during it.
    pub window: Window,
    /// Whom the evidence points at, the likeliest first; empty where there is no evidence.
    pub suspects: Vec<Suspect>,
}

/// A stretch of a run, by the numbers of the first and the last event and by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The number of the first event.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// When it began.
    pub from: Duration,
    /// When it ended.
    pub to: Duration,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The event that says so.
    pub seq: u64,
    /// How much it weighs.
    pub grade: Grade,
    /// The step, if it is about one.
    pub step: Option<StepReference>,
    /// The invariant, if it is one's.
    pub invariant: Option<String>,
    /// What.
    pub found: Found,
}

/// What a finding says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An expectation did not hold, or could not be judged.
    Judged(Judged),
    /// A step could not be carried out, or what it waited for did not come.
    Step(String),
    /// Something that no expectation stands for.
    Notice(Notice),
}

/// A step that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReference {
    /// The way to it: `3`, `finally.1`.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its action: `http: POST gateway/orders`.
    pub action: String,
    /// Where it stands, if it was told.
    pub place: Option<Place>,
}

/// How an invariant held over all tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantVerdict {
    /// Its name.
    pub name: String,
    /// After how many tests it was judged.
    pub judged: usize,
    /// The tests after which it did not hold.
    pub broken_by: Vec<TestId>,
}

/// How long each part of the run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Until the plan was known: reading the files, choosing the tests. Zero where the run's clock began after it.
    pub plan: Duration,
    /// Until the first component was started: the commands of `prepare`, programs that had to be fetched.
    pub prepare: Duration,
    /// Until the first test began.
    pub start: Duration,
    /// Until the last test ended.
    pub tests: Duration,
    /// Until nothing ran any more.
    pub stop: Duration,
    /// All of it.
    pub whole: Duration,
}

/// How many tests came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the order of [`TestOutcome::ALL`].
    pub by_outcome: [usize; 7],
    /// How many passed after an attempt that did not.
    pub flaky: usize,
}

/// What a run comes to, with whom the evidence points at in each test that failed.
pub fn verdict(events: &[Event]) -> Verdict {
    let mut fold = Fold::default();
    for event in events {
        fold.push(event);
    }
    let mut verdict = fold.verdict();
    let components: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event.what, What::Component { .. } | What::Plan { .. }))
        .collect();
    for test in &mut verdict.tests {
        for attempt in &mut test.attempts {
            // Only its own stretch of the run is looked at, the plan, and what had become of components before.
            let from = events.partition_point(|event| event.seq < attempt.window.first);
            let to = events.partition_point(|event| event.seq <= attempt.window.last).max(from);
            let before = components.iter().copied().filter(|event| event.seq < attempt.window.first);
            attempt.suspects = suspects(before.chain(&events[from..to]), &test.id, attempt);
        }
    }
    verdict
}

impl Verdict {
    /// What the shell is told.
    pub fn exit(&self) -> Exit {
        if self.interrupted { Exit::Interrupted } else { self.outcome.exit() }
    }

    /// How many tests came out how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for test in &self.tests {
            if let Some(index) = TestOutcome::ALL.iter().position(|outcome| *outcome == test.outcome) {
                counts.by_outcome[index] += 1;
            }
            counts.flaky += usize::from(test.flaky);
        }
        counts
    }
}

impl Counts {
    /// How many came out so.
    pub fn of(&self, outcome: TestOutcome) -> usize {
        TestOutcome::ALL.iter().position(|one| *one == outcome).map_or(0, |index| self.by_outcome[index])
    }

    /// How many tests there are.
    pub fn all(&self) -> usize {
        self.by_outcome.iter().sum()
    }
}

impl TestVerdict {
    /// The attempt that was made last.
    pub fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The attempt that decided how the test came out.
    pub fn deciding_attempt(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.outcome == self.outcome)
    }

    /// How long all attempts took together.
    pub fn took(&self) -> Duration {
        self.attempts.iter().map(|attempt| attempt.took).sum()
    }

    /// Whom the evidence points at.
    pub fn suspects(&self) -> &[Suspect] {
        self.deciding_attempt().map_or(&[], |attempt| &attempt.suspects)
    }

    /// What kept it from passing.
    pub fn findings(&self) -> &[Finding] {
        self.deciding_attempt().map_or(&[], |attempt| &attempt.findings)
    }
}

impl Times {
    /// Each part by its name, in order, and `all` of it.
    pub fn parts(&self) -> [(&'static str, Duration); 6] {
        let Self { plan, prepare, start, tests, stop, whole } = *self;
        [
            ("plan", plan),
            ("prepare", prepare),
            ("start", start),
            ("tests", tests),
            ("stop", stop),
            ("all", whole),
        ]
    }
}

impl Window {
    /// Did the event of this number happen in it?
    pub fn holds(&self, seq: u64) -> bool {
        (self.first..=self.last).contains(&seq)
    }
}

impl Finding {
    /// Where it points: the expectation, the notice, or else the step.
    pub fn place(&self) -> Option<Place> {
        let own = match &self.found {
            Found::Judged(judged) => Some(judged.place),
            Found::Notice(notice) => notice.place,
            Found::Step(_) => None,
        };
        own.or_else(|| self.step.as_ref().and_then(|step| step.place))
    }

    /// What it says in one line.
    pub fn message(&self) -> &str {
        match &self.found {
            Found::Judged(judged) => &judged.message,
            Found::Notice(notice) => &notice.text,
            Found::Step(reason) => reason,
        }
    }
}
