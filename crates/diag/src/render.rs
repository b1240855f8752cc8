//! A diagnostic as text: the user's line, a caret, notes and a hint.
//!
//! The drawing is annotate-snippets' (the one that rustc's messages come from), kept behind this one file.
//! Very long lines, such as a JSON body on one line, are cut around the place.

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Sources, Span, floor_to_character};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

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
            let annotations = list.iter().filter(|(span, ..)| span.file == id).map(|(span, label, kind)| {
                let label = (!label.is_empty()).then_some(*label);
                kind.span(range(&file.text, *span)).label(label)
            });
            let path = file.path.to_str().unwrap_or("?");
            Some(Snippet::source(file.text.as_str()).path(path).annotations(annotations))
        })
        .collect()
}

/// The bytes to underline: on boundaries of characters, at least one where there is one, never past the line.
fn range(text: &str, span: Span) -> std::ops::Range<usize> {
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
