//! `not: 5`, `not: { contains: error }`: a value, or matchers, that must not hold.

use crate::kind::{Finding, Kind, Matcher, ReadFile, Scene};
use crate::rule::Rule;
use crate::show;
use seam_diag::{Diagnostics, Span};
use seam_event::Outcome;
use seam_expr::{Missing, NameUse};
use seam_model::{Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "A plain value must not be equal; of a map of matchers at least one must not hold. The path must be there \
               all the same: for what must not be there write `exists: false`.",
        subject: Shape::Matchers,
        example: "# body: {\"state\": \"paid\", \"text\": \"thank you\"}\n\
                  expect:\n  body.state: { not: open }\n  body.text: { not: { contains: error } }\n",
        ..Word::new("not", "anything but this")
    },
    read: |node, found| {
        let rule = Rule::read(node, "not", found);
        (!rule.checks.is_empty()).then(|| Arc::new(Not { rule }) as Arc<_>)
    },
};

#[derive(Debug)]
struct Not {
    rule: Rule,
}

impl Matcher for Not {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let judged = self.rule.judge(actual, scene);
        let expected = match judged.as_slice() {
            [(_, only)] => only.expected.clone(),
            _ => None,
        };
        let finding = match judged.iter().find(|(_, finding)| finding.outcome == Outcome::Inconclusive) {
            Some((_, undecided)) => undecided.clone(),
            None => Finding::when(judged.iter().any(|(_, finding)| !finding.holds()), || {
                format!("{}, which it must not be", show::actual(actual, None))
            }),
        };
        Finding { expected, ..finding }
    }

    fn judge_missing(&self, missing: &Missing) -> Option<Finding> {
        let (_, finding) =
            self.rule.checks.iter().find_map(|check| Some((check, check.matcher.judge_missing(missing)?)))?;
        Some(Finding::when(!finding.holds(), || "not there".to_owned()))
    }

    fn names(&self) -> Vec<NameUse> {
        self.rule.names()
    }

    fn check_files(&self, read: ReadFile<'_>, found: &mut Diagnostics) {
        self.rule.check_files(read, found);
    }

    fn files(&self) -> Vec<(String, Span)> {
        self.rule.files()
    }
}
