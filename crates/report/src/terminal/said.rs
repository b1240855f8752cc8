//! What the components said at the moments that matter: while the steps ran that did not come out well.

use super::{Attempted, failure};
use crate::clean::{cut, line};
use crate::time::human;
use seam_event::{ComponentId, What};
use std::fmt::Write as _;
use std::time::Duration;

/// More lines than these bury what they are shown for; the last ones before the finding are kept.
const MOST_LINES: usize = 20;
/// A line reaches us through a pipe, often after the answer that it is about.
const LOG_LAG: Duration = Duration::from_millis(50);

/// The lines of logs, with their time since the test began.
pub(super) fn said(attempted: &Attempted<'_>) -> String {
    let Attempted { events, attempt, page, .. } = attempted;
    let began = attempt.window.from;
    let moments: Vec<(Duration, Duration)> = attempt
        .findings
        .iter()
        .filter_map(|finding| {
            let to = events.iter().find(|event| event.seq == finding.seq)?.at;
            let from = failure::moment(finding, events).map_or(began, |(from, _)| from);
            Some((from, to + LOG_LAG))
        })
        .collect();
    let lines: Vec<(String, String)> = events
        .iter()
        .filter(|event| moments.iter().any(|(from, to)| (from..=to).contains(&&event.at)))
        .filter_map(|event| match &event.what {
            What::Line { component, number, text, .. } => {
                let at = format!("+{}", human(event.at.saturating_sub(began)));
                Some((at, log_line(component, *number, text)))
            }
            _ => None,
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let mut out = String::from("  what was said at that moment\n");
    let hidden = lines.len().saturating_sub(MOST_LINES);
    if hidden > 0 {
        let _ = writeln!(out, "    … {hidden} lines before these");
    }
    let widest = lines[hidden..].iter().map(|(at, _)| at.len()).max().unwrap_or(0);
    for (at, text) in &lines[hidden..] {
        let text = format!("{at:>widest$}  {text}");
        let text = cut(&text, page.look.width.saturating_sub(4).max(40));
        let _ = writeln!(out, "    {}", page.paint().dim(&text));
    }
    out
}

/// `checkout.log:118  panicked at …`
pub(super) fn log_line(component: &ComponentId, number: u64, text: &str) -> String {
    format!("{}.log:{number}  {}", line(component.as_str()), line(text))
}
