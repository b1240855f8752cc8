//! `log: orders`: what a component said since the test began.

use crate::action::{Action, StepContext, Target, Trouble};
use crate::kind::{Kind, Reading};
use crate::subject;
use futures_util::future::BoxFuture;
use seam_diag::Span;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct LogStep;

static WORD: Word = Word {
    text: "Looks at the lines that a component said since the test began, on its standard output and its standard error, \
           in the order in which they came. A step without `within` first waits until the test is quiet, so that what is \
           not said by then is not said.",
    subject: Shape::Component,
    results: &[
        Field::optional("lines", Shape::List(&Shape::Text), "the lines without their ends, the oldest first"),
        Field::optional("count", Shape::Integer, "how many there are"),
        Field::optional("text", Shape::Text, "all of them as one text"),
    ],
    example: "\
- http: POST gateway/checkout
  json: { cart: c-1 }
- log: orders
  expect:
    lines: { any: { contains: order stored } }
    text: { not: { contains: panicked } }
",
    ..Word::new("log", "looks at what a component said since the test began")
};

impl Kind for LogStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        Fields::over(&step.inputs, step.span, "the `log` step").finish(reading.found);
        let name = subject::text(&step.subject, "orders", reading)?;
        let component = subject::component(name, step.subject.span, reading)?;
        Some(Box::new(Said { component, span: step.subject.span }))
    }
}

struct Said {
    component: String,
    span: Span,
}

impl Action for Said {
    fn targets(&self) -> Vec<Target> {
        vec![Target::Component { component: self.component.clone(), span: self.span }]
    }

    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            if cx.settle {
                cx.bench.quiet(cx.deadline).await?;
            }
            let said = cx.bench.lines(&self.component)?;
            let text: String = said.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
            let lines: Vec<Value> = said.into_iter().map(|line| Value::Text(line.text)).collect();
            Ok(Value::map([
                ("count", Value::from(lines.len())),
                ("lines", Value::List(lines)),
                ("text", Value::Text(text)),
            ]))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::actor::Actor;
    use crate::bench::SaidLine;
    use crate::testing::{Bed, mistakes, run};

    #[tokio::test]
    async fn what_was_said_comes_line_by_line() {
        mistakes(&[("- log: order", "there is no component `order` [order] {did you mean `orders`?}")]);
        let line = |number, text: &str| SaidLine { number, error: number == 2, text: text.to_owned() };
        let bed = Bed { lines: vec![line(1, "up"), line(2, "over")], ..Bed::default() };
        let said = run("- log: orders", &Actor::new(""), &bed, "{}").await;
        assert_eq!(said.to_string(), r#"{"count":2,"lines":["up","over"],"text":"up\nover\n"}"#);
        assert_eq!(bed.asked(), ["quiet"]);
        let nothing = run("- log: orders", &Actor::new(""), &Bed::default(), "{}").await;
        assert_eq!(nothing.to_string(), r#"{"count":0,"lines":[],"text":""}"#);
    }
}
