//! What the parser could not read, in words that say what to write.
//!
//! The parser says which rule was broken; here is guessed what the writer meant: nearly always a text that needs
//! quotes, or an indentation. Where the extent of the text is clear, it comes with a mend, so that reading can
//! go on behind it.

use super::ahead;
use super::tabs;
use super::tree::{Context, quoted};
use granit_parser::{ErrorKind, ScanError};
use seam_diag::{Diagnostic, FileId, Span};
use std::ops::Range;

/// What to tell, and how to read on.
pub(super) struct Mistake {
    pub(super) diagnostic: Diagnostic,
    pub(super) mend: Option<Mend>,
}

/// A range that is overwritten, byte for byte, so that all places stay what they are.
pub(super) struct Mend {
    range: Range<usize>,
    filler: &'static str,
}

impl Mend {
    /// Overwrites the range.
    pub(super) fn apply(self, text: &mut String) {
        let filler = self.filler.repeat(self.range.len());
        text.replace_range(self.range, &filler);
    }
}

/// One syntax error with what stands around it.
struct Scene<'t> {
    file: FileId,
    text: &'t str,
    /// Where the parser stopped.
    at: usize,
    context: &'t Context,
    /// Every `{` and `[` that is open there, also those that the parser had not come to yet.
    open_flows: Vec<usize>,
    /// The quote that is open there.
    open_quote: Option<usize>,
}

/// Says what is wrong.
pub(super) fn explain(file: FileId, text: &str, error: &ScanError, context: &Context) -> Mistake {
    let mut at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let ahead = ahead::walk(text, context.last_scalar.end.min(at)..at);
    let open_flows = [context.open_flows.as_slice(), &ahead.open].concat();
    let scene = Scene { file, text, at, context, open_flows, open_quote: ahead.quote };
    if !context.open_flows.is_empty()
        && let Some(mistake) = scene.inside_braces()
    {
        return mistake;
    }
    match error.kind() {
        ErrorKind::MappingValueNotAllowed => scene.unexpected_colon(),
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            scene.text_after_quotes()
        }
        ErrorKind::UnexpectedCharacter { character } => scene.reserved(*character),
        ErrorKind::InvalidBlockScalarHeader => scene.block_header(),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => scene.tab(error),
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => scene.unclosed_quote(),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => scene.escape(),
        ErrorKind::BlockEntryInFlowCollection if scene.is_open_since_earlier_line() => scene.unclosed_brace(),
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => scene.dash(),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => scene.wrong_brace(*open, *close),
        ErrorKind::UnclosedFlowCollection { .. } => scene.unclosed_brace(),
        ErrorKind::DirectiveDisallowed => scene.stop("directives are not allowed", "leave it out"),
        ErrorKind::RecursionLimitExceeded => scene.stop("nested too deep", ""),
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::ExpectedDocumentStart
            if scene.open_flows.is_empty() =>
        {
            scene.misfit()
        }
        _ if !scene.open_flows.is_empty() => scene.unclosed_brace(),
        _ => scene.stop(&error.info(), ""),
    }
}

impl Scene<'_> {
    fn span(&self, range: Range<usize>) -> Span {
        let short = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file: self.file, start: short(range.start), end: short(range.end) }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        at + self.text[at..end].trim_end().len()
    }

    /// A mistake behind which nothing can be read.
    fn stop(&self, title: &str, hint: &str) -> Mistake {
        let mut diagnostic = Diagnostic::error(title).at(self.span(self.at..self.at + 1), "");
        if !hint.is_empty() {
            diagnostic = diagnostic.hint(hint);
        }
        Mistake { diagnostic, mend: None }
    }

    /// `{ url: ${a.url} }` and `{ items[0].sku: 1 }`.
    fn inside_braces(&self) -> Option<Mistake> {
        let before = self.text[..self.at].chars().next_back()?;
        let here = self.text[self.at..].chars().next()?;
        let open = self.context.open_flows.last().and_then(|open| self.text[*open..].chars().next());
        let inside = if open == Some('[') { "[ ]" } else { "{ }" };
        let start = self.context.last_scalar.start;
        if self.context.last_scalar.end != self.at {
            return None;
        }
        if before == '$' && here == '{' {
            let end = self.end_of_value(start);
            let value = self.text[start..end].trim_end();
            let range = start..start + value.len();
            let diagnostic = Diagnostic::error(format!("`${{` in an unquoted text inside {inside}"))
                .at(self.span(range.clone()), "")
                .hint(format!("quote it: {}", quoted(value)));
            return Some(Mistake { diagnostic, mend: Some(Mend { range, filler: "x" }) });
        }
        if here == '[' && !before.is_whitespace() {
            let end = self.end_of_value(start);
            let value = self.text[start..end].trim_end();
            let range = start..start + value.len();
            let dots = value.replace("].", ".").replace('[', ".").replace(']', "");
            let diagnostic = Diagnostic::error(format!("`[` in an unquoted text inside {inside}"))
                .at(self.span(range.clone()), "")
                .hint(format!("write the index with dots: `{dots}`, or quote it: {}", quoted(value)));
            return Some(Mistake { diagnostic, mend: Some(Mend { range, filler: "x" }) });
        }
        None
    }

    /// Where an unquoted value inside braces was meant to end: at the next `,`, `:` with a space, or closing
    /// brace that is not part of it.
    fn end_of_value(&self, start: usize) -> usize {
        let mut depth = 0_u32;
        let mut characters = self.text[start..].char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            match character {
                '{' | '[' => depth += 1,
                '}' | ']' | ',' if depth == 0 => return start + index,
                '}' | ']' => depth -= 1,
                '\n' => return start + index,
                ':' if depth == 0 && characters.peek().is_none_or(|(_, next)| next.is_whitespace()) => {
                    return start + index;
                }
                _ => {}
            }
        }
        self.text.len()
    }

    /// `name: a: b`, a name that is indented too far, or a space that is missing after a colon.
    fn unexpected_colon(&self) -> Mistake {
        let last = &self.context.last_scalar;
        let line_start = self.line_start(self.at);
        if last.end == self.at && last.start < line_start {
            return self.swallowed_name(line_start);
        }
        let line_end = self.line_end(self.at);
        let start = if last.end == self.at { last.start } else { self.at };
        let value = &self.text[start..line_end];
        let diagnostic = Diagnostic::error("a `:` in an unquoted text")
            .at(self.span(self.at..self.at + 1), "")
            .hint(format!("quote the text: {}", quoted(value)));
        // All of the text, so that another colon in it is not told as well.
        let range = if self.open_flows.is_empty() { start..line_end } else { self.at..self.at + 1 };
        Mistake { diagnostic, mend: Some(Mend { range, filler: "x" }) }
    }

    /// A line that was taken for the continuation of the text above it.
    fn swallowed_name(&self, line_start: usize) -> Mistake {
        let name = self.text[line_start..self.at].trim();
        let first_end = self.line_end(self.context.last_scalar.start);
        let above = &self.text[self.context.last_scalar.start..first_end];
        let place = self.span(self.at - name.len()..self.at);
        let above_span = self.span(self.context.last_scalar.start..first_end);
        let glued = above.split_once(':').filter(|(key, value)| {
            !key.is_empty() && !key.contains(char::is_whitespace) && !value.starts_with([' ', '/'])
        });
        let diagnostic = if let Some((key, value)) = glued {
            Diagnostic::error(format!("a space is missing after the `:` in `{above}`"))
                .at(above_span, "")
                .hint(format!("write `{key}: {value}`"))
        } else {
            Diagnostic::error(format!("`{name}:` belongs to the text above it, as it is indented"))
                .at(place, "")
                .also(above_span, "this text goes on")
                .hint("give it the indentation of the name that it stands beside")
        };
        Mistake { diagnostic, mend: None }
    }

    /// Where an unquoted text was meant to end.
    fn meant_end(&self, start: usize) -> usize {
        if self.open_flows.is_empty() {
            return self.line_end(start).max(start);
        }
        let end = self.end_of_value(start);
        start + self.text[start..end].trim_end().len()
    }

    /// `query: "a" || "b"`.
    fn text_after_quotes(&self) -> Mistake {
        let end = self.meant_end(self.at);
        let line = &self.text[self.line_start(self.at)..self.at];
        let quote = line.trim_end().chars().next_back().unwrap_or('"');
        let inner = line.trim_end().trim_end_matches(quote);
        let start = inner.rfind(quote).map_or(self.at, |quote| self.line_start(self.at) + quote);
        let diagnostic = Diagnostic::error("something stands behind a quoted text")
            .at(self.span(self.at..end), "")
            .hint(format!("quotes go around the whole text: {}", quoted(&self.text[start..end])));
        Mistake { diagnostic, mend: Some(Mend { range: self.at..end, filler: " " }) }
    }

    /// `@x`, `` `x` ``, `%x`.
    fn reserved(&self, character: char) -> Mistake {
        let value = &self.text[self.at..self.meant_end(self.at)];
        let diagnostic = Diagnostic::error(format!("an unquoted text cannot begin with {character}"))
            .at(self.span(self.at..self.at + character.len_utf8()), "")
            .hint(format!("quote it: {}", quoted(value)));
        let mend = character.is_ascii().then_some(Mend { range: self.at..self.at + 1, filler: "x" });
        Mistake { diagnostic, mend }
    }

    /// `above: > 5`.
    fn block_header(&self) -> Mistake {
        let line_end = self.line_end(self.at);
        let value = &self.text[self.at..line_end];
        let first = value.chars().next().unwrap_or('|');
        let diagnostic = Diagnostic::error(format!(
            "`{first}` begins a text on the following lines, but something stands behind it"
        ))
        .at(self.span(self.at..line_end), "")
        .hint(format!("quote it: {}", quoted(value)));
        let mend = matches!(first, '|' | '>').then_some(Mend { range: self.at..self.at + 1, filler: "x" });
        Mistake { diagnostic, mend }
    }

    fn tab(&self, error: &ScanError) -> Mistake {
        match tabs::in_indentation(self.file, self.text, self.at) {
            Some(diagnostic) => Mistake { diagnostic, mend: None },
            None => self.stop(&error.info(), "use spaces"),
        }
    }

    fn unclosed_quote(&self) -> Mistake {
        let quote = self.open_quote.unwrap_or(self.at);
        let diagnostic =
            Diagnostic::error("a quote is never closed").at(self.span(quote..quote + 1), "opened here").hint(
                "close it on the same line, or write `key: |` and the text on the following lines, indented",
            );
        Mistake { diagnostic, mend: None }
    }

    fn escape(&self) -> Mistake {
        let end =
            self.text[self.at..].char_indices().nth(2).map_or(self.text.len(), |(index, _)| self.at + index);
        let diagnostic = Diagnostic::error("an unknown escape in double quotes")
            .at(self.span(self.at..end), "")
            .hint("in single quotes a backslash is itself: '\\d+'");
        Mistake { diagnostic, mend: None }
    }

    fn dash(&self) -> Mistake {
        self.stop("a list cannot begin here", "begin each `- ` on a line of its own, or write `[a, b]`")
    }

    /// A line whose indentation belongs to nothing, or that is neither a name with its value nor an element.
    fn misfit(&self) -> Mistake {
        let line_start = self.line_start(self.at);
        let line = &self.text[line_start..];
        let start = (line_start + line.len() - line.trim_start_matches(' ').len()).min(self.at);
        let end = self.line_end(start).max(start + 1);
        let content = self.text.get(start..end).unwrap_or_default();
        let name = content.split(':').next().unwrap_or_default();
        let (title, hint) = if content.starts_with('-') && !content.starts_with("- ") {
            ("a space is missing after the `-`", format!("write `- {}`", &content[1..]))
        } else if name.len() == content.len() && !content.contains(char::is_whitespace) {
            ("a `:` is missing after this name", format!("write `{content}:`"))
        } else if name.len() == content.len() {
            ("neither a name with its value nor an element", "write `name: value` or `- element`".to_owned())
        } else {
            (
                "the indentation fits nothing that stands above",
                "give it the indentation of the lines that it stands beside".to_owned(),
            )
        };
        let diagnostic = Diagnostic::error(title).at(self.span(start..end), "").hint(hint);
        Mistake { diagnostic, mend: None }
    }

    /// The innermost brace that is open.
    fn open_brace(&self) -> (usize, char) {
        let open = self.open_flows.last().copied().unwrap_or(self.at);
        let brace = self.text[open..].chars().next().unwrap_or('{');
        (open, brace)
    }

    fn is_open_since_earlier_line(&self) -> bool {
        self.line_start(self.open_brace().0) != self.line_start(self.at)
    }

    /// `[x }`. The parser stops at the opening one.
    fn wrong_brace(&self, open: char, close: char) -> Mistake {
        let expected = if open == '[' { ']' } else { '}' };
        let end = self.text[self.at..].find(close).map_or(self.at, |close| self.at + close);
        let diagnostic = Diagnostic::error(format!("`{open}` is closed by `{close}`"))
            .at(self.span(end..end + 1), format!("expected `{expected}`"))
            .also(self.span(self.at..self.at + 1), "opened here");
        Mistake { diagnostic, mend: None }
    }

    fn unclosed_brace(&self) -> Mistake {
        let (open, brace) = self.open_brace();
        let close = if brace == '[' { ']' } else { '}' };
        let is_at_end = self.at >= self.text.trim_end().len();
        if self.is_open_since_earlier_line() || is_at_end {
            let mut diagnostic = Diagnostic::error(format!("`{brace}` is never closed"))
                .at(self.span(open..open + 1), "opened here");
            if !is_at_end {
                let expected = format!("here, or before, `{close}` is expected");
                diagnostic = diagnostic.also(self.span(self.at..self.at + 1), expected);
            }
            return Mistake { diagnostic, mend: None };
        }
        let diagnostic = Diagnostic::error(format!("expected `,` or `{close}`"))
            .at(self.span(self.at..self.at + 1), "")
            .also(self.span(open..open + 1), "opened here")
            .hint("a text that holds one of `{ } [ ] , : #` is put in quotes");
        Mistake { diagnostic, mend: None }
    }
}
