//! `wait: quiet`, `wait: { seam: alerts -> db, more: 2 }`: waits for something that happens, never for time to pass.

use crate::action::{Action, StepContext, Target, Trouble};
use crate::bench::SeamFilter;
use crate::kind::{Kind, Reading};
use crate::subject::{self, Ends};
use futures_util::future::BoxFuture;
use seam_diag::Diagnostic;
use seam_event::ComponentId;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct WaitStep;

static WORD: Word = Word {
    text: "Waits until something has happened. `quiet`: no call is open and nothing has passed a seam for the time that \
           `quiet` names. With `seam` and `more`: until so many further interactions have passed that seam, counted \
           from the beginning of this step.\n\nWhat does not come by the step's `timeout` makes the test inconclusive: \
           there is then nothing to judge. There is no way to sleep for a fixed time, because a test that does is slow \
           on a fast machine and fails on a slow one; see `within` and `holds_for`.",
    subject: Shape::Either(&[
        Shape::OneOf(&["quiet"]),
        Shape::Fields(&[
            Field::required("seam", Shape::Seam, "whose interactions are waited for"),
            Field::optional("more", Shape::Integer, "how many; one if nothing is said"),
        ]),
    ]),
    results: &[Field::optional("count", Shape::Integer, "how many interactions came; 0 for `quiet`")],
    example: "\
- http: POST gateway/checkout
  json: { cart: c-1 }
- wait: quiet
- seam: orders -> paygate
  expect: { count: 1 }
",
    ..Word::new("wait", "waits until the system is quiet, or until something has passed a seam")
};

impl Kind for WaitStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        Fields::over(&step.inputs, step.span, "the `wait` step").finish(reading.found);
        if step.subject.as_text() == Some("quiet") {
            return Some(Box::new(Quiet));
        }
        if step.subject.as_map().is_none() {
            let known = step.subject.as_text().unwrap_or_default();
            let error = Diagnostic::error("a wait is for `quiet` or for a seam").at(step.subject.span, "");
            reading.found.push(match seam_diag::did_you_mean(known, ["quiet"]) {
                Some(_) => error.hint("did you mean `quiet`?"),
                None => error.hint(
                    "nothing sleeps here: wait for what has to happen, or use `within` on the next step",
                ),
            });
            return None;
        }
        let mut fields = Fields::of(&step.subject, "`wait`", reading.found);
        let seam = fields.require("seam", reading.found);
        let more = fields.integer("more", reading.found).unwrap_or(1);
        fields.finish(reading.found);
        let ends = subject::seam(seam?, reading)?;
        Some(Box::new(Further { ends, more }))
    }
}

struct Quiet;

impl Action for Quiet {
    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            cx.bench.quiet(cx.deadline).await?;
            Ok(Value::map([("count", Value::from(0_u64))]))
        })
    }
}

struct Further {
    ends: Ends,
    more: u64,
}

impl Action for Further {
    fn targets(&self) -> Vec<Target> {
        vec![self.ends.target()]
    }

    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let filter = self.ends.filter();
            let awaited = cx.bench.further(&filter, self.more, cx.deadline).await?;
            if awaited.count < self.more {
                let (seam, more) = (filter.to_string(), self.more);
                let reason = match awaited.count {
                    0 => format!("nothing passed {seam} in time, where {more} more were waited for"),
                    came => format!("only {came} of {more} passed {seam} in time"),
                };
                return Err(Trouble::inconclusive(reason));
            }
            Ok(Value::map([("count", Value::from(awaited.count))]))
        })
    }
}

impl Ends {
    /// Whom the step looks at.
    pub(crate) fn target(&self) -> Target {
        Target::Seam { consumer: self.consumer.clone(), provider: self.provider.clone(), span: self.span }
    }

    /// Its interactions.
    pub(crate) fn filter(&self) -> SeamFilter {
        SeamFilter {
            from: ComponentId::from(self.consumer.as_str()),
            to: ComponentId::from(self.provider.as_str()),
            endpoint: self.endpoint.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, mistakes, run, run_as, step};

    #[test]
    fn mistakes_are_told_at_their_place() {
        mistakes(&[
            ("- wait: quite", "a wait is for `quiet` or for a seam [quite] {did you mean `quiet`?}"),
            (
                "- wait: 3s",
                "a wait is for `quiet` or for a seam [3s] {nothing sleeps here: wait for what has to happen, or use \
                 `within` on the next step}",
            ),
            ("- wait: { more: 2 }", "`wait` needs `seam` [{ more: 2 }]"),
            ("- wait: { seam: orders -> pq }", "there is no component `pq` [pq] {did you mean `pg`?}"),
            (
                "- wait: { seam: orders to pg }",
                "this names no seam [orders to pg] {write who asks and who is asked: `orders -> paygate`}",
            ),
        ]);
    }

    #[tokio::test]
    async fn what_has_to_happen_is_waited_for() {
        let bed = Bed { further: 2, ..Bed::default() };
        run("- wait: quiet", &Actor::new(""), &bed, "{}").await;
        let came = run("- wait: { seam: orders -> pg.orders, more: 2 }", &Actor::new(""), &bed, "{}").await;
        assert_eq!(came.to_string(), r#"{"count":2}"#);
        assert_eq!(bed.asked(), ["quiet", "2 more on orders -> pg.orders"]);
        let late = step("- wait: { seam: orders -> pg, more: 3 }");
        let done = run_as(late.as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await;
        assert_eq!(done, Err(Trouble::inconclusive("only 2 of 3 passed orders -> pg in time")));
    }
}
