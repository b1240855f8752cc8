//! Waits until a test is quiet and what `settled` says holds, and judges the invariants then.

use crate::plan::test::PlannedStep;
use crate::run::lane::Lane;
use crate::run::step::{Ended, reason, run_steps};
use crate::testbed::Testbed;
use seam_event::{Level, Notice, Scope, What};
use seam_steps::Trouble;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a test may take to become quiet and settled after its last step, where the system does not say how long
/// a step may take.
pub(crate) const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// The pause before `settled` is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// Comes back when no call is open, nothing has passed for `quiet`, and all steps of `settled` hold.
pub(crate) async fn until_settled(
    bed: &Arc<Testbed>,
    quiet: Duration,
    deadline: Instant,
) -> Result<(), Trouble> {
    if bed.is_settled(quiet) {
        return Ok(());
    }
    let mut unsettled = None;
    loop {
        let n_inside = bed.n_inside();
        if let Err(not_quiet) = bed.until_quiet(quiet, deadline).await {
            return Err(match unsettled {
                // It was quiet before; what did not hold then is what keeps it.
                Some(what) => Trouble::inconclusive(format!("the system never settled: {what}")),
                None => Trouble::Inconclusive {
                    reason: format!("the test never became quiet: {not_quiet}"),
                    hint: not_quiet.hint().map(str::to_owned),
                },
            });
        }
        match bed.unsettled(deadline).await {
            None => {
                bed.settle(n_inside, quiet);
                return Ok(());
            }
            Some(what) if Instant::now() + PAUSE >= deadline => {
                return Err(Trouble::inconclusive(format!("the system never settled: {what}")));
            }
            Some(what) => {
                unsettled = Some(what);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits for quiet and judges all invariants that the test is not excused from.
pub(crate) async fn judge_invariants(lane: &Lane, without: &[String], quiet: Duration) -> Ended {
    let plan = Arc::clone(lane.bed.plan());
    if plan.invariants.is_empty() {
        return Ended::Well;
    }
    let within = lane.bed.system().step_within.unwrap_or(SETTLE_WITHIN);
    let deadline = Instant::now() + within;
    if let Err(trouble) = until_settled(&lane.bed, quiet, deadline).await {
        let reason = reason(trouble);
        let notice = Notice {
            hint: Some("`quiet` and `settled` in seam.yaml say when a test is over".to_owned()),
            ..Notice::new(Level::Inconclusive, format!("invariants were not judged: {reason}"))
        };
        lane.bed.record(lane.scope.clone(), What::Notice(notice));
        return Ended::Inconclusive;
    }
    let mut ended = Ended::Well;
    for invariant in plan.invariants.iter().filter(|invariant| !without.contains(&invariant.name)) {
        let own = lane.judging(Instant::now() + within);
        ended = ended.max(run_steps(&own, &invariant.steps, &format!("invariant.{}", invariant.name)).await);
    }
    ended
}

impl Testbed {
    /// What of `settled` does not hold, if anything. Judged silently: it is asked again and again.
    pub(crate) async fn unsettled(self: &Arc<Self>, deadline: Instant) -> Option<String> {
        let plan = Arc::clone(self.plan());
        for step in &plan.settled {
            if let Err(what) = holds(self, step, deadline).await {
                return Some(format!("`{}`: {what}", step.title));
            }
        }
        None
    }
}

/// Does a step hold, without any trace in the History?
async fn holds(bed: &Arc<Testbed>, step: &PlannedStep, deadline: Instant) -> Result<(), String> {
    let lane = Lane::bare(bed, Scope::default(), deadline).judging(deadline);
    let tried = crate::run::step::try_silently(&lane, step, deadline).await;
    match tried {
        None => Ok(()),
        Some(why) => Err(why),
    }
}
