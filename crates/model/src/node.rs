//! A piece of YAML with its place: what every kind reads its own fields from.

use seam_diag::Span;
use seam_value::{Map, Number, Value};

/// A plain thing with the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The thing.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// One node of a YAML file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it stands, from its first byte to its last.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is, by the YAML 1.2 core schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with its digits as written.
    Number(Number),
    /// A text, and how it was written, so that a place inside it can be found again in the file.
    Text {
        /// The text without quotes and escapes.
        text: String,
        /// How it was written.
        form: Form,
    },
    /// Nodes in order.
    List(Vec<Node>),
    /// Nodes by key, in order. Keys are unique.
    Map(Vec<Entry>),
}

/// How a text was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Without quotes, on one line: its bytes are those of the file.
    #[default]
    Plain,
    /// In quotes, on one line, without escapes: its bytes are those of the file after the quote.
    Quoted,
    /// On several lines or with escapes: pieces whose bytes are those of the file, in order.
    Pieces(Box<[Piece]>),
}

/// Where a piece of a text begins; it ends where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its first byte in the text.
    pub text: u32,
    /// The same byte in the file, counted from the beginning of the node.
    pub source: u32,
}

/// One key of a map with its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// What it stands for.
    pub node: Node,
}

impl<T> Spanned<T> {
    /// Puts a thing and its place together.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl std::ops::Deref for Spanned<String> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.value
    }
}

impl Node {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let NodeKind::Text { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// The entries, if it is a map.
    pub fn as_map(&self) -> Option<&[Entry]> {
        if let NodeKind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let NodeKind::List(list) = &self.kind { Some(list) } else { None }
    }

    /// The node under a key, if it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.iter().find(|entry| entry.key.value == key).map(|entry| &entry.node)
    }

    /// Is it null (or was nothing written)?
    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Null)
    }

    /// What it is, in the words that messages use: `a text`, `a list`.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Number(_) => "a number",
            NodeKind::Text { .. } => "a text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }

    /// As a plain value, markers and all, taken literally.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(flag) => Value::Bool(*flag),
            NodeKind::Number(number) => Value::Number(number.clone()),
            NodeKind::Text { text, .. } => Value::text(text),
            NodeKind::List(list) => Value::List(list.iter().map(Self::to_value).collect()),
            NodeKind::Map(entries) => Value::Map(
                entries.iter().map(|entry| (entry.key.value.clone(), entry.node.to_value())).collect::<Map>(),
            ),
        }
    }

    /// A scalar as text, as it would stand inside a text: `5432`, `true`; none for null, lists and maps.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            NodeKind::Bool(flag) => Some(flag.to_string()),
            NodeKind::Number(number) => Some(number.to_string()),
            NodeKind::Text { text, .. } => Some(text.clone()),
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => None,
        }
    }

    /// A plain text with its place.
    pub fn text(text: impl Into<String>, span: Span) -> Self {
        Self { span, kind: NodeKind::Text { text: text.into(), form: Form::Plain } }
    }

    /// The place of a part of this node's text, also where it was quoted or written on several lines.
    /// A part that runs over several lines is cut at the end of its first.
    pub fn part(&self, from: usize, length: usize) -> Span {
        let NodeKind::Text { form, .. } = &self.kind else { return self.span };
        match form {
            Form::Plain => self.span.part(from, length),
            Form::Quoted => self.span.part(from + 1, length),
            Form::Pieces(pieces) => {
                let after = pieces.partition_point(|piece| piece.text as usize <= from);
                let Some(piece) = after.checked_sub(1).and_then(|index| pieces.get(index)) else {
                    return self.span;
                };
                let room = pieces.get(after).map_or(usize::MAX, |next| next.text as usize - from);
                self.span.part(piece.source as usize + from - piece.text as usize, length.min(room))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::FileId;

    #[test]
    fn a_part_of_a_text_is_found_in_the_file() {
        let span = Span { file: FileId(0), start: 100, end: 140 };
        let pieces = [Piece { text: 0, source: 0 }, Piece { text: 7, source: 11 }];
        for (form, from, length, expect) in [
            (Form::Plain, 3, 4, (103, 107)),
            (Form::Quoted, 3, 4, (104, 108)),
            (Form::Pieces(pieces.into()), 3, 2, (103, 105)),
            (Form::Pieces(pieces.into()), 3, 20, (103, 107)),
            (Form::Pieces(pieces.into()), 8, 2, (112, 114)),
            (Form::Pieces(Box::new([])), 8, 2, (100, 140)),
        ] {
            let node = Node { span, kind: NodeKind::Text { text: "select\nfrom".to_owned(), form } };
            let part = node.part(from, length);
            assert_eq!((part.start, part.end), expect, "{from} {length} {node:?}");
        }
    }
}
