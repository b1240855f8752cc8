//! Something to tell that no expectation stands for.
//!
//! It is a diagnostic in its stored form, so that a report made again from a stored run points at the same line
//! with the same words as the live one did.

use crate::event::Place;
use seam_diag::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};

/// How much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth a look; changes no verdict.
    Warning,
    /// Something could not be judged: the system never became quiet, foreign traffic was noticed.
    Inconclusive,
    /// Something did not hold that nobody has to write down: a component was found dead.
    Failure,
    /// Seamwork or the machine could not do its work.
    Error,
}

/// A title, a place, facts and a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How much it weighs.
    pub level: Level,
    /// What, lower case, without a full stop.
    pub text: String,
    /// Where in the files, if it is about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to write beneath the caret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Further facts as name and text; a name may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<(String, String)>,
    /// How to mend it, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Notice {
    /// A notice without place, facts and hint.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), place: None, label: String::new(), notes: Vec::new(), hint: None }
    }

    /// As people see it: with the user's line and a caret.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let severity = match self.level {
            Level::Warning | Level::Inconclusive => Severity::Warning,
            Level::Failure | Level::Error => Severity::Error,
        };
        Diagnostic {
            severity,
            title: self.text.clone(),
            place: self.place.map(|place| (place.span(), self.label.clone())),
            related: Vec::new(),
            notes: self.notes.clone(),
            hint: self.hint.clone(),
        }
    }
}

/// An error stays an error, a warning a warning; places besides the first are not kept.
impl From<&Diagnostic> for Notice {
    fn from(diagnostic: &Diagnostic) -> Self {
        let level = match diagnostic.severity {
            Severity::Warning => Level::Warning,
            Severity::Error => Level::Error,
        };
        let (place, label) = match &diagnostic.place {
            Some((span, label)) => (Some((*span).into()), label.clone()),
            None => (None, String::new()),
        };
        let (notes, hint) = (diagnostic.notes.clone(), diagnostic.hint.clone());
        Self { level, text: diagnostic.title.clone(), place, label, notes, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::{FileId, Span};

    #[test]
    fn a_diagnostic_survives() {
        let span = Span { file: FileId(1), start: 3, end: 7 };
        for diagnostic in [
            Diagnostic::error("`orders` never became ready").at(span, "41 tries").note("log", "x").hint("y"),
            Diagnostic::warning("unused"),
        ] {
            let notice = Notice::from(&diagnostic);
            let stored = serde_json::to_string(&notice).unwrap();
            assert_eq!(serde_json::from_str::<Notice>(&stored).unwrap().to_diagnostic(), diagnostic);
        }
    }
}
