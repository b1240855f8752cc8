//! Reads steps with their kinds: everything that can be wrong in one is found here, before anything starts.

use crate::plan::system::SystemPlan;
use crate::plan::test::PlannedStep;
use seam_diag::{Diagnostics, Sources};
use seam_expr::{Capture, Expression, Template};
use seam_matcher::Statement;
use seam_model::{Flow, Node, Step, TestDefaults};
use seam_steps::{Disturbance, Reading, Target, file_meant};
use seam_stub::Source;
use std::cell::RefCell;
use std::path::PathBuf;

/// What steps are read with.
pub(crate) struct StepReading<'a> {
    pub(crate) system: &'a SystemPlan,
    pub(crate) defaults: &'a TestDefaults,
    pub(crate) flows: &'a [Flow],
    /// The folder of the file in which the steps stand.
    pub(crate) folder: PathBuf,
    pub(crate) sources: &'a RefCell<Sources>,
    pub(crate) found: &'a mut Diagnostics,
    /// What this version can't do yet, as far as it was met.
    pub(crate) not_there_yet: Option<String>,
    /// Whom the steps address.
    pub(crate) targets: Vec<Target>,
}

impl StepReading<'_> {
    /// What kinds of steps read their fields with.
    fn reading(&mut self) -> Reading<'_> {
        Reading {
            system: self.system,
            defaults: self.defaults,
            flows: self.flows,
            folder: &self.folder,
            sources: self.sources,
            found: self.found,
        }
    }

    /// Reads what stands in for a component.
    pub(crate) fn stub(&mut self, node: &Node, component: &str) -> Option<Source> {
        let mut reading = self.reading();
        seam_steps::read_stand_in(node, (component, ""), &mut reading)
    }

    /// Reads what is put on seams.
    pub(crate) fn under(&mut self, entries: &[Node]) -> Vec<Disturbance> {
        let mut reading = self.reading();
        entries.iter().filter_map(|entry| Disturbance::read(entry, &mut reading)).collect()
    }

    /// Reads steps; those with mistakes are left out, since nothing runs while there is one.
    pub(crate) fn steps(&mut self, steps: &[Step]) -> Vec<PlannedStep> {
        steps.iter().filter_map(|step| self.step(step)).collect()
    }

    fn step(&mut self, step: &Step) -> Option<PlannedStep> {
        let kind = seam_steps::kind(&step.action)?;
        if kind.is_later() {
            self.later(format!("`{}` steps", step.action.value));
        }
        let mut reading = self.reading();
        let under: Vec<_> =
            step.under.iter().filter_map(|entry| Disturbance::read(entry, &mut reading)).collect();
        seam_steps::check_paths(step, kind, &mut reading);
        let action = kind.read(step, &mut reading);
        let expect: Vec<_> = step.expect.iter().map(|entry| Statement::of(entry, self.found)).collect();
        let unless: Vec<_> =
            step.pacing.unless.iter().map(|entry| Statement::of(entry, self.found)).collect();
        self.check_files(&expect);
        self.check_files(&unless);
        let save: Vec<_> = step
            .save
            .iter()
            .map(|save| (save.name.value.clone(), Capture::read(&save.from, self.found)))
            .collect();
        let when = step.when.as_ref().and_then(|node| Expression::read(node, "`when`", self.found));
        let signs_in = step.signs_in.as_ref().map(|node| Template::read(node, self.found));
        let children = self.steps(&step.children);
        let action = action?;
        let mut pacing = step.pacing.clone();
        pacing.timeout = pacing.timeout.or(self.defaults.timeout).or(self.system.step_within);
        self.targets.extend(action.targets());
        Some(PlannedStep {
            title: step.name.as_ref().map_or_else(|| title(step), |name| name.value.clone()),
            action_text: title(step),
            span: step.span,
            action_span: step.action.span,
            uses: action.uses().into_iter().chain(under.iter().flat_map(Disturbance::uses)).collect(),
            action,
            under,
            flow: (step.action.value == "use").then(|| step.subject.as_text().map(str::to_owned)).flatten(),
            children,
            actor: step.actor.as_ref().map(|name| name.value.clone()),
            when,
            expect,
            has_expect: step.has_expect,
            unless,
            save,
            pacing,
            soft: step.soft,
            signs_in,
        })
    }

    /// Looks into the files that statements will read.
    fn check_files(&mut self, statements: &[Statement]) {
        let read = |path: &str| {
            let path = file_meant(path, &self.system.root, &self.folder);
            std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        for statement in statements {
            statement.check_files(&read, self.found);
        }
    }

    /// Something that is read and checked, but that this version can't run.
    pub(crate) fn later(&mut self, what: String) {
        self.not_there_yet.get_or_insert(what);
    }
}

/// An action as written: `http: POST gateway/orders`.
fn title(step: &Step) -> String {
    let subject = match step.subject.scalar_text() {
        Some(text) => text,
        None if step.children.is_empty() => step.subject.to_value().to_string(),
        None => format!("{} steps", step.children.len()),
    };
    format!("{}: {}", step.action.value, shorten(&subject, 80))
}

/// The first line of a text, cut to a length that fits a line.
fn shorten(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    line.chars().take(most - 1).chain(['…']).collect()
}

/// The uses of a text template in nodes that are no steps.
pub(crate) fn templates(
    entries: &[(seam_model::Spanned<String>, Node)],
    found: &mut Diagnostics,
) -> Vec<(String, Template)> {
    entries.iter().map(|(name, node)| (name.value.clone(), Template::read(node, found))).collect()
}
