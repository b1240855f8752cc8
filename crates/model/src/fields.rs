//! Reads the fields of one map: each is taken once, and what nobody took is told with a did-you-mean.
//!
//! Kinds use it for their own fields, so that every kind reports mistakes in the same words and at the same
//! places, and reading goes on after each of them.

use crate::node::{Entry, Node, NodeKind, Spanned};
use crate::quantity;
use seam_diag::{Diagnostic, Diagnostics, Span, did_you_mean};
use std::time::Duration;

/// The fields of one map on their way to being read.
pub struct Fields<'a> {
    entries: &'a [Entry],
    taken: Vec<bool>,
    /// What the map is, for messages: `the component `orders``.
    owner: String,
    span: Span,
    asked: Vec<&'static str>,
    is_map: bool,
    /// Titles of what was told as missing: an unknown key that is near one of them explains it better.
    missing: Vec<(&'static str, String)>,
}

impl<'a> Fields<'a> {
    /// Begins to read a node that must be a map; tells if it is none. Nothing at all counts as an empty map.
    pub fn of(node: &'a Node, owner: impl Into<String>, found: &mut Diagnostics) -> Self {
        let owner = owner.into();
        let entries: &[Entry] = match &node.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null => &[],
            _ => {
                let title = format!("{owner} must be a map");
                found.push(Diagnostic::error(title).at(node.span, format!("this is {}", node.kind_name())));
                &[]
            }
        };
        let is_map = matches!(node.kind, NodeKind::Map(_) | NodeKind::Null);
        Self { is_map, ..Self::over(entries, node.span, owner) }
    }

    /// Begins to read entries that were taken out of a map already.
    pub fn over(entries: &'a [Entry], span: Span, owner: impl Into<String>) -> Self {
        Self {
            entries,
            taken: vec![false; entries.len()],
            owner: owner.into(),
            span,
            asked: Vec::new(),
            is_map: true,
            missing: Vec::new(),
        }
    }

    /// Where the map stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Is it a map (or nothing at all, which counts as an empty one)?
    pub fn is_map(&self) -> bool {
        self.is_map
    }

    /// Takes a field as it is.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.take_entry(key).map(|entry| &entry.node)
    }

    /// Takes a field with its key.
    pub fn take_entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let index = self.entries.iter().position(|entry| entry.key.value == key)?;
        self.taken[index] = true;
        Some(&self.entries[index])
    }

    /// Takes a field that must be there.
    pub fn require(&mut self, key: &'static str, found: &mut Diagnostics) -> Option<&'a Node> {
        let node = self.take(key);
        // What should have been a map and is none was told already.
        if node.is_none() && self.is_map {
            let title = format!("{} needs `{key}`", self.owner);
            found.push(Diagnostic::error(title.as_str()).at(self.span, ""));
            self.missing.push((key, title));
        }
        node
    }

    /// Takes a text; a number or boolean counts as the text that it is written as.
    pub fn text(&mut self, key: &'static str, found: &mut Diagnostics) -> Option<Spanned<String>> {
        let node = self.take(key)?;
        read_text(node, key, found)
    }

    /// Takes a list of texts; one text counts as a list of one.
    pub fn texts(&mut self, key: &'static str, found: &mut Diagnostics) -> Vec<Spanned<String>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        match &node.kind {
            NodeKind::List(list) => {
                list.iter().filter_map(|element| read_text(element, key, found)).collect()
            }
            NodeKind::Null => Vec::new(),
            NodeKind::Map(_) => {
                found.push(wrong(key, "a text or a list of texts", node));
                Vec::new()
            }
            _ => read_text(node, key, found).into_iter().collect(),
        }
    }

    /// Takes `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, found: &mut Diagnostics) -> Option<bool> {
        let node = self.take(key)?;
        if let NodeKind::Bool(flag) = node.kind {
            return Some(flag);
        }
        let hint = match node.as_text().map(str::to_lowercase).as_deref() {
            Some("yes" | "on" | "y") => Some("write `true`"),
            Some("no" | "off" | "n") => Some("write `false`"),
            _ => None,
        };
        let diagnostic = wrong(key, "`true` or `false`", node);
        found.push(match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        });
        None
    }

    /// Takes a whole number from 0.
    pub fn integer(&mut self, key: &'static str, found: &mut Diagnostics) -> Option<u64> {
        let node = self.take(key)?;
        if let NodeKind::Number(number) = &node.kind
            && let Some(integer) = number.as_i64().and_then(|integer| u64::try_from(integer).ok())
        {
            return Some(integer);
        }
        found.push(wrong(key, "a whole number", node));
        None
    }

    /// Takes a whole number from 1.
    pub fn positive(&mut self, key: &'static str, found: &mut Diagnostics) -> Option<u64> {
        let node = self.take(key)?;
        let value = match &node.kind {
            NodeKind::Number(number) => number.as_i64().and_then(|integer| u64::try_from(integer).ok()),
            _ => None,
        };
        let value = value.filter(|value| *value > 0);
        if value.is_none() {
            found.push(Diagnostic::error(format!("`{key}` is a number from 1")).at(node.span, ""));
        }
        value
    }

    /// Takes a duration.
    pub fn duration(&mut self, key: &'static str, found: &mut Diagnostics) -> Option<Duration> {
        let node = self.take(key)?;
        match node.scalar_text().as_deref().map(quantity::duration) {
            Some(Ok(duration)) => Some(duration),
            Some(Err(reason)) => {
                found.push(Diagnostic::error(format!("`{key}` is no duration")).at(node.span, reason));
                None
            }
            None => {
                found.push(wrong(key, "a duration such as 10s", node));
                None
            }
        }
    }

    /// Takes a map; tells if it is something else.
    pub fn map(&mut self, key: &'static str, found: &mut Diagnostics) -> &'a [Entry] {
        match self.take(key) {
            None => &[],
            Some(node) => match &node.kind {
                NodeKind::Map(entries) => entries,
                NodeKind::Null => &[],
                _ => {
                    found.push(wrong(key, "a map", node));
                    &[]
                }
            },
        }
    }

    /// Takes a list; tells if it is something else.
    pub fn list(&mut self, key: &'static str, found: &mut Diagnostics) -> &'a [Node] {
        match self.take(key) {
            None => &[],
            Some(node) => match &node.kind {
                NodeKind::List(list) => list,
                NodeKind::Null => &[],
                NodeKind::Map(_) => {
                    found.push(wrong(key, "a list", node).hint("begin each of its elements with `- `"));
                    &[]
                }
                _ => {
                    found.push(wrong(key, "a list", node));
                    &[]
                }
            },
        }
    }

    /// The fields that nobody has taken yet, which count as taken from here on.
    pub fn rest(&mut self) -> Vec<&'a Entry> {
        let rest = self
            .entries
            .iter()
            .zip(&self.taken)
            .filter(|(_, taken)| !**taken)
            .map(|(entry, _)| entry)
            .collect();
        self.taken.fill(true);
        rest
    }

    /// Tells every field that nobody has taken. One that is a misspelt needed field is told as that, once.
    pub fn finish(self, found: &mut Diagnostics) {
        self.forgive_misspelt(found);
        for (entry, _) in self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken) {
            found.push(
                Diagnostic::error(format!("unknown key `{}` in {}", entry.key.value, self.owner))
                    .at(entry.key.span, "")
                    .suggest(&entry.key.value, self.asked.iter().copied()),
            );
        }
    }
}

impl Fields<'_> {
    /// Takes back that something is missing where an unknown field is nearly it.
    fn forgive_misspelt(&self, found: &mut Diagnostics) {
        for (key, title) in &self.missing {
            let unknown = self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
            let candidates: Vec<&str> = unknown.map(|(entry, _)| entry.key.value.as_str()).collect();
            if did_you_mean(key, candidates).is_some() {
                let span = self.span;
                found.retain(|one| {
                    one.title != *title || one.place.as_ref().is_none_or(|(at, _)| *at != span)
                });
            }
        }
    }
}

/// A scalar as text with its place; tells if it is none.
fn read_text(node: &Node, key: &str, found: &mut Diagnostics) -> Option<Spanned<String>> {
    let text = node.scalar_text();
    if text.is_none() {
        found.push(wrong(key, "a text", node));
    }
    text.map(|text| Spanned::new(text, node.span))
}

fn wrong(key: &str, expected: &str, node: &Node) -> Diagnostic {
    Diagnostic::error(format!("`{key}` must be {expected}"))
        .at(node.span, format!("this is {}", node.kind_name()))
}
