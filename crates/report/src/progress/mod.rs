//! A run while it goes on: the lines that stay, and the few that say what is being done at this moment.
//!
//! ```text
//! events ──push──▶ Progress ─┬▶ lines that stay: a component is ready, a test has ended, a warning
//!                            ├▶ status(now): which tests run, which step, how long; to be drawn over again
//!                            └▶ rest: what it all came to
//! ```
//!
//! It is a fold like everything that reports: what `push` and `rest` give together is the terminal's report, live
//! and from a stored run. Only the status looks at a clock, and that is handed in.

mod status;

use crate::clean::{cut, line};
use crate::terminal::{self, Attempted, Page};
use seam_event::{ComponentId, ComponentState, Event, Notice, Phase, SeamId, StageOf, TestId, What};
use seam_judge::{Attempt, Ended, Live, TestOutcome, TestVerdict, Verdict};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// From so many lines on, what did not pass is listed once more at the end.
const MANY_LINES: usize = 24;

/// Folds events into lines for a terminal.
#[derive(Debug, Default)]
pub struct Progress {
    live: Live,
    stage: Stage,
    /// When the stage began.
    since: Duration,
    /// What takes long at the moment and stands in no event.
    said: String,
    /// Every component that was started, in that order.
    components: Vec<(ComponentId, ComponentState)>,
    /// The planned tests by id: suite and name.
    plan: HashMap<TestId, (String, String)>,
    /// How many of them are to run, and those of them that have ended.
    to_run: usize,
    ended: HashSet<TestId>,
    running: Vec<Running>,
    /// How each attempt was told.
    told: HashMap<(TestId, u32), TestOutcome>,
    /// The tests of which the last that was told is that they did not pass.
    bad: HashSet<TestId>,
    /// Seams of which it was told that they are bytes only.
    degraded: HashSet<SeamId>,
    /// How many lines stand there, and whether the last of them is empty.
    lines: usize,
    ends_empty: bool,
}

/// Which part of a run it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Until a component is started.
    #[default]
    Prepare,
    /// Until a test begins.
    Start,
    /// While tests run.
    Tests,
    /// From the first component that is stopped after the tests.
    Stop,
    /// Nothing happens any more.
    Over,
}

/// A test that runs.
#[derive(Debug)]
struct Running {
    test: TestId,
    since: Duration,
    attempt: u32,
    /// The steps that began and have not ended: path, name, since when.
    steps: Vec<(String, String, Duration)>,
}

impl Progress {
    /// Takes in what happened next and gives the lines that stay; nothing for most events.
    pub fn push(&mut self, event: &Arc<Event>, page: &Page<'_>) -> String {
        let ended = self.live.push(event);
        self.follow(event);
        let text = match ended {
            Some(ended) => self.tell(&ended, page),
            None => self.outside(event, page),
        };
        self.apart(text)
    }

    /// The text, without the empty line at its beginning where there is one already.
    fn apart(&mut self, mut text: String) -> String {
        if self.ends_empty && text.starts_with('\n') {
            text.remove(0);
        }
        if !text.is_empty() {
            self.lines += text.lines().count();
            self.ends_empty = text == "\n" || text.ends_with("\n\n");
        }
        text
    }

    /// Something takes long that is no event: `fetching redis-server`. It shows in the status until the next stage.
    pub fn say(&mut self, what: &str) {
        self.said = line(what).into_owned();
    }

    /// What comes to stay once the run has ended: what is to be told of it as a whole.
    pub fn rest(&mut self, page: &Page<'_>) -> String {
        let verdict = self.live.verdict();
        let mut out = String::new();
        for ended in self.live.unfinished() {
            out += &self.apart(attempt(&ended, page));
        }
        let changed = self.changed(&verdict, page);
        for part in
            [terminal::unstarted(&verdict, page), changed, terminal::findings(&verdict.findings, page)]
        {
            out += &self.apart(part);
        }
        let n_bad = verdict.tests.iter().filter(|test| test.outcome.is_bad()).count();
        if self.lines > MANY_LINES && n_bad > 1 {
            out += &self.apart(format!("\nwhat did not pass\n{}", terminal::table(&verdict, page)));
        }
        let closing = terminal::losses(&verdict) + &terminal::closing(&verdict, page);
        out + &self.apart(format!("\n{closing}"))
    }

    /// What it all comes to so far, without suspects.
    pub fn verdict(&self) -> Verdict {
        self.live.verdict()
    }

    /// What is done at the moment, in at most a handful of lines of at most the look's width. `now` is on the clock
    /// of the events.
    pub fn status(&self, now: Duration, look: seam_diag::Look) -> Vec<String> {
        status::lines(self, now, look)
    }

    /// Keeps up with what is being done.
    fn follow(&mut self, event: &Event) {
        match &event.what {
            What::Plan { tests, .. } => {
                self.to_run = tests.iter().filter(|test| test.skip.is_none()).count();
                let named = tests.iter().map(|test| {
                    (test.id.clone(), (line(&test.suite).into_owned(), line(&test.name).into_owned()))
                });
                self.plan = named.collect();
            }
            What::Component { component, state, .. } => self.component(event, component, *state),
            What::Test { phase } => self.test(event, *phase),
            What::Step { name, stage, .. } => self.step(event, name, stage),
            What::Finished { .. } => self.enter(Stage::Over, event.at),
            _ => {}
        }
    }

    fn enter(&mut self, stage: Stage, at: Duration) {
        if stage > self.stage {
            (self.stage, self.since) = (stage, at);
            self.said.clear();
        }
    }

    fn component(&mut self, event: &Event, component: &ComponentId, state: ComponentState) {
        match self.components.iter_mut().find(|(known, _)| known == component) {
            Some((_, known)) => *known = state,
            None => self.components.push((component.clone(), state)),
        }
        let is_over = self.running.is_empty() && event.scope.test.is_none();
        match state {
            ComponentState::Starting => self.enter(Stage::Start, event.at),
            ComponentState::Stopped if is_over && self.stage == Stage::Tests => {
                self.enter(Stage::Stop, event.at);
            }
            _ => {}
        }
    }

    fn test(&mut self, event: &Event, phase: Phase) {
        let Some(test) = &event.scope.test else { return };
        self.running.retain(|running| running.test != *test);
        match phase {
            Phase::Began => {
                self.enter(Stage::Tests, event.at);
                let attempt = event.scope.attempt.unwrap_or(1);
                self.running.push(Running {
                    test: test.clone(),
                    since: event.at,
                    attempt,
                    steps: Vec::new(),
                });
            }
            Phase::Ended => {
                self.ended.insert(test.clone());
            }
        }
    }

    fn step(&mut self, event: &Event, name: &str, stage: &StageOf) {
        let (Some(test), Some(path)) = (&event.scope.test, &event.scope.step) else { return };
        let Some(running) = self.running.iter_mut().find(|running| running.test == *test) else { return };
        running.steps.retain(|(open, ..)| open != path);
        if *stage == StageOf::Began {
            running.steps.push((path.clone(), line(name).into_owned(), event.at));
        }
    }

    /// An attempt has ended.
    fn tell(&mut self, ended: &Ended, page: &Page<'_>) -> String {
        if let Some(last) = ended.test.last_attempt() {
            self.told.insert((ended.test.id.clone(), last.number), last.outcome);
            if last.outcome.is_bad() {
                self.bad.insert(ended.test.id.clone());
            } else {
                self.bad.remove(&ended.test.id);
            }
        }
        attempt(ended, page)
    }

    /// Something that is told at once and is no test's: while a test runs it stands in that test's own lines.
    fn outside(&mut self, event: &Event, page: &Page<'_>) -> String {
        let is_early = self.stage < Stage::Tests;
        match &event.what {
            What::Component { component, state: ComponentState::Ready, detail } if is_early => {
                let text = format!("ready  {}  {}", line(component.as_str()), line(detail.trim()));
                format!("{}\n", page.paint().dim(cut(&text, page.look.width).trim_end()))
            }
            What::Component { component, state: ComponentState::Died, detail } if self.running.is_empty() => {
                let text = format!("died  {}  {}", line(component.as_str()), line(detail.trim()));
                format!("{}\n", page.paint().bad(cut(&text, page.look.width).trim_end()))
            }
            What::Degraded { seam, reason, .. } if self.degraded.insert(seam.clone()) => {
                let text = format!("{seam} is watched as plain bytes only: {reason}");
                terminal::notice(&Notice::new(seam_event::Level::Warning, text), page)
            }
            What::Notice(notice) if self.is_the_runs(event) && notice.level == seam_event::Level::Warning => {
                terminal::notice(notice, page)
            }
            _ => String::new(),
        }
    }

    /// Does it belong to no test, or to one that has ended?
    fn is_the_runs(&self, event: &Event) -> bool {
        let test = event.scope.test.as_ref();
        test.is_none_or(|test| !self.running.iter().any(|running| running.test == *test))
    }

    /// Tests that came out otherwise than was told, since it turned out later that something had been lost.
    fn changed(&self, verdict: &Verdict, page: &Page<'_>) -> String {
        let mut out = String::new();
        for (test, attempt) in attempts(verdict) {
            let told = self.told.get(&(test.id.clone(), attempt.number));
            if told.is_none_or(|told| *told == attempt.outcome) {
                continue;
            }
            let why = attempt.findings.last().map(seam_judge::Finding::message).unwrap_or_default();
            out.push_str(&terminal::row(page.look, attempt.outcome, (&test.suite, &test.name), "after all"));
            let _ = writeln!(out, "      {}", line(why));
        }
        out
    }
}

fn attempts(verdict: &Verdict) -> impl Iterator<Item = (&TestVerdict, &Attempt)> {
    verdict.tests.iter().flat_map(|test| test.attempts.iter().map(move |attempt| (test, attempt)))
}

fn attempt(ended: &Ended, page: &Page<'_>) -> String {
    let Some(last) = ended.test.last_attempt() else { return String::new() };
    Attempted::of(ended.events.iter().map(AsRef::as_ref), &ended.test, last, page).text()
}
