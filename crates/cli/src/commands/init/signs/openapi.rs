//! OpenAPI descriptions: a path that can be asked for without knowing anything, for a first test.

use super::read;
use crate::commands::init::guess::Guesses;
use seam_diag::{Diagnostics, Sources};
use seam_model::Node;
use std::path::Path;

pub(in super::super) fn look(file: &Path, guesses: &mut Guesses) {
    let Some(text) = read(file) else { return };
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let id = sources.add(file, text.as_str());
    // JSON is YAML, too.
    let Some(whole) = seam_manifest::parse(id, &text, &mut found) else { return };
    if whole.get("openapi").is_none() && whole.get("swagger").is_none() {
        return;
    }
    let paths = whole.get("paths").and_then(Node::as_map).unwrap_or_default();
    let is_open = |node: &Node| {
        let needs = |node: &Node| {
            let parameters = node.get("parameters").and_then(Node::as_list).unwrap_or_default();
            parameters.iter().any(|one| {
                one.get("required").is_some_and(|node| node.scalar_text().as_deref() == Some("true"))
            })
        };
        node.get("get").is_some_and(|get| !needs(get) && !needs(node) && get.get("security").is_none())
    };
    let path = paths.iter().find(|entry| !entry.key.value.contains('{') && is_open(&entry.node));
    if let (Some(path), None) = (path, &guesses.path) {
        guesses.path = Some(path.key.value.clone());
    }
}
