//! All components: each is put together from its layers, read, and checked against the others.

use super::component::read_component;
use super::layers::{lay, lay_component};
use crate::names::check_component;
use crate::vocabulary::Vocabulary;
use indexmap::IndexMap;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Component, Entry, Fields, Node, NodeKind, Spanned};
use std::collections::{HashMap, HashSet};

/// A component with all its layers laid over each other.
pub(super) struct Composed {
    name: Spanned<String>,
    /// What was written for it itself.
    own: Span,
    node: Node,
}

/// Puts each component together: the defaults, what it is like, its own keys.
pub(super) fn compose(
    entries: &[Entry],
    defaults: Option<&Node>,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Vec<Composed> {
    let mut composed = Vec::new();
    for entry in entries {
        check_component(&entry.key, found);
        let node = follow_like(entry, entries, vocabulary, found);
        let is_program = node
            .as_map()
            .is_some_and(|entries| entries.iter().any(|entry| vocabulary.is_program(&entry.key.value)));
        let node = match defaults {
            Some(defaults) if is_program && defaults.as_map().is_some() => lay(&node, defaults),
            _ => node,
        };
        composed.push(Composed { name: entry.key.clone(), own: entry.node.span, node });
    }
    composed
}

/// The component with what it is like beneath it, and what that is like beneath that.
fn follow_like(
    entry: &Entry,
    entries: &[Entry],
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Node {
    let mut chain = vec![entry];
    while let Some(like) = chain.last().and_then(|last| last.node.get("like")) {
        let is_own = chain.len() == 1;
        let name = like.scalar_text().unwrap_or_default();
        let Some(next) = entries.iter().find(|other| other.key.value == name) else {
            // Where another component's `like` is wrong, it is told there.
            if is_own {
                found.push(
                    Diagnostic::error(format!("there is no component `{name}`"))
                        .at(like.span, "")
                        .suggest(&name, entries.iter().map(|entry| entry.key.value.as_str())),
                );
            }
            break;
        };
        if chain.iter().any(|seen| seen.key.value == name) {
            if name == entry.key.value {
                found.push(Diagnostic::error("components are like each other in a circle").at(like.span, ""));
            }
            break;
        }
        chain.push(next);
    }
    let mut layers = chain.into_iter().rev().map(|entry| &entry.node);
    let first = layers.next().cloned().unwrap_or_else(|| entry.node.clone());
    layers.fold(first, |under, over| match &over.kind {
        NodeKind::Null => under,
        _ => lay_component(over, &under, vocabulary),
    })
}

/// Reads the components, and checks what they say of each other. What is wrong in a layer that several share is
/// told once.
pub(super) fn read(
    composed: Vec<Composed>,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> IndexMap<String, Component> {
    let mut components = IndexMap::new();
    let mut told_places: HashSet<Span> = HashSet::new();
    let names: Vec<String> = composed.iter().map(|composed| composed.name.value.clone()).collect();
    for composed in composed {
        let mut told = Diagnostics::default();
        let component = read_component(&composed.name, &composed.node, (vocabulary, &names), &mut told);
        check_mentions(&composed, &names, &mut told);
        for diagnostic in told {
            let place = diagnostic.place.as_ref().map(|(span, _)| *span);
            let is_shared = place.is_some_and(|place| {
                place != composed.name.span && !(composed.own.start..composed.own.end).contains(&place.start)
            });
            if let Some(place) = place
                && !told_places.insert(place)
                && is_shared
            {
                continue;
            }
            found.push(diagnostic);
        }
        if let Some(component) = component {
            components.insert(composed.name.value.clone(), component);
        }
    }
    check_files(&components, found);
    components
}

/// Do the components that it needs and calls exist? Asked also of one that nothing makes.
fn check_mentions(composed: &Composed, names: &[String], found: &mut Diagnostics) {
    // What is wrong with the lists themselves is told where they are read.
    let mut told = Diagnostics::default();
    let entries = composed.node.as_map().unwrap_or_default();
    let mut fields = Fields::over(entries, composed.own, "");
    let needs = fields.texts("needs", &mut told);
    let calls = fields.texts("calls", &mut told);
    let calls = calls.iter().map(|call| (call, call.value.split('.').next().unwrap_or_default()));
    for (mention, name) in needs.iter().map(|need| (need, need.value.as_str())).chain(calls) {
        if name == composed.name.value {
            let title = format!("`{name}` cannot need or call itself");
            found.push(Diagnostic::error(title).at(mention.span, ""));
        } else if !names.iter().any(|known| known == name) {
            let title = format!("there is no component `{name}`");
            let diagnostic = Diagnostic::error(title).at(mention.span, "");
            found.push(diagnostic.suggest(name, names.iter().map(String::as_str)));
        }
    }
}

/// Two components that render one file would overwrite each other.
fn check_files(components: &IndexMap<String, Component>, found: &mut Diagnostics) {
    let mut first: HashMap<std::path::PathBuf, (&Spanned<String>, Span)> = HashMap::new();
    for component in components.values() {
        let name = &component.name;
        // What lies below `${self.dir}` is each component's own.
        for (target, _) in component.files.iter().filter(|(target, _)| !target.value.contains("${self.")) {
            let path = crate::paths::normal(std::path::Path::new(&target.value));
            let Some((other, earlier)) = first.get(&path) else {
                first.insert(path, (name, target.span));
                continue;
            };
            if other.value == name.value {
                let title = format!("`{}` renders one file twice", name.value);
                found.push(Diagnostic::error(title).at(target.span, "").also(*earlier, "first here"));
                continue;
            }
            let title = format!("`{}` and `{}` render the same file", other.value, name.value);
            if *earlier == target.span {
                // Both have it from one layer: the place to mend is the component that took it over.
                found.push(
                    Diagnostic::error(title)
                        .at(name.span, "")
                        .also(target.span, "taken over from here")
                        .hint(format!("give `{}` a target of its own under `files`", name.value)),
                );
                break;
            }
            found.push(Diagnostic::error(title).at(target.span, "").also(*earlier, "first here"));
        }
    }
}
