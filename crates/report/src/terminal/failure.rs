//! What is wrong with one test: the user's lines with what was there instead.

use super::{Attempted, Page};
use crate::clean::{block as several_lines, cut, line};
use crate::exchange;
use seam_diag::{Diagnostic, render};
use seam_event::{Event, Interaction, Judged, Part, Scope, StageOf, What};
use seam_judge::{CHECKS_NOTHING, Finding, Found, StepReference, TestOutcome};
use seam_value::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// More findings of one test than these are counted only.
const MOST_FINDINGS: usize = 10;
/// How much of a name or an expected value is shown in one line.
const LONGEST: usize = 120;
/// How much is shown of a value that did not fit beneath the caret.
const LONGEST_WHOLE: usize = 400;

/// What stands beneath the line of a test that did not pass: each finding, then an empty line.
pub(super) fn findings(attempted: &Attempted<'_>) -> String {
    let Attempted { events, attempt, page, .. } = attempted;
    let mut out = String::new();
    if let Some(about) = reason(attempted) {
        let _ = writeln!(out, "{}", untitled(&about, page));
    }
    let mut heading = String::new();
    for finding in attempt.findings.iter().take(MOST_FINDINGS) {
        let own = self::heading(finding);
        if own != heading && !own.is_empty() {
            let _ = writeln!(out, "  {}", page.paint().bold(&own));
        }
        heading = own;
        let _ = writeln!(out, "{}", untitled(&diagnostic(finding, events, page), page));
    }
    if let Some(more) = attempt.findings.len().checked_sub(MOST_FINDINGS).filter(|more| *more > 0) {
        let _ = write!(out, "  and {more} more\n\n");
    }
    out
}

/// Why it came out so where no finding says it, beneath the test's name.
fn reason(attempted: &Attempted<'_>) -> Option<Diagnostic> {
    let Attempted { test, attempt, .. } = attempted;
    let reason = line(attempt.reason.as_ref()?).into_owned();
    let about = Diagnostic::error("");
    let about = if attempted.page.sources.file(test.place.span().file).is_some() {
        about.at(test.place.span(), reason)
    } else {
        about.note("", reason)
    };
    Some(match attempt.outcome {
        TestOutcome::Failed if attempt.findings.is_empty() => {
            about.hint("take `fails` away; or, where it fails only sometimes, add `sometimes: true`")
        }
        TestOutcome::Inconclusive if attempt.reason.as_deref() == Some(CHECKS_NOTHING) => {
            about.hint("say in an `expect` what must be so; that nothing broke is not a check")
        }
        _ => about,
    })
}

/// In which part of the test it is.
pub(super) fn heading(finding: &Finding) -> String {
    let name = |step: &StepReference| {
        let name = if step.name.is_empty() { &step.path } else { &step.name };
        cut(&line(name), LONGEST).into_owned()
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

/// A finding in one line: `body.total: actual: 3`.
pub(crate) fn message(finding: &Finding) -> String {
    match &finding.found {
        Found::Judged(judged) if !judged.path.is_empty() => format!("{}: {}", judged.path, judged.message),
        Found::Judged(_) | Found::Step(_) | Found::Notice(_) => finding.message().to_owned(),
    }
}

/// A finding as people are pointed at their own line.
pub(super) fn diagnostic(finding: &Finding, events: &[&Event], page: &Page<'_>) -> Diagnostic {
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
        Found::Judged(judged) => difference(diagnostic, judged, page, answer_of(finding, judged, events)),
        Found::Notice(notice) => {
            for (name, text) in &notice.notes {
                diagnostic = diagnostic.note(line(name), several_lines(text));
            }
            diagnostic.hint = notice.hint.as_deref().map(|hint| line(hint).into_owned());
            diagnostic
        }
        Found::Step(_) => diagnostic,
    }
}

/// What was expected and what was there, as far as it does not stand in the user's line and beneath it already.
fn difference(
    mut about: Diagnostic,
    judged: &Judged,
    page: &Page<'_>,
    answer: Option<&Interaction>,
) -> Diagnostic {
    if judged.details.is_empty() {
        let expected = judged.expected.as_ref().map(Value::to_plain_text);
        let users = page.sources.text(judged.place.span());
        if let Some(expected) = expected.filter(|expected| !users.contains(expected.trim())) {
            about = about.note("expected", cut(&line(&expected), LONGEST).into_owned());
        }
        if judged.message.ends_with('…')
            && let Some(actual) = &judged.actual
        {
            about = about.note("actual", cut(&line(&actual.to_string()), LONGEST_WHOLE).into_owned());
        }
    } else {
        about = about.note("", several_lines(&judged.details.join("\n")));
    }
    if judged.path == "status"
        && !judged.details.iter().any(|detail| detail.starts_with("body: "))
        && let Some(body) = answer.and_then(|passed| exchange::body(&passed.reply))
    {
        about = about.note("body", cut(&line(&body), LONGEST_WHOLE).into_owned());
    }
    about
}

/// The step's own request: of those that it sent the one with the judged status, else the last.
fn answer_of<'a>(finding: &Finding, judged: &Judged, events: &[&'a Event]) -> Option<&'a Interaction> {
    let (from, to) = moment(finding, events)?;
    let sent = events.iter().filter_map(|event| match &event.what {
        What::Interaction(passed) if passed.from.is_test() && (from..=to).contains(&passed.at) => {
            Some(passed)
        }
        _ => None,
    });
    let sent: Vec<&Interaction> = sent.collect();
    let is_judged = |passed: &&&Interaction| {
        passed.reply.get("status").is_some_and(|status| Some(status) == judged.actual.as_ref())
    };
    sent.iter().rev().find(is_judged).or_else(|| sent.iter().max_by_key(|passed| passed.at)).copied()
}

/// From when to when the step lasted that a finding is about; by time, since what passed is told a little later
/// than it passed.
pub(super) fn moment(finding: &Finding, events: &[&Event]) -> Option<(Duration, Duration)> {
    let to = events.iter().find(|event| event.seq == finding.seq)?.at;
    let path = finding.step.as_ref().map(|step| step.path.as_str())?;
    let began = events.iter().rev().find(|event| {
        event.seq < finding.seq
            && event.scope.step.as_deref() == Some(path)
            && matches!(&event.what, What::Step { stage: StageOf::Began, .. })
    })?;
    Some((began.at, to))
}

/// A diagnostic without its title: the line above says already that it failed.
fn untitled(diagnostic: &Diagnostic, page: &Page<'_>) -> String {
    let text = render(diagnostic, page.sources, page.look);
    text.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned())
}
