//! What a run does at this moment, in a few lines that fit the terminal.

use super::{Progress, Running, Stage};
use crate::clean::{columns, cut};
use crate::paint::Paint;
use crate::time::ticking;
use seam_diag::Look;
use seam_event::{ComponentState, Part, Scope};
use std::time::Duration;

/// More tests that run side by side are counted only.
const MOST_TESTS: usize = 6;
/// A step that takes longer than this has its own time beside it: it may be the one that hangs.
const LONG_STEP: Duration = Duration::from_secs(1);

/// The stage with its count, and each test that runs; empty once all is over.
pub(super) fn lines(progress: &Progress, now: Duration, look: Look) -> Vec<String> {
    let took = ticking(now.saturating_sub(progress.since));
    let head = match progress.stage {
        Stage::Prepare => of("preparing", &took, &progress.said),
        Stage::Start => start(progress, &took),
        Stage::Tests => tests(progress, &took),
        Stage::Stop => {
            let (stopped, of_all) = (count(progress, is_down), progress.components.len());
            of("stopping", &took, &format!("{stopped} of {of_all} stopped"))
        }
        Stage::Over => return Vec::new(),
    };
    let shown = progress.running.iter().take(MOST_TESTS).map(|running| test(progress, running, now));
    let more = progress.running.len().saturating_sub(MOST_TESTS);
    let more = (more > 0).then(|| format!("  and {more} more"));
    let paint = Paint::new(look);
    std::iter::once(head).chain(shown).chain(more).map(|line| paint.dim(&cut(&line, look.width))).collect()
}

fn of(stage: &str, took: &str, what: &str) -> String {
    if what.is_empty() { format!("{stage}  {took}") } else { format!("{stage}  {took}  {what}") }
}

fn start(progress: &Progress, took: &str) -> String {
    let up = |state| matches!(state, ComponentState::Ready | ComponentState::Stopped);
    let (ready, all) = (count(progress, up), progress.components.len());
    let awaited = progress.components.iter().filter(|(_, state)| *state == ComponentState::Starting);
    let awaited: Vec<&str> = awaited.map(|(component, _)| component.as_str()).collect();
    let mut what = format!("{ready} of {all} ready");
    if !awaited.is_empty() {
        what = format!("{what}, waiting for {}", awaited.join(", "));
    } else if !progress.said.is_empty() {
        what = format!("{what}, {}", progress.said);
    }
    // Without tests (`seam up`) nothing comes after this stage.
    let is_up = progress.to_run == 0 && awaited.is_empty() && all > 0 && ready == all;
    of(if is_up { "up" } else { "starting" }, took, &what)
}

fn tests(progress: &Progress, took: &str) -> String {
    let mut what = format!("{} of {} tests", progress.ended.len(), progress.to_run);
    if !progress.bad.is_empty() {
        what = format!("{what}, {} did not pass", progress.bad.len());
    }
    of("testing", took, &what)
}

/// `  checkout  A declined card leaves nothing behind  2.1 s  Nothing is stored`
fn test(progress: &Progress, running: &Running, now: Duration) -> String {
    let id = running.test.as_str();
    let (suite, name) = match progress.plan.get(&running.test) {
        Some((suite, name)) => (suite.as_str(), name.as_str()),
        None => id.split_once("::").unwrap_or(("", id)),
    };
    let mut text = format!("  {suite}  {name}");
    if running.attempt > 1 {
        text = format!("{text} (attempt {})", running.attempt);
    }
    text = format!("{text}  {}", ticking(now.saturating_sub(running.since)));
    if let Some((path, step, since)) = running.steps.last() {
        let took = now.saturating_sub(*since);
        let part = part(path);
        let took = if took >= LONG_STEP { format!("  {}", ticking(took)) } else { String::new() };
        // The time of a step that hangs is what one looks for: the name gives way to it.
        let room = 60_usize.saturating_sub(columns(&took));
        text = format!("{text}  {part}{}{took}", cut(step, room));
    }
    text
}

/// In which part of the test it is, where that is not its own steps.
fn part(path: &str) -> String {
    let scope = Scope { step: Some(path.to_owned()), ..Scope::default() };
    match scope.part() {
        None | Some(Part::Steps) => String::new(),
        Some(Part::Finally) => "finally: ".to_owned(),
        Some(Part::Needs(fixture)) => format!("fixture {fixture}: "),
        Some(Part::Cleanup(fixture)) => format!("clean-up of {fixture}: "),
        Some(Part::Settled) => "settling: ".to_owned(),
        Some(Part::Invariant(_)) => "invariant: ".to_owned(),
    }
}

fn count(progress: &Progress, is: fn(ComponentState) -> bool) -> usize {
    progress.components.iter().filter(|(_, state)| is(*state)).count()
}

fn is_down(state: ComponentState) -> bool {
    matches!(state, ComponentState::Stopped | ComponentState::Died | ComponentState::Unready)
}
