//! The map as a Mermaid flowchart, which GitHub and GitLab draw inside Markdown.

use super::Drawing;
use std::fmt::Write as _;

pub(super) fn draw(drawing: &Drawing<'_>) -> String {
    let mut text = String::from("```mermaid\nflowchart LR\n");
    // Names of components may be words of Mermaid's own (`end`), so the nodes have ids of ours.
    let id = |name: &str| drawing.system.components.get_index_of(name).map_or(0, |index| index + 1);
    for (name, component) in drawing.components() {
        let (open, close) = match component.declared.origin.value.as_str() {
            "service" => ("[(", ")]"),
            "external" => ("([", "])"),
            "planned" => ("{{", "}}"),
            _ => ("[", "]"),
        };
        let _ = writeln!(text, "  c{}{open}\"{name}\"{close}", id(name));
    }
    for seam in &drawing.system.seams {
        let protocol = seam.protocol.name();
        let label = match seam.id.endpoint.as_str() {
            "" => protocol.to_owned(),
            endpoint => format!("{endpoint}, {protocol}"),
        };
        let (from, to) = (id(seam.id.consumer.as_str()), id(seam.id.provider.as_str()));
        let _ = writeln!(text, "  c{from} -->|\"{label}\"| c{to}");
    }
    text + "```\n"
}
