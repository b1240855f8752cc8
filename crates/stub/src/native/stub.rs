//! One stub as it was declared: when it answers, and with what.

use super::answer::Answer;
use super::condition::Condition;
use super::scope::Scope;
use seam_diag::Span;
use seam_expr::{NameUse, Names};
use seam_matcher::{Judgement, NoSnapshots, Statement};
use seam_value::Value;
use std::sync::Arc;

/// The priority of a stub that says none.
pub(super) const USUAL_PRIORITY: u64 = 5;

/// Stubs that belong together: those of one file, or of one place in a test.
#[derive(Clone, Debug)]
pub struct Stubs {
    /// The stubs in their order.
    pub list: Vec<Stub>,
    /// What the stand-in remembers at first, where they say so.
    pub state: Option<Value>,
}

/// One stub.
#[derive(Clone, Debug)]
pub struct Stub {
    /// Its name, or the place where it stands: `stub 3`.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
    pub(super) request: Vec<Condition>,
    pub(super) when: Vec<Statement>,
    /// At least one.
    pub(super) answers: Vec<Answer>,
    pub(super) repeat: bool,
    pub(super) times: Option<u64>,
    pub(super) priority: u64,
}

impl Stub {
    /// The names in it that are not its own, for whoever knows which there are.
    pub fn names(&self) -> Vec<NameUse> {
        let request = self.request.iter().flat_map(Condition::names);
        let when = self.when.iter().flat_map(Statement::names);
        let answers = self.answers.iter().flat_map(Answer::names);
        let own = |used: &NameUse| !super::scope::OWN.contains(&used.name.as_str());
        request.chain(when).chain(answers).filter(own).collect()
    }

    /// Adds to what it asks of a request, as `where` beside it in a test does.
    pub fn narrow(
        &mut self,
        conditions: impl IntoIterator<Item = (seam_model::Spanned<String>, seam_model::Node)>,
        found: &mut seam_diag::Diagnostics,
    ) {
        for (mut path, expected) in conditions {
            if let Some(rest) = path.value.strip_prefix("request.") {
                path.value = rest.to_owned();
                self.request.push(Condition::read(&path, &expected, found));
            } else {
                found.push(
                    seam_diag::Diagnostic::error("a stub sees the request only")
                        .at(path.span, "")
                        .hint("begin with `request.`"),
                );
            }
        }
    }

    /// Answers at most so often, whatever it says itself.
    pub fn at_most(&mut self, times: u64) {
        self.times = Some(self.times.map_or(times, |own| own.min(times)));
    }

    /// Is it meant for this request?
    pub(super) fn asks_for(&self, request: &Value, names: &dyn Names) -> bool {
        self.request.iter().all(|condition| condition.holds(request, names))
    }

    /// The same, given a request without all that depends on what is still to come of it. None where that says it.
    pub(super) fn asks_by_head(&self, head: &Value, names: &dyn Names) -> Option<bool> {
        let mut is_known = true;
        for condition in &self.request {
            match condition.holds_by_head(head, names) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => is_known = false,
            }
        }
        is_known.then_some(true)
    }

    /// Does it do no more than let requests pass, whichever they are?
    pub(super) fn lets_pass(&self) -> bool {
        self.is_plain() && self.answers.iter().all(Answer::is_pass)
    }

    /// Is now its time?
    pub(super) fn is_time(&self, scope: &Scope<'_>) -> bool {
        if self.when.is_empty() {
            return true;
        }
        let value = scope.to_value();
        self.when.iter().all(|statement| statement.holds(&value, scope, &NoSnapshots))
    }

    /// Does it say the same to everybody at any time?
    pub(super) fn is_plain(&self) -> bool {
        let is_plain = |answer: &Answer| answer.is_plain();
        self.when.is_empty() && self.answers.iter().all(is_plain)
    }

    /// Does it look at or change what the stand-in remembers?
    pub(super) fn is_stateful(&self) -> bool {
        !self.when.is_empty() || self.answers.iter().any(Answer::uses_state)
    }

    /// All that does not hold, first of the request.
    pub(super) fn misses(&self, scope: &Scope<'_>) -> Vec<Judgement> {
        let mut all: Vec<Judgement> =
            self.request.iter().flat_map(|condition| condition.misses(scope.request, scope)).collect();
        let value = scope.to_value();
        for statement in &self.when {
            all.extend(statement.judge(&value, scope, &NoSnapshots).into_iter().filter(|one| !one.holds()));
        }
        all
    }

    /// Which of its answers is the nth, counted from 1.
    pub(super) fn answer(&self, n: u64) -> &Answer {
        let all: u64 = self.answers.iter().map(|answer| answer.times).sum();
        let mut left = if self.repeat && all > 0 { (n - 1) % all } else { n - 1 };
        for answer in &self.answers {
            if left < answer.times {
                return answer;
            }
            left -= answer.times;
        }
        self.answers.last().expect("a stub without an answer is not read")
    }
}
