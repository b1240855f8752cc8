//! One thing to tell a person about their files, and a list of such things.

use crate::source::Span;
use std::collections::HashSet;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; nothing stops because of it.
    Warning,
    /// Nothing starts until it is mended.
    Error,
}

/// A title, the places it is about, notes and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, lower case, without a full stop: ``unknown key `expct` ``.
    pub title: String,
    /// Where, and what to write beneath the caret (may be empty).
    pub place: Option<(Span, String)>,
    /// Other places that matter: where the first of two equal names stands.
    pub related: Vec<(Span, String)>,
    /// Further facts as name and text: `log`, `orders.log, last line: …`. A name may be empty.
    pub notes: Vec<(String, String)>,
    /// How to mend it, one sentence.
    pub hint: Option<String>,
}

/// What was found, in the order of finding. Reading never stops at the first mistake: it pushes here and goes on.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// What is in it, or was: where, and what is wrong there.
    told: HashSet<(Span, String)>,
}

impl Diagnostic {
    /// A mistake.
    pub fn error(title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            title: title.into(),
            place: None,
            related: Vec::new(),
            notes: Vec::new(),
            hint: None,
        }
    }

    /// Something worth a look.
    pub fn warning(title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(title) }
    }

    /// Points at the place, with a text beneath the caret (may be empty).
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.place = Some((span, label.into()));
        self
    }

    /// Points at a further place.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.notes.push((name.into(), text.into()));
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The hint `did you mean …?`, where a candidate is near enough; otherwise the list of what there is,
    /// as long as it is short.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        match crate::suggest::did_you_mean(word, candidates.iter().copied()) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None if (1..=24).contains(&candidates.len()) => self.note(
                "known",
                candidates.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            ),
            None => self,
        }
    }
}

impl Diagnostics {
    /// Keeps one. What two readers find at the same place and call the same is told once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let known = diagnostic.place.as_ref().map(|(span, _)| (*span, diagnostic.title.clone()));
        if known.is_none_or(|known| self.told.insert(known)) {
            self.list.push(diagnostic);
        }
    }

    /// Is there any error among them?
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many are errors.
    pub fn n_errors(&self) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Is there nothing to tell?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes out those for which the condition does not hold: what a later finding has explained better.
    pub fn retain(&mut self, condition: impl FnMut(&Diagnostic) -> bool) {
        self.list.retain(condition);
    }

    /// All of them, by file and place, errors and warnings mixed; those without a place first. A warning about a
    /// place where there is an error too is left out: mending the one mends the other.
    pub fn in_order(&self) -> Vec<&Diagnostic> {
        let place = |diagnostic: &Diagnostic| diagnostic.place.as_ref().map(|(span, _)| *span);
        let wrong: HashSet<Span> =
            self.list.iter().filter(|one| one.severity == Severity::Error).filter_map(place).collect();
        let is_shadowed = |one: &&Diagnostic| {
            one.severity == Severity::Warning && place(one).is_some_and(|span| wrong.contains(&span))
        };
        let mut all: Vec<&Diagnostic> = self.list.iter().filter(|one| !is_shadowed(one)).collect();
        all.sort_by_key(|diagnostic| diagnostic.place.as_ref().map(|(span, _)| *span));
        all
    }

    /// Takes over those of another list.
    pub fn append(&mut self, other: Self) {
        other.list.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
