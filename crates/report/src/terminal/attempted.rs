//! One attempt of one test with all that there is to tell of it, in the parts that forms put together.

use super::{Page, cause, failure, left_out, moments, notice, row, said};
use crate::clean::line;
use crate::time::human;
use seam_event::{Event, What};
use seam_judge::{Attempt, TestOutcome, TestVerdict};
use std::fmt::Write as _;

/// An attempt, its test, and what happened meanwhile.
#[derive(Debug)]
pub(crate) struct Attempted<'a> {
    /// The events of its window that are its own, or nobody's and no line.
    pub(crate) events: Vec<&'a Event>,
    /// The test.
    pub(crate) test: &'a TestVerdict,
    /// The attempt.
    pub(crate) attempt: &'a Attempt,
    /// Files, run and look.
    pub(crate) page: &'a Page<'a>,
}

impl<'a> Attempted<'a> {
    /// Out of the events of its window; those of tests that ran side by side are left out.
    pub(crate) fn of(
        events: impl IntoIterator<Item = &'a Event>,
        test: &'a TestVerdict,
        attempt: &'a Attempt,
        page: &'a Page<'a>,
    ) -> Self {
        let is_ours = |event: &&Event| match &event.scope.test {
            Some(id) => *id == test.id,
            // A line that belongs to no test was said before this one, and only heard in it.
            None => !matches!(event.what, What::Line { .. }),
        };
        Self { events: events.into_iter().filter(is_ours).collect(), test, attempt, page }
    }

    /// All of it as the terminal shows it.
    pub(crate) fn text(&self) -> String {
        let mut out = self.headline();
        if self.attempt.outcome.is_bad() {
            let _ = write!(out, "\n{}", self.wrong());
            let parts = [
                left_out::left_out(self),
                moments::passed(self),
                said::said(self),
                cause::likely(self),
                self.again(),
            ];
            for part in parts {
                if !part.is_empty() {
                    let _ = writeln!(out, "{part}");
                }
            }
        } else if self.attempt.outcome == TestOutcome::Known {
            let _ = writeln!(out, "      {}", self.page.paint().dim(&self.why_known()));
        }
        for warning in &self.attempt.warnings {
            out.push_str(&notice(warning, self.page));
        }
        out
    }

    /// `FAIL  checkout  A declined card leaves nothing behind            84 ms`
    fn headline(&self) -> String {
        let mut name = self.test.name.clone();
        if self.attempt.number > 1 {
            let _ = write!(name, " (attempt {})", self.attempt.number);
        }
        let (outcome, took) = (self.attempt.outcome, human(self.attempt.took));
        row(self.page.look, outcome, (&self.test.suite, &name), &took)
    }

    /// Why it is known to fail, and how it fails now: what people look at to see whether it is still the same.
    fn why_known(&self) -> String {
        let why = line(self.attempt.reason.as_deref().unwrap_or_default()).into_owned();
        match self.attempt.findings.first() {
            Some(first) => format!("{why} (now: {})", line(&failure::message(first))),
            None => why,
        }
    }

    /// What is wrong: the user's lines with carets.
    pub(crate) fn wrong(&self) -> String {
        failure::findings(self)
    }

    /// Whom the evidence points at, and how to run it again.
    pub(crate) fn cause(&self) -> String {
        cause::likely(self) + &self.again()
    }

    /// What was left out, what passed, and what was said.
    pub(crate) fn happened(&self) -> String {
        left_out::left_out(self) + &moments::passed(self) + &said::said(self)
    }

    /// The command that runs this test again with all that chance decided.
    fn again(&self) -> String {
        let Some(run) = self.page.run else { return String::new() };
        let paths = self.page.command.iter().skip(1).take_while(|word| !word.starts_with("--"));
        let paths = paths.flat_map(|path| [quoted(path), " ".to_owned()]).collect::<String>();
        // A name is in quotes even where a shell would not need them: it is a sentence.
        let name = &self.test.name;
        let name = if is_plain(name) { format!("\"{name}\"") } else { quoted(name) };
        format!("  run it again: seam run {}--rerun {run} --test {}\n", line(&paths), line(&name))
    }
}

/// Do double quotes keep a text as it is?
fn is_plain(text: &str) -> bool {
    !text.contains(['"', '$', '`', '\\', '!'])
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_word = |character: char| character.is_alphanumeric() || "/._-+:@%,".contains(character);
    if !text.is_empty() && text.chars().all(is_word) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
