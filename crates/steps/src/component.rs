//! `component: stop orders`: does something to a component, as an operator or an accident would.

use crate::action::{Action, StepContext, Target, Trouble};
use crate::bench::Act;
use crate::input::{Part, Piece, pieces};
use crate::kind::{Kind, Reading};
use crate::subject;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Span};
use seam_expr::NameUse;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct ComponentStep;

const ACTS: &[(&str, Act)] = &[
    ("start", Act::Start),
    ("stop", Act::Stop),
    ("kill", Act::Kill),
    ("restart", Act::Restart),
    ("pause", Act::Pause),
    ("resume", Act::Resume),
];

static WORD: Word = Word {
    text: "Starts, stops, kills, restarts, pauses or resumes a component. What is so already is left as it is. `stop` and \
           `kill` come back when the component's whole tree of processes is gone, `start` and `restart` when it is ready \
           again. `pause` holds it where it is, its connections stay open and nothing answers.\n\nWhen the test ends, \
           all is as it was before.",
    subject: Shape::Text,
    results: &[
        Field::optional("component", Shape::Text, "whom it was done to"),
        Field::optional("done", Shape::Text, "what was done"),
    ],
    example: "\
- component: stop notify
- http: POST gateway/checkout
  json: { cart: c-1 }
  expect: { status: 201 }
- component: start notify
- mail: mail
  within: 10s
  expect: { count: 1 }
",
    ..Word::new("component", "starts, stops, kills, restarts, pauses or resumes a component")
};

impl Kind for ComponentStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        Fields::over(&step.inputs, step.span, "the `component` step").finish(reading.found);
        subject::text(&step.subject, "stop orders", reading)?;
        let pieces = pieces(&step.subject, reading.found)?;
        let Some((Piece::Fixed { text, .. }, rest)) = pieces.split_first() else {
            reading.found.push(unclear(step));
            return None;
        };
        let (word, name) = text.trim_start().split_once(' ').unwrap_or((text.trim(), ""));
        let Some((_, act)) = ACTS.iter().find(|(known, _)| *known == word) else {
            let error = Diagnostic::error(format!("`{word}` is nothing that can be done to a component"));
            let known = ACTS.iter().map(|(known, _)| *known);
            let place = step.subject.part(text.len() - text.trim_start().len(), word.len());
            reading.found.push(error.at(place, "").suggest(word, known));
            return None;
        };
        let name = name.trim();
        let whom = match rest {
            [] if !name.is_empty() => {
                let place = step.subject.part(text.find(name).unwrap_or_default(), name.len());
                Whom::Named(subject::component(name, place, reading)?, place)
            }
            [Piece::Part(variable)] if name.is_empty() => Whom::Variable(variable.clone()),
            _ => {
                reading.found.push(unclear(step));
                return None;
            }
        };
        Some(Box::new(Doing { act: *act, word: word.to_owned(), whom }))
    }
}

fn unclear(step: &Step) -> Diagnostic {
    Diagnostic::error("one action and one component are needed here")
        .at(step.subject.span, "")
        .hint("write it like `stop orders` or `stop $component`")
}

struct Doing {
    act: Act,
    word: String,
    whom: Whom,
}

enum Whom {
    Named(String, Span),
    Variable(Part),
}

impl Action for Doing {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        if let Whom::Variable(variable) = &self.whom {
            variable.uses(&mut uses);
        }
        uses
    }

    fn targets(&self) -> Vec<Target> {
        match &self.whom {
            Whom::Named(component, span) => {
                vec![Target::Component { component: component.clone(), span: *span }]
            }
            Whom::Variable(variable) => vec![Target::Unknown { span: variable.span() }],
        }
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let component = match &self.whom {
                Whom::Named(component, _) => component.clone(),
                Whom::Variable(variable) => variable.value(cx.names)?.to_plain_text(),
            };
            cx.bench.control(&component, self.act, cx.deadline).await?;
            Ok(Value::map([("component", Value::Text(component)), ("done", Value::text(&self.word))]))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::actor::Actor;
    use crate::testing::{Bed, mistakes, run};

    #[test]
    fn mistakes_are_told_at_their_place() {
        mistakes(&[
            ("- component: stop order", "there is no component `order` [order] {did you mean `orders`?}"),
            (
                "- component: stopp orders",
                "`stopp` is nothing that can be done to a component [stopp] {did you mean `stop`?}",
            ),
            (
                "- component: stop",
                "one action and one component are needed here [stop] {write it like `stop orders` or `stop $component`}",
            ),
            (
                "- component: stop $a $b",
                "one action and one component are needed here [stop $a $b] \
                 {write it like `stop orders` or `stop $component`}",
            ),
        ]);
    }

    #[tokio::test]
    async fn what_is_said_is_done() {
        let bed = Bed::default();
        for text in [
            "stop orders",
            "start $station",
            "kill orders",
            "restart orders",
            "pause  orders",
            "resume orders",
        ] {
            run(&format!("- component: {text}"), &Actor::new(""), &bed, r#"{"station":"gateway"}"#).await;
        }
        let expect = [
            "Stop orders",
            "Start gateway",
            "Kill orders",
            "Restart orders",
            "Pause orders",
            "Resume orders",
        ];
        assert_eq!(bed.asked(), expect);
    }
}
