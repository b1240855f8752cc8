//! `fault: cut`, `seam: consumer -> redis`: breaks something on purpose, now and until the test's end.

use super::Disturbance;
use super::narrowing::OFTEN;
use crate::action::{Action, StepContext, Target, Trouble};
use crate::kind::{Kind, Reading};
use futures_util::future::BoxFuture;
use seam_expr::NameUse;
use seam_model::{Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct FaultStep;

static WORD: Word = Word {
    text: "Puts a fault on a seam. `cut` strikes at once; all others stay on the seam until the test's last step has ended \
           (before `finally`). Where it should be there for one step or for the whole test, `under` is shorter.\n\n\
           The fault is a word (`refuse`, `reset`, `hang`, `cut`, `reply_lost`, `duplicate`) or a map of one kind to its \
           argument; the reference lists all of them. `where` narrows it to some interactions, `nth`, `times`, `for` and \
           `probability` to some of those. A fault that is never reached makes the test inconclusive.",
    subject: Shape::Any,
    fields: OFTEN,
    example: "\
- fault: { status: 503 }
  seam: orders -> paygate
  where: { request.method: POST }
  times: 1
- http: POST gateway/checkout
  json: { cart: c-1 }
  expect: { status: 201 }
",
    ..Word::new("fault", "puts a fault on a seam")
};

impl Kind for FaultStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `fault` step");
        let disturbance = Disturbance::of_fault(&step.subject, &mut fields, Some(step.span), reading);
        fields.finish(reading.found);
        Some(Box::new(Puts(disturbance?)))
    }
}

/// Puts something on a seam.
pub(super) struct Puts(pub(super) Disturbance);

impl Action for Puts {
    fn uses(&self) -> Vec<NameUse> {
        self.0.uses()
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.0.target()]
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            // The bench remembers it and takes it away at the test's end.
            self.0.put(cx.names, cx.bench).await?;
            Ok(Value::Null)
        })
    }
}
