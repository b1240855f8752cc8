//! The map as a graph for Graphviz.

use super::Drawing;
use std::fmt::Write as _;

pub(super) fn draw(drawing: &Drawing<'_>) -> String {
    let mut text =
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(&drawing.system.name));
    for (name, component) in drawing.components() {
        let style = match component.declared.origin.value.as_str() {
            "service" => " [shape=cylinder]",
            "external" => " [style=rounded]",
            "planned" => " [style=dashed]",
            _ => "",
        };
        let _ = writeln!(text, "  {}{style};", quoted(name));
    }
    for seam in &drawing.system.seams {
        let protocol = seam.protocol.name();
        let label = match seam.id.endpoint.as_str() {
            "" => protocol.to_owned(),
            endpoint => format!("{endpoint}, {protocol}"),
        };
        let (from, to) = (quoted(seam.id.consumer.as_str()), quoted(seam.id.provider.as_str()));
        let _ = writeln!(text, "  {from} -> {to} [label={}];", quoted(&label));
    }
    text + "}\n"
}

/// A text in quotes, as Graphviz reads it: only the quote itself has to be escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
