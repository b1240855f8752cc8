//! Finds the pieces of a text in the file that it was read from, so that a caret can point inside it.
//!
//! The parser gives a text and the range it came from; what lies between them is folded lines, indentation and
//! escapes. A caret under the `$isbn` in the fourth line of a query is worth walking both once more.

use seam_model::{Form, Piece};

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes, or as a block.
    Lines,
    /// In single quotes: `''` is one.
    Single,
    /// In double quotes: `\` escapes.
    Double,
}

/// The form of a text that was written as `source` (quotes included).
pub(super) fn form(style: Style, source: &str, text: &str) -> Form {
    match style {
        Style::Lines if source == text => Form::Plain,
        Style::Lines => Form::Pieces(lines(source, text).into()),
        Style::Single | Style::Double if source.get(1..source.len().saturating_sub(1)) == Some(text) => {
            Form::Quoted
        }
        Style::Single | Style::Double => Form::Pieces(quoted(style, source, text).into()),
    }
}

/// Line by line: what stands in a line of the file stands in the text, with other white space between.
fn lines(source: &str, text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let content = line.trim();
        if !content.is_empty() {
            at += white(&text[at..]);
            if !text[at..].starts_with(content) {
                break;
            }
            pieces.push(piece(at, start + white(line)));
            at += content.len();
        }
        start += line.len();
    }
    pieces
}

/// Character by character: what the escapes stand for, and what folding makes of line ends.
fn quoted(style: Style, source: &str, text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = source.char_indices().skip(1);
    let mut at = 0;
    let mut contiguous = false;
    while let Some((index, character)) = characters.next() {
        let Some(expected) = text[at..].chars().next() else { break };
        if style == Style::Double && character == '\\' {
            contiguous = false;
            let n_more = match characters.next() {
                Some((_, '\n' | '\r')) => continue,
                Some((_, 'x')) => 2,
                Some((_, 'u')) => 4,
                Some((_, 'U')) => 8,
                _ => 0,
            };
            for _ in 0..n_more {
                characters.next();
            }
            pieces.push(piece(at, index));
            at += expected.len_utf8();
        } else if character == expected {
            if !contiguous {
                pieces.push(piece(at, index));
            }
            contiguous = true;
            at += expected.len_utf8();
            if style == Style::Single && character == '\'' {
                characters.next();
                contiguous = false;
            }
        } else if character.is_whitespace() {
            contiguous = false;
        } else {
            // A line end was folded to white space that stands nowhere in the file.
            at += white(&text[at..]);
            if !text[at..].starts_with(character) {
                break;
            }
            pieces.push(piece(at, index));
            at += character.len_utf8();
            contiguous = true;
        }
    }
    pieces
}

/// How many bytes of white space a text begins with.
fn white(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn piece(text: usize, source: usize) -> Piece {
    let short = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Piece { text: short(text), source: short(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::{FileId, Span};
    use seam_model::{Node, NodeKind};

    /// What stands in the source where `needle` of the text is found.
    fn found(style: Style, source: &str, text: &str, needle: &str) -> String {
        let form = form(style, source, text);
        let end = u32::try_from(source.len()).unwrap();
        let span = Span { file: FileId(0), start: 0, end };
        let node = Node { span, kind: NodeKind::Text { text: text.to_owned(), form } };
        let part = node.part(text.find(needle).unwrap(), needle.len());
        source[part.start as usize..part.end as usize].to_owned()
    }

    #[test]
    fn every_word_is_found_again() {
        for (style, source, text) in [
            (Style::Lines, "select $a from b", "select $a from b"),
            (Style::Lines, "select $a\n    from b\n\n    where c", "select $a from b\nwhere c"),
            (Style::Lines, "select $a\n      from b\n    where c\n", "select $a\n  from b\nwhere c\n"),
            (Style::Lines, "select $a\r\n    from b", "select $a\nfrom b"),
            (Style::Single, "'select $a from b'", "select $a from b"),
            (Style::Single, "'it''s select $a from b'", "it's select $a from b"),
            (Style::Double, r#""say \"x\" \u00e4 select $a from b""#, "say \"x\" ä select $a from b"),
            (Style::Double, "\"select\\n $a  \n   from\\\n   b\"", "select\n $a fromb"),
        ] {
            for needle in ["$a", "from"] {
                assert_eq!(found(style, source, text, needle), needle, "{source}");
            }
        }
    }
}
