//! Sets fixtures up and cleans them up: those of a test for that test, wider ones once, with the state kept on top.

use crate::plan::test::{PlannedFixture, PlannedNeed};
use crate::run::attempt::clean_state;
use crate::run::bench::{ALL, AttemptBench};
use crate::run::lane::{Actors, Lane};
use crate::run::step::{Ended, fail_by_eval, run_steps};
use crate::run::variables::Variables;
use seam_event::{Level, Notice, Phase, Scope as At, TestId, What};
use seam_expr::{EvalError, Names as _, Template};
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
    of_test: Vec<(Key, Made)>,
}

/// One fixture, made with these values.
#[derive(Clone)]
struct Key {
    fixture: Arc<PlannedFixture>,
    with: Map,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fixture, &other.fixture) && self.with == other.with
    }
}

/// A fixture that was set up for more than one test.
struct Standing {
    key: Key,
    made: Made,
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
            notice.text.extend([" in any test that needs `", &self.key.fixture.name, "`"]);
            let tests = self.needed_by.iter().map(|test| ("needed by".to_owned(), name(test).to_owned()));
            notice.notes.extend(tests);
        }
        // Those tests have been told already, and which of them should have met it nobody knows: it is the run's.
        unproved.tell(&lane.bed, &At::default(), Ended::Well);
        clean_up(&self.clean_ups, &self.bench, lane).await;
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
        let key = match key(lane, need) {
            Ok(key) => key,
            Err(ended) => return ended,
        };
        if self.standing.iter().any(|standing| standing.key == key) {
            return Ended::Well;
        }
        // It is made on top of the state of those as wide as it is, not of what a test has left.
        if wanted == Scope::Run {
            self.forget_files(lane).await;
        }
        let kept = match clean_state(&lane.bed, lane).await {
            Ok(()) => self.make_standing(lane, key).await,
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

    async fn make_standing(&mut self, lane: &Lane, key: Key) -> Result<Ended, String> {
        let mut clean_ups = Vec::new();
        // An actor of its own, so that the first test that needs it has no cookies that the others have not.
        let actors = Arc::new(Actors::over(lane.bed.connections()));
        let bench = Arc::new(AttemptBench::new(&lane.bed, lane.bench.quiet));
        let own = Lane { actor: actors.get(""), actors, bench: Arc::clone(&bench), ..lane.clone() };
        let (ended, made) = self.make(&own, &key, &mut clean_ups).await;
        let Some(made) = made.filter(|_| ended.goes_on()) else {
            put_back(&bench, lane).await;
            clean_up(&clean_ups, &bench, &own).await;
            return Ok(ended);
        };
        let _ = lane.bed.until_quiet(lane.bench.quiet, Instant::now() + QUIET_WITHIN).await;
        let depth = usize::from(key.fixture.scope == Scope::File) + 1;
        if let Err(error) = lane.bed.keep_state(depth).await {
            // It will not stand, so nothing of it may.
            put_back(&bench, lane).await;
            clean_up(&clean_ups, &bench, &own).await;
            return Err(error);
        }
        self.standing.push(Standing { key, made, clean_ups, bench, needed_by: Vec::new() });
        Ok(ended)
    }

    /// Sets one up for a test, or hands over one that stands; its values come under its name or the alias.
    pub(crate) async fn set_up(
        &mut self,
        lane: &Lane,
        need: &PlannedNeed,
        clean_ups: &mut Vec<CleanUp>,
    ) -> Ended {
        self.provide(lane, need, clean_ups).await.err().unwrap_or(Ended::Well)
    }

    /// The same; gives the wider ones on which it rests.
    async fn provide(
        &mut self,
        lane: &Lane,
        need: &PlannedNeed,
        clean_ups: &mut Vec<CleanUp>,
    ) -> Result<Vec<Key>, Ended> {
        let key = key(lane, need)?;
        let actor = need.alias.as_deref().unwrap_or("");
        let found = self.standing.iter_mut().find(|standing| standing.key == key);
        let made = if let Some(standing) = found {
            standing.needed_by.extend(lane.scope.test.clone());
            Made { rests_on: vec![key], ..standing.made.clone() }
        } else if let Some((_, made)) = self.of_test.iter().find(|(other, _)| *other == key) {
            made.clone()
        } else {
            let own = lane.with_actor(need.alias.as_deref());
            let (ended, made) = Box::pin(self.make(&own, &key, clean_ups)).await;
            let made = made.filter(|_| ended.goes_on()).ok_or(ended)?;
            self.of_test.push((key, made.clone()));
            made
        };
        if let Some(signs_in) = &made.signs_in {
            lane.actors.get(actor).sign_in(signs_in);
        }
        let name = need.alias.as_ref().unwrap_or(&need.fixture.name);
        lane.variables.set(name, Value::Map(made.gives));
        Ok(made.rests_on)
    }

    /// Runs a fixture's own needs and steps. Its clean-up is remembered even where it came only half way.
    async fn make(
        &mut self,
        lane: &Lane,
        Key { fixture, with }: &Key,
        clean_ups: &mut Vec<CleanUp>,
    ) -> (Ended, Option<Made>) {
        let chance = lane.variables.chance().branch(&format!("{}{}", fixture.name, Value::Map(with.clone())));
        let folder = lane.bed.folder_of(fixture.file);
        let variables = Arc::new(Variables::new(Map::default(), chance, &lane.bed, &folder));
        let own = Lane { variables: Arc::clone(&variables), ..lane.clone() };
        for (name, template) in lane.bed.file_variables(fixture.file) {
            match template.render(&*variables) {
                Ok(value) => variables.set(name, value),
                Err(error) => return (fail_by_eval(lane, &lane.scope, &error).ended, None),
            }
        }
        variables.extend(with.clone());
        let mut rests_on = Vec::new();
        for inner in &fixture.needs {
            match Box::pin(self.provide(&own, inner, clean_ups)).await {
                Ok(wider) => rests_on.extend(wider),
                Err(ended) => return (ended, None),
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
            Ok((gives, signs_in)) => (ended, Some(Made { gives, signs_in, rests_on })),
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
        if self.standing.iter().any(|standing| standing.key.fixture.scope == Scope::File) {
            self.clean_up(lane, Scope::File).await;
        }
    }

    async fn clean_up(&mut self, lane: &Lane, scope: Scope) {
        let standing = std::mem::take(&mut self.standing);
        let (mut over, still): (Vec<_>, Vec<_>) =
            standing.into_iter().partition(|one| one.key.fixture.scope == scope);
        self.standing = still;
        if over.is_empty() {
            return;
        }
        while let Some(mut standing) = over.pop() {
            standing.needed_by.sort();
            standing.needed_by.dedup();
            let beneath = over.iter_mut().chain(&mut self.standing);
            for beneath in beneath.filter(|one| standing.made.rests_on.contains(&one.key)) {
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
}

/// What came out of a fixture.
#[derive(Clone)]
struct Made {
    gives: Map,
    /// What its actor sends from then on.
    signs_in: Option<Value>,
    /// The wider ones that it needed, by itself or through narrower ones.
    rests_on: Vec<Key>,
}

/// What a fixture gives, and what its actor sends from then on.
fn outcome(fixture: &PlannedFixture, variables: &Variables) -> Result<(Map, Option<Value>), EvalError> {
    let mut gives = Map::default();
    for (name, template) in &fixture.gives {
        gives.insert(name.clone(), template.render(variables)?);
    }
    let signs_in = fixture.signs_in.as_ref().map(|template| template.render(variables)).transpose()?;
    Ok((gives, signs_in))
}

/// The fixture that is needed, with the values that it is to be made with.
fn key(lane: &Lane, need: &PlannedNeed) -> Result<Key, Ended> {
    let value =
        |(name, template): &(String, Template)| Ok((name.clone(), template.render(&*lane.variables)?));
    let with: Result<Map, EvalError> = need.with.iter().map(value).collect();
    match with {
        Ok(with) => Ok(Key { fixture: Arc::clone(&need.fixture), with }),
        Err(error) => Err(fail_by_eval(lane, &lane.scope, &error).ended),
    }
}

fn tell(lane: &Lane, name: &str, phase: Phase, cleanup: bool) {
    let scope = At { step: None, ..lane.scope.clone() };
    lane.bed.record(scope, What::Fixture { name: name.to_owned(), phase, cleanup });
}
