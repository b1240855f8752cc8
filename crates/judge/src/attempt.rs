//! What is known of one try of a test, or of what belongs to no test, while events come in.

use crate::grade::Grade;
use crate::verdict::{Attempt, Finding, Found, StepReference, Window};
use seam_event::{Event, Judged, Level, Notice, Outcome, Part, Place, Scope, SeamId, StageOf};
use std::collections::HashMap;

/// Something that could not be kept, and from when to when things may be missing.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) of: String,
    pub(crate) seam: Option<SeamId>,
    pub(crate) count: u64,
    pub(crate) since: u64,
    pub(crate) seq: u64,
}

/// One attempt as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Trying {
    pub(crate) number: u32,
    pub(crate) window: Window,
    pub(crate) ended: bool,
    steps: HashMap<String, StepReference>,
    judged: Vec<Judgement>,
    /// Where in `judged` the expectation stands that may be judged again.
    again: HashMap<Key, usize>,
    findings: Vec<Finding>,
    warnings: Vec<Notice>,
}

/// One judged expectation. What was said is kept only where it did not hold.
#[derive(Debug)]
struct Judgement {
    seq: u64,
    key: Key,
    counts: bool,
    said: Option<Judged>,
}

/// What makes two judgements ones of the same expectation: step, place, path and matcher.
type Key = (Option<String>, Place, String, String);

impl Judgement {
    fn step(&self) -> Option<&str> {
        self.key.0.as_deref()
    }
}

impl Trying {
    /// An attempt of which nothing is known but its number.
    pub(crate) fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Takes in that something happened during it.
    pub(crate) fn lasts(&mut self, event: &Event) {
        if self.window.first == 0 {
            self.window = Window { first: event.seq, last: event.seq, from: event.at, to: event.at };
        }
        self.window.last = event.seq;
        self.window.to = event.at;
    }

    /// It begins: what was told of it before (its state was restored) is no part of its time.
    pub(crate) fn begin(&mut self, event: &Event) {
        self.window = Window { first: event.seq, last: event.seq, from: event.at, to: event.at };
    }

    /// A step began, ended or was left out. One that begins again is tried again: what was judged before is void.
    pub(crate) fn step(&mut self, event: &Event, reference: StepReference, stage: &StageOf) {
        if *stage == StageOf::Began {
            self.forget(&reference.path);
        }
        let trouble = match stage {
            StageOf::Began | StageOf::Ended | StageOf::LeftOut(_) => None,
            StageOf::Errored(reason) => Some((Grade::Errored, reason)),
            StageOf::Inconclusive(reason) => Some((Grade::Inconclusive, reason)),
        };
        if let Some((grade, reason)) = trouble {
            let found = Found::Step(reason.clone());
            let (step, invariant) = (Some(reference.clone()), invariant(&event.scope));
            self.findings.push(Finding { seq: event.seq, grade, step, invariant, found });
        }
        self.steps.insert(reference.path.clone(), reference);
    }

    fn forget(&mut self, path: &str) {
        let is_of =
            |step: &str| step.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let before = self.judged.len();
        self.judged.retain(|judgement| !judgement.step().is_some_and(is_of));
        if self.judged.len() < before {
            let keys = self.judged.iter().map(|judgement| judgement.key.clone());
            self.again = keys.zip(0..).collect();
        }
        self.findings.retain(|finding| !finding.step.as_ref().is_some_and(|step| is_of(&step.path)));
    }

    /// An expectation was judged; the last time it was is what counts.
    pub(crate) fn judged(&mut self, event: &Event, judged: &Judged) {
        let part = event.scope.part();
        let key = (event.scope.step.clone(), judged.place, judged.path.clone(), judged.matcher.clone());
        let judgement = Judgement {
            seq: event.seq,
            key: key.clone(),
            // What a fixture expects, and what holds for every test, is no check of this one.
            counts: judged.written && matches!(part, None | Some(Part::Steps | Part::Finally)),
            said: (judged.outcome != Outcome::Held).then(|| judged.clone()),
        };
        let key = (event.scope.step.clone(), judged.place, judged.path.clone(), judged.matcher.clone());
        if let Some(index) = self.again.get(&key) {
            self.judged[*index] = judgement;
        } else {
            self.again.insert(key, self.judged.len());
            self.judged.push(judgement);
        }
    }

    /// Something was told.
    pub(crate) fn notice(&mut self, event: &Event, notice: &Notice) {
        let grade = match notice.level {
            Level::Warning => return self.warnings.push(notice.clone()),
            Level::Inconclusive => Grade::Inconclusive,
            Level::Failure => Grade::Failed,
            Level::Error => Grade::Errored,
        };
        let step = event.scope.step.as_ref().and_then(|path| self.steps.get(path)).cloned();
        let (invariant, found) = (invariant(&event.scope), Found::Notice(notice.clone()));
        self.findings.push(Finding { seq: event.seq, grade, step, invariant, found });
    }

    /// It is over; nothing of it is judged again.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.again = HashMap::new();
    }

    /// What it comes to, given what could not be kept.
    pub(crate) fn attempt(&self, losses: &[Loss]) -> Attempt {
        let mut findings = self.findings.clone();
        findings.extend(self.judged.iter().filter_map(|judgement| self.finding(judgement)));
        for loss in losses.iter().filter(|loss| loss.since < self.window.last && loss.seq > self.window.first)
        {
            self.weaken(&mut findings, loss);
        }
        findings.sort_by_key(|finding| finding.seq);
        Attempt {
            number: self.number,
            outcome: worst(&findings).into(),
            reason: None,
            findings,
            warnings: self.warnings.clone(),
            checks: self.judged.iter().filter(|judgement| judgement.counts).count(),
            took: self.window.to.saturating_sub(self.window.from),
            window: self.window,
            suspects: Vec::new(),
        }
    }

    fn finding(&self, judgement: &Judgement) -> Option<Finding> {
        let said = judgement.said.as_ref()?;
        let grade = match said.outcome {
            Outcome::Held => return None,
            Outcome::Failed => Grade::Failed,
            Outcome::Inconclusive => Grade::Inconclusive,
        };
        let step = judgement.step().map(|path| {
            self.steps.get(path).cloned().unwrap_or_else(|| StepReference {
                path: path.to_owned(),
                name: String::new(),
                action: String::new(),
                place: None,
            })
        });
        let scope = Scope { step: judgement.key.0.clone(), ..Scope::default() };
        let (invariant, found) = (invariant(&scope), Found::Judged(said.clone()));
        Some(Finding { seq: judgement.seq, grade, step, invariant, found })
    }

    /// What a step counted can't be judged where some of it was lost, whichever way it was judged.
    fn weaken(&self, findings: &mut Vec<Finding>, loss: &Loss) {
        let text = match &loss.seam {
            Some(seam) => format!("{} {} on {seam} could not be kept", loss.count, loss.of),
            None => format!("{} {} could not be kept", loss.count, loss.of),
        };
        if loss.of == "events" {
            let found = Found::Notice(Notice::new(Level::Inconclusive, text));
            findings.push(Finding {
                seq: loss.seq,
                grade: Grade::Inconclusive,
                step: None,
                invariant: None,
                found,
            });
            return;
        }
        let mut counted: Vec<&StepReference> = self
            .judged
            .iter()
            .filter_map(|judgement| self.steps.get(judgement.step()?))
            .filter(|step| loss.touches(&step.action))
            .collect();
        counted.sort_by(|one, other| one.path.cmp(&other.path));
        counted.dedup();
        for step in counted {
            for finding in findings.iter_mut().filter(|finding| finding.step.as_ref() == Some(step)) {
                finding.grade = finding.grade.min(Grade::Inconclusive);
            }
            let found = Found::Step(format!("{text}, so that this can't be counted"));
            let scope = Scope { step: Some(step.path.clone()), ..Scope::default() };
            let (step, invariant) = (Some(step.clone()), invariant(&scope));
            findings.push(Finding { seq: loss.seq, grade: Grade::Inconclusive, step, invariant, found });
        }
    }
}

/// What findings come to.
pub(crate) fn worst(findings: &[Finding]) -> Grade {
    findings.iter().map(|finding| finding.grade).max().unwrap_or_default()
}

impl Loss {
    /// Does a step with this action count what was lost?
    fn touches(&self, action: &str) -> bool {
        let Some((kind, subject)) = action.split_once(':') else { return false };
        match (kind.trim(), self.of.as_str()) {
            ("seam", "interactions" | "connections") => {
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                self.seam.as_ref().is_none_or(|seam| words(subject) == words(&seam.to_string()))
            }
            ("log", "lines") => true,
            _ => false,
        }
    }
}

fn invariant(scope: &Scope) -> Option<String> {
    match scope.part()? {
        Part::Invariant(name) => Some(name.to_owned()),
        Part::Steps | Part::Finally | Part::Needs(_) | Part::Cleanup(_) | Part::Settled => None,
    }
}
