//! `together`: several steps at the same moment.

use crate::action::{Action, StepContext, Trouble};
use crate::kind::{Kind, Reading};
use futures_util::future::BoxFuture;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct TogetherStep;

static WORD: Word = Word {
    text: "Makes its steps ready, starts them at the same moment and waits for all of them. `results` has the result of \
           each in the written order. Where the step has an `expect` of its own, what is expected unsaid of the steps \
           inside it (a status below 400, no SQL error) falls away.",
    subject: Shape::Steps,
    results: &[Field::optional(
        "results",
        Shape::List(&Shape::Any),
        "the results of the steps, in the written order",
    )],
    example: "\
- name: Two customers, one copy
  together:
    - { as: ann, http: POST gateway/orders, json: { isbn: \"978-0\", quantity: 1 } }
    - { as: bob, http: POST gateway/orders, json: { isbn: \"978-0\", quantity: 1 } }
  expect:
    results.*.status: { in_any_order: [201, 409] }
",
    ..Word::new("together", "starts several steps at the same moment")
};

impl Kind for TogetherStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        Fields::over(&step.inputs, step.span, "the `together` step").finish(reading.found);
        // Where there are none, whoever read the steps has told it.
        if step.children.is_empty() {
            return None;
        }
        Some(Box::new(Together))
    }
}

struct Together;

impl Action for Together {
    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let results = cx.inner.together().await?;
            Ok(Value::map([("results", Value::List(results))]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::testing::{Bed, mistakes, run};

    #[tokio::test]
    async fn results_come_in_the_written_order() {
        mistakes(&[("- together: []", "`together` has no steps [[]]")]);
        let bed = Bed { inside: vec![Value::from(1_i64), Value::from(2_i64)], ..Bed::default() };
        let yaml = "- together:\n    - http: GET gateway/a\n    - http: GET gateway/b";
        assert_eq!(run(yaml, &Actor::new(""), &bed, "{}").await.to_string(), r#"{"results":[1,2]}"#);
    }
}
