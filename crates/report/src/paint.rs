//! Colours, where they are wanted. Everything can be read without them.

use seam_diag::Look;
use seam_judge::TestOutcome;

/// Puts colours around words, or doesn't.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn new(look: Look) -> Self {
        Self { on: look.colour }
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// The word of an outcome in its colour.
    pub(crate) fn outcome(self, outcome: TestOutcome, text: &str) -> String {
        let code = match outcome {
            TestOutcome::Passed => "32",
            TestOutcome::Failed | TestOutcome::Errored => "1;31",
            TestOutcome::Inconclusive | TestOutcome::NotRun => "33",
            TestOutcome::Known | TestOutcome::Skipped => "36",
        };
        self.with(code, text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
