//! `use: buy`: does the steps of a flow.

use crate::action::{Action, StepContext, Trouble};
use crate::input::Inputs;
use crate::kind::{Kind, Reading};
use crate::subject;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::NameUse;
use seam_model::{Entry, Field, Fields, Flow, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct UseStep;

static WORD: Word = Word {
    text: "Does the steps of a flow of this file, or of one that it includes, for the actor of this step. `with` gives \
           what the flow takes; what it `gives` is the result, so `save: { order: order }` saves it under a name. The \
           flow sees nothing else of the test, and leaves nothing else in it.",
    subject: Shape::Text,
    fields: &[Field::optional("with", Shape::MapOf(&Shape::Any), "values for what the flow takes")],
    results: &[],
    example: "\
- use: buy
  with: { book: $isbn }
  save: { order: order }
",
    ..Word::new("use", "does the steps of a flow")
};

impl Kind for UseStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `use` step");
        let with = fields.map("with", reading.found);
        fields.finish(reading.found);
        let name = subject::text(&step.subject, "buy", reading)?;
        let Some(flow) = reading.flows.iter().find(|flow| flow.name.value == name) else {
            let known = reading.flows.iter().map(|flow| flow.name.value.as_str());
            let error = Diagnostic::error(format!("there is no flow `{name}`")).at(step.subject.span, "");
            reading.found.push(error.suggest(name, known));
            return None;
        };
        check_takes(flow, with, step, reading.found);
        Some(Box::new(UseFlow { name: name.to_owned(), with: Inputs::read(with, reading.found) }))
    }
}

fn check_takes(flow: &Flow, with: &[Entry], step: &Step, found: &mut Diagnostics) {
    let name = &flow.name.value;
    for entry in with {
        let key = &entry.key.value;
        if !flow.takes.iter().any(|take| take.name.value == *key) {
            let error =
                Diagnostic::error(format!("the flow `{name}` does not take `{key}`")).at(entry.key.span, "");
            found.push(error.suggest(key, flow.takes.iter().map(|take| take.name.value.as_str())));
        }
    }
    for take in &flow.takes {
        let key = &take.name.value;
        if take.default.is_none() && !with.iter().any(|entry| entry.key.value == *key) {
            found.push(
                Diagnostic::error(format!("the flow `{name}` needs `{key}`"))
                    .at(step.subject.span, "")
                    .also(take.name.span, "taken here, without a default")
                    .hint(format!("write `with: {{ {key}: … }}`")),
            );
        }
    }
}

struct UseFlow {
    name: String,
    with: Inputs,
}

impl Action for UseFlow {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.with.uses(&mut uses);
        uses
    }

    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move { Ok(Value::Map(cx.inner.flow(&self.name, self.with.values(cx.names)?).await?)) })
    }
}

#[cfg(test)]
mod tests {
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, in_a_file, read_file, run_as};

    fn file(steps: &str) -> String {
        let flows = "flows:\n  buy:\n    takes: [book, { quantity: 1 }]\n    steps:\n      - http: GET gateway/$book\n    gives: { order: $book }\n";
        flows.to_owned() + &in_a_file(steps)
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        for (steps, expect) in [
            ("- use: bye", "there is no flow `bye` [bye] (known: `buy`)"),
            ("- use: buy", "the flow `buy` needs `book` [buy] {write `with: { book: … }`}"),
            (
                "- use: buy\n  with: { book: 1, quantty: 2 }",
                "the flow `buy` does not take `quantty` [quantty] {did you mean `quantity`?}",
            ),
        ] {
            assert_eq!(read_file(&file(steps)).err().unwrap_or_default().join("\n"), expect, "{steps}");
        }
    }

    #[tokio::test]
    async fn values_go_in_and_come_out() {
        let actions = read_file(&file("- use: buy\n  with: { book: $isbn }")).unwrap();
        let bed = Bed::default();
        let result =
            run_as(actions[0].as_ref(), &Actor::new(""), &bed, r#"{"isbn":"978-0"}"#, LIMIT).await.unwrap();
        assert_eq!(result.to_string(), r#"{"order":7}"#);
        assert_eq!(bed.asked(), [r#"flow buy {"book":"978-0"}"#]);
    }
}
