//! What passed the seams during a test, in order and with times, and what the components said at the moments
//! that matter.

use crate::clean::{cut, line};
use crate::exchange::{answered, asked};
use crate::paint::Paint;
use crate::time::human;
use seam_diag::Look;
use seam_event::{Event, Interaction, StageOf, What};
use seam_judge::{Attempt, is_within};
use std::fmt::Write as _;
use std::time::Duration;

/// More interactions or lines than these bury what they are shown for.
const MOST_SHOWN: usize = 40;
const MOST_LINES: usize = 20;
/// A line reaches us through a pipe, often after the answer that it is about.
const LOG_LAG: Duration = Duration::from_millis(50);

/// What passed, the latest before the last finding if there is too much of it.
pub(super) fn passed(events: &[&Event], attempt: &Attempt, look: Look) -> String {
    let last = attempt.findings.iter().map(|finding| finding.seq).max().unwrap_or(u64::MAX);
    let mut all: Vec<&Interaction> = events
        .iter()
        .filter(|event| event.seq <= last)
        .filter_map(|event| match &event.what {
            What::Interaction(passed) => Some(passed),
            _ => None,
        })
        .collect();
    let hidden = all.len().saturating_sub(MOST_SHOWN);
    let mut shown = all.split_off(hidden);
    if shown.is_empty() {
        return String::new();
    }
    shown.sort_by_key(|passed| (passed.at, passed.id));
    let rows: Vec<[String; 4]> = shown.iter().map(|passed| row(passed, &shown, attempt)).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (when, seam, took) = (widest(0), widest(1), widest(3));
    let paint = Paint::new(look);
    let mut out = String::from("  what passed\n");
    if hidden > 0 {
        let _ = writeln!(out, "    … {hidden} before these");
    }
    for [at, on, what, lasted] in &rows {
        let room = look.width.saturating_sub(when + seam + took + 10).max(24);
        let text = format!("    {at:>when$}  {on:<seam$}  {lasted:>took$}  {}", cut(what, room));
        out.push_str(&paint.dim(text.trim_end()));
        out.push('\n');
    }
    out
}

/// When, on which seam (indented as the calls are nested), what, and how long.
fn row(passed: &Interaction, shown: &[&Interaction], attempt: &Attempt) -> [String; 4] {
    let depth = depth(passed, shown);
    let at = passed.at.saturating_sub(attempt.window.from);
    let what = format!("{}  {}", asked(passed), answered(passed));
    let seam = format!("{}{}", "  ".repeat(depth), line(&passed.seam.to_string()));
    [format!("+{}", human(at)), seam, what, passed.elapsed.map(human).unwrap_or_default()]
}

/// How many calls it is nested in.
fn depth(passed: &Interaction, shown: &[&Interaction]) -> usize {
    let outer = shown.iter().rev().find(|outer| is_within(passed, outer));
    outer.map_or(0, |outer| 1 + depth(outer, shown))
}

/// What the components said while the steps ran that did not come out well.
pub(super) fn said(events: &[&Event], attempt: &Attempt, look: Look) -> String {
    let moments: Vec<(Duration, Duration)> = attempt
        .findings
        .iter()
        .filter_map(|finding| {
            let to = events.iter().find(|event| event.seq == finding.seq)?.at;
            let path = finding.step.as_ref().map(|step| step.path.as_str());
            let began = events.iter().rev().find(|event| {
                let is_beginning = matches!(&event.what, What::Step { stage: StageOf::Began, .. });
                is_beginning
                    && event.seq < finding.seq
                    && path.is_some()
                    && event.scope.step.as_deref() == path
            });
            Some((began.map_or(attempt.window.from, |event| event.at), to + LOG_LAG))
        })
        .collect();
    let lines: Vec<String> = events
        .iter()
        .filter(|event| moments.iter().any(|(from, to)| (from..=to).contains(&&event.at)))
        .filter_map(|event| match &event.what {
            What::Line { component, number, text, .. } => Some(log_line(component.as_str(), *number, text)),
            _ => None,
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let paint = Paint::new(look);
    let mut out = String::from("  what was said at that moment\n");
    let hidden = lines.len().saturating_sub(MOST_LINES);
    if hidden > 0 {
        let _ = writeln!(out, "    … {hidden} lines before these");
    }
    for text in &lines[hidden..] {
        out.push_str(&paint.dim(&format!("    {}", cut(text, look.width.saturating_sub(4).max(40)))));
        out.push('\n');
    }
    out
}

/// `checkout.log:118  panicked at …`
pub(super) fn log_line(component: &str, number: u64, text: &str) -> String {
    format!("{}.log:{number}  {}", line(component), line(text))
}
