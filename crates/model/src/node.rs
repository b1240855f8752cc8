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
    /// A text; `plain` says that it stood there without quotes, so that its bytes are those of the file.
    Text {
        /// The text without quotes and escapes.
        text: String,
        /// Was it written without quotes, on one line?
        plain: bool,
    },
    /// Nodes in order.
    List(Vec<Node>),
    /// Nodes by key, in order. Keys are unique.
    Map(Vec<Entry>),
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

    /// The place of a part of this node's text: exact where it was written plainly, else the whole node.
    pub fn part(&self, from: usize, length: usize) -> Span {
        match &self.kind {
            NodeKind::Text { plain: true, .. } => self.span.part(from, length),
            // A quoted text without escapes has one quote before its first byte.
            NodeKind::Text { text, plain: false }
                if (self.span.end - self.span.start) as usize == text.len() + 2 =>
            {
                self.span.part(from + 1, length)
            }
            _ => self.span,
        }
    }
}
