//! To which interactions a fault or stub applies, and how often: the keys beside `fault` and `stub`.

use crate::filter::Filter;
use crate::paths::check_where;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{Chance, NameUse, Names};
use seam_model::{Entry, Field, Fields, Shape};
use seam_proxy::{Fault, Kind, Moment, Often, Rule, RuleSpec};
use seam_value::Value;
use seam_wire::{Deed, Protocol};
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
    /// Does the filter look at calls, at messages that nobody answers?
    looks_at_calls: Option<Span>,
    looks_at_messages: Option<Span>,
    looks_at_replies: Option<Span>,
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
        let looks_at = |parts: &[&str]| {
            let is_of =
                |entry: &&Entry| parts.contains(&entry.key.value.split('.').next().unwrap_or_default());
            entries.iter().find(is_of).map(|entry| entry.key.span)
        };
        let looks_at_replies = looks_at(&["reply"]);
        let filters_replies = looks_at_replies.is_some();
        let (looks_at_calls, looks_at_messages) = (looks_at(&["request", "reply"]), looks_at(&["message"]));
        check_where(entries, SHOWN, protocols, found);
        let filter = Arc::new(Filter::read(entries, found));
        let often = Often {
            nth: fields.positive("nth", found),
            times: fields.positive("times", found),
            lasts: fields.duration("for", found),
            probability: probability(fields, found),
        };
        Self {
            filter,
            filters_replies,
            looks_at_calls,
            looks_at_messages,
            looks_at_replies,
            often,
            chosen_by,
        }
    }

    /// Tells what can't go with a fault: keys that choose among interactions, where it is about connections as a whole; what
    /// is chosen and it can't strike.
    pub(super) fn check(&self, fault: &dyn Fault, found: &mut Diagnostics) {
        if let (Some(reason), Some(span)) = (fault.precedes(), self.looks_at_replies) {
            found.push(Diagnostic::error(reason).at(span, "this is known once it is answered"));
        }
        let deeds = fault.deeds();
        if let Some(span) = self
            .looks_at_messages
            .filter(|_| !deeds.is_empty() && deeds.iter().all(|deed| is_of_replies(*deed)))
        {
            let error =
                Diagnostic::error("a message that nobody answers has no field of a reply").at(span, "");
            found.push(error.hint("name a field of the message: `mistype: message.body.total`"));
        }
        if let Some(span) = self.looks_at_calls.filter(|_| deeds == [Deed::ChangeMessage]) {
            let error =
                Diagnostic::error("a call has no field of a message that nobody answers").at(span, "");
            found.push(error.hint("choose by what the message says: `where: { message.topic: orders }`"));
        }
        if let (Moment::Now, [("times", span)]) = (fault.moment(), self.chosen_by.as_slice()) {
            let error = Diagnostic::error("what strikes at once strikes once").at(*span, "");
            found.push(error.hint("`where`, `nth` or `probability` choose what it strikes"));
        }
        for (name, span) in self.stray(fault) {
            let error = Diagnostic::error(no_choice(name)).at(*span, "");
            found.push(error.hint(
                "`for` says how long it lasts; `seam explain fault` has the faults that strike interactions",
            ));
        }
    }

    /// Why a fault can do nothing that it would do to what is chosen, in this protocol.
    pub(super) fn lacks(&self, fault: &dyn Fault, protocol: &dyn Protocol) -> Option<&'static str> {
        let is_chosen = |deed: &&Deed| match **deed {
            Deed::ChangeMessage => self.looks_at_calls.is_none(),
            deed => self.looks_at_messages.is_none() || !is_of_replies(deed),
        };
        let mut why = None;
        for deed in fault.deeds().iter().filter(is_chosen) {
            let lacks = protocol.lacks(*deed)?;
            why = why.or(Some(lacks));
        }
        why
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
        if let Kind::Fault(fault) = &kind
            && let Some(reason) = fault.precedes().filter(|_| self.filters_replies)
        {
            return Err(reason.to_owned());
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

fn is_of_replies(deed: Deed) -> bool {
    matches!(deed, Deed::ChangeReply | Deed::GarbleReply | Deed::BreakReply)
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
