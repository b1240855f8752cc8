//! `seam: orders -> paygate`: what passed between two components since the test began.

use crate::action::{Action, StepContext, Target, Trouble};
use crate::filter::Filter;
use crate::kind::{Kind, Reading};
use crate::paths::{INTERACTION, check_where};
use crate::subject::{self, Ends};
use futures_util::future::BoxFuture;
use seam_expr::NameUse;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;

/// The kind.
pub(crate) struct SeamStep;

static WORD: Word = Word {
    text: "Looks at what passed from one component to another since the test's first step (not since its fixtures), in \
           the order in which requests began. `orders -> pg.stock` is one endpoint of the provider, `orders -> pg` all \
           of them; `test` is the test itself. Any two components may be named, also where no seam is declared: what \
           must not be called is expected as `count: 0`.\n\n\
           `where` narrows it with the paths and matchers of `expect`. A step without `within` first waits until the \
           test is quiet, so that a count is final; under `within` it is tried again while more comes, and judged once \
           more when the test is quiet.",
    subject: Shape::Seam,
    fields: &[Field::optional(
        "where",
        Shape::Expectations,
        "only those of which this holds: `{ request.path: /charge }`",
    )],
    results: &[
        Field::optional("count", Shape::Integer, "how many there are"),
        Field::optional(
            "interactions",
            Shape::List(&Shape::Fields(INTERACTION)),
            "what passed, in the order in which requests began",
        ),
    ],
    example: "\
- http: POST gateway/checkout
  json: { cart: c-1 }
- seam: orders -> paygate
  where: { request.path: /charges }
  expect: { count: 1, interactions.0.request.body.amount: 3990 }
- seam: gateway -> paygate
  expect: { count: 0 }
",
    ..Word::new("seam", "looks at what passed from one component to another")
};

impl Kind for SeamStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `seam` step");
        let entries = fields.map("where", reading.found);
        let filter = Filter::read(entries, reading.found);
        fields.finish(reading.found);
        let ends = subject::seam(&step.subject, reading);
        let protocols = ends.as_ref().map_or_else(Vec::new, |ends| ends.protocols(reading.system));
        check_where(entries, INTERACTION, &protocols, reading.found);
        Some(Box::new(Passed { ends: ends?, filter }))
    }
}

struct Passed {
    ends: Ends,
    filter: Filter,
}

impl Action for Passed {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.filter.uses(&mut uses);
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.ends.target()]
    }

    fn only_reads(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            if cx.settle {
                cx.bench.quiet(cx.deadline).await?;
            }
            let seam = self.ends.filter();
            let mut fitting = Vec::new();
            for interaction in cx.bench.interactions(&seam).await? {
                let value = interaction.to_value();
                match self.filter.holds(&value, interaction.cut, cx.names)? {
                    Some(true) => fitting.push(value),
                    Some(false) => {}
                    None => {
                        let reason =
                            format!("`where` looks at more of what passed {seam} than is kept of it");
                        return Err(Trouble::inconclusive(reason));
                    }
                }
            }
            Ok(Value::map([("count", Value::from(fitting.len())), ("interactions", Value::List(fitting))]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, mistakes, run, run_as, step};
    use seam_event::{Caller, ComponentId, Interaction, SeamId};
    use std::sync::Arc;
    use std::time::Duration;

    fn interaction(from: &str, to: &str, endpoint: &str, request: &str) -> Interaction {
        let seam = SeamId { consumer: from.into(), provider: to.into(), endpoint: endpoint.into() };
        Interaction {
            id: 1,
            seam,
            from: ComponentId::from(from),
            to: ComponentId::from(to),
            via: None,
            caller: Caller::Known,
            protocol: "http".to_owned(),
            connection: 1,
            at: Duration::from_millis(5),
            elapsed: None,
            error: None,
            request: seam_value::parse(request).unwrap(),
            reply: Value::Null,
            message: Value::Null,
            cut: false,
            answered_by: None,
        }
    }

    fn bed() -> Bed {
        let all = [
            interaction("orders", "gateway", "", r#"{"path":"/charges","body":{"amount":3990}}"#),
            interaction("orders", "gateway", "admin", r#"{"path":"/charges","body":{"amount":10}}"#),
            interaction("orders", "gateway", "", r#"{"path":"/ping"}"#),
            interaction("gateway", "orders", "", r#"{"path":"/charges"}"#),
            interaction("test", "gateway", "", r#"{"path":"/charges"}"#),
        ];
        Bed { interactions: all.into_iter().map(Arc::new).collect(), ..Bed::default() }
    }

    async fn shown(yaml: &str) -> String {
        let result = run(yaml, &Actor::new(""), &bed(), r#"{"path":"/charges"}"#).await;
        let Some(Value::List(interactions)) = result.get("interactions") else { panic!("{result}") };
        assert_eq!(result.get("count"), Some(&Value::from(interactions.len())));
        let request = |one: &Value| {
            let request = one.get("request").unwrap();
            let amount = request.get("body").and_then(|body| body.get("amount"));
            format!("{} {}", request.get("path").unwrap(), amount.cloned().unwrap_or_default())
        };
        interactions.iter().map(request).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        mistakes(&[
            ("- seam: orders -> pq", "there is no component `pq` [pq] {did you mean `pg`?}"),
            (
                "- seam: orders -> pg.order",
                "`pg` has no endpoint or database `order` [order] {did you mean `orders`?}",
            ),
            (
                "- seam: orders -> gateway\n  were: { request.path: / }",
                "unknown key `were` in the step `seam` [were] {did you mean `where`?}",
            ),
            (
                "- seam: orders -> gateway\n  where: { request.path: { start_with: / } }",
                "`start_with` is no matcher [start_with] {did you mean `starts_with`?}",
            ),
        ]);
    }

    #[tokio::test]
    async fn what_passed_is_narrowed() {
        for (yaml, expect) in [
            ("- seam: orders -> gateway", r#""/charges" 3990, "/charges" 10, "/ping" null"#),
            ("- seam: orders -> gateway.admin", r#""/charges" 10"#),
            ("- seam: test -> gateway", r#""/charges" null"#),
            ("- seam: gateway -> pg", ""),
            (
                "- seam: orders -> gateway\n  where: { request.path: $path, request.body.amount: { above: 10 } }",
                r#""/charges" 3990"#,
            ),
            ("- seam: orders -> gateway\n  where: { request.body: { exists: false } }", r#""/ping" null"#),
            ("- seam: orders -> gateway\n  where: { error: refused }", ""),
        ] {
            assert_eq!(shown(yaml).await, expect, "{yaml}");
        }
    }

    #[tokio::test]
    async fn a_count_is_final_before_it_is_judged() {
        let bed = bed();
        run("- seam: orders -> gateway", &Actor::new(""), &bed, "{}").await;
        assert_eq!(bed.asked(), ["quiet", "interactions orders -> gateway"]);
    }

    #[tokio::test]
    async fn what_cannot_be_told_is_not_taken_for_no() {
        let mut bed = bed();
        let mut cut = interaction("orders", "gateway", "", r#"{"path":"/big","text":"aaa"}"#);
        cut.cut = true;
        bed.interactions = vec![Arc::new(cut)];
        let step = step("- seam: orders -> gateway\n  where: { request.text: { contains: z } }");
        let done = run_as(step.as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await;
        let reason = "`where` looks at more of what passed orders -> gateway than is kept of it";
        assert_eq!(done, Err(Trouble::inconclusive(reason)));
        for (path, expect) in [("/big", "1"), ("/small", "0")] {
            let yaml = format!("- seam: orders -> gateway\n  where: {{ request.path: {path} }}");
            let result = run(&yaml, &Actor::new(""), &bed, "{}").await;
            assert_eq!(result.get("count").unwrap().to_string(), expect);
        }
        let yaml = "- seam: orders -> gateway\n  where: { request.path: $order.path }";
        let step = super::super::testing::step(yaml);
        let done = run_as(step.as_ref(), &Actor::new(""), &bed, r#"{"order":{}}"#, LIMIT).await;
        assert!(matches!(done, Err(Trouble::Failed { .. })), "{done:?}");
    }
}
