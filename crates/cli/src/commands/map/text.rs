//! The map as lines: consumer, provider, what is spoken, and where the seam is declared.

use super::{Drawing, kind};
use crate::chosen::counted;
use std::fmt::Write as _;

pub(super) fn draw(drawing: &Drawing<'_>) -> String {
    let ink = drawing.ink;
    let system = drawing.system;
    let components = counted(system.components.len(), "component", "components");
    let seams = counted(system.seams.len(), "seam", "seams");
    let mut text = format!("{}: {components}, {seams}\n", ink.bold(&system.name));
    let rows: Vec<[String; 4]> = system
        .seams
        .iter()
        .map(|seam| {
            let provider = match seam.id.endpoint.as_str() {
                "" => seam.id.provider.to_string(),
                endpoint => format!("{}.{endpoint}", seam.id.provider),
            };
            let place = drawing.place(seam).map_or_else(String::new, |place| place.to_string());
            [seam.id.consumer.to_string(), provider, seam.protocol.name().to_owned(), place]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    if !rows.is_empty() {
        text.push('\n');
    }
    for [consumer, provider, protocol, place] in &rows {
        let protocol = ink.cyan(&format!("{protocol:0$}", widths[2]));
        let line = format!(
            "  {consumer:0$} -> {provider:1$}  {protocol}  {2}",
            widths[0],
            widths[1],
            ink.dim(place)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let alone: Vec<String> = drawing
        .components()
        .filter(|(name, _)| {
            !system
                .seams
                .iter()
                .any(|seam| seam.id.consumer.as_str() == *name || seam.id.provider.as_str() == *name)
        })
        .map(|(name, component)| format!("{name} ({})", kind(component)))
        .collect();
    if !alone.is_empty() {
        let _ = writeln!(text, "\n  without a seam: {}", alone.join(", "));
    }
    text
}
