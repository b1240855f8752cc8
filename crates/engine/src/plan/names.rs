//! Are all variables known where they are used? Found before anything starts, from the outside in: the file's
//! `vars`, fixtures, the case, what was saved before.

use crate::plan::test::PlannedStep;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{Expression, NameUse, Template, Way};
use seam_steps::DeclaredSystem;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The names that were used anywhere in a file.
pub(crate) type Used = Rc<RefCell<BTreeSet<String>>>;

/// What is known at one point of a test.
#[derive(Clone)]
pub(crate) struct Known<'a> {
    system: &'a dyn DeclaredSystem,
    secrets: Rc<BTreeSet<String>>,
    /// Names with how sure they are.
    names: BTreeMap<String, Sure>,
    /// Those that were there before any step: what a step saves must not hide them.
    declared: BTreeSet<String>,
    used: Used,
}

/// How sure it is that a name has a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sure {
    /// It has one.
    Always,
    /// Only where a step was not left out by its `when`.
    Sometimes,
}

impl<'a> Known<'a> {
    /// Nothing but secrets and components.
    pub(crate) fn nothing(
        system: &'a dyn DeclaredSystem,
        secrets: &Rc<BTreeSet<String>>,
        used: &Used,
    ) -> Self {
        Self {
            system,
            secrets: Rc::clone(secrets),
            names: BTreeMap::new(),
            declared: BTreeSet::new(),
            used: Rc::clone(used),
        }
    }

    /// A name that has a value from here on. One that is there already would be shadowed.
    pub(crate) fn declare(&mut self, name: &str, span: Span, found: &mut Diagnostics) {
        if name == "secrets" || self.names.contains_key(name) {
            found.push(
                Diagnostic::error(format!("`{name}` is the name of something else already"))
                    .at(span, "")
                    .hint("give it another name: a name never hides another"),
            );
        }
        self.add(name);
    }

    /// A name that has a value from here on, whoever had it before.
    pub(crate) fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned(), Sure::Always);
        self.declared.insert(name.to_owned());
    }

    /// Checks what a template uses.
    pub(crate) fn check(&mut self, template: &Template, found: &mut Diagnostics) {
        for name in template.names() {
            self.check_use(&name, found);
        }
    }

    /// Checks names that are used.
    pub(crate) fn check_uses(&mut self, uses: &[NameUse], found: &mut Diagnostics) {
        for name in uses {
            self.check_use(name, found);
        }
    }

    /// Checks steps in order; what they save is known to those after them.
    pub(crate) fn check_steps(&mut self, steps: &[PlannedStep], found: &mut Diagnostics) {
        for step in steps {
            self.check_step(step, found);
        }
    }

    fn check_step(&mut self, step: &PlannedStep, found: &mut Diagnostics) {
        let judged = step.expect.iter().chain(&step.unless).flat_map(seam_matcher::Statement::names);
        let saved = step.save.iter().flat_map(|(_, capture)| capture.names());
        let when = step.when.iter().flat_map(|when: &Expression| when.names(Way::Expression));
        let uses: Vec<NameUse> = step.uses.iter().cloned().chain(judged).chain(saved).chain(when).collect();
        for name in &uses {
            self.check_use(name, found);
        }
        // The steps of `together` run at the same moment: none of them knows what another saves.
        let before = self.names.clone();
        let mut after = before.clone();
        for child in &step.children {
            self.names.clone_from(&before);
            self.check_step(child, found);
            after.extend(std::mem::take(&mut self.names));
        }
        self.names = after;
        for (name, capture) in &step.save {
            if self.declared.contains(name) {
                found.push(
                    Diagnostic::error(format!("`{name}` is the name of something else already"))
                        .at(capture.span(), "")
                        .hint("save it under another name: a name never hides another"),
                );
            }
            let may_be_left_out = step.when.is_some() && !capture.has_default();
            let sure = if may_be_left_out { Sure::Sometimes } else { Sure::Always };
            let known = self.names.entry(name.clone()).or_insert(sure);
            if sure == Sure::Always {
                *known = sure;
            }
        }
        // Whoever signs in does so with what this very step has just saved.
        for name in step.signs_in.iter().flat_map(Template::names) {
            self.check_use(&name, found);
        }
    }

    fn check_use(&mut self, used: &NameUse, found: &mut Diagnostics) {
        let NameUse { name, path, span, way } = used;
        if name == "secrets" {
            self.check_secret(path, *span, found);
            return;
        }
        match self.names.get(name.as_str()) {
            Some(Sure::Always) => {
                self.used.borrow_mut().insert(name.clone());
                return;
            }
            Some(Sure::Sometimes) => {
                self.used.borrow_mut().insert(name.clone());
                let title = format!("`{name}` is saved only where a step with `when` was not left out");
                let hint = "give it a value in `vars`, or a `default` where it is saved";
                found.push(Diagnostic::error(title).at(*span, "").hint(hint));
                return;
            }
            None => {}
        }
        let is_component = self.system.components().contains(&name.as_str());
        if *way != Way::Dollar && (is_component || *way == Way::Result) {
            return;
        }
        let mut candidates: Vec<&str> = self.names.keys().map(String::as_str).collect();
        candidates.push("secrets");
        let title = format!("`{name}` is not known here");
        let diagnostic = Diagnostic::error(title).at(*span, "").suggest(name, candidates);
        found.push(if is_component {
            diagnostic.hint(format!("a component is written `${{{name}.url}}`"))
        } else {
            diagnostic
        });
    }

    fn check_secret(&self, path: &str, span: Span, found: &mut Diagnostics) {
        let secret = path.split('.').next().unwrap_or_default();
        if !self.secrets.contains(secret) {
            let title = format!("there is no secret `{secret}`");
            found.push(
                Diagnostic::error(title)
                    .at(span, "")
                    .suggest(secret, self.secrets.iter().map(String::as_str)),
            );
        }
    }

    /// The names that were used so far, anywhere in the file.
    pub(crate) fn used(&self) -> Used {
        Rc::clone(&self.used)
    }
}
