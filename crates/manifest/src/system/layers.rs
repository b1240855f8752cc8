//! Lays one piece of a file over another: a profile over the system, a component over the one that it is like,
//! all of them over the defaults.
//!
//! Maps are merged, all else is replaced. Two things are not merged although they are maps: how a component is
//! ready, and what makes it. A component that becomes something else keeps nothing that only the former knew.

use crate::vocabulary::{Vocabulary, word};
use seam_model::{Entry, Node, NodeKind};

/// What stays of a program's keys when it becomes something that is none: nothing that only a process has.
const OF_PROGRAMS: &[&str] = &["env", "files", "dir", "source", "reset", "restart", "stop_within"];

/// Keys whose maps are taken whole.
const WHOLE: &[&str] = &["ready", "stub"];

/// Lays a profile over the whole file.
pub(super) fn lay_profile(base: &Node, profile: &Node, vocabulary: &Vocabulary<'_>) -> Node {
    lay_with(profile, base, &|key, over, under| match key {
        "components" => lay_with(over, under, &|_, over, under| lay_component(over, under, vocabulary)),
        _ => lay(over, under),
    })
}

/// Lays one component over another.
pub(super) fn lay_component(over: &Node, under: &Node, vocabulary: &Vocabulary<'_>) -> Node {
    let Some(entries) = under.as_map() else { return over.clone() };
    let Some(origin) = origin(over, vocabulary) else { return lay(over, under) };
    let service = vocabulary.service(origin.name, over.get(origin.name).and_then(Node::as_text));
    let fits = |entry: &&Entry| {
        let key = entry.key.value.as_str();
        if word(vocabulary.origins, key).is_some() {
            return key == origin.name;
        }
        if OF_PROGRAMS.contains(&key) {
            return vocabulary.is_program(origin.name);
        }
        let is_setting = |words: &[&seam_model::Word]| words.iter().any(|word| word.field(key).is_some());
        let known = origin.field(key).is_some() || service.is_some_and(|word| word.field(key).is_some());
        known || !(is_setting(vocabulary.origins) || is_setting(vocabulary.services))
    };
    let kept = entries.iter().filter(fits).cloned().collect();
    lay(over, &Node { span: under.span, kind: NodeKind::Map(kept) })
}

/// The origin of a component, if exactly one is written.
fn origin(node: &Node, vocabulary: &Vocabulary<'_>) -> Option<&'static seam_model::Word> {
    let mut named = node.as_map()?.iter().filter_map(|entry| word(vocabulary.origins, &entry.key.value));
    named.next().filter(|_| named.next().is_none())
}

/// Merges maps; anything else is replaced.
pub(super) fn lay(over: &Node, under: &Node) -> Node {
    lay_with(over, under, &|key, over, under| {
        if WHOLE.contains(&key) { over.clone() } else { lay(over, under) }
    })
}

/// Merges two maps; `both` decides what becomes of a key that stands in both.
fn lay_with(over: &Node, under: &Node, both: &dyn Fn(&str, &Node, &Node) -> Node) -> Node {
    let (Some(above), Some(below)) = (over.as_map(), under.as_map()) else { return over.clone() };
    let mut entries: Vec<Entry> = below
        .iter()
        .map(|entry| match over.get(&entry.key.value) {
            // The place of the key is that of the layer which had the last word.
            Some(node) => Entry {
                key: above
                    .iter()
                    .find(|above| above.key.value == entry.key.value)
                    .map_or_else(|| entry.key.clone(), |above| above.key.clone()),
                node: both(&entry.key.value, node, &entry.node),
            },
            None => entry.clone(),
        })
        .collect();
    entries.extend(above.iter().filter(|entry| under.get(&entry.key.value).is_none()).cloned());
    Node { span: over.span, kind: NodeKind::Map(entries) }
}
