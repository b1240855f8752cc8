//! One try of one test, from a clean state to a clean state.
//!
//! ```text
//! wider fixtures ─▶ state restored, resets ─▶ fixtures ─▶ steps ─▶ finally ─▶ components as before
//!   ─▶ quiet and settled ─▶ invariants ─▶ clean-up in reverse order ─▶ what was found dead fails the test
//! ```

use crate::plan::test::{PlannedTest, TestBody};
use crate::run::bench::{ALL, AttemptBench};
use crate::run::fixtures::{CleanUp, Fixtures};
use crate::run::lane::{Actors, Lane};
use crate::run::settle::{SETTLE_WITHIN, judge_invariants};
use crate::run::step::{Ended, fail_by_eval, reason, run_steps};
use crate::run::variables::Variables;
use crate::testbed::Testbed;
use seam_diag::Diagnostic;
use seam_event::{Level, Notice, Phase, Scope, What};
use seam_expr::{Chance, Names as _};
use seam_value::{Map, Value};
use std::sync::Arc;
use tokio::time::Instant;

/// How long a test's `finally` and clean-up may take, whatever the test itself has used.
const AFTERWARDS: std::time::Duration = std::time::Duration::from_secs(30);

/// Runs one test once. What came of it stands in the History; the answer only says whether to go on.
pub(crate) async fn attempt(
    bed: &Arc<Testbed>,
    test: &PlannedTest,
    number: u32,
    fixtures: &mut Fixtures,
) -> Ended {
    let scope = Scope { test: Some(test.id().clone()), attempt: Some(number), step: None };
    bed.enter(scope.clone());
    bed.record(scope.clone(), What::Test { phase: Phase::Began });
    let ended = match &test.body.not_there_yet {
        Some(what) => {
            let text = format!("needs {what}, which this version can't run yet");
            tell(bed, &scope, Level::Inconclusive, text, test.body.span);
            Ended::Inconclusive
        }
        None => run_allowed(bed, test, &scope, fixtures).await,
    };
    bed.tell_open_calls().await;
    bed.drain().await;
    bed.record(scope, What::Test { phase: Phase::Ended });
    bed.enter(Scope::default());
    ended
}

/// Runs it while what it allows to be asked is asked.
async fn run_allowed(
    bed: &Arc<Testbed>,
    test: &PlannedTest,
    scope: &Scope,
    fixtures: &mut Fixtures,
) -> Ended {
    let allowed = &test.body.live;
    let ended = match bed.allow(allowed).await {
        Ok(()) => run(bed, test, scope, fixtures).await,
        Err(diagnostic) => cannot_ask(bed, scope, &diagnostic),
    };
    match bed.forbid(allowed).await {
        Ok(()) => ended,
        Err(diagnostic) => ended.max(cannot_ask(bed, scope, &diagnostic)),
    }
}

fn cannot_ask(bed: &Testbed, scope: &Scope, diagnostic: &Diagnostic) -> Ended {
    bed.record(scope.clone(), What::Notice(Notice::from(diagnostic)));
    Ended::Errored
}

async fn run(bed: &Arc<Testbed>, test: &PlannedTest, scope: &Scope, fixtures: &mut Fixtures) -> Ended {
    let body = &test.body;
    let lane = lane(bed, test, scope);
    fixtures.begin_test();
    let mut ended = raise_the_dead(&lane, body).await;
    if ended.goes_on() {
        ended = prepare(&lane, test, fixtures).await;
    }
    let mut clean_ups = Vec::new();
    if ended.goes_on() {
        ended = set_up(&lane, body, fixtures, &mut clean_ups).await;
    }
    if ended.goes_on()
        && let Err(error) = own_variables(&lane, test)
    {
        ended = fail_by_eval(&lane, &lane.scope, &error).ended;
    }
    if ended.goes_on() {
        // The steps see what passes from here on, not what their fixtures did.
        bed.drain().await;
        bed.journal().begin(scope.clone(), bed.now());
        // Whoever interrupts a test does not keep it from cleaning up after itself.
        ended = ended.max(tokio::select! {
            ended = disturbed(&lane, body) => ended,
            () = bed.interrupted() => {
                let text = "somebody asked to stop before it had come to its end".to_owned();
                tell(bed, scope, Level::Inconclusive, text, body.span);
                Ended::Interrupted
            }
        });
    }
    let mut unproved = lane.bench.take_away(ALL, scope).await;
    if !ended.goes_on() {
        // The steps that would have come to it did not run.
        unproved.unreached.clear();
        fixtures.cut_short(scope.test.as_ref());
    }
    bed.drain().await;
    unproved.failed.extend(fixtures.failures());
    ended = unproved.tell(bed, scope, ended);
    let afterwards = Lane { deadline: Instant::now() + AFTERWARDS, ..lane.clone() };
    ended.max(finish(&afterwards, body, clean_ups).await)
}

/// Puts on the seams what stands there for the whole test, and runs the steps.
async fn disturbed(lane: &Lane, body: &TestBody) -> Ended {
    for disturbance in &body.under {
        if let Err(trouble) = disturbance.put(&*lane.variables, lane.bench.as_ref()).await {
            tell(&lane.bed, &lane.scope, Level::Error, reason(trouble), body.span);
            return Ended::Errored;
        }
    }
    run_steps(lane, &body.steps, "").await
}

/// The lane of a test, with the variables of its file and its case.
fn lane(bed: &Arc<Testbed>, test: &PlannedTest, scope: &Scope) -> Lane {
    let plan = bed.plan();
    let file = &plan.files[test.file];
    let chance = Chance::new(plan.seed, test.id().as_str());
    let actors = Arc::new(Actors::over(bed.connections()));
    Lane {
        bed: Arc::clone(bed),
        bench: Arc::new(AttemptBench::new(bed, test.body.quiet)),
        scope: scope.clone(),
        // Stubs that were made of a recording ask which test it is.
        variables: Arc::new(Variables::new(
            Map::from_iter([("test".to_owned(), Value::text(test.id().as_str()))]),
            chance,
            bed,
            &file.folder,
        )),
        actor: actors.get(""),
        actors,
        flows: Arc::clone(&file.flows),
        deadline: Instant::now() + test.body.timeout,
        judges: false,
        unsaid_falls_away: false,
    }
}

/// What died between two tests failed neither of them, but the run; this test finds it alive again.
async fn raise_the_dead(lane: &Lane, body: &TestBody) -> Ended {
    match lane.bed.mend().await {
        Ok(dead) => {
            for (component, how) in dead {
                let text = format!("`{component}` died when no test was running: {how}");
                lane.bed.record(Scope::default(), What::Notice(Notice::new(Level::Failure, text)));
            }
            Ended::Well
        }
        Err(trouble) => {
            tell(&lane.bed, &lane.scope, Level::Error, reason(trouble), body.span);
            Ended::Errored
        }
    }
}

/// Sets up wider fixtures, restores the state, and lets components forget.
async fn prepare(lane: &Lane, test: &PlannedTest, fixtures: &mut Fixtures) -> Ended {
    let bed = &lane.bed;
    if let Err(error) = file_variables(lane, test) {
        return fail_by_eval(lane, &lane.scope, &error).ended;
    }
    let ended = fixtures.set_up_wider(lane, &test.body.needs).await;
    if !ended.goes_on() {
        return ended;
    }
    if let Err(reason) = clean_state(bed, lane).await {
        tell(bed, &lane.scope, Level::Error, reason, test.body.span);
        return Ended::Errored;
    }
    Ended::Well
}

/// The file's variables and the case: from the outside in.
fn file_variables(lane: &Lane, test: &PlannedTest) -> Result<(), seam_expr::EvalError> {
    for (name, template) in lane.bed.file_variables(test.file) {
        lane.variables.set(name, template.render(&*lane.variables)?);
    }
    for (name, template) in &test.case {
        // What comes from a fixture is not there yet; it follows when the fixtures stand.
        if let Ok(value) = template.render(&*lane.variables) {
            lane.variables.set(name, value);
        }
    }
    Ok(())
}

/// The test's own variables, and what of its case comes from fixtures, which stand now.
fn own_variables(lane: &Lane, test: &PlannedTest) -> Result<(), seam_expr::EvalError> {
    for (name, template) in &test.case {
        if lane.variables.get(name).is_none() {
            lane.variables.set(name, template.render(&*lane.variables)?);
        }
    }
    for (name, template) in &test.body.vars {
        lane.variables.set(name, template.render(&*lane.variables)?);
    }
    Ok(())
}

/// Makes the state what it was when it was kept, once nothing is under way any more.
pub(crate) async fn clean_state(bed: &Arc<Testbed>, lane: &Lane) -> Result<(), String> {
    if bed.needs_quiet_before_restoring() && !bed.is_settled(lane.bench.quiet) {
        // A component that never rests is told where somebody counts; restoring goes on.
        let _ = bed.until_quiet(lane.bench.quiet, Instant::now() + SETTLE_WITHIN / 5).await;
    }
    bed.restore_state().await?;
    bed.reset_stand_ins(&lane.scope);
    bed.reset_components().await
}

async fn set_up(
    lane: &Lane,
    body: &TestBody,
    fixtures: &mut Fixtures,
    clean_ups: &mut Vec<CleanUp>,
) -> Ended {
    let mut worst = Ended::Well;
    for need in &body.needs {
        worst = worst.max(fixtures.set_up(lane, need, clean_ups).await);
        if !worst.goes_on() {
            break;
        }
    }
    worst
}

/// What happens after the steps, whatever came of them.
async fn finish(lane: &Lane, body: &TestBody, clean_ups: Vec<CleanUp>) -> Ended {
    let mut ended = Ended::Well;
    for (index, step) in body.finally.iter().enumerate() {
        // Each by itself: what one of them could not do does not keep the others from being done.
        let end = crate::run::step::run_step_if_known(lane, step, &format!("finally.{index}")).await;
        ended = ended.max(end);
    }
    // What was put on seams here ends here: the next test knows nothing of it.
    ended = put_back(lane, ended).await;
    lane.bed.drain().await;
    lane.bed.tell_unanswered(&lane.scope);
    if lane.bed.tell_failures() {
        ended = ended.max(Ended::Inconclusive);
    }
    lane.bed.await_deaths().await;
    let dead = match lane.bed.mend().await {
        Ok(dead) => dead,
        Err(trouble) => {
            tell(&lane.bed, &lane.scope, Level::Error, reason(trouble), body.span);
            ended = Ended::Errored;
            Vec::new()
        }
    };
    ended = ended.max(judge_invariants(lane, &body.without, lane.bench.quiet).await);
    for clean_up in clean_ups.into_iter().rev() {
        ended = ended.max(clean_up.run(lane).await);
    }
    ended = put_back(lane, ended).await;
    for (component, how) in dead {
        tell(
            &lane.bed,
            &lane.scope,
            Level::Failure,
            format!("`{component}` was found dead: {how}"),
            body.span,
        );
        ended = ended.max(Ended::Failed);
    }
    ended
}

/// Takes away what cleaning up has put on seams. What of it was never reached takes nothing from what the steps have shown.
async fn put_back(lane: &Lane, ended: Ended) -> Ended {
    let mut unproved = lane.bench.take_away(ALL, &lane.scope).await;
    unproved.unreached.clear();
    unproved.tell(&lane.bed, &lane.scope, ended)
}

fn tell(bed: &Testbed, scope: &Scope, level: Level, text: String, span: seam_diag::Span) {
    let notice = Notice { place: Some(span.into()), ..Notice::new(level, text) };
    bed.record(scope.clone(), What::Notice(notice));
}
