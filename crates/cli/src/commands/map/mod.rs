//! `seam map`: the seams of a system as they are read off from its files; nothing is started.

mod dot;
mod json;
mod mermaid;
mod text;

use crate::chosen::Files;
use crate::commands::Act;
use crate::screen::{Ink, Screen};
use clap::Args;
use clap::builder::PossibleValuesParser;
use seam_diag::{Location, Sources};
use seam_engine::{PlannedComponent, PlannedSeam, Selection, SystemPlan};
use seam_judge::Exit;

/// One form of map.
struct Form {
    name: &'static str,
    line: &'static str,
    draw: fn(&Drawing<'_>) -> String,
}

/// All forms of map.
const FORMS: &[Form] = &[
    Form { name: "text", line: "a line for each seam", draw: text::draw },
    Form { name: "mermaid", line: "for Markdown, as GitHub and GitLab show it", draw: mermaid::draw },
    Form { name: "dot", line: "for Graphviz", draw: dot::draw },
    Form { name: "json", line: "for programs", draw: json::draw },
];

/// Show the seams of the system; nothing is started
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam map
  seam map --format mermaid >> docs/system.md
  seam map --format dot | dot -Tsvg > seams.svg")]
pub(crate) struct Map {
    #[command(flatten)]
    files: Files,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = forms())]
    format: String,
}

fn forms() -> PossibleValuesParser {
    FORMS
        .iter()
        .map(|form| clap::builder::PossibleValue::new(form.name).help(form.line))
        .collect::<Vec<_>>()
        .into()
}

/// What a form draws.
struct Drawing<'a> {
    system: &'a SystemPlan,
    sources: &'a Sources,
    ink: Ink,
}

impl Act for Map {
    fn act(self, screen: &mut Screen) -> Exit {
        let read = match self.files.read(Selection::default(), 0, screen) {
            Ok(read) => read,
            Err(exit) => return exit,
        };
        let drawing = Drawing { system: &read.plan.system, sources: &read.sources, ink: screen.ink() };
        let form = FORMS.iter().find(|form| form.name == self.format);
        let text = form.map_or_else(String::new, |form| (form.draw)(&drawing));
        screen.say(&text);
        Exit::Passed
    }
}

impl Drawing<'_> {
    /// Where a seam is declared.
    fn place(&self, seam: &PlannedSeam) -> Option<Location> {
        self.sources.location(seam.span)
    }

    /// Components by name, in the written order.
    fn components(&self) -> impl Iterator<Item = (&str, &PlannedComponent)> {
        self.system.components.iter().map(|(name, component)| (name.as_str(), component))
    }
}

/// What a component is: `run`, `service postgres`, `external`.
fn kind(component: &PlannedComponent) -> String {
    let origin = component.declared.origin.value.as_str();
    match component.declared.subject.as_text() {
        Some(service) if origin == "service" => format!("{origin} {service}"),
        _ => origin.to_owned(),
    }
}
