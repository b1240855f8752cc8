//! Sets fixtures up and cleans them up: those of a test for that test, wider ones once, with the state kept on top.

use crate::plan::test::{PlannedFixture, PlannedNeed};
use crate::run::attempt::clean_state;
use crate::run::bench::{ALL, AttemptBench};
use crate::run::lane::{Actors, Lane};
use crate::run::step::{Ended, fail_by_eval, run_steps};
use crate::run::variables::Variables;
use seam_event::{Level, Notice, Phase, Scope as At, TestId, What};
use seam_expr::{EvalError, Names as _};
use seam_model::Scope;
use seam_value::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long keeping the state on top of a wider fixture waits for quiet.
const QUIET_WITHIN: Duration = Duration::from_secs(10);

/// The wider fixtures that stand: the run's and the present file's.
#[derive(Default)]
pub(crate) struct Fixtures {
    standing: Vec<Standing>,
    /// Those that were made for the present test: each once for the same values.
    of_test: Vec<(Arc<PlannedFixture>, Map, Made)>,
}

/// A fixture that was set up for more than one test.
struct Standing {
    fixture: Arc<PlannedFixture>,
    /// The values it was made with.
    with: Map,
    gives: Map,
    /// What its actor sends from then on.
    signs_in: Option<Value>,
    /// Its own, and those of narrower ones that it needed.
    clean_ups: Vec<CleanUp>,
    /// What it has put on seams: that stays as long as it does, whichever test was the first to need it.
    bench: Arc<AttemptBench>,
    /// The tests that needed it, as far as their steps came to their end: what nothing reached in any of them was of no
    /// account in all of them.
    needed_by: Vec<TestId>,
}

impl Standing {
    /// Takes away what it has put on seams, and cleans up.
    async fn end(&self, lane: &Lane) {
        let mut unproved = self.bench.take_away(ALL, &lane.scope).await;
        if self.needed_by.is_empty() {
            // The steps that would have come to it did not run.
            unproved.unreached.clear();
        }
        for notice in &mut unproved.unreached {
            notice.text.extend([" in any test that needs `", &self.fixture.name, "`"]);
            let tests = self.needed_by.iter().map(|test| ("needed by".to_owned(), name(test).to_owned()));
            notice.notes.extend(tests);
        }
        // Those tests have been told already, and which of them should have met it nobody knows: it is the run's.
        unproved.tell(&lane.bed, &At::default(), Ended::Well);
        clean_up(&self.clean_ups, &self.bench, lane).await;
    }

    /// Is it this fixture, made with these values?
    fn is(&self, fixture: &Arc<PlannedFixture>, with: &Map) -> bool {
        Arc::ptr_eq(&self.fixture, fixture) && self.with == *with
    }

    /// Does one that stands rest on this one?
    fn carries(&self, other: &Standing) -> bool {
        other.fixture.needs.iter().any(|need| Arc::ptr_eq(&need.fixture, &self.fixture))
    }
}

/// A test's name without its file's.
fn name(test: &TestId) -> &str {
    test.as_str().split_once("::").map_or(test.as_str(), |(_, name)| name)
}

/// Cleans up after a wider fixture, in reverse order. What that puts on seams goes with it.
async fn clean_up(clean_ups: &[CleanUp], bench: &Arc<AttemptBench>, lane: &Lane) {
    let own = Lane { bench: Arc::clone(bench), ..lane.clone() };
    for clean_up in clean_ups.iter().rev() {
        clean_up.run(&own).await;
    }
    put_back(bench, lane).await;
}

/// Takes away what a wider fixture has put on seams where no test has needed that.
async fn put_back(bench: &AttemptBench, lane: &Lane) {
    let mut unproved = bench.take_away(ALL, &lane.scope).await;
    unproved.unreached.clear();
    unproved.tell(&lane.bed, &lane.scope, Ended::Well);
}

/// The clean-up of a fixture, with the variables that it had.
pub(crate) struct CleanUp {
    fixture: Arc<PlannedFixture>,
    variables: Arc<Variables>,
    /// Whose actor did it; the name among the test's actors.
    actor: String,
}

impl CleanUp {
    /// Runs it, whatever happened.
    pub(crate) async fn run(&self, lane: &Lane) -> Ended {
        if self.fixture.cleanup.is_empty() {
            return Ended::Well;
        }
        tell(lane, &self.fixture.name, Phase::Began, true);
        let own = Lane {
            variables: Arc::clone(&self.variables),
            actor: lane.actors.get(&self.actor),
            ..lane.clone()
        };
        let mut worst = Ended::Well;
        for (index, step) in self.fixture.cleanup.iter().enumerate() {
            let at = format!("cleanup.{}.{index}", self.fixture.name);
            worst = worst.max(crate::run::step::run_step_if_known(&own, step, &at).await);
        }
        tell(lane, &self.fixture.name, Phase::Ended, true);
        worst
    }
}

impl Fixtures {
    /// Makes sure that the wider ones among these (and those that they need) stand.
    pub(crate) async fn set_up_wider(&mut self, lane: &Lane, needs: &[PlannedNeed]) -> Ended {
        for wanted in [Scope::Run, Scope::File] {
            for need in needs {
                let ended = Box::pin(self.set_up_wider_one(lane, need, wanted)).await;
                if !ended.goes_on() {
                    return ended;
                }
            }
        }
        Ended::Well
    }

    async fn set_up_wider_one(&mut self, lane: &Lane, need: &PlannedNeed, wanted: Scope) -> Ended {
        for inner in &need.fixture.needs {
            let ended = Box::pin(self.set_up_wider_one(lane, inner, wanted)).await;
            if !ended.goes_on() {
                return ended;
            }
        }
        if need.fixture.scope != wanted {
            return Ended::Well;
        }
        let with = match values(lane, need) {
            Ok(with) => with,
            Err(error) => return fail_by_eval(lane, &lane.scope, &error).ended,
        };
        if self.standing.iter().any(|standing| standing.is(&need.fixture, &with)) {
            return Ended::Well;
        }
        // It is made on top of the state of those as wide as it is, not of what a test has left.
        if wanted == Scope::Run {
            self.forget_files(lane).await;
        }
        let kept = match clean_state(&lane.bed, lane).await {
            Ok(()) => self.make_standing(lane, need, with).await,
            Err(reason) => Err(reason),
        };
        match kept {
            Ok(ended) => ended,
            Err(reason) => {
                lane.bed.record(lane.scope.clone(), What::Notice(Notice::new(Level::Error, reason)));
                Ended::Errored
            }
        }
    }

    async fn make_standing(&mut self, lane: &Lane, need: &PlannedNeed, with: Map) -> Result<Ended, String> {
        let mut clean_ups = Vec::new();
        // An actor of its own, so that the first test that needs it has no cookies that the others have not.
        let actors = Arc::new(Actors::over(lane.bed.connections()));
        let bench = Arc::new(AttemptBench::new(&lane.bed, lane.bench.quiet));
        let own = Lane { actor: actors.get(""), actors, bench: Arc::clone(&bench), ..lane.clone() };
        let (ended, made) = self.make(&own, need, with.clone(), &mut clean_ups).await;
        let Some(made) = made.filter(|_| ended.goes_on()) else {
            put_back(&bench, lane).await;
            clean_up(&clean_ups, &bench, &own).await;
            return Ok(ended);
        };
        let _ = lane.bed.until_quiet(lane.bench.quiet, Instant::now() + QUIET_WITHIN).await;
        let depth = usize::from(need.fixture.scope == Scope::File) + 1;
        if let Err(error) = lane.bed.keep_state(depth).await {
            // It will not stand, so nothing of it may.
            put_back(&bench, lane).await;
            clean_up(&clean_ups, &bench, &own).await;
            return Err(error);
        }
        let fixture = Arc::clone(&need.fixture);
        let Made { gives, signs_in } = made;
        let needed_by = Vec::new();
        self.standing.push(Standing { fixture, with, gives, signs_in, clean_ups, bench, needed_by });
        Ok(ended)
    }

    /// Sets one up for a test, or hands over one that stands; its values come under its name or the alias.
    pub(crate) async fn set_up(
        &mut self,
        lane: &Lane,
        need: &PlannedNeed,
        clean_ups: &mut Vec<CleanUp>,
    ) -> Ended {
        let with = match values(lane, need) {
            Ok(with) => with,
            Err(error) => return fail_by_eval(lane, &lane.scope, &error).ended,
        };
        let actor = need.alias.as_deref().unwrap_or("");
        let found = self.standing.iter_mut().find(|standing| standing.is(&need.fixture, &with));
        let made = if let Some(standing) = found {
            standing.needed_by.extend(lane.scope.test.clone());
            Made { gives: standing.gives.clone(), signs_in: standing.signs_in.clone() }
        } else if let Some(made) = self.of_test(&need.fixture, &with) {
            made
        } else {
            let own = lane.with_actor(need.alias.as_deref());
            let (ended, made) = Box::pin(self.make(&own, need, with.clone(), clean_ups)).await;
            match made {
                Some(made) if ended.goes_on() => {
                    self.of_test.push((Arc::clone(&need.fixture), with, made.clone()));
                    made
                }
                _ => return ended,
            }
        };
        if let Some(signs_in) = &made.signs_in {
            lane.actors.get(actor).sign_in(signs_in);
        }
        let name = need.alias.as_ref().unwrap_or(&need.fixture.name);
        lane.variables.set(name, Value::Map(made.gives));
        Ended::Well
    }

    /// Runs a fixture's own needs and steps. Its clean-up is remembered even where it came only half way.
    async fn make(
        &mut self,
        lane: &Lane,
        need: &PlannedNeed,
        with: Map,
        clean_ups: &mut Vec<CleanUp>,
    ) -> (Ended, Option<Made>) {
        let fixture = &need.fixture;
        let chance = lane.variables.chance().branch(&format!("{}{}", fixture.name, Value::Map(with.clone())));
        let folder = lane.bed.folder_of(fixture.file);
        let variables = Arc::new(Variables::new(Map::new(), chance, &lane.bed, &folder));
        let own = Lane { variables: Arc::clone(&variables), ..lane.clone() };
        for (name, template) in lane.bed.file_variables(fixture.file) {
            match template.render(&*variables) {
                Ok(value) => variables.set(name, value),
                Err(error) => return (fail_by_eval(lane, &lane.scope, &error).ended, None),
            }
        }
        variables.extend(with);
        for inner in &fixture.needs {
            let ended = Box::pin(self.set_up(&own, inner, clean_ups)).await;
            if !ended.goes_on() {
                return (ended, None);
            }
        }
        tell(lane, &fixture.name, Phase::Began, false);
        clean_ups.push(CleanUp {
            fixture: Arc::clone(fixture),
            variables: Arc::clone(&variables),
            actor: lane.actor.name().to_owned(),
        });
        let ended = run_steps(&own, &fixture.steps, &format!("needs.{}", fixture.name)).await;
        tell(lane, &fixture.name, Phase::Ended, false);
        if !ended.goes_on() {
            return (ended, None);
        }
        match outcome(fixture, &variables) {
            Ok(made) => (ended, Some(made)),
            Err(error) => (fail_by_eval(lane, &lane.scope, &error).ended, None),
        }
    }

    /// Cleans up the file's fixtures: its last test is over.
    pub(crate) async fn end_file(&mut self, lane: &Lane) {
        self.clean_up(lane, Scope::File).await;
    }

    /// Cleans up all that stand: the run is over.
    pub(crate) async fn end_run(&mut self, lane: &Lane) {
        self.clean_up(lane, Scope::File).await;
        self.clean_up(lane, Scope::Run).await;
    }

    /// Are there any that stand?
    pub(crate) fn any(&self) -> bool {
        !self.standing.is_empty()
    }

    async fn forget_files(&mut self, lane: &Lane) {
        if self.standing.iter().any(|standing| standing.fixture.scope == Scope::File) {
            self.clean_up(lane, Scope::File).await;
        }
    }

    async fn clean_up(&mut self, lane: &Lane, scope: Scope) {
        let standing = std::mem::take(&mut self.standing);
        let (mut over, still): (Vec<_>, Vec<_>) =
            standing.into_iter().partition(|one| one.fixture.scope == scope);
        self.standing = still;
        if over.is_empty() {
            return;
        }
        while let Some(mut standing) = over.pop() {
            standing.needed_by.sort();
            standing.needed_by.dedup();
            for beneath in over.iter_mut().chain(&mut self.standing).filter(|one| one.carries(&standing)) {
                beneath.needed_by.extend_from_slice(&standing.needed_by);
            }
            standing.end(lane).await;
        }
        lane.bed.forget_state(usize::from(scope == Scope::File) + 1);
    }

    /// A new test begins: nothing was made for it yet.
    pub(crate) fn begin_test(&mut self) {
        self.of_test.clear();
    }

    /// The steps of a test did not come to their end: what they would have met they say nothing about.
    pub(crate) fn cut_short(&mut self, test: Option<&TestId>) {
        for standing in &mut self.standing {
            standing.needed_by.retain(|other| Some(other) != test);
        }
    }

    /// What stubs that stand could not say up to now: it is the present test's.
    pub(crate) fn failures(&self) -> Vec<(At, Notice)> {
        self.standing.iter().flat_map(|standing| standing.bench.failures()).collect()
    }

    fn of_test(&self, fixture: &Arc<PlannedFixture>, with: &Map) -> Option<Made> {
        let made =
            self.of_test.iter().find(|(other, values, _)| Arc::ptr_eq(other, fixture) && values == with);
        made.map(|(_, _, made)| made.clone())
    }
}

/// What came out of a fixture.
#[derive(Clone)]
struct Made {
    gives: Map,
    signs_in: Option<Value>,
}

fn outcome(fixture: &PlannedFixture, variables: &Variables) -> Result<Made, EvalError> {
    let mut gives = Map::new();
    for (name, template) in &fixture.gives {
        gives.insert(name.clone(), template.render(variables)?);
    }
    let signs_in = fixture.signs_in.as_ref().map(|template| template.render(variables)).transpose()?;
    Ok(Made { gives, signs_in })
}

/// The values that a fixture is to be made with.
fn values(lane: &Lane, need: &PlannedNeed) -> Result<Map, EvalError> {
    need.with.iter().map(|(name, template)| Ok((name.clone(), template.render(&*lane.variables)?))).collect()
}

fn tell(lane: &Lane, name: &str, phase: Phase, cleanup: bool) {
    let scope = At { step: None, ..lane.scope.clone() };
    lane.bed.record(scope, What::Fixture { name: name.to_owned(), phase, cleanup });
}
