//! Whom the evidence points at, with the evidence in words.

use super::Attempted;
use super::said::log_line;
use crate::clean::{cut, line};
use crate::exchange::{answered, asked};
use seam_event::{ComponentId, Event, Interaction, What};
use seam_judge::Suspect;
use std::fmt::Write as _;

/// The likely cause, and whoever else comes into question. Nobody is named whose evidence can't be shown.
pub(super) fn likely(attempted: &Attempted<'_>) -> String {
    let (mut out, mut title) = (String::new(), "likely cause");
    for suspect in &attempted.attempt.suspects {
        let evidence = evidence(suspect, &attempted.events);
        if evidence.is_empty() {
            continue;
        }
        let who = attempted.page.paint().bold(&line(suspect.component.as_str()));
        let _ = writeln!(out, "  {title}: {who}{}\n    it {}", on_seam(suspect), line(&suspect.reason));
        for text in evidence {
            let _ = writeln!(out, "    {}", cut(&text, attempted.page.look.width.saturating_sub(4).max(40)));
        }
        title = "or";
    }
    out
}

/// `, on the seam checkout -> paygate`, where it is seen on one.
pub(crate) fn on_seam(suspect: &Suspect) -> String {
    suspect.seam.as_ref().map_or(String::new(), |seam| format!(", on the seam {}", line(&seam.to_string())))
}

/// Each piece of evidence in a line.
fn evidence(suspect: &Suspect, events: &[&Event]) -> Vec<String> {
    let told = suspect.evidence.iter().filter_map(|seq| events.iter().find(|event| event.seq == *seq));
    told.filter_map(|event| match &event.what {
        What::Interaction(passed) => Some(exchange(passed, &suspect.component)),
        What::Line { component, number, text, .. } => {
            Some(format!("log: {}", log_line(component, *number, text)))
        }
        What::Component { component, state, detail } => {
            let state = format!("{state:?}").to_lowercase();
            let detail = if detail.is_empty() { state } else { format!("{state}: {}", line(detail)) };
            Some(format!("{} {detail}", line(component.as_str())))
        }
        What::Fault { seam, fault, .. } => {
            Some(format!("the fault `{}` struck {}", line(fault), line(&seam.to_string())))
        }
        _ => None,
    })
    .collect()
}

/// Seen from the suspect: what it got, what it gave.
fn exchange(passed: &Interaction, suspect: &ComponentId) -> String {
    let name = |component: &ComponentId| {
        if component.is_test() { "the test".to_owned() } else { line(component.as_str()).into_owned() }
    };
    let (from, to) = (name(&passed.from), name(&passed.to));
    let (asked, answered) = (asked(passed), answered(passed));
    if passed.from == *suspect {
        format!("{from} got   {answered}   from {to} for {asked}")
    } else {
        format!("{to} gave  {answered}   to {from} for {asked}")
    }
}
