//! A diagnostic as text: the user's line, a caret, notes and a hint.
//!
//! The drawing is annotate-snippets' (the one that rustc's messages come from), kept behind this one file.
//! Very long lines, such as a JSON body on one line, are cut around the place.

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Sources, Span, floor_to_character};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// How it should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// With terminal colours?
    pub colour: bool,
    /// The width of the terminal in columns; longer lines are cut around the place.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { colour: false, width: 140 }
    }
}

/// Draws one diagnostic. The text ends with a line end.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, look: Look) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(diagnostic.title.as_str()).elements(snippets(diagnostic, sources));
    for (name, text) in &diagnostic.notes {
        let note =
            if name.is_empty() { Level::NOTE.no_name() } else { Level::NOTE.with_name(Some(name.as_str())) };
        group = group.element(note.message(text.as_str()));
    }
    let report: &[Group<'_>] = &[group];
    let renderer = if look.colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.decor_style(DecorStyle::Ascii).term_width(look.width).render(report);
    text.push('\n');
    if let Some(hint) = &diagnostic.hint {
        text.push_str(if look.colour { "\u{1b}[36mhint\u{1b}[0m: " } else { "hint: " });
        text.push_str(hint);
        text.push('\n');
    }
    text
}

/// One snippet for each file that the diagnostic points into.
fn snippets<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let Some((primary, label)) = &diagnostic.place else { return Vec::new() };
    let mut list: Vec<(Span, &str, AnnotationKind)> = vec![(*primary, label, AnnotationKind::Primary)];
    list.extend(
        diagnostic.related.iter().map(|(span, label)| (*span, label.as_str(), AnnotationKind::Context)),
    );
    let mut files: Vec<_> = list.iter().map(|(span, ..)| span.file).collect();
    files.dedup();
    files
        .into_iter()
        .filter_map(|id| {
            let file = sources.file(id)?;
            let places = list.iter().filter(|(span, ..)| span.file == id);
            let places: Vec<_> =
                places.map(|(span, label, kind)| (range(&file.text, *span), *label, *kind)).collect();
            // Whoever draws looks through all that it is given, for each diagnostic anew: it gets the lines in question.
            let window = lines(&file.text, places.iter().map(|(range, ..)| range));
            let first_line = file.line(window.start);
            let annotations = places.into_iter().map(|(range, label, kind)| {
                let range = range.start - window.start..range.end - window.start;
                kind.span(range).label((!label.is_empty()).then_some(label))
            });
            let path = file.path.to_str().unwrap_or("?");
            let snippet = Snippet::source(&file.text[window.clone()]).line_start(first_line);
            Some(snippet.path(path).annotations(annotations))
        })
        .collect()
}

/// The whole lines from the first of these places to the last.
fn lines<'a>(text: &str, places: impl Iterator<Item = &'a Range<usize>>) -> Range<usize> {
    let (start, end) =
        places.fold((text.len(), 0), |(start, end), place| (start.min(place.start), end.max(place.end)));
    let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[end.max(start)..].find('\n').map_or(text.len(), |newline| end.max(start) + newline + 1);
    start..end
}

/// The bytes to underline: on boundaries of characters, at least one where there is one, never past the line.
fn range(text: &str, span: Span) -> Range<usize> {
    let start = floor_to_character(text, span.start as usize);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = floor_to_character(text, span.end as usize).clamp(start, line_end.max(start));
    if end == start && start < line_end {
        let width = text[start..].chars().next().map_or(0, char::len_utf8);
        return start..start + width;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_the_caret_the_note_and_the_hint() {
        let mut sources = Sources::default();
        let file = sources.add("seam.yaml", "components:\n  orders:\n    ready: GET /healthz\n");
        let diagnostic = Diagnostic::error("`orders` never became ready")
            .at(Span { file, start: 33, end: 45 }, "41 tries in 20 s: connection refused")
            .note("log", "orders.log, last line: address in use")
            .hint("port 8080 is held by `web`; remove `port:`");
        let text = render(&diagnostic, &sources, Look::default());
        assert_eq!(
            text,
            "error: `orders` never became ready\n \
             --> seam.yaml:3:12\n  |\n\
             3 |     ready: GET /healthz\n  |            ^^^^^^^^^^^^ 41 tries in 20 s: connection refused\n  \
             |\n  = log: orders.log, last line: address in use\n\
             hint: port 8080 is held by `web`; remove `port:`\n"
        );
    }

    #[test]
    fn lines_of_a_large_file_have_their_numbers() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "- name: x\n".repeat(100_000));
        for line in 0..300 {
            let start = 999_000 + line * 3;
            let text = render(
                &Diagnostic::error("x").at(Span { file, start, end: start + 1 }, ""),
                &sources,
                Look::default(),
            );
            assert!(text.contains(&format!("a.yaml:{}:", start / 10 + 1)), "{text}");
        }
    }

    #[test]
    fn no_place_and_odd_places_do_no_harm() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "ä: ö");
        for (start, end) in [(0, 0), (1, 1), (1, 99), (6, 6), (99, 100), (5, 2)] {
            let text =
                render(&Diagnostic::error("x").at(Span { file, start, end }, ""), &sources, Look::default());
            assert!(text.contains("a.yaml:1:"), "{start}..{end}: {text}");
        }
        assert_eq!(render(&Diagnostic::warning("x"), &sources, Look::default()), "warning: x\n");
    }
}
