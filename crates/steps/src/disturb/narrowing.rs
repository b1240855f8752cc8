//! To which interactions a fault or stub applies, and how often: the keys beside `fault` and `stub`.

use crate::filter::Filter;
use crate::paths::check_where;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{Chance, NameUse, Names};
use seam_model::{Field, Fields, Shape};
use seam_proxy::{Fault, Kind, Moment, Often, Rule, RuleSpec};
use seam_value::Value;
use seam_wire::Protocol;
use std::sync::Arc;

/// The keys, for the reference.
pub(super) const OFTEN: &[Field] = &[
    Field::optional("seam", Shape::Seam, "the seam, as `orders -> paygate`"),
    Field::optional(
        "where",
        Shape::Expectations,
        "which interactions: `{ request.path: /charge }`; all where nothing is said",
    ),
    Field::optional("times", Shape::Integer, "how often at most"),
    Field::optional("nth", Shape::Integer, "only the one of this number among those that fit, from 1"),
    Field::optional("for", Shape::Duration, "for how long"),
    Field::optional(
        "probability",
        Shape::Number,
        "how likely, from 0 to 1, drawn for each by the run's seed",
    ),
];

/// What a rule is shown of what passes.
const SHOWN: &[Field] = &[
    Field::optional("from", Shape::Text, "the consumer"),
    Field::optional("to", Shape::Text, "the provider"),
    Field::optional("seam", Shape::Text, "both"),
    Field::optional("request", Shape::Any, "what was asked"),
    Field::optional("reply", Shape::Any, "what was answered"),
    Field::optional("message", Shape::Any, "what was said"),
];

/// What stands beside `fault` and `stub`.
pub(super) struct Narrowing {
    filter: Arc<Filter>,
    filters_replies: bool,
    often: Often,
    /// The keys that choose among what passes, as far as they are there.
    chosen_by: Vec<(&'static str, Span)>,
}

impl Narrowing {
    /// `protocols` are what may be spoken there.
    pub(super) fn read(
        fields: &mut Fields<'_>,
        protocols: &[&'static dyn Protocol],
        found: &mut Diagnostics,
    ) -> Self {
        let choosing = ["where", "nth", "times", "probability"].into_iter();
        let chosen_by = choosing.filter_map(|name| Some((name, fields.take_entry(name)?.key.span))).collect();
        let entries = fields.map("where", found);
        let filters_replies = entries.iter().any(|entry| entry.key.value.starts_with("reply"));
        check_where(entries, SHOWN, protocols, found);
        let filter = Arc::new(Filter::read(entries, found));
        let often = Often {
            nth: fields.positive("nth", found),
            times: fields.positive("times", found),
            lasts: fields.duration("for", found),
            probability: probability(fields, found),
        };
        Self { filter, filters_replies, often, chosen_by }
    }

    /// Tells keys that choose among interactions, where the fault is about connections as a whole.
    pub(super) fn check(&self, fault: &dyn Fault, found: &mut Diagnostics) {
        for (name, span) in self.stray(fault) {
            let error = Diagnostic::error(no_choice(name)).at(*span, "");
            found.push(error.hint(
                "`for` says how long it lasts; `seam explain fault` has the faults that strike interactions",
            ));
        }
    }

    /// The rule that does this to what is chosen; why it can't be, one line.
    pub(super) fn rule(
        &self,
        (name, kind): (String, Kind),
        names: &Arc<dyn Names + Send + Sync>,
        chance: Chance,
    ) -> Result<Rule, String> {
        if let Kind::Fault(fault) = &kind
            && let Some((name, _)) = self.stray(&**fault).first()
        {
            return Err(no_choice(name));
        }
        let filter = (!self.filter.is_empty()).then(|| {
            let (filter, names) = (Arc::clone(&self.filter), Arc::clone(names));
            let fits = move |interaction: &Value| {
                matches!(filter.holds(interaction, false, &*names), Ok(Some(true)))
            };
            Box::new(fits) as seam_proxy::Filter
        });
        let Self { filters_replies, often, .. } = *self;
        let rule = Rule::new(RuleSpec { name, kind, filter, filters_replies, often, chance });
        let (filter, names) = (Arc::clone(&self.filter), Arc::clone(names));
        Ok(rule.knowing_heads(Box::new(move |head| filter.by_head(head, &*names))))
    }

    /// The variables in it.
    pub(super) fn uses(&self, into: &mut Vec<NameUse>) {
        self.filter.uses(into);
    }

    fn stray(&self, fault: &dyn Fault) -> &[(&'static str, Span)] {
        if fault.moment() == Moment::Connection { &self.chosen_by } else { &[] }
    }
}

fn no_choice(name: &str) -> String {
    format!("this fault is about connections as a whole: nothing can be chosen with `{name}`")
}

fn probability(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<f64> {
    let node = fields.take("probability")?;
    let value =
        node.to_value().to_plain_text().parse::<f64>().ok().filter(|value| (0.0..=1.0).contains(value));
    if value.is_none() {
        found.push(Diagnostic::error("`probability` is a number from 0 to 1").at(node.span, ""));
    }
    value
}

#[cfg(test)]
mod tests {
    use crate::testing::read;

    #[test]
    fn paths_that_no_interaction_has_are_told() {
        for (text, expected) in [
            (
                "- fault: reset\n  seam: orders -> paygate\n  where: { path: /x }",
                "no interaction of `http` has `path` [path]",
            ),
            (
                "- fault: reset\n  seam: orders -> paygate\n  where: { request.paht: /x }",
                "no interaction of `http` has `request.paht` [request.paht] {did you mean `path`?}",
            ),
            (
                "- fault: reset\n  seam: orders -> paygate\n  where: { request.statement: select }",
                "no interaction of `http` has `request.statement` [request.statement]",
            ),
            (
                "- fault: reset\n  seam: orders -> mail\n  where: { message.topic: a }",
                "no interaction of `smtp` has `message.topic` [message.topic]",
            ),
            (
                "- fault: reset\n  seam: orders -> pg\n  where: { reply.error.cod: a }",
                "no interaction of `postgres` has `reply.error.cod` [reply.error.cod] {did you mean `code`?}",
            ),
            (
                "- fault: reset\n  seam: orders -> paygate\n  where: { elapsed: 1s }",
                "`elapsed` is not known yet when this is asked [elapsed",
            ),
            (
                "- stub: { reply: {} }\n  seam: orders -> paygate\n  where: { message.kind: a }",
                "no interaction of `http` has `message.kind` [message.kind]",
            ),
            (
                "- seam: orders -> paygate\n  where: { message.topic: a }",
                "no interaction of `http` has `message.topic`",
            ),
            (
                "- seam: orders -> redis\n  where: { request.path: a }",
                "no interaction of `redis` has `request.path`",
            ),
        ] {
            let told = read(text).err().unwrap_or_default().join("\n");
            assert!(told.contains(expected), "{text}: {told}");
        }
        // On such an endpoint may pass what is no gRPC.
        for text in [
            "- fault: reset\n  seam: gateway -> orders\n  where: { request.body.anything: 1, reply.headers.x: a }",
            "- seam: orders -> gateway.rpc\n  where: { request.service: a, request.path: /x }",
            "- seam: orders -> gateway\n  where: { request.service: a, request.path: /x, elapsed: 1s }",
        ] {
            assert_eq!(read(text).err(), None, "{text}");
        }
    }
}
