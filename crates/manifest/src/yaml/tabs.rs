//! Tabs: allowed inside texts and comments, nowhere else.
//!
//! YAML forbids them only in indentation, but between words they look like spaces and are not; one rule is
//! easier to keep than two.

use seam_diag::{Diagnostic, FileId, Span};
use std::ops::Range;

/// The tabs outside of texts and comments, as one diagnostic. `texts` are where texts stand, in order.
pub(super) fn outside(file: FileId, text: &str, texts: &[Range<usize>]) -> Option<Diagnostic> {
    let mut places = Vec::new();
    let mut inside = texts.iter().peekable();
    for (at, _) in text.match_indices('\t') {
        while inside.next_if(|range| range.end <= at).is_some() {}
        if inside.peek().is_some_and(|range| range.start <= at) {
            continue;
        }
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let gap_start = texts
            .partition_point(|range| range.end <= at)
            .checked_sub(1)
            .map_or(line_start, |index| texts[index].end.max(line_start));
        if !text[gap_start..at].contains('#') {
            places.push(at);
        }
    }
    tell(file, text, &places)
}

/// The tabs in the indentation of lines from `from` on, for a text whose structure could not be read.
pub(super) fn in_indentation(file: FileId, text: &str, from: usize) -> Option<Diagnostic> {
    let mut places = Vec::new();
    let mut start = text[..from].rfind('\n').map_or(0, |newline| newline + 1);
    for line in text[start..].split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t')
            && !line.trim().is_empty()
        {
            places.push(start + tab);
        }
        start += line.len();
    }
    tell(file, text, &places)
}

fn tell(file: FileId, text: &str, places: &[usize]) -> Option<Diagnostic> {
    let first = *places.first()?;
    let start = u32::try_from(first).unwrap_or(u32::MAX);
    let diagnostic = Diagnostic::error("a tab outside of a text")
        .at(Span { file, start, end: start.saturating_add(1) }, "a tab")
        .hint("use spaces; how wide a tab is, every editor sees differently");
    let mut lines: Vec<usize> = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for place in places {
        line += text[counted..*place].bytes().filter(|byte| *byte == b'\n').count();
        counted = *place;
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    let further: Vec<String> = lines.iter().skip(1).take(8).map(ToString::to_string).collect();
    if further.is_empty() {
        return Some(diagnostic);
    }
    let more = if lines.len() > 9 { format!(" and {} more", lines.len() - 9) } else { String::new() };
    Some(diagnostic.note("", format!("also in line {}{more}", further.join(", "))))
}
