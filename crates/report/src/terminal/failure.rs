//! One test that did not pass, at length: the user's lines, what passed, what was said, whose fault it seems.

use super::{Page, cause, moments};
use crate::clean::{block as several_lines, cut, line};
use crate::exchange;
use crate::paint::Paint;
use seam_diag::{Diagnostic, render};
use seam_event::{Event, Interaction, Part, Scope, What};
use seam_judge::{Attempt, Finding, Found, StepReference, TestVerdict};
use std::fmt::Write as _;

/// More findings of one test than these are counted only.
const MOST_FINDINGS: usize = 10;
/// How much of a value is shown in one line.
const LONGEST_VALUE: usize = 120;

/// What stands beneath the line of a test that did not pass.
pub(super) fn block(events: &[&Event], test: &TestVerdict, attempt: &Attempt, page: &Page<'_>) -> String {
    let mut out = String::from("\n");
    if let Some(reason) = &attempt.reason {
        let about = Diagnostic::error("").at(test.place.span(), line(reason).into_owned());
        out.push_str(&untitled(&about, page));
        out.push('\n');
    }
    let mut heading = String::new();
    for finding in attempt.findings.iter().take(MOST_FINDINGS) {
        let own = self::heading(finding);
        if own != heading && !own.is_empty() {
            let _ = writeln!(out, "  {}", Paint::new(page.look).bold(&own));
        }
        heading = own;
        out.push_str(&untitled(&diagnostic(finding, events, page), page));
        out.push('\n');
    }
    if let Some(more) = attempt.findings.len().checked_sub(MOST_FINDINGS).filter(|more| *more > 0) {
        let _ = write!(out, "  and {more} more\n\n");
    }
    for part in [
        moments::passed(events, attempt, page.look),
        moments::said(events, attempt, page.look),
        cause::likely(events, attempt, page.look),
    ] {
        if !part.is_empty() {
            out.push_str(&part);
            out.push('\n');
        }
    }
    if let Some(again) = again(test, page) {
        let _ = write!(out, "  run it again: {again}\n\n");
    }
    out
}

/// The command that runs this test again with all that chance decided.
pub(crate) fn again(test: &TestVerdict, page: &Page<'_>) -> Option<String> {
    let run = page.run?;
    let name = &test.name;
    let quoted = if name.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", name.replace('\'', "'\\''"))
    } else {
        format!("\"{name}\"")
    };
    Some(format!("seam run --rerun {run} --test {}", line(&quoted)))
}

/// In which part of the test it is: nothing is said of the only step of a test.
fn heading(finding: &Finding) -> String {
    let name = |step: &StepReference| {
        let name = if step.name.is_empty() { &step.path } else { &step.name };
        line(&cut(name, LONGEST_VALUE)).into_owned()
    };
    let Some(step) = &finding.step else { return String::new() };
    let scope = Scope { step: Some(step.path.clone()), ..Scope::default() };
    match scope.part() {
        None => String::new(),
        Some(Part::Steps) => format!("in: {}", name(step)),
        Some(Part::Finally) => format!("in its `finally`: {}", name(step)),
        Some(Part::Needs(fixture)) => format!("in its fixture `{}`: {}", line(fixture), name(step)),
        Some(Part::Cleanup(fixture)) => format!("in the clean-up of `{}`: {}", line(fixture), name(step)),
        Some(Part::Settled) => format!("before it was settled: {}", name(step)),
        Some(Part::Invariant(invariant)) => {
            format!("an invariant does not hold after it: {}", line(invariant))
        }
    }
}

/// A finding as people are pointed at their own line.
pub(crate) fn diagnostic(finding: &Finding, events: &[&Event], page: &Page<'_>) -> Diagnostic {
    let message = line(finding.message()).into_owned();
    let mut diagnostic = Diagnostic::error(message.clone());
    let place = finding.place().filter(|place| page.sources.file(place.span().file).is_some());
    diagnostic = match (place, &finding.found) {
        (Some(place), Found::Notice(notice)) if !notice.label.is_empty() => {
            diagnostic.at(place.span(), line(&notice.label)).note("", message)
        }
        (Some(place), _) => diagnostic.at(place.span(), message),
        (None, _) => diagnostic.note("", message),
    };
    match &finding.found {
        Found::Judged(judged) => {
            if !judged.details.is_empty() {
                diagnostic = diagnostic.note("", several_lines(&judged.details.join("\n")));
            } else if let Some(expected) = judged.expected.as_ref().map(seam_value::Value::to_plain_text)
                && !page.sources.text(judged.place.span()).contains(expected.trim())
            {
                diagnostic = diagnostic.note("expected", line(&cut(&expected, LONGEST_VALUE)));
            }
            if judged.path == "status"
                && let Some(body) =
                    answer_of(finding, events).and_then(|passed| exchange::body(&passed.reply))
            {
                diagnostic = diagnostic.note("body", line(&cut(&body, LONGEST_VALUE)));
            }
        }
        Found::Notice(notice) => {
            for (name, text) in &notice.notes {
                diagnostic = diagnostic.note(line(name), several_lines(text));
            }
            diagnostic.hint = notice.hint.as_deref().map(|hint| line(hint).into_owned());
        }
        Found::Step(_) => {}
    }
    diagnostic
}

/// The step's own request, the last one before it was judged.
fn answer_of<'a>(finding: &Finding, events: &[&'a Event]) -> Option<&'a Interaction> {
    let path = &finding.step.as_ref()?.path;
    events.iter().rev().find_map(|event| match &event.what {
        What::Interaction(passed)
            if event.seq < finding.seq
                && passed.from.is_test()
                && event.scope.step.as_ref() == Some(path) =>
        {
            Some(passed)
        }
        _ => None,
    })
}

/// A diagnostic without its title: the line above says already that it failed.
fn untitled(diagnostic: &Diagnostic, page: &Page<'_>) -> String {
    let text = render(diagnostic, page.sources, page.look);
    text.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned())
}
