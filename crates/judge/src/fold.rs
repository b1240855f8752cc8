//! Takes events in one by one and can say at any moment what they come to.
//!
//! It keeps only what verdicts need, so that a run of ten thousand tests is judged in little memory while it runs.

use crate::attempt::{Loss, Trying, worst};
use crate::grade::{Grade, TestOutcome};
use crate::verdict::{Attempt, InvariantVerdict, StepReference, TestVerdict, Times, Verdict};
use seam_event::{ComponentState, Event, Judged, Outcome, Part, Phase, Place, RunId, TestId, TestPlan, What};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The reason of a test that passes only because nothing was looked at.
pub const CHECKS_NOTHING: &str = "it checks nothing: no step has an `expect` that was judged";

/// Folds events into a [`Verdict`].
#[derive(Debug, Default)]
pub struct Fold {
    plan: Plan,
    order: Vec<TestId>,
    tests: HashMap<TestId, State>,
    /// What belongs to no test.
    outside: Trying,
    losses: Vec<Loss>,
    invariants: Vec<InvariantState>,
    finished: Option<String>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Plan {
    run: Option<RunId>,
    system: String,
    version: String,
    seed: u64,
    began: String,
    command: Vec<String>,
}

#[derive(Debug)]
struct State {
    plan: TestPlan,
    attempts: Vec<Trying>,
}

#[derive(Debug)]
struct InvariantState {
    name: String,
    judged: HashSet<Option<TestId>>,
    broken_by: Vec<TestId>,
}

/// When each part of the run began.
#[derive(Debug, Default)]
struct Clock {
    plan: Duration,
    start: Option<Duration>,
    tests: Option<Duration>,
    stop: Option<Duration>,
    last: Duration,
}

impl Fold {
    /// Takes in what happened next.
    pub fn push(&mut self, event: &Event) {
        self.clock.last = self.clock.last.max(event.at);
        match &event.what {
            What::Plan { run, version, seed, began, system, tests, command, .. } => {
                self.clock.plan = event.at;
                self.plan = Plan {
                    run: Some(run.clone()),
                    system: system.clone(),
                    version: version.clone(),
                    seed: *seed,
                    began: began.clone(),
                    command: command.clone(),
                };
                for test in tests {
                    self.order.push(test.id.clone());
                    self.tests.insert(test.id.clone(), State { plan: test.clone(), attempts: Vec::new() });
                }
            }
            What::Component { state: ComponentState::Starting, .. } => {
                self.clock.start.get_or_insert(event.at);
            }
            What::Test { phase } => self.test_phase(event, *phase),
            What::Step { name, action, place, stage } => {
                let path = event.scope.step.clone().unwrap_or_default();
                let reference =
                    StepReference { path, name: name.clone(), action: action.clone(), place: Some(*place) };
                self.trying(event).step(event, reference, stage);
            }
            What::Judged(judged) => {
                self.invariant(event, judged);
                self.trying(event).judged(event, judged);
            }
            What::Notice(notice) => self.trying(event).notice(event, notice),
            What::Lost { of, seam, count, since } => self.losses.push(Loss {
                of: of.clone(),
                seam: seam.clone(),
                count: *count,
                since: *since,
                seq: event.seq,
            }),
            What::Finished { reason } => self.finished = Some(reason.clone()),
            What::Component { .. }
            | What::Line { .. }
            | What::Connection { .. }
            | What::Interaction(_)
            | What::Degraded { .. }
            | What::State { .. }
            | What::Fixture { .. }
            | What::Fault { .. }
            | What::Secret { .. } => {}
        }
    }

    /// What a test comes to so far, without suspects; none for a test that nobody planned.
    pub fn test(&self, id: &TestId) -> Option<TestVerdict> {
        self.tests.get(id).map(|state| self.test_verdict(state))
    }

    /// What all comes to so far, without suspects.
    pub fn verdict(&self) -> Verdict {
        let tests: Vec<TestVerdict> = self
            .order
            .iter()
            .filter_map(|id| self.tests.get(id))
            .map(|state| self.test_verdict(state))
            .collect();
        let outside = self.outside.attempt(&[]);
        let interrupted = self.is_interrupted();
        let mut reasons = Vec::new();
        let mut outcome = tests.iter().filter_map(|test| test.outcome.grade()).max().unwrap_or_default();
        outcome = outcome.max(worst(&outside.findings));
        match self.finished.as_deref() {
            None => reasons.push("the run never came to its end".to_owned()),
            Some("interrupted") => reasons.push("the run was interrupted".to_owned()),
            Some("done") => {}
            Some(reason) => {
                outcome = Grade::Errored;
                reasons.push(reason.to_owned());
            }
        }
        if interrupted {
            outcome = outcome.max(Grade::Inconclusive);
        } else if tests.iter().all(|test| test.attempts.is_empty()) && outcome < Grade::Failed {
            outcome = Grade::Inconclusive;
            reasons.push("nothing ran".to_owned());
        }
        Verdict {
            run: self.plan.run.clone(),
            system: self.plan.system.clone(),
            version: self.plan.version.clone(),
            seed: self.plan.seed,
            began: self.plan.began.clone(),
            command: self.plan.command.clone(),
            outcome,
            interrupted,
            reasons,
            tests,
            findings: outside.findings,
            warnings: outside.warnings,
            invariants: self.invariant_verdicts(),
            lost: self.losses.iter().map(|loss| (loss.of.clone(), loss.seam.clone(), loss.count)).collect(),
            times: self.clock.times(),
        }
    }

    fn is_interrupted(&self) -> bool {
        matches!(self.finished.as_deref(), None | Some("interrupted"))
    }

    /// The attempt that an event belongs to. What comes after a test has ended (the clean-up of a fixture that
    /// others needed too) changes nothing about that test, which has been told already: it is the run's.
    fn trying(&mut self, event: &Event) -> &mut Trying {
        let is_over = |id: &TestId| {
            let attempts = self.tests.get(id).map_or(&[][..], |state| &state.attempts);
            let own = |attempt: &&Trying| attempt.number == event.scope.attempt.unwrap_or(1);
            attempts.iter().find(own).is_some_and(|attempt| attempt.ended)
        };
        let Some(id) = event.scope.test.as_ref().filter(|id| !is_over(id)) else {
            self.outside.lasts(event);
            return &mut self.outside;
        };
        let state = self.tests.entry(id.clone()).or_insert_with(|| {
            // The plan was lost, or the test is one that only a newer version plans.
            self.order.push(id.clone());
            State { plan: unplanned(id), attempts: Vec::new() }
        });
        let number = event.scope.attempt.unwrap_or(1);
        let index = state.attempts.iter().position(|attempt| attempt.number == number).unwrap_or_else(|| {
            state.attempts.push(Trying::new(number));
            state.attempts.len() - 1
        });
        let trying = &mut state.attempts[index];
        trying.lasts(event);
        trying
    }

    fn test_phase(&mut self, event: &Event, phase: Phase) {
        let trying = self.trying(event);
        match phase {
            Phase::Began => {
                trying.begin(event);
                self.clock.tests.get_or_insert(event.at);
            }
            Phase::Ended => {
                trying.end();
                self.clock.stop = Some(event.at);
            }
        }
    }

    fn invariant(&mut self, event: &Event, judged: &Judged) {
        let Some(Part::Invariant(name)) = event.scope.part() else { return };
        let index = self.invariants.iter().position(|known| known.name == name).unwrap_or_else(|| {
            let state =
                InvariantState { name: name.to_owned(), judged: HashSet::new(), broken_by: Vec::new() };
            self.invariants.push(state);
            self.invariants.len() - 1
        });
        let state = &mut self.invariants[index];
        state.judged.insert(event.scope.test.clone());
        if let (Outcome::Failed, Some(test)) = (judged.outcome, &event.scope.test)
            && !state.broken_by.contains(test)
        {
            state.broken_by.push(test.clone());
        }
    }

    fn invariant_verdicts(&self) -> Vec<InvariantVerdict> {
        let verdict = |state: &InvariantState| InvariantVerdict {
            name: state.name.clone(),
            judged: state.judged.len(),
            broken_by: state.broken_by.clone(),
        };
        self.invariants.iter().map(verdict).collect()
    }

    fn test_verdict(&self, state: &State) -> TestVerdict {
        let attempts: Vec<_> =
            state.attempts.iter().map(|trying| self.attempt(&state.plan, trying)).collect();
        let plan = &state.plan;
        let (outcome, reason) = match deciding(&attempts) {
            None if plan.skip.is_some() => (TestOutcome::Skipped, plan.skip.clone()),
            None => (TestOutcome::NotRun, Some("the run ended before it began".to_owned())),
            Some(attempt) => (attempt.outcome, attempt.reason.clone()),
        };
        let flaky =
            outcome == TestOutcome::Passed && attempts.iter().any(|attempt| attempt.outcome != outcome);
        TestVerdict {
            id: plan.id.clone(),
            name: plan.name.clone(),
            suite: plan.suite.clone(),
            place: plan.place,
            tags: plan.tags.clone(),
            outcome,
            reason,
            flaky,
            attempts,
        }
    }

    fn attempt(&self, plan: &TestPlan, trying: &Trying) -> Attempt {
        let mut attempt = trying.attempt(&self.losses);
        let grade = worst(&attempt.findings);
        (attempt.outcome, attempt.reason) = if !trying.ended {
            (grade.max(Grade::Inconclusive).into(), Some("it never came to its end".to_owned()))
        } else if grade == Grade::Passed && attempt.checks == 0 {
            (TestOutcome::Inconclusive, Some(CHECKS_NOTHING.to_owned()))
        } else {
            known(plan, grade)
        };
        attempt
    }
}

/// The attempt by which a test comes out: the last if it passed, else the worst, so that a retry that could not be
/// judged does not make up for a failure.
fn deciding(attempts: &[Attempt]) -> Option<&Attempt> {
    let last = attempts.last()?;
    if last.outcome == TestOutcome::Passed {
        return Some(last);
    }
    attempts.iter().max_by_key(|attempt| attempt.outcome.grade())
}

/// How a test comes out that may be known to fail.
fn known(plan: &TestPlan, grade: Grade) -> (TestOutcome, Option<String>) {
    match (&plan.fails, grade) {
        (Some(why), Grade::Failed) => (TestOutcome::Known, Some(why.clone())),
        (Some(why), Grade::Passed) if !plan.fails_sometimes => {
            (TestOutcome::Failed, Some(format!("it passes, but is marked as a known failure: {why}")))
        }
        (_, grade) => (grade.into(), None),
    }
}

fn unplanned(id: &TestId) -> TestPlan {
    let (suite, name) = id.as_str().split_once("::").unwrap_or(("", id.as_str()));
    TestPlan {
        id: id.clone(),
        name: name.to_owned(),
        suite: suite.to_owned(),
        place: Place { file: u32::MAX, start: 0, end: 0 },
        tags: Vec::new(),
        skip: None,
        fails: None,
        fails_sometimes: false,
    }
}

impl Clock {
    fn times(&self) -> Times {
        let whole = self.last;
        let start = self.start.or(self.tests).unwrap_or(whole);
        let tests = self.tests.unwrap_or(whole).max(start);
        let stop = self.stop.unwrap_or(whole).max(tests);
        let plan = self.plan.min(start);
        Times {
            plan,
            prepare: start.saturating_sub(plan),
            start: tests.saturating_sub(start),
            tests: stop.saturating_sub(tests),
            stop: whole.saturating_sub(stop),
            whole,
        }
    }
}
