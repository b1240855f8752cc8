//! What passed the seams during a test, in order and with times, as lines.

use super::Attempted;
use super::timeline::{Moment, Shown, timeline};
use crate::clean::{columns, cut, padded};
use std::fmt::Write as _;

/// What passed until the last finding. Calls that were made for another are indented beneath it.
pub(super) fn passed(attempted: &Attempted<'_>) -> String {
    let shown = timeline(attempted);
    let moments: Vec<&Moment> = shown
        .iter()
        .filter_map(|shown| match shown {
            Shown::Moment(moment) => Some(moment),
            Shown::Left(_) => None,
        })
        .collect();
    if moments.is_empty() {
        return String::new();
    }
    let widest = |text: fn(&Moment) -> usize| moments.iter().map(|moment| text(moment)).max().unwrap_or(0);
    let when = widest(|moment| columns(&moment.at));
    let on = widest(|moment| moment.depth * 2 + columns(&moment.on));
    let took = widest(|moment| columns(&moment.took));
    let room = attempted.page.look.width.saturating_sub(when + on + took + 10).max(24);
    let paint = attempted.page.paint();
    let mut out = String::from("  what passed\n");
    for one in &shown {
        let moment = match one {
            Shown::Left(count) => {
                let _ = writeln!(out, "    … {count} more");
                continue;
            }
            Shown::Moment(moment) => moment,
        };
        let on = padded(&format!("{}{}", "  ".repeat(moment.depth), moment.on), on);
        let text = format!("{:>when$}  {on}  {:>took$}  {}", moment.at, moment.took, what(moment, room));
        let text = text.trim_end();
        let text = if moment.matters { paint.bad(text) } else { paint.dim(text) };
        let _ = writeln!(out, "    {text}");
    }
    out
}

/// What was asked and answered in so many columns. The answer gives way only to the first half of them.
fn what(moment: &Moment, room: usize) -> String {
    let times = if moment.times > 1 { format!("  ({} times)", moment.times) } else { String::new() };
    let room = room.saturating_sub(columns(&times));
    let asked_room = room.saturating_sub(columns(&moment.answered) + 2).max(room / 2);
    let asked = cut(&moment.asked, asked_room);
    let answered = cut(&moment.answered, room.saturating_sub(columns(&asked) + 2));
    if moment.answered.is_empty() { format!("{asked}{times}") } else { format!("{asked}  {answered}{times}") }
}
