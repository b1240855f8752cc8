//! Runs one step: left out or tried, tried again while `within` lasts, judged, saved from.
//!
//! Only what the last try gave counts. All expectations of a step are judged, so that a person sees every
//! mistake at once.

use crate::plan::test::PlannedStep;
use crate::run::inside::Inside;
use crate::run::lane::Lane;
use seam_event::{Judged, Level, Notice, Outcome, Place, Scope, StageOf, What};
use seam_expr::{EvalError, Names as _, Way};
use seam_matcher::Judgement;
use seam_steps::{StepContext, Trouble, Unsaid};
use seam_value::Value;
use std::time::Duration;
use tokio::time::Instant;

/// One try's deadline where nothing else is said.
const TRY: Duration = Duration::from_secs(10);

/// The pause between two tries where nothing else is said: from this, doubling, to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long the last try of `within` may take, which begins when its time is over.
const LAST_TRY: Duration = Duration::from_millis(500);

/// How long after its deadline a step that does not mind it is cut off.
const GRACE: Duration = Duration::from_millis(500);

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ended {
    /// All held, or it was left out.
    Well,
    /// It did not hold, and the test goes on (`soft`).
    Softly,
    /// It could not be judged.
    Inconclusive,
    /// It did not hold.
    Failed,
    /// It could not be done.
    Errored,
    /// Somebody asked to stop.
    Interrupted,
}

impl Ended {
    /// Does the test go on after this?
    pub(crate) fn goes_on(self) -> bool {
        self <= Self::Softly
    }
}

/// A step's end with its result.
pub(crate) struct StepEnd {
    /// How it ended.
    pub(crate) ended: Ended,
    /// What it gave; null where it gave nothing.
    pub(crate) result: Value,
}

/// What one try gave.
struct Tried {
    result: Value,
    judged: Vec<Judged>,
    trouble: Option<Trouble>,
    /// One of `unless` held.
    known_bad: bool,
}

impl Tried {
    fn held(&self) -> bool {
        self.trouble.is_none()
            && !self.known_bad
            && self.judged.iter().all(|judged| judged.outcome == Outcome::Held)
    }
}

/// Runs steps in order until one keeps the test from going on.
pub(crate) async fn run_steps(lane: &Lane, steps: &[PlannedStep], at: &str) -> Ended {
    let mut worst = Ended::Well;
    for (index, step) in steps.iter().enumerate() {
        let at = if at.is_empty() { index.to_string() } else { format!("{at}.{index}") };
        let ended = Box::pin(run_step(lane, step, &at)).await.ended;
        worst = worst.max(ended);
        if !ended.goes_on() {
            break;
        }
    }
    worst
}

/// Runs one step of a lane.
pub(crate) async fn run_step(lane: &Lane, step: &PlannedStep, at: &str) -> StepEnd {
    let scope = Scope { step: Some(at.to_owned()), ..lane.scope.clone() };
    let tell = |stage| {
        lane.bed.record(
            scope.clone(),
            What::Step {
                name: step.title.clone(),
                action: step.action_text.clone(),
                place: step.span.into(),
                stage,
            },
        );
    };
    match left_out(lane, step) {
        Ok(None) => {}
        Ok(Some(why)) => {
            tell(StageOf::LeftOut(why));
            return save_defaults(lane, step, &scope);
        }
        Err(error) => {
            tell(StageOf::Began);
            return fail_by_eval(lane, &scope, &error);
        }
    }
    tell(StageOf::Began);
    lane.bed.enter(scope.clone());
    if !lane.judges && !lane.bed.leaves_alone(step) {
        lane.bed.unsettle();
    }
    let own = lane.with_actor(step.actor.as_deref());
    let n_before = lane.bench.n_placed();
    let put = put_under(lane, step).await;
    // What the steps of a flow put themselves stays until the test's last step has ended.
    let under = n_before..lane.bench.n_placed();
    let tried = match put {
        Ok(()) => try_until_it_holds(&own, step, at).await,
        Err(trouble) => {
            Tried { result: Value::Null, judged: Vec::new(), trouble: Some(trouble), known_bad: false }
        }
    };
    let mut end = conclude(&own, step, &scope, tried);
    if !step.under.is_empty() {
        let unproved = lane.bench.take_away(under, &scope).await;
        end.ended = unproved.tell(&lane.bed, &scope, end.ended);
    }
    tell(StageOf::Ended);
    end
}

/// Puts on the seams what stands there for this step.
async fn put_under(lane: &Lane, step: &PlannedStep) -> Result<(), Trouble> {
    for disturbance in &step.under {
        disturbance.put(&*lane.variables, lane.bench.as_ref()).await?;
    }
    Ok(())
}

/// Why the step is left out, if it is.
fn left_out(lane: &Lane, step: &PlannedStep) -> Result<Option<String>, EvalError> {
    let Some(when) = &step.when else { return Ok(None) };
    let holds = when.holds(&*lane.variables)?;
    Ok((!holds).then(|| format!("`when: {}` does not hold", when.text())))
}

/// Tries as often as `within`, `holds_for` and the last judgement of counts ask for.
async fn try_until_it_holds(lane: &Lane, step: &PlannedStep, at: &str) -> Tried {
    let pacing = &step.pacing;
    let one_try = pacing.timeout.unwrap_or(TRY);
    let Some(within) = pacing.within else {
        let tried = try_once(lane, step, at, lane.until(one_try), true).await;
        return match pacing.holds_for {
            Some(holds_for) if tried.held() => keep_trying(lane, step, at, holds_for).await,
            _ => tried,
        };
    };
    let give_up = lane.until(within);
    let mut pause = pacing.every.unwrap_or(FIRST_PAUSE);
    loop {
        // The last try begins when the time is over, and is given a moment.
        let is_last = Instant::now() >= give_up;
        let deadline = (Instant::now() + one_try).min(give_up + LAST_TRY);
        let tried = try_once(lane, step, at, deadline, false).await;
        if tried.known_bad {
            return tried;
        }
        if tried.held() {
            if let Some(holds_for) = pacing.holds_for {
                return keep_trying(lane, step, at, holds_for).await;
            }
            // What holds at one moment may be too much at the next: a count is final only when all is quiet.
            return if counts(step) {
                try_once(lane, step, at, lane.until(one_try), true).await
            } else {
                tried
            };
        }
        if is_last {
            return tried;
        }
        tokio::time::sleep_until(give_up.min(Instant::now() + pause)).await;
        if pacing.every.is_none() {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Tries again and again for so long, for as long as it holds.
async fn keep_trying(lane: &Lane, step: &PlannedStep, at: &str, holds_for: Duration) -> Tried {
    let one_try = step.pacing.timeout.unwrap_or(TRY);
    let pause = step.pacing.every.unwrap_or(FIRST_PAUSE * 5);
    let end = lane.until(holds_for);
    loop {
        let tried = try_once(lane, step, at, lane.until(one_try), false).await;
        if !tried.held() || Instant::now() >= end {
            return tried;
        }
        tokio::time::sleep_until(end.min(Instant::now() + pause)).await;
    }
}

/// Does a step count what passed or came?
fn counts(step: &PlannedStep) -> bool {
    step.expect.iter().any(|statement| statement.fields().any(|field| field == "count"))
}

async fn try_once(lane: &Lane, step: &PlannedStep, at: &str, deadline: Instant, settle: bool) -> Tried {
    let inside = Inside { lane, step, at };
    let cx = StepContext {
        names: &*lane.variables,
        actor: &lane.actor,
        bench: lane.bench.as_ref(),
        inner: &inside,
        deadline,
        settle,
    };
    let outcome = match tokio::time::timeout_at(deadline + GRACE, step.action.run(&cx)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Trouble::failed("no result within the step's time")),
    };
    let result = match outcome {
        Ok(result) => result,
        Err(trouble) => {
            return Tried {
                result: Value::Null,
                judged: Vec::new(),
                trouble: Some(trouble),
                known_bad: false,
            };
        }
    };
    let snapshots = lane.bed.snapshots(Scope { step: Some(at.to_owned()), ..lane.scope.clone() });
    let judgements: Vec<Judgement> = step
        .expect
        .iter()
        .flat_map(|statement| statement.judge(&result, &*lane.variables, &snapshots))
        .collect();
    let mut judged: Vec<Judged> =
        judgements.into_iter().map(|judgement| judgement.into_judged(true, step.soft)).collect();
    if !lane.unsaid_falls_away {
        let unsaid = unsaid(step, &result);
        if unsaid.iter().any(|judged| judged.path == "error") {
            // There was no answer: that nothing stands in it is no further failure.
            judged.retain(|judged| {
                judged.outcome == Outcome::Held
                    || judged.actual.as_ref().is_some_and(|actual| *actual != Value::Null)
            });
        }
        judged.splice(0..0, unsaid);
    }
    let known_bad =
        step.unless.iter().any(|statement| statement.holds(&result, &*lane.variables, &snapshots));
    Tried { result, judged, trouble: None, known_bad }
}

/// What was expected unsaid and did not hold, as far as no expectation names it.
fn unsaid(step: &PlannedStep, result: &Value) -> Vec<Judged> {
    let place: Place = step.action_span.into();
    step.action
        .unsaid(result)
        .into_iter()
        .filter(|unsaid| {
            !step.expect.iter().any(|statement| statement.fields().any(|field| field == unsaid.path))
        })
        .map(|Unsaid { path, message, expected, actual, details }| Judged {
            path: path.to_owned(),
            matcher: "expected unsaid".to_owned(),
            outcome: Outcome::Failed,
            written: false,
            soft: step.soft,
            expected,
            actual,
            message,
            details,
            place,
        })
        .collect()
}

/// Records what came of the last try, and saves from it.
fn conclude(lane: &Lane, step: &PlannedStep, scope: &Scope, tried: Tried) -> StepEnd {
    let mut ended = Ended::Well;
    for judged in tried.judged {
        ended = ended.max(match judged.outcome {
            Outcome::Held => Ended::Well,
            Outcome::Inconclusive => Ended::Inconclusive,
            Outcome::Failed if step.soft => Ended::Softly,
            Outcome::Failed => Ended::Failed,
        });
        lane.bed.record(scope.clone(), What::Judged(judged));
    }
    if tried.known_bad {
        let text = "what `unless` names has come".to_owned();
        ended = ended.max(tell_failure(lane, step, scope, text));
    }
    if let Some(trouble) = tried.trouble {
        ended = ended.max(tell_trouble(lane, step, scope, trouble));
    }
    if ended.goes_on() {
        if let Err(error) = save(lane, step, &tried.result) {
            ended = fail_by_eval(lane, scope, &error).ended;
        }
        if let Some(signs_in) = &step.signs_in
            && let Err(error) = lane.sign_in(signs_in)
        {
            ended = fail_by_eval(lane, scope, &error).ended;
        }
    }
    StepEnd { ended, result: tried.result }
}

fn save(lane: &Lane, step: &PlannedStep, result: &Value) -> Result<(), EvalError> {
    for (name, capture) in &step.save {
        let value = capture.take(result, &*lane.variables)?;
        lane.variables.set(name, value);
    }
    Ok(())
}

/// What a step that was left out would have saved has the value that it says for that.
fn save_defaults(lane: &Lane, step: &PlannedStep, scope: &Scope) -> StepEnd {
    for (name, capture) in &step.save {
        match capture.otherwise(&*lane.variables) {
            Some(Ok(value)) => lane.variables.set(name, value),
            Some(Err(error)) => return fail_by_eval(lane, scope, &error),
            None => {}
        }
    }
    StepEnd { ended: Ended::Well, result: Value::Null }
}

fn tell_failure(lane: &Lane, step: &PlannedStep, scope: &Scope, text: String) -> Ended {
    let notice = Notice { place: Some(step.action_span.into()), ..Notice::new(Level::Failure, text) };
    lane.bed.record(scope.clone(), What::Notice(notice));
    if step.soft { Ended::Softly } else { Ended::Failed }
}

fn tell_trouble(lane: &Lane, step: &PlannedStep, scope: &Scope, trouble: Trouble) -> Ended {
    let mut how = None;
    let (level, reason, span, ended) = match trouble {
        Trouble::Failed { reason, span } if step.soft => (Level::Failure, reason, span, Ended::Softly),
        Trouble::Failed { reason, span } => (Level::Failure, reason, span, Ended::Failed),
        Trouble::Errored { reason, span } => (Level::Error, reason, span, Ended::Errored),
        Trouble::Inconclusive { reason, hint } => {
            how = hint;
            (Level::Inconclusive, reason, None, Ended::Inconclusive)
        }
    };
    let place = Some(span.unwrap_or(step.action_span).into());
    lane.bed.record(scope.clone(), What::Notice(Notice { place, hint: how, ..Notice::new(level, reason) }));
    ended
}

/// A template that can't be worked out is a failure of the system under test as often as of the test: a path that
/// is not there in an answer. It points at its own place.
pub(crate) fn fail_by_eval(lane: &Lane, scope: &Scope, error: &EvalError) -> StepEnd {
    let notice = Notice {
        place: Some(error.span.into()),
        hint: error.hint.clone(),
        ..Notice::new(Level::Failure, error.message.clone())
    };
    lane.bed.record(scope.clone(), What::Notice(notice));
    StepEnd { ended: Ended::Failed, result: Value::Null }
}

/// Tries a step once and says why it does not hold; nothing of it is recorded.
pub(crate) async fn try_silently(lane: &Lane, step: &PlannedStep, deadline: Instant) -> Option<String> {
    let tried = try_once(lane, step, "", deadline, false).await;
    if tried.held() {
        return None;
    }
    let judged = tried.judged.into_iter().find(|judged| judged.outcome != Outcome::Held);
    Some(match (tried.trouble, judged) {
        (Some(trouble), _) => reason(trouble),
        (None, Some(judged)) => format!("{}: {}", judged.path, judged.message),
        (None, None) => "it does not hold".to_owned(),
    })
}

/// Runs a step that runs whatever happened; one that needs what was never saved is left out and says so.
pub(crate) async fn run_step_if_known(lane: &Lane, step: &PlannedStep, at: &str) -> Ended {
    let missing = step.uses.iter().find(|used| {
        used.way == Way::Dollar && used.name != "secrets" && lane.variables.get(&used.name).is_none()
    });
    let Some(missing) = missing else { return Box::pin(run_step(lane, step, at)).await.ended };
    let scope = Scope { step: Some(at.to_owned()), ..lane.scope.clone() };
    lane.bed.record(
        scope,
        What::Step {
            name: step.title.clone(),
            action: step.action_text.clone(),
            place: step.span.into(),
            stage: StageOf::LeftOut(format!("`{}` was never saved", missing.name)),
        },
    );
    Ended::Well
}

/// Why a step has no result, in one line.
pub(crate) fn reason(trouble: Trouble) -> String {
    let (Trouble::Failed { reason, .. }
    | Trouble::Errored { reason, .. }
    | Trouble::Inconclusive { reason, .. }) = trouble;
    reason
}
